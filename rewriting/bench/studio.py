"""Response times of the studio: the app runs in a process of its own, and receives the requests of a browser.

These measurements have no baseline; they compare versions of the code.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rewriting.bench.report import Row
from rewriting.core.presets import presets
from rewriting.installation import checkout

PATIENCE = 300.0  # seconds for the page to appear
VISITORS = 20
PICTURE = re.compile(r'("seed":\d+,"before":|"before"\],)"data:')  # in a message with a picture
PAIR = re.compile(r'"after"(?::|[^:{}]*,)"data:')  # in a message with a picture under the rule
FIRST, SECOND = "frowns-to-smiles", "glasses-come-off"


@dataclass(frozen=True)
class Running:
    """The running app: its address, its process, and the seconds from its start to the page."""

    url: str
    process: subprocess.Popen
    seconds: float

    def peak(self) -> float:
        """Peak memory in megabytes; if the system does not report it, the present memory."""
        status = Path(f"/proc/{self.process.pid}/status")
        told = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
        return int(told[1]) / 1024 if told else self.megabytes()

    def megabytes(self) -> float:
        """Resident memory in megabytes."""
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True)
        return int(told.stdout or 0) / 1024


@contextmanager
def running(*options: str) -> Iterator[Running]:
    """Run the app on a free port with an empty cache, and wait until it answers.

    Raises RuntimeError if it ends or does not answer, and FileNotFoundError if only the package is installed.
    """
    with tempfile.TemporaryDirectory() as cache:
        yield from _running(options, {**os.environ, "REWRITING_CACHE": cache})


def _running(options: tuple[str, ...], environment: dict[str, str]) -> Iterator[Running]:
    root = checkout("bench app and bench first-contact")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(port), *options]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=root, env=environment, **silent)
    url = f"http://127.0.0.1:{port}/"
    try:
        while not _answers(url):
            if process.poll() is not None or time.perf_counter() - start > PATIENCE:
                raise RuntimeError(f"The app did not open on port {port}; `python app.py` says why.")
            time.sleep(0.05)
        yield Running(url, process, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


class PageClient:
    """A client that sends the requests of a visitor's page."""

    def __init__(self, app: Running):
        self._url, self._session = app.url, secrets.token_hex(6)
        self._came = time.perf_counter()
        self._config = httpx.get(f"{app.url}config", timeout=PATIENCE)
        self._events = {one["api_name"]: one["id"] for one in self._config.json()["dependencies"]}

    def opened(self) -> tuple[float, float]:
        """Seconds from the request of the page to its first picture, and to all of its pictures."""
        there = time.perf_counter() - self._came
        if PICTURE.search(self._config.text):
            return there, there
        first, whole, _ = self.act("come", "", "", "", until=PICTURE)
        return there + first, there + whole

    def press(self, preset: str) -> tuple[float, float]:
        """Seconds from the press on a preset's card to its first pair, and to the last.

        Raises:
            RuntimeError: if no pair came, or another visitor's rules are on the page.
        """
        first, whole, shown = self.act("choose_preset", preset, until=PAIR)
        _check(preset, shown)
        return first, whole

    def act(self, event: str, *values: Any, until: re.Pattern | None = None) -> tuple[float, float, str]:
        """Send an event; returns the seconds to the first message that matches `until`, the seconds to the last
        message, and all messages.

        Raises:
            RuntimeError: if no message matches.
        """
        start, first, told = time.perf_counter(), None, ""
        for message in self._answers(event, values):
            told += message
            if first is None and (until is None or until.search(message)):
                first = time.perf_counter() - start
        if first is None:
            raise RuntimeError(f"The app answered to {event} without a picture; `python app.py` says why.")
        return first, time.perf_counter() - start, told

    def _answers(self, event: str, values: tuple[Any, ...]) -> Iterator[str]:
        """The server's messages until the answer is complete."""
        asked = {"fn_index": self._events[event], "data": [*values, 0, None], "session_hash": self._session}
        httpx.post(f"{self._url}gradio_api/queue/join", json=asked, timeout=PATIENCE).raise_for_status()
        listen = {"params": {"session_hash": self._session}, "timeout": PATIENCE}
        with httpx.stream("GET", f"{self._url}gradio_api/queue/data", **listen) as told:
            for line in told.iter_lines():
                yield line
                if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_completed":
                    return


def _check(preset: str, shown: str) -> None:
    """Raise RuntimeError unless the page names the rule of the pressed preset, and no other rule."""
    names = {one.request.name for one in presets().values() if f'"name":"{one.request.name}"' in shown}
    if names != {presets()[preset].request.name}:
        raise RuntimeError(f"A press on {preset} showed the rules {sorted(names)}; rules were mixed.")


def answering(visitors: int = VISITORS) -> Iterator[Row]:
    """Times of the app's start, of a preset, and of many visitors at once."""
    with running() as app:
        yield Row("app, from start to page", app.seconds, None, 1.0, f"{app.megabytes():.0f} MB")
        visitor = PageClient(app)
        first, whole = visitor.press(FIRST)
        yield Row(f"press {FIRST}, to the first pair", first, None, 1.0, "soon after the start")
        yield Row(f"press {FIRST}, to all pairs", whole, None, 1.0)
        again = [visitor.press(name) for name in (SECOND, FIRST, SECOND, FIRST)]
        firsts = [one for one, _ in again]
        yield Row(
            "press a preset again, to the first pair", statistics.median(firsts), None, max(firsts) / min(firsts)
        )
        yield from _crowd(app, visitors)


def _crowd(app: Running, visitors: int) -> Iterator[Row]:
    """Times of visitors who press different presets at once.  Raises RuntimeError if their rules get mixed."""
    names = [name for name in presets()]
    chosen = [names[i % len(names)] for i in range(visitors)]
    before = app.megabytes()
    with ThreadPoolExecutor(visitors) as pool:
        crowd = list(pool.map(lambda _: PageClient(app), chosen))
        waits = list(pool.map(PageClient.press, crowd, chosen))
    firsts, wholes = zip(*waits, strict=True)
    everything = f"slowest {max(firsts):.1f} s, everybody's pairs {max(wholes):.1f} s"
    note = f"{everything}; {(app.megabytes() - before) / visitors:.1f} MB a visitor; no rules mixed"
    what = f"{visitors} visitors press {len(set(chosen))} presets at once, to the first pair"
    yield Row(what, statistics.median(firsts), None, max(firsts) / min(firsts), note)
