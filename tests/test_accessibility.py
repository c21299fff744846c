"""The studio for people who see little, use no mouse or want no motion: what axe-core finds, and the keys."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests.browser import Rest, chromium, chromium_page, serving, wait_for
from tests.visitor import Visitor

SERIOUS = ("serious", "critical")
STANDARDS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def browser_and_url() -> Iterator[tuple[Browser, str]]:
    with serving(build(Service(), "face"), css=CSS, show_error=True) as url, chromium() as browser:
        yield browser, url


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody out: rule, and the elements."""
    found = Axe().run(page, options=STANDARDS).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_any_tab(browser_and_url: tuple[Browser, str], dark: bool):
    with chromium_page(*browser_and_url, dark=dark) as page:
        page.emulate_media(reduced_motion="reduce")  # a colour that is fading in has less contrast
        visitor = Visitor(page)
        assert serious(page) == []
        visitor.choose(0, "copy")
        visitor.paint("copy", [(0.4, 0.4), (0.6, 0.6)])
        visitor.press("#copy [data-key=select]")
        visitor.choose(1, "paste")
        visitor.until(lambda: page.locator("#paste .turn").is_visible())
        assert serious(page) == []
        for tab in ("Explore", "Hub"):
            visitor.turn_to(tab)
            assert serious(page) == []
        page.keyboard.press("?")
        assert serious(page) == []


def test_the_keys_are_shown_on_request(browser_and_url: tuple[Browser, str]):
    with chromium_page(*browser_and_url, width=390, height=844) as page:
        Visitor(page).until(lambda: page.locator("#help[data-ready]").count())
        shown = page.locator("#keys-help")
        page.keyboard.press("?")
        assert shown.is_visible() and "select: press on an object" in shown.inner_text()
        above, below = shown.evaluate(
            "(it) => { const box = it.getBoundingClientRect(); return [box.top, innerHeight - box.bottom]; }"
        )
        assert abs(above - below) < 2 and above > 0
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        assert shown.is_hidden()
        page.get_by_role("button", name="Keys").click()
        assert shown.is_visible()
        shown.get_by_role("button", name="Close").click()
        assert shown.is_hidden()


def test_who_comes_for_the_first_time_is_told_once_how_it_works(browser_and_url: tuple[Browser, str]):
    with chromium_page(*browser_and_url) as page:
        rested = Rest(page)
        Visitor(page).until(lambda: page.locator("#help[data-ready]").count())
        assert page.locator("#newcomer").is_visible()
        page.get_by_role("button", name="How it works").click()
        assert page.locator("#how-it-works").is_visible()
        wait_for(rested, page=page)
        page.reload()
        Visitor(page).until(lambda: page.locator("#help[data-ready]").count())
        assert page.locator("#newcomer").is_hidden()
        wait_for(rested, page=page)


def test_all_tools_are_reached_by_tab_and_have_a_name(browser_and_url: tuple[Browser, str]):
    with chromium_page(*browser_and_url) as page:
        visitor = Visitor(page)
        visitor.choose(0, "copy")
        page.locator("#copy .stage").focus()
        names = set()
        for _ in range(12):
            page.keyboard.press("Tab")
            names.add(page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText"))
        assert {"Brush (B)", "Enlarge", "Brush size"} <= names
        page.locator("#copy [data-key=brush]").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.dataset.key") == "select"


def test_nothing_moves_where_motion_is_not_wanted(browser_and_url: tuple[Browser, str]):
    with chromium_page(*browser_and_url) as page:
        page.emulate_media(reduced_motion="reduce")
        Visitor(page)
        moving = """() => [...document.querySelectorAll(".contain *")].filter((one) => {
          const { transitionDuration, animationName, animationDuration } = getComputedStyle(one);
          const lasts = (times) => times.split(", ").some((time) => parseFloat(time) > 0);
          return lasts(transitionDuration) || (animationName !== "none" && lasts(animationDuration));
        }).map((one) => one.outerHTML.slice(0, 80))"""
        assert page.evaluate(moving) == []
