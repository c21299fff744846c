"""Events of the page: each runs a command, makes the results that the new state needs, and sends the differences.

`wire` connects events with commands.
"""

from __future__ import annotations

import functools
import html
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import gradio as gr
import numpy as np

from rewriting.core.masks import encode_mask
from rewriting.studio.commands import (
    Bringing,
    Exploring,
    Hub,
    Making,
    Pictures,
    Retouching,
    Rules,
    Saving,
    Selecting,
    Visiting,
)
from rewriting.studio.fair_queue import NoTurn
from rewriting.studio.gradio_fixes import OLDEST, OVERTAKEN, Answer
from rewriting.studio.jobs import ALL, QUICK, Maker, Turns, in_turn, make_needed
from rewriting.studio.rendering.render import Render
from rewriting.studio.retouches import as_told
from rewriting.studio.service import Service
from rewriting.studio.visitor import Task, Visitor

REFUSALS = (ValueError, OSError)  # in one sentence, for people
QUEUES = {
    "quick": {},
    "heavy": {"concurrency_id": "generator", "concurrency_limit": 20},  # long drawing or solving; see `queue`
    "hub": {"concurrency_id": "hub", "concurrency_limit": 16},  # mostly waits for the Hub
}
LAST = {"trigger_mode": "always_last"}  # of several changes during an answer, only the last counts
EACH = {"trigger_mode": "multiple"}  # every press counts
# On phones the pictures and the canvases are far apart; on wide screens the third canvas may lie below the window.
CALM = "matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'"
GO = f"(name, block) => document.querySelector(name).scrollIntoView({{block, behavior: {CALM}}})"
TO_PICTURES = f"() => innerWidth <= 860 && ({GO})('#panel-see', 'start')"
CANVAS = "'#' + document.querySelector('#slot input:checked').value"
TO_CANVAS = f"() => ({GO})({CANVAS}, innerWidth <= 860 ? 'center' : 'nearest')"
# A finished file is downloaded at once; its link stays for browsers that require a press.
DOWNLOAD = """(file) => {
  const follow = (tries) => {
    const links = file ? [...document.querySelectorAll('#files a[download]')] : [];
    const link = links.find((one) => one.getAttribute('href') === file.url);
    if (link) link.click();
    else if (file && tries) setTimeout(follow, 50, tries - 1); // it is not on the page yet
  };
  follow(40);
}"""
# The ticket of a tab, which the browser stores until the tab is closed, if it may.  A duplicated tab has a copy of the
# storage, with the mark of an open tab: it continues the same work under a new ticket.
TICKET = """() => {
  try {
    const { rewriting: before, rewritingOpen: open } = sessionStorage;
    const made = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16)).join("-");
    if (!before || open) sessionStorage.rewriting = made();
    const mark = () => (sessionStorage.rewritingOpen = "yes");
    mark();
    window.addEventListener("pageshow", mark);
    window.addEventListener("pagehide", () => sessionStorage.removeItem("rewritingOpen"));
    return [sessionStorage.rewriting, before || "", location.search, null, null];
  } catch {
    return ["", "", location.search, null, null];
  }
}"""


