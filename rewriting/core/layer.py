"""One editable layer: exact f(k, s; W), and its factored form for a low-rank change of W.

With W = W0 + Lambda D the convolution of output channel o splits into (W0 * k)_o + Lambda_o * (D k): the wide
convolution runs once, and Lambda adds a small convolution of the projected keys D k.  Demodulation is the inverse root
of a quadratic in Lambda_o with fixed coefficients.  Each output channel is therefore a problem of its own, in 9 S
numbers.  Source of the update rule: Bau et al. 2020, eq. 15 to 17; of the layer: Karras et al. 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rewriting.core.masks import inside, on_grid
from rewriting.generators import Generator, LayerInput
from rewriting.generators.base import EPSILON, Activation
from rewriting.generators.threads import single_threaded


class EditableLayer:
    """f(k, s; W) of one layer of a generator, which never changes.

    number: of the layer.  weight: (O, I, kh, kw), W0 as stored.  ratio: side of the value over the key's, 1 or 2.
    size: side of the value.  margin, key_margin: positions of the value and of the key outside the picture, on each
    side.  side: positions of the value inside the picture, on a side.
    """

    def __init__(self, generator: Generator, number: int):
        self.generator, self.number = generator, generator.check_layer(number)
        self._conv = generator.conv(number)
        self.weight = self._conv.weight.detach().reshape(self._conv.weight.shape[-4:])
        self.ratio = 2 if self._conv.upsample else 1
        self.size, self.margin = generator.value_size(number), generator.value_margin(number)
        self.side = self.size - 2 * self.margin
        self._key_size, self.key_margin = generator.key_size(number), generator.key_margin(number)

    @property
    def taps(self) -> int:
        """kh * kw, the positions of the kernel."""
        return self.weight.shape[2] * self.weight.shape[3]

    def painted(self, mask: np.ndarray) -> Tensor:
        """The painted share of each position of the value: uint8 (H, H) -> float32 (h', w')."""
        return torch.from_numpy(on_grid(mask, self.size, self.margin)).to(self.weight.device)

    def painted_key(self, mask: np.ndarray) -> Tensor:
        """The painted share of each position of the key: uint8 (H, H) -> float32 (h, w)."""
        return torch.from_numpy(on_grid(mask, self._key_size, self.key_margin)).to(self.weight.device)

    def seen(self, at: LayerInput) -> LayerInput:
        """The layer input without the margin of its key."""
        return replace(at, key=inside(at.key, self.key_margin))

    def value(self, at: LayerInput, weight: Tensor | None = None) -> Tensor:
        """The value for keys (B, I, h, w): (B, O, h', w'), in float32 for every precision of the generator."""
        return self.generator.value(self.number, replace(at, key=at.key.float()), weight)

    def factor(self, at: LayerInput, directions: Tensor, positions: Tensor) -> Factored:
        """The factored layer at chosen positions of one picture.

        at: the layer input of one picture.  directions: (S, I).  positions: bool (h', w') over the value's map.
        """
        conv, chosen, key = self._conv, positions.flatten(), at.key.float()
        flat_weight = self.weight.flatten(2)
        projected = torch.einsum("si,bihw->bshw", directions, key)
        patches = conv.linear(projected, conv.kernel(self._basis(len(directions))))[0].flatten(1)
        fixed = conv.unchanged(key)[0].flatten(1)
        offset = self.generator.offset(self.number).detach()[0].expand(-1, *positions.shape).flatten(1)
        if not conv.demodulate:
            norm = cross = gram = None
        else:
            scale, energy = conv.scale**2, at.style[0].square()
            norm = (self._energy @ energy + EPSILON)[None]
            weighted = (directions * energy).expand(len(flat_weight), -1, -1)
            cross = scale * torch.bmm(weighted, flat_weight).flatten(1)[None]  # an einsum would copy the weight
            small = scale * torch.einsum("i,si,ri->sr", energy, directions, directions)
            gram = torch.kron(small, torch.eye(self.taps, device=small.device))[None]
        patches = patches[:, chosen].t().contiguous()
        return Factored(
            patches,
            fixed[:, chosen],
            offset[:, chosen],
            torch.zeros(len(patches), dtype=torch.long, device=patches.device),
            norm,
            cross,
            gram,
            self.generator.activation,
        )

    @cached_property
    def _energy(self) -> Tensor:
        """(O, I), of the layer's own weight."""
        return self._conv.energy(self.weight)

    def _basis(self, rank: int) -> Tensor:
        """(9 S, S, kh, kw): a unit kernel for each entry of one channel's Lambda."""
        kh, kw = self.weight.shape[2:]
        return torch.eye(rank * kh * kw, device=self.weight.device).view(-1, rank, kh, kw)


