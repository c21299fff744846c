"""The report of an experiment: a folder with report.json for programs, report.md for people, and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FORMAT, FORMAT_VERSION = "rewriting-experiment", 1
JSON, MARKDOWN = "report.json", "report.md"
ENDINGS, QUALITY = (".png", ".webp"), 90
ABSENT = "–"
Cell = str | float | None


class ExperimentReport:
    """Paragraphs, tables and pictures in the order in which they are added, and numbers.

    name: of the folder that `write` makes in `folder`.  Nothing is written before `write`.
    """

    def __init__(self, name: str, title: str, folder: Path):
        self.name, self.title, self.folder = name, title, Path(folder)
        self._parts: list[dict[str, Any]] = []
        self._pictures: dict[str, np.ndarray] = {}
        self._numbers: dict[str, Any] = {}

    def text(self, paragraph: str) -> None:
        """Add a paragraph of Markdown."""
        self._parts.append({"kind": "text", "text": paragraph.strip()})

    def table(self, title: str, columns: list[str], rows: list[list[Cell]], note: str = "") -> None:
        """Add a table; numbers are rounded only in the Markdown, and None or nan is an empty cell.

        Raises ValueError if a row has another number of cells than there are columns.
        """
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(f"The row {row!r} of {title!r} has {len(row)} cells; expected {len(columns)}.")
        cells = [[_plain(cell) for cell in row] for row in rows]
        self._parts.append({"kind": "table", "title": title, "columns": list(columns), "rows": cells, "note": note})

    def picture(self, file_name: str, picture: np.ndarray, caption: str) -> None:
        """Add a picture, uint8 (H, W, 3), under a file name: .png is exact, .webp is smaller.

        Raises ValueError for another array, for a name that is not a plain .png or .webp file name, and for a used
        name.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"The picture {file_name} is {picture.dtype} {picture.shape}; expected uint8 (H, W, 3).")
        if Path(file_name).name != file_name or Path(file_name).suffix not in ENDINGS:
            raise ValueError(f"{file_name!r} is no plain name of a .png or .webp file; choose another.")
        if file_name in self._pictures:
            raise ValueError(f"{file_name!r} is the name of an earlier picture; choose another.")
        self._pictures[file_name] = picture
        self._parts.append({"kind": "picture", "file": file_name, "caption": caption})

    def number(self, key: str, value: Any) -> None:
        """Add a number, or other JSON data, under a name, for programs."""
        self._numbers[key] = _plain(value)

    @property
    def path(self) -> Path:
        """The folder of the report: folder/name."""
        return self.folder / self.name

    def write(self) -> Path:
        """Write report.json, report.md and the pictures into `path`, and return it."""
        folder = self.path
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in self._pictures.items():
            Image.fromarray(picture).save(folder / name, optimize=True, quality=QUALITY)
        (folder / JSON).write_text(self.json(), encoding="utf-8")
        (folder / MARKDOWN).write_text(self.markdown(), encoding="utf-8")
        return folder

    def json(self) -> str:
        data = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "title": self.title,
            "numbers": self._numbers,
            "parts": self._parts,
        }
        return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def markdown(self) -> str:
        draw = {"text": lambda part: part["text"], "table": _table, "picture": _picture}
        return "\n\n".join([f"# {self.title}", *[draw[part["kind"]](part) for part in self._parts]]) + "\n"


def _plain(value: Any) -> Any:
    """The value as JSON: NumPy's numbers and arrays as Python's, and None for a number that is not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(part: dict[str, Any]) -> str:
    rows = [part["columns"], *part["rows"]]
    lines = ["| " + " | ".join(shown(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
    numeric = [all(not isinstance(row[i], str) for row in part["rows"]) for i in range(len(part["columns"]))]
    lines.insert(1, "| " + " | ".join("---:" if right else "---" for right in numeric) + " |")
    return "\n\n".join(text for text in (f"**{part['title']}**", "\n".join(lines), part["note"]) if text)


def _picture(part: dict[str, Any]) -> str:
    alt = part["caption"].replace("[", r"\[").replace("]", r"\]")
    return f"![{alt}]({part['file']})\n\n*{part['caption']}*"


def shown(cell: Cell | Sequence[Any]) -> str:
    """A cell for people: whole numbers unchanged, others with three significant digits."""
    if cell is None:
        return ABSENT
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return str(cell)
    if isinstance(cell, int) or cell == 0:
        return f"{int(cell):,}"
    digits = max(0, 2 - math.floor(math.log10(abs(cell))))
    return f"{cell:,.{min(digits, 6)}f}"
