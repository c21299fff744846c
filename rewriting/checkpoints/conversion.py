"""From a foreign file to a generator, and to a generator repo."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rewriting.checkpoints.build import build_generator
from rewriting.checkpoints.contents import CheckpointError
from rewriting.checkpoints.fetching import fetch, sha256_of
from rewriting.checkpoints.known_models import KnownModel, known_file, known_model
from rewriting.checkpoints.layouts import canonical
from rewriting.checkpoints.reader import read_contents, refusal
from rewriting.generators import Generator
from rewriting.generators.config import CONFIG, WEIGHTS
from rewriting.processes import Progress

CARD = "README.md"


def read_checkpoint(
    path: str | Path, *, name: str = "", truncation: float | None = None, progress: Progress | None = None
) -> Generator:
    """The generator in a local .pt, .pth or .pkl file: rosinality's layout, the paper's, NVIDIA's StyleGAN2 in PyTorch
    or TensorFlow, or a Progressive GAN; architecture and sizes come from the names and shapes in it.

    name: how it is called, by default the file's name.  truncation: psi; by default what is recommended for a file of
    that name, or 1.  progress: called with a share of 1 and what is being done.

    Nothing in the file is run: it is read in a process of its own, with limits.  Raises FileNotFoundError, or
    CheckpointError (a ValueError) in one sentence, on a hosted Space always.
    """
    _check_local()
    return _open(Path(path), None, name, truncation, progress or _silent)


def convert(
    source: str | Path,
    out: str | Path,
    *,
    name: str = "",
    truncation: float | None = None,
    progress: Progress | None = None,
) -> Generator:
    """Write a foreign file as a generator repo (config.json, model.safetensors, README.md) and return the generator.

    source: a local file, an https address, a file on the Hub as org/name/path/file.pt, or a name of
    `python -m rewriting models`.  out: a folder that does not exist, is empty, or is a generator repo already.
    Other arguments and errors as `read_checkpoint`; ConnectionError if a download fails.
    """
    out, report = Path(out), progress or _silent
    _check_local()
    _check_out(out)
    path = fetch(source, progress=progress)
    generator = _open(path, known_model(str(source)), name, truncation, report)
    report(0.9, "Writing the generator repo")
    generator.save(out)
    (out / CARD).write_text(card(generator, str(source)), encoding="utf-8")
    report(1.0, "Done")
    return generator


def card(generator: Generator, source: str) -> str:
    """README.md of a converted generator: a model card in Markdown, with YAML metadata."""
    config = generator.config
    unknown = config.license in ("", "other", "unknown")
    terms = "not known: look it up where the file comes from" if unknown else f"`{config.license}`"
    title = " ".join(config.name.split()) or config.architecture_name
    metadata = [
        "license: unknown" if unknown else f"license: other\nlicense_name: {json.dumps(config.license)}",
        "library_name: rewriting",
        "pipeline_tag: unconditional-image-generation",
        f"tags: [{config.architecture}, gan, model-rewriting, image-generation]",
    ]
    facts = [
        f"- from: `{source.replace('`', '')}`",
        f"- licence: {terms}",
        f"- pictures: {config.resolution} x {config.resolution} pixels, truncation {config.truncation:g}",
        f"- latent: {config.z_dim} numbers" + (f", mapped to {config.w_dim}" if config.w_dim else ""),
        f"- layer to edit when none is named: {config.default_layer}",
        f"- weights' digest: `{generator.digest()}`",
    ]
    about = f"A {config.architecture_name} generator. {config.description}"
    parts = ["---", *metadata, "---", f"# {title}", "", about, "", *facts, ""]
    return "\n".join(parts)


def _open(path: Path, known: KnownModel | None, name: str, truncation: float | None, report: Progress) -> Generator:
    """read_checkpoint; known: the model that the file is, None to find out by its name and digest."""
    report(0.1, "Reading the file")
    try:
        contents = read_contents(path)
        report(0.6, "Recognising the generator")
        digest = sha256_of(path)
        known = known or known_file(path.name, digest)
        found = canonical(contents)
        return build_generator(
            found,
            name=name or (known.name if known else path.stem),
            truncation=truncation if truncation is not None else known.truncation if known else 1.0,
            default_layer=known.default_layer if known else None,
            license=known.license if known else "unknown",
            description=f"Converted from {path.name} ({found.layout}).",
            extra={"source": {"file": path.name, "layout": found.layout, "sha256": digest}},
        )
    except CheckpointError as error:
        raise CheckpointError(refusal(path.name, str(error))) from None


def _silent(_share: float, _what: str) -> None:
    """Progress that nobody watches."""


def _check_local() -> None:
    if os.environ.get("SPACE_ID"):
        raise CheckpointError("Weight files are not opened on a hosted Space; convert the file on your own computer.")


def _check_out(out: Path) -> None:
    """Raises ValueError if writing to `out` would mix with, or replace, something that is no generator repo."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder to write the generator to.")
    if out.is_dir() and any(out.iterdir()) and not ((out / CONFIG).is_file() and (out / WEIGHTS).is_file()):
        raise ValueError(f"{out} holds other files; give a new folder.")
