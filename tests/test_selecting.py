"""Pressing on things on the studio's page, in a real browser on a bundled generator."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from rewriting.studio.page import CSS, build
from rewriting.studio.selection import same
from rewriting.studio.service import Service
from tests import tiny
from tests.browser import chromium, chromium_page, serving
from tests.visitor import Visitor
from weights.experiments.press_to_select import overlap
from weights.rules.truth import Truth

TABLE, ELSEWHERE = 1, (0.5, 0.15)  # of a kitchen: the number of a picture, and a place where there is no table


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    service = Service()
    service.searched = 96
    with serving(build(service, "kitchen"), css=CSS, show_error=True) as url, chromium() as browser:
        with chromium_page(browser, url) as opened:
            yield opened


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return Truth("kitchen", 256).mask([TABLE], "table", "reflection")[0]


def painted(page: Page, canvas: str) -> np.ndarray:
    """Where the outline on a canvas is filled, at 256 px, as the browser draws it."""
    return np.array(
        page.evaluate(
            """(canvas) => {
              const path = new Path2D(document.querySelector(`#${canvas} .outline .fill`).getAttribute("d"));
              const context = new OffscreenCanvas(256, 256).getContext("2d");
              context.fill(path, "evenodd");
              const { data } = context.getImageData(0, 0, 256, 256);
              return Array.from({ length: 256 * 256 }, (_, i) => data[4 * i + 3] > 127);
            }""",
            canvas,
        )
    ).reshape(256, 256)


def press(visitor: Visitor, canvas: str, x: float, y: float) -> None:
    old = visitor.outline(canvas)
    visitor.page.locator(f"#{canvas} [data-key=select]").click()
    visitor.page.mouse.click(*visitor.spots(canvas, [(x, y)])[0])
    visitor.until(lambda: visitor.outline(canvas) != old)


def test_a_press_selects_a_table_and_the_same_is_selected_in_others(page: Page, table: np.ndarray):
    visitor = Visitor(page)
    visitor.choose(TABLE, "context")
    row, column = np.argwhere(table).mean(0) / 256
    press(visitor, "context", column, row)
    assert overlap(painted(page, "context"), table) > 0.75
    visitor.until(lambda: page.locator("#tray .item").count() == 1)

    visitor.press("#same")
    visitor.until(lambda: page.locator("#tray .item").count() == 7)
    visitor.until(lambda: all(visitor.all("#tray .item img", "src")))
    visitor.press("#tray .item:nth-child(2) .drop")  # one of them is refused
    visitor.until(lambda: page.locator("#tray .item").count() == 6)
    page.keyboard.press("Control+z")
    visitor.until(lambda: page.locator("#tray .item").count() == 7)
    page.locator("#undo").click()
    visitor.until(lambda: page.locator("#tray .item").count() == 1)


def test_what_is_selected_is_copied_and_can_be_undone(page: Page, table: np.ndarray):
    visitor = Visitor(page)
    visitor.choose(TABLE, "copy")
    press(visitor, "copy", *ELSEWHERE)
    first = painted(page, "copy")
    assert not (first & table).any()
    page.locator("#copy .size input").fill("254")
    visitor.until(lambda: painted(page, "copy").sum() > 1.1 * first.sum())
    page.locator("#copy .size input").fill("60")
    visitor.until(lambda: 0 < painted(page, "copy").sum() < 0.9 * first.sum())
    visitor.until(lambda: visitor.missing() == "needs step 2")
    visitor.press("#copy [data-do=undo]")
    visitor.until(lambda: visitor.missing() == "needs steps 1 and 2")


def test_the_same_is_pressed_where_other_pictures_match_best_and_as_much_of_it_is_selected():
    shop = Service(load=lambda name: tiny.generator(name="face"))
    shop.searched = 96
    session = shop.open("face").paint_place("context", 0, tiny.disk(256, 100, 120, 40))
    found = same(shop, session)
    assert [region.seed for region in found] == [seed for seed in shop.ranked(session) if seed][
        :6
    ]  # picture 0 is painted
    area = (session.request.context[0].mask > 0).mean()
    for region, heat in zip(found, shop.matches(session, [one.seed for one in found]).heat, strict=True):
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        scale = 256 / len(heat)
        assert region.mask[int((row + 0.5) * scale), int((column + 0.5) * scale)]
    assert np.median([(region.mask > 0).mean() for region in found]) == pytest.approx(area, rel=0.5)
