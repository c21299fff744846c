"""From pictures to factors: Lambda of one or more layers learns to draw retouched pictures.

A pasted goal is values of one layer.  A retouched picture is a goal that no layer's values need ever have had, so
Lambda is found through the rest of the generator: differences of pictures inside what was retouched, and, weighed,
everywhere else.  The directions D stay those of the painted places.  Values that would render as retouched are a worse
goal: they ask for more than a picture needs, and so for more change elsewhere.

What reaches the first of the layers is computed once.  A step draws patches only: of what was retouched, with as much
around it as its colours depend on, and of as large a part of the same picture elsewhere.  Adam moves Lambda (Kingma
and Ba, 2015), in units of each weight's deviation.  The same examples give the same Lambda.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.layer import expand
from rewriting.core.masks import bounding_box
from rewriting.core.request import Request
from rewriting.generators import Generator, LayerInput
from rewriting.generators.base import Weights

RANK = 20
STEPS = 160
TOGETHER = 2  # examples a step
RATE, MOMENTUM, SQUARES = 0.05, 0.9, 0.999  # of Adam; the rate falls to nothing
OUTSIDE = 2.0  # how much a pixel outside counts beside one inside, where nobody chooses
COARSE = 0.5  # of the steps: so long pictures of half the size are enough
LEVELS = 4  # of the pyramid on which pictures are compared
HALO = 16 / 256  # of the picture's side, drawn around a patch and not looked at: what is cut off is missed there
SHOWN = 5  # steps from one rule to look at to the next


@dataclass(frozen=True)
class Example:
    """A picture and how it should look.

    at: what arrives at the first of the layers.  original, wanted: (3, H, H), about [-1, 1].  inside: (H, H), 0 to 1:
    where it was retouched.  weight: how much it counts beside others.  kind: "goal"; "preserve" where nothing should
    change inside; "elsewhere" where nothing is asked inside, and nothing should change outside.
    coarse: see `coarse`; an example from elsewhere that has it needs no original.
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
    """Where learning has come to.  factors: {layer: Lambda (O, S, kh, kw)}, in units of the stored weight.

    step, steps: this one, and how many there will be.  Mean differences from what was wanted, as a share of the full
    range, in each example as it was drawn last: inside, and before, without any change; outside; preserved, inside
    what should stay.
    """

    factors: dict[int, Tensor]
    step: int
    steps: int
    before: float
    inside: float
    outside: float
    preserved: float | None


def default_layers(generator: Generator, request: Request, first: int) -> tuple[int, ...]:
    """The layers that learn a request, from `first` on, where nobody chooses.

    What was bent is there already, and one layer moves it.  What was painted need never have been there: the next two
    sizes draw its colours and its edges.
    """
    bent = all(one.how["kind"] == "bend" for one in request.retouched)
    return tuple(n for n in ((first,) if bent else (first, first + 2, first + 4)) if n in generator.layers)


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
    """Learn Lambda of each layer, from low to high; the last one yielded is the result, those before are on the way.

    examples: each made when it is first drawn, so that a first rule need not wait for all.
    directions: {layer: (S, I)}.  outside: how much a pixel outside counts, 0 or more.  together: examples a step.
    others: examples from elsewhere, of which each step draws one.  To stop early, close the iterator.
    """
    generator = generator.computing_in(torch.float32)
    layers = sorted(directions)
    weights = {n: generator.conv(n).weight.detach().reshape(generator.conv(n).weight.shape[-4:]) for n in layers}
    units = {n: float(weights[n].std()) for n in layers}
    factors = {n: weights[n].new_zeros(len(weights[n]), len(directions[n]), *weights[n].shape[2:]) for n in layers}
    first, second = ({n: torch.zeros_like(factors[n]) for n in layers} for _ in range(2))
    order, random = _Order(examples, together), np.random.default_rng(0)
    further, seen = _Order(others, 1), _Seen()
    for step in range(steps):
        changed = {n: weights[n] + units[n] * expand(factors[n], directions[n]) for n in layers}
        gradients = {n: torch.zeros_like(changed[n]) for n in layers}
        for example in [*order.next(), *further.next()]:
            for patch in _patches(example, random, fine=step >= COARSE * steps):
                seen.add(example, patch, *_add_gradients(generator, layers, changed, patch, outside, gradients))
        rate = RATE * (1 - step / steps) + RATE / 500
        for n in layers:
            slope = units[n] * torch.einsum("oihw,si->oshw", gradients[n], directions[n])
            first[n].lerp_(slope, 1 - MOMENTUM)
            second[n].lerp_(slope.square(), 1 - SQUARES)
            size = (second[n] / (1 - SQUARES ** (step + 1))).sqrt().clamp_min(1e-12)
            factors[n] -= rate / (1 - MOMENTUM ** (step + 1)) * first[n] / size
        if (step + 1) % SHOWN == 0 or step + 1 == steps:
            yield Learned({n: units[n] * factors[n] for n in layers}, step + 1, steps, **seen.means())


class _Order:
    """The examples, some at a time: in the given order at first, then shuffled again and again."""

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
    """Mean differences of each example, as it was drawn last."""

    def __init__(self) -> None:
        self._of: dict[str, dict[int, float]] = {name: {} for name in ("before", "inside", "outside", "preserved")}

    def add(self, example: Example, patch: _Patch, inside: float, outside: float) -> None:
        if patch.kind == "goal":
            self._of["before"][id(example)], self._of["inside"][id(example)] = patch.before, inside
        elif patch.kind == "preserve":
            self._of["preserved"][id(example)] = inside
        else:
            self._of["outside"][id(example)] = outside

    def means(self) -> dict[str, float]:
        means = {name: float(np.mean(list(of.values()))) / 2 if of else 0.0 for name, of in self._of.items()}
        return means | ({} if self._of["preserved"] else {"preserved": None})


