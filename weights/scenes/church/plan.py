"""Where everything of the church stands and what it is made of."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Parts
from weights.scenes.colors import gradient, mix, smoothstep
from weights.scenes.draw import Draw

WALLS = [
    (0.93, 0.90, 0.83),
    (0.95, 0.82, 0.64),
    (0.84, 0.60, 0.42),
    (0.70, 0.36, 0.28),
    (0.84, 0.66, 0.60),
    (0.80, 0.77, 0.74),
    (0.60, 0.62, 0.66),
]
ROOFS = [
    (0.30, 0.34, 0.44),
    (0.36, 0.52, 0.52),
    (0.42, 0.64, 0.58),
    (0.52, 0.36, 0.30),
    (0.76, 0.38, 0.26),
    (0.46, 0.24, 0.24),
]


def plan(draw: Draw, hour: Parts, x: Tensor) -> Parts:
    """Where everything of the church stands and what it is made of."""
    s = Parts(u=x, horizon=draw.uniform(0.37, 0.41))
    s.sunny = smoothstep(-0.6, 0.6, hour.x)  # the sun is on the long side
    s.front, s.shadow = -0.16 * s.sunny, -0.10 - 0.30 * (1 - s.sunny)
    s.cx, s.w, s.length = draw.uniform(-0.25, -0.07), draw.uniform(0.255, 0.315), draw.uniform(0.49, 0.61)
    s.base = s.horizon + draw.uniform(0.21, 0.25)
    s.eave = s.base - draw.uniform(0.45, 0.53)
    s.apex = s.eave - s.w * draw.uniform(0.95, 1.20)
    s.door = (0.30 * s.w).clamp(max=0.085)
    s.lintel = s.base - 2.8 * s.door
    s.wall, s.roof = hour.ink(gradient(WALLS, draw.fraction())), hour.ink(gradient(ROOFS, draw.fraction()))
    s.trim = mix(s.wall, hour.ink((1.0, 0.97, 0.90)), draw.uniform(0.45, 0.75))
    s.glass = mix(hour.ink((0.24, 0.34, 0.46)), (1.0, 0.80, 0.42), hour.night)
    plan_tower(draw, s)
    s.length = torch.minimum(s.length, 1.04 - s.cx - s.w)
    return s


def plan_tower(draw: Draw, s: Parts) -> None:
    """One tower beside the facade, two, one in front of it, or a turret on the ridge."""
    beside, twin, ahead, turret = draw.choice([0.34, 0.26, 0.22, 0.18]).unbind(1)
    s.ahead, s.banded = ahead, 1 - turret
    s.tw = s.w * draw.uniform(0.45, 0.51) * (1 + 0.35 * ahead - 0.15 * turret)
    out, flanking = s.w + 0.55 * s.tw, beside + twin
    s.cx = torch.maximum(s.cx, flanking * (out + s.tw) - 0.93)  # the tower stays in the picture
    s.tx = s.cx - flanking * out + turret * 0.3 * (s.length + s.w)
    s.tx2 = s.tx + twin * 2 * out
    s.tbase = s.base + 0.015 - turret * (s.base - 0.145 - s.apex)
    s.ttop = torch.minimum(s.base - draw.uniform(0.82, 1.00), s.apex + 0.05 - 0.25 * turret).clamp(min=-0.48)
    s.rise = torch.minimum(draw.uniform(0.28, 0.38), 0.68 + 0.8 * s.ttop)
    top = draw.choice([0.36, 0.32, 0.32], name="tower", options=("spire", "dome", "flat"))
    s.spire, s.dome, s.flat = top.unbind(1)
