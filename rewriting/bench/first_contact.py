"""Waiting times of a new user: the start of the studio, and a first rule on a generator, step by step.

The measurement sends the requests of a browser (see `rewriting.bench.studio`), with pauses between two steps.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from rewriting.bench.report import Row
from rewriting.bench.studio import PAIR, PageClient, running
from rewriting.bench.untrained import untrained
from rewriting.core.masks import encode_mask

THOUGHT = 2.0  # seconds between two steps
SIDE = 256  # of the painted masks
GOAL = re.compile(r'"goal"(?::|[^:{}]*,)"data:')
SIZES = (256, 1024)  # of the generators with random weights, in the usual widths


def first_contacts() -> Iterator[Row]:
    """Times of a first rule on a bundled generator, and on two generators of usual sizes."""
    yield from first_contact("bundled face")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            untrained(size).save(folder)
            yield from first_contact(f"{size} px, random", "--generator", folder)


def first_contact(name: str, *options: str) -> Iterator[Row]:
    """Times of each step on one generator, and the peak memory.  options: of `app.py`."""

    def row(what: str, seconds: float, note: str = "") -> Row:
        return Row(f"first contact, {name}: {what}", seconds, None, 1.0, note)

    with running(*options) as app:
        yield row("start to page", app.seconds, f"{app.megabytes():.0f} MB")
        visitor = PageClient(app)
        first, whole = visitor.opened()
        yield row("opening the page, first picture", first)
        yield row("opening the page, all pictures", whole)
        time.sleep(THOUGHT)
        visitor.act("pick_picture", 0)
        time.sleep(THOUGHT)
        visitor.act("paint_copy", _painted(96, 160))
        time.sleep(THOUGHT)
        shown, _, _ = visitor.act("pick_picture", 1, until=GOAL)  # what was painted goes to the same place
        yield row("goal of the first paste", shown)
        time.sleep(THOUGHT)
        visitor.act("pick_picture", 2)
        time.sleep(THOUGHT)
        visitor.act("paint_context", _painted(64, 192))
        time.sleep(THOUGHT)
        first, whole, _ = visitor.act("rewrite", until=PAIR)
        yield row("first pair after Rewrite", first)
        yield row("all twelve", whole, f"{app.peak():.0f} MB at most")


def _painted(start: int, stop: int) -> str:
    """The data URL of a square mask in the middle."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[start:stop, start:stop] = 255
    return encode_mask(mask)
