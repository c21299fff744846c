"""Foreign weight files: every layout draws the same pictures after conversion; what is missing or wrong is said."""

import argparse
import json
import math
import re
import sys

import numpy as np
import pytest
import torch

from rewriting.checkpoints import CheckpointError, conversion, read_checkpoint
from rewriting.checkpoints.known_models import KNOWN_MODELS
from rewriting.generators import read_generator
from rewriting.hub import convert
from tests.foreign import PARITY, double, draw, z
from tests.full_disk import full_disk
from tests.reference import nvidia, progan, rosinality

pytest_plugins = ("tests.foreign_fixtures",)

# --- writers of each layout ------------------------------------------------------------------------------------------


def save_rosinality(path, state, **options):
    g_ema, latent_avg = nvidia.to_rosinality(state)
    torch.save({"g_ema": g_ema, "latent_avg": latent_avg}, path, **options)


def save_training_run(path, state):
    """As saved in the middle of training: settings, optimiser and discriminator beside it, names of DataParallel."""
    g_ema, latent_avg = nvidia.to_rosinality(state)
    g_ema = {f"module.{name}": tensor for name, tensor in g_ema.items()} | {"module.latent_avg": latent_avg[None]}
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
    settings = argparse.Namespace(size=64, lr=0.002, distributed=False, path=None)
    torch.save({"g": {}, "d": {"x": torch.ones(1)}, "g_ema": g_ema, "g_optim": optimiser, "args": settings}, path)


def save_paper(path, state):
    """The paper's sequential names, by the substitutions that its loader makes."""
    g_ema, latent_avg = nvidia.to_rosinality(state)
    renamed = {"latents.latent_avg": latent_avg}
    for k, v in g_ema.items():
        k = re.sub(r"^conv1\.conv\.", "layer2.conv.mconv.", k)
        k = re.sub(r"^conv1\.", "layer2.conv.", k)
        k = re.sub(r"^convs\.(\d+)\.conv", lambda m: f"layer{int(m[1]) + 3}.sconv.mconv", k)
        k = re.sub(r"^convs\.(\d+)\.", lambda m: f"layer{int(m[1]) + 3}.sconv.", k)
        k = re.sub(r"^to_rgb1\.(conv\.|bias$)", r"to_rgb1.rgb.\1", k)
        k = re.sub(r"^to_rgbs\.(\d+)\.upsample\.", lambda m: f"up_rgb{int(m[1]) + 1}.", k)
        k = re.sub(r"^to_rgbs\.(\d+)\.", lambda m: f"to_rgb{int(m[1]) + 2}.rgb.", k)
        renamed[re.sub(r"mconv\.weight$", "mconv.dconv.weight", k)] = v
    torch.save(renamed, path)


def save_ada(path, state, **changes):
    nvidia.write_nvidia_pickle(path, state, nvidia.init_kwargs(state) | changes)


def save_stylegan3_repo(path, state, **changes):
    nvidia.write_nvidia_pickle(path, state, nvidia.flat_kwargs(state) | changes)


def save_tensorflow(path, state, **more):
    nvidia.write_tf_pickle(path, state, nvidia.init_kwargs(state), **more)


STYLEGAN2 = {
    "rosinality.pt": save_rosinality,
    "legacy.pt": lambda path, state: save_rosinality(path, state, _use_new_zipfile_serialization=False),
    "training.pt": save_training_run,
    "paper.pt": save_paper,
    "ada.pkl": save_ada,
    "stylegan3-repo.pkl": save_stylegan3_repo,
    "ada-2.pkl": lambda path, state: nvidia.write_nvidia_pickle(path, state, nvidia.init_kwargs(state), protocol=2),
    "tensorflow.pkl": save_tensorflow,
    "tensorflow-2.pkl": lambda path, state: nvidia.write_tf_pickle(path, state, nvidia.init_kwargs(state), protocol=2),
}
PROGAN = {
    "progan.pth": torch.save,
    "old.pth": lambda state, path: torch.save(
        {"state_dict": progan.to_old_names(state)}, path, _use_new_zipfile_serialization=False
    ),
}


