"""Gives memory that was freed back to the system.

glibc keeps what was freed, and finds little of it again: between the large temporary features of one picture lie small
ones that are kept, so that a process grows by megabytes with every picture it draws.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def trim() -> None:
    """Return what is free, between blocks in use too; takes milliseconds.  Nothing happens where there is no glibc."""
    _trimmer()(0)


@cache
def _trimmer() -> Callable[[int], int]:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return lambda keep: 0
