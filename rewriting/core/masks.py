"""Painted masks: PNG data URLs, as pages and saved requests hold them, and arrays."""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib

import numpy as np
from PIL import Image

PREFIX = "data:image/png;base64,"
MAX_LENGTH = 4_000_000
MIN_SIDE, MAX_SIDE = 8, 2048
HALF = 127
DAMAGED = OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error  # what Pillow raises
BOMBS = Image.DecompressionBombError, Image.DecompressionBombWarning  # said of a header, before anything is decoded


def decode_mask(url: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """PNG data URL -> uint8 (H, W), 255 where painted.

    size: (width, height) it has to have; without one, any square of 8 to 2048 pixels a side.
    Raises ValueError for anything but such a PNG; nothing is decoded of one of another size.
    """
    data = png_bytes(url)
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
    except (*DAMAGED, *BOMBS):
        raise ValueError("a mask is not a readable PNG; paint it again.") from None
    _check_size(image.size, size)
    try:
        return painted(image)
    except DAMAGED:
        raise ValueError("a mask is not a whole PNG; paint it again.") from None


def painted(image: Image.Image) -> np.ndarray:
    """uint8 (H, W), 255 where a picture of any mode is painted.

    Painted is what is not quite transparent and half bright or brighter in any of its colours, whichever colour it
    was painted in; of 16-bit pictures too.  How opaque it is does not count: the paper's page draws white disks with
    a soft edge on transparent black, and its code reads their colour.  Where colours do not tell anything apart, half
    opaque and more is painted, which is how one paints in black on nothing.
    """
    colours, alpha = _channels(image)
    marked = (colours > HALF) & (alpha > 0)
    if marked.all() or not marked.any():
        marked = alpha > HALF if alpha.min() < alpha.max() else marked
    return np.where(marked, 255, 0).astype(np.uint8)


def _channels(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """The brightest of the three colours, and the alpha, each uint8 (H, W)."""
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would cut off at 255 instead of scaling it
        grey = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
        return grey, np.full_like(grey, 255)
    pixels = np.asarray(image.convert("RGBA"))
    return pixels[..., :3].max(-1), pixels[..., 3]


def png_bytes(url: object, what: str = "a mask") -> bytes:
    """The file inside a PNG data URL; ValueError if it is none, or too long."""
    if not isinstance(url, str) or not url.startswith("data:image/") or ";base64," not in url[:40]:
        raise ValueError(f"{what} is not a PNG data URL (data:image/png;base64,...); paint it again.")
    if len(url) > MAX_LENGTH:
        raise ValueError(f"{what} is {len(url):,} characters long; {MAX_LENGTH:,} is the most that is read.")
    try:
        return base64.b64decode(url.split(",", 1)[1], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{what} is not a readable PNG; paint it again.") from None


def _check_size(found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    width, height = found
    if wanted is None and (width != height or not MIN_SIDE <= width <= MAX_SIDE):
        raise ValueError(f"a mask is {width} x {height} pixels; expected a square of {MIN_SIDE} to {MAX_SIDE}.")
    if wanted is not None and found != wanted:
        expected = f"{wanted[0]} x {wanted[1]}"
        raise ValueError(f"a mask has {width} x {height} pixels instead of {expected}; paint it on a picture.")


def encode_mask(mask: np.ndarray) -> str:
    """Bool or uint8 (H, W) -> PNG data URL: white and opaque where painted, transparent black elsewhere."""
    painted = np.where(np.asarray(mask) > (0 if np.asarray(mask).dtype == bool else 127), 255, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(painted[..., None], 4, 2), "RGBA").save(buffer, "PNG", optimize=True)
    return PREFIX + base64.b64encode(buffer.getvalue()).decode()


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, H) -> float32 (size, size) in [0, 1]: how much of each cell is painted, as the paper's code resamples.

    Pillow's triangle filter reaches half a cell beyond: a cell that alone is painted has 0.56, its neighbours 0.09.
    """
    resized = Image.fromarray(np.asarray(mask, np.uint8)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32) / 255


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask, uint8 (H, W), wider by so many pixels in each of the four directions: the maximum over squares."""
    for axis in range(2):
        wide = [(pixels, pixels) if axis == i else (0, 0) for i in range(2)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(mask, wide), 2 * pixels + 1, axis)
        mask = windows.max(-1)
    return mask


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of what is above 0, bottom and right exclusive; ValueError if nothing is."""
    rows, columns = np.any(mask > 0, 1), np.any(mask > 0, 0)
    if not rows.any():
        raise ValueError("a mask is empty; paint the object or the place.")
    top, left = int(rows.argmax()), int(columns.argmax())
    return top, left, len(rows) - int(rows[::-1].argmax()), len(columns) - int(columns[::-1].argmax())
