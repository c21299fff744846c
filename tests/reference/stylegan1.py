"""The first StyleGAN, over the variables of NVIDIA's TensorFlow code.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (CVPR 2019). Every layer is a
convolution (the first of each size from 8 px upsamples, and is followed by the blur [1, 2, 1]; from 128 px
upsampling is a transposed convolution of stride 2), noise, bias, leaky ReLU, instance norm and style.
"""

import math
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def random_variables(
    resolution: int,
    *,
    z_dim: int = 20,
    w_dim: int = 28,
    channels: dict[int, int] | None = None,
    colours: int = 3,
    mapping_layers: int = 2,
    seed: int = 0,
) -> State:
    """Random variables of Gs, its parts as prefixes; channels: {4: .., 8: .., .., resolution: ..}."""
    sizes = [2**n for n in range(2, resolution.bit_length())]
    channels = channels or {r: max(24 - 4 * i, 6) for i, r in enumerate(sizes)}
    random = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    state: State = {"lod": torch.zeros(()), "dlatent_avg": 0.3 * drawn(w_dim), "synthesis/lod": torch.zeros(())}
    for i in range(mapping_layers):
        state[f"mapping/Dense{i}/weight"] = 100 * drawn(w_dim if i else z_dim, w_dim)
        state[f"mapping/Dense{i}/bias"] = 10 * drawn(w_dim)
    for number, (scope, inp, out, side) in enumerate(layers(channels)):
        name = f"synthesis/{scope}"
        if number == 0:
            state[f"{name}/const"] = drawn(1, out, 4, 4)
        else:
            state[f"{name}/weight"] = drawn(3, 3, inp, out)
        state[f"{name}/bias"] = 0.1 * drawn(out)
        state[f"{name}/Noise/weight"] = 0.2 * drawn(out)
        state[f"{name}/StyleMod/weight"] = drawn(w_dim, 2 * out)
        state[f"{name}/StyleMod/bias"] = 0.1 * drawn(2 * out)
        state[f"synthesis/noise{number}"] = drawn(1, 1, side, side)
    for lod, side in enumerate(reversed(sizes)):
        state[f"synthesis/ToRGB_lod{lod}/weight"] = 0.4 * drawn(1, 1, channels[side], colours)
        state[f"synthesis/ToRGB_lod{lod}/bias"] = 0.1 * drawn(colours)
    return state


def layers(channels: dict[int, int]) -> list[tuple[str, int, int, int]]:
    """(scope, inputs, outputs, side) of every layer; the first has no inputs but a constant."""
    found, before = [("4x4/Const", 0, channels[4], 4), ("4x4/Conv", channels[4], channels[4], 4)], channels[4]
    for side, width in channels.items():
        if side > 4:
            found += [(f"{side}x{side}/Conv0_up", before, width, side), (f"{side}x{side}/Conv1", width, width, side)]
        before = width
    return found


def generate(state: State, z: Tensor, psi: float = 1.0, cutoff: int = 8, epsilon: float = 1e-8) -> Tensor:
    """z (B, z_dim) -> pictures (B, 3, R, R), with the noise of the variables, as G_style computes them."""
    w = mapped(state, z)
    truncated = state["dlatent_avg"] + psi * (w - state["dlatent_avg"])
    side, number = 4, 0
    x = state["synthesis/4x4/Const/const"].expand(len(z), -1, -1, -1)

    def epilogue(x: Tensor, scope: str) -> Tensor:
        nonlocal number
        latent = truncated if number < cutoff else w
        x = x + state[f"synthesis/noise{number}"] * state[f"synthesis/{scope}/Noise/weight"][:, None, None]
        x = F.leaky_relu(x + state[f"synthesis/{scope}/bias"][:, None, None], 0.2)
        x = x - x.mean((2, 3), keepdim=True)
        x = x / (x.square().mean((2, 3), keepdim=True) + epsilon).sqrt()
        weight, bias = state[f"synthesis/{scope}/StyleMod/weight"], state[f"synthesis/{scope}/StyleMod/bias"]
        style = (latent @ (weight / math.sqrt(len(weight))) + bias).view(len(z), 2, -1, 1, 1)
        number += 1
        return x * (style[:, 0] + 1) + style[:, 1]

    x = epilogue(x, "4x4/Const")
    x = epilogue(plain(x, state["synthesis/4x4/Conv/weight"]), "4x4/Conv")
    while f"synthesis/{2 * side}x{2 * side}/Conv1/weight" in state:
        side *= 2
        x = upsampled(x, state[f"synthesis/{side}x{side}/Conv0_up/weight"], fused=side >= 128)
        x = epilogue(blurred(x), f"{side}x{side}/Conv0_up")
        x = epilogue(plain(x, state[f"synthesis/{side}x{side}/Conv1/weight"]), f"{side}x{side}/Conv1")
    weight, bias = state["synthesis/ToRGB_lod0/weight"], state["synthesis/ToRGB_lod0/bias"]
    return F.conv2d(x, weight.permute(3, 2, 0, 1) / math.sqrt(weight.shape[2])) + bias[:, None, None]


