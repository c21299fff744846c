"""The constrained solve: find the Lambda with which the layer draws the goal.

The solve minimises  sum_p m_p h(f(k_p; W0 + Lambda D) - v*_p) + ridge |Lambda|^2 / |W0|^2  over Lambda, and then
scales the minimum towards the goal (see `goal_scale`).

The paper squares the residual (eq. 17), and its code takes the absolute value.  h lies between the two: the
pseudo-Huber loss sqrt(r^2 + d^2) - d with d = HUBER_DELTA mean |v|.  Which of the two draws more of the goal for the
same change elsewhere depends on the rule (docs/experiments); h is close to the better one.  It is also smooth, while
the L1 norm holds residuals at zero, where most of them begin.

Each output channel is a problem of its own in n = 9 S numbers (see `layer`).  Levenberg-Marquardt solves all channels
in one batch, with the weights m_p h'(r) / r.  A channel takes only steps that lower its objective, so no objective
rises, and there is no learning rate.

The solve forms the normal matrices without the Jacobian.  A channel's Jacobian row at a position is a * patch - b * u;
all channels share the patch, and all positions of a picture share u.  J^T diag(w) J of every channel is therefore one
product of (O, T) weights with the (T, n (n + 1) / 2) products of the patches, and a correction of small rank.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.goal import Term
from rewriting.core.layer import EditableLayer, Factored
from rewriting.generators.threads import side_by_side, single_threaded

HUBER_DELTA = 0.2  # of the mean |v|: the loss is quadratic below it and linear above
# Demodulation divides by the norm of W, so without a ridge the size of a channel's Lambda costs nothing and could grow
# without limit; the strength of such a rule would have no effect.
LEAST_RIDGE = 1e-6
LEAST_SIZE = 0.01  # least mean |v| of a channel in the ridge, relative to the mean of all channels
TOLERANCE = 1e-3  # a channel is done if its objective falls by less than this share
SCALES = [1 + step / 20 for step in range(21)]
DAMPING = 0.3  # of the first step, times the diagonal; demodulation is not linear, and bolder steps often fail
CACHE, BLOCK = 256 << 20, 64 << 20  # bytes of products: at most in the cache, and in one block without the cache
EQUATIONS = 8 << 20  # bytes of normal matrices in one batch, which then stay in the processor's caches
CHANNELS = 64  # most channels in one batch on a CPU, so that several threads have work


@dataclass(frozen=True)
class Solution:
    """The result of a solve.

    factor: Lambda (O, S, kh, kw), the minimum times `scale`.  before, after: the objective at Lambda = 0 and at the
    minimum, mean over channels.  losses: {kind of term: weighted mean |f - v*| (before, after)}, for `factor`.
    iterations, milliseconds: the effort of the solve.
    """

    factor: Tensor
    scale: float
    before: float
    after: float
    losses: dict[str, tuple[float, float]]
    iterations: int
    milliseconds: float


@torch.no_grad()
def solve(
    layer: EditableLayer,
    terms: Sequence[Term],
    directions: Tensor,
    *,
    huber_delta: float = HUBER_DELTA,
    ridge: float = 0.0,
    iterations: int = 20,
    tolerance: float = TOLERANCE,
) -> Solution:
    """Solve for Lambda.  directions: (S, I), orthonormal rows.

    huber_delta: d of the loss, relative to the mean |v|, above 0.  Well above 1, the loss is the paper's square;
    towards 0, it is the L1 norm of the paper's code, which needs more iterations.
    ridge: weight of each channel's |Lambda_o|^2 / |W0_o|^2, relative to its mean |v|, 0 or more.
    iterations: the most.  tolerance: a channel is done if its objective falls by less than this share.
    Raises ValueError for a wrong huber_delta or ridge, or if the features are not finite.
    """
    if not 0 < huber_delta < float("inf"):
        raise ValueError(f"huber_delta must be a number above 0, not {huber_delta:g}; the default is {HUBER_DELTA:g}.")
    if not 0 <= ridge < float("inf"):
        raise ValueError(f"The ridge must be a number from 0, not {ridge:g}.")
    start = time.perf_counter()
    problem = Problem.of(layer, terms, directions, huber_delta, ridge)
    with single_threaded():
        products = Products(problem.factored)
    channels, n = torch.arange(len(layer.weight), device=directions.device), products.n
    together = max(1, EQUATIONS // (4 * n**2))
    if directions.device.type == "cpu":
        together = min(together, CHANNELS)

    def solved(some: Tensor) -> tuple[Tensor, int]:
        nothing = torch.zeros(len(some), n, device=directions.device)
        return minimise(problem.of_channels(some), products, nothing, iterations, tolerance)

    found = side_by_side(solved, channels.split(together))  # no channel depends on another
    factor, used = torch.cat([part for part, _ in found]), max(used for _, used in found)
    with single_threaded():
        nothing = torch.zeros_like(factor)
        before, after = (problem.objective(some) for some in (nothing, factor))
        if not (math.isfinite(before) and torch.isfinite(factor).all()):
            raise ValueError(
                f"The features of layer {layer.number} are too large for the solve; choose another layer."
            )
        asked = torch.tensor([term.kind != "locality" for term in terms], device=factor.device)
        scale = goal_scale(problem.of_pictures(asked), factor) if asked.any() else 1.0
        factor *= scale
        losses = {}
        for kind in dict.fromkeys(term.kind for term in terms):
            mine = torch.tensor([term.kind == kind for term in terms], device=factor.device)
            losses[kind] = tuple(problem.loss(some, mine) for some in (nothing, factor))
    shape = (len(channels), len(directions), *layer.weight.shape[2:])
    elapsed = 1000 * (time.perf_counter() - start)
    return Solution(factor.view(shape), scale, before, after, losses, used, elapsed)


def goal_scale(problem: Problem, factor: Tensor) -> float:
    """The scale of Lambda, (O, n), from 1 to 2, that minimises the distance to the goal.

    The locality terms and the ridge give the change the right shape, but make it too small for the goal; in unpainted
    pictures the change is smaller still.  problem: without locality terms.
    """
    costs = [float(problem.cost(problem.evaluate(scale * factor).residual).sum()) for scale in SCALES]
    return SCALES[costs.index(min(costs))]


class Evaluation(NamedTuple):
    """A problem evaluated at one Lambda.  residual: r (O, T).  slope: of the activation, (O, T).  convolved: before
    demodulation, (O, T).  demodulation: (M, O), or None."""

    residual: Tensor
    slope: Tensor
    convolved: Tensor
    demodulation: Tensor | None

    def where(self, better: Tensor, other: Evaluation) -> Evaluation:
        """This evaluation in the `better` channels, bool (O,), and the other one elsewhere."""
        rows = (torch.where(better[:, None], a, b) for a, b in zip(self[:3], other[:3], strict=True))
        if self.demodulation is None or other.demodulation is None:
            return Evaluation(*rows, None)
        return Evaluation(*rows, torch.where(better[None], self.demodulation, other.demodulation))


@dataclass
class Problem:
    """The terms of a request, position by position.  T positions, O channels, n numbers in a channel's Lambda.

    factored: the layer at the positions.  target: (O, T).  weight: (T,).  huber_delta: d, of |r|.
    ridge: (O,), weight of |Lambda_o|^2.
    """

    factored: Factored
    target: Tensor
    weight: Tensor
    huber_delta: float
    ridge: Tensor

    @classmethod
    def of(
        cls,
        layer: EditableLayer,
        terms: Sequence[Term],
        directions: Tensor,
        huber_delta: float = HUBER_DELTA,
        ridge: float = 0.0,
    ) -> Problem:
        """Combine terms; huber_delta and ridge as in `solve`."""
        parts = side_by_side(lambda term: layer.factor(term.at, directions, term.weight > 0), terms)
        asked = [(term.weight > 0).flatten() for term in terms]
        target = torch.cat([term.target[0].flatten(1)[:, here] for term, here in zip(terms, asked, strict=True)], 1)
        weight = torch.cat([term.weight.flatten()[here] for term, here in zip(terms, asked, strict=True)])
        with single_threaded():
            size = target.abs() @ weight / weight.sum().clamp_min(1e-12)
            return cls(
                factored=Factored.cat(parts),
                target=target,
                weight=weight,
                huber_delta=huber_delta * float(target.abs().mean()) + 1e-12,
                # without the least size, a channel of tiny values would be unconstrained
                ridge=(ridge + LEAST_RIDGE)
                * size.clamp_min(LEAST_SIZE * size.mean())
                / layer.weight.flatten(1).square().sum(1).clamp_min(1e-12),
            )

    def of_channels(self, chosen: Tensor) -> Problem:
        """The same problem for chosen output channels, as indices (C,)."""
        return replace(
            self,
            factored=self.factored.of_channels(chosen),
            target=self.target[chosen],
            ridge=self.ridge[chosen],
        )

    def of_pictures(self, chosen: Tensor) -> Problem:
        """The same problem for chosen pictures, bool (M,)."""
        positions = chosen[self.factored.picture]
        target = self.target[:, positions]
        return replace(
            self,
            factored=self.factored.of_pictures(chosen),
            target=target,
            weight=self.weight[positions],
            huber_delta=self.huber_delta * float(target.abs().mean() / self.target.abs().mean().clamp_min(1e-12)),
        )

    def evaluate(self, factor: Tensor) -> Evaluation:
        """Evaluate the problem at Lambda, (O, n)."""
        convolved, demodulation = self.factored.convolved(factor), self.factored.demodulation(factor)
        y, activation = self.factored.before_activation(convolved, demodulation), self.factored.activation
        return Evaluation(activation(y) - self.target, activation.derivative(y), convolved, demodulation)

    def cost(self, residual: Tensor) -> Tensor:
        """The weighted loss of each channel, (O,)."""
        square = residual.square()
        # sqrt(r^2 + d^2) - d, without cancellation
        return (square / ((square + self.huber_delta**2).sqrt() + self.huber_delta)) @ self.weight

    def penalty(self, factor: Tensor) -> Tensor:
        """The ridge term of each channel, (O,)."""
        return self.ridge * factor.square().sum(1)

    def objective(self, factor: Tensor) -> float:
        """The objective, mean over the channels."""
        return float((self.cost(self.evaluate(factor).residual) + self.penalty(factor)).mean())

    def loss(self, factor: Tensor, pictures: Tensor) -> float:
        """The weighted mean of |r| in chosen pictures, bool (M,)."""
        chosen = pictures[self.factored.picture]
        size = self.evaluate(factor).residual[:, chosen].abs()
        return float((size @ self.weight[chosen]).mean()) / max(float(self.weight[chosen].sum()), 1e-12)

    def normal_equations(self, factor: Tensor, evaluated: Evaluation, products: Products) -> tuple[Tensor, Tensor]:
        """Gauss-Newton's matrix J^T w J (O, n, n) and gradient J^T w r (O, n).

        At position t of picture m, with patch p_t, a channel's convolution is y_t = fixed_t + Lambda p_t and its
        demodulation s_m = q_m^-1/2, where q_m = norm_m + 2 Lambda cross_m + Lambda gram_m Lambda.  So
            d q_m / d Lambda = 2 u_m,  u_m = cross_m + gram_m Lambda
            d r_t / d Lambda = slope_t (s_m p_t - y_t s_m^3 u_m) = a_t p_t - b_t u_m
            J^T w J = sum_t w a^2 p p^T - sum_m (c_m u_m^T + u_m c_m^T),
            c_m = sum_t w a b p - (sum_t w b^2) u_m / 2 over the picture's positions.
        """
        residual, slope, convolved, demodulation = evaluated
        patches, picture = self.factored.patches, self.factored.picture
        weight = self.weight * (residual.square() + self.huber_delta**2).rsqrt()
        if demodulation is None:
            return products.gram(weight), (weight * residual) @ patches
        a = slope * demodulation[picture].t()
        b = slope * convolved * demodulation.pow(3)[picture].t()
        u = self.factored.cross + torch.einsum("on,mnk->mok", factor, self.factored.gram)
        hessian, gradient = products.gram(weight * a * a), (weight * a * residual) @ patches
        members = F.one_hot(picture, len(u)).to(a.dtype)
        pull = (weight * b * residual) @ members
        gradient = gradient - torch.einsum("om,mon->on", pull, u)
        c = products.by_picture(weight * a * b) - ((weight * b * b) @ members / 2).t()[:, :, None] * u
        columns, rows = torch.cat((c, u)).permute(1, 2, 0), torch.cat((u, c)).transpose(0, 1)
        return hessian.baddbmm_(columns, rows, alpha=-1), gradient


class Products:
    """Products of the patches' entries, with which one matrix product gives the Gram matrices of all channels.

    They are computed once if they fit into the cache, and otherwise block by block at each use.
    """

    def __init__(self, factored: Factored):
        self.patches, self.n = factored.patches, factored.patches.shape[1]
        rows, columns = torch.triu_indices(self.n, self.n, device=self.patches.device)
        self.triangle = len(rows)
        place = torch.empty(self.n, self.n, dtype=torch.long, device=rows.device)
        place[rows, columns] = place[columns, rows] = torch.arange(self.triangle, device=rows.device)
        self.place = place.flatten()  # index into the upper triangle, for each entry of the full matrix
        size = 4 * self.triangle
        self.block = max(1, BLOCK // size)
        self.cached = self._pairs(self.patches) if len(self.patches) * size <= CACHE else None
        pictures = 0 if factored.norm is None else len(factored.norm)  # the last pictures may have no positions
        self.counts = torch.bincount(factored.picture, minlength=pictures).tolist()

    def gram(self, weight: Tensor) -> Tensor:
        """sum_t weight_ot patch_t patch_t^T: (O, T) -> (O, n, n)"""
        if self.cached is not None:
            upper = weight @ self.cached.t()
        else:
            upper = weight.new_zeros(len(weight), self.triangle)
            for some, patches in zip(weight.split(self.block, 1), self.patches.split(self.block), strict=True):
                upper.addmm_(some, self._pairs(patches).t())
        return upper.index_select(1, self.place).view(-1, self.n, self.n)

    def _pairs(self, patches: Tensor) -> Tensor:
        """(T, n) -> (n (n + 1) / 2, T), row by row of the upper triangle."""
        entries, pairs = patches.t().contiguous(), patches.new_empty(self.triangle, len(patches))
        for i, row in enumerate(pairs.split(list(range(self.n, 0, -1)))):
            torch.mul(entries[i], entries[i:], out=row)
        return pairs

    def by_picture(self, weight: Tensor) -> Tensor:
        """sum over one picture's positions of weight_ot patch_t: (O, T) -> (M, O, n)"""
        parts = zip(weight.split(self.counts, 1), self.patches.split(self.counts), strict=True)
        return torch.stack([one @ patches for one, patches in parts])


