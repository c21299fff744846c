"""Low-rank changes of all layers, trained through the whole generator: the way of GANWarping.

Source: Wang et al., "Rewriting Geometric Rules of a GAN", 2022.  Its perceptual loss is LPIPS, which needs a network
trained on photographs; the segmenter's features take its place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.generators import Generator, to_uint8
from rewriting.generators.base import Weights
from weights.experiments.methods import WeightChange
from weights.rules.lessons import DIFFERS, Lesson
from weights.segmenter import SIDE, Segmenter

RANK = 20
RATE = 0.01  # of Adam, in units of each weight's deviation; it falls to nothing
MIXED = 8  # the last layer whose style is the picture's own, where styles are mixed
SHARE_MIXED = 0.5  # of the steps
FEATURES = 1.0  # how much they count beside the pixels
OUTSIDE = 2.5  # how much a pixel of the whole picture counts beside one that was retouched, as in `learn`


def low_rank_of_all_layers(lesson: Lesson, *, steps: int, rate: float = RATE) -> list[WeightChange]:
    """A change for each layer.  Every picture in which the place is painted is given as it should look, and so is each
    mixture of its shape with the style of another: more than our way is told.

    Raises ValueError for a generator without styles.
    """
    generator, segmenter = lesson.generator, Segmenter.load(lesson.retouch.generator)
    latents = [generator.map(generator.latents([seed])) for seed in lesson.seeds]
    if generator.begin(latents[0]).latent is None:
        raise ValueError(f"{generator.config.name} has no styles to mix; choose a StyleGAN2.")
    own = {n: generator.conv(n).weight.detach().reshape(generator.conv(n).weight.shape[-4:]) for n in generator.layers}
    random, source = np.random.default_rng(0), torch.Generator().manual_seed(0)
    left = {n: torch.zeros(len(weight), RANK, requires_grad=True) for n, weight in own.items()}
    right = {n: torch.randn(RANK, w[0].numel(), generator=source).requires_grad_() for n, w in own.items()}

    def changes() -> dict[int, Tensor]:
        return {n: w.std() / RANK**0.5 * (left[n] @ right[n]).view_as(w) for n, w in own.items()}

    adam = torch.optim.Adam([*left.values(), *right.values()], lr=rate)
    for step in range(steps):
        which = int(random.integers(len(latents)))
        style = latents[int(random.integers(len(latents)))] if random.random() < SHARE_MIXED else latents[which]
        with torch.no_grad():
            before = to_uint8(_drawn(generator, latents[which], style))[0]
        wanted, original = (_tensor(picture) for picture in (lesson.ideal(lesson.seeds[which], before), before))
        inside = ((wanted - original).abs().mean(1, keepdim=True) > DIFFERS / 127.5).float()
        adam.param_groups[0]["lr"] = rate * (1 - step / steps)
        with torch.enable_grad():
            drawn = _drawn(generator, latents[which], style, {n: own[n] + more for n, more in changes().items()})
            pixels = (drawn - wanted).abs().mean(1, keepdim=True)
            loss = (pixels * inside).sum() / inside.sum().clamp_min(1) + OUTSIDE * pixels.mean()
            adam.zero_grad()
            (loss + FEATURES * _features_apart(segmenter, drawn, wanted)).backward()
        adam.step()
    return [WeightChange(n, change.detach()) for n, change in changes().items()]


def _drawn(generator: Generator, latent: Tensor, style: Tensor, weights: Weights | None = None) -> Tensor:
    """(1, 3, H, H): the shape of one latent, with the style of another after the layer `MIXED`."""
    at, last = generator.begin(latent), generator.layers[-1]
    for layer in generator.layers:
        value = generator.value(layer, at, (weights or {}).get(layer))
        if layer == MIXED:
            at = replace(at, latent=style)
        if layer < last:
            at = generator.advance(layer, value, at)
    return generator.picture(last, value, at)


def _features_apart(segmenter: Segmenter, one: Tensor, other: Tensor) -> Tensor:
    """As LPIPS is built (Zhang et al. 2018), without its learnt weights."""
    levels = [segmenter.network.encode(F.interpolate(x, size=(SIDE, SIDE), mode="area")) for x in (one, other)]
    apart = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in zip(*levels, strict=True)
    ]
    return torch.stack(apart).mean()


def _tensor(picture: np.ndarray) -> Tensor:
    """uint8 (H, H, 3) -> (1, 3, H, H), -1 to 1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
