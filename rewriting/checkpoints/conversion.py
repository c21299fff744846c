"""Conversion of a foreign file to a generator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from rewriting.checkpoints.build import build_generator
from rewriting.checkpoints.contents import CheckpointError
from rewriting.checkpoints.known_models import UNKNOWN, KnownModel, known_file
from rewriting.checkpoints.layouts import canonical
from rewriting.checkpoints.reader import read_contents, refusal
from rewriting.generators import Generator, GeneratorConfig
from rewriting.installation import VERSION
from rewriting.processes import Progress


@dataclass(frozen=True)
class Origin:
    """The origin of a file, for the config of the converted generator.

    file: its name, or its path in a repo.  known: the known model, None if the file may be any.
    repo, commit: of the Hub.  license: one of the Hub's identifiers, "other" with license_name and license_link in
    `terms`, or "" if unknown.
    """

    file: str
    known: KnownModel | None = None
    repo: str = ""
    commit: str = ""
    license: str = ""
    terms: dict[str, str] = field(default_factory=dict)


def read_checkpoint(
    path: str | Path,
    *,
    name: str = "",
    truncation: float | None = None,
    label: int | None = None,
    progress: Progress | None = None,
) -> Generator:
    """Convert a local .pt, .pth or .pkl file: rosinality's layout, the paper's, NVIDIA's StyleGAN2 in PyTorch or
    TensorFlow, or a Progressive GAN; names and shapes in the file determine the architecture and its sizes.

    name: of the generator, by default the file's.  truncation: psi; by default the recommended one for a file of that
    name, or 1.  label: the only class to keep of a conditional generator.  progress: called with (share done,
    sentence).

    The file is read in a process of its own, with limits, and no code from it runs.  Raises FileNotFoundError, or
    CheckpointError (a ValueError) in one sentence.
    """
    path = Path(path)
    return described(
        read_weights(path, label=label, progress=progress), Origin(path.name), name=name, truncation=truncation
    )


def read_weights(
    path: Path,
    *,
    label: int | None = None,
    check: Callable[[GeneratorConfig], None] | None = None,
    progress: Progress | None = None,
) -> Generator:
    """Convert a local file; the config holds only facts from the file.

    label: the only class to keep of a conditional generator.  check: called with the config before the generator is
    built; an exception of it ends the conversion.  Raises as `read_checkpoint`.
    """
    report = progress or _silent
    report(0.1, "Reading the file")
    try:
        contents = read_contents(path)
        report(0.6, "Recognising the generator")
        weights = canonical(contents, label)
        source = {"layout": weights.layout, "sha256": sha256_of(path)}
        source |= {} if label is None else {"class": label}
        return build_generator(weights, check, license=UNKNOWN, extra={"source": source})
    except CheckpointError as error:
        raise CheckpointError(refusal(path.name, str(error))) from None


def described(generator: Generator, origin: Origin, *, name: str = "", truncation: float | None = None) -> Generator:
    """Complete the config of a generator from `read_weights` by its origin and recommended settings.

    name, truncation: as for `read_checkpoint`.
    """
    config, source = generator.config, dict(generator.config.extra["source"])
    file = Path(origin.file)
    known = origin.known or known_file(file.name, source["sha256"])
    extra: dict[str, Any] = {"source": {"file": origin.file, **source}}
    if origin.repo:
        extra["base_model"] = {"repo_id": origin.repo, "revision": origin.commit}
    license = known.license if known and known.license != UNKNOWN else origin.license
    generator.config = replace(
        config,
        name=name or (known.name if known else file.stem),
        truncation=truncation if truncation is not None else known.truncation if known else config.truncation,
        default_layer=min(known.default_layer, config.last_layer) if known else config.default_layer,
        license=license or UNKNOWN,
        description=f"Converted from {file.name} ({source['layout']}). {config.description}".strip(),
        extra=extra | (origin.terms if license == origin.license else {}),
    )
    return generator


@cache
def converter() -> str:
    """The version of the converter, which changes with any code that may affect the conversion."""
    folder = Path(__file__).parent
    return digest_of_code([*folder.glob("*.py"), *(folder.parent / "generators").glob("*.py")])


def digest_of_code(paths: Iterable[Path]) -> str:
    """12 hexadecimal digits that depend on the files' names and contents, and on this software's version."""
    digest = hashlib.sha256(VERSION.encode())
    for path in sorted(paths):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _silent(_share: float, _what: str) -> None:
    """Ignore progress."""
