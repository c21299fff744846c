"""Products of matrices by oneDNN, on some processors more than twice as fast as PyTorch's own and no slower on others.

PyTorch contains it and takes it for convolutions.  These are the functions that torch.compile calls for the rest; a
processor for which oneDNN is not made has PyTorch's own products.  Give it few shapes: for each that it has seen it
keeps up to 0.8 MB for as long as the process lives.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

POINTWISE = ((0, 0), (1, 1), (1, 1))  # padding, stride and dilation of a 1x1 convolution


def fast(tensor: Tensor) -> bool:
    """Whether it is a matter of oneDNN: float32 on an x86 processor."""
    if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return False
    known = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    return known and torch.backends.cpu.get_cpu_capability().startswith("AVX")


class Grouped:
    """Products of the G parts of vectors with a matrix each, (G, O, I), without a gradient; for `count` vectors.

    oneDNN lays the matrices out for a number of vectors; for another it would do so in every call, which takes longer
    than the products.
    """

    def __init__(self, matrices: Tensor, count: int):
        self._groups, self._out, self._inp = matrices.shape
        self._matrices, self._count = matrices, count
        self._packed = fast(matrices)
        if self._packed:
            shape = (1, self._groups * self._inp, 1, count)
            self._matrices = torch.ops.mkldnn._reorder_convolution_weight(
                matrices.reshape(-1, self._inp, 1, 1), *POINTWISE, self._groups, shape
            )

    def __call__(self, vectors: Tensor) -> Tensor:
        """(T, G, I) -> (T, G, O); T: best a multiple of `count`."""
        if not self._packed:
            return torch.bmm(vectors.transpose(0, 1), self._matrices.transpose(1, 2)).transpose(0, 1)
        count, lacking = len(vectors), -len(vectors) % self._count
        if lacking:
            vectors = F.pad(vectors, (0, 0, 0, 0, 0, lacking))
        # As a 1x1 convolution in G groups.
        maps = vectors.reshape(-1, 1, self._count, self._groups * self._inp).permute(0, 3, 1, 2)
        out = torch.ops.mkldnn._convolution_pointwise(
            maps, self._matrices, None, *POINTWISE, self._groups, "none", [], ""
        )
        return out.permute(0, 2, 3, 1).reshape(-1, self._groups, self._out)[:count]
