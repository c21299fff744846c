"""StyleGAN2 in pure PyTorch, with access to every layer.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020.  Parameter names and shapes
are those of the common PyTorch files (style.N, input.input, conv1.*, convs.N.*, to_rgb1.*, to_rgbs.N.*).

Two identities make it fast and do not change a picture.  Modulating the features and scaling the result of each
channel equals modulating the weights, so one plain convolution serves a whole batch and can run by tiles (see
`tiles`).  The leaky ReLU is positively homogeneous, so its gain can move into the scale and the offset before it,
which leaves two passes over the features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators.base import EPSILON, Activation, Generator, standard_normal
from rewriting.generators.config import GeneratorConfig
from rewriting.generators.convolution import Weight, one_by_one, pointwise, shifted, upsampling
from rewriting.generators.demodulated import DemodulatedConv, scaled
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.low_pass import LowPass
from rewriting.generators.winograd import WinogradKernel

SQRT2 = math.sqrt(2)
SLOPE = 0.2
ACTIVATION = Activation(SLOPE, SQRT2)
MAPPING_RATE = 0.01  # the mapping network's learning-rate multiplier, part of the file format


class PixelNorm(nn.Module):
    """Scales z to unit mean square."""

    def forward(self, z: Tensor) -> Tensor:
        return z * torch.rsqrt(z.square().mean(1, keepdim=True) + EPSILON)


class EqualLinear(nn.Module):
    """A linear layer whose stored weight is scaled at run time: (B, I) -> (B, O)."""

    def __init__(self, inp: int, out: int, *, bias: float = 0.0, rate: float = 1.0, activate: bool = False):
        super().__init__()
        self.weight = nn.Parameter(standard_normal(out, inp, std=1 / rate))
        self.bias = nn.Parameter(torch.full((out,), float(bias)))
        self.scale, self.rate, self.activate = rate / math.sqrt(inp), rate, activate

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.scale, self.bias * self.rate
        y = one_by_one(lambda row: F.linear(row, weight, bias), x)
        return ACTIVATION(y) if self.activate else y


class ClassEmbedding(EqualLinear):
    """The vectors of classes, which stand beside the latent: (B,), their numbers -> (B, w_dim), of unit mean square.

    A linear layer of one-hot vectors, as in StyleGAN2-ADA (Karras et al., NeurIPS 2020)."""

    def forward(self, labels: Tensor) -> Tensor:
        return PixelNorm()(self.weight.t()[labels] * self.scale + self.bias)


class ClassVectors(nn.Module):
    """The vectors of classes, as wide as the latent: (B,), their numbers -> (B, z_dim)."""

    def __init__(self, classes: int, z_dim: int):
        super().__init__()
        self.weight = nn.Parameter(standard_normal(z_dim, classes))

    def forward(self, labels: Tensor) -> Tensor:
        return self.weight.t()[labels]


class ModulatedConv(DemodulatedConv):
    """Convolution whose input channels are scaled by a style, in the parts that rewriting needs.

    low_pass: the filter of a convolution that upsamples.
    """

    def __init__(
        self, inp: int, out: int, size: int, w_dim: int, *, low_pass: LowPass | None = None, demodulate: bool = True
    ):
        super().__init__()
        self.weight = nn.Parameter(standard_normal(1, out, inp, size, size))
        self.modulation = EqualLinear(w_dim, inp, bias=1.0)
        self.scale = 1 / math.sqrt(inp * size * size)
        self.low_pass, self.upsample = low_pass, low_pass is not None
        self.demodulate, self.padding = demodulate, size // 2

    def kernel(self, weight: Tensor) -> Tensor:
        """(O, I, kh, kw), or (1, O, I, kh, kw) -> the kernel of `linear`: scaled, transposed if it upsamples."""
        kernel = super().kernel(weight)
        return kernel.transpose(0, 1) if self.upsample else kernel

    def linear(self, key: Tensor, kernel: Tensor | WinogradKernel, *, in_place: bool = False) -> Tensor:
        """(B, I, h, w) -> (B, O, h', w'), which may overwrite the key if `in_place`.

        In channels-last order, PyTorch's transposed convolution is the fastest upsampling convolution on a CPU: some 3
        times as fast as one 3x3 convolution to all four output phases, which does 4 times the work.
        """
        if not self.upsample:
            return super().linear(key, kernel, in_place=in_place)
        smooth = self.low_pass.kernel(key)
        return upsampling(
            lambda one: self.low_pass.smooth(F.conv_transpose2d(one, kernel, stride=2), smooth),
            key,
            kernel.shape[1],
            self.low_pass.reach,
        )

    def key(self, x: Tensor, latent: Tensor, *, in_place: bool = False) -> tuple[Tensor, Tensor]:
        """The modulated features (B, I, h, w), which may overwrite x if `in_place` and not trained, and the style (B,
        I)."""
        style = self.modulation(latent)
        return scaled(x, style, in_place=in_place), style


class Bias(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))


class NoiseStrength(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class StyledConv(nn.Module):
    """One layer: modulated convolution, fixed noise, bias, leaky ReLU."""

    def __init__(self, inp: int, out: int, w_dim: int, low_pass: LowPass | None = None):
        super().__init__()
        self.conv = ModulatedConv(inp, out, 3, w_dim, low_pass=low_pass)
        self.noise, self.activate = NoiseStrength(), Bias(out)

    def value(
        self,
        key: Tensor,
        style: Tensor,
        noise: Tensor | None = None,
        weight: Weight | None = None,
        *,
        in_place: bool = False,
    ) -> Tensor:
        """(B, I, h, w) -> (B, O, h', w'), perhaps over the key if `in_place`.  noise: (1, 1, h', w')."""
        y, demodulation = self.conv.parts(key, style, weight, in_place=in_place)
        y = shifted(y, SQRT2 * demodulation, (SQRT2 * self.offset(None)).to(y.dtype))
        if noise is not None:
            y += (SQRT2 * self.noise.weight * noise).to(y.dtype)
        return F.leaky_relu(y, SLOPE, inplace=True)

    def offset(self, noise: Tensor | None) -> Tensor:
        """Bias and noise before the activation, (1, O, 1, 1) or (1, O, h', w')."""
        bias = self.activate.bias.view(1, -1, 1, 1)
        return bias if noise is None else bias + self.noise.weight * noise


class ToRGB(nn.Module):
    def __init__(self, inp: int, w_dim: int, low_pass: LowPass):
        super().__init__()
        self.conv = ModulatedConv(inp, 3, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.low_pass = low_pass

    def forward(self, x: Tensor, latent: Tensor, rgb: Tensor | None) -> Tensor:
        conv = self.conv
        weight = conv.weight.flatten(2) * conv.scale * conv.modulation(latent)[:, None]  # (B, 3, I): less than x
        y = pointwise(x, weight.to(x.dtype)).float() + self.bias
        return y if rgb is None else y + self.low_pass.upsample(rgb)


class Shortcut(nn.Module):
    """The way around a residual block, before its upsampling: a 1x1 convolution, (B, I, h, w) -> (B, O, h, w)."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.weight = nn.Parameter(standard_normal(out, inp, 1, 1))
        self.scale = 1 / math.sqrt(inp)

    def forward(self, x: Tensor) -> Tensor:
        return pointwise(x, (self.weight.flatten(1) * self.scale).to(x.dtype).expand(len(x), -1, -1))


