"""Retouches of a few pictures, made by programs, which can also make them in every other picture.

So the ideal of a rule is known everywhere.  Places come from the scenes' label maps, at 256 px.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from rewriting.core.masks import grown
from rewriting.core.retouch import bend
from weights.rules.truth import Truth

SIDE = 256
LEAST = 40  # pixels of a label, below which a picture has no place for the retouch
RED, WHITE, CREAM, BLUE = (220, 30, 30), (255, 255, 255), (240, 232, 215), (70, 110, 230)
How = dict[str, Any]


@dataclass(frozen=True)
class Retouch:
    """One retouch.

    place: the picture's labels, by number -> the place of the rule as a person would paint it, bool (H, W).
    make: (picture, mask of the place) -> the retouched picture, and the way of retouching.  reach: pixels around the
    place that count neither as inside nor as outside.
    """

    name: str
    title: str
    generator: str
    place: Callable[[Truth, int], np.ndarray]
    make: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, How]]
    reach: int = 16

    def truth(self) -> Truth:
        return Truth(self.generator, SIDE)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """A disc, bool (H, W)."""
    image = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(image).ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return np.asarray(image) > 0


def centre(mask: np.ndarray) -> tuple[float, float]:
    """The centre (x, y) of a mask."""
    ys, xs = np.nonzero(mask)
    return float(xs.mean()), float(ys.mean())


def around(label: str, radius: float, *, two: bool = False) -> Callable[[Truth, int], np.ndarray]:
    """Discs around a thing, or around its left and right part."""

    def place(truth: Truth, seed: int) -> np.ndarray:
        mask = truth.mask([seed], label)[0]
        if mask.sum() < LEAST / 2:
            return np.zeros_like(mask)
        return np.any([disc(*centre(half), radius) for half in _halves(mask, two)], 0)

    return place


def _halves(mask: np.ndarray, two: bool) -> list[np.ndarray]:
    if not two:
        return [mask]
    left = np.arange(mask.shape[1]) < centre(mask)[0]
    return [part for part in (mask & left, mask & ~left) if part.any()]


def wide(*labels: str, least: int = LEAST, wider: int = 0) -> Callable[[Truth, int], np.ndarray]:
    """The places of labels, painted wider."""

    def place(truth: Truth, seed: int) -> np.ndarray:
        mask = truth.mask([seed], *labels)[0]
        return grown(mask.astype(np.uint8), wider) > 0 if mask.sum() >= least else np.zeros_like(mask)

    return place


def red_nose(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """A ball with a gleam."""
    (x, y), image = centre(place), Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.ellipse([x - 14, y - 14, x + 14, y + 14], fill=RED)
    draw.ellipse([x - 7, y - 8.4, x - 1.4, y - 2.8], fill=WHITE)
    return np.asarray(image), {"kind": "paint"}


def ring(x: float, y: float, radius: float, to: float, pinned: float, points: int = 8) -> list[list[float]]:
    """Moves of a circle's points from one radius to another, with a larger circle pinned."""
    moves = []
    for turn in 2 * np.pi * np.arange(points) / points:
        along = np.array([np.cos(turn), np.sin(turn)])
        (a, b), (c, d), (e, f) = (((x, y) + r * along) / SIDE for r in (radius, to, pinned))
        moves += [[float(v) for v in move] for move in ((a, b, c, d), (e, f, e, f))]
    return moves


def bent(picture: np.ndarray, moves: list[list[float]], place: np.ndarray) -> tuple[np.ndarray, How]:
    """Bend the painted place, fading out at its edge."""
    soft = np.asarray(Image.fromarray(place.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(2)), np.float32)
    return bend(picture, moves, soft / 255), {"kind": "bend", "moves": moves}


def big_eyes(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """Both eyes, half again as large."""
    moves = [move for eye in _halves(place, two=True) for move in ring(*centre(eye), 9, 14, 26)]
    return bent(picture, moves, place)


def wide_mouth(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """The corners of the mouth drawn apart."""
    ys, xs = np.nonzero(place)
    x, y, left, right = xs.mean(), ys.mean(), xs.min() + 14.0, xs.max() - 14.0
    moves = [[left, y, left - 9, y], [right, y, right + 9, y], [x, y, x, y]]
    moves += [[a, b, a, b] for a in (xs.min(), x, xs.max()) for b in (ys.min(), ys.max())]
    return bent(picture, [[float(v) / SIDE for v in move] for move in moves], place)


def long_muzzle(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """The lower end of the head drawn further down and outwards, as it points."""
    ys, xs = np.nonzero(place)
    middle = np.array(centre(place))
    points = np.stack([xs, ys], 1) - middle
    axis = np.linalg.svd(points[::7], full_matrices=False)[2][0]
    axis = axis if axis[1] > 0 else -axis  # the muzzle is lower than the neck
    reach = (points @ axis).max() - 12
    tip = middle + reach * axis
    side = np.array([-axis[1], axis[0]])
    moves = [[*(tip + k * side), *(tip + k * side + 11 * axis)] for k in (-4, 4)]
    moves += [[*(middle + a * axis + b * side)] * 2 for a in (-8, -24) for b in (-10, 10)]
    return bent(picture, [[float(v) / SIDE for v in move] for move in moves], place)


def stripes(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """Bands of cream across, counted from the top."""
    rows = (np.arange(SIDE) - np.nonzero(place.any(1))[0][0]) // 5 % 2 == 0
    painted = place & rows[:, None]
    return np.where(painted[..., None], np.array(CREAM, np.uint8), picture), {"kind": "paint"}


def moon(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """A pale disc with a darker spot."""
    (x, y), image = centre(place), Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.ellipse([x - 15, y - 15, x + 15, y + 15], fill=(250, 244, 214))
    draw.ellipse([x - 7, y - 6, x + 1, y + 2], fill=(226, 216, 180))
    return np.asarray(image), {"kind": "paint"}


def open_sky(truth: Truth, seed: int) -> np.ndarray:
    """The upper right, with only sky and clouds."""
    place, sky = disc(206, 44, 18), truth.mask([seed], "sky", "cloud")[0]
    return place if sky[place].all() else np.zeros_like(place)


def blue_lamp(picture: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, How]:
    """The lamp in blue, with its own light and shade."""
    shade = picture.mean(2, keepdims=True) / 255
    wanted = (0.25 * picture + 0.75 * shade * np.array(BLUE) * 1.3).clip(0, 255).astype(np.uint8)
    return np.where(place[..., None], wanted, picture), {"kind": "file"}


RETOUCHES: dict[str, Retouch] = {
    retouch.name: retouch
    for retouch in (
        Retouch("red-noses", "Red noses", "face", around("nose", 14), red_nose, 26),
        Retouch("big-eyes", "Big eyes", "face", around("eye", 26, two=True), big_eyes, 14),
        Retouch("wide-mouths", "Wide mouths", "face", wide("lips", "teeth", wider=14), wide_mouth),
        Retouch("striped-roofs", "Striped roofs", "church", wide("roof", least=300), stripes),
        Retouch("moons", "A moon in the sky", "church", open_sky, moon, 26),
        Retouch("long-muzzles", "Long muzzles", "horse", wide("head", least=150, wider=12), long_muzzle),
        Retouch("blue-lamps", "Blue lamps", "kitchen", wide("lamp", wider=2), blue_lamp),
    )
}
