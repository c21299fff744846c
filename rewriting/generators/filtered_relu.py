"""The filtered leaky ReLU of StyleGAN3: upsampling, the nonlinearity and downsampling, with low-pass filters that
remove the frequencies above the limit of the grid.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021, section 3.1 and Appendix C.3.

A CPU computes it one tile of the output at a time, so that the dense map between the filters stays in the caches and
is never in memory as a whole.  Along one axis, upsampling is a band matrix, of which a tile needs a small part; the
channels are contiguous in memory.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.generators.convolution import KernelCache, one_by_one
from rewriting.generators.filters import upsampling_matrix

TILE = 20  # outputs on a side of a tile
SLOPE, GAIN = 0.2, math.sqrt(2)


class Span(NamedTuple):
    """A part of one axis.  reads: positions of the input.  up: (m, reads), the matrix from these to the dense map."""

    reads: slice
    up: Tensor


class FilteredReLU:
    """From a layer's value to its output: (B, C, size, size) -> (B, C, out, out).

    up, down: density of the nonlinearity's grid, relative to the grids of the value and of the output.
    clamp: the limit of the values, None for no limit.
    """

    def __init__(self, size: int, out: int, up: int, down: int, clamp: float | None):
        self.size, self.out, self.up, self.down, self.clamp = size, out, up, down, clamp
        self._cache: KernelCache[tuple[list[Span], Tensor]] = KernelCache()

    def __call__(self, x: Tensor, up_filter: Tensor | None, down_filter: Tensor | None) -> Tensor:
        """Apply it.  up_filter: (taps,), or None.  down_filter: (taps,), or (taps, taps) if it is not separable."""
        with torch.inference_mode(False), torch.no_grad():  # kept, and not part of what is trained
            spans, kernel = self._cache.get((x.dtype, x.device), lambda: self._prepared(up_filter, down_filter, x))
        return one_by_one(lambda one: self._run(one, spans, kernel), x)

    def forget(self) -> None:
        self._cache.forget()

    def _run(self, x: Tensor, spans: list[Span], kernel: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # channels last
        return torch.cat([torch.cat([self._tile(x, row, column, kernel) for column in spans], 3) for row in spans], 2)

    def _tile(self, x: Tensor, row: Span, column: Span, kernel: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, C, h', w')"""
        part = x[:, row.reads, column.reads]
        y = torch.matmul(row.up, part.flatten(2)).unflatten(2, part.shape[2:])
        y = torch.matmul(column.up, y).permute(0, 3, 1, 2)
        y = F.leaky_relu(y, SLOPE, inplace=not torch.is_grad_enabled())
        if self.clamp is not None:
            y = y.clamp(-self.clamp, self.clamp) if torch.is_grad_enabled() else y.clamp_(-self.clamp, self.clamp)
        return F.conv2d(y, kernel.expand(y.shape[1], 1, -1, -1), stride=self.down, groups=y.shape[1])

    def _prepared(
        self, up_filter: Tensor | None, down_filter: Tensor | None, like: Tensor
    ) -> tuple[list[Span], Tensor]:
        up_taps = np.ones(1) if up_filter is None else up_filter.double().cpu().numpy()
        taps = torch.ones(1, device=like.device) if down_filter is None else down_filter
        kernel = (torch.outer(taps, taps) if taps.dim() == 1 else taps).flip(0, 1)
        between = (self.out - 1) * self.down + len(taps)
        total = between - self.size * self.up + len(up_taps) - 1
        before = (total + self.up) // 2  # the middle of the map stays where it is
        # The leaky ReLU's gain may go before it, a root of it along each axis.
        up = math.sqrt(GAIN) * upsampling_matrix(up_taps, self.size, self.up, before, between)
        return self._axis(up, len(taps), like), kernel[None, None].to(like.dtype)

    def _axis(self, up: np.ndarray, taps: int, like: Tensor) -> list[Span]:
        count = math.ceil(self.out / TILE)
        edges = [round(i * self.out / count) for i in range(count + 1)]
        spans = []
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            rows = up[first * self.down : (last - 1) * self.down + taps]
            used = np.flatnonzero(rows.any(0))
            reads = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
            matrix = torch.from_numpy(np.ascontiguousarray(rows[:, reads]))
            spans.append(Span(reads, matrix.to(like.device, like.dtype)))
        return spans
