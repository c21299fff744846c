"""The table, what it mirrors, and what stands on it."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Parts
from weights.scenes.colors import gradient, mix, smoothstep, to_and_fro, tone
from weights.scenes.draw import Draw
from weights.scenes.kitchen.furniture import POTS
from weights.scenes.kitchen.labels import OBJECT, REFLECTION, TABLE
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

TABLES = [
    (0.15, 0.18, 0.24),
    (0.24, 0.15, 0.15),
    (0.42, 0.22, 0.15),
    (0.62, 0.38, 0.22),
    (0.76, 0.62, 0.47),
    (0.76, 0.75, 0.73),
    (0.36, 0.44, 0.47),
]
PETALS = [(0.95, 0.45, 0.42), (0.98, 0.80, 0.42), (0.97, 0.92, 0.90), (0.66, 0.50, 0.80)]


def table(c: Canvas, draw: Draw, r: Parts) -> Parts:
    """A large glossy top seen in perspective; returns its frame for what is mirrored in it and stands on it."""
    u, y = r.u, r.y
    t = Parts(far=draw.uniform(0.37, 0.42), x=draw.uniform(-0.06, 0.06), hw=draw.uniform(0.73, 0.79))
    t.depth = draw.uniform(0.47, 0.55)
    near, grow = t.far + t.depth, t.hw * 1.38
    t.top = trapezoid(u - t.x, y, t.far, near, t.hw, grow) - 0.012
    t.t = ((y - t.far) / t.depth).clamp(0, 1)
    color = r.ink(gradient(TABLES, draw.fraction()))
    c.shade(box(u, y, t.x, near + 0.1, grow, t.depth, 0.1), -0.35, soft=24)
    leg = box((u - t.x).abs(), y, grow - 0.14, near + 0.3, 0.05, 0.32)
    c.paint(leg, color * 0.62, TABLE)
    c.paint(box(u, y, t.x, near + 0.035, grow + 0.012, 0.045, 0.012), color * 0.70, TABLE)
    grain = waves(u - t.x, y - t.far, 5.0, 38.0, t.x * 9) + 0.6 * waves(u - t.x, y - t.far, 3.1, 61.0, t.x * 5)
    c.paint(t.top, tone(color, 1.04 - 0.16 * t.t + 0.035 * grain), TABLE)
    c.shade(intersect(t.top, near - 0.012 - y), 0.18)
    return t


def reflection(c: Canvas, r: Parts, t: Parts) -> None:
    """The window's bright mirror image, ever more blurred towards the viewer.  Only where there is a window."""
    blur, length = 0.02 + 0.09 * t.t, (0.85 + 0.5 * (r.sill - r.wtop)).clamp(max=1.2)
    across = smoothstep(-blur, blur, r.ww + 0.01 - r.wu.abs())
    along = smoothstep(0.02, 0.10, t.t) * (1 - smoothstep(length - 0.45, length, t.t))
    bars = 0.45 * torch.exp(-((r.wu / (0.02 + 0.04 * t.t)) ** 2))
    strength = across * along * (1 - bars)
    color = mix(r.sky, (1.0, 1.0, 0.98), 0.55)
    c.paint(intersect(t.top, (0.4 - across * along) * 0.1), color, REFLECTION, opacity=0.0, show=r.window)
    c.paint(t.top, color, opacity=0.82 * strength, show=r.window)


def fruit_bowl(c: Canvas, r: Parts, u: Tensor, y: Tensor, show: Tensor) -> None:
    for fx, fy, fr, color in [
        (-0.10, -0.13, 0.065, (0.93, 0.58, 0.20)),
        (0.09, -0.13, 0.065, (0.80, 0.25, 0.20)),
        (0.0, -0.16, 0.070, (0.72, 0.74, 0.30)),
        (-0.02, -0.115, 0.06, (0.95, 0.78, 0.32)),
    ]:
        light = 1.12 + 2.2 * (u - fx) - 1.6 * (y - fy)
        c.paint(circle(u, y, fx, fy, fr), tone(r.ink(color), light.clamp(0.6, 1.3)), OBJECT, show=show)
    bowl = intersect(ellipse(u, y, 0, -0.115, 0.20, 0.125), -0.115 - y)
    c.paint(bowl, tone(r.ink((0.94, 0.92, 0.88)), 1.0 + 1.1 * u - 1.2 * (y + 0.1)), OBJECT, show=show)


def vase(c: Canvas, r: Parts, u: Tensor, y: Tensor, hue: Tensor, show: Tensor) -> None:
    heads = [(-0.13, -0.42), (-0.04, -0.51), (0.06, -0.45), (0.15, -0.38), (0.0, -0.38)]
    stems = union(*[segment(u, y, 0, -0.2, dx, dy, 0.010) for dx, dy in heads[:4]])
    c.paint(stems, r.ink((0.34, 0.52, 0.30)), OBJECT, show=show)
    for k, (dx, dy) in enumerate(heads):
        petals = gradient(PETALS, to_and_fro(hue + 0.17 * k))
        c.paint(circle(u, y, dx, dy, 0.058), tone(r.ink(petals), 1.05 - 1.5 * (y - dy)), OBJECT, show=show)
    body = smooth_union(ellipse(u, y, 0, -0.10, 0.085, 0.105), box(u, y, 0, -0.21, 0.042, 0.05, 0.01), 0.06)
    c.paint(body, tone(r.ink(gradient(POTS, to_and_fro(hue * 1.9))), 1.05 + 2.6 * u), OBJECT, show=show)


def cups(c: Canvas, r: Parts, u: Tensor, y: Tensor, hue: Tensor, show: Tensor) -> None:
    d, i = repeat(u, -0.13, 0.26, 2)
    y = y - 0.03 * i
    china = r.ink(gradient(POTS, to_and_fro(hue + 0.45 * i)))
    c.paint(ellipse(d, y, 0, -0.008, 0.115, 0.028), r.ink((0.96, 0.95, 0.92)), OBJECT, show=show)
    c.paint(circle(d, y, 0.072, -0.075, 0.035).abs() - 0.011, china * 0.85, OBJECT, show=show)
    cup = trapezoid(d, y, -0.125, -0.02, 0.066, 0.045) - 0.008
    c.paint(cup, tone(china, 1.05 + 3 * d), OBJECT, show=show)
    c.paint(ellipse(d, y, 0, -0.128, 0.066, 0.015), r.ink((0.32, 0.20, 0.15)), OBJECT, show=show)


def on_the_table(c: Canvas, draw: Draw, r: Parts, t: Parts) -> None:
    """A bowl of fruit, a vase of flowers, two cups, or nothing."""
    options = ("nothing", "fruit", "flowers", "cups")
    kind = draw.choice([0.3, 0.25, 0.22, 0.23], name="on_table", options=options).unbind(1)
    x, size, hue = t.x + draw.uniform(-0.20, 0.20) * t.hw, draw.uniform(1.10, 1.16), draw.fraction()
    base = t.far + t.depth * draw.uniform(0.46, 0.54)
    u, y = (r.u - x) / size, (r.y - base) / size
    c.shade(ellipse(u, y, -0.03, 0.0, 0.20, 0.035), -0.35, soft=8, show=1 - kind[0])
    fruit_bowl(c, r, u, y, kind[1])
    vase(c, r, u, y, hue, kind[2])
    cups(c, r, u, y, hue, kind[3])