class Events:
    """Registers events: on(event, command, inputs).

    parts: the page's components by name.  seen: the component with the number of the last sent answer.
    """

    def __init__(self, service: Service, render: Render, parts: dict[str, Any], seen: gr.Number, visitor: gr.State):
        self.queue, self.render, self.make = service.queue, render, Maker(service)
        self.parts, self.seen, self.visitor = parts, seen, visitor
        self.shown = [part for part in parts.values() if part is not visitor]

    def __call__(
        self, listen: Callable, command: Callable, inputs: Sequence[Any] = (), *, queue: str = "quick", **options: Any
    ) -> Any:
        """queue: "quick", "heavy" for a command that waits for its turn, or "hub".  options: of gradio's listener."""
        answer = self.answering(command, inputs, queue)
        # gradio#3714: otherwise gradio sends the progress of each event to every output
        told = {"show_progress": "hidden", "show_progress_on": self.seen}
        usual = {"api_visibility": "private", **told, **QUEUES[queue]}
        return listen(answer, [*inputs, self.seen, self.visitor], [*self.shown, self.seen], **usual | options)

    def keep_order(self) -> None:
        """Repeat changes that a late answer has undone in the browser."""
        again = gr.Button("Again", visible="hidden", elem_id="again")
        self.seen.change(None, self.seen, None, js=OVERTAKEN)
        self(again.click, show_again, [self.seen], js=OLDEST, **EACH)

    def answering(self, command: Callable, inputs: Sequence[Any] = (), queue: str = "quick") -> Callable:
        """The function that gradio calls for the command, for every visitor."""
        names = [next((name for name, part in self.parts.items() if part is one), "") for one in inputs]

        def answers(*arguments: Any) -> Iterator[Any]:
            *values, seen, visitor = arguments
            turns, topics = self.queue.turns(), QUICK if queue == "quick" else ALL
            with self.queue.serving():
                try:
                    for name, value in zip(names, values, strict=True):
                        hear(visitor, name, value, int(seen or 0))
                    shown = -1
                    for given in self._steps(command, values, visitor, turns if queue == "heavy" else NoTurn):
                        for one in self._show(visitor, turns, topics, given):
                            if one.change != shown or one.more:
                                yield one
                            shown = one.change
                except REFUSALS as error:
                    yield self._answer(visitor)
                    raise refusal(error) from error
            # gradio sends the last part again at the end, when another event may have changed the page; and without a
            # last part, it would empty all outputs.
            yield gr.skip()

        def answers_to_account(oauth: gr.OAuthToken | None, *arguments: Any) -> Iterator[Any]:
            with_login = functools.partial(command, oauth=oauth)
            yield from self.answering(with_login, inputs, queue)(*arguments)

        asks = not isinstance(command, functools.partial) and "oauth" in inspect.signature(command).parameters
        chosen = answers_to_account if asks else answers
        chosen.__name__ = getattr(command, "__name__", "answers")
        return chosen

    def _steps(
        self, command: Callable, values: Sequence[Any], visitor: Visitor, turns: Turns
    ) -> Iterator[dict[str, Any] | None]:
        """Run a command; yields files to hand over, or None, whenever the page should change."""
        if not inspect.isgeneratorfunction(getattr(command, "func", command)):
            visitor.change(lambda state: command(state, *values))
            yield None
            return
        with closing(command(visitor, *values)) as steps:
            task, given = None, next(steps, None)  # the first step only announces the work, and needs no turn
            while given is not None:
                yield given if isinstance(given, dict) else None
                task = given if isinstance(given, Task) else task
                waiting = in_turn(task, turns, lambda: next(steps, None))
                given = yield from waiting
        yield None

    def _show(
        self, visitor: Visitor, turns: Turns, topics: tuple[str, ...], more: dict[str, Any] | None = None
    ) -> Iterator[Answer]:
        """Make the results that the state needs, and show the state, with files to hand over."""
        for _ in make_needed(visitor, self.make, self.make.at_hand(visitor.state), turns):
            pass
        for _ in make_needed(visitor, self.make, topics, turns):
            yield self._answer(visitor, more)
            more = None

    def _answer(self, visitor: Visitor, more: dict[str, Any] | None = None) -> Answer:
        state, change = visitor.now()
        return Answer(visitor, self.render(state), change, self.parts, self.seen, more or {})


def hear(visitor: Visitor, part: str, value: Any, seen: int) -> None:
    """Note a component's value, as it arrives with an event."""
    if part in ("copy", "context"):
        if isinstance(value, dict):
            return visitor.forget(part, "value")  # the browser told of a press, and not what is painted
        value = "" if value is None else encode_mask(np.asarray(value) > 0)
    elif part == "retouch":
        value = as_told(value)
        if value and "picture" in value:
            return visitor.forget(part, "value")  # its changes have not been found yet
    elif part == "rules":
        value = {"rows": value["rows"]} if value else {"rows": []}
    if part not in ("", "token", "own"):
        visitor.heard(part, "value", value, seen)


