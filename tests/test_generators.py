"""Generators draw what their published descriptions say, however they are run, and edits never touch their weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rewriting import EditStack
from rewriting.generators import LayerInput, base, to_uint8
from rewriting.generators.config import LOW_PASS
from rewriting.generators.latents import latents
from rewriting.generators.low_pass import LowPass
from rewriting.generators.precision import dtype_of
from rewriting.generators.stylegan2 import ModulatedConv
from tests import tiny
from tests.reference import rosinality
from tests.tiny import FLOAT32_NOISE

pytestmark = pytest.mark.usefixtures("without_gradients")
SEEDS = [0, 1, 2, 3, 4]
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module", params=tiny.KINDS)
def drawn(request):
    """A generator of each kind, with its pictures."""
    made = tiny.generator(request.param, noise=request.param == "stylegan2")
    return made, made.images(SEEDS)


# Pictures


@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("truncation", [1.0, 0.6])
def test_stylegan2_draws_the_pictures_of_the_reference(resolution, noise, truncation):
    made = tiny.generator(resolution=resolution, noise=noise, seed=resolution)
    z = made.latents(SEEDS)
    expected = tiny.reference_pictures(made, z, truncation)
    assert expected.std() > 0.3  # a flat picture would agree with anything
    torch.testing.assert_close(made(z, truncation=truncation), expected, rtol=0, atol=FLOAT32_NOISE)


@pytest.mark.parametrize("resolution", [32, 64])
def test_progressive_gan_draws_the_pictures_of_the_reference(resolution):
    made = tiny.generator("proggan", resolution)
    z = made.latents(SEEDS)
    expected = tiny.reference_pictures(made, z)
    assert expected.std() > 0.1
    torch.testing.assert_close(made(z), expected, rtol=0, atol=FLOAT32_NOISE)


def test_the_config_s_truncation_holds_where_none_is_asked_for():
    made = tiny.generator(truncation=0.6)
    z = made.latents(SEEDS)
    torch.testing.assert_close(made(z), tiny.reference_pictures(made, z, 0.6), rtol=0, atol=FLOAT32_NOISE)
    assert torch.equal(made(z), made(z, truncation=0.6)) and not torch.equal(made(z), made(z, truncation=1.0))
    assert np.ptp(made.images(SEEDS, truncation=0.0), axis=0).max() == 0  # all are the mean picture


@pytest.mark.parametrize("side", [7, 12])  # below and above the size from which a batch runs together
def test_an_upsampling_convolution_is_a_transposed_one_and_a_low_pass(side):
    source = torch.Generator().manual_seed(0)
    conv = ModulatedConv(5, 6, 3, 4, low_pass=LowPass(LOW_PASS)).double()
    x = torch.randn(2, 5, side, side, generator=source, dtype=torch.float64)
    transposed = F.conv_transpose2d(x, conv.weight[0].transpose(0, 1) * conv.scale, stride=2)
    expected = rosinality.upfirdn2d(transposed, 4 * rosinality.fir_kernel().double(), 1, (1, 1))
    ours = conv.linear(x, conv.kernel(conv.weight))
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)  # float64: only the order of sums differs


def test_a_picture_is_uint8_of_its_float_picture(drawn):
    made, pictures = drawn
    assert pictures.shape == (5, 32, 32, 3) and pictures.dtype == np.uint8
    exact = (made(made.latents(SEEDS)).permute(0, 2, 3, 1).numpy().clip(-1, 1) + 1) * 127.5
    assert np.abs(pictures - exact).max() <= 0.501  # rounded to the nearest level
    assert pictures.std() > 20


def test_seeds_are_those_of_the_stylegan_tools_or_rows_of_the_paper_s_code():
    assert np.array_equal(latents([7], 20), np.random.RandomState(7).randn(1, 20).astype(np.float32))
    rows = np.random.RandomState(1).standard_normal(1000 * 20).reshape(1000, 20).astype(np.float32)
    assert np.array_equal(latents([998, 0, 12], 20, "row"), rows[[998, 0, 12]])
    made = tiny.generator(resolution=8)
    assert (made.images([3], seeding="row") != made.images([3])).any()


@pytest.mark.parametrize(
    ("seeds", "seeding"), [([-1], "seed"), ([2**32], "seed"), ([1.5], "seed"), ([True], "seed"), ([2**16], "row")]
)
def test_a_picture_number_that_is_none_is_named(seeds, seeding):
    with pytest.raises(ValueError, match=f"picture number {seeds[0]} ") as caught:
        tiny.generator(resolution=8).images(seeds, seeding=seeding)
    assert tiny.is_one_sentence(str(caught.value))


def test_no_pictures_are_no_pictures(drawn):
    made, _ = drawn
    assert made.images([]).shape == (0, 32, 32, 3) and made.images([], size=8).shape == (0, 8, 8, 3)


# Batches


def test_a_picture_does_not_depend_on_its_batch(drawn):
    made, pictures = drawn
    z = made.latents(SEEDS)
    together, alone = made(z), torch.cat([made(one) for one in z.split(1)])
    assert torch.equal(together, alone)  # every float, not only every pixel
    assert torch.equal(together[2:4], made(z[2:4]))
    assert np.array_equal(made.images([3, 1, 4, 1]), pictures[[3, 1, 4, 1]])
    many = made.images(range(40))  # more than one batch
    assert np.array_equal(many[:5], pictures)


DRAWN_BY = """
import sys, torch
from rewriting import load_generator
from rewriting.generators.precision import dtype_of
name, precision, threads, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
generator = load_generator(name)
generator.compute_dtype, generator.batch_size = dtype_of(precision), batch
with torch.inference_mode():
    drawn = torch.cat([generator(z) for z in generator.latents(range(3)).split(batch)])
