"""Places in pictures as programs describe them: by numbers, or by a mask."""

import numpy as np
import pytest

from rewriting.core.masks import bounding_box, encode_mask
from rewriting.core.request import Region
from rewriting.core.transform import Transform
from rewriting.hub import client
from rewriting.studio.programs.places import region, spot
from tests import tiny

SIDE = 64


def test_a_box_covers_its_share_of_the_picture():
    found = region({"seed": 3, "box": [0.25, 0.5, 0.75, 1]}, "copy", SIDE)
    assert found.seed == 3
    assert np.array_equal(found.mask, tiny.box(SIDE, 32, 16, 64, 48))  # rows from half down, columns in the middle


def test_an_ellipse_fills_its_box():
    mask = region({"seed": 0, "ellipse": [0.25, 0.25, 0.75, 1]}, "copy", SIDE).mask > 0
    assert bounding_box(mask) == (16, 16, 64, 48)
    assert mask.sum() == pytest.approx(np.pi * 16 * 24, rel=0.02)
    assert mask[40, 16] and not mask[17, 17] and mask[40, 31]


def test_a_mask_comes_as_it_is_saved_in_requests_in_any_size():
    painted = tiny.disk(2 * SIDE, 40, 60, 20)
    found = region({"seed": 3, "mask": encode_mask(painted)}, "copy", SIDE)
    assert np.array_equal(found.mask, painted[1::2, 1::2])


def test_whoever_runs_the_studio_may_name_a_file_and_a_visitor_may_not(tmp_path, monkeypatch):
    path, place = tmp_path / "mask.png", tiny.box(SIDE, 8, 8, 32, 32)
    path.write_bytes(tiny.png_bytes(place))
    assert np.array_equal(region({"seed": 0, "mask": str(path)}, "copy", SIDE).mask, place)
    monkeypatch.setenv(client.PUBLIC, "1")
    for name in (str(path), "/etc/passwd", f"http://127.0.0.1/gradio_api/file={path}"):
        for value in (name, {"path": name}):
            with pytest.raises(ValueError, match="must be a data URL, an uploaded file"):
                region({"seed": 0, "mask": value}, "copy", SIDE)


def test_an_object_goes_where_it_is_put_and_stays_whole():
    copy = region({"seed": 0, "box": [0, 0, 0.25, 0.5]}, "copy", SIDE)
    pasted, transform = spot({"seed": 5, "at": [0.5, 0.75]}, "paste", copy)
    assert transform.identity
    assert pasted.seed == 5 and np.array_equal(pasted.mask, tiny.box(SIDE, 32, 24, 64, 40))
    assert bounding_box(spot({"seed": 5, "at": [1, 1]}, "paste", copy)[0].mask) == (32, 48, 64, 64)
    assert np.array_equal(spot({"seed": 5}, "paste", copy)[0].mask, copy.mask)
    aimed = {"seed": 5, "ellipse": [0.5, 0.5, 1, 1]}
    assert spot(aimed, "paste", copy) == (region(aimed, "paste", SIDE), Transform())


def test_an_object_is_scaled_turned_and_mirrored_where_it_is_put():
    copy = region({"seed": 0, "box": [0, 0, 0.25, 0.5]}, "copy", SIDE)
    pasted, transform = spot({"seed": 5, "at": [0.5, 0.5], "scale": 0.5, "turn": 90, "mirror": True}, "paste", copy)
    assert transform == Transform(0.5, 90, True)
    assert np.array_equal(pasted.mask, tiny.box(SIDE, 28, 24, 36, 40))  # half of 16 x 32, lying
    aimed = {"seed": 5, "box": [0.5, 0.5, 1, 1]}
    assert spot({**aimed, "turn": -5}, "paste", copy) == (region(aimed, "paste", SIDE), Transform(turn=-5))


