"""StyleGAN2 built otherwise: with classes, in grey, with alpha.  Each draws the same pictures here, and what cannot is
refused by name."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rewriting import load_generator
from rewriting.checkpoints import CheckpointError, build, conversion, read_checkpoint, reader
from rewriting.checkpoints.export import export
from rewriting.cli import main
from rewriting.files import read_json
from rewriting.hub import convert
from tests import tiny
from tests.foreign import PARITY, double, draw, z
from tests.reference import nvidia, nvidia_files, progan
from tests.test_checkpoints import save_ada, save_stylegan3_repo, save_tensorflow

SIZE, CLASSES = 16, 5
SAVED = {"ada": save_ada, "stylegan3-repo": save_stylegan3_repo, "tensorflow": save_tensorflow}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Files are read in this process, and kept for one test."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)


def same(generator, expected):
    return float((draw(generator, 0.7) - expected).abs().max()) < PARITY


# --- classes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def conditional():
    """A file, and its state."""
    state = nvidia.random_state(SIZE, classes=CLASSES)
    save_ada("animals.pkl", state)
    return state


@pytest.mark.parametrize("label", [0, 3, CLASSES - 1])
def test_one_class_of_a_conditional_generator_draws_what_its_program_draws(conditional, label):
    generator = read_checkpoint("animals.pkl", label=label)
    assert same(generator, nvidia.generate(conditional, z(), 0.7, label=label))
    assert not same(generator, nvidia.generate(conditional, z(), 0.7, label=1))
    assert f"It draws class {label} alone." in generator.config.description


@pytest.mark.parametrize("name", [*SAVED, "tensors alone"])
def test_a_conditional_generator_keeps_its_classes(name):
    state = nvidia.random_state(SIZE, classes=CLASSES)
    SAVED.get(name, lambda path, one: torch.save(one, path))("net.pkl", state)
    generator = read_checkpoint("net.pkl")
    assert generator.config.classes == CLASSES and f"It draws {CLASSES} classes." in generator.config.description
    exact = double(state)
    for label in range(CLASSES):  # truncated towards the one mean latent that the file has
        drawn = generator(z(), truncation=0.7, label=label)
        assert float((drawn - nvidia.generate(exact, z().double(), 0.7, label=label)).abs().max()) < PARITY


def test_tensorflows_classes_are_classes_too():
    state = nvidia.random_state(SIZE, classes=CLASSES)
    save_tensorflow("net.pkl", state)
    assert same(read_checkpoint("net.pkl", label=3), nvidia.generate(state, z(), 0.7, label=3))


@pytest.mark.parametrize("count", [1, CLASSES])
def test_the_first_classes_of_tensorflow_are_normalised_with_the_latent(count):
    """Each is a vector beside the latent, so that it changes the latent's scale."""
    state = nvidia.random_state(SIZE, classes=count, label_concat=True)
    save_tensorflow("net.pkl", state)
    generator = read_checkpoint("net.pkl")
    assert generator.config.classes == count and f"It draws {count} classes." in generator.config.description
    for label in range(count):
        expected = nvidia.generate(double(state), z().double(), 0.7, label=label)
        assert float((generator(z(), truncation=0.7, label=label) - expected).abs().max()) < PARITY
    generator.save("ours")
    assert torch.equal(load_generator("ours")(z(), label=count - 1), generator(z(), label=count - 1))


def test_the_first_classes_of_tensorflow_cannot_be_separated_or_exported():
    save_tensorflow("net.pkl", nvidia.random_state(SIZE, classes=CLASSES, label_concat=True))
    with pytest.raises(CheckpointError, match="whose classes cannot be separated; leave the class out") as raised:
        read_checkpoint("net.pkl", label=2)
    assert tiny.is_one_sentence(str(raised.value))
    for layout in ("nvidia", "rosinality"):
        with pytest.raises(ValueError, match="which no layout of a file for PyTorch knows") as raised:
            export(read_checkpoint("net.pkl"), "out.pt", layout)
        assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize("shape", [(), (3,), (0, 20), (5, 7), (5, 47), (5, 48), (2, 2, 2)])
def test_first_classes_that_do_not_fit_are_one_sentence(monkeypatch, shape):
    state = nvidia.random_state(SIZE, classes=CLASSES, label_concat=True)
    variables = nvidia_files.tf_variables(state) | {"mapping/LabelConcat/weight": np.ones(shape, np.float32)}
    monkeypatch.setattr(nvidia_files, "tf_variables", lambda _: variables)
    save_tensorflow("bad.pkl", state)
    with pytest.raises(CheckpointError) as raised:
        read_checkpoint("bad.pkl")
    assert tiny.is_one_sentence(str(raised.value))


def test_a_state_dict_alone_has_classes_too(conditional):
    torch.save(conditional, "animals.pt")
    assert same(read_checkpoint("animals.pt", label=2), nvidia.generate(conditional, z(), 0.7, label=2))


def test_the_command_makes_one_generator_of_each_class(conditional, capsys):
    for label in (1, 2):
        assert main(["convert", "animals.pkl", f"class{label}", "--class", str(label)]) == 0
        assert same(load_generator(f"class{label}"), nvidia.generate(conditional, z(), 0.7, label=label))
    config = read_json(Path("class2") / "config.json")
    assert config["name"] == "animals, class 2" and config["source"]["class"] == 2
    assert "Wrote class1: animals, class 1, StyleGAN2, 16 px" in capsys.readouterr().out


