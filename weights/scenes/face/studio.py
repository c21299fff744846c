"""The backdrop, and the shoulders in front of it."""

from __future__ import annotations

import torch

from weights.scenes.canvas import Canvas, Frame, Light
from weights.scenes.colors import mix, smoothstep
from weights.scenes.draw import Draw
from weights.scenes.face.labels import BACKGROUND, CLOTHES, SKIN
from weights.scenes.shapes import bezier, box, circle, limb, oval, polygon, smooth_union, union

CLOTH = [
    (0.80, 0.26, 0.22),
    (0.18, 0.36, 0.56),
    (0.94, 0.92, 0.86),
    (0.20, 0.46, 0.40),
    (0.92, 0.68, 0.24),
    (0.46, 0.28, 0.50),
    (0.20, 0.21, 0.27),
    (0.88, 0.56, 0.58),
]
BACKDROPS = [
    (0.93, 0.78, 0.66),
    (0.58, 0.74, 0.80),
    (0.34, 0.46, 0.58),
    (0.80, 0.86, 0.76),
    (0.42, 0.52, 0.46),
    (0.86, 0.62, 0.52),
    (0.62, 0.56, 0.72),
    (0.95, 0.90, 0.80),
]


def backdrop(canvas: Canvas, draw: Draw, light: Light) -> None:
    """A studio gradient with a big soft disc and a slanting band of light."""
    room = Frame(canvas, light)
    base, other = draw.color(BACKDROPS), draw.color(BACKDROPS)
    fade = smoothstep(-1.3, 1.3, room.y + 0.6 * room.x * light.lx)
    room.paint(-torch.ones_like(fade), mix(base * 1.04, mix(base, other, 0.5) * 0.86, fade), BACKGROUND)
    disc = circle(room.x, room.y, draw.uniform(-0.5, 0.5), draw.uniform(-0.6, 0.1), 0.78)
    room.paint(disc, mix(other, (1.0, 0.97, 0.92), 0.3), opacity=0.42, soft=4)
    room.shade(disc, 0.05 * room.facing(disc, 0.6))
    band = 0.8 * room.x + 0.6 * room.y - draw.uniform(-0.8, 0.8)
    room.shade(band.abs() - 0.22, 0.06, soft=24)


def shoulders(canvas: Canvas, draw: Draw, light: Light, head: Frame) -> None:
    """Neck and torso, in a crew neck, an open collar, a shirt or a roll-neck."""
    at = Frame(canvas, light, 0, 0.82 - 0.08 * head.child, 1.16 - 0.14 * head.child)
    cloth, trim = draw.color(CLOTH), draw.color(CLOTH)
    crew, open_neck, shirt, roll = draw.choice([0.3, 0.25, 0.25, 0.2]).unbind(1)
    x, y, skin = at.x, at.y, 0.90 * head.skin
    yoke = limb(x, y, [(-0.30, 0), (0, -0.14), (0.30, 0)], [0.12, 0.13, 0.12])
    trunk = smooth_union(oval(x, y, 0, 0.42, 0.80, 0.44), yoke, 0.14)
    at.solid(trunk, cloth, CLOTHES, depth=0.30, strength=0.75)
    for side in (-1, 1):  # folds from the armpits
        fold = bezier((0.62 * side, 0.30), (0.42 * side, 0.18), (0.36 * side, 0.02), 3)
        at.shade(limb(x, y, fold, [0.02, 0.03, 0.025, 0.01]), -0.10, soft=9)
    vee = smooth_union(
        oval(x, y, 0, -0.14, 0.235, 0.17), polygon(x, y, [(-0.20, -0.12), (0.20, -0.12), (0.0, 0.20)]), 0.04
    )
    neckline = torch.where(open_neck + shirt > 0, vee, oval(x, y, 0, -0.16, 0.25, 0.165))
    at.paint(neckline - 0.028, mix(cloth * 0.82, trim, 0.6 * crew), CLOTHES, show=1 - roll)
    at.solid(neckline, skin, SKIN, depth=0.12, strength=0.4, show=1 - roll)
    neck = limb(x, y, [(0.10 * head.yaw, -0.62), (0.0, -0.14)], [0.185 - 0.02 * head.child, 0.20 - 0.02 * head.child])
    at.solid(neck, skin, SKIN, depth=0.18, strength=0.8)
    under = oval(x, y, 0.10 * head.yaw - 0.05 * light.lx, -0.30, 0.26, 0.20)
    at.shade(torch.maximum(under / 12, union(neck, neckline)), -0.42)  # the chin's shadow
    roll_neck = smooth_union(box(x, y, 0, -0.17, 0.225, 0.13, 0.07), trunk + 0.02, 0.08)
    at.solid(roll_neck, cloth * 0.95, CLOTHES, depth=0.10, strength=0.7, show=roll)
    for side in (-1, 1):
        leaf = polygon(x * side, y, [(0.17, -0.22), (0.26, -0.12), (0.30, 0.08), (0.06, 0.18)])
        at.solid(leaf - 0.01, mix(cloth, (1.0, 1.0, 1.0), 0.12), CLOTHES, depth=0.06, strength=0.6, show=shirt)
