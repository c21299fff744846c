"""Conversion of other programs' tensor names to canonical ones, which our own files use.

Canonical StyleGAN2 names are those of the common PyTorch code (rosinality's), canonical StyleGAN1 names those of
genforce, and canonical Progressive GAN names those of GAN dissection.  Every other layout is recognised by a name that
only it has, and renamed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rewriting.checkpoints.arguments import BLUR
from rewriting.checkpoints.contents import CheckpointError, Contents, quoted
from rewriting.generators.config import LOW_PASS, MAX_TAPS

Tensors = dict[str, Tensor]
MAPPING_RATE = 0.01
EMBEDDING, STYLEGAN3 = "mapping.embed.weight", "synthesis.input.freqs"
STYLEGAN1 = "synthesis/4x4/Const/StyleMod/weight"  # in TensorFlow
EMBEDDINGS = {EMBEDDING, "mapping/LabelEmbed/weight"}
LABEL_CONCAT = "mapping/LabelConcat/weight"
SIZES = {2**n for n in range(2, 12)}
FUSED = 128  # px from which StyleGAN1 upsamples by transposed convolutions
SUPPORTED = "StyleGAN1, StyleGAN2, StyleGAN3 and Progressive GAN generators are supported."
GREY, ALPHA = "Its pictures are grey.", "Its pictures have a fourth channel, alpha, which is left out."
REFUSED = (  # pattern of a tensor's name, and the architecture that it identifies
    (r"^mapping\.embed_proj\.|^synthesis\.L\d+_.*\.up_filter\d", "a StyleGAN-XL"),
    (r"\.(iwt|dwt)\.", "a SWAGAN, which draws wavelets"),
    (
        r"^(generator\.)?progression\.\d+\.",
        "a StyleGAN1 of another code base (rosinality), whose files do not tell the size of its pictures",
    ),
    (r"^convs\.\d+\.adain\d\.", "a StyleGAN1 of another code base (mmgen)"),
    (r"^torgb_lod", "a Progressive GAN or StyleGAN1 of another code base"),
    (r"^(GE|SE|G|S)\.(to_latents|net|blocks)|^GAN\.", "a generator of another StyleGAN2 code base (lucidrains)"),
    (r"^synthesis\.layer\d+\.(wscale|mod)|^early_layer\.", "a StyleGAN1 of another code base (genforce)"),
    (r"^noise2feat\.|^to_rgb_layers\.", "a Progressive GAN of another code base (mmgen)"),
    (r"^init\.init\.\d\.weight_orig$|^feat_8\.|^se_64\.", "a FastGAN"),
    (r"^(time_embedding|time_embed|down_blocks|input_blocks|x_embedder)\.", "a diffusion model"),
    (r"^(final_conv|final_linear|convs\.0\.0)\.|^b\d+\.(fromrgb|fc)\.", "a discriminator, not a generator"),
)


@dataclass
class Canonical:
    """Weights with canonical names.

    layout: their origin in words.  clamp: the limit of values in the original program, None without one.
    latent_avg: (w_dim,), None if the file has none.  notes: sentences on changes beyond renaming.
    resample_filter: the taps of a StyleGAN2's low-pass filter.
    sampling: of a StyleGAN3, as `GeneratorConfig` takes it.
    """

    architecture: str
    layout: str
    tensors: Tensors
    latent_avg: Tensor | None = None
    clamp: float | None = None
    notes: tuple[str, ...] = ()
    sampling: Mapping[str, Any] | None = None
    resample_filter: Sequence[float] = LOW_PASS


def canonical(contents: Contents, label: int | None = None) -> Canonical:
    """Recognise the layout and rename the tensors.  label: the only class to keep of a conditional generator.

    Raises CheckpointError with the name of an unsupported architecture, or with the available classes."""
    tensors = contents.tensors
    if label is not None and LABEL_CONCAT in tensors and STYLEGAN1 not in tensors:
        raise CheckpointError(
            "It is a conditional generator of the first StyleGAN2 in TensorFlow, whose classes cannot be separated; "
            "leave the class out, and choose one when you draw."
        )
    if label is not None and not EMBEDDINGS & tensors.keys():
        raise CheckpointError("It is no conditional generator of NVIDIA's code; leave the class out.")
    if what := refused(tensors):
        raise CheckpointError(what)
    for name, convert in LAYOUTS.items():
        if name in tensors:
            if contents.objection:
                raise CheckpointError(contents.objection)
            return convert(tensors, {**contents.facts, "label": label})
    listed = ", ".join(quoted(name, 40) for name in list(tensors)[:4])
    raise CheckpointError(f"It is no generator that is known here; its tensors are called {listed}.")


def refused(names: Iterable[str]) -> str:
    """A sentence on an unsupported architecture that the names of the tensors reveal; else ""."""
    names = list(names)
    for pattern, what in REFUSED:
        if any(re.search(pattern, name) for name in names):
            return f"It is {what}; {SUPPORTED}"
    return ""


# --- rosinality and the paper's code ---------------------------------------------------------------------------------


def from_rosinality(tensors: Tensors, facts: Mapping[str, Any], layout: str = "rosinality") -> Canonical:
    """Rosinality's layout: canonical names, with the standard resampling kernels and `latent_avg`."""
    rate = facts.get("rate") or MAPPING_RATE
    kept, kernels = {}, {}
    for name, tensor in tensors.items():
        if name.endswith((".blur.kernel", ".upsample.kernel")):
            kernels[name] = tensor
        elif name != "latent_avg":
            kept[name] = _rescaled(tensor, rate) if name.startswith("style.") else tensor
    mean, taps = _one_latent(tensors.get("latent_avg")), one_filter(kernels, 4, facts)
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


