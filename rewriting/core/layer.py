"""One editable layer: exact f(k, s; W), and its factored form for a low-rank change of W.

With W = W0 + Lambda D the convolution of output channel o splits into (W0 * k)_o + Lambda_o * (D k): the wide
convolution is needed once, and what Lambda adds is a small convolution of the projected keys D k.  Demodulation is the
inverse root of a quadratic in Lambda_o whose coefficients are fixed.  So each output channel is a problem of its own,
in 9 S numbers.  Source of the update rule: Bau et al. 2020, eq. 15 to 17; of the layer: Karras et al. 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rewriting.generators import Generator, LayerInput
from rewriting.generators.base import EPSILON, Activation
from rewriting.generators.threads import single_threaded


class EditableLayer:
    """f(k, s; W) of one layer of a generator, which stays as it is.

    number: the layer's.  weight: (O, I, kh, kw), W0 as stored.  ratio: 2 if the value is twice the key's size, else 1.
    """

    def __init__(self, generator: Generator, number: int):
        self.generator, self.number = generator, generator.check_layer(number)
        self._conv = generator.conv(number)
        self.weight = self._conv.weight.detach().reshape(self._conv.weight.shape[-4:])
        self.ratio = 2 if self._conv.upsample else 1

    @property
    def taps(self) -> int:
        """kh * kw"""
        return self.weight.shape[2] * self.weight.shape[3]

    def value(self, at: LayerInput, weight: Tensor | None = None) -> Tensor:
        """(B, I, h, w) -> (B, O, h', w'), float32, whatever the generator computes its pictures in."""
        return self.generator.value(self.number, replace(at, key=at.key.float()), weight)

    def factor(self, at: LayerInput, directions: Tensor, positions: Tensor) -> Factored:
        """The factored layer at chosen positions of one picture.

        at: one picture's.  directions: (S, I).  positions: bool (h', w') over the value's map.
        """
        conv, chosen, key = self._conv, positions.flatten(), at.key.float()
        flat_weight = self.weight.flatten(2)
        projected = torch.einsum("si,bihw->bshw", directions, key)
        patches = conv.linear(projected, conv.kernel(self._basis(len(directions))))[0].flatten(1)
        fixed = conv.unchanged(key)[0].flatten(1)
        offset = self.generator.offset(self.number).detach()[0].expand(-1, *positions.shape).flatten(1)
        if not conv.demodulate:
            norm = linear = gram = None
        else:
            scale, energy = conv.scale**2, at.style[0].square()
            norm = conv.energy(self.weight) @ energy + EPSILON
            linear = scale * torch.einsum("i,oin,si->osn", energy, flat_weight, directions).flatten(1)
            small = scale * torch.einsum("i,si,ri->sr", energy, directions, directions)
            gram = torch.kron(small, torch.eye(self.taps, device=small.device))
        return Factored(
            patches[:, chosen].t().contiguous(),
            fixed[:, chosen],
            offset[:, chosen],
            norm,
            linear,
            gram,
            self.generator.activation,
        )

    def _basis(self, rank: int) -> Tensor:
        """(9 S, S, kh, kw): a unit kernel for each number of one channel's Lambda."""
        kh, kw = self.weight.shape[2:]
        return torch.eye(rank * kh * kw, device=self.weight.device).view(-1, rank, kh, kw)


@single_threaded()
def expand(factor: Tensor, directions: Tensor) -> Tensor:
    """Lambda (O, S, kh, kw) and D (S, I) -> Lambda D, (O, I, kh, kw): paper, eq. 15."""
    return torch.einsum("oshw,si->oihw", factor, directions)


@dataclass(frozen=True)
class Factored:
    """The layer at T positions of one picture, as a function of Lambda (O, n), n = 9 S.

    patches: (T, n), the projected keys each position sees.  fixed: (O, T), W0's convolution there.
    offset: (O, T).  norm: (O,), linear: (O, n), gram: (n, n): demodulation_o = (norm_o + 2 Lambda_o linear_o +
    Lambda_o gram Lambda_o)^-1/2; None without demodulation.
    """

    patches: Tensor
    fixed: Tensor
    offset: Tensor
    norm: Tensor | None
    linear: Tensor | None
    gram: Tensor | None
    activation: Activation

    def value(self, factor: Tensor) -> Tensor:
        """Lambda (O, n) -> v (O, T)"""
        y = self.fixed + factor @ self.patches.t()
        if self.norm is not None:
            quadratic = self.norm + 2 * (factor * self.linear).sum(1) + ((factor @ self.gram) * factor).sum(1)
            y = y * quadratic.clamp_min(EPSILON).rsqrt()[:, None]
        y = y + self.offset
        return self.activation(y)
