"""Caches of functions that every render calls.

A cache refers to the arguments of its function, so all caches are cleared when own pictures are to leave the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
_kept: list[Any] = []


def remembered(most: int) -> Callable[[Function], Function]:
    """`functools.lru_cache(most)` for a function whose arguments may be own pictures."""

    def decorated(function: Function) -> Function:
        _kept.append(lru_cache(most)(function))
        return _kept[-1]

    return decorated


def forget() -> None:
    """Clear all caches."""
    for one in _kept:
        one.cache_clear()
