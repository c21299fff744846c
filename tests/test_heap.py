"""Memory that was freed goes back to the system, however small what is kept between it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rewriting.generators import heap

BETWEEN = """
from rewriting.generators import heap

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


AGAIN = """
import resource, sys, threading
from rewriting.generators import heap

if sys.argv[1] == "hold":
    heap.hold()

def draw():
    for _ in range(5):
        features = [bytearray(40 << 20) for _ in range(3)]

def pages(run):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    run()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

visitor = threading.Thread(target=draw)
draw()
print(pages(draw), pages(lambda: (visitor.start(), visitor.join())))
"""


@pytest.mark.parametrize(("way", "asked_again"), [("hold", False), ("plain", True)])
def test_what_was_freed_is_kept_for_the_next_picture_of_every_thread(way, asked_again):
    run = subprocess.run([sys.executable, "-c", AGAIN, way], capture_output=True, text=True, check=True).stdout
    same_thread, another = map(int, run.split())
    whole = 5 * 3 * (40 << 20) // 4096  # pages
    assert (same_thread > whole / 2) is asked_again
    assert (another > whole / 2) is asked_again


@pytest.mark.parametrize("missing", [OSError, AttributeError])
def test_where_there_is_no_glibc_nothing_happens(monkeypatch, missing):
    def refuse(name):
        raise missing(name)

    asked = []
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: asked.append(name) or refuse(name))
    heap._of_glibc.cache_clear()
    try:
        heap.trim()
        heap.trim()
        heap.hold()
    finally:
        heap._of_glibc.cache_clear()
    assert asked == ["libc.so.6"] * 2  # each function is looked for once
