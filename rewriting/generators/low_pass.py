"""The low-pass filter with which a StyleGAN2 upsamples.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, and its code: zeros are
inserted between the positions, and rows and columns are filtered alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class LowPass:
    """A filter by its taps, in any unit.

    reach: how many rows beyond a position its upsampled value depends on, after a 3x3 convolution too.
    """

    def __init__(self, taps: Sequence[float]):
        shares = tuple(tap / sum(taps) for tap in taps)
        self.taps = (0.0,) * (len(taps) % 2) + shares  # an even number; a zero in front changes nothing
        half = len(self.taps) // 2
        self.padding, self.reach = half - 1, (half + 1) // 2

    def kernel(self, like: Tensor) -> Tensor:
        """(n, n), with sum 4: 1 for each of the positions between which zeros are inserted."""
        taps = 2 * torch.tensor(self.taps, device=like.device, dtype=like.dtype)
        return taps[:, None] * taps

    def smooth(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Filter the result of a transposed 3x3 convolution: (B, C, 2h + 1, 2w + 1) -> (B, C, 2h, 2w)."""
        flipped = kernel.flip(0, 1).expand(x.shape[1], 1, -1, -1)
        return F.conv2d(x, flipped, padding=self.padding, groups=x.shape[1])

    def upsample(self, x: Tensor) -> Tensor:
        """Twice the size: (B, C, h, w) -> (B, C, 2h, 2w)."""
        kernel = self.kernel(x).expand(x.shape[1], 1, -1, -1)
        return F.conv_transpose2d(x, kernel, stride=2, padding=self.padding, groups=x.shape[1])
