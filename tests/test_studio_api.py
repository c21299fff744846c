"""The studio's endpoints as programs use them: through gradio's client and over plain HTTP."""

import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from rewriting import EditStack, Rewriter, Transform
from rewriting.core.masks import encode_mask
from rewriting.core.own_files import load_picture
from rewriting.core.presets import Preset
from rewriting.core.select import select
from rewriting.hub import client as hub_client
from rewriting.studio import page, service
from rewriting.studio.encoding import webp
from rewriting.studio.programs import api, call, endpoints, mcp_tools
from rewriting.studio.service import SIDE, Service
from tests import tiny
from tests.browser import serving, wait_for

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones
LAYER, RANK = 6, 2
PRESET = "one"
COPY, PASTE = {"seed": 0, "box": [0.3, 0.25, 0.6, 0.55]}, {"seed": 1, "at": [0.4, 0.5]}
CONTEXT = [{"seed": 1, "ellipse": [0.2, 0.3, 0.6, 0.7]}, {"seed": 2, "ellipse": [0.3, 0.4, 0.8, 0.9]}]
ASKED = {"copy": COPY, "paste": PASTE, "context": CONTEXT}
SETTINGS = {"layer": LAYER, "rank": RANK}


@pytest.fixture(scope="module")
def made() -> dict:
    return {NAME: tiny.generator(name=NAME, truncation=0.9), OTHER: tiny.generator("proggan", name=OTHER, seed=1)}


