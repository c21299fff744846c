"""Which layer suits a rule: values drawn on their own, and every layer tried."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rewriting import Region, Request, Rewriter
from rewriting.core.layer_choice import crop, draw_patch, in_place, isolated, isolation, recommended, suitabilities
from tests import tiny

WHOLE = np.full((32, 32), 255, np.uint8)
LAYER = 6  # of 16 x 16 values, in pictures of 32 x 32


@pytest.fixture(scope="module", autouse=True)
def few_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rewriting.core.memory.SAMPLES", 48)
        yield


@pytest.fixture(scope="module")
def rewriters():
    made = tiny.generator("proggan")
    return {layer: Rewriter(made, layer) for layer in made.layers}


def test_the_whole_value_alone_draws_the_whole_picture(rewriters):
    # A Progressive GAN has nothing beside its features, so that with all of them there is nothing to miss.
    drawn = isolated(rewriters[LAYER], Region(3, WHOLE))
    assert np.array_equal(drawn, rewriters[LAYER].generator.images([3])[0])


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_patch_in_place_is_cut_out_of_its_picture(kind):
    rewriter = Rewriter(tiny.generator(kind), LAYER)
    drawn = in_place(rewriter, Region(3, tiny.box(32, 8, 12, 20, 24)), margin=0)
    # Rows 4 to 9 of the value, one more on each side which resampling the mask touches, rounded out to even ones.
    assert np.array_equal(drawn, rewriter.generator.images([3])[0][4:24, 8:28])
    assert isolated(rewriter, Region(3, tiny.box(32, 8, 12, 20, 24)), margin=0).shape == drawn.shape


@pytest.mark.parametrize("draw", [isolated, in_place])
def test_a_number_stands_for_the_picture_that_its_request_means(rewriters, draw):
    drawn = draw(rewriters[LAYER], Region(3, WHOLE), seeding="row")
    assert np.array_equal(drawn, rewriters[LAYER].generator.images([3], seeding="row")[0])


@pytest.mark.parametrize("seeds", [(3,), (3, 3), (3, 5)])
def test_values_that_say_all_by_themselves_have_an_isolation_of_one(rewriters, seeds):
    assert isolation(rewriters[LAYER], [Region(seed, WHOLE) for seed in seeds]) == 1


@pytest.mark.parametrize(
    "request_",
    [
        tiny.request(),
        tiny.request(context=()),
        Request(context=(Region(1, tiny.disk(32, 18, 12, 8)),), erase=True),
    ],
    ids=["context", "no context", "erase one place"],
)
def test_every_layer_that_the_masks_are_not_too_small_for_is_tried(rewriters, request_):
    found = list(suitabilities(rewriters[LAYER].generator, request_, rewriters.__getitem__))
    layers = [one.layer for one in found]
    assert layers == sorted(layers) and layers[-1] == rewriters[LAYER].generator.layers[-1]
    assert 2 not in layers  # of 4 x 4 values, of which the object covers less than four
    assert all(0 <= one.isolation <= 1 and 0 <= one.reached <= 1 and one.elsewhere >= 0 for one in found)
    assert recommended(found) == max(found, key=lambda one: one.score).layer


@pytest.mark.parametrize("noise", [False, True])
def test_a_patch_alone_has_the_noise_of_its_place(noise):
    """All of a value drawn alone differs from the picture by what was drawn before it; a part has its own noise."""
    made = tiny.generator(noise=noise)
    rewriter = Rewriter(made, LAYER)
    assert isolated(rewriter, Region(3, tiny.box(32, 8, 12, 20, 24)), margin=0).shape == (20, 20, 3)
    with torch.no_grad():
        at = rewriter.features([3])[0]
        whole = replace(at, skip=at.skip * 0)
        value = rewriter.layer.value(at)
        rows, columns = slice(4, 12), slice(6, 14)
        part = crop(whole, rows, columns, value.shape[-1])
        patch = draw_patch(made, LAYER, value[:, :, rows, columns], part)
        drawn = draw_patch(made, LAYER, value, whole)
    # Six layers of 3 x 3 reach as far as the patch is wide, but its middle sees little of the border.
    near, far = patch[..., 7:9, 7:9], drawn[..., 15:17, 19:21]
    assert (near - far).abs().mean() < 0.2 * drawn.std()


def test_a_layer_with_fewer_painted_places_than_the_rank_is_tried_at_a_lower_one(rewriters):
    small = tiny.request(context=(Region(4, tiny.box(32, 8, 8, 14, 14)),), rank=10)
    with pytest.raises(ValueError, match="more than the context supports"):
        rewriters[4].solve(small)
    assert 4 in [one.layer for one in suitabilities(rewriters[LAYER].generator, small, rewriters.__getitem__)]


def test_what_was_copied_does_not_count_where_something_is_erased(rewriters):
    erased = Request(context=(Region(1, tiny.disk(32, 18, 12, 8)),), erase=True)
    dot = erased.with_(copy=Region(0, tiny.box(32, 3, 3, 4, 4)))
    tried = [list(suitabilities(rewriters[LAYER].generator, one, rewriters.__getitem__)) for one in (erased, dot)]
    assert tried[0] == tried[1] and tried[0]


def test_a_request_that_is_not_complete_is_refused(rewriters):
    with pytest.raises(ValueError, match="paint the object to copy first"):
        next(suitabilities(rewriters[LAYER].generator, Request(), rewriters.__getitem__))
    assert recommended([]) is None
