"""The studio's placement canvas, sheets, cards and lists in a real browser."""

from tests.browser import wait_for
from tests.component_page import HOSTILE, PAIRS, ROWS, SIDE, at, box_of, last, picture, settled_box

pytest_plugins = ("tests.component_fixtures",)


def drag(page, start, end):
    box = box_of(page, "#place .stage")
    page.mouse.move(*at(box, *start))
    page.mouse.down()
    page.mouse.move(*at(box, *end), steps=5)
    page.mouse.up()


def test_a_click_places_the_patch_and_a_drag_moves_it(page, heard):
    box = box_of(page, "#place .stage")
    page.mouse.click(*at(box, 20, 30))
    assert last(page, heard, "place") == {"x": 20, "y": 30}
    drag(page, (24, 27), (44, 37))  # taken beside its centre, it keeps its distance to the pointer
    assert last(page, heard, "place", 2) == {"x": 40, "y": 40}
    left, width = page.evaluate(
        "(() => { const p = document.querySelector('#place .patch'); return [p.style.left, p.style.width] })()"
    )
    assert float(left[:-1]) == 100 * (40 - 8) / SIDE and float(width[:-1]) == 100 * 16 / SIDE


def test_arrow_keys_nudge_and_tell_once(page, heard):
    page.locator("#place .stage").evaluate("""(stage) => {
      for (const [key, shiftKey] of [["ArrowLeft"], ["ArrowLeft"], ["ArrowDown", true], ["ArrowUp"]])
        stage.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
    }""")
    assert last(page, heard, "place") == {"x": SIDE // 2 - 2, "y": SIDE // 2 + 7}


def test_the_patch_stays_inside_and_escape_takes_a_drag_back(page, heard):
    box = box_of(page, "#place .stage")
    drag(page, (30, 30), (-20, 90))
    assert last(page, heard, "place") == {"x": 0, "y": SIDE - 1}
    page.mouse.move(*at(box, 0.5, SIDE - 0.5))
    page.mouse.down()
    page.mouse.move(*at(box, 32, 32), steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.keyboard.press("ArrowRight")
    assert last(page, heard, "place", 2) == {"x": 1, "y": SIDE - 1}


def test_the_goal_fades_in_without_a_jump_and_leaves_when_the_patch_moves(page):
    box = box_of(page, "#place .stage")
    page.mouse.click(*at(box, 20, 30))
    page.locator("#set-goal").click()
    page.wait_for_selector("#place .goal.fresh")
    assert box_of(page, "#place .stage")["height"] == box["height"]
    drag(page, (20, 30), (30, 30))
    assert page.locator("#place .goal.fresh").count() == 0


def handle(page, name):
    """Where a handle of the patch is, in model pixels: the knob, or the upper left corner."""
    path = page.locator(f"#place .frame .{name}").first.get_attribute("d")
    return tuple(float(number) for number in path[1:].split("h")[0].split())


def test_handles_scale_and_turn_the_patch_about_its_middle(page, heard):
    page.mouse.click(*at(box_of(page, "#place .stage"), 32, 32))
    assert last(page, heard, "place") == {"x": 32, "y": 32}
    assert handle(page, "corners") == (24, 24)
    drag(page, (24, 24), (16, 16))
    assert last(page, heard, "place", 2) == {"x": 32, "y": 32, "scale": 2}
    drag(page, handle(page, "knob"), (60, 32))  # from above to the right: a quarter clockwise
    assert last(page, heard, "place", 3) == {"x": 32, "y": 32, "scale": 2, "turn": 90}
    page.keyboard.down("Shift")
    drag(page, handle(page, "knob"), (52, 50))  # 42 degrees further
    page.keyboard.up("Shift")
    assert last(page, heard, "place", 4) == {"x": 32, "y": 32, "scale": 2, "turn": 135}
    drag(page, (32, 32), (30, 35))  # inside it is still moved
    assert last(page, heard, "place", 5) == {"x": 30, "y": 35, "scale": 2, "turn": 135}
    shown = page.locator("#place .patch").evaluate("(one) => one.style.transform")
    assert shown == "rotate(135deg) scale(2, 2)"
    drag(page, handle(page, "corners"), (30, 34))
    assert last(page, heard, "place", 6)["scale"] == 0.25, "no smaller than that"
    page.mouse.move(*at(box_of(page, "#place .stage"), *handle(page, "knob")))
    page.mouse.down()
    page.mouse.move(*at(box_of(page, "#place .stage"), 10, 10), steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.locator("#place .turn").input_value() == "135"


def test_keys_and_numbers_scale_turn_and_mirror_the_patch(page, heard):
    assert page.locator("#place .scale").is_hidden(), "before it has a place"
    page.mouse.click(*at(box_of(page, "#place .stage"), 32, 32))
    last(page, heard, "place")
    for key in ("r", "Shift+R", "l", "l", "]", "Shift+BracketRight", "[", "m"):
        page.keyboard.press(key)
    turned = {"x": 32, "y": 32, "scale": 1.1, "turn": 14, "mirror": True}
    told = lambda value: wait_for(lambda: heard["place"][-1] == value, page=page)  # noqa: E731
    told(turned)
    assert page.locator("#place .mirror").get_attribute("aria-pressed") == "true"
    assert page.locator("#place .for-ears").inner_text().endswith("110 percent, turned by 14 degrees, mirrored")
    page.keyboard.press("m")
    del turned["mirror"]
    told(turned)
    page.locator("#place .scale").fill("150")
    shown = page.locator("#place .patch").evaluate("(one) => one.style.transform")
    assert shown == "rotate(14deg) scale(1.5, 1.5)" and heard["place"][-1] == turned, "shown while it is typed"
    page.keyboard.press("Enter")
    told(turned | {"scale": 1.5})
    page.locator("#place .turn").fill("-400")
    page.keyboard.press("Enter")
    wait_for(lambda: abs(heard["place"][-1].get("turn", 0)) == 180, page=page)
    page.locator("#place .scale").fill("")
    page.keyboard.press("Enter")
    assert page.locator("#place .scale").input_value() == "150"
    page.locator("#place .reset").click()
    wait_for(lambda: heard["place"][-1] == {"x": 32, "y": 32}, page=page)
    assert page.locator("#place .reset").is_disabled() and page.locator("#place .scale").input_value() == "100"


def test_pictures_come_without_a_jump_and_are_selected_by_click_and_keys(page, heard):
    before = settled_box(page, "#sheet .grid")
    page.locator("#set-pictures").click()
    page.wait_for_selector("#sheet .tile:not(.waiting)")
    after = page.locator("#sheet .grid").bounding_box()
    assert (before["width"], before["height"]) == (after["width"], after["height"])
    page.locator("#sheet .tile").nth(2).click()
    assert last(page, heard, "sheet") == 2
    columns = page.evaluate(
        "getComputedStyle(document.querySelector('#sheet .grid')).gridTemplateColumns.split(' ').length"
    )
    page.keyboard.press("Home")
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    # down from the second picture, if there is a second row, and up again
    assert last(page, heard, "sheet", 2) == 1 and columns > 1
    assert page.locator("#sheet [aria-selected=true]").get_attribute("data-seed") == "1"
    assert page.locator("#sheet .tile[tabindex='0']").count() == 1


def test_thumbnail_size_changes_the_number_of_columns(page):
    count = "getComputedStyle(document.querySelector('#sheet .grid')).gridTemplateColumns.split(' ').length"
    columns = []
    for name in ("Small pictures", "Large pictures"):
        page.get_by_role("radio", name=name).click()
        columns.append(page.evaluate(count))
    assert columns[0] > columns[1]


def test_views_of_pairs_switch_without_asking_the_server(page, heard):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "gradio_api" in request.url else None)
    shown = "(name) => getComputedStyle(document.querySelector('#pairs .pair ' + name)).display"
    page.locator("#pairs [data-key=slider]").click()
    page.locator("#pairs .wipe").first.focus()
    page.keyboard.press("End")
    clip = "getComputedStyle(document.querySelector('#pairs .place.after')).clipPath"
    assert page.evaluate(clip) == "inset(0px 0px 0px 100%)"
    box = box_of(page, "#pairs .pair:first-child .stack")
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert abs(float(page.locator("#pairs .wipe").first.input_value()) - 25) <= 1
    page.locator("#pairs [data-key=change]").click()
    blend = "getComputedStyle(document.querySelector('#pairs .place.after')).mixBlendMode"
    assert page.evaluate(blend) == "difference" and page.evaluate(shown, ".wipe") == "none"
    page.locator("#pairs [data-key=after]").click()
    seen = "getComputedStyle(document.querySelector('#pairs .place.after')).visibility"
    page.locator("#pairs .hold").first.hover()
    assert page.evaluate(seen) == "hidden"
    page.mouse.move(0, 0)
    assert page.evaluate(seen) == "visible"
    page.keyboard.press("ArrowRight")  # from the last view around to the first
    page.locator("#pairs [data-key=after]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#pairs .grid").get_attribute("data-view") == "pairs"
    assert not asked
    page.locator("#pairs .seed").nth(3).click()
    assert last(page, heard, "pairs") == 3


def test_a_pair_can_be_looked_at_closely_and_used(page, heard):
    page.locator("#pairs .place.after").nth(1).click()
    lens = page.locator("#pairs dialog")
    assert lens.is_visible() and lens.locator(".which").inner_text() == "Picture 1"
    assert lens.locator(".is").get_attribute("src") == PAIRS[1]["after"]
    small = page.locator("#pairs .place img").first.bounding_box()["width"]
    assert lens.locator(".was").bounding_box()["width"] > 1.5 * small
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # round to the last
    assert lens.locator(".which").inner_text() == "Picture 3"
    page.keyboard.press("Escape")
    assert lens.is_hidden()
    # A dialog tells that it is closed a moment after it is.
    wait_for(lambda: page.evaluate("document.activeElement.matches('#pairs .zoom')"), page=page)
    page.keyboard.press("Enter")
    lens.get_by_role("button", name="Use this picture").click()
    assert last(page, heard, "pairs") == 3 and lens.is_hidden()


def test_a_pair_that_has_more_detail_is_asked_for_and_comes_in_full(page, heard):
    lens = page.locator("#pairs dialog")
    page.locator("#set-detail").click()
    page.wait_for_timeout(300)
    page.locator("#pairs .place.after").nth(2).click()
    assert last(page, heard, "pairs") == 2 and lens.locator(".is").get_attribute("src") == PAIRS[2]["after"]
    page.evaluate("document.querySelector('#set-closer').click()")  # the answer, while the lens is open
    wait_for(lambda: lens.locator(".is").get_attribute("src") == picture(21), page=page)
    assert lens.locator(".was").get_attribute("src") == picture(20)
    page.keyboard.press("ArrowLeft")
    assert lens.locator(".is").get_attribute("src") == PAIRS[1]["after"] and last(page, heard, "pairs", 2) == 1
    page.keyboard.press("Escape")


def test_an_empty_canvas_asks_for_a_picture_by_key_as_by_click(page, heard):
    page.locator("#empty .choose").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    page.locator("#empty .choose").click()
    last(page, heard, "empty", 2)


def test_cards_of_the_first_group_come_first_and_the_others_keep_their_order(page):
    page.locator("#set-first").click()
    names = "all => all.map(card => card.dataset.name)"
    wanted = ["c1", "c3", "c5", "c7", "c0", "c2", "c4", "c6", "c8"]
    wait_for(lambda: page.locator("#cards .card").evaluate_all(names) == wanted, page=page)


def test_cards_are_selected_by_click_and_keys_and_their_titles_are_only_text(page, heard):
    page.locator("#cards .card").nth(1).click()
    assert last(page, heard, "cards") == "c1"
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert last(page, heard, "cards", 2) == "c8"
    assert page.locator("#cards .title").first.text_content() == HOSTILE
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert page.evaluate("window.hacked") is None


def test_the_tray_edits_removes_and_adds(page, heard):
    page.locator("#tray .open").nth(1).click()
    assert last(page, heard, "tray") == {"kind": "edit", "index": 1, "id": "t1"}
    page.locator("#tray .drop").nth(0).click(force=True)
    page.locator("#tray .drop").nth(0).click(force=True)
    wait_for(lambda: len(heard["tray"]) == 3, page=page)
    assert [action["id"] for action in heard["tray"][1:]] == ["t0", "t1"]
    page.locator("#tray .more").click()
    assert last(page, heard, "tray", 4) == {"kind": "add"}


def test_a_removed_place_comes_back_if_it_is_still_listed_after_a_while(page, heard):
    """An undo that overtakes the removal leaves the list in Python as it was."""
    before = page.locator("#tray .item").count()
    page.locator("#tray .drop").nth(0).click(force=True)
    assert page.locator("#tray .item").count() == before - 1
    wait_for(lambda: page.locator("#tray .item").count() == before, page=page)


def actions(heard):
    return [value["action"] for value in heard["rules"]]


def done(value):
    """What was done, without when."""
    return {key: item for key, item in value["action"].items() if key != "time"}


def test_rules_are_switched_weighted_and_ordered(page, heard):
    rule = page.locator("#rules .rule").first
    rule.locator(".switch").click()
    switched = last(page, heard, "rules")
    assert done(switched) == {"kind": "toggle", "id": "a", "on": False}
    words = {name: switched["rows"][1][name] for name in ("name", "detail")}
    assert switched["rows"] == [{**ROWS[0], "on": False}, {**ROWS[1], **words}]
    rule.locator(".slide").focus()
    page.keyboard.press("Home")
    assert done(last(page, heard, "rules", 2)) == {"kind": "strength", "id": "a", "strength": -1.0}
    rule.locator(".amount").fill("1.35")
    page.keyboard.press("Enter")
    assert last(page, heard, "rules", 3)["rows"][0]["strength"] == 1.35
    rule.locator(".slide").dblclick()
    wait_for(lambda: len(heard["rules"]) == 5, page=page)
    # The two may come the other way round.
    *_, clicked, doubly = sorted(actions(heard), key=lambda action: action["time"])
    assert clicked["strength"] == 0.5 and doubly["strength"] == 1.0
    rule.get_by_role("button", name="Move down").click()
    moved = last(page, heard, "rules", 6)
    assert done(moved) == {"kind": "move", "id": "a", "by": 1}
    assert [row["id"] for row in moved["rows"]] == ["b", "a"]


def test_a_rule_that_cannot_be_edited_says_why(page):
    reopen = page.locator("#rules .rule").get_by_role("button", name="Edit")
    assert reopen.nth(0).is_enabled() and reopen.nth(0).get_attribute("title") == "Open this rule in the canvases"
    assert reopen.nth(1).is_disabled() and reopen.nth(1).get_attribute("title") == HOSTILE


def test_rules_are_renamed_copied_reopened_and_deleted(page, heard):
    rule = page.locator("#rules .rule").first
    rule.locator(".name").dblclick()
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Enter")
    named = last(page, heard, "rules")
    assert named["action"]["kind"] == "rename" and named["rows"][0]["name"] == HOSTILE
    assert rule.locator(".name").text_content() == HOSTILE and page.evaluate("window.hacked") is None
    rule.get_by_role("button", name="Duplicate").click()
    assert done(last(page, heard, "rules", 2)) == {"kind": "duplicate", "id": "a"}
    rule.get_by_role("button", name="Edit").click()
    assert done(last(page, heard, "rules", 3)) == {"kind": "reopen", "id": "a"}
    rule.get_by_role("button", name="Delete").click()
    deleted = last(page, heard, "rules", 4)
    assert done(deleted) == {"kind": "delete", "id": "a"} and len(deleted["rows"]) == 1
    assert page.locator("#rules .rule").count() == 1


def test_a_rule_goes_while_its_strength_is_being_typed(page, heard):
    amount = page.locator("#rules .rule").first.locator(".amount")
    amount.press("End")
    amount.press_sequentially("5")
    page.evaluate("document.querySelector('#rules .rule [data-kind=delete]').click()")  # the box keeps the focus
    assert done(last(page, heard, "rules")) == {"kind": "delete", "id": "a"}
    page.locator("#rules .switch").click()
    assert done(last(page, heard, "rules", 2)) == {"kind": "toggle", "id": "b", "on": True}
