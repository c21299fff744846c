"""Turning, scaling and mirroring the pasted object on the studio's page, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from rewriting import EditStack, Transform
from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests import tiny
from tests.browser import Rest, chromium, chromium_page, serving, touch_stroke, wait_for
from tests.visitor import Visitor

OBJECT = ((0.42, 0.45), (0.6, 0.5))  # in shares of the picture


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    made = {"face": tiny.generator(name="face", resolution=64)}  # in place of a bundled one
    with serving(build(Service(load=made.__getitem__), "face"), css=CSS, show_error=True) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def pasted(page: Page) -> Visitor:
    """Copy a piece of picture 0, and paste it into picture 1."""
    visitor = Visitor(page)
    visitor.choose(0, "copy")
    visitor.paint("copy", OBJECT)
    visitor.choose(1, "paste")
    visitor.until(lambda: page.locator("#paste .goal.fresh").count())
    return visitor


def two_fingers(page: Page, *steps: list[tuple[float, float]]) -> None:
    """Put one finger down and then the other, and move both: steps, each two points of the screen."""
    session = page.context.new_cdp_session(page)
    for kind, points in [
        ("touchStart", steps[0][:1]),
        ("touchStart", steps[0]),
        *(("touchMove", s) for s in steps[1:]),
    ]:
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def knob(page: Page) -> tuple[float, float]:
    """Where the handle that turns is, in shares of the canvas."""
    path = page.locator("#paste .frame .knob").first.get_attribute("d")
    x, y = (float(number) / 256 for number in path[1:].split("h")[0].split())
    return x, y


def numbers(page: Page) -> tuple[str, str, str]:
    """Size, turn, and whether it is mirrored, as the page shows them."""
    values = [page.locator(f"#paste .{name}").input_value() for name in ("scale", "turn")]
    return (*values, page.locator("#paste .mirror").get_attribute("aria-pressed"))


def new_goal(visitor: Visitor, *old: str) -> str:
    return visitor.until(
        lambda: visitor.address("#paste .goal.fresh") not in ("", *old) and visitor.address("#paste .goal.fresh")
    )


def test_a_turned_object_is_drawn_when_it_is_let_go_and_stays_turned(browser: Browser, url: str, tmp_path: Path):
    with chromium_page(browser, url) as page:
        rested = Rest(page)
        visitor = pasted(page)
        goals = [visitor.address("#paste .goal.fresh")]
        page.evaluate("""() => {
          window.goals = 0;
          const seen = new MutationObserver(() => (window.goals += 1));
          seen.observe(document.querySelector("#paste .goal"), { attributeFilter: ["src"] });
        }""")
        page.mouse.move(*visitor.spots("paste", [knob(page)])[0])
        page.mouse.down()
        page.mouse.move(*visitor.spots("paste", [(0.9, 0.3)])[0], steps=8)
        page.wait_for_timeout(300)
        assert page.evaluate("window.goals") == 0 and numbers(page)[1] != "0", "it turns, and no goal is drawn yet"
        page.mouse.up()
        goals.append(new_goal(visitor, *goals))
        assert page.evaluate("window.goals") == 1
        for key in ("m", "Shift+BracketRight", "Shift+BracketRight"):
            page.keyboard.press(key)
        goals.append(new_goal(visitor, *goals))
        assert numbers(page)[0] == "120" and numbers(page)[2] == "true"
        page.locator("#paste .turn").fill("30")
        page.keyboard.press("Enter")
        goals.append(new_goal(visitor, *goals))
        assert numbers(page) == ("120", "30", "true")

        page.locator("#undo").click()
        visitor.until(lambda: numbers(page)[1] not in ("0", "30"))
        page.locator("#redo").click()
        visitor.until(lambda: numbers(page) == ("120", "30", "true"))
        wait_for(rested, page=page)
        page.reload()
        visitor = Visitor(page)
        visitor.until(lambda: numbers(page) == ("120", "30", "true"))

        visitor.press("#rewrite")
        visitor.until(lambda: visitor.rules() == ["Rule 1"])
        visitor.results()
        saved = visitor.save("#save-edit", tmp_path)
    (edit,) = EditStack.load(saved)
    assert edit.request.transform == Transform(1.2, 30, True)
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        page.locator("#upload input[type=file]").set_input_files(saved)
        visitor.until(lambda: visitor.rules() == ["Rule 1"])
        visitor.until(lambda: numbers(page) == ("120", "30", "true"))
        visitor.results()


def test_a_finger_turns_the_object(browser: Browser, url: str):
    with chromium_page(browser, url, width=390, height=844, phone=True) as page:
        visitor = Visitor(page)
        visitor.choose(0, "copy")
        visitor.paint("copy", OBJECT, finger=True)
        visitor.choose(1, "paste")
        old = visitor.until(lambda: visitor.address("#paste .goal.fresh"))
        start = knob(page)
        touch_stroke(page, visitor.spots("paste", [start, (start[0] + 0.2, start[1]), (0.9, 0.45)]))
        new_goal(visitor, old)
        assert 45 <= float(numbers(page)[1]) <= 90 and numbers(page)[0] == "100"
        wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window == 390


def test_two_fingers_on_the_object_scale_and_turn_it_and_elsewhere_zoom(browser: Browser, url: str):
    with chromium_page(browser, url, width=390, height=844, phone=True) as page:
        visitor = Visitor(page)
        visitor.choose(0, "copy")
        visitor.paint("copy", OBJECT, finger=True)
        visitor.choose(1, "paste")
        old = visitor.until(lambda: visitor.address("#paste .goal.fresh"))
        box = page.locator("#paste .frame .corners").first.get_attribute("d")
        corners = [[float(n) / 256 for n in part.split("h")[0].split()] for part in box.split("M")[1:]]
        x, y = (sum(values) / 4 for values in zip(*corners, strict=True))
        start, end = [(x, y), (x + 0.2, y)], [(x, y), (x, y + 0.3)]  # a quarter turn, to one and a half of the size
        halfway = [(x, y), (x + 0.18, y + 0.18)]
        two_fingers(page, *(visitor.spots("paste", points) for points in (start, halfway, end)))
        new_goal(visitor, old)
        size, turn, mirrored = numbers(page)
        assert abs(float(size) - 150) <= 3 and abs(float(turn) - 90) <= 2 and mirrored == "false"
        away = [(0.05, 0.95), (0.3, 0.95)]
        two_fingers(page, visitor.spots("paste", away), visitor.spots("paste", [(0.05, 0.95), (0.6, 0.95)]))
        assert numbers(page) == (size, turn, mirrored), "it stays, and the picture is zoomed"
        assert page.locator("#paste .picture").evaluate("(one) => one.getBoundingClientRect().width") > 500
