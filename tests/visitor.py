"""What a person does on the studio's page, with mouse, finger and keyboard, and what they see.

visitor = Visitor(page)
visitor.choose(3, "copy"); visitor.paint("copy", MOUTH); visitor.press("#rewrite")
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser import touch_stroke, wait_for

MOUTH = ((0.4, 0.62), (0.5, 0.65), (0.6, 0.62))  # of a portrait, in shares of its width and height
DROP = """async ([body, name, type]) => {
  const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  const zone = document.querySelector("#upload button");
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


class Visitor:
    """One person on one page."""

    def __init__(self, page: Page):
        self.page = page
        self.until(lambda: self.sources("before"))

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait for something to be true, and return it."""
        return wait_for(what, page=self.page)

    # --- hands ------------------------------------------------------------------------------------------------------

    def press(self, selector: str) -> None:
        self.page.locator(selector).first.click()

    def turn_to(self, tab: str) -> None:
        self.page.locator("#tabs label", has_text=tab).click()

    def choose(self, seed: int, canvas: str) -> None:
        """Press a picture on the sheet, for that canvas."""
        self.turn_to("Pictures")
        self.page.locator(f"#slot input[value={canvas}]").check(force=True)
        old = self.address(f"#{canvas} .picture")
        self.press(f"#sheet .tile[data-seed='{seed}']")
        self.until(lambda: self.address(f"#{canvas} .picture") not in ("", old))

    def paint(self, canvas: str, points: Sequence[tuple[float, float]], *, finger: bool = False) -> None:
        """One stroke over a canvas, and the outline of what is painted by now."""
        spots = self.spots(canvas, points)
        old = self.outline(canvas)
        if finger:
            touch_stroke(self.page, spots)
        else:
            self.page.mouse.move(*spots[0])
            self.page.mouse.down()
            for spot in spots[1:]:
                self.page.mouse.move(*spot, steps=4)
            self.page.mouse.up()
        self.until(lambda: self.outline(canvas) != old)

    def drag(self, canvas: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        first, last = self.spots(canvas, (start, end))
        self.page.mouse.move(*first)
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=6)
        self.page.mouse.up()

    def spots(self, canvas: str, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Shares of a canvas as places in the window."""
        stage = self.page.locator(f"#{canvas} .stage")
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]

    def drop(self, path: Path, body: str, kind: str) -> None:
        """Let a file fall onto the place for files.  body: its bytes, in base64."""
        self.page.evaluate(DROP, [body, path.name, kind])

    def save(self, button: str, folder: Path) -> Path:
        """Press a button that makes a file, which the browser then takes."""
        with self.page.expect_download() as taken:
            self.press(button)
        path = folder / taken.value.suggested_filename
        taken.value.save_as(path)
        return path

    # --- eyes -------------------------------------------------------------------------------------------------------

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def reads(self, selector: str, text: str) -> bool:
        return self.text(selector) == text

    def all(self, selector: str, what: str) -> list[str]:
        """A property of all elements, "" where there is none."""
        return self.page.locator(selector).evaluate_all("(all, what) => all.map((one) => one[what] || '')", what)

    def address(self, selector: str) -> str:
        return next(iter(self.all(selector, "src")), "")

    def outline(self, canvas: str) -> str:
        """Of what is painted, as the data of an SVG path; empty if nothing is."""
        return self.page.locator(f"#{canvas} .outline .light").first.get_attribute("d") or ""

    def sources(self, kind: str) -> list[str]:
        """Addresses of the pictures "before" or "after" that have come."""
        return [one for one in self.all(f"#pairs .place.{kind} img", "src") if one.startswith("data:")]

    def seeds(self) -> list[str]:
        return self.page.locator("#pairs .seed").all_inner_texts()

    def idle(self) -> bool:
        """Whether nothing is under way."""
        return (
            not self.text("#busy").strip() and self.page.locator("#pairs .grid").get_attribute("aria-busy") == "false"
        )

    def results(self) -> list[str]:
        """The pictures after, once they have all come."""
        self.until(lambda: len(self.sources("after")) == 12 and self.idle())
        return self.sources("after")

    def other_results(self, old: list[str]) -> list[str]:
        """The pictures after, once they have all come and are not the old ones."""
        self.until(lambda: self.sources("after") != old and len(self.sources("after")) == 12 and self.idle())
        return self.sources("after")

    def missing(self) -> str:
        """What step 4 says."""
        return self.text("#panel-go small")

    def rules(self) -> list[str]:
        return self.page.locator("#rules .name").all_inner_texts()

    def toast(self) -> str:
        """The one error that is shown."""
        shown: Locator = self.page.locator(".toast-body")
        shown.first.wait_for()
        return re.sub(r"\s+", " ", shown.first.inner_text())
