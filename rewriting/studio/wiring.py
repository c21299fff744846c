"""Which event calls which function.  Programs have endpoints of their own: `rewriting.studio.api`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from rewriting.studio.events import TICKET, Exploring, Hub, Making, Pictures, Returning, Rules, Sharing
from rewriting.studio.events.base import polite
from rewriting.studio.parts import Parts
from rewriting.studio.showing import Showing
from rewriting.studio.workshop import Workshop

WAITING = {"concurrency_id": "hub", "concurrency_limit": 16}  # what mostly waits for the Hub
HEAVY = {"concurrency_id": "generator", "concurrency_limit": 20}  # what draws or solves for long; see `service`
LAST = {"trigger_mode": "always_last"}  # of what is set again while its last answer still arrives, the last counts
# On phones the pictures and the canvases are far apart; on wide screens the third canvas may lie below the window.
GO = "(name, block) => document.querySelector(name).scrollIntoView({block, behavior: 'smooth'})"
TO_PICTURES = f"() => innerWidth <= 860 && ({GO})('#panel-see', 'start')"
CANVAS = "'#' + document.querySelector('#slot input:checked').value"
TO_CANVAS = f"() => ({GO})({CANVAS}, innerWidth <= 860 ? 'center' : 'nearest')"
# A file that is ready is taken at once; its link stays, for browsers that ask for a press of their own.
DOWNLOAD = """(file) => {
  const follow = (tries) => {
    const links = file ? [...document.querySelectorAll('#files a[download]')] : [];
    const link = links.find((one) => one.getAttribute('href') === file.url);
    if (link) link.click();
    else if (file && tries) setTimeout(follow, 50, tries - 1); // it is not on the page yet
  };
  follow(40);
}"""


def wire(workshop: Workshop, parts: Parts, opened: Callable) -> None:
    """Connect everything.  opened: the event of the page."""
    show = Showing(workshop, parts)
    on = Listener(show)
    wire_scrolling(parts)
    wire_returning(parts, Returning(show), on, opened)
    wire_making(parts, Making(show), on)
    wire_painting(parts, Making(show), on)
    wire_pictures(parts, Pictures(show), on)
    wire_rules(parts, Rules(show), on)
    wire_exploring(parts, Exploring(show), on)
    wire_sharing(parts, Sharing(show), on)
    wire_hub(parts, Hub(show), on)


def wire_scrolling(p: Parts) -> None:
    """Go to where the next thing is to be done.  Wired first, as events of a component wait for each
    other, and for the sheet also because its own event makes the next canvas wait."""
    for sheet in (p.sheet, p.pairs):
        sheet.select(None, None, None, js=TO_CANVAS)
    for listen in (p.copy.choose, p.paste.choose, p.context.choose, p.tray.add, p.find.click, p.rewrite.click):
        listen(None, None, None, js=TO_PICTURES)


def wire_returning(p: Parts, returning: Returning, on: Listener, opened: Callable) -> None:
    ticket = gr.Textbox(visible=False)
    on(opened, returning.come_back, [ticket], p.in_all, heavy=True, api_visibility="private", js=TICKET)


class Listener:
    """Registers events: on(event, function, inputs, outputs) under the function's name, the desk as last input."""

    def __init__(self, show: Showing):
        self.show, self.desk = show, show.parts.desk

    def __call__(
        self,
        listen: Callable,
        function: Callable,
        inputs: list,
        outputs: list,
        *,
        heavy: bool = False,
        returns: bool = False,
        **options: Any,
    ) -> Any:
        """heavy: whether it draws or solves for long.  returns: whether its last part is its result, for programs.
        options: of gradio's listener; and `refused`, from desk to updates: what to show again if the function refuses
        half-way."""
        p = self.show.parts
        before = self.show.as_before if p.pairs in outputs else self.show.busy if p.stop in outputs else None
        refused = options.pop("refused", before)
        usual = {"api_name": function.__name__, "api_visibility": "private", "show_progress": "hidden"}
        usual |= HEAVY if heavy else {}
        outputs = list(dict.fromkeys(outputs))
        queued = self.show.queued if p.busy in outputs else None
        answer = polite(function, refused, self.show.workshop.service, heavy=heavy, returns=returns, queued=queued)
        return listen(answer, [*inputs, self.desk], outputs, **usual | options)


def wire_making(p: Parts, making: Making, on: Listener) -> None:
    on(p.generator.input, making.open_generator, [p.generator], p.in_all, heavy=True, **LAST)
    on(p.cards.select, making.choose_preset, [p.cards], p.in_all, heavy=True, refused=making.no_preset)
    on(p.mode.input, making.set_mode, [p.mode], [*p.in_hand, p.slot, p.kind, p.everywhere], **LAST)
    on(p.kind.input, making.set_kind, [p.kind], [p.context, *p.in_hand], **LAST)
    on(p.rewrite.click, making.rewrite, [], [*p.in_hand, *p.in_rules, *p.in_results, p.tabs], heavy=True)
    shown = [*p.in_rules, *p.in_results]
    on(p.strength.release, making.set_strength, [p.strength], shown, heavy=True, **LAST)
    on(p.new.click, making.new_rule, [], p.in_all)
    on(p.stop.click, making.stop, [], [p.headline, p.pairs, *p.in_work])
    tray = [p.context, p.kind, p.slot, p.tabs, *p.in_hand]
    on(p.tray.add, making.add_place, [p.tray], tray)
    on(p.tray.edit, making.edit_place, [p.tray], tray)
    on(p.tray.remove, making.remove_place, [p.tray], tray)


