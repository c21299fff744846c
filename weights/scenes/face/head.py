"""The head: its frame, skull, skin and ears."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Frame, Light
from weights.scenes.colors import blend, mix, smoothstep
from weights.scenes.draw import Draw
from weights.scenes.face.labels import EAR, SKIN
from weights.scenes.shapes import bezier, circle, intersect, limb, oval, smooth_union, waves

SKINS = [
    (0.30, 0.19, 0.14),
    (0.45, 0.28, 0.20),
    (0.60, 0.40, 0.28),
    (0.74, 0.53, 0.39),
    (0.86, 0.66, 0.51),
    (0.94, 0.76, 0.62),
    (0.98, 0.84, 0.73),
]


def pose(canvas: Canvas, draw: Draw, light: Light) -> Frame:
    """The head's frame, with the proportions and the expression that its parts share."""
    child, tilt = draw.flag(0.30, name="child"), draw.uniform(-0.08, 0.08)
    scale = draw.uniform(1.10, 1.24) * (1 - 0.04 * child)
    head = Frame(canvas, light, draw.uniform(-0.06, 0.06), draw.uniform(-0.05, 0.02), scale, tilt)
    head.child, head.adult, head.yaw = child, 1 - child, draw.uniform(-0.4, 0.4)
    head.tone = draw.fraction()
    head.skin = blend(SKINS, head.tone)
    head.wide, head.jaw = draw.uniform(-0.03, 0.03) + 0.02 * child, draw.uniform(-0.04, 0.05)
    head.long = draw.uniform(-0.03, 0.04) - 0.05 * child
    head.mood = torch.tanh(4 * draw.uniform(-1, 1, name="mood"))  # -1 frown ... 1 smile
    head.smile, head.frown = head.mood.clamp(min=0), (-head.mood).clamp(min=0)
    head.eye_y = -0.055 + 0.045 * child
    head.mouth_y = 0.295 - 0.035 * child + 0.4 * head.long
    return head


def on(head: Frame, across: Tensor, radius: float = 0.46) -> tuple[Tensor, Tensor]:
    """x of the point `across` the front of the turned head, and how much its surroundings are foreshortened."""
    deep = 0.66 * (radius**2 - across**2) ** 0.5
    return across * torch.cos(head.yaw) + deep * torch.sin(head.yaw), torch.cos(head.yaw + math.asin(across / radius))


def skull(head: Frame) -> Tensor:
    """Outline of cranium, cheeks, jaw and chin."""
    x, y, turn, child = head.x, head.y, torch.sin(head.yaw), head.child
    top = oval(x, y, 0.0, -0.14, 0.415 + head.wide, 0.42)
    cheeks = oval(x, y, 0.09 * turn, 0.09, 0.385 + head.wide + 0.015 * child, 0.31)
    chin = oval(x, y, 0.20 * turn, 0.27 + head.long, 0.265 + head.jaw + 0.03 * child, 0.245 - 0.02 * child)
    return smooth_union(smooth_union(top, cheeks, 0.12), chin, 0.16)


def face(head: Frame, draw: Draw) -> None:
    head.outline = skull(head)
    head.solid(head.outline, head.skin, SKIN, depth=0.42, strength=0.70)
    head.shade(head.outline, 0.13 * head.facing(head.outline, 0.16), soft=1)
    blush, rise = draw.uniform(0.04, 0.20), 0.03 * head.smile
    for side in (-1, 1):
        x, near = on(head, 0.25 * side)
        cheek = oval(head.x, head.y, x, 0.155 - rise, 0.12 * near.clamp(min=0.5), 0.095)
        rosy = mix(head.skin, (0.90, 0.36, 0.32), 0.55)
        head.paint(cheek, rosy, opacity=blush + 0.05 * head.smile, soft=22)
        fold = bezier((x - 0.075 * side, 0.15), (x - 0.01 * side, 0.20), (x - 0.005 * side, 0.31), 4)
        fold = limb(head.x, head.y, fold, [0.012, 0.016, 0.016, 0.012, 0.006])  # from the nose to the mouth's corner
        head.shade(fold, -0.16 * head.smile - 0.05 * head.frown * head.adult, soft=7)
    spots = smoothstep(0.35, 0.8, waves(head.x, head.y, 58.0, 54.0, 1.0))
    head.shade(oval(head.x, head.y, on(head, 0.0)[0], 0.11, 0.26, 0.085), -0.16 * spots * draw.flag(0.2), soft=14)


def ears(head: Frame, near_only: bool = False) -> None:
    """Both before the face, which overlaps the far one; then the near one again, over the hair."""
    head.lobes = []
    for side in (-1, 1):
        x = side * (0.432 + head.wide) * torch.cos(head.yaw) + 0.10 * torch.sin(head.yaw)
        y, turned = head.eye_y + 0.10, smoothstep(0.02, 0.16, -side * head.yaw)
        show = turned if near_only else 1.0
        lobe = circle(head.x, head.y, x - 0.015 * side, y + 0.070, 0.042)
        ear = smooth_union(oval(head.x, head.y, x, y - 0.03, 0.066, 0.100), lobe, 0.04)
        if near_only:
            head.shade(intersect(ear - 0.02, head.outline), -0.22, soft=8, show=show)
        head.solid(ear, head.skin * 0.97, EAR, depth=0.05, strength=0.6, show=show)
        head.shade(oval(head.x, head.y, x + 0.006 * side, y - 0.025, 0.034, 0.062), -0.22, soft=5, show=show)
        head.lobes.append((x + 0.01 * side, y + 0.100))