# --- parity ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("resolution", [64, 256])
@pytest.mark.parametrize("name", STYLEGAN2)
def test_a_converted_stylegan2_draws_the_pictures_of_its_program(tmp_path, name, resolution):
    state = nvidia.random_state(resolution)
    STYLEGAN2[name](tmp_path / name, state)
    returned = convert(tmp_path / name, tmp_path / "out")
    generator = read_generator(tmp_path / "out")
    expected = nvidia.generate(state, z(), truncation=0.6)
    assert (draw(generator, 0.6) - expected).abs().max() < PARITY
    assert torch.equal(draw(returned, 0.6), draw(generator, 0.6))
    # The pictures are worth comparing: they show something, and not twice the same.
    assert expected.std() > 0.1 and (expected[0] - expected[1]).abs().mean() > 0.05


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("resolution", [64, 256])
@pytest.mark.parametrize("name", PROGAN)
def test_a_converted_progressive_gan_draws_the_pictures_of_its_program(tmp_path, name, resolution):
    state = progan.random_state(resolution)
    PROGAN[name](state, tmp_path / name)
    convert(tmp_path / name, tmp_path / "out")
    # In double: random weights with few channels amplify rounding so much that float32 itself strays by 1e-4.
    expected = progan.generate(double(state), z().double())
    assert (draw(read_generator(tmp_path / "out")) - expected).abs().max() < PARITY
    assert expected.std() > 0.1


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", ["rosinality.pt", "ada.pkl", "tensorflow.pkl"])
def test_1024_px_loads_and_draws(tmp_path, name):
    state = nvidia.random_state(1024, channels={4 << n: max(8 - n, 2) for n in range(9)})
    STYLEGAN2[name](tmp_path / name, state)
    generator = read_checkpoint(tmp_path / name)
    assert generator.config.resolution == 1024 and generator.layers.stop == 19
    assert generator.images([0]).shape == (1, 1024, 1024, 3)
    with torch.no_grad():
        assert (generator(z(1)) - nvidia.generate(state, z(1))).abs().max() < PARITY


def test_a_file_is_read_in_another_process_and_nothing_in_it_is_run(tmp_path):
    """The source text that the reference's writer puts into every module raises when it is executed."""
    state = nvidia.random_state(32)
    save_ada(tmp_path / "g.pkl", state)
    said = []
    generator = convert(tmp_path / "g.pkl", tmp_path / "out", progress=lambda share, what: said.append((share, what)))
    assert (draw(generator) - nvidia.generate(state, z())).abs().max() < PARITY
    assert not any(module.split(".")[0] in ("dnnlib", "torch_utils") for module in sys.modules)
    shares = [share for share, _ in said]
    assert shares == sorted(shares) and shares[-1] == 1 and all(what for _, what in said)


def test_a_full_temporary_folder_is_not_blamed_on_the_file(tmp_path):
    save_rosinality(tmp_path / "g.pt", nvidia.random_state(8))
    with full_disk(), pytest.raises(CheckpointError) as refusal:
        read_checkpoint(tmp_path / "g.pt")
    said = str(refusal.value)
    assert "its numbers cannot be written to the temporary folder: no file may be that large there" in said


# --- what is inferred ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", STYLEGAN2)
def test_the_architecture_is_read_off_names_and_shapes(tmp_path, name):
    channels = {4: 11, 8: 7, 16: 5, 32: 3}
    state = nvidia.random_state(32, z_dim=9, w_dim=6, mapping_layers=5, channels=channels)
    STYLEGAN2[name](tmp_path / name, state)
    config = read_checkpoint(tmp_path / name).config
    assert (config.architecture, config.resolution, config.channels) == ("stylegan2", 32, channels)
    assert (config.z_dim, config.w_dim, config.mapping_layers, config.noise) == (9, 6, 5, True)
    assert config.truncation == 1.0 and config.default_layer == 8 and config.license == "unknown"
    assert name in config.description and config.extra["source"]["file"] == name


@pytest.mark.usefixtures("in_process")
def test_the_shape_of_a_progressive_gan_is_read_off_too(tmp_path):
    channels = {4: 11, 8: 7, 16: 5}
    torch.save(progan.random_state(16, z_dim=9, channels=channels), tmp_path / "g.pth")
    config = read_checkpoint(tmp_path / "g.pth", name="rooms", truncation=0.9).config
    assert (config.architecture, config.resolution, config.z_dim) == ("proggan", 16, 9)
    assert config.channels == channels and config.name == "rooms" and config.truncation == 0.9


