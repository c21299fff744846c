"""The studio as a person uses it, in a real browser on a bundled generator: rules painted, changed and kept."""

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from rewriting import EditStack, Request
from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests.browser import chromium, chromium_page, serving
from tests.visitor import MOUTH, Visitor

SMILING, FROWNING, FROWNS = 0, 1, (2, 4)  # faces
CHEST = ((0.4, 0.92), (0.6, 0.94))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = Service()
    service.searched = 192  # looking through all of them tests no more, and takes a slow machine half a minute
    with serving(build(service, "face"), css=CSS, show_error=True) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def copy_smile(visitor: Visitor) -> None:
    """Steps 1 and 2: the smile goes where it was in its own picture."""
    visitor.choose(SMILING, "copy")
    visitor.paint("copy", MOUTH)
    visitor.choose(FROWNING, "paste")
    visitor.until(lambda: visitor.page.locator("#paste .goal.fresh").count())


def differing(before: list[str], after: list[str]) -> int:
    return sum(one != other for one, other in zip(before, after, strict=True))


def test_a_rule_is_painted_changed_and_kept(browser: Browser, url: str, tmp_path: Path):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        assert visitor.missing() == "needs steps 1 and 2"
        assert page.locator("#rewrite").is_disabled()

        # 1 and 2: copy a smile, drag it, nudge it; the goal follows
        visitor.choose(SMILING, "copy")
        visitor.paint("copy", MOUTH)
        visitor.until(lambda: visitor.missing() == "needs step 2")
        visitor.choose(FROWNING, "paste")
        goals = [visitor.until(lambda: visitor.address("#paste .goal.fresh"))]
        assert goals[0] != visitor.address("#paste .picture")
        visitor.drag("paste", (0.5, 0.64), (0.5, 0.72))
        goals.append(
            visitor.until(
                lambda: (
                    visitor.address("#paste .goal.fresh") not in ("", goals[0])
                    and visitor.address("#paste .goal.fresh")
                )
            )
        )
        assert page.evaluate("document.activeElement.matches('#paste .stage')")
        page.keyboard.press("ArrowUp")
        for _ in range(2):
            page.keyboard.press("Shift+ArrowUp")
        goals.append(
            visitor.until(
                lambda: (
                    visitor.address("#paste .goal.fresh") not in ("", *goals) and visitor.address("#paste .goal.fresh")
                )
            )
        )
        assert visitor.text("#step2 small") == f"picture {FROWNING}"
        visitor.until(lambda: visitor.missing() == "ready: press to see it")

        # 3: two places, one more that is taken away again, and what they match
        for seed, places in ((FROWNS[0], "1 place"), (FROWNS[1], "2 places"), (SMILING, "3 places")):
            visitor.choose(seed, "context")
            visitor.paint("context", MOUTH)
            visitor.until(partial(visitor.reads, "#panel-hold small", places))
        page.locator("#tray [aria-label^='Remove']").last.click()
        visitor.until(lambda: visitor.text("#panel-hold small") == "2 places")
        visitor.press("#find")
        visitor.until(lambda: visitor.idle() and page.locator("#everything").is_visible())
        everything = [str(seed) for seed in range(24)]
        visitor.until(lambda: page.locator("#sheet .tile b").all_inner_texts() != everything)
        found = page.locator("#sheet .tile b").all_inner_texts()
        assert found != [str(seed) for seed in range(24)] and all(visitor.all("#sheet .outline .light", "outerHTML"))
        visitor.press("#everything")
        visitor.until(lambda: page.locator("#sheet .tile b").first.inner_text() == "0")

        # 4: pictures that nobody painted on change
        visitor.press("#rewrite")
        first = visitor.results()
        painted = {str(seed) for seed in (SMILING, FROWNING, *FROWNS)}
        assert painted.isdisjoint(visitor.seeds())
        assert differing(visitor.sources("before"), first) == 12
        assert "Changes " in visitor.text("#headline") and "% change elsewhere" in visitor.text("#headline")

        # it can be weakened, switched off and on, to the bit
        page.locator("#rules .amount").fill("0")
        page.locator("#rules .amount").press("Enter")
        assert visitor.other_results(first) == visitor.sources("before")
        page.locator("#rules .amount").fill("1")
        page.locator("#rules .amount").press("Enter")
        assert visitor.other_results(visitor.sources("before")) == first
        visitor.press("#rules .switch")
        assert visitor.other_results(first) == visitor.sources("before")
        page.keyboard.press("Control+z")
        assert visitor.other_results(visitor.sources("before")) == first

        # live: another stroke, another rule
        page.locator("#live input").check()
        visitor.choose(FROWNS[1], "context")
        visitor.paint("context", ((0.45, 0.6), (0.55, 0.6)))
        visitor.turn_to("Results")
        second = visitor.other_results(first)
        page.locator("#live input").uncheck()

        # a second rule on top: erase what is painted; then back and forth
        visitor.press("#new")
        visitor.until(lambda: visitor.missing().startswith("needs step"))
        page.locator("#mode label", has_text="Erase").click()
        visitor.until(lambda: visitor.missing() == "needs step 1")
        visitor.choose(SMILING, "context")
        visitor.paint("context", CHEST)
        visitor.until(lambda: visitor.missing() == "ready: press to see it")
        visitor.press("#rewrite")
        visitor.until(lambda: visitor.rules() == ["Rule 1", "Rule 2"])
        both = visitor.other_results(second)
        seeds = visitor.seeds()
        visitor.press("#undo")
        visitor.until(lambda: visitor.rules() == ["Rule 1"] and visitor.idle())
        visitor.press("#redo")
        visitor.until(lambda: visitor.rules() == ["Rule 1", "Rule 2"] and visitor.seeds() == seeds)
        assert visitor.results() == both

        # everything that is saved opens again, elsewhere, to the same pictures
        edit = visitor.save("#save-edit", tmp_path)
        request = visitor.save("#save-request", tmp_path)
        sheet = visitor.save("#save-sheet", tmp_path)
        walk = visitor.save("#save-walk", tmp_path)
    with Image.open(sheet) as picture:
        assert picture.format == "PNG" and picture.width == 6 * 256 + 5 * 4
    with Image.open(walk) as moving:
        assert moving.format == "WEBP" and moving.n_frames > 8 and moving.size == (512, 256)
    assert [one.name for one in EditStack.load(edit)] == ["Rule 1", "Rule 2"]
    assert Request.load(request).erase

    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        page.locator("#upload input[type=file]").set_input_files(edit)
        visitor.until(lambda: visitor.rules() == ["Rule 1", "Rule 2"])
        assert visitor.results() == both and visitor.seeds() == seeds
        visitor.press("#reset")
        visitor.until(lambda: not visitor.rules() and not visitor.sources("after"))
        visitor.drop(request, base64.b64encode(request.read_bytes()).decode(), "application/json")
        visitor.until(lambda: visitor.missing() == "ready: press to see it")
        visitor.press("#undo")
        visitor.press("#undo")
        visitor.until(lambda: visitor.rules() == ["Rule 1", "Rule 2"])
        assert visitor.results() == both
        damaged = {"name": "damaged.json", "mimeType": "application/json", "buffer": json.dumps([1]).encode()}
        page.locator("#upload input[type=file]").set_input_files(damaged)
        assert "A request is a JSON object" in visitor.toast()
        assert visitor.rules() == ["Rule 1", "Rule 2"]


