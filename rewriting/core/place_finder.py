"""Finds places like the painted ones in unpainted pictures."""

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
SURE = 0.9  # share of the painted pictures' least mean response and least area that a found place must reach


class PlaceFinder:
    """A ridge regression from the features around a position, and its coordinates, to the painted share.

    For a generator's features, a linear function suffices (compare Zhang et al., "DatasetGAN", 2021).
    """

    @single_threaded()
    @torch.no_grad()
    def __init__(self, painted: Sequence[tuple[LayerInput, np.ndarray]], moment: Tensor):
        """painted: (layer input, mask uint8 (H, H)) of each painted picture.  moment: C of the layer, (I, I)."""
        self._basis = torch.linalg.eigh(moment)[1][:, -COMPONENTS:].float().to(painted[0][0].key.device)
        features = [self._features(at) for at, _ in painted]
        shares = [torch.from_numpy(resize_mask(mask, at.key.shape[-1])).to(self._basis.device) for at, mask in painted]
        rows, goal = torch.cat([one.flatten(1) for one in features], 1), torch.cat([one.flatten() for one in shares])
        gram = (rows @ rows.t()).double()
        gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
        self._weights = torch.linalg.solve(gram, (rows @ goal).double()).float()
        drawn = torch.stack([self._response(at, len(mask)) for at, mask in painted])
        masks = torch.from_numpy(np.stack([mask > 127 for _, mask in painted])).to(drawn.device)
        self._least = drawn.flatten().topk(int(masks.sum())).values[-1]  # finds as large an area as the painted one
        found = drawn >= self._least
        self._again = float((found & masks).sum() / (found | masks).sum())
        areas = found.sum((1, 2)).float()
        self._areas = float(SURE * areas.min()), float(areas.max() / SURE)
        self._mean = float(SURE * ((drawn * found).sum((1, 2)) / areas.clamp_min(1)).min())

    @single_threaded()
    @torch.no_grad()
    def find(self, at: LayerInput, side: int) -> np.ndarray | None:
        """The place in a picture, uint8 (side, side), 255 inside; None if the picture has no clear place."""
        response = self._response(at, side)
        found = response >= self._least
        area = float(found.sum())
        if self._again < FOUND_AGAIN or not self._areas[0] <= area <= self._areas[1]:
            return None
        if float(response[found].mean()) < self._mean:
            return None
        return (found.cpu().numpy() * 255).astype(np.uint8)

    def _features(self, at: LayerInput) -> Tensor:
        """The inputs of the regression, (9 P + 6, h, w)."""
        key = torch.einsum("ip,ihw->phw", self._basis, at.key[0].float())
        around = F.unfold(key[None], 3, padding=1).view(-1, *key.shape[1:])
        y, x = (torch.linspace(-1, 1, n, device=key.device) for n in key.shape[1:])
        y, x = torch.meshgrid(y, x, indexing="ij")
        return torch.cat([around, torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y])])

    def _response(self, at: LayerInput, side: int) -> Tensor:
        response = torch.einsum("f,fhw->hw", self._weights, self._features(at))
        return F.interpolate(response[None, None], size=(side, side), mode="bilinear")[0, 0]
