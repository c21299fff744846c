"""From a picture that the generator never drew to what arrives at one of its layers.

A rule acts on what arrives at its layer, so a picture only has to become features of that layer.  First the latent
that draws it best is looked for: regressed from pictures that the generator drew, then moved by Adam (Kingma and Ba,
2015).  A latent has too few numbers to say everything, so that what arrives at the layer is moved in a second step,
with the latent of the layers after it, and is held near where the latent put it: rules must meet features that they
know.  The latent of a Progressive GAN acts on its first layer only, and moving it leads nowhere: there the features of
an earlier layer are regressed instead, and all steps move the key.

The first step compares pictures on a pyramid of mean absolute differences, the second at full size, by absolute and
squared differences.

The idea of the second step: Abdal et al., "Image2StyleGAN++", 2020, and Zhu et al., "In-domain GAN inversion", 2020.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.own_files import Brought, squared
from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.generators.own_picture import OwnPicture
from rewriting.generators.threads import single_threaded

DRAWN, DRAWN_WHOLE = 200, 80  # pictures to start from; the second, where a small one costs as much as a whole one
FIRST = 60_000  # their first number
SMALL = 32  # pixels a side, at which they are compared
RIDGE = 0.3  # of the regression, times the mean size of a picture's deviation
STEPS_LATENT, STEPS_KEY, STEPS_KEY_ALONE = 60, 80, 100  # alone: where the first step has none
EARLIER = 2  # layers before the one where features are regressed
RATE_LATENT, RATE_KEY, RATE_LATER = 0.05, 0.12, 0.01  # of Adam, in deviations of the latents and mean sizes of the key
STAY_LATENT, STAY_KEY = 1e-4, 1e-3  # how much it counts to stay near the mean latent, and where the latent put the key
COARSE = 0.6  # of the first steps: so long pictures of a quarter of the size are enough, then of half
LEVELS = 4  # of the pyramid
SQUARED = 10.0  # how much the mean squared difference counts in the second step, beside the mean absolute one
SHOWN = 5  # steps from one picture to look at to the next
WORK = 4e9  # multiplications of one picture, up to which a generator has all steps
LEAST = 0.5  # of the steps, that the largest generators have
KEPT = 4  # generators whose drawn pictures are kept


@dataclass(frozen=True)
class Inverting:
    """Where the inversion has come to.

    step, steps: this one, and how many there will be.  image: uint8 (h, h, 3), as it is drawn so far, perhaps smaller
    than the picture.  psnr: in dB, of that.  picture: the result, with the last one.
    """

    step: int
    steps: int
    psnr: float
    image: np.ndarray
    picture: OwnPicture | None = None


def psnr(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures, uint8 (H, W, 3); 99 where nothing differs."""
    error = float(np.square(drawn.astype(np.float32) - wanted.astype(np.float32)).mean())
    return min(99.0, 10 * math.log10(255**2 / max(error, 1e-9)))


def invert(generator: Generator, picture: Brought, layer: int | None = None, *, seed: int = 0) -> Iterator[Inverting]:
    """Find what arrives at a layer when a generator draws a picture; the last one yielded has the result.

    picture: a file, a Pillow picture or uint8 (H, W, 3), of any size; see `rewriting.core.own_files.squared`.
    layer: by default the generator's.  Rules of earlier layers cannot act on the result.
    seed: of the drawn pictures that it starts from.  To stop early, close the iterator.
    Raises ValueError or FileNotFoundError if the picture cannot be read, before anything is computed.
    """
    layer = generator.check_layer(generator.config.default_layer if layer is None else layer)
    image = squared(picture, generator.config.resolution)
    return _invert(generator.computing_in(torch.float32), image, layer, seed)


def _invert(generator: Generator, image: np.ndarray, layer: int, seed: int) -> Iterator[Inverting]:
    wanted = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float().to(generator.device) / 127.5 - 1
    first, second = steps_of(generator)
    drawn = drawn_by(generator, seed)

    def told(step: int, shown: Tensor) -> Inverting:
        seen, size = to_uint8(shown)[0], shown.shape[-1]
        return Inverting(step, first + second, psnr(seen, to_uint8(_sized(wanted, size))[0]), seen)

    latent, shown = regressed(generator, drawn, wanted)
    yield told(0, shown)
    for step, moved, shown in fit_latent(generator, drawn, wanted, latent, first):
        latent = moved
        if step % SHOWN == 0 or step == first:
            yield told(step, shown)
    at = start_of_key(generator, drawn, wanted, latent, layer)
    for step, moved, shown in fit_key(generator, drawn, wanted, layer, at, second):
        at = moved
        if step % SHOWN == 0 and step < second:
            yield told(first + step, shown)
    found = OwnPicture(image, generator.digest(), layer, latent, at, 0.0)
    seen = generator.images([found])[0]
    found = replace(found, psnr=psnr(seen, image))
    yield Inverting(first + second, first + second, found.psnr, seen, found)


