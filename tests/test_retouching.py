"""Goals that are pictures, on the page: what a canvas makes, the steps, and rules that are learned while one looks."""

import base64
import io
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from rewriting.core.request import Request
from rewriting.core.retouch import MAX_MOVES, Retouched, displacement, pinned, reached
from rewriting.studio.commands import Making, Retouching, retouching
from rewriting.studio.commands.retouching import learn
from rewriting.studio.fair_queue import NoTurn
from rewriting.studio.jobs import ALL, Maker, make_needed
from rewriting.studio.programs.retouched_pictures import from_program
from rewriting.studio.rendering.render import Render
from rewriting.studio.retouches import as_told, for_canvas, from_canvas
from rewriting.studio.service import Service
from rewriting.studio.session import PackedRetouch
from rewriting.studio.sharing import bring_in, read_file, save_edit
from rewriting.studio.state import State
from rewriting.studio.visitor import Visitor
from tests import tiny

NAME, SIDE, SEED = "face", 32, 3
STEPS = 30  # of learning; people wait for more


@pytest.fixture(scope="module")
def service():
    made = {NAME: tiny.generator(name=NAME)}
    return Service(load=made.__getitem__)


@pytest.fixture(scope="module")
def picture(service):
    return service.drawn(NAME, [SEED])[0].pixels


def layer(top=8, left=8, bottom=20, right=20, colour=(220, 30, 30), opaque=255):
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[top:bottom, left:right] = (*colour, opaque)
    return pixels


def painted(**box):
    return {"kind": "paint", "layer": tiny.png_url(layer(**box)), "strokes": []}


def turned_to(service, mode="paint"):
    """A visitor who has a picture in the canvas on which it is retouched."""
    state = Making(service).set_mode(State.on(service.open(NAME)), mode)
    return state.look(retouch_seed=SEED)


# --- what a canvas makes --------------------------------------------------------------------------------------------


def test_what_is_painted_lies_over_the_picture_and_the_rest_is_the_picture(picture):
    one = from_canvas(painted(), SEED, picture)
    assert (one.over(picture)[8:20, 8:20] == (220, 30, 30)).all()
    assert np.array_equal(np.delete(one.over(picture), slice(8, 20), 0), np.delete(picture, slice(8, 20), 0))
    half = from_canvas(painted() | {"layer": tiny.png_url(layer(opaque=128))}, SEED, picture)
    assert np.abs(half.over(picture)[10, 10].astype(float) - (picture[10, 10] + (220.0, 30, 30)) / 2).max() <= 1


def test_a_canvas_is_not_told_back_what_it_told(picture):
    bent = {"kind": "bend", "points": [[0.5, 0.5, 0.6, 0.5], [0.2, 0.2, 0.2, 0.2]], "reach": 0.2}
    for made in (painted(), bent, {"kind": "file", "layer": tiny.png_url(layer())}):
        kept = PackedRetouch.of(from_canvas(made, SEED, picture))
        assert for_canvas(kept) == as_told(made)
        assert PackedRetouch.of(from_canvas(for_canvas(kept), SEED, picture)) == kept


