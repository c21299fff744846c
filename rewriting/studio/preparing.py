"""What visitors will wait for, done ahead and behind those who wait already.

While they still paint, these are the features of the pictures that their rule will be shown on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from weakref import WeakSet, ref

from rewriting.core.request import Request
from rewriting.core.rewriter import Rewriter
from rewriting.studio.service import Service
from rewriting.studio.session import Numbering

STEP = 16  # pictures at a time, so that those who want the same rewriter meanwhile wait a quarter of a second


class Preparation:
    """Draws ahead in one thread, each rewriter once.  Features stay in the rewriter, as if they had been asked for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="preparation")
        self._begun: WeakSet[Rewriter] = WeakSet()
        self._lock = Lock()

    def begin(self, rewriter: Rewriter, numbering: Numbering, count: int) -> None:
        """Draw pictures 0 .. count - 1 ahead; return at once.  A rewriter that is under way or done stays so."""
        with self._lock:
            if rewriter in self._begun:
                return
            self._begun.add(rewriter)
        self._pool.submit(self._first, ref(rewriter), numbering, count)

    def _first(self, wanted: ref[Rewriter], numbering: Numbering, count: int) -> None:
        """wanted: a rewriter, if by now nobody else keeps it, it is not wanted any more."""
        self._service.stand_aside()
        if (rewriter := wanted()) is None:
            return
        rewriter.second_moment()
        rewriter.locality_terms(Request(truncation=numbering.truncation))
        self._pool.submit(self._step, wanted, numbering, 0, count)

    def _step(self, wanted: ref[Rewriter], numbering: Numbering, start: int, count: int) -> None:
        """Each step asks for the next, behind what others have asked for: several rewriters take turns."""
        self._service.stand_aside()
        if (rewriter := wanted()) is None:
            return
        end = min(count, start + STEP)
        rewriter.features(range(start, end), **numbering._asdict())
        if end < count:  # refused, and so the end, once Python exits
            self._pool.submit(self._step, wanted, numbering, end, count)
