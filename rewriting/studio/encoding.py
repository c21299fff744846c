"""Pictures encoded for the page: data URLs, cut-outs, outlines, maps of change, and animations."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting.core.contact_sheet import enlarged, save_picture
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


def save_walk(frames: Sequence[np.ndarray], path: Path, milliseconds: int = 80) -> Path:
    """Save a looping animated WebP, and return its path."""
    images = [Image.fromarray(frame) for frame in frames]
    animated = {"save_all": True, "append_images": images[1:], "duration": milliseconds, "loop": 0}
    return save_picture(images[0], path, quality=82, method=2, **animated)


def preview_halves(path: Path) -> tuple[str, str]:
    """The two squares of a preset's preview, before and after, as data URLs; "" without a preview."""
    if not path.is_file():
        return "", ""
    picture = np.asarray(read_picture(path))
    side = picture.shape[0]
    return data_url(picture[:, :side]), data_url(picture[:, -side:])
