"""Find places like the painted ones in unpainted pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.masks import resize_mask
from rewriting.generators import LayerInput
from rewriting.generators.threads import single_threaded

COMPONENTS = 64  # principal components of the features
RIDGE = 1e-3  # of their mean square
FOUND_AGAIN = 0.6  # least intersection over union in the painted pictures; below it, the finder finds nothing
MAYBE = 0.5  # share of a found place's least response, below which a position certainly belongs to none
SURE = 0.9  # share of the painted pictures' least mean response and least area that a found place must reach


class PlaceFinder:
    """A ridge regression from the features around a position, and its coordinates, to the painted share.

    A further input says how often the position is painted in the other pictures: some places are always the same.
    For a generator's features, a linear function suffices (compare Zhang et al., "DatasetGAN", 2021).

    knows: whether it finds the painted places again.  If not, it finds nothing.
    """

    @single_threaded()
    @torch.no_grad()
    def __init__(self, painted: Sequence[tuple[LayerInput, np.ndarray]], moment: Tensor):
        """painted: (layer input, mask uint8 (H, H)) of each painted picture.  moment: C of the layer, (I, I)."""
        self._basis = torch.linalg.eigh(moment)[1][:, -COMPONENTS:].float().to(painted[0][0].key.device)
        shares = [torch.from_numpy(resize_mask(mask, at.key.shape[-1])).to(self._basis.device) for at, mask in painted]
        self._usual = torch.stack(shares).mean(0)
        others = [(len(shares) * self._usual - one) / max(1, len(shares) - 1) for one in shares]
        features = [self._features(at, usual) for (at, _), usual in zip(painted, others, strict=True)]
        rows, goal = torch.cat([one.flatten(1) for one in features], 1), torch.cat([one.flatten() for one in shares])
        gram = (rows @ rows.t()).double()
        gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
        self._weights = torch.linalg.solve(gram, (rows @ goal).double()).float()
        drawn = torch.stack([self._response(one, len(mask)) for one, (_, mask) in zip(features, painted, strict=True)])
        masks = torch.from_numpy(np.stack([mask > 127 for _, mask in painted])).to(drawn.device)
        self._least = drawn.flatten().topk(int(masks.sum())).values[-1]  # finds as large an area as the painted one
        found = drawn >= self._least
        self.knows = bool((found & masks).sum() >= FOUND_AGAIN * (found | masks).sum())
        areas = found.sum((1, 2)).float()
        self._areas = float(SURE * areas.min()), float(areas.max() / SURE)
        self._mean = float(SURE * ((drawn * found).sum((1, 2)) / areas.clamp_min(1)).min())

    @single_threaded()
    @torch.no_grad()
    def find(self, at: LayerInput, side: int) -> np.ndarray | None:
        """The place in a picture, uint8 (side, side), 255 inside; None if the picture has no clear place."""
        response = self._response(self._features(at, self._usual), side)
        found = response >= self._least
        area = float(found.sum())
        if not self.knows or not self._areas[0] <= area <= self._areas[1]:
            return None
        if float(response[found].mean()) < self._mean:
            return None
        return (found.cpu().numpy() * 255).astype(np.uint8)

    @single_threaded()
    @torch.no_grad()
    def maybe(self, at: LayerInput, side: int) -> np.ndarray:
        """Where the place might be in a picture, uint8 (side, side), 255 inside."""
        response = self._response(self._features(at, self._usual), side)
        return ((response >= MAYBE * self._least).cpu().numpy() * 255).astype(np.uint8)

    def _features(self, at: LayerInput, usual: Tensor) -> Tensor:
        """The inputs of the regression, (9 P + 7, h, w).  usual: (h, w), how often each position is painted."""
        key = torch.einsum("ip,ihw->phw", self._basis, at.key[0].float())
        around = F.unfold(key[None], 3, padding=1).view(-1, *key.shape[1:])
        y, x = (torch.linspace(-1, 1, n, device=key.device) for n in key.shape[1:])
        y, x = torch.meshgrid(y, x, indexing="ij")
        return torch.cat([around, torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y, usual])])

    def _response(self, features: Tensor, side: int) -> Tensor:
        response = torch.einsum("f,fhw->hw", self._weights, features)
        return F.interpolate(response[None, None], size=(side, side), mode="bilinear")[0, 0]
