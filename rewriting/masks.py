"""Painted masks: PNG data URLs, as pages and saved requests hold them, and arrays."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from PIL import Image

PREFIX = "data:image/png;base64,"
MAX_LENGTH = 4_000_000
MIN_SIDE, MAX_SIDE = 8, 2048
BOMBS = Image.DecompressionBombError, Image.DecompressionBombWarning  # said of a header, before anything is decoded


def decode_mask(url: str) -> np.ndarray:
    """PNG data URL -> uint8 (H, H), 255 where painted.

    The paper's code draws white disks on transparent black and reads the colour, not the alpha, so that is what counts
    here.  A picture without any colour channel that varies, but with an alpha that does, is read by its alpha.
    Raises ValueError for anything but a square PNG of 8 to 2048 pixels a side.
    """
    if not isinstance(url, str) or not url.startswith("data:image/") or ";base64," not in url[:40]:
        raise ValueError("a mask is not a PNG data URL (data:image/png;base64,...); paint it again.")
    if len(url) > MAX_LENGTH:
        raise ValueError(f"a mask is {len(url):,} characters long; {MAX_LENGTH:,} is the most that is read.")
    try:
        data = base64.b64decode(url.split(",", 1)[1], validate=True)
        image = Image.open(io.BytesIO(data), formats=["PNG"])
    except (binascii.Error, OSError, ValueError, SyntaxError, *BOMBS):
        raise ValueError("a mask is not a readable PNG; paint it again.") from None
    width, height = image.size
    if width != height or not MIN_SIDE <= width <= MAX_SIDE:
        raise ValueError(f"a mask is {width} x {height} pixels; expected a square of {MIN_SIDE} to {MAX_SIDE}.")
    try:
        painted = np.asarray(image.convert("RGB"))[..., 0]
        if painted.min() == painted.max() and "A" in image.getbands():
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
            painted = alpha if alpha.min() < alpha.max() else painted
    except (OSError, ValueError, SyntaxError):
        raise ValueError("a mask is not a whole PNG; paint it again.") from None
    return np.where(painted > 127, 255, 0).astype(np.uint8)


def encode_mask(mask: np.ndarray) -> str:
    """Bool or uint8 (H, H) -> PNG data URL: white and opaque where painted, transparent black elsewhere."""
    painted = np.where(np.asarray(mask) > (0 if np.asarray(mask).dtype == bool else 127), 255, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(painted[..., None], 4, 2), "RGBA").save(buffer, "PNG", optimize=True)
    return PREFIX + base64.b64encode(buffer.getvalue()).decode()


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, H) -> float32 (size, size) in [0, 1]: each cell's painted share, as the paper's code resamples."""
    resized = Image.fromarray(np.asarray(mask, np.uint8)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32) / 255


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of what is above 0, bottom and right exclusive; ValueError if nothing is."""
    rows, columns = np.any(mask > 0, 1), np.any(mask > 0, 0)
    if not rows.any():
        raise ValueError("a mask is empty; paint where the object or the rule is.")
    top, left = int(rows.argmax()), int(columns.argmax())
    return top, left, len(rows) - int(rows[::-1].argmax()), len(columns) - int(columns[::-1].argmax())
