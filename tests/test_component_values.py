"""What the studio's components accept and refuse: any client can send anything to an event."""

import base64
import io
import re
import struct
import zlib
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rewriting.core.masks import decode_mask, encode_mask
from rewriting.studio import components
from rewriting.studio.components import (
    ContextTray,
    MaskCanvas,
    PairSheet,
    PictureSheet,
    PlacementCanvas,
    PresetCards,
    RepoCards,
    RuleList,
)
from tests.browser import serving

PACKAGE = Path(components.__file__).parent
MASK = np.zeros((32, 48), bool)
MASK[3:9, 10:40] = True
ROW = {"id": "a", "name": "Smiles", "strength": 1.0, "on": True}
NESTED = 0
for _ in range(500):
    NESTED = [NESTED]


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def bomb(side):
    """A valid PNG header that promises side x side pixels, and no pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    idat = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk + idat).decode()


def is_one_sentence(message):
    return (
        message.endswith(".") and "\n" not in message and not re.search(r"[.!?] [A-Z]", message) and len(message) < 400
    )


def refusal(component, payload):
    with pytest.raises(gr.Error) as caught:
        component.preprocess(payload)
    return caught.value.message


def test_masks_round_trip():
    assert ((decode_mask(encode_mask(MASK), (48, 32)) > 0) == MASK).all()


def test_masks_are_read_by_alpha_where_there_is_transparency_and_by_brightness_elsewhere():
    white = np.full((32, 48, 3), 255, np.uint8)
    alpha = np.dstack([white * 0, MASK * np.uint8(255)])
    for image in (
        Image.fromarray(alpha, "RGBA"),
        Image.fromarray(white * MASK[..., None], "RGB"),
        Image.fromarray(MASK),
    ):
        assert ((decode_mask(png(image), (48, 32)) > 0) == MASK).all()


BAD_MASKS = {
    "number": 7,
    "list": [1],
    "object": {"path": "/etc/passwd"},
    "nested": NESTED,
    "text": "hello",
    "jpeg": "data:image/jpeg;base64,AAAA",
    "base64": "data:image/png;base64,%%%%",
    "unicode": "data:image/png;base64,é",
    "magic": "data:image/png;base64," + base64.b64encode(b"GIF89a" + bytes(50)).decode(),
    "truncated": encode_mask(MASK)[:120],
    "size": encode_mask(MASK[:9]),
    "bomb": bomb(60000),
    "lying": bomb(32),
    "huge": "data:image/png;base64," + "A" * 3_000_000,
}


@pytest.mark.parametrize("payload", BAD_MASKS.values(), ids=BAD_MASKS.keys())
def test_bad_masks_are_refused_in_one_sentence(payload):
    assert is_one_sentence(refusal(MaskCanvas(width=48, height=32), payload))


@settings(max_examples=150, deadline=None)
@given(st.integers(8, 130), st.integers(0, 255))
def test_a_damaged_png_is_refused_or_read_but_never_anything_else(position, byte):
    data = bytearray(base64.b64decode(encode_mask(MASK).partition(",")[2]))
    data[position % len(data)] = byte
    try:
        mask = decode_mask("data:image/png;base64," + base64.b64encode(data).decode(), (48, 32))
    except ValueError as error:
        assert is_one_sentence(str(error))
    else:
        assert mask.shape == MASK.shape and set(np.unique(mask)) <= {0, 255}


BAD_PLACES = [
    3,
    [1, 2],
    {"x": 1},
    {"x": 1, "y": 99},
    {"x": 1.5, "y": 2},
    {"x": True, "y": 2},
    {"x": 1, "y": 2, "z": 3},
    {"x": 1, "y": 2, "scale": 5},
    {"x": 1, "y": 2, "turn": "30"},
    {"x": 1, "y": 2, "mirror": 1},
    {"x": 1, "y": 2, "scale": float("nan")},
]
BAD_PLACES += [{"x": "1", "y": 2}, {"x": float("nan"), "y": 2}, {"x": float("inf"), "y": 2}, {"x": 10**400, "y": 2}]
BAD_ROWS = [
    7, [], {}, {"rows": "x"}, {"rows": [ROW] * 2}, {"rows": [ROW] * 1000}, {"rows": [{**ROW, "strength": 9}]},
    {"rows": [{**ROW, "name": "x" * 500}]}, {"rows": [{**ROW, "on": 1}]}, {"rows": [{**ROW, "extra": NESTED}]},
    {"rows": [ROW], "action": {"kind": "explode", "id": "a"}}, {"rows": [ROW], "action": {"id": "a"}},
    {"rows": [ROW], "action": {"kind": "move", "id": "a", "by": 9}},
    {"rows": [ROW], "action": {"kind": "toggle", "id": "z"}},
]  # fmt: skip
BAD_ACTIONS = [
    5,
    "edit",
    {},
    {"kind": "edit"},
    {"kind": "remove", "index": -1},
    {"kind": "add", "index": 1},
    {"kind": []},
]


@pytest.mark.parametrize(
    ("component", "payloads"),
    [
        (PlacementCanvas(width=48, height=32), BAD_PLACES),
        (PictureSheet(), ["x", -1, 1.5, 2**40, True, [1], {"seed": 1}]),
        (PairSheet(), ["x", -1]),
        (PresetCards(cards=[{"name": "smiles", "title": "Smiles"}]), [3, "hats", "x" * 10**6, ["smiles"]]),
        (RepoCards(), [3, "x" * 10**6, ["a/b"], {"id": "a/b"}]),
        (ContextTray(), BAD_ACTIONS),
        (RuleList(), BAD_ROWS),
    ],
    ids=lambda item: type(item).__name__,
)
def test_bad_payloads_are_refused_in_one_sentence(component, payloads):
    for payload in payloads:
        assert is_one_sentence(refusal(component, payload)), payload


def test_refusals_carry_no_markup_from_the_payload():
    assert "<b>" not in refusal(PresetCards(), "<b>x</b>")


def test_good_payloads_are_read():
    assert (MaskCanvas(width=48, height=32).preprocess(encode_mask(MASK)) == MASK).all()
    assert MaskCanvas(width=48, height=32).preprocess(encode_mask(MASK & False)) is None
    assert PlacementCanvas(width=48, height=32).preprocess({"x": 47, "y": 0}) == {"x": 47, "y": 0}
    turned = {"x": 1, "y": 2, "scale": 1.4, "turn": -30, "mirror": True}
    assert PlacementCanvas(width=48, height=32).preprocess(turned) == turned
    assert PictureSheet().preprocess(12) == 12 and PictureSheet().preprocess(None) is None
    assert ContextTray().preprocess({"kind": "edit", "index": 2, "id": "t"}) == {"kind": "edit", "index": 2, "id": "t"}
    read = RuleList().preprocess({"rows": [{**ROW, "name": " two\n lines "}], "action": {"kind": "delete", "id": "b"}})
    assert read == {"rows": [{**ROW, "name": "two lines"}], "action": {"kind": "delete", "id": "b"}}


def test_content_is_checked_when_given_and_when_changed():
    sheet = PictureSheet()
    for wrong in (
        {"pictures": [{"seed": 1}]},
        {"pictures": [{"seed": 1, "image": "javascript:alert(1)"}]},
        {"colour": 1},
    ):
        with pytest.raises(ValueError) as caught:
            sheet.show(**wrong)
        assert is_one_sentence(str(caught.value))
    with pytest.raises(ValueError):
        MaskCanvas(np.zeros((3, 3)), width=48, height=32)
    assert sheet.show(pictures=[], loading=True)["loading"] is True


def test_values_travel_through_the_api_and_refusals_reach_the_client():
    with gr.Blocks(analytics_enabled=False) as demo:
        paint = MaskCanvas(width=48, height=32)
        rules = RuleList([ROW])
        paint.input(lambda mask: 0 if mask is None else int(mask.sum()), paint, gr.Number(), api_name="area")
        paint.input(lambda: MASK, None, paint, api_name="preset")
        rules.input(lambda value: value["rows"], rules, rules, api_name="rules")
    with serving(demo) as url:
        client = Client(url, verbose=False)
        assert client.predict(encode_mask(MASK), api_name="/area") == MASK.sum()
        assert client.predict("", api_name="/area") == 0
        assert ((decode_mask(client.predict(api_name="/preset"), (48, 32)) > 0) == MASK).all()
        assert client.predict({"rows": [ROW]}, api_name="/rules")["rows"] == [ROW]
        with pytest.raises(Exception, match="A mask is not a PNG data URL"):
            client.predict("x", api_name="/area")


def test_events_can_be_joined_and_never_drop_an_action_by_default():
    with gr.Blocks(analytics_enabled=False) as demo:
        tray = ContextTray()
        gr.on([tray.add, tray.edit], lambda action: None, tray)
        tray.remove(lambda action: None, tray)
        MaskCanvas().input(lambda: None)
    modes = [fn["trigger_mode"] for fn in demo.config["dependencies"]]
    assert modes[1:] == ["multiple", "always_last"]


def test_templates_hold_nothing_that_gradio_would_evaluate():
    files = [*PACKAGE.glob("static/*.html"), *PACKAGE.glob("static/*.css")]
    assert len(files) >= 16
    for file in files:
        found = re.findall(r"\$\{|\{\{|`|\\", file.read_text(encoding="utf-8"))
        assert not found, f"{file.name}: {found}"


def test_scripts_never_write_markup():
    for file in PACKAGE.glob("static/*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", file.read_text("utf-8"))


def test_defining_the_components_writes_no_stub_files():
    assert not list(PACKAGE.glob("*.pyi"))
