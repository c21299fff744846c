"""StyleGAN2 whose synthesis is built otherwise: colours at the largest size alone, residual blocks, other low-pass
filters.  An independent implementation in float64 draws the same pictures, rules work, and export gives it back."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rewriting import Rewriter, load_generator
from rewriting.checkpoints import CheckpointError, read_checkpoint
from rewriting.checkpoints.export import export
from rewriting.core.own_files import load_picture, save_pictures
from rewriting.generators import GeneratorConfig, base, read_generator
from tests import tiny
from tests.foreign import PARITY, double, z
from tests.reference import nvidia, nvidia_files
from tests.test_checkpoints import save_ada, save_rosinality, save_stylegan3_repo, save_tensorflow

pytest_plugins = ("tests.foreign_fixtures",)
pytestmark = pytest.mark.usefixtures("alone")

SIZE = 16
USUAL = (1, 3, 3, 1)
ARCHITECTURES = ("orig", "resnet")
FILTERS = [(1,), (1, 1), (1, 2, 1), (1, 2, 3, 4), (1, 4, 6, 4, 1), (1, 2, 4, 3, 2, 1), (1, 2, 3, 4, 4, 3, 2, 1)]
IDS = ["-".join(map(str, taps)) for taps in FILTERS]


def made(architecture="skip", taps=USUAL, size=SIZE):
    """The converted generator, and its state."""
    state = nvidia.random_state(size, architecture=architecture, taps=taps)
    torch.save(state, "made.pt")
    return read_checkpoint("made.pt"), state


def draws(generator, state, architecture):
    """Whether it draws the pictures of the reference, up to 1e-4 of their range: random weights with the filter [1],
    which smooths nothing, draw far outside of [-1, 1]."""
    expected = nvidia.generate(double(state), z().double(), 0.7, architecture=architecture)
    assert expected.std() > 0.1 and (expected[0] - expected[1]).abs().mean() > 0.02
    return float((generator(z(), truncation=0.7) - expected).abs().max()) < PARITY * max(
        1, float(expected.abs().max())
    )


# --- files -----------------------------------------------------------------------------------------------------------

SAVED = {
    "ada": lambda state, **one: save_ada("net.pkl", state, synthesis_kwargs=one),
    "stylegan3-repo": lambda state, **one: save_stylegan3_repo("net.pkl", state, **one),
    "tensorflow": lambda state, architecture, resample_filter: save_tensorflow(
        "net.pkl", state, architecture=architecture, resample_kernel=resample_filter
    ),
    "tensors alone": lambda state, **_: torch.save(state, "net.pkl"),
}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("architecture", ["skip", *ARCHITECTURES])
def test_every_file_of_it_draws_the_pictures_of_its_program(name, architecture):
    taps = (1, 2, 1)
    state = nvidia.random_state(SIZE, architecture=architecture, taps=taps)
    SAVED[name](state, architecture=architecture, resample_filter=list(taps))
    generator = read_checkpoint("net.pkl")
    assert draws(generator, state, architecture)
    assert generator.config.blocks == architecture and generator.config.resample_filter == (0.25, 0.5, 0.25)
    generator.save("ours")
    assert torch.equal(read_generator("ours")(z()), generator(z()))
    assert read_generator("ours").config == generator.config


def save_revised(monkeypatch, state, lod=0.0):
    """As the configurations B to D: colours of every size outside of the sizes, those of smaller ones unused."""
    variables = nvidia_files.tf_variables(state) | {"lod": np.float32(lod), "synthesis/lod": np.float32(lod)}
    renamed = {name.replace(f"{SIZE}x{SIZE}/ToRGB", "ToRGB_lod0"): one for name, one in variables.items()}
    for n in (1, 2):
        of_size = {name: one for name, one in renamed.items() if "ToRGB_lod0" in name}
        renamed |= {name.replace("lod0", f"lod{n}"): np.full_like(one, 7) for name, one in of_size.items()}
    monkeypatch.setattr(nvidia_files, "tf_variables", lambda _: renamed)
    save_tensorflow("net.pkl", state, synthesis_func="G_synthesis_stylegan_revised", structure="auto")


def test_a_generator_of_the_configurations_b_to_d_has_the_architecture_orig(monkeypatch):
    state = nvidia.random_state(SIZE, architecture="orig")
    save_revised(monkeypatch, state)
    generator = read_checkpoint("net.pkl")
    assert draws(generator, state, "orig") and generator.config.blocks == "orig"


def test_one_that_is_not_grown_is_one_sentence(monkeypatch):
    save_revised(monkeypatch, nvidia.random_state(SIZE, architecture="orig"), lod=1.5)
    with pytest.raises(CheckpointError, match="not grown to its full size") as raised:
        read_checkpoint("net.pkl")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@pytest.mark.parametrize("taps", FILTERS, ids=IDS)
def test_every_filter_is_that_of_its_program(taps, architecture):
    generator, state = made(architecture, taps)
    assert draws(generator, state, architecture)
    again = load_generator(export(generator, "out.pt", "nvidia"))
    assert again.config.resample_filter == generator.config.resample_filter
    assert torch.equal(again(z()), generator(z())) and again.digest() == generator.digest()
    exported = torch.load("out.pt", weights_only=True)
    assert {name: one.shape for name, one in exported.items()} == {name: one.shape for name, one in state.items()}
    assert all(torch.allclose(exported[n], state[n], atol=1e-6) for n in state if n.endswith("resample_filter"))


def test_rosinalitys_files_have_other_filters_too():
    state = nvidia.random_state(SIZE, taps=(1, 4, 6, 4, 1))
    save_rosinality("net.pt", state)
    generator = read_checkpoint("net.pt")
    assert draws(generator, state, "skip")
    again = load_generator(export(generator, "out.pt", "rosinality"))
    assert again.digest() == generator.digest() and torch.equal(again(z()), generator(z()))


@pytest.mark.parametrize(("save", "name", "taps"), [(save_ada, "filter", (1,)), (save_tensorflow, "kernel", (1, 1))])
def test_no_filter_means_what_it_means_to_each_program(save, name, taps):
    """One position in PyTorch, and a box of two in TensorFlow."""
    state = nvidia.random_state(8, taps=taps)
    told = {f"resample_{name}": None}
    save("net.pkl", state, **({"synthesis_kwargs": told} if name == "filter" else told))
    assert draws(read_checkpoint("net.pkl"), state, "skip")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"b8.conv0.resample_filter": torch.eye(4) / 4}, "not the same along rows and columns"),
        ({"b8.conv0.resample_filter": torch.full((4, 4), torch.nan)}, "not the same along rows and columns"),
        ({"b8.conv0.resample_filter": torch.zeros(4, 4)}, "another sum than 1"),
        ({"b8.conv0.resample_filter": torch.ones(4, 4) / 4}, "another sum than 1"),
        ({"b8.conv0.resample_filter": torch.ones(0, 0)}, "shape .0, 0."),
        ({"b8.conv0.resample_filter": torch.ones(40) / 40}, "more than 16 taps"),
        ({"b8.conv0.resample_filter": torch.ones(2, 2) / 4}, "only one filter for all sizes"),
        ({"b8.skip.weight": None}, "lacks 'shortcuts.0.weight'|has 'shortcuts.1.weight'"),
        ({"b16.skip.weight": None}, "lacks 'shortcuts.1.weight'"),
        ({"b8.skip.weight": torch.ones(20, 24)}, r"shortcuts.0.weight has shape \(20, 24\)"),
        ({"b8.skip.bias": torch.ones(20)}, "synthesis.b8.skip.bias"),
        ({"b4.skip.weight": torch.ones(20, 24, 1, 1)}, "synthesis.b4.skip.weight"),
        ({"b16.torgb.weight": None}, "lacks 'to_rgbs.1.conv.weight'"),
        ({"b16.conv0.weight": None}, "N = .0, 1, 3.; expected 0, 1"),
    ],
)
def test_what_is_damaged_is_one_sentence(change, said):
    state = nvidia.random_state(SIZE, architecture="resnet") | {f"synthesis.{k}": one for k, one in change.items()}
    torch.save({name: one for name, one in state.items() if one is not None}, "net.pt")
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("net.pt")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    ("value", "said"), [("box", "'box'; expected a list"), ([[1, 1], [1, 1]], "expected a list"), ([0, 0], "resample")]
)
def test_an_argument_that_is_no_filter_is_one_sentence(value, said):
    save_tensorflow("net.pkl", nvidia.random_state(8), resample_kernel=value)
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("net.pkl")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blocks": "unet"}, "blocks must be one of skip, orig, resnet"),
        ({"resample_filter": [1, -1]}, "lets nothing pass"),
        ({"resample_filter": []}, "lets nothing pass"),
        ({"resample_filter": [1] * 17}, "at most 16 items"),
        ({"architecture": "proggan", "blocks": "resnet"}, "of a StyleGAN2 alone"),
    ],
)
def test_a_config_that_cannot_be_is_one_sentence(change, said):
    fields = {"architecture": "stylegan2", "resolution": 8, "z_dim": 4, "channels": {4: 4, 8: 4}}
    with pytest.raises(ValueError, match=said) as raised:
        GeneratorConfig(**fields | {"w_dim": 4, "mapping_layers": 1} | change)
    assert tiny.is_one_sentence(str(raised.value))


# --- export ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_another_architecture_goes_back_too(architecture):
    generator, state = made(architecture)
    again = load_generator(export(generator, "out.pt", "nvidia"))
    assert again.digest() == generator.digest() and again.config.blocks == architecture
    exported = torch.load("out.pt", weights_only=True)
    assert exported.keys() == state.keys() and all(torch.equal(one, state[name]) for name, one in exported.items())


def test_rosinalitys_layout_gets_colours_that_add_nothing_and_knows_no_residual_blocks():
    generator, _ = made("orig")
    assert torch.equal(load_generator(export(generator, "out.pt", "rosinality"))(z()), generator(z()))
    with pytest.raises(ValueError, match="has residual blocks, which the layout rosinality does not know") as raised:
        export(made("resnet")[0], "none.pt")
    assert tiny.is_one_sentence(str(raised.value))


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_smaller_pictures_are_averaged_where_only_the_largest_size_has_colours(architecture):
    generator, _ = made(architecture)
    averaged = F.avg_pool2d(generator(z()), 4)
    assert torch.allclose(generator(z(), size=4), averaged, atol=1e-6)  # the mean of 16 numbers
    assert averaged.std() > 0.05


@pytest.mark.parametrize(
    ("architecture", "taps"), list(itertools.product(["skip", "resnet"], [USUAL, FILTERS[1], FILTERS[-1]]))
)
def test_a_picture_depends_neither_on_its_batch_nor_on_bands(monkeypatch, architecture, taps):
    generator, _ = made(architecture, taps, size=32)
    with torch.inference_mode():
        expected = torch.cat([generator(one[None]) for one in z(3)])
        assert torch.equal(generator(z(3)), expected)
        monkeypatch.setattr(base, "LARGEST", 1)
        monkeypatch.setattr(base, "BAND", 4000)
        monkeypatch.setattr("rewriting.generators.convolution.LARGE", 4000)
        assert torch.equal(generator(z(3)), expected)


# --- rules -----------------------------------------------------------------------------------------------------------

RULED = [("orig", 6), ("resnet", 6), ("resnet", 5), ("resnet", 3)]


@pytest.mark.parametrize(("architecture", "number"), RULED)
def test_a_value_before_its_activation_is_linear_in_the_weights(architecture, number):
    tiny.check_a_factored_layer_is_the_dense_one(made(architecture)[0], number)


@pytest.mark.parametrize(("architecture", "number"), RULED[:3])
def test_a_rule_draws_its_goal(architecture, number):
    generator, _ = made(architecture, size=32)
    rewriter = Rewriter(generator, number)
    edit = rewriter.solve(tiny.request(), rank=10, locality=0.05)
    assert edit.report.loss_after < 0.5 * edit.report.loss_before
    before, after = (generator.images([1], edits)[0].astype(int) for edits in ([], [edit]))
    assert np.abs(after - before).max() > 30
    merged = generator.merge(edit)
    assert np.array_equal(merged.images([1])[0], after)


def test_a_picture_of_ones_own_has_the_shortcut_among_its_features():
    generator, _ = made("resnet")
    rewriter = Rewriter(generator, 4)
    wanted = generator.images([7])[0]
    own = rewriter.invert(wanted)
    assert own.at.skip.shape == generator.input_shapes(4)["skip"] == (1, 20, 4, 4)  # before upsampling
    save_pictures([own], "own")
    assert load_picture("own") == own
    assert np.abs(generator.images([load_picture("own")])[0].astype(int) - wanted).mean() < 8
