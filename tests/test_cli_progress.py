"""The progress bar of the command line: on a terminal, in a log, and not at all for short work."""

import io

import pytest

from rewriting.cli import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def at(monkeypatch):
    """Sets the time."""
    return lambda seconds: monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)


def test_short_work_shows_no_bar(at):
    terminal = Terminal()
    with progress.Progress(terminal) as bar:
        for second in (0.0, 0.4, 0.9):
            at(second)
            bar(second, "Drawing")
    assert terminal.getvalue() == ""


def test_long_work_shows_a_bar_and_the_time_left(at):
    terminal = Terminal()
    with progress.Progress(terminal) as bar:
        for second, share in ((0.0, 0.0), (10.0, 0.1), (50.0, 0.5)):
            at(second)
            bar(share, "Drawing")
    *_, last = terminal.getvalue().split("\r")
    assert "50%" in last and "0:50 left" in last and last.count("=") == progress.WIDTH / 2
    assert terminal.getvalue().count("\n") == 1 and terminal.getvalue().endswith("\n")


def test_a_log_gets_a_line_now_and_then(at):
    log = io.StringIO()
    with progress.Progress(log) as bar:
        for second in range(101):
            at(float(second))
            bar(second / 100, "Drawing")
    lines = log.getvalue().splitlines()
    assert lines[0] == "Drawing: 10%" and lines[-1] == "Drawing: 100%" and len(lines) == 10


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36061, "10:01:01")])
def test_time_is_shown_as_on_a_clock(seconds, shown):
    assert progress.clock(seconds) == shown
