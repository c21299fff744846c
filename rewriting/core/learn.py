"""Learning Lambda of one or more layers from retouched pictures.

The goal of copy and paste is a value of the layer.  A retouched picture may need values that the layer never has, so
Lambda is learned through the later layers: the loss is the difference of the pictures in the retouched area and, with
a weight, elsewhere.  The directions D are those of the painted places, as in a solve.  Finding values that render the
retouched picture, and solving for these, works worse: they ask for more than the picture needs, and so change more
elsewhere.

The input of the first layer is computed once.  A step draws only patches: the retouched area with the surroundings on
which its colours depend, and a part of the same size elsewhere in the picture.  Patches of the same size are drawn
together.  A generator that cannot draw parts draws whole pictures.  Adam with Nesterov's momentum moves Lambda, in
units of each weight's deviation.  Its steps are small, because large ones change too much elsewhere.  The same
examples give the same Lambda.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.adam import Adam
from rewriting.core.layer import expand
from rewriting.core.masks import bounding_box
from rewriting.core.request import Request
from rewriting.generators import Generator, LayerInput
from rewriting.generators.base import Weights

RANK = 20
STEPS = 120
TOGETHER, OTHERS_TOGETHER = 1, 2  # examples in a step, and pictures without painted places
RATE, MOMENTUM, SQUARES = 0.04, 0.8, 0.999  # of Adam; the rate falls to nearly zero
OUTSIDE = 2.5  # default weight of a pixel outside the retouched area, relative to one inside
COARSE = 0.2  # share of the steps, the first ones, that draw pictures of half the size
LEVELS = 4  # of the pyramid on which pictures are compared
HALO = 16 / 256  # of the picture's side: rim of a patch, which is drawn but not compared: its surroundings are cut off
SHOWN = 5  # steps between two yielded rules


@dataclass(frozen=True)
class Example:
    """A picture, and the picture that the rule should make of it.

    at: the input of the first layer.  original, wanted: (3, H, H), about [-1, 1].  inside: (H, H), 0 to 1: the
    retouched area.  weight: of the example.  kind: "goal"; "preserve", where the inside should not change; or
    "elsewhere", where the inside is free and the outside should not change.
    coarse: the picture of half the size, see `drawn`; with it, an example "elsewhere" needs no original.
    """

    at: LayerInput
    original: Tensor
    wanted: Tensor
    inside: Tensor
    weight: float = 1.0
    kind: str = "goal"
    coarse: Tensor | None = None


@dataclass(frozen=True)
class Learned:
    """The state of learning after a step.  factors: {layer: Lambda (O, S, kh, kw)}, in units of the stored weight.

    step, steps: its number, and the number of all steps.  The other fields are mean differences from the wanted
    pictures, as a share of the full range, each example as it was last drawn: inside; before, the same without a rule;
    outside; preserved, in protected places, None without any.
    """

    factors: dict[int, Tensor]
    step: int
    steps: int
    before: float
    inside: float
    outside: float
    preserved: float | None


def default_layers(generator: Generator, request: Request, first: int) -> tuple[int, ...]:
    """The layers that learn a request by default, from `first` on: two for bends, three for other retouches.

    A bend moves content that the picture has: one layer moves it, and one of the next size sharpens it.  Paint is new
    content, so layers of the next two sizes draw its colours and its edges.
    """
    bent = all(one.how["kind"] == "bend" for one in request.retouched)
    return tuple(n for n in range(first, first + (4 if bent else 6), 2) if n in generator.layers)


def pasted_layers(generator: Generator, first: int) -> tuple[int, ...]:
    """The layers that learn a pasted goal, where nobody chooses: `first`, and the next two that end a size."""
    end = first + 2 - first % 2
    return (first, *(n for n in (end, end + 2) if n in generator.layers))


def learn(
    generator: Generator,
    examples: Sequence[Callable[[], Example]],
    directions: Mapping[int, Tensor],
    *,
    steps: int = STEPS,
    outside: float = OUTSIDE,
    together: int = TOGETHER,
    others: Sequence[Callable[[], Example]] = (),
) -> Iterator[Learned]:
    """Learn Lambda of several layers; yields a state every `SHOWN` steps, and the last one is the result.

    examples: each is made when it is first needed, so that the first rule comes early.
    directions: {layer: (S, I)}.  outside: the weight of a pixel outside, 0 or more.  together: examples in a step.
    others: further examples; after the first yielded rule, each step draws OTHERS_TOGETHER of them, too.
    To stop early, close the iterator.
    """
    generator = generator.computing_in(torch.float32)
    layers = sorted(directions)
    weights = {n: generator.conv(n).weight.detach().reshape(generator.conv(n).weight.shape[-4:]) for n in layers}
    units = {n: float(weights[n].std()) for n in layers}
    factors = [weights[n].new_zeros(len(weights[n]), len(directions[n]), *weights[n].shape[2:]) for n in layers]
    adam = Adam(factors, [1.0] * len(layers), MOMENTUM, SQUARES, nesterov=True)
    order, random = _Order(examples, together), np.random.default_rng(0)
    further, seen = _Order(others, OTHERS_TOGETHER), _Seen()
    for step in range(steps):
        some = order.next() + (further.next() if step >= SHOWN else [])
        if generator.draws_parts:
            patches = _patches(some, random, fine=step >= COARSE * steps)
        else:
            patches = [_whole(example) for example in some]

        def loss(*leaves: Tensor, patches: Sequence[_Patch] = patches) -> tuple[Tensor, None]:
            changed = {
                n: weights[n] + units[n] * expand(leaf, directions[n]) for n, leaf in zip(layers, leaves, strict=True)
            }
            return sum(_loss(generator, layers, changed, some, outside, seen) for some in _alike(patches)), None

        adam.step(loss, RATE * (1 - step / steps) + RATE / 500)
        if (step + 1) % SHOWN == 0 or step + 1 == steps:
            found = {n: units[n] * factor for n, factor in zip(layers, adam.values, strict=True)}
            yield Learned(found, step + 1, steps, **seen.means())


class _Order:
    """The examples of each step: first all in the given order, then shuffled, again and again."""

    def __init__(self, examples: Sequence[Callable[[], Example]], together: int):
        self._make, self._made = examples, {}
        self._together = min(together, len(examples))
        self._random, self._queue = np.random.default_rng(0), list(range(len(examples)))

    def next(self) -> list[Example]:
        while len(self._queue) < self._together:
            self._queue += self._random.permutation(len(self._make)).tolist()
        chosen, self._queue = self._queue[: self._together], self._queue[self._together :]
        for i in chosen:
            if i not in self._made:
                self._made[i] = self._make[i]()
        return [self._made[i] for i in chosen]


class _Seen:
    """The differences of each example when it was last drawn."""

    def __init__(self) -> None:
        self._of: dict[str, dict[int, float]] = {name: {} for name in ("before", "inside", "outside", "preserved")}

    def add(self, patch: _Patch, inside: float, outside: float) -> None:
        example = id(patch.example)
        if patch.kind == "goal":
            self._of["before"][example], self._of["inside"][example] = patch.before, inside
        elif patch.kind == "preserve":
            self._of["preserved"][example] = inside
        else:
            self._of["outside"][example] = outside

    def means(self) -> dict[str, float]:
        means = {name: float(np.mean(list(of.values()))) / 2 if of else 0.0 for name, of in self._of.items()}
        return means | ({} if self._of["preserved"] else {"preserved": None})


@dataclass(frozen=True)
class _Patch:
    """A part of a picture.

    at: the layer input of the part.  wanted: (1, 3, h, w).  inside, outside: (1, 1, h, w), weights of its pixels, each
    with sum 1 over a whole example.  kind: the example's, or "outside" for a part elsewhere in the picture.  before:
    the weighted difference inside without a rule.
    """

    example: Example
    kind: str
    at: LayerInput
    wanted: Tensor
    inside: Tensor
    outside: Tensor
    before: float


def _patches(examples: Sequence[Example], random: np.random.Generator, *, fine: bool) -> list[_Patch]:
    """Two patches of each example: its retouched area, and a random part for the pixels outside.

    All cover areas of the same size.  fine: whether to draw the first in full size; otherwise, and for the second,
    half the size is used if the example has it.
    """
    cells = examples[0].at.key.shape[-1]
    halo = max(1, round(HALO * cells))
    boxes = [None if one.kind == "elsewhere" else _cells(one.inside, cells, halo) for one in examples]
    size = [max((box[1][i] - box[0][i] for box in boxes if box), default=cells // 2) for i in range(2)]
    patches = []
    for example, box in zip(examples, boxes, strict=True):
        if box:
            corner = [
                min(max(0, (start + end - n) // 4 * 2), cells - n) for start, end, n in zip(*box, size, strict=True)
            ]
            patches.append(_cut(example, corner, size, halo, example.kind, fine=fine))
        if size != [cells, cells] or not box:
            corner = [2 * int(random.integers(0, (cells - n) // 2 + 1)) for n in size]
            patches.append(_cut(example, corner, size, halo, "outside", fine=False))
    return patches


def _alike(patches: Sequence[_Patch]) -> list[list[_Patch]]:
    """The patches in groups of the same size, each of which is drawn as a batch."""
    sizes = {patch.wanted.shape: [] for patch in patches}
    for patch in patches:
        sizes[patch.wanted.shape].append(patch)
    return list(sizes.values())


def _cells(inside: Tensor, cells: int, halo: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(top, left), (bottom, right) of the retouched area with its halo, in even positions of the first layer's key."""
    top, left, bottom, right = bounding_box(inside.cpu().numpy())
    cell = len(inside) // cells
    return (
        tuple(max(0, n // cell - halo) // 2 * 2 for n in (top, left)),
        tuple(min(cells, -(-(-(-n // cell) + halo) // 2) * 2) for n in (bottom, right)),
    )


def _cut(example: Example, corner: Sequence[int], size: Sequence[int], halo: int, kind: str, *, fine: bool) -> _Patch:
    original, wanted, inside = example.original, example.wanted, example.inside
    if not fine and example.coarse is not None:
        inside = F.avg_pool2d(inside[None], 2)[0]
        original, wanted = example.coarse, example.coarse + F.avg_pool2d(wanted - original, 2)
    (top, left), (height, width) = corner, size
    cells, side = example.at.key.shape[-1], len(inside)
    cell = side // cells
    here = np.s_[..., top * cell : (top + height) * cell, left * cell : (left + width) * cell]
    valid = inside.new_zeros(height * cell, width * cell)
    rows, columns = (
        slice(halo * cell if start else 0, (length - (halo if start + length < cells else 0)) * cell)
        for start, length in ((top, height), (left, width))
    )
    valid[rows, columns] = 1
    within, without = inside[here] * valid, (1 - inside[here]) * valid
    if kind != "outside":
        within, without = within / inside.sum().clamp_min(1e-6), without / side**2
    else:
        within, without = 0 * within, without / valid.sum()
    at = _part(example.at, top, left, height, width)
    return _patch(example, kind, at, original[here], wanted[here], within, without)


def _whole(example: Example) -> _Patch:
    """The patch of a whole picture, for a generator that cannot draw parts."""
    inside, pixels = example.inside, example.inside.numel()
    kind = "outside" if example.kind == "elsewhere" else example.kind
    within = 0 * inside if kind == "outside" else inside / inside.sum().clamp_min(1e-6)
    return _patch(example, kind, example.at, example.original, example.wanted, within, (1 - inside) / pixels)


def _patch(
    example: Example, kind: str, at: LayerInput, original: Tensor, wanted: Tensor, within: Tensor, without: Tensor
) -> _Patch:
    before = float(((original - wanted).abs().mean(0) * within).sum())
    return _Patch(example, kind, at, wanted[None], within[None, None], without[None, None], before)


def drawn(
    generator: Generator, layers: Sequence[int], at: LayerInput, *, full: bool = True
) -> tuple[Tensor | None, Tensor | None]:
    """A picture, (3, H, H), and the same in half size, (3, H / 2, H / 2), from an earlier layer of the generator.

    The second is None if the generator has no such picture after the last of `layers`.  full: False omits the first
    if there is a second.  at: the input of the first layer.
    """
    layer, half, small = layers[0], generator.config.resolution // 2, None
    value = generator.value(layer, at)
    last = generator.last_layer_for(half) if half in generator.config.resolutions else generator.layers[-1]
    if max(layers) <= last < generator.layers[-1]:
        while layer < last:
            at = generator.advance(layer, value, at)
            layer += 1
            value = generator.value(layer, at)
        small = generator.picture(layer, value, at)[0]
        if not full:
            return None, small
    return generator.leave(layer, value, at)[0], small


def _part(at: LayerInput, top: int, left: int, height: int, width: int) -> LayerInput:
    """The layer input of a part of a picture; the box in positions of the key."""
    cells, skip = at.key.shape[-1], at.skip
    if skip is not None:
        ratio = cells / skip.shape[-1]
        rows, columns = (slice(int(a / ratio), int((a + n) / ratio)) for a, n in ((top, height), (left, width)))
        skip = skip[:, :, rows, columns]
    key = at.key[:, :, top : top + height, left : left + width]
    return replace(at, key=key, skip=skip, origins=((top / cells, left / cells),))


def _loss(
    generator: Generator,
    layers: Sequence[int],
    weights: Weights,
    patches: Sequence[_Patch],
    outside: float,
    seen: _Seen,
) -> Tensor:
    """The loss of a batch of patches: differences on a pyramid.  seen: collects the differences at full size."""
    at = LayerInput.cat([patch.at for patch in patches])
    wanted, inside, without = (
        torch.cat([getattr(patch, name) for patch in patches]) for name in ("wanted", "inside", "outside")
    )
    counts = inside.new_tensor([patch.example.weight for patch in patches])
    drawn, loss = _drawn(generator, layers[0], at, weights, wanted.shape[-2]), 0.0
    for level in range(LEVELS):
        difference = (drawn - wanted).abs().mean(1, keepdim=True)
        parts = [(difference * where).sum((1, 2, 3)) for where in (inside, without)]
        loss = loss + ((parts[0] + outside * parts[1]) * counts).sum()
        if level == 0:
            for patch, *told in zip(patches, *(part.tolist() for part in parts), strict=True):
                seen.add(patch, *told)
        if level + 1 < LEVELS:  # sums of the weights, whose total stays 1
            drawn, wanted = F.avg_pool2d(drawn, 2), F.avg_pool2d(wanted, 2)
            inside, without = 4 * F.avg_pool2d(inside, 2), 4 * F.avg_pool2d(without, 2)
    return loss


def _drawn(generator: Generator, first: int, at: LayerInput, weights: Weights, height: int) -> Tensor:
    """(B, 3, height, w): parts of pictures, drawn from the input of a layer, in full size or half."""
    last = generator.last_layer_for(height * generator.key_size(first) // at.key.shape[-2])
    value = generator.value(first, at, weights.get(first))
    for layer in range(first + 1, last + 1):
        at = generator.advance(layer - 1, value, at)
        value = generator.value(layer, at, weights.get(layer))
    return generator.picture(last, value, at)
