"""The effect of the presets on own pictures: true scenes, which no generator drew and no rule was made from.

`python -m weights.rules.brought [NAME ...]` inverts scenes, measures the presets on them as `make_presets` does on
generated pictures, and writes the results into the presets' cards.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from time import process_time

from rewriting import EditStack, Request, load_generator
from rewriting.core.inversion import invert
from rewriting.core.presets import FOLDER, Preset, preset, written
from rewriting.generators.own_picture import OwnPicture
from weights.rules.catalogue import RULES, Recipe
from weights.rules.lessons import Lesson
from weights.rules.material import Material
from weights.rules.measure import measure
from weights.rules.retouches import RETOUCHES
from weights.rules.truth import Truth

SCENES = 8  # that each preset is measured on
HELD_OUT = 90_000  # number of the first
LOOKED_AT = 400  # scenes among which such are looked for that a rule is about
LAYERS = {"face": 7, "church": 7, "horse": 8, "kitchen": 8}  # at which scenes are inverted
ROW = re.compile(r"^\| pictures that the generator never drew.*\n", re.MULTILINE)


class Scenes:
    """A generator's scenes, and their inversions.

    seconds: processor time of each inversion.
    """

    def __init__(self, name: str):
        self.name, self.layer = name, LAYERS[name]
        self.generator = load_generator(name).requires_grad_(False)
        self.seconds: list[float] = []
        self._own: dict[tuple[int, int], OwnPicture] = {}

    @cached_property
    def whole(self) -> Truth:
        """The scenes in the generator's full size."""
        return Truth(self.name, self.generator.config.resolution)

    @cached_property
    def small(self) -> Truth:
        """The scenes in the size for measurements."""
        return Truth(self.name)

    def own(self, seed: int, layer: int | None = None) -> OwnPicture:
        """The inversion of a scene at `layer` or an earlier one."""
        layer = min(self.layer, layer or self.layer)
        if (seed, layer) not in self._own:
            start = process_time()
            *_, last = invert(self.generator, self.whole.pictures([seed])[0], layer)
            self.seconds.append(process_time() - start)
            self._own[seed, layer] = last.picture
        return self._own[seed, layer]


@dataclass(frozen=True)
class OnBrought:
    """The effect of a preset on inverted scenes, and on the generator's own pictures of the same numbers.

    hits, drawn_hits: whether each picture changed as intended.  outside, drawn_outside: mean change outside, as a
    share of the full range.
    """

    hits: list[bool]
    drawn_hits: list[bool]
    outside: float
    drawn_outside: float

    @property
    def ratio(self) -> float:
        """The change outside, relative to that on the generator's own pictures."""
        return self.outside / self.drawn_outside


def on_brought(chosen: Preset, scenes: Scenes, n: int, progress: Callable[[str], None] = print) -> OnBrought:
    """Measure a preset on the first n scenes to which it applies."""
    edits = EditStack.load(chosen.folder)
    lowest = min(layer for edit in edits for layer in edit.layers)

    def invert_all(seeds: list[int]) -> list[OwnPicture]:
        own = []
        for seed in seeds:
            own.append(scenes.own(seed, lowest))
            progress(f"{chosen.name} {seed}: {own[-1].psnr:.1f} dB")
        return own

    if chosen.name in RETOUCHES:
        lesson = Lesson(RETOUCHES[chosen.name], n, HELD_OUT)
        brought, drawn = lesson.measure(edits, invert_all(lesson.unseen)), lesson.measure(edits)
        return OnBrought(list(brought.hits), list(drawn.hits), brought.outside, drawn.outside)
    rule, truth = RULES[chosen.name], scenes.small
    seeds = about(rule, truth, n)
    judged = (rule.judged or rule.place)(truth, seeds)
    material = Material(chosen.request, seeds, judged)
    brought, drawn = (
        measure(rule, material, scenes.generator, list(edits), truth, own) for own in (invert_all(seeds), None)
    )
    return OnBrought(brought.hits.tolist(), drawn.hits.tolist(), brought.elsewhere, drawn.elsewhere)


def about(rule: Recipe, truth: Truth, n: int) -> list[int]:
    """The first n held-out scenes to which a rule applies."""
    numbers = range(HELD_OUT, HELD_OUT + LOOKED_AT)
    return list(islice((seed for seed in numbers if rule.place(truth, [seed]).sum() >= rule.least), n))


def note(name: str, result: OnBrought) -> str:
    """Write the results into a preset's card and request; returns the sentence."""
    folder, worked = FOLDER / name, f"{sum(result.hits)} of {len(result.hits)}"
    request = Request.load(folder / "request.json")
    notes = {**request.notes, "brought": f"of pictures that the generator never drew, {worked}"}
    request.with_(notes=notes).save(folder / "request.json")
    card = ROW.sub("", (folder / "README.md").read_text(encoding="utf-8"))
    row = f"| pictures that the generator never drew, changed as intended | {worked} |\n"
    *_, last = re.finditer(r"^\|.*\n", card, re.MULTILINE)
    (folder / "README.md").write_text(card[: last.end()] + row + card[last.end() :], encoding="utf-8")
    return f"{name}: {worked}, {result.ratio:.2f} times the change elsewhere of drawn pictures"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets to measure (default: all)")
    parser.add_argument(
        "--scenes", type=int, default=SCENES, metavar="N", help="scenes of each (default: %(default)s)"
    )
    options = parser.parse_args()
    opened: dict[str, Scenes] = {}
    for name in options.names or written():
        chosen = preset(name)
        scenes = opened.setdefault(chosen.generator, Scenes(chosen.generator))
        print(note(name, on_brought(chosen, scenes, options.scenes)))


if __name__ == "__main__":
    main()
