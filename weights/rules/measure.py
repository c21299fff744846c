"""The success of a rule on unseen pictures, and its change elsewhere.

A rule succeeds on a picture if the result is nearer to the ideal than to the original.  The ideal is the same
generator's picture of the scene with one number changed (`Recipe.ideal`) or, without such a number, the picture with
the object pasted by hand at the same place.  For some rules (teeth) a label is the better criterion: then a segmenter
must read the label there (`Recipe.becomes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rewriting.core.edit import Edit
from rewriting.core.goal import paste_term
from rewriting.core.request import Region
from rewriting.core.rewriter import Rewriter
from rewriting.generators import Generator, to_uint8
from rewriting.generators.base import Weights
from rewriting.generators.own_picture import OwnPicture, Seed
from weights.rules.catalogue import Recipe
from weights.rules.material import Material, paint
from weights.rules.places import widen
from weights.rules.truth import Truth
from weights.scenes.edit import with_value
from weights.segmenter import Segmenter
from weights.training.mapping import mapping_of


@dataclass(frozen=True)
class Measured:
    """The effect of a rule.

    worked, among: numbers of successes and of pictures.  elsewhere: mean change outside, as a share of the full range.
    inside: mean change inside.  hits: the success on each picture.
    """

    worked: int
    among: int
    inside: float
    elsewhere: float
    hits: np.ndarray


def measure(
    rule: Recipe,
    material: Material,
    generator: Generator,
    edit: Edit | Sequence[Edit],
    truth: Truth,
    brought: Sequence[OwnPicture] | None = None,
) -> Measured:
    """Draw the unseen pictures before and after, at the truth's side, and measure.

    edit: the rule's, or a stack that contains it.  brought: inversions of the same scenes, in place of the generator's
    own pictures.
    """
    edits, pictures = [edit] if isinstance(edit, Edit) else list(edit), brought or material.unseen
    before = generator.images(pictures, size=truth.size).astype(np.float32) / 255
    drawn = generator.images(pictures, edits, truth.size)
    after, area = drawn.astype(np.float32) / 255, material.areas
    outside = ~widen(area, 2 + rule.wider)
    if rule.ideal is not None:
        hits = nearer(before, after, ideal(rule, generator, truth, material.unseen), area)
    elif not rule.becomes:
        rewriter, copy = Rewriter(generator, material.request.layer), material.request.copy
        wished = pasted(rewriter, copy, pictures, area, truth.size).astype(np.float32) / 255
        hits = nearer(before, after, wished, area)
    else:
        now = Segmenter.load(rule.generator).mask(drawn, *rule.becomes)
        hits = (now & area).sum((1, 2)) > rule.share * area.sum((1, 2))
    change = np.abs(after - before).mean(-1)
    return Measured(int(hits.sum()), len(hits), float(change[area].mean()), float(change[outside].mean()), hits)


def ideal(rule: Recipe, generator: Generator, truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    """The generator's pictures of the scenes with the one number changed, float32 (N, H, W, 3) in [0, 1]."""
    name, value = rule.ideal
    return drawn_from(generator, with_value(truth.scene, truth.z(seeds), name, value), truth.size)


@torch.no_grad()
def drawn_from(generator: Generator, z: Tensor, size: int) -> np.ndarray:
    """A generator's pictures of scenes, float32 (N, size, size, 3) in [0, 1].  z: (N, z_dim), already scaled."""
    drawn = [to_uint8(draw_scaled(generator, chunk, size=size)) for chunk in z.split(generator.batch_size)]
    return np.concatenate(drawn).astype(np.float32) / 255


@torch.no_grad()
def pasted(rewriter: Rewriter, copy: Region, seeds: Sequence[Seed], areas: np.ndarray, size: int) -> np.ndarray:
    """The copied object pasted by hand into each picture at its own place, uint8 (N, size, size, 3).

    areas: bool (N, H, W), the places.
    """
    source, drawn = rewriter.layer.value(rewriter.features([copy.seed])[0]), []
    for seed, area in zip(seeds, areas, strict=True):
        at = rewriter.features([seed])[0]
        term = paste_term(rewriter.layer, source, copy.mask, at, paint(seed, area).mask)
        drawn.append(to_uint8(rewriter.generator.leave(rewriter.number, term.target, at, size=size)))
    return np.concatenate(drawn)


def draw_scaled(generator: Generator, z: Tensor, weights: Weights | None = None, size: int | None = None) -> Tensor:
    """(B, 3, size, size) from latents that are already scaled; if one number changes, the generator's own scaling
    would change all others a little.  weights: in place of its own, see `Generator.overrides`."""
    layers = mapping_of(generator)
    if not layers:
        return generator(z, weights, size=size)
    for layer in layers:
        z = layer(z)
    return generator.synthesise(z, weights, size)


def nearer(before: np.ndarray, after: np.ndarray, wished: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Which pictures are nearer to the ideal than to the original, in the pixels in which these two differ."""
    to_ideal, to_before = (apart(after, other, before, wished, area) for other in (wished, before))
    return to_ideal < to_before


def apart(one: np.ndarray, other: np.ndarray, before: np.ndarray, wished: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(N,): the distance of two pictures in the area, in the pixels in which the ideal differs from the original."""
    differs = area & (np.abs(wished - before).mean(-1) > 0.02)
    return np.where(differs, np.abs(one - other).mean(-1), 0).sum((1, 2))
