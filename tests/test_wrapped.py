"""Generators as people have them are found where their programs keep them, and draw the pictures that they drew."""

import re
import sys
import zipfile

import pytest
import torch

from rewriting.checkpoints import CheckpointError, read_checkpoint
from rewriting.generators import read_generator
from rewriting.hub import convert
from tests.foreign import PARITY, double, draw, z
from tests.reference import nvidia, nvidia_files, progan, relatives
from tests.wrapped import (
    ENCODER,
    G_EMA,
    LATENT_AVG,
    OTHER,
    STATE,
    WRAPPED,
    save_rosinality_module,
    under,
)

pytest_plugins = ("tests.foreign_fixtures",)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", WRAPPED)
def test_a_generator_is_found_wherever_a_program_keeps_it(tmp_path, name):
    WRAPPED[name](tmp_path / name)
    convert(tmp_path / name, tmp_path / "out")
    generator = read_generator(tmp_path / "out")
    assert (draw(generator, 1.0) - nvidia.generate(STATE, z())).abs().max() < PARITY
    if (
        "10,000 latents" not in generator.config.description
    ):  # the mean is in the file, beside the weights or above them
        assert torch.equal(generator.latent_avg, LATENT_AVG)


def test_which_of_them_keep_the_mean(tmp_path):
    """Those that have it beside or above the weights, in whichever shape."""
    for name in (
        "pSp.pt",
        "e4e.pt",
        "data-parallel.pt",
        "params_ema.pth",
        "tuned.pt",
        "bare.safetensors",
        "genforce.pth",
    ):
        WRAPPED[name](tmp_path / name)
        assert torch.equal(read_checkpoint(tmp_path / name).latent_avg, LATENT_AVG), name


def test_the_settings_of_strangers_are_read_in_the_limited_process_too(tmp_path):
    for name in ("settings.pt", "lightning.ckpt", "shared.pt", "packed.zip"):
        WRAPPED[name](tmp_path / name)
        assert (draw(read_checkpoint(tmp_path / name), 1.0) - nvidia.generate(STATE, z())).abs().max() < PARITY
    assert not {"easydict", "my_code", "pg_modules"} & {module.split(".")[0] for module in sys.modules}


@pytest.mark.usefixtures("in_process")
def test_colours_that_may_be_swapped_are_mentioned(tmp_path):
    WRAPPED["mmgen.pth"](tmp_path / "g.pth")
    assert "often swaps red and blue" in read_checkpoint(tmp_path / "g.pth").config.description


# --- other layouts ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_genforces_layout_is_what_its_arithmetic_says(tmp_path):
    assert (
        relatives.generate_genforce(relatives.to_genforce(STATE), z()) - nvidia.generate(STATE, z())
    ).abs().max() < PARITY
    for fused in (False, True):
        state = double(progan.random_state(64, channels={4: 12, 8: 12, 16: 9, 32: 9, 64: 6}))
        drawn = progan.genforce(progan.to_genforce(state, fused=fused), z().double(), fused=fused).clamp(-1, 1)
        assert (drawn - progan.generate(state, z().double())).abs().max() < 1e-6  # genforce adds its epsilon twice


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("fused", [False, True])
def test_a_progressive_gan_of_genforce_draws_the_pictures_of_its_program(tmp_path, fused):
    state = progan.random_state(32, channels={4: 12, 8: 12, 16: 9, 32: 9})
    theirs = progan.to_genforce(state, fused=fused)
    torch.save({"generator_smooth": theirs}, tmp_path / "g.pth")
    expected = progan.genforce(double(theirs), z().double(), fused=fused).clamp(-1, 1)
    assert (draw(read_checkpoint(tmp_path / "g.pth")) - expected).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_a_progressive_gan_that_could_be_two_is_refused(tmp_path):
    state = progan.random_state(16, channels={4: 12, 8: 12, 16: 12})
    for fused in (False, True):
        torch.save(progan.to_genforce(state, fused=fused), tmp_path / "g.pth")
        with pytest.raises(CheckpointError, match="nothing tells whether it upsamples and convolves in one step"):
            read_checkpoint(tmp_path / "g.pth")
    torch.save(progan.to_genforce(state, fused=False) | {"lod": torch.tensor(1.5)}, tmp_path / "g.pth")
    with pytest.raises(CheckpointError, match="equally wide|not grown to its full size"):
        read_checkpoint(tmp_path / "g.pth")


# --- what is refused -------------------------------------------------------------------------------------------------


