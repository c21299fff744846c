"""Rules that fail, always or on some pictures, with pictures and the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.solved import COLUMNS, Solved, Solver
from weights.rules.measure import Measured

SHOWN = 8


@dataclass(frozen=True)
class Case:
    """A failure.  rule: its name.  changes: the settings of the rule that make it fail.  why: one paragraph."""

    title: str
    rule: str
    why: str
    changes: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case(
        "A good rule's misses",
        "fewer-trees",
        "A miss is seldom a church that keeps all its trees: those on one side go, or pale to ghosts, and one on the "
        "other side stays.",
    ),
    Case(
        "Averaged away",
        "bushy-brows",
        "Of 16 x 16 positions a brow covers two or three, and so does the piece of moustache pasted on it. Nothing in "
        "their keys says which part of it should be where: what the places have in common is kept, the rest averages "
        "out, and most brows only grow paler. Keys of twice the resolution can say it.",
        {"layer": 7, "rank": 5, "locality": 4.0},
    ),
    Case(
        "Too coarse a layer",
        "no-earrings",
        "Seen from 8 x 8 positions an earring is less than one of them. The painted context is mostly ear and hair, "
        "and so is what the rule is about: the earrings stay.",
        {"layer": 5},
    ),
    Case(
        "No locality",
        "frowns-to-smiles",
        "Asked for nothing but smiles, the solve gives smiles, and changes everything else on the way: demodulation "
        "divides by the norm of the weights, so that a large change dims its channel everywhere.",
        {"locality": 0.0},
    ),
    Case(
        "Too much locality",
        "frowns-to-smiles",
        "Leaving other places alone outweighs the goal. The objective then has its minimum at hardly any change.",
        {"locality": 100.0},
    ),
)


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: the largest number of cases."""
    report.text(
        "A low loss is no success: these rules were solved to the end, and look like this. Where a setting is named "
        "under the picture, the rule works better with its own."
    )
    solver, rows = Solver(), []
    for number, case in enumerate(CASES[:n], 1):
        progress(case.title)
        solved = solver.solve(case.rule, **case.changes)
        measured = solved.measure()
        rows.append([case.title, *solved.row(measured)])
        report.text(f"## {case.title}\n\n{case.why}")
        caption = f"{solved.rule.title}, {settings(case, solved)}; above unmodified, below changed."
        report.picture(f"failure-{number}.webp", worst(solved, measured), caption)
    report.table("In numbers", ["case", *COLUMNS], rows, "Counted on pictures that the rule was not made from.")


def settings(case: Case, solved: Solved) -> str:
    """The settings of a case."""
    request = solved.request
    known = {"layer": request.layer, "rank": request.rank, "locality": request.locality}
    about = {name: known[name] for name in case.changes} or known
    return ", ".join(f"{name} {value:g}" for name, value in about.items())


def worst(solved: Solved, measured: Measured) -> np.ndarray:
    """The first pictures on which the rule failed, filled up with others."""
    order = np.argsort(measured.hits, kind="stable")[:SHOWN]
    seeds = [solved.material.unseen[i] for i in order]
    rows = [list(solved.generator.images(seeds, edits)) for edits in ([], [solved.edit])]
    return sheet(rows, sides=["unmodified", "changed"])
