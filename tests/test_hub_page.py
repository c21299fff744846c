"""The tab of the Hub as visitors use it: sign in, publish a rule, open it elsewhere, and be told what went wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page

from rewriting.core.presets import preset
from rewriting.studio.page import CSS, build
from rewriting.studio.service import Service
from tests.browser import chromium, chromium_page, serving, wait_for
from tests.hub_client import alone_with_a_hub
from tests.hub_repos import files_of
from tests.reference import nvidia
from tests.surroundings import PATIENCE
from tests.test_checkpoints import save_rosinality

pytest_plugins = ("tests.hub_fixtures",)

PRESET = "glasses-come-off"
NAME = preset(PRESET).title


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Hub and a studio that knows no other: hub, service, url."""
    with pytest.MonkeyPatch.context() as patch, alone_with_a_hub(patch, tmp_path_factory.mktemp("client")) as hub:
        service = Service(endpoint=hub.url)
        with serving(build(service, "face"), css=CSS) as url:
            yield SimpleNamespace(hub=hub, service=service, url=url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def says(page: Page, part: str, words: str) -> str:
    """What a line of the tab says, once it says this."""
    line = page.locator(f"#{part}")
    try:
        wait_for(lambda: words in line.inner_text(), page=page)
    except AssertionError as error:
        raise AssertionError(f"{error}  The line should say {words!r}, and says {line.inner_text()!r}.") from None
    return line.inner_text()


def to_the_hub(page: Page) -> None:
    page.locator("#tabs label", has_text="Hub").click()
    wait_for(lambda: page.locator("#account").inner_text(), page=page)


def press(page: Page, button: str, part: str) -> None:
    """Press until the line answers: gradio drops a press that comes while the last answer is just about to end."""
    before = page.locator(f"#{part}").inner_text()

    def heard() -> bool:
        page.locator(f"#{button}").click()
        return bool(wait_or_not(lambda: page.locator(f"#{part}").inner_text() != before, page))

    wait_for(heard, seconds=2 * PATIENCE, page=page)


def open_repo(page: Page, repo: str) -> None:
    page.locator("#address input").fill(repo)
    press(page, "open-repo", "opening")


def sign_in(page: Page, token: str) -> None:
    page.locator("#token input").fill(token)
    press(page, "sign-in", "account")


def publish(page: Page, name: str) -> None:
    page.locator("#repo-name input").fill(name)
    press(page, "publish", "published")


def rules(page: Page) -> str:
    return page.locator("#rules").inner_text()


def make_a_rule(page: Page) -> None:
    def heard() -> bool:  # a click on a page whose scripts have not begun is lost, as it is for a person
        page.locator(f"#cards [data-name='{PRESET}']").click()
        return bool(wait_or_not(lambda: NAME in rules(page), page))

    wait_for(heard, seconds=2 * PATIENCE, page=page)


def wait_or_not(what: Callable[[], bool], page: Page) -> bool:
    """Whether it came in a third of the usual patience."""
    try:
        return wait_for(what, seconds=PATIENCE / 3, page=page)
    except AssertionError:
        return False


def test_a_rule_is_published_and_opened_by_somebody_else(browser: Browser, studio: SimpleNamespace):
    token = studio.hub.add_user("alice", organizations=("guild",))
    with chromium_page(browser, studio.url) as alice:
        make_a_rule(alice)
        to_the_hub(alice)
        says(alice, "account", "not signed in")
        sign_in(alice, token)
        says(alice, "account", "Signed in as alice, member of guild.")
        publish(alice, "no-glasses")
        says(alice, "published", "Published alice/no-glasses.")
        link = alice.locator("#published a").get_attribute("href")
        assert link == f"{studio.hub.url}/alice/no-glasses"
        publish(alice, "no-glasses")
        says(alice, "published", "No commit was made")
        assert len(studio.hub.repo("alice/no-glasses").commits) == 2  # its making, and the rule
        kept = alice.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert token not in alice.content() + kept and not alice.locator("#token input").is_visible()
    with chromium_page(browser, studio.url) as bob:
        to_the_hub(bob)
        says(bob, "account", "not signed in")
        bob.locator("#found [data-id='alice/no-glasses'] img").first.wait_for()
        open_repo(bob, "alice/no-glasses")
        wait_for(lambda: NAME in rules(bob), page=bob)
        assert "Opened 1 rule for Face." in bob.locator("#opening").inner_text()
        bob.locator("#rules button", has_text="Edit").click()  # its request came along
        wait_for(lambda: bob.locator("#tray img").count() > 0, page=bob)


def test_a_generator_opens_by_its_id_and_undo_goes_back(browser: Browser, studio: SimpleNamespace, folder):
    studio.hub.add_repo("org/tiny", files_of(folder))
    with chromium_page(browser, studio.url) as page:
        to_the_hub(page)
        open_repo(page, "org/tiny@main")
        chosen = page.locator("#generator label.selected")
        wait_for(lambda: chosen.inner_text().strip() == "tiny", page=page)
        wait_for(lambda: "tiny" in page.locator("#headline").inner_text(), page=page)
        page.locator("#undo").click()
        wait_for(lambda: chosen.inner_text().strip() == "Face", page=page)
        page.locator("#generator label", has_text="tiny").click()  # still offered
        wait_for(lambda: "tiny" in page.locator("#headline").inner_text(), page=page)


def test_of_several_files_one_is_chosen_from_a_list_and_said_to_be_what_it_is(
    browser: Browser, studio: SimpleNamespace, tmp_path: Path
):
    for seed, name in enumerate(("cats", "dogs")):
        save_rosinality(tmp_path / f"{name}.pt", nvidia.random_state(16, seed=seed))
    studio.hub.add_repo("org/nets", {path.name: path.read_bytes() for path in tmp_path.glob("*.pt")})
    with chromium_page(browser, studio.url) as page:
        to_the_hub(page)
        open_repo(page, f"{studio.hub.url}/org/nets/tree/main")
        says(page, "opening", "org/nets holds 2 files that may be generators; choose one.")
        page.locator("#which-file input").click()
        page.get_by_text("dogs.pt (0.1 MB)").click()
        says(page, "opening", "Found dogs at ")
        says(page, "opening", "StyleGAN2, 16 px; its licence is not stated")
        chosen = page.locator("#generator label.selected")
        assert chosen.inner_text().strip() == "Face"
        page.locator("#use-offered").click()
        says(page, "opening", "Opened dogs at ")
        assert not page.locator("#which-file").is_visible() and not page.locator("#use-offered").is_visible()
        wait_for(lambda: chosen.inner_text().strip() == "dogs", page=page)


def test_what_goes_wrong_is_one_sentence_and_the_session_stays(browser: Browser, studio: SimpleNamespace, folder):
    hub, token = studio.hub, studio.hub.add_user("carol")
    hub.add_repo("org/gated", files_of(folder), gated=True)
    hub.add_repo("bob/secret", files_of(folder), private=True)
    with chromium_page(browser, studio.url) as page:
        make_a_rule(page)
        to_the_hub(page)
        publish(page, "mine")
        says(page, "published", "You are not logged in")
        sign_in(page, "hf_wrong")
        says(page, "account", "does not accept this token")
        sign_in(page, token)
        says(page, "account", "Signed in as carol.")
        for repo, words in (
            ("org/none", "There is no repo org/none"),
            ("org/gated", "accepted its conditions"),
            ("bob/secret", "There is no repo bob/secret"),
            ("alice/no glasses", "was taken for a repo of the Hub"),
            ("/etc/hostname-of-nobody", "There is no folder '/etc/hostname-of-nobody'"),
        ):
            open_repo(page, repo)
            says(page, "opening", words)
        publish(page, "guild/hats")
        says(page, "published", "This token may not do that")
        says(page, "published", "pull request")  # what to do instead
        studio.service.endpoint = "http://127.0.0.1:9"  # where nobody listens
        try:
            open_repo(page, "org/tiny-2")
            says(page, "opening", "does not answer")
        finally:
            studio.service.endpoint = hub.url
        assert NAME in rules(page)
        publish(page, "mine")
        says(page, "published", "Published carol/mine.")
