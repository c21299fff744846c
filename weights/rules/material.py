"""A rule's request, with pictures and masks from the true scenes, and unseen pictures for its measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from rewriting import Region, Request
from weights.rules.catalogue import Recipe
from weights.rules.places import widen
from weights.rules.truth import Truth

CANDIDATES = 200  # pictures among which sources, targets and contexts are looked for
UNSEEN = 48
KEPT, CLEAR = 4, 8  # pictures in which things are kept, and pixels between these and where the rule holds
SIDE = 256


@dataclass(frozen=True)
class Material:
    """A rule's request, and unseen pictures for its measurement: their seeds, and the areas of the rule, (N, H, W)."""

    request: Request
    unseen: list[int]
    areas: np.ndarray


def paint(seed: int, mask: np.ndarray) -> Region:
    """A mask as a person would paint it, at the canvas's resolution."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return Region(seed, np.asarray(image) > 127)


def prepare(rule: Recipe, truth: Truth, **changes: object) -> Material:
    """Choose source, target and contexts among the first pictures, and the unseen ones after them."""
    seeds = list(range(CANDIDATES))
    place = rule.place(truth, seeds)
    places = [s for s in seeds if place[s].sum() >= rule.least]
    settings = {**rule.settings, **changes}
    copy = paste = None
    used: set[int] = set()
    if rule.object is not None:
        objects = rule.object(truth, seeds)
        if rule.source is not None:
            objects &= rule.source(truth, seeds)
        source = [s for s in seeds if objects[s].sum() >= rule.least][rule.pick[0]]
        copy, used = paint(source, objects[source]), {source}
    target = [s for s in places if s not in used][rule.pick[1]]
    context = [s for s in places if s not in used | {target}][: rule.contexts]
    if copy is not None:
        paste = paint(target, place[target])
    painted = tuple(paint(s, place[s]) for s in [target, *context])
    preserve = kept(rule, truth, [target, *context], place) if rule.keep is not None else ()
    request = Request(
        copy=copy, paste=paste, context=painted, preserve=preserve, erase=rule.erase, generator=rule.generator,
        name=rule.title, description=rule.description, **settings,
    )  # fmt: skip
    unseen = [s for s in places if s not in used | {target, *context}][:UNSEEN]
    judged = place if rule.judged is None else rule.judged(truth, seeds)
    return Material(request, unseen, judged[unseen])


def kept(rule: Recipe, truth: Truth, painted: Sequence[int], place: np.ndarray) -> tuple[Region, ...]:
    """Protected places, painted in the first of these pictures that have them, and apart from the rule's places."""
    masks = rule.keep(truth, painted) & ~widen(place[painted], CLEAR)
    shown = [(s, mask) for s, mask in zip(painted, masks, strict=True) if mask.sum() >= rule.least]
    return tuple(paint(s, mask) for s, mask in shown[:KEPT])
