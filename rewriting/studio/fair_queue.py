"""Whose turn it is when there are more visitors than cores, and what is drawn ahead behind their backs."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count, repeat
from threading import Condition, Lock
from weakref import WeakSet, ref

from rewriting.core.memory import QUICK_SAMPLES
from rewriting.core.rewriter import LOCALITY_PICTURES, Rewriter
from rewriting.generators import heap
from rewriting.studio.session import Numbering

Place = tuple[float, int]  # in the queue: when it is due, and which came first
AT_ONCE = 2  # parts of answers worked on at a time
EARLY = 4  # parts of an answer until it shows a first pair of pictures
PART = 3.0  # seconds by which a visitor has to have come sooner than others for each further part
SLICE = 0.05  # seconds for which work ahead goes on before it looks whether somebody waits
PATIENCE = 20.0  # seconds after which work ahead goes on by a step, however many visitors are being served


class FairQueue:
    """Hands out turns, and lets what is done ahead stand aside: two cores are soon busy.

    A long answer comes in parts: the solve, a first pair of pictures, more of them.  Those who came first are served
    first, but whoever has seen something waits for those who have not, for some seconds.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once, self._working, self._served = at_once, 0, 0
        self._waiting: list[Place] = []
        self._order = count()
        self._changed = Condition()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While it lasts, one more visitor is being served."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)
            heap.trim()  # before the next one makes the process grow

    def turns(self) -> Callable[[], Turn]:
        """For one answer: each call queues for its next part."""
        came, had = time.monotonic(), count()
        return lambda: Turn(self, came + PART * max(0, next(had) - EARLY + 1))

    def queue(self, due: float) -> Place:
        """Queue for a part of an answer."""
        with self._changed:
            place = (due, next(self._order))
            heapq.heappush(self._waiting, place)
            return place

    def begin(self, place: Place, seconds: float | None) -> int:
        """Wait until it is that place's turn, which it then has: 0.  After so many seconds: how many go first."""

        def free() -> bool:
            return self._working < self._at_once and self._waiting[0] == place

        with self._changed:
            if not self._changed.wait_for(free, seconds):
                return self._working + sum(other < place for other in self._waiting)
            heapq.heappop(self._waiting)
            self._working += 1
            self._changed.notify_all()
            return 0

    def end(self, place: Place) -> None:
        """Give the turn of a place back, or leave the queue before it has come."""
        with self._changed:
            if place in self._waiting:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
            else:
                self._working -= 1
            self._changed.notify_all()

    def stand_aside(self) -> None:
        """Return once nobody is being served, or when patience ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._served, PATIENCE)

    def _count(self, more: int) -> None:
        with self._changed:
            self._served += more
            self._changed.notify_all()


class Turn:
    """Of one part of an answer, from when it has come until the context ends."""

    def __init__(self, queue: FairQueue, due: float):
        self._queue, self._place, self._come = queue, queue.queue(due), False

    def wait(self, seconds: float | None = None) -> int:
        """0 when it has come; after so many seconds how many others go first, at least 1."""
        before = 0 if self._come else self._queue.begin(self._place, seconds)
        self._come = not before
        return before

    def __enter__(self) -> Turn:
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, whether or not it has come."""
        self._queue.end(self._place)


class NoTurn:
    """Of what need not wait."""

    def wait(self, seconds: float | None = None) -> int:
        """It has come."""
        return 0

    def close(self) -> None:
        """Nobody waits for its end."""


class WorkAhead:
    """What visitors will wait for, done while they still look and paint, and while nobody waits for anything.

    Of each rewriter once, in one thread: its second moment, the places elsewhere that should stay, and the features of
    the pictures among which results are the best matches.  They stay in the rewriter's store, as if they had been
    asked for."""

    def __init__(self, queue: FairQueue) -> None:
        self._queue = queue
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._begun: WeakSet[Rewriter] = WeakSet()
        self._lock = Lock()

    def begin(self, rewriter: Rewriter, numbering: Numbering, count: int) -> None:
        """Draw pictures 0 .. count - 1 ahead; return at once.  A rewriter that is under way or done stays so."""
        with self._lock:
            if rewriter in self._begun:
                return
            self._begun.add(rewriter)
        with suppress(RuntimeError):  # it has ended
            self._pool.submit(self._go_on, ref(rewriter), _steps(numbering, count))

    def end(self) -> None:
        """Nobody will come any more: stop after the step that is under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _go_on(self, wanted: ref[Rewriter], steps: Iterator[Callable[[Rewriter], object]]) -> None:
        """Each slice asks for the next, behind what others have asked for: several rewriters take turns.

        wanted: a rewriter, if by now nobody else keeps it, it is not wanted any more."""
        self._queue.stand_aside()
        if (rewriter := wanted()) is None:
            return
        end, step = time.monotonic() + SLICE, next(steps, None)
        while step is not None:
            step(rewriter)
            if time.monotonic() >= end:
                break
            step = next(steps, None)
        else:
            return
        self._pool.submit(self._go_on, wanted, steps)  # refused, and so the end, after `end` and once Python exits


def _steps(numbering: Numbering, count: int) -> Iterator[Callable[[Rewriter], object]]:
    """Each takes about as long as one picture."""
    yield from repeat(lambda rewriter: rewriter.measure(), QUICK_SAMPLES)
    for number in range(LOCALITY_PICTURES):
        yield lambda rewriter, number=number: rewriter.places_elsewhere([number], numbering.truncation)
    for seed in range(count):
        yield lambda rewriter, seed=seed: rewriter.features([seed], **numbering._asdict())
