"""A picture that people see: its pixels, and how the page takes them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rewriting.studio.encoding import change_map, data_url


class Picture:
    """pixels: uint8 (H, W, 3).  Encoded when it is first asked for, and once."""

    def __init__(self, pixels: np.ndarray):
        self.pixels, self._change = pixels, ""

    @cached_property
    def url(self) -> str:
        return data_url(self.pixels)

    def change(self, before: Picture) -> str:
        """Where it differs from what it is without rules, as a data URL.  before: the one picture that it is then."""
        self._change = self._change or data_url(change_map(before.pixels, self.pixels))
        return self._change

    def nbytes(self) -> int:
        """With room for the files."""
        return self.pixels.nbytes * 3 // 2
