"""Pasting pixels at corresponding places, instead of changing the model.

A compact version of Neural Best-Buddies (Aberman et al. 2018), which the paper compares with.  Best buddies, that is
mutual nearest neighbours, connect the picture of the goal with each other picture, in the generator's own features
instead of a VGG19's; a similarity transform replaces the moving least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weights.experiments.methods import MethodResult, Setting, Stopwatch

SIDES = (16, 32)  # of the features that are compared, in positions; the finer one's grid is used
REACH = 3  # grid positions around the object, whose buddies count too
ROUNDS, KEPT = 4, 0.7  # of the fit: each keeps this share of the buddies, those that fit best
SCALES = (0.5, 2.0)
LEVELS = 5  # of the Laplacian pyramid
Similarity = tuple[float, Tensor]  # scale and shift (2,), of x and y in [-1, 1]


@dataclass(frozen=True)
class GoalPicture:
    """The first picture of the goal, at the side S for comparisons.

    pixels: (1, 3, S, S) in [0, 1], with the object.  alpha: (1, 1, S, S), the cover of the object.
    features: (P, d) of that picture without it.  near: bool (P,), grid positions at the object.
    """

    pixels: Tensor
    alpha: Tensor
    features: Tensor
    near: Tensor


def pasted_pixels(setting: Setting) -> list[MethodResult]:
    """Two changes: copy the goal's pixels to the corresponding place of each picture, and blend them in a Laplacian
    pyramid.

    If the setting has a segmenter, pictures in which it does not see the rule's things do not change.
    """
    with Stopwatch() as watch, torch.no_grad():
        example = _example(setting)
    places = Places(setting, example)

    def change(name: str, blended: bool) -> MethodResult:
        @torch.no_grad()
        def draw(seeds: Sequence[int], before: np.ndarray) -> np.ndarray:
            after = before.copy()
            for i, place in enumerate(places.find(seeds, before)):
                if place is not None:
                    after[i] = _paste(example, place, before[i], blended)
            return after

        return MethodResult(name, draw, watch.seconds)

    return [change("pasting pixels", False), change("pasting pixels, Laplacian blending", True)]


class Places:
    """The places for the object in pictures; the last results are cached, because two changes need them."""

    def __init__(self, setting: Setting, example: GoalPicture):
        self._setting, self._example = setting, example
        self._last: tuple[list[int], list[Similarity | None]] = [], []

    @torch.no_grad()
    def find(self, seeds: Sequence[int], pictures: np.ndarray) -> list[Similarity | None]:
        """The place in each picture; None for a picture without the rule's things."""
        if self._last[0] != list(seeds):
            seen = self._setting.sees(pictures)
            places = [self._place(seed) if there else None for seed, there in zip(seeds, seen, strict=True)]
            self._last = list(seeds), places
        return self._last[1]

    def _place(self, seed: int) -> Similarity:
        features = _features(self._setting, seed)
        return similarity(*buddies(self._example.features, features, self._example.near))


def _example(setting: Setting) -> GoalPicture:
    rewriter, paste, term = setting.rewriter, setting.request.paste, setting.terms[0]
    size = setting.size
    pixels = rewriter.generator.leave(rewriter.number, term.target, term.at, size=size).clamp(-1, 1) / 2 + 0.5
    cover = term.weight[None, None] / term.weight.max()
    alpha = F.interpolate(cover, size=(size, size), mode="bilinear")
    grid = F.interpolate(cover, size=(SIDES[-1], SIDES[-1]), mode="area")
    near = F.max_pool2d(grid, 2 * REACH + 1, 1, REACH).flatten() > 0
    return GoalPicture(pixels, alpha, _features(setting, paste.seed), near)


