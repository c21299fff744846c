"""Convolutions of a generator's layers: the same in every batch, and on a CPU with fewer multiplications.

A 3x3 convolution of many channels is done a tile at a time: 4x4 outputs from 6x6 inputs by 36 products instead of 144
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: Winograd's F(4x4, 3x3)).  It is the
same convolution, added up in another order: about 2.5 times as fast at 512 channels, and off by some 4e-5 of a
feature's size where the direct one is off by 1e-5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL_MAP = 8  # side of a feature map up to which convolutions run picture by picture: see `one_by_one`

LEAST_SIDE = 16  # smaller maps have too few tiles to share a kernel
LEAST_CHANNELS = 64  # with fewer, the sums around the products cost more than the products saved
BAND = 128  # tiles worked on together, so that they stay in the caches
NARROW = 48  # channels up to which `shifted` works on rows of positions
LARGE = 10 << 20  # bytes from which on a map is dear to have, since the system hands out its memory page by page

# The interpolation points are 0, 1, -1, 2, -2 and infinity.
OF_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
OF_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
OF_OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


T = TypeVar("T")


class Kept(Generic[T]):
    """What a layer makes of its own weight, made once; in training, where weights change, every time."""

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if torch.is_grad_enabled():
            return make()
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def forget(self) -> None:
        self._made.clear()


def one_by_one(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`run` on every picture of a batch by itself, so that it rounds the same in every batch.

    A matrix product adds up in another order for another number of rows, and so does a convolution of a small map;
    both are so cheap that it costs nothing.  Training, where the batch is what it is, runs them together.
    """
    if len(x) == 1 or torch.is_grad_enabled():
        return run(x)
    return torch.cat([run(one) for one in x.split(1)])


def fastest(kernel: Tensor, side: int) -> Tensor:
    """A kernel (O, I, kh, kw), as `convolve` takes it for maps of that side: laid out, or transformed to (36, I, O).

    Transformed it is four times as large, and has no gradient.
    """
    wide = kernel.shape[2:] == (3, 3) and min(kernel.shape[:2]) >= LEAST_CHANNELS
    if wide and side >= LEAST_SIDE and _counts_products(kernel) and not torch.is_grad_enabled():
        return transformed(kernel)
    return kernel.contiguous(memory_format=torch.channels_last)


