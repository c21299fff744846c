"""How far pictures are from others: inside and outside a target, one by one, and as sets.

Pictures are uint8 (N, H, W, 3), areas bool (N, H, W); a distance is given for every picture, nan where its area leaves
nothing to measure.  The feature distance and the Frechet distance look through a segmenter's features, where the paper
has those of networks trained on photographs (LPIPS, FID): their numbers must not be compared with the paper's.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.segmenter import SIDE, Segmenter

WINDOW, SIGMA = 11, 1.5  # of SSIM, as in its paper
K1, K2 = 0.01, 0.03
DIFFERS = 0.02  # mean over colours, of the full range: below it the ideal asks for no change


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean |difference| over the colours, float32 (N, H, W), as a share of the full range."""
    return np.abs(one.astype(np.float32) - other).mean(-1) / 255


def masked_mean(values: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Mean of values (N, H, W) over each area, (N,); nan for an empty one."""
    count = area.sum((1, 2))
    total = np.where(area, values, 0).sum((1, 2), dtype=np.float64)
    return np.divide(total, count, out=np.full(len(area), np.nan), where=count > 0)


def outside_l1(before: np.ndarray, after: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Mean change outside the area, share of the full range: (N,)."""
    return masked_mean(difference(before, after), ~area)


def restored(before: np.ndarray, after: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The changed pictures with the area as it was: what looks at neighbourhoods then sees the outside alone."""
    return np.where(area[..., None], before, after)


def outside_ssim(before: np.ndarray, after: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Structural similarity outside the area, (N,); 1 is unchanged."""
    similarity = ssim(before, restored(before, after, area))
    edge = WINDOW // 2
    return masked_mean(similarity, ~area[:, edge:-edge, edge:-edge])


def ssim(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Structural similarity of the grey values at every whole window: (N, H - 10, W - 10).

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    x, y = (torch.from_numpy(p.astype(np.float64).mean(-1))[:, None] for p in (one, other))
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (255 * K1) ** 2, (255 * K2) ** 2
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    shape = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (light * shape)[:, 0].numpy()


def _blur(x: Tensor) -> Tensor:
    place = torch.arange(WINDOW, dtype=x.dtype) - WINDOW // 2
    kernel = torch.exp(-(place**2) / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    return F.conv2d(F.conv2d(x, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


@torch.inference_mode()
def outside_features(segmenter: Segmenter, before: np.ndarray, after: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Distance in the segmenter's features outside the area, (N,); 0 is unchanged.

    As LPIPS is built (Zhang et al. 2018), without its learnt weights: at each level the features of a position are
    scaled to unit length, and their squared differences averaged over the positions; summed over the levels.
    """
    one, other = levels(segmenter, before), levels(segmenter, restored(before, after, area))
    return np.sum([_apart(a, b) for a, b in zip(one, other, strict=True)], 0)


@torch.inference_mode()
def levels(segmenter: Segmenter, pictures: np.ndarray) -> list[Tensor]:
    """The segmenter's features at 64, 32, 16 and 8 pixels: each (N, channels, side, side)."""
    device = next(segmenter.network.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    if x.shape[2:] != (SIDE, SIDE):
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    return segmenter.network.encode(x)


def _apart(one: Tensor, other: Tensor) -> np.ndarray:
    return (F.normalize(one, dim=1) - F.normalize(other, dim=1)).square().sum(1).mean((1, 2)).cpu().numpy()


def nearer_to_ideal(before: np.ndarray, after: np.ndarray, ideal: np.ndarray, area: np.ndarray) -> np.ndarray:
    """1 if the picture has become nearer to the ideal than it is to what it was, else 0; nan where the ideal asks for
    no change in the area: float (N,).  Only where the two differ is looked at."""
    differs = area & (difference(ideal, before) > DIFFERS)
    to_ideal, to_before = (masked_mean(difference(after, other), differs) for other in (ideal, before))
    return np.where(np.isnan(to_ideal), np.nan, to_ideal < to_before)


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """Frechet distance of two sets of features (N, d) and (M, d), each taken as a normal distribution.

    |mean difference|^2 + tr(A + B - 2 (A B)^1/2), in float64.  Source: Heusel et al. 2017.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    a, b = (np.cov(x, rowvar=False).reshape(x.shape[1], -1) for x in (one, other))
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * inner)