class Constant(nn.Module):
    def __init__(self, channels: int, size: Sequence[int]):
        super().__init__()
        self.input = nn.Parameter(standard_normal(1, channels, *size))


class StyleGAN2(Generator):
    """StyleGAN2 (config E/F) of the architectures skip, orig and resnet, which `GeneratorConfig.blocks` names.

    Layer 2 is `conv1`, layer N >= 3 is `convs[N - 3]`; odd ones upsample, and an odd one and the next are a block.
    Pictures that are not square lie in the middle of a square.  Around them all features and colours are zero, which
    is how a convolution pads them, so they are those of a network without the square.
    """

    activation = ACTIVATION
    row_by_row = True

    def __init__(self, config: GeneratorConfig):
        super().__init__(config)
        channels, w_dim, low_pass = config.channels, config.w_dim, LowPass(config.resample_filter)
        self.low_pass, self.row_by_row = low_pass, low_pass.reach == 1
        beside = config.z_dim if config.label_concat else w_dim
        joint = config.z_dim + (beside if config.classes else 0)
        mapping = [
            EqualLinear(w_dim if i else joint, w_dim, rate=MAPPING_RATE, activate=True)
            for i in range(config.mapping_layers)
        ]
        self.style = nn.Sequential(PixelNorm(), *mapping)
        if config.label_concat:
            self.label_concat = ClassVectors(config.classes, config.z_dim)
        elif config.classes:
            self.embed = ClassEmbedding(config.classes, w_dim)
        first = channels[config.smallest]
        self.input = Constant(first, config.constant)
        self.conv1 = StyledConv(first, first, w_dim)
        skip = config.blocks == "skip"  # else only the largest size has colours
        self.to_rgb1 = ToRGB(first, w_dim, low_pass) if skip else None
        self.convs, self.to_rgbs, self.shortcuts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for size in config.resolutions[1:]:
            self.convs += [
                StyledConv(channels[size // 2], channels[size], w_dim, low_pass),
                StyledConv(channels[size], channels[size], w_dim),
            ]
            coloured = skip or size == config.resolution
            self.to_rgbs.append(ToRGB(channels[size], w_dim, low_pass) if coloured else None)
            if config.blocks == "resnet":
                self.shortcuts.append(Shortcut(channels[size // 2], channels[size]))
        self.register_buffer("latent_avg", torch.zeros(w_dim))
        self.noises = nn.Module()
        if config.noise:
            for layer in self.layers:
                shape = (n * self.value_size(layer) // config.smallest for n in config.constant)
                self.noises.register_buffer(f"noise_{layer - 2}", torch.zeros(1, 1, *shape))

    def map(self, z: Tensor, truncation: float | None = None, label: int | Sequence[int] = 0) -> Tensor:
        """(B, z_dim) -> (B, w_dim), truncated towards the mean latent of all classes by psi = `truncation` or the
        config's."""
        labels = self.labels(label, len(z))
        norm, *layers = self.style
        if self.config.label_concat:
            latent = norm(torch.cat([z, self.label_concat(labels)], 1))
        elif self.config.classes:
            latent = torch.cat([norm(z), self.embed(labels)], 1)
        else:
            latent = norm(z)
        for layer in layers:
            latent = layer(latent)
        psi = self.config.truncation if truncation is None else truncation
        return latent if psi == 1 else self.latent_avg + psi * (latent - self.latent_avg)

    def conv(self, layer: int) -> ModulatedConv:
        return self.styled(layer).conv

    def styled(self, layer: int) -> StyledConv:
        return self.conv1 if self.check_layer(layer) == 2 else self.convs[layer - 3]

    def to_rgb(self, layer: int) -> ToRGB | None:
        """The RGB layer after the second layer of a resolution, which has an even number; None if it has none."""
        return self.to_rgb1 if layer == 2 else self.to_rgbs[layer // 2 - 2]

    def noise(self, layer: int) -> Tensor | None:
        """The layer's fixed noise (1, 1, h', w'), or None."""
        return self._squared(getattr(self.noises, f"noise_{layer - 2}")) if self.config.noise else None

    def begin(self, latent: Tensor) -> LayerInput:
        x = self._squared(self.input.input.to(self.compute_dtype)).expand(len(latent), -1, -1, -1)
        return LayerInput(*self.conv1.conv.key(x, latent), latent, None)

    def value(self, layer: int, at: LayerInput, weight: Weight | None = None, *, in_place: bool = False) -> Tensor:
        return self.styled(layer).value(at.key, at.style, self._noise_of(layer, at), weight, in_place=in_place)

    def offset(self, layer: int) -> Tensor:
        return self.styled(layer).offset(self.noise(layer))

    def input_shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        shapes = super().input_shapes(layer)
        shapes |= {"style": shapes["key"][:2], "latent": (1, self.config.w_dim)}
        block = (layer - 1) // 2 * 2  # the last layer of the block before this one
        if not block or self.config.blocks == "orig":
            return shapes
        side = self.value_size(block)
        width = 3 if self.config.blocks == "skip" else self.config.channels[2 * side]
        return shapes | {"skip": (1, width, side, side)}

    def _noise_of(self, layer: int, at: LayerInput) -> Tensor | None:
        """The noise (1, 1, h', w'), or (B, 1, h', w') for parts of pictures, each at its own position."""
        noise, ratio = self.noise(layer), 2 if self.conv(layer).upsample else 1
        return noise if noise is None else _parts(noise, at, *(ratio * n for n in at.key.shape[2:]))

    def _squared(self, maps: Tensor) -> Tensor:
        """Maps of whole pictures, (B, C, h, w), in the middle of a square of zeros."""
        if self.config.fills_square:
            return maps
        side = self.config.smallest * maps.shape[2] // self.config.constant[0]
        top, left, bottom, right = self.config.frame(side)
        squared = maps.new_zeros(*maps.shape[:2], side, side)
        squared[:, :, top:bottom, left:right] = maps
        return squared

    def _framed(self, layer: int, maps: Tensor, at: LayerInput) -> Tensor:
        """Maps of the size of a layer's value, (B, C, h', w'), with zeros around the picture."""
        if self.config.fills_square:
            return maps
        side = self.value_size(layer)
        top, left, bottom, right = self.config.frame(side)
        frame = maps.new_zeros(1, 1, side, side)
        frame[:, :, top:bottom, left:right] = 1
        return maps * _parts(frame, at, *maps.shape[2:])

    def advance(self, layer: int, value: Tensor, at: LayerInput, *, in_place: bool = False) -> LayerInput:
        x, skip = self._output(layer, value, at), at.skip
        if layer % 2 == 0:  # the end of a block
            skip = self._skip(layer, x, at)
        return LayerInput(*self.conv(layer + 1).key(x, at.latent, in_place=in_place), at.latent, skip, at.origins)

    def picture(self, layer: int, value: Tensor, at: LayerInput) -> Tensor:
        so_far = at.skip if self.config.blocks == "skip" else None
        rgb = self.to_rgb(layer)(self._output(layer, value, at), at.latent, so_far)
        return self._framed(layer, rgb, at)

    def last_layer_for(self, size: int) -> int:
        whole = self.config.blocks != "skip"
        return self.config.last_layer if whole else 2 * self.config.resolutions.index(size) + 2

    def _output(self, layer: int, value: Tensor, at: LayerInput) -> Tensor:
        """The output of a layer: its value, and at the end of a residual block the mean of both ways, times sqrt(2),
        which keeps its variance."""
        if layer % 2 == 0 and at.skip is not None and self.config.blocks == "resnet":
            value = (value + self.low_pass.upsample(at.skip).to(value.dtype)) * math.sqrt(0.5)
        return self._framed(layer, value, at)

    def _skip(self, layer: int, x: Tensor, at: LayerInput) -> Tensor | None:
        """What goes around the block after a layer, the last of its block: the picture so far, or a shortcut."""
        if self.config.blocks == "resnet":
            return self.shortcuts[layer // 2 - 1](x)
        to_rgb = self.to_rgb(layer)
        return self._framed(layer, to_rgb(x, at.latent, at.skip), at) if to_rgb else None


def _parts(maps: Tensor, at: LayerInput, height: int, width: int) -> Tensor:
    """Maps of whole pictures, (1, C, s, s), or the parts (B, C, h, w) at the origins of parts of pictures."""
    if not at.origins:
        return maps
    corners = [[round(share * maps.shape[-1]) for share in origin] for origin in at.origins]
    return torch.cat([maps[..., top : top + height, left : left + width] for top, left in corners])
