"""Preset rules: folders of `presets/`, each a request.json, a preview.webp and a card README.md.

A folder also holds the rule as it was solved, in the files of a saved edit: whoever presses it waits for no solve.
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

    name: of its folder.  request: what was copied, pasted and painted; its notes hold what was measured on pictures
    it was not made from ("measured") and pictures that show it ("show").  preview: before and after, side by side.
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
        """The rule as it was solved for the weights with that digest; None where it did not come along, or for others.
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
        """One sentence: how many unseen pictures changed as intended, and how much changed elsewhere."""
        return str(self.request.notes.get("measured", ""))

    @property
    def shown(self) -> list[int]:
        """Seeds of unseen pictures that the rule applies to."""
        return [int(seed) for seed in self.request.notes.get("show", [])]


def written() -> dict[str, dict[str, Any]]:
    """What every preset's request.json holds, by name, in the order of their cards; no mask in it is decoded."""
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
    """A preset by name; ValueError with the names there are."""
    if name not in presets():
        raise ValueError(f"There is no preset {name!r}; there are {', '.join(presets()) or 'none'}.")
    return presets()[name]
