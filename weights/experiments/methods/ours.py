"""The solve of this software, its variants, and no change at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rewriting.core.layer import EditableLayer, expand
from rewriting.core.rewriter import default_ridge
from rewriting.core.solve import Problem, solve
from weights.experiments.methods import MethodResult, Setting, Stopwatch, WeightChange

OURS, PAPER_DIRECTIONS, UNMODIFIED = "ours", "ours, the paper's directions", "unmodified"
TRACE_STEPS, TRACE_RATE = 2001, 0.05  # of Adam, for the trace form alone: as the other methods that use it


def unmodified(setting: Setting) -> MethodResult:
    """The unmodified generator."""
    loss = float(setting.loss())
    return setting.change(UNMODIFIED, [], 0.0, (loss, loss))


def solved(setting: Setting, *, name: str = OURS, strength: float = 1.0, **settings: Any) -> MethodResult:
    """Levenberg-Marquardt on Lambda with the locality term, as in the studio.  settings: of `Rewriter.solve`."""
    with Stopwatch() as watch:
        edit = setting.rewriter.solve(setting.request, **settings)
    if strength != 1:
        return setting.change(name, [edit.with_(strength=strength)], watch.seconds)
    return setting.change(name, [edit], watch.seconds, (edit.report.loss_before, edit.report.loss_after))


def maker(setting: Setting, name: str, *, strength: float = 1.0, **changes: object) -> Callable[[], MethodResult]:
    """The solve of a request with some settings changed, as a function for `Setting.made_together`."""
    return lambda: solved(replace(setting, request=setting.request.with_(**changes)), name=name, strength=strength)


def solved_along(setting: Setting, directions: Tensor, *, name: str, lengthened: bool = True) -> MethodResult:
    """The same solve along other directions, (S, I).  lengthened: whether to scale the minimum towards the goal."""
    rewriter, locality = setting.rewriter, setting.request.locality
    with Stopwatch() as watch:
        elsewhere = [term.scaled(locality) for term in rewriter.locality_terms(setting.request)]
        solution = solve(
            rewriter.layer, [*setting.terms, *elsewhere], directions, ridge=default_ridge(setting.request) * locality
        )
    factor = solution.factor if lengthened else solution.factor / solution.scale
    change = WeightChange(rewriter.number, expand(factor, directions))
    return setting.change(name, [change], watch.seconds, solution.losses["goal"] if lengthened else None)


def traced(setting: Setting, weight: float, *, name: str) -> MethodResult:
    """The paper's smoothness (eq. 5) in closed form, tr(dW C dW^T), in place of random positions of other pictures.

    weight: of the mean square that the change adds to the convolution elsewhere, relative to that of the convolution;
    the goal's loss is relative to the mean |v*|.  Adam minimises it, because it is not a sum over positions.
    """
    layer, directions = setting.rewriter.layer, setting.directions
    problem = Problem.of(layer, setting.terms, directions)
    size = float((problem.target.abs() @ problem.weight).mean())
    quadratic = _relative_energy(layer, setting.rewriter.second_moment().float(), directions)
    factor = torch.zeros(len(layer.weight), problem.factored.patches.shape[1], requires_grad=True)
    with Stopwatch() as watch, torch.enable_grad():
        adam = torch.optim.Adam([factor], lr=TRACE_RATE)
        for _ in range(TRACE_STEPS):
            goal = (problem.evaluate(factor).residual.abs() @ problem.weight).mean() / size
            shaped = factor.view(len(factor), len(directions), -1)
            smooth = torch.einsum("ost,sr,ort->", shaped, quadratic, shaped)
            adam.zero_grad()
            (goal + weight * smooth).backward()
            adam.step()
    update = factor.detach().view(len(factor), len(directions), *layer.weight.shape[2:])
    change = WeightChange(setting.rewriter.number, expand(update, directions))
    with torch.no_grad():
        loss = float(setting.loss()), float(setting.loss(layer.weight + change.change))
    return setting.change(name, [change], watch.seconds, loss)


def _relative_energy(layer: EditableLayer, moment: Tensor, directions: Tensor) -> Tensor:
    """D C D^T, (S, S), over tr(W0 C W0^T), the mean square of the layer's own convolution if taps were independent."""
    own = torch.einsum("oihw,ij,ojhw->", layer.weight, moment, layer.weight)
    return directions @ moment @ directions.t() / own
