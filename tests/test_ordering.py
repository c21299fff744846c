"""Events whose answers overtake each other: the page ends with what was read last, and a claim is one event's."""

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from rewriting.studio.blocks import Blocks
from rewriting.studio.desk import Desk
from rewriting.studio.events.base import polite
from rewriting.studio.ordering import Answering, Dated, Versions
from rewriting.studio.session import Session
from tests.browser import chromium, chromium_page, serving, wait_for
from tests.surroundings import PATIENCE


@pytest.fixture
def box() -> Iterator[gr.Textbox]:
    with gr.Blocks(analytics_enabled=False):
        yield gr.Textbox()


def test_what_a_later_change_showed_stays_and_the_rest_is_shown(box):
    versions = Versions()
    early, late = Answering(versions), Answering(versions)
    for event in (early, late):
        with event.here():
            versions.changed()
    assert late.dated({box: gr.update(value="late")}).newest() == {box: gr.update(value="late")}
    old = early.dated({box: gr.update(value="early", placeholder="name")})
    assert old.newest() == {box: gr.update(placeholder="name")}
    assert early.dated({box: "early"}).newest() == gr.skip()
    assert late.dated({box: "late again"}).newest() == {box: "late again"}
    with early.here():
        versions.changed()
    assert early.dated({box: "newest of all"}).newest() == {box: "newest of all"}


def test_what_is_overtaken_while_it_is_made_ready_is_not_sent(box):
    versions = Versions()
    old = Dated({box: gr.update(value="old", placeholder="name")}, versions, 1)
    ready = list(old.newest().values())
    assert old.still_newest([box], ready) == ready
    Dated({box: gr.update(value="new")}, versions, 2).newest()
    assert old.still_newest([box], ready) == [gr.update(placeholder="name")]
    assert Dated({box: "old"}, versions, 1).still_newest([box], ["old"]) == [gr.skip()]


def test_properties_of_our_own_components_are_known_before_and_after_they_are_made_ready(box):
    versions = Versions()
    old = Dated({box: gr.update(value="old", image="old", goal="old")}, versions, 1)
    old.newest()
    ready = gr.update(value="old", props={"image": "old", "goal": "old"})  # as gradio gathers them
    assert old.still_newest([box], [ready]) == [ready]
    Dated({box: gr.update(image="new")}, versions, 2).newest()
    assert old.still_newest([box], [ready]) == [gr.update(value="old", props={"goal": "old"})]


def test_changes_count_for_the_event_that_makes_them_and_no_other():
    mine, yours = Desk(Session.on("face")), Desk(Session.on("face"))
    first, second = Answering(mine.versions), Answering(mine.versions)
    start = first.version
    with first.here():
        yours.look(start=24)
        assert first.version == start
        mine.look(start=24)
    assert first.version > second.version == start
    with second.here():
        mine.jump(Session.reset)
    assert second.version > first.version


@pytest.mark.parametrize("change", [
    lambda desk: desk.change(Session.reset),
    lambda desk: desk.jump(Session.reset),
    lambda desk: desk.look(start=24),
    lambda desk: desk.claim("results"),
    lambda desk: desk.claim("results").say("Drawing"),
    lambda desk: desk.claim("results").draw("look"),
    Desk.stop,
])  # fmt: skip
def test_whatever_the_page_shows_of_a_desk_is_counted(change):
    desk = Desk(Session.on("face"))
    desk.claim("results")
    before = desk.versions.now
    change(desk)
    assert desk.versions.now > before


def test_who_has_lost_a_claim_neither_speaks_nor_draws():
    desk = Desk(Session.on("face"))
    with desk.doing("results", "Drawing") as mine:
        assert mine.draw("first", (("good", "half"),)) and mine.say("Drawing on")
        with desk.doing("results", "Drawing anew") as yours:
            assert not mine.say("Drawing still") and not mine.draw("old")
            assert desk.busy == "Drawing anew" and desk.drawn == "first"
            assert yours.draw("second")
    assert desk.busy == "" and desk.drawn == "second" and desk.numbers == ()


def test_an_answer_that_is_overtaken_on_its_way_does_not_come_back_over_the_newer():
    began, let_go = threading.Event(), threading.Event()

    def make_ready(value: str | None) -> str | None:
        if value == "old":
            began.set()
            assert let_go.wait(PATIENCE)
        return value

    with Blocks(analytics_enabled=False) as demo:
        desk = gr.State(Desk(Session.on("face")))
        words, note, ended = (gr.Textbox(elem_id=name) for name in ("words", "note", "ended"))
        words.postprocess = make_ready

        def old(desk: Desk) -> dict[Any, Any]:
            desk.look(start=24)
            return {words: "old", note: "of the old"}

        def new(desk: Desk) -> Iterator[dict[Any, Any]]:
            desk.look(start=48)
            yield {words: "new"}

        pressed = gr.Button(elem_id="old").click(polite(old), desk, [words, note], show_progress="hidden")
        pressed.then(lambda: "yes", None, ended)
        gr.Button(elem_id="new").click(polite(new), desk, [words, note], show_progress="hidden")

    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as page:

        def shows(name: str, text: str) -> None:
            wait_for(lambda: page.locator(f"#{name} textarea").input_value() == text, page=page)

        page.locator("#old").click()
        wait_for(began.is_set, page=page)
        page.locator("#new").click()
        shows("words", "new")
        let_go.set()
        shows("ended", "yes")
        shows("note", "of the old")  # which the newer answer did not speak of
        assert page.locator("#words textarea").input_value() == "new"
