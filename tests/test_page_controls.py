"""The page's smaller controls, in a real browser on tiny generators: turning pages, outlines, orders, exploring."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests import tiny
from tests.browser import chromium, chromium_page, serving
from tests.visitor import MOUTH, Visitor


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    made = {"face": tiny.generator(name="face"), "church": tiny.generator("proggan", name="church", seed=1)}
    service = Service(load=made.__getitem__)
    service.searched = 96
    with serving(build(service, "face"), css=CSS, show_error=True) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def copied(visitor: Visitor) -> None:
    """Steps 1 and 2, ready to rewrite."""
    visitor.choose(0, "copy")
    visitor.paint("copy", MOUTH)
    visitor.choose(1, "paste")
    visitor.until(lambda: visitor.missing() == "ready: press to see it")


def first_tile(visitor: Visitor) -> str:
    return visitor.page.locator("#sheet .tile b").first.inner_text()


def test_the_sheet_is_turned_page_by_page_or_to_a_number(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        visitor.turn_to("Pictures")
        for press, first in (("#next", "24"), ("#next", "48"), ("#previous", "24"), ("#previous", "0")):
            visitor.press(press)
            visitor.until(lambda first=first: first_tile(visitor) == first)
        page.locator("#number input").fill("1000")
        page.keyboard.press("Enter")
        visitor.until(lambda: first_tile(visitor) == "1000")


def test_what_the_rule_would_reach_is_outlined_where_asked(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        outlines = page.locator("#sheet .outline .light")
        visitor.turn_to("Pictures")
        page.locator("#outlines input").click()
        assert "Nothing is painted" in visitor.toast()
        visitor.until(lambda: not page.locator("#outlines input").is_checked() and visitor.idle())
        copied(visitor)
        page.locator("#outlines input").click()
        visitor.until(lambda: any(outlines.evaluate_all("all => all.map(one => one.getAttribute('d'))")))
        page.locator("#outlines input").click()
        visitor.until(lambda: not any(outlines.evaluate_all("all => all.map(one => one.getAttribute('d'))")))


def test_another_class_is_chosen_from_a_list_where_there_are_classes(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        Visitor(page).turn_to("Pictures")
        assert not page.locator("#class").is_visible()
    service = Service(load={"face": tiny.generator(name="face", classes=12)}.__getitem__)
    with serving(build(service, "face"), css=CSS, show_error=True) as classes, chromium_page(browser, classes) as page:
        visitor = Visitor(page)
        copied(visitor)
        visitor.press("#rewrite")
        drawn = visitor.results()
        visitor.turn_to("Pictures")
        page.locator("#class input").click()
        page.get_by_role("option", name="11", exact=True).click()
        visitor.turn_to("Results")
        assert visitor.other_results(drawn) and visitor.rules() == ["Rule 1"]
        visitor.press("#undo")
        visitor.until(lambda: page.locator("#class input").input_value() == "0")
        visitor.until(lambda: visitor.sources("after") == drawn and visitor.idle())


def test_a_place_can_be_protected(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        copied(visitor)
        page.locator("#kind label", has_text="Protect").click()
        visitor.choose(3, "context")
        visitor.paint("context", MOUTH)
        visitor.until(lambda: "1 protected" in visitor.text("#panel-hold small"))
        page.locator("#tray [aria-label^='Remove']").last.click()
        visitor.until(lambda: "protected" not in visitor.text("#panel-hold small"))


def test_results_are_the_best_matches_or_any_pictures_and_more_of_them(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        copied(visitor)
        visitor.press("#rewrite")
        visitor.results()
        best = visitor.seeds()
        page.locator("#order label", has_text="Any pictures").click()
        visitor.until(lambda: visitor.seeds() == [str(seed) for seed in range(2, 14)] and visitor.idle())
        visitor.press("#more")
        visitor.until(lambda: visitor.seeds() == [str(seed) for seed in range(14, 26)] and visitor.idle())
        page.locator("#order label", has_text="Best matches").click()
        visitor.until(lambda: visitor.seeds() == best and visitor.idle())


def test_another_generator_begins_afresh_and_undo_goes_back(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        copied(visitor)
        visitor.press("#rewrite")
        drawn = visitor.results()
        page.locator("#generator label", has_text="Church").click()
        visitor.until(lambda: visitor.text("#headline").startswith("Pictures of the church generator"))
        assert not visitor.rules()
        visitor.press("#undo")
        visitor.until(lambda: visitor.rules() == ["Rule 1"])
        assert visitor.results() == drawn


def test_exploring_shows_matches_copies_and_the_layer_that_suits(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        visitor.turn_to("Explore")
        visitor.press("#show-alone")
        assert "Nothing is painted" in visitor.toast()
        copied(visitor)
        visitor.turn_to("Explore")
        visitor.press("#show-matches")
        visitor.until(lambda: page.locator("#matches .tile").count() == 12 and visitor.idle())
        visitor.press("#show-alone")
        visitor.until(lambda: page.locator(".alone figure").count() == 1 and visitor.idle())
        visitor.press("#show-layers")
        visitor.until(lambda: page.locator(".layers tr.best").count() == 1 and visitor.idle())
        best = page.locator(".layers tr.best th").inner_text()
        layer = page.locator("#layer input[type=number]")
        if layer.input_value() != best:
            visitor.press("#use-layer")
        visitor.until(lambda: layer.input_value() == best)
