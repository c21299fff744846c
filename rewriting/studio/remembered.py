"""Small results that every render asks for again, kept for as long as nobody leaves who brought pictures.

What such a result is made of lives as long as it is kept, and pictures that somebody brought leave with them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
_kept: list[Any] = []


def remembered(most: int) -> Callable[[Function], Function]:
    """`functools.lru_cache(most)`, for a function that may be given pictures that somebody brought."""

    def decorated(function: Function) -> Function:
        _kept.append(lru_cache(most)(function))
        return _kept[-1]

    return decorated


def forget() -> None:
    """Drop all that is remembered; it is made again when it is asked for."""
    for one in _kept:
        one.cache_clear()
