"""Inversion: find the input of a layer with which the generator draws a given picture.

A rule acts on the input of its layer, so an inversion only has to find this input, not a latent.  The first step
finds the best latent: regression on pictures of the generator gives an estimate, and Adam (Kingma and Ba, 2015)
improves it.  A latent has too few numbers for every detail, so the second step improves the layer's input, together
with the latent for the later layers.  A penalty keeps the key near the one that the latent gives, because rules only
recognise such keys.  In a Progressive GAN the latent enters only the first layer, and improving it does not help.
There regression estimates the key of an earlier layer, the first steps improve that key, and the others improve the
key that it gives.  If all steps improve the last key, rules recognise less: the preset "Blue lamps" then works on 0 of
5 true scenes instead of 4.

The first step compares pictures by the mean absolute difference on a pyramid; the second compares them at full size,
by the absolute and the squared difference.

Source of the second step: Abdal et al., "Image2StyleGAN++", 2020, and Zhu et al., "In-domain GAN inversion", 2020.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.adam import Adam
from rewriting.core.own_files import Brought, squared
from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.generators.own_picture import OwnPicture
from rewriting.generators.threads import single_threaded

DRAWN, DRAWN_WHOLE = 200, 80  # pictures for the regression; fewer if a generator draws only full pictures
FIRST = 60_000  # their first number
SMALL = 32  # their side in pixels
RIDGE = 0.3  # of the regression, relative to the mean squared deviation of a picture
STEPS_LATENT, STEPS_KEY, STEPS_KEY_ALONE = 60, 80, 100  # of Adam; alone: without steps on the latent
EARLIER, STEPS_EARLIER = 2, 0.45  # distance to the earlier layer whose key is regressed; share of the steps on it
MOMENTUM, SQUARES = 0.9, 0.99  # of Adam
RATE_LATENT, RATE_KEY, RATE_LATER = 0.05, 0.12, 0.01  # of Adam, in deviations of the latents and mean sizes of the key
STAY_LATENT, STAY_KEY = 1e-4, 1e-3  # penalties on the distance from the mean latent, and from the latent's key
COARSE = 0.6  # share of the latent's steps at a quarter of the size; the others are at half
LEVELS = 4  # of the pyramid
SQUARED = 10.0  # weight of the mean squared difference in the second step; that of the mean absolute one is 1
SHOWN = 5  # steps between two yielded pictures
WORK = 4e9  # multiplications for one picture above which a generator gets fewer steps and draws fewer pictures
LEAST = 0.5  # least share of these
KEPT = 4  # generators whose pictures for the regression stay in memory


@dataclass(frozen=True)
class Inverting:
    """The state of an inversion after a step.

    step, steps: its number, and the number of all steps.  image: uint8 (h, h, 3), the drawing so far, perhaps smaller
    than the picture.  psnr: of the image, in dB.  picture: the result, None before the last step.
    """

    step: int
    steps: int
    psnr: float
    image: np.ndarray
    picture: OwnPicture | None = None


def psnr(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures, uint8 (H, W, 3); 99 for equal pictures."""
    error = float(np.square(drawn.astype(np.float32) - wanted.astype(np.float32)).mean())
    return min(99.0, 10 * math.log10(255**2 / max(error, 1e-9)))


def invert(generator: Generator, picture: Brought, layer: int | None = None, *, seed: int = 0) -> Iterator[Inverting]:
    """Invert a picture at a layer; yields the states of the inversion, and the last one has the result.

    picture: a file, a Pillow picture or uint8 (H, W, 3), of any size; see `rewriting.core.own_files.squared`.
    layer: by default the generator's.  Rules of earlier layers cannot change the result.
    seed: selects the pictures for the regression.  To stop early, close the iterator.
    Raises ValueError or FileNotFoundError for an unreadable picture, before any computation.
    """
    layer = generator.check_layer(generator.config.default_layer if layer is None else layer)
    image = squared(picture, generator.config.resolution, generator.config.frame(generator.config.resolution))
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
    stages = stages_of(generator, layer, second)
    here, done = stages[0][0], first
    at = start_of_key(generator, drawn, wanted, latent, here)
    for number, steps in stages:
        at, here = _advanced(generator, at, here, number), number
        for _, moved, shown in fit_key(generator, drawn, wanted, number, at, steps):
            at, done = moved, done + 1
            if (done - first) % SHOWN == 0 and done < first + second:
                yield told(done, shown)
    found = OwnPicture(image, generator.digest(), layer, latent, at, 0.0)
    seen = generator.images([found])[0]
    found = replace(found, psnr=psnr(seen, image))
    yield Inverting(first + second, first + second, found.psnr, seen, found)


