"""The studio's mask canvas in a real browser: what a person paints is what Python hears, and nothing is lost."""

import numpy as np
import pytest

from tests.browser import chromium_page, touch_stroke, wait_for
from tests.component_page import PRESET, SIDE, at, box_of, brush_radius, brushed, last, overlap, stroke

pytest_plugins = ("tests.component_fixtures",)


def test_a_stroke_selects_the_pixels_under_the_brush_and_is_told_once(page, heard):
    stroke(page, (20, 30), (50, 40))
    mask = last(page, heard, "paint")
    # Browsers round pointer positions to screen pixels, here a fraction of a model pixel, which only moves the rim.
    assert overlap(mask, brushed((20, 30), (50, 40), brush_radius(page))) > 0.95
    assert page.locator("#paint .outline .fill").get_attribute("d").startswith("M")


@pytest.mark.parametrize("delay", [0, 100, 300])
@pytest.mark.parametrize("button", ["#set-value", "#set-both"])
@pytest.mark.parametrize("server", ["0", "0.25"])
def test_no_stroke_is_lost_right_after_python_sets_a_value(page, heard, delay, button, server):
    page.locator("#wait input").fill(server)
    page.locator(button).click()
    page.wait_for_timeout(delay)
    stroke(page, (20, 40), (50, 40))
    both = PRESET | brushed((20, 40), (50, 40), brush_radius(page))
    wait_for(lambda: heard["paint"] and overlap(heard["paint"][-1], both) > 0.95, page=page)
    page.wait_for_timeout(400)
    assert overlap(heard["paint"][-1], both) > 0.95


def test_a_stroke_in_progress_survives_python_setting_a_value(page, heard):
    page.locator("#wait input").fill("0.3")
    page.locator("#set-value").click()
    stroke(page, (10, 40), (20, 40), (30, 40), (40, 40), (50, 40), pause=150)
    both = PRESET | brushed((10, 40), (50, 40), brush_radius(page))
    wait_for(lambda: heard["paint"] and overlap(heard["paint"][-1], both) > 0.95, page=page)


def test_a_value_set_after_another_action_replaces_older_strokes(page, heard):
    stroke(page, (20, 40), (50, 40))
    last(page, heard, "paint")
    page.locator("#set-value").click()
    wait_for(lambda: page.locator("#paint [data-do=undo]").is_disabled(), page=page)
    stroke(page, (30, 58), (31, 58))
    mask = last(page, heard, "paint", 2)
    assert mask[4:12, 4:20].all() and not mask[40, 35]


def test_another_size_of_model_gives_masks_of_that_size(page, heard):
    stroke(page, (20, 30), (50, 40))
    last(page, heard, "paint")
    page.locator("#set-size").click()
    wait_for(lambda: page.locator("#paint .outline").get_attribute("viewBox") == "0 0 32 32", page=page)
    stroke(page, (20, 30), (50, 30))
    mask = last(page, heard, "paint", 2)
    assert mask.shape == (32, 32) and mask[15, 12:24].all() and not mask[20:].any()


def test_undo_redo_clear_and_eraser(page, heard):
    buttons = [page.locator(f"#paint [data-do={name}]") for name in ("undo", "redo", "clear")]
    assert all(button.is_disabled() for button in buttons)
    stroke(page, (20, 30), (50, 30))
    stroke(page, (20, 50), (50, 50))
    one, two = last(page, heard, "paint", 2), heard["paint"][0]
    page.keyboard.press("Control+z")
    assert (last(page, heard, "paint", 3) == two).all()
    page.keyboard.press("Control+Shift+Z")
    assert (last(page, heard, "paint", 4) == one).all()
    page.keyboard.press("e")
    stroke(page, (35, 20), (35, 60))
    erased = last(page, heard, "paint", 5)
    assert not erased[30, 35] and not erased[50, 35] and erased[30, 22] and erased[50, 48]
    page.locator("#paint [data-do=clear]").click()
    assert last(page, heard, "paint", 6) is None
    page.locator("#paint [data-do=undo]").click()
    assert (last(page, heard, "paint", 7) == erased).all()


def test_thirty_steps_can_be_undone(page, heard):
    for n in range(31):
        stroke(page, (2 * n + 1, 30), (2 * n + 1, 31))
    wait_for(lambda: heard["paint"] and heard["paint"][-1][30].all(), page=page)
    first = heard["paint"][0]
    for _ in range(40):
        page.keyboard.press("Control+z")
    assert page.locator("#paint [data-do=undo]").is_disabled()
    wait_for(lambda: (heard["paint"][-1] == first).all(), page=page)