@pytest.mark.usefixtures("in_process")
def test_a_missing_mean_latent_is_computed_from_ten_thousand(tmp_path):
    g_ema, _ = nvidia.to_rosinality(nvidia.random_state(8))
    torch.save({"g_ema": g_ema}, tmp_path / "g.pt")
    generator = read_checkpoint(tmp_path / "g.pt")
    many = torch.from_numpy(np.random.RandomState(0).randn(10_000, 20))
    expected = rosinality.map_latent(double(g_ema), many).mean(0)
    # The mean of 10,000 float32 latents of size 0.1 to 1, each with a relative error of 1e-6.
    assert (generator.latent_avg - expected).abs().max() < 1e-5
    assert "10,000 latents" in generator.config.description


@pytest.mark.usefixtures("in_process")
def test_missing_noise_maps_are_those_of_the_papers_code(tmp_path):
    g_ema, latent_avg = nvidia.to_rosinality(nvidia.random_state(32))
    without = {name: tensor for name, tensor in g_ema.items() if not name.startswith("noises.")}
    torch.save({"g_ema": without, "latent_avg": latent_avg}, tmp_path / "g.pt")
    generator = read_checkpoint(tmp_path / "g.pt")
    for number, size in enumerate([4, 8, 8, 16, 16, 32, 32]):
        drawn = np.random.RandomState(0).randn(1, size * size).reshape(1, 1, size, size)
        without[f"noises.noise_{number}"] = torch.from_numpy(drawn).float()
    assert generator.config.noise and "RandomState(0)" in generator.config.description
    assert (draw(generator) - rosinality.generate(without, z())).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_a_generator_without_noise_gets_none(tmp_path):
    g_ema, latent_avg = nvidia.to_rosinality(nvidia.random_state(16, noise_weights=0.0))
    without = {name: tensor for name, tensor in g_ema.items() if not name.startswith("noises.")}
    torch.save({"g_ema": without, "latent_avg": latent_avg}, tmp_path / "g.pt")
    generator = read_checkpoint(tmp_path / "g.pt")
    assert not generator.config.noise and "noise" not in generator.config.description
    assert (draw(generator) - rosinality.generate(g_ema, z(), noise=False)).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_another_learning_rate_of_the_mapping_network_is_multiplied_in(tmp_path):
    """The program scales weights by it when it runs: half the weights at twice the rate are the same network."""
    state = nvidia.random_state(16)
    halved = {k: v / 2 if k.startswith("mapping.fc") else v for k, v in state.items()}
    save_ada(tmp_path / "g.pkl", halved, mapping_kwargs={"num_layers": 2, "lr_multiplier": 0.02})
    assert (draw(read_checkpoint(tmp_path / "g.pkl")) - nvidia.generate(state, z())).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_so_is_one_that_a_training_run_recorded(tmp_path):
    state = nvidia.random_state(16)
    halved = {k: v / 2 if k.startswith("mapping.fc") else v for k, v in state.items()}
    g_ema, latent_avg = nvidia.to_rosinality(halved)
    for settings in ({"lr_mlp": 0.02}, argparse.Namespace(lr_mlp=0.02, lr=0.1, arch="stylegan2")):
        torch.save({"g_ema": g_ema, "latent_avg": latent_avg, "args": settings}, tmp_path / "g.pt")
        assert (draw(read_checkpoint(tmp_path / "g.pt")) - nvidia.generate(state, z())).abs().max() < PARITY
    torch.save({"g_ema": g_ema, "args": argparse.Namespace(arch="swagan")}, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match="training run has arch 'swagan'; only 'stylegan2' is implemented here"):
        read_checkpoint(tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
def test_a_clamp_that_never_binds_is_left_out_and_one_that_does_is_not(tmp_path):
    state = nvidia.random_state(16)
    for clamp in (256, 2):
        arguments = nvidia.init_kwargs(state)["synthesis_kwargs"] | {"conv_clamp": clamp}
        save_ada(tmp_path / f"clamp{clamp}.pkl", state, synthesis_kwargs=arguments)
    generator = read_checkpoint(tmp_path / "clamp256.pkl")
    assert "conv_clamp of 256 is left out" in generator.config.description
    with pytest.raises(CheckpointError, match="cuts off layers' values at 2, and in 8 pictures they reach"):
        read_checkpoint(tmp_path / "clamp2.pkl")


# --- what is refused -------------------------------------------------------------------------------------------------


RELU = "'relu'; only 'lrelu' is implemented here"
UNEQUAL = {  # how it is written, what the program then computes, what is said
    "mapping, ADA": (
        lambda path, state: save_ada(path, state, mapping_kwargs={"num_layers": 2, "activation": "relu"}),
        {"mapping_activation": "relu"},
        f"MappingNetwork has activation {RELU}",
    ),
    "mapping, StyleGAN3 repo": (
        lambda path, state: save_stylegan3_repo(path, state, mapping_kwargs={"num_layers": 2, "activation": "relu"}),
        {"mapping_activation": "relu"},
        f"MappingNetwork has activation {RELU}",
    ),
    "mapping, TensorFlow": (
        lambda path, state: save_tensorflow(path, state, mapping_nonlinearity="relu"),
        {"mapping_activation": "relu"},
        f"G_main has mapping_nonlinearity {RELU}",
    ),
    "normalization, TensorFlow": (
        lambda path, state: save_tensorflow(path, state, normalize_latents=False),
        {"normalize": False},
        "G_main has normalize_latents False; only True is implemented here",
    ),
    "activation, ADA": (
        lambda path, state: save_ada(path, state, synthesis_kwargs={"activation": "relu"}),
        {"activation": "relu"},
        f"SynthesisNetwork has activation {RELU}",
    ),
    "activation, StyleGAN3 repo": (
        lambda path, state: save_stylegan3_repo(path, state, activation="relu"),
        {"activation": "relu"},
        f"Generator has activation {RELU}",
    ),
    "activation, TensorFlow": (
        lambda path, state: save_tensorflow(path, state, nonlinearity="relu"),
        {"activation": "relu"},
        f"G_main has nonlinearity {RELU}",
    ),
}


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("case", UNEQUAL)
def test_what_would_draw_other_pictures_is_refused_by_name(tmp_path, case):
    write, options, says = UNEQUAL[case]
    state = nvidia.random_state(16)
    # Were the argument overlooked, the pictures would be wrong without a word, and by that much.
    assert (nvidia.generate(state, z(), **options) - nvidia.generate(state, z())).abs().max() > 100 * PARITY
    write(tmp_path / "g.pkl", state)
    with pytest.raises(CheckpointError, match=re.escape(says)) as refusal:
        read_checkpoint(tmp_path / "g.pkl")
    assert re.search("so choose a generator that was trained with that.$", str(refusal.value))


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"img_channels": 2}, "Generator has img_channels 2; only 3, 1 and 4 are"),
        (
            {"synthesis_kwargs": {"architecture": "unet"}},
            "SynthesisNetwork has architecture 'unet'; only 'skip', 'orig' and 'resnet' are",
        ),
        ({"synthesis_kwargs": {"kernel_size": 5}}, "SynthesisNetwork has kernel_size 5; only 3 is"),
        (
            {"synthesis_kwargs": {"conv_clamp": "256"}},
            "SynthesisNetwork has conv_clamp '256'; expected a number above 0",
        ),
        ({"mapping_kwargs": {"lr_multiplier": "fast"}}, "MappingNetwork has lr_multiplier 'fast'; expected a number"),
        ({"mapping_kwargs": {"lr_multiplier": 0}}, "MappingNetwork has lr_multiplier 0; expected a number above 0"),
        (
            {"mapping_kwargs": {"residual": True}},
            "MappingNetwork has the argument 'residual', True, which is not known",
        ),
        ({"attention": 32}, "Generator has the argument 'attention', 32, which is not known here; choose a generator"),
        ({f"option{n}": n for n in range(50)}, "Generator has the argument 'option0', 0, which is not known"),
    ],
)
def test_an_argument_that_is_not_implemented_or_not_known_is_named(tmp_path, change, says):
    save_ada(tmp_path / "g.pkl", nvidia.random_state(8), **change)
    with pytest.raises(CheckpointError, match=re.escape(says)):
        read_checkpoint(tmp_path / "g.pkl")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"num_channels": 2}, "G_main has num_channels 2; only 3, 1 and 4 are"),
        ({"synthesis_func": "G_synthesis_stylegan"}, "only 'G_synthesis_stylegan2' is"),
        ({"mapping_lrmul": -1}, "G_main has mapping_lrmul -1; expected a number above 0"),
        ({"use_wscale": False}, "G_main has the argument 'use_wscale', False, which is not known here"),
        ({"pixelnorm_epsilon": 1e-4}, "G_main has the argument 'pixelnorm_epsilon', 0.0001, which is not known here"),
        ({"blur_filter": [1, 2, 1]}, "G_main has the argument 'blur_filter', [1, 2, 1], which is not known here"),
    ],
)
def test_so_is_one_of_tensorflow(tmp_path, change, says):
    save_tensorflow(tmp_path / "g.pkl", nvidia.random_state(8), **change)
    with pytest.raises(CheckpointError, match=re.escape(says)):
        read_checkpoint(tmp_path / "g.pkl")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", ["ada", "stylegan3-repo", "tensorflow"])
