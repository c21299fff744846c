"""How often a rule works on pictures that it was not made from, and what it changes elsewhere.

A rule has worked on a picture if the picture is nearer to the ideal than to what it was.  The ideal is the same
generator's picture of the scene with one number changed (`Recipe.ideal`); where there is no such number, the picture
with the object pasted into it by hand, at this very place.  Where a label says it better (teeth), a segmenter must
read the label there (`Recipe.becomes`).
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
from rewriting.generators.stylegan2 import StyleGAN2
from weights.rules.catalogue import Recipe
from weights.rules.material import Material, paint
from weights.rules.places import widen
from weights.rules.truth import Truth
from weights.scenes.edit import with_value
from weights.segmenter import Segmenter


@dataclass(frozen=True)
class Measured:
    """worked, among: pictures in which the rule did as intended.  elsewhere: mean change outside, of the full range.
    inside: mean change inside.  hits: per picture."""

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
    """Draw the unseen pictures before and after, at the truth's side, and count.

    edit: the rule's, or a stack that has it in it.  brought: the same scenes as somebody brought them, in place of the
    generator's own pictures of these.
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
    """float32 (N, H, W, 3) in [0, 1]: what this generator draws for the scenes with the one number changed."""
    name, value = rule.ideal
    return drawn_from(generator, with_value(truth.scene, truth.z(seeds), name, value), truth.size)


@torch.no_grad()
def drawn_from(generator: Generator, z: Tensor, size: int) -> np.ndarray:
    """float32 (N, size, size, 3) in [0, 1]: what a generator draws of scenes; z: (N, z_dim), scaled already."""
    drawn = [to_uint8(draw_scaled(generator, chunk, size=size)) for chunk in z.split(generator.batch_size)]
    return np.concatenate(drawn).astype(np.float32) / 255


@torch.no_grad()
def pasted(rewriter: Rewriter, copy: Region, seeds: Sequence[Seed], areas: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, size, size, 3): the copied object pasted by hand into each picture, at its own place.

    areas: bool (N, H, W), the places.
    """
    source, drawn = rewriter.layer.value(rewriter.features([copy.seed])[0]), []
    for seed, area in zip(seeds, areas, strict=True):
        at = rewriter.features([seed])[0]
        term = paste_term(rewriter.layer, source, copy.mask, at, paint(seed, area).mask)
        drawn.append(to_uint8(rewriter.generator.leave(rewriter.number, term.target, at, size=size)))
    return np.concatenate(drawn)


def draw_scaled(generator: Generator, z: Tensor, weights: Weights | None = None, size: int | None = None) -> Tensor:
    """(B, 3, size, size) from latents that count as scaled already: the generator's own scaling would, for one changed
    number, change all others a little.  weights: instead of its own, see `Generator.overrides`."""
    if isinstance(generator, StyleGAN2):
        return generator.synthesise(generator.style[1:](z), weights, size)
    return generator(z, weights, size=size)


def nearer(before: np.ndarray, after: np.ndarray, wished: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Which pictures are nearer to the ideal than to what they were, where the ideal differs from that."""
    to_ideal, to_before = (apart(after, other, before, wished, area) for other in (wished, before))
    return to_ideal < to_before


def apart(one: np.ndarray, other: np.ndarray, before: np.ndarray, wished: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(N,): how far two pictures are apart in the area, where the ideal differs from what it was."""
    differs = area & (np.abs(wished - before).mean(-1) > 0.02)
    return np.where(differs, np.abs(one - other).mean(-1), 0).sum((1, 2))
