"""Zeroing units everywhere, as GAN dissection does, instead of rewriting (paper, Table 3 and Appendix E)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from rewriting.core.memory import unit_scores
from rewriting.generators import LayerInput, to_uint8
from weights.experiments.methods import MethodResult, Setting, Stopwatch


def zeroed_units(setting: Setting, count: int) -> MethodResult:
    """Set the feature channels with the highest scores in the context to zero, at every position of every picture.

    count: of the channels; a score is the mean square in the context divided by the mean square everywhere.  The
    weights do not change.
    Raises ValueError for more channels than the layer has.
    """
    rewriter, width = setting.rewriter, setting.rewriter.layer.weight.shape[1]
    if not 1 <= count <= width:
        raise ValueError(f"{count} units are to be zeroed, but layer {rewriter.number} has {width}.")
    with Stopwatch() as watch, torch.no_grad():
        keys, weights = rewriter.context_keys(setting.request)
        units = unit_scores(keys.double(), weights.double()[:, None], rewriter.second_moment()).topk(count).indices

    @torch.no_grad()
    def draw(seeds: Sequence[int], before: np.ndarray) -> np.ndarray:
        drawn, step = [], rewriter.generator.batch_size
        for start in range(0, len(seeds), step):
            at = LayerInput.cat(rewriter.features(seeds[start : start + step]))
            key = at.key.clone()
            key[:, units] = 0
            value = rewriter.generator.value(rewriter.number, replace(at, key=key))
            drawn.append(to_uint8(rewriter.generator.leave(rewriter.number, value, at, size=before.shape[1])))
        return np.concatenate(drawn)

    return MethodResult(f"zeroing {count} units", draw, watch.seconds)