def show_again(visitor: Visitor, oldest: float | None) -> Iterator[Task]:
    """Send newer values again.  oldest: the lowest number of an answer that arrived after a newer one."""
    if oldest is not None:
        visitor.overtaken(int(oldest))
    yield from ()


def refusal(error: Exception) -> gr.Error:
    """The error as a message in a corner of the page."""
    return gr.Error(html.escape(str(error), quote=False), print_exception=False)


# --- the command of each event ---------------------------------------------------------------------------------------


def wire(service: Service, on: Events, p: Any, opened: Callable, visiting: Visiting) -> None:
    """Connect everything.  p: the page's components, as attributes.  opened: the event of the page."""
    making, pictures, rules = Making(service), Pictures(service), Rules()
    wire_scrolling(p)
    wire_visiting(on, visiting, opened)
    wire_making(on, p, making)
    wire_painting(on, p, making, Retouching(service))
    wire_pictures(on, p, pictures)
    wire_bringing(on, p, Bringing(service))
    wire_selecting(on, p, Selecting(service))
    on(p.rules.input, rules.change_rules, [p.rules], queue="heavy")
    on(p.undo.click, rules.undo, queue="heavy", **EACH)
    on(p.redo.click, rules.redo, queue="heavy", **EACH)
    on(p.reset.click, rules.reset, queue="heavy")
    wire_exploring(on, p, Exploring(service))
    wire_saving(on, p, Saving(service))
    wire_hub(on, p, Hub(service))


def wire_scrolling(p: Any) -> None:
    """Scroll to the place of the next action.  Wired first, because events of a component wait for each other, and
    because the sheet's own event changes the next canvas."""
    for sheet in (p.sheet, p.pairs):
        sheet.select(None, None, None, js=TO_CANVAS)
    asks = (p.copy.choose, p.paste.choose, p.context.choose, p.retouch.choose, p.tray.add, p.retouched.add)
    for listen in (*asks, p.find.click, p.rewrite.click):
        listen(None, None, None, js=TO_PICTURES)


def wire_visiting(on: Events, visiting: Visiting, opened: Callable) -> None:
    told = [gr.Textbox(visible=False) for _ in range(3)]
    on(opened, visiting.come, told, queue="heavy", js=TICKET)


def wire_making(on: Events, p: Any, making: Making) -> None:
    on(p.generator.input, making.open_generator, [p.generator], queue="heavy", **LAST)
    on(p.cards.select, making.choose_preset, [p.cards], queue="heavy")
    on(p.mode.input, making.set_mode, [p.mode], **LAST)
    on(p.kind.input, making.set_kind, [p.kind], **LAST)
    on(p.rewrite.click, making.rewrite, queue="heavy")
    on(p.strength.release, making.set_strength, [p.strength], queue="heavy", **LAST)
    on(p.new.click, making.new_rule, queue="heavy")
    on(p.stop.click, making.stop)
    on(p.tray.add, making.add_place, [p.tray])
    on(p.tray.edit, making.edit_place, [p.tray])
    on(p.tray.remove, making.remove_place, [p.tray])


def wire_painting(on: Events, p: Any, making: Making, retouching: Retouching) -> None:
    """Strokes and settings; in live mode a rewrite follows each of them."""
    changed = [
        on(p.copy.input, making.paint_copy, [p.copy]),
        on(p.paste.input, making.place, [p.paste]),
        on(p.context.input, making.paint_context, [p.context]),
        on(p.retouch.input, retouching.retouch, [p.retouch]),
        on(p.live.input, making.set_live, [p.live], **LAST),
    ]
    on(p.retouch.choose, retouching.await_picture)
    on(p.retouched.add, retouching.add, [p.retouched])
    on(p.retouched.edit, retouching.edit, [p.retouched])
    on(p.retouched.remove, retouching.remove, [p.retouched])
    settings = [p.layer, p.rank, p.locality, p.everywhere]
    for one in settings:
        listen = one.release if isinstance(one, gr.Slider) else one.input
        changed.append(on(listen, making.settings, settings, **LAST))
    for event in changed:
        on(event.then, making.follow, queue="heavy", **LAST)