def wire_painting(p: Parts, making: Making, on: Listener) -> None:
    """Strokes and settings, each of which may be followed by a rewriting."""
    painted = [
        on(p.copy.input, making.paint_copy, [p.copy], p.in_hand),
        on(p.paste.input, making.place, [p.paste], p.in_hand),
        on(p.context.input, making.paint_context, [p.context], p.in_hand),
    ]
    settings = [p.layer, p.rank, p.locality, p.everywhere]
    for number, one in enumerate(settings):
        listen = one.release if isinstance(one, gr.Slider) else one.input
        named = {"api_name": "settings"} if number == 0 else {"api_visibility": "private"}
        painted.append(on(listen, making.settings, settings, p.in_hand, **LAST, **named))
    shown = [*p.in_hand, *p.in_rules, *p.in_results]
    for listen in [p.live.input, *(event.then for event in painted)]:
        on(
            listen, making.live, [p.live], shown, heavy=True, **LAST,
            **({"api_name": "live"} if listen == p.live.input else {"api_visibility": "private"}),
        )  # fmt: skip


def wire_pictures(p: Parts, pictures: Pictures, on: Listener) -> None:
    picked = [*p.in_hand, p.context, p.slot, p.picking]
    on(p.sheet.select, pictures.pick_picture, [p.sheet], picked)
    on(p.pairs.select, pictures.pick_picture, [p.pairs], picked, api_visibility="private")
    on(p.matches.select, pictures.pick_picture, [p.matches], picked, api_visibility="private")
    on(p.slot.input, pictures.await_picture, [p.slot], [p.slot, p.picking], **LAST)
    awaiting = ((p.copy, pictures.await_copy), (p.paste, pictures.await_paste), (p.context, pictures.await_context))
    for canvas, wait in awaiting:
        on(canvas.choose, wait, [], [p.slot, p.picking, p.tabs])
    on(p.previous.click, pictures.previous_page, [], p.in_sheet, trigger_mode="multiple")
    on(p.next.click, pictures.next_page, [], p.in_sheet, trigger_mode="multiple")
    on(p.everything.click, pictures.all_pictures, [], p.in_sheet)
    on(p.number.submit, pictures.go_to_picture, [p.number], p.in_sheet)
    on(
        p.outlines.input, pictures.outline_matches, [p.outlines], p.in_sheet, heavy=True, **LAST,
        refused=pictures.no_outlines,
    )  # fmt: skip
    on(p.find.click, pictures.search, [], [*p.in_sheet, p.tabs], heavy=True)
    on(p.order.input, pictures.order_results, [p.order], p.in_results, heavy=True, **LAST)
    on(p.more.click, pictures.more_results, [], p.in_results, heavy=True)


def wire_rules(p: Parts, rules: Rules, on: Listener) -> None:
    on(p.rules.input, rules.change_rules, [p.rules], p.in_all, heavy=True)
    on(p.undo.click, rules.undo, [], p.in_all, heavy=True, trigger_mode="multiple")
    on(p.redo.click, rules.redo, [], p.in_all, heavy=True, trigger_mode="multiple")
    on(p.reset.click, rules.reset, [], p.in_all, heavy=True)


def wire_exploring(p: Parts, exploring: Exploring, on: Listener) -> None:
    explored, usual = p.in_findings, {"heavy": True, **LAST}
    on(p.show_matches.click, exploring.key_matches, [], explored, refused=exploring.nothing_found, **usual)
    on(p.show_alone.click, exploring.values_alone, [], explored, **usual)
    on(p.show_layers.click, exploring.layer_chart, [], explored, refused=exploring.nothing_found, **usual)
    on(p.use_layer.click, exploring.use_layer, [], p.in_request)


def wire_sharing(p: Parts, sharing: Sharing, on: Listener) -> None:
    saved = [
        on(p.save_edit.click, sharing.save_edit, [], [p.files]),
        on(p.save_request.click, sharing.save_request, [], [p.files]),
        on(p.save_sheet.click, sharing.save_sheet, [], [p.files], heavy=True),
        on(p.save_walk.click, sharing.save_walk, [], [p.files, *p.in_work], heavy=True, returns=True),
    ]
    for event in saved:
        event.success(None, p.files, None, js=DOWNLOAD)
    on(p.upload.upload, sharing.open_file, [p.upload], [*p.in_all, p.upload], heavy=True)


def wire_hub(p: Parts, hub: Hub, on: Listener) -> None:
    h, opened = p.hub, [*p.in_all, p.hub.opening]
    asking = WAITING | LAST
    on(p.tabs.input, hub.visit_hub, [p.tabs], [h.finding, h.found, *h.in_account], **WAITING)
    on(h.open.click, hub.open_repo, [h.address], opened, **asking)
    on(h.address.submit, hub.open_repo, [h.address], opened, api_visibility="private", **asking)
    on(h.found.select, hub.open_found, [h.found], [*opened, h.address], **WAITING)
    on(h.find.click, hub.find_rules, [h.search], [h.finding, h.found], **asking)
    on(h.search.submit, hub.find_rules, [h.search], [h.finding, h.found], api_visibility="private", **asking)
    on(h.sign_in.click, hub.sign_in, [h.token], h.in_account, **asking)
    on(h.token.submit, hub.sign_in, [h.token], h.in_account, api_visibility="private", **asking)
    on(h.sign_out.click, hub.sign_out, [], h.in_account)
    wish = [h.namespace, h.name, h.what, h.visibility, h.how]
    on(h.publish.click, hub.publish_rules, wish, [h.published], **WAITING)
