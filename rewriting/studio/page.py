"""The page: what lies where, and which event calls which handler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import gradio as gr

from rewriting.generators import bundled
from rewriting.presets import presets
from rewriting.rewriter import LOCALITY, RANK
from rewriting.studio.components import (
    ContextTray,
    MaskCanvas,
    PairSheet,
    PictureSheet,
    PlacementCanvas,
    PresetCards,
    RuleList,
)
from rewriting.studio.files import Files
from rewriting.studio.handlers import Handlers
from rewriting.studio.parts import Parts
from rewriting.studio.pictures import preview_halves
from rewriting.studio.view import PAGE, View
from rewriting.studio.workshop import PAIRS, SIDE, Workshop

CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
TITLE = "Rewriting"
SLOTS = [("Copy from it", "copy"), ("Paste into it", "paste"), ("Paint the rule on it", "context")]
KINDS = [("The rule holds here", "context"), ("Keep this as it is", "preserve")]
EXPLORE = "<p class='missing'>Paint a rule, then look into it: what it will reach, what it copies, where it is best written.</p>"
WORK = {"concurrency_id": "generator", "concurrency_limit": 2}


def build(workshop: Workshop, first: str) -> gr.Blocks:
    """The page, opening on the generator `first`."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 7200)) as page:
        parts = lay_out(workshop, first)
        wire(page, parts, Handlers(workshop, parts), first)
    return page.queue(default_concurrency_limit=8, max_size=64)


def lay_out(workshop: Workshop, first: str) -> Parts:
    """All components, where a visitor sees them."""
    states = {
        "session": gr.State(workshop.open(first), time_to_live=7200),
        "view": gr.State(View()),
        "shown": gr.State(0),
    }
    with gr.Row(elem_id="head"):
        gr.HTML(f"<h1>{TITLE}</h1><p>Change the rules of an image generator, not one image.</p>", elem_id="title")
        choices = [(name.capitalize(), name) for name in bundled()]
        generator = gr.Radio(choices, value=first, show_label=False, container=False, elem_id="generator")
    cards = PresetCards(cards=[card(p) for p in presets().values()], elem_id="cards")
    with gr.Row(elem_id="main"):
        with gr.Column(elem_id="make", scale=4, min_width=320):
            making = lay_out_making()
        with gr.Column(elem_id="see", scale=8, min_width=320):
            seeing = lay_out_seeing()
    return Parts(**states, generator=generator, cards=cards, **making, **seeing)


def card(preset) -> dict[str, str]:  # noqa: ANN001
    before, after = preview_halves(preset.preview)
    return {"name": preset.name, "title": preset.title, "before": before, "after": after}


def step(number: int, title: str) -> gr.HTML:
    return gr.HTML(f"<h2><em>{number}</em>{title}</h2>", padding=False)


def lay_out_making() -> dict[str, gr.components.Component]:
    """Left: the rule in the making, in three steps."""
    with gr.Column(elem_id="panel-paste"):
        step(1, "Copy and paste")
        erase = gr.Checkbox(
            label="Erase instead: what is painted in step 2 disappears", container=False, elem_id="erase"
        )
        with gr.Row(elem_id="step1") as step1:
            copy = MaskCanvas(
                width=SIDE, height=SIDE, label="Object to copy", empty="Pick a picture to copy from", elem_id="copy"
            )
            paste = PlacementCanvas(
                width=SIDE, height=SIDE, label="Where it goes", empty="Pick a picture to paste into", elem_id="paste"
            )
    with gr.Column(elem_id="panel-hold"):
        step(2, "Where the rule should hold")
        kind = gr.Radio(KINDS, value="context", show_label=False, container=False, elem_id="kind")
        with gr.Row(elem_id="places"):
            context = MaskCanvas(
                width=SIDE, height=SIDE, label="Places", empty="Pick a picture, paint such a place", elem_id="context"
            )
            tray = ContextTray(hint="Add", elem_id="tray")
        find = gr.Button("Find pictures like these", size="sm", elem_id="find")
    with gr.Column(elem_id="panel-go"):
        missing = gr.HTML("", padding=False, elem_id="missing")
        rewrite = gr.Button("Rewrite", variant="primary", interactive=False, elem_id="rewrite")
        strength = gr.Slider(-1, 2, 1, step=0.05, label="Strength", interactive=False, elem_id="strength")
    with gr.Column(elem_id="panel-tune"):
        step(3, "Fine-tune")
        layer = gr.Slider(
            2,
            12,
            8,
            step=1,
            label="Layer",
            info="Low layers decide what is there, high ones how it looks.",
            elem_id="layer",
        )
        rank = gr.Slider(
            1, 20, RANK, step=1, label="Rank", info="Higher follows the goal more closely.", elem_id="rank"
        )
        locality = gr.Slider(
            0, 30, LOCALITY, step=0.5, label="Locality", info="Higher leaves other things alone.", elem_id="locality"
        )
        everywhere = gr.Checkbox(
            label="Paste at every painted place, not only in one picture", container=False, elem_id="everywhere"
        )
        live = gr.Checkbox(label="Live: rewrite after every stroke", container=False, elem_id="live")
    return {
        "erase": erase, "step1": step1, "copy": copy, "paste": paste, "kind": kind, "context": context, "tray": tray,
        "find": find, "missing": missing, "rewrite": rewrite, "strength": strength, "layer": layer, "rank": rank,
        "locality": locality, "everywhere": everywhere, "live": live,
    }  # fmt: skip


