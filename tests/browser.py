"""A headless Chromium for tests of the studio, and a server to point it at.

with serving(demo) as url, chromium() as browser, chromium_page(browser, url) as page:
    page.click("text=Rewrite")
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar
from urllib.parse import urlencode

import gradio as gr
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

import rewriting
from tests.chromium import FLAGS, launch_options
from tests.surroundings import PATIENCE

OURS = os.path.dirname(rewriting.__file__)

T = TypeVar("T")


@contextmanager
def serving(demo: gr.Blocks, **options: Any) -> Iterator[str]:
    """Serve a gradio app from this process and yield its URL; `options` go to `launch`."""
    quiet = {"prevent_thread_lock": True, "quiet": True, "ssr_mode": False, "footer_links": [], "run_history": False}
    _, url, _ = demo.launch(**{**quiet, "server_port": free_port(), **options})
    try:
        yield url
    finally:
        demo.close(verbose=False)
        wait_for(lambda: not computing())


def free_port() -> int:
    """A port that nobody listens on.  gradio's own search takes the same one in two processes that begin together."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def computing() -> bool:
    """Whether a thread is still at work for a page that nobody looks at: Python must not exit then, as it would end
    threads inside torch, which aborts the process."""
    here = threading.get_ident()
    frames = [frame for thread, frame in sys._current_frames().items() if thread != here]
    return any(caller.f_code.co_filename.startswith(OURS) for frame in frames for caller in callers(frame))


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium, headless; see `tests.chromium`."""
    found = launch_options()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**found, args=FLAGS, timeout=1000 * PATIENCE)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def chromium_page(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    phone: bool = False,
    dark: bool = False,
    **query: str,
) -> Iterator[Page]:
    """A fresh page on a gradio app, closed afterwards.

    Args:
        browser: from `chromium`.
        url: of the app.
        width: of the window in pixels.
        height: of the window in pixels.
        phone: whether it is a touch screen on which fingers are coarse and nothing hovers.
        dark: whether gradio's dark theme is on.
        query: what else the address says, as `preset="horse-hats"`.

    Raises:
        AssertionError: at the end, if a script failed or anything was written to the console as an error.
    """
    size = {"width": width, "height": height}
    context = browser.new_context(viewport=size, has_touch=phone, is_mobile=phone)
    context.set_default_timeout(1000 * PATIENCE)
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    try:
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}?{urlencode({'__theme': 'dark' if dark else 'light', **query})}")
        page.wait_for_selector("gradio-app .gradio-container", state="attached")
        yield page
        assert not complaints, complaints
    finally:
        context.close()


def wait_for(what: Callable[[], T], *, seconds: float = PATIENCE, page: Page | None = None) -> T:
    """Ask until the answer is true, and return it; the browser goes on working meanwhile if `page` is given."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        if time.monotonic() > end:
            raise AssertionError(f"Nothing came within {seconds} seconds.")
        if page is None:
            time.sleep(0.02)
        else:
            page.wait_for_timeout(20)
    return answer


class Rest:
    """Says, when called, whether a page has for a while waited for nothing that it asked of the server since this was
    made: gradio complains where a page is left in the middle of an answer."""

    def __init__(self, page: Page):
        self.page, self.awaited = page, set[Request]()
        page.on("request", self._ask)
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda request: self.awaited.discard(request))

    def _ask(self, request: Request) -> None:
        if "/heartbeat/" not in request.url:  # stays open as long as the page does
            self.awaited.add(request)

    def __call__(self) -> bool:
        before = bool(self.awaited)
        self.page.wait_for_timeout(300)
        return not (before or self.awaited)


def touch_stroke(page: Page, points: list[tuple[float, float]]) -> None:
    """One finger down at the first point, over all others, and up."""
    session = page.context.new_cdp_session(page)
    for index, (x, y) in enumerate(points):
        kind = "touchMove" if index else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()
