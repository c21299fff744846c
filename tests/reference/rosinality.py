"""A StyleGAN2 generator over the flat `g_ema` state dict of the widespread PyTorch code base.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (CVPR 2020). Literal: every sample has its own
modulated and demodulated weights, applied as one grouped convolution; upsampling is a transposed convolution followed
by a FIR filter written as zero insertion, padding and a sum over taps. Nothing is folded or reordered. Files may leave
out the resampling kernels, which are always the same.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


class StyledLayer(NamedTuple):
    """One styled convolution as it ran. `number` counts as in Bau et al.'s code: conv1 is 2, convs.N is N + 3."""

    number: int
    prefix: str
    input: Tensor  # (B, I, h, w), before modulation
    style: Tensor  # (B, I)
    noise: Tensor | None  # (1, 1, h', w'), already times its weight
    output: Tensor  # (B, O, h', w'), after activation


def fir_kernel() -> Tensor:
    """[1, 3, 3, 1] x [1, 3, 3, 1] / 64, sum 1; (4, 4)."""
    tap = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(tap, tap) / 64


def upfirdn2d(x: Tensor, kernel: Tensor, up: int, pad: tuple[int, int]) -> Tensor:
    """Insert up - 1 zeros after every sample, pad (before, after) on both axes, convolve with the kernel."""
    batch, channels, h, w = x.shape
    stuffed = x.new_zeros(batch, channels, h * up, w * up)
    stuffed[:, :, ::up, ::up] = x
    padded = F.pad(stuffed, (*pad, *pad))
    size = kernel.shape[0]
    rows, columns = padded.shape[2] - size + 1, padded.shape[3] - size + 1
    out = x.new_zeros(batch, channels, rows, columns)
    for a in range(size):
        for b in range(size):
            # Convolution proper: tap (a, b) weighs the sample that lies (a, b) before the end of the window.
            window = padded[:, :, size - 1 - a : size - 1 - a + rows, size - 1 - b : size - 1 - b + columns]
            out += kernel[a, b] * window
    return out


def equal_linear(x: Tensor, weight: Tensor, bias: Tensor, lr_mul: float = 1.0) -> Tensor:
    """A linear layer with its run-time scale lr_mul / sqrt(in) on the weight and lr_mul on the bias."""
    return F.linear(x, weight * (lr_mul / math.sqrt(weight.shape[1])), bias * lr_mul)


def map_latent(state: State, z: Tensor) -> Tensor:
    """The mapping network: z (B, z_dim) -> w (B, w_dim)."""
    x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
    index = 1  # style.0 is the pixel norm above
    while f"style.{index}.weight" in state:
        x = equal_linear(x, state[f"style.{index}.weight"], state[f"style.{index}.bias"], lr_mul=0.01)
        x = math.sqrt(2) * F.leaky_relu(x, 0.2)
        index += 1
    return x


