"""The church itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Parts
from weights.scenes.church.labels import BATTLEMENT, BUILDING, DOME, DOOR, MAIN_WINDOW, ROOF, SPIRE, WINDOW
from weights.scenes.colors import gradient, mix, smoothstep, tone
from weights.scenes.draw import Draw
from weights.scenes.shapes import (
    arch,
    box,
    circle,
    ellipse,
    glow,
    intersect,
    polygon,
    repeat,
    smooth_union,
    trapezoid,
    union,
)

DOORS = [(0.45, 0.25, 0.16), (0.60, 0.20, 0.17), (0.17, 0.38, 0.36), (0.18, 0.25, 0.42)]


def courses(u: Tensor, y: Tensor) -> Tensor:
    """Smooth brickwork in [-1, 1]."""
    row = math.pi * y / 0.06
    return 0.6 * torch.cos(2 * row) + 0.4 * torch.cos(math.pi / 0.06 * u + math.pi / 2 * torch.sign(torch.sin(row)))


def nave(c: Canvas, s: Parts, hour: Parts) -> None:
    """The shadow on the ground, the long side with its windows, and the roof."""
    u, y, near, lean = s.u, c.y, s.cx + s.w, 0.35 - 0.7 * s.sunny
    end = near + s.length
    c.shade(
        polygon(
            u,
            y,
            [
                (s.cx - s.w, s.base - 0.03),
                (end, s.base - 0.05),
                (end + lean, s.base + 0.10),
                (s.cx - s.w + lean - 0.1, s.base + 0.14),
            ],
        ),
        -0.30,
        soft=14,
    )
    side = polygon(u, y, [(near, s.eave), (end, s.eave + 0.06), (end, s.base - 0.04), (near, s.base)])
    away = ((u - near) / s.length).clamp(0, 1)
    c.paint(side, tone(s.wall, 1 + s.shadow + 0.03 * courses(u, y - s.base) - 0.06 * away), BUILDING)
    c.shade(intersect(side, y - s.eave - 0.11), -0.22, soft=8)
    wu, i = repeat(u, near + 0.14, 0.15, ((s.length - 0.17) / 0.15).floor().clamp(min=1))
    opening = arch(wu, y, 0.0, s.eave + 0.13 + 0.006 * i, s.base - 0.13, 0.032)
    c.paint(opening - 0.014, tone(s.trim, 1 + s.shadow))
    c.paint(opening, tone(s.glass, 1.15 - 0.9 * (y - s.eave) * (1 - hour.night)), WINDOW)
    roof = polygon(
        u,
        y,
        [(s.cx, s.apex - 0.01), (end - 0.35 * s.w, s.apex + 0.05), (end + 0.04, s.eave + 0.09), (near, s.eave + 0.03)],
    )
    slates = 0.035 * torch.sin(95 * y) * torch.cos(40 * u)
    c.paint(roof, tone(s.roof, 0.94 + 0.6 * s.shadow + 0.16 * s.sunny + 0.20 * (y - s.apex) + slates), ROOF)


def facade(c: Canvas, s: Parts) -> None:
    """The gabled front, shaded towards the long side, with its eaves and plinth."""
    u, y = s.u - s.cx, c.y
    pitch = (s.eave - s.apex) / s.w
    gable = (y - s.apex - pitch * u.abs()) / (1 + pitch**2) ** 0.5  # positive below the slopes
    wall = intersect(-gable, u.abs() - s.w, y - s.base)
    c.paint(wall, tone(s.wall, 1.06 + s.front - 0.10 * (y - s.eave) + 0.03 * courses(u, y - s.base)), BUILDING)
    c.shade(wall, -0.20 * glow(u, 0 * y, s.w * 1.1, 0, 0.35 * s.w))
    c.shade(intersect(gable - 0.085, wall), -0.22, soft=4)
    c.paint(intersect(gable.abs() - 0.024, u.abs() - s.w - 0.035), tone(s.roof, 1.0 + s.front), ROOF)
    c.paint(box(u, y, 0, s.base - 0.025, s.w + 0.012, 0.03), tone(s.trim, 0.84 + s.front), BUILDING)


def tower(c: Canvas, s: Parts, hour: Parts) -> None:
    """One tower or two alike: u is folded about the nearer axis.  The right part of the shaft is its shaded side."""
    u = torch.where((s.u - s.tx).abs() < (s.u - s.tx2).abs(), s.u - s.tx, s.u - s.tx2)
    y, tw = c.y, s.tw
    c.shade(ellipse(u, y, 0.3 * tw, s.tbase, tw * 1.5, 0.05), -0.28, soft=10)
    shaft = box(u, y, 0, (s.ttop + s.tbase) / 2, tw, (s.tbase - s.ttop) / 2)
    c.paint(shaft, tone(s.wall, 1.06 + s.front - 0.12 * (y - s.ttop) + 0.03 * courses(u, y - s.base)), BUILDING)
    turn = 1 + s.front + s.shadow * smoothstep(0.45 * tw, 0.6 * tw, u)
    for level in (0.36, 0.68):
        band = box(u, y, 0, s.ttop + level * (s.tbase - s.ttop), tw + 0.014, 0.015, 0.005)
        c.shade(band - 0.016, -0.14, soft=5, show=s.banded)
        c.paint(band, s.trim, BUILDING, show=s.banded)
    c.shade(intersect(shaft - 0.014, 0.52 * tw - u), s.shadow, soft=1.5)
    wu = repeat(u, -0.46 * tw, 0.46 * tw, 2)[0]
    belfry = arch(wu, y, 0.0, s.ttop + 0.065, s.ttop + (0.28 * (s.tbase - s.ttop)).clamp(0.17, 0.24), 0.15 * tw)
    c.paint(belfry - 0.012, tone(s.trim, 1.0 + s.front), BUILDING)
    c.paint(belfry, tone(s.glass, 0.72 + 0.4 * hour.night), WINDOW)
    c.shade(box(u, y, 0, s.ttop + 0.05, tw, 0.02), -0.26, soft=4)
    spire(c, s, u, hour)
    dome(c, s, u, turn, hour)
    battlement(c, s, u, turn, hour)


def cross(u: Tensor, y: Tensor, foot: Tensor) -> Tensor:
    return union(box(u, y, 0, foot - 0.05, 0.011, 0.06), box(u, y, 0, foot - 0.065, 0.034, 0.011))


def spire(c: Canvas, s: Parts, u: Tensor, hour: Parts) -> None:
    y, tip, foot, hw = c.y, s.ttop - 1.15 * s.rise, s.ttop + 0.02, 1.14 * s.tw
    cone = trapezoid(u, y, tip, foot, 0.0, hw)
    c.paint(cross(u, y, tip + 0.02), hour.ink((0.96, 0.80, 0.40)), SPIRE, show=s.spire)
    c.paint(cone, tone(s.roof, 1.12 + s.front + 0.03 * torch.sin(90 * y)), SPIRE, show=s.spire)
    c.shade(intersect(cone, 0.42 * hw * (y - tip) / (foot - tip) - u), s.shadow - 0.04, show=s.spire)


def dome(c: Canvas, s: Parts, u: Tensor, turn: Tensor, hour: Parts) -> None:
    """An onion dome with a lit side and soft ribs on a pale drum."""
    y, drum, rx, height = c.y, s.ttop - 0.07, s.tw * 1.08, 0.62 * s.rise
    c.paint(box(u, y, 0, s.ttop - 0.03, s.tw * 0.92, 0.06), tone(s.trim, turn), BUILDING, show=s.dome)
    cap = intersect(ellipse(u, y, 0, drum, rx, height), y - drum)
    neck = trapezoid(u, y, drum - height - 0.13, drum - 0.8 * height, 0.0, 0.35 * s.tw)
    across = (u / rx).clamp(-1, 1)
    lit = 0.26 * torch.sin(1.4 * across + 0.6) * (2 * s.sunny - 1) + 0.05 * torch.cos(9 * torch.asin(0.98 * across))
    c.paint(cross(u, y, drum - height - 0.11), hour.ink((0.96, 0.80, 0.40)), DOME, show=s.dome)
    c.paint(smooth_union(cap, neck, 0.04), tone(s.roof, 1.08 + lit - 0.18 * (y - drum + height)), DOME, show=s.dome)
    c.paint(box(u, y, 0, drum, rx * 1.02, 0.016, 0.008), tone(s.trim, 1 + s.front), DOME, show=s.dome)


def battlement(c: Canvas, s: Parts, u: Tensor, turn: Tensor, hour: Parts) -> None:
    """A projecting parapet with four merlons, and a flag."""
    y, hw, pole = c.y, s.tw * 1.16, s.ttop - 0.22
    flag = polygon(u, y, [(0.0, pole - 0.06), (0.13, pole - 0.035), (0.0, pole + 0.02)])
    c.paint(flag, hour.ink((0.84, 0.28, 0.24)), BATTLEMENT, show=s.flat)
    c.paint(box(u, y, 0, pole, 0.009, 0.09), hour.ink((0.96, 0.80, 0.40)), BATTLEMENT, show=s.flat)
    mu = repeat(u, -hw * 0.84, hw * 0.56, 4)[0]
    parapet = union(box(u, y, 0, s.ttop - 0.02, hw, 0.06), box(mu, y, 0, s.ttop - 0.10, hw * 0.17, 0.055))
    c.paint(parapet, tone(s.trim, turn), BATTLEMENT, show=s.flat)
    c.shade(intersect(parapet, s.ttop - 0.03 - y), -0.12, show=s.flat)


def main_window(c: Canvas, draw: Draw, s: Parts, hour: Parts) -> None:
    """A rose or a tall arched window with tracery, or nothing: the wall stays blank."""
    show, rose, r = draw.flag(0.75, name="main_window"), draw.flag(0.5), (s.w * draw.uniform(0.4, 0.46)).clamp(max=0.2)
    free = s.lintel - s.eave + 0.45 * (s.eave - s.apex)  # wall between door and gable top
    r = torch.minimum(torch.minimum(r, 0.40 * free - 0.03), 0.62 * s.tw + (1 - s.ahead))
    v = c.y - torch.minimum(s.eave + draw.uniform(-0.02, 0.04), s.lintel - 1.25 * r - 0.07)
    u = s.u - s.cx
    opening = rose * circle(u, v, 0, 0, r) + (1 - rose) * arch(u, v, 0.0, -1.05 * r, 1.25 * r, 0.68 * r)
    c.paint(opening - 0.034, tone(s.trim, 1.02 + s.front), MAIN_WINDOW, show=show)
    c.shade(opening - 0.006, -0.3, soft=2, show=show)
    day = hour.ink(gradient([(0.16, 0.24, 0.44), (0.34, 0.50, 0.66)], 0.5 - 0.5 * (u + v) / r))
    lamps = gradient([(1.0, 0.88, 0.50), (0.98, 0.66, 0.30)], (v / r + 1) / 2)
    c.paint(opening, mix(day, lamps, hour.night), MAIN_WINDOW, show=show)
    rho, theta = torch.sqrt(u**2 + v**2 + 1e-8), torch.atan2(v, u + 1e-6)
    wheel = union(rho * torch.sin(4 * theta).abs() / 4 - 0.009, (rho - 0.42 * r).abs() - 0.011)
    lattice = union(
        u.abs() - 0.010, (v - 0.1 * r).abs() - 0.010, circle(u.abs(), v, 0.34 * r, -0.36 * r, 0.34 * r).abs() - 0.008
    )
    tracery = intersect(rose * wheel + (1 - rose) * lattice, opening)
    c.paint(tracery, tone(s.trim, 0.98 + s.front), MAIN_WINDOW, show=show)


def door(c: Canvas, draw: Draw, s: Parts, hour: Parts) -> None:
    wood, u, y, hw = hour.ink(gradient(DOORS, draw.fraction())), s.u - s.cx, c.y, s.door
    opening = arch(u, y, 0.0, s.lintel, s.base, hw)
    c.paint(intersect(opening - 0.028, y - s.base), tone(s.trim, 1.0 + s.front), DOOR)
    c.paint(opening, tone(wood, 1.1 - 0.9 * (y - s.lintel)), DOOR)
    c.shade(intersect(opening, u.abs() - 0.006), -0.35)
    c.shade(intersect(opening, y - s.lintel - 0.8 * hw), -0.25, soft=6)
    for i in range(2):
        step = box(u, y, 0, s.base + 0.012 + 0.024 * i, hw * 1.5 + 0.03 * i, 0.012)
        c.paint(step, s.trim * (0.98 - 0.12 * i), BUILDING)
    c.paint(y - 2, (1.0, 0.72, 0.38), opacity=0.30 * hour.night * glow(u, 2.2 * y, 0, 2.2 * (s.base + 0.02), 0.34))
