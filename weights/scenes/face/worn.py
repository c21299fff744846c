"""Glasses and earrings."""

from __future__ import annotations

from weights.scenes.canvas import Frame
from weights.scenes.colors import mix
from weights.scenes.draw import Draw
from weights.scenes.face.head import on
from weights.scenes.face.labels import EARRING, GLASSES
from weights.scenes.shapes import bezier, box, circle, intersect, limb, oval, segment, smooth_union, union

FRAMES = [(0.12, 0.11, 0.12), (0.42, 0.22, 0.12), (0.66, 0.16, 0.18), (0.78, 0.62, 0.30), (0.16, 0.26, 0.42)]
METALS = [(0.93, 0.76, 0.34), (0.86, 0.88, 0.92), (0.86, 0.24, 0.30), (0.22, 0.58, 0.60)]


def glasses(head: Frame, draw: Draw) -> None:
    """Round to rectangular frames with a slight tint, a bridge, and temples to the ears."""
    show, square, size = draw.flag(0.30, name="glasses"), draw.fraction(), draw.uniform(0.95, 1.12)
    color, tint, wire = draw.color(FRAMES), draw.uniform(0, 0.22), 0.011 + 0.006 * square
    rims, y0 = [], head.eye_y + 0.012
    for side in (-1, 1):
        x0, near = on(head, 0.178 * side, 0.50)
        near = near.clamp(min=0.62)
        w, h = (0.135 + 0.012 * square) * near * size, (0.135 - 0.035 * square) * size
        lens = box(head.x - x0, head.y, 0, y0, w, h, h * (0.98 - 0.62 * square) * near.clamp(max=1.0))
        head.paint(lens, mix(color, (0.55, 0.68, 0.76), 0.6), opacity=0.06 + tint, show=show)
        glint = intersect(lens + 0.02, ((head.x - x0) + 0.5 * (head.y - y0) + 0.05).abs() - 0.02)
        head.paint(glint, (1.0, 1.0, 1.0), opacity=0.16, show=show)
        rims.append(lens.abs() - wire)
        ear_x = head.lobes[(side + 1) // 2][0]
        temple = segment(head.x, head.y, x0 + side * w, y0 - 0.03, ear_x, y0 - 0.03, 0.9 * wire)
        temple = intersect(temple, side * (x0 + side * w - head.x), head.outline - 0.04)
        rims.append(temple)
    left, right = on(head, -0.05, 0.52)[0], on(head, 0.05, 0.52)[0]
    bridge = bezier((left, y0 - 0.01), (0.5 * (left + right), y0 - 0.045), (right, y0 - 0.01), 3)
    rims.append(limb(head.x, head.y, bridge, [wire] * 4))
    frame = union(*rims)
    head.shade(frame - 0.008, -0.12, soft=6, show=show)
    head.solid(frame, color, GLASSES, depth=0.02, strength=0.5, show=show)


def earrings(head: Frame, draw: Draw) -> None:
    """Studs, drops or hoops below both lobes."""
    show, kind = draw.flag(0.25, name="earrings"), draw.choice([0.25, 0.35, 0.40])
    metal, size = draw.color(METALS), draw.uniform(0.8, 1.25)
    stud, drop, hoop = kind.unbind(1)
    for x, y in head.lobes:
        button = circle(head.x, head.y, x, y, 0.030 * size)
        pendant = oval(head.x, head.y, x, y + 0.085 * size, 0.036 * size, 0.058 * size)
        pendant = smooth_union(pendant, segment(head.x, head.y, x, y, x, y + 0.05, 0.010), 0.02)
        ring = circle(head.x, head.y, x, y + 0.062 * size, 0.062 * size).abs() - 0.013
        for shape, shown in ((button, stud + drop), (pendant, drop), (ring, hoop)):
            head.solid(shape, metal, EARRING, depth=0.03, strength=0.9, show=show * shown)
