"""Rules learned from three retouched pictures: how much of the way to the ideal unseen pictures go, and what else
changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import process_time

import numpy as np

from rewriting import Edit, Region, Request, Rewriter, load_generator
from rewriting.core.retouch import Retouched
from rewriting.generators import Generator
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.retouches import RETOUCHES, Retouch, grown
from weights.rules.truth import Truth

GIVEN, PLACES = 3, 9  # pictures that are retouched, and further ones in which the place is painted
UNSEEN = 700  # pictures from here on are measured
LOOKED_AT = 400  # pictures among which such a place is looked for
DIFFERS = 8  # of 255: where the ideal differs by more from the picture, the place is inside
SHOWN = 8


@dataclass(frozen=True)
class Outcome:
    """closed: share of the distance to the ideal that is gone inside, mean of the pictures.  outside: mean change
    outside, of the full range.  nearer: share of the pictures that came nearer."""

    closed: float
    outside: float
    nearer: float


@lru_cache(maxsize=2)
def _opened(name: str) -> tuple[Generator, Truth]:
    generator = load_generator(name).requires_grad_(False)
    return generator, Truth(name, generator.config.resolution)


class Lesson:
    """A retouch with the pictures that it is learned from and measured on."""

    def __init__(self, retouch: Retouch, n: int):
        self.retouch = retouch
        self.generator, self.truth = _opened(retouch.generator)
        self.seeds = self._seeds(0, GIVEN + PLACES)
        self.unseen = self._seeds(UNSEEN, n)

    def _seeds(self, first: int, count: int) -> list[int]:
        found: list[int] = []
        for seed in range(first, first + LOOKED_AT):
            if len(found) == count:
                break
            if self.place(seed).any():
                found.append(seed)
        return found

    def place(self, seed: int) -> np.ndarray:
        return self.retouch.place(self.truth, seed)

    def ideal(self, seed: int, picture: np.ndarray) -> np.ndarray:
        return self.retouch.make(picture, self.place(seed))[0]

    def request(self, given: int = GIVEN) -> Request:
        """As somebody makes it: a few pictures retouched, and the place painted in more."""
        retouched = []
        for seed, picture in zip(self.seeds[:given], self.generator.images(self.seeds[:given]), strict=True):
            wanted, how = self.retouch.make(picture, self.place(seed))
            retouched.append(Retouched.found(seed, picture, wanted, how=how))
        context = [Region(seed, self.place(seed)) for seed in self.seeds]
        return Request(retouched=retouched, context=context, generator=self.retouch.generator, name=self.retouch.title)

    def measure(self, edits: Sequence[Edit]) -> Outcome:
        """On the unseen pictures."""
        closed, outside = [], []
        before, after = (self.generator.images(self.unseen, some) for some in ((), edits))
        for seed, old, new in zip(self.unseen, before, after, strict=True):
            ideal, old, new = (picture.astype(float) for picture in (self.ideal(seed, old), old, new))
            inside = np.abs(ideal - old).mean(-1) > DIFFERS
            if inside.any():
                closed.append(1 - np.abs(new - ideal)[inside].mean() / np.abs(old - ideal)[inside].mean())
            outside.append(np.abs(new - old)[~grown(self.place(seed), self.retouch.reach)].mean() / 255)
        return Outcome(float(np.mean(closed)), float(np.mean(outside)), float(np.mean(np.array(closed) > 0)))

    def show(self, edits: Sequence[Edit]) -> np.ndarray:
        """Unseen pictures before, after and as they should be; and the three that were retouched, as they are now."""
        seeds = self.unseen[:SHOWN]
        before, after = self.generator.images(seeds), self.generator.images(seeds, edits)
        ideal = [self.ideal(seed, picture) for seed, picture in zip(seeds, before, strict=True)]
        given, now = self.seeds[:GIVEN], self.generator.images(self.seeds[:GIVEN], edits)
        shown = [self.ideal(s, picture) for s, picture in zip(given, self.generator.images(given), strict=True)]
        rows = [list(before), list(after), ideal, [*shown, None, *now]]
        return sheet(rows, sides=["before", "after", "ideal", "shown, drawn"])


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: unseen pictures of each retouch."""
    report.text(
        f"{GIVEN} pictures are retouched by a program, as a person would with a brush, a warp or another program; the "
        f"place is painted in {PLACES} more, to which the retouch is carried. Closed: the share of the distance to "
        f"the ideal that is gone where the ideal differs from the picture, the ideal being the same program's work at "
        f"the true place in that picture. Outside: mean change away from the place, of the full range."
    )
    rows, pictures = [], []
    for retouch in RETOUCHES.values():
        progress(f"Learning {retouch.title}")
        lesson = Lesson(retouch, n)
        start = process_time()
        edit = Rewriter(lesson.generator).solve(lesson.request())
        seconds = process_time() - start
        outcome = lesson.measure([edit])
        layers = ", ".join(map(str, edit.layers))
        ranks = ", ".join(str(len(change.directions)) for change in edit.changes)
        values = 100 * outcome.closed, 100 * outcome.outside, 100 * outcome.nearer
        progress(f"{retouch.title}: {values[0]:.0f}% closed, {values[1]:.2f}% outside, after {seconds:.0f} s")
        rows.append([retouch.title, retouch.generator, layers, ranks, len(lesson.unseen), *values, seconds])
        report.number(retouch.name, vars(outcome) | {"layers": edit.layers, "seconds": seconds})
        pictures.append((f"{retouch.name}.webp", lesson.show([edit]), retouch.title))
    report.table(
        "Rules from three retouched pictures, on pictures that nobody painted in",
        ["rule", "generator", "layers", "ranks", "pictures", "closed, %", "outside, %", "came nearer, %", "seconds"],
        rows,
        "Seconds of processor time, of all threads, from the request to the rule.",
    )
    for name, picture, title in pictures:
        report.picture(name, picture, f"{title}. Last row: the retouched pictures, and what is drawn of them now.")
