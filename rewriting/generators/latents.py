"""The latents of picture numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rewriting.checks import is_whole, whole

SEEDINGS = ("seed", "row")
MAX_SEED = 2**32 - 1
MAX_ROW = 2**16 - 1  # a row requires all rows before it
picture_number = whole(0, MAX_SEED)
"""The check of `rewriting.checks` for the number of a picture."""


class Numbering(NamedTuple):
    """The meaning of picture numbers: their seeding, see `latents`; the truncation psi, None for the generator's own;
    and the class of a generator with classes."""

    seeding: str = "seed"
    truncation: float | None = None
    label: int = 0


def latents(seeds: Sequence[int], z_dim: int, seeding: str = "seed") -> np.ndarray:
    """The latents of picture numbers: float32 (N, z_dim), standard normal.

    seeding "seed": picture n is RandomState(n).randn(1, z_dim), the convention of the StyleGAN tools.
    seeding "row": picture n is row n of RandomState(1).standard_normal((N, z_dim)), the convention of the paper's
    code, for its saved sessions and second moments.
    Raises ValueError for a seed that is not a whole number from 0 to 2^32 - 1 (2^16 - 1 for "row"), and for another
    seeding.
    """
    if seeding not in SEEDINGS:
        raise ValueError(f"seeding {seeding!r} is unknown; choose {' or '.join(SEEDINGS)}.")
    limit = MAX_SEED if seeding == "seed" else MAX_ROW
    for seed in seeds:
        if not is_whole(seed, 0, limit):
            raise ValueError(f"picture number {seed!r} is not a whole number from 0 to {limit}.")
    if not len(seeds):
        return np.empty((0, z_dim), np.float32)
    if seeding == "row":
        rows = np.random.RandomState(1).standard_normal((max(seeds) + 1) * z_dim).reshape(-1, z_dim)
        return rows[list(seeds)].astype(np.float32)
    return np.concatenate([np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]).astype(np.float32)
