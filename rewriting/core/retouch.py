"""Retouched pictures: the change of one picture, and its transfer to other places.

A picture is retouched by strokes, by a bend, or in another program.  Only the changed area is stored.  Lossy
compression changes every pixel a little, but its differences cancel out over a few pixels, unlike those of a retouch.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from rewriting.checks import brief, check_fields, is_number, whole
from rewriting.core.masks import BOMBS, DAMAGED, MAX_SIDE, MIN_SIDE, PREFIX, bounding_box, png_bytes
from rewriting.generators.own_picture import Seed, as_seed, seed_json

KINDS = ("paint", "bend", "file")
MAX_HOW = 64 << 10  # characters of JSON
MAX_MOVES = 256
MAX_POINTS = 64  # of a bend that `pinned` completes
WIDE, NARROW = (32, 8), (85, 3)  # widths of neighbourhoods: the side divided by the first number, at least the second
SURE, NOTICED = 8, 3  # of 255: mean differences in a wide and a narrow neighbourhood that mean a retouch...
NOISY = 8  # ...plus this multiple of the picture's median difference
LEAST = 1 / 5000  # of the picture: a smaller spot is noise
STIFF = 1e-3  # of the side squared: distance up to which a move is nearly exact
PINS = 8  # around each end of a point's path
FADING = 0.4  # share of a bend's reach over which it fades out
OPAQUE = 100.0  # variance, of 255 squared, below which a change of colours cannot be told from new colours
MAX_PARTS = 4
COARSER = 4  # a transferred bend, which is smooth, is computed at every 4th pixel


@dataclass(frozen=True, eq=False)
class Retouched:
    """The retouch of one picture.

    seed: the picture's number, or an own picture.  side: of the picture, in pixels.
    left, top: of the patch, in pixels.
    patch: uint8 (h, w, 4), the wanted colours of the changed area and their opacity.
    how: the way of retouching, as JSON: {"kind": "paint", "bend" or "file", ...}.  A bend has "moves", a list of
    [x, y, x', y'] in shares of the side: content moves from (x, y) to (x', y').  A move to its own place pins a point.
    """

    seed: Seed
    side: int
    left: int
    top: int
    patch: np.ndarray
    how: Mapping[str, Any] = field(default_factory=lambda: {"kind": "file"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", as_seed(self.seed))
        check_fields(self, {"side": whole(MIN_SIDE, MAX_SIDE), **dict.fromkeys(("left", "top"), whole(0, MAX_SIDE))})
        patch = np.asarray(self.patch)
        if patch.dtype != np.uint8 or patch.ndim != 3 or patch.shape[2] != 4 or 0 in patch.shape:
            raise ValueError(f"the patch is {patch.dtype} {patch.shape}; expected uint8 (height, width, 4).")
        if self.top + patch.shape[0] > self.side or self.left + patch.shape[1] > self.side:
            raise ValueError(f"the patch reaches beyond the picture, which is {self.side} pixels wide.")
        object.__setattr__(self, "patch", patch * (patch[..., 3:] > 0))  # no hidden colours, which could be private
        _check_how(self.how)

    def __eq__(self, other: object) -> bool:
        mine = (self.seed, self.side, self.left, self.top, self.how)
        return (
            isinstance(other, Retouched)
            and mine == (other.seed, other.side, other.left, other.top, other.how)
            and np.array_equal(self.patch, other.patch)
        )

    @classmethod
    def found(
        cls,
        seed: Seed,
        original: np.ndarray,
        picture: np.ndarray,
        *,
        mask: np.ndarray | None = None,
        how: Mapping[str, Any] | None = None,
    ) -> Retouched:
        """The retouch that turns one picture into another, uint8 (H, H, 3) each.

        mask: uint8 (H, H), 255 in the retouched area; by default `changed` finds it.
        Raises ValueError if the pictures have different sizes or do not differ.
        """
        if picture.shape != original.shape:
            raise ValueError(
                f"The retouched picture is {picture.shape[1]} x {picture.shape[0]} pixels; picture {seed} is "
                f"{original.shape[1]} x {original.shape[0]}, so save it in that size."
            )
        mask = changed(original, picture) if mask is None else mask
        if not mask.any():
            raise ValueError(f"Nothing differs from picture {seed}; retouch it first, or more strongly.")
        top, left, bottom, right = bounding_box(mask)
        patch = np.dstack([picture, mask])[top:bottom, left:right]
        return cls(seed, len(picture), left, top, patch.copy(), dict(how or {"kind": "file"}))

    @property
    def empty(self) -> bool:
        return not self.patch[..., 3].any()

    @property
    def mask(self) -> np.ndarray:
        """uint8 (side, side): the opacity of the retouch, 0 outside."""
        mask = np.zeros((self.side, self.side), np.uint8)
        mask[self._box] = self.patch[..., 3]
        return mask

    def without_colours(self) -> Retouched:
        """A copy with the same area and no colours."""
        return replace(self, patch=self.patch * np.array([0, 0, 0, 1], np.uint8))

    def over(self, picture: np.ndarray) -> np.ndarray:
        """The retouch laid over its picture, uint8 (H, H, 3)."""
        colours = np.zeros((self.side, self.side, 4), np.uint8)
        colours[self._box] = self.patch
        if self.side != len(picture):
            colours = np.asarray(Image.fromarray(colours).resize((len(picture),) * 2, Image.Resampling.LANCZOS))
        seen = colours[..., 3:].astype(np.float32) / 255
        return (picture + seen * (colours[..., :3].astype(np.float32) - picture)).round().astype(np.uint8)

    @property
    def _box(self) -> tuple[slice, slice]:
        height, width = self.patch.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    # --- files ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, data: Any, what: str) -> Retouched:
        """Read the form of `to_json`.  Raises ValueError, one sentence that begins with `what`, for anything else."""
        names = {"seed", "side", "left", "top", "patch", "how"}
        if not isinstance(data, Mapping) or set(data) != names:
            raise ValueError(f"{what} is not described by {', '.join(sorted(names))} alone; the file is damaged.")
        try:
            return cls(**{**data, "patch": _decode(data["patch"])})
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None

    def to_json(self) -> dict[str, Any]:
        buffer = io.BytesIO()
        Image.fromarray(self.patch).save(buffer, "PNG", optimize=True)
        return {
            "seed": seed_json(self.seed),
            "side": self.side,
            "left": self.left,
            "top": self.top,
            "patch": PREFIX + base64.b64encode(buffer.getvalue()).decode(),
            "how": dict(self.how),
        }


def _decode(url: Any) -> np.ndarray:
    """PNG data URL -> uint8 (h, w, 4).  Raises ValueError for a damaged or, before decoding it, a large PNG."""
    try:
        image = Image.open(io.BytesIO(png_bytes(url, "a patch")), formats=["PNG"])
        if max(image.size) > MAX_SIDE:
            raise ValueError(f"a patch is {image.width} x {image.height} pixels; {MAX_SIDE} a side is the most.")
        return np.asarray(image.convert("RGBA"))
    except BOMBS:
        raise ValueError("a patch is larger than a picture can be; retouch it again.") from None
    except DAMAGED as error:
        told = isinstance(error, ValueError) and str(error).startswith("a patch")
        raise ValueError(str(error) if told else "a patch is not a whole PNG; retouch it again.") from None


def _check_how(how: Any) -> None:
    if not isinstance(how, Mapping) or how.get("kind") not in KINDS:
        raise ValueError(f"how a picture was retouched is {brief(how)}; expected a kind: {', '.join(KINDS)}.")
    try:
        length = len(json.dumps(dict(how), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("how a picture was retouched cannot be written as JSON; retouch it again.") from None
    if length > MAX_HOW:
        raise ValueError(f"how a picture was retouched takes {length:,} characters; {MAX_HOW:,} is the most.")
    moves = how.get("moves", [])
    fits = isinstance(moves, list) and len(moves) <= MAX_MOVES and all(map(_is_move, moves))
    if how["kind"] == "bend" and not (fits and moves):
        raise ValueError(
            f"the moves of a bend are {brief(moves)}; expected 1 to {MAX_MOVES} of [x, y, x', y'], from 0 to 1."
        )


def _is_move(move: Any) -> bool:
    numbers = isinstance(move, list) and len(move) == 4
    return numbers and all(is_number(x, -1, 2) for x in move)


# --- what changed ----------------------------------------------------------------------------------------------------


def changed(original: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """uint8 (H, H), 255 where two pictures, uint8 (H, H, 3), differ by more than compression or a colour profile.

    Lossy compression changes every pixel, but hardly the mean of a neighbourhood, and a colour profile shifts all
    colours alike.  A place has therefore changed if the means of wide neighbourhoods there, less the median shift,
    differ by more than in most of the picture.  Narrow neighbourhoods then give its outline.
    """
    signed = picture.astype(np.float32) - original.astype(np.float32)
    signed -= np.median(signed, (0, 1))
    wide, narrow = (np.abs(_means(signed, max(len(signed) // share, least))).max(2) for share, least in (WIDE, NARROW))
    wide_noise, noise = (float(np.median(means)) for means in (wide, narrow))
    sure = SURE + NOISY * wide_noise
    near = _grown_within(wide > sure, wide > sure / 2)
    parts = [part for part in _parts(near & (narrow > NOTICED + NOISY / 2 * noise)) if part.sum() >= LEAST * part.size]
    if not parts:
        return np.zeros(near.shape, np.uint8)
    mask = Image.fromarray(np.any(parts, 0).astype(np.uint8) * 255)
    return np.asarray(mask.filter(ImageFilter.MaxFilter(7)).filter(ImageFilter.MinFilter(5)))


def _means(values: np.ndarray, wide: int) -> np.ndarray:
    """Means of (H, W, C) over squares of `wide` pixels, rounded up to an odd number; edges are repeated."""
    half = wide // 2
    padded = np.pad(values, ((half + 1, half), (half + 1, half), (0, 0)), "edge").cumsum(0, np.float64).cumsum(1)
    across = 2 * half + 1
    total = padded[across:, across:] - padded[:-across, across:] - padded[across:, :-across]
    return ((total + padded[:-across, :-across]) / across**2).astype(np.float32)


def _grown_within(seeds: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Bool (H, W): the parts of `limits` that are connected with a seed."""
    grown = seeds & limits
    while True:
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        wider[:, 1:] |= wider[:, :-1].copy()
        wider[:, :-1] |= wider[:, 1:].copy()
        wider &= limits
        if np.array_equal(wider, grown):
            return grown
        grown = wider


