"""The filtered leaky ReLU of StyleGAN3: upsampling, the nonlinearity and downsampling, with low-pass filters that
remove the frequencies above the limit of the grid.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021, section 3.1 and Appendix C.3.

A CPU computes it one tile of the output at a time, so that the dense map between the filters stays in the caches and
is never in memory as a whole.  Along one axis, upsampling is a band matrix, of which a tile needs a small part; the
channels are contiguous in memory.

With gradients, downsampling by a separable filter is a band matrix along each axis, too: a backward pass through
PyTorch's grouped convolution takes many times as long.
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
TRAINED_TILE = 80  # the same with gradients, for which each step costs more
SLOPE, GAIN = 0.2, math.sqrt(2)


class Span(NamedTuple):
    """A part of one axis.

    reads: positions of the input.  up: (m, reads), the matrix from these to the dense map.  down: (outputs, m), the
    matrix from there to the output, None if the filter is not separable.
    """

    reads: slice
    up: Tensor
    down: Tensor | None


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
        trained = torch.is_grad_enabled()
        tile = TRAINED_TILE if trained else TILE
        with torch.inference_mode(False), torch.no_grad():  # kept, and not part of what is trained
            prepared = self._cache.get(
                (x.dtype, x.device, tile), lambda: self._prepared(up_filter, down_filter, x, tile)
            )
        if trained and prepared[0][0].down is not None:
            return torch.cat([self._trained(one, prepared[0]) for one in x.split(1)])
        return one_by_one(lambda one: self._run(one, *prepared), x)

    def forget(self) -> None:
        self._cache.forget()

    def _run(self, x: Tensor, spans: list[Span], kernel: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # channels last
        return torch.cat([torch.cat([self._tile(x, row, column, kernel) for column in spans], 3) for row in spans], 2)

    def _tile(self, x: Tensor, row: Span, column: Span, kernel: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, C, h', w')"""
        part = x[:, row.reads, column.reads]
        y = torch.matmul(row.up, part.flatten(2)).unflatten(2, part.shape[2:])
        y = self._activated(torch.matmul(column.up, y)).permute(0, 3, 1, 2)
        return F.conv2d(y, kernel.expand(y.shape[1], 1, -1, -1), stride=self.down, groups=y.shape[1])

    def _trained(self, x: Tensor, spans: list[Span]) -> Tensor:
        """One picture, with gradients and a separable filter: products of two matrices, in the order (h, C, w)."""
        x, rows = x[0].transpose(0, 1).contiguous(), []
        for row in spans:
            tiles = []
            for column in spans:
                y = torch.tensordot(row.up, x[row.reads, :, column.reads], 1)
                y = F.linear(self._activated(F.linear(y, column.up)), column.down)
                tiles.append(torch.tensordot(row.down, y, 1))
            rows.append(torch.cat(tiles, 2))
        return torch.cat(rows).transpose(0, 1)[None]

    def _activated(self, x: Tensor) -> Tensor:
        """The leaky ReLU, whose gain has been applied, and the clamp; they overwrite x except in training."""
        trained, limit = torch.is_grad_enabled(), self.clamp
        x = F.leaky_relu(x, SLOPE, inplace=not trained)
        if limit is None:
            return x
        return x.clamp(-limit, limit) if trained else x.clamp_(-limit, limit)

    def _prepared(
        self, up_filter: Tensor | None, down_filter: Tensor | None, like: Tensor, tile: int
    ) -> tuple[list[Span], Tensor]:
        up_taps = np.ones(1) if up_filter is None else up_filter.double().cpu().numpy()
        taps = torch.ones(1, device=like.device) if down_filter is None else down_filter
        kernel = (torch.outer(taps, taps) if taps.dim() == 1 else taps).flip(0, 1)
        between = (self.out - 1) * self.down + len(taps)
        total = between - self.size * self.up + len(up_taps) - 1
        before = (total + self.up) // 2  # the middle of the map stays where it is
        # The leaky ReLU's gain may go before it, a root of it along each axis.
        up = math.sqrt(GAIN) * upsampling_matrix(up_taps, self.size, self.up, before, between)
        down = taps.flip(0).double().cpu().numpy() if taps.dim() == 1 else None
        return self._axis(up, len(taps), down, like, tile), kernel[None, None].to(like.dtype)

    def _axis(self, up: np.ndarray, taps: int, down: np.ndarray | None, like: Tensor, tile: int) -> list[Span]:
        count = math.ceil(self.out / tile)
        edges = [round(i * self.out / count) for i in range(count + 1)]
        spans = []
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            rows = up[first * self.down : (last - 1) * self.down + taps]
            used = np.flatnonzero(rows.any(0))
            reads = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
            back = None if down is None else band(down, last - first, self.down)
            matrices = (
                None if m is None else torch.tensor(m).to(like.device, like.dtype) for m in (rows[:, reads], back)
            )
            spans.append(Span(reads, *matrices))
        return spans


def band(taps: np.ndarray, outputs: int, step: int) -> np.ndarray:
    """The matrix (outputs, positions) that correlates positions with the taps, one output each `step` of them."""
    matrix = np.zeros((outputs, (outputs - 1) * step + len(taps)))
    for n, row in enumerate(matrix):
        row[n * step : n * step + len(taps)] = taps
    return matrix
