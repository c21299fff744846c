"""Convolutions of a generator's layers: the same in every batch, and on a CPU with fewer multiplications."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.generators.winograd import WinogradKernel, winograd_convolution

SMALL_MAP = 8  # side of a feature map up to which convolutions run picture by picture: see `one_by_one`

LEAST_SIDE = 16  # smaller maps have too few tiles to share a kernel
LEAST_CHANNELS = 64  # with fewer, the sums around the products cost more than the products saved
NARROW = 48  # channels up to which `shifted` works on rows of positions
LARGE = 10 << 20  # bytes from which on a map is dear to have, since the system hands out its memory page by page

T = TypeVar("T")


class KernelCache(Generic[T]):
    """What a layer makes of its own weight, made once; in training, where weights change, every time.

    A copy of the layer makes its own.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}

    def __reduce__(self) -> tuple[type[KernelCache[T]], tuple[()]]:
        return KernelCache, ()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if torch.is_grad_enabled():
            return make()
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def forget(self) -> None:
        self._made.clear()


class Replacement:
    """Another weight (O, I, kh, kw) for a layer, with what is made of it: for more than one picture."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.cache: KernelCache[Any] = KernelCache()


Weight = Tensor | Replacement


def one_by_one(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`run` on every picture of a batch by itself, so that it rounds the same in every batch.

    A matrix product adds up in another order for another number of rows, and so does a convolution of a small map;
    both are so cheap that it costs nothing.  Training, where the batch is what it is, runs them together.
    """
    if len(x) == 1 or torch.is_grad_enabled():
        return run(x)
    return torch.cat([run(one) for one in x.split(1)])


def fastest(kernel: Tensor, side: int) -> Tensor | WinogradKernel:
    """A kernel (O, I, kh, kw), as `convolve` takes it for maps of that side."""
    wide = kernel.shape[2:] == (3, 3) and min(kernel.shape[:2]) >= LEAST_CHANNELS
    if wide and side >= LEAST_SIDE and _counts_products(kernel) and not torch.is_grad_enabled():
        return WinogradKernel(kernel, side)
    return kernel.contiguous(memory_format=torch.channels_last)


def convolve(x: Tensor, kernel: Tensor | WinogradKernel, padding: int, *, in_place: bool = False) -> Tensor:
    """(B, I, h, w), channels last, and a kernel from `fastest` -> (B, O, h', w'), the same in every batch.

    in_place: whether x may be written over, where that saves memory.
    """
    if isinstance(kernel, WinogradKernel):
        return winograd_convolution(x, kernel, in_place=in_place)
    if kernel.shape[2:] == (1, 1):
        return pointwise(x, kernel[:, :, 0, 0].expand(len(x), -1, -1))
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
    """1x1 convolution, every picture with a kernel of its own: (B, I, h, w), (B, O, I) -> (B, O, h, w).

    On a CPU a product of matrices and no convolution: with few outputs the convolution adds up in another order for
    another number of threads.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled() or not len(x):
        return torch.bmm(kernel, x.flatten(2)).unflatten(2, x.shape[2:])
    pairs = zip(x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).split(1), kernel, strict=True)
    return torch.cat([one @ own.t() for one, own in pairs]).permute(0, 3, 1, 2)


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


def _counts_products(kernel: Tensor) -> bool:
    """Whether products are what a convolution takes its time for: a GPU's library chooses its algorithm itself."""
    return kernel.device.type == "cpu" and kernel.dtype == torch.float32
