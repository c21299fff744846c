"""The first StyleGAN in pure PyTorch, with access to every layer.

Source: Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks", CVPR 2019.
Parameter names and shapes are those of genforce's PyTorch files (mapping.denseN.*, synthesis.layerN.*), which keep the
numbers of NVIDIA's TensorFlow files.

A layer is nearest upsampling by 2 (the first layer of each size from 8 px), convolution, blur after upsampling, noise,
bias, leaky ReLU, instance norm, and a style, which scales and shifts each channel.  A value is the convolution with
its blur, before the noise, so it is linear in the key and in the weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators.base import EPSILON, Generator
from rewriting.generators.config import GeneratorConfig
from rewriting.generators.convolution import Weight, shifted, upsampling
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.proggan import SLOPE, PlainConv
from rewriting.generators.stylegan2 import MAPPING_RATE, SQRT2, EqualLinear, PixelNorm
from rewriting.generators.winograd import WinogradKernel

BLUR = (0.25, 0.5, 0.25)
TRUNCATED = 8  # styles that truncation changes, as in NVIDIA's code: those of the maps up to 32 px
FUSED = 128  # px from which a file's upsampling kernels are those of transposed convolutions, see `spread`


def spread(kernel: Tensor, *, fused: bool) -> Tensor:
    """The kernel of the transposed convolution that upsamples and convolves: (O, I, 3, 3) -> (I, O, 4, 4).

    It is the sum of four shifted copies.  A kernel that is not fused is one for the upsampled map; a transposed
    convolution meets such a kernel from the end.
    """
    kernel = kernel.transpose(0, 1)
    return F.avg_pool2d(kernel if fused else kernel.flip(2, 3), 2, stride=1, padding=1, divisor_override=1)


def blurred(x: Tensor) -> Tensor:
    """The 3x3 blur of each channel, with zeros around the map: (B, C, h, w)."""
    tap = torch.tensor(BLUR, device=x.device, dtype=x.dtype)
    return F.conv2d(x, (tap[:, None] * tap).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each map, (B, C, 1, 1), equal in every batch.  x: (B, C, h, w)."""
    rows = x.permute(0, 2, 3, 1).flatten(1, 2)  # sums of rows are faster than those of maps
    mean = rows.mean(1, keepdim=True)
    variance = (rows - mean).square().mean(1, keepdim=True)
    return mean.transpose(1, 2)[..., None], variance.transpose(1, 2)[..., None]