def test_a_bend_moves_what_was_at_a_point_there_and_leaves_what_is_out_of_reach(service):
    side, point, reach = 64, [0.5, 0.5, 0.56, 0.5], 0.25
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    ramp = np.dstack([4 * x, 4 * y, 0 * x]).astype(np.uint8)
    one = from_canvas({"kind": "bend", "points": [point], "reach": reach}, SEED, ramp)
    bent = one.over(ramp).astype(float)
    at = round(0.56 * side)
    assert abs(bent[side // 2, at, 0] - 4 * 0.5 * side) <= 6 and abs(bent[side // 2, at, 1] - 4 * side // 2) <= 6
    far = np.hypot(x + 0.5 - 0.53 * side, y + 0.5 - 0.5 * side) > (reach + 0.05) * side
    assert np.array_equal(bent[far], ramp[far])


def test_a_bend_that_a_program_made_is_shown_as_it_is_and_can_be_bent_on(picture):
    moves = [[0.4, 0.5, 0.3, 0.5], [0.1, 0.1, 0.1, 0.1]]
    mask = tiny.box(SIDE, 8, 4, 24, 20)
    made = Retouched.found(SEED, picture, 255 - picture, mask=mask, how={"kind": "bend", "moves": moves})
    shown = for_canvas(PackedRetouch.of(made))
    assert shown["points"] == moves and shown["layer"].startswith("data:image/png")
    assert from_canvas(shown, SEED, picture).how["points"] == moves


def test_pins_keep_a_bend_still_at_the_rim_but_not_where_another_point_moves():
    points = [[0.4, 0.5, 0.4, 0.44], [0.6, 0.5, 0.6, 0.44]]
    moves = pinned(points, 0.15)
    assert moves[:2] == points and all(move[:2] == move[2:] for move in moves[2:]) and len(moves) > 10
    shift = displacement(moves, 64)
    assert np.abs(shift[reached(points, 0.15, 64) == 0]).max() < 0.06 * 64 / 2
    assert all(np.hypot(a - 0.6, b - 0.5) > 0.14 for a, b, *_ in moves[2:])
    assert len(pinned([[0.01 * i, 0.5, 0.01 * i, 0.52] for i in range(64)], 0.02)) <= MAX_MOVES


def test_a_file_comes_back_from_another_program_and_what_changed_in_it_is_found(picture):
    side = 256
    large = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
    edited = large.copy()
    edited[60:120, 80:160] = (20, 200, 60)
    buffer = io.BytesIO()
    Image.fromarray(edited).save(buffer, "JPEG", quality=85)
    one = from_program({"seed": SEED, "picture": jpeg_url(buffer.getvalue())}, "retouched[0]", large)
    true = np.zeros((side, side), bool)
    true[60:120, 80:160] = True
    found = one.mask > 127
    assert (found & true).sum() / (found | true).sum() > 0.8
    corrected = {"kind": "file", "layer": for_canvas(PackedRetouch.of(one))["layer"]}
    assert np.array_equal(from_canvas(corrected, SEED, large).over(large), one.over(large))


def jpeg_url(data):
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"kind": "bend", "points": [[0.5, 0.5, 0.5, 0.5]], "reach": 0.1}, "No point has moved yet"),
        ({"kind": "paint", "layer": tiny.png_url(np.zeros((32, 32, 4), np.uint8))}, "Nothing is painted"),
        ({"kind": "paint"}, "has no colours"),
        ({"kind": "paint", "layer": tiny.png_url(np.zeros((32, 16, 4), np.uint8))}, "expected a square"),
        ({"kind": "file", "picture": "data:image/png;base64,AAAA"}, "not a readable picture"),
        ({"kind": "file", "picture": tiny.png_url(np.zeros((16, 32, 3), np.uint8))}, "keep it square"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_a_sentence(made, told, picture):
    with pytest.raises(ValueError, match=told) as refused:
        from_canvas(made, SEED, picture)
    assert tiny.is_one_sentence(str(refused.value))


# --- the steps ------------------------------------------------------------------------------------------------------


def test_a_goal_that_is_painted_needs_one_step_and_counts_its_own(service):
    state, render = turned_to(service), Render(service.about)
    page = render(state)
    assert page["mode"]["value"] == "paint" and page["step_retouch"]["visible"] is True
    assert page["step12"]["visible"] == "hidden" and not page["rewrite"]["interactive"]
    assert "paint the change" in page["head_retouch"]["value"] and "<em>3</em>" in page["head_go"]["value"]
    state = Retouching(service).retouch(state, painted())
    page = render(state)
    assert page["rewrite"]["interactive"] and "1 picture" in page["head_retouch"]["value"]
    assert page["retouch"]["value"] == as_told(painted()) and len(page["retouched"]["items"]) == 1


def test_another_way_to_show_the_goal_takes_the_place_of_the_last_and_undo_brings_it_back(service):
    making = Making(service)
    copied = service.open(NAME).paint_copy(0, tiny.box(256, 60, 70, 140, 160)).place(1, 100, 140)
    state = making.set_mode(State.on(copied).jump(copied), "paint")
    assert state.session.request.copy is None and state.view.retouch_seed == 0
    state = Retouching(service).retouch(state, painted())
    assert making.set_mode(state, "bend").session is state.session  # the next picture may be bent
    erasing = making.set_mode(state, "erase")
    assert erasing.session.request.erase and not erasing.session.request.retouched and erasing.view.slot == "context"
    back = erasing.jump(erasing.session.undo())
    assert back.mode == "paint" and len(back.session.request.retouched) == 1
    assert back.jump(back.session.undo().undo()).mode == "replace"
    with pytest.raises(ValueError, match="There is no mode 'sing'"):
        making.set_mode(state, "sing")


def test_a_picture_that_was_painted_can_be_bent_instead_and_says_so(service):
    state = Retouching(service).retouch(turned_to(service), painted())
    state = Making(service).set_mode(state, "bend")
    shown = Render(service.about)(state)["retouch"]
    assert (
        shown["value"] is None
        and shown["note"] == "Picture 3 was painted. If you bend it now, you replace that change."
    )
    bent = {"kind": "bend", "points": [[0.5, 0.5, 0.6, 0.5]], "reach": 0.2}
    state = Retouching(service).retouch(state, bent)
    assert [one.how["kind"] for one in state.session.request.retouched] == ["bend"]
    assert Render(service.about)(state)["retouch"]["value"] == bent


def test_no_picture_is_awaited_for_a_canvas_that_is_not_there(service):
    state = State.on(service.open(NAME))
    assert Retouching(service).add(state, {"kind": "add"}).view.slot == "copy"
    painting = turned_to(service)
    assert painting.look(slot="copy").view.slot == "retouch"
    assert Making(service).set_mode(painting, "erase").look(slot="retouch").view.slot == "context"


def test_several_pictures_are_retouched_and_each_can_be_reopened_and_removed(service):
    commands = Retouching(service)
    state = commands.retouch(turned_to(service), painted())
    state = commands.retouch(state.look(retouch_seed=5), painted(top=10))
    items = Render(service.about)(state)["retouched"]["items"]
    assert [item["id"] for item in items] == ["3", "5"]
    state = commands.edit(state.look(retouch="bend"), {"kind": "edit", "id": "3"})
    assert (state.view.retouch_seed, state.view.retouch) == (3, "paint")
    state = commands.remove(state, {"kind": "remove", "id": "3"})
    assert [one.seed for one in state.session.request.retouched] == [5]
    assert commands.retouch(state.look(retouch_seed=5), None).session.request.retouched == ()


def test_what_changed_is_context_beside_what_is_painted_elsewhere(service):
    state = Retouching(service).retouch(turned_to(service), painted())
    session = state.session.paint_place("context", 7, tiny.disk(256, 90, 90, 30))
    assert [region.seed for region in session.request.places] == [7, SEED]
    session = session.paint_place("context", SEED, tiny.disk(256, 90, 90, 30))
    assert [region.seed for region in session.request.places] == [7, SEED]
    assert np.array_equal(session.request.places[1].mask, tiny.disk(256, 90, 90, 30))


# --- learning -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lesson(service):
    """A state in which a picture is painted, and the rules that learning it yields, the last of which is the rule."""
    state = Retouching(service).retouch(turned_to(service), painted())
    request = state.session.request
    return state, list(service.rewriter(NAME).learn(request, steps=STEPS, for_other_pictures=True))


@pytest.fixture
def learning(service, lesson, monkeypatch):
    """A visitor, and the steps of their learning."""
    state, edits = lesson
    monkeypatch.setattr(service, "learn", lambda session: (edit for edit in edits))
    monkeypatch.setattr(retouching, "STEPS", STEPS)
    visitor = Visitor(state, {})
    return visitor, learn(visitor, service), edits


def test_a_first_rule_is_in_force_at_once_and_comes_nearer_in_one_step_of_undo(service, learning):
    visitor, steps, edits = learning
    before = visitor.state.session
    assert list(islice(steps, 2)) and visitor.state.session.rule.edit.report.iterations == edits[0].report.iterations
    assert visitor.state.learning and "still learning" in Render(service.about)(visitor.state)["headline"]["value"]
    visitor.change(lambda state: state.work(state.session.change_rule(1, "rename", name="Red spots")))
    for _ in steps:
        pass
    rule = visitor.state.session.rule
    assert rule.edit.report.iterations == STEPS and rule.edit.name == "Red spots" and rule.learned
    assert rule.edit.factor is edits[-1].factor
    assert not visitor.state.learning and visitor.state.session.solved
    assert visitor.state.session.undo().rule.edit.factor is rule.edit.factor  # with the name that it had at first
    assert visitor.state.session.undo().undo().now == before.now


def test_learning_that_is_stopped_keeps_what_was_learned(learning):
    visitor, steps, edits = learning
    list(islice(steps, 3))
    visitor.change(State.stop)
    assert list(steps) == [] and 0 < visitor.state.session.rule.edit.report.iterations < STEPS


@pytest.mark.parametrize("change", ["undo", "delete_rule"])
def test_learning_ends_with_its_rule(learning, change):
    visitor, steps, _ = learning
    list(islice(steps, 3))
    arguments = (1,) if change == "delete_rule" else ()
    visitor.change(lambda state: state.work(getattr(state.session, change)(*arguments)))
    assert len(list(steps)) <= 1 and visitor.state.session.rules == ()


def test_beside_what_was_painted_stands_what_is_drawn_under_the_rule(service, learning):
    visitor, steps, edits = learning
    drawn = []
    for _ in steps:
        for _ in make_needed(visitor, Maker(service), ALL, NoTurn):
            pass
        drawn.append(Render(service.about)(visitor.state)["retouch"]["drawn"])
    assert drawn[0] == "" and len(set(drawn[1:])) > 3
    assert drawn[-1] == service.under(visitor.state.session, SEED)


def test_a_learned_rule_says_how_far_it_goes_and_in_which_layers(service, lesson):
    state, edits = lesson
    visitor = Visitor(state.work(state.session.adopt(edits[-1])), {})
    for _ in make_needed(visitor, Maker(service), ALL, NoTurn):
        pass
    page = Render(service.about)(visitor.state)
    words = page["headline"]["value"]
    assert "% of the way to your retouched picture" in words and "learned in" in words
    assert page["rules"]["value"]["rows"][0]["detail"] == visitor.state.session.rule.detail
    assert str(edits[-1].layers[-1]) in visitor.state.session.rule.detail


def test_a_saved_request_with_retouched_pictures_opens_as_it_was(service, lesson, tmp_path):
    request = lesson[0].session.request.with_(generator=NAME)
    assert Request.load(request.save(tmp_path / "request.json")) == request
    state = State.on(service.open(NAME)).jump(service.open(NAME).step("open", request=request))
    assert state.mode == "paint" and state.view.retouch_seed == SEED
    assert isinstance(state.session.request.retouched[0], Retouched)


def test_a_learned_rule_is_saved_opened_and_changed_as_any_other(service, lesson, tmp_path):
    state, edits = lesson
    ruled = state.session.adopt(edits[-1])
    opened = bring_in(read_file(save_edit(ruled, tmp_path)), service.open(NAME), service)
    assert opened.rule.edit.layers == edits[-1].layers and opened.rule.learned
    assert opened.now.asked.retouched == ruled.now.asked.retouched
    assert service.under(opened, SEED) == service.under(ruled, SEED) != service.pictures(NAME, [SEED])[0]
    half = opened.change_rule(1, "strength", strength=0.5)
    assert service.under(half, SEED) not in (service.under(opened, SEED), service.pictures(NAME, [SEED])[0])
    assert State.on(opened).jump(opened.reopen_rule(1)).mode == "paint"
