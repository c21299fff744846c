"""From a latent vector to the numbers that a scene draws, one latent column for each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Color = tuple[float, float, float]

NARROW = 0.4  # uniform: share of a standard deviation that its column keeps, so that extremes are rare
EVEN = 0.8  # fraction: likewise, nearly even


@dataclass(frozen=True)
class Column:
    """What a scene makes of one latent column.

    kind: "uniform", "fraction", "flag", "choice" or "color".
    details: what was asked for: (low, high), (), (probability,), the weights, or the palette.
    name: what it decides, for the columns that somebody may want to set; else "".
    options: names of a choice's outcomes.
    """

    kind: str
    details: tuple[Any, ...] = ()
    name: str = ""
    options: tuple[str, ...] = ()


class Draw:
    """Turns latent vectors into scene parameters: each call uses up one column of z, and notes how in `columns`.

    z: (B, D), about standard normal.  What a call makes of its column is a monotone or piecewise-linear function of
    that column alone, so that a mapping network of two layers can be written down: see `weights.training.mapping`.
    """

    def __init__(self, z: Tensor):
        self.z = z
        self.columns: list[Column] = []

    def _next(self, column: Column) -> Tensor:
        """(B, 1, 1)"""
        if len(self.columns) == self.z.shape[1]:
            raise ValueError(f"the scene draws more numbers than the latent's {self.z.shape[1]}; raise its Z_DIM.")
        self.columns.append(column)
        return self.z[:, len(self.columns) - 1, None, None]

    def uniform(self, low: float, high: float, *, name: str = "") -> Tensor:
        """(B, 1, 1) on [low, high], densest in the middle: a standard deviation of a seventh of the range."""
        z = self._next(Column("uniform", (low, high), name))
        return low + (high - low) * 0.5 * (1 + torch.erf(z * (NARROW / math.sqrt(2))))

    def fraction(self, *, name: str = "") -> Tensor:
        """(B, 1, 1) on [0, 1], nearly even: for hours, hues, ages."""
        return 0.5 * (1 + torch.erf(self._next(Column("fraction", (), name)) * (EVEN / math.sqrt(2))))

    def flag(self, probability: float, *, name: str = "") -> Tensor:
        """(B, 1, 1) float, 1.0 with that probability."""
        return (self._next(Column("flag", (probability,), name)) < quantile(probability)).float()

    def choice(self, weights: Sequence[float], *, name: str = "", options: tuple[str, ...] = ()) -> Tensor:
        """One-hot (B, K, 1, 1) float, drawn in proportion to the weights."""
        z = self._next(Column("choice", tuple(weights), name, options))
        above = [torch.ones_like(z), *[(z >= cut).float() for cut in cuts(weights)], torch.zeros_like(z)]
        steps = torch.cat(above, 1)  # (B, K + 1, 1)
        return (steps[:, :-1] - steps[:, 1:])[..., None]

    def color(self, palette: Sequence[Color], *, name: str = "") -> Tensor:
        """(B, 3, 1, 1): one of the palette's K colours, or between two neighbours."""
        z = self._next(Column("color", tuple(palette), name))[..., None]
        table = torch.tensor(palette, device=z.device, dtype=z.dtype)[None, :, :, None, None]  # (1, K, 3, 1, 1)
        out = table[:, 0]
        for k, (middle, width) in enumerate(transitions(len(palette))):
            out = out + ((z - middle) / width + 0.5).clamp(0, 1) * (table[:, k + 1] - table[:, k])
        return out


@torch.compiler.assume_constant_result
def quantile(p: float) -> float:
    """Of the standard normal; p outside (0, 1) gives a number nothing reaches."""
    return statistics.NormalDist().inv_cdf(min(max(p, 1e-9), 1 - 1e-9))


def cuts(weights: Sequence[float]) -> list[float]:
    """Where, in units of the latent, each outcome of a choice gives way to the next."""
    total, out = 0.0, []
    for weight in weights[:-1]:
        total += weight / sum(weights)
        out.append(quantile(total))
    return out


@torch.compiler.assume_constant_result
def transitions(n: int) -> list[tuple[float, float]]:
    """Where a colour gives way to the next in a palette of n: [(middle, width)] in units of the latent."""
    return [
        (quantile((k + 1) / n), 0.4 * (quantile(min((k + 1.5) / n, 0.99)) - quantile(max((k + 0.5) / n, 0.01))))
        for k in range(n - 1)
    ]
