"""Sheets of pictures and charts for the reports, with NumPy and Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, MARGIN, TEXT = 4, 12, 13  # pixels between pictures, around charts, and of a letter
PAPER, INK, QUIET, GRID = (255, 255, 255), (34, 34, 40), (110, 110, 120), (226, 226, 232)
OUTLINE = (255, 214, 10)
COLOURS = ((38, 103, 160), (222, 122, 42), (64, 140, 88), (170, 66, 90), (120, 96, 170), (120, 120, 120))

Cell = np.ndarray | None


def sheet(rows: Sequence[Sequence[Cell]], *, headings: Sequence[str] = (), sides: Sequence[str] = ()) -> np.ndarray:
    """Pictures in rows: uint8 (H, W, 3).

    rows: pictures of one size, None for a free cell.  headings: above the columns.  sides: before the rows; a "" row
    that follows a named one stays nearer to it.
    """
    height, width = next(cell for row in rows for cell in row if cell is not None).shape[:2]
    letter = max(TEXT, width // 10)  # legible where the sheet is shown reduced
    font = ImageFont.load_default(letter)
    left = max((round(font.getlength(side)) for side in sides), default=0) + (3 * GAP if sides else GAP)
    top = letter + 2 * GAP if headings else GAP
    columns = max(len(row) for row in rows)
    page = Image.new("RGB", (left + columns * (width + GAP), top + len(rows) * (height + GAP)), PAPER)
    draw = ImageDraw.Draw(page)
    for column, heading in enumerate(headings):
        draw.text((left + column * (width + GAP), GAP), heading, INK, font)
    for index, row in enumerate(rows):
        y = top + index * (height + GAP)
        if index < len(sides):
            draw.text((GAP, y + height // 2), sides[index], INK, font, anchor="lm")
        for column, cell in enumerate(row):
            if cell is not None:
                page.paste(Image.fromarray(cell), (left + column * (width + GAP), y))
    return np.asarray(page)


def stacked(*sheets: np.ndarray) -> np.ndarray:
    """Sheets one below the other, on paper as wide as the widest."""
    width = max(one.shape[1] for one in sheets)
    padded = [np.pad(one, ((0, 2 * GAP), (0, width - one.shape[1]), (0, 0)), constant_values=255) for one in sheets]
    return np.concatenate(padded)


def outlined(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with the outline of a painted mask, of any size, drawn in."""
    side = len(picture)
    inside = np.asarray(Image.fromarray(np.asarray(mask, np.uint8)).resize((side, side))) > 127
    inner = inside.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(inside, step, axis)
    out = picture.copy()
    out[inside & ~inner] = OUTLINE
    return out


def fitted(picture: np.ndarray, side: int) -> np.ndarray:
    """A patch of any shape, enlarged or reduced to fit a square of paper."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    page = Image.new("RGB", (side, side), PAPER)
    page.paste(
        Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC), ((side - size[0]) // 2, (side - size[1]) // 2)
    )
    return np.asarray(page)


def bars(
    title: str, groups: Sequence[str], series: Mapping[str, Sequence[float]], *, top: float | None = None
) -> np.ndarray:
    """A bar chart: one group of bars for each name in `groups`, one colour for each series; uint8 (H, W, 3).

    series: {name: a value from 0 for each group; nan leaves the bar out}.  top: of the axis, by default the highest.
    """
    values = np.array([list(one) for one in series.values()], float)
    if values.shape != (len(series), len(groups)) or not len(groups):
        raise ValueError(f"bars of shape {values.shape}; expected {len(series)} series of {len(groups)} values.")
    top = float(np.nanmax(values)) * 1.05 if top is None else top
    thick, height, room = 16, 190, 46
    wide = max(len(series) * thick + 18, *(round(_font().getlength(group)) + 14 for group in groups))
    page = Image.new("RGB", (room + wide * len(groups) + MARGIN, height + 88), PAPER)
    draw, foot = ImageDraw.Draw(page), height + 50
    draw.text((MARGIN, 8), title, INK, _font())
    _legend(draw, list(series), room)
    for step in range(5):
        y = foot - height * step / 4
        draw.line((room, y, page.width - MARGIN, y), GRID)
        draw.text((room - 6, y), f"{top * step / 4:.2g}", QUIET, _font(), anchor="rm")
    for g, group in enumerate(groups):
        middle = room + wide * (g + 0.5)
        draw.text((middle, foot + 6), group, INK, _font(), anchor="ma")
        first = middle - thick * len(series) / 2
        for s, value in enumerate(values[:, g]):
            if np.isfinite(value):
                tall = height * min(1.0, max(0.0, value / top))
                left = first + s * thick + 1
                draw.rectangle((left, foot - tall, left + thick - 3, foot), COLOURS[s % len(COLOURS)])
    return np.asarray(page)


def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(TEXT)


def _legend(draw: ImageDraw.ImageDraw, names: Sequence[str], left: float) -> None:
    for index, name in enumerate(names):
        draw.rectangle((left, 31, left + 9, 40), COLOURS[index % len(COLOURS)])
        draw.text((left + 14, 36), name, QUIET, _font(), anchor="lm")
        left += 32 + _font().getlength(name)
