"""Conversion of retouched pictures between the canvas of the page and requests."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from rewriting.core.masks import BOMBS, DAMAGED, PREFIX, bounding_box, png_bytes
from rewriting.core.retouch import MAX_POINTS, Retouched, bend, pinned, reached
from rewriting.studio.remembered import remembered
from rewriting.studio.session import PackedRetouch

MOST_BYTES = 6 << 20  # of a file
MOST = 1024  # pixels a side of a picture from a canvas
BENT = 512  # pixels a side at which a bend is computed; larger pictures use the same bend
SHARP = 4  # the mask of a bent picture rises this much faster than the bend
REACH = 0.15  # default reach of a bend, as a share of the picture's side


def from_canvas(value: Mapping[str, Any], seed: int, original: np.ndarray) -> Retouched:
    """The retouched picture from a canvas; see `RetouchCanvas`.

    original: the picture, uint8 (H, H, 3).  Raises ValueError if nothing was changed, or if a picture is unreadable.
    """
    if value["kind"] == "bend":
        return bent(value, seed, original)
    if value["kind"] == "file" and "picture" in value:
        return Retouched.found(seed, original, _picture(value["picture"], len(original)))
    if "layer" not in value:
        raise ValueError("The retouched picture has no colours; retouch it again.")
    how = {key: item for key, item in value.items() if key != "layer"}
    return _layered(value["layer"], seed, how)


def for_canvas(packed: PackedRetouch) -> dict[str, Any]:
    """The value of a canvas that shows a retouched picture: the inverse of `from_canvas`."""
    return dict(_for_canvas(packed))


@remembered(32)
def _for_canvas(packed: PackedRetouch) -> Mapping[str, Any]:
    retouch = packed.unpacked()
    how = {name: value for name, value in retouch.how.items() if name in ("kind", "strokes", "points", "reach")}
    if "points" in how:
        return how  # the canvas bends the picture itself
    if retouch.how["kind"] == "bend":  # made by a program; to be bent on from there
        how |= {"points": list(retouch.how["moves"][:MAX_POINTS]), "reach": REACH}
    return {**how, "layer": _layer_url(retouch)}


def as_told(value: Mapping[str, Any] | None) -> Any:
    """The value of a canvas in the form of `for_canvas`, to compare the two.  A file that was just opened stays as it
    is, because its changes have not been found yet."""
    if value is None or value["kind"] == "bend" or "picture" in value:
        return value
    try:
        how = {key: item for key, item in value.items() if key != "layer"}
        return for_canvas(PackedRetouch.of(_layered(value.get("layer"), 0, how)))
    except ValueError:
        return {}


def laid_over(packed: PackedRetouch, picture: np.ndarray) -> np.ndarray:
    """The retouched picture, uint8 (H, H, 3)."""
    return packed.unpacked().over(picture)


def bent(value: Mapping[str, Any], seed: int, original: np.ndarray) -> Retouched:
    points, reach = value.get("points", []), value.get("reach", REACH)
    if not any(point[:2] != point[2:] for point in points):
        raise ValueError("No point has moved yet; drag one to its new place.")
    side = min(len(original), BENT)
    small = original if side == len(original) else np.asarray(Image.fromarray(original).resize((side, side)))
    weights, moves = reached(points, reach, side), pinned(points, reach)
    mask = (255 * np.clip(SHARP * weights, 0, 1)).round().astype(np.uint8)
    how = {"kind": "bend", "points": points, "reach": reach, "moves": moves}
    return Retouched.found(seed, small, bend(small, moves, weights), mask=mask, how=how)


def _layered(url: Any, seed: int, how: Mapping[str, Any]) -> Retouched:
    """From a square PNG data URL: the new colours where the picture changed, transparent elsewhere."""
    try:
        image = Image.open(io.BytesIO(png_bytes(url, "the painted layer")), formats=["PNG"])
        if image.width != image.height or image.width > MOST:
            raise ValueError(
                f"the painted layer is {image.width} x {image.height} pixels; expected a square of {MOST} at most."
            )
        layer = np.asarray(image.convert("RGBA"))
    except (*DAMAGED, *BOMBS) as error:
        clear = isinstance(error, ValueError) and str(error).startswith("the painted layer")
        raise ValueError(str(error) if clear else "the painted layer is not a whole PNG; paint it again.") from None
    if not layer[..., 3].any():
        raise ValueError("Nothing is painted; paint the change on the picture.")
    top, left, bottom, right = bounding_box(layer[..., 3])
    return Retouched(seed, len(layer), left, top, layer[top:bottom, left:right], how)


def _layer_url(retouch: Retouched) -> str:
    layer = np.zeros((retouch.side, retouch.side, 4), np.uint8)
    height, width = retouch.patch.shape[:2]
    layer[retouch.top : retouch.top + height, retouch.left : retouch.left + width] = retouch.patch
    buffer = io.BytesIO()
    Image.fromarray(layer).save(buffer, "PNG")
    return PREFIX + base64.b64encode(buffer.getvalue()).decode()


def _picture(url: Any, side: int) -> np.ndarray:
    """uint8 (side, side, 3) from a data URL."""
    if not isinstance(url, str) or not url.startswith("data:image/") or len(url) > MOST_BYTES * 4 // 3:
        raise ValueError("The file is not a picture of at most 6 MB; save it as PNG, JPEG or WebP.")
    try:
        return opened(base64.b64decode(url.partition(",")[2], validate=True), side)
    except binascii.Error:
        raise ValueError("The file is not a readable picture; save it as PNG.") from None


def opened(data: bytes, side: int) -> np.ndarray:
    """uint8 (side, side, 3) from a PNG, JPEG or WebP file; enlarged or reduced, if it is square."""
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"])
        if image.width != image.height or image.width > 4 * MOST:
            raise ValueError(f"The file has {image.width} x {image.height} pixels; keep it square, as it was saved.")
        image = image.convert("RGB")
    except (*DAMAGED, *BOMBS) as error:
        clear = isinstance(error, ValueError) and str(error).startswith("The file has")
        raise ValueError(str(error) if clear else "The file is not a readable picture; save it as PNG.") from None
    return np.asarray(image if image.width == side else image.resize((side, side), Image.Resampling.LANCZOS))
