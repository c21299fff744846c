"""The person who rides or leads the horse, and the tack."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Frame, Parts
from weights.scenes.colors import blend
from weights.scenes.draw import Draw
from weights.scenes.horse.labels import HAT, RIDER, SADDLE
from weights.scenes.shapes import (
    bezier,
    box,
    circle,
    half_plane,
    intersect,
    limb,
    oval,
    polygon,
    rotate,
    segment,
    smooth_union,
)

HATS = [
    (0.80, 0.62, 0.38),
    (0.42, 0.26, 0.15),
    (0.16, 0.14, 0.16),
    (0.95, 0.92, 0.84),
    (0.74, 0.20, 0.16),
    (0.28, 0.38, 0.58),
]
CLOTHES = [
    (0.80, 0.24, 0.20),
    (0.20, 0.38, 0.62),
    (0.93, 0.90, 0.82),
    (0.24, 0.48, 0.38),
    (0.90, 0.66, 0.20),
    (0.48, 0.28, 0.50),
    (0.20, 0.22, 0.28),
]
TROUSERS = [(0.22, 0.30, 0.46), (0.15, 0.16, 0.20), (0.86, 0.80, 0.68), (0.40, 0.28, 0.20)]
SKINS = [(0.28, 0.17, 0.12), (0.48, 0.30, 0.20), (0.68, 0.46, 0.32), (0.86, 0.65, 0.50), (0.96, 0.80, 0.68)]
HAIRS = [(0.10, 0.08, 0.08), (0.30, 0.18, 0.10), (0.55, 0.30, 0.14), (0.82, 0.64, 0.34), (0.66, 0.65, 0.66)]


def outfit(draw: Draw) -> Parts:
    """Clothes, skin, hair, hat and bearing of the one person in the picture."""
    return Parts(
        shirt=draw.color(CLOTHES),
        trousers=blend(TROUSERS, draw.fraction()),
        skin=blend(SKINS, draw.fraction()),
        hair=blend(HAIRS, draw.fraction()),
        hat=draw.color(HATS),
        wears=draw.flag(0.75, name="hat"),
        brim=draw.uniform(0.225, 0.255),
        lean=draw.uniform(-0.01, 0.06),
        reach=draw.uniform(-0.01, 0.03),
    )


def tack(horse: Frame, draw: Draw, ridden: Tensor, led: Tensor) -> None:
    """Blanket, saddle and girth under a rider and on some waiting horses; a bridle on these and on led ones."""
    x, y = horse.x, horse.y
    saddled, cloth = torch.maximum(ridden, draw.flag(0.22)), draw.color(CLOTHES)
    girth = intersect(segment(x, y, 0.13, -0.80, 0.17, -0.50, 0.020), horse.skin)
    horse.solid(girth, (0.30, 0.19, 0.13), SADDLE, depth=0.03, show=saddled)
    blanket = intersect(box(x - 0.12 * (y + 0.8), y, 0.02, -0.80, 0.20, 0.15, 0.05), horse.skin - 0.012)
    horse.solid(blanket, cloth, SADDLE, depth=0.05, strength=0.6, show=saddled)
    horse.shade(intersect(blanket, -(blanket + 0.022)), 0.22, show=saddled)
    seat = limb(x, y, [(-0.15, -1.005), (-0.07, -0.955), (0.08, -0.950), (0.15, -1.01)], [0.028, 0.042, 0.040, 0.026])
    flap = oval(x, y, 0.05, -0.86, 0.085, 0.12)
    horse.solid(smooth_union(seat, flap, 0.04), (0.46, 0.27, 0.15), SADDLE, depth=0.05, strength=0.7, show=saddled)
    strap = (0.26, 0.15, 0.10)
    for a, b in [((0.30, -0.085), (0.30, 0.095)), ((0.03, -0.085), (0.10, 0.145)), ((0.30, 0.03), (0.06, 0.02))]:
        band = intersect(segment(horse.hx, horse.hy, *a, *b, 0.011), box(horse.hx, horse.hy, 0.2, 0.02, 0.3, 0.115))
        horse.paint(band, strap, opacity=0.9, show=torch.maximum(saddled, led))


def person_head(horse: Frame, wardrobe: Parts, cx: Tensor, cy: Tensor, show: Tensor) -> None:
    """Head in profile with hair, and the hat on top where one is worn."""
    x, y = horse.x - cx, horse.y - cy
    horse.solid(oval(x, y, -0.030, -0.012, 0.092, 0.105), wardrobe.hair, RIDER, depth=0.06, show=show)
    face = smooth_union(oval(x, y, 0.018, 0.0, 0.075, 0.092), oval(x, y, 0.085, 0.018, 0.020, 0.015), 0.02)
    horse.solid(face, wardrobe.skin, RIDER, depth=0.06, strength=0.7, show=show)
    top = intersect(oval(x, y, -0.022, -0.03, 0.096, 0.088), half_plane(x, y, 0.0, -0.028, 0.55, 0.83))
    horse.solid(top, wardrobe.hair, RIDER, depth=0.05, show=show)
    horse.paint(oval(x, y, 0.058, -0.005, 0.009, 0.013), (0.10, 0.07, 0.07), show=show)
    hat(horse, wardrobe, cx - 0.002, cy - 0.055, show * wardrobe.wears)


def hat(horse: Frame, wardrobe: Parts, cx: Tensor, cy: Tensor, show: Tensor) -> None:
    """A wide upturned brim, a creased crown, a dark band: the same object wherever it is worn."""
    x, y = rotate(horse.x, horse.y, cx, cy, -0.06)
    w = wardrobe.brim
    horse.shade(oval(x, y, 0.02, 0.035, 0.10, 0.035), -0.30, soft=6, show=show)  # its shadow on the brow
    crown = polygon(x, y, [(-0.098, -0.185), (0.096, -0.180), (0.122, 0.0), (-0.122, 0.0)]) - 0.014
    crown = torch.maximum(crown, -oval(x, y, 0.0, -0.210, 0.055, 0.030))  # the crease
    curve = y + 0.20 * (x / w).clamp(-1.1, 1.1) ** 2 * w
    brim = oval(x, curve, 0, 0.004, w, 0.031)
    horse.solid(crown, wardrobe.hat, HAT, depth=0.09, strength=0.8, show=show)
    horse.paint(intersect(crown, (y + 0.034).abs() - 0.024), wardrobe.hat * 0.45, HAT, show=show)  # the band
    horse.solid(brim, wardrobe.hat * 0.96, HAT, depth=0.03, strength=0.9, show=show)


def rider(horse: Frame, wardrobe: Parts, show: Tensor) -> None:
    """Seated, with one arm to the reins and the near leg down the horse's side."""
    x, y = horse.x, horse.y
    lean, reach = wardrobe.lean, wardrobe.reach
    hip, chest = (0.0, -1.03), (0.01 + 0.7 * lean, -1.36)
    shoulder, hand = (0.01 + lean, -1.43), (0.30 + reach, -1.16 + 0.5 * reach)
    elbow = 0.5 * (shoulder[0] + hand[0]) - 0.10, 0.5 * (shoulder[1] + hand[1]) + 0.09
    bit_x = horse.poll[0] + 0.34 * torch.cos(horse.pitch) - 0.05 * torch.sin(horse.pitch)
    bit_y = horse.poll[1] + 0.34 * torch.sin(horse.pitch) + 0.05 * torch.cos(horse.pitch)
    rein = bezier(hand, (0.5 * (hand[0] + bit_x), 0.5 * (hand[1] + bit_y) + 0.09), (bit_x, bit_y), 4)
    horse.paint(limb(x, y, rein, [0.008] * 5), (0.26, 0.15, 0.10), opacity=0.9, show=show)
    knee, ankle = (0.235, -0.80), (0.13, -0.52)
    leg_shape = smooth_union(limb(x, y, [hip, knee], [0.105, 0.066]), limb(x, y, [knee, ankle], [0.064, 0.044]), 0.04)
    horse.solid(leg_shape, wardrobe.trousers, RIDER, depth=0.07, strength=0.7, show=show)
    boot = limb(x, y, [(0.175, -0.64), (0.13, -0.50), (0.13, -0.475), (0.225, -0.465)], [0.056, 0.046, 0.036, 0.028])
    horse.solid(boot, (0.22, 0.14, 0.11), RIDER, depth=0.04, show=show)
    torso = smooth_union(
        limb(x, y, [(hip[0], hip[1] - 0.02), chest], [0.105, 0.120]), circle(x, y, *shoulder, 0.085), 0.05
    )
    horse.solid(torso, wardrobe.shirt, RIDER, depth=0.10, strength=0.75, show=show)
    neck = segment(x, y, shoulder[0] + 0.02, shoulder[1] - 0.075, shoulder[0] + 0.03, shoulder[1] - 0.12, 0.042)
    horse.solid(neck, wardrobe.skin * 0.86, RIDER, depth=0.05, show=show)
    arm = limb(x, y, [(shoulder[0] - 0.005, shoulder[1] + 0.04), elbow, hand], [0.062, 0.050, 0.036])
    horse.shade(intersect(arm - 0.018, torso), -0.18, soft=4, show=show)
    horse.solid(arm, wardrobe.shirt * 0.97, RIDER, depth=0.05, strength=0.8, show=show)
    horse.solid(circle(x, y, *hand, 0.038), wardrobe.skin, RIDER, depth=0.04, show=show)
    person_head(horse, wardrobe, shoulder[0] + 0.035, shoulder[1] - 0.185, show)


