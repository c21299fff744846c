"""Tensor names of the Progressive GAN in other programs: GAN dissection, TensorFlow, and genforce."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rewriting.checkpoints.canonical import SIZES, Canonical, Tensors, three, with_axes
from rewriting.checkpoints.contents import CheckpointError, quoted


def from_progan(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """GAN dissection's names, or the older features.(N - 1) and output."""
    renamed = {re.sub(r"^features\.(\d{1,3})\.", lambda m: f"layer{int(m[1]) + 1}.", n): t for n, t in tensors.items()}
    count = sum(bool(re.fullmatch(r"layer\d+\.conv\.weight", name)) for name in renamed)
    size = 2 ** (count // 2 + 1)
    renamed = {re.sub(r"^output\.", f"output_{size}x{size}.", name): tensor for name, tensor in renamed.items()}
    return Canonical("proggan", "Progressive GAN", renamed)


def from_tensorflow_progan(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """TensorFlow's Progressive GAN: (kh, kw, I, O) kernels, those that upsample in the same step (kh, kw, O, I) and
    flipped; the first layer is dense, (in, out * 16).  Colours of smaller sizes (lod 1 and up) are unused."""
    sizes = [int(m[1]) for name in tensors if (m := re.fullmatch(r"(\d{1,4})x\1/Conv1/weight", name))]
    renamed: Tensors = {}
    notes: list[str] = []
    for name, tensor in tensors.items():
        if name == "lod" and bool(tensor.any()):
            raise CheckpointError("It is a Progressive GAN that is not grown to its full size; train it on first.")
        if name != "lod" and not re.fullmatch(r"ToRGB_lod[1-9]\d?/(weight|bias)", name):
            renamed |= _tensorflow_progan_variable(name, tensor, max(sizes, default=4), notes)
    return Canonical("proggan", "Progressive GAN in TensorFlow", renamed, notes=tuple(dict.fromkeys(notes)))


def _tensorflow_progan_variable(name: str, tensor: Tensor, size: int, notes: list[str]) -> Tensors:
    """A TensorFlow variable under GAN dissection's name, and with its axes; unknown names stay, for the error."""
    match = re.fullmatch(r"(?:(\d{1,4})x\1/(Dense|Conv|Conv0|Conv0_up|Conv1)|ToRGB_lod0)/(weight|bias)", name)
    if not match or (match[1] and int(match[1]) not in SIZES):
        return {name: tensor}
    layer, kind = match[2], match[3]
    if layer is None:
        prefix = f"output_{size}x{size}"
    else:
        prefix = f"layer{2 * int(match[1]).bit_length() - 5 + (layer in ('Conv', 'Conv1'))}"
    if kind == "bias":
        tensor = three(tensor, notes) if layer is None else tensor
        return {f"{prefix}.wscale.b": tensor}
    if layer == "Dense":
        inputs, outputs = with_axes(2, name, tensor).shape
        if outputs % 16:
            raise CheckpointError(f"Its {quoted(name)} has {outputs} outputs; expected 16 for each channel.")
        tensor = tensor.reshape(inputs, outputs // 16, 4, 4).transpose(0, 1).flip(2, 3)
    else:
        tensor = with_axes(4, name, tensor).permute(3, 2, 0, 1)
        tensor = tensor.transpose(0, 1).flip(2, 3) if layer == "Conv0_up" else tensor
    return {f"{prefix}.conv.weight": three(tensor, notes) if layer is None else tensor}


def from_genforce_progan(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """Genforce's Progressive GAN: layerN counts from 0 and has its bias beside its weight.  A network that upsamples
    and convolves in one step has flipped kernels with swapped axes, which the shapes must reveal."""
    count = sum(bool(re.fullmatch(r"layer\d{1,2}\.weight", name)) for name in tensors)
    if count < 4:
        raise CheckpointError(f"It has too few layers ({count}); a Progressive GAN has 4 or more, two at every size.")
    fused = _is_fused(tensors, count)
    last, size = count // 2 - 1, 2 ** (count // 2 + 1)
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        if match := re.fullmatch(r"layer(\d{1,2})\.(weight|bias)", name):
            number, kind = int(match[1]), match[2]
            if fused and kind == "weight" and number % 2 == 0 and number:
                tensor = tensor.transpose(0, 1).flip(2, 3)
            renamed[f"layer{number + 1}.{'conv.weight' if kind == 'weight' else 'wscale.b'}"] = tensor
        elif match := re.fullmatch(rf"output{last}\.(weight|bias)", name):
            renamed[f"output_{size}x{size}.{'conv.weight' if match[1] == 'weight' else 'wscale.b'}"] = tensor
        elif name == "lod" and bool(tensor.any()):
            raise CheckpointError("It is a Progressive GAN that is not grown to its full size; train it on first.")
        elif not re.fullmatch(r"lod|output\d{1,2}\.(weight|bias)", name):  # those of smaller sizes are not used
            renamed[name] = tensor
    return Canonical("proggan", "genforce", renamed)


def _is_fused(tensors: Tensors, count: int) -> bool:
    """Whether upsampling layers have (I, O, kh, kw) kernels, judged by layers whose width falls."""
    for number in range(2, count, 2):
        weight, bias = tensors.get(f"layer{number}.weight"), tensors.get(f"layer{number}.bias")
        if weight is None or bias is None or weight.dim() != 4:
            break
        if weight.shape[0] != weight.shape[1]:
            return weight.shape[1] == len(bias)
    raise CheckpointError(
        "Its layers are all equally wide, so that nothing tells whether it upsamples and convolves in one step; "
        "convert the file that it was made of."
    )
