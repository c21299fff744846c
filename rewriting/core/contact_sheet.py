"""Pictures for people: contact sheets, enlarged pictures, pictures lit by a response, and their settings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rewriting.files import check_writable, make_folder, writing

if TYPE_CHECKING:
    from rewriting.core.edit import Edit
    from rewriting.generators import Generator
    from rewriting.generators.own_picture import Seed

GAP = 4  # pixels between the pictures of a sheet
LONGEST = {"PNG": 1_000_000, "WEBP": 16_383, "JPEG": 65_500}  # pixels a side; for PNG the limit of other programs
NOTE = "rewriting"  # key of the text in a PNG with the settings of the drawing
FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}


def sheet(rows: Sequence[Sequence[np.ndarray]], gap: int = GAP) -> Image.Image:
    """A sheet of pictures of one size, uint8 (H, W, 3) each, in rows, with white gaps of `gap` pixels."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    page = Image.new("RGB", (_across(columns, width, gap), _across(len(rows), height, gap)), "white")
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            page.paste(Image.fromarray(picture), (j * (width + gap), i * (height + gap)))
    return page


def square_sheet(pictures: Sequence[np.ndarray]) -> Image.Image:
    """A sheet of at least one picture, as square as possible: rows, columns or one row less."""
    columns = _columns(len(pictures))
    return sheet([pictures[start : start + columns] for start in range(0, len(pictures), columns)])


def check_square_sheet(path: Path, count: int, side: int) -> None:
    """Check a `square_sheet` before it is drawn: raise ValueError if `count` pictures of `side` pixels exceed the size
    limit of the path's format, and OSError if the path is not writable."""
    across, format = _across(_columns(count), side), FORMATS[path.suffix.lower()]
    if across > LONGEST[format]:
        others = " or ".join(ending for ending, one in FORMATS.items() if across <= LONGEST[one])
        raise ValueError(
            f"A sheet of {count:,} pictures of {side} px is {across:,} pixels wide, and a {path.suffix} holds at most "
            f"{LONGEST[format]:,}; write {others or 'a folder of files'}, or choose fewer or smaller pictures."
        )
    check_writable(path)


def settings_of(generator: Generator, size: int, truncation: float | None, label: int = 0) -> dict[str, Any]:
    """The settings of the generator's pictures, as JSON data for a PNG: everything but their numbers and rules."""
    settings = {"generator": generator.config.name, "weights": generator.digest(), "size": size}
    if generator.truncates:
        settings["truncation"] = generator.config.truncation if truncation is None else truncation
    if generator.config.classes:
        settings["label"] = label
    return settings | {"precision": generator.precision}


def sheet_settings(
    generator: Generator,
    size: int,
    truncation: float | None,
    pictures: Iterable[Seed],
    edits: Iterable[Edit],
    label: int = 0,
) -> dict[str, Any]:
    """The settings of a sheet: those of its pictures, their numbers or digests in order, and the rules."""
    shown = [getattr(picture, "digest", picture) for picture in pictures]
    rules = [{"name": edit.name, "strength": edit.strength} for edit in edits]
    return settings_of(generator, size, truncation, label) | {"pictures": shown, "rules": rules}


def save_picture(
    picture: Image.Image, path: Path, *, settings: Mapping[str, Any] | None = None, **options: object
) -> Path:
    """Write a picture in the format of the path's ending, completely or not at all, and return the path.

    settings: of the drawing; a PNG stores them as JSON under `NOTE`.  options: of Pillow's `save`.
    Raises OSError in one sentence.
    """
    make_folder(path.parent)
    if settings is not None and FORMATS[path.suffix.lower()] == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text(NOTE, json.dumps(settings))
    with writing(path) as partial:
        picture.save(partial, FORMATS[path.suffix.lower()], **options)
    return path


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _across(count: int, side: int, gap: int = GAP) -> int:
    """The width in pixels of `count` pictures in a row."""
    return count * (side + gap) - gap


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture resized by bicubic interpolation: uint8 (H, H) or (H, H, C) -> (side, side) or (side, side, C)."""
    if picture.shape[0] == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def lit(picture: np.ndarray, heat: np.ndarray, low: float, high: float) -> np.ndarray:
    """A picture, uint8 (H, H, 3), dimmed where a response is low (paper, Figure 2c).

    heat: (h, h), the response; up to `low` the picture is dimmest, from `high` on it is unchanged.
    """
    share = np.clip((heat - low) / max(high - low, 1e-9), 0, 1) ** 0.5
    light = enlarged((255 * share).astype(np.uint8), len(picture)).astype(np.float32)[..., None] / 255
    return (picture * (0.25 + 0.75 * light)).round().astype(np.uint8)
