"""Measure changes on a task's pictures, all changes together, so that each picture is prepared only once.

The processes of a `torchrun` share the pictures.  Each process gets the results of all, in the order of the pictures,
so that the numbers equal those of one process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rewriting import processes
from rewriting.generators import heap
from weights.experiments import tasks
from weights.experiments.baseline import Baseline
from weights.experiments.measures import frechet
from weights.experiments.methods import MethodResult
from weights.experiments.photographic import FID, LPIPS, Networks
from weights.experiments.tasks import RuleTask, Sample

IDEAL = "the ideal picture"
SHOWN = 8
REALISM = "realism"
Progress = Callable[[str], None]
Values = dict[str, np.ndarray]  # of some pictures, by the measure's name: (N,), nan where unknown; features are (N, d)
Read = Callable[[RuleTask, Sample, np.ndarray], Values]  # what the segmenter's labels of changed pictures say


@dataclass(frozen=True)
class Scores:
    """Means over pictures, of one change.

    intended: share of success over the pictures to which the rule applies; everywhere: over all pictures.
    nearer: share of pictures that came nearer to the ideal than to the unmodified picture.  l1, ssim, features: change
    outside the target.
    ideal_inside, ideal_outside: mean distance from the ideal picture, as a share of the full range.  frechet: distance
    of the features from those of scenes.  seconds, loss: see `MethodResult`.  photographic: LPIPS outside the target
    and FID to scenes, if they are installed.
    """

    name: str
    intended: float
    everywhere: float
    nearer: float
    l1: float
    ssim: float
    features: float
    ideal_inside: float
    ideal_outside: float
    frechet: float
    seconds: float
    loss: tuple[float, float] | None
    photographic: dict[str, float] = field(default_factory=dict)

    def numbers(self) -> dict[str, object]:
        """All scores, as data."""
        own = {name: value for name, value in vars(self).items() if name != "photographic"}
        return own | self.photographic


@dataclass(frozen=True)
class TaskEvaluation:
    """The measures of all changes on a task's pictures.

    changes: names of the changes, then the ideal.  values: of each change.  applied: the number of pictures to which
    the rule applies.  reference: features of scenes, each (M, d), for the Frechet distances, if these are measured.
    sheet: uint8 (rows, SHOWN, H, W, 3): some of the pictures, a row for each change, the ideal last.
    """

    changes: list[MethodResult]
    values: list[Values]
    applied: int
    sheet: np.ndarray
    reference: Values

    @cached_property
    def scores(self) -> list[Scores]:
        """The scores of each change, the ideal last."""
        return [_scores(*pair, self.reference) for pair in zip(self.changes, self.values, strict=True)]

    def of_first(self, most: int) -> list[Scores]:
        """The scores on the first pictures alone, without the Frechet distance, which depends on the number of
        pictures."""
        first = [{name: column[:most] for name, column in values.items()} for values in self.values]
        return [_scores(*pair, {}) for pair in zip(self.changes, first, strict=True)]


@dataclass
class _Kept:
    """The results of this process for one change.  shown: pictures for the sheet, with their numbers."""

    parts: list[Values] = field(default_factory=list)
    shown: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def add(self, sample: Sample, after: np.ndarray, values: Values) -> None:
        self.parts.append(values)
        chosen = np.flatnonzero(sample.applies)[: SHOWN - len(self.shown)]
        self.shown += [(sample.seeds[i], after[i].copy()) for i in chosen]

    def all_values(self, most: int | None) -> Values:
        parts = processes.gathered(self.parts)
        return {name: np.concatenate([part[name] for part in parts])[:most] for name in parts[0]}

    def all_shown(self) -> list[np.ndarray]:
        shown = sorted(processes.gathered(self.shown), key=lambda pair: pair[0])
        return [picture for _, picture in shown[:SHOWN]]


def as_intended(task: RuleTask, sample: Sample, labels: np.ndarray) -> Values:
    """Whether each picture is as the rule intends."""
    intended = task.intended(task.segmenter, labels, sample)
    return {"intended": np.where(sample.applies, intended, np.nan), "everywhere": intended}


def evaluate(
    task: RuleTask,
    changes: Sequence[MethodResult],
    n: int,
    progress: Progress,
    *,
    realism: bool = True,
    read: Read = as_intended,
) -> TaskEvaluation:
    """Draw n pictures with every change, and compare them.  realism: whether to measure the Frechet distance."""
    changes = [*changes, MethodResult(IDEAL, lambda seeds, before: before, float("nan"))]
    kept = [_Kept() for _ in changes]
    applied = done = 0
    whole = [change.most is None or change.most >= n for change in changes]
    networks = Networks.installed()
    for sample in task.samples(n):
        comparison = Baseline(task.segmenter, sample.before, sample.ideal, sample.area, networks)
        for change, on_all, own in zip(changes, whole, kept, strict=True):
            if on_all or sample.seeds[0] < tasks.FIRST + change.most:
                after = sample.ideal if change.name == IDEAL else change.draw(sample.seeds, sample.before)
                labels, features = task.segmenter.look(after)
                values = read(task, sample, labels) | comparison.measure(after)
                more = {REALISM: features, **networks.features(after)} if realism and on_all else {}
                own.add(sample, after, values | more)
        applied, done = applied + int(sample.applies.sum()), done + len(sample.seeds)
        heap.trim()
        progress(f"{task.title}: {min(n, done * processes.count())} of {n} pictures")
    reference = _features(task, n, networks) if realism else {}
    values = [own.all_values(change.most) for change, own in zip(changes, kept, strict=True)]
    shown = [own.all_shown() for own in kept]
    across = min(map(len, shown))
    return TaskEvaluation(
        changes, values, sum(processes.gathered([applied])), np.array([row[:across] for row in shown]), reference
    )


def _features(task: RuleTask, n: int, networks: Networks) -> Values:
    """The features of n scenes, each (n, d)."""
    parts = [{REALISM: task.segmenter.features(part), **networks.features(part)} for part in task.scenes(n)]
    parts = processes.gathered(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _scores(change: MethodResult, values: Values, reference: Values) -> Scores:
    apart = {
        name: frechet(values[name], of) for name, of in reference.items() if len(values.get(name, ())) > 1 < len(of)
    }
    means = overall(values)
    photographic = {name: means.pop(name) for name in [LPIPS] if name in means}
    photographic |= {name: apart[name] for name in [FID] if name in apart}
    return Scores(
        change.name, **means, frechet=apart.get(REALISM, float("nan")), seconds=change.seconds, loss=change.loss,
        photographic=photographic,
    )  # fmt: skip


def overall(values: Values) -> dict[str, float]:
    """The mean of every measure over the pictures for which it is known; nan without such a picture."""
    known = {name: column[~np.isnan(column)] for name, column in values.items() if name not in (REALISM, FID)}
    return {name: float(column.mean()) if len(column) else float("nan") for name, column in known.items()}
