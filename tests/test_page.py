"""The page as a visitor meets it: it opens, a preset is pressed, unseen pictures change; two visitors keep apart."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from rewriting.core.presets import preset
from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests.browser import Rest, chromium, chromium_page, serving, wait_for

PRESET = "glasses-come-off"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(build(Service(), "face"), css=CSS) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def sources(page: Page, kind: str) -> list[str]:
    """Addresses of the shown pictures, "before" or "after", that have come."""
    images = page.locator(f"#pairs .place.{kind} img")
    return [
        source for source in images.evaluate_all("all => all.map(image => image.src)") if source.startswith("data:")
    ]


def press(page: Page, name: str) -> None:
    page.locator(f"#cards [data-name='{name}']").click()


def changed(page: Page) -> bool:
    """Whether every pair has come, and differs."""
    before, after = sources(page, "before"), sources(page, "after")
    return len(before) == len(after) == 12 and all(one != other for one, other in zip(before, after, strict=True))


def test_a_preset_changes_unseen_pictures(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        wait_for(lambda: sources(page, "before"), page=page)
        press(page, PRESET)
        answered = "document.documentElement.hasAttribute('data-asked') || document.querySelector('#busy p') !== null"
        assert page.evaluate(answered)  # at once, however long the visitor is to wait
        wait_for(lambda: changed(page), page=page)
        assert not page.evaluate("document.documentElement.hasAttribute('data-asked')")
        request = preset(PRESET).request
        painted = {region.seed for region in (request.copy, request.paste, *request.context)}
        seeds = page.locator("#pairs .seed").all_inner_texts()
        assert len(seeds) == 12 and painted.isdisjoint(int(seed) for seed in seeds)
        wait_for(lambda: preset(PRESET).title in page.locator("#rules").inner_text(), page=page)


def test_the_first_page_has_the_canvases_of_its_way_to_make_a_rule_alone(browser: Browser, url: str):
    with chromium_page(browser, url) as page:

        def shown() -> list[str]:
            return [name for name in ("copy", "paste", "retouch") if page.locator(f"#{name}").is_visible()]

        wait_for(lambda: shown() == ["copy", "paste"], page=page)
        page.get_by_text("Bend", exact=True).click()
        wait_for(lambda: shown() == ["retouch"], page=page)


def test_an_address_may_name_a_rule_and_keys_move_its_strength(browser: Browser, url: str):
    with chromium_page(browser, url, preset=PRESET) as page:
        rested = Rest(page)
        wait_for(lambda: changed(page), page=page)
        wait_for(lambda: page.locator("#strength input[type=range]").is_enabled(), page=page)
        page.locator("#strength input[type=range]").focus()
        for _ in range(2):
            page.keyboard.press("ArrowLeft")
        amount = page.locator("#rules .amount")
        wait_for(lambda: amount.input_value() == "0.90", page=page)
        page.locator("#strength input[type=number]").fill("0.5")
        page.keyboard.press("Enter")
        wait_for(lambda: amount.input_value() == "0.50", page=page)
        wait_for(lambda: not page.locator("#busy p").count(), page=page)
        wait_for(rested, page=page)
        page.reload()
        wait_for(lambda: changed(page) and amount.count(), page=page)
        assert amount.count() == 1 and amount.input_value() == "0.50"


def test_a_picture_of_the_first_page_can_be_pressed_to_copy_from_it(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        wait_for(lambda: sources(page, "before"), page=page)
        page.locator("#pairs .place.before").nth(2).click()
        wait_for(lambda: page.locator("#step1 small").inner_text() == "paint the object", page=page)


def test_one_visitor_never_sees_anothers_rules(browser: Browser, url: str):
    with chromium_page(browser, url) as mine, chromium_page(browser, url) as yours:
        press(mine, PRESET)
        wait_for(lambda: changed(mine), page=mine)
        wait_for(lambda: sources(yours, "before"), page=yours)
        assert not changed(yours)
        assert preset(PRESET).title not in yours.locator("#rules").inner_text()


def test_the_page_fits_a_phone(browser: Browser, url: str):
    with chromium_page(browser, url, width=390, height=844, phone=True) as page:
        page.locator("#cards").wait_for()
        wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


def test_the_page_is_as_wide_on_every_tab(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        wait_for(lambda: sources(page, "before"), page=page)

        def width() -> int:
            return page.evaluate("document.querySelector('#main').clientWidth")

        at_first = width()
        for tab, shown in (("Explore", "#show-layers"), ("Hub", "#open-repo"), ("Pictures", "#pictures")):
            page.locator("#tabs label", has_text=tab).click()
            page.locator(shown).wait_for()
            assert width() == at_first