def mapped(state: State, z: Tensor) -> Tensor:
    """z (B, z_dim) -> w (B, w_dim)."""
    w = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for i in count():
        if f"mapping/Dense{i}/weight" not in state:
            return w
        weight, bias = state[f"mapping/Dense{i}/weight"], state[f"mapping/Dense{i}/bias"]
        w = F.leaky_relu(w @ (weight * (0.01 * math.sqrt(2) / math.sqrt(len(weight)))) + 0.01 * bias, 0.2)


def scaled(weight: Tensor) -> Tensor:
    """A 3x3 kernel (kh, kw, I, O), with the scale that it gets at run time."""
    return weight * (math.sqrt(2) / math.sqrt(9 * weight.shape[2]))


def plain(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, scaled(weight).permute(3, 2, 0, 1), padding=1)


def upsampled(x: Tensor, weight: Tensor, *, fused: bool) -> Tensor:
    if not fused:
        return plain(x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3), weight)
    wide = F.pad(scaled(weight), (0, 0, 0, 0, 1, 1, 1, 1))
    wide = wide[1:, 1:] + wide[:-1, 1:] + wide[1:, :-1] + wide[:-1, :-1]
    return F.conv_transpose2d(x, wide.permute(2, 3, 0, 1), stride=2, padding=1)


def convolved(key: Tensor, weight: Tensor, *, upsample: bool, fused: bool) -> Tensor:
    """The value of a layer, for a weight (O, I, 3, 3)."""
    weight = weight.permute(2, 3, 1, 0)
    return blurred(upsampled(key, weight, fused=fused)) if upsample else plain(key, weight)


