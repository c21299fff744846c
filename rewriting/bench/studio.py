"""How soon the studio answers, measured from outside: the app as a process of its own, asked as a browser asks it.

These have no straightforward way beside them: they are there to compare one state of the code with the next.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gradio_client import Client

from rewriting.bench.row import Row
from rewriting.core.presets import presets
from rewriting.installation import checkout

PATIENCE = 300.0  # seconds for the page to appear
VISITORS = 20
FIRST, SECOND = "frowns-to-smiles", "glasses-come-off"


@dataclass(frozen=True)
class Running:
    """The app: its address, its process, and the seconds until the page could be used."""

    url: str
    process: subprocess.Popen
    seconds: float

    def megabytes(self) -> float:
        """Resident memory."""
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True)
        return int(told.stdout or 0) / 1024


@contextmanager
def running() -> Iterator[Running]:
    """The app on a free port, from its start until it answers.

    Raises RuntimeError if it ends or never does, and FileNotFoundError if only the package is installed.
    """
    root = checkout("bench app")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(port)]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
    import httpx

    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def answering(visitors: int = VISITORS) -> Iterator[Row]:
    """The app's start, the way from a preset to its pictures, and many visitors at once."""
    with running() as app:
        yield Row("app, from start to page", app.seconds, None, 1.0, f"{app.megabytes():.0f} MB")
        client = Client(app.url, verbose=False)
        first, whole = _press(client, FIRST)
        yield Row(f"press {FIRST}, to the first pair", first, None, 1.0, "soon after the start")
        yield Row(f"press {FIRST}, to all pairs", whole, None, 1.0)
        again = [_press(client, name) for name in (SECOND, FIRST, SECOND, FIRST)]
        firsts = [one for one, _ in again]
        yield Row(
            "press a preset again, to the first pair", statistics.median(firsts), None, max(firsts) / min(firsts)
        )
        yield from _crowd(app, visitors)


def _press(client: Client, preset: str) -> tuple[float, float]:
    """Seconds from pressing a preset's card to its first pair, and to the last.

    Raises:
        RuntimeError: if none was shown.
    """
    start = time.perf_counter()
    job, first = client.submit(preset, api_name="/choose_preset"), None
    for updates in job:
        if first is None and _shows_a_pair(updates):
            first = time.perf_counter() - start
    job.result()
    if first is None:
        raise RuntimeError(f"The app answered to {preset} without a pair of pictures; `python app.py` may say why.")
    return first, time.perf_counter() - start


def _shows_a_pair(updates: Sequence[Any]) -> bool:
    """Whether a picture under the rule is among what the page is to show."""
    sheets = [update["props"].get("pairs", []) for update in updates if isinstance(update, dict) and "props" in update]
    return any(pair["after"] for pairs in sheets for pair in pairs)


def _crowd(app: Running, visitors: int) -> Iterator[Row]:
    """Visitors who all press a card at once, each another one than their neighbours; what each then has in force is
    looked at, so that a mixing of rules would end the measurement."""
    names = [name for name in presets()]
    chosen = [names[i % len(names)] for i in range(visitors)]
    before = app.megabytes()
    with ThreadPoolExecutor(visitors) as pool:
        clients = list(pool.map(lambda _: Client(app.url, verbose=False), chosen))
        waits = list(pool.map(_press, clients, chosen))
        desks = list(pool.map(lambda client: client.predict(api_name="/desk"), clients))
    _check(chosen, desks)
    firsts, wholes = zip(*waits, strict=True)
    everything = f"slowest {max(firsts):.1f} s, everybody's pairs {max(wholes):.1f} s"
    note = f"{everything}; {(app.megabytes() - before) / visitors:.1f} MB a visitor; no rules mixed"
    what = f"{visitors} visitors press {len(set(chosen))} presets at once, to the first pair"
    yield Row(what, statistics.median(firsts), None, max(firsts) / min(firsts), note)


def _check(chosen: Sequence[str], desks: Sequence[dict]) -> None:
    for name, desk in zip(chosen, desks, strict=True):
        expected, there = presets()[name].request.name, [rule["name"] for rule in desk["rules"]]
        if there != [expected]:
            raise RuntimeError(f"A visitor who pressed {name} has the rules {there}; visitors' rules were mixed.")
