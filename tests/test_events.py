"""Events of the page, without a browser: what an answer shows, part by part, in turn, and after a refusal."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from rewriting.backend import tell
from rewriting.core.presets import Preset
from rewriting.generators import Generator
from rewriting.studio import jobs, page
from rewriting.studio.commands import Making, Pictures, Rules
from rewriting.studio.events import Events
from rewriting.studio.fair_queue import AT_ONCE, EARLY, FairQueue
from rewriting.studio.gradio_fixes import Answer, Blocks
from rewriting.studio.rendering.render import Render
from rewriting.studio.service import SIDE, Service
from rewriting.studio.visitor import Visitor
from tests import tiny
from tests.browser import Rest, chromium, chromium_page, serving, wait_for
from tests.surroundings import PATIENCE

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones


@pytest.fixture(scope="module")
def made() -> dict[str, Generator]:
    return {NAME: tiny.generator(name=NAME), OTHER: tiny.generator("proggan", name=OTHER, seed=1)}


@pytest.fixture
def service(made: dict[str, Generator]) -> Service:
    small = Service(load=made.__getitem__)
    small.searched = 96
    return small


@pytest.fixture
def visitor(service: Service, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    monkeypatch.setattr(page, "SOON", PATIENCE)  # all that the page opens with is there, however busy the machine is
    return page.newcomer(service, NAME, Render(service.about))


@pytest.fixture
def asked(service: Service, visitor: Visitor) -> Visitor:
    """A visitor whose request is complete."""
    session = visitor.state.session.ask("settings", layer=6, rank=2)
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    session = session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60))
    visitor.change(lambda state: state.jump(session))
    return visitor


@pytest.fixture
def on(service: Service) -> Events:
    return Events(service, Render(service.about), {}, None, None)


def pages(answers: Iterator) -> list[dict]:
    return [one.page for one in answers if isinstance(one, Answer)]


def waiting(queue: FairQueue, amount: int) -> None:
    """Wait until so many wait for their turn."""
    deadline = time.monotonic() + PATIENCE
    while len(queue._waiting) != amount:
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_a_rewrite_shows_at_once_that_it_was_heard_then_the_rule_then_picture_by_picture(on, service, asked):
    shown = pages(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    assert "rewriting" in shown[0]["headline"]["value"] and shown[0]["pairs"]["loading"]
    assert "Rewriting" in shown[0]["busy"]["value"] and shown[0]["stop"]["visible"] is True
    counts = [sum(bool(pair["after"]) for pair in one["pairs"]["pairs"]) for one in shown]
    assert counts == sorted(counts) and {0, 1, 5, 12} == set(counts)
    last = shown[-1]
    assert [row["name"] for row in last["rules"]["value"]["rows"]] == ["Rule 1"] and not last["pairs"]["loading"]
    assert "matching places" in last["headline"]["value"] and last["busy"]["value"] == ""


def test_what_a_command_does_not_touch_is_not_made_anew(on, service, asked, monkeypatch):
    list(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    before = asked.state.made["results"]
    monkeypatch.setattr(service, "results", None)
    list(on.answering(Making(service).new_rule, queue="heavy")(0, asked))
    assert asked.state.made["results"] is before and asked.state.view.tab == "pictures"


def test_a_goal_comes_before_pictures_in_full_and_its_refusal_leaves_the_pictures(on, service, asked, monkeypatch):
    monkeypatch.setattr("rewriting.studio.service.SIDE", 16)  # of a generator of 32 pixels
    drawn, goal = [], service.goal
    monkeypatch.setattr(service, "goal", lambda session: drawn.append("goal") or goal(session))
    picture = service.drawn
    monkeypatch.setattr(service, "drawn", lambda *a, size=None, **k: drawn.append(size) or picture(*a, size=size, **k))
    spot = {"x": 120, "y": 130}
    (*_, last) = pages(on.answering(lambda state: Making(service).place(state, spot))(0, asked))
    assert drawn == [16, "goal", 32] and last["paste"]["goal"] and last["paste"]["image"]

    def refuse(session):
        raise ValueError("No goal.")

    monkeypatch.setattr(service, "goal", refuse)
    with pytest.raises(gr.Error, match="No goal."):
        pages(on.answering(lambda state: Making(service).place(state, {"x": 90, "y": 130}))(0, asked))
    assert asked.state.picture(1) is not None


def test_undo_shows_the_pictures_there_were(on, service, asked):
    list(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    shown = pages(on.answering(Rules().undo, queue="heavy")(0, asked))
    assert shown[-1]["rules"]["value"]["rows"] == []
    assert [pair["after"] for pair in shown[-1]["pairs"]["pairs"]] == [""] * 24


def test_a_refusal_is_one_sentence_beside_the_page_as_it_was(on, service, visitor):
    before = visitor.state
    answers = on.answering(Making(service).rewrite, queue="heavy")(0, visitor)
    with pytest.raises(gr.Error, match="The request is not complete"):
        shown = [next(answers)]
        shown.append(next(answers))
    assert visitor.state == before and shown[0].page["tabs"]["value"] == "results"


def test_a_refusal_half_way_leaves_nothing_under_way(on, service, asked, monkeypatch):
    def fail(session):
        raise ValueError("There is no memory left.")

    monkeypatch.setattr(service, "solve", fail)
    answers, shown = on.answering(Making(service).rewrite, queue="heavy")(0, asked), []
    with pytest.raises(gr.Error, match="no memory left"):
        shown.extend(answers)
    assert not asked.state.jobs and not asked.state.session.rules


def test_results_that_cannot_be_drawn_are_said_once(on, service, asked, monkeypatch):
    def fail(session, seeds):
        raise ValueError("There is no memory left.")

    monkeypatch.setattr(service, "results", fail)
    with pytest.raises(gr.Error, match="no memory left"):
        list(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    assert pages(on.answering(Making(service).follow, queue="heavy")(0, asked))[-1]["pairs"]["pairs"] == []


def test_painting_on_while_a_live_rewrite_is_solved_leaves_it_to_the_newer_one(on, service, asked):
    asked.change(lambda state: state.look(live=True))
    live = on.answering(Making(service).follow, queue="heavy")(0, asked)
    next(live)
    asked.change(lambda state: state.work(state.session.paint_place("context", 5, tiny.disk(SIDE, 50, 50, 30))))
    list(live)
    assert not asked.state.session.rules and not asked.state.jobs
    list(on.answering(Making(service).follow, queue="heavy")(0, asked))
    assert asked.state.session.solved


def test_a_search_shows_ever_better_matches_outlined(on, service, asked):
    shown = pages(on.answering(Pictures(service).search, queue="heavy")(0, asked))
    assert shown[0]["tabs"]["value"] == "pictures" and "Looking" in shown[0]["busy"]["value"]
    last = shown[-1]
    assert [one["seed"] for one in last["sheet"]["pictures"]] == list(asked.state.view.found[:24])
    assert any("outline" in one for one in last["sheet"]["pictures"]) and last["outlines"]["value"] is True
    assert last["number"]["value"] is None and last["everything"]["visible"] is True


def test_stop_ends_a_search_and_keeps_what_it_found(on, service, asked, monkeypatch):
    monkeypatch.setattr(jobs, "TOLD", 0.05)
    search = on.answering(Pictures(service).search, queue="heavy")(0, asked)
    next(search)
    list(on.answering(Making(service).stop)(0, asked))
    list(search)
    assert asked.state.view.found == () and not asked.state.jobs


def test_a_preset_that_is_pressed_while_another_is_on_its_way_counts(on, service, asked, monkeypatch):
    made = {name: Preset(name, asked.state.session.request.with_(name=name, rank=rank), Path("nowhere"))
            for name, rank in (("one", 1), ("two", 2))}  # fmt: skip
    for module in ("service", "jobs", "rendering.render", "commands.making"):
        monkeypatch.setattr(f"rewriting.studio.{module}.preset", made.__getitem__)
    press = on.answering(Making(service).choose_preset, [gr.Textbox()], queue="heavy")
    first = press("one", 0, asked)
    assert next(first).page["cards"]["value"] == "one"
    list(press("two", 0, asked))
    list(first)
    assert [rule.preset for rule in asked.state.session.rules] == ["two"]


def test_that_no_gpu_was_free_is_said_beside_the_results_and_only_of_these(on, service, asked, monkeypatch):
    matches, told = service.matches, []

    def refused(session, seeds):
        if not told:
            tell("No GPU is free.")
        return matches(session, seeds)

    monkeypatch.setattr(service, "matches", refused)
    shown = pages(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    assert "No GPU is free." in shown[-1]["headline"]["value"]
    told.append("enough")
    shown = pages(on.answering(Pictures(service).more_results, queue="heavy")(0, asked))
    assert "No GPU" not in shown[-1]["headline"]["value"]


def pressed(service: Service, command: str, visitor: Visitor) -> list[dict]:
    """What the page shows when the button of a command is pressed."""
    functions = [one.fn for one in page.build(service, NAME).fns.values()]
    press = next(one for one in functions if getattr(one, "__name__", "") == command)
    return pages(press(0, visitor))


def test_a_new_rule_after_one_whose_numbers_stand_for_other_pictures_shows_the_usual_pictures(on, service, asked):
    asked.change(lambda state: state.jump(state.session.ask("settings", truncation=0.5)))
    list(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    last = pressed(service, "new_rule", asked)[-1]["pairs"]
    assert not last["loading"] and all(pair["after"] for pair in last["pairs"])
    assert last["pairs"][0]["before"] == service.pictures(NAME, [last["pairs"][0]["seed"]])[0]


def test_whoever_leaves_half_way_leaves_nothing_under_way(on, service, asked):
    answers = on.answering(Making(service).rewrite, queue="heavy")(0, asked)
    for _ in range(4):
        next(answers)
        assert asked.state.jobs
    answers.close()
    assert not asked.state.jobs
    first = on.answering(Rules().undo, queue="heavy")(0, asked)
    next(first)
    first.close()  # as soon as it says what it is about to draw
    assert not asked.state.jobs


# --- in turn ---------------------------------------------------------------------------------------------------------


def test_a_visitor_is_served_until_the_last_part(service, on, asked, monkeypatch):
    monkeypatch.setattr("rewriting.studio.fair_queue.PATIENCE", PATIENCE)
    answers = on.answering(Making(service).rewrite, queue="heavy")(0, asked)
    next(answers)
    went_on = threading.Event()
    threading.Thread(target=lambda: (service.queue.stand_aside(), went_on.set()), daemon=True).start()
    assert not went_on.wait(0.2)
    list(answers)
    assert went_on.wait(PATIENCE)


def test_everybody_has_a_first_pair_before_anybody_has_more(service, on, asked):
    states, seen = [asked.state] * 3, []
    visitors = [Visitor(state, {}) for state in states]

    def watch(number, visitor):
        for one in pages(on.answering(Making(service).rewrite, queue="heavy")(0, visitor)):
            seen.append((number, sum(bool(pair["after"]) for pair in one["pairs"]["pairs"])))

    people = [threading.Thread(target=watch, args=pair, daemon=True) for pair in enumerate(visitors)]
    with service.queue.turns()(), service.queue.turns()():
        for number, person in enumerate(people, 1):
            person.start()
            waiting(service.queue, number)
    for person in people:
        person.join(PATIENCE)
    assert {number for number, count in seen if count == 12} == {0, 1, 2} and EARLY > 1


def test_who_waits_is_told_how_many_go_first_until_it_is_over(service, on, asked, monkeypatch):
    monkeypatch.setattr(jobs, "TOLD", 0.05)
    said = []
    served = [service.queue.turns()() for _ in range(AT_ONCE)]
    for turn in served:
        assert turn.wait() == 0

    def watch():
        for one in on.answering(Making(service).rewrite, queue="heavy")(0, asked):
            said.extend(page["busy"]["value"] for page in pages([one]))

    reader = threading.Thread(target=watch, daemon=True)
    reader.start()
    wait_for(lambda: any("Waiting for 2 other answers" in one for one in said), seconds=PATIENCE)
    for turn in served:
        turn.close()
    reader.join(PATIENCE)
    assert any("Rewriting" in one for one in said) and said[-1] == ""


def test_stop_ends_the_waiting_too(service, on, asked, monkeypatch):
    monkeypatch.setattr(jobs, "TOLD", 0.05)
    served = [service.queue.turns()() for _ in range(AT_ONCE)]
    for turn in served:
        turn.wait()
    answers = on.answering(Making(service).rewrite, queue="heavy")(0, asked)
    assert "Rewriting" in next(answers).page["busy"]["value"]
    assert next(one for one in answers if "Waiting" in one.page["busy"]["value"])
    waiting(service.queue, 1)
    list(on.answering(Making(service).stop)(0, asked))
    list(answers)  # although nobody has given up a turn
    assert not asked.state.session.rules and not service.queue._waiting


# --- in the browser --------------------------------------------------------------------------------------------------


def test_an_answer_that_is_overtaken_on_its_way_does_not_come_back_over_the_newer(visitor):
    began, let_go = threading.Event(), threading.Event()
    with Blocks(analytics_enabled=False) as demo:
        seen, held = gr.Number(0, elem_id="seen"), gr.State(visitor)
        words, ended = gr.Textbox(elem_id="words"), gr.Textbox(elem_id="ended")

        def answer(visitor: Visitor, text: str, change: int) -> Answer:
            return Answer(visitor, {"words": {"value": text}}, change, {"words": words}, seen, {})

        def old(visitor: Visitor) -> Iterator:
            began.set()
            assert let_go.wait(PATIENCE)
            yield answer(visitor, "old", 1)

        def new(visitor: Visitor) -> Iterator:
            yield answer(visitor, "new", 2)

        outputs = [words, seen]
        gr.Button(elem_id="old").click(old, held, outputs, show_progress="hidden").then(lambda: "yes", None, ended)
        gr.Button(elem_id="new").click(new, held, outputs, show_progress="hidden")

    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as opened:

        def shows(name: str, text: str) -> None:
            box = opened.locator(f"#{name} textarea")
            wait_for(lambda: box.input_value() == text, seconds=PATIENCE, page=opened)

        opened.locator("#old").click()
        wait_for(began.is_set, seconds=PATIENCE, page=opened)
        opened.locator("#new").click()
        shows("words", "new")
        assert opened.locator("#seen input").input_value() == "1"
        let_go.set()
        shows("ended", "yes")
        assert opened.locator("#words textarea").input_value() == "new"


def test_a_pair_that_is_looked_at_closely_comes_in_full_until_the_rules_change(on, service, asked, monkeypatch):
    monkeypatch.setattr("rewriting.studio.service.SIDE", 16)
    monkeypatch.setattr("rewriting.studio.rendering.render.SIDE", 16)
    list(on.answering(Making(service).rewrite, queue="heavy")(0, asked))
    look = on.answering(Pictures(service).look_closer, [gr.Number()])
    shown = pages(look(7, 0, asked))[-1]["pairs"]
    (closer,) = shown["closer"]
    assert shown["detail"] and closer["seed"] == 7
    assert closer["before"] == service.drawn(NAME, [7])[0].url
    assert closer["after"] == service.drawn(NAME, [7], edits=asked.state.session.stack)[0].url != closer["before"]
    assert pages(on.answering(Rules().undo, queue="heavy")(0, asked))[-1]["pairs"]["closer"] == []


def test_an_answer_that_the_browser_shows_after_a_newer_one_hides_nothing(service, visitor):
    go_on = threading.Event()

    def hold(visitor: Visitor) -> Iterator:
        assert go_on.wait(PATIENCE)
        yield from ()

    with Blocks(analytics_enabled=False) as demo:
        seen, words = gr.Number(0, visible="hidden"), gr.Textbox("", elem_id="words")
        on = Events(
            service, lambda state: {"words": {"value": state.view.tab}}, {"words": words}, seen, gr.State(visitor)
        )
        on(gr.Button("Hold", elem_id="hold").click, hold)
        for tab in ("pictures", "explore"):
            on(gr.Button(tab, elem_id=tab).click, lambda state, tab=tab: state.look(tab=tab))
        on.keep_order()
    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as opened:

        def shows(text: str) -> bool:
            return opened.locator("#words textarea").input_value() == text

        rested, late = Rest(opened), []
        opened.locator("#hold").click()  # a stream of answers is open
        wait_for(lambda: demo.has_answers(next(iter(demo._queue.pending_event_ids_session), "")), page=opened)
        opened.route("**/queue/join*", lambda route: late.append((route, route.fetch())), times=1)
        opened.locator("#pictures").click()
        wait_for(lambda: late, page=opened)
        opened.locator("#explore").click()
        wait_for(lambda: shows("explore"), page=opened)
        ((route, answer),) = late  # only now the browser learns whose answer it has been holding
        route.fulfill(response=answer)
        go_on.set()
        wait_for(rested, page=opened)
        assert shows("explore")


def test_no_press_on_a_tab_is_lost_while_the_hub_is_asked(service):
    blocks = page.build(service, NAME)
    (tabs,) = (one for one in blocks.blocks.values() if getattr(one, "elem_id", None) == "tabs")
    (fn,) = (fn for fn in blocks.fns.values() if (tabs._id, "input") in fn.targets)
    assert fn.trigger_mode == "multiple"  # by "once", a browser drops a press as long as an answer is awaited
