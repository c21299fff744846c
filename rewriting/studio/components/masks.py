"""Masks as PNG data URLs, the form in which browsers, request files and API clients exchange them.

A mask is a boolean array of shape (height, width), True where selected. As a URL it is a PNG in which selected
pixels are white; on the way in, a PNG with real transparency is taken by its alpha instead, because that is how the
original sessions of the paper's interface stored theirs.
"""

import base64
import binascii
import io
import struct
import zlib

import numpy as np
from PIL import Image

PREFIX = "data:image/png;base64,"
MAX_CHARS = 2_000_000
"""Longest mask URL taken; 1024 x 1024 random black and white pixels come to about 200 thousand characters."""
MAX_SIDE = 4096

_MAGIC = b"\x89PNG\r\n\x1a\n"
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def mask_to_url(mask: np.ndarray) -> str:
    """Write a mask as a PNG data URL.

    Args:
        mask: (height, width), boolean or number; whatever is above zero is selected.

    Raises:
        ValueError: if `mask` is not two-dimensional or is empty.
    """
    pixels = np.asarray(mask)
    if pixels.ndim != 2 or 0 in pixels.shape:
        raise ValueError(f"A mask must have the shape (height, width), not {pixels.shape}.")
    file = io.BytesIO()
    Image.fromarray((pixels > 0).astype(np.uint8) * 255).save(file, "PNG")
    return PREFIX + base64.b64encode(file.getvalue()).decode("ascii")


def url_to_mask(url: str, *, width: int, height: int) -> np.ndarray:
    """Read a mask from a PNG data URL, trusting nothing about it.

    Length, prefix, file signature and picture size are checked before any pixel is decoded, so neither a long string
    nor a decompression bomb costs more than the check.

    Args:
        url: the PNG data URL.
        width: the width in pixels that the mask must have.
        height: the height in pixels that the mask must have.

    Returns:
        Boolean array (height, width), True where selected.

    Raises:
        ValueError: one sentence, if the URL is not exactly such a mask.
    """
    picture = _open(_png_bytes(url))
    if picture.size != (width, height):
        raise ValueError(
            f"The mask is {picture.size[0]} x {picture.size[1]} pixels where this model has {width} x {height}; "
            "paint it on a picture of this model."
        )
    if picture.mode not in _MODES:
        raise ValueError(f"The mask is a PNG of mode {picture.mode}; save it as 8-bit grey, RGB or RGBA.")
    try:
        picture.load()
        return _selected(picture)
    except _DECODE_ERRORS as error:
        raise ValueError("The mask's PNG is damaged; paint or save it again.") from error


def _png_bytes(url: str) -> bytes:
    if not isinstance(url, str):
        raise ValueError(f"A mask must be a PNG data URL, not a value of type {type(url).__name__}.")
    if len(url) > MAX_CHARS:
        raise ValueError(f"The mask has {len(url)} characters where at most {MAX_CHARS} are taken; save it smaller.")
    if not url.startswith(PREFIX):
        raise ValueError(f'A mask must begin with "{PREFIX}", not {url[: len(PREFIX)]!r}; save it as a PNG.')
    try:
        data = base64.b64decode(url[len(PREFIX) :].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("The mask is not valid base64; copy the whole data URL.") from error
    if not data.startswith(_MAGIC):
        raise ValueError("The mask is not a PNG although its URL says so; save it as a PNG.")
    return data


def _open(data: bytes) -> Image.Image:
    """Read the header only; Pillow decodes pixels later, on `load`."""
    try:
        return Image.open(io.BytesIO(data), formats=["PNG"])
    except (*_DECODE_ERRORS, Image.DecompressionBombError) as error:
        raise ValueError("The mask's PNG is damaged; paint or save it again.") from error


def _selected(picture: Image.Image) -> np.ndarray:
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    if alpha.min() < 255:
        return alpha > 127
    return np.asarray(picture.convert("L")) > 127
