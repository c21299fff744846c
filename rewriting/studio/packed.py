"""Requests as a session keeps them: masks as compressed bits, some hundred bytes each instead of 64 kB."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from rewriting.core.request import Region, Request

LEVEL = 6


@dataclass(frozen=True)
class PackedRegion:
    """A `Region` whose mask of `side` x `side` pixels is kept as compressed bits."""

    seed: int
    side: int
    bits: bytes

    @classmethod
    def of(cls, region: Region) -> PackedRegion:
        return cls(region.seed, len(region.mask), zlib.compress(np.packbits(region.mask > 0).tobytes(), LEVEL))

    def unpacked(self) -> Region:
        packed = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        mask = np.unpackbits(packed, count=self.side**2).reshape(self.side, self.side)
        return Region(self.seed, mask.astype(bool))


@dataclass(frozen=True)
class PackedRequest:
    """A `Request` that takes little room.

    rest: the request without its regions.  Two are equal if they ask for the same thing.
    """

    rest: Request
    copy: PackedRegion | None
    paste: PackedRegion | None
    context: tuple[PackedRegion, ...]
    preserve: tuple[PackedRegion, ...]

    @classmethod
    def of(cls, request: Request) -> PackedRequest:
        return cls(
            rest=request.with_(copy=None, paste=None, context=(), preserve=()),
            copy=PackedRegion.of(request.copy) if request.copy else None,
            paste=PackedRegion.of(request.paste) if request.paste else None,
            context=tuple(map(PackedRegion.of, request.context)),
            preserve=tuple(map(PackedRegion.of, request.preserve)),
        )

    def unpacked(self) -> Request:
        return self.rest.with_(
            copy=self.copy.unpacked() if self.copy else None,
            paste=self.paste.unpacked() if self.paste else None,
            context=tuple(region.unpacked() for region in self.context),
            preserve=tuple(region.unpacked() for region in self.preserve),
        )
