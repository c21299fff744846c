"""Pictures for people to look at: side by side on a sheet, enlarged, lit where they matter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image


def sheet(rows: Sequence[Sequence[np.ndarray]], gap: int = 4) -> Image.Image:
    """Rows of equally large pictures, uint8 (H, W, 3) each, white between them."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    page = Image.new("RGB", (columns * (width + gap) - gap, len(rows) * (height + gap) - gap), "white")
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            page.paste(Image.fromarray(picture), (j * (width + gap), i * (height + gap)))
    return page


def square_sheet(pictures: Sequence[np.ndarray]) -> Image.Image:
    """A sheet of at least one picture, with as many rows as columns, or one less."""
    columns = math.ceil(math.sqrt(len(pictures)))
    return sheet([pictures[start : start + columns] for start in range(0, len(pictures), columns)])


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """uint8 (H, H) or (H, H, C) -> (side, side) or (side, side, C), smooth."""
    if picture.shape[0] == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def lit(picture: np.ndarray, heat: np.ndarray, low: float, high: float) -> np.ndarray:
    """A picture, uint8 (H, H, 3), bright where a response is high and dim where it is low (paper, Figure 2c).

    heat: (h, h), the response; `low` and below is dimmest, `high` and above as bright as the picture is.
    """
    share = np.clip((heat - low) / max(high - low, 1e-9), 0, 1) ** 0.5
    light = enlarged((255 * share).astype(np.uint8), len(picture)).astype(np.float32)[..., None] / 255
    return (picture * (0.25 + 0.75 * light)).round().astype(np.uint8)
