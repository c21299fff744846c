"""What a request wants of one layer: values v* at places of pictures, and values that should stay.

Copy and paste: the value of the copied object, laid into the destination's (paper, section 4 and Figure 3).  Erase:
the value the layer would give if the features that speak of the context were silent there (Appendix E).  Locality:
values at random places of other pictures, which should stay (eq. 5, the smoothness term, made explicit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rewriting.core.layer import EditableLayer
from rewriting.core.masks import bounding_box, resize_mask
from rewriting.generators import LayerInput


@dataclass(frozen=True)
class Term:
    """One picture's part of the objective: sum over positions of weight * |f(k, s; W) - target|.

    at: the picture's layer input.  target: (1, O, h', w').  weight: (h', w'), 0 where nothing is asked.
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
    layer: EditableLayer, source: Tensor, copy_mask: np.ndarray, at: LayerInput, paste_mask: np.ndarray
) -> Term:
    """The copied object at its new place in one picture; the weights sum to 1.

    source: (1, O, h', w'), the value of the picture that is copied from.  at: the destination.  Masks: uint8 (H, H).
    The object is not rescaled; it is centred on the paste mask's bounding box and kept inside the picture.  Only where
    it lies is asked for: the values around it see the true neighbourhood, not the edge of a cut-out.
    """
    target = layer.value(at)
    size = target.shape[-1]
    alpha = resize_mask(copy_mask, size)
    top, left, bottom, right = _box(alpha, "copied object")
    row, column = place(alpha, resize_mask(paste_mask, size))
    height, width = bottom - top, right - left
    here = np.s_[..., row : row + height, column : column + width]
    cover = torch.from_numpy(alpha[top:bottom, left:right]).to(target.device)
    target, weight = target.clone(), torch.zeros(size, size, device=target.device)
    target[here] = (1 - cover) * target[here] + cover * source[..., top:bottom, left:right]
    weight[here] = cover
    return Term(at, target, weight / _total(weight), "goal")


def place(alpha: np.ndarray, paste: np.ndarray) -> tuple[int, int]:
    """(row, column) of the top left corner of the object's box, centred on the paste's box and kept inside."""
    size = len(alpha)
    top, left, bottom, right = _box(alpha, "copied object")
    t, le, b, r = _box(paste, "place to paste")
    corner = (t + b) // 2 - (bottom - top) // 2, (le + r) // 2 - (right - left) // 2
    return tuple(min(max(c, 0), size - extent) for c, extent in zip(corner, (bottom - top, right - left), strict=True))


def erase_term(layer: EditableLayer, at: LayerInput, mask: np.ndarray, units: Tensor) -> Term:
    """The context without the features in `units` (indices of input channels); the weights sum to 1."""
    inside = torch.from_numpy(resize_mask(mask, at.key.shape[-1])).to(at.key.device)
    silenced = at.key.clone()
    silenced[:, units] *= 1 - inside
    weight = torch.from_numpy(resize_mask(mask, at.key.shape[-1] * layer.ratio)).to(at.key.device)
    _box(weight.cpu().numpy(), "context to erase")
    target = torch.lerp(layer.value(at), layer.value(replace(at, key=silenced)), weight)
    return Term(at, target, weight / _total(weight), "goal")


def preserve_term(layer: EditableLayer, at: LayerInput, mask: np.ndarray) -> Term:
    """What is painted stays; the weights sum to 1."""
    value = layer.value(at)
    weight = torch.from_numpy(resize_mask(mask, value.shape[-1])).to(value.device)
    _box(weight.cpu().numpy(), "area to keep")
    return Term(at, value, weight / _total(weight), "preserve")


def locality_terms(
    layer: EditableLayer, pictures: Sequence[LayerInput], positions: int, generator: torch.Generator
) -> list[Term]:
    """Random positions of other pictures stay as they are; all weights together sum to 1.

    pictures: one layer input each.  positions: about how many of each picture's positions are drawn.
    """
    size = layer.generator.value_size(layer.number)
    chosen = random_positions(size, positions, len(pictures), generator)
    return [locality_term(layer, at, one, len(pictures)) for at, one in zip(pictures, chosen, strict=True)]


def random_positions(size: int, positions: int, pictures: int, generator: torch.Generator) -> list[Tensor]:
    """For each picture, about so many of its positions: bool (size, size)."""
    return [torch.rand(size, size, generator=generator) < positions / size**2 for _ in range(pictures)]


def locality_term(layer: EditableLayer, at: LayerInput, chosen: Tensor, pictures: int) -> Term:
    """The chosen positions, bool (h', w'), of one of so many pictures stay as they are."""
    value = layer.value(at)
    weight = chosen.to(value.device, torch.float32) / max(1, int(chosen.sum())) / pictures
    return Term(at, value, weight, "locality")


def subsample(terms: Sequence[Term], positions: int) -> list[Term]:
    """The terms at about that many of all their positions, drawn at random; each keeps the sum of its weights.

    Terms that have no more positions stay as they are.
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


def without(term: Term, mask: np.ndarray) -> Term:
    """The same term, asking nothing where the mask is painted."""
    outside = torch.from_numpy(resize_mask(mask, term.weight.shape[-1])).to(term.weight.device) <= 0
    return replace(term, weight=term.weight * outside)


def _total(weight: Tensor) -> Tensor:
    """The sum of (h', w'), row by row: that of all at once depends on the number of threads."""
    return weight.sum(1).sum()


def _box(mask: np.ndarray, what: str) -> tuple[int, int, int, int]:
    try:
        return bounding_box(mask)
    except ValueError:
        raise ValueError(f"The {what} is empty; paint it first, or a little larger.") from None
