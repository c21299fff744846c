"""StyleGAN3, configurations T and R, in pure PyTorch, with access to every layer.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021.  Names and shapes of all tensors are
those of NVIDIA's published files (mapping.fcN, synthesis.input.*, synthesis.L0_36_512.*).

A layer's value is its convolution after demodulation and bias, before the filtered leaky ReLU, and so linear in the
input features.  Maps extend beyond the picture by a margin, which later layers cut off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators.base import EPSILON, Generator, standard_normal
from rewriting.generators.config import GeneratorConfig
from rewriting.generators.convolution import Weight, convolve, one_by_one, pointwise, shifted
from rewriting.generators.demodulated import DemodulatedConv, scaled
from rewriting.generators.filtered_relu import FilteredReLU
from rewriting.generators.filters import filters
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.sampling_rates import Band, Sampling, resampling
from rewriting.generators.stylegan2 import MAPPING_RATE, ClassEmbedding, EqualLinear, PixelNorm
from rewriting.generators.winograd import WinogradKernel

FILTERS = ("up_filter", "down_filter")


class Mapping(nn.Module):
    """z and classes -> w, (B, z_dim), (B,) -> (B, w_dim)."""

    def __init__(self, z_dim: int, w_dim: int, layers: int, classes: int):
        super().__init__()
        self.norm, self.layers = PixelNorm(), layers
        joint = z_dim + (w_dim if classes else 0)
        for n in range(layers):
            self.add_module(f"fc{n}", EqualLinear(w_dim if n else joint, w_dim, rate=MAPPING_RATE, activate=True))
        self.embed = ClassEmbedding(classes, w_dim) if classes else None
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        x = self.norm(z)
        if self.embed is not None:
            x = torch.cat([x, self.embed(labels)], 1)
        for n in range(self.layers):
            x = getattr(self, f"fc{n}")(x)
        return x


class FourierInput(nn.Module):
    """Waves over the picture and its margin, rotated, shifted and mixed: (B, w_dim) -> (B, C, s, s)."""

    def __init__(self, channels: int, w_dim: int, band: Band):
        super().__init__()
        self.band, self.scale = band, 1 / math.sqrt(channels)
        self.weight = nn.Parameter(standard_normal(channels, channels))
        self.affine = EqualLinear(w_dim, 4)
        self.affine.weight = nn.Parameter(torch.zeros(4, w_dim))  # at first without rotation and shift
        self.affine.bias = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("transform", torch.eye(3))
        freqs, phases = standard_normal(channels, 2), torch.empty(channels)
        if not freqs.is_meta:
            radius = freqs.norm(dim=1, keepdim=True)
            freqs = band.cutoff * freqs / (radius * radius.square().exp().pow(0.25))
            phases.uniform_(-0.5, 0.5)
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", phases)

    def forward(self, latent: Tensor) -> Tensor:
        return one_by_one(self._waves, latent)

    def _waves(self, latent: Tensor) -> Tensor:
        band = self.band
        cosine, sine, across, down = self.affine(latent).unbind(1)
        length = torch.hypot(cosine, sine)
        cosine, sine, across, down = (one / length for one in (cosine, sine, across, down))
        zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        turned = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], 1).view(-1, 3, 3)
        shifted_by = torch.stack([one, zero, -across, zero, one, -down, zero, zero, one], 1).view(-1, 3, 3)
        transform = turned @ shifted_by @ self.transform
        phases = self.phases + (self.freqs @ transform[:, :2, 2:])[..., 0]
        freqs = self.freqs @ transform[:, :2, :2]  # (B, C, 2), along x and y
        room = band.rate / 2 - band.cutoff
        strength = (1 - (freqs.norm(dim=2) - band.cutoff) / room).clamp(0, 1) if room else torch.ones_like(phases)
        at = (torch.arange(band.size, device=latent.device) - (band.size - 1) / 2) / band.rate
        angle = at[:, None, None] * freqs[:, None, None, :, 1] + at[:, None] * freqs[:, None, None, :, 0]
        waves = torch.sin(2 * math.pi * (angle + phases[:, None, None])) * strength[:, None, None]
        return (waves @ (self.weight * self.scale).t()).permute(0, 3, 1, 2)


class SynthesisLayer(DemodulatedConv):
    """One layer: modulated convolution, bias, filtered leaky ReLU, and a crop to the size of its output."""

    def __init__(self, inp: int, out: int, w_dim: int, into: Band, band: Band, sampling: Sampling, *, critical: bool):
        super().__init__()
        side = sampling.kernel_size
        self.affine = EqualLinear(w_dim, inp, bias=1.0)
        self.weight = nn.Parameter(standard_normal(out, inp, side, side))
        self.bias = nn.Parameter(torch.zeros(out))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.scale, self.padding = 1 / math.sqrt(inp * side * side), side - 1
        self.size = into.size + side - 1
        self.filtered_relu = FilteredReLU(self.size, band.size, *resampling(into, band, sampling), sampling.clamp)
        self.designed = dict(zip(FILTERS, filters(into, band, sampling, critical=critical), strict=True))
        for name, one in self.designed.items():
            self.register_buffer(name, None if one is None else torch.tensor(one.tolist()))

    def linear(self, key: Tensor, kernel: Tensor | WinogradKernel, *, in_place: bool = False) -> Tensor:
        """(B, I, h, w) -> (B, O, h + k - 1, w + k - 1): every position that the kernel reaches."""
        padding = self.padding
        if padding == 2 and (isinstance(kernel, WinogradKernel) or torch.is_grad_enabled()):
            # Winograd's tiles pad by 1, and the gradient of a kernel takes a third of the time with a padding of 1
            key, padding = F.pad(key, (1, 1, 1, 1)).contiguous(memory_format=torch.channels_last), 1
        return one_by_one(lambda one: convolve(one, kernel, padding), key)

    def key(self, x: Tensor, latent: Tensor, *, in_place: bool = False) -> tuple[Tensor, Tensor]:
        """The modulated features (B, I, h, w), which may overwrite x if `in_place` and not trained, and the style (B,
        I), of unit mean square.  The features are also divided by their size in training."""
        style = self.affine(latent)
        style = style * torch.rsqrt(style.square().mean(1, keepdim=True) + EPSILON)
        return scaled(x, style * self.magnitude_ema.rsqrt(), in_place=in_place), style

    def value(self, key: Tensor, style: Tensor, weight: Weight | None = None) -> Tensor:
        """(B, I, h, w) -> (B, O, h', w')"""
        y, demodulation = self.parts(key, style, weight)
        return shifted(y, demodulation, self.offset().to(y.dtype))

    def offset(self) -> Tensor:
        """(1, O, 1, 1)"""
        return self.bias.view(1, -1, 1, 1)

    def filtered(self, value: Tensor) -> Tensor:
        """The layer's output: (B, O, h', w') -> (B, O, s, s)."""
        return self.filtered_relu(value, self.up_filter, self.down_filter)

    def forget(self) -> None:
        super().forget()
        self.filtered_relu.forget()


