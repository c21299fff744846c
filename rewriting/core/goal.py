"""The goal of a request at one layer: values v* at positions of pictures, and values that should not change.

Copy and paste: the values of the copied object, pasted into those of another picture (paper, section 4, Figure 3).
Erase: the values of the layer with the features that encode the context set to zero there (Appendix E).  Locality:
values at random positions of other pictures, which should not change (eq. 5, the smoothness term, made explicit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.layer import EditableLayer
from rewriting.core.masks import bounding_box, inside, resize_mask
from rewriting.core.transform import Placed, Transform, middles
from rewriting.generators import LayerInput


@dataclass(frozen=True)
class Term:
    """One picture's part of the objective: sum over positions of weight * |f(k, s; W) - target|.

    at: the picture's layer input.  target: (1, O, h', w').  weight: (h', w'), 0 outside the term.
    kind: "goal", "preserve" or "locality", for the report.
    """

    at: LayerInput
    target: Tensor
    weight: Tensor
    kind: str

    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.target, self.weight)) + self.at.nbytes()

    def scaled(self, factor: float) -> Term:
        return replace(self, weight=self.weight * factor)


def paste_term(
    layer: EditableLayer,
    source: Tensor,
    copy_mask: np.ndarray,
    at: LayerInput,
    paste_mask: np.ndarray,
    transform: Transform | None = None,
) -> Term:
    """The goal of a paste: the copied object at its new place in one picture; the weights sum to 1.

    source: (1, O, h', w'), the value of the source picture.  at: layer input of the destination.  copy_mask,
    paste_mask: uint8 (H, H).  transform: by default none, and the values are pasted as they are.
    The object is centred on the paste mask's bounding box and moved inside the picture.  The weight covers only the
    object, so that the layer sees the true surroundings and not the edge of a cut-out.
    Raises ValueError if a mask is empty at the layer's resolution.
    """
    target = layer.value(at).clone()
    weight = torch.zeros(target.shape[-2:], device=target.device)
    seen, source, weighed = (inside(one, layer.margin) for one in (target, source, weight))
    if transform is None or transform.identity:
        (row, column), cover, values = _as_it_is(source, copy_mask, paste_mask)
    else:
        (row, column), cover, values = _transformed(source, copy_mask, paste_mask, transform)
    here = np.s_[..., row : row + cover.shape[0], column : column + cover.shape[1]]
    seen[here] = (1 - cover) * seen[here] + cover * values
    weighed[here] = cover
    return Term(at, target, weight / _total(weight), "goal")


Pasted = tuple[tuple[int, int], Tensor, Tensor]
"""The corner (row, column) of a piece of the destination, the object's cover (h, w) there, and its values."""


def _as_it_is(source: Tensor, copy_mask: np.ndarray, paste_mask: np.ndarray) -> Pasted:
    """The object in whole positions of the layer, as in the paper's code."""
    alpha = resize_mask(copy_mask, source.shape[-1])
    top, left, bottom, right = _box(alpha, "copied object")
    corner = place(alpha, resize_mask(paste_mask, len(alpha)))
    cover = torch.from_numpy(alpha[top:bottom, left:right]).to(source.device)
    return corner, cover, source[..., top:bottom, left:right]


def _transformed(source: Tensor, copy_mask: np.ndarray, paste_mask: np.ndarray, transform: Transform) -> Pasted:
    """The transformed object: its mask at full size, and its values interpolated between positions of the layer."""
    side = source.shape[-1]
    for mask, what in ((copy_mask, "copied object"), (paste_mask, "place to paste")):
        _box(resize_mask(mask, side), what)
    placed = Placed.on(copy_mask, paste_mask, transform)
    alpha = resize_mask(placed.mask(copy_mask), side)
    top, left, bottom, right = _box(alpha, "copied object")
    spots = 2 * placed.sources(middles(side)[top:bottom, left:right]) - 1  # of -1 to 1, as PyTorch counts
    spots = torch.from_numpy(spots.astype(np.float32)).to(source.device)
    values = F.grid_sample(source, spots[None], mode="bilinear", padding_mode="border", align_corners=False)
    cover = torch.from_numpy(alpha[top:bottom, left:right]).to(source.device)
    return (top, left), cover, values


