"""Measurements, as a table for people and as JSON for programs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Row:
    """One measurement.

    ours, theirs: median seconds, of this software and of the baseline, None without one.  spread: slowest over fastest
    of ours.  note: further results of the same run, such as losses.
    """

    what: str
    ours: float
    theirs: float | None
    spread: float
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours


def machine() -> dict[str, Any]:
    """The machine of the measurements."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def as_table(rows: Sequence[Row]) -> str:
    """A table with one line for each measurement."""
    width = max((len(row.what) for row in rows), default=4)
    lines = [f"{'what':{width}}  {'ours':>9}  {'baseline':>15}  {'ratio':>7}  spread"]
    for row in rows:
        theirs = "" if row.theirs is None else f"{1000 * row.theirs:,.1f} ms"
        ratio = "" if row.ratio is None else f"{row.ratio:,.1f}x"
        lines.append(
            f"{row.what:{width}}  {1000 * row.ours:7.1f} ms  {theirs:>15}  {ratio:>7}  {row.spread:.1f}  {row.note}"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The measurements and the machine as JSON data."""
    return {"machine": machine(), "rows": [{**vars(row), "ratio": row.ratio} for row in rows]}
