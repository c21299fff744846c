"""One measurement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement.  ours, theirs: median seconds; spread: slowest over fastest of ours.  note: losses and the
    like, measured in the same run."""

    what: str
    ours: float
    theirs: float | None
    spread: float
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours
