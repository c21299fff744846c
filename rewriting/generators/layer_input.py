"""What arrives at a layer of a generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LayerInput:
    """What arrives at a layer: with the layer's value, all that the rest of the picture depends on.

    key: (B, I, h, w), the features that enter the convolution; in StyleGAN2, after modulation.
    style: (B, I), the modulation, which the demodulation needs; None in a Progressive GAN.
    latent: (B, w_dim), for the layers after; None in a Progressive GAN.
    rgb: (B, 3, r, r), the picture summed up so far; None if there is none yet.
    origins: where each begins, (top, left) in sides of the picture, if parts of pictures arrive: a part has the noise
    of its place.  Empty for whole pictures.
    full_size: whether smaller pictures are averaged from the full size.  What was found for a picture of one's own
    draws that at full size, and what a generator shows on the way need not be the same picture in small.
    """

    key: Tensor
    style: Tensor | None = None
    latent: Tensor | None = None
    rgb: Tensor | None = None
    origins: tuple[tuple[float, float], ...] = ()
    full_size: bool = False

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, index: slice) -> LayerInput:
        return LayerInput(
            *[None if t is None else t[index] for t in self._tensors()], self.origins[index], self.full_size
        )

    def split(self) -> Iterator[LayerInput]:
        """One by one, each a copy that keeps no batch alive."""
        if len(self) == 1:
            yield self
            return
        for i in range(len(self)):
            one = self[i : i + 1]
            yield LayerInput(*[None if t is None else t.clone() for t in one._tensors()], one.origins, one.full_size)

    @staticmethod
    def cat(inputs: Sequence[LayerInput]) -> LayerInput:
        import torch  # slow to import, and the list of generators needs none of it

        columns = zip(*[one._tensors() for one in inputs], strict=True)
        tensors = [None if column[0] is None else torch.cat(column) for column in columns]
        origins = tuple(origin for one in inputs for origin in one.origins)
        return LayerInput(*tensors, origins, any(one.full_size for one in inputs))

    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in self._tensors() if t is not None)

    def _tensors(self) -> tuple[Tensor | None, ...]:
        return self.key, self.style, self.latent, self.rgb
