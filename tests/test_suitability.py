"""Which layer suits a rule: values drawn on their own, and every layer tried."""

import numpy as np
import pytest

from rewriting import Region, Request, Rewriter
from rewriting.suitability import in_place, isolated, isolation, recommended, suitabilities
from tests import tiny

WHOLE = np.full((32, 32), 255, np.uint8)
LAYER = 6  # of 16 x 16 values, in pictures of 32 x 32


@pytest.fixture(scope="module", autouse=True)
def few_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rewriting.memory.SAMPLES", 48)
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
        Request(paste=Region(1, tiny.disk(32, 18, 12, 8)), erase=True),
        Request(context=(Region(1, tiny.disk(32, 18, 12, 8)),), erase=True),
    ],
    ids=["context", "no context", "erase the paste", "erase one place"],
)
def test_every_layer_that_the_masks_are_not_too_small_for_is_tried(rewriters, request_):
    found = list(suitabilities(rewriters[LAYER].generator, request_, rewriters.__getitem__))
    layers = [one.layer for one in found]
    assert layers == sorted(layers) and layers[-1] == rewriters[LAYER].generator.layers[-1]
    assert 2 not in layers  # of 4 x 4 values, of which the object covers less than four
    assert all(0 <= one.isolation <= 1 and 0 <= one.reached <= 1 and one.elsewhere >= 0 for one in found)
    assert recommended(found) == max(found, key=lambda one: one.score).layer


def test_a_request_that_is_not_complete_is_refused(rewriters):
    with pytest.raises(ValueError, match="paint the object to copy first"):
        next(suitabilities(rewriters[LAYER].generator, Request(), rewriters.__getitem__))
    assert recommended([]) is None