# --- where to start --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DrawnPictures:
    """Pictures that the generator drew.  latents: (N, w_dim).  pictures: (N, 3 * SMALL^2).  mean, deviation: (1,
    w_dim), of latents."""

    latents: Tensor
    pictures: Tensor
    mean: Tensor
    deviation: Tensor

    @single_threaded()
    def shares(self, small: Tensor) -> Tensor:
        """(N,), summing to 1: what each counts in the kernel ridge regression of anything from a picture.

        small: (1, 3 * SMALL^2)."""
        centre = self.pictures.mean(0)
        away = self.pictures - centre
        kernel = away @ away.t()
        kernel += RIDGE * kernel.diagonal().mean() * torch.eye(len(kernel), device=kernel.device)
        shares = ((small - centre) @ away.t() @ torch.linalg.inv(kernel))[0]
        return shares + (1 - shares.sum()) / len(shares)


_kept: OrderedDict[tuple[str, int, torch.device], DrawnPictures] = OrderedDict()
_lock = Lock()


@torch.no_grad()
def drawn_by(generator: Generator, seed: int) -> DrawnPictures:
    """DrawnPictures once for each generator, as long as it is one of the last few."""
    name = generator.digest(), seed, generator.device
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
            return _kept[name]
    with torch.inference_mode(False):  # who draws pictures without gradients may call this first
        drawn = _draw(generator, seed)
    with _lock:
        _kept[name] = drawn
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return drawn


def _draw(generator: Generator, seed: int) -> DrawnPictures:
    size = _small(generator)
    whole = generator.last_layer_for(size) == generator.layers[-1]
    count = DRAWN_WHOLE if whole else DRAWN
    latents = generator.map(generator.latents(range(FIRST + seed * DRAWN, FIRST + seed * DRAWN + count)), 1.0)
    pictures = [generator.synthesise(some, size=size) for some in latents.split(1 if whole else 16)]
    mean, deviation = latents.mean(0, keepdim=True), latents.std(0, keepdim=True) + 1e-4
    return DrawnPictures(latents, torch.cat(pictures).flatten(1), mean, deviation)


def _small(generator: Generator) -> int:
    return min(SMALL, generator.config.resolution)