def _parts(mask: np.ndarray) -> list[np.ndarray]:
    """Bool (H, W) each: what hangs together, from left to right; smaller spots than `LEAST` are passed over."""
    if not mask.any():
        return []
    top, left, bottom, right = bounding_box(mask)
    here, parts = np.s_[top:bottom, left:right], []
    rest = mask[here].copy()
    while rest.any():
        seed = np.zeros_like(rest)
        seed.flat[int(rest.argmax())] = True
        grown = _grown_within(seed, rest)
        rest &= ~grown
        if grown.sum() >= LEAST * mask.size:
            part = np.zeros_like(mask)
            part[here] = grown
            parts.append(part)
    return sorted(parts, key=lambda part: float(np.nonzero(part)[1].mean()))


# --- bends -----------------------------------------------------------------------------------------------------------


def displacement(moves: Sequence[Sequence[float]], side: int) -> np.ndarray:
    """float32 (side, side, 2): the offset, (x, y) in pixels, from each pixel of a bent picture to its source.

    moves: [x, y, x', y'] in shares of the side: content moves from (x, y) to (x', y').
    Source: Schaefer et al., "Image Deformation Using Moving Least Squares", 2006: the affine form, backwards.
    """
    moves = np.asarray(moves, np.float64) * side - 0.5
    source, goal = moves[:, 2:], moves[:, :2]  # backwards: from the new place to the old one
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 1, 2).astype(np.float64)
    weight = 1 / (np.square(places - source).sum(-1) + STIFF * side)
    weight = np.square(weight) / np.square(weight).sum(1, keepdims=True)  # (P, N)
    centre, centre_goal = weight @ source, weight @ goal
    away, away_goal = source - centre[:, None], goal - centre_goal[:, None]
    spread = np.einsum("pn,pni,pnj->pij", weight, away, away) + 0.5 * np.eye(2)
    cross = np.einsum("pn,pni,pnj->pij", weight, away, away_goal) + 0.5 * np.eye(2)
    bent = np.einsum("pi,pij->pj", places[:, 0] - centre, np.linalg.solve(spread, cross)) + centre_goal
    return (bent - places[:, 0]).reshape(side, side, 2).astype(np.float32)


def sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """float32 (..., C): the colours of a picture (H, W, C) at positions x, y, interpolated; edges are repeated."""
    height, width = picture.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    across, down = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - across) + picture[top, left + 1] * across
    lower = picture[top + 1, left] * (1 - across) + picture[top + 1, left + 1] * across
    return (upper * (1 - down) + lower * down).astype(np.float32)


def bend(picture: np.ndarray, moves: Sequence[Sequence[float]], seen: np.ndarray | None = None) -> np.ndarray:
    """Bend a picture, uint8 (H, H, 3), by moves as in `displacement`.  seen: float (H, H), the share of the bend at
    each pixel, 0 to 1."""
    shift = displacement(moves, len(picture))
    if seen is not None:
        shift = shift * seen[..., None]
    return _shifted(picture, shift)


def pinned(points: Sequence[Sequence[float]], reach: float) -> list[list[float]]:
    """Moves that bend a picture only around points: the points, and pins on a circle around each moving point.

    points: moves and pins, in shares of the side.  reach: the circle's radius, in shares of the side.
    """
    moving = [point for point in points if point[:2] != point[2:]]
    turns = 2 * np.pi * np.arange(PINS) / PINS
    rim = np.stack([np.cos(turns), np.sin(turns)], 1) * reach
    ends = np.array([end for x, y, to_x, to_y in moving for end in ((x, y), (to_x, to_y))]).reshape(-1, 1, 2)
    pins = (ends + rim).reshape(-1, 2)
    pins = pins[_away(pins, moving) > 0.95 * reach]
    moves = [[float(v) for v in point] for point in points] + [[float(v) for v in (*pin, *pin)] for pin in pins]
    return moves[:MAX_MOVES]