def test_a_missing_mean_latent_is_one_of_all_classes(conditional):
    del conditional["mapping.w_avg"]
    torch.save(conditional, "animals.pt")
    generator = read_checkpoint("animals.pt")
    latents = np.random.RandomState(0).randn(build.MEAN_LATENTS, 20)
    conditional["mapping.w_avg"] = torch.zeros(28)
    mapped = [
        nvidia.map_latent(double(conditional), torch.from_numpy(latents[label::CLASSES]), label=label)
        for label in range(CLASSES)
    ]
    assert torch.allclose(generator.latent_avg, torch.cat(mapped).mean(0).float(), atol=1e-5)  # float32 sums


def test_an_embedding_of_another_width_asks_for_a_class():
    state = nvidia.random_state(SIZE, classes=CLASSES)
    state["mapping.embed.weight"], state["mapping.embed.bias"] = torch.randn(9, CLASSES), torch.randn(9)
    state["mapping.fc0.weight"] = 100 * torch.randn(28, 20 + 9)
    torch.save(state, "net.pt")
    assert same(read_checkpoint("net.pt", label=2), nvidia.generate(state, z(), 0.7, label=2))
    with pytest.raises(CheckpointError, match="embeds a class in 9 numbers") as raised:
        read_checkpoint("net.pt")
    assert "--class N`, with N from 0 to 4" in str(raised.value) and tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_without_a_class_that_there_is_the_classes_are_told(conditional, label):
    with pytest.raises(CheckpointError, match=f"a conditional generator of {CLASSES} classes") as raised:
        convert("animals.pkl", "out", label=label)
    said = str(raised.value)
    assert "--class N`, with N from 0 to 4, makes a generator of one of them." in said and tiny.is_one_sentence(said)


def test_where_there_are_no_classes_none_is_taken():
    save_ada("plain.pkl", nvidia.random_state(SIZE))
    tiny.generator(name="tiny").save("tiny")
    for name, said in (
        ("plain.pkl", "no conditional generator"),
        ("tiny", "leave the class out"),
        ("face", "leave the class out"),
    ):
        with pytest.raises(ValueError, match=said) as raised:
            convert(name, "out", label=0)
        assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    "name", ["mapping.embed.weight", "mapping.embed.bias", "mapping.fc0.weight", "mapping.fc0.bias"]
)
@pytest.mark.parametrize("shape", [(), (1,), (2, 2), (3, 3, 3)])
def test_an_embedding_that_does_not_fit_is_one_sentence(conditional, name, shape):
    torch.save(conditional | {name: torch.ones(shape)}, "bad.pt")
    for label in (None, 0):
        with pytest.raises(CheckpointError) as raised:
            read_checkpoint("bad.pt", label=label)
        assert tiny.is_one_sentence(str(raised.value))


# --- pictures of other channels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("channels", [1, 4])
def test_grey_pictures_have_three_equal_colours_and_alpha_is_left_out(name, channels):
    state = nvidia.random_state(SIZE, img_channels=channels)
    SAVED[name]("net.pkl", state)
    generator = read_checkpoint("net.pkl")
    expected = nvidia.generate(state, z(), 0.7)
    assert expected.shape[1] == channels and same(generator, expected[:, :3].expand(-1, 3, -1, -1))
    assert ("Its pictures are grey." if channels == 1 else "alpha, which is left out") in generator.config.description


# --- Progressive GAN of TensorFlow -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fused", "channels"), [(True, 3), (False, 3), (True, 1)])
def test_a_progressive_gan_of_the_papers_own_code_draws_what_that_draws(fused, channels):
    variables = progan.to_tensorflow(progan.random_state(SIZE), fused=fused, channels=channels)
    nvidia_files.write_progan_pickle("kitchen.pkl", variables, resolution=SIZE, num_channels=channels, label_size=0)
    expected = progan.tensorflow(variables, z()).clamp(-1, 1).expand(-1, 3, -1, -1)
    assert expected.std() > 0.1 and float((draw(read_checkpoint("kitchen.pkl")) - expected).abs().max()) < PARITY


@pytest.mark.parametrize(
    ("changed", "arguments", "said"),
    [
        ({"lod": torch.tensor(1.5)}, {}, "not grown to its full size"),
        ({"4x4/Dense/weight": torch.ones(20, 17)}, {}, "has 17 outputs"),
        ({"4x4/Dense/weight": torch.ones(3)}, {}, "expected 2 axes"),
        ({"8x8/Conv1/weight": torch.ones(3)}, {}, "expected 4 axes"),
        ({"8x8/Conv2/weight": torch.ones(3)}, {}, "8x8/Conv2/weight"),
        ({"9999x9999/Conv1/weight": torch.ones(3, 3, 2, 2)}, {}, "9999x9999"),
        ({}, {"label_size": 10}, "makes it a conditional generator"),
        ({}, {"use_pixelnorm": False}, "use_pixelnorm False"),
        ({}, {"unheard_of": 1}, "unheard_of"),
    ],
)
def test_another_progressive_gan_of_that_code_is_one_sentence(changed, arguments, said):
    variables = progan.to_tensorflow(progan.random_state(SIZE), fused=True)
    nvidia_files.write_progan_pickle("bad.pkl", variables | changed, **arguments)
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("bad.pkl")
    assert tiny.is_one_sentence(str(raised.value))
