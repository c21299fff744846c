"""Takes the pictures of docs/guide.md from the studio's page: `python -m tests.guide [FOLDER]`."""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests.browser import chromium, chromium_page, serving
from tests.visitor import Visitor

FOLDER = Path(__file__).parent.parent / "docs" / "guide"
GENERATOR, FROM, INTO, ALIKE = "church", 21, 13, 15  # the numbers of the pictures in steps 2, 3 and 4
TREE, TOP, DOME = (0.125, 0.55), (0.43, 0.28), (0.42, 0.23)  # places in them
AREAS = {  # what each picture shows: from the top of the first to the bottom of the second
    "1-look": "#panel-see",
    "2-copy": "#panel-paste",
    "3-paste": "#panel-paste",
    "4-context": "#panel-hold",
    "5-results": "#panel-see",
    "6-tune": "#main",
}


def take(page: Page, folder: Path, name: str) -> None:
    """Save a picture of one area of the page, no higher than the window."""
    area = page.locator(AREAS[name])
    area.scroll_into_view_if_needed()
    page.mouse.move(2, 2)
    page.wait_for_timeout(400)  # for what fades in
    box, window = area.bounding_box(), page.viewport_size
    top, left = max(0, box["y"]), max(0, box["x"])
    clip = {"x": left, "y": top, "width": box["width"], "height": min(box["height"], window["height"] - top)}
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip)))
    picture.convert("RGB").save(folder / f"{name}.webp", quality=82, method=6)


def select(visitor: Visitor, canvas: str, spot: tuple[float, float]) -> None:
    old = visitor.outline(canvas)
    visitor.press(f"#{canvas} [data-key=select]")
    visitor.page.mouse.click(*visitor.spots(canvas, [spot])[0])
    visitor.until(lambda: visitor.outline(canvas) != old)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with serving(build(Service(), GENERATOR), css=CSS, show_error=True) as url, chromium() as browser:
        with chromium_page(browser, url, width=1280, height=900) as page:
            visitor = Visitor(page)
            visitor.turn_to("Pictures")
            visitor.until(lambda: len([one for one in visitor.all("#sheet .tile img", "src") if one]) == 24)
            take(page, folder, "1-look")
            visitor.choose(FROM, "copy")
            select(visitor, "copy", TREE)
            visitor.until(lambda: visitor.missing() == "needs step 2")
            take(page, folder, "2-copy")
            visitor.choose(INTO, "paste")
            old = visitor.until(lambda: visitor.address("#paste .goal.fresh"))
            visitor.drag("paste", TREE, TOP)
            visitor.until(lambda: visitor.address("#paste .goal.fresh") not in ("", old))
            take(page, folder, "3-paste")
            visitor.choose(ALIKE, "context")
            select(visitor, "context", DOME)
            visitor.until(lambda: page.locator("#tray .item").count() == 1)
            visitor.press("#same")
            visitor.until(lambda: page.locator("#tray .item").count() == 7)
            visitor.until(lambda: all(visitor.all("#tray .item img", "src")))
            take(page, folder, "4-context")
            visitor.press("#rewrite")
            visitor.results()
            take(page, folder, "5-results")
            visitor.turn_to("Explore")
            visitor.press("#show-matches")
            visitor.until(lambda: visitor.idle() and visitor.all("#matches .tile img", "src"))
            take(page, folder, "6-tune")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