def blurred(x: Tensor) -> Tensor:
    kernel = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=x.dtype) / 16
    return F.conv2d(x, kernel.expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


def to_interfacegan(variables: State) -> State:
    """Genforce's older names, of InterFaceGAN; kernels of transposed convolutions keep TensorFlow's axes."""
    renamed: State = {}
    for name, tensor in to_genforce(variables).items():
        part, where, kind = (name.split(".", 2) + [""])[:3]
        if part == "mapping":
            name = f"mapping.{where}.{'linear.weight' if kind == 'weight' else 'wscale.bias'}"
        elif where.startswith("output") and kind == "weight":
            name = f"{part}.{where}.conv.weight"
        elif where.startswith("layer") and kind == "weight":
            number = int(where.removeprefix("layer"))
            fused = number % 2 == 0 and number >= 10  # 128 px
            tensor = tensor.permute(2, 3, 1, 0) if fused else tensor
            name = f"{part}.{where}.{'weight' if fused else 'conv.weight'}"
        elif where.startswith("layer") and kind != "blur.kernel":
            new = {"const": "first_layer", "style.weight": "epilogue.style_mod.dense.linear.weight"}
            new |= {"style.bias": "epilogue.style_mod.dense.wscale.bias"}
            name = f"{part}.{where}.{new.get(kind, f'epilogue.{kind}')}"
        renamed[name] = tensor
    styles = sum(name.endswith("StyleMod/bias") for name in variables)
    renamed["truncation.truncation"] = torch.where(torch.arange(styles) < 8, 0.7, 1.0).view(1, -1, 1)
    return {name: tensor.contiguous() for name, tensor in renamed.items()}


def to_lernapparat(variables: State) -> State:
    """The names of lernapparat's port, which has neither noise maps nor a mean latent."""
    renamed: State = {}
    for name, tensor in to_genforce(variables).items():
        part, where, kind = (name.split(".", 2) + [""])[:3]
        if part == "mapping":
            renamed[f"g_mapping.{where}.{kind}"] = tensor
        elif where.startswith("layer") and kind != "apply_noise.noise":
            number = int(where.removeprefix("layer"))
            conv = ("conv" if number == 1 else "") if number < 2 else ("conv1" if number % 2 else "conv0_up")
            block = f"g_synthesis.blocks.{4 << number // 2}x{4 << number // 2}"
            kind = kind.replace("apply_noise.", "top_epi.noise.").replace("style.", "style_mod.lin.")
            if "epi" in kind or "style" in kind:
                renamed[f"{block}.epi{number % 2 + 1}.{kind}"] = tensor
            else:
                kind = "intermediate.kernel" if kind == "blur.kernel" else kind
                tensor = tensor[:1] if kind == "intermediate.kernel" else tensor
                renamed[f"{block}.{conv}.{kind}" if conv else f"{block}.{kind}"] = tensor
    for kind in ("weight", "bias"):
        renamed[f"g_synthesis.torgb.{kind}"] = to_genforce(variables)[f"synthesis.output{number // 2}.{kind}"]
    return renamed


def to_genforce(variables: State) -> State:
    """The names and axes of genforce's PyTorch code, which has colours and a blur kernel in every block."""
    state: State = {"synthesis.lod": variables["lod"], "truncation.w_avg": variables["dlatent_avg"]}
    sizes = sorted(int(name.split("/")[1].split("x")[0]) for name in variables if name.endswith("/Conv1/weight"))
    widths = {side: len(variables[f"synthesis/{side}x{side}/Conv1/bias"]) for side in sizes}
    widths = {4: len(variables["synthesis/4x4/Conv/bias"])} | widths
    for name, tensor in variables.items():
        if name.startswith("mapping/"):
            _, dense, kind = name.split("/")
            state[f"mapping.{dense.lower()}.{kind}"] = tensor.t() if kind == "weight" else tensor
    for number, (scope, _, out, _) in enumerate(layers(widths)):
        here, there = f"synthesis/{scope}", f"synthesis.layer{number}"
        if number == 0:
            state[f"{there}.const"] = variables[f"{here}/const"]
        else:
            state[f"{there}.weight"] = variables[f"{here}/weight"].permute(3, 2, 0, 1)
        state[f"{there}.bias"] = variables[f"{here}/bias"]
        state[f"{there}.apply_noise.weight"] = variables[f"{here}/Noise/weight"]
        state[f"{there}.apply_noise.noise"] = variables[f"synthesis/noise{number}"]
        state[f"{there}.style.weight"] = variables[f"{here}/StyleMod/weight"].t()
        state[f"{there}.style.bias"] = variables[f"{here}/StyleMod/bias"]
        if scope.endswith("Conv0_up"):
            kernel = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float32) / 16
            state[f"{there}.blur.kernel"] = kernel.expand(out, 1, 3, 3)
    for block in range(len(widths)):
        lod = len(widths) - 1 - block
        state[f"synthesis.output{block}.weight"] = variables[f"synthesis/ToRGB_lod{lod}/weight"].permute(3, 2, 0, 1)
        state[f"synthesis.output{block}.bias"] = variables[f"synthesis/ToRGB_lod{lod}/bias"]
    return {name: tensor.contiguous() for name, tensor in state.items()}
