"""What a generator brings to tell its things apart: used if it fits, otherwise left aside, and learned from labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rewriting import load_generator
from rewriting.core.select import KnownThings, Things, key_layer, layer_for, least_barrier, look, select
from rewriting.core.selection_network import features, layers_of, new, read, write
from rewriting.generators.config import SELECTION, bundled
from rewriting.generators.own_picture import OwnPicture
from tests.tiny import generator, is_one_sentence
from weights.experiments.press_to_select import THINGS, overlap, presses, things_of
from weights.scenes import SCENES
from weights.training.train_selection import belongs, mask_loss

PLACE = (0.4, 0.6)


@pytest.fixture(scope="module", params=["stylegan2", "proggan"])
def brought(request, tmp_path_factory):
    """A random generator from a folder with a random network in it."""
    folder = tmp_path_factory.mktemp("generator")
    made = generator(request.param)
    made.save(folder)
    torch.manual_seed(0)
    write(new(made), made, folder)
    return load_generator(folder)


@pytest.fixture
def folder(tmp_path):
    made = generator()
    made.save(tmp_path)
    torch.manual_seed(0)
    write(new(made), made, tmp_path)
    return tmp_path


def without_network(made, seed=0):
    at = made.enter(made.map(made.latents([seed])), key_layer(made))
    return Things(at, made.images([seed])[0]).press(*PLACE).reach


def logits(made, rows, columns):
    """The products of the queries at pixels and all keys, (P, 32, 32), written out step by step."""
    network = read(made)
    state = {name: tensor.double() for name, tensor in network.state_dict().items()}
    at, found = made.begin(made.map(made.latents([0]))), []
    for layer in made.layers:
        value = made.value(layer, at)
        found += [value.clone()] if layer in layers_of(made) else []
        at = made.advance(layer, value, at) if layer < made.layers[-1] else at
    picture = torch.from_numpy(made.images([0])).permute(0, 3, 1, 2) / 127.5 - 1
    found[-1] = torch.cat([found[-1], picture], 1)
    conv, leaky = torch.nn.functional.conv2d, lambda x: torch.where(x > 0, x, 0.1 * x)
    levels = []
    for i, one in enumerate(found):
        x = (one.double() - state[f"shift.{i}"]) * state[f"scale.{i}"]
        x = leaky(conv(x, state[f"sideways.{i}.weight"], state[f"sideways.{i}.bias"]))
        if levels:
            x = torch.cat([torch.nn.functional.interpolate(levels[-1], scale_factor=2, mode="bilinear"), x], 1)
        levels.append(leaky(conv(x, state[f"join.{i}.weight"], state[f"join.{i}.bias"], padding=1)))
    keys = conv(levels[-1], state["key.weight"], state["key.bias"])[0]
    ratios = [32 // one.shape[-1] for one in levels]
    here = torch.cat([one[0, :, rows // n, columns // n] for one, n in zip(levels, ratios, strict=True)]).t()
    query = leaky(here @ state["hidden.weight"].t() + state["hidden.bias"])
    query = query @ state["query.weight"].t() + state["query.bias"]
    return (torch.einsum("pk,khw->phw", query[:, :16], keys) + query[:, 16, None, None]).numpy()


@pytest.mark.parametrize("in_pieces", [True, False], ids=["in pieces", "in one piece"])
def test_a_press_selects_where_keys_go_with_the_query(brought, in_pieces):
    """Half of the picture goes with the place, since the offset is set so.  Features are kept in half precision,
    off by 1/2000, which can move the border of the first region, and so the places in it that are asked again."""
    row, column = int(PLACE[1] * 32), int(PLACE[0] * 32)
    here = np.array([row]), np.array([column])
    network = read(brought)
    network.query.bias[16] -= float(np.median(logits(brought, *here)))
    network.query.bias[17] = 100.0 if in_pieces else -100.0
    write(network, brought, brought.source.folder)
    (logit,) = logits(brought, *here)
    rows, columns = np.nonzero(reached(logit, row, column, in_pieces) <= 0.8)
    some = np.linspace(0, len(rows) - 1, 24).astype(int)
    again = logits(brought, rows[some], columns[some]).mean(0)
    expected = reached((logit + again) / 2, row, column, in_pieces)
    assert np.allclose(select(brought, 0, *PLACE).reach, expected, rtol=0.1, atol=0)
    assert 50 < (expected <= 1).sum() < 1000 or not in_pieces


def reached(logit, row, column, in_pieces):
    """Sizes grow by the factor e in 3.5 logits; pieces may be up to ten pixels apart."""
    away = np.exp(-logit / 3.5).astype(np.float32)
    away[row, column] = 0
    padded = np.pad(away, 5, constant_values=np.inf)
    near = np.lib.stride_tricks.sliding_window_view(padded, (11, 11)).min((2, 3)) if in_pieces else away
    return np.maximum(away, least_barrier(near, row, column))


def test_a_press_with_a_network_grows_and_shrinks(brought):
    found = select(brought, 0, *PLACE)
    masks = [found.mask(size) > 0 for size in (0.1, 0.5, 1, 2, 4)]
    assert all((small <= large).all() for small, large in zip(masks, masks[1:], strict=False))
    assert masks[0][found.row, found.column] and masks[0].sum() < masks[-1].sum()


def test_a_similar_thing_ends_where_the_network_says_unless_it_is_of_another_size(brought):
    known = select(brought, 0, *PLACE)
    share = float((known.mask() > 0).mean())
    for painted, expected in (
        (share, known.mask()),
        (share / 1.9, known.mask()),
        (share / 3, known.of_area(share / 3)),
    ):
        assert np.array_equal(known.similar(painted), expected)
    unknown = replace(known, known=False)
    assert np.array_equal(unknown.similar(share / 1.9), unknown.of_area(share / 1.9))


def test_a_network_for_other_weights_is_left_aside(folder):
    made = load_generator(folder)
    other = made.merge([])
    other.source = made.source
    assert read(made) is not None and read(other) is not None  # the same weights
    next(iter(other.parameters())).data.mul_(2)
    other.forget()
    assert read(other) is None and layer_for(other) == key_layer(other)
    (folder / SELECTION).unlink()
    assert read(made) is None
    assert np.array_equal(select(made, 0, *PLACE).reach, without_network(made))


def spoiled(path, how):
    tensors = load_file(path)
    about = {"format": "rewriting-selection", "format_version": "1", "content": load_generator(path.parent).digest()}
    if how == "another shape":
        tensors["key.weight"] = torch.zeros(1 << 10, 24, 1, 1).half()
    elif how == "too few":
        del tensors["query.bias"]
    elif how == "whole numbers":
        tensors["key.bias"] = torch.zeros(16, dtype=torch.int64)
    elif how == "not finite":
        tensors["query.bias"][3] = float("nan")
    elif how == "another version":
        about["format_version"] = "2"
    save_file(tensors, path, about)
    if how == "cut off":
        path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "how", ["another shape", "too few", "whole numbers", "not finite", "another version", "cut off"]
)
def test_a_network_that_is_none_is_left_aside_and_the_log_says_why(folder, caplog, how):
    spoiled(folder / SELECTION, how)
    made = load_generator(folder)
    assert np.array_equal(select(made, 0, *PLACE).reach, without_network(made))
    said = caplog.records[0].getMessage()
    assert said.startswith(f"A press goes without {SELECTION}: ") and is_one_sentence(said.partition(": ")[2])


def test_an_own_picture_that_starts_later_is_pressed_without_a_network(folder):
    made = load_generator(folder)
    for layer in (layers_of(made)[0], layers_of(made)[0] + 1):
        at = made.enter(made.map(made.latents([3])), layer)
        own = OwnPicture(made.images([3])[0], made.digest(), layer, made.map(made.latents([3])), at, 0.0)
        start = layer_for(made, own)
        assert start >= layer
        things = look(made, start, made.enter_own(own, start), own.image)
        assert isinstance(things, KnownThings if layer == layers_of(made)[0] else Things)


def test_a_stylegan3_brings_none():
    made = generator("stylegan3")
    with pytest.raises(ValueError, match="lacks feature maps of the last 4 sizes"):
        new(made)
    assert read(made) is None


def test_the_caller_keeps_the_input_from_which_features_are_found(brought):
    at = brought.enter(brought.map(brought.latents([0])), layers_of(brought)[0])
    before = at.key.clone()
    first, again = features(brought, layers_of(brought)[0], at), features(brought, layers_of(brought)[0], at)
    assert torch.equal(at.key, before) and all(map(torch.equal, first, again))


@pytest.mark.parametrize("name", ["church", "face", "horse", "kitchen"])
def test_every_bundled_generator_brings_a_network(name):
    assert name in bundled() and read(load_generator(name)) is not None


@pytest.mark.parametrize("name", ["hats", "domes", "mouths", "tables"])
def test_one_press_selects_a_thing(name):
    """The bound lies well below the means of 100 presses, which `docs/experiments/press-to-select` gives."""
    (thing,) = (thing for thing in THINGS if thing.name == name)
    made = load_generator(thing.generator)
    for seed, row, column, mask in presses(thing, 2):
        found = things_of(made, seed).press((column + 0.5) / 256, (row + 0.5) / 256)
        assert overlap(found.mask() > 0, mask) > 0.65


# --- training -----------------------------------------------------------------------------------------------------


def test_a_press_on_a_part_selects_the_whole_but_one_on_a_tail_the_tail():
    same, labels = belongs("horse"), SCENES["horse"].labels
    for pressed, selected in {
        "mane": {"horse", "head", "ear", "mane", "tail"},
        "tail": {"tail"},
        "hat": {"hat"},
    }.items():
        assert {labels[i] for i in same[labels.index(pressed)].nonzero().flatten()} == selected


def test_the_loss_is_least_at_the_truth_and_does_not_see_what_is_left_out():
    random = torch.Generator().manual_seed(0)
    belong = torch.rand(3, 50, generator=random) < 0.3
    known = torch.rand(50, generator=random) < 0.8
    right = torch.where(belong, 9.0, -9.0)
    wrong, elsewhere = right.clone(), right.clone()
    wrong[0, known.nonzero()[0]] *= -1
    elsewhere[:, ~known] *= -1
    loss = mask_loss(right, belong, known)
    assert 0 <= loss < 0.01 < mask_loss(wrong, belong, known)
    assert torch.equal(mask_loss(elsewhere, belong, known), loss)
