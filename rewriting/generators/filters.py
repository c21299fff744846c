"""The low-pass filters of the layers of a StyleGAN3, between two sampling rates.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021, section 3.2 and Appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rewriting.generators.sampling_rates import Band, Sampling, resampling


def filters(
    into: Band, out: Band, sampling: Sampling, *, critical: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The filters of a layer between two bands: for upsampling, (taps,), and for downsampling, (taps,) or (taps,
    taps); None if the rate does not change.  critical: whether the layer is one of `Sampling.critical_layers`."""
    (up, down), taps = resampling(into, out, sampling), sampling.filter_size
    between, design = into.rate * up, radial_low_pass if sampling.radial and not critical else low_pass
    return (
        low_pass(taps * up, into.cutoff, into.half_width, between) if up > 1 else None,
        design(taps * down, out.cutoff, out.half_width, between) if down > 1 else None,
    )


def low_pass(taps: int, cutoff: float, half_width: float, rate: float) -> np.ndarray:
    """(taps,), with sum 1: the ideal filter with a Kaiser window."""
    at = np.arange(taps) - (taps - 1) / 2
    ideal = np.sinc(2 * cutoff / rate * at) * np.kaiser(taps, _kaiser_beta(taps, half_width, rate))
    return ideal / ideal.sum()


def radial_low_pass(taps: int, cutoff: float, half_width: float, rate: float) -> np.ndarray:
    """(taps, taps), with sum 1: the filter that is ideal in all directions, with a Kaiser window."""
    at = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.maximum(np.hypot(at[:, None], at), 1e-12)
    window = np.kaiser(taps, _kaiser_beta(taps, half_width, rate))
    ideal = _bessel_j1(2 * math.pi * cutoff * radius) / radius * np.outer(window, window)
    return ideal / ideal.sum()


def _kaiser_beta(taps: int, half_width: float, rate: float) -> float:
    """The shape of the window for a width of the transition, by Kaiser's formulas."""
    attenuation = 2.285 * (taps - 1) * math.pi * (4 * half_width / rate) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21) if attenuation > 21 else 0.0


def _bessel_j1(x: np.ndarray) -> np.ndarray:
    """The Bessel function of the first kind, of order 1, as an integral: the mean of cos(t - x sin t) over a turn."""
    steps = 64 + 2 * math.ceil(float(x.max()))  # for a periodic function the sum converges faster than any power
    t = (np.arange(steps) + 0.5) * (math.pi / steps)
    return np.cos(t - x[..., None] * np.sin(t)).mean(-1)


def upsampling_matrix(taps: Sequence[float], size: int, up: int, before: int, out: int) -> np.ndarray:
    """The matrix (out, size) that inserts zeros between the positions of a row, `before` zeros in front, and filters
    it."""
    t = np.arange(size) * up + before - np.arange(out)[:, None]
    there = (t >= 0) & (t < len(taps))
    return np.where(there, up * np.asarray(taps)[::-1][np.clip(t, 0, len(taps) - 1)], 0)
