"""What a request with retouched pictures teaches: these pictures, the same retouch at the other painted places, and
what should stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rewriting.core import memory
from rewriting.core.layer import EditableLayer
from rewriting.core.learn import Example, drawn
from rewriting.core.masks import MAX_SIDE, grown, resize_mask
from rewriting.core.place_finder import PlaceFinder
from rewriting.core.request import Region, Request
from rewriting.core.retouch import Alignment, Retouched, carried
from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.generators.own_picture import Seed

_Drawn = tuple[np.ndarray, Tensor | None]  # a picture, uint8 (H, H, 3), and what was there on the way to it

RING = 6 / 256  # of the side: as far around a retouch its edge counts as part of it
ALIKE = 0.1  # of the logarithm of the size: places that differ less are as good as each other to carry a retouch from
PRESERVE = 1.0  # how much a preserved place counts beside a retouched picture
OTHERS, OTHERS_FIRST = 28, 30_000  # pictures that nobody painted in
ELSEWHERE = 0.5  # how much each of them counts beside a retouched picture
MATCHES = 0.5  # of the response of the painted places: from here on the rule may hold in a picture
CONFIRMED = 0.2  # of a found place at least looks like the context
TOLD = 0.2  # intersection over union of what is painted and what looks so, below which features do not tell the place
AROUND = 12 / 256  # of the side: so far around such a place nothing is said of the picture


class Reader(Protocol):
    """What examples need to know of a layer; a `Rewriter` says it."""

    generator: Generator
    layer: EditableLayer
    number: int

    def features(self, seeds: Sequence[Seed], *, seeding: str, truncation: float | None) -> list[LayerInput]: ...
    def directions(self, request: Request, rank: int) -> Tensor: ...
    def context_keys(self, request: Request) -> tuple[Tensor, Tensor]: ...
    def second_moment(self) -> Tensor: ...


def examples(reader: Reader, request: Request, layers: Sequence[int]) -> list[Callable[[], Example]]:
    """One for each retouched picture, for each further picture of the context, and for each preserved place.

    reader: of the first of the layers that learn.  Each example is made when it is called.
    """
    lesson = _Lesson(reader, request, layers)
    retouched = [one for one in request.retouched if not one.empty]
    seeds = {one.seed for one in retouched}
    further = [region for region in request.context if not region.empty and region.seed not in seeds]
    made = [lambda one=one: lesson.retouched(one) for one in retouched]
    made += [lambda to=to: lesson.carried(to) for to in further]
    kept = [region for region in request.preserve if not region.empty]
    made += [lambda region=region: lesson.preserved(region) for region in kept]
    return made


def others(reader: Reader, request: Request, layers: Sequence[int]) -> list[Callable[[], Example]]:
    """Pictures that nobody painted in: the retouch where its place is found, or that nothing should change but where
    they look like the context."""
    lesson, painted = _Lesson(reader, request, layers), {region.seed for region in request.places}
    seeds = [seed for seed in range(OTHERS_FIRST, OTHERS_FIRST + OTHERS) if seed not in painted]
    return [lambda seed=seed: lesson.other(seed) for seed in seeds]


def place_of(retouched: Retouched, request: Request) -> np.ndarray:
    """uint8 (side, side): where in its picture the rule should hold: what is painted there, or else what changed."""
    painted = [region.mask for region in request.context if region.seed == retouched.seed and not region.empty]
    return painted[0] if painted else retouched.mask


def told_by_features(reader: Reader, request: Request) -> bool:
    """Whether a good part of what looks like the context is painted: if not, the place is told by where it is."""
    like = likeness(reader, request)
    painted = looks = both = 0.0
    how = {"seeding": request.seeding, "truncation": request.truncation}
    places = [region for region in request.places if not region.empty]
    for region, at in zip(places, reader.features([one.seed for one in places], **how), strict=True):
        here = alike(like, reader.layer.seen(at))
        share = resize_mask(region.mask, len(here))
        painted, looks, both = painted + share.sum(), looks + here.sum(), both + (share * here).sum()
    return both >= TOLD * (painted + looks - both)


def likeness(reader: Reader, request: Request) -> tuple[Tensor, float]:
    """The direction along which the context stands out, (I,), and its mean response."""
    direction = reader.directions(request, 1)[0]
    keys, shares = reader.context_keys(request)
    response = float((keys.float() @ direction * shares).sum() / shares.sum())
    return direction.to(reader.generator.device), response


@torch.no_grad()
def alike(like: tuple[Tensor, float], at: LayerInput) -> np.ndarray:
    """bool (h, w): which positions look like a context, of which `likeness` says how it looks."""
    direction, response = like
    return (memory.response(direction, at.key[0]) > MATCHES * response).cpu().numpy()


class _Lesson:
    """Makes the examples of one request."""

    def __init__(self, reader: Reader, request: Request, layers: Sequence[int]):
        self.reader, self.request, self.layers = reader, request, layers
        self._retouched = [one for one in request.retouched if not one.empty]
        self._originals: dict[Seed, _Drawn] = {}
        self._used = [0] * len(self._retouched)

    def retouched(self, one: Retouched) -> Example:
        picture = self._original(one)
        return self._example(one.seed, picture, one.over(picture[0]), one.mask)

    def carried(self, to: Region) -> Example:
        """The retouch at another place; if nothing of it fits into the picture, that stays as it is."""
        one = self._nearest(to)
        original, picture = self._original(one)[0], self._picture(to.seed)
        side = len(original)
        alignment = Alignment.of(_sized(place_of(one, self.request), side), _sized(to.mask, side))
        there = carried(one, original, alignment, to.seed, picture[0])
        if there is None:
            return self.preserved(to)
        return self._example(to.seed, picture, there.over(picture[0]), there.mask)

    def preserved(self, region: Region) -> Example:
        picture = self._picture(region.seed)
        return self._example(region.seed, picture, picture[0], region.mask, "preserve", PRESERVE)

    def other(self, seed: int) -> Example:
        side = self.reader.generator.config.resolution
        place, alike = self._finder.find(self._seen(seed), side), self._alike(seed, side)
        if place is not None and (alike > 0)[place > 0].mean() > CONFIRMED:
            return self.carried(Region(seed, place))
        if self._finder.knows:
            alike = np.minimum(alike, self._finder.maybe(self._seen(seed), side))
        around = grown(alike, round(AROUND * side))
        picture, half = self._picture(seed, full=False)
        if half is None:
            return self._example(seed, (picture, half), picture, around, "elsewhere", ELSEWHERE)
        unseen = half.new_zeros(1, 1, 1).expand(3, side, side)
        inside = torch.from_numpy(np.asarray(around, np.float32) / 255).to(half.device)
        return Example(self._at(seed), unseen, unseen, inside, ELSEWHERE, "elsewhere", half)

    def _nearest(self, to: Region) -> Retouched:
        """From which picture the retouch is carried to a place: from a place of its size, and from all in turn."""
        here = [_sized(place_of(one, self.request), len(to.mask)) for one in self._retouched]
        unlike = [round(Alignment.of(place, to.mask).stretch / ALIKE) for place in here]
        best = min(range(len(here)), key=lambda i: (unlike[i], self._used[i]))
        self._used[best] += 1
        return self._retouched[best]

    def _alike(self, seed: Seed, side: int) -> np.ndarray:
        """uint8 (side, side), 255 where a picture looks like the context."""
        heat = alike(self._likeness, self._seen(seed)).astype(np.uint8) * 255
        return np.asarray(Image.fromarray(heat).resize((side, side), Image.Resampling.NEAREST))

    @cached_property
    def _finder(self) -> PlaceFinder:
        side = self.reader.generator.config.resolution
        places = [region for region in self.request.places if not region.empty]
        seen = [(self._seen(one.seed), _sized(one.mask, side)) for one in places]
        return PlaceFinder(seen, self.reader.second_moment())

    @cached_property
    def _likeness(self) -> tuple[Tensor, float]:
        return likeness(self.reader, self.request)

    def _at(self, seed: Seed) -> LayerInput:
        how = {"seeding": self.request.seeding, "truncation": self.request.truncation}
        return self.reader.features([seed], **how)[0]

    def _seen(self, seed: Seed) -> LayerInput:
        """The same without what lies outside the picture."""
        return self.reader.layer.seen(self._at(seed))

    def _original(self, one: Retouched) -> _Drawn:
        if one.seed not in self._originals:
            self._originals[one.seed] = self._picture(one.seed)
        return self._originals[one.seed]

    @torch.no_grad()
    def _picture(self, seed: Seed, *, full: bool = True) -> _Drawn:
        picture, half = drawn(self.reader.generator, self.layers, self._at(seed), full=full)
        return None if picture is None else to_uint8(picture[None])[0], half

    def _example(
        self, seed: Seed, picture: _Drawn, wanted: np.ndarray, mask: np.ndarray, kind: str = "goal", weight: float = 1
    ) -> Example:
        original, half = picture
        wide = grown(_sized(mask, len(original)), round(RING * len(original)))
        device = self.reader.generator.device
        inside = torch.from_numpy(np.asarray(wide, np.float32) / 255).to(device)
        original, wanted = (_tensor(one).to(device) for one in (original, wanted))
        return Example(self._at(seed), original, wanted, inside, weight, kind, half)


def _sized(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask, uint8 (H, H), in another size, at least 0 and 255 where it was."""
    if len(mask) == side:
        return mask
    resized = Image.fromarray(mask).resize((min(side, MAX_SIDE),) * 2, Image.Resampling.BILINEAR)
    return np.where(np.asarray(resized) > 0, 255, 0).astype(np.uint8)


def _tensor(picture: np.ndarray) -> Tensor:
    """uint8 (H, H, 3) -> (3, H, H), -1 to 1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 127.5 - 1
