"""Where else a place would be painted: found in pictures that nobody painted in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.masks import resize_mask
from rewriting.generators import LayerInput
from rewriting.generators.threads import single_threaded

COMPONENTS = 64  # principal components of the features that are looked at
RIDGE = 1e-3  # of their mean square
FOUND_AGAIN = 0.6  # intersection over union in the painted pictures, below which nothing is looked for elsewhere
SURE = 0.9  # of the least mean response and the least area in a painted picture, below which a picture has no place


class PlaceFinder:
    """Learns from painted pictures how much of each position is painted, and says so of other pictures.

    Features around a position and where it is -> its painted share, by ridge regression.  A linear function is enough
    for a generator's features: see Zhang et al., "DatasetGAN", 2021.
    """

    @single_threaded()
    @torch.no_grad()
    def __init__(self, painted: Sequence[tuple[LayerInput, np.ndarray]], moment: Tensor):
        """painted: what arrives at a layer, and the mask, uint8 (H, H).  moment: C of the layer, (I, I)."""
        self._basis = torch.linalg.eigh(moment)[1][:, -COMPONENTS:].float().to(painted[0][0].key.device)
        features = [self._features(at) for at, _ in painted]
        shares = [torch.from_numpy(resize_mask(mask, at.key.shape[-1])).to(self._basis.device) for at, mask in painted]
        rows, goal = torch.cat([one.flatten(1) for one in features], 1), torch.cat([one.flatten() for one in shares])
        gram = (rows @ rows.t()).double()
        gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
        self._weights = torch.linalg.solve(gram, (rows @ goal).double()).float()
        drawn = torch.stack([self._response(at, len(mask)) for at, mask in painted])
        masks = torch.from_numpy(np.stack([mask > 127 for _, mask in painted])).to(drawn.device)
        self._least = drawn.flatten().topk(int(masks.sum())).values[-1]  # so that as much is found as was painted
        found = drawn >= self._least
        self._again = float((found & masks).sum() / (found | masks).sum())
        areas = found.sum((1, 2)).float()
        self._areas = float(SURE * areas.min()), float(areas.max() / SURE)
        self._mean = float(SURE * ((drawn * found).sum((1, 2)) / areas.clamp_min(1)).min())

    @single_threaded()
    @torch.no_grad()
    def find(self, at: LayerInput, side: int) -> np.ndarray | None:
        """uint8 (side, side), 255 at the place; None where the picture clearly has none, or it is not clear."""
        response = self._response(at, side)
        found = response >= self._least
        area = float(found.sum())
        if self._again < FOUND_AGAIN or not self._areas[0] <= area <= self._areas[1]:
            return None
        if float(response[found].mean()) < self._mean:
            return None
        return (found.cpu().numpy() * 255).astype(np.uint8)

    def _features(self, at: LayerInput) -> Tensor:
        """(9 P + 6, h, w)"""
        key = torch.einsum("ip,ihw->phw", self._basis, at.key[0].float())
        around = F.unfold(key[None], 3, padding=1).view(-1, *key.shape[1:])
        y, x = (torch.linspace(-1, 1, n, device=key.device) for n in key.shape[1:])
        y, x = torch.meshgrid(y, x, indexing="ij")
        return torch.cat([around, torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y])])

    def _response(self, at: LayerInput, side: int) -> Tensor:
        response = torch.einsum("f,fhw->hw", self._weights, self._features(at))
        return F.interpolate(response[None, None], size=(side, side), mode="bilinear")[0, 0]
