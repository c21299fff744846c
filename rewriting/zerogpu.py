"""The GPU of a ZeroGPU Space, borrowed for seconds at a time; elsewhere this module does nothing.

On such a Space the process of the page has no GPU.  A function marked with `spaces.GPU` runs in a forked process with
one, which later calls of all visitors reuse.  This module has one such function.  Its arguments and results are
pickled: paths of generator files, NumPy arrays and requests.  The forked process never changes weights, and keeps only
generators and their features.

The CPU draws bundled generators faster than a GPU can be borrowed, and every second on the GPU counts against the
visitor's quota.  So only larger generators use the GPU, with whole sheets at once.  If no GPU is free, the CPU does
the same work more slowly.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewriting.backend import USUAL, Backend, tell
from rewriting.core.edit import Edit, Report
from rewriting.core.request import Request
from rewriting.core.rewriter import Matches, Rewriter
from rewriting.generators import Generator
from rewriting.generators.config import MOMENTS
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import as_seed
from rewriting.generators.precision import choose_device, dtype_of
from rewriting.hub import load_generator

log = logging.getLogger(__name__)

SHARE_USED = "Your share of the GPU is used up for now, so the CPU does the work, which takes longer."
NOT_FREE = "No GPU is free at the moment, so the CPU does the work, which takes longer."
WORTH = 10_000_000  # least weights of a generator for the GPU; bundled generators have 4 million
LEARNING = 45  # seconds to learn a rule from retouched pictures
MEASURING = 5  # seconds to measure second moments
_measured = set[tuple[str, int | None]]()  # layers whose second moments the process with the GPU has measured


@dataclass(frozen=True)
class GeneratorFiles:
    """The files of a generator.  name: of the generator, for its edits.  precision: of the features.  measured:
    whether the folder holds second moments."""

    folder: str
    name: str
    precision: str
    measured: bool = field(compare=False)


@dataclass(frozen=True)
class Change:
    """An edit of one layer.  factor: (O, S, kh, kw).  directions: (S, I).  strength: 0 if it is switched off."""

    layer: int
    factor: np.ndarray
    directions: np.ndarray
    strength: float = 1.0

    @classmethod
    def of(cls, edit: Edit) -> Change:
        strength = float(edit.strength) if edit.enabled else 0.0
        return cls(edit.layer, edit.factor.numpy(), edit.directions.numpy(), strength)

    def edit(self) -> Edit:
        factor, directions = (torch.from_numpy(np.array(array)) for array in (self.factor, self.directions))
        return Edit(self.layer, factor, directions, self.strength)


@dataclass(frozen=True)
class Refusal:
    """An error as a value, because exceptions from the other process lose their message."""

    sentence: str


def present() -> bool:
    """Whether this is a ZeroGPU Space."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def marked(function: Callable) -> Callable:
    """Mark a function for the GPU."""
    if not present():
        return function
    import spaces  # exists only on such a Space

    return spaces.GPU(duration=seconds)(function)


# --- in the page's process -------------------------------------------------------------------------------------------


class LentGpu(Backend):
    """A `Backend` that uses the GPU; if the GPU is refused, this process does the work, and tells the listener."""

    at_once = True

    def images(
        self,
        seeds: Sequence[int],
        edits: Iterable[Edit] = (),
        numbering: Numbering = USUAL,
        size: int | None = None,
    ) -> np.ndarray:
        edits = tuple(edits)
        changes = tuple(Change.of(part) for edit in edits for part in edit.parts)
        here = partial(super().images, seeds, edits, numbering, size)
        return self._borrow("draw", here, tuple(map(as_seed, seeds)), changes, numbering, size)

    def matches(self, request: Request, seeds: Sequence[int], numbering: Numbering = USUAL) -> Matches:
        here = partial(super().matches, request, seeds, numbering)
        return self._borrow("match", here, tuple(map(as_seed, seeds)), request, numbering)

    def solve(self, request: Request) -> Edit:
        answer = self._borrow("solve", partial(super().solve, request), (), request)
        return answer if isinstance(answer, Edit) else self._edit(*answer)

    def learn(self, request: Request) -> Iterator[Edit]:
        yield self.solve(request)

    def _edit(self, changes: Sequence[Change], asked: Request, report: Report) -> Edit:
        first, *further = (change.edit().changes[0] for change in changes)
        return Edit(
            first.layer,
            first.factor,
            first.directions,
            name=asked.name,
            generator=self.generator.config.name,
            base=self.generator.digest(),
            request=asked,
            report=report,
            further=tuple(further),
        )

    def _borrow(self, task: str, here: Callable[[], Any], *arguments: Any) -> Any:
        files = _files_of(self.generator)
        try:
            answer = on_gpu(task, files, *arguments)
        except Exception as error:  # the quota is used up, no GPU is free, or the GPU failed
            log.warning("Without the GPU, %s: %s", task, error)
            tell(SHARE_USED if "quota" in str(error).lower() else NOT_FREE)
            return here()
        if isinstance(answer, Refusal):
            raise ValueError(answer.sentence)
        _measured.update((files.folder, one.layer) for one in arguments if isinstance(one, Request))
        return answer


