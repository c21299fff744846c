"""A convolution is the same however it is computed: in bands, one picture at a time or many, prepared or not."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rewriting.generators import GeneratorConfig, build, convolution
from rewriting.generators.convolution import (
    KernelCache,
    convolve,
    fastest,
    pointwise,
    shifted,
    upsampling,
)
from rewriting.generators.winograd import WinogradKernel
from tests import tiny

INPUTS, OUTPUTS = 72, 80


@pytest.fixture
def drawing():
    with torch.no_grad():
        yield


def sample(height: int, width: int, *, batch: int = 1, dtype: torch.dtype = torch.float32):
    source = torch.Generator().manual_seed(height)
    x = torch.randn(batch, INPUTS, height, width, generator=source, dtype=dtype)
    kernel = torch.randn(OUTPUTS, INPUTS, 3, 3, generator=source, dtype=dtype) / (9 * INPUTS) ** 0.5
    return x.contiguous(memory_format=torch.channels_last), kernel


def test_large_maps_of_many_channels_are_drawn_by_tiles_and_small_ones_directly(drawing):
    _, kernel = sample(16, 16)
    assert isinstance(fastest(kernel, 16), WinogradKernel)
    assert fastest(kernel, 8).shape == kernel.shape
    assert fastest(kernel[:3], 16).shape == (3, INPUTS, 3, 3)
    assert fastest(kernel[..., :1, :1], 16).shape == (OUTPUTS, INPUTS, 1, 1)
    assert fastest(kernel.double(), 16).shape == kernel.shape


def test_training_gets_the_gradients_of_the_convolution():
    x, kernel = sample(16, 16)
    kernel.requires_grad_(True)
    ours = torch.autograd.grad(convolve(x, fastest(kernel, 16), 1).square().sum(), kernel)
    expected = torch.autograd.grad(F.conv2d(x, kernel, padding=1).square().sum(), kernel)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("side", [8, 32])
def test_a_picture_is_convolved_the_same_in_every_batch(drawing, side):
    x, kernel = sample(side, side, batch=3)
    prepared = fastest(kernel, side)
    together = convolve(x, prepared, 1)
    assert torch.equal(together, torch.cat([convolve(one, prepared, 1) for one in x.split(1)]))


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_bands_of_rows_upsample_as_the_whole_does(drawing, monkeypatch, bands):
    x, kernel = sample(10, 6, batch=2, dtype=torch.float64)
    kernel = kernel.transpose(0, 1)

    def twice(some):
        return F.conv_transpose2d(some, kernel, stride=2, padding=1, output_padding=1)

    expected = twice(x)
    size = expected[:1].numel() * expected.element_size()
    monkeypatch.setattr(convolution, "LARGE", size // bands + 1)
    torch.testing.assert_close(upsampling(twice, x, OUTPUTS), expected, rtol=0, atol=1e-12)


def test_what_is_kept_is_made_once_but_not_in_training_and_by_each_copy(drawing):
    cache, made = KernelCache(), []

    def make():
        made.append(len(made))
        return made[-1]

    assert [cache.get("a", make), cache.get("a", make), cache.get("b", make)] == [0, 0, 1]
    with torch.enable_grad():
        assert cache.get("a", make) == 2
    assert copy.deepcopy(cache).get("a", make) == 3
    assert cache.get("a", make) == 0
    cache.forget()
    assert cache.get("a", make) == 4


def wide_generator(architecture):
    config = GeneratorConfig(architecture, 32, 16, {4: 64, 8: 64, 16: 64, 32: 64}, w_dim=16, mapping_layers=2)
    torch.manual_seed(0)
    return build(config).eval().requires_grad_(False)


@pytest.mark.parametrize("architecture", ["stylegan2", "proggan"])
def test_a_wide_generator_draws_by_tiles_what_it_draws_directly(drawing, monkeypatch, architecture):
    generator = wide_generator(architecture)
    z = generator.latents(range(3))
    tiled = generator(z)
    monkeypatch.setattr(convolution, "LEAST_CHANNELS", 1000)
    generator.forget()
    directly = generator(z)
    assert not torch.equal(tiled, directly)  # so the two ways were both taken
    # features of size 1 are off by less than 1e-4 (see the tiles' own tests), and the picture's range is 2
    torch.testing.assert_close(tiled, directly, rtol=0, atol=1e-4)


@pytest.mark.parametrize("architecture", ["stylegan2", "proggan"])
def test_wide_edited_layers_are_the_same_edited_merged_and_in_every_batch(architecture):
    generator = wide_generator(architecture)
    plain = generator.images(range(3))
    edits = [tiny.random_edit(generator, layer) for layer in (6, 8)]
    together = generator.images(range(3), edits)
    assert not np.array_equal(together, plain)
    assert np.array_equal(together, np.concatenate([generator.images([seed], edits) for seed in range(3)]))
    assert np.array_equal(together, generator.merge(edits).images(range(3)))
    assert np.array_equal(generator.images(range(3)), plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [5, convolution.NARROW, convolution.NARROW + 1])
def test_scale_and_offset_are_those_of_each_channel(drawing, dtype, channels):  # by rows of positions, or directly
    source = torch.Generator().manual_seed(channels)
    y, scale, offset = (
        torch.randn(shape, generator=source).to(dtype).contiguous(memory_format=torch.channels_last)
        for shape in ((2, channels, 6, 10), (2, channels, 1, 1), (1, channels, 1, 1))
    )
    expected = (offset.double() + scale.double() * y.double()).to(dtype)  # rounded once, as the sum is
    torch.testing.assert_close(shifted(y.clone(), scale, offset), expected)


def test_each_picture_of_a_batch_has_a_kernel_of_its_own(drawing):
    x, _ = sample(12, 20, batch=3)
    kernel = torch.randn(3, 4, INPUTS, generator=torch.Generator().manual_seed(0))
    expected = torch.einsum("boi,bihw->bohw", kernel.double(), x.double()).float()
    # float32 sums of 72 products of size 1
    torch.testing.assert_close(pointwise(x, kernel), expected, rtol=0, atol=1e-4)
    assert pointwise(x[:0], kernel[:0]).shape == (0, 4, 12, 20)
    with torch.enable_grad():
        torch.testing.assert_close(pointwise(x, kernel), expected, rtol=0, atol=1e-4)
