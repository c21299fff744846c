"""The names that different programs give to the same weights, brought to one: those of the files we write.

Canonical StyleGAN2 names are those of the widespread PyTorch code base (rosinality's); canonical Progressive GAN names
are those of GAN dissection.  Every other layout is recognised by a name that only it has, and renamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rewriting.checkpoints.arguments import LOW_PASS
from rewriting.checkpoints.contents import CheckpointError, Contents, quoted

Tensors = dict[str, Tensor]
MAPPING_RATE = 0.01
SIZES = {2**n for n in range(2, 12)}
REFUSED = (  # a name that tells, and what it tells
    (r"synthesis\.L\d+_|synthesis\.input\.freqs", "a StyleGAN3, whose layers differ"),
    (r"StyleMod|LayerEpilogue|^generator\.progression\.|^g_synthesis\.|\.epi\d?\.style_mod", "a StyleGAN1"),
    (r"^synthesis\.b\d+\.skip\.weight$|^synthesis/\d+x\d+/Skip/", "a StyleGAN2 with residual blocks (resnet)"),
    (r"^mapping\.embed\.|^mapping/Label", "a conditional generator, which needs a class label for every picture"),
    (r"^synthesis/ToRGB_lod\d", "a StyleGAN2 of the configurations B to D (G_synthesis_stylegan_revised)"),
    (r"ToRGB_lod\d|^torgb_lod", "a Progressive GAN or StyleGAN1 in TensorFlow's form"),
    (r"^(GE|SE|G|S)\.(to_latents|net|blocks)|^GAN\.", "a generator of another StyleGAN2 code base (lucidrains)"),
    (r"^(early_layer|layer0|output0)\.|^synthesis\.(layer|early)", "a generator of another code base (genforce)"),
    (r"^(final_conv|final_linear|convs\.0\.0)\.|^b\d+\.(fromrgb|fc)\.", "a discriminator, not a generator"),
)


@dataclass
class Canonical:
    """Weights under canonical names.  layout: where they come from, in words.  clamp: at what size the program that
    trained them cut values off, None for nowhere.  latent_avg: (w_dim,) or None if the file has none."""

    architecture: str
    layout: str
    tensors: Tensors
    latent_avg: Tensor | None = None
    clamp: float | None = None


def canonical(contents: Contents) -> Canonical:
    """Recognise the layout and rename.  Raises CheckpointError naming an architecture that is not supported."""
    tensors = _without_prefix(contents.tensors, "module.")
    for pattern, what in REFUSED:
        if any(re.search(pattern, name) for name in tensors):
            raise CheckpointError(f"It is {what}; plain StyleGAN2 and Progressive GAN generators are supported.")
    for name, convert in LAYOUTS.items():
        if name in tensors:
            if contents.objection:
                raise CheckpointError(contents.objection)
            return convert(tensors, contents.facts)
    listed = ", ".join(quoted(name, 40) for name in list(tensors)[:4])
    raise CheckpointError(f"It is no generator that is known here; its tensors are called {listed}.")


def _without_prefix(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    every = all(name.startswith(prefix) for name in tensors)
    return {name.removeprefix(prefix) if every else name: tensor for name, tensor in tensors.items()}


# --- rosinality and the paper's code ---------------------------------------------------------------------------------


def from_rosinality(tensors: Tensors, facts: Mapping[str, Any], layout: str = "rosinality") -> Canonical:
    """Canonical but for the resampling kernels, which must be the usual ones, and `latent_avg`."""
    rate = facts.get("rate") or MAPPING_RATE
    kept = {}
    for name, tensor in tensors.items():
        if name.endswith((".blur.kernel", ".upsample.kernel")):
            check_filter(name, tensor, gain=4)
        elif name != "latent_avg":
            kept[name] = _rescaled(tensor, rate) if name.startswith("style.") else tensor
    return Canonical("stylegan2", layout, kept, _one_latent(tensors.get("latent_avg")))


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


def check_filter(name: str, tensor: Tensor, gain: float) -> None:
    """Raises CheckpointError unless a resampling filter is the usual one, which is not stored but computed."""
    tap = torch.tensor(LOW_PASS, dtype=torch.float32)
    usual = gain * torch.outer(tap, tap) / 64
    if tensor.shape != usual.shape or not torch.allclose(tensor, usual, atol=1e-5):
        raise CheckpointError(f"Its filter {quoted(name)} is not [1, 3, 3, 1], the only one that is supported.")


def _one_latent(tensor: Tensor | None) -> Tensor | None:
    """(w_dim,) from (w_dim,), (1, w_dim), or (layers, w_dim) with equal rows, as different programs keep the mean."""
    if tensor is None:
        return None
    rows = tensor.reshape(-1, tensor.shape[-1]) if tensor.dim() else tensor.reshape(1, 1)
    if not len(rows) or not torch.equal(rows, rows[:1].expand_as(rows)):
        raise CheckpointError(
            f"Its latent_avg has shape {tuple(tensor.shape)}; expected one mean latent, as (w_dim,)."
        )
    return rows[0].clone()


# --- NVIDIA ----------------------------------------------------------------------------------------------------------


def from_persistence(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """StyleGAN2-ADA-PyTorch and the StyleGAN3 repo's StyleGAN2.  No transposes, no flips: names, axes of length 1, and
    the mapping network's learning rate, which is multiplied in where it is not the usual one."""
    if not any(re.fullmatch(r"synthesis\.b4\.torgb\..+", name) for name in tensors):
        raise CheckpointError(
            "It is a StyleGAN2 of the architecture 'orig'; only 'skip' is implemented here, so choose a generator "
            "that was trained with that."
        )
    rate = facts.get("rate") or MAPPING_RATE
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith("resample_filter"):
            check_filter(name, tensor, gain=1)
        elif name.startswith("mapping.fc"):
            index, kind = name.removeprefix("mapping.fc").split(".", 1)
            renamed[f"style.{_number(index) + 1}.{kind}"] = _rescaled(tensor, rate)
        elif name != "mapping.w_avg":
            renamed |= _nvidia_layer(name, tensor)
    layout = "NVIDIA PyTorch" if facts.get("layout") != "tensorflow" else "NVIDIA TensorFlow"
    mean = _one_latent(tensors.get("mapping.w_avg"))
    return Canonical("stylegan2", layout, renamed, mean, facts.get("clamp"))