def lay_out_seeing() -> dict[str, gr.components.Component]:
    """Right: results, pictures to choose from, and the rules in force."""
    with gr.Column(elem_id="panel-see"), gr.Tabs(selected="results", elem_id="tabs") as tabs:
        with gr.Tab("Results", id="results"):
            headline = gr.HTML(padding=False, elem_id="headline")
            pairs = PairSheet(count=PAIRS, loading=True, elem_id="pairs", label="Unseen pictures, before and after")
            with gr.Row(elem_id="bar-results"):
                order = gr.Radio(
                    [("Best match", "best"), ("Any picture", "random")],
                    value="best", show_label=False, container=False, elem_id="order",
                )  # fmt: skip
                more = gr.Button("Twelve others", size="sm", elem_id="more")
        with gr.Tab("Pictures", id="pictures"):
            slot = gr.Radio(SLOTS, value="copy", label="Picking a picture means", elem_id="slot")
            sheet = PictureSheet(
                count=PAGE, loading=True, size="small", elem_id="sheet", label="Pictures to choose from"
            )
            with gr.Row(elem_id="bar-sheet"):
                previous = gr.Button("Previous", size="sm", elem_id="previous")
                number = gr.Number(label="Go to picture", precision=0, minimum=0, elem_id="number")
                next_ = gr.Button("Next", size="sm", elem_id="next")
        with gr.Tab("Explore", id="explore"):
            with gr.Row(elem_id="bar-explore"):
                show_matches = gr.Button("What the places match", size="sm", elem_id="show-matches")
                show_alone = gr.Button("What the values draw alone", size="sm", elem_id="show-alone")
                show_layers = gr.Button("Which layer suits", size="sm", elem_id="show-layers")
                stop = gr.Button("Stop", size="sm", variant="stop", visible=False, elem_id="stop")
            explored = gr.HTML(EXPLORE, padding=False, elem_id="explored")
            matches = PictureSheet(
                count=0, size="medium", empty="", elem_id="matches", visible=False, label="Best matches"
            )
    with gr.Column(elem_id="panel-rules"):
        with gr.Row(elem_id="bar-history"):
            gr.HTML("<h2>Rules in force</h2>", padding=False)
            new = gr.Button("New rule", size="sm", interactive=False, elem_id="new")
            undo = gr.Button("Undo", size="sm", interactive=False, elem_id="undo")
            redo = gr.Button("Redo", size="sm", interactive=False, elem_id="redo")
            reset = gr.Button("Reset", size="sm", elem_id="reset")
        rules = RuleList(elem_id="rules")
    sharing = lay_out_sharing()
    return sharing | {
        "matches": matches, "explored": explored, "show_matches": show_matches, "show_alone": show_alone,
        "show_layers": show_layers, "stop": stop,
        "tabs": tabs, "headline": headline, "pairs": pairs, "order": order, "more": more, "slot": slot, "sheet": sheet,
        "previous": previous, "next": next_, "number": number, "rules": rules, "new": new, "undo": undo, "redo": redo,
        "reset": reset,
    }  # fmt: skip


