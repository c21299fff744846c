"""The room: its plan, walls, windows and the light from them."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Parts
from weights.scenes.colors import as_color, gradient, mix, smoothstep, tone
from weights.scenes.draw import Draw
from weights.scenes.kitchen.labels import CEILING, FLOOR, WALL, WINDOW
from weights.scenes.shapes import box, glow, intersect, union

PAINTS = [
    (0.93, 0.88, 0.78),
    (0.95, 0.80, 0.66),
    (0.88, 0.66, 0.58),
    (0.80, 0.72, 0.72),
    (0.62, 0.72, 0.74),
    (0.62, 0.75, 0.64),
    (0.86, 0.84, 0.66),
]
FLOORS = [(0.76, 0.58, 0.40), (0.56, 0.40, 0.30), (0.72, 0.68, 0.64), (0.80, 0.52, 0.40)]
CLOTHS = [(0.96, 0.90, 0.80), (0.86, 0.50, 0.40), (0.40, 0.58, 0.60), (0.93, 0.76, 0.48)]
SKIES = [(0.62, 0.82, 0.96), (0.80, 0.92, 0.98), (0.98, 0.90, 0.76)]


def plan(draw: Draw, c: Canvas) -> Parts:
    """The room's geometry in coordinates u, y; u runs from the side wall along the back wall, from right to left."""
    r = Parts(u=-c.x, y=c.y, vx=0.15, vy=-0.12, window=draw.flag(0.5, name="window"))
    r.corner, r.ceiling, r.floor = draw.uniform(-0.75, -0.71), draw.uniform(-0.81, -0.75), draw.uniform(0.39, 0.43)
    r.counter = r.floor - draw.uniform(0.355, 0.385)
    r.fridge, r.upper, r.shelf = draw.flag(0.45, name="fridge"), draw.flag(0.75), draw.flag(0.6, name="shelf")
    r.right = 1.02 - r.fridge * 0.36
    r.shelf_width = draw.uniform(0.305, 0.335)
    lo = r.corner + 0.08 + r.shelf * (r.shelf_width + 0.06)
    width = torch.minimum(draw.uniform(0.39, 0.51), r.right - lo - 0.50).clamp(min=0.2)
    r.cabinet_from = r.right - r.upper * width
    plan_window(draw, r, lo, r.cabinet_from - 0.07)
    mood = draw.fraction()
    tint = gradient([(0.94, 0.97, 1.0), (1.0, 0.99, 0.96), (1.0, 0.92, 0.80)], mood)
    light = tint * mix((0.89, 0.85, 0.79), (1.0, 1.0, 1.0), r.window)
    r.sky = gradient(SKIES, mood)
    r.ink = lambda color: light * as_color(color, mood.device)
    return r


def plan_window(draw: Draw, r: Parts, lo: Tensor, hi: Tensor) -> None:
    """One window somewhere between lo and hi, or two of them side by side when there is room."""
    room = hi - lo
    two = draw.flag(0.45) * (room > 0.66).float()
    fill, shift = draw.uniform(0.75, 0.83), 0.35 + 0.3 * draw.fraction()
    r.ww = (1 - two) * (0.5 * fill * room).clamp(max=0.42) + two * 0.22 * fill * room
    middle = lo + r.ww + (room - 2 * r.ww) * shift
    r.wx = (1 - two) * middle + two * (lo + 0.25 * room)
    r.wx2 = (1 - two) * middle + two * (hi - 0.25 * room)
    r.sill = r.counter - draw.uniform(0.09, 0.13)
    r.wtop = r.ceiling + draw.uniform(0.16, 0.20)
    r.wu = torch.where((r.u - r.wx).abs() < (r.u - r.wx2).abs(), r.u - r.wx, r.u - r.wx2)


def shell(c: Canvas, draw: Draw, r: Parts) -> None:
    """Back wall with a tiled band, side wall, ceiling and floor."""
    u, y, left = r.u, r.y, (r.corner - r.u).clamp(min=0)
    paint = r.ink(gradient(PAINTS, draw.fraction()))
    day = glow(u, y, 0.5 * (r.wx + r.wx2), -0.3, 0.9) * r.window
    c.paint(y - 2, tone(paint, 0.94 + 0.12 * day - 0.08 * (y + 0.3).abs()), WALL)
    tiles(c, draw, r)
    c.paint(u - r.corner, tone(paint, 0.84 - 0.05 * y + 0.10 * (left / 0.4) * r.window), WALL)
    c.shade(u * 0 - 1, -0.12 * glow(u, 0 * y, r.corner, 0, 0.12))
    top = r.ceiling - left * (r.ceiling - r.vy) / (r.corner - r.vx)
    c.shade(y - top - 0.03, -0.12, soft=12)
    c.paint(y - top - 0.025, r.ink((0.90, 0.88, 0.85)), CEILING)
    c.paint(y - top, tone(r.ink(mix((0.97, 0.96, 0.93), paint, 0.12)), 0.93 + 0.08 * (top - y)), CEILING)
    floor(c, draw, r, r.floor - left * (r.floor - r.vy) / (r.corner - r.vx))


