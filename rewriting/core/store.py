"""A cache of large results within one budget of memory.

A result's name holds everything that it depends on, so equal names mean equal results.  If several threads need the
same result, one of them computes it and the others wait.  The computation finishes even if its caller no longer needs
it.  A result that depends on private data has a name that only the data's owner can form.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from threading import Condition
from typing import Any

Name = tuple[Hashable, ...]
SMALL = 1 << 10  # bytes that count for a result without a known size


class Store:
    """The most recently used results, up to `room` bytes.  Several threads may call the methods."""

    def __init__(self, room: int):
        self.room = room
        self._results: OrderedDict[Name, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._making: set[Name] = set()
        self._changed = Condition()

    def each(
        self, names: Iterable[Name], make: Callable[[Sequence[Name]], Iterable[Any]], at_a_time: int = 1
    ) -> list[Any]:
        """The results of names, in their order.

        make: computes the results of at most `at_a_time` names, which are neither in the cache nor being computed by
        another thread.  Raises the errors of `make`.
        """
        names, found = list(names), {}
        while True:
            with self._changed:
                found |= self._known(name for name in names if name not in found)
                absent = dict.fromkeys(name for name in names if name not in found)
                if not absent:
                    return [found[name] for name in names]
                mine = [name for name in absent if name not in self._making][:at_a_time]
                if not mine:
                    self._changed.wait()
                    continue
                self._making.update(mine)
            made: dict[Name, Any] = {}
            try:
                made = dict(zip(mine, make(mine), strict=True))
                found |= made
            finally:
                with self._changed:
                    for name, result in made.items():
                        self._put(name, result)
                    self._making.difference_update(mine)
                    self._changed.notify_all()

    def one(self, name: Name, make: Callable[[], Any]) -> Any:
        """The result of a name.  make: computes it; called only if needed."""
        return self.each([name], lambda _: [make()])[0]

    def known(self, names: Iterable[Name]) -> dict[Name, Any]:
        """The cached results among these names."""
        with self._changed:
            return self._known(names)

    def forget(self, which: Callable[[Name], bool]) -> None:
        """Drop the results whose names satisfy a condition."""
        with self._changed:
            for name in [name for name in self._results if which(name)]:
                self._drop(name)

    def _known(self, names: Iterable[Name]) -> dict[Name, Any]:
        there = [name for name in names if name in self._results]
        for name in there:
            self._results.move_to_end(name)
        return {name: self._results[name][0] for name in there}

    def _put(self, name: Name, result: Any) -> None:
        self._results[name] = result, _bytes_of(result)
        self._bytes += self._results[name][1]
        while self._bytes > self.room and len(self._results) > 1:
            self._drop(next(iter(self._results)))

    def _drop(self, name: Name) -> None:
        self._bytes -= self._results.pop(name)[1]


def _bytes_of(result: Any) -> int:
    size = len(result) if isinstance(result, (str, bytes)) else getattr(result, "nbytes", SMALL)
    return size() if callable(size) else size
