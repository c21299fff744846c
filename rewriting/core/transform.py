"""The size, angle and side of a pasted object, and its place in the other picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rewriting.checks import check_fields, flag, number, record
from rewriting.core.masks import bounding_box

SCALES, TURNS = (0.25, 4.0), (-180.0, 180.0)
TAKES = {"scale": number(*SCALES), "turn": number(*TURNS), "mirror": flag}


@dataclass(frozen=True)
class Transform:
    """What happens to an object when it is pasted, about the centre of its box; by default nothing.

    scale: its size, relative to the copied one, 0.25 to 4.  turn: degrees clockwise, -180 to 180.  mirror: whether
    left and right change places, before the turn.  Raises ValueError, in one sentence, for any other value.
    """

    scale: float = 1.0
    turn: float = 0.0
    mirror: bool = False

    def __post_init__(self) -> None:
        check_fields(self, TAKES)

    @property
    def identity(self) -> bool:
        """Whether the object stays as it is."""
        return self == Transform()

    @property
    def matrix(self) -> np.ndarray:
        """(2, 2): multiplies an offset (x, y) from the object's centre, y pointing down."""
        angle = math.radians(self.turn)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return self.scale * turn @ np.diag([-1.0 if self.mirror else 1.0, 1.0])

    @classmethod
    def from_json(cls, data: Any, name: str = "transform") -> Transform:
        """From {"scale": 1.4, "turn": -30, "mirror": true}, of which any may be missing.  Raises ValueError."""
        return cls(**record({}, TAKES)(data, name))

    @classmethod
    def among(cls, values: Mapping[str, Any], name: str) -> Transform:
        """From values that may have other keys, too.  name: of the values, for an error."""
        return cls.from_json({key: values[key] for key in TAKES if values.get(key) is not None}, name)

    def to_json(self) -> dict[str, Any]:
        """JSON data without default values."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Transform, name)}


@dataclass(frozen=True)
class Placed:
    """A transformed object in another picture.  All positions are (x, y), in shares of a picture's side.

    inverse: (2, 2), from an offset there to one in the object's own picture.  middle: the object's centre in its own
    picture.  centre: where that lies in the other.
    """

    inverse: np.ndarray
    middle: np.ndarray
    centre: np.ndarray

    @classmethod
    def at(cls, mask: np.ndarray, spot: np.ndarray, transform: Transform) -> Placed:
        """The transformed object with its box centred on a spot, and moved inside the picture.

        mask: uint8 (H, H), of the object in its own picture.  spot: (2,).  An object that is too large for the picture
        is centred in it.  Raises ValueError for an empty mask.
        """
        middle, corners = _centre(mask), _corners(mask)
        ends = (corners - middle) @ transform.matrix.T
        low, high = ends.min(0), ends.max(0)
        half = (high - low) / 2
        box = np.clip(spot, np.minimum(half, 0.5), np.maximum(1 - half, 0.5))
        return cls(np.linalg.inv(transform.matrix), middle, box - (low + high) / 2)

    @classmethod
    def on(cls, mask: np.ndarray, place: np.ndarray, transform: Transform) -> Placed:
        """The same, centred on the box of a place, uint8 (H', H')."""
        return cls.at(mask, _centre(place), transform)

    def sources(self, spots: np.ndarray) -> np.ndarray:
        """Where in the object's own picture that comes from which lies at spots (..., 2)."""
        return (spots - self.centre) @ self.inverse.T + self.middle

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The object's mask, uint8 (H, H), where it lies; at least the pixel in its centre."""
        side = len(mask)
        found = np.floor(self.sources(middles(side)) * side).astype(int)
        inside = ((found >= 0) & (found < side)).all(-1)
        column, row = np.where(inside[..., None], found, 0).transpose(2, 0, 1)
        moved = np.where(inside, mask[row, column], 0).astype(np.uint8)
        if not moved.any():
            column, row = np.clip((self.centre * side).astype(int), 0, side - 1)
            moved[row, column] = 255
        return moved


def middles(side: int) -> np.ndarray:
    """The centres of side x side positions, (side, side, 2), each (x, y) in shares."""
    at = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(at, at), -1)


def _centre(mask: np.ndarray) -> np.ndarray:
    """The centre of a mask's box, (2,), in shares."""
    top, left, bottom, right = bounding_box(mask)
    return np.array([left + right, top + bottom]) / 2 / len(mask)


def _corners(mask: np.ndarray) -> np.ndarray:
    """The corners of the first and the last painted pixel of each row, (N, 2), in shares: all of its convex hull."""
    rows = np.flatnonzero(mask.any(1))
    first = (mask[rows] > 0).argmax(1)
    last = mask.shape[1] - (mask[rows, ::-1] > 0).argmax(1)
    across = np.concatenate([first, first, last, last])
    down = np.concatenate([rows, rows + 1, rows, rows + 1])
    return np.stack([across, down], -1) / len(mask)
