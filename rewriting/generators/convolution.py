"""Convolutions of a generator's layers, equal in every batch, and with fewer multiplications on a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.generators.winograd import WinogradKernel, winograd_convolution

SMALL_MAP = 8  # largest side of a feature map for convolutions picture by picture, see `one_by_one`

LEAST_SIDE = 16  # smaller maps have too few tiles for a Winograd kernel
LEAST_CHANNELS = 64  # with fewer, the Winograd transforms cost more than the saved products
NARROW = 48  # most channels for which `shifted` works on rows of positions
LARGE = 10 << 20  # bytes of an expensive map, because the system provides its memory page by page

T = TypeVar("T")


class KernelCache(Generic[T]):
    """A cache of kernels that a layer derives from its weight; in training, where weights change, it caches nothing.

    A copy of the layer has an empty cache.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}

    def __reduce__(self) -> tuple[type[KernelCache[T]], tuple[()]]:
        return KernelCache, ()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if torch.is_grad_enabled():
            return make()
        made = self._made.get(key)  # another thread may clear the cache meanwhile
        if made is None:
            made = self._made[key] = make()
        return made

    def forget(self) -> None:
        self._made.clear()


class Replacement:
    """Another weight (O, I, kh, kw) for a layer, with a cache of its kernels for several pictures."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.cache: KernelCache[Any] = KernelCache()


Weight = Tensor | Replacement


def one_by_one(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Call `run` on every picture of a batch separately, so that the rounding does not depend on the batch.

    The order of addition in a matrix product, or in a convolution of a small map, depends on the number of rows; both
    are cheap enough to run separately.  Training runs the whole batch together.
    """
    if len(x) == 1 or torch.is_grad_enabled():
        return run(x)
    return torch.cat([run(one) for one in x.split(1)])


def fastest(kernel: Tensor, side: int) -> Tensor | WinogradKernel:
    """Prepare a kernel (O, I, kh, kw) for `convolve` on maps of that side."""
    wide = kernel.shape[2:] == (3, 3) and min(kernel.shape[:2]) >= LEAST_CHANNELS
    if wide and side >= LEAST_SIDE and _counts_products(kernel) and not torch.is_grad_enabled():
        return WinogradKernel(kernel, side)
    return kernel.contiguous(memory_format=torch.channels_last)


def convolve(x: Tensor, kernel: Tensor | WinogradKernel, padding: int, *, in_place: bool = False) -> Tensor:
    """Convolve (B, I, h, w), channels last, with a kernel from `fastest`: (B, O, h', w'), equal in every batch.

    in_place: whether the result may overwrite x to save memory.
    """
    if isinstance(kernel, WinogradKernel):
        return winograd_convolution(x, kernel, in_place=in_place)
    if kernel.shape[2:] == (1, 1):
        return pointwise(x, kernel[:, :, 0, 0].expand(len(x), -1, -1))
    if x.shape[-1] > SMALL_MAP:
        return F.conv2d(x, kernel, padding=padding)
    return one_by_one(lambda one: F.conv2d(one, kernel, padding=padding), x)


def upsampling(run: Callable[[Tensor], Tensor], x: Tensor, channels: int, reach: int = 1) -> Tensor:
    """Call `run`, which upsamples by 2 and reads `reach` rows beyond, in bands of rows if the maps are `LARGE`.

    (B, I, h, w) -> (B, O, 2h, 2w).  channels: O.  In training, and on a GPU, all rows run together.
    """
    height, width = x.shape[2:]
    bands = math.ceil(4 * channels * height * width * x.element_size() / LARGE)
    if bands == 1 or x.device.type != "cpu" or torch.is_grad_enabled():
        return one_by_one(run, x)
    out = torch.empty(len(x), 2 * height, 2 * width, channels, dtype=x.dtype, device=x.device).permute(0, 3, 1, 2)
    rows = math.ceil(height / bands)
    for picture, drawn in zip(x.split(1), out.split(1), strict=True):
        for top in range(0, height, rows):
            first = max(0, top - reach)
            part = run(picture[:, :, first : top + rows + reach])[:, :, 2 * (top - first) :]
            drawn[:, :, 2 * top : 2 * (top + rows)] = part[:, :, : 2 * min(rows, height - top)]
    return out


def pointwise(x: Tensor, kernel: Tensor) -> Tensor:
    """1x1 convolution with a kernel for each picture: (B, I, h, w), (B, O, I) -> (B, O, h, w).

    On a CPU this is a matrix product, because the order of addition in a convolution with few outputs depends on the
    number of threads.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled() or not len(x):
        return torch.bmm(kernel, x.flatten(2)).unflatten(2, x.shape[2:])
    pairs = zip(x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).split(1), kernel, strict=True)
    return torch.cat([one @ own.t() for one, own in pairs]).permute(0, 3, 1, 2)


def shifted(y: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """offset + scale * y, which overwrites y except in training.  y: (B, O, h, w), channels last; scale: (B, O, 1, 1);
    offset: (1, O, 1, 1).

    PyTorch's innermost loop runs over the channels, which is slow for few channels in bfloat16.
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
    """Whether fewer products make a convolution faster; a GPU's library chooses its algorithm itself."""
    return kernel.device.type == "cpu" and kernel.dtype == torch.float32
