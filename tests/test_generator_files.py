"""Generator repos: what is written is read back; what is wrong with a file is said before anything is built."""

import errno
import json
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from rewriting import load_generator
from rewriting.generators import GeneratorConfig, read_generator
from rewriting.generators.config import CONFIG, WEIGHTS
from tests import tiny


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folders of a generator of each kind."""
    root = tmp_path_factory.mktemp("saved")
    return {
        kind: tiny.generator(kind, 16, noise=kind == "stylegan2", name=f"tiny {kind}").save(root / kind)
        for kind in tiny.KINDS
    }


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of the StyleGAN2, to damage."""
    return shutil.copytree(saved["stylegan2"], tmp_path / "generator")


@pytest.fixture
def nothing_is_built(monkeypatch):
    """Fails if weights reach a generator, or are even allocated for one."""

    def built(*_, **__):
        raise AssertionError("A generator was built from a bad file.")

    monkeypatch.setattr("rewriting.generators.base.Generator.load_state_dict", built)


def rewrite_config(folder, **changes):
    data = json.loads((folder / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps({k: v for k, v in data.items() if v is not None}))


def rewrite_weights(folder, change):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


def refusal(folder, error=ValueError):
    with pytest.raises(error) as caught:
        read_generator(folder)
    assert tiny.is_one_sentence(str(caught.value)), str(caught.value)
    return str(caught.value)


# Round trips


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_saved_generator_is_read_back_to_the_bit(saved, kind):
    made, read = tiny.generator(kind, 16, noise=kind == "stylegan2", name=f"tiny {kind}"), read_generator(saved[kind])
    assert read.config == made.config and read.digest() == made.digest()
    assert np.array_equal(read.images([0, 1]), made.images([0, 1]))
    assert not any(p.requires_grad for p in read.parameters()) and not read.training
    assert np.array_equal(load_generator(saved[kind]).images([0]), made.images([0]))


def test_half_precision_files_are_read_as_float32(saved, tmp_path):
    made = read_generator(saved["stylegan2"])
    read = read_generator(made.save(tmp_path, torch.bfloat16))
    assert {v.dtype for v in read.state_dict().values()} == {torch.float32}
    for name, tensor in made.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], tensor, rtol=2**-8, atol=0)  # 8 bits of mantissa


def test_a_config_keeps_what_it_does_not_know(folder):
    extra = {"trained_for": "a test", "numbers": [1, 2], "half a character": "\ud800"}
    rewrite_config(folder, **extra)
    config = read_generator(read_generator(folder).save(folder)).config
    assert config.extra == extra
    assert GeneratorConfig.from_json(config.to_json()).to_json() == config.to_json()
    assert config.to_json()["channels"] == {"4": 24, "8": 20, "16": 16}


def test_defaults_of_a_config():
    minimal = {"format": "rewriting-generator", "format_version": 1, "architecture": "proggan", "resolution": 256}
    minimal |= {"z_dim": 8, "channels": {str(4 * 2**i): 8 for i in range(7)}}
    config = GeneratorConfig.from_json(minimal)
    assert (config.default_layer, config.truncation, config.last_layer, config.noise) == (8, 1.0, 14, False)
    minimal |= {"resolution": 8, "channels": {"4": 8, "8": 8}}
    assert GeneratorConfig.from_json(minimal).default_layer == 4  # the last one it has


# What is refused: the config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "rewriting-edit"}, "rewriting-edit"),
        ({"format": None}, "format"),
        ({"format_version": 2}, "2"),
        ({"architecture": "stylegan4"}, "stylegan4"),
        ({"architecture": ["stylegan2"]}, "stylegan2"),
        ({"architecture": None}, "lacks architecture"),
        ({"resolution": 24}, "24 is not a power of two"),
        ({"resolution": 4}, "resolution must be a whole number from 8 to 2048, not 4"),
        ({"resolution": 4096}, "not 4096"),
        ({"resolution": 16.5}, "16.5"),
        ({"resolution": True}, "True"),
        ({"resolution": "16"}, "'16'"),
        ({"z_dim": 0}, "z_dim must be .*, not 0"),
        ({"z_dim": 10**9}, "z_dim must be .*, not 1000000000"),
        ({"w_dim": None}, "w_dim must be .*, not 0"),
        ({"w_dim": [28]}, r"w_dim must be .*, not \[28\]"),
        ({"mapping_layers": 1000}, "mapping_layers must be .*, not 1000"),
        ({"channels": None}, "lacks channels"),
        ({"channels": [24, 20, 16]}, "channels must be a JSON object"),
        ({"channels": {"4": 24, "8": 20}}, r"\[4, 8\]; expected \[4, 8, 16\]"),
        ({"channels": {"4": 24, "8": 20, "16": 16, "32": 8}}, "32"),
        ({"channels": {"4": 24, "8": 20, "sixteen": 16}}, "sixteen"),
        ({"channels": {"4": 24, "8": 20, "16": "16"}}, "16 px must be .*, not '16'"),
        ({"channels": {"4": 24, "8": 20, "16": -1}}, "16 px must be .*, not -1"),
        ({"channels": {str(i): 8 for i in range(5000)}}, "expected"),
        ({"truncation": -1}, "truncation must be a number from 0 to 2, not -1"),
        ({"truncation": float("nan")}, "truncation must be .*, not nan"),
        ({"truncation": "half"}, "'half'"),
        ({"default_layer": 7}, "default_layer must be .*, not 7"),
        ({"noise": 1}, "noise must be true or false, not 1"),
        ({"name": 5}, "name must be a text, not 5"),
        ({"license": {}}, "license"),
        ({"description": ["x" * 9999]}, "description"),
        ({"format": "x" * 99999}, "format"),
        ({"architecture": "x" * 99999}, "architecture"),
    ],
)
@pytest.mark.usefixtures("nothing_is_built")
def test_an_impossible_config_is_refused(folder, change, named):
    rewrite_config(folder, **change)
    message = refusal(folder)
    assert re.search(named, message), message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "null",
        '"rewriting-generator"',
        "[" * 100_000,  # as deep as the reader's stack
        "1" * 10_000,  # more digits than Python converts
        '{"resolution": ' + "9" * 10_000 + "}",
        "\ud800",
    ],
    ids=lambda text: f"{text[:9]!r}, {len(text)} long",
)
@pytest.mark.usefixtures("nothing_is_built")
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / CONFIG).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert CONFIG in refusal(folder)


