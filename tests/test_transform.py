"""An object that is scaled, turned and mirrored where it is pasted."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from rewriting import Region, Request, Rewriter, Transform
from rewriting.core.examples import shown_goals
from rewriting.core.goal import paste_term
from rewriting.core.layer import EditableLayer
from rewriting.core.masks import bounding_box, inside, resize_mask
from rewriting.core.transform import Placed
from tests import tiny

SIDE = 64
KINDS = (("stylegan2", 9), ("proggan", 8), ("stylegan3", 4))  # the last has a margin around the picture
SOME = [Transform(0.7), Transform(1.4, -30), Transform(1, 30, True), Transform(0.5, 180), Transform(4, 45, True)]

transforms = st.builds(Transform, st.floats(0.25, 4), st.floats(-180, 180), st.booleans())


@pytest.fixture(scope="module", params=KINDS, ids=lambda one: one[0])
def scene(request):
    """A layer, and what arrives at it in picture 1."""
    layer = EditableLayer(tiny.generator(request.param[0], SIDE), request.param[1])
    with torch.no_grad():
        return layer, tiny.layer_input(layer, 1)


def wave(side, x, y):
    """A smooth function of the position, in shares of the picture, of which no turn or mirror image is the same."""
    return np.sin(5 * x + 1) * np.cos(3 * y) + 0.3 * x * y


def smooth_value(layer):
    """(1, O, h, w): the function at every position, the margin included, in every channel."""
    at = (np.arange(layer.size) - layer.margin + 0.5) / layer.side
    values = torch.from_numpy(wave(layer.side, at[None, :], at[:, None])).float()
    return values.expand(1, len(layer.weight), -1, -1)


def coefficients(transform, middle, centre):
    """Pillow's: from a position (x, y) where the object lies to one in its own picture, by complex numbers, in which a
    turn is a product and a mirror image a conjugate."""

    def back(point):
        offset = (
            (point - complex(*centre))
            / transform.scale
            * complex(math.cos(a := math.radians(-transform.turn)), math.sin(a))
        )
        return complex(*middle) + (complex(-offset.real, offset.imag) if transform.mirror else offset)

    origin = back(0j)
    along_x, along_y = back(1 + 0j) - origin, back(1j) - origin
    return along_x.real, along_y.real, origin.real, along_x.imag, along_y.imag, origin.imag


# The goal


@torch.no_grad()
def test_an_object_that_stays_as_it_is_is_pasted_bit_by_bit(scene):
    layer, at = scene
    source = layer.value(tiny.layer_input(layer, 0))
    copy, paste = tiny.box(SIDE, 10, 12, 30, 37), tiny.disk(SIDE, 40, 33, 9)
    term, same = (paste_term(layer, source, copy, at, paste, *more) for more in ((), (Transform(),)))
    assert torch.equal(term.target, same.target) and torch.equal(term.weight, same.weight)
    seen, own = inside(term.target, layer.margin)[0], inside(source, layer.margin)[0]
    unit = SIDE // layer.side
    covered = own[:, 12 // unit : 28 // unit, 14 // unit : 34 // unit]  # whole positions, away from the object's edge
    windows = seen.unfold(1, covered.shape[1], 1).unfold(2, covered.shape[2], 1)
    assert (windows == covered[:, None, None]).all((0, 3, 4)).sum() == 1, (
        "the values of the source are there, unchanged"
    )


@pytest.mark.parametrize("transform", SOME, ids=str)
@torch.no_grad()
def test_a_transformed_object_has_the_values_that_pillow_finds(scene, transform):
    layer, at = scene
    source, copy = smooth_value(layer), tiny.disk(SIDE, 30, 26, 11)
    term = paste_term(layer, source, copy, at, tiny.disk(SIDE, 36, 33, 5), transform)
    seen, weighed = inside(term.target, layer.margin)[0, 0], inside(term.weight, layer.margin)
    # The box of a disk turns with it: the centre of the one comes to lie on the centre of the other.
    unit = SIDE / layer.side
    middle, centre = (26.5 / unit, 30.5 / unit), (33.5 / unit, 36.5 / unit)
    if transform.scale == 4:  # and fills the picture
        centre = (layer.side / 2, layer.side / 2)
    values = Image.fromarray(inside(source, layer.margin)[0, 0].numpy())
    data = coefficients(transform, middle, centre)
    expected = values.transform(values.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    mask = Image.fromarray(copy).transform(
        (SIDE, SIDE), Image.Transform.AFFINE, coefficients(transform, (26.5, 30.5), np.array(centre) * unit)
    )
    cover = resize_mask(np.asarray(mask), layer.side)
    whole = torch.from_numpy((cover == 1) & (np.asarray(expected) != 0))
    assert whole.sum() >= 4
    # both interpolate linearly in float32: they differ by rounding only
    torch.testing.assert_close(seen[whole], torch.from_numpy(np.asarray(expected).copy())[whole], rtol=0, atol=1e-4)
    # a pixel of the mask on the edge may fall on either side
    torch.testing.assert_close(
        weighed, torch.from_numpy(cover / cover.sum()), rtol=0, atol=0.15 * float(weighed.max())
    )
    assert float(term.weight.sum()) == pytest.approx(1)


@torch.no_grad()
def test_a_transformed_goal_does_not_depend_on_the_number_of_threads(scene):
    layer, at = scene
    source, threads = layer.value(tiny.layer_input(layer, 0)), torch.get_num_threads()
    arguments = source, tiny.disk(SIDE, 30, 26, 14), at, tiny.disk(SIDE, 36, 33, 5), Transform(1.4, 25, True)
    targets = []
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            targets.append(paste_term(layer, *arguments).target)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*targets)


def test_everywhere_and_in_the_picture_of_the_goal_the_object_is_transformed():
    rewriter = Rewriter(tiny.generator("stylegan2"), 6)
    context = tuple(Region(seed, tiny.disk(32, 14, 16, 5)) for seed in (2, 3))
    request = tiny.request(context=context, everywhere=True)
    large = request.with_(transform=Transform(1.6, 20))
    for one, other in zip(rewriter.goal_terms(request), rewriter.goal_terms(large), strict=True):
        assert (other.weight > 0).sum() > 1.5 * (one.weight > 0).sum()
    drawn = [rewriter.goal_image(one) for one in (request, request.with_(transform=Transform()), large)]
    assert np.array_equal(drawn[0], drawn[1]) and (drawn[0] != drawn[2]).any()


def test_all_of_a_larger_object_is_learned():
    rewriter = Rewriter(tiny.generator("stylegan2"), 6)
    request = tiny.request(context=()).with_(transform=Transform(2))
    term = rewriter.goal_terms(request)[0]
    (shown,) = shown_goals(rewriter, request, [(request.paste, term)]).retouched
    object_there = Placed.on(request.copy.mask, request.paste.mask, request.transform).mask(request.copy.mask)
    assert (shown.mask > 0).sum() > (request.paste.mask > 0).sum()
    assert ((shown.mask > 0) & (object_there > 0)).sum() > 0.9 * (object_there > 0).sum()
    *_, edit = rewriter.learn(request, 2, steps=5)
    assert edit.request.transform == Transform(2)


def test_an_object_that_shrinks_to_nothing_is_refused(scene):
    layer, at = scene
    speck = tiny.box(2048, 1024, 1024, 1028, 1028)
    with pytest.raises(ValueError, match="The copied object is empty; paint it first, or a little larger"):
        paste_term(layer, layer.value(at), speck, at, tiny.disk(SIDE, 30, 30, 9), Transform(0.25))


# Where it lies

corner = np.zeros((SIDE, SIDE), np.uint8)
corner[20:30, 24:26] = corner[28:30, 24:34] = 255  # an L in a square box


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Transform(mirror=True), np.fliplr),
        (Transform(turn=90), lambda box: np.rot90(box, -1)),  # clockwise
        (Transform(turn=-90), np.rot90),
        (Transform(turn=180), lambda box: box[::-1, ::-1]),
        (Transform(turn=90, mirror=True), lambda box: np.rot90(np.fliplr(box), -1)),  # mirrored before it is turned
        (Transform(2), lambda box: np.kron(box, np.ones((2, 2), np.uint8))),
        (Transform(0.5), lambda box: box[::2, ::2]),
    ],
    ids=lambda one: str(one) if isinstance(one, Transform) else "array",
)
def test_a_mask_is_mirrored_turned_and_scaled_like_an_array(transform, expected):
    mask = Placed.on(corner, corner, transform).mask(corner)
    top, left, bottom, right = bounding_box(mask)
    assert np.array_equal(mask[top:bottom, left:right], expected(corner[20:30, 24:34]))
    assert abs(top + bottom - 50) <= 1 and abs(left + right - 58) <= 1, "its box stays centred"


@given(transforms, st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))
@example(Transform(4, 45), 0, SIDE - 1)
@example(Transform(0.25, 45), SIDE - 1, 0)
def test_a_transformed_object_is_centred_on_its_place_and_stays_inside(transform, row, column):
    copy, place = tiny.disk(SIDE, 20, 30, 12), tiny.box(SIDE, row, column, row + 1, column + 1)
    top, left, bottom, right = bounding_box(Placed.on(copy, place, transform).mask(copy))
    extent = 25 * transform.scale
    for (start, end), wanted in (((top, bottom), row + 0.5), ((left, right), column + 0.5)):
        room = max(0.0, SIDE / 2 - extent / 2)
        centred = min(max(wanted, SIDE / 2 - room), SIDE / 2 + room)
        assert abs((start + end) / 2 - centred) <= 1.5  # a pixel of the disk's tip may be seen or not, at either end
        assert end - start <= min(SIDE, extent + 2)


def test_a_mask_that_is_scaled_to_less_than_a_pixel_is_one_pixel():
    line = tiny.box(SIDE, 20, 20, 21, 21)
    assert np.count_nonzero(Placed.on(line, line, Transform(0.25)).mask(line)) == 1


# Files


@given(transforms)
@example(Transform(1.4))
@example(Transform(turn=-30.5))
@example(Transform(mirror=True))
def test_a_transform_survives_its_json(transform):
    data = tiny.request(transform=transform).to_json()
    assert Request.from_json(json.loads(json.dumps(data))).transform == transform
    assert data["format_version"] == (1 if transform.identity else 4)


def test_a_request_says_only_what_is_changed_of_the_object():
    plain = tiny.request()
    assert "transform" not in plain.to_json() and plain.to_json()["format_version"] == 1
    changed = plain.with_(transform=Transform(turn=30, mirror=True))
    assert changed.to_json()["transform"] == {"turn": 30.0, "mirror": True}
    assert changed != plain and hash(changed.transform) != hash(plain.transform)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_earlier_versions_of_the_file_have_no_transform(version):
    data = tiny.request().to_json() | {"format_version": version, "transform": {"scale": 2.0}}
    with pytest.raises(ValueError, match="A request has no 'transform'") as refused:
        Request.from_json(data)
    assert tiny.is_one_sentence(str(refused.value))


WRONG = [
    *[{"scale": v} for v in (float("nan"), float("inf"), 1e9, 0, -1, 0.2, "2", True, None, [1], 10**400)],
    *[{"turn": v} for v in (float("nan"), 1e9, 181, -180.5, "30", False, None, {})],
    *[{"mirror": v} for v in (1, 0, "yes", None, [])],
    {"skew": 1}, {"x" * 10_000: 1}, [], "large", 3, None, True, [1.4, 30],
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong)[:40])
def test_what_is_no_transform_is_refused_in_one_sentence(wrong):
    data = tiny.request().to_json() | {"format_version": 4, "transform": wrong}
    with pytest.raises(ValueError, match="transform") as refused:
        Request.from_json(data)
    assert tiny.is_one_sentence(str(refused.value))
    with pytest.raises(ValueError, match="transform must be a Transform") as refused:
        tiny.request(transform=wrong)
    assert tiny.is_one_sentence(str(refused.value))
