"""Portraits: one person, front to three-quarter view, in soft side light.

What varies, independently: background, light side, place, size, tilt and yaw of the head; adult (70%) or child (30%);
skin tone, head shape; hair style (short, long, bun, bald, curly), hairline and colour; eye colour, opening and gaze;
brow thickness; nose; lips; expression, continuous from frown (45%, closed, corners down) to smile (45%, open, teeth);
glasses (30%), earrings (25%), freckles (20%); in adults a moustache (25%) and a beard (18%); clothes and collar.
Hair and eye colours are the darker the darker the skin.  Beards are labelled hair.

The head is drawn in its own frame: its centre is 0, eyes near y = -0.05, chin near y = 0.52.  Inner features lie on a
sphere that turns by the yaw: see `on`.
"""

from __future__ import annotations

import torch

from weights.scenes.canvas import Canvas, Light
from weights.scenes.draw import Draw
from weights.scenes.face.features import brows, eyes, mouth, nose
from weights.scenes.face.hair import back_hair, beard, front_hair, hair_style, moustache
from weights.scenes.face.head import ears, face, pose
from weights.scenes.face.labels import LABELS
from weights.scenes.face.studio import backdrop, shoulders
from weights.scenes.face.worn import earrings, glasses

__all__ = ["LABELS", "Z_DIM", "paint"]

Z_DIM = 57  # latent columns the scene uses


def paint(draw: Draw, canvas: Canvas) -> None:
    """Draw one scene for each latent."""
    side = draw.uniform(-1.2, 1.2)
    warm, cool = torch.tensor([(1.0, 0.93, 0.84), (0.42, 0.33, 0.44)], device=canvas.rgb.device).view(2, 1, 3, 1, 1)
    light = Light(torch.sin(side), -torch.cos(side), warm, cool)

    backdrop(canvas, draw, light)
    head = pose(canvas, draw, light)
    style = hair_style(draw, head)
    back_hair(head, style)
    shoulders(canvas, draw, light, head)
    ears(head)
    face(head, draw)
    beard(head, draw, style)
    eyes(head, draw)
    brows(head, draw, style)
    mouth(head, draw)
    nose(head, draw)
    moustache(head, draw, style)
    front_hair(head, draw, style)
    ears(head, near_only=True)
    glasses(head, draw)
    earrings(head, draw)
