"""The order of work for more visitors than cores, and work in the background."""

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
Place = tuple[float, int]  # in the queue: the due time, and the order of arrival
AT_ONCE = 2  # parts of answers at a time
EARLY = 4  # first parts of an answer, up to its first pair of pictures
PART = 3.0  # seconds by which each further part is due later
SLICE = 0.05  # seconds of background work between two looks at the queue
BEHIND = 10  # niceness of background threads on Linux, which then get a tenth of the time of a visitor's thread
PATIENCE = 20.0  # longest wait of background work, in seconds, for visitors that are being served


class FairQueue:
    """Gives turns to the parts of answers, and holds back background work while visitors are served.

    A long answer has parts: the solve, a first pair of pictures, more pairs.  Earlier answers go first, but an answer
    whose visitor has already seen a result waits some seconds for others.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once, self._working, self._served = at_once, 0, 0
        self._waiting: list[Place] = []
        self._order = count()
        self._changed = Condition()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Count one more served visitor within the context."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)
            heap.trim()  # before the next visitor makes the process grow

    def turns(self) -> Callable[[], Turn]:
        """The turns of one answer; each call queues for its next part."""
        came, had = time.monotonic(), count()
        return lambda: Turn(self, came + PART * max(0, next(had) - EARLY + 1))

    def queue(self, due: float) -> Place:
        """Add a part of an answer to the queue.  due: by `time.monotonic`."""
        with self._changed:
            place = (due, next(self._order))
            heapq.heappush(self._waiting, place)
            return place

    def begin(self, place: Place, seconds: float | None) -> int:
        """Wait for the turn of a place and begin it: returns 0, or after `seconds` the number of parts before it."""

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
        """End the turn of a place, or remove the place from the queue."""
        with self._changed:
            if place in self._waiting:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
            else:
                self._working -= 1
            self._changed.notify_all()

    def stand_aside(self) -> None:
        """Wait until no visitor is served, at most PATIENCE seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._served, PATIENCE)

    def _count(self, more: int) -> None:
        with self._changed:
            self._served += more
            self._changed.notify_all()


class Turn:
    """The turn of one part of an answer; a context manager, which waits for the turn and ends it."""

    def __init__(self, queue: FairQueue, due: float):
        self._queue, self._place, self._come = queue, queue.queue(due), False

    def wait(self, seconds: float | None = None) -> int:
        """Wait for the turn: returns 0, or after `seconds` the number of parts before it, at least 1."""
        before = 0 if self._come else self._queue.begin(self._place, seconds)
        self._come = not before
        return before

    def __enter__(self) -> Turn:
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the turn, also before it has begun."""
        self._queue.end(self._place)


class NoTurn:
    """The turn of work that need not wait."""

    def wait(self, seconds: float | None = None) -> int:
        """Return 0 at once."""
        return 0

    def close(self) -> None:
        """Do nothing."""


def give_way() -> None:
    """Give this thread, and the threads that it starts from now on, a low priority.

    This works only on Linux, where each thread has a niceness.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # some containers forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)


class WorkAhead:
    """Work in the background, before visitors need its results and while none is served.

    One thread works in slices, and several rewriters take turns.  The results go to the cache.
    """

    def __init__(self, queue: FairQueue) -> None:
        self._queue = queue
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead", initializer=give_way)
        self._wanted: WeakKeyDictionary[Rewriter, Iterator[Step]] = WeakKeyDictionary()
        self._lock = Lock()

    def begin(self, rewriter: Rewriter, steps: Iterator[Step]) -> None:
        """Begin steps for a rewriter in place of its remaining earlier steps, and return at once.

        steps: each takes about as long as one picture, and holds no reference to the rewriter.
        """
        with self._lock:
            under_way = rewriter in self._wanted
            self._wanted[rewriter] = steps
        if not under_way:
            self._submit(ref(rewriter))

    def end(self) -> None:
        """Stop all background work after the current step."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._wanted.clear()

    def _submit(self, wanted: ref[Rewriter]) -> None:
        try:
            self._pool.submit(self._go_on, wanted)
        except RuntimeError:  # after `end`, and when Python exits
            self._wanted.clear()

    def _go_on(self, wanted: ref[Rewriter]) -> None:
        """Work for one slice, then queue the next slice behind those of other rewriters.

        wanted: a rewriter; the work ends if nothing else refers to it."""
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
                self._submit(wanted)
                return

    def _next(self, rewriter: Rewriter) -> Step | None:
        with self._lock:
            if (step := next(self._wanted.get(rewriter, iter(())), None)) is None:
                self._wanted.pop(rewriter, None)
            return step
