"""The examples for learning a request with retouched pictures.

They are the retouched pictures, the same retouch at the other places of the context, the protected places, and other
pictures, in which the rule should change only places like those of the context.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rewriting.core import memory
from rewriting.core.goal import Term
from rewriting.core.layer import EditableLayer
from rewriting.core.learn import Example, drawn
from rewriting.core.masks import MAX_SIDE, grown, resize_mask
from rewriting.core.place_finder import PlaceFinder
from rewriting.core.request import Region, Request
from rewriting.core.retouch import Alignment, Retouched, carried
from rewriting.core.transform import Placed
from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.generators.own_picture import Seed

_Drawn = tuple[np.ndarray, Tensor | None]  # a picture, uint8 (H, H, 3), and its half size, see `drawn`

SHOWN = 5 / 256  # of the side: width of the ring around a pasted object that is looked at
RING = 6 / 256  # of the side: width of the ring around a retouch that counts as a part of it
ALIKE = 0.1  # difference of the logarithms of two sizes, below which places are equally good sources of a retouch
PRESERVE = 1.0  # weight of a protected place; that of a retouched picture is 1
OTHERS, OTHERS_FIRST = 28, 30_000  # pictures without painted places
ELSEWHERE = 0.5  # weight of each of them
MATCHES = 0.5  # share of the context's mean response, above which a position is like the context
CONFIRMED = 0.2  # least share of a found place that is like the context
TOLD = 0.2  # least intersection over union of the painted positions and those like the context; see `told_by_features`
AROUND = 12 / 256  # of the side: width of the ring around a place like the context that is free to change


class Reader(Protocol):
    """The access of examples to a layer; a `Rewriter` provides it."""

    generator: Generator
    layer: EditableLayer
    number: int

    def features(
        self, seeds: Sequence[Seed], *, seeding: str, truncation: float | None, label: int
    ) -> list[LayerInput]: ...
    def directions(self, request: Request, rank: int) -> Tensor: ...
    def context_keys(self, request: Request) -> tuple[Tensor, Tensor]: ...
    def second_moment(self) -> Tensor: ...


def examples(reader: Reader, request: Request, layers: Sequence[int]) -> list[Callable[[], Example]]:
    """Functions that make the examples of each retouched picture, further picture of the context and protected place.

    reader: of the first layer.
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
    """Functions that make examples of pictures without painted places.

    If such a picture has a place of the context, the example is the retouch there.  Otherwise the picture should not
    change, except at positions like the context, which are free."""
    lesson, painted = _Lesson(reader, request, layers), {region.seed for region in request.places}
    seeds = [seed for seed in range(OTHERS_FIRST, OTHERS_FIRST + OTHERS) if seed not in painted]
    return [lambda seed=seed: lesson.other(seed) for seed in seeds]


@torch.no_grad()
def shown_goals(reader: Reader, request: Request, goals: Sequence[tuple[Region, Term]]) -> Request:
    """A request for the pictures that pasted goals show.  goals: each with where it was pasted.

    Raises ValueError if none of them differs from the picture without it.
    """
    generator, retouched = reader.generator, []
    for region, term in goals:
        values = generator.value(reader.number, term.at), term.target
        before, wanted = (to_uint8(generator.leave(reader.number, value, term.at))[0] for value in values)
        place = grown(_sized(_shown_at(request, region), len(before)), round(SHOWN * len(before)))
        if (before != wanted)[place > 0].any():
            retouched.append(Retouched.found(region.seed, before, wanted, mask=place))
    painted = {region.seed for region in request.context}
    context = [*(region for region, _ in goals if region.seed not in painted), *request.context]
    if not retouched:
        raise ValueError("The pasted object changes nothing that is seen; paste another, or elsewhere.")
    return Request(
        retouched=retouched,
        context=context,
        preserve=request.preserve,
        generator=request.generator,
        name=request.name,
        **request.numbering._asdict(),
    )


def _shown_at(request: Request, region: Region) -> np.ndarray:
    """Where a pasted object is seen, uint8 (H, H): a transformed one is larger or smaller than the painted place."""
    if request.transform.identity:
        return region.mask
    return Placed.on(request.copy.mask, region.mask, request.transform).mask(request.copy.mask)


def place_of(retouched: Retouched, request: Request) -> np.ndarray:
    """The place of the rule in a retouched picture, uint8 (side, side): the painted one, or else the changed area."""
    painted = [region.mask for region in request.context if region.seed == retouched.seed and not region.empty]
    return painted[0] if painted else retouched.mask


def told_by_features(reader: Reader, request: Request) -> bool:
    """Whether the positions like the context are mostly the painted ones; if not, only the position in the picture
    tells the place."""
    like = likeness(reader, request)
    painted = looks = both = 0.0
    places = [region for region in request.places if not region.empty]
    features = reader.features([one.seed for one in places], **request.numbering._asdict())
    for region, at in zip(places, features, strict=True):
        here = alike(like, reader.layer.seen(at))
        share = resize_mask(region.mask, len(here))
        painted, looks, both = painted + share.sum(), looks + here.sum(), both + (share * here).sum()
    return both >= TOLD * (painted + looks - both)


def likeness(reader: Reader, request: Request) -> tuple[Tensor, float]:
    """The direction of the context at rank 1, (I,), and the context's mean response to it."""
    direction = reader.directions(request, 1)[0]
    keys, shares = reader.context_keys(request)
    response = float((keys.float() @ direction * shares).sum() / shares.sum())
    return direction.to(reader.generator.device), response


@torch.no_grad()
def alike(like: tuple[Tensor, float], at: LayerInput) -> np.ndarray:
    """The positions like the context, bool (h, w).  like: from `likeness`."""
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
        """The retouch at another place; if it does not fit into the picture, the picture should not change there."""
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
        """The retouched picture to transfer from: one with a place of the most similar size, all in turn."""
        here = [_sized(place_of(one, self.request), len(to.mask)) for one in self._retouched]
        unlike = [round(Alignment.of(place, to.mask).stretch / ALIKE) for place in here]
        best = min(range(len(here)), key=lambda i: (unlike[i], self._used[i]))
        self._used[best] += 1
        return self._retouched[best]

    def _alike(self, seed: Seed, side: int) -> np.ndarray:
        """The positions of a picture that are like the context, uint8 (side, side), 255 inside."""
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
        return self.reader.features([seed], **self.request.numbering._asdict())[0]

    def _seen(self, seed: Seed) -> LayerInput:
        """The layer input of a picture, without the margin of its key."""
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
    """A mask, uint8 (H, H), in another size; every pixel that it touches becomes 255."""
    if len(mask) == side:
        return mask
    resized = Image.fromarray(mask).resize((min(side, MAX_SIDE),) * 2, Image.Resampling.BILINEAR)
    return np.where(np.asarray(resized) > 0, 255, 0).astype(np.uint8)


def _tensor(picture: np.ndarray) -> Tensor:
    """uint8 (H, H, 3) -> (3, H, H), -1 to 1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 127.5 - 1
