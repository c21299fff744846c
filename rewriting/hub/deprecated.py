"""Methods that edits had before they became functions of `rewriting.hub`; they go with the next release.

The core does not know the Hub, so the methods are added to its classes from here, when `rewriting.hub` is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rewriting.core.edit import Edit, EditStack
from rewriting.deprecation import renamed
from rewriting.hub.folders import write_rule
from rewriting.hub.loading import load_edits
from rewriting.hub.publishing import publish


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
