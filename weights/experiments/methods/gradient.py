"""Gradient descent on the layer's weight: the paper's own solver, and the methods that it compares with (Tables 1 and
2).

All of them minimise only the goal, in the L1 norm, by Adam with the original learning rate.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rewriting.bench.straightforward import projected_gradient
from rewriting.core.layer import expand
from weights.experiments.methods import MethodResult, Setting, Stopwatch, WeightChange

RATE = 0.05
PROJECTED = "projected gradient"
ONE_PASTE, OUR_DIRECTIONS = f"{PROJECTED}, one paste", f"{PROJECTED}, our directions"


def projected(setting: Setting, *, steps: int, one_paste: bool = False, paper: bool = True) -> MethodResult:
    """The paper's solver: Adam on the whole weight, every tenth step projected onto W0 + Lambda D.

    one_paste: True for a goal of one picture, as in the paper's code; False for the request's goal, as in the others.
    paper: True for the paper's directions, False for ours.
    """
    if one_paste:
        setting = Setting(setting.rewriter, setting.request.with_(everywhere=False))
    directions = setting.paper_directions if paper else setting.directions
    return _projected(setting, directions, steps, ONE_PASTE if one_paste else PROJECTED if paper else OUR_DIRECTIONS)


def _projected(setting: Setting, directions: Tensor, steps: int, name: str) -> MethodResult:
    layer, goal = setting.rewriter.layer, setting.goal
    with Stopwatch() as watch:
        weight, _ = projected_gradient(layer, goal.at, goal.target, goal.weight, directions, steps)
    return _change(name, setting, weight, watch.seconds)


def single_image(setting: Setting, *, steps: int) -> MethodResult:
    """The same solver with the direction of the first context picture alone, C^-1 of its mean key (eq. 14)."""
    first = replace(setting.request, context=setting.request.places[:1], rank=1)
    directions = setting.rewriter.directions(first, 1, method="single")
    return _projected(setting, directions, steps, "single-image direction")


def direct(setting: Setting, *, steps: int) -> MethodResult:
    """Adam on Lambda itself, without projections, along the paper's directions."""
    layer, directions = setting.rewriter.layer, setting.paper_directions
    factor = torch.zeros(len(layer.weight), len(directions), *layer.weight.shape[2:], requires_grad=True)
    with Stopwatch() as watch, torch.enable_grad():
        adam = torch.optim.Adam([factor], lr=RATE)
        for _ in range(steps):
            _step(adam, setting.loss(layer.weight + expand(factor, directions)))
    weight = layer.weight + expand(factor.detach(), directions)
    return _change("direct optimisation of Λ", setting, weight, watch.seconds)


def whole_layer(setting: Setting, *, steps: int) -> MethodResult:
    """Adam on the layer's whole weight, without directions."""
    weight = setting.rewriter.layer.weight.clone().requires_grad_(True)
    with Stopwatch() as watch, torch.enable_grad():
        adam = torch.optim.Adam([weight], lr=RATE)
        for _ in range(steps):
            _step(adam, setting.loss(weight))
    return _change("single layer, no direction", setting, weight.detach(), watch.seconds)


def _step(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()


@torch.no_grad()
def _change(name: str, setting: Setting, weight: Tensor, seconds: float) -> MethodResult:
    change = WeightChange(setting.rewriter.number, weight - setting.rewriter.layer.weight)
    loss = float(setting.loss()), float(setting.loss(weight))
    return setting.change(name, [change], seconds, loss)
