"""Trees, bushes and people."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Parts
from weights.scenes.church.labels import PERSON, TREE
from weights.scenes.colors import gradient, mix, tone
from weights.scenes.draw import Draw
from weights.scenes.shapes import (
    box,
    circle,
    ellipse,
    intersect,
    repeat,
    segment,
    smooth_union,
    trapezoid,
    union,
    waves,
)

LEAVES = [
    (0.16, 0.40, 0.34),
    (0.28, 0.52, 0.30),
    (0.52, 0.62, 0.26),
    (0.90, 0.70, 0.24),
    (0.88, 0.45, 0.18),
    (0.74, 0.26, 0.22),
]
BUSHES = [(0.24, 0.46, 0.30), (0.44, 0.58, 0.28), (0.86, 0.52, 0.58), (0.92, 0.88, 0.82)]
COATS = [
    (0.86, 0.24, 0.20),
    (0.97, 0.72, 0.25),
    (0.18, 0.46, 0.56),
    (0.95, 0.90, 0.82),
    (0.16, 0.22, 0.40),
    (0.55, 0.25, 0.42),
    (0.86, 0.24, 0.20),
]
SKIN = [(0.98, 0.82, 0.70), (0.86, 0.62, 0.46), (0.52, 0.34, 0.24)]
HAIR = [(0.16, 0.12, 0.12), (0.42, 0.24, 0.14), (0.82, 0.64, 0.34), (0.55, 0.20, 0.22)]


def tree(c: Canvas, draw: Draw, hour: Parts, cx: Tensor, base: Tensor, size: Tensor, show: Tensor) -> None:
    """A round tree, a conifer or a poplar: its crown is shaded as a rounded relief under the sun."""
    leafy, conifer, poplar = draw.choice([0.45, 0.3, 0.25]).unbind(1)
    leaf = hour.ink(gradient(LEAVES, draw.fraction() * (1 - 0.35 * conifer)))
    x, y, lean = (c.x - cx) / size, (c.y - base) / size, torch.sin(9 * cx)
    c.shade(ellipse(x, y, -0.15 * hour.side, 0.0, 0.50, 0.09) * size, -0.36, soft=8, show=show)
    bark = tone(hour.ink((0.42, 0.30, 0.24)), 1 + 2.2 * x.clamp(-0.1, 0.1) * hour.side)
    c.paint(trapezoid(x, y, -0.8, 0.02, 0.035, 0.07) * size, bark, TREE, show=show)
    crown = smooth_union(circle(x, y, -0.24, -0.72, 0.27), circle(x, y, 0.24, -0.68 - 0.05 * lean, 0.28), 0.06)
    crown = smooth_union(crown, circle(x, y, 0.04 * lean, -1.02, 0.33), 0.06)
    tiers = union(
        *[
            trapezoid(x, y, top, top + 0.55, 0.0, hw) - 0.02
            for top, hw in ((-1.45, 0.22), (-1.15, 0.31), (-0.78, 0.40))
        ]
    )
    shape = leafy * crown + conifer * tiers + poplar * ellipse(x, y, 0, -0.86, 0.22, 0.74)
    shape = shape + 0.018 * (1 - conifer) * waves(x, y, 17, 15, 2 * lean)
    gy, gx = torch.gradient(shape * size, spacing=c.pixel, dim=(1, 2))
    relief = (1 + shape / 0.2).clamp(0, 1) * (0.75 * hour.side * gx - 0.65 * gy)
    light = 1 + 0.25 * (relief - 0.35 * (y + 0.75) + 0.5 * hour.side * x) + 0.04 * waves(x, y, 13, 12, lean)
    c.paint(shape * size, tone(leaf, light), TREE, show=show, soft=1.5)


def bushes(c: Canvas, draw: Draw, hour: Parts, s: Parts, show: Tensor) -> None:
    """A row of round bushes along the long side, some in flower."""
    leaf, first = hour.ink(gradient(BUSHES, draw.fraction())), s.cx + s.w + 0.10
    u, i = repeat(s.u, first, 0.145, ((s.length - 0.05) / 0.145).floor())
    size = 0.075 + 0.022 * torch.sin(2.4 * i + 9 * s.cx)
    u, y = u / size, (c.y - s.base + 0.012 * (1 + i / 2)) / size
    bush = smooth_union(circle(u, y, -0.35, -0.45, 0.62), circle(u, y, 0.40, -0.35, 0.55), 0.2)
    c.shade(ellipse(u, y, 0.1, 0.12, 1.1, 0.35) * size, -0.35, soft=6, show=show)
    light = 1.02 - 0.28 * (y + 0.5) - 0.16 * u * (1 - 2 * s.sunny)
    c.paint(intersect(bush, y - 0.12) * size, tone(leaf, light), TREE, show=show)


def crowd_row(
    c: Canvas, hour: Parts, x: Tensor, feet: Tensor, size: Tensor, count: int, pose: list[Tensor], show: Tensor
) -> None:
    """`count` people side by side about x.  Each one's height, place and clothes follow from shared phases."""
    pitch = 0.66 * size
    u, i = repeat(c.x, x - pitch * (count - 1) / 2, pitch, count)

    def sway(k: int, step: float) -> Tensor:
        return torch.sin(2 * math.pi * (pose[k] + step * i))

    tall = size * (0.92 + 0.12 * sway(0, 0.38))
    u, v = (u - 0.10 * pitch * sway(1, 0.29)) / tall, (c.y - feet - 0.05 * size * sway(2, 0.45)) / tall
    a, long, lit = u.abs(), 0.5 + 0.5 * sway(0, 0.21), (1 + 1.1 * u * hour.side).clamp(0.7, 1.15)

    def dress(sdf: Tensor, color: Tensor | tuple) -> None:
        c.paint(sdf * tall, tone(hour.ink(color), lit), PERSON, show=show)

    skin = gradient(SKIN, 0.5 + 0.5 * sway(1, 0.62))
    c.shade(ellipse(u, v, -0.12 * hour.side, 0.0, 0.30, 0.06) * tall, -0.38, soft=5, show=show)
    dress(box(a, v, 0.075, -0.2, 0.055, 0.21, 0.03), mix((0.17, 0.18, 0.26), (0.40, 0.32, 0.30), long))
    dress(union(circle(a, v, 0.21, -0.44, 0.046), box(u, v, 0, -0.80, 0.045, 0.06)), skin)
    coat = trapezoid(u, v, -0.76, -0.40 + 0.14 * long, 0.12, 0.19) - 0.03
    dress(union(coat, segment(a, v, 0.13, -0.72, 0.21, -0.47, 0.048)), gradient(COATS, (pose[3] + 0.382 * i) % 1.0))
    dress(circle(u, v, 0, -0.925, 0.108), skin)
    hair = intersect(circle(u, v, 0, -0.945, 0.125), v + 0.93 + 0.5 * u * sway(1, 0.29))
    dress(hair, gradient(HAIR, 0.5 + 0.5 * sway(2, 0.31)))


def people(c: Canvas, draw: Draw, hour: Parts, s: Parts) -> None:
    """Five people in two rows, or nobody."""
    show, x = draw.flag(0.35, name="people"), s.cx + draw.uniform(-0.14, 0.14)
    size, feet = draw.uniform(0.37, 0.41), s.base + draw.uniform(0.155, 0.195)
    pose = [0.3 * draw.fraction() for _ in range(4)]
    crowd_row(c, hour, x, feet - 0.07, size * 0.92, 2, pose, show)
    crowd_row(c, hour, x + 0.06, feet, size, 3, [phase + 0.37 for phase in pose], show)