def _one_latent(tensor: Tensor | None) -> Tensor | None:
    """The mean latent (w_dim,), from (w_dim,), (1, w_dim), or (layers, w_dim) with equal rows."""
    if tensor is None:
        return None
    rows = tensor.reshape(-1, tensor.shape[-1]) if tensor.dim() else tensor.reshape(1, 1)
    if not len(rows) or not torch.equal(rows, rows[:1].expand_as(rows)):
        raise CheckpointError(
            f"Its latent_avg has shape {tuple(tensor.shape)}; expected one mean latent, as (w_dim,)."
        )
    return rows[0].clone()


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
    mean, taps = _one_latent(tensors.get("truncation.w_avg")), one_filter(kernels, 4, facts)
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
            renamed[f"style.{_number(index) + 1}.{kind}"] = _rescaled(tensor, rate)
        elif name.startswith("mapping.label_concat."):
            notes.append(f"It draws {tensor.shape[-1]} classes.")
            renamed[name.removeprefix("mapping.")] = tensor
        elif name.startswith("mapping.embed."):
            renamed[name.removeprefix("mapping.")] = tensor
        elif name != "mapping.w_avg":
            renamed |= _nvidia_layer(name, tensor)
    layout = "NVIDIA PyTorch" if facts.get("layout") != "tensorflow" else "NVIDIA TensorFlow"
    mean = _one_latent(tensors.get("mapping.w_avg"))
    taps = one_filter(kernels, 1, facts)
    return Canonical("stylegan2", layout, renamed, mean, facts.get("clamp"), tuple(notes), resample_filter=taps)


def in_classes(tensors: Tensors, label: int | None) -> tuple[Tensors, list[str]]:
    """The tensors, and notes: a conditional generator keeps its classes, or becomes an unconditional one that equals
    it for the class `label`.

    The mapping network takes the latent and an embedding of the class, normalised separately.  For one class the
    embedding adds a constant to the first layer, which becomes part of the bias.
    """
    if EMBEDDING not in tensors:
        return tensors, []
    fits = {EMBEDDING: 2, "mapping.embed.bias": 1, "mapping.fc0.weight": 2, "mapping.fc0.bias": 1}
    for name, axes in fits.items():
        _with_axes(axes, name, tensors.get(name, torch.zeros(0)))
    embedding, bias, weight, offset = (tensors[name].double() for name in fits)
    (width, classes), joint = embedding.shape, weight.shape[1]
    if len(bias) != width or joint <= width or len(offset) != len(weight):
        raise CheckpointError("Its class embedding does not fit its mapping network; it is damaged.")
    if label is None and width == len(weight):
        return tensors, [f"It draws {classes} classes."]
    if label is None or not 0 <= label < classes:
        reason = f"has no class {label}" if label is not None else f"embeds a class in {width} numbers"
        raise CheckpointError(
            f"It is a conditional generator of {classes} classes and {reason}; `python -m rewriting convert NAME OUT "
            f"--class N`, with N from 0 to {classes - 1}, makes a generator of one of them."
        )
    embedded = embedding[:, label] / math.sqrt(classes) + bias
    embedded = embedded * (embedded.square().mean() + 1e-8).rsqrt()
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("mapping.embed.")}
    latent = joint - width
    kept["mapping.fc0.weight"] = (weight[:, :latent] * math.sqrt(latent / joint)).float()
    kept["mapping.fc0.bias"] = (offset + weight[:, latent:] @ embedded / math.sqrt(joint)).float()
    return kept, [f"It draws class {label} alone."]


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


