"""Modulated convolutions with demodulation, for StyleGAN2 and StyleGAN3.

A style scales the input channels, and demodulation divides the output channels by the resulting change of their size.
Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, section 2.2.  Modulating the
features and scaling the result of each channel equals modulating the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rewriting.generators.base import EPSILON
from rewriting.generators.convolution import KernelCache, Weight, convolve, fastest, one_by_one
from rewriting.generators.winograd import WinogradKernel


class DemodulatedConv(nn.Module):
    """y = demodulation(s) * linear(s * x), demodulation_o = (sum_i,taps (scale W_oi s_i)^2 + 1e-8)^-1/2.

    It implements the interface of `Generator.conv`; a subclass sets weight, scale and padding.
    """

    upsample, demodulate = False, True
    weight: nn.Parameter
    scale: float
    padding: int

    def __init__(self) -> None:
        super().__init__()
        self._cache: KernelCache[tuple[Tensor | WinogradKernel, Tensor]] = KernelCache()

    def kernel(self, weight: Tensor) -> Tensor:
        """(O, I, kh, kw), or (1, O, I, kh, kw) -> the kernel of `linear`, scaled."""
        return weight.reshape(weight.shape[-4:]) * self.scale

    def energy(self, weight: Tensor) -> Tensor:
        """(O, I): the sum over taps of the scaled weight's square, for the demodulation."""
        return (weight.reshape(weight.shape[-4:]) * self.scale).square().sum((2, 3))

    def linear(self, key: Tensor, kernel: Tensor | WinogradKernel, *, in_place: bool = False) -> Tensor:
        """(B, I, h, w) -> (B, O, h', w'), which may overwrite the key if `in_place`."""
        return convolve(key, kernel, self.padding, in_place=in_place)

    def unchanged(self, key: Tensor) -> Tensor:
        """`linear` with its own weight, whose kernel is cached."""
        kernel, _ = self.prepared(None, key.dtype, key.shape[-1])
        return self.linear(key.contiguous(memory_format=torch.channels_last), kernel)

    def prepared(self, weight: Weight | None, dtype: torch.dtype, side: int) -> tuple[Tensor | WinogradKernel, Tensor]:
        """(kernel, energy) of another weight or of its own, for keys of that side."""
        if not isinstance(weight, Tensor):
            own, cache = (self.weight, self._cache) if weight is None else (weight.weight, weight.cache)
            return cache.get((dtype, side), lambda: self.prepared(own, dtype, side))
        kernel = self.kernel(weight).to(dtype)
        kernel = kernel.contiguous(memory_format=torch.channels_last) if self.upsample else fastest(kernel, side)
        return kernel, self.energy(weight)

    def forget(self) -> None:
        self._cache.forget()

    def parts(
        self, key: Tensor, style: Tensor, weight: Weight | None = None, *, in_place: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The convolution before demodulation (B, O, h', w'), and the demodulation (B, O, 1, 1)."""
        kernel, energy = self.prepared(weight, key.dtype, key.shape[-1])
        y = self.linear(key.contiguous(memory_format=torch.channels_last), kernel, in_place=in_place)
        total = one_by_one(lambda row: row.square() @ energy.t(), style)
        return y, torch.rsqrt(total + EPSILON)[:, :, None, None].to(y.dtype)


def scaled(x: Tensor, factor: Tensor, *, in_place: bool = False) -> Tensor:
    """Features (B, I, h, w) times (B, I), which may overwrite x if `in_place` and not trained."""
    factor = factor[:, :, None, None].to(x.dtype)
    return x.mul_(factor) if in_place and not torch.is_grad_enabled() else x * factor
