"""A page with every component of the studio, and hands to use it with."""

import base64
import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr
import numpy as np
from PIL import Image
from playwright.sync_api import Browser

from rewriting.core.masks import encode_mask
from rewriting.studio.components import (
    ContextTray,
    MaskCanvas,
    PairSheet,
    PictureSheet,
    PlacementCanvas,
    PresetCards,
    RuleList,
)
from tests.browser import chromium, serving, wait_for
from tests.tiny import png_url

SIDE = 64
PRESET = np.zeros((SIDE, SIDE), bool)
PRESET[4:12, 4:20] = True
HOSTILE = "<img src=x onerror=hacked=1> ${window.hacked=1} {{1}} `"
ROWS = [
    {"id": "a", "name": "Frowns become smiles", "detail": "layer 8, rank 5", "strength": 1.0, "on": True},
    {"id": "b", "name": HOSTILE, "detail": HOSTILE, "strength": 0.6, "on": False, "locked": HOSTILE},
]


class Heard:
    """What Python heard, by component, of the page opened last: a page that has gone may still be on its way."""

    def __init__(self) -> None:
        self.opened: str | None = None
        self.pages: dict[str | None, dict[str, list]] = defaultdict(lambda: defaultdict(list))

    def __getitem__(self, name: str) -> list:
        return self.pages[self.opened][name]

    def clear(self) -> None:
        self.opened = None

    def open(self, request: gr.Request) -> None:
        self.opened = request.session_hash

    def hear(self, name: str) -> Callable[..., None]:
        def told(value, request: gr.Request):
            self.pages[request.session_hash][name].append(value)

        return told


def picture(seed, side=SIDE):
    """A picture as a data URL."""
    pixels = (
        np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8).repeat(side // 4, 0).repeat(side // 4, 1)
    )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


PICTURES = [{"seed": n, "image": picture(n), "note": HOSTILE} for n in range(8)]
PAIRS = [{"seed": n, "before": picture(n), "after": picture(n + 1), "note": "98"} for n in range(4)]


def disk_around(press):
    """The answer to a press: a region whose size in steps is five times its radius in pixels, and 50 at first."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    away = np.hypot(x - press["x"] * SIDE, y - press["y"] * SIDE)
    levels = np.minimum(np.ceil(5 * away), 255).astype(np.uint8)
    return {"n": press["n"], "levels": png_url(levels), "size": 50}


def build(heard: Heard) -> gr.Blocks:
    """A page with every component, whose events write down what they got."""
    with gr.Blocks(analytics_enabled=False) as demo:
        demo.load(heard.open, queue=False)
        with gr.Row():
            paint = MaskCanvas(image=picture(1), width=SIDE, height=SIDE, grid=8, elem_id="paint")
            paint.press(lambda press: paint.show(reach=disk_around(press)), paint, paint, show_progress="hidden")
            place = PlacementCanvas(image=picture(2), patch=picture(3, 16), width=SIDE, height=SIDE, elem_id="place")
        wait = gr.Number(0, elem_id="wait")
        gr.Button("value", elem_id="set-value").click(lambda s: time.sleep(s) or PRESET, wait, paint)
        gr.Button("both", elem_id="set-both").click(
            lambda s: time.sleep(s) or paint.show(value=PRESET, image=picture(9)), wait, paint
        )
        gr.Button("size", elem_id="set-size").click(lambda: paint.show(value=None, width=32, height=32), None, paint)
        gr.Button("goal", elem_id="set-goal").click(lambda: place.show(goal=picture(7)), None, place)
        empty = MaskCanvas(elem_id="empty")
        shown = [{"name": f"c{n}", "title": HOSTILE, "group": "odd" if n % 2 else "even"} for n in range(9)]
        cards = PresetCards(cards=shown, elem_id="cards")
        gr.Button("first", elem_id="set-first").click(lambda: cards.show(first="odd"), None, cards)
        items = [{"image": picture(n), "outline": encode_mask(PRESET), "id": f"t{n}"} for n in range(3)]
        tray = ContextTray(items=items, elem_id="tray")
        sheet = PictureSheet(loading=True, count=8, elem_id="sheet")
        gr.Button("pictures", elem_id="set-pictures").click(
            lambda: sheet.show(pictures=PICTURES, loading=False), None, sheet
        )
        pairs = PairSheet(pairs=PAIRS, elem_id="pairs")
        gr.Button("full", elem_id="set-closer").click(
            lambda: pairs.show(closer=[{"seed": 2, "before": picture(20), "after": picture(21)}]), None, pairs
        )
        gr.Button("detail", elem_id="set-detail").click(lambda: pairs.show(detail=True), None, pairs)
        rules = RuleList(ROWS, elem_id="rules")
        for component, event in (
            (paint, "input"), (place, "input"), (cards, "select"), (sheet, "select"), (pairs, "select"),
            (pairs, "enlarge"),
            (tray, "edit"), (tray, "remove"), (tray, "add"), (rules, "input"), (empty, "choose"),
        ):  # fmt: skip
            name = component.elem_id
            getattr(component, event)(
                heard.hear(name), component, None, api_name=f"{name}_{event}", show_progress="hidden"
            )
    return demo


@contextmanager
def component_page(heard: Heard) -> Iterator[tuple[Browser, str]]:
    """A browser and the address of the page; what Python hears is appended to `heard[component]`."""
    with serving(build(heard)) as url, chromium() as browser:
        yield browser, url


def box_of(page, selector):
    page.locator(selector).scroll_into_view_if_needed()
    return page.locator(selector).bounding_box()


def settled_box(page, selector):
    """The box once it stands still: a page that has just opened is still being laid out."""
    boxes = [None]

    def still():
        boxes.append(page.locator(selector).bounding_box())
        page.wait_for_timeout(150)
        return boxes[-1] is not None and boxes[-1] == boxes[-2]

    wait_for(still)
    return boxes[-1]


def at(box, x, y):
    """Where the model position (x, y) is on the screen."""
    return box["x"] + x * box["width"] / SIDE, box["y"] + y * box["height"] / SIDE


def stroke(page, *points, pause=0):
    """Draw with the mouse through model positions on the mask canvas."""
    box = box_of(page, "#paint .stage")
    page.mouse.move(*at(box, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(box, *point), steps=4)
        page.wait_for_timeout(pause)
    page.mouse.up()


def brushed(a, b, radius):
    """Independent reference: the pixels whose centres are within `radius` of the segment from a to b."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    steps = np.linspace(0, 1, 400)[:, None, None]
    return (np.hypot(x - (a[0] + steps * (b[0] - a[0])), y - (a[1] + steps * (b[1] - a[1]))) <= radius).any(0)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def brush_radius(page):
    return float(page.locator("#paint .size input").input_value()) / 2


def last(page, heard, name, count=1):
    wait_for(lambda: len(heard[name]) >= count, page=page)
    page.wait_for_timeout(60)
    assert len(heard[name]) == count
    return heard[name][-1]
