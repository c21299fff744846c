"""Presses everything on the page at random, and compares the page with itself after a reload.

python -m tests.fuzz_page --rounds 100 --seed 3

Each round opens a page on tiny generators, does some twenty things in a hurry while answers are late, waits until
nothing is under way, and loads the page anew.  What the page shows is a function of what the visitor did, so that both
must look the same; and the browser must have had nothing to complain of.  A round that finds something is named with
its seed, all that was done, and what differs.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as Impatience

from rewriting.studio.gradio_fixes import Blocks
from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests import tiny
from tests.browser import OURS, Rest, callers, chromium, serving, wait_for
from tests.surroundings import PATIENCE

ACTIONS = 20  # in a round, at most
LATE = 0.3  # seconds by which an answer is late, at most
PRESSED = {  # what can be pressed, and how much likelier it is than others
    "#cards .card": 4, "#generator label": 2, "#mode label": 3, "#kind label": 2, "#slot label": 2, "#tabs label": 2,
    "#sheet .tile": 6, "#pairs .seed": 3, "#matches .tile": 1, "#tray button": 3, "#find": 1, "#same": 1,
    "#rewrite": 6, "#stop": 3, "#everywhere input": 1, "#live input": 2, "#previous": 1, "#next": 2, "#everything": 1,
    "#outlines input": 2, "#order label": 2, "#more": 2, "#undo": 5, "#redo": 3, "#new": 2, "#reset": 1,
    "#rules button": 6, "#show-matches": 1, "#show-alone": 1, "#show-layers": 1, "#use-layer": 1,
    "#own .remove": 1, "#own .draw": 2,
    "#own [data-do=cancel]": 1, "#own [data-do=use]": 2,
    "#copy [data-do]": 2, "#context [data-do]": 2, "#retouch [data-do]": 2, "#retouch [data-key]": 1,
    "#retouch .swatch": 1, "#retouched button": 2,
}  # fmt: skip
BUSY = "[document.querySelector('#pairs .grid')?.ariaBusy, document.querySelector('#busy')?.innerText]"
SHOWN = """() => {
  const hash = (text) => [...(text || "")].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 7);
  const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => !one.closest("[data-testid=status-tracker]"));
  const texts = (selector) => all(selector).map((one) => one.innerText.trim().replace(/\\s+/g, " "));
  const pictures = (selector) => all(selector).map((one) => hash(one.getAttribute("src")));
  const attributes = (selector, name) => all(selector).map((one) => one.getAttribute(name) || "");
  const checked = (selector) => all(selector).filter((one) => one.checked).map((one) => one.value);
  const shown = {};
  for (const part of ["headline", "picking", "busy", "explored", "step1", "step2", "step-retouch"]) shown[part] = texts(`#${part} :is(h2, p:not(.for-ears, .hint), strong, span, small, td)`);
  for (const part of ["panel-hold", "panel-go", "panel-tune"]) shown[part] = texts(`#${part} h2`);
  for (const part of ["tabs", "slot", "kind", "mode", "order", "generator"]) shown[part] = [checked(`#${part} input`), texts(`#${part} label`)];
  for (const part of ["rank", "layer", "locality", "strength"]) shown[part] = all(`#${part} input`).map((one) => [one.value, one.min, one.max, one.disabled]);
  for (const part of ["live", "everywhere", "outlines"]) shown[part] = all(`#${part} input`).map((one) => one.checked);
  for (const part of ["undo", "redo", "new", "reset", "rewrite"]) shown[part] = all(`#${part}`).map((one) => one.disabled);
  for (const part of ["stop", "everything", "use-layer", "step12", "step-retouch", "order"]) shown[`${part} visible`] = all(`#${part}`).map((one) => one.checkVisibility());
  shown.own = [texts("#own .label"), texts("#own .words"), pictures("#own .own img"), texts("#own .draw:not([hidden])")];
  shown.pairs = [texts("#pairs .seed"), pictures("#pairs .pair img"), attributes("#pairs .grid", "aria-busy"), texts("#pairs .nothing:not([hidden])")];
  shown.sheet = [texts("#sheet .tile b"), pictures("#sheet .tile img"), all("#sheet .tile").map((one) => hash(one.querySelector(".outline .light")?.getAttribute("d")))];
  shown.matches = pictures("#matches .tile img");
  shown.number = all("#number input").map((one) => one.value);
  shown.cards = attributes("#cards .card[aria-selected=true]", "data-name");
  shown.first = attributes("#cards .card", "data-name").slice(0, 1);
  for (const part of ["copy", "context"]) shown[part] = [pictures(`#${part} .picture`), attributes(`#${part} .outline .light`, "d").map(hash)];
  shown.retouch = [pictures("#retouch .picture"), all("#retouch .layer").map((one) => one.checkVisibility() && hash(one.toDataURL())), all("#retouch .pins g").length, texts("#retouch .note:not([hidden])"), pictures("#retouched img"), pictures("#retouch .drawn:not([hidden]) img")];
  const patch = document.querySelector("#paste .patch");
  shown.paste = [pictures("#paste .picture"), patch.hidden ? "" : [hash(patch.getAttribute("src")), patch.style.left, patch.style.top], pictures("#paste .goal.fresh")];
  shown.tray = [attributes("#tray .open", "title"), pictures("#tray img"), attributes("#tray .outline .light", "d").map(hash)];
  shown.rules = [texts("#rules .name"), texts("#rules .detail"), attributes("#rules .switch", "aria-checked"), all("#rules .amount").map((one) => one.value)];
  return JSON.parse(JSON.stringify(shown));
}"""  # noqa: E501


class Hand:
    """Does things on a page at random, and notes them."""

    def __init__(self, page: Page, dice: random.Random):
        self.page, self.dice, self.done = page, dice, []

    def act(self) -> None:
        act = self.dice.choices(
            (self.press, self.paint, self.move, self.slide, self.turn, self.bring), (20, 6, 4, 2, 2, 1)
        )[0]
        act()
        self.page.wait_for_timeout(self.dice.choice((0, 0, 30, 120, 400)))

    def press(self) -> None:
        selector = self.dice.choices(list(PRESSED), list(PRESSED.values()))[0]
        script = "(all, n) => { const there = all.filter((one) => one.checkVisibility() && !one.disabled);"
        script += " const one = there[n % (there.length || 1)];"
        script += (
            " if (one) one.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true })); if (one) one.click();"
        )
        script += " return Boolean(one); }"
        number = self.dice.randrange(1000)
        if self.page.locator(selector).evaluate_all(script, number):
            self.done.append(f"press {selector} {number}")

    def paint(self) -> None:
        canvas = self.dice.choice(("copy", "context", "retouch"))
        spots = self._spots(canvas, 3)
        if spots and self.page.locator(f"#{canvas} .stage.ready").count():
            self.done.append(f"paint {canvas}")
            self._drag(spots)

    def move(self) -> None:
        spots = self._spots("paste", 2)
        if spots and self.page.locator("#paste .stage.movable").count():
            self.done.append("move the patch")
            self._drag(spots)

    def slide(self) -> None:
        name = self.dice.choice(("strength", "rank", "layer", "locality"))
        slider = self.page.locator(f"#{name} input[type=range]")
        if slider.is_enabled():
            self.done.append(f"slide {name}")
            slider.focus()
            for _ in range(self.dice.randint(1, 3)):
                self.page.keyboard.press(self.dice.choice(("ArrowLeft", "ArrowRight")))

    def turn(self) -> None:
        box = self.page.locator("#number input")
        if box.is_visible():
            self.done.append("go to a picture")
            try:
                box.fill(str(self.dice.choice((0, 24, 31, 5000))), timeout=1000 * LATE * 5)
                box.press("Enter", timeout=1000 * LATE * 5)
            except Impatience:  # the answer to an earlier press has turned to another tab
                self.done.append("which is hidden by now")

    def bring(self) -> None:
        if self.page.locator("#own [data-do=file]").is_visible() and not self.page.locator(".crop[open]").count():
            self.done.append("bring a picture")
            pixels = np.random.default_rng(self.dice.randrange(9)).integers(0, 255, (4, 6, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).resize((96, 64)).save(file, "PNG")
            picture = {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
            self.page.locator("#own .from-file").set_input_files(picture)

    def _spots(self, canvas: str, count: int) -> list[tuple[float, float]]:
        stage = self.page.locator(f"#{canvas} .stage")
        stage.evaluate("(one) => one.scrollIntoView({block: 'center'})")
        box, share = stage.bounding_box(), self.dice.uniform
        if not box:  # it is hidden
            return []
        return [(box["x"] + share(0.1, 0.9) * box["width"], box["y"] + share(0.1, 0.9) * box["height"])
                for _ in range(count)]  # fmt: skip

    def _drag(self, spots: list[tuple[float, float]]) -> None:
        self.page.mouse.move(*spots[0])
        self.page.mouse.down()
        for spot in spots[1:]:
            self.page.mouse.move(*spot, steps=3)
        self.page.mouse.up()


@contextmanager
def late_answers() -> Iterator[random.Random]:
    """Answers reach the browser late, each by another time."""
    dice, in_time = random.Random(), Blocks.postprocess_data

    async def late(self: Blocks, *arguments: Any) -> list[Any]:
        await asyncio.sleep(dice.choice((0, 0, dice.uniform(0, LATE))))
        return await in_time(self, *arguments)

    Blocks.postprocess_data = late
    try:
        yield dice
    finally:
        Blocks.postprocess_data = in_time


def studio() -> Blocks:
    made = {name: tiny.generator(name=name, seed=n) for n, name in enumerate(("face", "church", "horse", "kitchen"))}
    service = Service(load=made.__getitem__)
    service.searched = 96
    return build(service, "face")


def settled(page: Page, rested: Rest, demo: Blocks) -> dict[str, Any]:
    """What the page shows once nothing is under way and nothing changes any more."""
    idle = "document.querySelector('#pairs .grid')?.ariaBusy === 'false' && !document.querySelector('#busy p')"
    shown: list[Any] = [None]

    def still() -> bool:
        if not (rested() and page.evaluate(idle)):
            return False
        shown.append(page.evaluate(SHOWN))
        return shown[-1] == shown[-2]

    try:
        wait_for(still, seconds=PATIENCE, page=page)
    except AssertionError as error:
        raise AssertionError(f"{error}  {unrest(page, rested, shown, demo)}") from None
    return shown[-1]


def unrest(page: Page, rested: Rest, shown: list[Any], demo: Blocks) -> str:
    """Why a page does not come to rest: what it waits for, what changes, what the server does meanwhile, and whether
    the answers are there and were not fetched."""
    said = [f"waits for {request.method} {request.url} {request.post_data}" for request in rested.awaited]
    said.append(f"busy: {page.evaluate(BUSY)}")
    last, before = shown[-1] or {}, (shown[-2] if len(shown) > 1 else None) or {}
    said += [f"{name}: {before.get(name)}, then {last[name]}" for name in last if last[name] != before.get(name)]
    for frame in sys._current_frames().values():
        if any(one.f_code.co_filename.startswith(OURS) for one in callers(frame)):
            said.append("".join(traceback.format_stack(frame)))
    unanswered = {name: list(ids) for name, ids in demo._queue.pending_event_ids_session.items() if ids}
    said.append(f"not answered: {unanswered}")
    page.evaluate("document.querySelector('#fetch').click()")
    page.wait_for_timeout(3000)
    said.append(f"busy after a fetch: {page.evaluate(BUSY)}")
    return "\n    ".join(said)


def play(browser: Browser, url: str, demo: Blocks, seed: int) -> list[str]:
    """One round; what it found."""
    dice = random.Random(seed)
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_navigation_timeout(1000 * PATIENCE)
    page, said = context.new_page(), []
    page.on("dialog", lambda dialog: dialog.accept())
    page.on("pageerror", lambda error: said.append(f"script: {error}"))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    hand = Hand(page, dice)
    try:
        rested = Rest(page)
        page.goto(url)
        settled(page, rested, demo)
        for _ in range(dice.randint(3, ACTIONS)):
            hand.act()
        before = settled(page, rested, demo)
        page.reload()
        after = settled(page, Rest(page), demo)
        said += [
            f"{name}: {before[name]} before, {after[name]} after" for name in before if before[name] != after[name]
        ]
    except Exception as error:
        said.append(f"{type(error).__name__}: {str(error)[:2000]}")
    finally:
        context.close()
    return [*said, "after " + "; ".join(hand.done)] if said else []


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_page", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first (default: 0)")
    options = parser.parse_args(arguments)
    found = 0
    demo = studio()
    with late_answers() as dice, serving(demo, css=CSS, show_error=True) as url, chromium() as browser:
        for seed in range(options.seed, options.seed + options.rounds):
            dice.seed(seed)
            if said := play(browser, url, demo, seed):
                found += 1
                print(f"round {seed}:", *said, sep="\n  ", flush=True)
            elif (done := seed - options.seed + 1) % 50 == 0:
                print(f"{done} of {options.rounds} rounds", flush=True)
    print(f"{options.rounds} rounds, {found} found something")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