def test_arguments_that_no_picture_depends_on_change_nothing(tmp_path, name):
    state, path = nvidia.random_state(16), tmp_path / "g.pkl"
    mapping = {"num_layers": 2, "embed_features": 512, "layer_features": None, "w_avg_beta": 0.995, "freeze_layers": 0}
    synthesis = {"channel_base": 16384, "channel_max": 512, "num_fp16_res": 4, "fp16_channels_last": True}
    drawing = {"truncation_psi": 0.5, "truncation_cutoff": 8, "randomize_noise": True, "style_mixing_prob": 0.9}
    building = {"fmap_decay": 1.0, "fmap_min": 1, "fused_modconv": True, "dtype": "float32", "structure": "auto"}
    if name == "ada":
        save_ada(path, state, mapping_kwargs=mapping, synthesis_kwargs=synthesis)
    elif name == "stylegan3-repo":
        save_stylegan3_repo(path, state, mapping_kwargs=mapping, **synthesis)
    else:
        save_tensorflow(path, state, mapping_lrmul=0.01, normalize_latents=True, **drawing, **building)
    assert (draw(read_checkpoint(path)) - nvidia.generate(state, z())).abs().max() < PARITY


@pytest.mark.usefixtures("in_process")
def test_what_a_layer_became_counts_where_its_arguments_do_not_say(tmp_path, monkeypatch):
    """A program whose defaults are others writes them as attributes of its layers only."""
    from tests.reference import nvidia_files

    state, written = nvidia.random_state(8), nvidia_files._own_attributes
    for changed, says in (
        ({"activation": "swish"}, "SynthesisLayer has activation 'swish'; only 'lrelu' is implemented here"),
        ({"bias_gain": 1.0}, "learning rates 0.01 and 1; only one for all of its layers is implemented here"),
    ):
        kind = "FullyConnectedLayer" if "bias_gain" in changed else "SynthesisLayer"

        def other(class_name, path, *rest, changed=changed, kind=kind):
            own = written(class_name, path, *rest)
            return own | changed if class_name == kind and not path.endswith("affine") else own

        monkeypatch.setattr(nvidia_files, "_own_attributes", other)
        save_ada(tmp_path / "g.pkl", state)
        with pytest.raises(CheckpointError, match=says):
            read_checkpoint(tmp_path / "g.pkl")


