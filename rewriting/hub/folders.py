"""Complete folders of repos: weights or their update, requests, pictures, licence and model card.

Equal content gives equal bytes, so that publishing again without a change makes no commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rewriting.checkpoints.known_models import known_model
from rewriting.core.edit import CONFIG, FACTORS, Edit, EditStack
from rewriting.files import check_writable, make_folder, read_json, write_json, write_text, writing
from rewriting.generators import Generator
from rewriting.generators.config import WEIGHTS
from rewriting.hub.card import YOUR_REPO, Base, generator_card, rule_card, title
from rewriting.hub.client import Access, HubError, Token
from rewriting.hub.comparison import compare
from rewriting.hub.download import AFTER, BEFORE, CARD, LICENSE
from rewriting.hub.loading import fitting, load_base, open_name
from rewriting.hub.names import Kind, Name, parse
from rewriting.installation import VERSION
from rewriting.processes import Progress


def write_rule(
    edits: Edit | Iterable[Edit],
    folder: str | Path,
    *,
    generator: Generator | None = None,
    full_model: bool = False,
    repo_id: str = "",
    seeds: Sequence[int] | None = None,
    pictures: bool = True,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the folder of an edit repo or, with full_model, of a generator with the edits in its weights.

    generator: the generator of the edits; by default the bundled or Hub generator that they name, opened with the
    other options.  repo_id: of the later repo, for the card.  seeds: of the card's pictures.
    pictures: False leaves out people's own pictures; the rules still work, but nobody can edit them.
    Returns the folder.  Raises HubError or ValueError, or OSError for a folder that is not writable, before it changes
    a file.
    """
    stack = EditStack([edits] if isinstance(edits, Edit) else edits)
    stack = stack if pictures else stack.without_pictures()
    if not len(stack):
        raise HubError("There is no rule to write; rewrite one first.")
    if not any(edit.enabled and edit.strength for edit in stack):
        raise HubError("Every rule is switched off; switch on at least one.")
    generator = load_base(stack, Access(token, endpoint, cache_dir, progress)) if generator is None else generator
    fitting(stack, generator)
    folder = Path(folder)
    check_writable(folder / CONFIG)
    make_folder(folder.parent)
    with TemporaryDirectory(prefix=".rewriting-", dir=folder.parent) as staging:
        _write(stack, generator, Path(staging), full_model, repo_id, seeds, endpoint)
        make_folder(folder)
        for path in sorted(Path(staging).iterdir()):
            os.replace(path, folder / path.name)
    return folder


