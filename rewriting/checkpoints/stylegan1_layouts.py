"""Tensor names of StyleGAN1 in other programs: genforce, InterFaceGAN, lernapparat's port, and NVIDIA's TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rewriting.checkpoints.arguments import BLUR
from rewriting.checkpoints.canonical import (
    MAPPING_RATE,
    SIZES,
    Canonical,
    Tensors,
    one_latent,
    rescaled,
    three,
    with_axes,
)
from rewriting.checkpoints.contents import CheckpointError, quoted

FUSED = 128  # px from which StyleGAN1 upsamples by transposed convolutions


def from_genforce_stylegan1(tensors: Tensors, facts: Mapping[str, Any], layout: str = "genforce") -> Canonical:
    """Genforce's StyleGAN1, whose names are canonical; the blur is not stored, and colours of smaller sizes are
    unused."""
    blocks = [int(m[1]) for name in tensors if (m := re.fullmatch(r"synthesis\.output(\d{1,2})\.weight", name))]
    rate, last, notes = facts.get("rate") or MAPPING_RATE, f"synthesis.output{max(blocks, default=0)}.", []
    kept: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith(".blur.kernel"):
            _check_blur(name, tensor)
        elif name == "synthesis.lod":
            if bool(tensor.any()):
                raise CheckpointError("It is a StyleGAN1 that is not grown to its full size; train it on first.")
        elif name.startswith("mapping.dense"):
            kept[name] = rescaled(tensor, rate)
        elif name.startswith(last) or not name.startswith("synthesis.output"):
            kept[name] = three(tensor, notes) if name.startswith(last) else tensor
    mean = one_latent(kept.pop("truncation.w_avg", None))
    return Canonical("stylegan1", layout, kept, mean, notes=tuple(dict.fromkeys(notes)))


def _check_blur(name: str, tensor: Tensor) -> None:
    """Raise CheckpointError unless the kernel of each channel, (..., 3, 3), is the usual one."""
    tap = torch.tensor(BLUR, dtype=torch.float32) / sum(BLUR)
    usual = torch.outer(tap, tap)
    if tensor.shape[-2:] != usual.shape or not torch.allclose(tensor, usual.expand_as(tensor), atol=1e-5):
        raise CheckpointError(f"Its filter {quoted(name)} is not {list(BLUR)}, the only one of a StyleGAN1 here.")


def from_interfacegan(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """InterFaceGAN's StyleGAN1: genforce's under older names.  Kernels that upsample in the same step have
    TensorFlow's axes, (kh, kw, I, O), and names of their own."""

    def rename(name: str) -> str:
        name = re.sub(r"^(mapping\.dense\d{1,3})\.(?:linear|wscale)\.", r"\1.", name)
        name = re.sub(r"\.epilogue\.style_mod\.dense\.(?:linear|wscale)\.", ".style.", name)
        name = re.sub(r"\.epilogue\.|\.conv\.", ".", name)
        return re.sub(r"\.first_layer$", ".const", name)

    renamed: Tensors = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"synthesis\.layer(\d{1,2})\.(conv\.)?weight", name)
        if match:
            fused, number = match[2] is None, int(match[1])
            tensor = with_axes(4, name, tensor).permute(3, 2, 0, 1) if fused else tensor
            if number % 2 == 0 and fused != (4 << number // 2 >= FUSED):  # which a file decides for itself
                tensor = with_axes(4, name, tensor).flip(2, 3)
        if name != "truncation.truncation":  # the psi of each layer
            _add(renamed, rename(name), tensor)
    return from_genforce_stylegan1(renamed, facts, "InterFaceGAN")


def from_lernapparat(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """Lernapparat's StyleGAN1, which holds NVIDIA's weights without noise maps and mean latent.  Its own instance norm
    adds 1e-5 to the variance and not 1e-8."""
    found = (re.fullmatch(r"g_synthesis\.blocks\.(\d{1,4})x\1\.conv1\.bias", name) for name in tensors)
    last = max((int(match[1]) for match in found if match), default=4).bit_length() - 3

    def rename(name: str) -> str:
        name = re.sub(r"^g_mapping\.", "mapping.", name)
        name = re.sub(r"^g_synthesis\.torgb\.", f"synthesis.output{last}.", name)
        match = re.fullmatch(r"g_synthesis\.blocks\.(\d{1,4})x\1\.(?:(conv0_up|conv1?|epi[12])\.)?(.+)", name)
        if not match or int(match[1]) not in SIZES:
            return name
        number = 2 * int(match[1]).bit_length() - 6 + (match[2] in ("conv", "conv1", "epi2"))
        kind = match[3].replace("top_epi.noise.", "apply_noise.").replace("style_mod.lin.", "style.")
        return f"synthesis.layer{number}.{kind.replace('intermediate.', 'blur.')}"

    renamed: Tensors = {}
    for name, tensor in tensors.items():
        _add(renamed, rename(name), tensor)
    return from_genforce_stylegan1(renamed, facts, "lernapparat")


def _add(tensors: Tensors, name: str, tensor: Tensor) -> None:
    """Add a renamed tensor.  Raises CheckpointError if there is one of that name."""
    if name in tensors:
        raise CheckpointError(f"It holds {quoted(name)} under two names; it is damaged.")
    tensors[name] = tensor


def from_tensorflow_stylegan1(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """TensorFlow's StyleGAN1: (kh, kw, I, O) kernels, dense weights (in, out).  The synthesis network's own `lod` is
    that of its last run."""
    sizes = [int(m[1]) for name in tensors if (m := re.fullmatch(r"synthesis/(\d{1,4})x\1/Conv1/weight", name))]
    largest = max(sizes, default=4)
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        if name != "synthesis/lod":
            renamed |= _tensorflow_stylegan1_variable(name, tensor, largest)
    return from_genforce_stylegan1(renamed, facts, "NVIDIA TensorFlow")


def _tensorflow_stylegan1_variable(name: str, tensor: Tensor, largest: int) -> Tensors:
    """A TensorFlow variable under genforce's name, and with its axes; unknown names stay, for the error."""
    whole = {
        "lod": "synthesis.lod",
        "dlatent_avg": "truncation.w_avg",
        "synthesis/4x4/Const/const": "synthesis.layer0.const",
    }
    if name in whole:
        return {whole[name]: tensor}
    if match := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
        return {f"synthesis.layer{int(match[1])}.apply_noise.noise": tensor}
    if match := re.fullmatch(r"mapping/Dense(\d{1,3})/(weight|bias)", name):
        kind = match[2]
        return {f"mapping.dense{match[1]}.{kind}": with_axes(2, name, tensor).t() if kind == "weight" else tensor}
    if match := re.fullmatch(r"synthesis/ToRGB_lod(\d{1,2})/(weight|bias)", name):
        where = f"synthesis.output{largest.bit_length() - 3 - int(match[1])}.{match[2]}"
        return {where: with_axes(4, name, tensor).permute(3, 2, 0, 1) if match[2] == "weight" else tensor}
    match = re.fullmatch(r"synthesis/(4)x4/(Const|Conv)/(.+)", name)
    match = match or re.fullmatch(r"synthesis/(?!4x)(\d{1,4})x\1/(Conv0_up|Conv1)/(.+)", name)
    kinds = {"Noise/weight": "apply_noise.weight", "StyleMod/weight": "style.weight", "StyleMod/bias": "style.bias"}
    kinds |= {"weight": "weight", "bias": "bias"}
    if not match or int(match[1]) not in SIZES or match[3] not in kinds:
        return {name: tensor}
    if match[3] == "weight":
        tensor = with_axes(4, name, tensor).permute(3, 2, 0, 1)
    elif match[3] == "StyleMod/weight":
        tensor = with_axes(2, name, tensor).t()
    number = 2 * int(match[1]).bit_length() - 6 + (match[2] in ("Conv", "Conv1"))
    return {f"synthesis.layer{number}.{kinds[match[3]]}": tensor}
