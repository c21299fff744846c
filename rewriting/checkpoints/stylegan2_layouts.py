"""Tensor names of StyleGAN2: of rosinality, the paper's code, BasicSR, mmgen, genforce, and NVIDIA."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rewriting.checkpoints.canonical import (
    MAPPING_RATE,
    SIZES,
    Canonical,
    Tensors,
    in_classes,
    one_latent,
    rescaled,
    with_axes,
)
from rewriting.checkpoints.contents import CheckpointError, quoted
from rewriting.generators.config import LOW_PASS, MAX_TAPS

LABEL_CONCAT = "mapping/LabelConcat/weight"  # in TensorFlow

# --- rosinality and the paper's code ---------------------------------------------------------------------------------


def from_rosinality(tensors: Tensors, facts: Mapping[str, Any], layout: str = "rosinality") -> Canonical:
    """Rosinality's layout: canonical names, with the standard resampling kernels and `latent_avg`."""
    rate = facts.get("rate") or MAPPING_RATE
    kept, kernels = {}, {}
    for name, tensor in tensors.items():
        if name.endswith((".blur.kernel", ".upsample.kernel")):
            kernels[name] = tensor
        elif name != "latent_avg":
            kept[name] = rescaled(tensor, rate) if name.startswith("style.") else tensor
    mean, taps = one_latent(tensors.get("latent_avg")), one_filter(kernels, 4, facts)
    return Canonical("stylegan2", layout, kept, mean, resample_filter=taps)


