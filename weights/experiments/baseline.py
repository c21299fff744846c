"""The measures of changed pictures: against the unmodified pictures and against the ideal ones."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from weights.experiments.measures import WINDOW, Windows, difference, masked_mean, ssim
from weights.experiments.photographic import Networks
from weights.segmenter import Segmenter

DIFFERS = 0.02  # mean over colours, of the full range: below it the ideal asks for no change


class Baseline:
    """The unmodified pictures, with everything that is computed once for all comparisons.

    before, ideal: uint8 (N, H, W, 3), N > 0.  area: bool (N, H, W), outside of which nothing should change.
    networks: for LPIPS.
    """

    @torch.inference_mode()
    def __init__(
        self,
        segmenter: Segmenter,
        before: np.ndarray,
        ideal: np.ndarray,
        area: np.ndarray,
        networks: Networks = Networks(),  # noqa: B008 - it is frozen
    ):
        self._segmenter, self._networks = segmenter, networks
        self._before, self._ideal, self._area = before, ideal, area
        self._differs = area & (difference(ideal, before) > DIFFERS)
        self._windows = Windows.of(before)
        edge = WINDOW // 2
        self._windows_outside = ~area[:, edge:-edge, edge:-edge]
        self._levels = [F.normalize(level, dim=1) for level in segmenter.levels(before)]

    def measure(self, after: np.ndarray) -> dict[str, np.ndarray]:
        """The measures of changed pictures, uint8 (N, H, W, 3): {name: (N,)}, nan for a picture without pixels to
        measure.

        l1: mean change outside the area, as a share of the full range.  ssim: structural similarity outside the area;
        1 is unchanged.  features: see `features`.  ideal_inside, ideal_outside: mean distance from the ideal, as l1.
        nearer: 1 for a picture that is nearer to the ideal than to the unmodified picture, else 0; only pixels in
        which these two differ count.  LPIPS: outside the area, if it is installed.
        """
        moved, apart = difference(after, self._before), difference(after, self._ideal)
        to_ideal, to_before = masked_mean(apart, self._differs), masked_mean(moved, self._differs)
        # with the area as it was, what looks at neighbourhoods sees the outside alone
        outside = np.where(self._area[..., None], self._before, after)
        return {
            "nearer": np.where(np.isnan(to_ideal), np.nan, to_ideal < to_before),
            "l1": masked_mean(moved, ~self._area),
            "ssim": masked_mean(ssim(self._windows, Windows.of(outside)), self._windows_outside),
            "features": self.features(outside),
            "ideal_inside": masked_mean(apart, self._area),
            "ideal_outside": masked_mean(apart, ~self._area),
            **self._networks.distances(self._before, outside),
        }

    @torch.inference_mode()
    def features(self, pictures: np.ndarray) -> np.ndarray:
        """The distance of pictures from the unmodified ones in the segmenter's features, (N,); 0 is unchanged.

        It is built like LPIPS (Zhang et al. 2018), without learnt weights: at each level the features of a position
        are scaled to unit length, their squared differences are averaged over the positions, and the levels are
        summed.
        """
        levels = zip(self._levels, self._segmenter.levels(pictures), strict=True)
        apart = [(one - F.normalize(other, dim=1)).square().sum(1).mean((1, 2)) for one, other in levels]
        return np.sum([level.cpu().numpy() for level in apart], 0)
