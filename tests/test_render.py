"""What the page says and shows of a state: a pure function, complete, and quick."""

import json

import gradio as gr
import pytest

from rewriting import Transform
from rewriting.core.masks import encode_mask
from rewriting.studio import page
from rewriting.studio.commands import Saving, Visiting
from rewriting.studio.fair_queue import NoTurn
from rewriting.studio.jobs import ALL, Maker, make_needed
from rewriting.studio.rendering.render import Render
from rewriting.studio.service import SIDE, Service
from rewriting.studio.state import State
from rewriting.studio.visitor import Visitor
from tests import tiny

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones


@pytest.fixture(scope="module")
def service():
    made = {NAME: tiny.generator(name=NAME), OTHER: tiny.generator("proggan", name=OTHER, seed=1)}
    return Service(load=made.__getitem__)


@pytest.fixture(scope="module")
def render(service):
    return Render(service.about)


@pytest.fixture(scope="module")
def ruled(service):
    """A session with a rule in force."""
    session = service.open(NAME).ask("settings", layer=6, rank=2)
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    return service.rewrite(session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60)))


def shown(service, render, state):
    """The page with all that the state needs."""
    visitor = Visitor(state, {})
    for _ in make_needed(visitor, Maker(service), ALL, NoTurn):
        pass
    return visitor, render(visitor.state)


def turned(session):
    return State.on(session).jump(session)


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_the_page_names_every_component_that_it_shows_and_no_other(service, render):
    with gr.Blocks(analytics_enabled=False):
        parts = page.lay_out()
    first = render(State.on(service.open(NAME)))
    assert first.keys() <= parts.keys()
    for part, properties in first.items():
        known = set(getattr(parts[part], "props", ())) | set(vars(parts[part])) | {"value"}
        assert properties.keys() <= known, part


def test_the_same_state_gives_the_same_page_and_leaves_nothing_behind(service, render, ruled):
    visitor, one = shown(service, render, turned(ruled))
    assert render(visitor.state) == one
    shown(service, render, State.on(service.open(OTHER)))
    assert render(visitor.state) == one


def test_the_canvases_show_the_request_and_the_goal_in_their_pictures(service, render, ruled):
    _, one = shown(service, render, turned(ruled))
    for part, seed in (("copy", 0), ("paste", 1), ("context", 2)):
        assert one[part]["image"] == service.pictures(NAME, [seed])[0]
    assert one["paste"]["value"] == {"x": 100, "y": 140} and one["paste"]["patch"]
    assert one["paste"]["goal"] not in ("", one["paste"]["image"])
    _, two = shown(service, render, turned(ruled.ask("paste", transform=Transform(turn=30, mirror=True))))
    assert two["paste"]["value"] == {"x": 100, "y": 140, "turn": 30, "mirror": True}
    assert one["copy"]["value"] and one["context"]["value"] == one["tray"]["items"][0]["outline"]
    assert one["rewrite"]["interactive"] and one["layer"]["value"] == 6


def test_results_belong_to_the_rules_they_were_drawn_under(service, render, ruled):
    visitor, before = shown(service, render, turned(ruled))
    assert "matching places" in before["headline"]["value"]
    visitor.change(lambda state: state.work(state.session.change_rule(1, "strength", strength=0.5)))
    meanwhile = render(visitor.state)
    assert "Rule 1" in meanwhile["headline"]["value"] and "places" not in meanwhile["headline"]["value"]
    assert meanwhile["pairs"]["pairs"] == before["pairs"]["pairs"] and meanwhile["pairs"]["loading"]
    visitor.begin("results", visitor.state.names["results"], "Drawing")
    visitor.change(State.stop)
    stopped = render(visitor.state)
    assert stopped["pairs"]["pairs"] == [] and "Show others" in stopped["pairs"]["empty"]
    assert not stopped["pairs"]["loading"] and "places" not in stopped["headline"]["value"]


def test_pictures_of_another_generator_go_at_once(service, render, ruled):
    visitor, _ = shown(service, render, turned(ruled))
    visitor.change(lambda state: state.jump(state.session.open(OTHER)))
    one = render(visitor.state)
    assert one["pairs"]["pairs"] == [] == one["sheet"]["pictures"]
    assert one["pairs"]["loading"] and one["sheet"]["loading"] and one["copy"]["image"] == ""


def test_what_is_only_counted_is_not_praised(service, render, ruled):
    _, one = shown(service, render, turned(ruled))
    assert "class='good'" not in one["headline"]["value"] and "change elsewhere" in one["headline"]["value"]


def test_a_lower_rank_is_explained(service, render, ruled):
    little = ruled.paint_place("context", 2, tiny.box(SIDE, 150, 150, 156, 156)).ask("settings", rank=12)
    _, one = shown(service, render, turned(service.rewrite(little)))
    assert "instead of 12, because the painted area is small" in one["headline"]["value"]


def test_erasing_counts_its_own_steps_and_hides_what_is_for_pasting(render, ruled):
    heads = ("head_copy", "head_paste", "head_hold", "head_go", "head_tune")
    for erase, numbers in ((False, "12345"), (True, "00123")):
        one = render(turned(ruled.ask("mode", erase=erase)))
        assert all(f"<em>{n}</em>" in one[head]["value"] for n, head in zip(numbers, heads, strict=True))
        assert one["everywhere"]["visible"] == one["step12"]["visible"] == ("hidden" if erase else True)
        assert one["no_copy"]["visible"] == (True if erase else "hidden")
        assert one["kind"]["choices"][0][0] == ("Erase here" if erase else "Change here")


def test_no_goal_stays_in_a_canvas_that_erasing_hides(service, render, ruled):
    _, one = shown(service, render, turned(ruled.ask("mode", erase=True)))
    assert one["paste"]["goal"] == ""


