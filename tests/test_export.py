"""Generators as files for other programs: independent implementations of these draw the same pictures from them, and
what is converted again is the same generator."""

import re

import pytest
import torch

from rewriting import load_generator
from rewriting.checkpoints import conversion, reader
from rewriting.checkpoints.export import export
from rewriting.cli import main
from rewriting.hub import write_rule
from tests import tiny
from tests.foreign import PARITY, double, z
from tests.hub_repos import LAYER, edit_of
from tests.reference import nvidia, progan, rosinality


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """What is read again is read in this process, and kept for one test."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)


def loaded(path):
    return torch.load(path, weights_only=True)


def read_by_rosinality(path):
    """As that code does: the state dict has exactly the names and shapes of its network."""
    content, expected = loaded(path), rosinality.random_state(32)
    state = content["g_ema"]
    assert {name: one.shape for name, one in state.items()} == {name: one.shape for name, one in expected.items()}
    return double(state), content["latent_avg"].double()


def read_by_nvidia(path):
    state, expected = loaded(path), nvidia.random_state(32)
    assert {name: one.shape for name, one in state.items()} == {name: one.shape for name, one in expected.items()}
    return double(state)


@pytest.mark.parametrize("noise", [True, False])
def test_rosinalitys_code_draws_the_same_pictures(noise):
    generator = tiny.generator(noise=noise)
    state, mean = read_by_rosinality(export(generator, "out.pt"))
    expected = rosinality.generate(state, z().double(), 0.7, mean)
    assert float((generator(z(), truncation=0.7) - expected).abs().max()) < PARITY


@pytest.mark.parametrize("noise", [True, False])
def test_nvidias_code_draws_the_same_pictures(noise):
    generator = tiny.generator(noise=noise)
    state = read_by_nvidia(export(generator, "out.pth", "nvidia"))
    expected = nvidia.generate(state, z().double(), 0.7)
    assert float((generator(z(), truncation=0.7) - expected).abs().max()) < PARITY


@pytest.mark.parametrize("kind", ["stylegan2", "stylegan3"])
def test_classes_go_back_too_where_the_layout_knows_them(kind):
    generator = tiny.generator(kind, classes=3, noise=True)
    again = load_generator(export(generator, "out.pt", "nvidia"))
    assert again.digest() == generator.digest() and again.config.classes == 3
    assert torch.equal(again(z(), label=2), generator(z(), label=2))


def test_rosinalitys_layout_knows_no_classes(tmp_path):
    with pytest.raises(ValueError, match="3 classes, which the layout rosinality does not know; choose") as raised:
        export(tiny.generator(classes=3, name="animals"), "out.pt")
    assert tiny.is_one_sentence(str(raised.value)) and not (tmp_path / "out.pt").exists()


def test_a_progressive_gan_goes_back_too():
    generator = tiny.generator("proggan")
    state = loaded(export(generator, "out.pt"))["state_dict"]
    assert float((generator(z()) - progan.generate(double(state), z().double())).abs().max()) < PARITY
    assert load_generator("out.pt").digest() == generator.digest()


@pytest.mark.parametrize("layout", ["rosinality", "nvidia"])
def test_what_is_converted_again_is_the_same_to_the_bit(layout):
    generator = tiny.generator(noise=True)
    again = load_generator(export(generator, "out.pt", layout))
    assert again.digest() == generator.digest() and torch.equal(
        again(z(), truncation=0.7), generator(z(), truncation=0.7)
    )
    quiet = tiny.generator()
    again = load_generator(export(quiet, "quiet.pt", layout))
    assert torch.equal(again(z(), truncation=0.7), quiet(z(), truncation=0.7))


def test_the_command_writes_the_rules_into_the_weights(capsys):
    generator = tiny.generator(noise=True, name="tiny")
    generator.save("tiny")
    generator = load_generator("tiny")
    edit = edit_of(generator)
    write_rule(edit, "rule", generator=generator, seeds=[0])
    assert main(["export", "tiny", "out.pt", "--edit", "rule", "--strength", "0.5"]) == 0
    assert re.fullmatch(r"Wrote out.pt: tiny with 1 rule in its weights; its licence is .+\n", capsys.readouterr().out)
    expected = generator.merge([edit.with_(strength=0.5)])
    changed = loaded("out.pt")["g_ema"][f"convs.{LAYER - 3}.conv.weight"]
    assert torch.equal(changed, expected.conv(LAYER).weight) and load_generator("out.pt").digest() == expected.digest()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("out.pkl",), "out.pkl does not end in .pt or .pth"),
        (
            ("out.pt", "--layout", "stylegan3"),
            "no layout 'stylegan3' of a file; there is rosinality, nvidia, genforce, dissection",
        ),
        (("out.pt", "--layout", "dissection"), "no layout 'dissection' of a generator of the architecture stylegan2"),
        (("file/out.pt",), "a part of its path is a file"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path, capsys, arguments, said):
    tiny.generator(name="tiny").save("tiny")
    (tmp_path / "file").write_text("")
    assert main(["export", "tiny", *arguments]) == 2
    message = capsys.readouterr().err
    assert said in message and tiny.is_one_sentence(message.strip()) and not (tmp_path / "out.pt").exists()