@dataclass(frozen=True)
class _Patch:
    """A part of a picture.  at: what arrives there.  wanted: (1, 3, h, w).  inside, outside: (1, 1, h, w), the weights
    of its pixels; inside sums to 1 over a whole example, and so does outside.  kind: the example's, or "outside" for
    any other part of it.  before: the sum of its differences inside, without any change."""

    at: LayerInput
    wanted: Tensor
    inside: Tensor
    outside: Tensor
    kind: str
    before: float
    weight: float


def _patches(example: Example, random: np.random.Generator, *, fine: bool) -> Iterator[_Patch]:
    """The part that was retouched, and as large a part anywhere, of which the pixels outside count.

    fine: whether the first is drawn in full size; outside, half of it says enough.
    """
    side, cells = example.inside.shape[-1], example.at.key.shape[-1]
    halo = max(1, round(HALO * cells))
    if example.kind == "elsewhere":
        height = width = cells // 2
    else:
        box = _cells(example.inside, side // cells, halo)
        yield _cut(example, box, halo, example.kind, fine=fine)
        height, width = box[2:]
    if (height, width) != (cells, cells):
        corner = (2 * int(random.integers(0, (cells - n) // 2 + 1)) for n in (height, width))
        yield _cut(example, (*corner, height, width), halo, "outside", fine=False)


def _cells(inside: Tensor, cell: int, halo: int) -> tuple[int, int, int, int]:
    """(top, left, height, width) of what was retouched, in positions of the first layer's key, even, with a halo."""
    top, left, bottom, right = bounding_box(inside.cpu().numpy())
    cells = len(inside) // cell
    top, left = (max(0, n // cell - halo) // 2 * 2 for n in (top, left))
    bottom, right = (min(cells, -(-(-(-n // cell) + halo) // 2) * 2) for n in (bottom, right))
    return top, left, bottom - top, right - left


def _cut(example: Example, box: tuple[int, int, int, int], halo: int, kind: str, *, fine: bool) -> _Patch:
    original, wanted, inside = example.original, example.wanted, example.inside
    if not fine and example.coarse is not None:
        inside = F.avg_pool2d(inside[None], 2)[0]
        original, wanted = example.coarse, example.coarse + F.avg_pool2d(wanted - original, 2)
    top, left, height, width = box
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
    before = float(((original[here] - wanted[here]).abs().mean(0) * within).sum())
    at = _part(example.at, *box)
    return _Patch(at, wanted[here][None], within[None, None], without[None, None], kind, before, example.weight)


def coarse(generator: Generator, layers: Sequence[int], at: LayerInput) -> Tensor | None:
    """(3, H / 2, H / 2): the picture that a generator has on its way to the full size; None if it has none that all of
    the layers take part in.  at: the input of the first of them."""
    half = generator.config.resolution // 2
    if (
        half not in generator.config.resolutions
        or not max(layers) <= generator.last_layer_for(half) < generator.layers[-1]
    ):
        return None
    return generator.leave(layers[0], generator.value(layers[0], at), at, size=half)[0]


def _part(at: LayerInput, top: int, left: int, height: int, width: int) -> LayerInput:
    """What arrives at a part of a layer; the box in positions of its key."""
    cells, rgb = at.key.shape[-1], at.rgb
    if rgb is not None:
        ratio = cells / rgb.shape[-1]
        rows, columns = (slice(int(a / ratio), int((a + n) / ratio)) for a, n in ((top, height), (left, width)))
        rgb = rgb[:, :, rows, columns]
    key = at.key[:, :, top : top + height, left : left + width]
    return replace(at, key=key, rgb=rgb, origin=(top / cells, left / cells))


def _add_gradients(
    generator: Generator,
    layers: Sequence[int],
    weights: Mapping[int, Tensor],
    patch: _Patch,
    outside: float,
    gradients: Mapping[int, Tensor],
) -> tuple[float, float]:
    """Adds what the patch's loss says of each layer's weight; mean differences inside and outside."""
    with torch.enable_grad():
        leaves = {n: weights[n].detach().requires_grad_() for n in layers}
        drawn = _drawn(generator, layers[0], patch.at, leaves, patch.wanted.shape[-2])
        loss, inside, without, told = 0.0, patch.inside, patch.outside, []
        wanted = patch.wanted
        for level in range(LEVELS):
            difference = (drawn - wanted).abs().mean(1, keepdim=True)
            parts = (difference * inside).sum(), (difference * without).sum()
            told.append(tuple(float(part.detach()) for part in parts))
            loss = loss + parts[0] + outside * parts[1]
            if level + 1 < LEVELS:  # the weights are summed, so that they still sum to 1
                drawn, wanted = F.avg_pool2d(drawn, 2), F.avg_pool2d(wanted, 2)
                inside, without = 4 * F.avg_pool2d(inside, 2), 4 * F.avg_pool2d(without, 2)
        found = torch.autograd.grad(patch.weight * loss, [leaves[n] for n in layers])
    for n, gradient in zip(layers, found, strict=True):
        gradients[n] += gradient
    return told[0]


def _drawn(generator: Generator, first: int, at: LayerInput, weights: Weights, height: int) -> Tensor:
    """(1, 3, height, w): a part of a picture, from what arrives at a layer, in full size or in less."""
    cells, whole = at.key.shape[-2], generator.value_size(first) // (2 if generator.conv(first).upsample else 1)
    last = generator.last_layer_for(height * whole // cells)
    value = generator.value(first, at, weights.get(first))
    for layer in range(first + 1, last + 1):
        at = generator.advance(layer - 1, value, at)
        value = generator.value(layer, at, weights.get(layer))
    return generator.picture(last, value, at)
