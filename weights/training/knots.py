"""The functions of a scene's numbers that a picture needs, as units of two layers.

These are the latent column itself for a number that grows with it, a ramp for each step, and the bends of a colour.
Knots are units of the first layer; codes are sums of knots, which the second layer adds up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rewriting.generators.stylegan2 import SLOPE
from weights.scenes.draw import EVEN, Column, cuts, quantile, transitions

STEEP = 1 / 64  # width, in the latent, of the ramp that stands for a step; half of that overflows float16 weights
FRACTION_KNOTS = [quantile(p) / EVEN for p in (0.04, 0.2, 0.4, 0.6, 0.8, 0.96)]


@dataclass(frozen=True)
class Knot:
    """A unit lrelu(slope z + offset) of the first layer."""

    column: int
    slope: float
    offset: float


@dataclass
class Code:
    """One number of w: a constant and a sum of knots of one latent column.  weights: {index of the knot: weight}"""

    column: int
    weights: dict[int, float] = field(default_factory=dict)
    constant: float = 0.0

    def add(self, other: Code, factor: float) -> None:
        self.constant += other.constant * factor
        for knot, weight in other.weights.items():
            self.weights[knot] = self.weights.get(knot, 0) + weight * factor


def units(columns: tuple[Column, ...]) -> tuple[list[Knot], list[Code]]:
    """The units of the first layer, and the codes that the second makes of them."""
    knots: list[Knot] = []
    codes = [code for i, column in enumerate(columns) for code in CODES[column.kind](knots, i, column)]
    return knots, codes


def _uniform(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """z and -z: lrelu(z) - lrelu(-z) = (1 + slope) z."""
    n, share = len(knots), 1 / (1 + SLOPE)
    knots += [Knot(i, 1, 0), Knot(i, -1, 0)]
    return [Code(i, {n: share, n + 1: -share}), Code(i, {n: -share, n + 1: share})]


def _fraction(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """Five ramps in a row, which can form any curve."""
    n = len(knots)
    knots += [Knot(i, 1, -knot) for knot in FRACTION_KNOTS]
    codes = []
    for k in range(len(FRACTION_KNOTS) - 1):
        share = 1 / (1 - SLOPE) / (FRACTION_KNOTS[k + 1] - FRACTION_KNOTS[k])
        codes.append(Code(i, {n + k: share, n + k + 1: -share}, -SLOPE / (1 - SLOPE)))
    return codes


def _steps(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """A steep ramp for each step."""
    return [_ramp(knots, i, place - STEEP / 2, place + STEEP / 2) for place in places(column)]


def places(column: Column) -> list[float]:
    """The steps of a flag or a choice, within the range of a latent."""
    places = {"flag": lambda: [quantile(column.details[0])], "choice": lambda: cuts(column.details)}
    return [place for place in places.get(column.kind, list)() if abs(place) < 4]


def _color(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """Red, green and blue, and their negatives."""
    palette, codes = column.details, []
    ramps = [_ramp(knots, i, m - w / 2, m + w / 2) for m, w in transitions(len(palette))]
    for channel in range(3):
        code, negative = Code(i, {}, palette[0][channel]), Code(i)
        for k, ramp in enumerate(ramps):
            code.add(ramp, palette[k + 1][channel] - palette[k][channel])
        negative.add(code, -1)
        codes += [code, negative]
    return codes


def _ramp(knots: list[Knot], i: int, start: float, end: float) -> Code:
    """0 before start, 1 after end, linear between, from two units."""
    n, slope = len(knots), 1 / (end - start)
    knots += [Knot(i, slope, -start * slope), Knot(i, slope, -end * slope)]
    return Code(i, {n: 1 / (1 - SLOPE), n + 1: -1 / (1 - SLOPE)}, -SLOPE / (1 - SLOPE))


CODES = {"uniform": _uniform, "fraction": _fraction, "flag": _steps, "choice": _steps, "color": _color}