def test_two_visitors_at_once_do_not_mix(browser: Browser, url: str):
    with chromium_page(browser, url) as mine, chromium_page(browser, url) as yours:
        me, you = Visitor(mine), Visitor(yours)
        copy_smile(me)
        copy_smile(you)
        me.press("#rewrite")
        yours.locator("#cards [data-name='glasses-come-off']").click()
        glasses = you.results()
        smiles = me.results()
        assert me.rules() == ["Rule 1"] and you.rules() == ["Glasses come off"]
        assert len(set(glasses) & set(smiles)) == 0
        assert me.text("#step1 small") == f"picture {SMILING}" != you.text("#step1 small")


def test_of_two_quick_choices_the_last_counts(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        for name in ("Church", "Horse"):
            page.locator("#generator label", has_text=name).click()
        visitor.until(lambda: visitor.text("#headline").startswith("Pictures of the horse generator"))
        visitor.until(visitor.idle)
        assert page.locator("#generator input:checked").get_attribute("value") == "horse"
        for name in ("horse-hats", "longer-tails"):
            page.locator(f"#cards [data-name='{name}']").click()
        visitor.until(lambda: visitor.rules() == ["Longer tails"])  # the first may be there for a moment
        visitor.results()
        visitor.until(visitor.idle)
        assert visitor.rules() == ["Longer tails"]
        assert page.locator("#cards [aria-selected=true]").get_attribute("data-name") == "longer-tails"


def test_a_finger_makes_a_rule_on_a_phone(browser: Browser, url: str):
    with chromium_page(browser, url, width=390, height=844, phone=True) as page:
        visitor = Visitor(page)
        visitor.choose(SMILING, "copy")
        visitor.paint("copy", MOUTH, finger=True)
        visitor.choose(FROWNING, "paste")
        visitor.until(lambda: page.locator("#paste .goal.fresh").count())
        visitor.until(lambda: page.locator("#rewrite").is_enabled())
        for tab in ("Results", "Pictures", "Explore"):
            visitor.turn_to(tab)
            wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert wide <= window == 390
        visitor.press("#rewrite")
        assert differing(visitor.results(), visitor.sources("before")) == 12


def test_what_takes_long_can_be_stopped(browser: Browser, url: str):
    with chromium_page(browser, url) as page:
        visitor = Visitor(page)
        copy_smile(visitor)
        visitor.turn_to("Explore")
        visitor.press("#show-layers")
        visitor.until(lambda: page.locator(".layers tbody tr").count())
        visitor.press("#stop")
        visitor.until(visitor.idle)
        assert page.locator("#stop").is_hidden() and page.locator("#use-layer").is_hidden()
        tried = page.locator(".layers tbody tr").count()
        visitor.press("#show-alone")
        visitor.until(lambda: page.locator(".alone figure").count())
        assert 0 < tried < 6
