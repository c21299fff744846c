"""What visitors will wait for, done ahead and behind those who wait already.

While they still paint, these are the features of the pictures that their rule will be shown on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition, Lock
from weakref import WeakSet, ref

from rewriting.request import Request
from rewriting.rewriter import Rewriter
from rewriting.studio.session import Numbering

STEP = 16  # pictures at a time, so that those who want the same rewriter meanwhile wait a quarter of a second
PATIENCE = 20.0  # seconds after which work ahead goes on by a step, however many visitors are being served


class Service:
    """The visitors being served, for whom what is done ahead stands aside: two cores are soon busy."""

    def __init__(self) -> None:
        self._served = 0
        self._changed = Condition()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While it lasts, one more visitor is being served."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def stand_aside(self) -> None:
        """Return once nobody is being served, or when patience ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._served, PATIENCE)

    def _count(self, more: int) -> None:
        with self._changed:
            self._served += more
            self._changed.notify_all()


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
