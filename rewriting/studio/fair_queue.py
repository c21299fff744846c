"""Whose turn it is when there are more visitors than cores, and what is drawn ahead behind their backs."""

from __future__ import annotations

import heapq
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from threading import Condition, Lock
from weakref import WeakKeyDictionary, ref

from rewriting.core.rewriter import Rewriter
from rewriting.generators import heap

Step = Callable[[Rewriter], object]
Place = tuple[float, int]  # in the queue: when it is due, and which came first
AT_ONCE = 2  # parts of answers worked on at a time
EARLY = 4  # parts of an answer until it shows a first pair of pictures
PART = 3.0  # seconds by which a visitor has to have come sooner than others for each further part
SLICE = 0.05  # seconds for which work ahead goes on before it looks whether somebody waits
BEHIND = 10  # niceness of threads on Linux: a tenth of the time that a visitor's thread gets beside them
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


def give_way() -> None:
    """Leave most of the processor to other threads: for this thread, and those that it starts from now on.

    Linux only: elsewhere threads have no niceness of their own.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)


class WorkAhead:
    """What visitors will wait for, done while they still look and paint, and while nobody waits for anything.

    One thread works in slices, and several rewriters take turns.  The results stay in the store.
    """

    def __init__(self, queue: FairQueue) -> None:
        self._queue = queue
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead", initializer=give_way)
        self._wanted: WeakKeyDictionary[Rewriter, Iterator[Step]] = WeakKeyDictionary()
        self._lock = Lock()

    def begin(self, rewriter: Rewriter, steps: Iterator[Step]) -> None:
        """Take these steps, and drop the earlier steps that are left for this rewriter; return at once.

        steps: each takes about as long as one picture.  They hold no reference to the rewriter.
        """
        with self._lock:
            under_way = rewriter in self._wanted
            self._wanted[rewriter] = steps
        if not under_way:
            with suppress(RuntimeError):  # it has ended
                self._pool.submit(self._go_on, ref(rewriter))

    def end(self) -> None:
        """Nobody will come any more: stop after the step that is under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _go_on(self, wanted: ref[Rewriter]) -> None:
        """Each slice asks for the next, behind what others have asked for.

        wanted: a rewriter, if by now nobody else keeps it, it is not wanted any more."""
        self._queue.stand_aside()
        if (rewriter := wanted()) is None:
            return
        end = time.monotonic() + SLICE
        while (step := self._next(rewriter)) is not None:
            try:
                step(rewriter)
            except BaseException:  # a visitor who asks for the result gets the error
                self._wanted.pop(rewriter, None)
                raise
            if time.monotonic() >= end:
                self._pool.submit(self._go_on, wanted)  # refused, and so the end, after `end` and once Python exits
                return

    def _next(self, rewriter: Rewriter) -> Step | None:
        with self._lock:
            if (step := next(self._wanted[rewriter], None)) is None:
                del self._wanted[rewriter]
            return step
