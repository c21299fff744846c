"""Visitors are served in turn, first those who have had least; work done ahead stands aside for them."""

import os
import threading
import time
from types import SimpleNamespace

import pytest

from rewriting.studio import fair_queue as subject
from rewriting.studio.fair_queue import FairQueue, WorkAhead
from tests.surroundings import PATIENCE


@pytest.fixture
def queue():
    return FairQueue()


@pytest.fixture
def clock(monkeypatch):
    """The time by which visitors come, in seconds: whoever asks for it finds it a little later, however busy the
    machine is."""
    ticks = SimpleNamespace(now=0.0)

    def monotonic():
        ticks.now += 0.001
        return ticks.now

    monkeypatch.setattr(subject, "time", SimpleNamespace(monotonic=monotonic))
    return ticks


def standing_aside(queue):
    """An event that is set once work ahead may go on."""
    went_on = threading.Event()
    threading.Thread(target=lambda: (queue.stand_aside(), went_on.set()), daemon=True).start()
    return went_on


def test_work_ahead_waits_until_the_last_visitor_is_served(queue, monkeypatch):
    monkeypatch.setattr(subject, "PATIENCE", PATIENCE)
    with queue.serving():
        with queue.serving():
            went_on = standing_aside(queue)
        assert not went_on.wait(0.2)
    assert went_on.wait(PATIENCE)


def test_work_ahead_does_not_wait_for_ever(queue, monkeypatch):
    monkeypatch.setattr(subject, "PATIENCE", 0.1)
    with queue.serving():
        start = time.monotonic()
        queue.stand_aside()
        assert time.monotonic() - start >= 0.1


def until(what):
    """Wait for something to be true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def waiting(queue, amount):
    """Wait until so many wait for their turn."""
    until(lambda: len(queue._waiting) == amount)


def come(queue, wishes, clock, apart=0.0):
    """Those who ask for a turn, one after another, while one is being served: the order in which they have theirs.

    wishes: {name: parts had before}.  apart: seconds by the clock from one to the next.
    """
    served, people = [], []

    def wait(name, turn):
        with turn():
            served.append(name)

    def after(had):
        turn = queue.turns()
        for _ in range(had):
            with turn():
                pass
        return turn

    turns = []
    for had in wishes.values():
        turns.append(after(had))
        clock.now += apart
    with queue.turns()():
        for number, (name, turn) in enumerate(zip(wishes, turns, strict=True), 1):
            people.append(threading.Thread(target=wait, args=(name, turn), daemon=True))
            people[-1].start()
            waiting(queue, number)
    for person in people:
        person.join(PATIENCE)
    return served


def test_who_came_first_is_served_first_and_who_has_seen_something_waits(clock):
    early = subject.EARLY
    wishes = {"all but the last": early + 2, "a first picture": early, "newcomer": 0, "solved": early - 1}
    assert come(FairQueue(at_once=1), wishes, clock) == ["newcomer", "solved", "a first picture", "all but the last"]


def test_who_waits_long_enough_comes_before_newcomers(clock):
    wishes, long = {"nearly done": subject.EARLY + 1, "newcomer": 0}, 3 * subject.PART
    assert come(FairQueue(at_once=1), wishes, clock) == ["newcomer", "nearly done"]
    assert come(FairQueue(at_once=1), wishes, clock, apart=long) == ["nearly done", "newcomer"]


def test_no_more_than_agreed_are_served_at_once_and_a_failure_gives_its_turn_back(queue):
    busy, most, lock = [0], [0], threading.Lock()

    def work(fails):
        try:
            with queue.turns()():
                with lock:
                    busy[0] += 1
                    most[0] = max(most[0], busy[0])
                time.sleep(0.02)
                with lock:
                    busy[0] -= 1
                if fails:
                    raise ValueError("It failed.")
        except ValueError:
            pass

    people = [threading.Thread(target=work, args=(n % 3 == 0,), daemon=True) for n in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join(PATIENCE)
    assert most[0] == subject.AT_ONCE and busy[0] == 0
    with queue.turns()():
        pass


class Counting:
    """Stands in for a rewriter, and says what was drawn ahead."""

    def __init__(self):
        self.drawn, self.begun = [], threading.Event()

    def draw(self, seed):
        self.begun.set()
        self.drawn.append(seed)


def drawing(*seeds):
    return ((lambda rewriter, seed=seed: rewriter.draw(seed)) for seed in seeds)


def test_drawing_ahead_begins_when_the_visitor_is_served_and_what_was_asked_for_last_counts(queue, monkeypatch):
    monkeypatch.setattr(subject, "PATIENCE", PATIENCE)
    ahead, rewriter = WorkAhead(queue), Counting()
    with queue.serving():
        ahead.begin(rewriter, drawing(*range(100, 140)))
        ahead.begin(rewriter, drawing(*range(40)))
        assert not rewriter.begun.wait(0.2)
    until(lambda: len(rewriter.drawn) == 40)
    assert rewriter.drawn == list(range(40))
    ahead.begin(rewriter, drawing(50))
    until(lambda: rewriter.drawn[40:] == [50])


def test_work_ahead_looks_after_every_slice_whether_somebody_waits(queue, monkeypatch):
    """Each step here takes longer than a slice, so that after the one under way nothing follows."""
    monkeypatch.setattr(subject, "PATIENCE", PATIENCE)
    monkeypatch.setattr(subject, "SLICE", 0.0)
    ahead, rewriter, go_on = WorkAhead(queue), Counting(), threading.Event()
    rewriter.draw = lambda seed: (rewriter.drawn.append(seed), go_on.wait(PATIENCE))
    ahead.begin(rewriter, drawing(*range(10)))
    until(lambda: rewriter.drawn)
    with queue.serving():
        go_on.set()
        time.sleep(0.2)
        assert rewriter.drawn == [0]
    until(lambda: len(rewriter.drawn) == 10)


def test_work_ahead_that_is_ended_stops_after_a_step_and_begins_nothing(monkeypatch, queue):
    monkeypatch.setattr(subject, "SLICE", 0.0)
    ahead, first, second, go_on = WorkAhead(queue), Counting(), Counting(), threading.Event()
    first.draw = lambda seed: (first.drawn.append(seed), go_on.wait(PATIENCE))
    ahead.begin(first, drawing(*range(10)))
    until(lambda: first.drawn)
    ahead.end()
    ahead.begin(second, drawing(*range(10)))
    go_on.set()
    assert not second.begun.wait(0.2) and first.drawn == [0]


def test_what_fails_ahead_is_left_and_what_is_asked_for_next_is_done(queue):
    ahead, rewriter = WorkAhead(queue), Counting()

    def fails(_):
        rewriter.drawn.append("failed")
        raise ValueError("It failed.")

    ahead.begin(rewriter, iter([fails, *drawing(1)]))
    until(lambda: rewriter.drawn == ["failed"] and rewriter not in ahead._wanted)
    ahead.begin(rewriter, drawing(2))
    until(lambda: rewriter.drawn == ["failed", 2])


def test_work_ahead_leaves_the_processor_to_visitors(queue):
    ahead, rewriter, found = WorkAhead(queue), Counting(), []
    ahead.begin(rewriter, iter([lambda _: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))]))
    until(lambda: found)
    assert found[0] > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