class FixedNoise(nn.Module):
    """A fixed map, and its strength in each channel."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.register_buffer("noise", torch.zeros(1, 1, side, side))


def add_epilogue(layer: nn.Module, channels: int, side: int, w_dim: int) -> None:
    """Give a layer what follows its convolution or constant: noise, a bias and a style."""
    layer.bias = nn.Parameter(torch.zeros(channels))
    layer.apply_noise = FixedNoise(channels, side)
    layer.style = EqualLinear(w_dim, 2 * channels)


def finished(layer: nn.Module, value: Tensor, latent: Tensor, *, in_place: bool = False) -> Tensor:
    """Noise, bias, leaky ReLU, instance norm and style, in float32: (B, C, h, w) -> (B, C, h, w), perhaps over the
    value if `in_place`.  latent: (B, w_dim)."""
    noise, x = layer.apply_noise, value.float()
    out = x if (in_place or x is not value) and not torch.is_grad_enabled() else None
    x = torch.addcmul(x, noise.noise, noise.weight.view(1, -1, 1, 1), out=out)
    x = F.leaky_relu(x.add_(layer.bias.view(1, -1, 1, 1)), SLOPE, inplace=True)
    scale, shift = layer.style(latent)[:, :, None, None].chunk(2, 1)
    mean, variance = moments(x)
    scale = (scale + 1) * torch.rsqrt(variance + EPSILON)
    return shifted(x, scale, shift - mean * scale)


class ConstantLayer(nn.Module):
    """The first layer, at 4 px: a constant in place of a convolution."""

    def __init__(self, channels: int, w_dim: int):
        super().__init__()
        self.const = nn.Parameter(torch.ones(1, channels, 4, 4))
        add_epilogue(self, channels, 4, w_dim)


class ConvLayer(PlainConv):
    """Every other layer."""

    def __init__(self, inp: int, out: int, side: int, w_dim: int, *, upsample: bool):
        super().__init__(inp, out, 3, 1)
        add_epilogue(self, out, side, w_dim)
        self.scale, self.upsample, self.fused = SQRT2 / (3 * math.sqrt(inp)), upsample, side >= FUSED

    def kernel(self, weight: Tensor) -> Tensor:
        return weight * self.scale

    def _prepared(self, kernel: Tensor, key: Tensor) -> Tensor | WinogradKernel:
        if not self.upsample:
            return super()._prepared(kernel, key)
        return spread(kernel, fused=self.fused).to(key.dtype).contiguous(memory_format=torch.channels_last)

    def _run(self, key: Tensor, kernel: Tensor | WinogradKernel) -> Tensor:
        if not self.upsample:
            return super()._run(key, kernel)
        key = key.contiguous(memory_format=torch.channels_last)
        return upsampling(
            lambda one: blurred(F.conv_transpose2d(one, kernel, stride=2, padding=1)), key, kernel.shape[1]
        )


class PlainColours(PlainConv):
    """From features to colours: a 1x1 convolution without a style."""

    def __init__(self, inp: int):
        super().__init__(inp, 3, 1, 0)
        self.bias = nn.Parameter(torch.zeros(3))
        self.scale = 1 / math.sqrt(inp)

    def kernel(self, weight: Tensor) -> Tensor:
        return weight * self.scale

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x).float() + self.bias.view(1, -1, 1, 1)


class StyleGAN1(Generator):
    """A StyleGAN1.  Layers are numbered as those of StyleGAN2: layer 2 is the convolution at 4 px, and odd layers
    upsample.  The constant, layer 1, is not editable.  Layer N is genforce's layer N - 1.

    A latent is two vectors w beside each other: the truncated one, for the first styles, and the one for the others.
    The layers at 4 px, and what follows a convolution, always compute in float32, which halves the error of bfloat16.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__(config)
        channels, w_dim = config.channels, config.w_dim
        self.mapping, self.truncation, self.synthesis = nn.Module(), nn.Module(), nn.Module()
        for i in range(config.mapping_layers):
            dense = EqualLinear(w_dim if i else config.z_dim, w_dim, rate=MAPPING_RATE)
            dense.scale *= SQRT2
            self.mapping.add_module(f"dense{i}", dense)
        self.truncation.register_buffer("w_avg", torch.zeros(w_dim))
        self.synthesis.layer0 = ConstantLayer(channels[4], w_dim)
        for layer in self.layers:
            side, upsample = self.value_size(layer), layer % 2 == 1
            made = ConvLayer(channels[side // 2 if upsample else side], channels[side], side, w_dim, upsample=upsample)
            self.synthesis.add_module(f"layer{layer - 1}", made)
        self._output_name = f"output{len(config.resolutions) - 1}"
        self.synthesis.add_module(self._output_name, PlainColours(channels[config.resolution]))

    @property
    def draws_parts(self) -> bool:
        """False: an instance norm needs the whole map."""
        return False

    def map(self, z: Tensor, truncation: float | None = None, label: int | Sequence[int] = 0) -> Tensor:
        """(B, z_dim) -> (B, 2 w_dim): w, truncated towards the mean latent by psi = `truncation` or the config's, for
        the first `TRUNCATED` styles, and w itself for the others."""
        self.labels(label, len(z))  # raises for a class other than 0
        w = PixelNorm()(z)
        for dense in self.mapping.children():
            w = F.leaky_relu(dense(w), SLOPE)
        psi, mean = self.config.truncation if truncation is None else truncation, self.truncation.w_avg
        return torch.cat([w if psi == 1 else mean + psi * (w - mean), w], 1)

    def conv(self, layer: int) -> ConvLayer:
        return self._layer(self.check_layer(layer))

    def input_shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        return super().input_shapes(layer) | {"latent": (1, 2 * self.config.w_dim)}

    def begin(self, latent: Tensor) -> LayerInput:
        constant = self._layer(1).const.contiguous(memory_format=torch.channels_last)
        return self._arriving(1, constant.expand(len(latent), -1, -1, -1), latent)

    def value(self, layer: int, at: LayerInput, weight: Weight | None = None, *, in_place: bool = False) -> Tensor:
        return self._layer(layer).value(at.key, weight)

    def advance(self, layer: int, value: Tensor, at: LayerInput, *, in_place: bool = False) -> LayerInput:
        arriving = self._arriving(layer, value, at.latent, in_place=in_place)
        return replace(arriving, key=arriving.key.to(self.compute_dtype))

    def picture(self, layer: int, value: Tensor, at: LayerInput) -> Tensor:
        return getattr(self.synthesis, self._output_name)(self._arriving(layer, value, at.latent).key)

    def last_layer_for(self, size: int) -> int:
        """The last layer, because only full size has colours; smaller pictures are averaged down from it."""
        return self.config.last_layer

    def _arriving(self, layer: int, value: Tensor, latent: Tensor, *, in_place: bool = False) -> LayerInput:
        """The next layer's input, float32.  value: of the layer."""
        w = latent.chunk(2, 1)[0 if layer <= TRUNCATED else 1]
        return LayerInput(finished(self._layer(layer), value, w, in_place=in_place), None, latent)

    def _layer(self, layer: int) -> ConstantLayer | ConvLayer:
        return getattr(self.synthesis, f"layer{layer - 1}")