def test_a_press_selects_what_is_there():
    asked = []

    def select(*press):
        asked.append(press)
        return Region(press[0], tiny.disk(SIDE, 30, 30, 8))

    found = region({"seed": 3, "press": [0.4, 0.6]}, "copy", SIDE, select)
    assert found == Region(3, tiny.disk(SIDE, 30, 30, 8))
    region({"seed": 4, "press": [0, 1], "size": 2.5}, "copy", SIDE, select)
    assert asked == [(3, 0.4, 0.6, 1.0), (4, 0.0, 1.0, 2.5)]
    for wrong, said in (
        ({"press": [0.4]}, "copy.press must be a list of 2 shares"),
        ({"press": [0.4, 2]}, r"copy.press\[1\] must be a number from 0 to 1"),
        ({"press": [0.4, 0.5], "size": 9}, "copy.size must be a number from 0.1 to 4"),
        ({"press": [0.4, 0.5], "box": [0, 0, 1, 1]}, "one of box, ellipse, mask, press"),
    ):
        with pytest.raises(ValueError, match=said):
            region({"seed": 3, **wrong}, "copy", SIDE, select)
    assert len(asked) == 2


WRONG = [
    ("a picture", "must be a place like"),
    ({"box": [0, 0, 1, 1]}, "must be a place like"),
    ({"seed": 1}, "one of box, ellipse, mask"),
    ({"seed": 1, "box": [0, 0, 1, 1], "mask": ""}, "one of box, ellipse, mask"),
    ({"seed": 1, "box": [0, 0, 1, 1], "radius": 3}, "unknown key 'radius'"),
    ({"seed": 1, "box": [0, 0, 1, 1], "scale": 2}, "unknown key 'scale'"),
    ({"seed": 1, "box": [0, 0, 1, 1], "size": 3}, "copy has a size without a press"),
    ({"seed": 1, "press": [0.5, 0.5]}, "copy takes no press"),
    ({"seed": -1, "box": [0, 0, 1, 1]}, "copy.seed must be a whole number"),
    ({"seed": 1, "box": [0, 0, 1]}, "copy.box must be a list of 4"),
    ({"seed": 1, "box": [0, 0, 256, 256]}, "copy.box[2] must be a number from 0 to 1, not 256"),
    ({"seed": 1, "box": [0.5, 0, 0.4, 1]}, "left less than right"),
    ({"seed": 1, "ellipse": [0, 0, 1, float("nan")]}, "copy.ellipse[3] must be a number"),
    ({"seed": 1, "box": [0.5, 0, 0.501, 1]}, "cover a pixel"),
    ({"seed": 1, "mask": "data:image/png;base64,AAAA"}, "copy.mask: a mask is not a readable PNG"),
    ({"seed": 1, "mask": "data:image/png;base64,!"}, "not a whole data URL"),
    ({"seed": 1, "mask": "data:image/png;base64," + "A" * 8_000_000}, "bytes"),
    ({"seed": 1, "mask": 7}, "must be a data URL"),
    ({"seed": 1, "mask": "\0"}, "must be a data URL"),
]


@pytest.mark.parametrize(("place", "what"), WRONG)
def test_what_is_no_place_is_refused_in_one_sentence(place, what):
    with pytest.raises(ValueError) as refused:
        region(place, "copy", SIDE)
    assert what in str(refused.value) and tiny.is_one_sentence(str(refused.value)), refused.value


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ({"seed": 1, "at": [0.5]}, "paste.at must be a list of 2"),
        ({"seed": 1, "at": [0.5, 2]}, "paste.at[1] must be a number from 0 to 1"),
        ({"seed": 1, "at": [0.5, 0.5], "box": [0, 0, 1, 1]}, "either at or one of"),
        ({"at": [0.5, 0.5]}, "must be a place like"),
        ({"seed": 1, "scale": 5}, "paste.scale must be a number from 0.25 to 4, not 5"),
        ({"seed": 1, "turn": "left"}, "paste.turn must be a number from -180 to 180"),
        ({"seed": 1, "mirror": 1}, "paste.mirror must be true or false"),
        ({"seed": 1, "skew": 1}, "unknown key 'skew'"),
    ],
)
def test_where_nothing_can_go_is_refused_in_one_sentence(place, what):
    copy = region({"seed": 0, "box": [0, 0, 0.25, 0.5]}, "copy", SIDE)
    with pytest.raises(ValueError) as refused:
        spot(place, "paste", copy)
    assert what in str(refused.value) and tiny.is_one_sentence(str(refused.value)), refused.value
