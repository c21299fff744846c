"""Adam: gradient descent with momentum, with each number in units of its recent gradients (Kingma and Ba, 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Found = TypeVar("Found")


class Adam:
    """values: the tensors as the last step left them.

    rates: one for each tensor.  momentum, squares: shares of the mean gradient, and of the mean of its squares, that a
    step keeps, 0 to 1.  nesterov: whether a step looks ahead along its momentum (Dozat, 2016).
    """

    def __init__(
        self,
        values: Sequence[Tensor],
        rates: Sequence[float],
        momentum: float,
        squares: float,
        *,
        nesterov: bool = False,
    ):
        self.values, self._rates, self._steps = list(values), list(rates), 0
        self._momentum, self._squares, self._nesterov = momentum, squares, nesterov
        self._first, self._second = ([torch.zeros_like(one) for one in values] for _ in range(2))

    def step(self, loss: Callable[..., tuple[Tensor, Found]], share: float = 1.0) -> Found:
        """Take a step at a share of the rates.

        loss: from the values to the loss and something else, which is returned.
        """
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [one.detach().clone().requires_grad_() for one in self.values]
            value, found = loss(*leaves)
            slopes = torch.autograd.grad(value, leaves)
        self._steps += 1
        begun = 1 - self._momentum**self._steps  # the means begin at zero
        for i, (slope, mean, square) in enumerate(zip(slopes, self._first, self._second, strict=True)):
            mean.lerp_(slope, 1 - self._momentum)
            square.lerp_(slope.square(), 1 - self._squares)
            size = (square / (1 - self._squares**self._steps)).sqrt().clamp_min(1e-12)
            move = self._momentum / begun * mean + (1 - self._momentum) * slope if self._nesterov else mean / begun
            self.values[i] = self.values[i] - share * self._rates[i] * move / size
        return found
