"""Figure 1: three rules in succession, each as effective in the stack as alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rewriting import EditStack
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.solved import Solved, Solver
from weights.rules.truth import Truth

RULES_IN_ORDER = ("no-watermarks", "people-in-front", "trees-from-towers")
FIRST = 1000  # the pictures shown are looked for from here on
SHOWN = 6
ALIKE = 0.05  # of the pictures: how much less effective a rule may be in the stack to count as equal


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: the number of pictures to search for suitable ones."""
    solver, solved = Solver(), []
    for name in RULES_IN_ORDER:
        progress(f"Solving {name}")
        solved.append(solver.solve(name))
    edits = [solution.edit for solution in solved]
    report.text(
        "Three rules, solved one by one on the unchanged generator, then applied together. They are changes of the "
        "same layer's weights, which add: the stack is W0 + sum of Lambda D."
    )
    rows = []
    for solution in solved:
        title = solution.rule.title
        progress(f"Measuring {solution.name} alone and in the stack")
        alone, stacked = solution.measure(), solution.measure(edits)
        rows.append([title, alone.among, alone.worked, stacked.worked, alone.elsewhere, stacked.elsewhere])
        share = (alone.worked / alone.among, stacked.worked / stacked.among)
        report.number(solution.name, {"alone": share[0], "stacked": share[1], "equal": share[1] >= share[0] - ALIKE})
    report.table(
        "Each rule alone and with the two others",
        ["rule", "pictures", "worked alone", "worked in the stack", "elsewhere, alone", "elsewhere, in the stack"],
        rows,
        "On each rule's own unseen pictures. Elsewhere: mean change outside the rule's area, of the full range; in "
        "the stack that includes what the two other rules are meant to do. People count where the segmenter reads "
        "them: this generator's own crowds are soft, and the ones that the rule puts there are softer still.",
    )
    _show(report, solved, fitting(solver.truth("church"), range(FIRST, FIRST + n))[:SHOWN])
    _orders(report, solved)


def fitting(truth: Truth, seeds: Sequence[int]) -> list[int]:
    """Pictures to which all three rules apply: a word across a church with a spire or a dome, and no people."""
    marked, topped, people = (
        truth.mask(seeds, *names).sum((1, 2)) for names in (("mark_middle",), ("spire", "dome"), ("person",))
    )
    wanted = (marked > 100) & (topped > 150) & (people == 0)
    return [seed for seed, good in zip(seeds, wanted, strict=True) if good]


def _show(report: ExperimentReport, solved: Sequence[Solved], seeds: Sequence[int]) -> None:
    generator = solved[0].generator
    edits = [solution.edit for solution in solved]
    rows = [list(generator.images(seeds, edits[:count])) for count in range(len(edits) + 1)]
    sides = ["unmodified", *(f"+ {solution.rule.title}" for solution in solved)]
    report.picture(
        "succession.webp",
        sheet(rows, sides=sides),
        f"The first {len(seeds)} pictures with a word, a spire or dome, and nobody in front; one rule more a row.",
    )


def _orders(report: ExperimentReport, solved: Sequence[Solved]) -> None:
    """Whether the order of the rules changes any bit of the pictures."""
    edits, seeds = [solution.edit for solution in solved], solved[0].material.unseen[:4]
    drawn = [solved[0].generator.images(seeds, EditStack(order)) for order in (edits, edits[::-1])]
    same = bool(np.array_equal(*drawn))
    report.number("order_matters", not same)
    report.text(
        "In the opposite order the pictures are the same, byte for byte."
        if same
        else "In the opposite order the pictures differ; see order_matters."
    )
