"""Objects that are scaled or turned where they are pasted: what the goal shows, and what the rule draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from rewriting import Region, Request, Rewriter, Transform, load_generator
from rewriting.core.composite import alike, composite, object_cover
from rewriting.core.masks import bounding_box, grown
from rewriting.core.transform import Placed
from rewriting.generators import Generator, to_uint8
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.rules.material import SIDE, paint
from weights.rules.places import widen
from weights.rules.truth import Truth
from weights.segmenter import Segmenter

TRANSFORMS = (
    Transform(), *(Transform(scale=scale) for scale in (0.7, 0.85, 1.2, 1.4)),
    *(Transform(turn=turn) for turn in (-30, -15, 15, 30)),
)  # fmt: skip
RULES = (Transform(), Transform(scale=0.7), Transform(scale=1.4), Transform(turn=-30), Transform(turn=30))
LAYERS = {8: TRANSFORMS, 7: RULES}  # with the transforms of the goals
PIXELS = 8  # the layer from which the pixels are drawn that others are compared with
SOURCES, CONTEXT, EACH = 4, 12, 10  # rules of each transform, their painted places, and their unseen pictures
FAR = 8  # pictures looked at for each that is wanted
PERSON, HAT = 80, 100  # pixels of 128 x 128 that are seen of a person, and of a hat
LOOSE = 2  # of these pixels: how much larger a hat is painted
READ = 0.5
ANGLES = range(-45, 46, 3)
NEAR = 10  # pixels around the object that do not count as elsewhere
SHOWN, CROP = 5, 50  # columns of the sheet, and half their width in pixels

ABOUT = """
A hat is copied from one picture and pasted on a bare-headed person in another, where the same scene with a hat has it
({n} pairs of pictures, horse generator). The hat is painted two pixels of 128 too large. *Values moved* interpolates
the values of the layer at the transformed positions; *from pixels* is the present way: it transforms the pixels, and
30 steps of Adam find values that draw them. An unscaled object is pasted value by value in both. *Hat* is the share of
pictures in which the segmenter reads at least half of the transformed hat's pixels as a hat, *share* the mean share of
these pixels. *Angle* is the angle at
which the transformed pixels resemble the drawn picture most, among -45 to 45 degrees in steps of 3; its median is
given, and for the rules the quartiles. *Elsewhere* is the mean change further than 10 pixels from the hat.

