"""Pictures encoded for the page: data URLs, cut-outs, outlines, and maps of change."""

from __future__ import annotations

import base64
import io
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting.core.contact_sheet import enlarged
from rewriting.core.masks import bounding_box, encode_mask
from rewriting.files import read_picture

QUALITY = 92


def webp(picture: np.ndarray, *, lossless: bool = False) -> bytes:
    """The WebP file of a picture, uint8 (H, W, 3 or 4)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=QUALITY, lossless=lossless, method=2)
    return buffer.getvalue()


def data_url(picture: np.ndarray, *, lossless: bool = False) -> str:
    """The WebP data URL of a picture, uint8 (H, W, 3 or 4)."""
    return "data:image/webp;base64," + base64.b64encode(webp(picture, lossless=lossless)).decode()


def cutout(picture: np.ndarray, mask: np.ndarray) -> str:
    """The painted object on a transparent background, cropped to its box in mask pixels, as a data URL."""
    top, left, bottom, right = bounding_box(mask)
    rgba = np.dstack([enlarged(picture, len(mask)), mask])
    return data_url(np.ascontiguousarray(rgba[top:bottom, left:right]), lossless=True)


def change_map(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The map of change, uint8 (H, W, 3): the new colours where the picture changed, dark grey elsewhere."""
    change = np.abs(after.astype(np.float32) - before).mean(-1, keepdims=True)
    share = np.clip(change / 24, 0, 1)
    grey = 24 + 0.3 * after.astype(np.float32).mean(-1, keepdims=True)
    return (share * after + (1 - share) * grey).round().clip(0, 255).astype(np.uint8)


def outline(heat: np.ndarray, threshold: float, side: int) -> str:
    """The mask data URL of the area where an enlarged heat map (h, w) exceeds the threshold; "" without one."""
    large = np.asarray(Image.fromarray(heat.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC))
    return encode_mask(large > threshold) if (large > threshold).any() else ""


class Picture:
    """pixels: uint8 (H, W, 3).  The picture is encoded once, on first use."""

    def __init__(self, pixels: np.ndarray):
        self.pixels, self._change = pixels, ""

    @cached_property
    def url(self) -> str:
        return data_url(self.pixels)

    def change(self, before: Picture) -> str:
        """The map of change against the picture without rules, as a data URL.  before: always the same picture."""
        self._change = self._change or data_url(change_map(before.pixels, self.pixels))
        return self._change

    def nbytes(self) -> int:
        """The size in memory in bytes, with an estimate for the encoded files."""
        return self.pixels.nbytes * 3 // 2


def preview_halves(path: Path) -> tuple[str, str]:
    """The two squares of a preset's preview, before and after, as data URLs; "" without a preview."""
    if not path.is_file():
        return "", ""
    picture = np.asarray(read_picture(path))
    side = picture.shape[0]
    return data_url(picture[:, :side]), data_url(picture[:, -side:])
