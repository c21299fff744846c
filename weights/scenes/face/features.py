"""Eyes, brows, nose and mouth."""

from __future__ import annotations

import math

import torch

from weights.scenes.canvas import Frame, Parts
from weights.scenes.colors import blend, mix, smoothstep
from weights.scenes.draw import Draw
from weights.scenes.face.head import on
from weights.scenes.face.labels import BROW, EYE, LIPS, NOSE, TEETH
from weights.scenes.shapes import bezier, circle, intersect, limb, oval, smooth_union, union

IRISES = [(0.22, 0.12, 0.08), (0.40, 0.24, 0.12), (0.36, 0.44, 0.22), (0.24, 0.46, 0.62), (0.40, 0.56, 0.66)]


def eyes(head: Frame, draw: Draw) -> None:
    """Almond whites with iris, pupil and glint under a dark lid; wider in children, narrowed by a smile."""
    iris_color, gaze = blend(IRISES, draw.fraction() * (0.3 + 0.7 * head.tone)), draw.uniform(-0.022, 0.022)
    open_ = draw.uniform(0.8, 1.1)
    gap, lashes = draw.uniform(0.165, 0.185), draw.uniform(0.5, 1.0)
    big = 1 + 0.30 * head.child
    for side in (-1, 1):
        x0, near = on(head, 0.175 * side)
        x0, near = x0 + side * (gap - 0.175), near.clamp(min=0.6)
        w, h = 0.085 * big * near, 0.050 * big * open_ * (1 - 0.22 * head.smile - 0.10 * head.frown)
        y0 = head.eye_y
        x, y = head.x - x0, head.y - y0
        head.shade(oval(x, y, 0, -0.015, 1.45 * w, 2.0 * h), -0.16, soft=12)  # socket
        bow = (x / w).clamp(-1, 1)
        almond = intersect(-y - h * (1 - bow**2), y - 0.85 * h * (1 - bow**2), x.abs() - w) * 0.8
        head.paint(almond, (0.97, 0.95, 0.93), EYE)
        iris = circle(x, y, gaze, -0.004, 0.043 * big)
        head.paint(intersect(iris, almond), iris_color, EYE)
        head.paint(intersect(circle(x, y, gaze, 0.012, 0.026 * big), almond), mix(iris_color, (1.0, 0.95, 0.8), 0.3))
        head.paint(intersect(circle(x, y, gaze, -0.004, 0.021 * big), almond), (0.04, 0.03, 0.04))
        head.shade(intersect(almond, -y - 0.35 * h), -0.22, soft=4)
        head.paint(circle(x, y, gaze + 0.018, -0.020, 0.0105 * big), (1.0, 1.0, 1.0))
        lid = intersect(torch.maximum((y + h * (1 - bow**2)).abs() - 0.010 - 0.006 * lashes, x.abs() - w), y - 0.02)
        head.paint(lid, head.skin * 0.22, EYE, opacity=0.9)
        crease = intersect((y + h * (1.45 - 0.9 * bow**2) + 0.012).abs() - 0.005, x.abs() - 0.9 * w)
        head.shade(crease, -0.30, soft=2.5)
        head.shade(intersect((y - 0.85 * h * (1 - bow**2) - 0.008).abs() - 0.004, x.abs() - 0.8 * w), -0.22, soft=2.5)


def brows(head: Frame, draw: Draw, style: Parts) -> None:
    """Arcs from thin to bushy, knitted in a frown; children's are lighter."""
    thick = draw.uniform(0.010, 0.034) * (1 - 0.45 * head.child)
    arch = draw.uniform(0.015, 0.05)
    hairy = mix(style.color * 0.72, (0.16, 0.11, 0.09), 0.25)
    for side in (-1, 1):
        y = head.eye_y - 0.125 - 0.015 * head.child - 0.012 * head.smile
        inner, mid, outer = [on(head, across * side)[0] for across in (0.075, 0.18, 0.29)]
        curve = bezier(
            (inner, y + 0.030 * head.frown), (mid, y - 1.4 * arch), (outer, y + 0.030 - 0.012 * head.frown), 6
        )
        shape = limb(head.x, head.y, curve, [k * thick for k in (0.6, 0.95, 1.05, 1.0, 0.85, 0.6, 0.25)])
        head.solid(shape, mix(hairy, head.skin, 0.25 * head.child), BROW, depth=0.03, strength=0.4, soft=1.5)


