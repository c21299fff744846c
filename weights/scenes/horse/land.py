"""Sky, land, trees and fence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Frame, Light, Parts
from weights.scenes.colors import blend, mix, smoothstep
from weights.scenes.draw import Draw
from weights.scenes.horse.labels import FENCE, GROUND, HILL, SEA, SKY, TREE
from weights.scenes.shapes import box, circle, intersect, limb, oval, smooth_union, waves

# Dawn, day, golden afternoon, dusk, moonlight: the time of day blends through these.
ZENITH = [(0.52, 0.62, 0.84), (0.27, 0.56, 0.86), (0.40, 0.64, 0.82), (0.33, 0.29, 0.55), (0.09, 0.13, 0.31)]
HORIZON = [(1.0, 0.84, 0.76), (0.82, 0.93, 0.97), (1.0, 0.86, 0.60), (1.0, 0.58, 0.42), (0.40, 0.47, 0.68)]
AMBIENT = [(0.98, 0.92, 0.95), (1.0, 1.0, 1.0), (1.04, 0.97, 0.84), (0.90, 0.74, 0.76), (0.50, 0.57, 0.80)]
WARM = [(1.0, 0.88, 0.78), (1.0, 0.98, 0.90), (1.0, 0.88, 0.60), (1.0, 0.66, 0.45), (0.80, 0.88, 1.0)]


def sky(canvas: Canvas, draw: Draw, time: Tensor, sun: Tensor) -> None:
    """A gradient from the zenith down, and the sun or moon in its glow (above the picture's edge in some)."""
    fade = smoothstep(-1.1, 0.35, canvas.y)
    canvas.paint(-torch.ones_like(fade), mix(blend(ZENITH, time), blend(HORIZON, time), fade), SKY)
    x, y = 0.85 * torch.sin(sun), draw.uniform(-1.15, -0.40)
    glow = blend([(1.0, 0.92, 0.80), (1.0, 1.0, 0.93), (1.0, 0.95, 0.74), (1.0, 0.80, 0.55), (0.93, 0.95, 1.0)], time)
    for radius, opacity, soft in [(0.42, 0.22, 90), (0.24, 0.25, 40), (0.105, 1.0, 1)]:
        canvas.paint(circle(canvas.x, canvas.y, x, y, radius), glow, opacity=opacity, soft=soft)


def clouds(canvas: Canvas, draw: Draw, light: Light, time: Tensor) -> None:
    """Two banks of flat-bottomed cumulus, one on either side."""
    white = mix(blend(HORIZON, time), (1.0, 1.0, 1.0), 0.35)
    for side in (-0.5, 0.5):
        at = Frame(canvas, light, side + draw.uniform(-0.3, 0.3), draw.uniform(-0.95, -0.6), draw.uniform(0.8, 1.1))
        puffs = oval(at.x, at.y, 0, 0, 0.34, 0.05)
        for px, py, r in [(-0.15, -0.03, 0.08), (0.0, -0.06, 0.11), (0.14, -0.03, 0.075)]:
            puffs = smooth_union(puffs, circle(at.x, at.y, px, py, r), 0.05)
        puffs = intersect(puffs, at.y - 0.03)
        canvas.paint(puffs * at.scale, white + 0.10 * at.facing(puffs, 0.10)[:, None], opacity=0.85, soft=3)


def hills(canvas: Canvas, draw: Draw, light: Light, time: Tensor, horizon: Tensor) -> None:
    """A far range lost in haze and a nearer one, each lit from the sun's side."""
    land, haze_color = Frame(canvas, light), blend(HORIZON, time)
    rock = blend([(0.30, 0.46, 0.36), (0.48, 0.52, 0.30), (0.50, 0.40, 0.42), (0.34, 0.42, 0.56)], draw.fraction())
    for haze, rise, amp, freq in [(0.60, 0.32, 0.17, 3.2), (0.32, 0.15, 0.09, 2.2)]:
        phase, lift = draw.uniform(-1.2, 1.2), draw.uniform(0.45, 0.90)
        wave = torch.sin(freq * land.x + phase) + 0.45 * torch.sin(2.3 * freq * land.x + 2 * phase)
        ridge = horizon + 0.04 - lift * (rise + amp * wave)
        color = mix(mix(rock, haze_color, haze), haze_color, 0.35 * smoothstep(0.0, 0.45, land.y - ridge))
        land.solid((ridge - land.y) * 0.85, color, HILL, depth=0.16, strength=0.30)


def ground(canvas: Canvas, draw: Draw, light: Light, time: Tensor, horizon: Tensor) -> Parts:
    """Meadow, prairie, beach or arena; nearer ground is richer, and broad soft patches give it scale."""
    land = Frame(canvas, light)
    meadow, prairie, beach, arena = draw.choice([0.42, 0.20, 0.20, 0.18]).unbind(1)
    rich, hue = draw.uniform(-0.05, 0.05), draw.fraction()
    near = (
        meadow[:, None] * blend([(0.32, 0.52, 0.22), (0.46, 0.60, 0.24), (0.24, 0.44, 0.28)], hue)
        + prairie[:, None] * blend([(0.76, 0.62, 0.32), (0.80, 0.54, 0.30)], hue)
        + beach[:, None] * blend([(0.88, 0.76, 0.56), (0.80, 0.66, 0.50)], hue)
        + arena[:, None] * blend([(0.72, 0.56, 0.42), (0.82, 0.72, 0.56)], hue)
    ) + rich[:, None]
    depth = ((land.y - horizon) / (1 - horizon)).clamp(0, 1)
    far = mix(near, blend(HORIZON, time), 0.42)
    land.paint(horizon - land.y, mix(far, near, depth.sqrt()), GROUND)
    sea_y = horizon + 0.16 + 0.02 * torch.sin(3 * land.x + 9 * rich)
    haze = (0.55 - 1.6 * (land.y - horizon)).clamp(0, 0.6)
    sea = mix(mix((0.22, 0.52, 0.62), (0.30, 0.60, 0.62), hue), blend(HORIZON, time), haze)
    land.paint(intersect(land.y - sea_y, horizon - land.y), sea, SEA, show=beach)
    land.paint((land.y - sea_y).abs() - 0.012, (0.97, 0.97, 0.95), opacity=0.8, soft=3, show=beach)
    stretch = 2.2 / (depth + 0.25)  # patches shrink towards the horizon
    patches = waves(land.x * stretch, depth.sqrt(), 2.6, 15.0, 3 * hue + 10 * rich)
    land.shade(horizon + 0.16 * beach - land.y, 0.055 * patches, soft=6)
    land.shade(0.95 - land.y, -0.20, soft=70)  # the foreground falls away
    return Parts(horizon=horizon, beach=beach, arena=arena, color=near)


def trees(canvas: Canvas, draw: Draw, light: Light, time: Tensor, horizon: Tensor, allowed: Tensor) -> None:
    """A wood along the horizon, and sometimes one big tree at the side."""
    leaf = blend([(0.20, 0.38, 0.22), (0.34, 0.44, 0.18), (0.66, 0.42, 0.16), (0.20, 0.34, 0.34)], draw.fraction())
    leaf, far_leaf = mix(leaf, blend(HORIZON, time), 0.18), mix(leaf, blend(HORIZON, time), 0.36)
    wood, crowns = Frame(canvas, light, draw.uniform(-0.25, 0.25), horizon, 1.1), None
    for i in range(9):
        r = 0.10 + 0.03 * math.sin(5.1 * i)
        crown = oval(wood.x, wood.y, 0.15 * (i - 4) + 0.05 * math.sin(9 * i), -0.5 * r, r, 1.1 * r)
        crowns = crown if crowns is None else smooth_union(crowns, crown, 0.015)
    grove = intersect(crowns, wood.y - 0.03)
    wood.solid(grove, far_leaf, TREE, depth=0.07, strength=0.6, show=allowed * draw.flag(0.45))

    show, left = allowed * draw.flag(0.3), draw.flag(0.5)
    tree = Frame(canvas, light, 0.68 - 1.36 * left, horizon + 0.12, draw.uniform(0.93, 1.12))
    tree.shade(oval(tree.x, tree.y, 0, 0.01, 0.34, 0.05), -0.3, soft=16, show=show)
    trunk = limb(tree.x, tree.y, [(0, 0.02), (0.01, -0.25), (-0.02, -0.5)], [0.055, 0.035, 0.03])
    tree.solid(trunk, (0.34, 0.24, 0.18), TREE, depth=0.05, show=show)
    crown = oval(tree.x, tree.y, 0, -0.72, 0.26, 0.24)
    for px, py, r in [
        (-0.20, -0.55, 0.15),
        (0.20, -0.58, 0.16),
        (-0.10, -0.85, 0.15),
        (0.12, -0.84, 0.14),
        (0.0, -0.5, 0.15),
    ]:
        crown = smooth_union(crown, circle(tree.x, tree.y, px, py, r), 0.03)
    tree.solid(crown, leaf, TREE, depth=0.22, strength=0.75, show=show)
    for px, py, r in [(-0.12, -0.62, 0.12), (0.12, -0.66, 0.12), (0.0, -0.80, 0.12)]:  # leafy masses inside the crown
        mass = circle(tree.x, tree.y, px, py, r)
        tree.shade(mass, 0.28 * tree.facing(mass, 0.09), soft=3, show=show)


def fence(canvas: Canvas, draw: Draw, light: Light, land: Parts) -> None:
    """Posts and rails behind the horse: always in the arena, sometimes in the fields, never on the beach."""
    show = torch.maximum(draw.flag(0.35), land.arena) * (1 - land.beach)
    foot, tall, spacing = land.horizon + draw.uniform(0.17, 0.21), draw.uniform(0.30, 0.34), draw.uniform(0.37, 0.43)
    at = Frame(canvas, light, 0.1 * torch.sin(40 * tall), foot)
    wood = mix((0.52, 0.38, 0.27), (0.95, 0.94, 0.92), torch.maximum(draw.flag(0.4), land.arena))
    along = torch.remainder(at.x + spacing / 2, spacing) - spacing / 2
    at.shade(box(at.x, at.y, 0, 0.03, 3, 0.02), -0.22, soft=8, show=show)
    for level in (0.30, 0.58, 0.86):
        at.solid(box(at.x, at.y, 0, -level * tall, 3, 0.020), wood, FENCE, depth=0.02, show=show)
    at.solid(box(along, at.y, 0, -0.5 * tall, 0.028, 0.52 * tall, 0.01), wood, FENCE, depth=0.04, show=show)


def foreground(canvas: Canvas, draw: Draw, light: Light, land: Parts) -> None:
    """Blades of grass along the lower edge of the fields."""
    near, tall = Frame(canvas, light), draw.uniform(0.45, 0.75)
    phase = 6 * tall
    lean = near.x + 0.25 * (near.y - 1) * torch.sin(phase)
    tips = 0.10 * (1 - torch.sin(19 * lean + phase).abs()) + 0.07 * (1 - torch.sin(31 * lean - phase).abs())
    edge = 1 - tall * (tips + 0.04 * torch.sin(3 * near.x + phase))
    near.paint(0.5 * (edge - near.y), land.color * 0.74, GROUND, soft=2, show=(1 - land.beach) * (1 - land.arena))
