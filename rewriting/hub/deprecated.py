"""Deprecated names that work for one more release: methods of edits that became functions of `rewriting.hub`, and
functions of `rewriting.checkpoints`.

Neither the core nor the checkpoints import the Hub, so this module adds the methods to the core's classes when
`rewriting.hub` is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rewriting.checkpoints.known_models import known_model
from rewriting.core.edit import Edit, EditStack
from rewriting.deprecation import renamed
from rewriting.hub.addresses import download, fetch_known
from rewriting.hub.client import Access
from rewriting.hub.download import download as fetch_files
from rewriting.hub.folders import convert, write_rule
from rewriting.hub.loading import load_edits
from rewriting.hub.names import Kind, parse
from rewriting.hub.publishing import publish
from rewriting.hub.repos import find
from rewriting.processes import Progress

__all__ = ["convert", "download", "fetch"]  # of `rewriting.checkpoints`


def save_pretrained(edits: Edit | EditStack, folder: str | Path, **options: Any) -> Path:
    """Deprecated: `rewriting.hub.write_rule(edits, folder)`."""
    renamed("save_pretrained(folder)", "rewriting.hub.write_rule(edits, folder)")
    return write_rule(edits, folder, **options)


def push_to_hub(edits: Edit | EditStack, repo_id: str, **options: Any) -> Any:
    """Deprecated: `rewriting.publish(edits, repo_id)`."""
    renamed("push_to_hub(repo_id)", "rewriting.publish(edits, repo_id)")
    return publish(edits, repo_id, **options)


def from_pretrained(cls: type[Edit | EditStack], name_or_path: str | Path, **options: Any) -> Any:
    """Deprecated: `rewriting.load_edits(name)`."""
    renamed("from_pretrained(name)", "rewriting.load_edits(name)")
    stack = load_edits(name_or_path, **options)
    if issubclass(cls, EditStack):
        return stack
    if len(stack) != 1:
        raise ValueError(f"{name_or_path} holds {len(stack)} edits; open it with load_edits.")
    return stack[0]


for kind in (Edit, EditStack):
    kind.save_pretrained = save_pretrained
    kind.push_to_hub = push_to_hub
    kind.from_pretrained = classmethod(from_pretrained)


def fetch(
    source: str | Path,
    *,
    folder: str | Path | None = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Deprecated.  The local path of a file of another program, by any name that `load_generator` takes.

    folder: for a download from an address, by default a cache.  Raises as `load_generator`.
    """
    name, access = parse(source, endpoint=endpoint), Access(endpoint=endpoint, progress=progress)
    if name.kind is Kind.FILE:
        return Path(name.what)
    if name.kind is Kind.ADDRESS:
        return download(name.what, folder, progress=progress)
    if known := known_model(name.what):
        path = fetch_known(known, lambda sha256: False, access)[2]
        assert path is not None  # nothing is at hand
        return path
    if name.kind is Kind.REPO:
        content = find(name, access)
        if content.path and content.repo:
            return fetch_files(content.repo, [content.path], access) / content.path
    raise FileNotFoundError(f"{str(name)[:200]} is {name.kind.words} and holds no file of another program.")
