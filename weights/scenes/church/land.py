"""The hour of the day, the sky and the land."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Parts
from weights.scenes.church.labels import CLOUD, GROUND, HILL
from weights.scenes.colors import as_color, gradient, mix, smoothstep, tone
from weights.scenes.draw import Draw
from weights.scenes.shapes import circle, ellipse, glow, intersect, smooth_union, waves

# From dawn to night: morning, noon, afternoon and sunset lie between.
ZENITH = [
    (0.47, 0.58, 0.80),
    (0.33, 0.62, 0.84),
    (0.20, 0.53, 0.83),
    (0.33, 0.52, 0.66),
    (0.31, 0.26, 0.50),
    (0.07, 0.10, 0.26),
]
LOW = [
    (0.99, 0.80, 0.70),
    (0.88, 0.94, 0.93),
    (0.77, 0.90, 0.95),
    (1.00, 0.84, 0.56),
    (0.98, 0.58, 0.42),
    (0.30, 0.36, 0.56),
]
LIGHT = [
    (1.00, 0.89, 0.86),
    (1.00, 0.99, 0.95),
    (1.00, 1.00, 1.00),
    (1.00, 0.88, 0.70),
    (0.90, 0.70, 0.68),
    (0.46, 0.52, 0.76),
]
SUN = [
    (1.00, 0.88, 0.74),
    (1.00, 0.98, 0.86),
    (1.00, 1.00, 0.92),
    (1.00, 0.93, 0.70),
    (1.00, 0.80, 0.55),
    (0.93, 0.94, 0.86),
]
SUN_HEIGHT = [(0.15,) * 3, (-0.45,) * 3, (-0.82,) * 3, (-0.25,) * 3, (0.32,) * 3, (0.60,) * 3]
GRASS = [(0.38, 0.56, 0.28), (0.52, 0.64, 0.30), (0.68, 0.66, 0.36), (0.80, 0.70, 0.48)]
GRAVEL = [(0.90, 0.83, 0.70), (0.80, 0.77, 0.74), (0.85, 0.68, 0.54)]


def time_of_day(draw: Draw) -> Parts:
    """The hour as colours: ink(color) is a colour in this light; night and moon go from 0 to 1."""
    t = draw.fraction(name="hour")
    light = gradient(LIGHT, t)
    hour = Parts(
        zenith=gradient(ZENITH, t),
        low=gradient(LOW, t),
        sun=gradient(SUN, t),
        night=smoothstep(0.72, 0.95, t),
        moon=smoothstep(0.84, 0.94, t),
        x=draw.uniform(-0.6, 0.6),
    )
    hour.y = gradient(SUN_HEIGHT, t)[:, 0] * (1 - hour.moon) - 0.72 * hour.moon
    hour.side = (3 * hour.x).clamp(-1, 1)
    hour.ink = lambda color: light * as_color(color, t.device)
    return hour


def sky(c: Canvas, hour: Parts, horizon: Tensor) -> None:
    everywhere = c.y - 2
    stops = [hour.zenith, 0.55 * hour.zenith + 0.45 * hour.low, hour.low]
    c.paint(everywhere, gradient(stops, (c.y + 1) / (horizon + 1)))
    c.paint(everywhere, hour.sun, opacity=(0.55 - 0.33 * hour.moon) * glow(c.x, c.y, hour.x, hour.y, 0.55))
    crossing = 4 * hour.moon * (1 - hour.moon)  # the sun fades out, the moon fades in
    c.paint(circle(c.x, c.y, hour.x, hour.y, 0.085), hour.sun, opacity=0.9 - 0.9 * crossing, soft=2)


def clouds(c: Canvas, draw: Draw, hour: Parts) -> None:
    """Three flat-bottomed cumulus clouds that share one drift and one size."""
    drift, cover = draw.uniform(-0.4, 0.4), draw.uniform(0.65, 1.05)
    bright = mix(hour.low, hour.ink((1.0, 0.99, 0.97)), 0.65 - 0.45 * hour.night)
    for i, (home, height) in enumerate([(-0.75, -0.62), (0.05, -0.36), (0.80, -0.70)]):
        size = 0.26 * cover * (1 + 0.35 * torch.sin(3 * drift + 2.1 * i))
        x, y = (c.x - home - 0.55 * drift) / size, (c.y - height - 0.16 * torch.sin(4 * drift + i)) / size
        puffs = smooth_union(circle(x, y, -0.1, -0.1, 0.55), circle(x, y, 0.6, 0.1, 0.4), 0.15)
        puffs = smooth_union(puffs, circle(x, y, -0.75, 0.12, 0.36), 0.15)
        puffs = smooth_union(puffs, ellipse(x, y, 0.1, 0.28, 1.35, 0.22), 0.15)
        color = mix(bright, 0.65 * bright + 0.35 * hour.zenith, (y + 0.6).clamp(0, 1))
        c.paint(intersect(puffs, y - 0.36) * size, color, CLOUD, opacity=0.85, soft=4)


def hills(c: Canvas, draw: Draw, hour: Parts, horizon: Tensor) -> Tensor:
    """Far mountains and a nearer line of woods, paler with distance; returns the colour of the grass."""
    phase, rise = draw.uniform(2.2, 4.08), draw.uniform(0.12, 0.24)
    grass = gradient(GRASS, draw.uniform(0, 0.8))
    far = rise * (0.9 + 0.7 * torch.sin(2.3 * c.x + phase) + 0.35 * torch.sin(5.1 * c.x - 1.3 * phase))
    woods = rise * (0.35 + 0.5 * torch.sin(1.7 * c.x - 1.2 * phase + 2))
    woods = woods.clamp(min=-0.02) + 0.05 + 0.02 * torch.sin(23 * c.x + phase) + 0.012 * torch.sin(41 * c.x - phase)
    green = hour.ink(grass * as_color((0.62, 0.86, 0.95), c.x.device))
    for top, haze in ((far, 0.75), (woods, 0.40)):
        mist = haze + (1 - haze) * ((c.y - horizon + top) / 0.5).clamp(0, 0.6)
        c.paint(horizon - top - c.y, mix(green, hour.low, mist), HILL, soft=2)
    return grass


def ground(c: Canvas, draw: Draw, hour: Parts, s: Parts, grass: Tensor) -> None:
    """Lawn, a pale forecourt around the church, and a path from the door that bends to the bottom edge."""
    depth = ((c.y - s.horizon) / (1 - s.horizon)).clamp(0, 1)
    lawn = tone(hour.ink(grass), 1.08 - 0.36 * depth + 0.03 * waves(c.x, c.y, 9, 34, s.cx))
    c.paint(s.horizon - c.y + 0.012 * torch.sin(4 * c.x + 9 * s.cx), lawn, GROUND, soft=2)
    down, doorway = ((c.y - s.base) / (1.05 - s.base)).clamp(0, 1), s.cx
    middle = doorway + draw.uniform(-0.4, 0.4) * down**2
    path = intersect((c.x - middle).abs() - 0.10 - 0.30 * down, s.base - 0.03 - c.y)
    court = ellipse(c.x, c.y, doorway, s.base + 0.05, s.w * 2.1, 0.10)
    gravel = tone(hour.ink(gradient(GRAVEL, draw.fraction())), 1.04 - 0.16 * depth)
    c.paint(smooth_union(path, court, 0.12), gravel, GROUND, soft=3)
    c.shade(0.93 - 0.16 * c.x.abs() ** 1.5 + 0.03 * torch.sin(5 * c.x + 20 * s.cx) - c.y, -0.14, soft=10)
