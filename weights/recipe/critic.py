"""The optional adversarial loss: a discriminator, and how it is trained beside the generator.

Sources: the non-saturating loss, Goodfellow et al., 2014; the R1 penalty, Mescheder et al., 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weights.recipe.discriminator import Discriminator

PENALTY_EVERY, PENALTY_PICTURES = 16, 16  # steps between two, and pictures in one


class Critic:
    """size, channels: of the generator's pictures and features.  r1: weight of the penalty.

    dtype: that pictures are judged in; the penalty is computed in float32.
    """

    def __init__(self, size: int, channels: Mapping[int, int], r1: float, device: torch.device, dtype: torch.dtype):
        self.discriminator = Discriminator(size, channels).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), betas=(0.0, 0.99))
        self.r1, self.dtype, self.steps = r1, dtype, 0

    def generator_loss(self, made: Tensor) -> Tensor:
        """Of generated pictures (B, 3, size, size), whose gradient is wanted; the discriminator gets none."""
        self.discriminator.requires_grad_(False)
        score = self._score(made)
        self.discriminator.requires_grad_(True)
        return F.softplus(-score).mean()

    def step(self, made: Tensor, true: Tensor, rate: float) -> None:
        """Train the discriminator once on generated and on true pictures."""
        loss = F.softplus(self._score(made.detach())).mean() + F.softplus(-self._score(true)).mean()
        if self.steps % PENALTY_EVERY == 0:
            loss = loss + PENALTY_EVERY * self.r1 / 2 * self.penalty(true[:PENALTY_PICTURES])
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.steps += 1

    def penalty(self, true: Tensor) -> Tensor:
        """R1: mean squared gradient of the score at true pictures."""
        true = true.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.discriminator(true).sum(), true, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    def state_dict(self) -> dict[str, Any]:
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _score(self, pictures: Tensor) -> Tensor:
        return self.discriminator(pictures.to(self.dtype))
