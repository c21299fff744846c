"""Rules learned from three retouched pictures: how much of the way to the ideal unseen pictures go, and what else
changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import process_time

import numpy as np

from rewriting import Edit, Rewriter
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.rules.lessons import GIVEN, PLACES, Lesson
from weights.rules.retouches import RETOUCHES

SHOWN = 8


def show(lesson: Lesson, edits: Sequence[Edit]) -> np.ndarray:
    """Unseen pictures before, after and as they should be; and the three that were retouched, as they are now."""
    seeds = lesson.unseen[:SHOWN]
    before, after = lesson.generator.images(seeds), lesson.generator.images(seeds, edits)
    ideal = [lesson.ideal(seed, picture) for seed, picture in zip(seeds, before, strict=True)]
    given, now = lesson.seeds[:GIVEN], lesson.generator.images(lesson.seeds[:GIVEN], edits)
    shown = [lesson.ideal(s, picture) for s, picture in zip(given, lesson.generator.images(given), strict=True)]
    rows = [list(before), list(after), ideal, [*shown, None, *now]]
    return sheet(rows, sides=["before", "after", "ideal", "shown, drawn"])


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: unseen pictures of each retouch."""
    report.text(
        f"{GIVEN} pictures are retouched by a program, as a person would with a brush, a warp or another program; the "
        f"place is painted in {PLACES} more, to which the retouch is carried, as it is to pictures that nobody "
        f"painted in where the place is clear. Those measured are others again. Closed: the share of the distance to "
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
        measured = {name: getattr(outcome, name) for name in ("closed", "outside", "nearer")}
        report.number(retouch.name, measured | {"layers": edit.layers, "seconds": seconds})
        pictures.append((f"{retouch.name}.webp", show(lesson, [edit]), retouch.title))
    report.table(
        "Rules from three retouched pictures, on pictures that nobody painted in",
        ["rule", "generator", "layers", "ranks", "pictures", "closed, %", "outside, %", "came nearer, %", "seconds"],
        rows,
        "Seconds of processor time, of all threads, from the request to the rule.",
    )
    for name, picture, title in pictures:
        report.picture(name, picture, f"{title}. Last row: the retouched pictures, and what is drawn of them now.")