@single_threaded()
def expand(factor: Tensor, directions: Tensor) -> Tensor:
    """Lambda (O, S, kh, kw) and D (S, I) -> Lambda D, (O, I, kh, kw): paper, eq. 15."""
    return torch.einsum("oshw,si->oihw", factor, directions)


@dataclass(frozen=True)
class Factored:
    """The layer at T positions of M pictures, as a function of Lambda (O, n), n = 9 S.

    patches: (T, n), the projected keys under the kernel at each position.  fixed: (O, T), the convolution by W0.
    offset: (O, T), noise and bias.  picture: (T,), the index of each position's picture.
    norm: (M, O), cross: (M, O, n), gram: (M, n, n): the demodulation of channel o in picture m is
    (norm_mo + 2 Lambda_o cross_mo + Lambda_o gram_m Lambda_o)^-1/2; None without demodulation.
    """

    patches: Tensor
    fixed: Tensor
    offset: Tensor
    picture: Tensor
    norm: Tensor | None
    cross: Tensor | None
    gram: Tensor | None
    activation: Activation

    @staticmethod
    def cat(parts: Sequence[Factored]) -> Factored:
        """The layer in several pictures, from parts in one picture each."""
        demodulated = parts[0].norm is not None
        return Factored(
            torch.cat([part.patches for part in parts]),
            torch.cat([part.fixed for part in parts], 1),
            torch.cat([part.offset for part in parts], 1),
            torch.cat([torch.full_like(part.picture, i) for i, part in enumerate(parts)]),
            torch.cat([part.norm for part in parts]) if demodulated else None,
            torch.cat([part.cross for part in parts]) if demodulated else None,
            torch.cat([part.gram for part in parts]) if demodulated else None,
            parts[0].activation,
        )

    def of_channels(self, chosen: Tensor) -> Factored:
        """The same for chosen output channels, as indices (C,)."""
        return replace(
            self,
            fixed=self.fixed[chosen],
            offset=self.offset[chosen],
            norm=None if self.norm is None else self.norm[:, chosen],
            cross=None if self.cross is None else self.cross[:, chosen],
        )

    def of_pictures(self, chosen: Tensor) -> Factored:
        """The same for chosen pictures, bool (M,)."""
        positions, renumbered = chosen[self.picture], chosen.cumsum(0) - 1
        return Factored(
            self.patches[positions],
            self.fixed[:, positions],
            self.offset[:, positions],
            renumbered[self.picture[positions]],
            None if self.norm is None else self.norm[chosen],
            None if self.cross is None else self.cross[chosen],
            None if self.gram is None else self.gram[chosen],
            self.activation,
        )

    def convolved(self, factor: Tensor) -> Tensor:
        """The convolution before demodulation, (O, T)."""
        return self.fixed + factor @ self.patches.t()

    def demodulation(self, factor: Tensor) -> Tensor | None:
        """The demodulation of each channel in each picture, (M, O); None without demodulation."""
        if self.norm is None:
            return None
        inner = torch.einsum("on,mnk->mok", factor, self.gram)
        quadratic = self.norm + (factor * (2 * self.cross + inner)).sum(2)
        return quadratic.clamp_min(EPSILON).rsqrt()

    def before_activation(self, convolved: Tensor, demodulation: Tensor | None) -> Tensor:
        """The input of the activation, (O, T), from `convolved` and `demodulation`."""
        if demodulation is None:
            return convolved + self.offset
        return convolved * demodulation[self.picture].t() + self.offset

    def value(self, factor: Tensor) -> Tensor:
        """The values v, (O, T)."""
        return self.activation(self.before_activation(self.convolved(factor), self.demodulation(factor)))
