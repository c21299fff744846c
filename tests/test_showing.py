"""What the page says and shows of a desk: results belong to the rules they were drawn under."""

import gradio as gr
import pytest

from rewriting.studio import page
from rewriting.studio.desk import Desk
from rewriting.studio.events import Returning
from rewriting.studio.showing import Showing
from rewriting.studio.workshop import SIDE, Workshop
from tests import tiny

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones


@pytest.fixture(scope="module")
def show():
    made = {NAME: tiny.generator(name=NAME), OTHER: tiny.generator("proggan", name=OTHER, seed=1)}
    workshop = Workshop(load=made.__getitem__)
    with gr.Blocks(analytics_enabled=False):
        return Showing(workshop, page.lay_out(workshop, Desk(workshop.open(NAME))))


@pytest.fixture(scope="module")
def ruled(show):
    """A session with a rule in force."""
    session = show.workshop.open(NAME).ask("settings", layer=6, rank=2)
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    return show.workshop.rewrite(session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60)))


def test_stopped_before_the_first_picture_the_sheet_is_empty_and_no_number_of_other_rules_is_left(show, ruled):
    desk, parts = Desk(ruled), show.parts
    list(show.results(desk))
    before = show.as_before(desk)
    assert "places like those painted" in before[parts.headline] and "pairs" not in before[parts.pairs]
    desk.jump(lambda session: session.change_rule(1, "strength", strength=0.5))
    stopped = show.as_before(desk)
    assert "Rule 1" in stopped[parts.headline] and "places" not in stopped[parts.headline]
    assert stopped[parts.pairs]["pairs"] == [] and "Show others" in stopped[parts.pairs]["empty"]


def test_what_is_only_counted_is_not_praised(show, ruled):
    desk = Desk(ruled)
    *_, last = show.results(desk)
    assert "class='good'" not in show.headline(desk) and "change elsewhere" in show.headline(desk)


def test_a_lower_rank_is_explained(show, ruled):
    little = ruled.paint_place("context", 2, tiny.box(SIDE, 150, 150, 156, 156)).ask("settings", rank=12)
    desk = Desk(show.workshop.rewrite(little))
    list(show.results(desk))
    assert "as little is painted" in show.headline(desk)


def test_in_erase_mode_painting_says_what_disappears(show, ruled):
    parts = show.parts
    erasing = show.mode(Desk(ruled.ask("mode", erase=True)))[parts.kind]["choices"]
    assert [name for name, _ in erasing] == ["Disappears", "Keep as it is"]
    assert show.mode(Desk(ruled))[parts.kind]["choices"][0][0] == "Holds here"


def test_erasing_counts_its_own_steps_and_hides_what_is_for_pasting(show, ruled):
    parts = show.parts
    for erase, numbers in ((False, "12345"), (True, "00123")):
        desk = Desk(ruled.ask("mode", erase=erase))
        heads = (parts.head_copy, parts.head_paste, parts.head_hold, parts.head_go, parts.head_tune)
        assert all(f"<em>{n}</em>" in show.progress(desk)[head] for n, head in zip(numbers, heads, strict=True))
        assert show.mode(desk)[parts.everywhere]["visible"] == ("hidden" if erase else True)


def test_what_is_kept_is_painted_in_another_colour(show, ruled):
    desk = Desk(ruled.paint_place("preserve", 5, tiny.disk(SIDE, 50, 50, 20)))
    tints = [item["tint"] for item in show.places(desk)[show.parts.tray]["items"]]
    assert len(tints) == 2 and tints[0] == "" and tints[1].startswith("#")
    desk.look(kind="preserve", context_seed=5)
    assert show.canvas(desk, "context")[show.parts.context]["tint"] == tints[1]


def test_who_loads_the_page_anew_finds_their_work_and_nobody_elses(show, ruled):
    parts, returning = show.parts, Returning(show)
    first, other, again = (
        Desk(show.workshop.open(NAME)),
        Desk(show.workshop.open(NAME)),
        Desk(show.workshop.open(NAME)),
    )
    assert not list(returning.come_back("mine", first))  # nothing to come back to
    first.change(lambda session: ruled)
    first.token = "secret"
    assert not list(returning.come_back("another", other)) and not other.session.rules
    shown = list(returning.come_back("mine", again))
    assert again.session is ruled and again.token is None
    assert len(shown[0][parts.rules]["value"]["rows"]) == 1 and len(shown[-2][parts.pairs]["pairs"]) == 12
    again.jump(lambda session: session.undo())
    third = Desk(show.workshop.open(NAME))
    list(returning.come_back("mine", third))
    assert third.session.now is ruled.past[-1]  # the newest state, with the way forward
    assert third.session.redo().now is ruled.now


def test_what_is_begun_before_the_page_comes_back_stays(show, ruled):
    returning, first, fresh = Returning(show), Desk(ruled), Desk(show.workshop.open(NAME))
    list(returning.come_back("mine", first))
    fresh.look(copy_seed=3)
    assert not list(returning.come_back("mine", fresh)) and not fresh.session.rules


def test_the_longest_unseen_make_room_and_a_ticket_is_short(show, ruled):
    returning = Returning(show, room=2)
    for ticket in ("", "x" * 65, "one", "two", "three"):
        list(returning.come_back(ticket, Desk(ruled)))
    for ticket, known in (("", False), ("x" * 65, False), ("one", False), ("three", True)):
        desk = Desk(show.workshop.open(NAME))
        list(returning.come_back(ticket, desk))
        assert bool(desk.session.rules) == known


def test_a_generator_that_has_gone_leaves_the_page_as_it_opens(show, ruled):
    returning, first, fresh = Returning(show), Desk(ruled), Desk(show.workshop.open(NAME))
    first.change(lambda session: session.open("nowhere"))
    list(returning.come_back("mine", first))
    with pytest.raises(KeyError):
        list(returning.come_back("mine", fresh))
    assert fresh.session == show.workshop.open(NAME) and not fresh.touched