def minimise(
    problem: Problem, products: Products, factor: Tensor, iterations: int, tolerance: float
) -> tuple[Tensor, int]:
    """Levenberg-Marquardt on all channels at once, each with its own damping; finished channels leave the batch.

    factor: the start, (O, n).  Returns Lambda (O, n) and the number of iterations.
    """
    factor = factor.clone()
    damping = torch.full((len(factor),), DAMPING, device=factor.device)
    active = torch.arange(len(factor), device=factor.device)
    part, here = problem, factor
    evaluated = part.evaluate(here)
    cost = part.cost(evaluated.residual) + part.penalty(here)
    used = 0
    while used < iterations:
        used += 1
        hessian, gradient = part.normal_equations(here, evaluated, products)
        hessian.diagonal(dim1=1, dim2=2).add_(2 * part.ridge[:, None])
        gradient = gradient + 2 * part.ridge[:, None] * here
        step, fall_expected = damped_step(hessian, gradient, damping[active])
        trial = here + step
        tried = part.evaluate(trial)
        trial_cost = part.cost(tried.residual) + part.penalty(trial)
        better = trial_cost < cost
        ratio = (cost - trial_cost) / fall_expected.clamp_min(1e-30)
        fall = torch.where(better, cost - trial_cost, 0) / cost.clamp_min(1e-30)
        here = torch.where(better[:, None], trial, here)
        factor[active] = here
        damping[active] = (damping[active] * change_of_damping(ratio)).clamp(1e-9, 1e9)
        stuck = ~better & (damping[active] > 1e6)
        busy = torch.where(better, fall > tolerance, ~stuck)
        if not busy.any():
            break
        cost = torch.where(better, trial_cost, cost)
        if int(busy.sum()) < 0.7 * len(active):
            active, here, cost = active[busy], here[busy], cost[busy]
            part = problem.of_channels(active)
            evaluated = part.evaluate(here)
        else:
            evaluated = tried.where(better, evaluated)
    return factor, used


