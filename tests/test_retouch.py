"""Retouched pictures: what changed is found, kept and carried to other places; files of others are refused."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from rewriting import Region, Request
from rewriting.core.retouch import Alignment, Retouched, bend, carried, changed, displacement
from tests import tiny

SIDE = 128


def scene(seed=0):
    """A soft picture with edges, as a generator draws: uint8 (128, 128, 3)."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SIDE, SIDE), tuple(rng.integers(60, 200, 3).tolist()))
    for _ in range(6):
        x, y, r = rng.integers(10, SIDE - 10, 2).tolist() + [int(rng.integers(8, 30))]
        ImageDraw.Draw(picture).ellipse([x - r, y - r, x + r, y + r], fill=tuple(rng.integers(0, 255, 3).tolist()))
    texture = Image.effect_noise((SIDE, SIDE), 40).filter(ImageFilter.GaussianBlur(2)).convert("RGB")
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)), np.int16)
    return (soft + np.asarray(texture, np.int16) - 128).clip(0, 255).astype(np.uint8)


def disc(x, y, r):
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).ellipse([x - r, y - r, x + r, y + r], fill=255)
    return np.asarray(mask)


def with_ball(picture, x=60, y=50, r=9, colour=(220, 30, 30)):
    return np.where(disc(x, y, r)[..., None] > 0, np.array(colour, np.uint8), picture)


