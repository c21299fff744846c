"""Figures 13 to 18 and Appendix H: the suitable layers for rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from rewriting.core.layer_choice import Suitability, recommended, suitabilities
from weights.experiments.drawing import bars
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.solved import Solver

RULES_TRIED = ("frowns-to-smiles", "glasses-come-off", "trees-from-towers", "no-watermarks", "no-main-windows")


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: the largest number of rules."""
    report.text(
        "A layer suits a rule if a patch of its values, drawn alone, looks as it does in its place (the paper's test, "
        "there by Fréchet distance; here 1 is alike and 0 no better than another picture's patch), if the solve "
        "reaches the goal there, and if little changes elsewhere. A layer at which an object covers less than 2 x 2 "
        "positions is left out."
    )
    solver, rows = Solver(), []
    for name in RULES_TRIED[:n]:
        progress(f"Layers for {name}")
        request, found = solver.material(name).request, []
        rewriter = partial(solver.rewriter, request.generator)
        for one in suitabilities(solver.generator(request.generator), request, rewriter):
            found.append(one)
            rows.append([request.name, one.layer, one.isolation, one.reached, one.elsewhere, one.score])
        report.number(name, {"recommended": recommended(found), "used": request.layer})
        report.picture(f"{name}.png", chart(f"{request.name}, by layer", found), f"{request.name}.")
    report.table(
        "Every layer tried",
        ["rule", "layer", "means the same alone", "goal reached", "changes elsewhere", "score"],
        rows,
        "Goal reached: share of the goal's loss that the solve removes. Changes elsewhere: of values at sampled "
        "places of other pictures, relative to their size. Score: the goal reached, less what changes elsewhere.",
    )


def chart(title: str, found: list[Suitability]) -> np.ndarray:
    """Bars for the layers of one rule."""
    series = {
        "means the same alone": [one.isolation for one in found],
        "goal reached": [one.reached for one in found],
        "changes elsewhere": [one.elsewhere for one in found],
    }
    return bars(title, [str(one.layer) for one in found], series, top=1.0)
