"""A Progressive GAN generator over the flat state dict of the GAN Dissection models.

Karras et al., "Progressive Growing of GANs" (ICLR 2018). Layer N is: pixel norm, nearest x2 upsampling (odd N >= 3),
convolution, run-time scale, bias, leaky ReLU. The last stage's picture comes from `output_RxR`: pixel norm, 1x1
convolution, scale, bias, clipping to [-1, 1].
"""

import math
import re
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


class ConvLayer(NamedTuple):
    """One layer as it ran: what entered its convolution (the key) and what the convolution made of it, unscaled."""

    number: int
    key: Tensor  # (B, I, h, w)
    convolved: Tensor  # (B, O, h', w'), before scale and bias
    output: Tensor  # (B, O, h', w'), after the activation


def pixel_norm(x: Tensor) -> Tensor:
    """Every position to unit mean square over channels."""
    return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()


def trace(state: State, z: Tensor) -> tuple[Tensor, list[ConvLayer]]:
    """z (B, z_dim) -> the picture (B, 3, R, R) in [-1, 1] and every layer on the way."""
    x = z.reshape(len(z), -1, 1, 1)
    layers = []
    number = 1
    while f"layer{number}.conv.weight" in state:
        weight, bias = state[f"layer{number}.conv.weight"], state[f"layer{number}.wscale.b"]
        k = weight.shape[-1]
        key = pixel_norm(x)
        if number >= 3 and number % 2 == 1:
            key = key.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        convolved = F.conv2d(key, weight, padding=3 if number == 1 else k // 2)
        gain = math.sqrt(2) / math.sqrt(k * k * weight.shape[1])
        x = F.leaky_relu(gain * convolved + bias[:, None, None], 0.2)
        layers.append(ConvLayer(number, key, convolved, x))
        number += 1
    output = f"output_{x.shape[-1]}x{x.shape[-1]}"
    weight, bias = state[f"{output}.conv.weight"], state[f"{output}.wscale.b"]
    # The linear output layer has gain 1, not the sqrt(2) of the layers that a leaky ReLU follows.
    rgb = F.conv2d(pixel_norm(x), weight) / math.sqrt(weight.shape[1]) + bias[:, None, None]
    return rgb.clamp(-1, 1), layers


def generate(state: State, z: Tensor) -> Tensor:
    """z (B, z_dim) -> pictures (B, 3, R, R), clipped to [-1, 1]."""
    return trace(state, z)[0]


def random_state(resolution: int, *, z_dim: int = 20, channels: dict[int, int] | None = None, seed: int = 0) -> State:
    """A random generator in the current layout; channels: {4: .., 8: .., .., resolution: ..}."""
    sizes = [2**n for n in range(2, resolution.bit_length())]
    channels = channels or {r: max(24 - 4 * i, 6) for i, r in enumerate(sizes)}
    random = torch.Generator().manual_seed(seed)
    state: State = {}

    def add(name: str, cin: int, cout: int, k: int) -> None:
        state[f"{name}.conv.weight"] = torch.randn(cout, cin, k, k, generator=random)
        state[f"{name}.wscale.b"] = 0.1 * torch.randn(cout, generator=random)

    add("layer1", z_dim, channels[4], 4)
    add("layer2", channels[4], channels[4], 3)
    for i, r in enumerate(sizes[1:]):
        add(f"layer{2 * i + 3}", channels[r // 2], channels[r], 3)
        add(f"layer{2 * i + 4}", channels[r], channels[r], 3)
    add(f"output_{resolution}x{resolution}", channels[resolution], 3, 1)
    # A picture that fills [-1, 1] without being clipped everywhere.
    state[f"output_{resolution}x{resolution}.conv.weight"] *= 0.4
    return state


def to_genforce(state: State, *, fused: bool) -> State:
    """The same generator in genforce's layout, which counts layers from 0 and keeps an output for every size.

    fused: its kernels of upsampling layers are those of transposed convolutions, (I, O, 3, 3); see `genforce`.
    """
    count = sum(name.endswith(".conv.weight") and name.startswith("layer") for name in state)
    renamed: State = {"lod": torch.zeros(())}
    for name, tensor in state.items():
        prefix, kind = name.split(".", 1)
        kind = "weight" if kind == "conv.weight" else "bias"
        if prefix.startswith("layer"):
            number = int(prefix.removeprefix("layer")) - 1
            if fused and kind == "weight" and number and number % 2 == 0:
                tensor = tensor.flip(2, 3).transpose(0, 1)
            renamed[f"layer{number}.{kind}"] = tensor
        else:
            renamed[f"output{count // 2 - 1}.{kind}"] = tensor
    for block in range(count // 2 - 1):
        width = len(renamed[f"layer{2 * block}.bias"])
        renamed |= {f"output{block}.weight": torch.ones(3, width, 1, 1), f"output{block}.bias": torch.ones(3)}
    return {name: tensor.contiguous() for name, tensor in renamed.items()}


def genforce(state: State, z: Tensor, *, fused: bool) -> Tensor:
    """z (B, z_dim) -> pictures, as genforce computes them from its own layout.

    A fused layer upsamples and convolves in one step: a transposed convolution of stride 2, whose 4 x 4 kernel is the
    sum of four shifted copies of the 3 x 3 one.
    """
    x = pixel_norm(z)[:, :, None, None] * math.sqrt(z.shape[1])
    number = 0
    while f"layer{number}.weight" in state:
        weight, bias = state[f"layer{number}.weight"], state[f"layer{number}.bias"]
        up = number > 0 and number % 2 == 0
        fan_in = weight.shape[0 if up and fused else 1] * weight.shape[2] * weight.shape[3]
        weight = weight * (math.sqrt(2) / math.sqrt(fan_in))
        x = pixel_norm(x)
        if up and fused:
            wide = F.pad(weight, (1, 1, 1, 1))
            wide = wide[:, :, 1:, 1:] + wide[:, :, :-1, 1:] + wide[:, :, 1:, :-1] + wide[:, :, :-1, :-1]
            x = F.conv_transpose2d(x, wide, bias, stride=2, padding=1)
        else:
            x = F.interpolate(x, scale_factor=2, mode="nearest") if up else x
            x = F.conv2d(x, weight, bias, padding=3 if number == 0 else 1)
        x = F.leaky_relu(x, 0.2)
        number += 1
    weight, bias = state[f"output{number // 2 - 1}.weight"], state[f"output{number // 2 - 1}.bias"]
    return F.conv2d(pixel_norm(x), weight / math.sqrt(weight.shape[1]), bias)


def to_tensorflow(state: State, *, fused: bool, channels: int = 3) -> State:
    """The same generator in the layout of the paper's own code: TensorFlow's axes, a dense first layer, colours for
    every size, and kernels that upsample in the same step if `fused`."""
    count = sum(name.startswith("layer") and name.endswith(".conv.weight") for name in state)
    variables: State = {"lod": torch.zeros(())}
    for number in range(1, count + 1):
        weight, bias = state[f"layer{number}.conv.weight"], state[f"layer{number}.wscale.b"]
        size = 2 ** ((number - 1) // 2 + 2)
        up = number > 1 and number % 2 == 1
        scope = (
            "Dense"
            if number == 1
            else "Conv"
            if number == 2
            else ("Conv0_up" if fused else "Conv0")
            if up
            else "Conv1"
        )
        if number == 1:  # a 4x4 convolution of one position, padded by 3, meets its kernel from the end
            weight = weight.flip(2, 3).permute(1, 0, 2, 3).flatten(1)
        else:
            weight = weight.flip(2, 3).permute(2, 3, 0, 1) if up and fused else weight.permute(2, 3, 1, 0)
        variables |= {f"{size}x{size}/{scope}/weight": weight, f"{size}x{size}/{scope}/bias": bias}
    output = f"output_{size}x{size}"
    for lod in range(count // 2):
        width = len(variables[f"{size >> lod}x{size >> lod}/{'Conv' if size >> lod == 4 else 'Conv1'}/bias"])
        weight = torch.ones(1, 1, width, channels)
        if lod == 0:
            weight = state[f"{output}.conv.weight"][:channels].permute(2, 3, 1, 0)
        bias = state[f"{output}.wscale.b"][:channels] if lod == 0 else torch.ones(channels)
        variables |= {f"ToRGB_lod{lod}/weight": weight, f"ToRGB_lod{lod}/bias": bias}
    return {name: tensor.contiguous() for name, tensor in variables.items()}


def tensorflow(variables: State, z: Tensor) -> Tensor:
    """z (B, z_dim) -> pictures, as the paper's code computes them from its own variables."""
    x, size = pixel_norm(z), 4
    weight = variables["4x4/Dense/weight"]
    x = x @ (weight * (math.sqrt(2) / 4 / math.sqrt(weight.shape[0])))
    x = activated(x.reshape(len(z), -1, 4, 4), variables["4x4/Dense/bias"])
    x = activated(same_conv(x, variables["4x4/Conv/weight"]), variables["4x4/Conv/bias"])
    while f"{2 * size}x{2 * size}/Conv1/weight" in variables:
        size *= 2
        scope = f"{size}x{size}"
        if f"{scope}/Conv0_up/weight" in variables:
            kernel = variables[f"{scope}/Conv0_up/weight"]  # (kh, kw, O, I)
            wide = F.pad(kernel * math.sqrt(2 / (9 * kernel.shape[3])), (0, 0, 0, 0, 1, 1, 1, 1))
            wide = wide[1:, 1:] + wide[:-1, 1:] + wide[1:, :-1] + wide[:-1, :-1]
            x = F.conv_transpose2d(x, wide.permute(3, 2, 0, 1), stride=2, padding=1)
            x = activated(x, variables[f"{scope}/Conv0_up/bias"])
        else:
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            x = activated(same_conv(x, variables[f"{scope}/Conv0/weight"]), variables[f"{scope}/Conv0/bias"])
        x = activated(same_conv(x, variables[f"{scope}/Conv1/weight"]), variables[f"{scope}/Conv1/bias"])
    return same_conv(x, variables["ToRGB_lod0/weight"], 1.0) + variables["ToRGB_lod0/bias"][:, None, None]


def same_conv(x: Tensor, kernel: Tensor, gain: float = math.sqrt(2)) -> Tensor:
    """A convolution with a (kh, kw, I, O) kernel, scaled at run time."""
    side = len(kernel)
    scale = gain / math.sqrt(side * side * kernel.shape[2])
    return F.conv2d(x, scale * kernel.permute(3, 2, 0, 1), padding=side // 2)


def activated(x: Tensor, bias: Tensor) -> Tensor:
    return pixel_norm(F.leaky_relu(x + bias[:, None, None], 0.2))


def to_old_names(state: State) -> State:
    """The older naming of the same files: layerN -> features.(N - 1), output_RxR -> output."""
    old = {}
    for name, tensor in state.items():
        name = re.sub(r"^layer(\d+)\.", lambda match: f"features.{int(match[1]) - 1}.", name)
        old[re.sub(r"^output_\d+x\d+\.", "output.", name)] = tensor
    return old
