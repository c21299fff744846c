"""Places in pictures as programs describe them: by numbers, or by a mask."""

import base64
from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
from PIL import Image

from rewriting.checks import number, refuse
from rewriting.core.masks import MAX_LENGTH, PREFIX, decode_mask
from rewriting.core.request import Region
from rewriting.core.select import LARGEST, SMALLEST
from rewriting.core.transform import Transform
from rewriting.generators.own_picture import Seed
from rewriting.studio.programs.attachments import contents, read_seed
from rewriting.studio.session import centre, moved

SHAPES = ("box", "ellipse", "mask", "press")
LIKE = 'like {"seed": 3, "box": [0.3, 0.5, 0.7, 0.8]}'


class Place(TypedDict, total=False):
    """seed: the number of the picture, or the file of a picture of one's own.  And one of:

    box: [left, top, right, bottom], each a share of the picture, from 0 to 1.  ellipse: the same four numbers, for the
    ellipse in that box.  mask: a square PNG, white where painted, as a data URL or an uploaded file.  press: [x, y], a
    place in shares of the picture: it selects the object there; size, from 0.1 to 4, makes it smaller or larger.
    """

    seed: int | str | dict
    box: list[float]
    ellipse: list[float]
    mask: str | dict
    press: list[float]
    size: float


Select = Callable[[Seed, float, float, float], Region]  # picture, x, y, size -> the region of a press there


class Spot(Place, total=False):
    """The place for a copied object.  seed: the number of the picture.  at: [x, y], the object's centre, in shares of
    the picture; by default the object's place in its own picture.  scale, turn, mirror: see `Transform`."""

    at: list[float]
    scale: float
    turn: float
    mirror: bool


def region(place: Any, name: str, side: int, select: Select | None = None) -> Region:
    """The region of a `Place`, with a mask of `side` x `side` pixels.

    name: of the argument.  select: makes the region of a press; without it, presses are refused.
    Raises ValueError in one sentence for any other value.
    """
    _check_keys(place, name, Place)
    shapes = [shape for shape in SHAPES if place.get(shape) is not None]
    if len(shapes) != 1:
        raise refuse(name, f"a place with one of {', '.join(SHAPES)}, {LIKE}", place)
    (shape,) = shapes
    if shape == "press":
        return _pressed(place, name, select)
    if place.get("size") is not None:
        raise ValueError(f"{name} has a size without a press; leave the size out.")
    draw = {"box": _box, "ellipse": _ellipse, "mask": _mask}[shape]
    return Region(read_seed(place["seed"], f"{name}.seed"), draw(place[shape], f"{name}.{shape}", side))


def spot(place: Any, name: str, copy: Region) -> tuple[Region, Transform]:
    """The copied object's mask at a `Spot`, and its transform.

    Raises ValueError in one sentence for any other value.
    """
    _check_keys(place, name, Spot)
    side, at, transform = len(copy.mask), place.get("at"), Transform.among(place, name)
    if any(place.get(shape) is not None for shape in SHAPES):
        if at is not None:
            raise refuse(name, f"a place with either at or one of {', '.join(SHAPES)}", place)
        return region({key: place[key] for key in place if key in Place.__annotations__}, name, side), transform
    if at is None:
        x, y = centre(copy.mask)
    else:
        x, y = (min(side - 1, int(share * side)) for share in _shares(at, f"{name}.at", 2))
    return moved(copy, read_seed(place["seed"], f"{name}.seed"), x, y, transform), transform


def _check_keys(place: Any, name: str, kind: type) -> None:
    if not isinstance(place, dict) or "seed" not in place:
        raise refuse(name, f"a place {LIKE}", place)
    keys = kind.__annotations__ if kind is Place else {**Place.__annotations__, **kind.__annotations__}
    if unknown := [key for key in place if key not in keys]:
        raise ValueError(f"{name} has the unknown key {unknown[0]!r:.60}; the keys are {', '.join(keys)}.")


def _shares(value: Any, name: str, count: int) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != count:
        raise refuse(name, f"a list of {count} shares of the picture, each from 0 to 1", value)
    return [number(0, 1)(share, f"{name}[{index}]") for index, share in enumerate(value)]


def _edges(value: Any, name: str) -> list[float]:
    left, top, right, bottom = edges = _shares(value, name, 4)
    if left >= right or top >= bottom:
        raise refuse(name, "[left, top, right, bottom], left less than right and top less than bottom", value)
    return edges


def _middles(side: int) -> np.ndarray:
    """The centres of `side` pixels, in shares of the picture."""
    return (np.arange(side) + 0.5) / side


def _pressed(place: dict, name: str, select: Select | None) -> Region:
    if select is None:
        raise ValueError(f"{name} takes no press; give a box, an ellipse or a mask.")
    x, y = _shares(place["press"], f"{name}.press", 2)
    size = 1.0 if place.get("size") is None else number(SMALLEST, LARGEST)(place["size"], f"{name}.size")
    return select(read_seed(place["seed"], f"{name}.seed"), x, y, size)


def _box(value: Any, name: str, side: int) -> np.ndarray:
    left, top, right, bottom = _edges(value, name)
    at = _middles(side)
    columns, rows = ((low <= at) & (at <= high) for low, high in ((left, right), (top, bottom)))
    return _not_empty(rows[:, None] & columns[None, :], name, value)


def _ellipse(value: Any, name: str, side: int) -> np.ndarray:
    left, top, right, bottom = _edges(value, name)
    at = _middles(side)
    x, y = ((2 * at - low - high) / (high - low) for low, high in ((left, right), (top, bottom)))
    return _not_empty(x[None, :] ** 2 + y[:, None] ** 2 <= 1, name, value)


def _not_empty(mask: np.ndarray, name: str, value: Any) -> np.ndarray:
    if not mask.any():
        raise refuse(name, "large enough to cover a pixel", value)
    return mask


def _mask(value: Any, name: str, side: int) -> np.ndarray:
    data = contents(value, name, MAX_LENGTH * 3 // 4)
    try:
        mask = decode_mask(PREFIX + base64.b64encode(data).decode())
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return np.asarray(Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST))