def tiles(c: Canvas, draw: Draw, r: Parts) -> None:
    """A band of glazed tiles from the counter up; its height may be nothing or all of the wall."""
    top, size = r.counter - draw.uniform(0.135, 0.415), draw.uniform(0.107, 0.108)
    glaze = mix(r.ink(gradient(PAINTS, draw.fraction())), r.ink((1.0, 1.0, 0.98)), 0.45)

    def grid(a: Tensor) -> Tensor:
        return torch.exp(-(((a / size) % 1.0 - 0.5) ** 2) / 0.008)

    lines = torch.maximum(grid(r.u - r.corner), grid(r.y - r.counter + size / 2))
    c.paint(top - r.y, tone(glaze, 1.0 - 0.10 * lines - 0.1 * (r.y - top)), WALL)
    c.shade(box(r.u, r.y, 0, top, 2, 0.012), -0.10, soft=2)


def floor(c: Canvas, draw: Draw, r: Parts, edge: Tensor) -> None:
    """Boards that run to the vanishing point, or tiles."""
    u, y = r.u, r.y
    across, depth = (u - r.vx) / (y - r.vy).clamp(min=0.2), 1 / (y - r.vy).clamp(min=0.2)
    color, tiled = r.ink(gradient(FLOORS, draw.fraction())), draw.flag(0.45)
    boards = torch.cos(16 * across) ** 8
    checks = torch.tanh(3 * torch.sin(9 * across) * torch.sin(9 * depth))
    texture = -0.09 * boards * (1 - tiled) + 0.07 * checks * tiled
    c.paint(edge - 0.03 - y, r.ink((0.92, 0.90, 0.86)), WALL)
    c.paint(edge - y, tone(color, 0.88 + texture + 0.16 * (y - edge)), FLOOR)
    c.shade(box(u, y, 0, edge, 3, 0.03), -0.22, soft=10)


def window(c: Canvas, draw: Draw, r: Parts) -> None:
    """Bright panes over a garden, a white frame, a sill, and a bloom of light around it."""
    show, u, y, h = r.window, r.wu, r.y, 0.5 * (r.sill - r.wtop)
    v = y - 0.5 * (r.sill + r.wtop)
    pane = box(u, v, 0, 0, r.ww, h)
    c.paint(y - 2, r.sky, opacity=0.42 * torch.exp(-((pane.clamp(min=0) / 0.16) ** 2)), show=show)
    frame = box(u, v, 0, 0, r.ww + 0.045, h + 0.045, 0.01)
    c.shade(frame - 0.02, -0.16, soft=6, show=show)
    c.paint(frame, r.ink((0.98, 0.97, 0.94)), WINDOW, show=show)
    c.paint(pane, mix(r.sky, (1.0, 1.0, 0.98), smoothstep(-h, 0.7 * h, v)), WINDOW, show=show)
    hill = 0.30 * h - v + 0.06 * torch.sin(5 * r.u + 9 * r.wx)
    c.paint(intersect(pane, hill), mix((0.66, 0.80, 0.62), r.sky, 0.35), WINDOW, show=show, soft=2)
    hedge = 0.58 * h - v + 0.035 * torch.sin(17 * r.u + 5 * r.wx) + 0.02 * torch.sin(31 * r.u)
    c.paint(intersect(pane, hedge), mix((0.46, 0.66, 0.40), r.sky, 0.18), WINDOW, show=show, soft=2)
    bars = union(u.abs() - 0.014, (v + 0.25 * h).abs() - 0.013)
    c.paint(intersect(pane, bars), r.ink((0.97, 0.96, 0.93)), WINDOW, show=show)
    curtains(c, draw, r, h)
    c.paint(box(u, y, 0, r.sill + 0.05, r.ww + 0.09, 0.022, 0.008), r.ink((0.99, 0.98, 0.95)), WINDOW, show=show)
    c.shade(box(u, y, 0, r.sill + 0.095, r.ww + 0.07, 0.02), -0.20, soft=6, show=show)


def curtains(c: Canvas, draw: Draw, r: Parts, h: Tensor) -> None:
    """In some windows a pair of gathered curtains, which count as window."""
    show, cloth = r.window * draw.flag(0.4), r.ink(gradient(CLOTHS, draw.fraction()))
    u, v = r.wu.abs(), r.y - r.wtop
    hem = r.ww * (0.98 - 0.32 * (v / (2 * h)).clamp(0, 1) ** 0.5)
    side = intersect(hem - u, box(u, v, r.ww, h, 0.4 * r.ww + 0.03, h + 0.03), u - r.ww - 0.05)
    folds = torch.cos(75 * (u - hem)) * 0.07
    c.paint(side, tone(cloth, 1.02 + folds - 0.10 * (v / h)), WINDOW, show=show, soft=1.5)
    c.paint(box(r.wu, v, 0, -0.045, r.ww + 0.08, 0.013, 0.01), r.ink((0.66, 0.46, 0.30)), WINDOW, show=show)


def sunbeam(c: Canvas, r: Parts, t: Parts) -> None:
    """The light that falls from the window into the room."""
    fall = ((r.y - r.wtop) / (t.far + 0.2 - r.wtop)).clamp(0, 1)
    width = r.ww * (1 + 0.25 * fall)
    beam = smoothstep(-0.05, 0.10, width - (r.wu + 0.22 * fall).abs()) * (1 - fall) * smoothstep(0, 0.1, fall)
    c.paint(r.y - 2, (1.0, 0.98, 0.90), opacity=0.16 * beam, show=r.window)
