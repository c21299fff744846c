"""What a request asks of a layer: the paper's pasted, erased and kept values, at the places that were painted."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewriting.core.goal import erase_term, locality_terms, paste_term, place, preserve_term, subsample, without
from rewriting.core.masks import bounding_box, decode_mask, encode_mask, resize_mask
from rewriting.core.memory import unit_scores
from tests import tiny
from tests.reference import bau

pytestmark = pytest.mark.usefixtures("without_gradients")


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module", params=tiny.LAYERS, ids=lambda one: f"{one[0]}-{one[1]}")
def scene(request):
    """A layer, what arrives at it in pictures 0 and 1, and the masks of an object and of a place."""
    layer = tiny.editable(*request.param)
    with torch.no_grad():
        source, destination = tiny.layer_input(layer, 0), tiny.layer_input(layer, 1)
    return layer, source, destination, tiny.disk(256, 90, 120, 50), tiny.box(256, 140, 20, 200, 60)


# Masks


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("side", [64, 256, 1024])
def test_masks_are_resized_as_in_the_paper_s_code(side, size):
    url = tiny.brushed_url(side, side // 3, side // 2, side // 5)
    expected = bau.resize_mask(url, size, size).numpy()
    assert 0 < expected.mean() < 0.5 and (side == size or len(np.unique(expected)) > 4)
    assert np.array_equal(resize_mask(decode_mask(url), size), expected)


def test_a_mask_survives_its_data_url():
    mask = np.random.RandomState(0).rand(48, 48) > 0.6
    assert np.array_equal(decode_mask(encode_mask(mask)) > 0, mask)
    assert np.array_equal(decode_mask(encode_mask(mask.astype(np.uint8) * 255)) > 0, mask)


def test_the_box_of_a_mask():
    assert bounding_box(tiny.box(16, 2, 3, 9, 7)) == (2, 3, 9, 7)
    assert bounding_box(tiny.box(16, 0, 0, 16, 16)) == (0, 0, 16, 16)
    with pytest.raises(ValueError, match="mask is empty; paint"):
        bounding_box(np.zeros((16, 16), np.uint8))


# Paste


@pytest.mark.parametrize(
    "paste",
    [tiny.box(256, 140, 20, 200, 60), tiny.box(256, 0, 0, 9, 9), tiny.box(256, 250, 100, 256, 256),
     tiny.disk(256, 128, 255, 40), tiny.disk(256, 70, 71, 13)],
)  # fmt: skip
def test_an_object_is_pasted_where_and_as_in_the_paper_s_code(scene, paste):
    layer, source, destination, copy, _ = scene
    value, under = layer.value(source), layer.value(destination)
    size = under.shape[-1]
    masks = [torch.from_numpy(resize_mask(mask, size)) for mask in (copy, paste)]
    expected = bau.goal(value, under, *masks, destination.key)
    term = paste_term(layer, value, copy, destination, paste)
    torch.testing.assert_close(term.target, expected.full_value, rtol=0, atol=1e-6 * float(under.abs().max()))
    assert (term.target != under).any(1).sum() > 10
    # Only the object is asked for, in proportion to its opacity; the rectangle around it is not.
    alpha = masks[0][masks[0].sum(1) > 0][:, masks[0].sum(0) > 0]
    row, column = place(resize_mask(copy, size), resize_mask(paste, size))
    cover = torch.zeros(size, size)
    cover[row : row + alpha.shape[0], column : column + alpha.shape[1]] = alpha
    torch.testing.assert_close(term.weight, cover / cover.sum())
    assert float(term.weight.sum()) == pytest.approx(1) and term.kind == "goal"
    top, left, bottom, right = expected.box
    assert float(term.weight[top:bottom, left:right].sum()) == pytest.approx(1)
    assert term.at is destination


BOX = st.tuples(*[st.integers(0, 15)] * 4).map(
    lambda b: tiny.box(16, min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]) + 1, max(b[1], b[3]) + 1)
)


@given(BOX, BOX)
def test_an_object_is_centred_on_the_place_and_stays_inside_the_picture(copy, paste):
    alpha = copy.astype(np.float32) / 255
    row, column = place(alpha, paste)
    value = torch.zeros(1, 1, 16, 16)
    expected = bau.goal(value + 1, value, torch.from_numpy(alpha), torch.from_numpy(paste), value)
    height, width = int((alpha.max(1) > 0).sum()), int((alpha.max(0) > 0).sum())
    assert expected.box == (row, column, row + height, column + width)
    assert 0 <= row <= 16 - height and 0 <= column <= 16 - width


def test_pasting_a_picture_s_own_piece_where_it_was_asks_for_what_there_is(scene):
    layer, source, _, copy, _ = scene
    value = layer.value(source)
    term = paste_term(layer, value, copy, source, copy)
    torch.testing.assert_close(term.target, value, rtol=1e-6, atol=1e-6)


def test_what_is_empty_is_said(scene):
    layer, source, destination, copy, paste = scene
    value, nothing = layer.value(source), np.zeros((256, 256), np.uint8)
    speck = tiny.box(1024, 100, 100, 101, 101)  # painted, but too little of any feature position to count
    for empty in (nothing, speck):
        for arguments, what in (((empty, destination, paste), "copied object"), ((copy, destination, empty), "place")):
            with pytest.raises(ValueError, match=f"The {what}.* is empty; paint it first, or a little larger") as said:
                paste_term(layer, value, *arguments)
            assert tiny.is_one_sentence(str(said.value))
    with pytest.raises(ValueError, match="area to keep is empty"):
        preserve_term(layer, destination, nothing)
    with pytest.raises(ValueError, match="context to erase is empty"):
        erase_term(layer, destination, nothing, torch.tensor([0]))


# Erase


def test_erasing_a_whole_picture_is_the_paper_s_goal(scene):
    layer, _, at, _, context = scene
    share = torch.from_numpy(resize_mask(context, at.key.shape[-1]))
    moment = bau.second_moment(at.key.double())
    pairs = [(at.key.double(), share.double())]
    rows, weights = bau.selected_rows(pairs)
    units = unit_scores(rows, weights, moment).topk(5).indices
    expected = bau.erase_goal(tiny.reference_layer(layer, at), layer.weight, at.key.double(), pairs, moment, 5)
    everything = np.full((256, 256), 255, np.uint8)
    term = erase_term(layer, at, everything, units)
    size = float(expected.full_value.abs().mean())
    torch.testing.assert_close(term.target, expected.full_value.float(), rtol=1e-5, atol=2e-5 * max(size, 1))
    assert (term.target - layer.value(at)).abs().mean() > 0.01 * size
    torch.testing.assert_close(term.weight, torch.full_like(term.weight, 1 / term.weight.numel()))


def test_erasing_changes_only_what_is_painted(scene):
    layer, _, at, _, context = scene
    before, key = layer.value(at), at.key.clone()
    term = erase_term(layer, at, context, torch.tensor([0, 3]))
    painted = torch.from_numpy(resize_mask(context, before.shape[-1]))
    assert torch.equal(term.target[..., painted == 0], before[..., painted == 0])
    assert (term.target[..., painted == 1] != before[..., painted == 1]).any()
    torch.testing.assert_close(term.weight, painted / painted.sum())
    assert torch.equal(at.key, key)
    silent = key.clone()
    silent[:, [0, 3]] *= 1 - torch.from_numpy(resize_mask(context, key.shape[-1]))
    silenced = tiny.reference_layer(layer, at)(silent, layer.weight).float()
    scale = max(1.0, float(before.abs().mean()))
    wholly = painted == 1
    torch.testing.assert_close(term.target[..., wholly], silenced[..., wholly], rtol=1e-5, atol=2e-5 * scale)


# What should stay


def test_what_is_preserved_is_asked_to_stay_where_it_is_painted(scene):
    layer, _, at, copy, _ = scene
    term = preserve_term(layer, at, copy)
    assert torch.equal(term.target, layer.value(at)) and term.kind == "preserve"
    share = torch.from_numpy(resize_mask(copy, term.target.shape[-1]))
    torch.testing.assert_close(term.weight, share / share.sum())


def test_locality_is_a_random_sample_of_weight_one(scene):
    layer = scene[0]
    pictures = [tiny.layer_input(layer, seed) for seed in range(6)]
    terms = locality_terms(layer, pictures, 30, torch.Generator().manual_seed(3))
    assert len(terms) == 6 and {term.kind for term in terms} == {"locality"}
    assert sum(float(term.weight.sum()) for term in terms) == pytest.approx(1)
    counts = [int((term.weight > 0).sum()) for term in terms]
    # Binomial around 30 with a standard deviation below 5.5; six draws lie within four of them.
    assert all(8 <= count <= 52 for count in counts) and len(set(counts)) > 1
    assert not torch.equal(terms[0].weight > 0, terms[1].weight > 0)
    for term, at in zip(terms, pictures, strict=True):
        assert torch.equal(term.target, layer.value(at))
    again = locality_terms(layer, pictures, 30, torch.Generator().manual_seed(3))
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(terms, again, strict=True))


def test_terms_that_ask_for_too_many_positions_ask_for_some_of_them(scene):
    layer, source, at, copy, paste = scene
    terms = [paste_term(layer, layer.value(source), copy, at, paste), preserve_term(layer, at, copy).scaled(3)]
    asked = sum(int((term.weight > 0).sum()) for term in terms)
    assert [term.weight is own.weight for term, own in zip(terms, subsample(terms, asked), strict=True)] == [
        True,
        True,
    ]
    fewer = subsample(terms, asked // 2)
    for term, own in zip(terms, fewer, strict=True):
        assert float(own.weight.sum()) == pytest.approx(float(term.weight.sum()), rel=1e-4)
        assert ((own.weight > 0) <= (term.weight > 0)).all() and own.kind == term.kind
    left = sum(int((term.weight > 0).sum()) for term in fewer)
    assert 0 < left < asked and abs(left - asked / 2) < 4 * (asked / 4) ** 0.5 + 2  # four standard deviations


def test_a_map_smaller_than_the_sample_is_kept_whole():
    layer = tiny.editable("stylegan2", 2)
    (term,) = locality_terms(layer, [tiny.layer_input(layer, 0)], 128, torch.Generator())
    torch.testing.assert_close(term.weight, torch.full((4, 4), 1 / 16))


def test_painted_areas_are_left_out(scene):
    layer, _, at, copy, _ = scene
    (term,) = locality_terms(layer, [at], 10**6, torch.Generator())
    left = without(layer, term, copy)
    share = resize_mask(copy, term.weight.shape[-1])
    assert torch.equal(left.weight > 0, torch.from_numpy(share == 0))
    assert torch.equal(left.weight[left.weight > 0], term.weight[left.weight > 0])
    half = term.scaled(0.5)
    assert torch.equal(half.weight, 0.5 * term.weight) and half.target is term.target and half.kind == term.kind
