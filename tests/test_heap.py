"""Memory that was freed goes back to the system, however small what is kept between it."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

BETWEEN = """
from rewriting import heap

def resident():  # MB
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

kept, freed = [], []
for _ in range(2000):
    freed.append(bytearray(b"x") * 100_000)  # below the size from which glibc asks the system for every block
    kept.append(bytearray(b"x") * 5000)
full = resident()
freed.clear()
before = resident()
heap.trim()
print(full - resident(), before - resident())
"""


def test_what_lies_between_kept_blocks_is_given_back():
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("not glibc, whose habit this is")
    found = subprocess.run([sys.executable, "-c", BETWEEN], capture_output=True, text=True, check=True).stdout
    freed, given_back = map(float, found.split())
    assert freed > 150  # of 190 MB: a kept block holds the page it lies on
    assert given_back > 150  # and without asking it would not have come
