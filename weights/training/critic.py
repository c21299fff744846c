"""The optional adversarial loss: a discriminator, and its training beside the generator.

Sources: the non-saturating loss, Goodfellow et al., 2014; the R1 penalty, Mescheder et al., 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weights.training.discriminator import Discriminator

RATE = 2e-3  # of learning, StyleGAN2's own
PENALTY_EVERY, PENALTY_PICTURES = 16, 16  # steps between two, and pictures in one


class Critic:
    """Judges windows of pictures: the details to sharpen are small, and a window costs a sixteenth of a picture.

    size, channels: of the generator's pictures and features.  window: its side in pixels.  r1: weight of the penalty.
    dtype: of the discriminator; the penalty is computed in float32.
    """

    def __init__(
        self,
        size: int,
        channels: Mapping[int, int],
        window: int,
        r1: float,
        device: torch.device,
        dtype: torch.dtype,
    ):
        self.window = min(window, size)
        widths = {
            side * self.window // size: width for side, width in channels.items() if side * self.window >= 4 * size
        }
        self.discriminator = Discriminator(self.window, widths).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), RATE, betas=(0.0, 0.99))
        self.r1, self.dtype, self.steps = r1, dtype, 0

    def windows(self, drawn: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """The same random window of all these pictures (B, 3, size, size)."""
        top, left = torch.randint(drawn.shape[-1] - self.window + 1, (2,)).tolist()
        rows, columns = slice(top, top + self.window), slice(left, left + self.window)
        return drawn[:, :, rows, columns], true[:, :, rows, columns]

    def generator_loss(self, drawn: Tensor) -> Tensor:
        """The loss of windows (B, 3, window, window) of generated pictures, with gradients for the generator only."""
        self.discriminator.requires_grad_(False)
        score = self._score(drawn)
        self.discriminator.requires_grad_(True)
        return F.softplus(-score).mean()

    def step(self, drawn: Tensor, true: Tensor) -> None:
        """Train the discriminator once on windows of generated and of true pictures."""
        loss = F.softplus(self._score(drawn.detach())).mean() + F.softplus(-self._score(true)).mean()
        if self.steps % PENALTY_EVERY == 0:
            loss = loss + PENALTY_EVERY * self.r1 / 2 * self.penalty(true[:PENALTY_PICTURES])
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
