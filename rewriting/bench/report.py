"""The measurements as a table for people and as JSON for programs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import torch

from rewriting.bench.row import Row


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def as_table(rows: Sequence[Row]) -> str:
    """One line a measurement."""
    width = max((len(row.what) for row in rows), default=4)
    lines = [f"{'what':{width}}  {'ours':>9}  {'straightforward':>15}  {'ratio':>7}  spread"]
    for row in rows:
        theirs = "" if row.theirs is None else f"{1000 * row.theirs:,.1f} ms"
        ratio = "" if row.ratio is None else f"{row.ratio:,.1f}x"
        lines.append(
            f"{row.what:{width}}  {1000 * row.ours:7.1f} ms  {theirs:>15}  {ratio:>7}  {row.spread:.1f}  {row.note}"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The same, with the machine."""
    return {"machine": machine(), "rows": [{**vars(row), "ratio": row.ratio} for row in rows]}
