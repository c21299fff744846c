"""Augmentations of pictures and their label maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_SHIFT, MOST_MOVE = 6, 40  # pixels
MOST_NOISE, MOST_TINT = 0.08, 0.15  # of a picture on [-1, 1]


def augment(x: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste, shift, blur, tint and add noise: pictures (B, 3, H, W) in [-1, 1], label maps (B, H, W)."""
    x, label = paste(x, label, generator)
    x, label = shift(x, label, generator)
    return noisy(tinted(blurred(x, generator), generator), generator), label


def paste(x: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste into half of the pictures a thing of another picture, at another place.

    Rules put things where no scene has them (a hat on a horse, a tree on a tower), so a segmenter must recognise a
    thing by its look and not by its place.
    """
    other = torch.randperm(len(x), generator=generator)
    moves = torch.randint(-MOST_MOVE, MOST_MOVE + 1, (len(x), 2), generator=generator).tolist()
    x, label, source, source_label = x.clone(), label.clone(), x, label
    for i in range(0, len(x), 2):
        thing = torch.roll(source_label[other[i]], moves[i], (0, 1))
        classes = thing.unique()
        mask = thing == classes[torch.randint(len(classes), (1,), generator=generator)]
        x[i] = torch.where(mask, torch.roll(source[other[i]], moves[i], (1, 2)), x[i])
        label[i] = torch.where(mask, thing, label[i])
    return x, label


def shift(x: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shift the whole batch by a few pixels; edges are repeated."""
    height, width = label.shape[1:]
    top, left = torch.randint(2 * MOST_SHIFT + 1, (2,), generator=generator).tolist()
    pad = (MOST_SHIFT,) * 4
    x = F.pad(x, pad, mode="replicate")
    label = F.pad(label[:, None].float(), pad, mode="replicate")[:, 0].to(label.dtype)
    rows, columns = slice(top, top + height), slice(left, left + width)
    return x[:, :, rows, columns], label[:, rows, columns]


def blurred(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mix each picture with its 5x5 low-pass, by a random share."""
    tap = torch.tensor([1, 4, 6, 4, 1], dtype=x.dtype, device=x.device) / 16
    kernel = (tap[:, None] * tap).expand(x.shape[1], 1, 5, 5)
    soft = F.conv2d(F.pad(x, (2,) * 4, mode="replicate"), kernel, groups=x.shape[1])
    return x + (soft - x) * _random(x, generator)


def tinted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Change the contrast, and the brightness of each colour."""
    contrast = 1 + MOST_TINT * (2 * _random(x, generator) - 1)
    return x * contrast + MOST_TINT * (2 * _random(x, generator, x.shape[1]) - 1)


def noisy(x: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator).to(x.device)
    return x + noise * (MOST_NOISE * _random(x, generator))


def _random(x: Tensor, generator: torch.Generator, channels: int = 1) -> Tensor:
    """(B, channels, 1, 1) in [0, 1]."""
    return torch.rand(len(x), channels, 1, 1, generator=generator).to(x.device)
