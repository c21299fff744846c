"""The sampling rates of the layers of a StyleGAN3.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021, section 3.2 and Appendix C.
Frequencies and rates are per side of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from rewriting.checks import brief, check_fields, flag, number, optional, whole

TAKES = {
    "kernel_size": whole(1, 3),
    "radial": flag,
    "critical_layers": whole(1, 30),
    "first_cutoff": number(0.25, 512),
    "first_stopband": number(0.25, 1024),
    "last_stopband_rel": number(1, 4),
    "margin": whole(0, 64),
    "output_scale": number(1e-6, 1e6),
    "filter_size": whole(2, 16),
    "upsampling": whole(1, 4),
    "clamp": optional(number(1e-6, 1e30)),
}


@dataclass(frozen=True)
class Sampling:
    """The common settings of all layers of a StyleGAN3; the defaults are those of the paper's configuration T.

    kernel_size: side of the convolutions' kernels, 3 in configuration T and 1 in R.
    radial: whether the downsampling filters are the same in all directions, as in R.
    critical_layers: the number of last layers that are sampled at the picture's rate, without a transition band.
    first_cutoff, first_stopband: of the first layer.  last_stopband_rel: the last layer's stopband, relative to its
    cutoff.
    margin: positions around the picture, on each side.  output_scale: of the colours.
    filter_size: taps of a filter at the lower of its two rates.  upsampling: the density of the leaky ReLU's grid,
    relative to the layer's.
    clamp: the limit of the leaky ReLU's values, None for no limit.
    Raises ValueError, in one sentence, for an impossible value.
    """

    kernel_size: int = 3
    radial: bool = False
    critical_layers: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin: int = 10
    output_scale: float = 0.25
    filter_size: int = 6
    upsampling: int = 2
    clamp: float | None = 256.0

    def __post_init__(self) -> None:
        check_fields(self, TAKES)
        if self.kernel_size == 2:
            raise ValueError("kernel_size 2 has no middle; the convolutions of a StyleGAN3 have 1 or 3.")

    @classmethod
    def of(cls, table: Mapping[str, object]) -> Sampling:
        """Read a JSON object, which may omit default values."""
        unknown = table.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(
                f"sampling has the unknown key {brief(min(map(str, unknown)))}; is it of a later version?"
            )
        return cls(**table)

    def bands(self, resolution: int, layers: int) -> list[Band]:
        """The outputs of all layers and of the colours, layers + 1.  Raises ValueError for impossible settings."""
        if self.critical_layers >= layers:
            raise ValueError(f"sampling has {self.critical_layers} critical layers of {layers}; expected fewer.")
        last_cutoff = resolution / 2
        found = []
        for n in range(layers + 1):
            share = min(n / (layers - self.critical_layers), 1)
            cutoff = self.first_cutoff * (last_cutoff / self.first_cutoff) ** share
            stopband = self.first_stopband * (last_cutoff * self.last_stopband_rel / self.first_stopband) ** share
            rate = 2 ** math.ceil(math.log2(min(2 * stopband, resolution)))
            size = resolution if n >= layers - 1 else rate + 2 * self.margin
            found.append(Band(size, rate, cutoff, max(stopband, rate / 2) - cutoff))
        if not all(band.half_width > 0 and band.cutoff <= band.rate / 2 for band in found):
            raise ValueError("sampling has cutoffs above the stopbands or the sampling rates; no filter can do that.")
        return found


@dataclass(frozen=True)
class Band:
    """A signal on a grid.  size: positions on a side.  rate: positions per side of the picture.  cutoff: its highest
    frequency.  half_width: of the transition band."""

    size: int
    rate: int
    cutoff: float
    half_width: float


def resampling(into: Band, out: Band, sampling: Sampling) -> tuple[int, int]:
    """The factors of upsampling before the leaky ReLU and of downsampling after it, for a layer between two bands."""
    between = max(into.rate, out.rate) * sampling.upsampling
    return between // into.rate, between // out.rate
