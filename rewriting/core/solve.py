"""The constrained solve: which Lambda makes the layer draw the goal?

Minimises  sum_p m_p h(f(k_p; W0 + Lambda D) - v*_p) + ridge |Lambda|^2 / |W0|^2  over Lambda, and lengthens what it
finds as far as the goal asks: few pictures say little of Lambda, and what they leave free other pictures do not.

The paper squares the residual (eq. 17), its code takes it absolute; h is in between, the pseudo-Huber loss
sqrt(r^2 + d^2) - d with d = ROUNDING mean |v|.  Which of the two ends draws more of the goal for the same change
elsewhere depends on the rule (docs/experiments); in between none is far behind, and it is smooth, where the L1 norm
nails down each residual that is zero, as most are to begin with.

Each output channel is a problem of its own in n = 9 S numbers (see `layer`), so all of them are solved in one batch by
Levenberg-Marquardt, with the weights m_p h'(r) / r.  A step is taken only by the channels whose objective it lowers:
no objective ever rises, and there is no learning rate.

The normal matrices never see a Jacobian.  A channel's Jacobian row at a position is a * patch - b * u, with the patch
shared by all channels and u shared by all positions of a picture, so J^T diag(w) J for every channel comes from one
product of (O, T) weights with the (T, n (n + 1) / 2) products of the patches, and a correction of small rank.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.goal import Term
from rewriting.core.layer import EditableLayer, Factored
from rewriting.generators.base import EPSILON, Activation
from rewriting.generators.threads import side_by_side, single_threaded

ROUNDING = 0.2  # of the mean |v|: residuals below it count as squares, those above as they are
# Of the ridge: demodulation divides by the norm of W, so that without any a channel may run off to any size at no
# cost, and its strength could no longer be set.
LEAST_RIDGE = 1e-6
LEAST_SIZE = 0.01  # of a channel's mean |v| in the ridge, relative to that of all
TOLERANCE = 1e-3  # relative fall of the objective below which a channel is done
SCALES = [1 + step / 20 for step in range(21)]
DAMPING = 0.3  # of the first step, times the diagonal: demodulation bends, and bolder ones are refused
KEPT, BLOCK = 256 << 20, 64 << 20  # bytes of products that are kept, and made at a time where they are not
EQUATIONS = 8 << 20  # bytes of normal matrices that are solved at a time: few enough to stay in the caches
CHANNELS = 64  # that a CPU solves at a time at most, so that several threads have work


@dataclass(frozen=True)
class Solution:
    """factor: Lambda (O, S, kh, kw), `scale` times the minimum.  before, after: the objective without any change and
    at the minimum, mean over channels.  losses: {kind of term: weighted mean |f - v*| (before, after)}, of `factor`.
    iterations, milliseconds: what it took."""

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
    rounding: float = ROUNDING,
    ridge: float = 0.0,
    iterations: int = 20,
    tolerance: float = TOLERANCE,
) -> Solution:
    """Solve for Lambda.  directions: (S, I).  iterations: at most.

    rounding: of the loss, relative to the mean |v|.  Much above 1 it is that of squares, as in the paper; towards 0
    it is the L1 norm of the paper's code, which takes more iterations.
    ridge: weight of each channel's |Lambda_o|^2 / |W0_o|^2, relative to its mean |v|: how small the change should be.
    The minimum is then lengthened as far as the goal alone asks, see `goal_scale`.
    Raises ValueError unless the rounding is above 0 and the ridge at least 0.
    """
    if not 0 < rounding < float("inf"):
        raise ValueError(f"The rounding must be a number above 0, and is {rounding:g}; {ROUNDING:g} is usual.")
    if not 0 <= ridge < float("inf"):
        raise ValueError(f"The ridge must be a number from 0, and is {ridge:g}.")
    start = time.perf_counter()
    problem = Problem.of(layer, terms, directions, rounding, ridge)
    with single_threaded():
        products = Products(problem)
    channels, n = torch.arange(len(layer.weight), device=directions.device), products.n
    together = max(1, EQUATIONS // (4 * n**2))
    if directions.device.type == "cpu":
        together = min(together, CHANNELS)

    def solved(some: Tensor) -> tuple[Tensor, int]:
        nothing = torch.zeros(len(some), n, device=directions.device)
        return minimise(problem.only(some), products, nothing, iterations, tolerance)

    found = side_by_side(solved, channels.split(together))  # no channel depends on another
    factor, used = torch.cat([part for part, _ in found]), max(used for _, used in found)
    with single_threaded():
        nothing = torch.zeros_like(factor)
        before, after = (problem.objective(at) for at in (nothing, factor))
        asked = torch.tensor([term.kind != "locality" for term in terms], device=factor.device)
        scale = goal_scale(problem.of_pictures(asked), factor) if asked.any() else 1.0
        factor *= scale
        losses = {}
        for kind in dict.fromkeys(term.kind for term in terms):
            mine = torch.tensor([term.kind == kind for term in terms], device=factor.device)
            losses[kind] = tuple(problem.loss(at, mine) for at in (nothing, factor))
    shape = (len(channels), len(directions), *layer.weight.shape[2:])
    elapsed = 1000 * (time.perf_counter() - start)
    return Solution(factor.view(shape), scale, before, after, losses, used, elapsed)


def goal_scale(problem: Problem, factor: Tensor) -> float:
    """By how much to lengthen Lambda, (O, n), 1 to 2: as far as this brings it nearer to the goal.

    What keeps a change away from other places, and small, shapes it as it should but leaves it shorter than the goal
    asks for, and on pictures that were not painted it falls shorter still.  problem: without the places of others.
    """
    costs = [float(problem.cost(problem.forward(scale * factor).residual).sum()) for scale in SCALES]
    return SCALES[costs.index(min(costs))]


class State(NamedTuple):
    """A problem at some Lambda.  residual: r (O, T).  slope: of the activation, (O, T).  linear: the convolution
    before demodulation, (O, T).  demodulation: (M, O), or None."""

    residual: Tensor
    slope: Tensor
    linear: Tensor
    demodulation: Tensor | None

    def where(self, better: Tensor, other: State) -> State:
        """This state of the `better` channels, bool (O,), and the other one of the rest."""
        mine, old = (self.residual, self.slope, self.linear), (other.residual, other.slope, other.linear)
        rows = (torch.where(better[:, None], a, b) for a, b in zip(mine, old, strict=True))
        if self.demodulation is None or other.demodulation is None:
            return State(*rows, None)
        return State(*rows, torch.where(better[None], self.demodulation, other.demodulation))


@dataclass
class Problem:
    """All terms, position by position.  T positions of M pictures, O channels, n numbers a channel.

    patches: (T, n).  fixed, offset, target: (O, T).  weight: (T,).  picture: (T,), whose each position is.
    norm: (M, O), linear: (M, O, n), gram: (M, n, n), or None: the demodulation's quadratic.  rounding: d, of |r|.
    ridge: (O,), weight of |Lambda_o|^2.
    """

    patches: Tensor
    fixed: Tensor
    offset: Tensor
    target: Tensor
    weight: Tensor
    picture: Tensor
    norm: Tensor | None
    linear: Tensor | None
    gram: Tensor | None
    activation: Activation
    rounding: float
    ridge: Tensor

    @classmethod
    def of(
        cls,
        layer: EditableLayer,
        terms: Sequence[Term],
        directions: Tensor,
        rounding: float = ROUNDING,
        ridge: float = 0.0,
    ) -> Problem:
        """The terms put together; rounding and ridge as in `solve`."""
        pieces = side_by_side(lambda term: layer.factor(term.at, directions, term.weight > 0), terms)
        with single_threaded():
            return cls._of_pieces(layer, terms, pieces, rounding, ridge)

    @classmethod
    def _of_pieces(
        cls, layer: EditableLayer, terms: Sequence[Term], pieces: Sequence[Factored], rounding: float, ridge: float
    ) -> Problem:
        chosen = [(term.weight > 0).flatten() for term in terms]
        target = torch.cat([t.target[0].flatten(1)[:, at] for t, at in zip(terms, chosen, strict=True)], 1)
        weight = torch.cat([t.weight.flatten()[at] for t, at in zip(terms, chosen, strict=True)])
        size = target.abs() @ weight / weight.sum().clamp_min(1e-12)
        demodulated = pieces[0].norm is not None
        return cls(
            patches=torch.cat([p.patches for p in pieces]),
            fixed=torch.cat([p.fixed for p in pieces], 1),
            offset=torch.cat([p.offset for p in pieces], 1),
            target=target,
            weight=weight,
            picture=torch.cat([torch.full((len(p.patches),), i, device=target.device) for i, p in enumerate(pieces)]),
            norm=torch.stack([p.norm for p in pieces]) if demodulated else None,
            linear=torch.stack([p.linear for p in pieces]) if demodulated else None,
            gram=torch.stack([p.gram for p in pieces]) if demodulated else None,
            activation=pieces[0].activation,
            rounding=rounding * float(target.abs().mean()) + 1e-12,
            # A channel that hardly speaks would else be free.
            ridge=(ridge + LEAST_RIDGE)
            * size.clamp_min(LEAST_SIZE * size.mean())
            / layer.weight.flatten(1).square().sum(1).clamp_min(1e-12),
        )

    def only(self, channels: Tensor) -> Problem:
        """The same problem for some of the output channels."""
        demodulated = self.norm is not None
        return replace(
            self,
            fixed=self.fixed[channels],
            offset=self.offset[channels],
            target=self.target[channels],
            ridge=self.ridge[channels],
            norm=self.norm[:, channels] if demodulated else None,
            linear=self.linear[:, channels] if demodulated else None,
        )

    def of_pictures(self, chosen: Tensor) -> Problem:
        """The same problem for some of the pictures, bool (M,)."""
        at, renumbered = chosen[self.picture], chosen.cumsum(0) - 1
        demodulated = self.norm is not None
        target = self.target[:, at]
        return replace(
            self,
            patches=self.patches[at],
            fixed=self.fixed[:, at],
            offset=self.offset[:, at],
            target=target,
            weight=self.weight[at],
            picture=renumbered[self.picture[at]],
            norm=self.norm[chosen] if demodulated else None,
            linear=self.linear[chosen] if demodulated else None,
            gram=self.gram[chosen] if demodulated else None,
            rounding=self.rounding * float(target.abs().mean() / self.target.abs().mean().clamp_min(1e-12)),
        )

    def forward(self, factor: Tensor) -> State:
        """The state at Lambda, (O, n)."""
        y = self.fixed + factor @ self.patches.t()
        linear, demodulation = y, None
        if self.norm is not None:
            inner = torch.einsum("on,mnk->mok", factor, self.gram)
            quadratic = self.norm + (factor * (2 * self.linear + inner)).sum(2)
            demodulation = quadratic.clamp_min(EPSILON).rsqrt()
            y = y * demodulation[self.picture].t()
        y = y + self.offset
        return State(self.activation(y) - self.target, self.activation.derivative(y), linear, demodulation)

    def cost(self, residual: Tensor) -> Tensor:
        """(O,): each channel's objective."""
        square = residual.square()
        # sqrt(r^2 + d^2) - d, without the difference of two near numbers.
        return (square / ((square + self.rounding**2).sqrt() + self.rounding)) @ self.weight

    def penalty(self, factor: Tensor) -> Tensor:
        """(O,): what the size of Lambda costs each channel."""
        return self.ridge * factor.square().sum(1)

    def objective(self, factor: Tensor) -> float:
        """What is minimised, mean over the channels."""
        return float((self.cost(self.forward(factor).residual) + self.penalty(factor)).mean())

    def loss(self, factor: Tensor, pictures: Tensor) -> float:
        """The weighted mean of |r| in some of the pictures, bool (M,)."""
        chosen = pictures[self.picture]
        size = self.forward(factor).residual[:, chosen].abs()
        return float((size @ self.weight[chosen]).mean()) / max(float(self.weight[chosen].sum()), 1e-12)

    def normal_equations(self, factor: Tensor, state: State, products: Products) -> tuple[Tensor, Tensor]:
        """Gauss-Newton's J^T w J (O, n, n) and gradient J^T w r (O, n).

        At position t of picture m, with patch p_t, a channel's convolution is y_t = fixed_t + Lambda p_t and its
        demodulation s_m = q_m^-1/2, where q_m = norm_m + 2 Lambda linear_m + Lambda gram_m Lambda.  So
            d q_m / d Lambda = 2 u_m,  u_m = linear_m + gram_m Lambda
            d r_t / d Lambda = slope_t (s_m p_t - y_t s_m^3 u_m) = a_t p_t - b_t u_m
            J^T w J = sum_t w a^2 p p^T - sum_m (c_m u_m^T + u_m c_m^T),
            c_m = sum_t w a b p - (sum_t w b^2) u_m / 2 over the picture's positions.
        """
        residual, slope, linear, demodulation = state
        weight = self.weight * (residual.square() + self.rounding**2).rsqrt()
        if demodulation is None:
            return products.gram(weight), (weight * residual) @ self.patches
        a = slope * demodulation[self.picture].t()
        b = slope * linear * demodulation.pow(3)[self.picture].t()
        u = self.linear + torch.einsum("on,mnk->mok", factor, self.gram)
        hessian, gradient = products.gram(weight * a * a), (weight * a * residual) @ self.patches
        members = F.one_hot(self.picture, len(u)).to(a.dtype)
        pull = (weight * b * residual) @ members
        gradient = gradient - torch.einsum("om,mon->on", pull, u)
        c = products.by_picture(weight * a * b) - ((weight * b * b) @ members / 2).t()[:, :, None] * u
        columns, rows = torch.cat((c, u)).permute(1, 2, 0), torch.cat((u, c)).transpose(0, 1)
        return hessian.baddbmm_(columns, rows, alpha=-1), gradient


