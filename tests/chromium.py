"""The browser of the tests: one that is there already, or else one that is brought.

Playwright's own headless shell is fetched where that can be done.  On Debian and Ubuntu root can also install the
distribution's Chromium.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from playwright.sync_api import Error, sync_playwright

from tests.surroundings import PATIENCE, with_proxies

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
NAMES = ("chromium", "chromium-browser", "google-chrome")
OWN = {"channel": "chromium-headless-shell"}  # Playwright's
PLAYWRIGHT = (sys.executable, "-m", "playwright")
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
SECONDS = 900.0  # for one step of what brings a browser
QUIETLY = {
    "DEBIAN_FRONTEND": "noninteractive",
    "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000",  # ms, for each of five attempts
}
NONE = (
    "The tests need a browser, and none could be fetched; install Chromium, or run "
    "`python -m playwright install --with-deps --only-shell chromium`."
)


def launch_options() -> dict[str, str]:
    """What Playwright's `launch` has to be told of the browser, which is brought first if there is none.

    Raises RuntimeError, with one sentence for whoever runs the tests, if that fails.
    """
    found = _found()
    if found is None:
        raise RuntimeError(NONE)
    return found


@cache  # the failure as well: every test asks
def _found() -> dict[str, str] | None:
    found = present()
    if found is None:
        with _alone():
            found = present() or brought()  # another of xdist's workers may just have brought it
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """No other process of these tests is inside."""
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def present() -> dict[str, str] | None:
    """A browser that is there and starts."""
    paths = filter(None, map(shutil.which, NAMES))
    return next(filter(starts, [*({"executable_path": path} for path in paths), OWN]), None)


def starts(found: dict[str, str]) -> bool:
    try:
        with sync_playwright() as playwright:
            playwright.chromium.launch(**found, args=FLAGS, timeout=1000 * PATIENCE).close()
    except Error:  # there is none, it is too old, or a library is missing
        return False
    return True


def brought() -> dict[str, str] | None:
    """A browser that is there from now on, if there is a way."""
    apt = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if run(*PLAYWRIGHT, "install", "--only-shell", "chromium"):
        if starts(OWN) or apt and run(*PLAYWRIGHT, "install-deps", "chromium") and starts(OWN):
            return OWN
    if apt:
        run(*APT, "update")
        for package in NAMES[:2]:  # as Debian and as Ubuntu call it
            if run(*APT, "install", "--yes", "--no-install-recommends", package) and (found := present()):
                return found
    return None


def run(*command: str) -> bool:
    """Whether a command succeeds; what it says is shown with the test that fails."""
    try:
        done = subprocess.run(command, env=with_proxies() | QUIETLY, stdin=subprocess.DEVNULL, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
