"""The horse."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from weights.scenes.canvas import Canvas, Frame, Light, Parts
from weights.scenes.colors import mix, smoothstep
from weights.scenes.draw import Draw
from weights.scenes.horse.labels import EAR, HEAD, HORSE, MANE, TAIL
from weights.scenes.shapes import (
    bezier,
    circle,
    intersect,
    limb,
    oval,
    rotate,
    segment,
    smooth_union,
    waves,
)

# coat, mane and tail, lower legs and muzzle
COATS = [
    ((0.50, 0.26, 0.13), (0.11, 0.08, 0.08), (0.14, 0.10, 0.09)),  # bay
    ((0.67, 0.34, 0.15), (0.60, 0.29, 0.13), (0.62, 0.31, 0.15)),  # chestnut
    ((0.19, 0.17, 0.19), (0.10, 0.09, 0.11), (0.14, 0.12, 0.14)),  # black
    ((0.60, 0.61, 0.65), (0.84, 0.84, 0.86), (0.38, 0.38, 0.42)),  # grey
    ((0.93, 0.91, 0.87), (0.98, 0.96, 0.92), (0.84, 0.79, 0.75)),  # white
    ((0.86, 0.64, 0.32), (0.97, 0.91, 0.78), (0.84, 0.63, 0.34)),  # palomino
    ((0.33, 0.19, 0.13), (0.90, 0.80, 0.62), (0.28, 0.17, 0.13)),  # flaxen liver
]
WHITE = (0.95, 0.93, 0.90)


def pose(canvas: Canvas, draw: Draw, light: Light, ridden: Tensor, led: Tensor) -> Frame:
    """The horse's frame with its joints in frame units: everything later is hung on these."""
    scale = draw.uniform(0.94, 1.01) * (1 - 0.14 * ridden - 0.18 * led)
    cx = draw.uniform(-0.06, 0.06) * (1 - 0.5 * led) + (0.13 + 0.20 * led) * scale
    horse = Frame(canvas, light, cx, draw.uniform(0.75, 0.81), scale, flip=-1.0)
    horse.neck, horse.pitch = draw.uniform(0.66, 0.96), draw.uniform(0.75, 0.99)  # above the horizontal; below it
    horse.stride, horse.gait = draw.uniform(0.1, 0.7), draw.uniform(0.5 * math.pi, 1.5 * math.pi)
    horse.stout, horse.wind = draw.uniform(-0.02, 0.04), draw.uniform(-0.7, 0.7)
    up = torch.cos(horse.neck), -torch.sin(horse.neck)  # along the neck
    horse.up, horse.crest = up, (up[1], -up[0])  # and across it, towards the mane
    horse.poll = 0.29 + 0.56 * up[0], -0.82 + 0.56 * up[1]
    horse.hx, horse.hy = rotate(horse.x, horse.y, *horse.poll, horse.pitch)  # hx down the nose, hy to the jaw
    return horse


def coat_colors(horse: Frame, draw: Draw) -> Parts:
    """Colour fields of the coat: points darken the lower legs, patches spread over the body of one in seven."""
    kind, tone = draw.choice([0.22, 0.20, 0.13, 0.14, 0.11, 0.13, 0.07]), draw.uniform(-0.05, 0.05)[:, None]
    table = torch.tensor(COATS, device=kind.device)  # (7 coats, 3 parts, 3)
    base, hair, points = [((kind[..., 0, 0] @ table[:, i])[..., None, None] + tone).clamp(0, 1) for i in range(3)]
    pinto, drift = draw.flag(0.14), draw.uniform(-1.2, 1.2)
    patches = pinto * smoothstep(0.05, 0.22, waves(horse.x + 0.1 * drift, horse.y, 5.5, 5.0, drift))
    field = mix(mix(base, points, smoothstep(-0.46, -0.22, horse.y)), WHITE, patches)
    field = field * (1.05 - 0.10 * smoothstep(-0.75, -0.5, horse.y))[:, None]  # darker below
    return Parts(
        base=base,
        field=field,
        hair=hair,
        points=points,
        blaze=draw.uniform(-0.9, 1.0),
        sock=[draw.uniform(-0.22, 0.26), draw.uniform(-0.22, 0.26)],
    )


def contact_shadow(horse: Frame, led: Tensor) -> None:
    horse.shade(oval(horse.x, horse.y, -0.02, 0.0, 0.72, 0.085), -0.38, soft=26)
    horse.shade(oval(horse.x, horse.y, -0.02, 0.0, 0.50, 0.045), -0.30, soft=14)
    horse.shade(oval(horse.x, horse.y, 1.17, 0.03, 0.20, 0.04), -0.40, soft=12, show=led)


