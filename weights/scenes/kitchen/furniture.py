"""Cabinets, appliances, plants, shelf and lamps."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Parts
from weights.scenes.colors import gradient, to_and_fro, tone
from weights.scenes.draw import Draw
from weights.scenes.kitchen.labels import APPLIANCE, CABINET, COUNTER, LAMP, OBJECT, PLANT
from weights.scenes.shapes import box, circle, ellipse, glow, intersect, repeat, segment, trapezoid, union

CABINETS = [
    (0.92, 0.90, 0.86),
    (0.56, 0.70, 0.64),
    (0.24, 0.44, 0.44),
    (0.22, 0.32, 0.44),
    (0.52, 0.36, 0.28),
    (0.80, 0.56, 0.36),
]
COUNTERS = [(0.90, 0.88, 0.85), (0.66, 0.48, 0.34), (0.34, 0.32, 0.34)]
APPLIANCES = [(0.90, 0.90, 0.88), (0.66, 0.69, 0.72), (0.60, 0.78, 0.72), (0.80, 0.34, 0.28)]
POTS = [(0.80, 0.46, 0.32), (0.93, 0.90, 0.84), (0.26, 0.42, 0.50), (0.92, 0.72, 0.34)]
LEAVES = [(0.18, 0.42, 0.32), (0.34, 0.56, 0.32), (0.50, 0.62, 0.34)]


def fronts(
    c: Canvas,
    r: Parts,
    color: Tensor,
    left: Tensor,
    right: Tensor,
    top: Tensor,
    bottom: Tensor,
    pitch: Tensor,
    show: Tensor | float = 1.0,
) -> None:
    """A run of cabinet doors, each with a bevelled panel and a knob."""
    u, y, middle = r.u, r.y, 0.5 * (top + bottom)
    pitch = (right - left).clamp(min=0.1) / ((right - left) / pitch).round().clamp(min=1)
    body = box(u, y, 0.5 * (left + right), middle, 0.5 * (right - left), 0.5 * (bottom - top))
    d = (u - left) % pitch - pitch / 2
    c.paint(body, tone(color, 1.0 - 0.22 * (y - top)), CABINET, show=show)
    panel = intersect(box(d, y, 0, middle, pitch / 2 - 0.035, 0.5 * (bottom - top) - 0.045, 0.01), body + 0.02)
    c.shade(intersect(pitch / 2 - 0.010 - d.abs(), body), -0.22, show=show)
    c.shade(panel, -0.07, soft=2, show=show)
    c.shade(intersect(panel, -panel - 0.012), -0.08, soft=2, show=show)
    knob = intersect(circle(d, y, pitch / 2 - 0.05, middle, 0.014), body)
    c.paint(knob, r.ink((0.90, 0.76, 0.46)), CABINET, show=show)


def cabinets(c: Canvas, draw: Draw, r: Parts) -> Tensor:
    """Upper and lower cabinets and the counter between them."""
    color = r.ink(gradient(CABINETS, draw.fraction()))
    pitch, bottom = draw.uniform(0.235, 0.245), r.counter - draw.uniform(0.285, 0.315)
    hung = box(r.u, r.y, 0.5 * (r.cabinet_from + 1.1) - 0.02, bottom, 0.5 * (1.1 - r.cabinet_from), 0.05)
    c.shade(hung, -0.25, soft=12, show=r.upper)
    fronts(c, r, color, r.cabinet_from, r.right, r.ceiling + 0.07, bottom, pitch, show=r.upper)
    start = r.corner + draw.uniform(0.05, 0.11)
    c.shade(box(r.u, r.y, 0, r.floor + 0.02, 2, 0.04), -0.3, soft=10)
    fronts(c, r, color * 0.95, start, r.right, r.counter, r.floor, pitch)
    stone = r.ink(gradient(COUNTERS, draw.fraction()))
    slab = box(r.u, r.y, 0.5 * (start + r.right), r.counter, 0.5 * (r.right - start) + 0.03, 0.028, 0.01)
    c.shade(box(r.u, r.y, 0.5 * (start + r.right), r.counter + 0.05, 0.5 * (r.right - start), 0.02), -0.25, soft=6)
    c.paint(slab, tone(stone, 1.08 - 4 * (r.y - r.counter)), COUNTER)
    return start


def sink_or_hob(c: Canvas, draw: Draw, r: Parts, start: Tensor) -> None:
    """A tap over a sink, or an oven with a hob and a pot on it."""
    sink, span = draw.flag(0.5), r.right - start
    x = start + span * draw.uniform(0.42, 0.58)
    u, y, steel = r.u - x, r.y - r.counter + 0.028, r.ink((0.72, 0.75, 0.78))
    arc = intersect(circle(u, y, 0.05, -0.15, 0.05).abs() - 0.012, y + 0.15)
    tap = union(
        box(u, y, 0, -0.075, 0.012, 0.078),
        arc,
        box(u, y, 0.1, -0.135, 0.012, 0.016),
        box(u, y, 0, -0.008, 0.035, 0.01),
    )
    c.paint(tap, tone(steel, 1.1 - 8 * (u - 0.05).abs() * 0.3), COUNTER, show=sink)
    c.paint(box(u, y, 0.04, 0.03, 0.15, 0.020, 0.01), steel * 0.86, COUNTER, show=sink)
    hob = 1 - sink
    c.paint(box(u, y, 0, 0.22, 0.15, 0.155, 0.01), r.ink((0.30, 0.31, 0.34)), APPLIANCE, show=hob)
    glass = gradient([(0.50, 0.36, 0.28), (0.16, 0.15, 0.18)], (y - 0.15) / 0.18)
    c.paint(box(u, y, 0, 0.24, 0.115, 0.085, 0.015), glass, APPLIANCE, show=hob)
    c.paint(box(u, y, 0, 0.125, 0.11, 0.010, 0.01), steel, APPLIANCE, show=hob)
    c.paint(box(u, y, 0, 0.0, 0.15, 0.012), r.ink((0.16, 0.16, 0.18)), APPLIANCE, show=hob)
    enamel = r.ink(gradient(POTS, draw.fraction()))
    pot = union(
        box(u, y, 0.04, -0.065, 0.075, 0.052, 0.02),
        box(u, y, 0.04, -0.085, 0.105, 0.010, 0.008),
        circle(u, y, 0.04, -0.135, 0.014),
    )
    c.paint(pot, tone(enamel, 1.05 - 3.2 * (u - 0.02).abs()), APPLIANCE, show=hob)
    c.shade(box(u, y, 0.04, -0.112, 0.075, 0.004), -0.3, show=hob)


def fridge(c: Canvas, draw: Draw, r: Parts) -> None:
    color, show = r.ink(gradient(APPLIANCES, draw.fraction())), r.fridge
    left, top = r.right + 0.02, r.ceiling + draw.uniform(0.26, 0.30)
    body = box(r.u, r.y, left + 0.19, 0.5 * (top + r.floor) + 0.01, 0.19, 0.5 * (r.floor - top) + 0.02, 0.03)
    c.shade(body - 0.03, -0.18, soft=10, show=show)
    across = (r.u - left) / 0.38
    c.paint(body, tone(color, 1.08 - 0.30 * across), APPLIANCE, show=show)
    split = top + 0.30 * (r.floor - top)
    c.shade(intersect(body, (r.y - split).abs() - 0.008), -0.35, show=show)
    handles = union(
        box(r.u, r.y, left + 0.05, split - 0.10, 0.011, 0.05, 0.01),
        box(r.u, r.y, left + 0.05, split + 0.13, 0.011, 0.08, 0.01),
    )
    c.paint(handles, r.ink((0.55, 0.56, 0.58)), APPLIANCE, show=show)


def pot_plant(c: Canvas, r: Parts, u: Tensor, y: Tensor, size: Tensor, hue: Tensor, show: Tensor) -> None:
    """A leafy plant in a pot that stands at the origin."""
    u, y = u / size, y / size
    leaf = r.ink(gradient(LEAVES, hue))
    crown = None
    for i in range(5):
        lean = (i - 2) * 0.42
        d = segment(u, y, 0.0, -0.4, 0.75 * lean, -1.25 + 0.16 * (i - 2) ** 2, 0.17)
        crown = d if crown is None else torch.minimum(crown, d)
    light = 0.95 + 0.35 * u - 0.25 * (y + 0.8) + 0.10 * torch.cos(9 * u)
    c.paint(crown * size, tone(leaf, light), PLANT, show=show)
    pot = trapezoid(u, y, -0.56, 0.0, 0.34, 0.25)
    c.paint(pot * size, tone(r.ink(gradient(POTS, to_and_fro(hue * 2.7))), 1.05 - 0.6 * u), PLANT, show=show)
    c.shade(intersect(pot, y + 0.46) * size, -0.14, show=show)


def floor_plant(c: Canvas, draw: Draw, r: Parts) -> None:
    size, hue, show = draw.uniform(0.26, 0.28), draw.fraction(), draw.flag(0.4)
    pot_plant(c, r, r.u - r.corner + 0.06, r.y - r.floor - 0.12, size, hue, show)


def shelf(c: Canvas, draw: Draw, r: Parts) -> None:
    """Two boards with plants, jars and bowls between the corner and the window."""
    show, hue, hw = r.shelf, draw.fraction(), 0.5 * r.shelf_width
    x, top = r.corner + 0.10 + hw, r.ceiling + draw.uniform(0.325, 0.355)
    u = r.u - x
    for i in range(2):
        y = r.y - top - 0.27 * i
        c.shade(box(u, y, 0.01, 0.05, hw, 0.03), -0.20, soft=8, show=show)
        for k, place in enumerate((-0.55, 0.45)):
            jar = box(u, y, place * hw + 0.02, -0.07 + 0.015 * k, 0.045, 0.055 - 0.015 * k, 0.018)
            enamel = r.ink(gradient(POTS, to_and_fro(hue + 0.37 * i + 0.55 * k)))
            c.paint(jar, tone(enamel, 1.0 - 2.5 * (u - place * hw)), OBJECT, show=show * float(i == k))
        pot_plant(c, r, u - (0.45 - 1.0 * i) * hw, y + 0.012, 0.115, to_and_fro(hue + 0.5 * i), show)
        c.paint(box(u, y, 0, 0, hw, 0.016, 0.006), r.ink((0.72, 0.52, 0.36)), CABINET, show=show)


def lamps(c: Canvas, draw: Draw, r: Parts) -> None:
    """One to three pendant lamps: cone or globe; they glow more warmly when there is no window."""
    _, two, three = draw.choice([0.14, 0.72, 0.14]).unbind(1)
    count, globe = 1 + two + 2 * three, draw.flag(0.4)
    show, y0, size = draw.flag(0.8), r.ceiling + draw.uniform(0.23, 0.27), draw.uniform(0.105, 0.115)
    pitch = draw.uniform(0.42, 0.44)
    u, _ = repeat(r.u, draw.uniform(0.17, 0.25) - pitch * (count - 1) / 2, pitch, count)
    y = r.y - y0
    c.paint(r.y - 2, (1.0, 0.86, 0.58), opacity=(0.40 - 0.25 * r.window) * glow(u, y, 0, 0.10, 0.26), show=show)
    c.paint(box(u, y, 0, -0.6, 0.007, 0.55), r.ink((0.25, 0.24, 0.26)), LAMP, show=show)
    metal = r.ink(gradient(POTS[2:] + POTS[:1], draw.fraction()))
    c.paint(ellipse(u, y, 0, 0.052, 0.62 * size, 0.034), (1.0, 0.95, 0.76), LAMP, show=show * (1 - globe))
    cone = trapezoid(u, y, -0.5 * size, 0.055, 0.25 * size, size) - 0.008
    c.paint(cone, tone(metal, 1.08 + 4.5 * u), LAMP, show=show * (1 - globe))
    ball = circle(u, y, 0, 0, 0.78 * size)
    milk = gradient([(1.0, 0.98, 0.90), (0.98, 0.86, 0.62)], ((u + 0.03) ** 2 + (y + 0.03) ** 2) / size**2)
    c.paint(ball, milk, LAMP, show=show * globe)
