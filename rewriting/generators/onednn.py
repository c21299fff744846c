"""Matrix products by oneDNN, more than twice as fast as PyTorch's own on some processors, and no slower on others.

PyTorch contains oneDNN and uses it for convolutions; torch.compile calls the functions of this module for other
products.  Processors without oneDNN use PyTorch's own products.  Use few shapes, because oneDNN keeps up to 0.8 MB for
each shape for the lifetime of the process.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

POINTWISE = ((0, 0), (1, 1), (1, 1))  # padding, stride and dilation of a 1x1 convolution


def fast(tensor: Tensor) -> bool:
    """Whether oneDNN handles the tensor: float32 on an x86 processor."""
    if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return False
    known = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    return known and torch.backends.cpu.get_cpu_capability().startswith("AVX")


class Grouped:
    """Products of the G parts of vectors with matrices (G, O, I), one for each part, without gradients.

    count: the number of vectors for which oneDNN lays out the matrices; for another number, each call would repeat the
    layout, which takes longer than the products.
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
        """(T, G, I) -> (T, G, O); fastest if T is a multiple of `count`."""
        if not self._packed:
            return torch.bmm(vectors.transpose(0, 1), self._matrices.transpose(1, 2)).transpose(0, 1)
        count, lacking = len(vectors), -len(vectors) % self._count
        if lacking:
            vectors = F.pad(vectors, (0, 0, 0, 0, 0, lacking))
        # computed as a 1x1 convolution in G groups
        maps = vectors.reshape(-1, 1, self._count, self._groups * self._inp).permute(0, 3, 1, 2)
        out = torch.ops.mkldnn._convolution_pointwise(
            maps, self._matrices, None, *POINTWISE, self._groups, "none", [], ""
        )
        return out.permute(0, 2, 3, 1).reshape(-1, self._groups, self._out)[:count]
