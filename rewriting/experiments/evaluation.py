"""Measures changes on a task's pictures, all of them side by side so that every picture is prepared once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rewriting.experiments.measures import (
    difference,
    frechet,
    masked_mean,
    nearer_to_ideal,
    outside_features,
    outside_l1,
    outside_ssim,
)
from rewriting.experiments.methods import Change
from rewriting.experiments.tasks import Sample, Task

IDEAL = "the ideal picture"
SHOWN = 8
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scores:
    """Means over pictures, of one change.

    intended: share that is as intended, over pictures to which the rule applies; everywhere: over all pictures.
    nearer: share that came nearer to the ideal than to what they were.  l1, ssim, features: change outside the target.
    ideal_inside, ideal_outside: mean distance to the ideal picture, of the full range.  frechet: of the features, to
    scenes.  seconds, loss: see `Change`.
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


@dataclass(frozen=True)
class Evaluation:
    """scores: one for each change, then one for the ideal.  applied: to how many of the pictures the rule applies.

    sheet: uint8 (rows, SHOWN, H, W, 3): some of these pictures, a row for each change, the last the ideal.
    """

    scores: list[Scores]
    applied: int
    sheet: np.ndarray


def evaluate(task: Task, changes: Sequence[Change], n: int, progress: Progress, *, realism: bool = True) -> Evaluation:
    """Draw n pictures with every change and compare.  realism: whether to measure the Frechet distance."""
    changes = [*changes, Change(IDEAL, lambda seeds: np.empty(0), float("nan"))]
    kept: list[list[dict[str, np.ndarray]]] = [[] for _ in changes]
    shown: list[list[np.ndarray]] = [[] for _ in changes]
    applied = done = 0
    for sample in task.samples(n):
        for change, values, pictures in zip(changes, kept, shown, strict=True):
            after = sample.ideal if change.name == IDEAL else change.draw(sample.seeds)
            values.append(measured(task, sample, after, realism))
            pictures.extend(after[sample.applies][: SHOWN - len(pictures)])
        applied, done = applied + int(sample.applies.sum()), done + len(sample.seeds)
        progress(f"{task.title}: {done} of {n} pictures")
    reference = _features(task, task.scenes(n)) if realism else None
    scores = [_scores(change, values, reference) for change, values in zip(changes, kept, strict=True)]
    return Evaluation(scores, applied, np.stack([np.stack(row) for row in shown if row]) if applied else np.empty(0))


def measured(task: Task, sample: Sample, after: np.ndarray, realism: bool) -> dict[str, np.ndarray]:
    """All measures of a sample's pictures after a change, each (N,), nan where it does not apply."""
    intended = task.intended(task.segmenter, task.segmenter.labels(after), sample)
    apart = difference(after, sample.ideal)
    found = {
        "intended": np.where(sample.applies, intended, np.nan),
        "everywhere": intended,
        "nearer": nearer_to_ideal(sample.before, after, sample.ideal, sample.area),
        "l1": outside_l1(sample.before, after, sample.area),
        "ssim": outside_ssim(sample.before, after, sample.area),
        "features": outside_features(task.segmenter, sample.before, after, sample.area),
        "ideal_inside": masked_mean(apart, sample.area),
        "ideal_outside": masked_mean(apart, ~sample.area),
    }
    return found | ({"realism": task.segmenter.features(after)} if realism else {})


def _features(task: Task, pictures: object) -> np.ndarray:
    return np.concatenate([task.segmenter.features(part) for part in pictures])


def _scores(change: Change, parts: list[dict[str, np.ndarray]], reference: np.ndarray | None) -> Scores:
    drawn = np.concatenate([part["realism"] for part in parts]) if reference is not None else None
    enough = drawn is not None and len(reference) > 1 and len(drawn) > 1
    distance = frechet(drawn, reference) if enough else float("nan")
    return Scores(change.name, **overall(parts), frechet=distance, seconds=change.seconds, loss=change.loss)


def overall(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, float]:
    """The mean of every measure over the pictures of all samples for which it is known; nan if for none."""
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "realism"}
    known = {name: values[~np.isnan(values)] for name, values in joined.items()}
    return {name: float(values.mean()) if len(values) else float("nan") for name, values in known.items()}