@pytest.mark.usefixtures("in_process")
def test_a_part_of_another_program_is_named(tmp_path, monkeypatch):
    from tests.reference import nvidia_files

    names = tuple(
        (pattern, "AttentionBlock" if "Block" in name else name) for pattern, name in nvidia_files._CLASS_NAMES
    )
    monkeypatch.setattr(nvidia_files, "_CLASS_NAMES", names)
    save_ada(tmp_path / "g.pkl", nvidia.random_state(8))
    with pytest.raises(CheckpointError, match="part 'synthesis.b[48]' is of the class 'AttentionBlock', which is not"):
        read_checkpoint(tmp_path / "g.pkl")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["mapping.embed_proj.weight", "synthesis.input.freqs"], "StyleGAN-XL"),
        (["synthesis.L0_36_512.weight", "synthesis.input.freqs"], "expected L0, L1, and so on"),
        (["generator.progression.0.conv1.conv.weight", "style.1.weight"], "StyleGAN1"),
        (["convs.0.0.weight", "final_linear.0.weight"], "discriminator"),
        (["init.init.0.weight_orig", "feat_8.1.weight_orig"], "a FastGAN"),
        (["layer0.weight", "output0.weight"], "too few layers .1.; a Progressive GAN has 4"),
        (
            ["weights.1", "weights.2"],
            "no generator that is known here; its tensors are called 'weights.1', 'weights.2'",
        ),
    ],
)
def test_other_architectures_are_refused_by_name(tmp_path, names, says):
    torch.save({name: torch.ones(2, 2) for name in names}, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"convs.1.conv.weight": torch.ones(1, 20, 24, 3, 3)},
            r"\(1, 20, 24, 3, 3\).*\(1, 20, 20, 3, 3\) is expected",
        ),
        ({"convs.1.activate.bias": None}, "lacks 'convs.1.activate.bias'"),
        ({"convs.2.conv.weight": torch.ones(2)}, "has 3 convolutions above 4 px; a StyleGAN2 has two at every"),
        ({"noises.noise_1": None}, "lacks 'noises.noise_1'"),
        ({"input.input": torch.full((1, 24, 4, 4), math.nan)}, "values in input.input that are not finite"),
        ({"input.input": torch.ones(1, 24, 4, 4, dtype=torch.int32)}, "'input.input' as strided int32"),
        ({"convs.0.conv.blur.kernel": torch.eye(4)}, r"blur.kernel' of shape \(4, 4\) is not the same along rows"),
        ({"style.1.weight": None}, r"style.N.weight for N = \[2\]; expected 1, 2"),
        ({"latent_avg": torch.ones(27)}, r"latent_avg has shape \(27,\).*\(28,\) is expected"),
    ],
)
def test_a_mismatch_names_what_was_expected_and_found(tmp_path, change, says):
    state = rosinality.random_state(8) | change
    torch.save({k: v for k, v in state.items() if v is not None}, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match=says) as refusal:
        read_checkpoint(tmp_path / "g.pt")
    assert str(refusal.value).startswith("'g.pt' cannot be used: it")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<!DOCTYPE html><html>Too many downloads</html>", "a web page, not weights"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        (b"\x1f\x8b" + bytes(50), "a gzip archive"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00{" + b" " * 63, "not a whole safetensors file"),
        (bytes(257) + b"ustar" + bytes(50), "PyTorch before 0.1.10"),
        (b"short", "has 5 bytes"),
        (b"just some text that is no weights", "neither a PyTorch file nor an NVIDIA pickle"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, data, says):
    (tmp_path / "file.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(tmp_path / "file.pt")
    with pytest.raises(FileNotFoundError, match="There is no file 'none.pt'"):
        read_checkpoint(tmp_path / "none.pt")


# --- the repo that is written ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_process")
def test_the_repo_has_a_config_weights_and_a_card(tmp_path):
    save_rosinality(tmp_path / "g.pt", nvidia.random_state(16))
    generator = convert(tmp_path / "g.pt", tmp_path / "out", name="my: model", truncation=0.7)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["name"] == "my: model" and config["truncation"] == 0.7 and len(config["source"]["sha256"]) == 64
    _, metadata, body = (tmp_path / "out" / "README.md").read_text().split("---\n", 2)
    assert "license: unknown\n" in metadata and "library_name: rewriting\n" in metadata
    assert body.lstrip().startswith("# my: model\n") and "Converted from g.pt" in body
    assert read_generator(tmp_path / "out").digest() == generator.digest()
    again = convert(tmp_path / "g.pt", tmp_path / "out", name="other")
    assert read_generator(tmp_path / "out").config.name == again.config.name == "other"


@pytest.mark.usefixtures("in_process")
def test_a_folder_with_something_else_in_it_stays_as_it_is(tmp_path):
    save_rosinality(tmp_path / "g.pt", nvidia.random_state(8))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="holds other files; give a new folder"):
        convert(tmp_path / "g.pt", tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text() == "mine" and len(list((tmp_path / "out").iterdir())) == 1
    with pytest.raises(ValueError, match="is a file; give a folder"):
        convert(tmp_path / "g.pt", tmp_path / "g.pt")


@pytest.mark.usefixtures("in_process")
def test_a_bad_file_leaves_no_repo(tmp_path):
    torch.save({"g_ema": {"input.input": torch.ones(1, 4, 4, 4)}}, tmp_path / "g.pt")
    with pytest.raises(CheckpointError):
        convert(tmp_path / "g.pt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("in_process")
def test_a_known_file_brings_its_licence_layer_and_truncation(tmp_path, monkeypatch):
    save_rosinality(tmp_path / "stylegan2-ffhq-config-f.pt", nvidia.random_state(32))
    digest = next(model for model in KNOWN_MODELS if model.name == "stylegan2-ffhq").places[0].sha256
    monkeypatch.setattr(conversion, "sha256_of", lambda _: digest.ljust(64, "0"))
    config = read_checkpoint(tmp_path / "stylegan2-ffhq-config-f.pt").config
    assert (config.license, config.default_layer, config.truncation) == ("nvidia-source-code-license-nc", 6, 0.7)
    assert config.name == "stylegan2-ffhq"