def wire_pictures(on: Events, p: Any, pictures: Pictures) -> None:
    for sheet in (p.sheet, p.pairs, p.matches):
        on(sheet.select, pictures.pick_picture, [sheet])
    on(p.pairs.enlarge, pictures.look_closer, [p.pairs])
    on(p.slot.input, pictures.await_picture, [p.slot], **LAST)
    on(p.copy.choose, pictures.await_copy)
    on(p.paste.choose, pictures.await_paste)
    on(p.context.choose, pictures.await_context)
    on(p.previous.click, pictures.previous_page, **EACH)
    on(p.next.click, pictures.next_page, **EACH)
    on(p.everything.click, pictures.all_pictures)
    on(p.number.submit, pictures.go_to_picture, [p.number], **LAST)
    on(p.label.input, pictures.choose_class, [p.label], queue="heavy", **LAST)
    on(p.outlines.input, pictures.outline_matches, [p.outlines], queue="heavy", **LAST)
    on(p.find.click, pictures.search, queue="heavy")
    on(p.order.input, pictures.order_results, [p.order], queue="heavy", **LAST)
    on(p.more.click, pictures.more_results, queue="heavy")


def wire_bringing(on: Events, p: Any, bringing: Bringing) -> None:
    on(p.own.bring, bringing.bring, [p.own], queue="heavy")
    on(p.own.draw, bringing.draw, [p.own], queue="heavy")
    on(p.own.remove, bringing.remove, [p.own], queue="heavy")


def wire_selecting(on: Events, p: Any, selecting: Selecting) -> None:
    on(p.copy.press, selecting.press_copy, [p.copy])
    on(p.context.press, selecting.press_context, [p.context])
    filled = on(p.same.click, selecting.select_similar, queue="heavy")
    on(filled.then, Making(selecting.service).follow, queue="heavy", **LAST)


def wire_exploring(on: Events, p: Any, exploring: Exploring) -> None:
    on(p.show_matches.click, exploring.key_matches, queue="heavy", **LAST)
    on(p.show_alone.click, exploring.values_alone, queue="heavy", **LAST)
    on(p.show_layers.click, exploring.layer_chart, queue="heavy", **LAST)
    on(p.use_layer.click, exploring.use_layer, queue="heavy")


def wire_saving(on: Events, p: Any, saving: Saving) -> None:
    saved = [
        on(p.save_edit.click, saving.save_edit),
        on(p.save_request.click, saving.save_request),
        on(p.save_sheet.click, saving.save_sheet, queue="heavy"),
        on(p.save_walk.click, saving.save_walk, [p.walk_format], queue="heavy"),
    ]
    for event in saved:
        event.success(None, p.files, None, js=DOWNLOAD)
    on(p.upload.upload, saving.open_file, [p.upload], queue="heavy", **EACH)


def wire_hub(on: Events, p: Any, hub: Hub) -> None:
    on(p.tabs.input, hub.visit, [p.tabs], queue="hub", **EACH)
    for listen in (p.open_repo.click, p.address.submit):
        on(listen, hub.open_repo, [p.address], queue="hub", **LAST)
    on(p.which_file.input, hub.open_file, [p.which_file], queue="hub", **LAST)
    on(p.use_offered.click, hub.use_offered, queue="heavy")
    on(p.found.select, hub.open_found, [p.found], queue="hub")
    for listen in (p.find_rules.click, p.search_rules.submit):
        on(listen, hub.find_rules, [p.search_rules], queue="hub", **LAST)
    for listen in (p.sign_in.click, p.token.submit):
        on(listen, hub.sign_in, [p.token], queue="hub", **LAST)
    on(p.sign_out.click, hub.sign_out)
    wish = [p.namespace, p.repo_name, p.what, p.visibility, p.how, p.with_pictures]
    on(p.publish.click, hub.publish_rules, wish, queue="hub")