def compressed(picture, kind, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


# --- what changed is found


@pytest.mark.parametrize(("kind", "quality"), [("PNG", 90), ("JPEG", 60), ("JPEG", 85), ("WEBP", 60)])
def test_a_retouch_is_found_and_compression_is_none(kind, quality):
    for seed in range(4):
        picture = scene(seed)
        assert not changed(picture, compressed(picture, kind, quality)).any()
        found = changed(picture, compressed(with_ball(picture), kind, quality)) > 0
        true = np.abs(with_ball(picture).astype(int) - picture).max(2) > 20
        assert found[true].mean() > 0.97
        assert not found[disc(60, 50, 9 + 6) == 0].any()


def test_an_even_shift_of_all_colours_is_no_retouch():
    picture = scene()
    shifted = (picture.astype(int) + 6).clip(0, 255).astype(np.uint8)
    assert not changed(picture, shifted).any()
    assert changed(picture, with_ball(shifted))[50, 60]


def test_only_what_changed_is_kept_and_laid_over_the_picture_again():
    picture = scene()
    retouched = Retouched.found(3, picture, with_ball(picture))
    assert max(retouched.patch.shape) < 40
    assert np.abs(retouched.over(picture).astype(int) - with_ball(picture)).max() <= 1
    other = scene(1)
    assert np.array_equal(retouched.over(other)[retouched.mask == 0], other[retouched.mask == 0])


def test_a_mask_says_what_counts_as_retouched():
    picture = scene()
    both = with_ball(with_ball(picture), 100, 100)
    mask = disc(60, 50, 12)
    retouched = Retouched.found(3, picture, both, mask=mask)
    assert np.array_equal(retouched.mask > 0, mask > 0)
    assert np.array_equal(retouched.over(picture), with_ball(picture))


def test_a_picture_in_which_nothing_changed_and_one_of_another_size_are_refused():
    picture = scene()
    with pytest.raises(ValueError, match="Nothing differs from picture 3") as caught:
        Retouched.found(3, picture, compressed(picture, "JPEG", 90))
    assert tiny.is_one_sentence(str(caught.value))
    with pytest.raises(ValueError, match="64 x 64 pixels; picture 3 is 128 x 128") as caught:
        Retouched.found(3, picture, picture[::2, ::2])
    assert tiny.is_one_sentence(str(caught.value))


# --- bends


def test_a_bend_moves_what_was_dragged_and_leaves_what_was_pinned():
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[60:64, 40:44] = 255
    pins = [[x / 4, y / 4, x / 4, y / 4] for x in range(5) for y in (0, 4)]
    bent = bend(picture, [[42 / SIDE, 62 / SIDE, 52 / SIDE, 66 / SIDE], *pins])
    rows, columns = np.nonzero(bent[..., 0] > 127)
    assert abs(columns.mean() - 51.5) < 1 and abs(rows.mean() - 65.5) < 1
    assert np.abs(displacement(pins, SIDE)).max() < 0.1


# --- carried to another place


def test_a_ball_is_carried_to_the_corresponding_place_in_its_size():
    here, there = scene(0), scene(1)
    retouched = Retouched.found(3, here, with_ball(here, 60, 50, 9), how={"kind": "paint"})
    alignment = Alignment.of(disc(60, 50, 10), disc(80, 70, 20))
    drawn = carried(retouched, here, alignment, 4, there).over(there)
    expected = with_ball(there, 80, 70, 18)
    core = disc(80, 70, 16) > 0
    assert np.abs(drawn[core].astype(int) - expected[core]).mean() < 4
    assert np.array_equal(drawn[disc(80, 70, 26) == 0], there[disc(80, 70, 26) == 0])


def test_where_a_picture_shone_through_it_shines_through_elsewhere():
    here, there = (np.asarray(Image.effect_noise((SIDE, SIDE), 60).convert("RGB")) for _ in range(2))
    inside = disc(60, 50, 20)[..., None] > 0
    tinted = np.where(inside, (0.5 * here + [110, 15, 15]).astype(np.uint8), here)
    retouched = Retouched.found(3, here, tinted, mask=disc(60, 50, 20))
    drawn = carried(retouched, here, Alignment.of(disc(60, 50, 20), disc(64, 64, 20)), 4, there).over(there)
    core = disc(64, 64, 14) > 0
    expected = 0.5 * there[core] + [110, 15, 15]
    assert np.abs(drawn[core] - expected).mean() < 12


def test_a_bend_bends_at_the_other_place_too():
    here, there = scene(0), scene(1)
    moves = [[50 / SIDE, 50 / SIDE, 56 / SIDE, 50 / SIDE]]
    moves += [[(50 + 25 * x) / SIDE, (50 + 25 * y) / SIDE] * 2 for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    retouched = Retouched.found(
        3, here, bend(here, moves), mask=disc(50, 50, 24), how={"kind": "bend", "moves": moves}
    )
    drawn = carried(retouched, here, Alignment.of(disc(50, 50, 10), disc(70, 60, 10)), 4, there).over(there)
    moved = [[x + 20 / SIDE, y + 10 / SIDE, a + 20 / SIDE, b + 10 / SIDE] for x, y, a, b in moves]
    inner = disc(70, 60, 18) > 0
    assert np.abs(drawn[inner].astype(int) - bend(there, moved)[inner]).mean() < 3


def test_two_parts_correspond_from_left_to_right():
    alignment = Alignment.of(disc(30, 40, 8) | disc(60, 40, 8), disc(40, 70, 8) | disc(90, 74, 16))
    there, here = [part[0] for part in alignment.parts], [part[1] for part in alignment.parts]
    assert np.allclose(here, [[30, 40], [60, 40]], atol=1) and np.allclose(there, [[40, 70], [90, 74]], atol=1)
    assert alignment.parts[1][2] == pytest.approx(2, rel=0.1)


# --- requests


def request(**changes):
    picture = scene()
    retouched = Retouched.found(3, picture, with_ball(picture), how={"kind": "paint", "strokes": [[0.4, 0.5]]})
    return Request(**{"retouched": [retouched], **changes})


def test_a_request_keeps_the_changed_part_and_how_it_was_made(tmp_path):
    made = request(context=[Region(5, disc(40, 40, 9))], name="Red balls")
    path = made.save(tmp_path / "request.json")
    read = Request.load(path)
    assert read == made and read.retouched[0].how["strokes"] == [[0.4, 0.5]]
    assert made.to_json()["format_version"] == 2 and path.stat().st_size < 10_000
    assert Request().to_json()["format_version"] == 1


def test_without_a_context_the_rule_holds_where_something_changed():
    made = request()
    assert not made.missing() and made.places[0].seed == 3
    assert np.array_equal(made.places[0].mask, made.retouched[0].mask)


def test_erasing_and_two_retouches_of_one_picture_are_refused():
    one = request().retouched[0]
    for wrong in ({"erase": True, "retouched": [one]}, {"retouched": [one, one]}, {"retouched": [one] * 17}):
        with pytest.raises(ValueError) as caught:
            Request(**wrong)
        assert tiny.is_one_sentence(str(caught.value)), str(caught.value)


BAD_MOVES = [
    [],
    [3],
    [[0, 0, 0]],
    [[0, 0, 0, 9]],
    [[0, 0, 0, "1"]],
    [[0, 0, 0, True]],
    [[0, 0, 0, 0]] * 999,
    "x",
    None,
]


@pytest.mark.parametrize(
    "change",
    [
        *[{"seed": v} for v in (-1, 2**40, 1.5, True, None, "3")],
        *[{"side": v} for v in (0, 7, 4096, 10**400, 128.5)],
        *[{"left": v} for v in (-1, 2000, 127, "0", None)],
        *[{"top": v} for v in (-1, 2000, 127, False)],
        *[{"patch": v} for v in (None, "", "data:image/png;base64,", "data:image/png;base64,AAAA", 5, [1])],
        *[{"how": v} for v in (None, "bend", {}, {"kind": "x"}, {"kind": "bend"}, {"kind": []})],
        *[{"how": {"kind": "bend", "moves": moves}} for moves in BAD_MOVES],
        {"how": {"kind": "paint", "x": "x" * 70_000}},
        {"how": {"kind": "paint", "x": float("nan")}},
        {"other": 1},
    ],
)
def test_descriptions_that_cannot_be_are_refused(change):
    data = request().to_json()
    data["retouched"] = [data["retouched"][0] | change]
    with pytest.raises(ValueError) as caught:
        Request.from_json(data)
    message = str(caught.value)
    assert message.startswith("retouched 1") and tiny.is_one_sentence(message), message