def reached(points: Sequence[Sequence[float]], reach: float, side: int) -> np.ndarray:
    """float32 (side, side): the share of a bend at each pixel, from 1 near the paths of moving points to 0 at its
    reach.  points, reach: as in `pinned`."""
    places = (np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2) + 0.5) / side
    moving = [point for point in points if point[:2] != point[2:]]
    rest = np.clip((1 - _away(places, moving) / reach) / FADING, 0, 1)
    return (rest * rest * (3 - 2 * rest)).reshape(side, side).astype(np.float32)


def _away(places: np.ndarray, moving: Sequence[Sequence[float]]) -> np.ndarray:
    """(P,): the distance of places (P, 2) from the nearest path of a moving point."""
    nearest = np.full(len(places), np.inf)
    for x, y, to_x, to_y in moving:
        along = np.array([to_x - x, to_y - y])
        off = places - (x, y)
        share = np.clip(off @ along / (along @ along), 0, 1)[:, None]
        nearest = np.minimum(nearest, np.hypot(*(off - share * along).T))
    return nearest


def _shifted(picture: np.ndarray, shift: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: len(picture), : len(picture)].astype(np.float32)
    return sampled(picture, x + shift[..., 0], y + shift[..., 1]).round().astype(np.uint8)


# --- carried to another place ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alignment:
    """The correspondence of two places.  parts: for each part, its centres (x, y) in pixels in the second and in the
    first place, and its size in the second relative to the first."""

    parts: tuple[tuple[np.ndarray, np.ndarray, float], ...]

    @classmethod
    def of(cls, here: np.ndarray, there: np.ndarray) -> Alignment:
        """From one painted place to another, uint8 (H, H) each.

        Separate parts, such as two eyes, correspond from left to right if both places have the same number of them.
        """
        mine, other = _parts(here > 127), _parts(there > 127)
        if len(mine) != len(other) or not 1 <= len(mine) <= MAX_PARTS:
            mine, other = [here > 127], [there > 127]
        return cls(
            tuple(
                (_centre(b), _centre(a), float(np.clip(np.sqrt(b.sum() / a.sum()), 0.4, 2.5)))
                for a, b in zip(mine, other, strict=True)
            )
        )

    @property
    def stretch(self) -> float:
        """The mean difference of the sizes, as a logarithm: 0 for equal sizes."""
        return float(np.mean([abs(np.log(scale)) for _, _, scale in self.parts]))

    def origins(self, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y: for each pixel of the second picture, the corresponding position in the first; and the scale.  Each is
        (side, side)."""
        y, x = np.mgrid[:side, :side].astype(np.float32)
        away = np.stack([np.hypot(x - there[0], y - there[1]) / scale for there, _, scale in self.parts])
        nearest = away.argmin(0)
        there, here = (np.array([part[i] for part in self.parts], np.float32)[nearest] for i in (0, 1))
        scale = np.array([part[2] for part in self.parts], np.float32)[nearest]
        return here[..., 0] + (x - there[..., 0]) / scale, here[..., 1] + (y - there[..., 1]) / scale, scale


def _centre(part: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(part)
    return np.array([columns.mean(), rows.mean()], np.float32)


def carried(
    retouched: Retouched, original: np.ndarray, alignment: Alignment, seed: Seed, picture: np.ndarray
) -> Retouched | None:
    """Transfer a retouch to the corresponding place of another picture; None if no part of it falls into the picture.

    original: the picture before its retouch, uint8 (H, H, 3).  seed, picture: the other one.
    A bend bends the other picture, and paint covers it.  A retouch from a file may also change the existing colours:
    its new colours are, locally, a linear function of the old ones (He et al., "Guided Image Filtering", 2010).
    """
    side = len(picture)
    x, y, scale = alignment.origins(side)
    inside = (x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1)
    mask = np.asarray(Image.fromarray(retouched.mask).resize((side, side), Image.Resampling.BILINEAR), np.float32)
    seen = sampled(mask[..., None], x, y)[..., 0] * inside / 255
    place = ((seen > 0.02) * 255).astype(np.uint8)
    if not place.any():
        return None
    top, left, bottom, right = bounding_box(place)
    here, there = np.s_[top:bottom, left:right], picture.copy()
    x, y, scale, seen = x[here], y[here], scale[here][..., None], seen[here][..., None]
    if retouched.how["kind"] == "bend":
        coarse = COARSER * displacement(retouched.how["moves"], side // COARSER)
        shift = scale * seen * sampled(coarse, (x + 0.5) / COARSER - 0.5, (y + 0.5) / COARSER - 0.5)
        rows, columns = np.mgrid[here].astype(np.float32)
        there[here] = sampled(picture, columns + shift[..., 0], rows + shift[..., 1]).round()
    else:
        wanted = retouched.over(original)
        drawn = sampled(wanted.astype(np.float32), x, y)
        if retouched.how["kind"] == "file":
            slope, offset = _local_change(original, wanted)
            drawn = sampled(slope, x, y) * picture[here] + sampled(offset, x, y)
        there[here] = (picture[here] + seen * (drawn - picture[here])).clip(0, 255).round()
    return Retouched.found(seed, picture, there, mask=place, how={"kind": "file"})


def _local_change(original: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """slope, offset, (H, H, 3) each: wanted = slope * original + offset, exactly at a pixel and nearly around it."""
    wide = max(5, len(original) // 24)
    a, b = original.astype(np.float32), wanted.astype(np.float32)
    mean_a, mean_b = _means(a, wide), _means(b, wide)
    variance, covariance = _means(a * a, wide) - mean_a**2, _means(a * b, wide) - mean_a * mean_b
    slope = np.clip(_means(covariance / (variance + OPAQUE), wide), 0, 1)
    return slope, b - slope * a
