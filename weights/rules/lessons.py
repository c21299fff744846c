"""A retouch, with pictures to learn a rule from and pictures to measure it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rewriting import Edit, Region, Request, load_generator
from rewriting.core.masks import grown
from rewriting.core.retouch import Retouched
from rewriting.generators import Generator
from rewriting.generators.own_picture import OwnPicture
from weights.rules.retouches import Retouch
from weights.rules.truth import Truth

GIVEN, PLACES = 3, 9  # pictures that are retouched, and further ones in which the place is painted
UNSEEN = 700  # pictures from here on are measured
LOOKED_AT = 400  # pictures among which such a place is looked for
DIFFERS = 8  # of 255: where the ideal differs by more from the picture, the place is inside


@dataclass(frozen=True)
class Outcome:
    """The effect of a learned rule on unseen pictures.

    closed: mean share of the distance from the ideal that is gone inside.  outside: mean change outside, as a share of
    the full range.  nearer: share of pictures that came nearer to the ideal.  inside: mean change inside.  hits:
    whether each picture is nearer to the ideal than to the original.
    """

    closed: float
    outside: float
    nearer: float
    inside: float
    hits: tuple[bool, ...]


@lru_cache(maxsize=2)
def _opened(name: str) -> tuple[Generator, Truth]:
    generator = load_generator(name).requires_grad_(False)
    return generator, Truth(name, generator.config.resolution)


class Lesson:
    """A retouch with its pictures: those to learn from, and n unseen ones from the number `unseen` on."""

    def __init__(self, retouch: Retouch, n: int, unseen: int = UNSEEN):
        self.retouch = retouch
        self.generator, self.truth = _opened(retouch.generator)
        self.seeds = self._seeds(0, GIVEN + PLACES)
        self.unseen = self._seeds(unseen, n)

    def _seeds(self, first: int, count: int) -> list[int]:
        seeds: list[int] = []
        for seed in range(first, first + LOOKED_AT):
            if len(seeds) == count:
                break
            if self.place(seed).any():
                seeds.append(seed)
        return seeds

    def place(self, seed: int) -> np.ndarray:
        return self.retouch.place(self.truth, seed)

    def ideal(self, seed: int, picture: np.ndarray) -> np.ndarray:
        return self.retouch.make(picture, self.place(seed))[0]

    def request(self, given: int = GIVEN) -> Request:
        """The request of a person: a few retouched pictures, and the place painted in others."""
        retouched = []
        for seed, picture in zip(self.seeds[:given], self.generator.images(self.seeds[:given]), strict=True):
            wanted, how = self.retouch.make(picture, self.place(seed))
            retouched.append(Retouched.found(seed, picture, wanted, how=how))
        context = [Region(seed, self.place(seed)) for seed in self.seeds]
        return Request(retouched=retouched, context=context, generator=self.retouch.generator, name=self.retouch.title)

    def measure(self, edits: Sequence[Edit], brought: Sequence[OwnPicture] | None = None) -> Outcome:
        """Measure a rule on the unseen pictures, or on the inversions of the same scenes."""
        closed, outside, moved, hits = [], [], [], []
        before, after = (self.generator.images(brought or self.unseen, some) for some in ((), edits))
        for seed, old, new in zip(self.unseen, before, after, strict=True):
            ideal, old, new = (picture.astype(float) for picture in (self.ideal(seed, old), old, new))
            inside = np.abs(ideal - old).mean(-1) > DIFFERS
            if inside.any():
                left, change = (np.abs(new - other)[inside].mean() for other in (ideal, old))
                closed.append(1 - left / np.abs(old - ideal)[inside].mean())
                moved.append(change / 255)
                hits.append(bool(left < change))
            away = grown(self.place(seed).astype(np.uint8), self.retouch.reach) == 0
            outside.append(np.abs(new - old)[away].mean() / 255)
        nearer = float(np.mean(np.array(closed) > 0))
        return Outcome(float(np.mean(closed)), float(np.mean(outside)), nearer, float(np.mean(moved)), tuple(hits))
