"""One editable layer computes the paper's f(k; W), and its factored form computes the same for W0 + Lambda D."""

import pytest
import torch

from rewriting.core.layer import EditableLayer, expand
from rewriting.generators import LayerInput
from tests import tiny

pytestmark = pytest.mark.usefixtures("without_gradients")
# Values are O(1), sums of some 200 products in float32 against float64: rounding reaches a few 1e-6.
VALUES = {"rtol": 1e-5, "atol": 2e-5}


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield


def basis(layer, rank, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(layer.weight.shape[1], rank, generator=source))[0].t().contiguous()


def factor(layer, rank, size=0.5, seed=1):
    """Lambda (O, S, 3, 3) that makes a change of about `size` times the weight."""
    random = torch.randn(len(layer.weight), rank, 3, 3, generator=torch.Generator().manual_seed(seed))
    return random * size * layer.weight.norm() / random.norm()


@pytest.mark.parametrize("number", [2, 3, 6, 7, 8])
@pytest.mark.parametrize("noise", [False, True])
def test_a_stylegan2_layer_is_that_of_the_paper_s_code(number, noise):
    layer = tiny.editable("stylegan2", number, noise=noise)
    for seed in (0, 5):
        at = tiny.layer_input(layer, seed)
        reference = tiny.reference_layer(layer, at)
        expected = reference(at.key, layer.weight).float()
        assert expected.std() > 0.1
        torch.testing.assert_close(layer.value(at), expected, **VALUES)
        changed = layer.weight + expand(factor(layer, 2), basis(layer, 2))
        torch.testing.assert_close(layer.value(at, changed), reference(at.key, changed).float(), **VALUES)


@pytest.mark.parametrize("number", [2, 3, 6, 7])
def test_a_progressive_gan_layer_is_that_of_the_paper_s_code(number):
    layer = tiny.editable("proggan", number)
    at = tiny.layer_input(layer, 3)
    reference = tiny.reference_layer(layer, at)
    changed = layer.weight + expand(factor(layer, 2), basis(layer, 2))
    for weight in (layer.weight, changed):
        expected = reference(at.key, weight).float()
        assert expected.std() > 3  # raw: the run-time scale comes after the value
        torch.testing.assert_close(layer.value(at, weight), expected, rtol=1e-5, atol=2e-4)  # values are O(10)


def test_what_a_layer_says_of_itself():
    plain, upsampling, linear = (tiny.editable(*one) for one in tiny.LAYERS)
    assert (plain.ratio, upsampling.ratio, linear.ratio) == (1, 2, 1)
    assert [one.generator.activation.linear for one in (plain, upsampling, linear)] == [False, False, True]
    assert plain.weight.shape == (16, 16, 3, 3) and upsampling.weight.shape == (12, 16, 3, 3)
    assert plain.taps == 9
    with pytest.raises(ValueError, match="layer 9 .* choose one from 2 to 8"):
        EditableLayer(plain.generator, 9)


@pytest.mark.parametrize("rank", [1, 3, 10])
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize(("kind", "number"), tiny.LAYERS)
def test_the_factored_layer_equals_the_dense_one(kind, number, noise, rank):
    layer = tiny.editable(kind, number, noise=noise and kind == "stylegan2")
    at = tiny.layer_input(layer, 4)
    directions = basis(layer, rank)
    everywhere = torch.ones(layer.value(at).shape[-2:], dtype=torch.bool)
    factored = layer.factor(at, directions, everywhere)
    for size in (0.0, 0.1, 1.0, 5.0):  # at 5 the change is most of the weight
        change = factor(layer, rank, size)
        dense = layer.value(at, layer.weight + expand(change, directions))
        scale = float(dense.abs().mean())  # O(1) in StyleGAN2, up to 100 in the raw convolution
        torch.testing.assert_close(
            factored.value(change.flatten(1)), dense[0].flatten(1), rtol=1e-4, atol=2e-5 * scale
        )


