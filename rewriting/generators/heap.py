"""Control over the return of memory to the system, because glibc's defaults do not suit large features.

By default glibc returns large blocks as soon as they are free, and the next picture requests them again page by page,
which takes a sixth of its time.  It also fragments: small lasting blocks lie between the large temporary features of a
picture, so that a process grows by megabytes with every picture.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of glibc's mallopt
LARGE = 1 << 30  # bytes; no block of features is as large


def hold() -> None:
    """Keep freed memory for the next picture, in one heap for all threads, until `trim`.

    A process that draws many pictures calls this first.  It has no effect without glibc.
    """
    for name, value in ((TRIM_THRESHOLD, LARGE), (MMAP_THRESHOLD, LARGE), (ARENA_MAX, 1)):
        _of_glibc("mallopt")(name, value)


def trim() -> None:
    """Return free memory to the system, also between used blocks, in milliseconds.  It has no effect without glibc."""
    _of_glibc("malloc_trim")(0)


@cache
def _of_glibc(name: str) -> Callable[..., int]:
    try:
        return getattr(ctypes.CDLL("libc.so.6"), name)
    except (OSError, AttributeError):
        return lambda *_: 0
