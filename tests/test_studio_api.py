"""Every endpoint of the page as a program uses it, through gradio's client: what a visitor can do, a script can."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_function_description
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from rewriting import Request
from rewriting.core.masks import encode_mask
from rewriting.core.presets import Preset
from rewriting.studio import api, page, showing, workshop
from rewriting.studio.api import hide_what_needs_memory
from rewriting.studio.events import making
from rewriting.studio.workshop import SIDE, Workshop
from tests import tiny
from tests.browser import serving

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones
LAYER = 6
PRESET = "one"
OBJECT = encode_mask(tiny.box(SIDE, 60, 70, 140, 160))
PLACE = encode_mask(tiny.disk(SIDE, 150, 150, 60))


def small_workshop() -> Workshop:
    made = {NAME: tiny.generator(name=NAME, truncation=0.9), OTHER: tiny.generator("proggan", name=OTHER, seed=1)}
    small = Workshop(load=made.__getitem__)
    small.searched = 96
    return small


@pytest.fixture(scope="module")
def studio() -> Iterator[gr.Blocks]:
    """The page, not yet served, with one preset, for a tiny generator."""
    session = small_workshop().open(NAME).ask("settings", layer=LAYER, rank=2)
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    made = {PRESET: Preset(PRESET, session.request.with_(name="Preset one"), Path("nowhere"))}
    with pytest.MonkeyPatch.context() as patch:
        for module in (workshop, making, showing):
            patch.setattr(module, "preset", made.__getitem__)
        for module in (page, api):
            patch.setattr(module, "presets", lambda: made)
        patch.setattr(api, "bundled", lambda: [NAME, OTHER])
        yield page.build(small_workshop(), NAME)


@pytest.fixture(scope="module")
def url(studio: gr.Blocks) -> Iterator[str]:
    with serving(studio, show_error=True) as address:
        yield address


class Caller:
    """One program; it notes which endpoints it has used."""

    def __init__(self, url: str, folder: Path):
        self.client, self.used = Client(url, verbose=False, download_files=folder), set()

    def __call__(self, name: str, *arguments: Any) -> Any:
        self.used.add(name)
        return self.client.predict(*arguments, api_name=f"/{name}")

    def refusal(self, name: str, *arguments: Any) -> str:
        with pytest.raises(AppError) as refused:
            self(name, *arguments)
        return str(refused.value)

    @property
    def desk(self) -> dict:
        return self("desk")

    def paint(self) -> None:
        """A complete request, as on the page."""
        self("settings", LAYER, 2, 5, False)
        for seed in (0, 1):
            self("pick_picture", seed)
        self("paint_copy", OBJECT)
        self("place", {"x": 100, "y": 140})
        self("pick_picture", 2)
        self("paint_context", PLACE)


def events(studio: gr.Blocks) -> dict[str, Any]:
    """Functions behind the endpoints that are listed, but for those that talk to the Hub, by name."""
    listed = {f.api_name: f.fn for f in studio.fns.values() if f.api_visibility == "public"}
    return {name: fn for name, fn in listed.items() if not fn.__module__.endswith(".hub")}


def test_every_endpoint_says_what_it_does_and_takes(studio: gr.Blocks):
    for name, function in events(studio).items():
        said, described, _ = get_function_description(function)
        assert said.endswith("."), name
        taken = (
            [a for a in function.__wrapped__.__annotations__ if a not in ("desk", "return")] if name != "desk" else []
        )
        assert set(taken) == {one for one, words in described.items() if words}, name


def test_a_program_does_all_that_a_visitor_does(studio: gr.Blocks, url: str, tmp_path: Path):
    me, you = Caller(url, tmp_path / "me"), Caller(url, tmp_path / "you")

    # a request
    assert me.desk["missing"] == "paint the object to copy"
    assert [one["name"] for one in me("list_generators")][0] == NAME
    for wait in ("await_paste", "await_context", "await_copy"):
        me(wait)
    me("await_picture", "copy")
    me.paint()
    me("set_kind", "preserve")
    me("paint_context", OBJECT)
    assert [len(me.desk["request"][kind]) for kind in ("context", "preserve")] == [1, 1]
    me("remove_place", {"kind": "remove", "index": 1, "id": "preserve-2"})
    me("edit_place", {"kind": "edit", "index": 0, "id": "context-2"})
    me("add_place", {"kind": "add"})
    me("set_mode", "erase")
    assert me.desk["request"]["erase"]
    me("set_mode", "replace")
    request = Request.from_json(me.desk["request"])
    assert me.desk["missing"] == "" and (request.copy.seed, request.paste.seed) == (0, 1)
    assert [region.seed for region in request.context] == [2] and not request.preserve

    # pictures
    for turn, arguments in (("next_page", ()), ("previous_page", ()), ("go_to_picture", (50,)), ("all_pictures", ())):
        me(turn, *arguments)
    me("search")
    me("outline_matches", True)
    for look in ("key_matches", "values_alone", "layer_chart", "use_layer", "stop"):
        me(look)
    me("settings", LAYER, 2, 5, False)

    # a rule, and another
    me("rewrite")
    me("live", True)
    assert me.desk["solved"] and [rule["name"] for rule in me.desk["rules"]] == ["Rule 1"]
    drawn = me("pictures", [5, 6])
    assert all(one["before"] != one["after"] for one in drawn)
    me("order_results", "random")
    me("more_results")
    me("set_strength", 0.5)
    me("undo")
    assert me("pictures", [5, 6]) == drawn
    me("redo")
    assert me.desk["rules"][0]["strength"] == 0.5 and me("pictures", [5, 6]) != drawn
    me("undo")
    me("new_rule")
    me("choose_preset", me("list_presets")[0]["name"])
    rules = me.desk["rules"]
    assert [rule["name"] for rule in rules] == ["Rule 1", "Preset one"]
    rows = [{key: rule[key] for key in ("id", "name", "strength", "on")} for rule in rules]
    me("change_rules", {"rows": rows, "action": {"kind": "toggle", "id": rules[1]["id"], "on": False}})
    assert me("pictures", [5, 6]) == drawn
    for strength, time in ((0.5, 2000), (-1.0, 1000)):  # the earlier comes late
        action = {"kind": "strength", "id": rules[1]["id"], "strength": strength, "time": time}
        me("change_rules", {"rows": rows, "action": action})
    assert me.desk["rules"][1]["strength"] == 0.5

    # files
    made = {name: Path(me(name)) for name in ("save_edit", "save_request", "save_sheet")}
    made["save_walk"] = Path(me("save_walk")[0])
    assert [path.suffix for path in made.values()] == [".zip", ".json", ".png", ".webp"]
    assert all(path.stat().st_size > 100 for path in made.values())

    # another program sees nothing of it, until it is given a file
    assert you.desk["rules"] == [] and you("pictures", [5])[0]["before"] == you("pictures", [5])[0]["after"]
    you("open_file", handle_file(made["save_edit"]))
    assert [rule["name"] for rule in you.desk["rules"]] == ["Rule 1", "Preset one"]
    assert you("pictures", [5, 6]) == drawn
    you("open_generator", OTHER)
    assert you.desk["generator"] == OTHER and me.desk["generator"] == NAME
    me("reset")
    assert me.desk["rules"] == [] and len(you("undo")) > 1 and len(you.desk["rules"]) == 2

    # without a desk
    assert json.loads(made["save_request"].read_text())["format"] == "rewriting-request"
    alone = me("solve", request.to_json(), [5, 6])
    assert [one["after"] for one in alone["pictures"]] == [one["after"] for one in drawn]
    assert [one["before"] for one in me("draw", NAME, [5, 6], [])] == [one["before"] for one in drawn]

    assert me.used | you.used == set(events(studio))


REFUSALS = [
    ("choose_preset", ("nowhere",), "nowhere"),
    ("draw", ("nowhere", [1], []), "There is no generator"),
    ("edit_place", ({"kind": "edit", "index": 0, "id": "x"},), "There is no place"),
    ("go_to_picture", (2**32,), "maximum"),
    ("paint_copy", ("data:image/png;base64,AAAA",), "mask"),
    ("pick_picture", (-1,), "must be a whole number"),
    ("pictures", (["x"],), "must be a whole number"),
    ("place", ({"x": 300, "y": 0},), "from 0 to 255"),
    ("rewrite", (), "not complete"),
    ("search", (), "paint a place first"),
    ("outline_matches", (True,), "Nothing is painted"),
    ("layer_chart", (), "not complete"),
    ("values_alone", (), "Nothing is painted"),
    ("use_layer", (), "No layer has been recommended"),
    ("save_edit", (), "rule"),
    ("settings", (99, 2, 5, False), "99"),
    ("solve", ({"format": "x"}, [1]), "format"),
]


@pytest.mark.parametrize(("name", "arguments", "what"), REFUSALS, ids=[name for name, *_ in REFUSALS])
def test_a_refusal_is_one_sentence(url: str, tmp_path: Path, name: str, arguments: tuple, what: str):
    me = Caller(url, tmp_path)
    message = me.refusal(name, *arguments)
    assert what in message and tiny.is_one_sentence(message), message
    assert me.desk["rules"] == [] and not me.desk["can_undo"]


def test_tools_are_those_that_need_no_memory_between_calls():
    offered = page.build(small_workshop(), NAME)
    hide_what_needs_memory(offered)
    named = set(offered.get_api_info()["named_endpoints"])
    assert named == {"/list_generators", "/list_presets", "/draw", "/solve"}


def test_masks_and_pictures_travel_as_data_urls(url: str, tmp_path: Path):
    me = Caller(url, tmp_path)
    me("pick_picture", 3)
    me("paint_copy", OBJECT)
    kept = Request.from_json(me.desk["request"]).copy
    assert kept.seed == 3 and np.array_equal(kept.mask > 0, tiny.box(SIDE, 60, 70, 140, 160) > 0)
