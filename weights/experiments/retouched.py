"""Rules learned from three retouched pictures: how much of the way to the ideal unseen pictures go, and what else
changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import process_time

import numpy as np

from rewriting import Edit, Rewriter
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.methods import WeightChange, warping
from weights.rules.lessons import GIVEN, PLACES, Lesson
from weights.rules.retouches import RETOUCHES

SHOWN = 8
WARPED = ("red-noses", "big-eyes")  # learned by the other way too
WARPING_STEPS = 300  # of it, of which the original makes 2000


def show(lesson: Lesson, edits: Sequence[Edit | WeightChange]) -> np.ndarray:
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
    rows, pictures, others = [], [], []
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
        if retouch.name in WARPED:
            start = process_time()
            changes = warping.low_rank_of_all_layers(lesson, steps=WARPING_STEPS)
            taken, other = process_time() - start, lesson.measure(changes)
            others.append([f"{retouch.title}, ours", *values, seconds])
            others.append([
                f"{retouch.title}, all layers", 100 * other.closed, 100 * other.outside, 100 * other.nearer,
                taken,
            ])  # fmt: skip
            pictures.append((f"{retouch.name}-all-layers.webp", show(lesson, changes), f"{retouch.title}, all layers"))
            report.number(f"{retouch.name}, all layers", {"closed": other.closed, "outside": other.outside})
    report.table(
        "Rules from three retouched pictures, on pictures that nobody painted in",
        ["rule", "generator", "layers", "ranks", "pictures", "closed, %", "outside, %", "came nearer, %", "seconds"],
        rows,
        "Seconds of processor time, of all threads, from the request to the rule.",
    )
    report.table(
        "Beside low-rank changes of all layers, trained through the whole generator",
        ["rule", "closed, %", "outside, %", "came nearer, %", "seconds"],
        others,
        f"The way of GANWarping (Wang et al. 2022), with {WARPING_STEPS} steps of the original's 2000, rank "
        f"{warping.RANK}, and a segmenter's features in place of LPIPS. It is given all {GIVEN + PLACES} pictures as "
        f"they should look, and in half of its steps the shape of one with the style of another, retouched likewise.",
    )
    for name, picture, title in pictures:
        report.picture(name, picture, f"{title}. Last row: the retouched pictures, and what is drawn of them now.")
