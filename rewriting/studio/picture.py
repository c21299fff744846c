"""A picture on the page: its pixels, and its data URL."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rewriting.studio.encoding import change_map, data_url


class Picture:
    """pixels: uint8 (H, W, 3).  The picture is encoded once, on first use."""

    def __init__(self, pixels: np.ndarray):
        self.pixels, self._change = pixels, ""

    @cached_property
    def url(self) -> str:
        return data_url(self.pixels)

    def change(self, before: Picture) -> str:
        """The map of change against the picture without rules, as a data URL.  before: always the same picture."""
        self._change = self._change or data_url(change_map(before.pixels, self.pixels))
        return self._change

    def nbytes(self) -> int:
        """The size in memory in bytes, with an estimate for the encoded files."""
        return self.pixels.nbytes * 3 // 2
