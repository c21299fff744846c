"""Pictures before and after the rules in force, and how much changed where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rewriting.core.request import Request
from rewriting.studio.encoding import change_map, data_url
from rewriting.studio.gallery import Picture

CHANGED = 0.03  # mean change (of 1) of the matching places from which a picture counts as changed


@dataclass(frozen=True)
class Drawn:
    """Results as far as they are drawn.

    seeds: of all pictures wanted.  before, after: uint8 (n, H, W, 3), the first n of them.  done: as the pair sheet
    takes them.  known: pictures before, by seed, that are there already.
    """

    seeds: list[int]
    before: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1, 3), np.uint8))
    after: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1, 3), np.uint8))
    done: tuple[dict, ...] = ()
    known: Mapping[int, Picture] = field(default_factory=dict)

    def and_(self, before: Sequence[Picture], after: np.ndarray) -> Drawn:
        """The next pictures, and those that were there."""
        plain = np.stack([picture.pixels for picture in before])
        pairs = [
            {"seed": s, "before": b.url, "after": data_url(a), "change": data_url(change_map(b.pixels, a))}
            for s, b, a in zip(self.seeds[len(self.done) :], before, after, strict=False)
        ]
        if self.done:
            plain, after = np.concatenate([self.before, plain]), np.concatenate([self.after, after])
        return replace(self, done=(*self.done, *pairs), before=plain, after=after)

    @property
    def complete(self) -> bool:
        return len(self.done) == len(self.seeds)

    @property
    def pairs(self) -> list[dict]:
        """All pairs, those that are not done without an after."""
        waiting = self.seeds[len(self.done) :]
        befores = [self.known[seed].url if seed in self.known else "" for seed in waiting]
        rest = [{"seed": s, "before": b, "after": ""} for s, b in zip(waiting, befores, strict=True)]
        return [*self.done, *rest]


@dataclass(frozen=True)
class Effect:
    """What the rules do to some pictures.  changed: in how many of `among` the matching places changed visibly.
    inside, elsewhere: mean absolute change, of 1, at the matching places and at all others."""

    changed: int
    among: int
    inside: float
    elsewhere: float


def effect(before: np.ndarray, after: np.ndarray, heat: np.ndarray, share: float) -> Effect:
    """Compare pictures, uint8 (N, H, W, 3) each, inside and outside of the places that match.

    heat: (N, h, w), the responses.  share: of all positions that counts as matching: those with the highest response.
    """
    change = np.abs(after.astype(np.float32) - before.astype(np.float32)).mean(-1) / 255
    cell = change.shape[1] // heat.shape[1]
    inside = np.kron(heat > np.quantile(heat, 1 - share), np.ones((cell, cell), bool))
    hit = [float(c[i].mean()) for c, i in zip(change, inside, strict=True) if i.any()]
    return Effect(
        changed=sum(amount > CHANGED for amount in hit),
        among=len(hit),
        inside=float(change[inside].mean()) if inside.any() else 0.0,
        elsewhere=float(change[~inside].mean()) if not inside.all() else 0.0,
    )


def painted_share(request: Request) -> float:
    """The mean painted share of the context's masks: how much of a picture the rule is about."""
    shares = [float((region.mask > 0).mean()) for region in request.places if not region.empty]
    return min(0.5, max(0.002, float(np.mean(shares)))) if shares else 0.02
