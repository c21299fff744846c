"""Conversion of other programs' weight files to generators, without running code from the files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rewriting.deprecation import renamed
from rewriting.lazy import lazily

if TYPE_CHECKING:
    from rewriting.checkpoints.contents import CheckpointError
    from rewriting.checkpoints.conversion import read_checkpoint

__all__ = ["CheckpointError", "read_checkpoint"]
_HOMES = {"CheckpointError": ".contents", "read_checkpoint": ".conversion"}
_MOVED = {  # deprecated
    "convert": "rewriting.hub.convert",
    "download": "rewriting.hub.addresses.download",
    "fetch": "load_generator, which opens what has that name",
}


def __getattr__(name: str) -> Any:
    """Import the readers on first use, because the list of known models needs no PyTorch."""
    if name in _MOVED:
        renamed(f"rewriting.checkpoints.{name}", _MOVED[name])
        return getattr(import_module("rewriting.hub.deprecated"), name)
    return lazily(__name__, _HOMES)(name)
