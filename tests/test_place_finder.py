"""Where else a place would be painted: found by the features around it, and only where it is clear."""

import numpy as np
import pytest
import torch

from rewriting.core.place_finder import PlaceFinder
from rewriting.generators import LayerInput

SIDE, CELLS, CHANNELS = 128, 16, 20


def picture(seed, place=None):
    """Features (1, 20, 16, 16) of noise, in which five channels say how much of a position is the thing."""
    random = torch.Generator().manual_seed(seed)
    key = 0.3 * torch.randn(1, CHANNELS, CELLS, CELLS, generator=random)
    if place is not None:
        share = torch.from_numpy(place / 255).float()
        key[:, :5] += torch.nn.functional.avg_pool2d(share[None, None], SIDE // CELLS)
    return LayerInput(key)


def disc(x, y, radius=16):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return ((np.hypot(columns - x, rows - y) <= radius) * 255).astype(np.uint8)


def finder(places, seen=None):
    """Of pictures in which places are painted.  seen: what is there, if not what was painted."""
    pictures = [picture(i, one) for i, one in enumerate(places if seen is None else seen)]
    keys = torch.cat([at.key for at in pictures]).transpose(0, 1).flatten(1).double()
    return PlaceFinder(list(zip(pictures, places, strict=True)), keys @ keys.t() / keys.shape[1])


@pytest.fixture
def places():
    random = np.random.default_rng(0)
    return [disc(*random.uniform(30, 98, 2)) for _ in range(8)]


def test_a_place_is_found_in_other_pictures_to_a_pixel_or_two(places):
    found = finder(places)
    for seed, (x, y) in enumerate([(40, 90), (64, 50), (88.5, 77.5)], 100):
        mask = found.find(picture(seed, disc(x, y)), SIDE)
        rows, columns = np.nonzero(mask)
        assert np.hypot(columns.mean() - x, rows.mean() - y) < 2
        assert 0.75 < (mask > 0).sum() / (disc(x, y) > 0).sum() < 1.25


def test_no_place_is_found_in_a_picture_that_has_none_or_another_size(places):
    found = finder(places)
    for seed in range(100, 108):
        assert found.find(picture(seed), SIDE) is None
    assert found.find(picture(100, disc(64, 64, 40)), SIDE) is None


def test_what_features_do_not_tell_apart_is_looked_for_nowhere(places):
    """Painted at random, not where the thing is."""
    random = np.random.default_rng(1)
    found = finder([disc(*random.uniform(30, 98, 2)) for _ in places], places)
    assert found.find(picture(100, disc(40, 90)), SIDE) is None


def test_a_place_that_is_always_the_same_is_found_there_whatever_the_features_say():
    place = disc(80, 40)
    found = finder([place] * 6, [None] * 6)
    mask = found.find(picture(100), SIDE)
    assert found.knows and (mask[place > 0] > 0).mean() > 0.8 and (mask > 0).sum() < 1.25 * (place > 0).sum()
    maybe = found.maybe(picture(101), SIDE)
    assert (maybe[place > 0] > 0).all() and not maybe[64:].any()
