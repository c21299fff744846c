"""Curves of efficacy against collateral change for this software at several localities and strengths, beside the other
methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rewriting import Request
from weights.experiments.chart import Point, beyond, chart
from weights.experiments.columns import latin, table
from weights.experiments.evaluation import Scores
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.methods import MethodResult, Setting, WeightChange, ours
from weights.experiments.tasks import RuleTask

SWEEP = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 20.0)  # localities of the first curve, in the request's rank
RANKS = (1, 10)  # of which the one that the paper does not take for a task gets a curve too
RANK_SWEEP = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)  # of that
STRENGTH, STRONG_SWEEP = 1.5, (0.0, 0.1, 0.5, 2.0, 5.0)  # of two more, one for each of these ranks
MOST = 1000  # pictures, the first, that curves and what is drawn beside them are measured on
SLACK = 0.01  # of the efficacy: less is not told apart on a few hundred pictures
EFFICACIES = {"intended": "by what was intended", "nearer": "by what came nearer to the ideal"}


@dataclass(frozen=True)
class Curve:
    """The points of this software at one rank and strength.  points: {locality: name of the change}."""

    rank: int
    strength: float
    points: dict[float, str]

    @property
    def title(self) -> str:
        return f"rank {self.rank}{strongly(self.strength)}"

    def scores(self, of: Mapping[str, Scores]) -> list[Scores]:
        """The scores of a curve's points, in order of collateral change."""
        return sorted((of[name] for name in self.points.values()), key=lambda s: s.l1)

    def passes(self, of: Mapping[str, Scores], other: Scores, by: str) -> bool:
        """Whether a curve passes through or above a method's point.  by: the score that is the efficacy."""
        points = [Point(s.l1, getattr(s, by)) for s in self.scores(of)]
        return beyond(points, Point(other.l1, getattr(other, by)), SLACK)


def strongly(strength: float) -> str:
    """The suffix of a name for a strength."""
    return "" if strength == 1 else f", {strength:g} times as strong"


def curves(request: Request) -> list[Curve]:
    """The curves at the request's rank and at another one, as solved and stronger; the first includes the request's
    locality."""
    low, high = RANKS
    ranks = request.rank, high if request.rank < high else low
    swept = [(ranks[0], 1.0, SWEEP), (ranks[1], 1.0, RANK_SWEEP), *[(rank, STRENGTH, STRONG_SWEEP) for rank in ranks]]
    listed = []
    for rank, strength, localities in swept:
        points = {x: f"rank {rank}, locality {x:g}{strongly(strength)}" for x in localities}
        if (rank, strength) == (request.rank, 1.0):
            points[request.locality] = ours.OURS
        listed.append(Curve(rank, strength, points))
    return listed


def changes(setting: Setting, methods: Sequence[MethodResult], progress: Callable[[str], None]) -> list[MethodResult]:
    """The changes for the curves, and stronger copies of the other methods' weight changes."""
    makers = [
        ours.maker(setting, name, strength=curve.strength, rank=curve.rank, locality=locality)
        for curve in curves(setting.request)
        for locality, name in curve.points.items()
        if name != ours.OURS
    ]
    others = [stronger(setting, change) for change in methods if change.edits and change.name != ours.OURS]
    return [replace(change, most=MOST) for change in (*setting.made_together(makers, progress), *others)]


def stronger(setting: Setting, change: MethodResult) -> MethodResult:
    """A method's weight change, scaled up."""
    edits = [WeightChange(edit.layer, STRENGTH * edit.delta()) for edit in change.edits]
    return setting.change(f"{change.name}{strongly(STRENGTH)}", edits, change.seconds)


def lay_out(report: ExperimentReport, task: RuleTask, scores: Mapping[str, Scores], others: Sequence[str]) -> None:
    """The chart, its verdict on each method, and the points as tables.  others: names of the other methods."""
    drawn = curves(task.request)
    draw(report, task, drawn, scores, others)
    compare(report, task, drawn, scores, others)
    strengthened = [f"{name}{strongly(STRENGTH)}" for name in others]
    strengthened = [name for name in strengthened if name in scores]
    for curve in drawn:
        table(report, f"The points of our curve, {curve.title}", curve.scores(scores))
    title = f"The methods that change weights{strongly(STRENGTH)}"
    table(report, title, [scores[name] for name in strengthened])
    compare(report, task, [c for c in drawn if c.strength == STRENGTH], scores, strengthened, STRENGTH)


def draw(
    report: ExperimentReport,
    task: RuleTask,
    drawn: Sequence[Curve],
    scores: Mapping[str, Scores],
    others: Sequence[str],
) -> None:
    """Draw the curves of efficacy against collateral change, and points for the other methods."""
    lines = {
        f"ours, {curve.title}": [
            Point(scores[name].l1, scores[name].intended, f"{x:g}") for x, name in curve.points.items()
        ]
        for curve in drawn
    }
    points = [Point(scores[name].l1, scores[name].intended, latin(name)) for name in others]
    shown = chart(
        lines, points, title=task.title, y_title=task.efficacy,
        x_title="mean change outside the target, of the full range",
    )  # fmt: skip
    caption = "Efficacy against collateral change, at several localities: further up and left is better."
    report.picture(f"{task.name}-curve.png", shown, caption)


def compare(
    report: ExperimentReport,
    task: RuleTask,
    drawn: Sequence[Curve],
    scores: Mapping[str, Scores],
    others: Sequence[str],
    strength: float = 1.0,
) -> None:
    """The curves that pass through or above each method's point.  strength: of the methods."""
    strengths = list(dict.fromkeys(curve.strength for curve in drawn))
    passed = {
        name: {
            f"{EFFICACIES[by]}{strongly(own if len(strengths) > 1 else 1)}": [
                curve.rank for curve in drawn if curve.strength == own and curve.passes(scores, scores[name], by)
            ]
            for own in strengths
            for by in EFFICACIES
        }
        for name in others
    }
    columns = list(dict.fromkeys(column for by_column in passed.values() for column in by_column))
    rows = [[name, *[said_of(ranks) for ranks in by_column.values()]] for name, by_column in passed.items()]
    note = (
        f"On or beyond: with no more L1 outside the target the curve has at least the same efficacy, to {SLACK:.0%}."
    )
    title = f"Does a curve of ours pass on or beyond the method's point{strongly(strength)}?"
    report.table(title, ["method", *columns], rows, note)
    report.number(f"{task.name}: beyond{strongly(strength)}", passed)


def said_of(ranks: Sequence[int]) -> str:
    """The ranks at which a curve passes a point, in words."""
    return " and ".join(f"rank {rank}" for rank in ranks) or "no"
