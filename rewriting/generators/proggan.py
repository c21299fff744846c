"""Progressive GAN in pure PyTorch, with access to every layer.

Source: Karras et al., "Progressive Growing of GANs", ICLR 2018.  Parameter names and shapes are those of the PyTorch
files of GAN dissection and of the paper (layerN.conv.weight, layerN.wscale.b, output_RxR.*).
A layer is pixel norm, nearest upsampling by 2 (odd layers from the third), convolution, scale and bias, leaky ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators.base import EPSILON, Generator, standard_normal
from rewriting.generators.config import GeneratorConfig
from rewriting.generators.convolution import KernelCache, Weight, convolve, fastest
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.winograd import WinogradKernel

SLOPE = 0.2


def pixel_norm(x: Tensor) -> Tensor:
    """Normalise features (B, C, h, w) to unit mean square at every position."""
    return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + EPSILON).to(x.dtype)


class PlainConv(nn.Module):
    """The convolution of a layer.  A value is its raw output, so f(k; W) is linear in k and W (paper, section 3)."""

    demodulate = False
    upsample = False
    scale = 1.0

    def __init__(self, inp: int, out: int, size: int, padding: int):
        super().__init__()
        self.weight = nn.Parameter(standard_normal(out, inp, size, size))
        self.padding = padding
        self._cache: KernelCache[Tensor | WinogradKernel] = KernelCache()

    def kernel(self, weight: Tensor) -> Tensor:
        return weight

    def linear(self, key: Tensor, kernel: Tensor) -> Tensor:
        """The convolution with a given kernel: (B, I, h, w) -> (B, O, h', w')."""
        return self._run(key, self._prepared(kernel, key))

    def unchanged(self, key: Tensor) -> Tensor:
        """The convolution with its own weight, whose kernel is cached."""
        return self.value(key)

    def value(self, key: Tensor, weight: Weight | None = None) -> Tensor:
        """The convolution with its own weight, or with another one: (B, I, h, w) -> (B, O, h', w')."""
        if isinstance(weight, Tensor):
            return self.linear(key, self.kernel(weight))
        own, cache = (self.weight, self._cache) if weight is None else (weight.weight, weight.cache)
        return self._run(key, cache.get((key.dtype, key.shape[-1]), lambda: self._prepared(self.kernel(own), key)))

    def forget(self) -> None:
        self._cache.forget()

    def _prepared(self, kernel: Tensor, key: Tensor) -> Tensor | WinogradKernel:
        """The kernel for keys of that type and size."""
        return fastest(kernel.to(key.dtype), key.shape[-1])

    def _run(self, key: Tensor, kernel: Tensor | WinogradKernel) -> Tensor:
        return convolve(key.contiguous(memory_format=torch.channels_last), kernel, self.padding)


class ScaleBias(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(channels))


class ConvBlock(nn.Module):
    """x -> pixel norm -> [x2] -> conv (key to value) -> scale, bias."""

    def __init__(self, inp: int, out: int, size: int, padding: int, *, upsample: bool = False, gain: float = 2**0.5):
        super().__init__()
        self.conv, self.wscale = PlainConv(inp, out, size, padding), ScaleBias(out)
        self.upsample, self.gain = upsample, gain / (size * math.sqrt(inp))

    def key(self, x: Tensor) -> Tensor:
        x = pixel_norm(x)
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self.upsample else x

    def value(self, key: Tensor, weight: Weight | None = None) -> Tensor:
        return self.conv.value(key, weight)

    def scaled(self, value: Tensor) -> Tensor:
        return value * self.gain + self.wscale.b.view(1, -1, 1, 1).to(value.dtype)

    def activated(self, value: Tensor) -> Tensor:
        return F.leaky_relu(self.scaled(value), SLOPE)


class ProgressiveGAN(Generator):
    """A Progressive GAN.  Layer N is the N-th convolution; the first, 4x4 on the latent itself, is not editable.

    The two layers at 4 px always compute in float32: they are cheap, and small differences between large features of
    the first layer decide the content of a picture.
    """

    truncates = False
    row_by_row = True

    def __init__(self, config: GeneratorConfig):
        super().__init__(config)
        channels = config.channels
        self.layer1 = ConvBlock(config.z_dim, channels[4], 4, 3)
        self.layer2 = ConvBlock(channels[4], channels[4], 3, 1)
        for i, size in enumerate(config.resolutions[1:]):
            self.add_module(f"layer{2 * i + 3}", ConvBlock(channels[size // 2], channels[size], 3, 1, upsample=True))
            self.add_module(f"layer{2 * i + 4}", ConvBlock(channels[size], channels[size], 3, 1))
        self._output_name = f"output_{config.resolution}x{config.resolution}"
        self.add_module(self._output_name, ConvBlock(channels[config.resolution], 3, 1, 0, gain=1.0))

    @property
    def output(self) -> ConvBlock:
        """The 1x1 convolution from the last features to colours."""
        return getattr(self, self._output_name)

    def map(self, z: Tensor, truncation: float | None = None, label: int | Sequence[int] = 0) -> Tensor:
        """Return z, (B, z_dim): there is no mapping network, and no truncation, because the first pixel norm undoes
        any scaling of z."""
        self.labels(label, len(z))  # raises for a class other than 0
        return z

    def conv(self, layer: int) -> PlainConv:
        return self._block(self.check_layer(layer)).conv

    def begin(self, latent: Tensor) -> LayerInput:
        block = self._block(1)
        x = block.activated(block.value(block.key(latent[:, :, None, None].float())))
        return LayerInput(self._block(2).key(x))

    def value(self, layer: int, at: LayerInput, weight: Weight | None = None, *, in_place: bool = False) -> Tensor:
        return self._block(layer).value(at.key, weight)

    def advance(self, layer: int, value: Tensor, at: LayerInput, *, in_place: bool = False) -> LayerInput:
        x = self._block(layer).activated(value)
        return LayerInput(self._block(layer + 1).key(x if layer == 1 else x.to(self.compute_dtype)))

    def picture(self, layer: int, value: Tensor, at: LayerInput) -> Tensor:
        key = self.output.key(self._block(layer).activated(value))
        return self.output.scaled(self.output.value(key)).float().clamp(-1, 1)

    def last_layer_for(self, size: int) -> int:
        """The last layer, because the only output has full size, and smaller pictures are averaged from it."""
        return self.config.last_layer

    def _block(self, layer: int) -> ConvBlock:
        return getattr(self, f"layer{layer}")
