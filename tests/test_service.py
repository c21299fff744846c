"""Visitors are served in turn, first those who have had least; work done ahead stands aside for them."""

import threading
import time
from types import SimpleNamespace

import pytest

from rewriting.studio import service as subject
from rewriting.studio.service import Service
from tests.surroundings import PATIENCE


@pytest.fixture
def service():
    return Service()


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


def standing_aside(service):
    """An event that is set once work ahead may go on."""
    went_on = threading.Event()
    threading.Thread(target=lambda: (service.stand_aside(), went_on.set()), daemon=True).start()
    return went_on


def test_work_ahead_waits_until_the_last_visitor_is_served(service, monkeypatch):
    monkeypatch.setattr(subject, "PATIENCE", PATIENCE)
    with service.serving():
        with service.serving():
            went_on = standing_aside(service)
        assert not went_on.wait(0.2)
    assert went_on.wait(PATIENCE)


def test_work_ahead_does_not_wait_for_ever(service, monkeypatch):
    monkeypatch.setattr(subject, "PATIENCE", 0.1)
    with service.serving():
        start = time.monotonic()
        service.stand_aside()
        assert time.monotonic() - start >= 0.1


def until(what):
    """Wait for something to be true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def waiting(service, amount):
    """Wait until so many wait for their turn."""
    until(lambda: len(service._waiting) == amount)


def come(service, wishes, clock, apart=0.0):
    """Those who ask for a turn, one after another, while one is being served: the order in which they have theirs.

    wishes: {name: parts had before}.  apart: seconds by the clock from one to the next.
    """
    served, people = [], []

    def wait(name, turn):
        with turn():
            served.append(name)

    def after(had):
        turn = service.turns()
        for _ in range(had):
            with turn():
                pass
        return turn

    turns = []
    for had in wishes.values():
        turns.append(after(had))
        clock.now += apart
    with service.turns()():
        for number, (name, turn) in enumerate(zip(wishes, turns, strict=True), 1):
            people.append(threading.Thread(target=wait, args=(name, turn), daemon=True))
            people[-1].start()
            waiting(service, number)
    for person in people:
        person.join(PATIENCE)
    return served


def test_who_came_first_is_served_first_and_who_has_seen_something_waits(clock):
    early = subject.EARLY
    wishes = {"all but the last": early + 2, "a first picture": early, "newcomer": 0, "solved": early - 1}
    assert come(Service(at_once=1), wishes, clock) == ["newcomer", "solved", "a first picture", "all but the last"]


def test_who_waits_long_enough_comes_before_newcomers(clock):
    wishes, long = {"nearly done": subject.EARLY + 1, "newcomer": 0}, 3 * subject.PART
    assert come(Service(at_once=1), wishes, clock) == ["newcomer", "nearly done"]
    assert come(Service(at_once=1), wishes, clock, apart=long) == ["nearly done", "newcomer"]


def test_no_more_than_agreed_are_served_at_once_and_a_failure_gives_its_turn_back(service):
    busy, most, lock = [0], [0], threading.Lock()

    def work(fails):
        try:
            with service.turns()():
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
    with service.turns()():
        pass