# --- the estimate ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DrawnPictures:
    """Pictures of the generator, for the regression.

    latents: (N, w_dim).  pictures: (N, 3 * SMALL^2).  mean, deviation: (1, w_dim), of latents.
    """

    latents: Tensor
    pictures: Tensor
    mean: Tensor
    deviation: Tensor

    @single_threaded()
    def shares(self, small: Tensor) -> Tensor:
        """(N,), with sum 1: the weight of each picture in a kernel ridge regression on a given one.

        small: (1, 3 * SMALL^2), the given picture."""
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
    """The pictures for the regression; those of the last KEPT generators stay in memory."""
    name = generator.digest(), seed, generator.device
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
            return _kept[name]
    with torch.inference_mode(False):  # because later calls need these tensors with gradients
        drawn = _draw(generator, seed)
    with _lock:
        _kept[name] = drawn
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return drawn


def _draw(generator: Generator, seed: int) -> DrawnPictures:
    size = _small(generator)
    whole = generator.last_layer_for(size) == generator.layers[-1]
    count = round(share_of_work(generator) * (DRAWN_WHOLE if whole else DRAWN))
    numbers = range(FIRST + seed * DRAWN, FIRST + seed * DRAWN + count)
    latents = generator.map(generator.latents(numbers), 1.0, generator.every_class(numbers))
    pictures = [generator.synthesise(some, size=size) for some in latents.split(1 if whole else 16)]
    mean, deviation = latents.mean(0, keepdim=True), latents.std(0, keepdim=True) + 1e-4
    return DrawnPictures(latents, torch.cat(pictures).flatten(1), mean, deviation)


def _small(generator: Generator) -> int:
    return min(SMALL, generator.config.resolution)