class Products:
    """Products of the patches' entries: they turn a Gram matrix per channel into one matrix product.

    Computed once where they are few enough to be kept; else a block of positions at a time, whenever they are needed.
    """

    def __init__(self, problem: Problem):
        self.patches, self.n = problem.patches, problem.patches.shape[1]
        rows, columns = torch.triu_indices(self.n, self.n, device=problem.patches.device)
        self.triangle = len(rows)
        place = torch.empty(self.n, self.n, dtype=torch.long, device=rows.device)
        place[rows, columns] = place[columns, rows] = torch.arange(self.triangle, device=rows.device)
        self.place = place.flatten()  # of each entry of the full matrix in the upper triangle
        size = 4 * self.triangle
        self.block = max(1, BLOCK // size)
        self.kept = self._pairs(self.patches) if len(self.patches) * size <= KEPT else None
        pictures = 0 if problem.norm is None else len(problem.norm)  # the last of them may have no position left
        self.counts = torch.bincount(problem.picture, minlength=pictures).tolist()

    def gram(self, weight: Tensor) -> Tensor:
        """sum_t weight_ot patch_t patch_t^T: (O, T) -> (O, n, n)"""
        if self.kept is not None:
            upper = weight @ self.kept.t()
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
    """Levenberg-Marquardt on every channel at once, each with its own damping; done ones leave the batch.

    Returns Lambda (O, n) and the number of iterations.
    """
    factor = factor.clone()
    damping = torch.full((len(factor),), DAMPING, device=factor.device)
    active = torch.arange(len(factor), device=factor.device)
    part, here = problem, factor
    state = part.forward(here)
    cost = part.cost(state.residual) + part.penalty(here)
    used = 0
    while used < iterations:
        used += 1
        hessian, gradient = part.normal_equations(here, state, products)
        hessian.diagonal(dim1=1, dim2=2).add_(2 * part.ridge[:, None])
        gradient = gradient + 2 * part.ridge[:, None] * here
        step, fall_expected = damped_step(hessian, gradient, damping[active])
        trial = here + step
        trial_state = part.forward(trial)
        trial_cost = part.cost(trial_state.residual) + part.penalty(trial)
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
            part = problem.only(active)
            state = part.forward(here)
        else:
            state = trial_state.where(better, state)
    return factor, used


def damped_step(hessian: Tensor, gradient: Tensor, damping: Tensor) -> tuple[Tensor, Tensor]:
    """-(H + damping diag H)^-1 g for every channel, (O, n), and by how much it would lower the objectives if they were
    quadratic, (O,).  Writes over H, which with many channels and a high rank is too large to copy for nothing."""
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    added = damping[:, None] * diagonal + 1e-7 * diagonal.amax(1, keepdim=True) + 1e-12
    diagonal += added
    # By Cholesky: H is symmetric and positive, and PyTorch's LU of a batch of large matrices hangs or fails with
    # several threads of MKL.
    root, failed = torch.linalg.cholesky_ex(hessian)
    step = torch.cholesky_solve(-gradient[:, :, None], root)[:, :, 0]
    step = torch.where((failed == 0)[:, None], step, 0.0)
    curvature = (hessian @ step[:, :, None])[:, :, 0] - added * step
    return step, -(step * (gradient + curvature / 2)).sum(1)


def change_of_damping(ratio: Tensor) -> Tensor:
    """(O,): what to multiply the damping by, from the ratio of true to expected fall; a step that rises is refused.

    Source: Nielsen, "Damping parameter in Marquardt's method", 1999.
    """
    return torch.where(ratio > 0, (1 - (2 * ratio - 1) ** 3).clamp(1 / 3, 2), 6.0)
