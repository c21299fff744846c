"""Pictures before and after the rules in force, and the size of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rewriting.core.request import Request
from rewriting.generators.own_picture import Seed
from rewriting.studio.encoding import Picture

CHANGED = 0.03  # least mean change of the matching places, of 1, in a picture that counts as changed


@dataclass(frozen=True)
class Drawn:
    """The results that are drawn so far.

    seeds: of all pictures to draw.  before, after: the pictures drawn so far, in the order of seeds.  known: unedited
    pictures that were drawn earlier, by seed.
    """

    seeds: list[Seed]
    before: tuple[Picture, ...] = ()
    after: tuple[Picture, ...] = ()
    known: Mapping[Seed, Picture] = field(default_factory=dict)

    def and_(self, before: Sequence[Picture], after: Sequence[Picture]) -> Drawn:
        """A copy with further pictures."""
        return replace(self, before=(*self.before, *before), after=(*self.after, *after))

    @property
    def done(self) -> int:
        """The number of pairs drawn so far."""
        return len(self.after)

    @property
    def complete(self) -> bool:
        return self.done == len(self.seeds)

    @property
    def pairs(self) -> list[dict]:
        """All pairs in the form of the pair sheet; "after" is empty in a pair that is not drawn yet."""
        done = [
            {"seed": s, "before": b.url, "after": a.url, "change": a.change(b)}
            for s, b, a in zip(self.seeds, self.before, self.after, strict=False)
        ]
        waiting = [(seed, self.known.get(seed)) for seed in self.seeds[self.done :]]
        return [*done, *({"seed": s, "before": b.url if b else "", "after": ""} for s, b in waiting)]


@dataclass(frozen=True)
class Effect:
    """The effect of rules on pictures.

    changed: the number of pictures, of `among`, whose matching places changed visibly.
    inside, elsewhere: mean absolute change, of 1, at the matching places and at all others.
    """

    changed: int
    among: int
    inside: float
    elsewhere: float


def effect(before: Sequence[Picture], after: Sequence[Picture], heat: np.ndarray, share: float) -> Effect:
    """Compare pictures inside and outside of the matching places.

    heat: (N, h, w), the responses.  share: the share of all positions that counts as matching; these are the positions
    with the highest responses.
    """
    old, new = (np.stack([picture.pixels for picture in some]).astype(np.float32) for some in (before, after))
    change = np.abs(new - old).mean(-1) / 255
    if heat.shape[1] > change.shape[1]:  # of a layer that is larger than the pictures are shown
        within = heat.shape[1] // change.shape[1]
        heat = heat.reshape(len(heat), *[change.shape[1], within] * 2).max((2, 4))
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
    """The mean painted share of the context's masks: the share of a picture that the rule changes."""
    shares = [float((region.mask > 0).mean()) for region in request.places if not region.empty]
    return min(0.5, max(0.002, float(np.mean(shares)))) if shares else 0.02