@torch.no_grad()
def regressed(generator: Generator, drawn: DrawnPictures, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The estimated latent, and its drawing: the latent of the most similar picture or that of the regression,
    whichever draws the wanted picture better."""
    size = _small(generator)
    small = _sized(wanted, size).flatten(1)
    nearest = drawn.latents[(drawn.pictures - small).square().mean(1).argmin()][None]
    guesses = torch.cat([nearest, (drawn.shares(small) @ drawn.latents)[None]])
    shown = torch.cat([generator.synthesise(one[None], size=size) for one in guesses])
    best = difference(shown, _sized(wanted, size)).argmin()
    return guesses[best][None], shown[best][None]


@torch.no_grad()
def start_of_key(generator: Generator, drawn: DrawnPictures, wanted: Tensor, latent: Tensor, layer: int) -> LayerInput:
    """The layer's input for the latent.  If the latent enters only the first layer, the input can also come from the
    regression of the layer's key; the better drawing decides."""
    at = generator.enter(latent, layer)
    if at.latent is not None:
        return at
    shares = drawn.shares(_sized(wanted, _small(generator)).flatten(1))
    key = sum(share * generator.enter(one[None], layer).key for share, one in zip(shares, drawn.latents, strict=True))
    starts = (at, LayerInput(key))
    shown = torch.cat([generator.leave(layer, generator.value(layer, one), one) for one in starts])
    return starts[difference(shown, wanted).argmin()]


@torch.no_grad()
def _advanced(generator: Generator, at: LayerInput, layer: int, to: int) -> LayerInput:
    """From the input of a layer to that of a later one."""
    for number in range(layer, to):
        at = generator.advance(number, generator.value(number, at), at)
    return at


# --- the two steps ---------------------------------------------------------------------------------------------------


def fit_latent(
    generator: Generator, drawn: DrawnPictures, wanted: Tensor, latent: Tensor, steps: int
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Improve the latent; yields (number of the step, latent, drawing)."""
    resolution = generator.config.resolution
    moved = (latent - drawn.mean) / drawn.deviation
    adam = Adam([moved], [RATE_LATENT], MOMENTUM, SQUARES)
    for step in range(steps):
        size = max(_small(generator), resolution // (4 if step < COARSE * steps else 2))
        goal = _sized(wanted, size)

        def loss(moved: Tensor, size: int = size, goal: Tensor = goal) -> tuple[Tensor, Tensor]:
            shown = generator.synthesise(drawn.mean + drawn.deviation * moved, size=size)
            return difference(shown, goal).sum() + STAY_LATENT * moved.square().mean(), shown

        shown = adam.step(loss, 1 - step / steps + 0.04).detach()
        yield step + 1, drawn.mean + drawn.deviation * adam.values[0], shown


def fit_key(
    generator: Generator, drawn: DrawnPictures, wanted: Tensor, layer: int, at: LayerInput, steps: int
) -> Iterator[tuple[int, LayerInput, Tensor]]:
    """Improve the layer's input; yields (number of the step, layer input, drawing)."""
    names = ["key", *(["skip"] if at.skip is not None else []), *(["latent"] if at.latent is not None else [])]
    of_skip = _unit(at.skip) if generator.config.blocks == "resnet" and at.skip is not None else 1.0
    units = {"key": _unit(at.key), "skip": of_skip, "latent": drawn.deviation}
    rates = {"key": RATE_KEY, "skip": RATE_KEY, "latent": RATE_LATER}

    def moved_by(moves: Sequence[Tensor]) -> LayerInput:
        moved = {n: getattr(at, n) + units[n] * move for n, move in zip(names, moves, strict=True)}
        return replace(at, **moved)

    def loss(*moves: Tensor) -> tuple[Tensor, Tensor]:
        here = moved_by(moves)
        shown = generator.leave(layer, generator.value(layer, here), here)
        apart = difference(shown, wanted, levels=1).sum() + SQUARED * (shown - wanted).square().mean()
        return apart + STAY_KEY * moves[0].square().mean(), shown

    adam = Adam([torch.zeros_like(getattr(at, n)) for n in names], [rates[n] for n in names], MOMENTUM, SQUARES)
    for step in range(steps):
        shown = adam.step(loss, (1 + math.cos(math.pi * step / steps)) / 2).detach()
        yield step + 1, moved_by(adam.values), shown


def _unit(features: Tensor) -> Tensor:
    """(1, C, 1, 1): the size of each channel, at least the mean one, so that features that are zero can rise."""
    unit = features.abs().mean((0, 2, 3), keepdim=True)
    return unit.clamp_min(float(unit.mean()))


def difference(shown: Tensor, wanted: Tensor, levels: int = LEVELS) -> Tensor:
    """(B,): the sum of the mean absolute differences of pictures (B, 3, h, w) on a pyramid of `levels` sizes."""
    total = shown.new_zeros(len(shown))
    for level in range(levels):
        total = total + (shown - wanted).abs().mean((1, 2, 3))
        if level + 1 < levels and shown.shape[-1] > 1:
            shown, wanted = F.avg_pool2d(shown, 2), F.avg_pool2d(wanted, 2)
    return total


def _sized(picture: Tensor, size: int) -> Tensor:
    return picture if picture.shape[-1] == size else F.avg_pool2d(picture, picture.shape[-1] // size)


def steps_of(generator: Generator) -> tuple[int, int]:
    """The numbers of steps on the latent and on the layer's input.

    A slow generator gets fewer; a generator whose latent enters only the first layer gets none on the latent.
    """
    share = share_of_work(generator)
    steps = (STEPS_LATENT, STEPS_KEY) if generator.config.w_dim else (0, STEPS_KEY_ALONE)
    return round(share * steps[0]), round(share * steps[1])


def stages_of(generator: Generator, layer: int, steps: int) -> list[tuple[int, int]]:
    """The layers whose input is improved, one after another, each with its number of steps."""
    if generator.config.w_dim:
        return [(layer, steps)]
    earlier = max(generator.layers.start, layer - EARLIER)
    early = round(STEPS_EARLIER * steps) if earlier < layer else 0
    return [(earlier, early), (layer, steps - early)]


def share_of_work(generator: Generator) -> float:
    """The share of the usual steps and pictures that a generator gets: 1, and less for a slow one."""
    work = 0
    for layer in generator.layers:
        out, inp, *taps = generator.conv(layer).weight.shape[-4:]
        work += out * inp * math.prod(taps) * generator.value_size(layer) ** 2
    return max(LEAST, min(1.0, WORK / work))
