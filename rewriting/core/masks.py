"""Painted masks, as arrays and as the PNG data URLs of pages and saved requests."""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "data:image/png;base64,"
MAX_LENGTH = 4_000_000
MIN_SIDE, MAX_SIDE = 8, 2048
HALF = 127
DAMAGED = OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error  # Pillow's errors
BOMBS = Image.DecompressionBombError, Image.DecompressionBombWarning  # raised for a header, before decoding


def decode_mask(url: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode a PNG data URL to uint8 (H, W), 255 where painted.

    size: the required (width, height); by default any square of 8 to 2048 pixels a side.
    Raises ValueError for anything else, and before it decodes a PNG of another size.
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
    """The mask of a picture of any mode: uint8 (H, W), 255 where painted.

    A pixel is painted if any of its colours is at least half bright and it is not fully transparent.  Its opacity does
    not matter otherwise: the paper's page draws white disks with a soft edge on transparent black, and its code reads
    their colour.  If all pixels or none are painted by this rule, a pixel is painted if it is at least half opaque,
    as in a black drawing on a transparent background.
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
    """The bytes of a PNG data URL.  Raises ValueError, which begins with `what`, for another text or a long one."""
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
    """Encode bool or uint8 (H, W) as a PNG data URL: white and opaque where painted, transparent black elsewhere."""
    painted = np.where(np.asarray(mask) > (0 if np.asarray(mask).dtype == bool else 127), 255, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(painted[..., None], 4, 2), "RGBA").save(buffer, "PNG", optimize=True)
    return PREFIX + base64.b64encode(buffer.getvalue()).decode()


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 (H, H) to float32 (size, size) in [0, 1], the painted share of each cell, as the paper's code does.

    Pillow's triangle filter reaches half a cell beyond: a single painted cell gets 0.56, and its neighbours 0.09.
    """
    resized = Image.fromarray(np.asarray(mask, np.uint8)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32) / 255


def on_grid(mask: np.ndarray, size: int, margin: int) -> np.ndarray:
    """uint8 (H, H) -> float32 (size, size): `resize_mask` for a map with a margin of `margin` positions on each side,
    where nothing is painted."""
    shares = resize_mask(mask, size - 2 * margin)
    return np.pad(shares, margin) if margin else shares


def inside(maps: Tensor, margin: int) -> Tensor:
    """A view of (..., h, w) without the margin of `margin` positions on each side."""
    return maps[..., margin : maps.shape[-2] - margin, margin : maps.shape[-1] - margin]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask, uint8 (H, W), dilated by a square of 2 * pixels + 1."""
    for axis in range(2):
        wide = [(pixels, pixels) if axis == i else (0, 0) for i in range(2)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(mask, wide), 2 * pixels + 1, axis)
        mask = windows.max(-1)
    return mask


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of the pixels above 0, bottom and right exclusive.  ValueError for an empty mask."""
    rows, columns = np.any(mask > 0, 1), np.any(mask > 0, 0)
    if not rows.any():
        raise ValueError("a mask is empty; paint the object or the place.")
    top, left = int(rows.argmax()), int(columns.argmax())
    return top, left, len(rows) - int(rows[::-1].argmax()), len(columns) - int(columns[::-1].argmax())
