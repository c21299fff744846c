"""The goal of a transformed object: its pixels laid over the other picture, and the values that draw them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from rewriting import Region, Rewriter, Transform
from rewriting.core import rewriter as rewriter_module
from rewriting.core.composite import alike, composite, object_cover
from rewriting.core.goal import paste_term
from rewriting.core.masks import grown
from rewriting.core.transform import Placed
from rewriting.generators import build, to_uint8
from tests import tiny

SIDE = 64
TURNED = Transform(1.2, 40)
KINDS = (("stylegan2", 6), ("stylegan2", 9), ("proggan", 6), ("resnet", 7), ("not square", 7))


def generator(kind):
    """Of any architecture: one of `tiny`, with residual blocks, or with pictures that are twice as wide as high."""
    changes = {"resnet": {"blocks": "resnet"}, "not square": {"constant": (2, 4)}}.get(kind)
    if changes is None:
        return tiny.generator(kind, SIDE)
    torch.manual_seed(0)
    return build(replace(tiny.config("stylegan2", SIDE), **changes)).eval().requires_grad_(False)


def flat(colour, side=SIDE):
    return torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, side, side).clone()


def request_of(transform, **changes):
    copy, paste = tiny.disk(SIDE, 30, 26, 11), tiny.disk(SIDE, 36, 33, 9)
    return tiny.request(copy=Region(0, copy), paste=Region(1, paste), context=(), transform=transform, **changes)


def wanted(rewriter, request):
    """The pixels that the goal should have."""
    source, at = rewriter.features([request.copy.seed, request.paste.seed])
    picture, other = alike(rewriter.generator, rewriter.number, source, at, SIDE)
    placed = Placed.on(request.copy.mask, request.paste.mask, request.transform)
    return to_uint8(composite(picture, object_cover(picture, request.copy.mask), other, placed))[0].astype(int)


# Pixels


@pytest.mark.parametrize(("turn", "quarters"), [(90, -1), (-90, 1), (180, 2)])
def test_the_pixels_are_turned_like_an_array(turn, quarters):
    picture = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    mask, other = tiny.box(SIDE, 20, 24, 32, 36), flat([0, 0, 0])
    cover = torch.from_numpy(mask / 255.0).float()[None, None]
    made = composite(picture, cover, other, Placed.on(mask, mask, Transform(turn=turn)))
    expected = torch.rot90(picture[..., 20:32, 24:36], quarters, (2, 3))
    # whole pixels fall on whole pixels: they differ by the rounding of float32 coordinates
    torch.testing.assert_close(made[..., 20:32, 24:36], expected, rtol=0, atol=1e-4)
    assert made.sum() == pytest.approx(float(expected.sum()), rel=1e-4), "and nothing else is drawn"


def test_pixels_are_scaled_as_pillow_scales_them():
    picture = flat([0.1, -0.4, 0.3])
    picture += torch.linspace(-0.4, 0.4, SIDE).view(1, 1, 1, SIDE)
    mask = tiny.box(SIDE, 20, 20, 40, 40)
    made = composite(picture, torch.ones(1, 1, SIDE, SIDE), flat([0, 0, 0]), Placed.on(mask, mask, Transform(2)))
    box = (10 + 5, 10 + 5, 50 - 5, 50 - 5)  # the object covers 10 to 50; half of it, away from its edges
    source = Image.fromarray(picture[0, 0].numpy()).resize(
        (30, 30), Image.Resampling.BILINEAR, (22.5, 22.5, 37.5, 37.5)
    )
    top, left, bottom, right = box
    # both interpolate linearly, and the picture is linear
    np.testing.assert_allclose(
        made[0, 0, top:bottom, left:right].numpy()[:, 2:-2], np.asarray(source)[:, 2:-2], atol=1e-4
    )


def test_the_background_at_the_rim_of_a_loosely_painted_object_is_not_pasted():
    object_, loose = tiny.disk(256, 120, 130, 40), tiny.disk(256, 120, 130, 46)
    picture = torch.where(torch.from_numpy(object_ > 0), flat([0.6, -0.5, -0.5], 256), flat([-0.2, 0.1, 0.7], 256))
    cover = object_cover(picture, loose)[0, 0].numpy()
    assert cover[object_ == 0].max() < 0.35, "a soft edge reaches a pixel beyond"
    assert (cover[tiny.disk(256, 120, 130, 37) > 0] == 1).all()


def test_an_object_of_the_colour_of_its_surroundings_is_pasted_as_it_was_painted():
    painted = tiny.disk(256, 120, 130, 12)
    cover = object_cover(flat([0, 0.1, 0], 256), painted)[0, 0].numpy()
    assert np.abs(cover - painted / 255)[tiny.disk(256, 120, 130, 9) > 0].max() == 0
    assert cover.sum() == pytest.approx((painted > 0).sum(), rel=0.02)


# Values


@pytest.mark.parametrize(("kind", "number"), KINDS)
def test_the_goal_looks_like_the_turned_pixels(kind, number):
    rewriter, request = Rewriter(generator(kind), number), request_of(TURNED)
    term, at = rewriter.goal_terms(request)[0], rewriter.features([1])[0]
    value = rewriter.layer.value(rewriter.features([0])[0])
    moved = paste_term(rewriter.layer, value, request.copy.mask, at, request.paste.mask, TURNED)
    shown = Placed.on(request.copy.mask, request.paste.mask, TURNED).mask(request.copy.mask)
    inside, pixels = grown(shown, 2) > 0, wanted(rewriter, request)
    with torch.no_grad():
        before, after = (
            to_uint8(rewriter.generator.leave(number, target, at))[0] for target in (moved.target, term.target)
        )
    apart = [np.abs(one.astype(int) - pixels)[inside].mean() for one in (before, after)]
    assert apart[1] < 0.75 * apart[0]
    assert torch.equal(term.weight, moved.weight)
    assert np.array_equal(rewriter.goal_image(request), after)


def test_values_away_from_the_object_stay():
    rewriter, request = Rewriter(tiny.generator("stylegan2", SIDE), 9), request_of(TURNED)
    target, at = rewriter.goal_terms(request)[0].target, rewriter.features([1])[0]
    shown = Placed.on(request.copy.mask, request.paste.mask, TURNED).mask(request.copy.mask)
    far = rewriter.layer.painted(grown(shown, 4)) == 0
    assert far.any() and torch.equal(target[0][:, far], rewriter.layer.value(at)[0][:, far])


def test_an_object_that_stays_as_it_is_is_not_looked_at(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("its values are copied")

    rewriter, request = Rewriter(tiny.generator("stylegan2", SIDE), 6), request_of(Transform())
    monkeypatch.setattr(rewriter_module, "drawing_values", refuse)
    value, at = (rewriter.features([seed])[0] for seed in (0, 1))
    plain = paste_term(rewriter.layer, rewriter.layer.value(value), request.copy.mask, at, request.paste.mask)
    assert torch.equal(rewriter.goal_terms(request)[0].target, plain.target)
    with pytest.raises(AssertionError, match="copied"):
        rewriter.goal_terms(request_of(Transform(mirror=True)))


def test_a_transformed_goal_is_found_once_and_serves_all_places(monkeypatch):
    found = []

    def find(*arguments):
        found.append(drawing(*arguments))
        return found[-1]

    drawing = rewriter_module.drawing_values
    monkeypatch.setattr(rewriter_module, "drawing_values", find)
    rewriter = Rewriter(tiny.generator("stylegan2", SIDE), 8)
    places = tuple(Region(seed, tiny.disk(SIDE, 28, 30, 8)) for seed in (2, 3))
    request = request_of(TURNED, everywhere=True).with_(context=places)
    first, *further = rewriter.goal_terms(request)
    assert len(further) == 2 and torch.equal(first.target, found[0])
    values = first.target[0][:, first.weight == first.weight.max()]
    for term in further:
        assert torch.isin(term.target[0], values).any((1, 2)).all(), "the others have copies of its values"
    rewriter.goal_image(request)
    rewriter.solve(request, 2)
    assert len(found) == 1
    rewriter.goal_terms(request.with_(transform=Transform(1.2, 41)))
    assert len(found) == 2


def test_the_goal_is_the_same_in_inference_mode():
    made = tiny.generator("stylegan2", SIDE)
    with torch.inference_mode():
        inside = Rewriter(made, 8).goal_image(request_of(TURNED))
    assert np.array_equal(inside, Rewriter(made, 8).goal_image(request_of(TURNED)))


def test_the_goal_does_not_depend_on_the_number_of_threads():
    threads, targets = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            targets.append(Rewriter(tiny.generator("stylegan2", SIDE), 8).goal_terms(request_of(TURNED))[0].target)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*targets)


@pytest.mark.parametrize(("kind", "number"), [("stylegan3", 4), ("stylegan2", 10)], ids=["stylegan3", "last layer"])
@torch.no_grad()
def test_where_no_part_can_be_drawn_the_values_are_moved(kind, number):
    rewriter, request = Rewriter(tiny.generator(kind, SIDE), number), request_of(TURNED)
    source, at = (rewriter.features([seed])[0] for seed in (0, 1))
    moved = paste_term(rewriter.layer, rewriter.layer.value(source), request.copy.mask, at, request.paste.mask, TURNED)
    assert torch.equal(rewriter.goal_terms(request)[0].target, moved.target)
