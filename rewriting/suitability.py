"""Which layer suits a rule: what its values draw on their own, and how well each layer reaches the goal.

A layer suits object-level rules if its value at a place says by itself what is drawn there: then a patch of the value,
rendered in isolation, looks like the same patch in its place (paper, Appendix H, Figures 13 to 18; Figure 2d).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.masks import bounding_box, resize_mask
from rewriting.request import Region, Request
from rewriting.rewriter import Rewriter

SMALLEST = 2  # positions of the value that an object must cover to be said at a layer at all


@dataclass(frozen=True)
class Suitability:
    """How a layer suits a request.

    isolation: 0 to 1, how much better a patch drawn alone predicts the patch in place than another picture's does.
    reached: share of the goal's loss that the solve removed.  elsewhere: mean change of other places' values.
    """

    layer: int
    isolation: float
    reached: float
    elsewhere: float

    @property
    def score(self) -> float:
        """What the recommendation goes by: a goal reached, with values that mean something, and little else moved."""
        return self.reached * self.isolation - self.elsewhere


@torch.no_grad()
def isolated(rewriter: Rewriter, region: Region, *, margin: int = 1, truncation: float | None = None) -> np.ndarray:
    """What the layer's values under a mask draw without their surroundings: uint8 (h, w, 3), the patch alone.

    The box of the mask, `margin` positions wider, goes through the rest of the generator as if it were all there is.
    """
    at = rewriter.features([region.seed], truncation=truncation)[0]
    value = rewriter.layer.value(at)
    rows, columns = _box(region.mask, value.shape[-1], margin)
    patch = value[:, :, rows, columns]
    return to_uint8(draw_patch(rewriter.generator, rewriter.number, patch, crop(at, rows, columns, value.shape[-1])))[
        0
    ]


@torch.no_grad()
def in_place(rewriter: Rewriter, region: Region, *, margin: int = 1, truncation: float | None = None) -> np.ndarray:
    """The same patch, cut out of the whole picture: uint8 (h, w, 3)."""
    size = rewriter.generator.value_size(rewriter.number)
    rows, columns = _box(region.mask, size, margin)
    picture = rewriter.images([region.seed], truncation=truncation)[0]
    cell = len(picture) // size
    return picture[rows.start * cell : rows.stop * cell, columns.start * cell : columns.stop * cell]


def draw_patch(generator: Generator, layer: int, patch: torch.Tensor, at: LayerInput) -> torch.Tensor:
    """Run a part of a layer's value, (1, O, h, w), through all later layers: (1, 3, h * k, w * k)."""
    value = patch
    for later in range(layer + 1, generator.layers.stop):
        at = generator.advance(later - 1, value, at)
        value = generator.value(later, at)
    return generator.picture(generator.layers.stop - 1, value, at)


def crop(at: LayerInput, rows: slice, columns: slice, size: int) -> LayerInput:
    """The picture so far, without what lies outside the box; the box is in positions of a value of that size."""
    rgb = at.rgb
    if rgb is not None:
        cell = size // rgb.shape[-1]
        top, left = rows.start // cell, columns.start // cell
        bottom, right = -(-rows.stop // cell), -(-columns.stop // cell)
        rgb = rgb[:, :, top:bottom, left:right] * 0
    return LayerInput(at.key, at.style, at.latent, rgb)


def isolation(rewriter: Rewriter, regions: Sequence[Region]) -> float:
    """0 to 1: 1 - |alone - in place| / |another's - in place|, over the masks of several pictures."""
    own, other = [], []
    for i, region in enumerate(regions):
        alone, placed = (f(rewriter, region).astype(np.float32) for f in (isolated, in_place))
        stranger = in_place(rewriter, Region(regions[i - 1].seed, region.mask)).astype(np.float32)
        height, width = min(len(alone), len(placed)), min(alone.shape[1], placed.shape[1])
        inner = np.s_[height // 6 : height - height // 6, width // 6 : width - width // 6]
        own.append(np.abs(alone[:height, :width] - placed[:height, :width])[inner].mean())
        other.append(np.abs(stranger[:height, :width] - placed[:height, :width])[inner].mean())
    return float(np.clip(1 - np.mean(own) / max(np.mean(other), 1e-6), 0, 1))


def suitabilities(
    generator: Generator, request: Request, rewriter: Callable[[int], Rewriter]
) -> Iterator[Suitability]:
    """One layer after another, lowest first; layers too coarse for the request's masks are left out.

    rewriter: layer number -> its `Rewriter`.
    """
    request.check()
    regions = [region for region in (request.copy, *request.context) if region is not None and not region.empty][:4]
    for layer in generator.layers:
        size = generator.value_size(layer)
        covered = resize_mask(regions[0].mask, size) > 0.5
        if covered.sum() < SMALLEST**2 or size > 64:
            continue
        edit = rewriter(layer).solve(request.with_(layer=layer))
        report = edit.report
        reached = max(0.0, 1 - report.loss_after / max(report.loss_before, 1e-9))
        elsewhere = report.elsewhere if np.isfinite(report.elsewhere) else 0.0
        yield Suitability(layer, isolation(rewriter(layer), regions), reached, elsewhere)


def recommended(found: Sequence[Suitability]) -> int | None:
    """The layer with the best score."""
    return max(found, key=lambda one: one.score).layer if found else None


def _box(mask: np.ndarray, size: int, margin: int) -> tuple[slice, slice]:
    """Rows and columns of a value of that size which the mask covers, even and `margin` wider, kept inside."""
    top, left, bottom, right = bounding_box(resize_mask(mask, size))
    first = max(0, top - margin) // 2 * 2, max(0, left - margin) // 2 * 2
    last = min(size, bottom + margin + 1) // 2 * 2, min(size, right + margin + 1) // 2 * 2
    return slice(first[0], max(last[0], first[0] + 2)), slice(first[1], max(last[1], first[1] + 2))
