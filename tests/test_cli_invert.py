"""`invert`, and the commands that take what it wrote."""

import json

import numpy as np
import pytest
from PIL import Image

from rewriting import Edit, Rewriter, cli, load_generator
from rewriting.core.own_files import load_picture
from tests import tiny

LAYER = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A generator folder, `tiny`; rules of two layers; a photo, and what `invert` made of it, `me`."""
    home = tmp_path_factory.mktemp("made")
    tiny.generator(name="tiny").save(home / "tiny")
    generator = load_generator(home / "tiny")
    for layer in (LAYER, LAYER - 1):
        tiny.random_edit(generator, layer, name=f"at {layer}", base=generator.digest()).save(home / f"rule{layer}")
    Image.fromarray(generator.images([5])[0]).resize((60, 44)).save(home / "me.jpg", quality=95)
    arguments = ("--generator", home / "tiny", home / "me.jpg", "--layer", LAYER, "--out", home / "me")
    assert run("invert", *arguments) == 0
    return home


def run(*arguments):
    """The exit code of a command, given as its words."""
    return cli.main([str(argument) for argument in arguments])


def said(capsys):
    return capsys.readouterr().err


def test_invert_writes_what_sample_draws_without_naming_the_generator(made, tmp_path):
    own, generator = load_picture(made / "me"), load_generator(made / "tiny")
    assert own.layer == LAYER
    assert run("sample", "--picture", made / "me", "--out", tmp_path / "me.png") == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "me.png")), generator.images([own])[0])
    arguments = ("--edit", made / f"rule{LAYER}", "--seeds", "3", "--out", tmp_path / "both.png")
    assert run("sample", "--picture", made / "me", *arguments) == 0
    sheet = np.asarray(Image.open(tmp_path / "both.png").convert("RGB"))
    after = generator.images([own, 3], Edit.load(made / f"rule{LAYER}"))
    assert np.array_equal(sheet[:, :32], after[0]) and np.array_equal(sheet[:, -32:], after[1])


def test_invert_says_how_near_the_drawing_comes(made, tmp_path, capsys):
    for picture, words in ((made / "me.jpg", "dB"), (noise(tmp_path), "cannot draw it")):
        arguments = ("--generator", made / "tiny", "--layer", 8, "--out", tmp_path / "out")
        assert run("invert", *arguments, picture) == 0
        told = capsys.readouterr().out
        assert words in told and f"{load_config(tmp_path / 'out')['psnr']:.1f} dB" in told


def noise(folder):
    path = folder / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
    return path


def load_config(folder):
    return json.loads((folder / "config.json").read_text())


def test_a_rule_of_an_earlier_layer_has_the_picture_inverted_again_there(made, tmp_path, capsys):
    arguments = ("--picture", made / "me", "--edit", made / f"rule{LAYER - 1}", "--out", tmp_path / "after.png")
    assert run("sample", *arguments) == 0
    assert f"layer {LAYER - 1}" in said(capsys)
    generator = load_generator(made / "tiny")
    own = Rewriter(generator, LAYER - 1).invert(load_picture(made / "me"))
    after = generator.images([own], Edit.load(made / f"rule{LAYER - 1}"))[0]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "after.png")), after)


def test_a_rule_is_made_from_ones_own_picture_as_somebody_retouched_it(made, tmp_path):
    own, generator = load_picture(made / "me"), load_generator(made / "tiny")
    wanted = generator.images([own])[0]
    wanted[8:20, 8:20] = (220, 30, 30)
    Image.fromarray(wanted).save(tmp_path / "red.png")
    mask = Image.fromarray(tiny.box(32, 8, 8, 20, 20))
    mask.save(tmp_path / "mask.png")
    named = (f"{made / 'me'}={tmp_path / name}" for name in ("red.png", "mask.png"))
    arguments = ("--retouched", next(named), "--mask", next(named), "--layer", LAYER, "--rank", 2)
    assert run("apply", "--generator", made / "tiny", *arguments, "--out", tmp_path / "rule") == 0
    edit = Edit.load(tmp_path / "rule")
    assert edit.request.own_pictures() == [own]
    before, after = (generator.images([own], edits)[0].astype(float) for edits in ([], [edit]))
    inside = tiny.box(32, 8, 8, 20, 20) > 0
    assert np.abs(after - wanted)[inside].mean() < np.abs(before - wanted)[inside].mean()


@pytest.mark.parametrize("damage", ["other", "gone", "newer"])
def test_a_folder_that_holds_no_inverted_picture_is_refused_in_a_sentence(made, tmp_path, capsys, damage):
    config = load_config(made / "me")
    changed = {"other": {"format": "rewriting-edit"}, "gone": {}, "newer": {"format_version": 9}}[damage]
    (tmp_path / "config.json").write_text(json.dumps(config | changed))
    assert run("sample", "--picture", tmp_path, "--out", tmp_path / "x.png") == 2
    message = said(capsys)
    assert tiny.is_one_sentence(message.removeprefix("error: ").strip())
    assert not (tmp_path / "x.png").exists()
