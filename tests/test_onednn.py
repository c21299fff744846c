"""Products are the same whoever computes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from rewriting.generators import onednn
from rewriting.generators.onednn import Grouped

EITHER = pytest.mark.parametrize("fast", [onednn.fast, lambda tensor: False])
TOLERANCE = {"rtol": 0, "atol": 1e-4}  # float32 sums of 50 products of size 1


@pytest.fixture(autouse=True)
def choice(monkeypatch: pytest.MonkeyPatch, fast: Callable[[torch.Tensor], bool]) -> None:
    monkeypatch.setattr(onednn, "fast", fast)


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


@EITHER
@pytest.mark.parametrize("vectors", [1, 15, 16, 40])  # fewer than at once, as many, and not a multiple
def test_every_part_of_a_vector_has_its_own_matrix(vectors: int) -> None:
    matrices, x = normal(6, 70, 50), normal(vectors, 6, 50)
    expected = torch.einsum("goi,tgi->tgo", matrices.double(), x.double()).float()
    torch.testing.assert_close(Grouped(matrices, 16)(x), expected, **TOLERANCE)


@EITHER
def test_a_product_is_the_same_to_the_bit_every_time() -> None:
    matrices, x = normal(6, 64, 64), normal(32, 6, 64)
    assert torch.equal(Grouped(matrices, 16)(x), Grouped(matrices, 16)(x))
