"""Horses in the open: one horse from the side, often ridden, in a landscape with its own time of day.

What varies, independently: time of day (dawn to moonlight), sun side and height, clouds, two ranges of hills, ground
(meadow, prairie, beach, arena), distant trees, a near tree, a fence; the horse's size and place, neck and head
angle, stride and gait phase, build, coat (seven colours, blaze, socks, patches), mane and tail length; whether it is
ridden (45%) or led by a person on foot (10%); the person's lean, clothes, skin, hair, and the wide-brimmed hat that
three people in four wear.  No horse wears a hat.  The sea is labelled background.

The horse is drawn in its own frame: it faces +x, hooves stand on y = 0, its withers are one unit above (y = -1).
"""

from __future__ import annotations

import torch

from weights.scenes.canvas import Canvas, Light
from weights.scenes.colors import blend
from weights.scenes.draw import Draw
from weights.scenes.horse.animal import body, coat_colors, contact_shadow, far_legs, head, mane, pose, tail
from weights.scenes.horse.labels import LABELS
from weights.scenes.horse.land import AMBIENT, WARM, clouds, fence, foreground, ground, hills, sky, trees
from weights.scenes.horse.people import leader, outfit, rider, tack

__all__ = ["LABELS", "Z_DIM", "paint"]

Z_DIM = 60  # latent columns the scene uses


def paint(draw: Draw, canvas: Canvas) -> None:
    """Draw one scene for each latent."""
    time, sun = draw.fraction(), draw.uniform(-0.8, 0.8)
    cool = torch.tensor((0.42, 0.34, 0.52), device=canvas.rgb.device).view(1, 3, 1, 1)
    light = Light(torch.sin(sun), -torch.cos(sun), blend(WARM, time), cool, blend(AMBIENT, time))
    horizon = draw.uniform(0.09, 0.23)

    sky(canvas, draw, time, sun)
    clouds(canvas, draw, light, time)
    hills(canvas, draw, light, time, horizon)
    land = ground(canvas, draw, light, time, horizon)
    trees(canvas, draw, light, time, horizon, 1 - land.beach)
    fence(canvas, draw, light, land)

    person = draw.choice([0.45, 0.45, 0.10], name="person", options=("nobody", "rider", "leader"))
    ridden, led = person[:, 1], person[:, 2]
    horse = pose(canvas, draw, light, ridden, led)
    coat = coat_colors(horse, draw)
    contact_shadow(horse, led)
    tail(horse, draw, coat)
    far_legs(horse, coat)
    body(horse, coat)
    mane(horse, draw, coat)
    head(horse, coat)
    wardrobe = outfit(draw)
    tack(horse, draw, ridden, led)
    rider(horse, wardrobe, ridden)
    leader(horse, wardrobe, led)
    foreground(canvas, draw, light, land)
