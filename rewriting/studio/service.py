"""Visitors being served: who comes first when there are more of them than cores."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from threading import Condition

from rewriting import heap

AT_ONCE = 2  # parts of answers worked on at a time
EARLY = 4  # parts of an answer until it shows a first pair of pictures
PART = 3.0  # seconds by which a visitor has to have come sooner than others for each further part
PATIENCE = 20.0  # seconds after which work ahead goes on by a step, however many visitors are being served


class Service:
    """Hands out turns, and lets what is done ahead stand aside: two cores are soon busy.

    A long answer comes in parts: the solve, a first pair of pictures, more of them.  Those who came first are served
    first, but whoever has seen something waits for those who have not, for some seconds.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once, self._working, self._served = at_once, 0, 0
        self._waiting: list[tuple[float, int]] = []
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

    def turns(self) -> Callable[[], AbstractContextManager[None]]:
        """For one answer: each call waits for the turn of its next part, and has it until the context ends."""
        came, had = time.monotonic(), count()
        return lambda: self._turn(came + PART * max(0, next(had) - EARLY + 1))

    @contextmanager
    def _turn(self, due: float) -> Iterator[None]:
        mine = (due, next(self._order))
        with self._changed:
            heapq.heappush(self._waiting, mine)
            self._changed.wait_for(lambda: self._working < self._at_once and self._waiting[0] == mine)
            heapq.heappop(self._waiting)
            self._working += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
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