def leg(horse: Frame, front: bool, near: bool) -> tuple[Tensor, Tensor]:
    """Shape of one leg and of its hoof.  The four legs swing a quarter of the gait apart; a moving foot is lifted."""
    phase = horse.gait + math.pi * ((0.5 if front else 0) + (0 if near else 1))
    swing, lift = horse.stride * torch.sin(phase), horse.stride * torch.cos(phase).clamp(min=0)
    shift = 0.0 if near else 0.07
    foot = (0.33 if front else -0.40) + shift + 0.21 * swing, -0.035 - 0.12 * lift
    pastern = foot[0] - 0.035 - 0.04 * lift, foot[1] - 0.075
    if front:
        top = 0.30 + shift, -0.58
        joint = 0.5 * (top[0] + pastern[0]) + 0.025 + 0.13 * lift, -0.30 - 0.06 * lift
        shape = limb(horse.x, horse.y, [top, joint, pastern, foot], [0.092, 0.046, 0.035, 0.038])
    else:
        top = -0.34 + shift, -0.62
        joint = 0.55 * top[0] + 0.45 * pastern[0] - 0.11 - 0.02 * lift, -0.35 - 0.06 * lift
        gaskin = 0.5 * (top[0] + joint[0]) + 0.035, 0.5 * (top[1] + joint[1])
        shape = limb(horse.x, horse.y, [top, gaskin, joint, pastern, foot], [0.17, 0.105, 0.050, 0.037, 0.040])
    hoof = limb(
        horse.x, horse.y, [(foot[0] - 0.012, foot[1] - 0.008), (foot[0] + 0.022, foot[1] + 0.012)], [0.036, 0.040]
    )
    return shape, intersect(hoof, horse.y - foot[1] - 0.035)


def sock(horse: Frame, coat: Parts, front: bool) -> Tensor:
    """How white the coat is at each place of a front or a hind leg: 1 below the edge of the sock."""
    edge = torch.where(front, *coat.sock)
    return smoothstep(-0.015, 0.025, horse.y + edge) * (horse.y > -0.4)


def far_legs(horse: Frame, coat: Parts) -> None:
    for front in (False, True):
        shape, hoof = leg(horse, front, False)
        color = mix(coat.field, WHITE, sock(horse, coat, horse.x > 0))
        horse.solid(shape, color * 0.66, HORSE, depth=0.06, strength=0.4)
        horse.solid(hoof, (0.16, 0.13, 0.13), HORSE, depth=0.04)


def body(horse: Frame, coat: Parts) -> None:
    """Barrel, chest, hindquarters, neck and the tops of the near legs in one smooth skin."""
    x, y = horse.x, horse.y
    (hind, hind_hoof), (fore, fore_hoof) = leg(horse, False, True), leg(horse, True, True)
    trunk = oval(x, y, 0.0, -0.735, 0.40, 0.215 + horse.stout)
    trunk = smooth_union(trunk, oval(x, y, -0.33, -0.775, 0.205, 0.215), 0.10)
    trunk = smooth_union(trunk, oval(x, y, 0.29, -0.745, 0.19, 0.215), 0.10)
    trunk = smooth_union(trunk, segment(x, y, 0.12, -0.90, 0.24, -0.91, 0.07), 0.10)
    bx, by, px, py = 0.29, -0.80, *horse.poll
    arch = bx + 0.62 * (px - bx) - 0.02, by + 0.38 * (py - by) - 0.06
    neck = limb(x, y, bezier((bx, by), arch, (px, py), 5), [0.20, 0.175, 0.15, 0.13, 0.11, 0.092])
    skin = smooth_union(trunk, neck, 0.10)
    skin = smooth_union(smooth_union(skin, hind, 0.05), fore, 0.04)
    color = mix(coat.field, WHITE, sock(horse, coat, x > 0))
    horse.solid(skin, color, HORSE, depth=0.06 + 0.22 * smoothstep(-0.44, -0.70, y), strength=0.80)
    for hoof in (hind_hoof, fore_hoof):
        horse.solid(hoof, (0.22, 0.18, 0.17), HORSE, depth=0.04)
    for mass, dark in [(oval(x, y, -0.34, -0.70, 0.17, 0.22), 0.16), (oval(x, y, 0.30, -0.70, 0.13, 0.20), 0.13)]:
        horse.shade(mass, dark * horse.facing(mass, 0.10), soft=4)  # thigh and shoulder muscles
    horse.skin, horse.neck_shape = skin, neck


