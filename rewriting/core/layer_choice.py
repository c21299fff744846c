"""The choice of a layer: drawings of its values alone, and the share of the goal that each layer reaches.

A layer suits rules on objects if its values determine the object without their surroundings: then a patch of values,
rendered in isolation, looks like the same patch in place (paper, Appendix H, Figures 13 to 18; Figure 2d).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from rewriting.checks import is_whole
from rewriting.core.masks import bounding_box, inside, resize_mask
from rewriting.core.request import Region, Request
from rewriting.core.rewriter import RANK, Rewriter
from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.generators.latents import MAX_ROW
from rewriting.generators.own_picture import Seed

SMALLEST = 4  # least number of positions of the value that the object must cover at a layer
FINEST = 64  # largest side of a value; at larger ones a position shows texture and not a part of an object
JUDGED = 4  # most painted places that are drawn in isolation at each layer


@dataclass(frozen=True)
class Suitability:
    """The suitability of a layer for a request.

    isolation: 0 to 1, see `isolation`.  reached: share of the goal's loss that the solve removes, 0 to 1.
    elsewhere: mean change of values elsewhere, relative to their mean size.
    """

    layer: int
    isolation: float
    reached: float
    elsewhere: float

    @property
    def score(self) -> float:
        """The score of the recommendation: the share of the goal reached minus the change elsewhere.

        Isolation is not part of it, because it hardly differs among the possible layers, and chose worse layers for
        the presets.
        """
        return self.reached - self.elsewhere


@torch.no_grad()
def isolated(rewriter: Rewriter, region: Region, *, margin: int = 1, **numbering: Any) -> np.ndarray:
    """The drawing of the layer's values under a mask without their surroundings: uint8 (h, w, 3).

    The rest of the generator receives only the box of the mask, `margin` positions wider; with zeros around it if the
    generator draws whole pictures only.
    numbering: seeding, truncation and label, the meaning of the region's picture number, as in a `Request`.
    Raises ValueError if the mask is empty.
    """
    at = rewriter.features([region.seed], **numbering)[0]
    value, layer = rewriter.layer.value(at), rewriter.layer
    rows, columns = _box(region.mask, layer.side, margin)
    if rewriter.generator.draws_parts:
        around = crop(at, rows, columns, layer.side)
        return to_uint8(draw_patch(rewriter.generator, rewriter.number, value[:, :, rows, columns], around))[0]
    alone = torch.zeros_like(value)
    inside(alone, layer.margin)[..., rows, columns] = inside(value, layer.margin)[..., rows, columns]
    return _cut(to_uint8(rewriter.generator.leave(rewriter.number, alone, at))[0], rows, columns, layer.side)


@torch.no_grad()
def in_place(rewriter: Rewriter, region: Region, *, margin: int = 1, **numbering: Any) -> np.ndarray:
    """The patch of `isolated`, cut out of the whole picture: uint8 (h, w, 3)."""
    rows, columns = _box(region.mask, rewriter.layer.side, margin)
    picture = rewriter.images([region.seed], **numbering)[0]
    return _cut(picture, rows, columns, rewriter.layer.side)


def draw_patch(generator: Generator, layer: int, patch: torch.Tensor, at: LayerInput) -> torch.Tensor:
    """Run a patch of a layer's value, (1, O, h, w), through all later layers: (1, 3, h * k, w * k).

    at: the layer input, cropped to the patch by `crop`.
    """
    value = patch
    for later in range(layer + 1, generator.layers.stop):
        at = generator.advance(later - 1, value, at)
        value = generator.value(later, at)
    return generator.picture(generator.layers.stop - 1, value, at)


def crop(at: LayerInput, rows: slice, columns: slice, size: int) -> LayerInput:
    """A layer input cropped to a box, with a black picture so far.  rows, columns: in a value of side `size`."""
    skip = at.skip
    if skip is not None:
        cell = size // skip.shape[-1]
        top, left = rows.start // cell, columns.start // cell
        bottom, right = -(-rows.stop // cell), -(-columns.stop // cell)
        skip = skip[:, :, top:bottom, left:right] * 0
    return replace(at, skip=skip, origins=((rows.start / size, columns.start / size),))


def isolation(rewriter: Rewriter, regions: Sequence[Region], **numbering: Any) -> float:
    """0 to 1: 1 - |alone - in place| / |another's - in place|, over one or more painted places.

    another's: the same place of another picture.  numbering: as for `isolated`.
    """
    own, other = [], []
    for i, region in enumerate(regions):
        alone, placed = (draw(rewriter, region, **numbering).astype(np.float32) for draw in (isolated, in_place))
        another = _another(regions[i - 1].seed, region.seed)
        stranger = in_place(rewriter, Region(another, region.mask), **numbering).astype(np.float32)
        height, width = min(len(alone), len(placed)), min(alone.shape[1], placed.shape[1])
        inner = np.s_[height // 6 : height - height // 6, width // 6 : width - width // 6]
        own.append(np.abs(alone[:height, :width] - placed[:height, :width])[inner].mean())
        other.append(np.abs(stranger[:height, :width] - placed[:height, :width])[inner].mean())
    return float(np.clip(1 - np.mean(own) / max(np.mean(other), 1e-6), 0, 1))


def suitabilities(
    generator: Generator, request: Request, rewriter: Callable[[int], Rewriter]
) -> Iterator[Suitability]:
    """Solve the request at each layer, from low to high, and yield its suitability.

    Layers that are too coarse for the masks, or too fine, or earlier than the layer of an own picture, are skipped; a
    coarse layer may get a lower rank.  A request with retouched pictures yields nothing, because it uses several
    layers.
    rewriter: layer number -> its `Rewriter`.  Raises ValueError if the request is incomplete.
    """
    request.check()
    if request.retouched:
        return
    copied = () if request.erase else (request.copy,)
    regions = [region for region in (*copied, *request.places) if region is not None and not region.empty][:JUDGED]
    first = max([generator.layers.start, *(own.layer for own in request.own_pictures())])
    for layer in range(first, generator.layers.stop):
        chosen = rewriter(layer)
        side = chosen.layer.side
        covered = resize_mask(regions[0].mask, side) > 0.5
        if covered.sum() < SMALLEST or side > FINEST:
            continue
        rank = min(request.rank or RANK, chosen.max_rank(request))
        if not rank:
            continue
        edit = chosen.solve(request.with_(layer=layer), rank, for_other_pictures=True)
        report = edit.report
        reached = max(0.0, 1 - report.loss_after / max(report.loss_before, 1e-9))
        means = isolation(chosen, regions, **request.numbering._asdict())
        yield Suitability(layer, means, reached, report.elsewhere)


def recommended(found: Sequence[Suitability]) -> int | None:
    """The layer with the best score; None without layers."""
    return max(found, key=lambda one: one.score).layer if found else None


def _another(seed: Seed, than: Seed) -> Seed:
    """The seed, or a neighbour of it if it equals `than`."""
    if not is_whole(than):
        return seed if seed != than else 0
    return seed if seed != than else seed + 1 if seed < MAX_ROW else seed - 1


def _cut(picture: np.ndarray, rows: slice, columns: slice, side: int) -> np.ndarray:
    """The part of a picture under some positions of a value, with `side` positions per side of the picture."""
    cell = len(picture) // side
    return picture[rows.start * cell : rows.stop * cell, columns.start * cell : columns.stop * cell]


def _box(mask: np.ndarray, size: int, margin: int) -> tuple[slice, slice]:
    """The rows and columns of a value of side `size` under the mask, `margin` wider, even and inside the value."""
    top, left, bottom, right = bounding_box(resize_mask(mask, size))
    first = max(0, top - margin) // 2 * 2, max(0, left - margin) // 2 * 2
    last = min(size, bottom + margin + 1) // 2 * 2, min(size, right + margin + 1) // 2 * 2
    return slice(first[0], max(last[0], first[0] + 2)), slice(first[1], max(last[1], first[1] + 2))