def lay_out_sharing() -> dict[str, gr.components.Component]:
    """Below: files to take home and files brought along."""
    with gr.Column(elem_id="panel-share"):
        gr.HTML("<h2>Take it home, or bring one along</h2>", padding=False)
        with gr.Row(elem_id="bar-share"):
            save_edit = gr.Button("Rules", size="sm", elem_id="save-edit")
            save_request = gr.Button("Request", size="sm", elem_id="save-request")
            save_sheet = gr.Button("Sheet", size="sm", elem_id="save-sheet")
            save_walk = gr.Button("Walk", size="sm", elem_id="save-walk")
        files = gr.File(label="Ready to download", interactive=False, visible=False, elem_id="files")
        upload = gr.File(
            label="Drop a request (.json) or rules (.zip) here",
            file_types=[".json", ".zip"],
            height=96,
            elem_id="upload",
        )
    return {
        "save_edit": save_edit, "save_request": save_request, "save_sheet": save_sheet, "save_walk": save_walk,
        "files": files, "upload": upload,
    }  # fmt: skip


def wire(page: gr.Blocks, p: Parts, h: Handlers, first: str) -> None:
    """Which event calls which handler."""
    here, everything = [p.session, p.view], p.all()
    on = partial(dict, outputs=everything, show_progress="hidden", **WORK)

    page.load(partial(h.load, first), None, api_visibility="private", **on())
    p.generator.input(h.load, p.generator, api_name="open_generator", **on())
    p.cards.select(h.choose_preset, [p.cards, *here], api_name="choose_preset", **on())
    p.sheet.select(h.pick, [p.sheet, *here], api_name="pick_picture", **on())
    p.slot.input(h.set_slot, [p.slot, p.view], p.view, api_name="set_slot")
    p.kind.input(h.set_kind, [p.kind, *here], api_name="set_kind", **on())
    p.previous.click(partial(h.turn, -1), here, api_name="previous_page", **on())
    p.next.click(partial(h.turn, 1), here, api_name="next_page", **on())
    p.number.submit(h.go_to, [p.number, *here], api_name="go_to_picture", **on())
    p.find.click(h.search, here, api_name="search", **on())

    painted = [
        p.copy.input(h.paint_copy, [p.copy, *here], api_name="paint_copy", **on()),
        p.paste.input(h.place, [p.paste, *here], api_name="place", **on()),
        p.context.input(h.paint_context, [p.context, *here], api_name="paint_context", **on()),
    ]
    for event, listener in (("edit", p.tray.edit), ("remove", p.tray.remove), ("add", p.tray.add)):
        listener(h.tray, [p.tray, *here], api_name=f"tray_{event}", **on())
    settings = [p.erase, p.everywhere, p.layer, p.rank, p.locality]
    for one in settings:
        change = one.release if isinstance(one, gr.Slider) else one.input
        painted.append(change(h.settings, [*settings, *here], api_visibility="undocumented", **on()))
    for event in painted:
        event.then(h.live, [p.live, *here], api_visibility="private", **on())

    p.rewrite.click(h.rewrite, here, api_name="rewrite", **on())
    p.strength.release(h.strength, [p.strength, *here], api_name="set_strength", **on())
    p.order.input(h.order, [p.order, *here], api_name="order_results", **on())
    p.more.click(h.more, [*here, p.shown], api_name="more_results", **on())
    p.rules.input(h.rules, [p.rules, *here], api_name="change_rules", **on())
    p.new.click(h.new_rule, here, api_name="new_rule", **on())
    p.undo.click(h.undo, here, api_name="undo", **on())
    p.redo.click(h.redo, here, api_name="redo", **on())
    p.reset.click(h.reset, here, api_name="reset", **on())
    wire_files(p, Files(h), on)


def wire_files(p: Parts, f: Files, on: Callable[..., dict]) -> None:
    """Exploring, taking home and bringing along."""
    here = [p.session, p.view]
    p.show_matches.click(f.show_matches, here, api_name="key_matches", **on())
    p.show_alone.click(f.show_alone, here, api_name="values_alone", **on())
    trying = p.show_layers.click(f.show_layers, here, api_name="layer_chart", **on())
    p.stop.click(lambda: gr.update(visible=False), None, p.stop, cancels=[trying], api_visibility="private")
    p.save_edit.click(f.save_edit, here, api_name="save_edit", **on())
    p.save_request.click(f.save_request, here, api_name="save_request", **on())
    p.save_sheet.click(f.save_sheet, here, api_name="save_sheet", **on())
    p.save_walk.click(
        f.save_walk, here, api_name="save_walk", **(on() | {"show_progress": "full", "show_progress_on": p.files})
    )
    p.upload.upload(f.open_file, [p.upload, *here], api_name="open_file", **on())
