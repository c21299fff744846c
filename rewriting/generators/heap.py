"""Says when memory goes back to the system, which of itself does so at the wrong times.

glibc hands large blocks back as soon as they are free, and the next picture asks for the same ones again, page by
page: a sixth of its time.  And of what it keeps it finds little again: between the large temporary features of one
picture lie small ones that are kept, so that a process grows by megabytes with every picture it draws.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of glibc's mallopt
LARGE = 1 << 30  # bytes; no block of features is


def hold() -> None:
    """Keep for the next picture what one has freed, in one heap for all threads, until `trim`.

    For a process that draws many pictures; to be called first.  Nothing happens where there is no glibc.
    """
    for name, value in ((TRIM_THRESHOLD, LARGE), (MMAP_THRESHOLD, LARGE), (ARENA_MAX, 1)):
        _of_glibc("mallopt")(name, value)


def trim() -> None:
    """Return what is free, between blocks in use too; takes milliseconds.  Nothing happens where there is no glibc."""
    _of_glibc("malloc_trim")(0)


@cache
def _of_glibc(name: str) -> Callable[..., int]:
    try:
        return getattr(ctypes.CDLL("libc.so.6"), name)
    except (OSError, AttributeError):
        return lambda *_: 0
