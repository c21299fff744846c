"""Distances between pictures: position by position, and between sets.

Pictures are uint8 (N, H, W, 3), areas bool (N, H, W).  The Frechet distance, and the feature distance in `baseline`,
use a segmenter's features.  The paper uses networks trained on photographs (LPIPS, FID), so the numbers must not be
compared with the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW, SIGMA = 11, 1.5  # of SSIM, as in its paper
K1, K2 = 0.01, 0.03


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean |difference| over the colours, float32 (N, H, W), as a share of the full range."""
    return np.abs(one.astype(np.float32) - other).mean(-1) / 255


def masked_mean(values: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Mean of values (N, H, W) over each area, (N,); nan for an empty one."""
    count = area.sum((1, 2))
    total = np.where(area, values, 0).sum((1, 2), dtype=np.float64)
    return np.divide(total, count, out=np.full(len(area), np.nan), where=count > 0)


@dataclass(frozen=True)
class Windows:
    """Grey values, float64 (N, H, W), with their mean and mean square in every whole window: (N, H - 10, W - 10)."""

    grey: np.ndarray
    mean: np.ndarray
    square: np.ndarray

    @classmethod
    def of(cls, pictures: np.ndarray) -> Windows:
        grey = pictures.astype(np.float64).mean(-1)
        return cls(grey, window_means(grey), window_means(grey * grey))


def ssim(one: Windows, other: Windows) -> np.ndarray:
    """Structural similarity at every whole window: (N, H - 10, W - 10).

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    product, squares = one.mean * other.mean, one.mean**2 + other.mean**2
    covariance = window_means(one.grey * other.grey) - product
    variances = one.square + other.square - squares
    c1, c2 = (255 * K1) ** 2, (255 * K2) ** 2
    return (2 * product + c1) / (squares + c1) * ((2 * covariance + c2) / (variances + c2))


def window_means(values: np.ndarray) -> np.ndarray:
    """Means under a normal distribution around the middle of every whole window: (N, H, W) -> (N, H - 10, W - 10).

    Rows and then columns, each as one product with a matrix of weights, which is faster than a convolution in float64.
    """
    height, width = values.shape[1:]
    return _weights(height) @ values @ _weights(width).T


def _weights(side: int) -> np.ndarray:
    """(side - 10, side): each row the weights of one window."""
    offset = np.arange(side) - np.arange(side - WINDOW + 1)[:, None] - WINDOW // 2
    weights = np.where(np.abs(offset) <= WINDOW // 2, np.exp(-(offset**2) / (2 * SIGMA**2)), 0)
    return weights / weights.sum(1, keepdims=True)


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
