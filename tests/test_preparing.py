"""Work done ahead stands aside for visitors, and is never done twice."""

import threading
import time

import pytest

from rewriting.studio import preparing
from rewriting.studio.events.base import polite
from rewriting.studio.preparing import Preparation, Service
from rewriting.studio.session import Numbering

LONG = 20  # seconds: what comes to pass in time, on however slow a machine


@pytest.fixture
def service():
    return Service()


def standing_aside(service):
    """An event that is set once work ahead may go on."""
    went_on = threading.Event()
    threading.Thread(target=lambda: (service.stand_aside(), went_on.set()), daemon=True).start()
    return went_on


def test_work_ahead_waits_until_the_last_visitor_is_served(service, monkeypatch):
    monkeypatch.setattr(preparing, "PATIENCE", LONG)
    with service.serving():
        with service.serving():
            went_on = standing_aside(service)
        assert not went_on.wait(0.2)
    assert went_on.wait(LONG)


def test_work_ahead_does_not_wait_for_ever(service, monkeypatch):
    monkeypatch.setattr(preparing, "PATIENCE", 0.1)
    with service.serving():
        start = time.monotonic()
        service.stand_aside()
        assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize("fails", [False, True])
def test_a_visitor_is_served_until_the_last_update_or_a_refusal(service, monkeypatch, fails):
    monkeypatch.setattr(preparing, "PATIENCE", LONG)

    def event():
        yield "half of it"
        if fails:
            raise ValueError("There is no more.")
        yield "all of it"

    answers = polite(event, serving=service.serving)()
    assert next(answers) == "half of it"
    went_on = standing_aside(service)
    assert not went_on.wait(0.2)
    if fails:
        with pytest.raises(Exception, match="no more"):
            next(answers)
    else:
        assert list(answers) == ["all of it"]
    assert went_on.wait(LONG)


class Counting:
    """Stands in for a rewriter, and says which pictures were drawn ahead."""

    def __init__(self):
        self.drawn, self.ready = [], threading.Event()

    def second_moment(self):
        self.ready.set()

    def locality_terms(self, request):
        pass

    def features(self, seeds, **numbering):
        self.drawn += seeds


def test_drawing_ahead_begins_when_the_visitor_is_served_and_draws_every_picture_once(service, monkeypatch):
    monkeypatch.setattr(preparing, "PATIENCE", LONG)
    preparation, rewriter = Preparation(service), Counting()
    with service.serving():
        for _ in range(2):
            preparation.begin(rewriter, Numbering(), 40)
        assert not rewriter.ready.wait(0.2)
    deadline = time.monotonic() + LONG
    while len(rewriter.drawn) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rewriter.drawn == list(range(40))
