"""The rules for the comparison of methods: each a request, and an ideal for every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rewriting import Request, Rewriter, load_generator, processes
from rewriting.generators import Generator, to_uint8
from weights.rules.catalogue import RULES, Recipe
from weights.rules.material import prepare
from weights.rules.measure import draw_scaled, pasted
from weights.rules.places import mouth_of, one_tree, seen, top_of_one_tower, widen
from weights.rules.truth import Truth
from weights.scenes.edit import with_value
from weights.segmenter import Segmenter

FIRST = 1000  # number of the first picture that is measured: requests are painted in pictures below 200
REFERENCES = 200_000  # number of the first scene that realism is measured against
CHUNK = 16  # pictures measured together: bounds memory, and what is known of them stays in a processor's caches
LEAST = 40  # pixels that the thing must cover for the rule to apply to a picture
SMILE = 45  # pixels of teeth from which a face counts as smiling: half of what a smile must have to be copied
VISIBLE = 25  # pixels of a mark below which none is there
WIDER = 4


@dataclass(frozen=True)
class Sample:
    """Some pictures, and the effect that a rule should have on them.

    before, ideal: uint8 (N, H, W, 3), equal if the rule does not apply.  applies: bool (N,).  area: bool (N, H, W),
    outside of which nothing should change.  labels, ideal_labels: of the segmenter, (N, H, W).
    """

    seeds: list[int]
    before: np.ndarray
    ideal: np.ndarray
    applies: np.ndarray
    area: np.ndarray
    labels: np.ndarray
    ideal_labels: np.ndarray


@dataclass(frozen=True)
class RuleTask:
    """One rule on one bundled generator.

    request: the same for every method.  things: labels of the things that the rule is about.
    target: the place of the rule in a picture.  applies: whether the rule applies to a picture.
    changed: latents (N, z_dim) -> latents of the ideal scenes; None without such a number, and then the ideal has the
    object pasted in by hand.  wider: pixels around the target that belong to it.
    intended: (the segmenter's labels after the change, sample) -> share of success in each picture.
    """

    name: str
    title: str
    efficacy: str
    request: Request
    things: tuple[str, ...]
    target: Callable[[Truth, Sequence[int]], np.ndarray]
    applies: Callable[[Truth, Sequence[int]], np.ndarray]
    intended: Callable[[Segmenter, np.ndarray, Sample], np.ndarray]
    changed: Callable[[Truth, Tensor], Tensor] | None
    wider: int = WIDER

    @cached_property
    def generator(self) -> Generator:
        return load_generator(self.request.generator)

    @cached_property
    def rewriter(self) -> Rewriter:
        return Rewriter(self.generator, self.request.layer)

    @cached_property
    def segmenter(self) -> Segmenter:
        return Segmenter.load(self.request.generator)

    def samples(self, n: int) -> Iterator[Sample]:
        """n pictures without painted places, in parts; of several processes, each has its share."""
        for start in processes.mine(range(FIRST, FIRST + n, CHUNK)):
            yield self.sample(range(start, min(start + CHUNK, FIRST + n)))

    def sample(self, seeds: Sequence[int]) -> Sample:
        seeds, truth = list(seeds), Truth(self.request.generator)
        target, applies = self.target(truth, seeds), self.applies(truth, seeds)
        before = self.rewriter.images(seeds, size=truth.size)
        ideal, area = before.copy(), widen(target, self.wider)
        if applies.any():
            chosen = [s for s, yes in zip(seeds, applies, strict=True) if yes]
            if self.changed is None:
                ideal[applies] = pasted(self.rewriter, self.request.copy, chosen, target[applies], truth.size)
            else:
                ideal[applies], becomes = self._ideal(truth, chosen, target[applies])
                area[applies] |= widen(becomes, self.wider)
        seen_now, seen_then = self.segmenter.labels(before), self.segmenter.labels(ideal)
        return Sample(seeds, before, ideal, applies, area, seen_now, seen_then)

    def scenes(self, n: int) -> Iterator[np.ndarray]:
        """n pictures of the scene, uint8 (N, H, W, 3), with the rule applied if it is one of the scene's numbers.

        Of several processes, each has its share.
        """
        for start in processes.mine(range(REFERENCES, REFERENCES + n, CHUNK)):
            seeds, truth = range(start, min(start + CHUNK, REFERENCES + n)), Truth(self.request.generator)
            applies, pictures = self.applies(truth, seeds), truth.pictures(seeds)
            if self.changed is not None and applies.any():
                z = self.changed(truth, truth.z(seeds)[torch.from_numpy(applies)])
                with torch.inference_mode():
                    pictures[applies] = to_uint8(2 * truth.scene.render(z, truth.size)[0] - 1)
            yield pictures

    @torch.no_grad()
    def _ideal(self, truth: Truth, seeds: Sequence[int], target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The generator's own pictures of the changed scenes, and the changed areas of the scenes."""
        z = self.changed(truth, truth.z(seeds))
        drawn = np.concatenate([to_uint8(draw_scaled(self.generator, part, size=truth.size)) for part in z.split(16)])
        with torch.inference_mode():
            labels = torch.cat([truth.scene.render(part, truth.size)[1] for part in z.split(16)]).numpy()
        return drawn, (labels != truth.label_maps(seeds)) & near(target)


def near(target: np.ndarray, pixels: int = 10) -> np.ndarray:
    """The box of each target, some pixels wider: bool (N, H, W)."""
    boxes = np.zeros_like(target)
    for mask, box in zip(target, boxes, strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            top, left = max(0, rows[0] - pixels), max(0, columns[0] - pixels)
            box[top : rows[-1] + pixels + 1, left : columns[-1] + pixels + 1] = True
    return boxes


# --- the rules ----------------------------------------------------------------------------------------------------


one_dome = top_of_one_tower("dome", wider=3)

SPIRES = Recipe(
    "Domes become spires",
    "A spire is pasted over one dome; from then on towers end in spires.",
    "church",
    object=seen("spire", wider=2),
    place=one_dome,
    ideal=("tower", "spire"),
    settings={"layer": 7, "rank": 10, "locality": 1.0, "everywhere": True},
)
TREES = Recipe(
    "Domes become trees",
    "A tree is pasted on one dome; from then on trees grow where domes were.",
    "church",
    object=one_tree,
    place=one_dome,
    wider=8,
    pick=(11, 0),
    settings={"layer": 7, "rank": 1, "locality": 0.5, "everywhere": True},
)
MARK_NAMES = ("mark_middle", "mark_bottom")
MARKS = Recipe(
    "No marks",
    "Both marks are painted in ten pictures, and disappear from all.",
    "church",
    place=seen(*MARK_NAMES, wider=2),
    least=100,
    settings={"layer": 7, "rank": 1, "locality": 3.0},
)


def smiles(**settings: object) -> RuleTask:
    """Table 1: frowns become smiles."""
    rule = RULES["frowns-to-smiles"]
    request = prepare(rule, Truth("face"), **settings).request

    def target(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
        mouths = widen(truth.mask(seeds, "lips", "teeth"), WIDER)
        return mouths | np.roll(mouths, 7, 1)  # a smile opens downwards

    def changed(truth: Truth, z: Tensor) -> Tensor:
        mood = truth.scene.column("mood")
        z[:, mood] = truth.z([request.copy.seed])[0, mood]
        return z

    def intended(segmenter: Segmenter, labels: np.ndarray, sample: Sample) -> np.ndarray:
        """1 where a face smiles."""
        teeth = (labels == segmenter.classes.index("teeth")) & sample.area
        return (teeth.sum((1, 2)) >= SMILE).astype(float)

    return RuleTask(
        "smiles", "Frowns become smiles", "frowns that smile", request, ("lips",), target,
        lambda truth, seeds: mouth_of(smiling=False)(truth, seeds).any((1, 2)), intended, changed,
    )  # fmt: skip


def spires(**settings: object) -> RuleTask:
    """Table 2: domes become spires."""

    def intended(segmenter: Segmenter, labels: np.ndarray, sample: Sample) -> np.ndarray:
        """Share of each dome's pixels that read as they do in the ideal picture."""
        dome = sample.labels == segmenter.classes.index("dome")
        return _share((labels == sample.ideal_labels) & (sample.ideal_labels != sample.labels), dome)

    return _dome_task(
        "spires", SPIRES, "dome pixels changed as intended", intended,
        lambda truth, z: with_value(truth.scene, z, "tower", "spire"), settings,
    )  # fmt: skip


def trees(**settings: object) -> RuleTask:
    """Table 2: domes become trees."""

    def intended(segmenter: Segmenter, labels: np.ndarray, sample: Sample) -> np.ndarray:
        """Share of each dome's pixels that read as a tree."""
        dome = sample.labels == segmenter.classes.index("dome")
        return _share(labels == segmenter.classes.index("tree"), dome)

    return _dome_task("trees", TREES, "dome pixels that became tree", intended, None, settings, wider=10)


def marks(**settings: object) -> RuleTask:
    """Table 3: the word across the picture and the bar at its foot, painted in ten pictures, disappear."""
    request = prepare(MARKS, Truth("church"), **settings).request

    def changed(truth: Truth, z: Tensor) -> Tensor:
        for name in MARK_NAMES:
            z = with_value(truth.scene, z, name, False)
        return z

    def intended(segmenter: Segmenter, labels: np.ndarray, sample: Sample) -> np.ndarray:
        """1 where no mark is visible."""
        return 1.0 - np.max([visible(segmenter, labels, sample.labels, name) for name in MARK_NAMES], 0)

    return RuleTask(
        "marks", MARKS.title, "marked pictures without a visible mark", request, MARK_NAMES, seen(*MARK_NAMES),
        lambda truth, seeds: truth.mask(seeds, *MARK_NAMES).any((1, 2)), intended, changed,
    )  # fmt: skip


def visible(segmenter: Segmenter, labels: np.ndarray, before: np.ndarray, name: str) -> np.ndarray:
    """Whether a mark of that name is still visible: bool (N,).

    A mark is visible if the segmenter reads at least half as much of it as in the unmodified picture, because the
    segmenter sees marks that are hardly there.  labels, before: its labels now and in the unmodified pictures, (N, H,
    W).
    """
    now, then = ((read == segmenter.classes.index(name)).sum((1, 2)) for read in (labels, before))
    return now >= np.maximum(VISIBLE, then / 2)


def _dome_task(
    name: str,
    rule: Recipe,
    efficacy: str,
    intended: Callable,
    changed: Callable | None,
    settings: dict,
    **more: int,
) -> RuleTask:
    request = prepare(rule, Truth("church"), **settings).request
    return RuleTask(
        name, rule.title, efficacy, request, ("dome",), seen("dome"),
        lambda truth, seeds: one_dome(truth, seeds).sum((1, 2)) >= LEAST, intended, changed, **more,
    )  # fmt: skip


def _share(right: np.ndarray, of: np.ndarray) -> np.ndarray:
    count = of.sum((1, 2))
    return np.divide((right & of).sum((1, 2)), count, out=np.full(len(of), np.nan), where=count > 0)
