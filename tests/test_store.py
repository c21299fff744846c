"""Results by the name of what they depend on: made once, within a budget, whoever asks and however many."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rewriting.core.store import Store
from tests.surroundings import PATIENCE


class Maker:
    """Makes arrays of 100 bytes, and knows of which names."""

    def __init__(self):
        self.made = []

    def __call__(self, names):
        self.made.append([name for (name,) in names])
        return [np.full(100, name, np.uint8) for (name,) in names]


def names(*numbers):
    return [(number,) for number in numbers]


def test_what_is_there_is_not_made_again_and_results_are_in_the_order_asked():
    store, make = Store(10_000), Maker()
    assert [one[0] for one in store.each(names(3, 1, 3), make, at_a_time=8)] == [3, 1, 3]
    assert [one[0] for one in store.each(names(1, 2, 3, 4, 5), make, at_a_time=2)] == [1, 2, 3, 4, 5]
    assert make.made == [[3, 1], [2, 4], [5]]
    assert set(store.known(names(1, 5, 9))) == {(1,), (5,)}


def test_what_was_not_asked_for_longest_goes_first():
    store, make = Store(300), Maker()
    store.each(names(1, 2, 3), make, 8)
    store.each(names(1, 4), make, 8)
    assert set(store.known(names(1, 2, 3, 4))) == set(names(1, 3, 4))
    assert [one[0] for one in store.each(names(*range(9)), make, 8)] == list(range(9))  # more than there is room for
    store.forget(lambda name: name[0] > 6)
    assert max(name for (name,) in store.known(names(*range(9)))) == 6


def test_who_asks_for_what_is_being_made_waits_for_it():
    store, begun, go_on, made = Store(1000), threading.Event(), threading.Event(), []

    def make():
        made.append(1)
        begun.set()
        assert go_on.wait(PATIENCE)
        return "result"

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(store.one, ("rule",), make)
        assert begun.wait(PATIENCE)
        others = [pool.submit(store.one, ("rule",), make) for _ in range(2)]
        assert store.one(("another",), lambda: "at once") == "at once"
        go_on.set()
        assert [one.result(PATIENCE) for one in (first, *others)] == ["result"] * 3
    assert made == [1]


def test_two_who_want_the_same_in_another_order_do_not_wait_for_each_other_for_ever():
    store, barrier = Store(10_000), threading.Barrier(2)

    def make(wanted):
        if barrier.n_waiting < 2 and not barrier.broken:
            try:
                barrier.wait(0.2)
            except threading.BrokenBarrierError:
                pass
        return [number for (number,) in wanted]

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(store.each, names(*order), make) for order in ((1, 2, 3), (3, 2, 1))]
        assert [one.result(PATIENCE) for one in asked] == [[1, 2, 3], [3, 2, 1]]


def test_what_fails_is_said_to_whoever_made_it_and_the_next_one_tries_again():
    store = Store(1000)

    def fail(_):
        raise ValueError("It failed.")

    with pytest.raises(ValueError, match="It failed"):
        store.each(names(1), fail)
    assert store.each(names(1), Maker())[0][0] == 1