@pytest.mark.parametrize(("kind", "number"), tiny.LAYERS)
def test_the_factored_layer_sees_only_the_positions_that_were_chosen(kind, number):
    layer = tiny.editable(kind, number)
    at = tiny.layer_input(layer, 4)
    size = layer.value(at).shape[-1]
    chosen = torch.zeros(size, size, dtype=torch.bool)
    chosen[2, 5] = chosen[0, 0] = chosen[size - 1, 3] = True
    directions, change = basis(layer, 2), factor(layer, 2)
    whole = layer.factor(at, directions, torch.ones_like(chosen)).value(change.flatten(1))
    few = layer.factor(at, directions, chosen)
    assert few.patches.shape == (3, 18) and few.fixed.shape == (len(layer.weight), 3)
    torch.testing.assert_close(few.value(change.flatten(1)), whole[:, chosen.flatten()], **VALUES)


@pytest.mark.parametrize(("kind", "number"), tiny.LAYERS)
def test_an_output_channel_sees_only_its_own_lambda(kind, number):
    layer = tiny.editable(kind, number)
    at = tiny.layer_input(layer, 4)
    factored = layer.factor(at, basis(layer, 3), torch.ones(layer.value(at).shape[-2:], dtype=torch.bool))
    change = torch.zeros(len(layer.weight), 27)
    before = factored.value(change)
    change[5] = factor(layer, 3)[5].flatten()
    after = factored.value(change)
    assert (after[5] - before[5]).abs().max() > 0.1
    assert torch.equal(after[torch.arange(len(after)) != 5], before[torch.arange(len(after)) != 5])


def test_lambda_dims_its_channel_where_the_directions_are_silent():
    """Demodulation divides by the norm of W: a rule is felt even where D k = 0, and the factored form knows it."""
    layer = tiny.editable("stylegan2", 6)
    at = tiny.layer_input(layer, 4)
    directions = basis(layer, 1)
    silent = at.key - torch.einsum("si,sj,bjhw->bihw", directions, directions, at.key)
    at = LayerInput(silent, at.style, at.latent, at.skip)
    factored = layer.factor(at, directions, torch.ones(layer.value(at).shape[-2:], dtype=torch.bool))
    change = factor(layer, 1, 3.0)
    assert factored.patches.abs().max() < 1e-5
    before, after = factored.value(torch.zeros_like(change).flatten(1)), factored.value(change.flatten(1))
    assert after.abs().mean() < 0.9 * before.abs().mean()
    dense = layer.value(at, layer.weight + expand(change, directions))
    torch.testing.assert_close(after, dense[0].flatten(1), **VALUES)


def test_expanding_lambda_multiplies_along_the_input_channels():
    source = torch.Generator().manual_seed(0)
    change, directions = torch.randn(5, 2, 3, 3, generator=source), torch.randn(2, 7, generator=source)
    expected = torch.zeros(5, 7, 3, 3)
    for s in range(2):
        expected += change[:, s, None] * directions[s][None, :, None, None]
    torch.testing.assert_close(expand(change, directions), expected)


def test_a_generator_that_computes_in_bfloat16_is_solved_in_float32():
    layer = tiny.editable("stylegan2", 6)
    layer.generator.compute_dtype = torch.bfloat16
    at = tiny.layer_input(layer, 4)
    assert at.key.dtype == torch.bfloat16
    value = layer.value(at)
    assert value.dtype == torch.float32
    exact = tiny.reference_layer(layer, at)(at.key, layer.weight).float()
    torch.testing.assert_close(value, exact, **VALUES)  # the key is rounded, what is made of it is not
    factored = layer.factor(at, basis(layer, 1), torch.ones(value.shape[-2:], dtype=torch.bool))
    torch.testing.assert_close(factored.value(torch.zeros(16, 9)), value[0].flatten(1), **VALUES)