torch.save(drawn, sys.argv[5])
"""


@pytest.mark.parametrize("band", [1, 4000, 10_000])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_picture_does_not_depend_on_the_bands_that_it_is_drawn_in(kind, band, monkeypatch):
    made = tiny.generator(kind, noise=True)
    z, edit = made.latents(range(2)), tiny.random_edit(made, 7)
    with torch.inference_mode():
        expected = made(z), made(z, made.overrides(edit)), made(z, size=16)
        monkeypatch.setattr(base, "LARGEST", 1)
        monkeypatch.setattr(base, "BAND", band)
        drawn = made(z), made(z, made.overrides(edit)), made(z, size=16)
    assert all(torch.equal(one, other) for one, other in zip(drawn, expected, strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["face", "kitchen"])
def test_a_picture_does_not_depend_on_the_number_of_threads(name, precision, tmp_path):
    """Every float is the same, in processes that started with one, two and four threads, in unequal batches."""
    drawn = []
    for threads, batch in ((1, 1), (2, 3), (4, 2)):
        path = tmp_path / f"{threads}.pt"
        arguments = [name, precision, str(threads), str(batch), str(path)]
        subprocess.run([sys.executable, "-c", DRAWN_BY, *arguments], check=True, cwd=ROOT)
        drawn.append(torch.load(path))
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])


def test_the_precision_is_float32_where_nobody_chooses_another():
    made = tiny.generator(resolution=16)
    assert made.precision == "float32" and made.computing_in(torch.bfloat16).precision == "bfloat16"
    with pytest.raises(ValueError, match="There is no precision 'half'; choose float32 or bfloat16."):
        dtype_of("half")


def test_training_may_run_a_batch_together():
    made = tiny.generator(resolution=16)
    z = made.latents(SEEDS)
    alone = made(z)
    with torch.enable_grad():
        made.requires_grad_(True)
        together = made(z)
        together.square().mean().backward()
    torch.testing.assert_close(together.detach(), alone, rtol=0, atol=FLOAT32_NOISE)
    assert all(float(p.grad.norm()) > 0 for p in made.conv(4).parameters())
    with torch.no_grad():
        made.conv(4).weight.mul_(0.5)
        made.forget()
    assert not torch.equal(made(z), alone)  # no kernel of the old weights is left


# Sizes


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_smaller_pictures_of_stylegan2_are_its_skip_branch(size):
    made = tiny.generator(noise=True)
    z = made.latents(SEEDS)
    state = made.state_dict()
    kept = {k: v for k, v in state.items() if not k.startswith("to_rgbs.")}
    kept |= {k: v for k, v in state.items() if k.startswith("to_rgbs.") and 8 * 2 ** int(k.split(".")[1]) <= size}
    expected = rosinality.generate(kept, z)
    assert expected.shape[-1] == size
    torch.testing.assert_close(made(z, size=size), expected, rtol=0, atol=FLOAT32_NOISE)
    assert np.array_equal(made.images(SEEDS, size=size), to_uint8(made(z, size=size)))


@pytest.mark.parametrize("size", [4, 16])
def test_smaller_pictures_of_a_progressive_gan_are_averaged(size):
    made = tiny.generator("proggan")
    z = made.latents(SEEDS)
    full = made(z)
    expected = full.unflatten(3, (size, -1)).unflatten(2, (size, -1)).mean((3, 5))
    torch.testing.assert_close(made(z, size=size), expected, rtol=0, atol=1e-6)  # a mean of at most 64 numbers


@pytest.mark.parametrize("size", [0, 2, 12, 64, -8, 16.0, "16", [16]])
def test_a_size_that_it_does_not_draw_is_refused(drawn, size):
    with pytest.raises(ValueError, match="not one that it draws; choose from") as caught:
        drawn[0].images([0], size=size)
    assert tiny.is_one_sentence(str(caught.value))


# Layers


def test_going_in_and_out_at_any_layer_gives_the_same_picture(drawn):
    made, _ = drawn
    z = made.latents([2, 3])
    whole, latent = made(z), made.map(z)
    for number in made.layers:
        at = made.enter(latent, number)
        value = made.value(number, at)
        assert value.shape[-1] == made.value_size(number) == at.key.shape[-1] * (1 + made.conv(number).upsample)
        assert value.shape[1] == made.config.channels[value.shape[-1]]
        assert torch.equal(made.leave(number, value, at), whole)


def test_what_a_caller_holds_is_not_written_over(drawn):
    made, _ = drawn
    latent = made.map(made.latents([3]))
    for layer in made.layers:
        at = made.enter(latent, layer)
        value = made.value(layer, at)
        held = latent.clone(), at.key.clone(), value.clone()
        picture = made.leave(layer, value, at)
        assert all(torch.equal(*pair) for pair in zip((latent, at.key, value), held, strict=True))
        assert torch.equal(made.leave(layer, value, at), picture)  # and so it draws the same again
        if layer + 1 in made.layers:
            made.advance(layer, value, at)
            assert torch.equal(value, held[2])


def test_layers_are_numbered_as_in_the_paper_s_code():
    made = tiny.generator()
    assert list(made.layers) == [2, 3, 4, 5, 6, 7, 8]
    assert made.conv(2) is made.conv1.conv and made.conv(7) is made.convs[4].conv
    assert [made.conv(number).upsample for number in made.layers] == [False, True] + [False, True] * 2 + [False]
    assert tiny.generator("proggan").conv(5) is not None and tiny.generator("proggan").layers == made.layers


@pytest.mark.parametrize("layer", [1, 9, 0, -2, "8", 8.0, None, True])
def test_a_layer_that_cannot_be_edited_is_named(drawn, layer):
    with pytest.raises(ValueError, match="cannot be edited; choose one from 2 to 8") as caught:
        drawn[0].check_layer(layer)
    assert repr(layer) in str(caught.value) and tiny.is_one_sentence(str(caught.value))


def test_layer_inputs_are_split_joined_and_measured(drawn):
    made, _ = drawn
    at = made.enter(made.map(made.latents(SEEDS)), 6)
    parts = list(at.split())
    assert len(at) == len(parts) == 5
    assert torch.equal(LayerInput.cat(parts).key, at.key) and torch.equal(at[1:3].key, LayerInput.cat(parts[1:3]).key)
    assert sum(part.nbytes() for part in parts) == at.nbytes() >= 4 * at.key.numel()
    parts[0].key.zero_()
    assert at.key[0].abs().max() > 0  # a part keeps no batch alive, and changes none


# Edits


def edits_of(made):
    return [tiny.random_edit(made, 6, seed=1), tiny.random_edit(made, 3, rank=1, seed=2)]


def test_an_edit_draws_what_the_reference_draws_with_changed_weights(drawn):
    made, pictures = drawn
    z = made.latents(SEEDS)
    edits = edits_of(made)
    changed = tiny.generator(made.config.architecture, noise=made.config.noise)
    for edit in edits:
        stored = changed.conv(edit.layer).weight
        stored.data += torch.einsum("osyx,si->oiyx", edit.factor, edit.directions).view_as(stored)
    expected = tiny.reference_pictures(changed, z)
    torch.testing.assert_close(made(z, made.overrides(edits)), expected, rtol=0, atol=FLOAT32_NOISE)
    assert np.abs(made.images(SEEDS, edits).astype(int) - pictures).max() > 20


def test_drawing_never_changes_a_weight_and_undo_is_exact(drawn):
    made, pictures = drawn
    before = {k: v.clone() for k, v in made.state_dict().items()}
    digest = made.digest()
    for edits in (edits_of(made), EditStack(edits_of(made)), [tiny.random_edit(made, 8, size=5.0)]):
        assert (made.images(SEEDS, edits) != pictures).any()
        assert np.array_equal(made.images(SEEDS), pictures)
    assert all(torch.equal(v, before[k]) for k, v in made.state_dict().items())
    made.forget()
    assert made.digest() == digest


@pytest.mark.parametrize("change", [{"strength": 0.0}, {"enabled": False}, {"strength": -0.0}])
def test_an_edit_of_no_strength_is_no_edit(drawn, change):
    made, pictures = drawn
    assert np.array_equal(made.images(SEEDS, []), pictures) and np.array_equal(made.images(SEEDS, None), pictures)
    assert np.array_equal(made.images(SEEDS, [edit.with_(**change) for edit in edits_of(made)]), pictures)


def test_edits_of_a_layer_add_up_in_any_order(drawn):
    made, _ = drawn
    edits = [tiny.random_edit(made, 6, seed=seed, strength=0.1 + 0.37 * seed) for seed in range(4)]
    weights = [made.overrides(order)[6] for order in (edits, edits[::-1], [edits[i] for i in (2, 0, 3, 1)])]
    assert torch.equal(weights[0], weights[1]) and torch.equal(weights[0], weights[2])
    assert np.array_equal(made.images(SEEDS, edits), made.images(SEEDS, edits[::-1]))
    plain = made.conv(6).weight.reshape(weights[0].shape)
    total = plain + sum(edit.strength * torch.einsum("osyx,si->oiyx", edit.factor, edit.directions) for edit in edits)
    torch.testing.assert_close(weights[0], total, rtol=1e-5, atol=1e-5)  # float32 sums of five numbers of order 1


def test_opposite_edits_cancel_exactly(drawn):
    made, pictures = drawn
    edit = tiny.random_edit(made, 6)
    assert np.array_equal(made.images(SEEDS, [edit, edit.with_(strength=-1.0)]), pictures)


def test_merging_writes_the_edits_into_a_new_generator(drawn):
    made, pictures = drawn
    edits = edits_of(made)
    merged = made.merge(edits)
    assert np.array_equal(merged.images(SEEDS), made.images(SEEDS, edits))
    assert np.array_equal(made.images(SEEDS), pictures)
    assert merged.digest() != made.digest() and made.merge([]).digest() == made.digest()
    changed = [k for k, v in made.state_dict().items() if not torch.equal(v, merged.state_dict()[k])]
    assert len(changed) == 2 and all("conv" in name and name.endswith("weight") for name in changed)


def test_an_edit_of_another_shape_is_refused(drawn):
    made, _ = drawn
    wrong = tiny.random_edit(tiny.generator(resolution=64), 4)
    with pytest.raises(ValueError, match="belongs to another generator") as caught:
        made.images([0], [wrong.with_(layer=7)])
    assert tiny.is_one_sentence(str(caught.value))


# Identity and precision


def test_the_digest_changes_with_any_weight(drawn):
    made, _ = drawn
    digests = {made.digest()}
    state = made.state_dict()
    for name, tensor in state.items():
        other = tiny.generator(made.config.architecture, noise=made.config.noise)
        changed = tensor.clone()
        changed.view(-1)[-1] += 1e-3
        other.load_state_dict(state | {name: changed})
        digests.add(other.digest())
    assert len(digests) == 1 + len(state)
    again = tiny.generator(made.config.architecture, noise=made.config.noise)
    assert again.digest() == made.digest()


def test_a_rule_that_is_off_leaves_its_layer_as_it_is():
    made = tiny.generator()
    rule = tiny.random_edit(made, 5)
    assert set(made.overrides([rule])) == {5}
    assert made.overrides([rule.with_(enabled=False)]) == made.overrides([rule.with_(strength=0.0)]) == {}


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_another_precision_shares_the_weights(kind):
    made = tiny.generator(kind)
    other = made.computing_in(torch.bfloat16)
    assert made.compute_dtype == torch.float32 and other.conv(4).weight is made.conv(4).weight
    assert np.array_equal(other.computing_in(torch.float32).images(SEEDS), made.images(SEEDS))
    assert not np.array_equal(other.images(SEEDS), made.images(SEEDS))


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_bfloat16_draws_nearly_the_same_picture(kind):
    made = tiny.generator(kind, noise=kind == "stylegan2")
    exact = made.images(SEEDS).astype(int)
    made.compute_dtype = torch.bfloat16
    assert made.enter(made.map(made.latents([0])), 6).key.dtype == torch.bfloat16
    difference = np.abs(made.images(SEEDS) - exact)
    # 8 bits of mantissa: 2^-9 = 0.2 % a rounding, some tens of them through eight layers; random weights forgive less
    # than trained ones.  Of 255 levels, 2 on average is 0.8 %.
    assert 0 < difference.mean() < 2 and np.quantile(difference, 0.999) < 16
    made.compute_dtype = torch.float32
    assert np.array_equal(made.images(SEEDS), exact)


def test_the_old_name_of_interpolate_still_works():
    made = tiny.generator()
    with pytest.warns(DeprecationWarning, match="interpolate"):
        old = made.walk([0, 1], 0.25)
    np.testing.assert_array_equal(old, made.interpolate([0, 1], 0.25))
