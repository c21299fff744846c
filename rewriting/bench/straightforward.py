"""The baselines of the benchmarks: direct implementations from the papers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.layer import EditableLayer
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.stylegan2 import ModulatedConv, StyleGAN2

FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0])


def draw(generator: StyleGAN2, z: Tensor) -> Tensor:
    """Draw latents (B, z_dim) as (B, 3, R, R) in float32, like the common PyTorch implementations: weights modulated
    for every picture, one grouped convolution, and upsampling by a transposed convolution and a low-pass filter."""
    latent = generator.map(z)
    x = generator.input.input.expand(len(z), -1, -1, -1)
    rgb = None
    for layer in generator.layers:
        styled = generator.styled(layer)
        x = _modulated(styled.conv, x, latent) + styled.offset(generator.noise(layer))
        x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        if layer % 2 == 0:
            to_rgb = generator.to_rgb1 if layer == 2 else generator.to_rgbs[layer // 2 - 2]
            y = _modulated(to_rgb.conv, x, latent) + to_rgb.bias
            rgb = y if rgb is None else y + _low_pass(_spread(rgb), (2, 1), 4.0)
    return rgb


def _modulated(conv: ModulatedConv, x: Tensor, latent: Tensor) -> Tensor:
    batch, inp, height, width = x.shape
    weight = conv.scale * conv.weight * conv.modulation(latent).view(batch, 1, inp, 1, 1)
    if conv.demodulate:
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    out, size = weight.shape[1], weight.shape[-1]
    x = x.reshape(1, batch * inp, height, width)
    if not conv.upsample:
        y = F.conv2d(x, weight.reshape(batch * out, inp, size, size), padding=size // 2, groups=batch)
        return y.view(batch, out, height, width)
    weight = weight.transpose(1, 2).reshape(batch * inp, out, size, size)
    y = F.conv_transpose2d(x, weight, stride=2, groups=batch)
    return _low_pass(y.view(batch, out, *y.shape[2:]), (1, 1), 4.0)


def _spread(x: Tensor) -> Tensor:
    """Insert zeros between the pixels."""
    batch, channels, height, width = x.shape
    y = x.new_zeros(batch, channels, height, 2, width, 2)
    y[:, :, :, 0, :, 0] = x
    return y.view(batch, channels, 2 * height, 2 * width)


def _low_pass(x: Tensor, pad: tuple[int, int], gain: float) -> Tensor:
    kernel = (FILTER[:, None] * FILTER / FILTER.sum() ** 2 * gain).to(x)
    channels = x.shape[1]
    return F.conv2d(F.pad(x, (*pad, *pad)), kernel.expand(channels, 1, 4, 4), groups=channels)


def projected_gradient(
    layer: EditableLayer, at: LayerInput, target: Tensor, weight: Tensor, directions: Tensor, iterations: int = 2001
) -> tuple[Tensor, float]:
    """The paper's solver: Adam on the whole weight, projected onto W0 + Lambda D every ten iterations.

    Returns the final weight, (O, I, kh, kw), and its loss, the weighted mean of |f - v*|.
    """
    base = layer.weight.clone()
    current = base.clone().requires_grad_(True)
    adam = torch.optim.Adam([current], lr=0.05)
    with torch.enable_grad():
        for iteration in range(iterations):
            adam.zero_grad()
            loss = (weight * (layer.value(at, current) - target).abs().mean(1)).sum()
            loss.backward()
            adam.step()
            if iteration % 10 == 0 or iteration == iterations - 1:
                with torch.no_grad():
                    change = torch.einsum("oihw,si->oshw", current - base, directions)
                    current.copy_(base + torch.einsum("oshw,si->oihw", change, directions))
    with torch.no_grad():
        left = (weight * (layer.value(at, current) - target).abs().mean(1)).sum()
    return current.detach(), float(left)


def second_moment(key: Tensor) -> Tensor:
    """(B, I, h, w) -> (I, I), the sum of one outer product for each position, as in the paper's code."""
    rows = key.permute(0, 2, 3, 1).flatten(0, 2)
    total = rows.new_zeros(rows.shape[1], rows.shape[1])
    for chunk in rows.split(256):
        total = torch.addbmm(total, chunk[:, :, None], chunk[:, None, :])
    return total
