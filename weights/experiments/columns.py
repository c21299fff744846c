"""The measures of changes as a table of a report."""

from __future__ import annotations

from collections.abc import Sequence

from weights.experiments.evaluation import Scores
from weights.experiments.experiment_report import ExperimentReport

MEASURES = """
*As intended* is read by the generator's segmenter. *Nearer to ideal* is the share of pictures that, where the ideal
asks for a change, came nearer to it than they are to what they were. *L1*, *SSIM* and *features* say what changed
outside the target: mean difference of the full range, structural similarity (1 is unchanged), and a distance in the
segmenter's features, built as LPIPS is but not LPIPS. *To ideal, inside* and *outside* are mean distances to the ideal
picture. *Fréchet* is the Fréchet distance, in the segmenter's features, to scenes in which the rule is in force where
the scene has a number for it: a stand-in for realism, without human judges. No number here compares with a published
LPIPS or FID; only the order does. *Seconds* are processor time spent on making the rule, without drawing a picture.
"""
COLUMNS = [
    "method", "as intended, %", "in all pictures, %", "nearer to ideal, %", "L1, %", "SSIM", "features",
    "to ideal, inside, %", "outside, %", "Fréchet", "seconds", "goal's loss left, %",
]  # fmt: skip
USUAL = "LPIPS, outside the target, and FID are the usual ones, of pictures as large as they are measured here."


def table(report: ExperimentReport, title: str, scores: Sequence[Scores], note: str = "") -> None:
    """The table, with a row for each change, and columns for LPIPS and FID if they were measured."""
    more = list(dict.fromkeys(name for score in scores for name in score.photographic))
    rows = [[*_row(score), *[score.photographic.get(name) for name in more]] for score in scores]
    report.table(title, [*COLUMNS, *more], rows, " ".join(filter(None, [note, USUAL if more else ""])))


def _row(s: Scores) -> list[str | float | None]:
    left = None if s.loss is None else 100 * s.loss[1] / max(s.loss[0], 1e-12)
    percent = [100 * x for x in (s.intended, s.everywhere, s.nearer)]
    return [
        s.name, *percent, 100 * s.l1, s.ssim, s.features, 100 * s.ideal_inside, 100 * s.ideal_outside, s.frechet,
        s.seconds, left,
    ]  # fmt: skip


def latin(name: str) -> str:
    """A heading for pictures, whose font has no Greek letters."""
    return name.replace("Λ", "Lambda")
