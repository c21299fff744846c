"""NVIDIA's tensor names of StyleGAN3, which are canonical."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rewriting.checkpoints.canonical import (
    EMBEDDING,
    MAPPING_RATE,
    SUPPORTED,
    Canonical,
    Tensors,
    in_classes,
    one_latent,
    rescaled,
    three,
)
from rewriting.checkpoints.contents import CheckpointError

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
        name: rescaled(tensor, rate) if name.startswith("mapping.fc") else tensor
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
        one_latent(tensors.get("mapping.w_avg")),
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
            tensor = three(tensor, notes)
        renamed[re.sub(rf"^{re.escape(colours)}\.", f"{colours[:-2]}_3.", name)] = tensor
    return renamed
