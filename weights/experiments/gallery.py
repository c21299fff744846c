"""Figures 7 to 12: a rule's request, and below it the best matches with its context, before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from rewriting import Request, Rewriter, processes
from weights.experiments.drawing import outlined, sheet, stacked
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.solved import COLUMNS, Solved, Solver
from weights.rules.catalogue import RULES

FIGURES = {
    "horse-hats": "Figure 7",
    "longer-tails": "Figure 8",
    "no-main-windows": "Figure 9",
    "fewer-trees": "Figure 10",
    "no-earrings": "Figure 11",
    "glasses-come-off": "Figure 12",
    "bushy-brows": "a moustache on the brows",
}
FIRST = 1000  # the pictures ranked start here: rules are painted in pictures below 200
BEST, ACROSS = 12, 6
CONTEXTS = 3


def best_matches(rewriter: Rewriter, request: Request, seeds: Iterable[int], count: int) -> list[int]:
    """The pictures with the highest scores in the context direction, best first."""
    seeds = list(seeds)
    order = np.argsort(-rewriter.matches(request, seeds).scores, kind="stable")
    return [seeds[i] for i in order[:count]]


def request_row(solved: Solved) -> tuple[list[np.ndarray], list[str]]:
    """The request in pictures with headings: the copied object, the goal, and some of the context."""
    request, generator = solved.request, solved.generator
    contexts = [r for r in request.context if request.paste is None or r.seed != request.paste.seed][:CONTEXTS]
    goal = solved.rewriter.goal_image(request)
    shown, headings = [], []
    if not request.erase:
        shown.append(outlined(generator.images([request.copy.seed])[0], request.copy.mask))
        shown.append(outlined(generator.images([request.paste.seed])[0], request.paste.mask))
        headings += ["copy", "paste here"]
    shown.append(goal)
    headings.append("goal")
    for region in contexts:
        shown.append(outlined(generator.images([region.seed])[0], region.mask))
        headings.append("context")
    return shown, headings


def gallery_sheet(solved: Solved, seeds: Sequence[int]) -> np.ndarray:
    """The layout of the paper: the request, and below it pairs of pictures, unmodified above changed."""
    shown, headings = request_row(solved)
    before = solved.generator.images(seeds)
    after = solved.rewriter.images(seeds, [solved.edit])
    rows: list[list[np.ndarray]] = []
    sides: list[str] = []
    for start in range(0, len(seeds), ACROSS):
        rows += [list(before[start : start + ACROSS]), list(after[start : start + ACROSS])]
        sides += ["unmodified", "changed"]
    return stacked(sheet([shown], headings=headings), sheet(rows, sides=sides))


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: the number of pictures to search for matches."""
    report.text(
        f"Each rule as the paper shows it: what was copied, pasted and painted as context, and under that the {BEST} "
        f"of {n} pictures that score highest in the context direction, before and after. None of them was painted in."
    )
    solver, rows, own = Solver(), [], []
    for name in processes.mine(list(FIGURES)):
        progress(f"{FIGURES[name]}: {RULES[name].title}")
        solved = solver.solve(name)
        seeds = best_matches(solved.rewriter, solved.request, range(FIRST, FIRST + n), BEST)
        measured = solved.measure()
        own.append((name, solved.row(measured), measured.worked / measured.among, gallery_sheet(solved, seeds)))
    for name, row, worked, shown in processes.gathered(own):
        rows.append([FIGURES[name], *row])
        report.number(name, worked)
        report.picture(f"{name}.webp", shown, f"{FIGURES[name]}. {RULES[name].title}.")
    report.table(
        "How often the rules work",
        ["figure", *COLUMNS],
        rows,
        "Counted on pictures, taken in order, that have the thing and that the rule was not made from, as on the "
        "cards in presets: nearer to the ideal picture than to the unmodified one, or read there by the segmenter.",
    )
