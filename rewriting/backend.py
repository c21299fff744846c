"""The backend that draws, matches and solves: in this process, or on a lent GPU (`rewriting.zerogpu`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from rewriting.core.edit import Edit
from rewriting.core.request import Request
from rewriting.core.rewriter import Matches, Rewriter
from rewriting.generators import Generator
from rewriting.generators.latents import Numbering

USUAL = Numbering()

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


class Backend:
    """Draws, matches and solves with the weights of this process.

    at_once: whether one call for many pictures is fastest.
    """

    at_once = False

    def __init__(self, generator: Generator, rewriter: Callable[[int | None], Rewriter]):
        """rewriter: returns the shared rewriter of a layer; None means the generator's default layer."""
        self.generator, self.rewriter = generator, rewriter

    def images(
        self,
        seeds: Sequence[int],
        edits: Iterable[Edit] = (),
        numbering: Numbering = USUAL,
        size: int | None = None,
    ) -> np.ndarray:
        """Pictures under edits, uint8 (N, size, size, 3), resumed from the lowest edited layer.

        size: as for `Generator.images`, by default the full resolution."""
        edits, how = tuple(edits), self._how(numbering)
        layers = [edit.layer for edit in edits if edit.enabled and edit.strength]
        if not layers:
            return self.generator.images(seeds, size=size, **how)
        return self.rewriter(min(layers)).images(seeds, edits, size, **how)

    def matches(self, request: Request, seeds: Sequence[int], numbering: Numbering = USUAL) -> Matches:
        """The responses of pictures to the request's context."""
        rewriter = self.rewriter(request.layer)
        return rewriter.matches(request, seeds, **self._how(numbering), for_other_pictures=True)

    def solve(self, request: Request) -> Edit:
        """Solve a request.  Raises ValueError as `Rewriter.solve` does."""
        return self.rewriter(request.layer).solve(request, for_other_pictures=True)

    def learn(self, request: Request) -> Iterator[Edit]:
        """Learn retouched pictures: edits with decreasing loss, see `Rewriter.learn`.  Close the iterator to stop."""
        yield from self.rewriter(request.layer).learn(request, for_other_pictures=True)

    def _how(self, numbering: Numbering) -> dict[str, Any]:
        """The arguments of drawing, without truncation for a generator that has none: sessions of the paper's code
        always set it."""
        return (numbering if self.generator.truncates else numbering._replace(truncation=None))._asdict()


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Inside this context, `listener` receives sentences on a backend's fallbacks in this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(sentence: str) -> None:
    """Send a sentence to the present listener, if there is one."""
    if (listener := _listener.get()) is not None:
        listener(sentence)