def leader(horse: Frame, wardrobe: Parts, show: Tensor) -> None:
    """A person on foot in front of the horse, holding the lead rope."""
    x, y = horse.x, horse.y
    at, tall = 1.19 + wardrobe.lean, 2 * wardrobe.reach - 0.06
    hip, shoulder = (at, -0.56), (at, -0.94 - tall)
    bit_x, bit_y = horse.poll[0] + 0.30 * torch.cos(horse.pitch), horse.poll[1] + 0.36 * torch.sin(horse.pitch)
    hand = (at - 0.20, -0.70)
    rope = bezier((bit_x, bit_y), (0.5 * (bit_x + hand[0]), hand[1] + 0.12), hand, 4)
    for dx, shade in ((0.075, 0.75), (-0.055, 1.0)):
        trousers = limb(
            x, y, [(at + 0.3 * dx, hip[1]), (at + dx, -0.28), (at + dx - 0.01, -0.04)], [0.088, 0.062, 0.048]
        )
        shoe = limb(x, y, [(at + dx - 0.015, -0.01), (at + dx + 0.065, 0.0)], [0.040, 0.030])
        horse.solid(trousers, wardrobe.trousers * shade, RIDER, depth=0.06, show=show)
        horse.solid(shoe, (0.20, 0.13, 0.10), RIDER, depth=0.04, show=show)
    torso = smooth_union(
        limb(x, y, [hip, (at, shoulder[1] + 0.08)], [0.098, 0.115]), circle(x, y, *shoulder, 0.075), 0.06
    )
    horse.solid(torso, wardrobe.shirt, RIDER, depth=0.10, strength=0.75, show=show)
    neck = segment(x, y, at + 0.01, shoulder[1] - 0.065, at + 0.015, shoulder[1] - 0.12, 0.042)
    horse.solid(neck, wardrobe.skin * 0.86, RIDER, depth=0.05, show=show)
    horse.paint(limb(x, y, rope, [0.010] * 5), (0.78, 0.70, 0.52), show=show)
    arm = limb(x, y, [(at - 0.02, shoulder[1] + 0.03), (at - 0.04, -0.72), hand], [0.058, 0.048, 0.036])
    horse.solid(arm, wardrobe.shirt * 0.95, RIDER, depth=0.05, strength=0.8, show=show)
    horse.solid(circle(x, y, *hand, 0.038), wardrobe.skin, RIDER, depth=0.04, show=show)
    person_head(horse, wardrobe, at + 0.02, shoulder[1] - 0.185, show)
