"""A chart of efficacy against collateral change: one curve, and points beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 640
LEFT, RIGHT, TOP, BOTTOM = 96, 36, 72, 84
DOT = 5  # radius
SCALE = 2  # drawn larger and reduced, for smooth lines
INK, GRID, CURVE, OTHER = (34, 34, 40), (226, 226, 232), (62, 84, 200), (206, 92, 52)


@dataclass(frozen=True)
class Point:
    """x: collateral.  y: efficacy.  label: beside it, or empty."""

    x: float
    y: float
    label: str = ""


def beyond(curve: Sequence[Point], point: Point, slack: float = 0.0) -> bool:
    """Whether the curve passes on or beyond a point: with no more collateral it reaches no less efficacy.

    curve: points that were measured, in any order; between two that are neighbours in x it runs straight.  slack: of
    the efficacy, what measuring it on so few pictures leaves uncertain.
    """
    ordered = sorted(curve, key=lambda p: p.x)
    reached = [p.y for p in ordered if p.x <= point.x]
    for one, other in zip(ordered, ordered[1:], strict=False):
        if one.x < point.x < other.x:
            reached.append(one.y + (other.y - one.y) * (point.x - one.x) / (other.x - one.x))
    return bool(reached) and max(reached) >= point.y - slack


def chart(
    curve: Sequence[Point], points: Sequence[Point], *, title: str, x_title: str, y_title: str, y_top: float = 1.0
) -> np.ndarray:
    """uint8 (640, 960, 3).  x starts at 0, the curve's points are joined in order of x; y runs from 0 to y_top."""
    drawing = _Drawing(max([p.x for p in (*curve, *points)] + [1e-9]) * 1.08, y_top)
    drawing.frame(title, x_title, y_title)
    ordered = sorted(curve, key=lambda p: p.x)
    drawing.line(ordered)
    taken = [drawing.around(point) for point in (*points, *ordered)]
    for point, color in [*[(p, OTHER) for p in points], *[(p, CURVE) for p in ordered]]:
        drawing.dot(point, color)
    for point, color in [*[(p, OTHER) for p in points], *[(p, CURVE) for p in ordered]]:
        drawing.label(point, color, taken)
    return drawing.finish()


class _Drawing:
    def __init__(self, x_top: float, y_top: float):
        self.x_top, self.y_top = x_top, y_top
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.fonts = {size: ImageFont.load_default(size * SCALE) for size in (15, 17, 22)}

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = LEFT + x / self.x_top * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - y / self.y_top * (HEIGHT - TOP - BOTTOM)
        return across * SCALE, down * SCALE

    def frame(self, title: str, x_title: str, y_title: str) -> None:
        for y in np.linspace(0, self.y_top, 6):
            left, at = self.place(0, y)
            self.draw.line([(left, at), (self.place(self.x_top, y)[0], at)], fill=GRID, width=SCALE)
            self.text((left - 10 * SCALE, at), f"{y:.0%}", 15, "rm")
        step = _round_step(self.x_top)
        for i in range(int(self.x_top / step) + 1):
            at, bottom = self.place(i * step, 0)
            self.draw.line([(at, bottom), (at, bottom + 6 * SCALE)], fill=INK, width=SCALE)
            self.text((at, bottom + 12 * SCALE), f"{i * step:.{_decimals(step)}%}", 15, "mt")
        self.draw.line([self.place(0, 0), self.place(self.x_top, 0)], fill=INK, width=SCALE)
        self.text((LEFT * SCALE, 18 * SCALE), title, 22, "lt")
        self.text((LEFT * SCALE, 48 * SCALE), f"upwards: {y_title}", 15, "lt")
        self.text(((WIDTH - RIGHT) * SCALE, (HEIGHT - 34) * SCALE), x_title, 15, "rt")

    def line(self, points: Sequence[Point]) -> None:
        if len(points) > 1:
            self.draw.line([self.place(p.x, p.y) for p in points], fill=CURVE, width=3 * SCALE, joint="curve")

    def dot(self, point: Point, color: tuple[int, int, int]) -> None:
        self.draw.ellipse(self.around(point), fill=color, outline="white", width=SCALE)

    def around(self, point: Point) -> tuple[float, float, float, float]:
        """The box of a point's dot."""
        x, y = self.place(point.x, point.y)
        return x - DOT * SCALE, y - DOT * SCALE, x + DOT * SCALE, y + DOT * SCALE

    def label(self, point: Point, color: tuple[int, int, int], taken: list[tuple[float, float, float, float]]) -> None:
        """Beside the point, at the first of a few places where it hides no other label."""
        if not point.label:
            return
        x, y = self.place(point.x, point.y)
        gap = 9 * SCALE
        tries = [
            (x + gap * side, y + down * SCALE, "lm" if side > 0 else "rm")
            for down in (0, -18, 18, -36, 36, -54, 54, 72)
            for side in (1, -1)
        ]
        boxes = [self.draw.textbbox(at[:2], point.label, font=self.fonts[15], anchor=at[2]) for at in tries]
        free = [i for i, box in enumerate(boxes) if _within(box) and not any(_overlap(box, other) for other in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        at, anchor = tries[best][:2], tries[best][2]
        self.draw.text(
            at,
            point.label,
            font=self.fonts[15],
            fill=color,
            anchor=anchor,
            stroke_width=2 * SCALE,
            stroke_fill="white",
        )

    def text(self, at: tuple[float, float], text: str, size: int, anchor: str) -> None:
        self.draw.text(at, text, font=self.fonts[size], fill=INK, anchor=anchor)

    def finish(self) -> np.ndarray:
        return np.asarray(self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def _within(box: Sequence[float]) -> bool:
    """Whether a box lies between the axes."""
    across = LEFT * SCALE < box[0] and box[2] < WIDTH * SCALE
    return across and TOP * SCALE < box[1] and box[3] < (HEIGHT - BOTTOM) * SCALE


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _round_step(top: float) -> float:
    """1, 2 or 5 times a power of ten, so that an axis up to `top` gets four to nine marks."""
    rough = top / 8
    power = 10 ** math.floor(math.log10(rough))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= rough)


def _decimals(step: float) -> int:
    """Of a percentage, so that neighbouring marks differ."""
    return max(0, -math.floor(math.log10(step)) - 2)