def convolve(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """(B, I, h, w), channels last, and a kernel from `fastest` -> (B, O, h', w'), the same in every batch."""
    if kernel.dim() == 3:
        return by_tiles(x, kernel)
    if x.shape[-1] > SMALL_MAP:
        return F.conv2d(x, kernel, padding=padding)
    return one_by_one(lambda one: F.conv2d(one, kernel, padding=padding), x)


def upsampling(run: Callable[[Tensor], Tensor], x: Tensor, channels: int) -> Tensor:
    """`run`, which makes every row two and reads one row further, a band of rows at a time where maps are `LARGE`.

    (B, I, h, w) -> (B, O, 2h, 2w).  channels: O.  In training, and on a GPU, all rows together.
    """
    height, width = x.shape[2:]
    bands = math.ceil(4 * channels * height * width * x.element_size() / LARGE)
    if bands == 1 or x.device.type != "cpu" or torch.is_grad_enabled():
        return one_by_one(run, x)
    out = torch.empty(len(x), 2 * height, 2 * width, channels, dtype=x.dtype, device=x.device).permute(0, 3, 1, 2)
    rows = math.ceil(height / bands)
    for picture, drawn in zip(x.split(1), out.split(1), strict=True):
        for top in range(0, height, rows):
            first = max(0, top - 1)
            part = run(picture[:, :, first : top + rows + 1])[:, :, 2 * (top - first) :]
            drawn[:, :, 2 * top : 2 * (top + rows)] = part[:, :, : 2 * min(rows, height - top)]
    return out


def pointwise(x: Tensor, kernel: Tensor) -> Tensor:
    """1x1 convolution, every picture with a kernel of its own: (B, I, h, w), (B, O, I) -> (B, O, h, w)."""
    if x.device.type != "cpu" or torch.is_grad_enabled() or not len(x):
        return torch.bmm(kernel, x.flatten(2)).unflatten(2, x.shape[2:])
    pairs = zip(x.split(1), kernel[:, :, :, None, None], strict=True)
    return torch.cat([F.conv2d(one, own) for one, own in pairs])


def shifted(y: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """offset + scale * y, written over y unless it is trained.  y: (B, O, h, w), channels last; scale: (B, O, 1, 1);
    offset: (1, O, 1, 1).

    PyTorch's innermost loop is as long as there are channels, which in bfloat16 is slow where these are few.
    """
    if torch.is_grad_enabled():
        return torch.addcmul(offset, y, scale)
    if y.shape[1] > NARROW or not y.is_contiguous(memory_format=torch.channels_last):
        return torch.addcmul(offset, y, scale, out=y)
    rows = y.permute(0, 2, 3, 1).flatten(2)  # (B, h, w O)
    offset, scale = (of.flatten(1).repeat(1, y.shape[3])[:, None] for of in (offset, scale))
    torch.addcmul(offset, rows, scale, out=rows)
    return y


def transformed(kernel: Tensor) -> Tensor:
    """(O, I, 3, 3) -> (36, I, O): what each of a tile's 36 numbers is multiplied by."""
    out, inp = kernel.shape[:2]
    spread = torch.tensor(OF_KERNEL, dtype=kernel.dtype)
    rows = spread @ kernel.permute(2, 3, 1, 0).reshape(3, -1)  # (6, 3 I O)
    return torch.matmul(spread, rows.view(6, 3, -1)).transpose(0, 1).reshape(36, inp, out)


def by_tiles(x: Tensor, kernel: Tensor) -> Tensor:
    """3x3 convolution, padded by 1.  x: (B, I, h, w); kernel: (36, I, O) -> (B, O, h, w)."""
    batch, _, height, width = x.shape
    out = x.new_empty(batch, height, width, kernel.shape[2])
    across = math.ceil(width / 4)
    rows = 4 * max(1, BAND // across)
    for picture, drawn in zip(x.permute(0, 2, 3, 1), out, strict=True):
        for top in range(0, height, rows):
            band, above = picture[max(0, top - 1) : top + rows + 1], int(top == 0)
            here = min(rows, height - top)
            below = 4 * math.ceil(here / 4) + 2 - above - len(band)
            padded = F.pad(band, (0, 0, 1, 4 * across + 1 - width, above, below))
            drawn[top : top + rows] = _band(padded, kernel)[:here, :width]
    return out.permute(0, 3, 1, 2)


def _band(padded: Tensor, kernel: Tensor) -> Tensor:
    """(4 h + 2, 4 w + 2, I) -> (4 h, 4 w, O).  A transform is a product with a small matrix, down, then across."""
    spread, gather = (torch.tensor(matrix, dtype=padded.dtype) for matrix in (OF_INPUT, OF_OUTPUT))
    h, w = len(padded) // 4, padded.shape[1] // 4
    down = spread @ padded.unfold(0, 6, 4).permute(3, 0, 1, 2).reshape(6, -1)
    across = down.view(6, h, padded.shape[1], -1).unfold(2, 6, 4)  # (6, h, w, I, 6)
    tiles = spread @ across.permute(4, 0, 1, 2, 3).reshape(6, -1)
    products = torch.bmm(tiles.view(36, h * w, -1), kernel)
    y = gather @ (gather @ products.view(6, -1)).view(4, 6, -1)  # (4 across, 4 down, h w O)
    return y.view(4, 4, h, w, -1).permute(2, 1, 3, 0, 4).reshape(4 * h, 4 * w, -1)


def _counts_products(kernel: Tensor) -> bool:
    """Whether products are what a convolution takes its time for: a GPU's library chooses its algorithm itself."""
    return kernel.device.type == "cpu" and kernel.dtype == torch.float32