def _nvidia_layer(name: str, tensor: Tensor) -> Tensors:
    """synthesis.bR.conv0|conv1|torgb.X -> its canonical name and shape; unknown names stay, for the error."""
    match = re.fullmatch(r"synthesis\.b(\d{1,4})\.(?:(conv0|conv1|torgb)\.)?(.+)", name)
    if not match or int(match[1]) not in SIZES or (match[1], match[2]) == ("4", "conv0"):
        return {name: tensor}
    size, layer, kind = int(match[1]), match[2], match[3]
    stage = size.bit_length() - 4  # -1 for 4 px
    if layer is None:
        return {"input.input" if name == "synthesis.b4.const" else name: tensor[None]}
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


def from_tensorflow(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """TensorFlow's StyleGAN2: (kh, kw, I, O) kernels, flipped where they upsample; dense weights (in, out); `mod_bias`
    without its 1; noise maps numbered across resolutions.  `lod` is a leftover of StyleGAN1 and means nothing."""
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        if name != "lod" and not name.endswith("/lod"):
            renamed |= _tensorflow_variable(name, tensor)
    return from_persistence(renamed, facts)


def _tensorflow_variable(name: str, tensor: Tensor) -> Tensors:
    """A TensorFlow variable under the name, and with the axes, that it has in NVIDIA's PyTorch code."""
    if name == "dlatent_avg":
        return {"mapping.w_avg": tensor}
    if match := re.fullmatch(r"mapping/Dense(\d{1,3})/(weight|bias)", name):
        return {
            f"mapping.fc{match[1]}.{match[2]}": _with_axes(2, name, tensor).t() if match[2] == "weight" else tensor
        }
    if name == "synthesis/4x4/Const/const":
        return {"synthesis.b4.const": _with_axes(4, name, tensor)[0]}
    if match := re.fullmatch(r"synthesis/noise(\d{1,3})", name):
        index = int(match[1])  # 0 at 4 px, then two at every size
        layer = "conv0" if index % 2 else "conv1"
        return {f"synthesis.b{2 ** ((index + 1) // 2 + 2)}.{layer}.noise_const": _with_axes(4, name, tensor)[0, 0]}
    layers = {"Conv0_up": "conv0", "Conv1": "conv1", "Conv": "conv1", "ToRGB": "torgb"}
    match = re.fullmatch(r"synthesis/(\d{1,4})x\1/(Conv0_up|Conv1|Conv|ToRGB)/(\w+)", name)
    if not match:
        return {name: tensor}
    prefix, kind = f"synthesis.b{match[1]}.{layers[match[2]]}", match[3]
    if kind == "weight":
        tensor = _with_axes(4, name, tensor).permute(3, 2, 0, 1)
        return {f"{prefix}.weight": tensor.flip(2, 3) if match[2] == "Conv0_up" else tensor}
    if kind == "mod_weight":
        return {f"{prefix}.affine.weight": _with_axes(2, name, tensor).t()}
    if kind == "mod_bias":
        return {f"{prefix}.affine.bias": tensor + 1}
    return {f"{prefix}.{kind}": tensor}


def _with_axes(count: int, name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() != count or not tensor.numel():
        raise CheckpointError(f"Its {quoted(name)} has shape {tuple(tensor.shape)}; expected {count} axes.")
    return tensor


def _rescaled(tensor: Tensor, rate: float) -> Tensor:
    return tensor if rate == MAPPING_RATE else tensor * (rate / MAPPING_RATE)


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 4 else -1


# --- Progressive GAN -------------------------------------------------------------------------------------------------


def from_progan(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """GAN dissection's names, or the older features.(N - 1) and output."""
    renamed = {re.sub(r"^features\.(\d{1,3})\.", lambda m: f"layer{int(m[1]) + 1}.", n): t for n, t in tensors.items()}
    count = sum(bool(re.fullmatch(r"layer\d+\.conv\.weight", name)) for name in renamed)
    size = 2 ** (count // 2 + 1)
    renamed = {re.sub(r"^output\.", f"output_{size}x{size}.", name): tensor for name, tensor in renamed.items()}
    return Canonical("proggan", "Progressive GAN", renamed)


LAYOUTS: Mapping[str, Callable[[Tensors, Mapping[str, Any]], Canonical]] = {
    "layer2.conv.mconv.dconv.weight": from_paper,  # before rosinality's, whose `input.input` it has too
    "layer2.conv.mconv.weight": from_paper,
    "input.input": from_rosinality,
    "synthesis.b4.const": from_persistence,
    "synthesis/4x4/Const/const": from_tensorflow,
    "layer1.conv.weight": from_progan,
    "features.0.conv.weight": from_progan,
}
