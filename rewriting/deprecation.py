"""Old names, which work for one more release."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

MOVED = {  # old name: (new name, module that still has the old one)
    "rewriting.checkpoints.convert": ("rewriting.hub.convert", "rewriting.hub.deprecated"),
    "rewriting.checkpoints.download": ("rewriting.hub.addresses.download", "rewriting.hub.deprecated"),
    "rewriting.checkpoints.fetch": ("load_generator, which opens what has that name", "rewriting.hub.deprecated"),
}


def renamed(old: str, new: str, callers: int = 1) -> None:
    """Warn of an old name.  callers: the number of functions between this one and the user's code."""
    warnings.warn(f"{old} is now {new}, and goes with the next release.", DeprecationWarning, stacklevel=2 + callers)


def moved(package: str, name: str) -> Any:
    """The object that a package had under an old name, with a warning.  Raises AttributeError for any other name."""
    old = f"{package}.{name}"
    if old not in MOVED:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    new, module = MOVED[old]
    renamed(old, new, callers=2)
    return getattr(import_module(module), name)
