"""StyleGAN2s whose constant is not 4 x 4, and whose pictures are mostly not square, as other people's versions of the
code have them.  An independent implementation, which knows no square, draws the same pictures in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from rewriting import Request, Rewriter, load_generator
from rewriting.checkpoints import CheckpointError, read_checkpoint
from rewriting.checkpoints.export import export
from rewriting.cli import main
from rewriting.core.contact_sheet import square_sheet
from rewriting.core.goal import random_positions
from rewriting.core.layer import EditableLayer
from rewriting.core.retouch import Retouched
from rewriting.generators import GeneratorConfig, base, read_generator
from tests import tiny
from tests.foreign import PARITY, double, z
from tests.reference import nvidia
from tests.test_checkpoints import save_ada, save_rosinality, save_stylegan3_repo, save_tensorflow

pytest_plugins = ("tests.foreign_fixtures",)
pytestmark = pytest.mark.usefixtures("alone")

CONSTANTS = [(4, 8), (8, 4), (4, 6), (7, 4), (5, 9), (2, 4), (3, 3), (8, 8)]
IDS = [f"{height}x{width}" for height, width in CONSTANTS]
SAVED = {
    "ada": lambda state, constant: save_ada("net.pkl", state, synthesis_kwargs={"init_res": list(constant)}),
    "stylegan3-repo": lambda state, constant: save_stylegan3_repo("net.pkl", state, init_res=list(constant)),
    "tensorflow": lambda state, constant: save_tensorflow("net.pkl", state, init_res=list(constant)),
    "rosinality": lambda state, constant: save_rosinality("net.pkl", state),
    "tensors alone": lambda state, constant: torch.save(state, "net.pkl"),
}


def made(constant=(4, 8), architecture="skip", size=16):
    """The converted generator, and its state."""
    state = nvidia.random_state(size, architecture=architecture, constant=constant)
    torch.save(state, "made.pt")
    return read_checkpoint("made.pt"), state


def framed(generator, pictures):
    """The pictures without what is around them, and what is around them."""
    top, left, bottom, right = generator.config.frame(pictures.shape[-1])
    around = pictures.clone()
    around[..., top:bottom, left:right] = 0
    return pictures[..., top:bottom, left:right], around


def draws(generator, state, architecture="skip"):
    """Whether it draws the pictures of the reference in the middle of a grey square."""
    expected = nvidia.generate(double(state), z().double(), 0.7, architecture=architecture)
    assert expected.std() > 0.1 and (expected[0] - expected[1]).abs().mean() > 0.02
    pictures, around = framed(generator, generator(z(), truncation=0.7))
    return float((pictures - expected).abs().max()) < PARITY and not around.any()


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
@pytest.mark.parametrize("constant", CONSTANTS, ids=IDS)
def test_pictures_of_every_shape_are_those_of_their_program(constant, architecture):
    generator, state = made(constant, architecture)
    assert draws(generator, state, architecture)
    height, width = constant
    top, left, bottom, right = generator.config.frame(generator.config.resolution)
    assert (bottom - top, right - left) == (4 * height, 4 * width)
    told = f"Its pictures, {4 * width} x {4 * height} pixels, lie in the middle of a grey square."
    assert (told in generator.config.description) == (height != width)


@pytest.mark.parametrize("name", SAVED)
def test_every_file_of_them_opens_and_goes_back(name):
    state = nvidia.random_state(16, constant=(4, 6))
    SAVED[name](state, (4, 6))
    generator = read_checkpoint("net.pkl")
    assert draws(generator, state) and generator.config.constant == (4, 6)
    generator.save("ours")
    assert read_generator("ours").config == generator.config
    for layout in ("nvidia", "rosinality"):
        again = load_generator(export(generator, f"{layout}.pt", layout))
        assert again.digest() == generator.digest() and torch.equal(again(z()), generator(z()))
    exported = torch.load("nvidia.pt", weights_only=True)
    assert {name: one.shape for name, one in exported.items()} == {name: one.shape for name, one in state.items()}


def test_missing_noise_maps_have_the_pictures_shape():
    state = nvidia.random_state(16, constant=(4, 6))
    g_ema, mean = nvidia.to_rosinality(state)
    torch.save({"g_ema": {k: v for k, v in g_ema.items() if "noises" not in k}, "latent_avg": mean}, "net.pt")
    noise = read_checkpoint("net.pt").get_buffer("noises.noise_1")
    expected = np.random.RandomState(0).randn(8 * 12).astype(np.float32).reshape(1, 1, 8, 12)
    assert np.array_equal(noise.numpy(), expected)


@pytest.mark.parametrize(
    ("constant", "said"),
    [((0, 4), "0 x 4 positions"), ((4, 17), "4 x 17 positions; expected 1 to 16"), ((4,), "expected 4 axes")],
)
def test_an_impossible_constant_is_one_sentence(constant, said):
    g_ema, _ = nvidia.to_rosinality(nvidia.random_state(16))
    torch.save({"g_ema": g_ema | {"input.input": torch.ones(1, 24, *constant)}}, "net.pt")
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("net.pt")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"constant": [4, 8, 4]}, "at most 2 items"),
        ({"constant": [4]}, "expected height and width"),
        ({"constant": [4, 0]}, "whole number from 1 to 16"),
        ({"constant": [4, 16]}, "at most half of the resolution"),
        ({"constant": [4, 8]}, "channels names resolutions"),
    ],
)
def test_a_config_that_cannot_be_is_one_sentence(change, said):
    with pytest.raises(ValueError, match=said) as raised:
        GeneratorConfig("stylegan2", 16, 4, {4: 4, 8: 4, 16: 4}, 4, 1, **change)
    assert tiny.is_one_sentence(str(raised.value))


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_a_picture_depends_neither_on_its_batch_nor_on_bands(monkeypatch, architecture):
    generator, _ = made((4, 6), architecture, size=32)
    with torch.inference_mode():
        expected = torch.cat([generator(one[None]) for one in z(3)])
        assert torch.equal(generator(z(3)), expected)
        monkeypatch.setattr(base, "LARGEST", 1)
        monkeypatch.setattr(base, "BAND", 4000)
        assert torch.equal(generator(z(3)), expected)


def test_smaller_pictures_are_those_of_its_skip_branch():
    generator, state = made((4, 8))
    smaller = {k: v for k, v in state.items() if ".b16." not in k}
    pictures, around = framed(generator, generator(z(), truncation=0.7, size=16))
    assert not around.any()
    assert float((pictures - nvidia.generate(double(smaller), z().double(), 0.7)).abs().max()) < PARITY
    averaged = made((4, 8), "orig")[0]
    assert torch.allclose(averaged(z(), size=8), F.avg_pool2d(averaged(z()), 4), atol=1e-6)


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_value_before_its_activation_is_linear_in_the_weights(number):
    tiny.check_a_factored_layer_is_the_dense_one(made((4, 6))[0], number)


def test_a_rule_draws_its_goal_and_the_merged_weights_draw_it_in_their_own_program():
    generator, _ = made((4, 8), size=16)  # 32 x 16 pixels
    rewriter = Rewriter(generator, 6)
    edit = rewriter.solve(tiny.request(), rank=10, locality=0.05)
    assert edit.report.loss_after < 0.5 * edit.report.loss_before
    before, after = (generator.images([1], edits)[0].astype(int) for edits in ([], [edit]))
    assert np.abs(after - before).max() > 30 and (after[:8] == 128).all() and (after[24:] == 128).all()
    export(generator.merge(edit), "merged.pt", "nvidia")
    theirs = nvidia.generate(double(torch.load("merged.pt", weights_only=True)), generator.latents([1]).double())
    drawn = ((theirs[0].clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).numpy()
    assert np.abs(after[8:24] - drawn).max() < 0.51  # rounded to the nearest level


def test_only_positions_of_the_picture_stay_as_they_are():
    layer = EditableLayer(made((4, 6))[0], 4)  # 16 x 16, of which 8 x 12 are the picture's
    drawn = torch.stack(random_positions(layer, 48, 200, torch.Generator().manual_seed(0)))
    assert (
        not drawn[:, :4].any() and not drawn[:, 12:].any() and not drawn[..., :2].any() and not drawn[..., 14:].any()
    )
    assert float(drawn.sum((1, 2)).float().mean()) == pytest.approx(48, abs=1.5)  # 4 standard errors of 200 pictures


def test_a_rule_can_be_learned_from_a_retouched_picture():
    """Parts of pictures are drawn alone, with what is around each of them."""
    generator, _ = made((4, 8), size=16)
    original = generator.images([1])[0]
    wanted = original.copy()
    wanted[10:16, 8:16] = (250, 30, 30)
    rewriter = Rewriter(generator, 6)
    request = Request(retouched=(Retouched.found(1, original, wanted),))
    edit = rewriter.solve(request, rank=4)
    after = generator.images([1], edit)[0]
    apart = [np.abs(one.astype(int) - wanted)[10:16, 8:16].mean() for one in (original, after)]
    assert apart[1] < 0.8 * apart[0]


def test_a_picture_of_ones_own_lies_where_the_generators_pictures_do():
    generator, _ = made((4, 8), size=16)
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 40:] = 255
    Image.fromarray(wide).save("wide.png")
    own = Rewriter(generator, 4).invert("wide.png")
    assert (own.image[:8] == 128).all() and (own.image[8:24, :12] == 0).all() and (own.image[8:24, 20:] == 255).all()
    drawn = generator.images([own])[0]
    assert (drawn[24:] == 128).all() and drawn[8:24, 20:].mean() > drawn[8:24, :12].mean() + 60


def test_the_command_line_opens_draws_and_saves_them():
    torch.save(nvidia.random_state(16, constant=(4, 8)), "wide.pt")
    assert main(["convert", "wide.pt", "wide"]) == 0
    assert main(["sample", "--generator", "wide", "--seeds", "0-1", "--out", "pictures"]) == 0
    drawn = np.asarray(Image.open("pictures/seed0001.png"))
    assert np.array_equal(drawn, load_generator("wide").images([1])[0]) and drawn.shape == (32, 32, 3)


def test_pictures_to_look_at_are_without_the_grey():
    torch.save(nvidia.random_state(16, constant=(4, 8)), "wide.pt")
    wide = ["--generator", "wide.pt", "--seeds", "0-1"]
    assert main(["sample", *wide, "--out", "sheet.png"]) == 0
    assert main(["walk", *wide, "--frames", "1", "--alone", "--out", "walk.gif"]) == 0
    pictures = load_generator("wide.pt").images([0, 1])[:, 8:24]
    assert np.array_equal(np.asarray(Image.open("sheet.png")), np.asarray(square_sheet(pictures)))
    with Image.open("walk.gif") as animation:
        assert animation.size == (32, 16)
