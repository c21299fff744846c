"""A chart of efficacy against collateral change, with curves of one method and points for others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 72, 330, 84, 84  # the legend is to the right
LINE = 24  # pixels from one line of the legend to the next
SMALL, LARGE = 5, 10  # radius of a curve's dot, and of a method's, which holds a letter
SCALE = 2  # drawn larger and reduced, for smooth lines
INK, GRID, OTHER = (34, 34, 40), (226, 226, 232), (206, 92, 52)
CURVES = (62, 84, 200), (40, 140, 110), (150, 120, 225), (110, 190, 90)
MARKS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the horizontal axis
Box = tuple[float, float, float, float]
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Point:
    """A point of the chart.  x: collateral change.  y: efficacy.  label: the name of a method, for the legend; or the
    text beside a curve's point."""

    x: float
    y: float
    label: str = ""


def beyond(curve: Sequence[Point], point: Point, slack: float = 0.0) -> bool:
    """Whether a curve passes through or above a point, that is, reaches at least its efficacy with no more collateral
    change.

    curve: measured points in any order; between neighbours in x it is straight.  slack: the uncertainty of the
    efficacy, which was measured on few pictures.
    """
    ordered = sorted(curve, key=lambda p: p.x)
    reached = [p.y for p in ordered if p.x <= point.x]
    for one, other in zip(ordered, ordered[1:], strict=False):
        if one.x < point.x < other.x:
            reached.append(one.y + (other.y - one.y) * (point.x - one.x) / (other.x - one.x))
    return bool(reached) and max(reached) >= point.y - slack


def chart(
    curves: Mapping[str, Sequence[Point]], points: Sequence[Point], *, title: str, x_title: str, y_title: str
) -> np.ndarray:
    """Draw the chart, uint8 (600, 960, 3).  y runs upwards from 0 to 1; x runs to the right from 0, on a square-root
    scale.

    curves: up to four by their names in the legend, joined in order of x.
    """
    ordered = [sorted(curve, key=lambda p: p.x) for curve in curves.values()]
    drawing = Drawing(max([p.x for curve in (points, *ordered) for p in curve] + [1e-9]) * 1.1)
    drawing.frame(title, x_title, y_title)
    for curve, color in zip(ordered, CURVES, strict=False):
        drawing.line(curve, color)
    taken = [drawing.around(p, SMALL) for curve in ordered for p in curve]
    taken += [drawing.around(p, LARGE) for p in points]
    for curve, color in zip(ordered, CURVES, strict=False):
        for point in curve:
            drawing.dot(point, color, SMALL)
            drawing.label(point, color, taken)
    for letter, point in zip(ascii_uppercase, points, strict=False):
        drawing.dot(point, OTHER, LARGE, letter)
    drawing.legend(list(zip(curves, CURVES, strict=False)), [p.label for p in points])
    return drawing.finish()


class Drawing:
    """A drawing with axes.  x_top: the largest x."""

    def __init__(self, x_top: float):
        self.x_top = x_top
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.fonts = {size: ImageFont.load_default(size * SCALE) for size in (13, 15, 21)}

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The position of a point on the enlarged paper."""
        across = LEFT + math.sqrt(x / self.x_top) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)
        return across * SCALE, down * SCALE

    def frame(self, title: str, x_title: str, y_title: str) -> None:
        for y in np.linspace(0, 1, 6):
            left, at = self.place(0, y)
            self.draw.line([(left, at), (self.place(self.x_top, y)[0], at)], fill=GRID, width=SCALE)
            self.text((left - 10 * SCALE, at), f"{y:.0%}", 15, "rm")
        for x in (mark for mark in MARKS if mark <= self.x_top):
            at, bottom = self.place(x, 0)
            self.draw.line([(at, bottom), (at, bottom + 6 * SCALE)], fill=INK, width=SCALE)
            self.text((at, bottom + 12 * SCALE), f"{100 * x:g}%", 15, "mt")
        self.draw.line([self.place(0, 0), self.place(self.x_top, 0)], fill=INK, width=SCALE)
        self.text((LEFT * SCALE, 16 * SCALE), title, 21, "lt")
        self.text((LEFT * SCALE, 50 * SCALE), f"upwards: {y_title}", 15, "lt")
        self.text((LEFT * SCALE, (HEIGHT - 36) * SCALE), f"to the right: {x_title} (square-root scale)", 15, "lt")

    def line(self, points: Sequence[Point], color: Color) -> None:
        if len(points) > 1:
            self.draw.line([self.place(p.x, p.y) for p in points], fill=color, width=3 * SCALE, joint="curve")

    def around(self, point: Point, radius: int) -> Box:
        """The box of a point's dot."""
        x, y = self.place(point.x, point.y)
        return x - radius * SCALE, y - radius * SCALE, x + radius * SCALE, y + radius * SCALE

    def dot(self, point: Point, color: Color, radius: int, letter: str = "") -> None:
        self._disk(self.place(point.x, point.y), color, radius, letter)

    def _disk(self, at: tuple[float, float], color: Color, radius: int, letter: str) -> None:
        r = radius * SCALE
        self.draw.ellipse([at[0] - r, at[1] - r, at[0] + r, at[1] + r], fill=color, outline="white", width=SCALE)
        self.draw.text(at, letter, font=self.fonts[13], fill="white", anchor="mm")

    def label(self, point: Point, color: Color, taken: list[Box]) -> None:
        """Write a label beside a point, at the first of a few positions where it covers nothing; without such a
        position, omit it."""
        x, y = self.place(point.x, point.y)
        gap, font = 8 * SCALE, self.fonts[13]
        places = [(x + gap, y, "lm"), (x, y - gap, "mb"), (x, y + gap, "mt"), (x - gap, y, "rm")]
        places += [
            (x + gap, y + gap, "lt"),
            (x + gap, y - gap, "lb"),
            (x - gap, y - gap, "rb"),
            (x - gap, y + gap, "rt"),
        ]
        for *at, anchor in places:
            box = self.draw.textbbox(at, point.label, font=font, anchor=anchor)
            if box[3] < (HEIGHT - BOTTOM) * SCALE and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                self.draw.text(at, point.label, font=font, fill=color, anchor=anchor)
                return

    def legend(self, curves: Sequence[tuple[str, Color]], methods: Sequence[str]) -> None:
        left, down = (WIDTH - RIGHT + 28) * SCALE, TOP * SCALE
        for name, color in curves:
            self.draw.line([(left - 10 * SCALE, down), (left + 10 * SCALE, down)], fill=color, width=3 * SCALE)
            self.text((left + 20 * SCALE, down), name, 15, "lm")
            down += LINE * SCALE
        for letter, name in zip(ascii_uppercase, methods, strict=False):
            self._disk((left, down), OTHER, LARGE, letter)
            self.text((left + 20 * SCALE, down), name, 15, "lm")
            down += LINE * SCALE

    def text(self, at: tuple[float, float], text: str, size: int, anchor: str) -> None:
        self.draw.text(at, text, font=self.fonts[size], fill=INK, anchor=anchor)

    def finish(self) -> np.ndarray:
        return np.asarray(self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
