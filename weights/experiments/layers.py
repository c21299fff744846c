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
        request, trials = solver.material(name).request, []
        rewriter = partial(solver.rewriter, request.generator)
        for trial in suitabilities(solver.generator(request.generator), request, rewriter):
            trials.append(trial)
            rows.append([request.name, trial.layer, trial.isolation, trial.reached, trial.elsewhere, trial.score])
        report.number(name, {"recommended": recommended(trials), "used": request.layer})
        report.picture(f"{name}.png", chart(f"{request.name}, by layer", trials), f"{request.name}.")
    report.table(
        "Every layer tried",
        ["rule", "layer", "means the same alone", "goal reached", "changes elsewhere", "score"],
        rows,
        "Goal reached: share of the goal's loss that the solve removes. Changes elsewhere: of values at sampled "
        "places of other pictures, relative to their size. Score: the goal reached, less what changes elsewhere.",
    )


def chart(title: str, trials: list[Suitability]) -> np.ndarray:
    """Bars for the layers of one rule."""
    series = {
        "means the same alone": [trial.isolation for trial in trials],
        "goal reached": [trial.reached for trial in trials],
        "changes elsewhere": [trial.elsewhere for trial in trials],
    }
    return bars(title, [str(trial.layer) for trial in trials], series, top=1.0)
