"""Long work: what the page shows is made as the state needs it, part by part, and in turn.

A result goes by the name of all that it depends on (`State.names`).  After each event, whoever answers it makes what
the state needs and nobody is making; what is no longer needed ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from rewriting.backend import listening
from rewriting.core.presets import preset
from rewriting.generators.own_picture import Seed
from rewriting.studio.fair_queue import NoTurn, Turn
from rewriting.studio.service import PAIRS, Service
from rewriting.studio.session import Session
from rewriting.studio.state import PAGE, Made, Results, State, View
from rewriting.studio.visitor import Task, Visitor

PARTS = (4, 12, PAGE)  # pictures of a page appear in steps: so many are there after each
TOLD = 1.0  # seconds of waiting after which visitors are told how many go first, and how often
QUICK = ("canvases", "goal", "drawn", "sheet")  # what need not wait for its turn
ALL = (*QUICK, "results")

Turns = Callable[[], Turn | NoTurn]
Part = tuple[Any, bool]  # what has been made so far, and whether that is all
T = TypeVar("T")


class Maker:
    """Makes results for the state of a visitor, each in parts."""

    def __init__(self, service: Service):
        self.service = service

    def __call__(self, topic: str, state: State) -> Iterator[Part]:
        return getattr(self, topic)(state)

    def at_hand(self, state: State) -> tuple[str, ...]:
        """What takes no time to make, or so little that nothing is shown before."""
        session, seeds = state.session, state.view.seeds
        known = len(self.service.known(session.generator, seeds, session.numbering)) == len(set(seeds))
        sheet = ("sheet",) if known and state.view.outlined is None else ()
        large = self.service.shown_size(session.generator) < self.service.about(session.generator).resolution
        return sheet if large else ("canvases", *sheet)

    def canvases(self, state: State) -> Iterator[Part]:
        """The pictures in the canvases and those that places are painted on, by their number: first as they are on the
        sheet, and then larger ones as they are."""
        session, seeds = state.session, list(state.names["canvases"][-1])
        full = self.service.about(session.generator).resolution
        for size in dict.fromkeys((self.service.shown_size(session.generator), full)):
            pictures = self.service.drawn(session.generator, seeds, session.numbering, size=size)
            yield dict(zip(seeds, pictures, strict=True)), size == full

    def goal(self, state: State) -> Iterator[Part]:
        """The pasted goal as the generator draws it, as a data URL."""
        yield self.service.goal(state.session), True

    def drawn(self, state: State) -> Iterator[Part]:
        """The picture being retouched as the generator draws it under the rules in force, as a data URL."""
        yield self.service.under(state.session, state.view.retouch_seed), True

    def sheet(self, state: State) -> Iterator[Part]:
        """The pictures to choose from, as the sheet takes them."""
        session, seeds, outlined = state.session, state.view.seeds, state.view.outlined
        outlines = [""] * len(seeds)
        if outlined is not None:
            outlines = self.service.outlines_at(session.step("outline", asked=outlined), seeds)
        for urls in self.pictures(session, seeds):
            yield (
                [
                    {"seed": s, "image": u, **({"outline": o} if o else {})}
                    for s, u, o in zip(seeds, urls, outlines, strict=False)
                ],
                len(urls) == len(seeds),
            )

    def pictures(self, session: Session, seeds: Sequence[Seed]) -> Iterator[list[str]]:
        """Unedited pictures as data URLs, more and more of them."""
        urls: list[str] = []
        for end in PARTS if not self.service.backend(session.generator).at_once else PARTS[-1:]:
            if len(urls) < len(seeds):
                urls += self.service.pictures(session.generator, seeds[len(urls) : end], session.numbering)
                yield urls

    def results(self, state: State) -> Iterator[Part]:
        """Pictures before and after the rules in force: the first, then more; without rules, before only."""
        session, made = state.session, state.result("results")
        seeds = made.content.seeds if made and made.content else self.result_seeds(session, state.view)
        if not session.rules:
            for urls in self.pictures(session, seeds):
                pairs = [{"seed": s, "before": u, "after": ""} for s, u in zip(seeds, urls, strict=False)]
                yield Results(seeds, tuple(pairs)), len(pairs) == len(seeds)
            return
        for drawn in self.service.results(session, seeds):
            counted = drawn.complete and not (session.rule and session.rule.preset and measured_by_preset(session))
            effect = self.service.effect(session, drawn) if counted else None
            yield Results(seeds, tuple(drawn.pairs), effect), drawn.complete

    def result_seeds(self, session: Session, view: View) -> tuple[int, ...]:
        """Unseen pictures to show: those that come with a preset, or as the visitor ordered them."""
        if not session.rules:
            return tuple(range(view.skipped, view.skipped + PAGE))
        chosen = session.rule.preset if session.rule and view.order == "best" and not view.skipped else ""
        shown = preset(chosen).shown[:PAIRS] if chosen else []
        return tuple(shown or self.service.result_seeds(session, view.order, view.skipped))


def measured_by_preset(session: Session) -> str:
    """What was measured of the preset that is in force alone and as it was made; empty otherwise."""
    rule = session.rule
    alone = rule is not None and len(session.rules) == 1 and rule.edit.enabled and rule.edit.strength == 1
    return preset(rule.preset).measured if alone and rule.preset else ""


def words_for(topic: str, state: State) -> str:
    """What the page says while a result is made."""
    if topic == "sheet":
        return "Drawing" if state.view.outlined is None else "Looking for matches"
    return "Drawing" if topic == "results" else ""


def make_needed(visitor: Visitor, make: Maker, topics: tuple[str, ...], turns: Turns) -> Iterator[None]:
    """Make what the visitor's state needs, and stop whenever there is something new to show, at first before anything
    is made.  Quick things do not wait for all parts of slow ones."""
    taken = visitor.take(topics, words_for)
    yield
    while taken is not None:
        task, state = taken
        quick = task.topic in QUICK
        try:
            with closing(make(task.topic, state)) as parts:
                complete = False
                while not complete and task.wanted:
                    next_part = partial(next, parts, None)
                    part = yield from in_turn(task, NoTurn if quick else turns, next_part)
                    if part is None:
                        break
                    content, complete = part
                    put = _put(task, Made(task.name, content, complete))
                    if not (task.end(put) if complete else task.change(put)):
                        break
                    yield
                    if not quick:
                        yield from make_needed(visitor, make, QUICK, turns)
        except (ValueError, OSError):
            task.end(_put(task, Made(task.name, None, True)))
            raise
        finally:
            task.end()
        if (taken := visitor.take(topics, words_for)) is not None:
            yield


def _put(task: Task, made: Made) -> Callable[[State], State]:
    return lambda state: state.put(task.topic, made)


def in_turn(task: Task | None, turns: Turns, step: Callable[[], T]) -> Iterator[None]:
    """Take a step when its turn has come, and return what it returns; None if its task is cancelled before.

    Stops when there is something new to say about the waiting."""
    words = task.words if task else ""
    with closing(turns()) as turn:
        last = 0
        while (before := turn.wait(TOLD)) and (task is None or task.wanted):
            if before != last and task is not None:
                task.say("Waiting for another answer" if before == 1 else f"Waiting for {before} other answers")
                yield
            last = before
        if before:
            return None
        if last and task is not None:
            task.say(words)
            yield
        if task is None:
            return step()
        with listening(lambda sentence: task.visitor.change(lambda state: state.with_(notice=sentence))):
            return step()
