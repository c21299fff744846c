"""Work done ahead stands aside for visitors, and is never done twice."""

import threading
import time

import pytest

from rewriting.studio.preparing import Preparation
from rewriting.studio.service import Service
from rewriting.studio.session import Numbering
from tests.surroundings import PATIENCE


@pytest.fixture
def service():
    return Service()


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
    monkeypatch.setattr("rewriting.studio.service.PATIENCE", PATIENCE)
    preparation, rewriter = Preparation(service), Counting()
    with service.serving():
        for _ in range(2):
            preparation.begin(rewriter, Numbering(), 40)
        assert not rewriter.ready.wait(0.2)
    deadline = time.monotonic() + PATIENCE
    while len(rewriter.drawn) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rewriter.drawn == list(range(40))
