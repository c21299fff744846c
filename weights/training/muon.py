"""Muon: momentum, orthogonalised by a Newton-Schulz iteration, for matrices and convolution kernels.

Source: K. Jordan et al., 2024.  The scale 0.2 sqrt(max(rows, columns)), for steps as large as Adam's, is
that of Liu et al., 2025.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
SCALE = 0.2


def orthogonalise(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The matrix with its singular values brought near 1 (0.7 to 1.2); computed in `dtype`, returned in float32."""
    a, b, c = COEFFICIENTS
    flip = matrix.shape[0] > matrix.shape[1]
    x = (matrix.t() if flip else matrix).to(dtype)
    x = x / (x.norm() + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.t()
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.t() if flip else x).float()


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two and more dimensions; a kernel (O, I, kh, kw) counts as a matrix (O, I kh kw).

    dtype: of the orthogonalisation; bfloat16 is as good, and faster on devices that compute in it.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 3e-3,
        *,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group["lr"], group["momentum"])

    def _update(self, p: Parameter, lr: float, momentum: float) -> None:
        average = self.state[p].setdefault("momentum", torch.zeros_like(p))
        average.lerp_(p.grad, 1 - momentum)
        ahead = p.grad.lerp(average, momentum)  # Nesterov's
        matrix = ahead.reshape(ahead.shape[-4] if ahead.dim() >= 4 else len(ahead), -1)
        p.add_(orthogonalise(matrix, self.dtype).view_as(p), alpha=-lr * SCALE * max(matrix.shape) ** 0.5)


def descend(rates: Sequence[tuple[torch.optim.Optimizer, float]], loss: Tensor) -> None:
    """Take one step of each optimizer, each at its rate."""
    for optimizer, rate in rates:
        optimizer.zero_grad(set_to_none=True)
        for group in optimizer.param_groups:
            group["lr"] = rate
    loss.backward()
    for optimizer, _ in rates:
        optimizer.step()