def damped_step(hessian: Tensor, gradient: Tensor, damping: Tensor) -> tuple[Tensor, Tensor]:
    """The step -(H + damping diag H)^-1 g of every channel, (O, n), and the fall of the objectives that the quadratic
    model predicts, (O,).  Overwrites H, because a copy would be large for many channels and a high rank."""
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    added = damping[:, None] * diagonal + 1e-7 * diagonal.amax(1, keepdim=True) + 1e-12
    diagonal += added
    # Cholesky, because H is symmetric and positive, and PyTorch's LU of a batch of large matrices hangs or fails with
    # several threads of MKL.
    root, failed = torch.linalg.cholesky_ex(hessian)
    step = torch.cholesky_solve(-gradient[:, :, None], root)[:, :, 0]
    step = torch.where((failed == 0)[:, None], step, 0.0)
    curvature = (hessian @ step[:, :, None])[:, :, 0] - added * step
    return step, -(step * (gradient + curvature / 2)).sum(1)


def change_of_damping(ratio: Tensor) -> Tensor:
    """The factor of the damping, (O,), from the ratio of the actual to the predicted fall; a rise gives 6.

    Source: Nielsen, "Damping parameter in Marquardt's method", 1999.
    """
    return torch.where(ratio > 0, (1 - (2 * ratio - 1) ** 3).clamp(1 / 3, 2), 6.0)
