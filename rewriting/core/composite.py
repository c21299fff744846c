"""The goal of an object that is scaled, turned or mirrored: values with which the layer draws it so.

The values of a layer also say how an edge or a texture lies on its grid.  A turned arrangement of them therefore draws
an object that is hardly turned, and a scaled one draws it fainter.  So the object's pixels are transformed and laid
over the other picture, and a few steps of Adam, from the transformed values on, find values that draw the result.
A penalty keeps them near where they begin, because other values are a worse goal of a rule.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.adam import Adam
from rewriting.core.inversion import difference
from rewriting.core.masks import bounding_box, grown, resize_mask
from rewriting.core.transform import Placed, middles
from rewriting.generators import Generator, LayerInput
from rewriting.generators.threads import single_threaded

ENOUGH = 256  # pixels: side of the pictures that are compared, or less if they have no more
STEPS, COARSE = 30, 0.6  # of Adam; share of the steps, the first ones, that draw pictures of half the size
RATE, MOMENTUM, SQUARES = 0.1, 0.9, 0.99  # of Adam, in root mean squares of the values
STAY = 1.0  # penalty on the mean squared distance from the start
LEVELS, SQUARED = 3, 10.0  # of the pyramid; weight of the mean squared difference, that of each absolute one is 1
AROUND = 8 / 256  # of the side: width of the ring around the object whose values may change, too
HALO = 2  # positions around these: they are drawn, and the outermost are not compared
LOOSE = 8 / 256  # of the side: how far beyond the object it may be painted
NEAR = 25 / 256  # of the side: width of the window in which the colours around an object are averaged
LEAST = 0.3  # least share of what is painted that is the object's
LIKE = 0.12  # of the full range of 2: difference from these colours below which a pixel is not the object's


def can_draw(generator: Generator, layer: int) -> bool:
    """Whether the goal of a transformed object at a layer can be found from pixels."""
    return generator.draws_parts and layer < generator.layers[-1]


def alike(generator: Generator, layer: int, source: LayerInput, at: LayerInput, size: int) -> tuple[Tensor, Tensor]:
    """The picture with the object, and the other one, (1, 3, size, size) each, from their inputs of a layer.

    If a latent enters the later layers, both are drawn with that of the other picture, which determines colours and
    light.
    """
    drawn = (
        generator.leave(layer, generator.value(layer, one), one, size=size).float()
        for one in (replace(source, latent=at.latent), at)
    )
    return tuple(drawn)


def object_cover(picture: Tensor, mask: np.ndarray) -> Tensor:
    """How much of each pixel belongs to the object of a picture, (1, 1, H, H), 0 to 1.

    People paint an object a little too large.  A pixel at the rim of the mask is background if it has the mean colour
    of what is not painted around it, and if such pixels connect it to the outside.
    picture: (1, 3, H, H).  mask: uint8, of any side.
    """
    side, painted = picture.shape[-1], resize_mask(mask, picture.shape[-1])
    outside = torch.from_numpy((painted < 0.5).astype(np.float32))[None, None].to(picture.device)
    width = round(NEAR * side) // 2 * 2 + 1
    shares, sums = (F.avg_pool2d(one, width, 1, width // 2) for one in (outside, outside * picture))
    apart = (sums / shares.clamp_min(1e-6) - picture).abs().amax(1, keepdim=True)
    like = ((shares > 0) & (apart < LIKE))[0, 0].cpu().numpy()
    background = painted < 0.5
    for _ in range(round(LOOSE * side)):
        background |= like & grown(background, 1)
    tight = np.where(grown(background, 1), 0, painted)
    kept = tight if tight.sum() > LEAST * painted.sum() else painted
    soft = F.avg_pool2d(torch.from_numpy(kept.astype(np.float32))[None, None], 3, 1, 1, count_include_pad=False)
    return soft.to(picture.device)


def composite(picture: Tensor, cover: Tensor, other: Tensor, placed: Placed) -> Tensor:
    """The other picture with the transformed object, (1, 3, H, H).

    picture, other: (1, 3, H, H), with the object and without.  cover: (1, 1, H, H), from `object_cover`.
    """
    spots = 2 * placed.sources(middles(other.shape[-1])) - 1  # of -1 to 1, as PyTorch counts
    spots = torch.from_numpy(spots.astype(np.float32))[None].to(other.device)
    moved, cover = (
        F.grid_sample(one, spots, mode="bilinear", padding_mode=padding, align_corners=False)
        for one, padding in ((picture, "border"), (cover, "zeros"))
    )
    return torch.lerp(other, moved, cover)


@single_threaded()  # so that the same request has the same goal
@torch.inference_mode(False)
def drawing_values(
    generator: Generator, layer: int, at: LayerInput, start: Tensor, wanted: Tensor, shown: np.ndarray
) -> Tensor:
    """Values with which a layer draws a picture where the object is; elsewhere they stay.

    at: the layer's input of the picture.  start: (1, O, h, w).  wanted: (1, 3, H, H), the picture as it should look.
    shown: uint8 (H', H'), where the object is seen.
    """
    generator, start, wanted = generator.computing_in(torch.float32), start.clone(), wanted.clone()
    tensors = {name: getattr(at, name) for name in ("key", "style", "latent", "skip")}
    copies = {name: tensor.float().clone() for name, tensor in tensors.items() if tensor is not None}
    at = replace(at, **copies)  # which can be used with gradients, even if the input was computed in inference mode
    side, cells = wanted.shape[-1], start.shape[-1]
    free = resize_mask(grown(shown, round(AROUND * len(shown))), cells) > 0
    top, left, bottom, right = bounding_box(free)
    top, left = (max(0, n - HALO) // 2 * 2 for n in (top, left))
    bottom, right = (min(cells, (n + HALO + 1) // 2 * 2) for n in (bottom, right))
    inner = np.zeros((cells, cells), np.float32)
    inner[_within(top, bottom, cells), _within(left, right, cells)] = 1
    part, compared = (
        _cut(one, cells, top, left, bottom, right)
        for one in (wanted, torch.from_numpy(inner)[None, None].to(start.device))
    )
    compared = F.interpolate(compared, scale_factor=side // cells)
    unit = start.square().mean((0, 2, 3), keepdim=True).sqrt()
    unit = torch.from_numpy(free).to(start.device) * unit.clamp_min(0.3 * float(unit.mean()))
    positions = float(free.sum()) * start.shape[1]

    def drawn(value: Tensor, size: int) -> Tensor:
        """The part, drawn in a picture of that size."""
        last = generator.layers[-1] if at.full_size else generator.last_layer_for(size)
        whole = generator.advance(layer, value, at)
        here = replace(
            whole,
            key=_cut(whole.key, cells, top, left, bottom, right),
            skip=None if whole.skip is None else _cut(whole.skip, cells, top, left, bottom, right),
            origins=((top / cells, left / cells),),
        )
        value = generator.value(layer + 1, here)
        for later in range(layer + 2, last + 1):
            here = generator.advance(later - 1, value, here)
            value = generator.value(later, here)
        rgb, height = generator.picture(last, value, here), (bottom - top) * size // cells
        return rgb if rgb.shape[-2] == height else F.avg_pool2d(rgb, rgb.shape[-2] // height)

    coarse = side // 2 if side // 2 > cells else side

    def loss(move: Tensor, size: int) -> tuple[Tensor, None]:
        shown_now = drawn(start + unit * move, size)
        goal, where = (F.avg_pool2d(one, side // size) for one in (part, compared))
        apart = where * (shown_now - goal)
        levels = min(LEVELS, int(math.log2(min(apart.shape[-2:]))))
        share = where.mean()
        total = difference(apart, torch.zeros_like(apart), levels).sum() + SQUARED * apart.square().mean()
        return total / share + STAY * move.square().sum() / positions, None

    adam = Adam([torch.zeros_like(start)], [RATE], MOMENTUM, SQUARES)
    for step in range(STEPS):
        size = coarse if step < COARSE * STEPS else side
        adam.step(lambda move, size=size: loss(move, size), (1 + math.cos(math.pi * step / STEPS)) / 2)
    return start + unit * adam.values[0]


def _within(start: int, stop: int, cells: int) -> slice:
    """The compared positions of a part: without the outermost, except at the edge of the picture."""
    return slice(start + 1 if start else 0, stop - 1 if stop < cells else stop)


def _cut(maps: Tensor, cells: int, top: int, left: int, bottom: int, right: int) -> Tensor:
    """A part of (..., h, w), from a box in positions of a map with `cells` positions a side."""
    rows, columns = (
        slice(start * maps.shape[-1] // cells, stop * maps.shape[-1] // cells)
        for start, stop in ((top, bottom), (left, right))
    )
    return maps[..., rows, columns]
