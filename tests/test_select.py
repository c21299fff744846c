"""A press selects what is there: one connected region that grows and shrinks, with nothing random about it."""

import numpy as np
import pytest
import torch

from rewriting import load_generator
from rewriting.core.masks import grown
from rewriting.core.select import GAP, STEPS, Things, layer_for, least_barrier, level, select
from tests.tiny import generator, is_one_sentence
from weights.experiments.press_to_select import overlap, piece
from weights.rules.truth import Truth

TABLES = (0, 1, 2, 3)


def slow_barrier(away, row, column):
    """The definition, by the method of Prim: always on from the lowest position that is next to what is reached."""
    height, width = away.shape
    reach, open_ = np.full_like(away, np.inf), {(row, column): away[row, column]}
    while open_:
        here = min(open_, key=open_.get)
        reach[here] = open_.pop(here)
        for r in range(max(0, here[0] - 1), min(height, here[0] + 2)):
            for c in range(max(0, here[1] - 1), min(width, here[1] + 2)):
                if np.isinf(reach[r, c]):
                    open_[r, c] = max(reach[here], away[r, c])
    return reach


@pytest.mark.parametrize("seed", range(4))
def test_the_reach_of_a_press_is_the_height_of_the_lowest_way(seed):
    away = np.random.default_rng(seed).random((17, 23)).astype(np.float32)
    away[5, 7] = 0
    assert np.array_equal(least_barrier(away, 5, 7), slow_barrier(away, 5, 7))


@pytest.fixture(scope="module")
def kitchen():
    return load_generator("kitchen")


@pytest.fixture(scope="module")
def pressed(kitchen):
    """A press in the middle of each table, and where the table is."""
    truth = Truth("kitchen", 256).mask(TABLES, "table", "reflection")
    middles = [np.argwhere(one).mean(0).astype(int) for one in truth]
    return [
        (select(kitchen, seed, (c + 0.5) / 256, (r + 0.5) / 256), one, ((c + 0.5) / 256, (r + 0.5) / 256))
        for seed, (r, c), one in zip(TABLES, middles, truth, strict=True)
    ]


def test_a_press_on_a_table_selects_the_table(pressed):
    assert np.median([overlap(found.mask() > 0, table) for found, table, _ in pressed]) > 0.75


def test_a_region_grows_and_shrinks_and_its_pieces_stay_near_each_other(pressed):
    for found, _, _ in pressed:
        masks = [found.mask(size) > 0 for size in (0.1, 0.3, 1, 1.5, 2.5, 4)]
        assert all((small <= large).all() for small, large in zip(masks, masks[1:], strict=False))
        assert masks[0][found.row, found.column] and masks[0].sum() < masks[-1].sum()
        for mask in masks[:4]:
            near = grown(np.where(mask, 255, 0).astype(np.uint8), GAP) > 0
            assert (piece(near, found.row, found.column) >= mask).all()


def test_the_steps_that_a_page_takes_are_the_sizes(pressed):
    for found, _, _ in pressed:
        levels = found.levels()
        for size in (0.2, 1, 3):
            differ = (levels <= level(size)) != (found.mask(size) > 0)
            near = np.abs(np.log(np.maximum(found.reach, 1e-6) / size)) < 0.02  # one step of 254
            assert not (differ & ~near).any()
        assert levels[found.row, found.column] == 0


def test_a_press_selects_the_same_again_and_whatever_the_number_of_threads(kitchen, pressed):
    found, _, (x, y) = pressed[0]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        again = select(kitchen, TABLES[0], x, y)
    finally:
        torch.set_num_threads(threads)
    assert (again.mask() == found.mask()).all()


@pytest.mark.parametrize("kind", ["stylegan2", "proggan"])
def test_every_kind_of_generator_is_pressed(kind):
    made = generator(kind)
    assert layer_for(made) == made.layers[-1]  # none of its layers is fine
    found = select(made, 3, 0.0, 1.0)
    assert found.reach.shape == (32, 32) and found.reach[found.row, found.column] == 0
    assert 31 - STEPS <= found.row and found.column <= STEPS


def test_what_is_no_place_or_no_size_is_refused_in_a_sentence():
    made = generator()
    for x, y in ((1.2, 0.5), (0.5, float("nan")), ("left", 0.5)):
        with pytest.raises(ValueError) as caught:
            select(made, 0, x, y)
        assert is_one_sentence(str(caught.value))
    with pytest.raises(ValueError, match="size must be a number from 0.1 to 4"):
        select(made, 0, 0.5, 0.5).mask(9)
    at = made.enter(made.map(made.latents([0])), made.layers[-1])
    with pytest.raises(ValueError, match="picture must be a uint8 array"):
        Things(at, np.zeros((32, 32), np.float32))


def test_a_picture_of_one_colour_is_selected_whole():
    made = generator()
    at = made.enter(made.map(made.latents([0])), made.layers[-1])
    flat = type(at)(torch.ones_like(at.key), at.style, at.latent, at.skip)
    found = Things(flat, np.full((32, 32, 3), 90, np.uint8)).press(0.5, 0.5)
    assert (found.mask() == 255).all()


def test_a_press_on_a_letter_selects_the_word_and_no_word_further_away():
    made = generator()
    at = made.enter(made.map(made.latents([0])), made.layers[-1])
    flat = type(at)(torch.ones_like(at.key), at.style, at.latent, at.skip)
    picture = np.full((128, 128, 3), 60, np.uint8)
    word, other = np.zeros((2, 128, 128), bool)
    for left in (20, 34, 48):  # each 10 wide, 4 apart
        word[30:50, left : left + 10] = True
    other[30:50, 80:90] = True
    picture[word | other] = 230
    found = Things(flat, picture).press(25.5 / 128, 40.5 / 128).mask() > 0
    assert (found == word).all()