def mane(horse: Frame, draw: Draw, coat: Parts) -> None:
    """Locks falling from the crest on the near side: from a short brush to half the neck's width."""
    long, curl = draw.fraction(name="mane"), 2 * horse.wind
    (cx, cy), (px, py) = horse.crest, horse.poll
    root = 0.20 + 0.15 * cx, -0.82 + 0.16 * cy
    top = px + 0.06 * cx + 0.02 * horse.up[0], py + 0.06 * cy + 0.02 * horse.up[1]
    middle = 0.5 * (root[0] + top[0]) + 0.015 * cx, 0.5 * (root[1] + top[1]) + 0.015 * cy
    drop = 0.03 + 0.07 * long
    spine = [(p - drop * 0.55 * cx, q - drop * 0.55 * cy) for p, q in (root, middle, top)]
    shape = limb(horse.x, horse.y, spine, [drop * 1.1, drop * 1.15, drop])
    along, across = rotate(horse.x, horse.y, *root, -horse.neck)
    lock = 17 * along - 11 * across + curl + 0.8 * torch.sin(7 * along + curl)
    tips = (0.015 + 0.055 * long) * (0.5 + 0.5 * torch.cos(2 * lock)) * smoothstep(-0.02, 0.10, across)
    horse.solid(shape - tips + 0.014, coat.hair * (1 + 0.13 * torch.cos(2 * lock))[:, None], MANE, depth=0.07)


def tail(horse: Frame, draw: Draw, coat: Parts) -> None:
    long, sway = draw.uniform(0.28, 0.80, name="tail"), 0.03 + 0.13 * horse.wind
    spine = bezier((-0.47, -0.90), (-0.70 - sway, -0.92), (-0.60 - sway, -0.90 + long), 6)
    shape = limb(horse.x, horse.y, spine, [0.035, 0.05, 0.065, 0.075, 0.075, 0.06, 0.02])
    shape = shape + 0.006 * torch.sin(26 * horse.y + 20 * sway)
    streaks = torch.sin(30 * horse.x + 8 * horse.y + 6 * sway)
    horse.solid(shape, coat.hair * (1 + 0.09 * streaks)[:, None], TAIL, depth=0.08, strength=0.6)


def head(horse: Frame, coat: Parts) -> None:
    """Jowl, nose and muzzle down the line hx, with ears, eye, nostril, mouth, forelock and blaze."""
    x, y = horse.hx, horse.hy

    def ear(dx: float) -> Tensor:
        spine = [(0.02 + dx, -0.06), (-0.005 + dx, -0.11), (-0.055 + dx, -0.175)]
        return limb(x, y, spine, [0.024, 0.034, 0.004])

    horse.solid(ear(0.045), coat.base * 0.72, EAR, depth=0.03)
    shape = smooth_union(circle(x, y, 0.05, 0.015, 0.092), oval(x, y, 0.115, 0.05, 0.105, 0.098), 0.05)
    shape = smooth_union(shape, limb(x, y, [(0.08, 0.0), (0.36, 0.028)], [0.085, 0.058]), 0.05)
    shape = smooth_union(shape, oval(x, y, 0.385, 0.035, 0.060, 0.062), 0.03)
    shape = smooth_union(shape, circle(x, y, 0.355, 0.085, 0.030), 0.03)
    horse.shade(intersect(oval(x, y, 0.075, 0.07, 0.15, 0.125), horse.neck_shape + 0.02), -0.26, soft=8)
    muzzle = smoothstep(0.26, 0.42, x)
    color = mix(coat.base, coat.points * 0.9, 0.75 * muzzle)
    white = smoothstep(-0.012, 0.012, 0.052 * coat.blaze - 0.028 - (y + 0.055).clamp(min=-0.02)) * smoothstep(
        0.0, 0.06, x
    )
    horse.solid(shape, mix(color, WHITE, white), HEAD, depth=0.085, strength=0.75)
    cheek = oval(x, y, 0.115, 0.055, 0.09, 0.085)
    horse.shade(cheek, 0.16 * horse.facing(cheek, 0.05), soft=3)
    horse.solid(ear(0.0), coat.base, EAR, depth=0.03, strength=0.8)
    horse.shade(limb(x, y, [(0.018, -0.075), (-0.035, -0.145)], [0.010, 0.003]), -0.35, soft=2)
    horse.solid(
        limb(x, y, [(0.0, -0.075), (0.06, -0.075), (0.13, -0.045)], [0.03, 0.033, 0.008]), coat.hair, MANE, depth=0.03
    )
    horse.shade(oval(x, y, 0.150, -0.018, 0.034, 0.026), -0.35, soft=4)
    horse.paint(oval(x, y, 0.150, -0.018, 0.022, 0.018), (0.07, 0.05, 0.05), HEAD)
    horse.paint(circle(x, y, 0.145, -0.025, 0.006), (0.95, 0.95, 0.95))
    horse.paint(oval(x, y, 0.405, 0.018, 0.014, 0.020), (0.08, 0.06, 0.06), opacity=0.75)
    horse.paint(segment(x, y, 0.435, 0.067, 0.340, 0.066, 0.006), (0.08, 0.06, 0.06), opacity=0.55)