def _features(setting: Setting, seed: int) -> Tensor:
    """(P, d): at each position of the finer grid, the features of the generator's layers of both sizes."""
    generator = setting.rewriter.generator
    latent = generator.map(generator.latents([seed], setting.request.seeding), setting.request.truncation)
    at, levels = generator.begin(latent), []
    for layer in generator.layers:
        value = drawn = generator.value(layer, at)
        last_of_its_size = layer % 2 == 0
        if last_of_its_size and value.shape[-1] in SIDES:
            value = F.normalize(value - value.mean((2, 3), keepdim=True), dim=1)
            levels.append(F.interpolate(value, size=(SIDES[-1],) * 2, mode="bilinear"))
        if (last_of_its_size and drawn.shape[-1] >= SIDES[-1]) or layer + 1 not in generator.layers:
            break
        at = generator.advance(layer, drawn, at)
    joined = F.avg_pool2d(torch.cat(levels, 1), 3, 1, 1, count_include_pad=False)
    return F.normalize(joined, dim=1)[0].flatten(1).t()


def _paste(example: GoalPicture, place: Similarity, picture: np.ndarray, blended: bool) -> np.ndarray:
    scale, shift = place
    theta = torch.tensor([[1 / scale, 0, -shift[0] / scale], [0, 1 / scale, -shift[1] / scale]])[None]
    grid = F.affine_grid(theta, list(example.pixels.shape), align_corners=False)
    moved = F.grid_sample(example.pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    alpha = F.grid_sample(example.alpha, grid, mode="bilinear", align_corners=False)
    under = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None] / 255
    mixed = blend(under, moved, alpha) if blended else torch.lerp(under, moved, alpha)
    return (mixed[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def buddies(one: Tensor, other: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Mutual nearest neighbours of chosen positions: places (K, 2) in both pictures, x and y in [-1, 1].

    one, other: (P, d), of unit length, on a square grid.  chosen: bool (P,), positions of the first.  Without a mutual
    pair, the nearest neighbours.
    """
    source = chosen.nonzero().flatten()
    target = (one[source] @ other.t()).argmax(1)
    mutual = (other[target] @ one.t()).argmax(1) == source
    if mutual.any():
        source, target = source[mutual], target[mutual]
    places = grid_places(round(len(one) ** 0.5))
    return places[source], places[target]


def grid_places(side: int) -> Tensor:
    """(side^2, 2): centres of a grid's cells, x and y in [-1, 1]."""
    steps = (torch.arange(side) + 0.5) / side * 2 - 1
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)


def similarity(source: Tensor, target: Tensor) -> tuple[float, Tensor]:
    """Scale and shift (2,) with target = scale * source + shift, by least squares over the best-fitting pairs."""
    scale, shift = 1.0, (target - source).median(0).values
    for _ in range(ROUNDS):
        apart = (scale * source + shift - target).norm(dim=1)
        kept = apart <= apart.quantile(KEPT)
        a, b = source[kept], target[kept]
        inner = a - a.mean(0)
        spread = float(inner.square().sum())
        if spread > 1e-6:
            scale = min(max(float((inner * (b - b.mean(0))).sum()) / spread, SCALES[0]), SCALES[1])
        shift = b.mean(0) - scale * a.mean(0)
    return scale, shift


def blend(under: Tensor, over: Tensor, alpha: Tensor) -> Tensor:
    """Mix pictures (1, 3, H, W) band by band (Burt and Adelson 1983): the coarser the band, the softer alpha."""
    if min(under.shape[-2:]) < 2**LEVELS:
        raise ValueError(f"pictures of {under.shape[-2]} pixels are too small to blend; {2**LEVELS} is the least.")
    bands = []
    for _ in range(LEVELS - 1):
        small = [F.avg_pool2d(x, 2) for x in (under, over)]
        rest = [x - _enlarged(s, x) for x, s in zip((under, over), small, strict=True)]
        bands.append(torch.lerp(rest[0], rest[1], alpha))
        (under, over), alpha = small, F.avg_pool2d(alpha, 2)
    mixed = torch.lerp(under, over, alpha)
    for band in reversed(bands):
        mixed = band + _enlarged(mixed, band)
    return mixed


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(small, size=like.shape[-2:], mode="bilinear")
