"""Where pictures are drawn, matched and rules solved: in this process, unless a GPU is lent (`rewriting.zerogpu`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from rewriting.core.edit import Edit
from rewriting.core.request import Request
from rewriting.core.rewriter import Matches, Rewriter
from rewriting.generators import Generator

Numbering = tuple[str, float | None]  # seeding and truncation: which pictures the numbers stand for
USUAL: Numbering = ("seed", None)

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


class Backend:
    """Draws, matches and solves with the weights of this process.

    at_once: whether it is quickest if asked for many pictures at a time.
    """

    at_once = False

    def __init__(self, generator: Generator, rewriter: Callable[[int | None], Rewriter]):
        """rewriter: the shared one of a layer, by default of the generator's own choice."""
        self.generator, self.rewriter = generator, rewriter

    def images(
        self,
        seeds: Sequence[int],
        edits: Iterable[Edit] = (),
        numbering: Numbering = USUAL,
        size: int | None = None,
    ) -> np.ndarray:
        """Pictures under some edits, uint8 (N, size, size, 3), resumed from the lowest edited layer.

        size: as for `Generator.images`, by default the full resolution."""
        edits, seeding, truncation = tuple(edits), numbering[0], self._truncation(numbering)
        layers = [edit.layer for edit in edits if edit.enabled and edit.strength]
        if not layers:
            return self.generator.images(seeds, size=size, seeding=seeding, truncation=truncation)
        return self.rewriter(min(layers)).images(seeds, edits, size, seeding=seeding, truncation=truncation)

    def matches(self, request: Request, seeds: Sequence[int], numbering: Numbering = USUAL) -> Matches:
        """How strongly pictures respond to the request's context, and where."""
        seeding, truncation = numbering[0], self._truncation(numbering)
        rewriter = self.rewriter(request.layer)
        return rewriter.matches(request, seeds, seeding=seeding, truncation=truncation, for_other_pictures=True)

    def solve(self, request: Request) -> Edit:
        """The request's edit.  Raises ValueError as `Rewriter.solve` does."""
        return self.rewriter(request.layer).solve(request, for_other_pictures=True)

    def learn(self, request: Request) -> Iterator[Edit]:
        """Edits that come nearer and nearer to retouched pictures, see `Rewriter.learn`; to stop, close it."""
        yield from self.rewriter(request.layer).learn(request, for_other_pictures=True)

    def _truncation(self, numbering: Numbering) -> float | None:
        """Sessions of the paper's code ask for one whatever the generator; where it has none, it changes nothing."""
        return numbering[1] if self.generator.truncates else None


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, whoever is listening hears in one sentence what a backend had to do otherwise in this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(sentence: str) -> None:
    """Say something to whoever is listening."""
    if (listener := _listener.get()) is not None:
        listener(sentence)