# --- StyleGAN3 -------------------------------------------------------------------------------------------------------

SAMPLING = {  # NVIDIA's arguments that the tensors do not show -> fields of `Sampling`
    "num_critical": "critical_layers",
    "margin_size": "margin",
    "lrelu_upsampling": "upsampling",
    "conv_clamp": "clamp",
    **{name: name for name in ("first_cutoff", "first_stopband", "last_stopband_rel", "output_scale", "filter_size")},
}


def from_stylegan3(tensors: Tensors, facts: Mapping[str, Any]) -> Canonical:
    """A StyleGAN3 with NVIDIA's names, which are canonical.  Missing arguments have NVIDIA's defaults."""
    if EMBEDDING in tensors and "mapping.embed.bias" not in tensors:
        raise CheckpointError(f"It is a StyleGAN-XL, whose classes come from another network; {SUPPORTED}")
    tensors, notes = in_classes(tensors, facts["label"])
    rate = facts.get("rate") or MAPPING_RATE
    kept = {
        name: _rescaled(tensor, rate) if name.startswith("mapping.fc") else tensor
        for name, tensor in tensors.items()
        if name != "mapping.w_avg"
    }
    weights = [name for name in kept if re.fullmatch(r"synthesis\.L\d{1,2}_\d{1,4}_\d{1,4}\.weight", name)]
    first, last = min(weights, key=_order, default=""), max(weights, key=_order, default="")
    told = facts.get("arguments") or {}
    sampling = {SAMPLING[name]: value for name, value in told.items() if name in SAMPLING}
    if weights and kept[first].dim() == 4:
        sampling["kernel_size"] = kept[first].shape[-1]
    sampling["radial"] = any(name.endswith(".down_filter") and one.dim() == 2 for name, one in kept.items())
    colours = last.removesuffix(".weight")
    if kept and colours.rsplit("_", 1)[-1] in ("1", "4"):
        kept = _renamed_colours(kept, colours, notes)
    return Canonical(
        "stylegan3",
        "NVIDIA PyTorch",
        kept,
        _one_latent(tensors.get("mapping.w_avg")),
        notes=tuple(dict.fromkeys(notes)),
        sampling=sampling,
    )


def _order(name: str) -> int:
    """The N in the name synthesis.LN_..."""
    return int(re.match(r"synthesis\.L(\d+)", name)[1])


def _renamed_colours(tensors: Tensors, colours: str, notes: list[str]) -> Tensors:
    """The tensors with three colours, from one (grey) or four (with alpha)."""
    renamed = {}
    for name, tensor in tensors.items():
        if name in (f"{colours}.weight", f"{colours}.bias"):
            tensor = _three(tensor, notes)
        renamed[re.sub(rf"^{re.escape(colours)}\.", f"{colours[:-2]}_3.", name)] = tensor
    return renamed


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
        return {f"mapping.embed.{match[1]}": _with_axes(2, name, tensor).t() if match[1] == "weight" else tensor}
    if name == LABEL_CONCAT:
        return {"mapping.label_concat.weight": _with_axes(2, name, tensor).t()}
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
    layers = {"Conv0_up": "conv0", "Conv1": "conv1", "Conv": "conv1", "Skip": "skip", "ToRGB": "torgb"}
    match = re.fullmatch(r"synthesis/(\d{1,4})x\1/(Conv0_up|Conv1|Conv|Skip|ToRGB)/(\w+)", name)
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