@torch.no_grad()
def regressed(generator: Generator, drawn: DrawnPictures, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The latent of the nearest picture that was drawn, or that of kernel ridge regression from all, whichever draws
    the picture better; and what it draws."""
    size = _small(generator)
    small = _sized(wanted, size).flatten(1)
    nearest = drawn.latents[(drawn.pictures - small).square().mean(1).argmin()][None]
    guesses = torch.cat([nearest, (drawn.shares(small) @ drawn.latents)[None]])
    shown = torch.cat([generator.synthesise(one[None], size=size) for one in guesses])
    best = difference(shown, _sized(wanted, size)).argmin()
    return guesses[best][None], shown[best][None]


@torch.no_grad()
def start_of_key(generator: Generator, drawn: DrawnPictures, wanted: Tensor, latent: Tensor, layer: int) -> LayerInput:
    """What arrives at the layer by the latent or, where that acts on the first layer only, by regression of the
    features of an earlier one, if this draws the picture better."""
    at = generator.enter(latent, layer)
    if at.latent is not None:
        return at
    earlier = max(generator.layers.start, layer - EARLIER)
    shares = drawn.shares(_sized(wanted, _small(generator)).flatten(1))
    key = sum(
        share * generator.enter(one[None], earlier).key for share, one in zip(shares, drawn.latents, strict=True)
    )
    mixed = LayerInput(key)
    for number in range(earlier, layer):
        mixed = generator.advance(number, generator.value(number, mixed), mixed)
    starts = (at, mixed)
    shown = torch.cat([generator.leave(layer, generator.value(layer, one), one) for one in starts])
    return starts[difference(shown, wanted).argmin()]


# --- what is moved ---------------------------------------------------------------------------------------------------


def fit_latent(
    generator: Generator, drawn: DrawnPictures, wanted: Tensor, latent: Tensor, steps: int
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Step, latent and what it draws, again and again."""
    resolution = generator.config.resolution
    moved = (latent - drawn.mean) / drawn.deviation
    adam = Adam([moved], [RATE_LATENT])
    for step in range(steps):
        size = max(_small(generator), resolution // (4 if step < COARSE * steps else 2))
        goal = _sized(wanted, size)

        def loss(moved: Tensor, size: int = size, goal: Tensor = goal) -> tuple[Tensor, Tensor]:
            shown = generator.synthesise(drawn.mean + drawn.deviation * moved, size=size)
            return difference(shown, goal).sum() + STAY_LATENT * moved.square().mean(), shown

        (moved,), shown = adam.step(loss, 1 - step / steps + 0.04)
        yield step + 1, drawn.mean + drawn.deviation * moved, shown


def fit_key(
    generator: Generator, drawn: DrawnPictures, wanted: Tensor, layer: int, at: LayerInput, steps: int
) -> Iterator[tuple[int, LayerInput, Tensor]]:
    """Step, what arrives at the layer and what it draws, again and again."""
    unit = at.key.abs().mean((0, 2, 3), keepdim=True)
    unit = unit.clamp_min(float(unit.mean()))  # what is silent in the picture where it starts can come up
    names = ["key", *(["rgb"] if at.rgb is not None else []), *(["latent"] if at.latent is not None else [])]
    units = {"key": unit, "rgb": 1.0, "latent": drawn.deviation}
    rates = {"key": RATE_KEY, "rgb": RATE_KEY, "latent": RATE_LATER}

    def moved_by(moves: Sequence[Tensor]) -> LayerInput:
        moved = {n: getattr(at, n) + units[n] * move for n, move in zip(names, moves, strict=True)}
        return replace(at, **moved)

    def loss(*moves: Tensor) -> tuple[Tensor, Tensor]:
        here = moved_by(moves)
        shown = generator.leave(layer, generator.value(layer, here), here)
        apart = difference(shown, wanted, levels=1).sum() + SQUARED * (shown - wanted).square().mean()
        return apart + STAY_KEY * moves[0].square().mean(), shown

    adam = Adam([torch.zeros_like(getattr(at, n)) for n in names], [rates[n] for n in names])
    for step in range(steps):
        moves, shown = adam.step(loss, (1 + math.cos(math.pi * step / steps)) / 2)
        yield step + 1, moved_by(moves), shown


class Adam:
    """Gradient descent with momentum, each number in units of its own recent gradients."""

    MOMENTUM, SQUARES = 0.9, 0.99

    def __init__(self, values: Sequence[Tensor], rates: Sequence[float]):
        self._values, self._rates, self._steps = list(values), list(rates), 0
        self._first, self._second = ([torch.zeros_like(one) for one in values] for _ in range(2))

    def step(self, loss: Callable[..., tuple[Tensor, Tensor]], share: float) -> tuple[list[Tensor], Tensor]:
        """One step at that share of the rates.  loss: of the values, with what is drawn.  Returns the new values, and
        what the old ones drew."""
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [one.detach().clone().requires_grad_() for one in self._values]
            value, shown = loss(*leaves)
            gradients = torch.autograd.grad(value, leaves)
        self._steps += 1
        for i, gradient in enumerate(gradients):
            self._first[i].lerp_(gradient, 1 - self.MOMENTUM)
            self._second[i].lerp_(gradient.square(), 1 - self.SQUARES)
            size = (self._second[i] / (1 - self.SQUARES**self._steps)).sqrt().clamp_min(1e-12)
            move = self._first[i] / (1 - self.MOMENTUM**self._steps) / size
            self._values[i] = self._values[i] - share * self._rates[i] * move
        return list(self._values), shown.detach()


def difference(shown: Tensor, wanted: Tensor, levels: int = LEVELS) -> Tensor:
    """(B,): mean absolute differences of two pictures, (B, 3, h, w), in this size and in each half of it, `levels` in
    all."""
    total = shown.new_zeros(len(shown))
    for level in range(levels):
        total = total + (shown - wanted).abs().mean((1, 2, 3))
        if level + 1 < levels and shown.shape[-1] > 1:
            shown, wanted = F.avg_pool2d(shown, 2), F.avg_pool2d(wanted, 2)
    return total


def _sized(picture: Tensor, size: int) -> Tensor:
    return picture if picture.shape[-1] == size else F.avg_pool2d(picture, picture.shape[-1] // size)


def steps_of(generator: Generator) -> tuple[int, int]:
    """Of the two steps.  Fewer for a generator that takes long to draw a picture, and none of the first where the
    latent acts on one layer only."""
    work = 0
    for layer in generator.layers:
        out, inp, *taps = generator.conv(layer).weight.shape[-4:]
        work += out * inp * math.prod(taps) * generator.value_size(layer) ** 2
    share = max(LEAST, min(1.0, WORK / work))
    steps = (STEPS_LATENT, STEPS_KEY) if generator.config.w_dim else (0, STEPS_KEY_ALONE)
    return round(share * steps[0]), round(share * steps[1])