def test_escape_takes_back_the_stroke_in_progress(page, heard):
    box = box_of(page, "#paint .stage")
    page.mouse.move(*at(box, 20, 20))
    page.mouse.down()
    page.mouse.move(*at(box, 40, 40), steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    stroke(page, (10, 55), (12, 55))
    mask = last(page, heard, "paint")
    assert mask[55, 11] and not mask[30, 30]


def test_a_stroke_may_begin_and_end_outside(page, heard):
    box = box_of(page, "#paint .stage")
    page.mouse.move(box["x"] - 14, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=6)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 12, steps=6)
    page.mouse.up()
    mask = last(page, heard, "paint")
    assert mask[SIDE // 2, : SIDE // 2].all() and mask[: SIDE // 2, SIDE // 2].all()


def test_brush_size_and_painting_by_keyboard(page, heard):
    page.locator("#paint .stage").focus()
    before = brush_radius(page)
    for key in ("]", "]", "[", "]"):
        page.keyboard.press(key)
    assert brush_radius(page) > before
    for key in ("Shift+ArrowRight", "ArrowDown", " "):
        page.keyboard.press(key)
    mask = last(page, heard, "paint")
    assert overlap(mask, brushed((40, 33), (40, 33), brush_radius(page))) == 1


def test_a_canvas_can_be_had_as_large_as_the_window(page, heard):
    small = box_of(page, "#paint .stage")
    page.locator("#paint .enlarge").click()
    large, window = box_of(page, "#paint .stage"), page.viewport_size
    room = min(window["width"], window["height"])
    assert large["width"] > max(0.8 * room, 1.2 * small["width"]) and large["height"] == large["width"]
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    stroke(page, (20, 30), (50, 40))
    assert overlap(last(page, heard, "paint"), brushed((20, 30), (50, 40), brush_radius(page))) > 0.95
    page.mouse.move(*at(large, 10, 10))
    page.mouse.down()
    page.mouse.move(*at(large, 30, 10), steps=3)
    page.keyboard.press("Escape")  # takes the stroke back, and stays
    page.mouse.up()
    assert box_of(page, "#paint .stage") == large and not heard["paint"][-1][10, 20]
    page.keyboard.press("Escape")
    assert box_of(page, "#paint .stage") == small and page.evaluate("document.activeElement.className").endswith(
        "enlarge"
    )
    stroke(page, (20, 55), (50, 55))
    assert last(page, heard, "paint", 2)[[32, 55], 30].all()


def test_a_press_beside_a_large_canvas_is_the_way_back(page, heard):
    small = box_of(page, "#paint .stage")
    page.locator("#paint .enlarge").click()
    page.mouse.click(3, 3)
    assert box_of(page, "#paint .stage") == small and not heard["paint"]
    page.locator("#paint .enlarge").click()
    page.get_by_role("button", name="Done").click()
    assert box_of(page, "#paint .stage") == small


def test_a_stroke_is_seen_within_50_ms(page):
    page.evaluate("""() => {
        const stage = document.querySelector('#paint .stage');
        const seen = () => { if (moved) { waits.push(performance.now() - moved); moved = 0; } };
        let moved = 0;
        window.waits = [];
        stage.addEventListener('pointermove', () => { moved ||= performance.now(); }, true);
        new MutationObserver(seen).observe(stage.querySelector('.outline .fill'), {attributes: true});
    }""")
    stroke(page, *[(8 + 2 * n, 20 + 12 * (n % 2)) for n in range(20)], pause=20)
    waits = page.evaluate("waits")
    assert len(waits) > 10 and np.median(waits) < 50


def test_fingers_paint_on_a_phone(studio, heard):
    heard.clear()
    with chromium_page(*studio, width=390, height=844, phone=True) as page:
        page.wait_for_selector("#paint .stage.ready")
        box = box_of(page, "#paint .stage")
        scrolled = page.evaluate("scrollY")
        touch_stroke(page, [at(box, 20, y) for y in range(10, 50, 4)])
        mask = last(page, heard, "paint")
        assert overlap(mask, brushed((20, 10), (20, 46), brush_radius(page))) > 0.9
        assert page.evaluate("scrollY") == scrolled
        heights = page.evaluate(
            "[...document.querySelectorAll('.html-container .tool, .html-container .choice button')]"
            ".filter((b) => b.offsetParent).map((b) => b.offsetHeight)"
        )
        assert min(heights) >= 36


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_follows_the_theme(studio, width, dark):
    with chromium_page(*studio, width=width, height=740, dark=dark) as page:
        page.wait_for_selector("#rules .rule")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ink, paper = page.evaluate("""(() => {
            const style = getComputedStyle(document.querySelector('#rules .tool.reopen'));
            const sum = (colour) => colour.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0);
            return [sum(style.color), sum(style.backgroundColor)];
        })()""")
        assert (ink > paper + 400) if dark else (paper > ink + 400)