def nose(head: Frame, draw: Draw) -> None:
    """Bridge, ball and wings in one relief, with nostrils, a highlight and a cast shadow."""
    size, wide = draw.uniform(0.85, 1.15) * (1 - 0.24 * head.child), draw.uniform(0.85, 1.25)
    tip, root, base = on(head, 0.0, 0.60)[0], on(head, 0.0, 0.45)[0], 0.135 - 0.02 * head.child
    x, y, w = head.x, head.y, 0.062 * size * wide
    ball = oval(x, y, tip, base - 0.01, 0.058 * size, 0.050 * size)
    wings = [
        oval(x, y, 0.35 * root + 0.65 * tip + side * w, base + 0.012, 0.034 * size, 0.032 * size) for side in (-1, 1)
    ]
    lower = smooth_union(ball, union(*wings), 0.035)
    whole = smooth_union(
        limb(x, y, [(root, head.eye_y - 0.03), (tip, base - 0.03)], [0.030, 0.045 * size]), lower, 0.05
    )
    head.shade(oval(x, y, tip - 0.05 * head.light.lx, base + 0.055, 0.085 * size, 0.035), -0.20, soft=10)
    relief = head.facing(whole, 0.07) * smoothstep(head.eye_y - 0.04, head.eye_y + 0.14, y)
    head.shade(whole, 0.48 * relief, soft=2)
    head.paint(lower, mix(head.skin, (0.86, 0.38, 0.32), 0.16), NOSE, opacity=0.35, soft=4)
    head.paint(
        oval(x, y, tip + 0.018 * head.light.lx, base - 0.022, 0.018, 0.014), (1.0, 0.96, 0.92), opacity=0.40, soft=5
    )
    for side in (-1, 1):
        nostril = oval(x, y, 0.8 * tip + 0.2 * root + 0.55 * side * w, base + 0.030, 0.019 * size, 0.0095)
        head.paint(nostril, head.skin * 0.30, NOSE, opacity=0.85)


def mouth(head: Frame, draw: Draw) -> None:
    """Two curves bound the opening: a frown's are closed and bent down, a smile's part over a row of teeth."""
    full, rosy, wide = draw.uniform(0.7, 1.3), draw.uniform(0.35, 0.80), draw.uniform(0.92, 1.08)
    half = (0.172 + 0.030 * head.smile - 0.004 * head.frown) * wide * (1 - 0.08 * head.child)
    x, y = head.x - on(head, 0.0, 0.44)[0], head.y - head.mouth_y
    t = x / (half * (1 - 0.25 * head.yaw * torch.sign(x)))  # -1 ... 1 from corner to corner
    arch, ends = 1 - t.clamp(-1, 1) ** 2, (t.abs() - 1) * half
    bend = 0.085 * head.frown - 0.076 * head.smile
    parted = 0.125 * (head.smile - 0.15).clamp(min=0)
    middle = -0.35 * bend - 0.010 * head.smile
    upper = middle + bend * (1 - arch)  # y of the opening's two edges
    lower = upper + parted * arch
    lips = mix(head.skin * 0.82, (0.74, 0.20, 0.22), rosy)
    cupid = 1 - 0.25 * torch.exp(-((t / 0.12) ** 2))
    above = intersect(upper - 0.038 * full * arch * cupid - 0.004 - y, y - upper - 0.004, ends) * 0.8
    below = intersect(lower - y - 0.004, y - lower - 0.050 * full * arch**0.8 - 0.003, ends) * 0.8
    inside = intersect(upper - y, y - lower, ends) * 0.8
    head.shade(oval(x, y, 0, 0.105 + 0.9 * parted, 0.55 * half, 0.022), -0.20, soft=8)  # under the lower lip
    head.solid(below, lips * 1.04, LIPS, depth=0.03, strength=0.4)
    head.solid(above, lips * 0.88, LIPS, depth=0.03, strength=0.4)
    head.paint(inside, (0.33, 0.08, 0.09), LIPS, show=smoothstep(0.15, 0.25, head.smile))
    head.paint(intersect(inside, oval(x, y, 0, 0.12, 0.11, 0.055)), (0.76, 0.36, 0.36), opacity=0.8)
    teeth = intersect(inside + 0.006, y - upper - 0.65 * parted * arch - 0.10 * parted)
    head.paint(teeth, (0.97, 0.96, 0.93), TEETH)
    head.shade(teeth, -0.09 * smoothstep(0.7, 0.95, torch.cos(9 * math.pi * t)))  # between the teeth
    head.paint(intersect((y - upper).abs() - 0.007 * (0.2 + arch), ends), lips * 0.34, LIPS, opacity=0.9, soft=1.5)
    shine = oval(x, y, 0.03 * head.light.lx, middle + parted + 0.026 * full, 0.05, 0.010)
    head.paint(shine, (1.0, 0.9, 0.88), opacity=0.22, soft=5)
    for side in (-1, 1):
        head.shade(circle(x, y, side * half * (1 - 0.25 * head.yaw * side), 0.65 * bend + 0.004, 0.016), -0.25, soft=7)
