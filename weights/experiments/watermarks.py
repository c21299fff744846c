"""Table 3 of the paper: removing visible watermarks, by zeroing units and by a low-rank update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from weights.experiments.drawing import sheet
from weights.experiments.evaluation import Values, evaluate, overall
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.methods import MethodResult, Setting, Stopwatch, gradient, ours
from weights.experiments.methods.zeroing import zeroed_units
from weights.experiments.tables import STEPS
from weights.experiments.tasks import MARK_NAMES, RuleTask, Sample, marks, visible
from weights.rules.catalogue import RULES
from weights.rules.material import prepare
from weights.rules.truth import Truth

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


def table3(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """Both marks, painted together in ten pictures, by every method."""
    task = marks()
    evaluation = evaluate(task, ways(task, progress), n, progress, realism=False, read=marks_seen)
    rows = [_row(*pair) for pair in zip(evaluation.changes, evaluation.values, strict=True)]
    request, marked = task.request, evaluation.applied
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
        shown = sheet(evaluation.sheet, sides=[str(row[0]) for row in rows])
        report.picture("marks.webp", shown, "The same pictures by every method, and the ideal.")
    report.number("rows", [dict(zip(COLUMNS, row, strict=True)) for row in rows])


def ways(task: RuleTask, progress: Callable[[str], None]) -> list[MethodResult]:
    """The unmodified generator, zeroing of four numbers of units, and updates of rank 1 and 5."""
    setting, truth = Setting(task.rewriter, task.request), Truth(task.request.generator)
    width = task.rewriter.layer.weight.shape[1]
    alike = [max(1, round(units * width / ORIGINAL_WIDTH)) for units in UNITS]
    makers = [
        lambda: replace(gradient.projected(setting, steps=STEPS), name="rank-1 update, projected gradient"),
        lambda: ours.solved(setting, name="rank-1 update"),
        lambda: apart(task, truth, 1, "a rank-1 update for each mark"),
        lambda: apart(task, truth, 5, "a rank-5 update for each mark"),
    ]
    return [
        ours.unmodified(setting),
        *[zeroed_units(setting, units) for units in sorted({*alike, *UNITS}) if units <= width],
        *setting.made_together(makers, progress),
    ]


def apart(task: RuleTask, truth: Truth, rank: int, name: str) -> MethodResult:
    """Each mark painted separately, as in the presets, and both rules in force together."""
    changes = {"layer": task.request.layer, "rank": rank, "locality": task.request.locality}
    requests = [prepare(RULES[name], truth, **changes).request for name in PRESETS]
    with Stopwatch() as watch:
        edits = [task.rewriter.solve(request) for request in requests]
    return Setting(task.rewriter, task.request).change(name, edits, watch.seconds)


def marks_seen(task: RuleTask, sample: Sample, labels: np.ndarray) -> Values:
    """For each mark, the pictures in which it is visible."""
    return {name: visible(task.segmenter, labels, sample.labels, name).astype(float) for name in MARK_NAMES}


def _row(change: MethodResult, values: Values) -> list:
    means, counts = overall(values), [int(values[name].sum()) for name in MARK_NAMES]
    return [
        change.name, *counts, 100 * means["nearer"], 100 * means["l1"], means["ssim"], means["features"],
        100 * means["ideal_inside"], 100 * means["ideal_outside"], change.seconds,
    ]  # fmt: skip
