"""Goals that are pictures, as visitors make them: painted, bent by touch, and brought back as a file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from rewriting.studio.commands import retouching
from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests import tiny
from tests.browser import Rest, chromium, chromium_page, serving, touch_stroke, wait_for

NAME, STEPS = "face", 15  # a tiny generator takes the place of a bundled one; people wait for more steps of learning


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    made = {NAME: tiny.generator(name=NAME, resolution=64)}
    service = Service(load=made.__getitem__)
    quick = lambda session: service.rewriter(NAME).learn(session.request, steps=STEPS, for_other_pictures=True)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "learn", quick)
        patch.setattr(retouching, "STEPS", STEPS)
        with serving(build(service, NAME), css=CSS) as address:
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def turn_to(page: Page, way: str) -> None:
    """A way to show the goal, with picture 2 in the canvas."""
    page.locator("#mode label", has_text=way).click()
    page.locator("#tabs label", has_text="Pictures").click()
    page.locator("#sheet .tile").nth(2).click()
    page.wait_for_selector("#retouch .stage.ready")


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    page.locator("#retouch .stage").scroll_into_view_if_needed()
    box = page.locator("#retouch .stage").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def colour(page: Page, x: float, y: float) -> list[int]:
    """Of what was painted at a place: red, green, blue, and how opaque it is."""
    script = """(canvas, [x, y]) => {
      const { data } = canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1);
      return [...data];
    }"""
    return page.locator("#retouch .layer").evaluate(script, [x, y])


def count(page: Page) -> int:
    return page.locator("#retouched .item").count()


def test_a_picture_is_painted_by_mouse_and_keys_and_the_rule_is_learned(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        rest = Rest(page)
        turn_to(page, "Paint")
        page.mouse.move(*at(page, 0.4, 0.4))
        page.mouse.down()
        page.mouse.move(*at(page, 0.6, 0.6), steps=5)
        page.mouse.up()
        assert colour(page, 0.5, 0.5) == [220, 30, 30, 255] and colour(page, 0.9, 0.1)[3] == 0
        wait_for(lambda: count(page) == 1, page=page)
        page.locator("#retouch [data-colour='#2f6fde']").click()
        page.locator("#retouch .stage").focus()
        page.mouse.move(*at(page, 0.2, 0.2))
        page.keyboard.press(" ")
        assert colour(page, 0.2, 0.2) == [47, 111, 222, 255]
        page.keyboard.press("Control+z")
        assert colour(page, 0.2, 0.2)[3] == 0 and colour(page, 0.5, 0.5)[3] == 255
        page.keyboard.press("e")
        page.mouse.move(*at(page, 0.5, 0.5))
        page.keyboard.press(" ")
        assert colour(page, 0.5, 0.5)[3] == 0  # back to the picture
        page.keyboard.press("Control+z")
        wait_for(rest, page=page)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#rules .name")
        page.wait_for_selector("#retouch .drawn:not([hidden]) img[src]")
        wait_for(lambda: "of the way" in page.locator("#headline").inner_text(), page=page)
        wait_for(rest, page=page)
        page.reload()
        page.wait_for_selector("#retouch .stage.ready")
        wait_for(lambda: colour(page, 0.5, 0.5) == [220, 30, 30, 255] and count(page) == 1, page=page)
        page.locator("#undo").click()
        wait_for(lambda: not page.locator("#rules .name").count() and count(page) == 1, page=page)
        wait_for(rest, page=page)


def test_rewrite_covers_no_tool_of_the_canvas_in_a_low_window(browser: Browser, url: str):
    uncovered = """(tools) => tools.every((tool) => {
      const box = tool.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
      return y < 0 || y > innerHeight || tool.contains(document.elementFromPoint(x, y));
    })"""
    in_sight = "(one) => one.getBoundingClientRect().bottom <= innerHeight"
    with chromium_page(browser, url, width=1280, height=700) as page:
        turn_to(page, "Paint")
        page.mouse.click(*at(page, 0.4, 0.4))
        page.wait_for_selector("#rewrite:not(:disabled)")
        page.locator("#retouch .colours").scroll_into_view_if_needed()
        page.mouse.move(*at(page, 0.5, 0.1))
        tools = page.locator("#retouch [data-colour]")
        assert tools.count() > 4
        wait_for(lambda: tools.evaluate_all(uncovered), page=page)
        page.mouse.move(2, 2)
        wait_for(lambda: page.locator("#rewrite").evaluate(in_sight), page=page)


def test_a_picture_is_bent_by_touch(browser: Browser, url: str):
    with chromium_page(browser, url, width=390, height=844, phone=True) as page:
        rest = Rest(page)
        turn_to(page, "Bend")
        touch_stroke(page, [at(page, 0.5, 0.5), at(page, 0.55, 0.45), at(page, 0.6, 0.4)])
        wait_for(lambda: page.locator("#retouch .pins .to").count() == 1, page=page)
        assert colour(page, 0.55, 0.45)[3] == 255
        assert colour(page, 0.95, 0.95)[3] == 0
        touch_stroke(page, [at(page, 0.3, 0.6)])
        wait_for(lambda: page.locator("#retouch .pins .pin").count() == 1, page=page)
        wait_for(lambda: count(page) == 1, page=page)
        wait_for(rest, page=page)
        page.locator("#retouch [data-do=undo]").click()
        page.locator("#retouch [data-do=undo]").click()
        wait_for(lambda: not page.locator("#retouch .pins g").count(), page=page)  # drawn with the next frame
        wait_for(lambda: count(page) == 0, page=page)
        wait_for(rest, page=page)

        # a page that is loaded anew shows what was bent to the pixel
        touch_stroke(page, [at(page, 0.313, 0.517), at(page, 0.4, 0.45), at(page, 0.417, 0.433)])
        wait_for(lambda: count(page) == 1, page=page)
        wait_for(rest, page=page)
        pixels = "(canvas) => canvas.toDataURL()"
        bent = page.locator("#retouch .layer").evaluate(pixels)
        rest = Rest(page)
        page.reload()
        wait_for(lambda: page.locator("#retouch .pins g").count() and rest(), page=page)
        assert page.locator("#retouch .layer").evaluate(pixels) == bent


def test_a_picture_is_saved_retouched_elsewhere_and_brought_back(browser: Browser, url: str, tmp_path: Path):
    with chromium_page(browser, url) as page:
        rest = Rest(page)
        turn_to(page, "From a file")
        page.mouse.click(*at(page, 0.5, 0.5))
        assert "Save the picture" in page.locator("#retouch .hint").inner_text()  # no file was opened yet
        with page.expect_download() as saved:
            page.locator("#retouch .save").click()
        assert saved.value.suggested_filename == "face-2.png"
        picture = np.asarray(Image.open(saved.value.path()).convert("RGB")).copy()
        assert picture.shape == (64, 64, 3)
        picture[20:36, 24:44] = (20, 160, 240)
        Image.fromarray(picture).save(tmp_path / "retouched.jpg", quality=90)
        page.locator("#retouch input[type=file]").set_input_files(tmp_path / "retouched.jpg")
        page.wait_for_selector("#retouch .stage.found")
        wait_for(lambda: count(page) == 1, page=page)
        assert colour(page, 34 / 64, 28 / 64)[3] == 255 and colour(page, 5 / 64, 60 / 64)[3] == 0
        assert page.locator("#retouch .outline path.light").get_attribute("d")
        page.locator("#retouch .stage").focus()
        page.keyboard.press("e")
        page.mouse.click(*at(page, 34 / 64, 28 / 64))
        assert colour(page, 34 / 64, 28 / 64)[3] == 0
        page.keyboard.press("b")
        page.mouse.click(*at(page, 34 / 64, 28 / 64))
        red, green, blue, opaque = colour(page, 34 / 64, 28 / 64)
        assert opaque == 255 and blue > 200 and red < 60
        wait_for(rest, page=page)
