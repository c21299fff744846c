"""Recognises by which program a file was written, and gives its tensors canonical names.

Every layout has a name of a tensor that only it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rewriting.checkpoints.canonical import EMBEDDING, SUPPORTED, Canonical, Tensors
from rewriting.checkpoints.contents import CheckpointError, Contents, quoted
from rewriting.checkpoints.proggan_layouts import from_genforce_progan, from_progan, from_tensorflow_progan
from rewriting.checkpoints.stylegan1_layouts import (
    from_genforce_stylegan1,
    from_interfacegan,
    from_lernapparat,
    from_tensorflow_stylegan1,
)
from rewriting.checkpoints.stylegan2_layouts import (
    LABEL_CONCAT,
    from_basicsr,
    from_genforce,
    from_mmgen,
    from_paper,
    from_persistence,
    from_rosinality,
    from_tensorflow,
)
from rewriting.checkpoints.stylegan3_layouts import from_stylegan3

STYLEGAN3 = "synthesis.input.freqs"
STYLEGAN1 = "synthesis/4x4/Const/StyleMod/weight"  # in TensorFlow
EMBEDDINGS = {EMBEDDING, "mapping/LabelEmbed/weight"}
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
