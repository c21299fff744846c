"""The same generators under the names, and with the numbers, of other programs.

BasicSR and mmgen compute what rosinality's code computes.  genforce keeps TensorFlow's numbers: kernels are flipped
when they upsample, and 1 is added to the bias of a style.  `generate_genforce` computes from its own layout.
"""

import math
import re

import torch
import torch.nn.functional as F
from torch import Tensor

from . import nvidia

State = dict[str, Tensor]


def to_basicsr(g_ema: State) -> State:
    """Rosinality's names -> BasicSR's; resampling kernels are no part of it."""
    renamed = {}
    for name, tensor in g_ema.items():
        if name.endswith("kernel"):
            continue
        name = re.sub(r"^style\.", "style_mlp.", name)
        name = re.sub(r"^input\.input$", "constant_input.weight", name)
        name = re.sub(r"^noises\.noise_", "noises.noise", name)
        name = re.sub(r"^conv1\.", "style_conv1.", name)
        name = re.sub(r"^convs\.", "style_convs.", name)
        name = re.sub(r"\.noise\.weight$", ".weight", name)
        renamed[re.sub(r"\.conv\.", ".modulated_conv.", name)] = tensor
    return renamed


def to_mmgen(g_ema: State) -> State:
    """Rosinality's names -> mmgen's, where what is scaled when it is used is called weight_orig."""
    renamed = {}
    for name, tensor in g_ema.items():
        name = re.sub(r"^style\.(\d+)\.weight$", r"style_mapping.\1.linear.weight_orig", name)
        name = re.sub(r"^style\.", "style_mapping.", name)
        name = re.sub(r"^input\.", "constant_input.", name)
        name = re.sub(r"^noises\.noise_", "injected_noise_", name)
        name = re.sub(r"\.noise\.weight$", ".noise_injector.weight", name)
        name = re.sub(r"\.modulation\.weight$", ".style_modulation.linear.weight_orig", name)
        name = re.sub(r"\.modulation\.", ".style_modulation.", name)
        renamed[re.sub(r"\.conv\.weight$", ".conv.weight_orig", name)] = tensor
    return renamed


def to_genforce(state: State) -> State:
    """StyleGAN2-ADA-PyTorch's names (`nvidia.random_state`) -> genforce's."""
    fir = 4 * nvidia.fir_filter()[None, None]
    renamed: State = {"truncation.w_avg": state["mapping.w_avg"], "synthesis.upsample.kernel": fir}
    for name, tensor in state.items():
        if match := re.fullmatch(r"mapping\.fc(\d+)\.(\w+)", name):
            renamed[f"mapping.dense{match[1]}.{match[2]}"] = tensor
        elif name == "synthesis.b4.const":
            renamed["synthesis.early_layer.const"] = tensor[None]
        elif match := re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.+)", name):
            block = int(math.log2(int(match[1]))) - 2
            number = {"conv0": 2 * block - 1, "conv1": 2 * block, "torgb": block}[match[2]]
            layer = f"synthesis.{'output' if match[2] == 'torgb' else 'layer'}{number}"
            kind = match[3].replace("affine.", "style.").replace("noise_const", "noise")
            if kind == "resample_filter":
                renamed |= {f"{layer}.filter.kernel": fir} if match[2] == "conv0" else {}
                continue
            if kind == "style.bias":
                tensor = tensor - 1
            elif kind == "weight" and match[2] == "conv0":
                tensor = tensor.flip(2, 3)
            renamed[f"{layer}.{kind}"] = tensor[None, None] if kind == "noise" else tensor
    return {name: tensor.contiguous() for name, tensor in renamed.items()}


def generate_genforce(state: State, z: Tensor) -> Tensor:
    """z (B, z_dim) -> pictures (B, 3, R, R) by genforce's layout: weights modulated one by one, constant noise."""
    w = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    index = 0
    while f"mapping.dense{index}.weight" in state:
        weight, bias = state[f"mapping.dense{index}.weight"], state[f"mapping.dense{index}.bias"]
        w = F.leaky_relu(F.linear(w, weight * 0.01 / math.sqrt(weight.shape[1]), 0.01 * bias), 0.2) * math.sqrt(2)
        index += 1
    x, picture, number = state["synthesis.early_layer.const"].expand(len(z), -1, -1, -1), None, 0
    while f"synthesis.layer{number}.weight" in state:
        layer = f"synthesis.layer{number}"
        x = _convolved(state, layer, x, w, up=number % 2 == 1, demodulate=True)
        x = x + state[f"{layer}.noise"] * state[f"{layer}.noise_strength"]
        x = F.leaky_relu(x + state[f"{layer}.bias"][:, None, None], 0.2) * math.sqrt(2)
        if number % 2 == 0:
            output = f"synthesis.output{number // 2}"
            rgb = _convolved(state, output, x, w, up=False, demodulate=False) + state[f"{output}.bias"][:, None, None]
            picture = rgb if picture is None else rgb + nvidia.upfirdn(picture, nvidia.fir_filter(), pad=(2, 1))
        number += 1
    return picture


def _convolved(state: State, layer: str, x: Tensor, w: Tensor, *, up: bool, demodulate: bool) -> Tensor:
    weight = state[f"{layer}.weight"]  # (O, I, k, k)
    affine, bias = state[f"{layer}.style.weight"], state[f"{layer}.style.bias"]
    style = F.linear(w, affine / math.sqrt(affine.shape[1]), bias) + 1
    kernels = weight / math.sqrt(weight[0].numel()) * style[:, None, :, None, None]
    if demodulate:
        kernels = kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    pictures = []
    for one, kernel in zip(x, kernels, strict=True):
        if up:  # a transposed convolution with a flipped kernel, then the filter
            wide = F.conv_transpose2d(one[None], kernel.flip(2, 3).transpose(0, 1), stride=2)
            pictures.append(_filtered(wide))
        else:
            pictures.append(F.conv2d(one[None], kernel, padding=kernel.shape[-1] // 2))
    return torch.cat(pictures)


def _filtered(x: Tensor) -> Tensor:
    """[1, 3, 3, 1] with gain 4, one pixel of padding on each side."""
    fir = 4 * nvidia.fir_filter()[None, None]
    channels = x.shape[1]
    return F.conv2d(F.pad(x, (1, 1, 1, 1)), fir.expand(channels, 1, 4, 4), groups=channels)
