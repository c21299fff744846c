"""Unedited pictures, drawn once for all visitors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from threading import Lock

import numpy as np

from rewriting.studio.encoding import data_url
from rewriting.studio.session import Numbering

KEPT_BYTES = 128 << 20

Key = tuple[str, int, Numbering]


class Picture:
    """pixels: uint8 (H, W, 3)."""

    def __init__(self, pixels: np.ndarray):
        self.pixels = pixels

    @cached_property
    def url(self) -> str:
        return data_url(self.pixels)


class Gallery:
    """Pictures by generator, seed and numbering; those not looked at for longest go first.

    draw: generator, seeds, numbering -> uint8 (N, H, W, 3).
    """

    def __init__(self, draw: Callable[[str, Sequence[int], Numbering], np.ndarray], kept_bytes: int = KEPT_BYTES):
        self._draw, self._kept_bytes = draw, kept_bytes
        self._pictures: OrderedDict[Key, Picture] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def pictures(self, name: str, seeds: Sequence[int], numbering: Numbering) -> list[Picture]:
        """One for each seed, in their order."""
        keys = [(name, int(seed), numbering) for seed in seeds]
        with self._lock:
            found = {key: self._pictures[key] for key in keys if key in self._pictures}
        absent = list(dict.fromkeys(key for key in keys if key not in found))
        if absent:
            drawn = self._draw(name, [seed for _, seed, _ in absent], numbering)
            found |= {key: Picture(pixels) for key, pixels in zip(absent, drawn, strict=True)}
        with self._lock:
            self._keep((key, found[key]) for key in keys)
        return [found[key] for key in keys]

    def known(self, name: str, seeds: Sequence[int], numbering: Numbering) -> dict[int, Picture]:
        """Those that are drawn already, by seed."""
        with self._lock:
            return {s: self._pictures[name, s, numbering] for s in seeds if (name, s, numbering) in self._pictures}

    def forget(self, name: str) -> None:
        """Drop all pictures of a generator."""
        with self._lock:
            for key in [key for key in self._pictures if key[0] == name]:
                self._bytes -= self._pictures.pop(key).pixels.nbytes

    def _keep(self, pictures: Iterable[tuple[Key, Picture]]) -> None:
        for key, picture in pictures:
            old = self._pictures.pop(key, None)
            self._pictures[key] = picture
            self._bytes += picture.pixels.nbytes - (old.pixels.nbytes if old else 0)
        while self._bytes > self._kept_bytes and len(self._pictures) > 1:
            self._bytes -= self._pictures.popitem(last=False)[1].pixels.nbytes