REFUSED = {
    "two": (lambda: {"netG_A": G_EMA, "netG_B": OTHER}, "several generators, under 'netG_A', 'netG_B'; save the one"),
    "twice": (lambda: G_EMA | under("module.", G_EMA), "holds '[a-z0-9.]+' twice; save the one that is meant alone"),
    "an encoder": (
        lambda: {"state_dict": ENCODER, "opts": {}},
        "no generator that is known here; its tensors are called",
    ),
    "a discriminator": (lambda: {"d": {"final_linear.0.weight": torch.ones(2, 2)}}, "discriminator, not a generator"),
    "StyleGAN-XL": (
        lambda: {"G_ema": {"synthesis.input.freqs": torch.ones(2), "mapping.embed_proj.weight": torch.ones(2)}},
        "is a StyleGAN-XL; StyleGAN1, StyleGAN2, StyleGAN3 and Progressive GAN generators are supported",
    ),
    "SWAGAN": (lambda: {"g_ema": G_EMA | {"to_rgbs.0.iwt.ll": torch.ones(2, 2)}}, "a SWAGAN, which draws wavelets"),
    "FastGAN": (lambda: {"g": {"module.init.init.1.weight_orig": torch.ones(2)}}, "a FastGAN"),
    "mmgen": (lambda: {"state_dict": {"generator_ema.noise2feat.bias": torch.ones(2)}}, "Progressive GAN of another"),
    "diffusion": (lambda: {"down_blocks.0.resnets.0.conv1.weight": torch.ones(2)}, "a diffusion model"),
    "genforce": (lambda: {"generator": {"early_layer.const": torch.ones(2)}}, "StyleGAN1 of another code base"),
    "lucidrains": (lambda: {"GAN": {"S.net.0.weight": torch.ones(2)}, "version": "1"}, "another StyleGAN2 code base"),
    "a program": (lambda: {"g_ema": G_EMA, "hook": os_system()}, "asks for '(posix|nt).system', which is a program"),
    "nothing": (lambda: {"opts": {"lr": 1}}, "holds no tensors; is it the right file"),
    "a flat list of numbers": (lambda: G_EMA | {"input.input": torch.ones(5, dtype=torch.int64)}, "as strided int64"),
}


def os_system():
    import os

    return os.system


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_generator_is_called_what_it_is(tmp_path, what):
    made, says = REFUSED[what]
    torch.save(made(), tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
def test_an_argument_is_refused_in_a_tuned_generator_too(tmp_path):
    kwargs = nvidia.init_kwargs(STATE) | {"mapping_kwargs": {"num_layers": 2, "activation": "relu"}}
    nvidia_files.torch_save_module(tmp_path / "g.pt", STATE, kwargs)
    with pytest.raises(
        CheckpointError, match="MappingNetwork has activation 'relu'; only 'lrelu' is implemented here"
    ):
        read_checkpoint(tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"activation": "relu"}, "EqualLinear has activation 'relu'; only 'fused_lrelu' is implemented here"),
        ({"lr_mul": -1}, "EqualLinear has lr_mul -1; expected a number above 0"),
    ],
)
def test_so_is_an_attribute_of_one_that_was_saved_whole(tmp_path, change, says):
    save_rosinality_module(tmp_path / "g.pt", **change)
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
def test_a_learning_rate_that_was_saved_whole_is_multiplied_in(tmp_path):
    save_rosinality_module(tmp_path / "g.pt", lr_mul=0.02)
    doubled = {name: 2 * tensor if name.startswith("mapping.fc") else tensor for name, tensor in STATE.items()}
    drawn = draw(read_checkpoint(tmp_path / "g.pt"), 1.0)
    assert (drawn - nvidia.generate(doubled, z())).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_numbers_that_are_not_those_that_were_saved_are_noticed(tmp_path):
    """PyTorch itself compares no checksum, and would draw other pictures."""
    torch.save({"g_ema": G_EMA}, tmp_path / "g.pt")
    data = bytearray((tmp_path / "g.pt").read_bytes())
    start = data.index(G_EMA["convs.1.conv.weight"].numpy().tobytes()[:64])
    data[start + 1000] ^= 4
    (tmp_path / "g.pt").write_bytes(data)
    assert not torch.equal(torch.load(tmp_path / "g.pt")["g_ema"]["convs.1.conv.weight"], G_EMA["convs.1.conv.weight"])
    with pytest.raises(CheckpointError, match="record 'g/data/[0-9]+' is damaged; fetch it again"):
        read_checkpoint(tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
def test_a_file_without_checksums_opens(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"g_ema": G_EMA, "latent_avg": LATENT_AVG}, tmp_path / "g.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert (draw(read_checkpoint(tmp_path / "g.pt"), 1.0) - nvidia.generate(STATE, z())).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_a_zip_with_other_than_one_file_of_weights_names_them(tmp_path):
    for names, says in (
        (["a.pt", "b.pkl"], "several files of weights, 'a.pt', 'b.pkl'; unpack it and give the one that is meant"),
        (["a.txt"], "a zip archive with no file of weights"),
    ):
        with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
            for name in names:
                archive.writestr(name, b"x" * 100)
        with pytest.raises(CheckpointError, match=re.escape(says)):
            read_checkpoint(tmp_path / "g.zip")
    with zipfile.ZipFile(tmp_path / "g.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.pt", bytes(10_000_000))
    with pytest.raises(CheckpointError, match="a zip that unpacks to 10,000,000 bytes, far more than weights do"):
        read_checkpoint(tmp_path / "g.zip")
