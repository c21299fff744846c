"""How far a run has come, and what follows from it: the rate, the stage, the time left."""

from __future__ import annotations

import math
import time

from weights.training.settings import Settings

LEAST_RATE = 0.02  # of the highest, at the end


class Schedule:
    """Starts its clock when made."""

    def __init__(self, settings: Settings):
        self.settings, self.started = settings, time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return time.monotonic() - self.started

    def share(self, seen: int) -> float:
        """Of the budget, used up when `seen` pictures have been trained on; 1 and more is the end."""
        return max(self.elapsed / self.settings.seconds, seen / self.settings.pictures)

    def left(self, share: float) -> float:
        """Seconds until the end, at the speed so far."""
        return self.elapsed * (1 - share) / share if share else self.settings.seconds

    def size(self, share: float) -> int:
        """Side of the pictures trained on at present."""
        return next((side for side, until in self.settings.stages if share < until), self.settings.size)

    def rate(self, share: float, step: int) -> float:
        """Linear warm-up, the highest rate, then half a cosine."""
        s = self.settings
        falling = max(0.0, share - s.decay_from) / (1 - s.decay_from) if s.decay_from < 1 else 0.0
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
        return s.rate * min(1.0, (step + 1) / s.warm_up) * max(LEAST_RATE, cosine)
