"""Fine-tuning all weights on the edited pictures (paper, Tables 1 and 2: "fine-tuning all weights")."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.goal import Term
from rewriting.generators import Generator
from weights.experiments.methods import MethodResult, Setting, Stopwatch
from weights.segmenter import SIDE, Segmenter

RATE, FEATURE_SHARE = 0.01, 0.01  # the original's, whose features are those of a VGG16


def all_weights(setting: Setting, *, steps: int) -> MethodResult:
    """Adam on every weight that draws, so that the box around the pasted object matches the goal.

    The loss is L1 on the pixels and, if the setting has a segmenter, a hundredth of the mean squared difference of its
    features at half size.  Each step draws one of the goal's pictures, in turn.  The mapping network does not change.
    Raises ValueError for a generator without a mapping network, whose latents would not stay the same.
    """
    original, number = setting.rewriter.generator, setting.rewriter.number
    if any(term.at.latent is None for term in setting.terms):
        raise ValueError(f"{original.config.name or 'this generator'} has no mapping network; choose a StyleGAN2.")
    latents = [term.at.latent for term in setting.terms]
    size = setting.size
    boxes = [_box(term, size) for term in setting.terms]
    with torch.no_grad():
        wanted = [original.leave(number, term.target, term.at, size=size).clamp(-1, 1) for term in setting.terms]
    tuned = original.merge([])
    weights = [w.requires_grad_(True) for name, w in tuned.named_parameters() if not name.startswith("style.")]
    with Stopwatch() as watch, torch.enable_grad():
        adam = torch.optim.Adam(weights, lr=RATE)
        for step in range(steps):
            i = step % len(latents)
            adam.zero_grad()
            _loss(setting.segmenter, tuned.synthesise(latents[i], size=size)[boxes[i]], wanted[i][boxes[i]]).backward()
            adam.step()
    tuned.requires_grad_(False).forget()
    loss = tuple(_pixel_loss(generator, latents, size, boxes, wanted) for generator in (original, tuned))
    tuned.forget()  # the kernels of the last draw, which need not travel to other processes
    return setting.change("fine-tuning all weights", [], watch.seconds, loss, tuned)


def _box(term: Term, size: int) -> tuple[slice, ...]:
    """The box in pixels around a term's goal."""
    cell = size // term.weight.shape[-1]
    rows, columns = (torch.nonzero((term.weight > 0).any(axis)).flatten() for axis in (1, 0))
    top, left = int(rows[0]) * cell, int(columns[0]) * cell
    return np.s_[:, :, top : (int(rows[-1]) + 1) * cell, left : (int(columns[-1]) + 1) * cell]


def _loss(segmenter: Segmenter | None, drawn: Tensor, wanted: Tensor) -> Tensor:
    pixels = (drawn - wanted).abs().mean()
    if segmenter is None:
        return pixels
    features, goal = (
        segmenter.network.encode(F.interpolate(x, size=(SIDE, SIDE), mode="bilinear"))[0] for x in (drawn, wanted)
    )
    return pixels + FEATURE_SHARE * F.mse_loss(features, goal)


@torch.no_grad()
def _pixel_loss(
    generator: Generator, latents: list[Tensor], size: int, boxes: list[tuple[slice, ...]], wanted: list[Tensor]
) -> float:
    """Mean |drawn - wanted| in the boxes, of a range of 2."""
    apart = [
        float((generator.synthesise(latent, size=size)[box] - goal[box]).abs().mean())
        for latent, box, goal in zip(latents, boxes, wanted, strict=True)
    ]
    return float(np.mean(apart))
