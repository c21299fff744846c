"""Lazy imports for a package's names, so that commands without PyTorch start at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from rewriting.deprecation import moved


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package.  homes: the module of each of its public names."""

    def get(name: str) -> Any:
        if name not in homes:
            return moved(package, name)
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
