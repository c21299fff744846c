"""Tiles are the 3x3 convolution, whatever multiplies them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from rewriting.generators import onednn
from rewriting.generators.winograd import WinogradKernel, winograd_convolution

INPUTS, OUTPUTS = 72, 80
SIZES = [(4, 4), (64, 64), (20, 8), (18, 22), (101, 3), (1, 1), (5, 300)]  # one band or several, of whole tiles or not


def sample(height: int, width: int, *, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(height)
    x = torch.randn(2, INPUTS, height, width, generator=source, dtype=dtype)
    kernel = torch.randn(OUTPUTS, INPUTS, 3, 3, generator=source, dtype=dtype) / (9 * INPUTS) ** 0.5
    return x.contiguous(memory_format=torch.channels_last), kernel


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_tiles_are_the_convolution(height: int, width: int) -> None:
    x, kernel = sample(height, width, dtype=torch.float64)
    expected = F.conv2d(x, kernel, padding=1)
    torch.testing.assert_close(
        winograd_convolution(x, WinogradKernel(kernel, width)), expected, rtol=0, atol=1e-12
    )  # the order of sums


def test_no_picture_is_none() -> None:
    x, kernel = sample(16, 16)
    assert winograd_convolution(x[:0], WinogradKernel(kernel, 16)).shape == (0, OUTPUTS, 16, 16)


@pytest.mark.parametrize("fast", [onednn.fast, lambda tensor: False])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_in_float32_they_are_nearly_as_exact_with_onednn_and_without(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int, fast: Callable[[torch.Tensor], bool]
) -> None:
    monkeypatch.setattr(onednn, "fast", fast)
    x, kernel = sample(height, width)
    expected = F.conv2d(x.double(), kernel.double(), padding=1)  # of size 1
    with torch.no_grad():
        error = (winograd_convolution(x, WinogradKernel(kernel, width)) - expected).abs().max()
    assert error < 1e-4  # the transforms multiply by up to 8 and add again: some 5 times float32's usual error


def test_a_kernel_made_for_one_size_fits_every_other() -> None:  # parts of pictures have any
    x, kernel = sample(24, 40)
    expected = F.conv2d(x, kernel, padding=1)
    with torch.no_grad():
        for side in (16, 256):
            # as above, on both sides
            torch.testing.assert_close(
                winograd_convolution(x, WinogradKernel(kernel, side)), expected, rtol=0, atol=2e-4
            )


@pytest.mark.parametrize(("height", "width", "outputs"), [(64, 64, INPUTS), (18, 22, INPUTS), (64, 64, OUTPUTS)])
def test_over_the_features_or_beside_them_it_is_the_same(height: int, width: int, outputs: int) -> None:
    x, kernel = sample(height, width)
    prepared, given = WinogradKernel(kernel[:outputs], width), x.clone()
    with torch.no_grad():
        expected = winograd_convolution(x, prepared)
        assert torch.equal(x, given)
        assert torch.equal(winograd_convolution(x, prepared, in_place=True), expected)
    written_over = outputs == INPUTS and not height % 4 and not width % 4
    assert torch.equal(x, given) is not written_over