@pytest.fixture(scope="module")
def studio(made: dict) -> Iterator[SimpleNamespace]:
    """A page that is served, with one preset: its blocks, service, address and preset."""
    shop = Service(load=made.__getitem__)
    shop.searched = 96
    asked = shop.open(NAME).ask("settings", layer=LAYER, rank=RANK, generator=NAME, name="Preset one")
    asked = asked.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    presets = {PRESET: Preset(PRESET, asked.request, Path("nowhere"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "preset", presets.__getitem__)
        for module in (page, api, call):
            patch.setattr(module, "presets", lambda: presets)
        for module in (api, call):
            patch.setattr(module, "bundled", lambda: [NAME, OTHER])
        blocks = page.build(shop, NAME)
        with serving(blocks, show_error=True) as url:
            yield SimpleNamespace(blocks=blocks, shop=shop, url=url, preset=presets[PRESET].request)


class Program:
    """Somebody's program, and the folder into which it downloads files."""

    def __init__(self, url: str, folder: Path):
        self.client = Client(url, verbose=False, download_files=folder)

    def __call__(self, endpoint: str, /, **arguments: Any) -> Any:
        return self.client.predict(**arguments, api_name=f"/{endpoint}")

    def refusal(self, endpoint: str, /, **arguments: Any) -> str:
        with pytest.raises(AppError) as refused:
            self(endpoint, **arguments)
        return str(refused.value)


@pytest.fixture
def program(studio: SimpleNamespace, tmp_path: Path) -> Program:
    return Program(studio.url, tmp_path / "downloads")


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def sent(picture: np.ndarray, folder: Path) -> np.ndarray:
    """The picture as it arrives in a WebP file."""
    (folder / "sent.webp").write_bytes(webp(picture))
    return pixels(folder / "sent.webp")


def unpacked(path: str, folder: Path) -> EditStack:
    """The rules of a file, as Python opens them."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return EditStack.load(folder)


# --- what there is ---------------------------------------------------------------------------------------------------


def test_programs_find_fourteen_documented_endpoints_and_none_of_the_pages_own(studio: SimpleNamespace):
    listed = studio.blocks.get_api_info(all_endpoints=True)["named_endpoints"]
    assert {name.removeprefix("/") for name in listed} == {
        "list_generators", "list_presets", "draw", "before_and_after", "invert", "search", "make_rule", "learn_rule",
        "solve_request", "suggest_layer", "save_rules", "find_on_hub", "open_from_hub", "publish",
    }  # fmt: skip
    for name, endpoint in listed.items():
        assert " Returns " in endpoint["description"] and endpoint["description"].endswith("."), name
        for parameter in endpoint["parameters"]:
            assert parameter["python_type"]["description"].endswith("."), (name, parameter["label"])
            assert parameter["parameter_has_default"] or parameter["example_input"] != "...", (name, parameter)
            assert "None" not in parameter["python_type"]["type"] != "Any", (name, parameter)
        assert endpoint["returns"][0]["python_type"]["type"].startswith(("dict", "list[dict"))


def test_the_studio_says_what_it_has(program: Program, made: dict):
    first, second = program("list_generators")
    assert first == {
        "name": NAME,
        "resolution": 32,
        "layers": [2, 8],
        "default_layer": made[NAME].config.default_layer,
        "classes": 0,
    }
    assert second["name"] == OTHER
    assert program("list_presets") == [{"name": PRESET, "title": "Preset one", "generator": NAME, "measured": ""}]


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_the_generators_own(program: Program, made: dict, tmp_path: Path):
    answer = program("draw", generator=OTHER, seeds=[3, 7])
    assert answer["generator"] == OTHER and [one["seed"] for one in answer["pictures"]] == [3, 7]
    for one, drawn in zip(answer["pictures"], made[OTHER].images([3, 7]), strict=True):
        assert np.array_equal(pixels(one["picture"]), sent(drawn, tmp_path))
    assert [one["seed"] for one in program("draw")["pictures"]] == list(range(6))


def test_truncation_and_strengths_are_as_in_python(
    program: Program, studio: SimpleNamespace, made: dict, tmp_path: Path
):
    edit = Rewriter(made[NAME], LAYER).solve(studio.preset)
    answer = program("draw", rules=[PRESET], strengths=[-0.5], seeds=[5], truncation=0.3)
    expected = made[NAME].images([5], [edit.with_(strength=-0.5)], truncation=0.3)[0]
    assert np.array_equal(pixels(answer["pictures"][0]["picture"]), sent(expected, tmp_path))
    assert answer["generator"] == NAME  # the one that the rule was made for


def test_before_and_after_measures_what_changed(program: Program, studio: SimpleNamespace, made: dict, tmp_path: Path):
    edit = Rewriter(made[NAME], LAYER).solve(studio.preset)
    (one,) = program("before_and_after", rules=[PRESET], seeds=[5])["pictures"]
    before, after = made[NAME].images([5])[0], made[NAME].images([5], [edit])[0]
    assert np.array_equal(pixels(one["before"]), sent(before, tmp_path))
    assert np.array_equal(pixels(one["after"]), sent(after, tmp_path))
    assert one["change"] == pytest.approx(np.abs(after.astype(float) - before).mean() / 255, abs=1e-5) != 0
    (none,) = program("before_and_after", rules=[PRESET], seeds=[5], strengths=[0])["pictures"]
    assert none["change"] == 0
    shown = [one["seed"] for one in program("before_and_after", rules=[PRESET])["pictures"]]
    assert len(shown) == 6 and not {0, 1} & set(shown)  # not those that the rule was made from


def test_a_search_answers_with_the_best_matches_and_where_they_match(program: Program, studio: SimpleNamespace):
    answer = program("search", generator=NAME, places=CONTEXT, layer=LAYER, among=40, count=5)
    found = answer["pictures"]
    scores = [one["score"] for one in found]
    assert len(found) == 5 and scores == sorted(scores, reverse=True) and all(one["seed"] < 40 for one in found)
    again = program("search", generator=NAME, places=CONTEXT, layer=LAYER, among=40, count=24)["pictures"]
    assert again[:5] == found or [one["seed"] for one in again[:5]] == [one["seed"] for one in found]
    best = found[0]
    request = studio.preset.with_(copy=None, paste=None, context=api._regions(CONTEXT, "places"))
    matches = studio.shop.rewriter(NAME, LAYER).matches(request, range(40))
    assert best["seed"] == int(matches.scores.argmax()) and best["score"] == pytest.approx(
        matches.scores.max(), abs=1e-4
    )
    heat = matches.heat[best["seed"]]
    x, y = best["at"]
    assert heat[int(y * len(heat)), int(x * len(heat))] == heat.max()


# --- rules -----------------------------------------------------------------------------------------------------------


def test_a_program_presses_on_a_thing_in_place_of_painting_it(program: Program, made: dict, tmp_path: Path):
    pressed = {"seed": 0, "press": [0.4, 0.4], "size": 1.5}
    answer = program("make_rule", copy=pressed, paste=PASTE, context=CONTEXT, seeds=[3], **SETTINGS)
    (rule,) = unpacked(answer["rule"], tmp_path)
    region = Image.fromarray(select(made[NAME], 0, 0.4, 0.4).mask(1.5)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    assert np.array_equal(rule.request.copy.mask, np.asarray(region))


def test_a_program_scales_turns_and_mirrors_what_it_pastes(program: Program, tmp_path: Path):
    turned = {**PASTE, "scale": 1.5, "turn": -30, "mirror": True}
    answer = program("make_rule", generator=NAME, copy=COPY, paste=turned, context=CONTEXT, seeds=[3], **SETTINGS)
    (rule,) = unpacked(answer["rule"], tmp_path)
    assert rule.request.transform == Transform(1.5, -30, True)
    assert (rule.request.paste.mask > 0).sum() > 2 * (rule.request.copy.mask > 0).sum()
    again = program("solve_request", request=rule.request.to_json(), seeds=[3])
    assert unpacked(again["rule"], tmp_path / "again")[0].factor.equal(rule.factor)


def test_a_rule_is_made_used_and_saved(program: Program, made: dict, tmp_path: Path):
    answer = program("make_rule", generator=NAME, **ASKED, **SETTINGS, name="A piece", seeds=[10])
    assert (answer["name"], answer["layer"], answer["rank"]) == ("A piece", LAYER, RANK)
    assert answer["report"]["loss_after"] < answer["report"]["loss_before"]
    (edit,) = unpacked(answer["rule"], tmp_path / "one")
    expected = made[NAME].images([10], [edit])[0]
    assert np.array_equal(pixels(answer["pictures"][0]["after"]), sent(expected, tmp_path))

    # the file, uploaded, is the rule
    (again,) = program("draw", rules=[handle_file(answer["rule"])], seeds=[10])["pictures"]
    assert np.array_equal(pixels(again["picture"]), sent(expected, tmp_path))

    # several become one file, which keeps their strengths
    both = program("save_rules", rules=[handle_file(answer["rule"]), PRESET], strengths=[0.5, 2])
    first, second = unpacked(both, tmp_path / "both")
    assert [(e.name, e.strength) for e in (first, second)] == [("A piece", 0.5), ("Preset one", 2)]
    (drawn,) = program("draw", rules=[handle_file(both)], seeds=[10])["pictures"]
    assert np.array_equal(pixels(drawn["picture"]), sent(made[NAME].images([10], [first, second])[0], tmp_path))


def test_a_place_by_numbers_is_the_same_as_its_mask(program: Program, tmp_path: Path):
    by_numbers = program("make_rule", generator=NAME, **ASKED, **SETTINGS, seeds=[10])
    copy, *context = (api.region(place, "place", SIDE) for place in (COPY, *CONTEXT))
    (tmp_path / "mask.png").write_bytes(tiny.png_bytes(copy.mask))
    masks = [{"seed": one.seed, "mask": encode_mask(one.mask)} for one in context]
    uploaded = {"seed": copy.seed, "mask": handle_file(tmp_path / "mask.png")}
    by_masks = program("make_rule", generator=NAME, copy=uploaded, paste=PASTE, context=masks, **SETTINGS, seeds=[10])
    for answer in (by_numbers, by_masks):
        del answer["report"]["milliseconds"], answer["rule"]
    assert by_masks["report"] == by_numbers["report"]
    after = [pixels(answer["pictures"][0]["after"]) for answer in (by_numbers, by_masks)]
    assert np.array_equal(*after)


def test_a_picture_of_ones_own_stands_wherever_a_number_does(program: Program, made: dict, tmp_path: Path):
    photo = tmp_path / "photo.png"
    Image.fromarray(made[NAME].images([5])[0][:, ::-1]).save(photo)
    answer = program("invert", image=handle_file(photo), generator=NAME, layer=LAYER)
    with zipfile.ZipFile(answer["file"]) as archive:
        archive.extractall(tmp_path / "own")
    own = load_picture(tmp_path / "own")
    assert answer["layer"] == own.layer == LAYER and f"{own.psnr:.1f} dB" in answer["words"]
    mine = handle_file(answer["file"])
    first, second = program("draw", generator=NAME, seeds=[mine, 3])["pictures"]
    assert (first["seed"], second["seed"]) == (own.digest, 3)
    assert np.array_equal(pixels(first["picture"]), sent(made[NAME].images([own])[0], tmp_path))
    asked = ASKED | {"context": [{"seed": mine, "ellipse": [0.2, 0.3, 0.6, 0.7]}]}
    rule = program("make_rule", **asked, **SETTINGS, generator=NAME, seeds=[mine])
    (edit,) = unpacked(rule["rule"], tmp_path / "rule")
    assert edit.request.own_pictures() == [own] and rule["pictures"][0]["change"] > 0
    assert "not a readable picture" in program.refusal("invert", image="data:image/png;base64,AAAA", generator=NAME)
    photo_again = {"seeds": [handle_file(photo)], "generator": NAME}
    assert "whole zip" in program.refusal("draw", **photo_again)


def test_a_rule_is_learned_from_pictures_as_they_should_look(
    program: Program, studio: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rewriter = studio.shop.rewriter(NAME)
    quick = lambda session: rewriter.learn(session.request, steps=20, for_other_pictures=True)  # noqa: E731
    monkeypatch.setattr(studio.shop, "learn", quick)
    (drawn,) = program("draw", generator=NAME, seeds=[0])["pictures"]
    wanted = pixels(drawn["picture"]).copy()
    wanted[8:20, 8:20] = (220, 30, 30)
    Image.fromarray(wanted).save(tmp_path / "wanted.png")
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 8:20] = 255
    (tmp_path / "mask.png").write_bytes(tiny.png_bytes(mask))
    painted = {"seed": 0, "picture": handle_file(tmp_path / "wanted.png"), "mask": handle_file(tmp_path / "mask.png")}
    bent = {"seed": 3, "points": [[0.4, 0.5, 0.55, 0.5]], "reach": 0.3}
    answer = program("learn_rule", retouched=[painted, bent], generator=NAME, name="Red", seeds=[0])
    (edit,) = unpacked(answer["rule"], tmp_path / "rule")
    file, bend = (one.how for one in edit.request.retouched)
    assert file["kind"] == "file" and bend["points"] == bent["points"]
    assert edit.name == "Red" and list(edit.layers) == answer["layers"]
    before, after = (pixels(answer["pictures"][0][name]).astype(float) for name in ("before", "after"))
    inside = mask > 0
    nearer = np.abs(before - wanted)[inside].mean() - np.abs(after - wanted)[inside].mean()
    assert nearer > 5
    for wrong, told in (
        ([], "retouched is empty"),
        ([{"seed": 0}], "with either picture or points"),
        ([bent | {"picture": "data:image/png;base64,AAAA"}], "with either picture or points"),
        ([{"seed": 0, "picture": "data:image/png;base64,AAAA"}], "not a readable picture"),
        ([bent | {"reach": 7}], "reach must be a number"),
        ([bent | {"points": [[0.1, 0.2]]}], "four numbers"),
        ([bent | {"colour": "red"}], "unknown key 'colour'"),
    ):
        assert told in program.refusal("learn_rule", retouched=wrong, generator=NAME)


def test_a_saved_request_is_solved_as_in_python(program: Program, studio: SimpleNamespace, made: dict):
    edit = Rewriter(made[NAME], LAYER).solve(studio.preset)
    answer = program("solve_request", request=studio.preset.to_json(), seeds=[10])
    assert answer["report"]["loss_after"] == edit.report.loss_after and answer["generator"] == NAME
    session = {
        "object": [0, encode_mask(tiny.box(SIDE, 60, 70, 140, 160))],
        "paste": [1, encode_mask(tiny.box(SIDE, 60, 70, 140, 160))],
        "key": [[2, encode_mask(tiny.disk(SIDE, 150, 150, 60))]],
    }
    assert program("solve_request", request=session, generator=OTHER, seeds=[10])["generator"] == OTHER
    assert "give generator" in program.refusal("solve_request", request=session)
    assert "numbers mean other pictures" in program.refusal(
        "solve_request", request=studio.preset.to_json(), generator=OTHER
    )


def test_what_is_painted_can_be_erased(program: Program):
    answer = program("make_rule", generator=NAME, erase=True, context=CONTEXT, layer=LAYER, seeds=[2])
    assert answer["pictures"][0]["change"] > 0


def test_each_layer_is_tried_and_the_best_suggested(program: Program):
    answer = program("suggest_layer", generator=NAME, **ASKED, rank=RANK)
    best = max(answer["layers"], key=lambda one: one["reached"] - one["elsewhere"])
    assert answer["layer"] == best["layer"] and LAYER in [one["layer"] for one in answer["layers"]]
    assert all(0 <= one["alone"] <= 1 for one in answer["layers"])


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSALS = [
    ("draw", {"generator": "nowhere"}, "There is no generator 'nowhere'"),
    ("draw", {"generator": 7}, "generator must be text"),
    ("draw", {"generator": "../nowhere/at/all"}, "There is no folder"),
    ("draw", {"seeds": [-1]}, "seeds[0] must be a whole number"),
    ("draw", {"seeds": 5}, "seeds must be a list of at most 24 items, not 5"),
    ("draw", {"seeds": list(range(25))}, "at most 24"),
    ("draw", {"truncation": "much"}, "truncation must be a number from 0 to 2, not 'much'"),
    ("draw", {"rules": PRESET}, "rules must be a list"),
    ("draw", {"rules": ["nothing"]}, "rules[0] must be one of one, a repo"),
    ("draw", {"rules": [[PRESET]]}, "rules[0] must be one of one, a repo"),
    ("draw", {"rules": [{}]}, "rules[0] must be a data URL, an uploaded file"),
    ("draw", {"rules": ["data:application/zip;base64,AAAA"]}, "is not a whole zip"),
    ("draw", {"rules": [PRESET], "strengths": [1, 1]}, "2 numbers for 1 rules"),
    ("draw", {"rules": [PRESET], "strengths": ["x"]}, "strengths[0] must be a number"),
    ("draw", {"rules": [PRESET], "generator": OTHER}, "weight"),
    ("before_and_after", {"rules": []}, "rules is empty"),
    ("search", {"places": []}, "places is empty"),
    ("search", {"places": CONTEXT, "among": 10**6}, "among must be a whole number from 1 to 960"),
    ("search", {"places": CONTEXT, "count": 0}, "count must be a whole number from 1 to 24"),
    ("search", {"places": CONTEXT, "layer": 99}, "layer must be a whole number from 1 to 32, not 99"),
    ("search", {"places": CONTEXT, "layer": 20}, "layer 20 of face cannot be edited"),
    ("make_rule", {}, "copy is missing"),
    ("make_rule", {"copy": COPY}, "paste is missing"),
    ("make_rule", {"erase": True}, "context is empty"),
    ("make_rule", {"erase": True, "copy": COPY, "context": CONTEXT}, "leave copy and paste out"),
    ("make_rule", {"erase": "yes"}, "erase must be true or false"),
    ("make_rule", {**ASKED, "copy": {"seed": 0, "box": [0, 0, 300, 300]}}, "copy.box[2] must be a number from 0 to 1"),
    ("make_rule", {**ASKED, "rank": 1000}, "rank must be a whole number from 1 to 64, not 1000"),
    ("solve_request", {"request": {"format": "x"}}, "format"),
    ("solve_request", {"request": "{"}, "not JSON"),
    ("suggest_layer", {"copy": COPY, "paste": {}}, "paste must be a place"),
    ("save_rules", {"rules": []}, "rules is empty"),
    ("publish", {"repo": "", "rules": [PRESET]}, "The repo has no name"),
    ("publish", {"repo": "x", "rules": [PRESET], "how": "by post"}, "how must be one of"),
]


@pytest.mark.parametrize(("name", "arguments", "what"), REFUSALS, ids=[f"{n}-{w}" for n, _, w in REFUSALS])
def test_a_refusal_is_one_sentence(program: Program, name: str, arguments: dict, what: str):
    message = program.refusal(name, **arguments)
    assert what in message and tiny.is_one_sentence(message), message


def test_what_fails_inside_stays_inside(program: Program, studio: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any) -> None:
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr(studio.shop, "edited", fail)
    assert program.refusal("draw") == "draw failed; the log of the studio says why."


def test_a_visitor_reads_no_file_of_the_machine_and_its_owner_may(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    saved = program("save_rules", rules=[PRESET])
    mine = tmp_path / "mine.zip"
    mine.write_bytes(Path(saved).read_bytes())
    assert program("draw", rules=[str(mine)], seeds=[3])["generator"] == NAME
    monkeypatch.setenv(hub_client.PUBLIC, "1")
    assert "must be a data URL, an uploaded file" in program.refusal("draw", rules=[str(mine)])
    assert program("draw", rules=[handle_file(mine)], seeds=[3])["generator"] == NAME


# --- over HTTP -------------------------------------------------------------------------------------------------------


def told(studio: SimpleNamespace, name: str, body: Any) -> tuple[str, Any]:
    """What a call by the two requests of the API page is told at the end: "complete" or "error", and the data."""
    asked = httpx.post(f"{studio.url}gradio_api/call/v2/{name}", json=body)
    assert asked.status_code == 200, asked.text
    lines = httpx.get(f"{studio.url}gradio_api/call/{name}/{asked.json()['event_id']}", timeout=60).text.splitlines()
    kind, data = (line.partition(": ")[2] for line in filter(None, lines[-3:]))
    return kind, json.loads(data)


def called(studio: SimpleNamespace, name: str, body: Any) -> Any:
    """The answer of a call."""
    kind, data = told(studio, name, body)
    assert kind == "complete", data
    return data[0]


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", ""])
@pytest.mark.parametrize("meta", [{"_type": "gradio.FileData"}, 3])
def test_a_file_that_nobody_uploaded_is_not_read(studio: SimpleNamespace, path: str, meta: Any):
    kind, said = told(studio, "draw", {"rules": [{"path": path, "meta": meta}]})
    assert kind == "error" and said["error"].startswith("The arguments of draw cannot be read; send JSON")


def test_plain_http_is_enough(studio: SimpleNamespace, tmp_path: Path):
    made = called(studio, "make_rule", {**ASKED, **SETTINGS, "seeds": [10]})
    drawn = called(studio, "draw", {"rules": [made["rule"]["url"]], "seeds": [10]})  # by its address
    same = called(studio, "draw", {"rules": [made["rule"]], "seeds": [10]})  # as it came
    address = drawn["pictures"][0]["picture"]["url"]
    assert address.startswith(studio.url) and address == same["pictures"][0]["picture"]["url"]
    answer = httpx.get(address)
    assert answer.headers["content-type"] == "image/webp"
    (tmp_path / "got.webp").write_bytes(answer.content)
    after = tmp_path / "after.webp"
    after.write_bytes(httpx.get(made["pictures"][0]["after"]["url"]).content)
    assert np.array_equal(pixels(tmp_path / "got.webp"), pixels(after))


@pytest.mark.parametrize(
    ("path", "body", "status", "what"),
    [
        ("v2/draw", {"seed": 3}, 422, "draw has no argument 'seed'; its arguments are generator, seeds, rules"),
        ("v2/list_presets", {"seed": 3}, 422, "list_presets has no argument 'seed'; it takes none."),
        ("v2/solve_request", {}, 422, "solve_request needs the argument request: "),
        ("v2/publish", {"rules": []}, 422, "publish needs the argument repo: "),
        ("v2/nothing", {}, 404, "There is no endpoint 'nothing'; there are list_generators, list_presets, draw"),
        ("nothing", {"data": []}, 404, "There is no endpoint 'nothing'"),
        ("v2/draw", [], 422, "A call needs a body of JSON"),
    ],
)
def test_a_call_that_names_something_else_is_told_so(studio: SimpleNamespace, path, body, status, what):
    answer = httpx.post(f"{studio.url}gradio_api/call/{path}", json=body)
    said = answer.json()["detail"]
    assert answer.status_code == status and what in said and tiny.is_one_sentence(said), answer.text


def test_a_call_by_position_is_told_how_many_values_it_needs(studio: SimpleNamespace):
    asked = httpx.post(f"{studio.url}gradio_api/call/draw", json={"data": [NAME]}).json()
    told = httpx.get(f"{studio.url}gradio_api/call/draw/{asked['event_id']}", timeout=60).text
    assert "draw got 1 values for 6 arguments; its arguments are generator, seeds" in told


# --- many callers ----------------------------------------------------------------------------------------------------


def test_calls_take_their_turn_among_the_visitors(program: Program, studio: SimpleNamespace):
    turns = [studio.shop.queue.turns()() for _ in range(2)]
    for turn in turns:
        turn.wait()
    answers: list[dict] = []
    call = threading.Thread(target=lambda: answers.append(program("draw", seeds=[90])))
    call.start()
    try:
        wait_for(lambda: studio.shop.queue._waiting, seconds=60)
        assert not answers
    finally:
        for turn in turns:
            turn.close()
        call.join(60)
    assert answers[0]["pictures"][0]["seed"] == 90


def test_programs_displace_no_visitor_and_their_files_are_cleared_up(program: Program, studio: SimpleNamespace):
    sessions = studio.blocks.state_holder.session_data
    picture = called(studio, "draw", {"seeds": [91]})["pictures"][0]["picture"]
    program("draw", seeds=[91])
    assert program.client.session_hash not in sessions
    program.client.close()
    wait_for(lambda: not sessions)  # of the programs of this and of the earlier tests
    assert any(picture["path"] in files for files in studio.blocks.temp_file_sets)  # which gradio deletes in time


# --- as tools --------------------------------------------------------------------------------------------------------


def test_an_agent_reads_json_and_sees_pictures(studio: SimpleNamespace):
    answer = called(studio, "before_and_after", {"rules": [PRESET], "seeds": [3]})
    text, images = mcp_tools.readable(answer)
    told = json.loads(text)
    assert told["pictures"][0]["before"] == {"image": 1, "url": answer["pictures"][0]["before"]["url"]}
    assert told["pictures"][0]["after"]["image"] == 2 and [kind for _, kind in images] == ["image/webp"] * 2
    assert images[0][0] != images[1][0] and "base64" not in text
    file = called(studio, "save_rules", {"rules": [PRESET]})
    assert mcp_tools.readable(file) == (json.dumps(file["url"]), [])


def test_a_tool_says_what_is_wrong_with_a_call(studio: SimpleNamespace):
    known = endpoints.endpoints(studio.blocks)
    assert endpoints.wrong(known["draw"], {"seeds": [1]}) == endpoints.wrong(known["list_presets"], {}) == ""
    assert "draw has no argument 'x'" in endpoints.wrong(known["draw"], {"x": 1})
    assert endpoints.wrong(known["search"], {}).startswith("search needs the argument places: A list of places")


def test_the_login_of_the_caller_is_no_argument(studio: SimpleNamespace):
    seen = []

    def greet(name: str, *, token: str | None = None) -> str:
        """Say hello.

        Args:
            name: Whose it
                is.

        Returns:
            the words,
            in a row.
        """
        seen.append(token)
        return f"Hello {name}"

    endpoint = endpoints.endpoint(greet, studio.shop.queue, {})
    assert endpoint.__doc__ == "Say hello.\nArgs:\n    name: Whose it is.\nReturns:\nthe words, in a row."
    assert endpoint.takes == {"name": True}
    login = gr.OAuthToken(token="hf_oauth", scope="", expires_at=0)
    assert [endpoint("you", *logins) for logins in ((None, None), (login, None), (None, gr.Header("hf_header")))]
    assert seen == [None, "hf_oauth", "hf_header"]
