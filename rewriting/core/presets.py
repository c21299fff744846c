"""Preset rules: folders of `presets/`, each a request.json, a preview.webp and a card README.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rewriting.core.request import Request
from rewriting.installation import DATA

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

    @property
    def measured(self) -> str:
        """One sentence: how many unseen pictures changed as intended, and how much changed elsewhere."""
        return str(self.request.notes.get("measured", ""))

    @property
    def shown(self) -> list[int]:
        """Seeds of unseen pictures that the rule applies to."""
        return [int(seed) for seed in self.request.notes.get("show", [])]


@lru_cache
def presets() -> dict[str, Preset]:
    """All presets by name, in the order of their cards."""
    found = [
        Preset(path.parent.name, Request.load(path), path.parent / "preview.webp")
        for path in sorted(FOLDER.glob("*/request.json"))
    ]
    return {p.name: p for p in sorted(found, key=lambda p: (p.request.notes.get("order", 99), p.name))}


def preset(name: str) -> Preset:
    """A preset by name; ValueError with the names there are."""
    if name not in presets():
        raise ValueError(f"There is no preset {name!r}; there are {', '.join(presets()) or 'none'}.")
    return presets()[name]