No hat is read on a horse's head, not even if it is pasted pixel by pixel: the segmenter knows hats on people only.
"""


@dataclass(frozen=True)
class Pair:
    """copy: the painted hat.  hat: its true pixels, uint8 (256, 256).  paste: where a bare-headed person has it."""

    copy: Region
    hat: np.ndarray
    paste: Region


@dataclass(frozen=True)
class Seen:
    """hat: the share of the hat's pixels that are read as a hat.  angle: in degrees, None if the object is not turned.
    elsewhere: mean change."""

    hat: float
    angle: float | None
    elsewhere: float


class Moved(Rewriter):
    """A rewriter whose transformed goals are moved values."""

    def _drawing_values(self, request, source, at, start, placed, shown) -> Tensor:  # noqa: ANN001
        return start


WAYS = {"values moved": Moved, "from pixels": Rewriter}


@dataclass(frozen=True)
class Summary:
    """Shares of 1, and angles in degrees; the angles are None if the object is not turned."""

    hat: float
    share: float
    elsewhere: float
    angle: float | None
    quartiles: tuple[float, float] | None

    def cells(self) -> list[float | str | None]:
        quartiles = None if self.quartiles is None else "{:.0f} to {:.0f}".format(*self.quartiles)
        return [100 * self.hat, 100 * self.share, self.angle, quartiles or "–"]


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: pairs of pictures for the goals."""
    generator, pairs = load_generator("horse"), made_pairs(max(n, CONTEXT + EACH))
    eye, shown = Eye(generator), {}
    goals, rules, numbers = [], [], {"goals": {}, "rules": {}}
    for layer, transforms in LAYERS.items():
        for way, rewriter, transform in cases(generator, layer, transforms):
            progress(f"goals: layer {layer}, {way}, {words(transform)}")
            start = perf_counter()
            pictures = [goal(rewriter, pair, transform) for pair in pairs[:n]]
            seconds = (perf_counter() - start) / n
            row = summary([eye.see(*one, transform) for one in zip(pictures, pairs, strict=False)])
            goals.append([layer, words(transform), way, *row.cells(), seconds])
            numbers["goals"][f"layer {layer}, {way}, {words(transform)}"] = asdict(row) | {"seconds": seconds}
            some = zip(pictures[:SHOWN], pairs, strict=False)
            shown["goal", layer, way, transform] = [around(*one, transform) for one in some]
    for transform in TRANSFORMS:
        row = summary([eye.see(eye.composite(pair, transform), pair, transform) for pair in pairs[:n]])
        goals.append([None, words(transform), "the pixels themselves", *row.cells(), None])
        numbers["goals"][f"pixels, {words(transform)}"] = asdict(row)
    for layer in LAYERS:
        for way, rewriter, transform in cases(generator, layer, RULES):
            progress(f"rules: layer {layer}, {way}, {words(transform)}")
            seen, shown["rule", layer, way, transform] = rule(rewriter, pairs, transform, eye)
            row = summary(seen)
            rules.append([layer, words(transform), way, *row.cells(), 100 * row.elsewhere])
            numbers["rules"][f"layer {layer}, {way}, {words(transform)}"] = asdict(row)
    report.text(ABOUT.format(n=n))
    columns = ["layer", "object", "way", "hat, %", "share, %", "angle", "quartiles"]
    note = "Seconds for one goal with its picture, on one thread."
    report.table("The goal", [*columns, "seconds"], goals, note)
    note = f"{SOURCES} hats, each pasted in one picture; {CONTEXT} painted heads; {EACH} unseen pictures of each rule."
    report.table("The rule, on unseen pictures", [*columns, "elsewhere, %"], rules, note)
    for key, value in numbers.items():
        report.number(key, value)
    report.picture("sheet.webp", page(shown), "Goals, and rules on unseen pictures, at layer 8.")


def cases(
    generator: Generator, layer: int, transforms: Sequence[Transform]
) -> Iterator[tuple[str, Rewriter, Transform]]:
    """Both ways with each transform; without one, they are the same."""
    for way, made in WAYS.items():
        rewriter = made(generator, layer)
        yield from ((way, rewriter, one) for one in transforms if not (one.identity and made is Moved))


def goal(rewriter: Rewriter, pair: Pair, transform: Transform) -> np.ndarray:
    request = Request(pair.copy, pair.paste, [pair.paste], transform=transform, generator="horse")
    return rewriter.goal_image(request)


def made_pairs(n: int) -> list[Pair]:
    """Pictures with hats, and as many with a bare-headed person."""
    truth, seeds = Truth("horse"), range(FAR * n)
    hats, people = truth.mask(seeds, "hat"), truth.mask(seeds, "rider")
    sources = [seed for seed in seeds if hats[seed].sum() > HAT]
    bare = [seed for seed in seeds if not hats[seed].any() and people[seed].sum() > PERSON]
    _, labels = truth.edited(bare, hat=True)
    there = {seed: one for seed, one in zip(bare, labels == truth.labels.index("hat"), strict=True) if one.sum() > HAT}
    chosen = zip(sources, there.items(), strict=False)
    pairs = [
        Pair(loosely(source, hats[source]), paint(source, hats[source]).mask, loosely(seed, place))
        for source, (seed, place) in chosen
    ]
    if len(pairs) < n:
        raise ValueError(f"Only {len(pairs)} of {n} pairs were found; look at more pictures.")
    return pairs[:n]


def loosely(seed: int, mask: np.ndarray) -> Region:
    return paint(seed, widen(mask[None], LOOSE)[0])


