"""Answers in parts: each part is shown, however the parts travel, and none comes back over what is newer."""

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from rewriting.studio.gradio_fixes import Blocks
from tests.browser import Rest, chromium, chromium_page, serving, wait_for
from tests.surroundings import PATIENCE


def page_in_parts() -> gr.Blocks:
    """A button whose answer comes in three parts at once, each about something else."""
    with Blocks(analytics_enabled=False) as demo:
        go = gr.Button("Go", elem_id="go")
        slider = gr.Slider(0, 10, 0, interactive=False, elem_id="slider")
        words = gr.Textbox("", elem_id="words")
        rows = gr.Dropdown(["a", "b"], value="a", elem_id="rows")

        def answer() -> Iterator[dict[Any, Any]]:
            yield {words: gr.update(value="first", visible=True)}  # takes the browser a moment
            yield {slider: gr.update(value=7, interactive=True)}
            yield {rows: gr.update(choices=["c", "d"], value="d")}
            yield {words: "last"}

        go.click(answer, None, [slider, words, rows], show_progress="hidden")
    return demo


def test_parts_of_an_answer_that_arrive_together_are_all_shown():
    with serving(page_in_parts()) as url, chromium() as browser, chromium_page(browser, url) as page:
        page.route("**/queue/data*", lambda route: route.fulfill(response=route.fetch()))  # held until it is complete
        page.locator("#go").click()
        wait_for(lambda: page.locator("#words textarea").input_value() == "last", page=page)
        slider = page.locator("#slider input[type=range]")
        assert slider.is_enabled() and slider.input_value() == "7"
        assert page.locator("#rows input").input_value() == "d"


def test_a_part_that_takes_nothing_away_is_sent_as_what_differs():
    demo = page_in_parts()
    block_fn = next(iter(demo.fns.values()))

    def sent(*parts: Any) -> list[list]:
        """What follows the first part, of the first output."""
        every = [demo.handle_streaming_diffs(block_fn, [part, 0, 0], "session", "run", False)[0] for part in parts]
        last = demo.handle_streaming_diffs(block_fn, [None, 0, 0], "session", "run", True)
        assert last[0] == parts[-1]
        return every[1:]

    assert sent({"pairs": ["x", ""]}, {"pairs": ["x", "y"]}) == [[["append", ["pairs", 1], "y"]]]
    assert sent({"value": 1, "open": True}, {"value": 1}) == [[["replace", [], {"value": 1}]]]
    assert sent({"pairs": ["x", "y"]}, {"pairs": ["x"]}) == [[["replace", [], {"pairs": ["x"]}]]]
    assert sent({"value": 1}, {"value": 1}) == [[]]


def test_an_answer_that_ends_late_leaves_alone_what_is_newer():
    let_go = threading.Event()
    with Blocks(analytics_enabled=False) as demo:
        slow, quick = gr.Button("Slow", elem_id="slow"), gr.Button("Quick", elem_id="quick")
        words, ended = gr.Textbox("", elem_id="words"), gr.Textbox("", elem_id="ended")

        def answer() -> Iterator[dict[Any, Any]]:
            yield {words: "slow"}
            let_go.wait(PATIENCE)
            yield gr.skip()

        slow.click(answer, None, [words]).then(lambda: "yes", None, ended)
        quick.click(lambda: "quick", None, words)
    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as page:

        def shows(name: str, text: str) -> None:
            wait_for(lambda: page.locator(f"#{name} textarea").input_value() == text, page=page)

        page.locator("#slow").click()
        shows("words", "slow")
        page.locator("#quick").click()
        shows("words", "quick")
        let_go.set()
        shows("ended", "yes")
        assert page.locator("#words textarea").input_value() == "quick"


def test_what_is_asked_while_the_last_answer_still_arrives_is_answered():
    with Blocks(analytics_enabled=False) as demo:
        names = ("first", "second")
        words = {name: gr.Textbox("", elem_id=f"says-{name}") for name in names}
        for name in names:
            gr.Button(name, elem_id=name).click(lambda name=name: name, None, words[name])
        demo.fetch_what_is_left()
    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as page:
        held: list[Any] = []
        page.route("**/queue/data*", lambda route: held.append((route, route.fetch())), times=1)
        page.locator("#first").click()
        wait_for(lambda: held, page=page)
        with page.expect_response("**/queue/join*"):
            page.locator("#second").click()
        page.wait_for_timeout(200)
        route, answer = held[0]
        route.fulfill(response=answer)
        for name in names:
            wait_for(lambda name=name: page.locator(f"#says-{name} textarea").input_value() == name, page=page)


def test_what_is_asked_while_the_page_closes_a_stream_that_the_server_has_not_closed_yet_is_answered():
    """A busy server has said that there is no more to come, and its connection stays open for a while."""
    with Blocks(analytics_enabled=False) as demo:
        names = ("first", "second")
        words = {name: gr.Textbox("", elem_id=f"says-{name}") for name in names}
        for name in names:
            gr.Button(name, elem_id=name).click(lambda name=name: name, None, words[name])
        demo.fetch_what_is_left()
    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as page:
        page.evaluate("""() => {
          const plain = window.fetch;
          window.fetch = async (request, ...more) => {
            const answer = await plain(request, ...more);
            if (!request.url?.includes("/queue/data") || window.letGo) return answer;
            const said = new TextEncoder().encode(await answer.text());
            const held = new Promise((resolve) => (window.letGo = resolve));
            const body = new ReadableStream({ start: (stream) => held.then(() => stream.enqueue(said)) });
            return new Response(body, { headers: answer.headers });
          };
        }""")
        page.locator("#first").click()
        page.wait_for_function("Boolean(window.letGo)")
        with page.expect_response("**/queue/join*"):
            page.locator("#second").click()
        page.wait_for_timeout(200)
        page.evaluate("window.letGo()")
        for name in names:
            wait_for(lambda name=name: page.locator(f"#says-{name} textarea").input_value() == name, page=page)


def test_a_stream_that_has_no_answers_to_bring_ends_at_once():
    go_on = threading.Event()
    with Blocks(analytics_enabled=False) as demo:
        words = {name: gr.Textbox("", elem_id=f"says-{name}") for name in ("slow", "quick")}

        def slow() -> str:
            assert go_on.wait(PATIENCE)
            return "slow"

        gr.Button("Slow", elem_id="slow").click(slow, None, words["slow"])
        gr.Button("Quick", elem_id="quick").click(lambda: "quick", None, words["quick"])
    with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as page:
        rested, held = Rest(page), []

        def reading() -> bool:
            """Whether the browser reads a stream of answers."""
            return any("/queue/data" in request.url for request in rested.awaited)

        page.locator("#slow").click()
        wait_for(reading, page=page)
        page.route("**/queue/join*", lambda route: held.append((route, route.fetch())))
        page.locator("#quick").click()
        wait_for(lambda: held, page=page)
        go_on.set()
        wait_for(lambda: not reading(), page=page)
        ((route, answer),) = held  # the word that it was asked for comes after its answer
        route.fulfill(response=answer)
        wait_for(lambda: page.locator("#says-quick textarea").input_value() == "quick", page=page)
        wait_for(rested, page=page)
