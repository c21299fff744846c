"""The compared methods: each turns the same request into a change, a `MethodResult`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rewriting import processes
from rewriting.core.goal import Term
from rewriting.core.request import Request
from rewriting.core.rewriter import Rewriter
from rewriting.generators import Generator, LayerInput
from rewriting.generators.base import LayerEdit
from weights.segmenter import SIDE, Segmenter

LEAST = 20  # pixels from which a thing counts as seen
Draw = Callable[[Sequence[int], np.ndarray], np.ndarray]


@dataclass(frozen=True)
class MethodResult:
    """A change made by a method.

    draw: (picture numbers, these pictures unmodified) -> changed pictures, uint8 (N, H, W, 3).
    seconds: processor time to make the change, without any picture.
    loss: of the goal, before and after; None for a method without it.  edits: the edits that draw the pictures, if the
    method only makes edits.  tuned: the generator that draws, if it is another.
    most: the largest number of pictures for the measurement, None for all.
    """

    name: str
    draw: Draw
    seconds: float
    loss: tuple[float, float] | None = None
    edits: tuple[LayerEdit, ...] = ()
    tuned: Generator | None = None
    most: int | None = None


@dataclass(frozen=True)
class Setting:
    """The input of every method: a layer with its generator, and a request.

    segmenter, things: labels of the things that the rule is about, for methods that must find them.
    """

    rewriter: Rewriter
    request: Request
    segmenter: Segmenter | None = None
    things: tuple[str, ...] = ()

    def sees(self, pictures: np.ndarray) -> np.ndarray:
        """Whether the segmenter sees any of the things in each picture, uint8 (N, H, W, 3) -> bool (N,); all True
        without one."""
        if self.segmenter is None:
            return np.ones(len(pictures), bool)
        return self.segmenter.mask(pictures, *self.things).sum((1, 2)) >= LEAST

    @property
    def size(self) -> int:
        """The side in pixels for comparisons: the segmenters', or the generator's if that is smaller."""
        return min(SIDE, self.rewriter.generator.config.resolution)

    @cached_property
    def terms(self) -> list[Term]:
        """The goal; the request decides into how many pictures the object is pasted.  The weights sum to 1."""
        return self.rewriter.goal_terms(self.request)

    @cached_property
    def directions(self) -> Tensor:
        """D, (rank, I), as in the studio."""
        return self.rewriter.directions(self.request)

    @cached_property
    def paper_directions(self) -> Tensor:
        """D, (rank, I), as in the paper: from keys fully whitened (Appendix D)."""
        return self.rewriter.directions(self.request, method="whitened")

    @cached_property
    def goal(self) -> Term:
        """The goal's terms as one batch, cut to windows of one size: the same loss with less computation.

        A window reaches one key position beyond the goal, so its false border has no effect.  The weight of the whole
        batch, (N, h', w'), sums to 1.
        """
        return batched(self.terms, self.rewriter.layer.ratio)

    def loss(self, weight: Tensor | None = None) -> Tensor:
        """sum_p m_p mean |f(k_p; W) - v*_p|, at the layer's own weight or another (O, I, kh, kw)."""
        residual = self.rewriter.layer.value(self.goal.at, weight) - self.goal.target
        return (self.goal.weight * residual.abs().mean(1)).sum()

    def change(
        self,
        name: str,
        edits: Sequence[LayerEdit],
        seconds: float,
        loss: tuple[float, float] | None = None,
        tuned: Generator | None = None,
    ) -> MethodResult:
        """A change that consists only of edits, or of another generator."""

        def draw(seeds: Sequence[int], before: np.ndarray) -> np.ndarray:
            if tuned is not None:
                return tuned.images(seeds, size=before.shape[1])
            return self.rewriter.images(seeds, edits, before.shape[1]) if edits else before

        return MethodResult(name, draw, seconds, loss, tuple(edits), tuned)

    def made_together(
        self, makers: Sequence[Callable[[], MethodResult]], progress: Callable[[str], None]
    ) -> list[MethodResult]:
        """The changes of all makers, each by `change`; the processes share the makers.

        All processes then draw with the same weights.
        """
        results = []
        for make in processes.mine(makers):
            result = make()
            progress(f"{result.name}, made in {result.seconds:.1f} s")
            results.append((result.name, result.edits, result.seconds, result.loss, result.tuned))
        return [self.change(*result) for result in processes.gathered(results)]


@dataclass(frozen=True)
class WeightChange:
    """A change of one layer's whole weight, (O, I, kh, kw), of any rank."""

    layer: int
    change: Tensor

    def delta(self) -> Tensor:
        return self.change


class Stopwatch:
    """`with Stopwatch() as watch: ...`, then `watch.seconds`: processor time of all threads.

    Wall-clock time would depend on the other work of the machine.
    """

    def __enter__(self) -> Stopwatch:
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._start


def batched(terms: Sequence[Term], ratio: int) -> Term:
    """Terms of one picture each as one term of a batch; see `Setting.goal`.  ratio: of the value's size to the key's.

    A key that is larger than its picture's map is not cut: windows are squares no larger than the map.
    """
    size = terms[0].at.key.shape[-1]
    boxes = [_box(term.weight, ratio) for term in terms]
    side = min(size, max(max(bottom - top, right - left) for top, left, bottom, right in boxes) + 2)
    cut = [_window(term, box, side, ratio) for term, box in zip(terms, boxes, strict=True)]
    at = LayerInput.cat([term.at for term in cut])
    return Term(at, torch.cat([term.target for term in cut]), torch.stack([term.weight for term in cut]), "goal")


def _box(weight: Tensor, ratio: int) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of the key positions under the painted ones, exclusive."""
    rows, columns = (torch.nonzero((weight > 0).any(axis)).flatten() // ratio for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _window(term: Term, box: tuple[int, int, int, int], side: int, ratio: int) -> Term:
    size, (top, left, bottom, right) = term.at.key.shape[-1], box
    row = min(max((top + bottom - side) // 2, 0), size - side)
    column = min(max((left + right - side) // 2, 0), size - side)
    keys = np.s_[..., row : row + side, column : column + side]
    values = np.s_[..., row * ratio : (row + side) * ratio, column * ratio : (column + side) * ratio]
    at = LayerInput(term.at.key[keys], term.at.style, term.at.latent, origins=((row / size, column / size),))
    return Term(at, term.target[values], term.weight[values], term.kind)


def methods(
    setting: Setting, *, steps: int, tuning_steps: int, progress: Callable[[str], None] = lambda _: None
) -> list[MethodResult]:
    """All methods, in the order of the tables.

    steps: of each optimiser but one (original: 2001).  tuning_steps: of tuning all weights (original: 20 001).
    """
    from weights.experiments.methods import correspondence, gradient, ours, tuning

    makers = [
        lambda: ours.unmodified(setting),
        lambda: ours.solved(setting),
        lambda: ours.solved(setting, name=ours.PAPER_DIRECTIONS, method="whitened"),
        lambda: gradient.projected(setting, steps=steps),
        lambda: gradient.projected(setting, steps=steps, one_paste=True),
        lambda: gradient.projected(setting, steps=steps, paper=False),
        lambda: gradient.direct(setting, steps=steps),
        lambda: gradient.single_image(setting, steps=steps),
        lambda: gradient.whole_layer(setting, steps=steps),
        lambda: tuning.all_weights(setting, steps=tuning_steps),
    ]
    return [*setting.made_together(makers, progress), *correspondence.pasted_pixels(setting)]