class Eye:
    """Reads pictures, uint8 (256, 256, 3)."""

    def __init__(self, generator: Generator):
        self.generator, self.segmenter = generator, Segmenter.load("horse")
        self._drawn: dict[int, np.ndarray] = {}
        self._reader = Rewriter(generator, PIXELS)
        self._parts: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = {}

    def drawn(self, seed: int) -> np.ndarray:
        if seed not in self._drawn:
            self._drawn[seed] = self.generator.images([seed])[0]
        return self._drawn[seed]

    def see(self, picture: np.ndarray, pair: Pair, transform: Transform) -> Seen:
        placed = Placed.on(pair.copy.mask, pair.paste.mask, transform)
        read = self.segmenter.mask(picture[None], "hat")[0]
        before, outside = self.drawn(pair.paste.seed), grown(placed.mask(pair.copy.mask), NEAR) == 0
        elsewhere = np.abs(picture.astype(float) - before)[outside].mean() / 255
        angle = self.angle(picture, pair, transform) if transform.turn else None
        return Seen(float(read[placed.mask(pair.hat) > 0].mean()), angle, float(elsewhere))

    @torch.no_grad()
    def composite(self, pair: Pair, transform: Transform) -> np.ndarray:
        """The transformed pixels of the object, laid over the other picture."""
        key = pair.copy.seed, pair.paste.seed
        if key not in self._parts:
            picture, other = alike(self.generator, PIXELS, *self._reader.features(key), SIDE)
            self._parts[key] = picture, object_cover(picture, pair.copy.mask), other
        return to_uint8(composite(*self._parts[key], Placed.on(pair.copy.mask, pair.paste.mask, transform)))[0]

    def angle(self, picture: np.ndarray, pair: Pair, transform: Transform) -> float:
        """The angle at which the object's pixels resemble the picture most."""
        turned = [self.composite(pair, Transform(transform.scale, angle, transform.mirror)) for angle in ANGLES]
        return ANGLES[int(np.argmin([np.abs(one.astype(float) - picture).mean() for one in turned]))]


def rule(
    rewriter: Rewriter, pairs: Sequence[Pair], transform: Transform, eye: Eye
) -> tuple[list[Seen], list[np.ndarray]]:
    """What rules draw in unseen pictures, and the first of these."""
    painted, unseen = pairs[:CONTEXT], pairs[CONTEXT : CONTEXT + EACH]
    seen, shown = [], []
    for hat in pairs[:: max(1, len(pairs) // SOURCES)][:SOURCES]:
        context = [pair.paste for pair in painted]
        request = Request(hat.copy, context[0], context, transform=transform, generator="horse")
        drawn = eye.generator.images([pair.paste.seed for pair in unseen], [rewriter.solve(request)])
        for picture, there in zip(drawn, unseen, strict=True):
            pair = Pair(hat.copy, hat.hat, there.paste)
            seen.append(eye.see(picture, pair, transform))
            shown.append(around(picture, pair, transform))
    return seen, shown[:: EACH // 2][:SHOWN]


def summary(seen: Sequence[Seen]) -> Summary:
    angles = [one.angle for one in seen if one.angle is not None]
    return Summary(
        float(np.mean([one.hat >= READ for one in seen])),
        float(np.mean([one.hat for one in seen])),
        float(np.mean([one.elsewhere for one in seen])),
        float(np.median(angles)) if angles else None,
        tuple(float(q) for q in np.percentile(angles, [25, 75])) if angles else None,
    )


def words(transform: Transform) -> str:
    return f"turned by {transform.turn:g}" if transform.turn else f"size {transform.scale:g}"


def around(picture: np.ndarray, pair: Pair, transform: Transform) -> np.ndarray:
    """The part of a picture around the object."""
    mask = Placed.on(pair.copy.mask, pair.paste.mask, transform).mask(pair.copy.mask)
    top, left, bottom, right = bounding_box(mask)
    row, column = (int(np.clip(n // 2, CROP, SIDE - CROP)) for n in (top + bottom, left + right))
    return picture[row - CROP : row + CROP, column - CROP : column + CROP]


def page(shown: Mapping[tuple, list[np.ndarray]]) -> np.ndarray:
    keys = [
        (what, 8, way, transform)
        for what in ("goal", "rule")
        for transform in (Transform(turn=30), Transform(scale=1.4))
        for way in WAYS
    ]
    return sheet([shown[key] for key in keys], sides=[f"{key[0]}, {words(key[3])}, {key[2]}" for key in keys])