@pytest.mark.usefixtures("nothing_is_built")
def test_a_config_of_megabytes_is_not_read(folder):
    (folder / CONFIG).write_text('{"format": "rewriting-generator", "x": "' + "x" * (1 << 20) + '"}')
    assert "1,048,576 is the most that is read" in refusal(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
GOOD = tiny.config(resolution=16).to_json()


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), JSON, min_size=1, max_size=4))
def test_any_config_is_read_or_refused_in_one_sentence(changes):
    try:
        config = GeneratorConfig.from_json(GOOD | changes)
    except ValueError as error:
        assert tiny.is_one_sentence(str(error)), str(error)
    else:
        assert GeneratorConfig.from_json(config.to_json()) == config


# What is refused: the weights

FIRST = "conv1.conv.weight"


def damaged(name, value):
    return lambda tensors: tensors.update({name: value(tensors.get(name))})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop(FIRST), f"lacks {FIRST}"),
        (lambda t: [t.pop(k) for k in list(t) if k.startswith("to_rgbs")], "and 5 more"),
        (damaged("extra.weight", lambda _: torch.zeros(2)), "has extra.weight, which the config does not call for"),
        (damaged("x" * 5000, lambda _: torch.zeros(2)), "which the config does not call for"),
        (damaged("two\nlines", lambda _: torch.zeros(2)), r"has 'two\\nlines'"),
        (lambda t: t.update({"renamed": t.pop(FIRST)}), f"lacks {FIRST} and has renamed"),
        (damaged(FIRST, lambda w: w[:, :5].contiguous()), r"\(1, 5, 24, 3, 3\), but the config expects"),
        (damaged(FIRST, lambda w: w[0].contiguous()), "shape"),
        (damaged("to_rgb1.bias", lambda w: w.double()), "F64; expected one of BF16, F16, F32"),
        (damaged("to_rgb1.bias", lambda w: w.to(torch.int32)), "I32"),
        (damaged("to_rgb1.bias", lambda w: w.bool()), "BOOL"),
        (damaged(FIRST, lambda w: w.index_fill(1, torch.tensor([3]), float("nan"))), f"{FIRST} that are not finite"),
        (damaged("latent_avg", lambda w: w / 0), "latent_avg that are not finite"),
    ],
)
@pytest.mark.usefixtures("nothing_is_built")
def test_weights_that_do_not_fit_the_config_are_refused(folder, change, named):
    rewrite_weights(folder, change)
    message = refusal(folder)
    assert re.search(named, message), message


@pytest.mark.parametrize("change", [{"resolution": 32, "channels": {"4": 24, "8": 20, "16": 16, "32": 12}},
                                    {"architecture": "proggan"}, {"noise": False}, {"w_dim": 4096}])  # fmt: skip
@pytest.mark.usefixtures("nothing_is_built")
def test_weights_of_another_config_are_refused(folder, change):
    rewrite_config(folder, **change)
    assert WEIGHTS in refusal(folder)


@pytest.mark.usefixtures("nothing_is_built")
def test_a_file_cut_anywhere_is_refused(folder):
    whole = (folder / WEIGHTS).read_bytes()
    for length in (0, 4, 8, 100, 2000, len(whole) // 2, len(whole) - 1):
        (folder / WEIGHTS).write_bytes(whole[:length])
        assert "not a whole safetensors file" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"not a safetensors file at all",
        (2**63).to_bytes(8, "little") + b"{}",  # a header of exabytes
        (10**8).to_bytes(8, "little") + b"{" * 1000,
        (2).to_bytes(8, "little") + b"{}",
        b"\x80\x04cos\nsystem\n(S'true'\ntR.",  # a pickle, which nothing must run
        b"PK\x03\x04" + bytes(100),
    ],
)
@pytest.mark.usefixtures("nothing_is_built")
def test_a_file_of_another_kind_is_refused(folder, content):
    (folder / WEIGHTS).write_bytes(content)
    assert WEIGHTS in refusal(folder)


@pytest.mark.usefixtures("nothing_is_built")
def test_a_folder_without_its_files_is_refused(folder, tmp_path):
    (folder / WEIGHTS).unlink()
    assert "There is no model.safetensors in generator" in refusal(folder, FileNotFoundError)
    (folder / CONFIG).unlink()
    assert "There is no config.json in generator" in refusal(folder, FileNotFoundError)
    with pytest.raises(ValueError, match="There is no generator 'nowhere'"):
        load_generator("nowhere")


def test_what_is_written_replaces_what_was_there_whole_or_not_at_all(folder, monkeypatch):
    before = (folder / WEIGHTS).read_bytes()

    def full_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rewriting.files.os.replace", full_disk)
    with pytest.raises(OSError, match="model.safetensors cannot be written: the disk is full; correct that"):
        tiny.generator(resolution=16, seed=5).save(folder)
    assert (folder / WEIGHTS).read_bytes() == before
