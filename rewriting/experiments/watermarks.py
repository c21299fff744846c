"""The paper's Table 3: visible watermarks, by zeroing units and by a rank-one update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rewriting.experiments.drawing import sheet
from rewriting.experiments.evaluation import IDEAL, SHOWN, measured, overall
from rewriting.experiments.methods import Change, Setting, Stopwatch, gradient, ours
from rewriting.experiments.methods.zeroing import zeroed_units
from rewriting.experiments.report import Report
from rewriting.experiments.tables import STEPS
from rewriting.experiments.tasks import MARK_NAMES, Task, marks, visible
from weights.recipe.rules import RULES, prepare
from weights.recipe.truth import Truth

PRESETS = ("no-watermarks", "no-captions")
UNITS = (30, 60)  # of the original's 512 channels; our layer has fewer, so the same share of them is shown as well
ORIGINAL_WIDTH = 512
PAPER = [
    ["zeroing 30 units", 0, 6], ["zeroing 60 units", 0, 4], ["rank-1 update", 0, 0], ["unmodified", 64, 26],
]  # fmt: skip
COLUMNS = [
    "method", "middle, visible", "bottom, visible", "nearer to ideal, %", "L1 outside, %", "SSIM", "features",
    "to ideal, inside, %", "outside, %", "seconds",
]  # fmt: skip


def table3(report: Report, *, n: int, progress: Callable[[str], None]) -> None:
    """Both marks, painted together in ten pictures, by every method."""
    task = marks()
    changes = list(ways(task))
    for change in changes:
        progress(f"{task.title}: {change.name} made in {change.seconds:.1f} s")
    rows, pictures, marked = count(task, changes, n, progress)
    request = task.request
    channels = task.rewriter.layer.weight.shape[1]
    report.text(
        f"The church generator draws a word across some pictures and a bar at the foot of others. Both were painted "
        f"in {len(request.context)} pictures numbered below 200; counted is what the segmenter reads in {n} others, "
        f"of which {marked} show a mark in truth. Layer {request.layer} has {channels} channels where the original "
        f"has {ORIGINAL_WIDTH}, so 30 and 60 units are a larger share of it; the same share is given as well. Units "
        f"are scored as in Appendix E; the updates aim at what the layer would say with 30 units silent at the marks. "
        f"Painted together, the marks share these 30, most of which speak of the word; so each mark is also painted "
        f"for itself, as in the presets. A mark counts as visible while the segmenter reads half as much of it as in "
        f"the unmodified picture."
    )
    report.table(f"Visible marks in {n} pictures", COLUMNS, rows)
    report.table("The paper's Table 3, 1000 pictures", ["method", "middle", "bottom"], PAPER)
    if marked:
        shown = sheet(pictures, sides=[str(row[0]) for row in rows])
        report.picture("marks.webp", shown, "The same pictures by every method, and the ideal.")
    report.number("rows", [dict(zip(COLUMNS, row, strict=True)) for row in rows])


def ways(task: Task) -> list[Change]:
    """Unmodified, zeroing of four numbers of units, and updates of rank 1 and 5."""
    setting, truth = Setting(task.rewriter, task.request), Truth(task.request.generator)
    width = task.rewriter.layer.weight.shape[1]
    alike = [max(1, round(units * width / ORIGINAL_WIDTH)) for units in UNITS]
    return [
        ours.unmodified(setting),
        *[zeroed_units(setting, units) for units in sorted({*alike, *UNITS}) if units <= width],
        replace(gradient.projected(setting, steps=STEPS), name="rank-1 update, projected gradient"),
        ours.solved(setting, name="rank-1 update"),
        apart(task, truth, 1, "a rank-1 update for each mark"),
        apart(task, truth, 5, "a rank-5 update for each mark"),
    ]


def apart(task: Task, truth: Truth, rank: int, name: str) -> Change:
    """Each mark painted for itself, as in the presets, and both rules in force together."""
    changes = {"layer": task.request.layer, "rank": rank, "locality": task.request.locality}
    requests = [prepare(rule, RULES[rule], truth, **changes).request for rule in PRESETS]
    with Stopwatch() as watch:
        edits = [task.rewriter.solve(request) for request in requests]
    return Setting(task.rewriter, task.request).change(name, edits, watch.seconds)


def count(
    task: Task, changes: Sequence[Change], n: int, progress: Callable[[str], None]
) -> tuple[list[list], np.ndarray, int]:
    """A row for each change and the ideal, pictures (rows, SHOWN, H, W, 3), and how many pictures have a mark."""
    changes = [*changes, Change(IDEAL, lambda seeds: np.empty(0), float("nan"))]
    seen = np.zeros((len(changes), len(MARK_NAMES)), int)
    values: list[list[dict[str, np.ndarray]]] = [[] for _ in changes]
    shown: list[list[np.ndarray]] = [[] for _ in changes]
    marked = done = 0
    for sample in task.samples(n):
        for i, change in enumerate(changes):
            after = sample.ideal if change.name == IDEAL else change.draw(sample.seeds)
            labels = task.segmenter.labels(after)
            seen[i] += [int(visible(task.segmenter, labels, sample.labels, name).sum()) for name in MARK_NAMES]
            values[i].append(measured(task, sample, after, False))
            shown[i].extend(after[sample.applies][: SHOWN - len(shown[i])])
        marked, done = marked + int(sample.applies.sum()), done + len(sample.seeds)
        progress(f"{task.title}: {done} of {n} pictures")
    rows = [_row(change, counts, overall(found)) for change, counts, found in zip(changes, seen, values, strict=True)]
    return rows, np.array(shown, np.uint8), marked


def _row(change: Change, counts: np.ndarray, means: dict[str, float]) -> list:
    return [
        change.name, *counts.tolist(), 100 * means["nearer"], 100 * means["l1"], means["ssim"], means["features"],
        100 * means["ideal_inside"], 100 * means["ideal_outside"], change.seconds,
    ]  # fmt: skip
