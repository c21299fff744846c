"""The tools of the mask canvas beside the brush, in a real browser: press to select, lasso, lines, zoom, the grid."""

import numpy as np
import pytest

from tests.browser import chromium_page, touch_stroke, wait_for
from tests.component_page import SIDE, at, box_of, brush_radius, brushed, last, overlap, stroke

pytest_plugins = ("tests.component_fixtures",)


def disk(x, y, radius):
    """The pixels whose centres are within the radius of that of the pixel at (x, y)."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(columns - x, rows - y) <= radius


def take(page, tool):
    page.locator(f"#paint [data-key={tool}]").click()


def press(page, x, y, *, holding=""):
    """Press in the middle of a pixel."""
    if holding:
        page.keyboard.down(holding)
    page.mouse.click(*at(box_of(page, "#paint .stage"), x + 0.5, y + 0.5))
    if holding:
        page.keyboard.up(holding)


def test_a_press_selects_and_grows_and_shrinks_by_keys_wheel_slider_and_press(page, heard):
    take(page, "select")
    slider = page.locator("#paint .size input")
    assert slider.is_disabled()
    press(page, 30, 30)
    first = last(page, heard, "paint")
    assert (first == disk(30, 30, 10)).all() and slider.input_value() == "50"
    page.keyboard.press("]")
    grown = last(page, heard, "paint", 2)
    assert (grown & first == first).all() and grown.sum() > first.sum()
    page.keyboard.press("[")
    assert (last(page, heard, "paint", 3) == first).all()
    page.mouse.wheel(0, 100)
    assert last(page, heard, "paint", 4).sum() < first.sum()
    press(page, 31, 31)  # on the region: it grows
    assert last(page, heard, "paint", 5).sum() > first.sum()
    slider.fill("100")
    assert (last(page, heard, "paint", 6) == disk(30, 30, 20)).all()
    page.locator("#paint .stage").focus()
    page.keyboard.press("Control+z")  # one step: how it grew is no history
    assert last(page, heard, "paint", 7) is None


def test_shift_adds_alt_takes_away_and_a_plain_press_begins_anew(page, heard):
    take(page, "select")
    press(page, 16, 30)
    press(page, 44, 30, holding="Shift")
    last(page, heard, "paint", 2)
    two = disk(16, 30, 10) | disk(44, 30, 10)
    assert (heard["paint"][-1] == two).all()
    press(page, 40, 30, holding="Alt")
    assert (last(page, heard, "paint", 3) == (two & ~disk(40, 30, 10))).all()
    press(page, 30, 52)
    assert (last(page, heard, "paint", 4) == disk(30, 52, 10)).all()
    page.locator("#paint .hows [data-key=add]").click()  # for fingers, which hold no keys
    press(page, 30, 20)
    assert (last(page, heard, "paint", 5) == disk(30, 52, 10) | disk(30, 20, 10)).all()


def test_a_press_keeps_what_was_brushed_before_where_it_adds(page, heard):
    stroke(page, (10, 10), (50, 10))
    brushed_before = last(page, heard, "paint")
    take(page, "select")
    press(page, 30, 40, holding="Shift")
    assert (last(page, heard, "paint", 2) == brushed_before | disk(30, 40, 10)).all()
    page.keyboard.press("Control+z")
    assert (last(page, heard, "paint", 3) == brushed_before).all()


def test_the_keyboard_alone_presses(page, heard):
    page.locator("#paint .stage").focus()
    page.keyboard.press("s")
    for key in ("ArrowRight", "Shift+ArrowDown", " "):
        page.keyboard.press(key)
    assert (last(page, heard, "paint") == disk(33, 40, 10)).all()
    page.keyboard.press("e")
    assert page.locator("#paint [data-key=eraser]").get_attribute("aria-checked") == "true"


def test_a_finger_presses_and_two_fingers_zoom(studio, heard):
    heard.clear()
    with chromium_page(*studio, width=390, height=844, phone=True) as page:
        page.wait_for_selector("#paint .stage.ready")
        take(page, "select")
        box = box_of(page, "#paint .stage")
        touch_stroke(page, [at(box, 30.5, 30.5)])
        assert (last(page, heard, "paint") == disk(30, 30, 10)).all()
        take(page, "brush")
        pinch(page, box)
        wait_for(lambda: page.locator("#paint .zoomed").is_visible(), page=page)
        assert len(heard["paint"]) == 1  # no stroke
        page.locator("#paint .zoomed").click()
        assert page.locator("#paint .zoomed").is_hidden()


def pinch(page, box):
    """Two fingers move apart around the middle."""
    session = page.context.new_cdp_session(page)
    for index, far in enumerate((8, 10, 14, 20)):
        fingers = [dict(zip("xy", at(box, SIDE / 2 + side * far, SIDE / 2), strict=True)) for side in (-1, 1)]
        if not index:
            session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": fingers[:1]})
        kind = "touchMove" if index else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


def test_a_lasso_selects_what_it_goes_round(page, heard):
    take(page, "lasso")
    stroke(page, (10, 10), (50, 10), (50, 40), (10, 40))
    square = np.zeros((SIDE, SIDE), bool)
    square[10:40, 10:50] = True
    assert overlap(last(page, heard, "paint"), square) > 0.97
    page.keyboard.down("Alt")
    stroke(page, (30, 5), (60, 5), (60, 45), (30, 45))
    page.keyboard.up("Alt")
    square[:, 30:] = False
    assert overlap(last(page, heard, "paint", 2), square) > 0.95


def test_shift_draws_a_straight_line_from_where_the_brush_was(page, heard):
    stroke(page, (10, 10), (11, 10))
    last(page, heard, "paint")
    page.keyboard.down("Shift")
    page.mouse.click(*at(box_of(page, "#paint .stage"), 50, 50))
    page.keyboard.up("Shift")
    line = brushed((11, 10), (50, 50), brush_radius(page))
    assert overlap(last(page, heard, "paint", 2), line) > 0.95


def test_holes_are_filled_and_the_mask_is_inverted(page, heard):
    stroke(page, (15, 15), (45, 15), (45, 45), (15, 45), (15, 15))
    ring = last(page, heard, "paint")
    assert not ring[30, 30]
    page.keyboard.press("f")
    full = last(page, heard, "paint", 2)
    assert full[30, 30] and full[15:45, 15:45].all() and not full[2].any()
    page.keyboard.press("i")
    assert (last(page, heard, "paint", 3) == ~full).all()
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert (last(page, heard, "paint", 5) == ring).all()


def test_the_grid_shows_how_much_of_each_cell_is_painted(page, heard):
    stroke(page, (4, 4), (5, 4))
    last(page, heard, "paint")
    page.keyboard.press("g")
    cells = page.locator("#paint .cells rect")
    wait_for(cells.count, page=page)
    places = cells.evaluate_all("all => all.map((c) => [Number(c.getAttribute('x')), Number(c.getAttribute('y'))])")
    assert [0, 0] in places and [56, 56] not in places and all(x % 8 == 0 for x, _ in places)
    page.keyboard.press("g")
    wait_for(lambda: not cells.count(), page=page)


def test_a_zoomed_canvas_paints_under_the_pointer(page, heard):
    box = box_of(page, "#paint .stage")
    page.mouse.move(*at(box, 16, 16))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -250)
    page.keyboard.up("Control")
    wait_for(lambda: page.locator("#paint .zoomed").is_visible(), page=page)
    left, top, width, _ = map(float, page.locator("#paint .outline").get_attribute("viewBox").split())
    zoom = SIDE / width
    assert 2 < zoom < 4 and abs(left + 16 / zoom - 16) < 0.5  # what was under the pointer still is
    page.mouse.down()
    page.mouse.up()
    assert overlap(last(page, heard, "paint"), brushed((16, 16), (16, 16), brush_radius(page))) > 0.9
    page.keyboard.down(" ")  # the space bar takes the picture by the hand
    page.mouse.down()
    page.mouse.move(*at(box, 6, 16), steps=3)
    page.mouse.up()
    page.keyboard.up(" ")
    moved = float(page.locator("#paint .outline").get_attribute("viewBox").split()[0])
    assert moved == pytest.approx(left + 10 / zoom, abs=0.5) and len(heard["paint"]) == 1
    page.keyboard.press("0")
    assert page.locator("#paint .outline").get_attribute("viewBox") == f"0 0 {SIDE} {SIDE}"


def test_a_patch_is_placed_on_a_zoomed_canvas(page, heard):
    box = box_of(page, "#place .stage")
    page.locator("#place .stage").focus()
    page.keyboard.press("+")
    left, top, width, height = map(float, page.locator("#place .outline").get_attribute("viewBox").split())
    assert width < SIDE
    page.mouse.click(*at(box, 16, 48))
    place = last(page, heard, "place")
    wanted = left + 16 * width / SIDE, top + 48 * height / SIDE
    assert np.abs(np.subtract((place["x"], place["y"]), wanted)).max() <= 1
