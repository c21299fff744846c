"""A progress bar on stderr, for work that takes longer than a second."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

PATIENCE = 1.0  # seconds before the bar appears
WIDTH = 30
LINE_EVERY = 10.0  # seconds between lines if the stream is not a terminal


class Progress:
    """Called with (share done, from 0 to 1, sentence).  A context manager: leaving it ends the bar's line.

    On a terminal it redraws a bar; elsewhere, such as in a log, it writes a line every ten seconds.  Of several
    processes of a `torchrun`, only the first shows its progress.
    """

    def __init__(self, stream: TextIO | None = None):
        self._stream = sys.stderr if stream is None else stream
        self._sentence, self._began, self._shown = "", 0.0, 0.0
        self._open = False
        self._silent = int(os.environ.get("RANK", "0")) > 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()

    def __call__(self, share: float, sentence: str) -> None:
        now = time.monotonic()
        if sentence != self._sentence:
            self._end_line()
            self._sentence, self._began, self._shown = sentence, now, now
        if self._silent or now - self._began < PATIENCE:
            return
        if self._stream.isatty():
            self._draw(share, now)
        elif now - self._shown >= LINE_EVERY:
            self._shown = now
            print(f"{sentence}: {share:.0%}", file=self._stream, flush=True)

    def _draw(self, share: float, now: float) -> None:
        done = round(WIDTH * share)
        left = (now - self._began) * (1 - share) / share if share > 0 else 0.0
        bar = f"\r{self._sentence}  [{'=' * done}{' ' * (WIDTH - done)}] {share:4.0%}  {clock(left)} left "
        print(bar, end="", file=self._stream, flush=True)
        self._open = True

    def _end_line(self) -> None:
        if self._open:
            print(file=self._stream, flush=True)
        self._open = False


def clock(seconds: float) -> str:
    """1:02:03 or 2:03"""
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
