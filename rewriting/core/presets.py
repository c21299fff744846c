"""Preset rules: folders of `presets/`, each with a request.json, a preview.webp and a card README.md.

A folder also holds the solved rule, in the files of a saved edit, so that a preset needs no solve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriting.files import read_json
from rewriting.installation import DATA

if TYPE_CHECKING:
    from rewriting.core.edit import Edit
    from rewriting.core.request import Request

FACTORS = "edit.safetensors"
FOLDER = DATA / "presets"


@dataclass(frozen=True)
class Preset:
    """A rule that comes with the software.

    name: of its folder.  request: its notes hold the measurements on unseen pictures ("measured") and on own pictures
    ("brought"), and the numbers of pictures that show the rule ("show").  preview: a picture before and after, side by
    side.
    """

    name: str
    request: Request
    preview: Path

    @property
    def title(self) -> str:
        return self.request.name

    @property
    def generator(self) -> str:
        return self.request.generator

    def edit(self, base: str) -> Edit | None:
        """The solved rule for the weights with the digest `base`; None if the folder has none for these weights.

        Raises ValueError or FileNotFoundError if its files are damaged."""
        if not (self.folder / FACTORS).is_file():
            return None
        from rewriting.core.edit import Edit  # with PyTorch, which a list of presets does not need

        edit = Edit.load(self.folder)
        return edit.with_(request=self.request, name=self.title) if edit.base == base else None

    @property
    def folder(self) -> Path:
        return self.preview.parent

    @property
    def measured(self) -> str:
        """A sentence with the share of unseen pictures, and of own pictures, that changed as intended, and the change
        elsewhere."""
        notes = self.request.notes
        said = [str(notes[name]) for name in ("measured", "brought") if name in notes]
        return "; ".join(said)

    @property
    def shown(self) -> list[int]:
        """Seeds of unseen pictures to which the rule applies."""
        return [int(seed) for seed in self.request.notes.get("show", [])]


def written() -> dict[str, dict[str, Any]]:
    """The JSON of every preset's request by name, in the order of their cards, without decoding masks."""
    found = {path.parent.name: read_json(path) for path in FOLDER.glob("*/request.json")}
    return dict(sorted(found.items(), key=lambda named: (named[1]["notes"].get("order", 99), named[0])))


@lru_cache
def presets() -> dict[str, Preset]:
    """All presets by name, in the order of their cards."""
    from rewriting.core.request import Request  # with numpy and Pillow, which a list of the presets does not need

    return {
        name: Preset(name, Request.from_json(request), FOLDER / name / "preview.webp")
        for name, request in written().items()
    }


def preset(name: str) -> Preset:
    """A preset by name.  Raises ValueError, with the known names, for another name."""
    if name not in presets():
        raise ValueError(f"There is no preset {name!r}; there are {', '.join(presets()) or 'none'}.")
    return presets()[name]
