"""Weights with canonical tensor names, which our own files use, and what their making has in common.

Canonical StyleGAN2 names are those of the common PyTorch code (rosinality's), canonical StyleGAN1 names those of
genforce, and canonical Progressive GAN names those of GAN dissection; StyleGAN3 has NVIDIA's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rewriting.checkpoints.contents import CheckpointError, quoted
from rewriting.generators.config import LOW_PASS

Tensors = dict[str, Tensor]
MAPPING_RATE = 0.01
EMBEDDING = "mapping.embed.weight"
SIZES = {2**n for n in range(2, 12)}
SUPPORTED = "StyleGAN1, StyleGAN2, StyleGAN3 and Progressive GAN generators are supported."
GREY, ALPHA = "Its pictures are grey.", "Its pictures have a fourth channel, alpha, which is left out."


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


def one_latent(tensor: Tensor | None) -> Tensor | None:
    """The mean latent (w_dim,), from (w_dim,), (1, w_dim), or (layers, w_dim) with equal rows."""
    if tensor is None:
        return None
    rows = tensor.reshape(-1, tensor.shape[-1]) if tensor.dim() else tensor.reshape(1, 1)
    if not len(rows) or not torch.equal(rows, rows[:1].expand_as(rows)):
        raise CheckpointError(
            f"Its latent_avg has shape {tuple(tensor.shape)}; expected one mean latent, as (w_dim,)."
        )
    return rows[0].clone()


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
        with_axes(axes, name, tensors.get(name, torch.zeros(0)))
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


def with_axes(count: int, name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() != count or not tensor.numel():
        raise CheckpointError(f"Its {quoted(name)} has shape {tuple(tensor.shape)}; expected {count} axes.")
    return tensor


def rescaled(tensor: Tensor, rate: float) -> Tensor:
    return tensor if rate == MAPPING_RATE else tensor * (rate / MAPPING_RATE)


def three(tensor: Tensor, notes: list[str]) -> Tensor:
    """Weights of the colours, (C, ...): grey three times, and without alpha."""
    count = len(tensor) if tensor.dim() else 0
    notes += [GREY] if count == 1 else [ALPHA] if count == 4 else []
    return tensor.repeat_interleave(3, 0) if count == 1 else tensor[:3].clone() if count == 4 else tensor