def backend(generator: Generator, rewriter: Callable[[int | None], Rewriter]) -> Backend:
    """The backend of a generator.  rewriter: as for `Backend`."""
    return (LentGpu if worth_it(generator) else Backend)(generator, rewriter)


def worth_it(generator: Generator) -> bool:
    """Whether this generator uses the GPU."""
    return present() and _weights(generator) >= WORTH and _files_of(generator) is not None


def _weights(generator: Generator) -> int:
    return sum(weight.numel() for weight in generator.parameters())


def _files_of(generator: Generator) -> GeneratorFiles | None:
    source = generator.source
    if source is None or not source.folder.is_dir() or source.digest != generator.digest():
        return None
    folder = source.folder
    return GeneratorFiles(str(folder), generator.config.name, generator.precision, (folder / MOMENTS).is_file())


# --- in the process with the GPU -------------------------------------------------------------------------------------


def seconds(task: str, files: GeneratorFiles, seeds: Sequence[int], *more: Any) -> int:
    """The longest duration of a call, which the visitor's quota must still allow."""
    known = files.measured or any((files.folder, one.layer) in _measured for one in more if isinstance(one, Request))
    measuring = 0 if known or task == "draw" else MEASURING
    learned = task == "solve" and any(one.retouched for one in more if isinstance(one, Request))
    usual = {"draw": 5, "match": 10, "solve": LEARNING if learned else 15}
    return usual[task] + len(seeds) // 20 + measuring


@marked
def on_gpu(task: str, files: GeneratorFiles, *arguments: Any) -> Any:
    """Run one of the functions below on the GPU."""
    try:
        return {"draw": _draw, "match": _match, "solve": _solve}[task](files, *arguments)
    except ValueError as error:
        return Refusal(str(error))


def _draw(
    files: GeneratorFiles,
    seeds: Sequence[int],
    changes: Sequence[Change],
    numbering: Numbering,
    size: int | None = None,
) -> np.ndarray:
    edits = [change.edit() for change in changes]
    return _opened(files).images(seeds, edits, size, **numbering._asdict())


def _match(files: GeneratorFiles, seeds: Sequence[int], request: Request, numbering: Numbering) -> Matches:
    rewriter = _rewriter(files, request.layer)
    return rewriter.matches(request, seeds, **numbering._asdict(), for_other_pictures=True)


def _solve(files: GeneratorFiles, _: Sequence[int], request: Request) -> tuple[tuple[Change, ...], Request, Report]:
    edit = _rewriter(files, request.layer).solve(request, for_other_pictures=True)
    return tuple(map(Change.of, edit.parts)), edit.request, edit.report


@lru_cache(maxsize=2)  # in the process with the GPU, which lives for some minutes
def _opened(files: GeneratorFiles) -> Generator:
    torch.set_num_threads(1)  # a forked process must not wait for its parent's threads
    generator = load_generator(Path(files.folder))
    generator.config = replace(generator.config, name=files.name)
    device = choose_device("auto")
    generator.to(device).compute_dtype = dtype_of(files.precision)
    return generator


@lru_cache(maxsize=4)
def _rewriter(files: GeneratorFiles, layer: int | None) -> Rewriter:
    return Rewriter(_opened(files), layer)
