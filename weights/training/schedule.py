"""The progress of a run, and the rate, the stage and the remaining time that follow from it."""

from __future__ import annotations

import math
import time

from weights.training.settings import Settings

LEAST_RATE = 0.02  # of the highest, at the end


class Schedule:
    """The schedule of a run, whose clock starts with the object."""

    def __init__(self, settings: Settings):
        self.settings, self.clock = settings, time.process_time if settings.processor_time else time.monotonic
        self.started = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, of the clock or of processor time."""
        return self.clock() - self.started

    def share(self, seen: int) -> float:
        """The used share of the budget after `seen` pictures; 1 or more means the end."""
        return max(self.elapsed / self.settings.seconds, seen / self.settings.pictures)

    def left(self, share: float) -> float:
        """Seconds until the end, at the present speed."""
        return self.elapsed * (1 - share) / share if share else self.settings.seconds

    def size(self, share: float) -> int:
        """The present side of the pictures in training."""
        return next((side for side, until in self.settings.stages if share < until), self.settings.size)

    def rate(self, share: float, step: int) -> float:
        """The learning rate: a linear warm-up, the highest rate, then half a cosine."""
        s = self.settings
        falling = max(0.0, share - s.decay_from) / (1 - s.decay_from) if s.decay_from < 1 else 0.0
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
        return s.rate * min(1.0, (step + 1) / s.warm_up) * max(LEAST_RATE, cosine)


def falling(step: int, steps: int, warm_up: int) -> float:
    """The share of the highest rate at a step of a run of that many: a linear warm-up under half a cosine."""
    return min(1, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))
