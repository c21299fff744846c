"""The input of a generator's layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LayerInput:
    """The input of a layer for B pictures.  With the layer's value, it determines the rest of the picture.

    key: (B, I, h, w), the features that enter the convolution; in StyleGAN2, after modulation.
    style: (B, I), the modulation, which demodulation needs; None in a Progressive GAN and a StyleGAN1.
    latent: from `Generator.map`, for the later layers; None in a Progressive GAN.
    skip: what goes around the layer: (B, 3, r, r), the sum of the toRGB outputs so far, or, in a residual block, the
    features (B, O, r, r) that are added to its output after upsampling; None without either.
    origins: for parts of pictures, the (top, left) of each in sides of the picture, which selects its noise; empty for
    whole pictures.
    full_size: whether smaller pictures are averaged from the full size.  An inverted picture needs this, because its
    inversion fits only the full size.
    """

    key: Tensor
    style: Tensor | None = None
    latent: Tensor | None = None
    skip: Tensor | None = None
    origins: tuple[tuple[float, float], ...] = ()
    full_size: bool = False

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, index: slice) -> LayerInput:
        return LayerInput(
            *[None if t is None else t[index] for t in self._tensors()], self.origins[index], self.full_size
        )

    def rows(self, first: int, stop: int) -> LayerInput:
        """Rows `first` to `stop` - 1 of whole pictures, or up to the last row, as parts of these pictures."""
        height, key = self.key.shape[2], self.key[:, :, first:stop]
        skip = None if self.skip is None else self.skip[:, :, first:stop]
        return LayerInput(key, self.style, self.latent, skip, ((first / height, 0.0),) * len(self), self.full_size)

    def split(self) -> Iterator[LayerInput]:
        """The inputs of single pictures, as copies that do not keep the batch alive."""
        if len(self) == 1:
            yield self
            return
        for i in range(len(self)):
            one = self[i : i + 1]
            yield LayerInput(*[None if t is None else t.clone() for t in one._tensors()], one.origins, one.full_size)

    @staticmethod
    def cat(inputs: Sequence[LayerInput]) -> LayerInput:
        import torch  # slow to import, and the list of generators does not need it

        columns = zip(*[one._tensors() for one in inputs], strict=True)
        tensors = [None if column[0] is None else torch.cat(column) for column in columns]
        origins = tuple(origin for one in inputs for origin in one.origins)
        return LayerInput(*tensors, origins, any(one.full_size for one in inputs))

    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in self._tensors() if t is not None)

    def _tensors(self) -> tuple[Tensor | None, ...]:
        return self.key, self.style, self.latent, self.skip
