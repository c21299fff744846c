"""Retouched pictures as programs describe them: a second picture, or points that bend the first."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from rewriting import checks
from rewriting.core.retouch import MAX_POINTS, Retouched
from rewriting.generators.own_picture import Seed
from rewriting.studio.programs.attachments import contents, read_seed
from rewriting.studio.programs.places import region
from rewriting.studio.retouches import MOST_BYTES, REACH, bent, opened


class RetouchedPicture(TypedDict, total=False):
    """seed: the number of the picture, or the file of a picture of one's own.  And one of:

    picture: the retouched picture, a PNG, JPEG or WebP of the same size, as a data URL or an uploaded file.  The
    change is where it differs or, with `mask`, where the mask is white.  points: a list of [x, y, x', y'] in shares
    of the picture: the content at (x, y) moves to (x', y'), with its surroundings within `reach`.
    """

    seed: int | str | dict
    picture: str | dict
    mask: str | dict
    points: list[list[float]]
    reach: float


LIKE = 'like {"seed": 3, "picture": "data:image/png;base64,..."}'
_points = checks.listing(checks.listing(checks.number(-1, 2), 4), MAX_POINTS)


def seed_of(entry: Any, name: str) -> Seed:
    """The seed of a `RetouchedPicture`; ValueError in one sentence if the value has another form."""
    if not isinstance(entry, dict) or "seed" not in entry:
        raise checks.refuse(name, f"a retouched picture {LIKE}", entry)
    if unknown := [key for key in entry if key not in RetouchedPicture.__annotations__]:
        keys = ", ".join(RetouchedPicture.__annotations__)
        raise ValueError(f"{name} has the unknown key {unknown[0]!r:.60}; the keys are {keys}.")
    if (entry.get("picture") is None) == (entry.get("points") is None):
        raise checks.refuse(name, f"a retouched picture with either picture or points, {LIKE}", entry)
    return read_seed(entry["seed"], f"{name}.seed")


def from_program(entry: Mapping[str, Any], name: str, original: np.ndarray) -> Retouched:
    """A `RetouchedPicture`, checked by `seed_of`.  original: the picture, uint8 (H, H, 3).  Raises ValueError in one
    sentence."""
    seed, side = seed_of(entry, name), len(original)
    try:
        if entry.get("points") is not None:
            reach = REACH if entry.get("reach") is None else checks.number(0.01, 1)(entry["reach"], "reach")
            points = _points(entry["points"], "points")
            if any(len(point) != 4 for point in points):
                raise ValueError("A point is four numbers, [x, y, x', y'], in shares of the picture.")
            return bent({"points": points, "reach": reach}, seed, original)
        picture = opened(contents(entry["picture"], "picture", MOST_BYTES), side)
        mask = None
        if entry.get("mask") is not None:
            place = {"seed": seed, "mask": entry["mask"]}
            mask = region(place, "mask", side).mask
        return Retouched.found(seed, original, picture, mask=mask)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