def convert(
    source: str | Path,
    out: str | Path,
    *,
    name: str = "",
    truncation: float | None = None,
    label: int | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Generator:
    """Write a generator folder (config.json, model.safetensors, README.md, perhaps LICENSE), and return the generator.

    source: any name that `load_generator` opens, usually that of a file of another program.  out: a folder that does
    not exist, is empty, or is a generator folder already.  name, truncation: of the generator; by default the file's
    name, and the truncation of a known model or 1.  label: the only class to keep of a conditional generator.
    Other options and errors as for `load_generator`; ValueError for another folder `out`, and OSError for one that is
    not writable, before anything is fetched.
    """
    out, named = Path(out), parse(source, endpoint=endpoint)
    _check_out(out)
    check_writable(out / CONFIG)
    if named.kind is Kind.FOLDER and known_model(str(source)):  # perhaps the folder of an earlier conversion
        named = Name(Kind.KNOWN, str(source))
    access = Access(token, endpoint, cache_dir, progress)
    generator = open_name(named, access, label=label)
    changes = {"name": name or generator.config.name + ("" if label is None else f", class {label}")}
    changes |= {} if truncation is None else {"truncation": truncation}
    generator.config = replace(generator.config, **changes)
    license_text = generator.source.license_text
    access.say(0.95, "Writing the generator folder")
    generator.save(out)
    write_text(out / CARD, generator_card(generator.config, YOUR_REPO, bool(license_text), endpoint))
    if license_text:
        write_text(out / LICENSE, license_text)
    access.say(1.0, "Done")
    return generator


def _check_out(out: Path) -> None:
    """Raise ValueError if `out` is a file, or a folder with other content than a generator."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder to write the generator to.")
    if out.is_dir() and any(out.iterdir()) and not ((out / CONFIG).is_file() and (out / WEIGHTS).is_file()):
        raise ValueError(f"{out} holds other files; give a new folder.")


def _write(
    stack: EditStack,
    generator: Generator,
    folder: Path,
    full_model: bool,
    repo_id: str,
    seeds: Sequence[int] | None,
    endpoint: str | None,
) -> None:
    base = Base.of(generator)
    comparison = compare(generator, stack, seeds)
    stack.save(folder)
    if full_model:
        digest = _sha256_of_tensors(folder / FACTORS)
        (folder / FACTORS).unlink()
        _merged(stack, generator, base, repo_id).save(folder)
        stamp(folder / WEIGHTS, _metadata(base) | {"edit_sha256": digest})
    else:
        _describe_base(folder / CONFIG, base)
        stamp(folder / FACTORS, _metadata(base) | {"edit_sha256": _sha256_of_tensors(folder / FACTORS)})
    comparison.save(folder / BEFORE, folder / AFTER)
    if base.license_text:
        write_text(folder / LICENSE, base.license_text)
    card = rule_card(stack, base, comparison, adapter=not full_model, repo_id=repo_id, endpoint=endpoint)
    write_text(folder / CARD, card)


def _merged(stack: EditStack, generator: Generator, base: Base, repo_id: str) -> Generator:
    """The rewritten generator, with its base and its rules in its config."""
    merged = generator.merge(stack)
    made_of = {"base_model": _base_json(base), "rules": [edit.name for edit in stack]}
    merged.config = replace(
        generator.config,
        name=repo_id or f"{generator.config.name} rewritten".strip(),
        description=title(stack),
        extra={**generator.config.extra, **made_of},
    )
    return merged


def _describe_base(path: Path, base: Base) -> None:
    """Add the generator's facts to the config of an edit repo."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise HubError(f"{path.name} was not written correctly; try again.")
    about = {
        "library_name": "rewriting",
        "library_version": VERSION,
        "architecture": base.config.architecture,
        "resolution": base.config.resolution,
        "license": base.config.license,
    }
    write_json(path, {**config, **about, "base_model": _base_json(base)})


def _base_json(base: Base) -> dict[str, str]:
    return {"repo_id": base.name or base.config.name, "revision": base.revision, "sha256": base.digest}


def _metadata(base: Base) -> dict[str, str]:
    return {
        "library_version": VERSION,
        "architecture": base.config.architecture,
        "base_model": base.name or base.config.name,
        "base_revision": base.revision,
        "base_sha256": base.digest,
        "license": base.config.license,
    }


# --- safetensors headers --------------------------------------------------------------------------------------------


def stamp(path: Path, metadata: Mapping[str, str]) -> None:
    """Add metadata to a safetensors file, and sort its header.

    The library writes metadata in a random order, so equal content would give different files.
    """
    header, start = _header(path)
    header["__metadata__"] = {**header.get("__metadata__", {}), **metadata}
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **dict(sorted(header.items()))}
    data = json.dumps(ordered, separators=(",", ":")).encode()
    data += b" " * (-len(data) % 8)  # tensors begin at a multiple of 8 bytes
    with writing(path) as partial, path.open("rb") as old, partial.open("wb") as new:
        new.write(struct.pack("<Q", len(data)) + data)
        old.seek(start)
        while chunk := old.read(1 << 20):
            new.write(chunk)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The parsed header of a safetensors file, and the offset of its tensors in bytes."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def _sha256_of_tensors(path: Path) -> str:
    """sha256 of a safetensors file without its header."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(_header(path)[1])
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