class Colours(nn.Module):
    """From features to colours: a modulated 1x1 convolution."""

    def __init__(self, inp: int, w_dim: int, sampling: Sampling):
        super().__init__()
        self.affine = EqualLinear(w_dim, inp, bias=1.0)
        self.weight = nn.Parameter(standard_normal(3, inp, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.scale, self.sampling = 1 / math.sqrt(inp), sampling

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        style = self.affine(latent) * (self.scale * self.magnitude_ema.rsqrt())
        rgb = pointwise(x, (self.weight.flatten(1) * style[:, None]).to(x.dtype)).float() + self.bias[:, None, None]
        clamp = self.sampling.clamp
        return (rgb if clamp is None else rgb.clamp(-clamp, clamp)) * self.sampling.output_scale


class StyleGAN3(Generator):
    """Layer N is NVIDIA's `LN_...`, from 1 to the last one before the colours.

    The first, L0, is not editable: its keys are waves, which depend on the position and not on the content.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__(config)
        sampling, count = config.sampling, len(config.channels)
        widths, self.bands = list(config.channels.values()), sampling.bands(config.resolution, count)
        self.mapping = Mapping(config.z_dim, config.w_dim, config.mapping_layers, config.classes)
        self.synthesis = nn.Module()
        self.synthesis.input = FourierInput(widths[0], config.w_dim, self.bands[0])
        self._names = config.layer_names
        for n in range(count):
            before = max(n - 1, 0)
            layer = SynthesisLayer(
                widths[before],
                widths[n],
                config.w_dim,
                self.bands[before],
                self.bands[n],
                sampling,
                critical=n >= count - sampling.critical_layers,
            )
            self.synthesis.add_module(self._names[n], layer)
        self.synthesis.add_module(self._names[count], Colours(widths[-1], config.w_dim, sampling))

    @property
    def draws_parts(self) -> bool:
        """False: each layer cuts off the margin of the previous one, which a part does not have."""
        return False

    def map(self, z: Tensor, truncation: float | None = None, label: int | Sequence[int] = 0) -> Tensor:
        """(B, z_dim) -> (B, w_dim), truncated towards the mean latent of all classes by psi = `truncation` or the
        config's."""
        latent, mean = self.mapping(z, self.labels(label, len(z))), self.mapping.w_avg
        psi = self.config.truncation if truncation is None else truncation
        return latent if psi == 1 else mean + psi * (latent - mean)

    def conv(self, layer: int) -> SynthesisLayer:
        return self._layer(self.check_layer(layer))

    def offset(self, layer: int) -> Tensor:
        return self._layer(layer).offset()

    def key_size(self, layer: int) -> int:
        return self.bands[layer - 1].size

    def value_size(self, layer: int) -> int:
        return self._layer(layer).size

    def key_margin(self, layer: int) -> int:
        return (self.key_size(layer) - self.bands[layer - 1].rate) // 2

    def value_margin(self, layer: int) -> int:
        return (self.value_size(layer) - self.bands[layer - 1].rate) // 2

    def input_shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        shapes = super().input_shapes(layer)
        return shapes | {"style": shapes["key"][:2], "latent": (1, self.config.w_dim)}

    def begin(self, latent: Tensor) -> LayerInput:
        first = self._layer(0)
        x = self.synthesis.input(latent).to(self.compute_dtype)
        value = first.value(*first.key(x, latent))
        return self._arriving(1, first.filtered(value), latent)

    def value(self, layer: int, at: LayerInput, weight: Weight | None = None, *, in_place: bool = False) -> Tensor:
        return self._layer(layer).value(at.key, at.style, weight)

    def advance(self, layer: int, value: Tensor, at: LayerInput, *, in_place: bool = False) -> LayerInput:
        return self._arriving(layer + 1, self._layer(layer).filtered(value), at.latent)

    def picture(self, layer: int, value: Tensor, at: LayerInput) -> Tensor:
        return self._layer(layer + 1)(self._layer(layer).filtered(value), at.latent)

    def last_layer_for(self, size: int) -> int:
        """The last layer, because only full size has colours; smaller pictures are averaged down from it."""
        return self.config.last_layer

    def _arriving(self, layer: int, x: Tensor, latent: Tensor) -> LayerInput:
        """x: features, which are this function's own."""
        return LayerInput(*self._layer(layer).key(x, latent, in_place=True), latent)

    def _layer(self, layer: int) -> SynthesisLayer:
        return getattr(self.synthesis, self._names[layer])
