"""Figure 2: the matches of a key, and the drawing of a value alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rewriting.core.contact_sheet import lit
from rewriting.core.layer_choice import in_place, isolated
from weights.experiments.drawing import fitted, sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.gallery import best_matches
from weights.experiments.solved import Solved, Solver

RULES_SHOWN = ("frowns-to-smiles", "glasses-come-off", "trees-from-towers", "no-watermarks", "no-main-windows")
FIRST = 1000
ACROSS = 6
DIM_BELOW = 0.8  # quantile of the response that counts as dark


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: the number of pictures to search for matches."""
    report.text(
        f"A context's key matches places: bright is where d . k is high, in the {ACROSS} of {n} pictures that answer "
        "most strongly. A value says what is drawn there: the patch of values under a mask, sent through the rest of "
        "the generator as if it were all there is, beside the same patch in its picture."
    )
    solver, rows = Solver(), []
    for name in RULES_SHOWN:
        progress(f"Matching {name}")
        solved = solver.solve(name)
        picture, within = matched(solved, n)
        rows.append([solved.rule.title, solved.request.layer, within, area_share(solved)])
        report.number(name, within)
        report.picture(f"{name}-keys.webp", picture, f"{solved.rule.title}: what the context's key matches.")
        report.picture(f"{name}-values.webp", alone(solved), f"{solved.rule.title}: values in place and alone.")
    report.table(
        "Where the keys answer",
        ["rule", "layer", "strongest answer lies in the rule's area", "which is this share of the picture"],
        rows,
        "Share of unseen pictures of the rule in which the position with the highest d . k lies where the scene's "
        "true labels say that the rule is about.",
    )


def matched(solved: Solved, n: int) -> tuple[np.ndarray, float]:
    """The best matches, lit by their response, and the share of pictures whose strongest response is in the rule's
    area."""
    seeds = best_matches(solved.rewriter, solved.request, range(FIRST, FIRST + n), ACROSS)
    heat = solved.rewriter.matches(solved.request, seeds).heat
    low, high = float(np.quantile(heat, DIM_BELOW)), float(heat.max())
    pictures = solved.rewriter.images(seeds)
    rows = [list(pictures), [lit(p, h, low, high) for p, h in zip(pictures, heat, strict=True)]]
    inside = strongest_inside(
        solved.rewriter.matches(solved.request, solved.material.unseen).heat, solved.material.areas
    )
    return sheet(rows, sides=["pictures", "matches"]), float(inside.mean())


def strongest_inside(heat: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Whether the maximum of each map lies in the area: heat (N, h, w), areas bool (N, H, W) -> bool (N,)."""
    cell, side = areas.shape[-1] // heat.shape[-1], heat.shape[-1]
    places = heat.reshape(len(heat), -1).argmax(1)
    tiles = areas.reshape(len(areas), side, cell, side, cell).any((2, 4)).reshape(len(areas), -1)
    return tiles[np.arange(len(places)), places]


def area_share(solved: Solved) -> float:
    """The mean area of the rule as a share of the picture, which is the result of chance."""
    return float(solved.material.areas.mean())


def alone(solved: Solved) -> np.ndarray:
    """Patches in their pictures, and drawn from their values alone."""
    regions = [r for r in (solved.request.copy, *solved.request.context) if r is not None][:ACROSS]
    placed, single = ([draw(solved.rewriter, region, margin=2) for region in regions] for draw in (in_place, isolated))
    side = max(max(patch.shape[:2]) for patch in (*placed, *single))
    rows = [[fitted(patch, side) for patch in row] for row in (placed, single)]
    headings = ["copied" if region is solved.request.copy else "context" for region in regions]
    return sheet(rows, headings=headings, sides=["in place", "alone"])
