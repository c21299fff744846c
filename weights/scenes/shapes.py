"""Shapes as signed distances, negative inside; how they are joined, bent and repeated; and smooth textures.

x, y: coordinates (1 or B, H, W), y down.  A `Scalar` is a float or a (B, 1, 1) tensor.
"""

from __future__ import annotations

import torch
from torch import Tensor

Scalar = Tensor | float
Point = tuple[Scalar, Scalar]


def rotate(x: Tensor, y: Tensor, cx: Scalar, cy: Scalar, angle: Scalar) -> tuple[Tensor, Tensor]:
    """Coordinates about (cx, cy), turned by -angle (radians): pass them to a shape centred at the origin."""
    if not torch.is_tensor(angle):
        angle = torch.tensor(float(angle), device=x.device)
    c, s = torch.cos(angle), torch.sin(angle)
    dx, dy = x - cx, y - cy
    return c * dx + s * dy, -s * dx + c * dy


def circle(x: Tensor, y: Tensor, cx: Scalar, cy: Scalar, r: Scalar) -> Tensor:
    return torch.sqrt((x - cx) ** 2 + (y - cy) ** 2 + 1e-12) - r


def ellipse(x: Tensor, y: Tensor, cx: Scalar, cy: Scalar, rx: Scalar, ry: Scalar) -> Tensor:
    """First-order distance to an ellipse."""
    dx, dy = x - cx, y - cy
    k = torch.sqrt((dx / rx) ** 2 + (dy / ry) ** 2 + 1e-12)
    grad = torch.sqrt((dx / rx**2) ** 2 + (dy / ry**2) ** 2 + 1e-12)
    return k * (k - 1) / grad


def oval(x: Tensor, y: Tensor, cx: Scalar, cy: Scalar, rx: Scalar, ry: Scalar) -> Tensor:
    """An ellipse whose distance is smooth at its centre, where `ellipse` has a kink: for soft or rounded shapes."""
    qx, qy = ((x - cx) / rx) ** 2, ((y - cy) / ry) ** 2
    k = torch.sqrt(qx + qy + 0.02)
    return k * (k - 1) / torch.sqrt(qx / rx**2 + qy / ry**2 + 0.02 / (rx * ry))


def box(x: Tensor, y: Tensor, cx: Scalar, cy: Scalar, hw: Scalar, hh: Scalar, r: Scalar = 0.0) -> Tensor:
    """Rectangle of half-width hw and half-height hh, corners rounded by r."""
    qx, qy = (x - cx).abs() - hw + r, (y - cy).abs() - hh + r
    return torch.sqrt(qx.clamp(min=0) ** 2 + qy.clamp(min=0) ** 2 + 1e-12) + torch.maximum(qx, qy).clamp(max=0) - r


def half_plane(x: Tensor, y: Tensor, px: Scalar, py: Scalar, nx: Scalar, ny: Scalar) -> Tensor:
    """Points on the side of (px, py) away from the unit normal (nx, ny)."""
    return (x - px) * nx + (y - py) * ny


def polygon(x: Tensor, y: Tensor, points: list[Point]) -> Tensor:
    """Convex polygon from its corners [(px, py), ...] in clockwise order as seen on screen (y down)."""
    out = None
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        ex, ey = bx - ax, by - ay
        length = (ex**2 + ey**2) ** 0.5
        d = ((x - ax) * ey - (y - ay) * ex) / length
        out = d if out is None else torch.maximum(out, d)
    return out


def trapezoid(x: Tensor, y: Tensor, top: Scalar, bottom: Scalar, top_hw: Scalar, bottom_hw: Scalar) -> Tensor:
    """Upright trapezoid about x = 0, a triangle where top_hw is 0."""
    slope = (bottom_hw - top_hw) / (bottom - top)
    side = (x.abs() - top_hw - slope * (y - top)) / (1 + slope**2) ** 0.5
    return torch.maximum(side, (y - (top + bottom) / 2).abs() - (bottom - top) / 2)


def arch(x: Tensor, y: Tensor, cx: Scalar, top: Scalar, bottom: Scalar, hw: Scalar) -> Tensor:
    """An opening with a round head."""
    dx, dy = (x - cx).abs(), y - top - hw
    head = torch.sqrt(dx**2 + dy.clamp(max=0) ** 2 + 1e-12) - hw
    return torch.maximum(head, y - bottom)


def segment(x: Tensor, y: Tensor, ax: Scalar, ay: Scalar, bx: Scalar, by: Scalar, r: Scalar) -> Tensor:
    """Capsule of radius r from a to b."""
    dx, dy, ex, ey = x - ax, y - ay, bx - ax, by - ay
    t = ((dx * ex + dy * ey) / (ex**2 + ey**2 + 1e-12)).clamp(0, 1)
    return torch.sqrt((dx - t * ex) ** 2 + (dy - t * ey) ** 2 + 1e-12) - r


def limb(x: Tensor, y: Tensor, points: list[Point], radii: list[Scalar]) -> Tensor:
    """Chain of tapered capsules through points [(px, py), ...] with one radius per point."""
    out = None
    for i in range(len(points) - 1):
        (ax, ay), (bx, by), ra, rb = *points[i : i + 2], *radii[i : i + 2]
        dx, dy, ex, ey = x - ax, y - ay, bx - ax, by - ay
        t = ((dx * ex + dy * ey) / (ex**2 + ey**2 + 1e-12)).clamp(0, 1)
        d = torch.hypot(dx - t * ex, dy - t * ey) - ra - (rb - ra) * t
        out = d if out is None else torch.minimum(out, d)
    return out


def bezier(a: Point, b: Point, c: Point, n: int = 6) -> list[Point]:
    """n + 1 points on the quadratic curve from a to c that bends towards b: for `limb`."""
    ts = [i / n for i in range(n + 1)]
    abc = list(zip(a, b, c, strict=True))
    return [tuple((1 - t) ** 2 * p + 2 * t * (1 - t) * q + t**2 * r for p, q, r in abc) for t in ts]


def union(*sdfs: Tensor) -> Tensor:
    out = sdfs[0]
    for s in sdfs[1:]:
        out = torch.minimum(out, s)
    return out


def intersect(*sdfs: Tensor) -> Tensor:
    out = sdfs[0]
    for s in sdfs[1:]:
        out = torch.maximum(out, s)
    return out


def smooth_union(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Union whose seam is rounded over a width k."""
    h = (0.5 + 0.5 * (b - a) / k).clamp(0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def smooth_intersect(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Intersection whose corner is rounded over a width k."""
    return -smooth_union(-a, -b, k)


def repeat(x: Tensor, first: Scalar, pitch: Scalar, count: Scalar) -> tuple[Tensor, Tensor]:
    """Folds x so that one shape drawn at 0 appears `count` times, at first, first + pitch, ...: (local x, index)."""
    index = ((x - first) / pitch).round().clamp(min=0)
    index = torch.minimum(index, torch.as_tensor(count - 1.0, device=x.device))
    return x - first - index * pitch, index


def waves(x: Tensor, y: Tensor, fx: Scalar, fy: Scalar, phase: Scalar) -> Tensor:
    """A smooth texture in [-1, 1]: two crossed sine waves."""
    return torch.sin(fx * x + phase) * torch.sin(fy * y + 1.7 * phase + 0.6)


def glow(x: Tensor, y: Tensor, cx: Scalar, cy: Scalar, r: Scalar) -> Tensor:
    """A soft round falloff in (0, 1]: use it as an opacity."""
    return torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / r**2)