def test_what_is_kept_is_painted_in_another_colour(render, ruled):
    state = turned(ruled.paint_place("preserve", 5, tiny.disk(SIDE, 50, 50, 20)))
    tints = [item["tint"] for item in render(state)["tray"]["items"]]
    assert len(tints) == 2 and tints[0] == "" and tints[1].startswith("#")
    assert render(state.look(kind="preserve", context_seed=5))["context"]["tint"] == tints[1]


# --- coming back -----------------------------------------------------------------------------------------------------


def come(visiting, ticket, state, before="", address=""):
    """A new page that is opened by that tab."""
    visitor = Visitor(state, {})
    for _ in visiting.come(visitor, ticket, before or ticket, address):
        pass
    return visitor


@pytest.fixture
def fresh(service):
    return State.on(service.open(NAME))


def test_who_loads_the_page_anew_finds_it_as_it_was_and_nobody_elses(service, render, ruled, fresh):
    visiting = Visiting(service)
    first = come(visiting, "mine", fresh)
    assert not first.state.touched  # nothing to come back to
    first.change(lambda state: state.jump(ruled).look(kind="preserve", context_seed=None, tab="pictures"))
    first.change(lambda state: state.turn(state.session.start_new()))
    for _ in make_needed(first, Maker(service), ALL, NoTurn):
        pass
    first.token = "secret"
    other, again = come(visiting, "another", fresh), come(visiting, "mine", fresh)
    assert not other.state.session.rules and again.token is None
    for _ in make_needed(again, Maker(service), ALL, NoTurn):
        pass
    assert render(again.state) == render(first.state)
    again.change(lambda state: state.jump(state.session.undo()))
    third = come(visiting, "mine", fresh)
    assert third.state.session.redo().now.asked.copy is None  # the newest state, with the way forward


def test_a_duplicated_tab_goes_on_by_itself(service, ruled, fresh):
    visiting = Visiting(service)
    first = come(visiting, "first", fresh)
    first.change(lambda state: state.jump(ruled))
    second = come(visiting, "second", fresh, before="first")
    assert second.state.session is ruled
    second.change(lambda state: state.jump(state.session.reset()))
    assert come(visiting, "first", fresh).state.session is ruled
    assert not come(visiting, "second", fresh).state.session.rules


def test_what_is_begun_before_the_page_comes_back_stays(service, ruled, fresh):
    visiting = Visiting(service)
    come(visiting, "mine", turned(ruled))
    assert not come(visiting, "mine", fresh.look(copy_seed=3)).state.session.rules


def test_the_longest_unseen_make_room_and_a_ticket_is_short(service, ruled, fresh):
    visiting = Visiting(service, room=2)
    for ticket in ("", "x" * 65, "one", "two", "three"):
        come(visiting, ticket, turned(ruled))
    for ticket, known in (("", False), ("x" * 65, False), ("one", False), ("three", True)):
        assert bool(come(visiting, ticket, fresh).state.session.rules) == known


def test_a_generator_that_has_gone_leaves_the_page_as_it_opens(service, ruled, fresh):
    visiting = Visiting(service)
    come(visiting, "mine", turned(ruled)).change(lambda state: state.work(state.session.open("nowhere")))
    visitor = Visitor(fresh, {})
    with pytest.raises(KeyError):
        list(visiting.come(visitor, "mine", "mine", ""))
    assert visitor.state is fresh


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_session_that_names_no_generator_is_opened_when_asked_for_twice(service, fresh, tmp_path):
    """Its picture numbers would stand for whatever the generator that is open happens to draw."""
    path, visitor, files = tmp_path / "session.json", Visitor(fresh, {}), Saving(service)
    path.write_text(json.dumps({"object": None, "key": [[3, encode_mask(tiny.disk(256, 90, 90, 30))]]}))
    for generator in (NAME, OTHER):
        visitor.change(lambda state, generator=generator: state.jump(service.open(generator)))
        with pytest.raises(ValueError, match="does not name its generator") as asked:
            list(files.open_file(visitor, str(path)))
        assert tiny.is_one_sentence(str(asked.value)) and not visitor.state.session.request.context
    list(files.open_file(visitor, str(path)))
    assert visitor.state.session.request.context[0].seed == 3 and visitor.state.session.generator == OTHER


# --- addresses -------------------------------------------------------------------------------------------------------


def test_an_address_names_a_generator_in_capitals_or_not(service, fresh):
    assert come(Visiting(service), "a", fresh, address="?Generator=CHURCH").state.session.generator == OTHER


@pytest.mark.parametrize("address", ["?preset=horse-hat", "?generator=nowhere", "?generator=%2Fetc"])
def test_an_address_that_names_what_there_is_not_says_so(service, fresh, address):
    visitor = Visitor(fresh, {})
    with pytest.raises(ValueError, match="There is no (preset|generator) .*; use one of ") as refused:
        list(Visiting(service).come(visitor, "a", "", address))
    assert tiny.is_one_sentence(str(refused.value)) and visitor.state is fresh


def test_an_address_is_followed_once_and_leaves_the_tab_alone(service, fresh):
    visiting = Visiting(service)
    visitor = Visitor(fresh, {})
    steps = visiting.come(visitor, "a", "", "?generator=church")
    next(steps)
    visitor.change(lambda state: state.look(tab="hub"))  # pressed before the generator arrives
    list(steps)
    assert visitor.state.session.generator == OTHER and visitor.state.view.tab == "hub"
    visitor.change(lambda state: state.jump(state.session.undo()))
    assert come(visiting, "a", fresh, address="?generator=church").state.session.generator == NAME