def place(alpha: np.ndarray, paste: np.ndarray) -> tuple[int, int]:
    """(row, column) of the top left corner of the object's box, centred on the paste's box and moved inside."""
    size = len(alpha)
    top, left, bottom, right = _box(alpha, "copied object")
    t, le, b, r = _box(paste, "place to paste")
    corner = (t + b) // 2 - (bottom - top) // 2, (le + r) // 2 - (right - left) // 2
    return tuple(min(max(c, 0), size - extent) for c, extent in zip(corner, (bottom - top, right - left), strict=True))


def erase_term(layer: EditableLayer, at: LayerInput, mask: np.ndarray, units: Tensor) -> Term:
    """The goal of erasing: the values of the layer without the features `units` in the mask; the weights sum to 1.

    mask: uint8 (H, H).  units: indices of input channels.  Raises ValueError if the mask is empty at this layer.
    """
    silenced = at.key.clone()
    silenced[:, units] *= 1 - layer.painted_key(mask)
    weight = layer.painted(mask)
    _box(weight.cpu().numpy(), "context to erase")
    target = torch.lerp(layer.value(at), layer.value(replace(at, key=silenced)), weight)
    return Term(at, target, weight / _total(weight), "goal")


def preserve_term(layer: EditableLayer, at: LayerInput, mask: np.ndarray) -> Term:
    """The painted values should not change; the weights sum to 1.  mask: uint8 (H, H)."""
    value, weight = layer.value(at), layer.painted(mask)
    _box(weight.cpu().numpy(), "area to keep")
    return Term(at, value, weight / _total(weight), "preserve")


def locality_terms(
    layer: EditableLayer, pictures: Sequence[LayerInput], positions: int, generator: torch.Generator
) -> list[Term]:
    """Random positions of other pictures stay as they are; all weights together sum to 1.

    pictures: one layer input each.  positions: about how many of each picture's positions are drawn.
    """
    chosen = random_positions(layer, positions, len(pictures), generator)
    return [locality_term(layer, at, one, len(pictures)) for at, one in zip(pictures, chosen, strict=True)]


def random_positions(layer: EditableLayer, positions: int, pictures: int, generator: torch.Generator) -> list[Tensor]:
    """For each picture, a random choice of about `positions` positions inside the picture: bool (h', w')."""
    side, within = layer.side, torch.zeros(layer.side, layer.side, dtype=torch.bool)
    top, left, bottom, right = layer.generator.config.frame(side)
    within[top:bottom, left:right] = True
    share = positions / int(within.sum())
    drawn = [(torch.rand(side, side, generator=generator) < share) & within for _ in range(pictures)]
    return [F.pad(one, [layer.margin] * 4) for one in drawn]


def locality_term(layer: EditableLayer, at: LayerInput, chosen: Tensor, pictures: int) -> Term:
    """The values at chosen positions, bool (h', w'), of one of `pictures` pictures should not change."""
    value = layer.value(at)
    weight = chosen.to(value.device, torch.float32) / max(1, int(chosen.sum())) / pictures
    return Term(at, value, weight, "locality")


def subsample(terms: Sequence[Term], positions: int) -> list[Term]:
    """The terms at a random choice of about `positions` positions; each term keeps the sum of its weights.

    With no more positions than that, the terms do not change.
    """
    asked = sum(int((term.weight > 0).sum()) for term in terms)
    if asked <= positions:
        return list(terms)
    generator = torch.Generator().manual_seed(0)
    return [_subsample(term, positions / asked, generator) for term in terms]


def _subsample(term: Term, share: float, generator: torch.Generator) -> Term:
    drawn = (torch.rand(term.weight.shape, generator=generator) < share).to(term.weight.device)
    weight = term.weight * drawn
    total = _total(weight)
    return replace(term, weight=weight * (_total(term.weight) / total)) if total > 0 else term


def without(layer: EditableLayer, term: Term, mask: np.ndarray) -> Term:
    """The same term with weight 0 where the mask, uint8 (H, H), is painted."""
    return replace(term, weight=term.weight * (layer.painted(mask) <= 0))


def _total(weight: Tensor) -> Tensor:
    """The sum of (h', w'), row by row, because a sum over all at once depends on the number of threads."""
    return weight.sum(1).sum()


def _box(mask: np.ndarray, what: str) -> tuple[int, int, int, int]:
    try:
        return bounding_box(mask)
    except ValueError:
        raise ValueError(f"The {what} is empty; paint it first, or a little larger.") from None
