"""What `rewriting.checkpoints` offered before names were read in one place, for one more release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rewriting.checkpoints.known_models import known_model
from rewriting.hub.addresses import download, fetch_known
from rewriting.hub.download import download as files_of
from rewriting.hub.folders import convert
from rewriting.hub.names import Kind, parse
from rewriting.hub.repos import find
from rewriting.processes import Progress

__all__ = ["convert", "download", "fetch"]


def fetch(
    source: str | Path,
    *,
    folder: str | Path | None = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """The local path of a file of another program, by any name that `load_generator` takes.

    folder: where a download from an address is kept, by default a cache.  Raises as `load_generator`.
    """
    name = parse(source, endpoint=endpoint)
    if name.kind is Kind.FILE:
        return Path(name.what)
    if name.kind is Kind.ADDRESS:
        return download(name.what, folder, progress=progress)
    if known := known_model(name.what):
        path = fetch_known(known, lambda sha256: False, progress=progress, endpoint=endpoint)[2]
        assert path is not None  # nothing is at hand
        return path
    if name.kind is Kind.REPO:
        found = find(name, endpoint=endpoint)
        if found.path and found.repo:
            access: dict[str, Any] = {"endpoint": endpoint, "progress": progress}
            return files_of(found.repo, [found.path], **access).folder / found.path
    raise FileNotFoundError(f"{str(name)[:200]} is {name.kind.words} and holds no file of another program.")
