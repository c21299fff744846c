"""The residual discriminator of StyleGAN2 (Karras et al., CVPR 2020), for the optional adversarial loss."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators.stylegan2 import ACTIVATION, SQRT2, EqualLinear

GROUP = 4  # pictures compared by the minibatch standard deviation


class EqualConv(nn.Module):
    """A convolution in the input's type; its stored weight is scaled at run time."""

    def __init__(self, inp: int, out: int, size: int, *, activate: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, inp, size, size))
        self.bias = nn.Parameter(torch.zeros(out))
        self.scale, self.activate = 1 / math.sqrt(inp * size * size), activate

    def forward(self, x: Tensor) -> Tensor:
        kernel = (self.weight * self.scale).to(x.dtype).contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, kernel, self.bias.to(x.dtype), padding=self.weight.shape[-1] // 2)
        return ACTIVATION(y) if self.activate else y


class Block(nn.Module):
    """A residual block that halves the side: two convolutions beside a 1x1 one."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.first, self.second = EqualConv(inp, inp, 3), EqualConv(inp, out, 3)
        self.skip = EqualConv(inp, out, 1, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        return (F.avg_pool2d(self.second(self.first(x)), 2) + self.skip(F.avg_pool2d(x, 2))) / SQRT2


class Discriminator(nn.Module):
    """(B, 3, size, size) -> scores (B, 1), float32.  channels: {side: width} for 4, 8, ..., size."""

    def __init__(self, size: int, channels: Mapping[int, int]):
        super().__init__()
        sides = [side for side in sorted(channels, reverse=True) if side <= size]
        self.from_rgb = EqualConv(3, channels[size], 1)
        self.blocks = nn.Sequential(*[Block(channels[side], channels[side // 2]) for side in sides if side > 4])
        self.last = EqualConv(channels[4] + 1, channels[4], 3)
        self.hidden = EqualLinear(channels[4] * 16, channels[4], activate=True)
        self.score = EqualLinear(channels[4], 1)

    def forward(self, picture: Tensor) -> Tensor:
        x = self.blocks(self.from_rgb(picture.contiguous(memory_format=torch.channels_last)))
        x = self.last(torch.cat([x, self.variety(x)], 1))
        return self.score(self.hidden(x.flatten(1).float()))

    def variety(self, x: Tensor) -> Tensor:
        """(B, 1, 4, 4): the variation within groups of pictures (Karras et al., ICLR 2018)."""
        n = math.gcd(GROUP, len(x))
        deviation = x.view(n, -1, *x.shape[1:]).float().var(0, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))
        return deviation.repeat(n).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:]).to(x.dtype)
