"""The ideal edited picture: the scene of a latent, with one of the numbers it draws changed."""

from __future__ import annotations

from torch import Tensor

from weights.scenes import Scene
from weights.scenes.draw import EVEN, NARROW, Column, cuts, quantile

REACH = 3.0  # standard deviations: as far out as a column is moved, since latents further out hardly occur


def with_value(scene: Scene, z: Tensor, name: str, value: bool | float | str) -> Tensor:
    """A copy of z (B, z_dim), of unit mean square, in which one column is set so that the scene draws `value`.

    flag: True or False.  choice: one of its options.  uniform: a number of its range; fraction: of [0, 1]; color: a
    position in its palette, 0 for the first colour.  Where a latent draws the wished flag or option already, it stays.
    The result is no longer of exactly unit mean square: render it as it is, so that the other numbers do not change.
    A generator scales its latents again, which moves the other numbers by a few per cent at the most.

    Raises ValueError for an unknown name and for a value that the column cannot draw.
    """
    index = scene.column(name)
    column, changed = scene.columns[index], z.clone()
    if column.kind in ("flag", "choice"):
        low, high, target = _interval(column, value)
        there = (z[:, index] >= low) & (z[:, index] < high)
        changed[:, index] = z[:, index].where(there, z.new_tensor(target))
    else:
        changed[:, index] = max(-REACH, min(REACH, _position(column, value)))
    return changed


def _interval(column: Column, value: bool | str) -> tuple[float, float, float]:
    """Where the column draws `value`, in units of the latent: from, below, and the median between."""
    if column.kind == "flag":
        outcomes, weights = (True, False), (column.details[0], 1 - column.details[0])
    else:
        outcomes, weights = column.options, column.details
    if value not in outcomes:
        raise ValueError(f"{column.name} cannot be {value!r}; choose one of {', '.join(map(str, outcomes))}.")
    k = outcomes.index(value)
    edges = [-float("inf"), *cuts(weights), float("inf")]
    before = sum(weights[:k]) / sum(weights)
    return edges[k], edges[k + 1], quantile(before + 0.5 * weights[k] / sum(weights))


def _position(column: Column, value: float) -> float:
    """The latent that makes the column draw a number."""
    low, high = {"uniform": column.details, "fraction": (0, 1)}.get(column.kind, (0, len(column.details) - 1))
    if isinstance(value, (bool, str)) or not low <= value <= high:
        raise ValueError(f"{column.name} cannot be {value!r}; choose a number from {low} to {high}.")
    if column.kind == "color":
        return quantile((value + 0.5) / len(column.details))
    return quantile((value - low) / (high - low)) / (NARROW if column.kind == "uniform" else EVEN)
