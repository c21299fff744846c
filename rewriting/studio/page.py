"""The layout of the page."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import gradio as gr

from rewriting.core.animation import endings
from rewriting.core.presets import Preset, presets
from rewriting.core.rewriter import LOCALITY, RANK
from rewriting.studio.commands import Visiting
from rewriting.studio.components import (
    ContextTray,
    MaskCanvas,
    OwnPictureTray,
    PairSheet,
    PictureSheet,
    PlacementCanvas,
    PresetCards,
    RetouchCanvas,
    RuleList,
)
from rewriting.studio.components.component import StudioComponent, static
from rewriting.studio.encoding import preview_halves
from rewriting.studio.events import Events, wire
from rewriting.studio.fair_queue import NoTurn
from rewriting.studio.gradio_fixes import Blocks
from rewriting.studio.jobs import ALL, Maker, make_needed
from rewriting.studio.programs.api import Api
from rewriting.studio.rendering.hub_view import lay_out_hub
from rewriting.studio.rendering.render import KINDS, NOTHING_COPIED, SLOTS, Render
from rewriting.studio.service import PAIRS, SIDE, Service
from rewriting.studio.state import LAST, LOCALITIES, PAGE, RANKS, State
from rewriting.studio.visitor import Page, Visitor

STATIC = Path(__file__).with_name("static")


def own_text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


CSS = static("colours.css") + "".join(map(own_text, ("page.css", "hub.css", "help.css")))
SOON = 0.3  # seconds for drawing pictures before the page is served
TITLE, ICON = "Rewriting", STATIC / "icon.png"
MODES = [("Paste", "replace"), ("Paint", "paint"), ("Bend", "bend"), ("From a file", "file"), ("Erase", "erase")]
TABS = [("Results", "results"), ("Pictures", "pictures"), ("Explore", "explore"), ("Hub", "hub")]
ORDERS = [("Best matches", "best"), ("Any pictures", "random")]
FORMATS = {".webp": "WebP", ".gif": "GIF", ".mp4": "MP4"}
FILES = "<h2>Save your work, or open a file</h2>"

Components = dict[str, gr.blocks.Block]


def build(service: Service, first: str) -> gr.Blocks:
    """The page, opening on the generator `first`."""
    render = Render(service.about)
    visitor = newcomer(service, first, render)
    with Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 7200)) as page:
        Api(service, first).offer()  # before the page's own events, which leave it the names
        seen = gr.Number(0, visible="hidden", elem_id="seen")
        parts = lay_out()
        fill(parts, render(visitor.state))
        kept, visiting = gr.State(visitor), Visiting(service)
        on = Events(service, render, parts, seen, kept)
        wire(service, on, SimpleNamespace(**parts), page.load, visiting)
        on.keep_order()
        page.leave(kept, visiting.leave)
        for script in ("keys.js", "help.js"):
            page.load(None, None, None, js=own_text(script))
        page.fetch_what_is_left()
    page.at_close = service.close
    return page.queue(default_concurrency_limit=8, max_size=64)


def newcomer(service: Service, generator: str, render: Render) -> Visitor:
    """A new visitor on a generator, with the pictures that are drawn within `SOON`."""
    visitor = Visitor(State.on(service.open(generator)), {})
    late = time.monotonic() + SOON
    with closing(make_needed(visitor, Maker(service), ALL, NoTurn)) as steps:
        for _ in steps:
            if time.monotonic() > late:
                break  # the rest is drawn while the page is looked at
    return Visitor(visitor.state, render(visitor.state))


def lay_out() -> Components:
    """All components by name, laid out as a visitor sees them."""
    with gr.Row(elem_id="head"):
        gr.HTML(f"<h1>{TITLE}</h1><p>Change the rules of an image generator, not one image.</p>", elem_id="title")
        gr.HTML(own_text("help.html"), padding=False, elem_id="help")
        generator = gr.Radio(
            [], show_label=False, container=False, label="Generator", elem_id="generator", elem_classes="choose"
        )
    cards = PresetCards(cards=[card(p) for p in presets().values()], label="Rules to try", elem_id="cards")
    with gr.Row(elem_id="main"):
        with gr.Column(elem_id="make", scale=4, min_width=320):
            making = lay_out_making()
        with gr.Column(elem_id="see", scale=8, min_width=320):
            seeing = lay_out_seeing()
    return {"generator": generator, "cards": cards, **making, **seeing}


def fill(parts: Components, page: Page) -> None:
    """Give the components their first values, so that the page is complete without an event."""
    for part, properties in page.items():
        for name, value in properties.items():
            content = getattr(parts[part], "props", {})
            if name in content:
                content[name] = value
            else:
                setattr(parts[part], name, value)
            if name != "value":
                parts[part].constructor_args[name] = value  # what gradio goes by when it changes something else


def card(preset: Preset) -> dict[str, str]:
    before, after = preview_halves(preset.preview)
    return {"name": preset.name, "title": preset.title, "before": before, "after": after, "group": preset.generator}


def head(number: int) -> gr.HTML:
    return gr.HTML(padding=False, label=f"Step {number}")


def lay_out_making() -> Components:
    """Left: the rule in the making, in five steps."""
    with gr.Column(elem_id="panel-paste"):
        mode = gr.Radio(
            MODES, value="replace", show_label=False, container=False, label="The rule", elem_id="mode",
            elem_classes="choose",
        )  # fmt: skip
        with gr.Row(elem_id="step12") as step12:
            with gr.Column(min_width=0, elem_id="step1"):
                head_copy = head(1)
                copy = canvas(MaskCanvas, "Object to copy", "Pick a picture to copy from", "copy")
            with gr.Column(min_width=0, elem_id="step2"):
                head_paste = head(2)
                paste = canvas(PlacementCanvas, "Place of the object", "Pick a picture to paste into", "paste")
        with gr.Column(elem_id="step-retouch", visible="hidden") as step_retouch:
            head_retouch = head(1)
            retouch = RetouchCanvas(elem_id="retouch")
            retouched = ContextTray(hint="Another", elem_id="retouched", label="Retouched pictures")
        no_copy = gr.HTML(NOTHING_COPIED, padding=False, label="In erase mode", visible="hidden")
    with gr.Column(elem_id="panel-hold"):
        head_hold = head(3)
        kind = gr.Radio(
            KINDS, value="context", show_label=False, container=False, label="Kind of place", elem_id="kind",
            elem_classes="choose",
        )  # fmt: skip
        with gr.Row(elem_id="places"):
            context = canvas(MaskCanvas, "Places", "Pick a picture that the rule should change", "context")
            tray = ContextTray(hint="Add", elem_id="tray")
        with gr.Row(elem_id="bar-places"):
            find = gr.Button("Find pictures like these", size="sm", elem_id="find")
            same = gr.Button("Select similar places", size="sm", elem_id="same")
    with gr.Column(elem_id="panel-go"):
        head_go = head(4)
        rewrite = gr.Button("Rewrite", variant="primary", interactive=False, elem_id="rewrite")
        strength = slider(-1, 2, 1, "Strength", "1: as solved. 0: no change. Below 0: the opposite.", step=0.05)
        strength.interactive = False
    settings = lay_out_settings()
    return settings | {
        "mode": mode, "step12": step12, "step_retouch": step_retouch, "head_retouch": head_retouch, "retouch": retouch,
        "retouched": retouched, "no_copy": no_copy, "head_copy": head_copy, "head_paste": head_paste,
        "head_hold": head_hold, "head_go": head_go, "copy": copy, "paste": paste, "kind": kind, "context": context,
        "tray": tray, "find": find, "same": same, "rewrite": rewrite, "strength": strength,
    }  # fmt: skip


def lay_out_settings() -> Components:
    """The fifth step."""
    with gr.Column(elem_id="panel-tune"):
        head_tune = head(5)
        layer = slider(2, 12, 8, "Layer", " ")
        rank = slider(*RANKS, RANK, "Rank", f"Usually {RANK}. A higher rank follows the goal more closely.")
        locality = slider(*LOCALITIES, LOCALITY, "Locality", " ", step=0.25)
        everywhere = gr.Checkbox(label="Paste at every painted place", container=False, elem_id="everywhere")
        live = gr.Checkbox(label="Live: rewrite after every stroke", container=False, elem_id="live")
    return {
        "head_tune": head_tune, "layer": layer, "rank": rank, "locality": locality, "everywhere": everywhere,
        "live": live,
    }  # fmt: skip


def canvas(kind: type[StudioComponent], label: str, empty: str, name: str) -> StudioComponent:
    return kind(width=SIDE, height=SIDE, label=label, empty=empty, elem_id=name)


def slider(low: float, high: float, value: float, label: str, info: str, step: float = 1) -> gr.Slider:
    return gr.Slider(
        low, high, value, step=step, label=label, info=info, buttons=[], elem_id=label.lower(), elem_classes="line"
    )


def lay_out_seeing() -> Components:
    """Right: the results, the pictures to choose from, and the rules in force."""
    with gr.Column(elem_id="panel-see"):
        with gr.Row(elem_id="bar-tabs"):
            tabs = gr.Radio(
                TABS, value="results", show_label=False, container=False, label="Tabs", interactive=True,
                elem_id="tabs",
            )  # fmt: skip
            busy = gr.HTML(padding=False, label="Progress", elem_id="busy")
            stop = gr.Button("Stop", size="sm", variant="stop", visible="hidden", elem_id="stop")
        own = OwnPictureTray(elem_id="own")
        with gr.Column(elem_id="results"):
            results = lay_out_results()
        with gr.Column(elem_id="pictures"):
            pictures = lay_out_pictures()
        with gr.Column(elem_id="explore"):
            exploring = lay_out_exploring()
        with gr.Column(elem_id="hub"):
            hub = lay_out_hub()
    with gr.Column(elem_id="panel-rules"):
        with gr.Row(elem_id="bar-history"):
            gr.HTML("<h2>Rules in force</h2>", padding=False)
            new = gr.Button("New rule", size="sm", interactive=False, elem_id="new")
            undo = gr.Button("Undo", size="sm", interactive=False, elem_id="undo")
            redo = gr.Button("Redo", size="sm", interactive=False, elem_id="redo")
            reset = gr.Button("Reset", size="sm", interactive=False, elem_id="reset")
        rules = RuleList(elem_id="rules")
    history = {"rules": rules, "new": new, "undo": undo, "redo": redo, "reset": reset}
    panel = {"tabs": tabs, "busy": busy, "stop": stop, "own": own} | history
    return panel | results | pictures | exploring | lay_out_files() | hub


def lay_out_results() -> Components:
    headline = gr.HTML(padding=False, label="Headline of the results", elem_id="headline")
    pairs = PairSheet(count=PAIRS, elem_id="pairs", label="Unseen pictures, before and after")
    with gr.Row(elem_id="bar-results"):
        order = gr.Radio(
            ORDERS, value="best", show_label=False, container=False, label="Order", elem_id="order", visible="hidden",
            elem_classes="choose",
        )  # fmt: skip
        more = gr.Button("Show others", size="sm", elem_id="more")
    return {"headline": headline, "pairs": pairs, "order": order, "more": more}


def lay_out_pictures() -> Components:
    picking = gr.HTML(padding=False, label="Next picture", elem_id="picking")
    with gr.Row(elem_id="bar-slot"):
        gr.HTML("<p class='quiet'>The next picture goes to</p>", padding=False)
        slot = gr.Radio(
            SLOTS, value="copy", show_label=False, container=False, label="The next picture goes to", elem_id="slot",
            elem_classes="choose",
        )  # fmt: skip
    sheet = PictureSheet(count=PAGE, elem_id="sheet", label="Pictures to choose from")
    with gr.Row(elem_id="bar-sheet"):
        previous = gr.Button("Previous", size="sm", elem_id="previous")
        next_ = gr.Button("Next", size="sm", elem_id="next")
        everything = gr.Button("All pictures", size="sm", visible="hidden", elem_id="everything")
        number = gr.Number(label="From number", precision=0, minimum=0, maximum=LAST, elem_id="number")
        label = gr.Dropdown([0], value=0, label="Class", visible="hidden", elem_id="class", min_width=0)
        outlines = gr.Checkbox(label="Outline matching places", container=False, elem_id="outlines")
    return {
        "picking": picking, "slot": slot, "sheet": sheet, "previous": previous, "next": next_,
        "everything": everything, "number": number, "label": label, "outlines": outlines,
    }  # fmt: skip


def lay_out_exploring() -> Components:
    with gr.Row(elem_id="bar-explore"):
        show_matches = gr.Button("Matching places", size="sm", elem_id="show-matches")
        show_alone = gr.Button("Copied object", size="sm", elem_id="show-alone")
        show_layers = gr.Button("Best layer", size="sm", elem_id="show-layers")
    explored = gr.HTML(padding=False, label="Findings", elem_id="explored")
    matches = PictureSheet(count=0, size="large", empty="", elem_id="matches", visible="hidden", label="Best matches")
    with gr.Row(elem_id="bar-layer"):
        use_layer = gr.Button("Use this layer", size="sm", visible="hidden", elem_id="use-layer")
    return {
        "show_matches": show_matches, "show_alone": show_alone, "show_layers": show_layers, "explored": explored,
        "matches": matches, "use_layer": use_layer,
    }  # fmt: skip


def lay_out_files() -> Components:
    """Below: files to save and files to open."""
    with gr.Column(elem_id="panel-share"):
        gr.HTML(FILES, padding=False)
        with gr.Row(elem_id="bar-share"):
            save_edit = gr.Button("Save rules", size="sm", elem_id="save-edit")
            save_request = gr.Button("Save request", size="sm", elem_id="save-request")
            save_sheet = gr.Button("Save sheet", size="sm", elem_id="save-sheet")
            save_walk = gr.Button("Save walk", size="sm", elem_id="save-walk")
            walk_format = gr.Radio(
                [(FORMATS[ending], ending) for ending in endings()], value=".webp", show_label=False, container=False,
                label="Format of the walk", interactive=True, elem_id="walk-format", elem_classes="choose",
            )  # fmt: skip
        files = gr.File(label="Ready to download", interactive=False, elem_id="files")
        upload = gr.File(
            label="Open rules (.zip) or a request (.json)", file_types=[".json", ".zip"], height=104, elem_id="upload"
        )
    return {
        "save_edit": save_edit, "save_request": save_request, "save_sheet": save_sheet, "save_walk": save_walk,
        "walk_format": walk_format,
        "files": files, "upload": upload,
    }  # fmt: skip