# --- StyleGAN1 -------------------------------------------------------------------------------------------------------


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
            kept[name] = _rescaled(tensor, rate)
        elif name.startswith(last) or not name.startswith("synthesis.output"):
            kept[name] = _three(tensor, notes) if name.startswith(last) else tensor
    mean = _one_latent(kept.pop("truncation.w_avg", None))
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
            tensor = _with_axes(4, name, tensor).permute(3, 2, 0, 1) if fused else tensor
            if number % 2 == 0 and fused != (4 << number // 2 >= FUSED):  # which a file decides for itself
                tensor = _with_axes(4, name, tensor).flip(2, 3)
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
        return {f"mapping.dense{match[1]}.{kind}": _with_axes(2, name, tensor).t() if kind == "weight" else tensor}
    if match := re.fullmatch(r"synthesis/ToRGB_lod(\d{1,2})/(weight|bias)", name):
        where = f"synthesis.output{largest.bit_length() - 3 - int(match[1])}.{match[2]}"
        return {where: _with_axes(4, name, tensor).permute(3, 2, 0, 1) if match[2] == "weight" else tensor}
    match = re.fullmatch(r"synthesis/(4)x4/(Const|Conv)/(.+)", name)
    match = match or re.fullmatch(r"synthesis/(?!4x)(\d{1,4})x\1/(Conv0_up|Conv1)/(.+)", name)
    kinds = {"Noise/weight": "apply_noise.weight", "StyleMod/weight": "style.weight", "StyleMod/bias": "style.bias"}
    kinds |= {"weight": "weight", "bias": "bias"}
    if not match or int(match[1]) not in SIZES or match[3] not in kinds:
        return {name: tensor}
    if match[3] == "weight":
        tensor = _with_axes(4, name, tensor).permute(3, 2, 0, 1)
    elif match[3] == "StyleMod/weight":
        tensor = _with_axes(2, name, tensor).t()
    number = 2 * int(match[1]).bit_length() - 6 + (match[2] in ("Conv", "Conv1"))
    return {f"synthesis.layer{number}.{kinds[match[3]]}": tensor}


# --- Progressive GAN -------------------------------------------------------------------------------------------------


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
        tensor = _three(tensor, notes) if layer is None else tensor
        return {f"{prefix}.wscale.b": tensor}
    if layer == "Dense":
        inputs, outputs = _with_axes(2, name, tensor).shape
        if outputs % 16:
            raise CheckpointError(f"Its {quoted(name)} has {outputs} outputs; expected 16 for each channel.")
        tensor = tensor.reshape(inputs, outputs // 16, 4, 4).transpose(0, 1).flip(2, 3)
    else:
        tensor = _with_axes(4, name, tensor).permute(3, 2, 0, 1)
        tensor = tensor.transpose(0, 1).flip(2, 3) if layer == "Conv0_up" else tensor
    return {f"{prefix}.conv.weight": _three(tensor, notes) if layer is None else tensor}


def _three(tensor: Tensor, notes: list[str]) -> Tensor:
    """Weights of the colours, (C, ...): grey three times, and without alpha."""
    count = len(tensor) if tensor.dim() else 0
    notes += [GREY] if count == 1 else [ALPHA] if count == 4 else []
    return tensor.repeat_interleave(3, 0) if count == 1 else tensor[:3].clone() if count == 4 else tensor


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


LAYOUTS: Mapping[str, Callable[[Tensors, Mapping[str, Any]], Canonical]] = {
    "layer2.conv.mconv.dconv.weight": from_paper,  # before rosinality's, whose `input.input` it has too
    "layer2.conv.mconv.weight": from_paper,
    "input.input": from_rosinality,
    "constant_input.weight": from_basicsr,
    "constant_input.input": from_mmgen,
    "synthesis.early_layer.const": from_genforce,
    "synthesis.layer0.const": from_genforce_stylegan1,
    "synthesis.layer0.first_layer": from_interfacegan,
    "g_synthesis.blocks.4x4.const": from_lernapparat,
    STYLEGAN1: from_tensorflow_stylegan1,  # before that of StyleGAN2, whose constant it has too
    "synthesis.b4.const": from_persistence,
    STYLEGAN3: from_stylegan3,
    "synthesis/4x4/Const/const": from_tensorflow,
    "4x4/Dense/weight": from_tensorflow_progan,
    "layer1.conv.weight": from_progan,
    "features.0.conv.weight": from_progan,
    "output0.weight": from_genforce_progan,
}
MARKS: Mapping[str, tuple[str, ...]] = dict.fromkeys(LAYOUTS, ()) | {
    # a tensor that each layout has, and those beside which it means nothing
    "output0.weight": ("early_layer.const", "layer0.const"),
    "layer1.conv.weight": ("layer0.first_layer",),
}