def modulated_conv(
    state: State, prefix: str, x: Tensor, w: Tensor, *, demodulate: bool = True, upsample: bool = False
) -> Tensor:
    """Modulated convolution `prefix`: one kernel per sample, applied as a grouped convolution."""
    style = equal_linear(w, state[f"{prefix}.modulation.weight"], state[f"{prefix}.modulation.bias"])
    batch, in_channels, h, width = x.shape
    _, out_channels, _, k, _ = state[f"{prefix}.weight"].shape
    scale = 1 / math.sqrt(in_channels * k * k)
    kernels = scale * state[f"{prefix}.weight"] * style.view(batch, 1, in_channels, 1, 1)
    if demodulate:
        norm = torch.rsqrt(kernels.square().sum((2, 3, 4)) + 1e-8)
        kernels = kernels * norm.view(batch, out_channels, 1, 1, 1)
    grouped = x.reshape(1, batch * in_channels, h, width)
    if upsample:
        kernels = kernels.transpose(1, 2).reshape(batch * in_channels, out_channels, k, k)
        y = F.conv_transpose2d(grouped, kernels, stride=2, padding=0, groups=batch)
        y = y.view(batch, out_channels, *y.shape[2:])
        return upfirdn2d(y, state.get(f"{prefix}.blur.kernel", 4 * fir_kernel()), up=1, pad=(1, 1))
    kernels = kernels.reshape(batch * out_channels, in_channels, k, k)
    return F.conv2d(grouped, kernels, padding=k // 2, groups=batch).view(batch, out_channels, h, width)


def styled_conv(
    state: State, prefix: str, x: Tensor, w: Tensor, noise: Tensor | None, upsample: bool
) -> tuple[Tensor, Tensor | None]:
    """Convolution, noise, bias, leaky ReLU -> (B, O, h', w') and the noise that was added."""
    y = modulated_conv(state, f"{prefix}.conv", x, w, upsample=upsample)
    if noise is not None:
        noise = state[f"{prefix}.noise.weight"] * noise
        y = y + noise
    bias = state[f"{prefix}.activate.bias"].view(1, -1, 1, 1)
    return math.sqrt(2) * F.leaky_relu(y + bias, 0.2), noise


def to_rgb(state: State, prefix: str, x: Tensor, w: Tensor, skip: Tensor | None) -> Tensor:
    """1x1 modulated convolution without demodulation, bias, plus the upsampled picture so far."""
    y = modulated_conv(state, f"{prefix}.conv", x, w, demodulate=False) + state[f"{prefix}.bias"]
    if skip is None:
        return y
    return y + upfirdn2d(skip, state.get(f"{prefix}.upsample.kernel", 4 * fir_kernel()), up=2, pad=(2, 1))


def trace(state: State, w: Tensor, noise: bool = True) -> tuple[Tensor, list[StyledLayer]]:
    """Run the synthesis network on w (B, w_dim): the picture (B, 3, R, R) and every styled layer on the way."""
    layers = []

    def run(number: int, prefix: str, x: Tensor) -> Tensor:
        fixed = state[f"noises.noise_{number - 2}"] if noise else None
        style = equal_linear(w, state[f"{prefix}.conv.modulation.weight"], state[f"{prefix}.conv.modulation.bias"])
        upsample = number > 2 and number % 2 == 1
        y, added = styled_conv(state, prefix, x, w, fixed, upsample)
        layers.append(StyledLayer(number, prefix, x, style, added, y))
        return y

    x = run(2, "conv1", state["input.input"].repeat(len(w), 1, 1, 1))
    picture = to_rgb(state, "to_rgb1", x, w, None)
    k = 0
    while f"to_rgbs.{k}.bias" in state:
        x = run(2 * k + 3, f"convs.{2 * k}", x)
        x = run(2 * k + 4, f"convs.{2 * k + 1}", x)
        picture = to_rgb(state, f"to_rgbs.{k}", x, w, picture)
        k += 1
    return picture, layers


def generate(
    state: State, z: Tensor, truncation: float = 1.0, latent_avg: Tensor | None = None, noise: bool = True
) -> Tensor:
    """z (B, z_dim) -> pictures (B, 3, R, R), nominally in [-1, 1], not clipped.

    truncation: w' = latent_avg + truncation (w - latent_avg), needs latent_avg when it is not 1.
    noise: add the registered noise buffers `noises.noise_N` (the same for every picture) or none.
    """
    w = map_latent(state, z)
    if truncation != 1.0:
        w = latent_avg + truncation * (w - latent_avg)
    return trace(state, w, noise)[0]


def default_channels(resolution: int) -> dict[int, int]:
    """Small channel counts that differ between neighbours, so that a transposed axis cannot go unnoticed."""
    resolutions = [2**n for n in range(2, resolution.bit_length())]
    return {r: max(24 - 4 * i, 6) for i, r in enumerate(resolutions)}


class _Random:
    """Random entries of a state dict, in the layout's names."""

    def __init__(self, w_dim: int, noise_weights: float, seed: int) -> None:
        self.w_dim, self.noise_weights = w_dim, noise_weights
        self.source = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, std: float = 1.0) -> Tensor:
        return std * torch.randn(shape, generator=self.source)

    def modulated(self, prefix: str, cin: int, cout: int, k: int) -> State:
        return {
            f"{prefix}.conv.weight": self.normal(1, cout, cin, k, k),
            f"{prefix}.conv.modulation.weight": self.normal(cin, self.w_dim, std=0.3),
            f"{prefix}.conv.modulation.bias": 1 + self.normal(cin, std=0.1),
        }

    def styled(self, prefix: str, cin: int, cout: int) -> State:
        return self.modulated(prefix, cin, cout, 3) | {
            f"{prefix}.noise.weight": self.normal(1, std=self.noise_weights),
            f"{prefix}.activate.bias": self.normal(cout, std=0.1),
        }

    def rgb(self, prefix: str, cin: int) -> State:
        return self.modulated(prefix, cin, 3, 1) | {f"{prefix}.bias": self.normal(1, 3, 1, 1, std=0.1)}

    def stage(self, k: int, cin: int, cout: int) -> State:
        """Everything of resolution 8 * 2^k: two styled convolutions, to_rgb, two noise maps, two kernels."""
        r = 8 * 2**k
        return {
            **self.styled(f"convs.{2 * k}", cin, cout),
            f"convs.{2 * k}.conv.blur.kernel": 4 * fir_kernel(),
            **self.styled(f"convs.{2 * k + 1}", cout, cout),
            **self.rgb(f"to_rgbs.{k}", cout),
            f"to_rgbs.{k}.upsample.kernel": 4 * fir_kernel(),
            f"noises.noise_{2 * k + 1}": self.normal(1, 1, r, r),
            f"noises.noise_{2 * k + 2}": self.normal(1, 1, r, r),
        }


def random_state(
    resolution: int,
    *,
    z_dim: int = 20,
    w_dim: int = 28,
    mapping_layers: int = 2,
    channels: dict[int, int] | None = None,
    seed: int = 0,
    noise_weights: float = 0.1,
) -> State:
    """A random generator in the `g_ema` layout, complete with noise buffers and resampling kernels.

    channels: feature channels per resolution, {4: .., 8: .., .., resolution: ..}. noise_weights: standard deviation of
    the weights of the noise. Biases are non-zero, so that leaving one out shows.
    """
    channels = channels or default_channels(resolution)
    random = _Random(w_dim, noise_weights, seed)
    state: State = {}
    for i in range(1, mapping_layers + 1):
        state[f"style.{i}.weight"] = random.normal(w_dim, z_dim if i == 1 else w_dim, std=1 / 0.01)
        state[f"style.{i}.bias"] = random.normal(w_dim, std=0.1 / 0.01)
    state["noises.noise_0"] = random.normal(1, 1, 4, 4)
    state["input.input"] = random.normal(1, channels[4], 4, 4)
    state |= random.styled("conv1", channels[4], channels[4]) | random.rgb("to_rgb1", channels[4])
    for k in range(resolution.bit_length() - 3):
        r = 8 * 2**k
        state |= random.stage(k, channels[r // 2], channels[r])
    return state
