"""Memory that was freed goes back to the system, however small what is kept between it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rewriting import heap

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
    found = subprocess.run([sys.executable, "-c", BETWEEN], capture_output=True, text=True, check=True).stdout
    freed, given_back = map(float, found.split())
    assert freed > 150  # of 190 MB: a kept block holds the page it lies on
    assert given_back > 150  # and without asking it would not have come


@pytest.mark.parametrize("missing", [OSError, AttributeError])
def test_where_there_is_no_glibc_nothing_happens(monkeypatch, missing):
    def refuse(name):
        raise missing(name)

    asked = []
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: asked.append(name) or refuse(name))
    heap._trimmer.cache_clear()
    try:
        heap.trim()
        heap.trim()
    finally:
        heap._trimmer.cache_clear()
    assert asked == ["libc.so.6"]  # looked for once
