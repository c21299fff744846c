"""What visitors will wait for, done while they still paint: the features of the pictures that a rule is shown on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from weakref import WeakSet

from rewriting.request import Request
from rewriting.rewriter import Rewriter
from rewriting.studio.session import Numbering

STEP = 16  # pictures at a time, so that those who want the same rewriter meanwhile wait a quarter of a second
PAUSE = 0.01  # seconds between steps, in which they get their turn


class Preparation:
    """Draws ahead in one thread, each rewriter once.  Features stay in the rewriter, as if they had been asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="preparation")
        self._begun: WeakSet[Rewriter] = WeakSet()
        self._lock = Lock()

    def begin(self, rewriter: Rewriter, numbering: Numbering, count: int) -> None:
        """Draw pictures 0 .. count - 1 ahead; return at once.  A rewriter that is under way or done stays so."""
        with self._lock:
            if rewriter in self._begun:
                return
            self._begun.add(rewriter)
        self._pool.submit(self._first, rewriter, numbering, count)

    def _first(self, rewriter: Rewriter, numbering: Numbering, count: int) -> None:
        rewriter.second_moment()
        rewriter.locality_terms(Request(truncation=numbering.truncation))
        self._step(rewriter, numbering, 0, count)

    def _step(self, rewriter: Rewriter, numbering: Numbering, start: int, count: int) -> None:
        """Each step asks for the next, behind what others have asked for: several rewriters take turns."""
        end = min(count, start + STEP)
        rewriter.features(range(start, end), **numbering._asdict())
        time.sleep(PAUSE)
        if end < count:
            self._pool.submit(
                self._step, rewriter, numbering, end, count
            )  # refused, and so the end, once Python exits
