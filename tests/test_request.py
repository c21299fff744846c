"""Requests: round trips, the paper's saved sessions as they are, and one sentence for whatever else a file holds."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from rewriting import Region, Request, Transform
from rewriting.core.masks import decode_mask, encode_mask
from rewriting.core.request import MAX_FILE, MAX_REGIONS
from tests import tiny
from tests.reference import bau


def refused(data):
    with pytest.raises(ValueError) as caught:
        Request.from_json(data)
    assert tiny.is_one_sentence(str(caught.value)), str(caught.value)
    return str(caught.value)


def ours(**changes):
    return {"format": "rewriting-request", "format_version": 1, **changes}


MASK = encode_mask(tiny.disk(16, 8, 8, 4))


# Round trips

masks = st.builds(tiny.disk, st.sampled_from([8, 16, 33]), st.integers(0, 32), st.integers(0, 32), st.integers(0, 9))
regions = st.builds(Region, st.integers(0, 2**32 - 1), masks)
requests = st.builds(
    Request,
    copy=st.none() | regions,
    paste=st.none() | regions,
    context=st.lists(regions, max_size=2).map(tuple),
    preserve=st.lists(regions, max_size=2).map(tuple),
    erase=st.booleans(),
    everywhere=st.booleans(),
    layer=st.none() | st.integers(2, 32),
    rank=st.none() | st.integers(1, 64),
    locality=st.none() | st.floats(0, 1e6),
    units=st.none() | st.integers(1, 4096),
    generator=st.text(max_size=9),
    seeding=st.sampled_from(["seed", "row"]),
    truncation=st.none() | st.floats(0, 2),
    label=st.integers(0, 9),
    name=st.text(st.characters(exclude_categories=[]), max_size=9),  # lone surrogates included: JSON can hold them
    description=st.text(max_size=9),
)


@given(requests)
@example(Request(locality=0.0, truncation=0.0))
@example(Request(locality=0, truncation=1))
def test_a_request_survives_its_json(request):
    data = request.to_json()
    assert Request.from_json(json.loads(json.dumps(data))) == request
    assert Request.from_json(data).to_json() == data


@given(requests)
def test_a_request_survives_its_file(tmp_path_factory, request):
    path = request.save(tmp_path_factory.getbasetemp() / "request.json")
    assert Request.load(path) == request


def test_what_has_its_default_is_left_out():
    assert Request().to_json() == {"format": "rewriting-request", "format_version": 1, "seeding": "seed"}
    data = tiny.request(name="Hats", notes={"order": 3}, erase=True).to_json()
    assert data["notes"] == {"order": 3} and data["erase"] is True and "everywhere" not in data
    assert Request.from_json(data).notes == {"order": 3}


def test_a_class_is_kept_in_a_newer_format_and_what_has_none_stays_as_it_was():
    data = tiny.request(label=3).to_json()
    assert (data["label"], data["format_version"], Request.from_json(data).label) == (3, 5, 3)
    assert "label" not in tiny.request().to_json() and tiny.request().to_json()["format_version"] == 1
    assert "has no 'label'" in refused(data | {"format_version": 4})
    for label in (-1, True, 1e9, "3", 2.5, None, [3]):
        assert "label must be a whole number" in refused(data | {"label": label})


def test_any_change_makes_another_request():
    request = tiny.request()
    other = Region(3, tiny.box(32, 1, 1, 5, 5))
    changes = [
        *({"copy": other}, {"paste": other}, {"context": (other,)}, {"preserve": (other,)}, {"erase": True}),
        *({"everywhere": True}, {"layer": 4}, {"rank": 2}, {"locality": 0.0}, {"units": 9}, {"generator": "g"}),
        *({"seeding": "row"}, {"truncation": 0.5}, {"label": 1}, {"name": "n"}, {"description": "d"}),
        *({"transform": change} for change in (Transform(2), Transform(turn=5), Transform(mirror=True))),
    ]
    assert all(request.with_(**change) != request for change in changes) and request.with_() == request


# What a request needs


def test_what_is_missing_is_said_in_the_order_it_is_done():
    nothing = Region(0, np.zeros((16, 16), np.uint8))
    full = tiny.request()
    for request, word in (
        (Request(), "object to copy"),
        (full.with_(copy=nothing), "object to copy"),
        (full.with_(paste=None), "place the object"),
        (full.with_(paste=nothing), "place the object"),
        (full.with_(context=(nothing,)), "the rule should change"),
        (Request(erase=True), "object to erase"),
        (Request(erase=True, context=(nothing,)), "object to erase"),
    ):
        assert word in request.missing()
        with pytest.raises(ValueError, match=f"The request is not complete: .*{word}.* first") as caught:
            request.check()
        assert tiny.is_one_sentence(str(caught.value))
    for complete in (full, full.with_(context=()), Request(erase=True, context=full.context)):
        assert complete.missing() == "" and complete.check() is None


def test_without_a_context_the_rule_holds_where_it_is_pasted():
    request = tiny.request()
    assert request.places == request.context and request.with_(context=()).places == (request.paste,)


# The paper's sessions


def session(**parts):
    dab = [7, tiny.brushed_url(256, 100, 120, 30)]
    return {"object": dab, "paste": [12, tiny.brushed_url(256, 60, 200, 9)], **parts}


@pytest.mark.parametrize("side", [192, 256, 1024])
def test_masks_of_the_paper_s_page_count_wherever_the_brush_touched(side):
    url = tiny.brushed_url(side, side // 2, side // 3, side // 8)
    region = Request.from_json(session(object=[3, url])).copy
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
    assert len(np.unique(pixels[..., 3])) > 10 and set(np.unique(pixels[..., :3])) == {0, 255}
    assert np.array_equal(region.mask, np.where(pixels[..., 3] > 0, 255, 0))
    assert np.array_equal(region.mask / 255, bau.resize_mask(url, side, side).numpy())


def test_a_session_opens_as_it_is(tmp_path):
    keys = [[n, tiny.brushed_url(1024 if n % 2 else 256, 90, 80, 40)] for n in (5, 998, 12)]
    path = tmp_path / "multikey_hat.json"
    path.write_text(json.dumps(session(key=keys, query=keys[0])))
    request = Request.load(path)
    assert (request.copy.seed, request.paste.seed) == (7, 12) and [r.seed for r in request.context] == [5, 998, 12]
    assert [r.mask.shape for r in request.context] == [(1024, 1024), (256, 256), (256, 256)]
    assert (request.seeding, request.truncation, request.erase) == ("row", 0.5, False)
    assert (request.layer, request.rank, request.locality) == (None, None, None)  # no session says
    assert request.missing() == "" and Request.from_json(request.to_json()) == request


def test_a_session_of_the_single_key_era_holds_where_it_is_pasted():
    request = Request.from_json(session(query=[1, MASK]))
    assert request.context == () and request.places == (request.paste,) and request.missing() == ""


def test_a_session_without_an_object_erases():
    request = Request.from_json({"key": [[1, MASK], [2, MASK]], "query": [1, MASK]})
    assert request.erase and request.copy is None and len(request.places) == 2 and request.missing() == ""
    assert Request.from_json({"key": [[1, MASK]], "paste": [820, MASK]}).erase
    assert not Request.from_json({"object": [4, MASK], "key": [[1, MASK]]}).erase


def test_what_no_session_has_is_named():
    assert "'keys'" in refused(session(keys=[]))
    assert "key 2" in refused(session(key=[[1, MASK], [2, "no mask"]]))
    assert "object: " in refused(session(object=[-1, MASK]))
    assert "paste is not of the form" in refused(session(paste=[1, MASK, 2]))
    assert "key is not a list" in refused(session(key={"0": 1}))


# What is refused


def test_unknown_keys_are_named_with_those_there_are():
    message = refused(ours(copied={"seed": 1, "mask": MASK}))
    assert "'copied'" in message and "context, copy" in message
    assert "'x" in refused(ours(**{"x" * 5000: 1}))
    assert "format" in refused({"anything": 1}) and "format" in refused(ours(format="rewriting-edit"))
    assert "format_version 6" in refused(ours(format_version=6))
    assert "'retouched'" in refused(ours(retouched=[])), "files of version 1 have none"


@pytest.mark.parametrize(
    "change",
    [
        {"layer": 0}, {"layer": "8"}, {"layer": True}, {"rank": 0}, {"rank": 65}, {"rank": 1.5}, {"units": -1},
        {"locality": -1}, {"locality": float("nan")}, {"locality": float("inf")}, {"locality": "5"},
        {"locality": True}, {"truncation": 3}, {"truncation": [1]}, {"seeding": "random"}, {"seeding": None},
        {"erase": 1}, {"erase": None}, {"everywhere": "yes"}, {"generator": 5}, {"name": ["a"]},
        {"description": {}}, {"notes": 5}, {"notes": [1]}, {"context": None}, {"context": {}}, {"preserve": "all"},
        {"copy": 5}, {"copy": {}}, {"copy": {"seed": 1}}, {"copy": {"seed": 1, "mask": MASK, "more": 1}},
        {"copy": {"seed": 1.0, "mask": MASK}}, {"copy": {"seed": "1", "mask": MASK}},
        {"paste": {"seed": 2**32, "mask": MASK}},
        {"copy": {"seed": True, "mask": MASK}}, {"copy": {"seed": 1, "mask": None}}, {"copy": {"seed": 1, "mask": ""}},
        {"context": [{"seed": 0, "mask": MASK}] * (MAX_REGIONS + 1)},
    ],
    ids=lambda change: json.dumps(change)[:40],
)  # fmt: skip
def test_values_that_cannot_be_are_named(change):
    assert next(iter(change)) in refused(ours(**change))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data=b"", extra=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (MASK.replace("image/png", "text/html"), "not a PNG data URL"),
        (MASK.split(",")[1], "not a PNG data URL"),
        ("data:image/png;base64,", "not a readable PNG"),
        ("data:image/png;base64,\N{SNOWMAN}", "not a readable PNG"),
        (MASK[:60], "not a readable PNG|not a whole PNG"),
        (MASK + "A" * 4_000_000, "4,000,000 is the most"),
        (tiny.png_url(np.zeros((16, 17), np.uint8)), "17 x 16 pixels"),
        (tiny.png_url(np.zeros((4, 4), np.uint8)), "4 x 4 pixels"),
        (png(4096, 4096), "4096 x 4096 pixels"),
        (png(12_000, 12_000), "not a readable PNG|12000 x 12000"),  # a bomb that Pillow warns of
        (png(100_000, 100_000), "not a readable PNG"),  # and one that it refuses
        (png(64, 64, b"\0" * 100), "not a whole PNG"),
        (png(16, 16, bytes(16 * 17), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(70 << 20)))), "PNG"),
    ],
)
def test_masks_that_cannot_be_are_refused(url, named):
    with pytest.raises(ValueError, match=named) as caught:
        decode_mask(url)
    assert tiny.is_one_sentence(str(caught.value))
    refused(ours(copy={"seed": 1, "mask": url}))


@given(st.binary(max_size=8), st.integers(8, 400), st.integers(0, 12), st.booleans())
def test_any_damage_to_a_png_is_survived(junk, position, removed, mended):
    whole = base64.b64decode(MASK.split(",")[1])
    data = whole[:position] + junk + whole[position + removed :]
    if mended:  # with the first chunk's checksum made right again, so that the damage is read
        data = data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]
    try:
        mask = decode_mask("data:image/png;base64," + base64.b64encode(data).decode())
    except ValueError as error:
        assert tiny.is_one_sentence(str(error))
    else:
        assert mask.dtype == np.uint8 and set(np.unique(mask)) <= {0, 255} and mask.shape[0] == mask.shape[1]


@pytest.mark.parametrize(
    "mask", [np.ones((8, 8), np.float32), np.ones((8, 8), int), np.full((8, 8), 300), np.full((8, 8), -1)]
)
def test_a_mask_that_could_mean_anything_is_refused(mask):
    with pytest.raises(ValueError, match="give bool, or uint8 with 255 where painted") as refused:
        Region(1, mask)
    assert tiny.is_one_sentence(str(refused.value))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64])
def test_a_mask_is_kept_as_uint8(kind):
    painted = tiny.disk(16, 8, 8, 4)
    region = Region(1, (painted > 0) if kind is bool else painted.astype(kind))
    assert region.mask.dtype == np.uint8 and np.array_equal(region.mask, painted)


def test_what_is_erased_is_what_is_painted_and_not_where_something_was_pasted():
    pasted = Request(copy=Region(0, tiny.disk(16, 8, 8, 4)), paste=Region(1, tiny.disk(16, 8, 8, 4)))
    assert pasted.missing() == "" and pasted.places
    assert pasted.with_(erase=True).missing() == "paint the object to erase"


def test_pictures_of_any_kind_are_read_as_masks():
    painted = tiny.disk(16, 8, 8, 4)
    for mode in ("L", "1", "P", "RGB", "RGBA", "LA", "I;16"):
        image = Image.fromarray(painted).convert("L")
        image = Image.fromarray(painted.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
        url = tiny.png_url(np.asarray(image)) if mode not in "P1" else palette_url(image)
        assert np.array_equal(decode_mask(url), painted), mode
    for channel in range(3):
        coloured = np.zeros((16, 16, 4), np.uint8)
        coloured[..., channel] = painted
        assert np.array_equal(decode_mask(tiny.png_url(coloured[..., :3])), painted)  # on black
        coloured[..., 3] = np.where(painted > 0, 90, 0)
        assert np.array_equal(decode_mask(tiny.png_url(coloured)), painted)  # half transparent on nothing
        coloured[..., channel] //= 4
        coloured[..., 3] = painted
        assert np.array_equal(decode_mask(tiny.png_url(coloured)), painted)  # dark on nothing: only the alpha tells
    grey = np.where(painted > 0, 128, 127).astype(np.uint8)
    assert np.array_equal(decode_mask(tiny.png_url(grey)), painted)  # half painted counts, less does not
    deep = np.where(painted > 0, 0x8000, 0x7FFF).astype(np.uint16)
    assert np.array_equal(decode_mask(tiny.png_url(deep)), painted)  # so it does with 16 bits
    assert not decode_mask(tiny.png_url(deep // 100)).any()
    erased = np.full((16, 16, 4), 255, np.uint8)
    erased[..., 3] = painted  # as some programs keep colours under what was erased
    assert np.array_equal(decode_mask(tiny.png_url(erased)), painted)
    black = np.zeros((16, 16, 4), np.uint8)
    black[..., 3] = painted  # drawn in black: only the alpha tells
    assert np.array_equal(decode_mask(tiny.png_url(black)), painted)
    black[..., 3] = 255  # opaque black is nothing painted
    assert not decode_mask(tiny.png_url(black)).any() and not decode_mask(tiny.png_url(black * 0)).any()
    assert decode_mask(tiny.png_url(black * 0 + 255)).all()


def palette_url(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


KEYS = ["format", "format_version", *Request.__dataclass_fields__, "object", "key", "query"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(MASK) | st.just("row"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["seed", "mask"]), inner, max_size=2)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=300)
@given(ANYTHING | st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=5), st.booleans())
def test_any_json_is_read_or_refused_in_one_sentence(data, marked):
    if marked and isinstance(data, dict):
        data = ours() | {k: v for k, v in data.items() if not k.startswith("format")}
    try:
        request = Request.from_json(data)
    except ValueError as error:
        assert tiny.is_one_sentence(str(error)), str(error)
    else:
        assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000, b"1" * 9000, b'{"rank": ' + b"1" * 9000 + b"}", b"\x00"],
    ids=lambda content: f"{content[:6]!r}, {len(content)} bytes",
)
def test_a_file_that_is_no_json_is_refused(tmp_path, content):
    path = tmp_path / "request.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="request.json is not JSON; fetch or save it again") as caught:
        Request.load(path)
    assert tiny.is_one_sentence(str(caught.value))


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no nothing.json in .*; check the path"):
        Request.load(tmp_path / "nothing.json")
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(ValueError, match="large.json has 16,777,217 bytes"):
        Request.load(path)


@pytest.mark.parametrize("mask", [np.zeros((8, 9)), np.zeros(8), np.zeros((8, 8, 3))])
def test_a_region_is_a_square(mask):
    with pytest.raises(ValueError, match="expected a square"):
        Region(0, mask)


def test_a_region_keeps_what_is_painted():
    painted = np.random.RandomState(0).rand(8, 8) > 0.5
    assert np.array_equal(Region(0, painted).mask, np.where(painted, 255, 0))
    assert Region(0, painted) == Region(0, painted.astype(np.uint8) * 255) != Region(1, painted)
    assert Region(0, np.zeros((8, 8), np.uint8)).empty and not Region(0, painted).empty