def from_paper(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """The paper's own sequential StyleGAN2: layer2 is conv1, layerN is convs.(N - 3)."""

    def rename(name: str) -> str:
        name = re.sub(r"^layer2\.conv\.", "conv1.", name)
        name = re.sub(r"^layer(\d+)\.sconv\.", lambda m: f"convs.{int(m[1]) - 3}.", name)
        name = re.sub(r"\bmconv\.(dconv\.)?", "conv.", name)
        name = re.sub(r"^to_rgb1\.rgb\.", "to_rgb1.", name)
        name = re.sub(r"^to_rgb(\d+)\.rgb\.", lambda m: f"to_rgbs.{int(m[1]) - 2}.", name)
        name = re.sub(r"^up_rgb(\d+)\.", lambda m: f"to_rgbs.{int(m[1]) - 1}.upsample.", name)
        return "latent_avg" if name == "latents.latent_avg" else name

    renamed = {rename(name): tensor for name, tensor in tensors.items()}
    return from_rosinality(renamed, facts, "the paper's code")


def one_filter(kernels: Mapping[str, Tensor], gain: float, facts: Mapping[str, Any]) -> Sequence[float]:
    """The taps of the low-pass filter that all kernels, (n, n) or (n,) with the sum `gain`, have in common.  Without
    kernels, the arguments tell it, or it is the usual one.

    Raises CheckpointError for several filters, and for one that differs between rows and columns.
    """
    found = {_taps(name, kernel, gain): name for name, kernel in kernels.items()}
    if len(found) > 1:
        listed = " and ".join(f"{quoted(name)} {list(taps)}" for taps, name in list(found.items())[:2])
        raise CheckpointError(f"It filters by {listed}; only one filter for all sizes is implemented here.")
    if not found and facts.get("filter"):
        told = torch.tensor(facts["filter"], dtype=torch.float64)
        return _taps("resample_filter", told / told.sum(), 1)
    return next(iter(found), LOW_PASS)


def _taps(name: str, kernel: Tensor, gain: float) -> tuple[float, ...]:
    """Rounded to millionths, so that a kernel that is made of them has the same taps again."""
    shares = kernel.double() / gain
    if 1 <= shares.dim() <= 2 and 0 < shares.numel() <= MAX_TAPS ** shares.dim():
        rows = shares if shares.dim() == 1 else shares.sum(1)
        again = rows if shares.dim() == 1 else torch.outer(rows, rows)
        if shares.shape == again.shape and torch.allclose(shares, again, atol=1e-5) and abs(rows.sum() - 1) < 1e-5:
            usual = torch.tensor(LOW_PASS) / sum(LOW_PASS)
            same = rows.shape == usual.shape and torch.allclose(rows, usual.double(), atol=1e-5)
            return LOW_PASS if same else tuple(round(float(tap), 6) for tap in rows)
    raise CheckpointError(
        f"Its filter {quoted(name)} of shape {tuple(kernel.shape)} is not the same along rows and columns, or has "
        f"another sum than {gain}, or more than {MAX_TAPS} taps; such a filter is not implemented here."
    )


# --- BasicSR ---------------------------------------------------------------------------------------------------------


def from_basicsr(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """Rosinality's generator under other names; its resampling kernels are not stored, and always the usual ones."""

    def rename(name: str) -> str:
        name = re.sub(r"^style_mlp\.", "style.", name)
        name = re.sub(r"^constant_input\.weight$", "input.input", name)
        name = re.sub(r"^noises\.noise(\d+)$", r"noises.noise_\1", name)
        name = re.sub(r"^style_conv1\.", "conv1.", name)
        name = re.sub(r"^style_convs\.", "convs.", name)
        name = re.sub(r"^(conv1|convs\.\d+)\.weight$", r"\1.noise.weight", name)
        return re.sub(r"\.modulated_conv\.", ".conv.", name)

    return from_rosinality({rename(name): tensor for name, tensor in tensors.items()}, facts, "BasicSR")


# --- mmgen -----------------------------------------------------------------------------------------------------------


def from_mmgen(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """Rosinality's generator under other names; a weight that is scaled when it is used is called weight_orig."""

    def rename(name: str) -> str:
        name = re.sub(r"^style_mapping\.", "style.", name)
        name = re.sub(r"^constant_input\.", "input.", name)
        name = re.sub(r"^injected_noise_(\d+)$", r"noises.noise_\1", name)
        name = re.sub(r"\.noise_injector\.", ".noise.", name)
        name = re.sub(r"\.style_modulation\.", ".modulation.", name)
        return re.sub(r"(\.linear)?\.weight_orig$", ".weight", name)

    renamed = {rename(name): tensor for name, tensor in tensors.items()}
    return from_rosinality(renamed, facts, "mmgen, which often swaps red and blue")


# --- genforce --------------------------------------------------------------------------------------------------------


def from_genforce(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """A StyleGAN2 with TensorFlow's numbers and PyTorch's axes: upsampling kernels are flipped, and the bias of a
    style lacks its 1."""
    renamed: Tensors = {}
    kernels: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith(("filter.kernel", "upsample.kernel")):
            kernels[name] = tensor.reshape(tensor.shape[-2:])
        elif match := re.fullmatch(r"mapping\.dense(\d{1,3})\.(weight|bias)", name):
            renamed[f"style.{int(match[1]) + 1}.{match[2]}"] = tensor
        elif name == "synthesis.early_layer.const":
            renamed["input.input"] = tensor
        elif name != "truncation.w_avg":
            renamed |= _genforce_layer(name, tensor)
    mean, taps = one_latent(tensors.get("truncation.w_avg")), one_filter(kernels, 4, facts)
    return Canonical("stylegan2", "genforce", renamed, mean, resample_filter=taps)


def _genforce_layer(name: str, tensor: Tensor) -> Tensors:
    """synthesis.layerN.X or outputN.X -> its canonical name and numbers; unknown names stay, for the error."""
    match = re.fullmatch(r"synthesis\.(layer|output)(\d{1,2})\.(.+)", name)
    if not match:
        return {name: tensor}
    kind, number, rest = match[1], int(match[2]), match[3]
    if kind == "layer":
        prefix = "conv1" if number == 0 else f"convs.{number - 1}"
        names = {"bias": "activate.bias", "noise_strength": "noise.weight"}
        if rest == "noise":
            return {f"noises.noise_{number}": tensor}
        if rest == "weight":
            tensor = (tensor.flip(2, 3) if number % 2 else tensor) if tensor.dim() == 4 else tensor
    else:
        prefix = "to_rgb1" if number == 0 else f"to_rgbs.{number - 1}"
        names = {"bias": "bias"}
    names |= {"weight": "conv.weight", "style.weight": "conv.modulation.weight", "style.bias": "conv.modulation.bias"}
    if rest not in names:
        return {name: tensor}
    shaped = {
        "weight": lambda t: t[None],
        "noise_strength": lambda t: t.reshape(-1),
        "style.bias": lambda t: t + 1,
        "bias": lambda t: t if kind == "layer" else t.reshape(1, -1, 1, 1),
    }
    return {f"{prefix}.{names[rest]}": shaped.get(rest, lambda t: t)(tensor)}


# --- NVIDIA ----------------------------------------------------------------------------------------------------------


def from_persistence(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """StyleGAN2-ADA-PyTorch and the StyleGAN3 repo's StyleGAN2.  They differ in names, in axes of length 1, and in the
    mapping network's learning rate, by which weights are multiplied if it is not the standard one."""
    tensors, notes = in_classes(tensors, facts["label"])
    rate = facts.get("rate") or MAPPING_RATE
    renamed: Tensors = {}
    kernels: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith("resample_filter"):
            kernels |= {} if name.endswith(".conv1.resample_filter") else {name: tensor}  # these do not upsample
        elif name.startswith("mapping.fc"):
            index, kind = name.removeprefix("mapping.fc").split(".", 1)
            renamed[f"style.{_number(index) + 1}.{kind}"] = rescaled(tensor, rate)
        elif name.startswith("mapping.label_concat."):
            notes.append(f"It draws {tensor.shape[-1]} classes.")
            renamed[name.removeprefix("mapping.")] = tensor
        elif name.startswith("mapping.embed."):
            renamed[name.removeprefix("mapping.")] = tensor
        elif name != "mapping.w_avg":
            renamed |= _nvidia_layer(name, tensor)
    layout = "NVIDIA PyTorch" if facts.get("layout") != "tensorflow" else "NVIDIA TensorFlow"
    mean = one_latent(tensors.get("mapping.w_avg"))
    taps = one_filter(kernels, 1, facts)
    return Canonical("stylegan2", layout, renamed, mean, facts.get("clamp"), tuple(notes), resample_filter=taps)


def _nvidia_layer(name: str, tensor: Tensor) -> Tensors:
    """synthesis.bR.conv0|conv1|skip|torgb.X -> its canonical name and shape; unknown names stay, for the error."""
    match = re.fullmatch(r"synthesis\.b(\d{1,4})\.(?:(conv0|conv1|skip|torgb)\.)?(.+)", name)
    if not match or int(match[1]) not in SIZES or (match[1] == "4" and match[2] in ("conv0", "skip")):
        return {name: tensor}
    size, layer, kind = int(match[1]), match[2], match[3]
    stage = size.bit_length() - 4  # -1 for 4 px
    if layer is None:
        return {"input.input" if name == "synthesis.b4.const" else name: tensor[None]}
    if layer == "skip":
        return {f"shortcuts.{stage}.weight" if kind == "weight" else name: tensor}
    if layer == "torgb":
        prefix = "to_rgb1" if size == 4 else f"to_rgbs.{stage}"
        kinds = {"bias": ("bias", lambda t: t.reshape(1, -1, 1, 1))}
    else:
        prefix = "conv1" if size == 4 else f"convs.{2 * stage + (layer == 'conv1')}"
        noise = f"noises.noise_{2 * stage + 1 + (layer == 'conv1')}"
        kinds = {
            "bias": ("activate.bias", lambda t: t),
            "noise_strength": ("noise.weight", lambda t: t.reshape(-1)),
            "noise_const": (noise, lambda t: t[None, None]),
        }
    kinds |= {
        "weight": ("conv.weight", lambda t: t[None]),
        "affine.weight": ("conv.modulation.weight", lambda t: t),
        "affine.bias": ("conv.modulation.bias", lambda t: t),
    }
    if kind not in kinds:
        return {name: tensor}
    renamed, reshape = kinds[kind]
    return {renamed if renamed.startswith("noises.") else f"{prefix}.{renamed}": reshape(tensor)}


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 4 else -1


def from_tensorflow(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """TensorFlow's StyleGAN2: (kh, kw, I, O) kernels, flipped for upsampling; dense weights (in, out); `mod_bias`
    without its 1; noise maps numbered across resolutions.  `lod` is an unused leftover of StyleGAN1.

    The configurations B to D were grown, from lod 1 and up to 0.  Their layers ToRGB_lod of smaller sizes are unused
    then, so that they have the architecture orig."""
    renamed: Tensors = {}
    grown = any(name.startswith("synthesis/ToRGB_lod0/") for name in tensors)
    largest = max((int(m[1]) for n in tensors if (m := re.match(r"synthesis/(\d{1,4})x\1/Conv1/", n))), default=4)
    for name, tensor in tensors.items():
        if name == "lod" or name.endswith("/lod"):
            if grown and bool(tensor.any()):
                raise CheckpointError("It is a StyleGAN2 that is not grown to its full size; train it on first.")
        elif not re.match(r"synthesis/ToRGB_lod[1-9]\d?/", name):
            name = re.sub(r"^synthesis/ToRGB_lod0/", f"synthesis/{largest}x{largest}/ToRGB/", name)
            renamed |= _tensorflow_variable(name, tensor)
    return from_persistence(renamed, facts)


def _tensorflow_variable(name: str, tensor: Tensor) -> Tensors:
    """A TensorFlow variable under the name, and with the axes, that it has in NVIDIA's PyTorch code."""
    if name == "dlatent_avg":
        return {"mapping.w_avg": tensor}
    if match := re.fullmatch(r"mapping/LabelEmbed/(weight|bias)", name):
        return {f"mapping.embed.{match[1]}": with_axes(2, name, tensor).t() if match[1] == "weight" else tensor}
    if name == LABEL_CONCAT:
        return {"mapping.label_concat.weight": with_axes(2, name, tensor).t()}
    if match := re.fullmatch(r"mapping/Dense(\d{1,3})/(weight|bias)", name):
        return {f"mapping.fc{match[1]}.{match[2]}": with_axes(2, name, tensor).t() if match[2] == "weight" else tensor}
    if name == "synthesis/4x4/Const/const":
        return {"synthesis.b4.const": with_axes(4, name, tensor)[0]}
    if match := re.fullmatch(r"synthesis/noise(\d{1,3})", name):
        index = int(match[1])  # 0 at 4 px, then two at every size
        layer = "conv0" if index % 2 else "conv1"
        return {f"synthesis.b{2 ** ((index + 1) // 2 + 2)}.{layer}.noise_const": with_axes(4, name, tensor)[0, 0]}
    layers = {"Conv0_up": "conv0", "Conv1": "conv1", "Conv": "conv1", "Skip": "skip", "ToRGB": "torgb"}
    match = re.fullmatch(r"synthesis/(\d{1,4})x\1/(Conv0_up|Conv1|Conv|Skip|ToRGB)/(\w+)", name)
    if not match:
        return {name: tensor}
    prefix, kind = f"synthesis.b{match[1]}.{layers[match[2]]}", match[3]
    if kind == "weight":
        tensor = with_axes(4, name, tensor).permute(3, 2, 0, 1)
        return {f"{prefix}.weight": tensor.flip(2, 3) if match[2] == "Conv0_up" else tensor}
    if kind == "mod_weight":
        return {f"{prefix}.affine.weight": with_axes(2, name, tensor).t()}
    if kind == "mod_bias":
        return {f"{prefix}.affine.bias": tensor + 1}
    return {f"{prefix}.{kind}": tensor}
