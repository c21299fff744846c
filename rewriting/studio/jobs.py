"""Long work: makes the results that the page's state needs, part by part and in turn.

A result's name holds everything that it depends on (`State.names`).  Each event makes the results that its new state
needs and no other event is making; results that the state no longer needs are cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from rewriting.backend import listening
from rewriting.checks import is_whole
from rewriting.core.presets import preset
from rewriting.generators.own_picture import Seed
from rewriting.studio import selection
from rewriting.studio.encoding import data_url
from rewriting.studio.fair_queue import NoTurn, Turn
from rewriting.studio.results import Drawn
from rewriting.studio.service import PAIRS, Service
from rewriting.studio.session import Session
from rewriting.studio.state import PAGE, Inverted, Made, Results, State, View
from rewriting.studio.visitor import Task, Visitor

PARTS = (4, 12, PAGE)  # pictures of a page appear in steps: so many are there after each
TOLD = 1.0  # seconds of waiting after which visitors are told how many go first, and how often
QUICK = ("pressed", "canvases", "goal", "drawn", "sheet", "closer")  # what need not wait for its turn
SINGLE = ("pressed", "goal", "drawn", "closer")  # of these, a visitor waits for one picture
ALL = (*QUICK, "own_pairs", "results", "own")

Turns = Callable[[], Turn | NoTurn]
Part = tuple[Any, bool]  # a result so far, and whether it is complete
T = TypeVar("T")


class Maker:
    """Makes results for a visitor's state, each in growing parts."""

    def __init__(self, service: Service):
        self.service = service

    def __call__(self, topic: str, state: State) -> Iterator[Part]:
        return getattr(self, topic)(state)

    def at_hand(self, state: State) -> tuple[str, ...]:
        """The topics whose results are so quick that the page need not show anything before them."""
        session, seeds = state.session, state.view.seeds
        known = len(self.service.known(session.generator, seeds, session.numbering)) == len(set(seeds))
        sheet = ("sheet",) if known and state.view.outlined is None else ()
        large = self.service.shown_size(session.generator) < self.service.about(session.generator).resolution
        return sheet if large else ("canvases", *sheet)

    def canvases(self, state: State) -> Iterator[Part]:
        """The pictures of the canvases and of painted places, by seed: first at a sheet's size, then in full size."""
        session, seeds = state.session, list(state.names["canvases"][-1])
        full = self.service.about(session.generator).resolution
        for size in dict.fromkeys((self.service.shown_size(session.generator), full)):
            pictures = self.service.drawn(session.generator, seeds, session.numbering, size=size)
            yield dict(zip(seeds, pictures, strict=True)), size == full

    def goal(self, state: State) -> Iterator[Part]:
        """The pasted goal as the generator draws it, as a data URL."""
        yield "" if self.late(state) else self.service.goal(state.session), True

    def pressed(self, state: State) -> Iterator[Part]:
        """The region of the last press, as a value of the canvas; None if its picture has gone."""
        press = state.view.pressed
        there = press.seed == getattr(state.view, f"{press.slot}_seed")
        yield selection.pressed(self.service, state.session, press) if there else None, True

    def closer(self, state: State) -> Iterator[Part]:
        """A picture before and after in full size, as a value of the pair sheet."""
        _, name = state.names["closer"]
        before, after = self.service.closer(state.session, state.own.named(name, state.session.generator))
        yield {"seed": name, "before": before, "after": after}, True

    def drawn(self, state: State) -> Iterator[Part]:
        """The picture in the retouching canvas under the rules in force, as a data URL."""
        seed, lowest = state.view.retouch_seed, state.session.lowest_layer
        acts = lowest is None or arrives_by(lowest, seed)
        yield self.service.under(state.session, seed) if acts else "", True

    def sheet(self, state: State) -> Iterator[Part]:
        """The pictures to choose from, as the sheet's value."""
        session, own = state.session, state.names["sheet"][-2]
        seeds = (*own, *state.view.seeds)
        outlines = self.outlines(state, seeds)
        first = self.service.pictures(session.generator, own, session.numbering)
        for urls in self.pictures(session, state.view.seeds):
            yield (
                [
                    {"seed": state.own.name_of(s), "image": u, **note(s), **({"outline": o} if o else {})}
                    for s, u, o in zip(seeds, [*first, *urls], outlines, strict=False)
                ],
                len(urls) == len(state.view.seeds),
            )

    def outlines(self, state: State, seeds: Sequence[Seed]) -> list[str]:
        """The outlined request's matches in each picture; "" in one that it cannot change."""
        outlined = state.view.outlined
        if outlined is None:
            return [""] * len(seeds)
        session = state.session.step("outline", asked=outlined)
        layer = outlined.rest.layer or self.service.about(session.generator).default_layer
        reached = [seed for seed in seeds if arrives_by(layer, seed)]
        outlines = dict(zip(reached, self.service.outlines_at(session, reached), strict=True))
        return [outlines.get(seed, "") for seed in seeds]

    def pictures(self, session: Session, seeds: Sequence[Seed]) -> Iterator[list[str]]:
        """Unedited pictures as data URLs; yields a growing list."""
        urls: list[str] = []
        for end in PARTS if not self.service.backend(session.generator).at_once else PARTS[-1:]:
            if len(urls) < len(seeds):
                urls += self.service.pictures(session.generator, seeds[len(urls) : end], session.numbering)
                yield urls

    def own_pairs(self, state: State) -> Iterator[Part]:
        """The visitor's own pictures before and after the rules in force, as values of the pair sheet."""
        session, own = state.session, state.ruled_pictures
        name, how, size = session.generator, session.numbering, self.service.shown_size(session.generator)
        before = self.service.drawn(name, own, how, size=size)
        drawn = Drawn(list(own)).and_(before, self.service.drawn(name, own, how, tuple(session.stack), size))
        named = [{**pair, "seed": state.own.name_of(pair["seed"])} for pair in drawn.pairs]
        yield dict(zip(own, named, strict=True)), True

    def own(self, state: State) -> Iterator[Part]:
        """The inversion of the next own picture: the drawing so far, at first blurred."""
        generator, number, layer = state.wanted_picture
        with closing(self.service.invert(generator, state.own.get(f"own-{number}").image, layer)) as steps:
            for so_far in steps:
                shown = Inverted(so_far.step / so_far.steps, data_url(so_far.image), so_far.picture)
                yield shown, so_far.picture is not None

    def results(self, state: State) -> Iterator[Part]:
        """Pictures before and after the rules in force; without rules, only before."""
        session = state.session
        view = state.view.with_(order="random") if self.late(state) else state.view
        seeds = state.seeds or self.result_seeds(session, view)
        if not session.rules:
            for urls in self.pictures(session, seeds):
                pairs = [{"seed": s, "before": u, "after": ""} for s, u in zip(seeds, urls, strict=False)]
                yield Results(seeds, tuple(pairs)), len(pairs) == len(seeds)
            return
        for drawn in self.service.results(session, seeds):
            counted = drawn.complete and not self.late(state) and not measured_by_preset(session)
            effect = self.service.effect(session, drawn) if counted else None
            yield Results(seeds, tuple(drawn.pairs), effect), drawn.complete

    def late(self, state: State) -> bool:
        """Whether the request must wait for the inversion of one of its pictures."""
        return bool(state.arrives_late(self.service.about(state.session.generator).default_layer))

    def result_seeds(self, session: Session, view: View) -> tuple[int, ...]:
        """The pictures for the results: those of a preset, or others in the visitor's order."""
        if not session.rules:
            return tuple(range(view.skipped, view.skipped + PAGE))
        chosen = session.rule.preset if session.rule and view.order == "best" and not view.skipped else ""
        shown = preset(chosen).shown[:PAIRS] if chosen else []
        return tuple(shown or self.service.result_seeds(session, view.order, view.skipped))


def arrives_by(layer: int, seed: Seed) -> bool:
    """Whether a rule of the layer can change the picture."""
    return is_whole(seed) or seed.layer <= layer


def note(seed: Seed) -> dict[str, str]:
    """The note of an own picture on the sheet: the likeness of its drawing."""
    return {} if is_whole(seed) else {"note": f"{seed.psnr:.0f} dB"}


def measured_by_preset(session: Session) -> str:
    """The measured effect of a preset that is in force alone and unchanged; else ""."""
    rule = session.rule
    alone = rule is not None and len(session.rules) == 1 and rule.edit.enabled and rule.edit.strength == 1
    return preset(rule.preset).measured if alone and rule.preset else ""


def words_for(topic: str, state: State) -> str:
    """The progress on the page while a result is made."""
    if topic == "sheet":
        return "Drawing" if state.view.outlined is None else "Looking for matches"
    if topic == "own":
        generator, number, layer = state.wanted_picture
        again = f"own-{number}" in state.own.of(generator)
        return f"Drawing your picture again from layer {layer}" if again else "Drawing your picture"
    return "Drawing" if topic == "results" else ""


def make_needed(visitor: Visitor, make: Maker, topics: tuple[str, ...], turns: Turns) -> Iterator[None]:
    """Make the results that the visitor's state needs; yields at the beginning, and whenever the page should change.

    Quick results are made between the parts of slow ones."""
    taken = visitor.take(topics, words_for)
    if taken is None:
        yield
    while taken is not None:
        task, state = taken
        quick = task.topic in QUICK
        try:
            yield
            with closing(make(task.topic, state)) as parts:
                complete = False
                while not complete and task.wanted:
                    try:
                        part = yield from in_turn(task, NoTurn if quick else turns, partial(next, parts, None))
                    except (ValueError, OSError):
                        task.end(_put(task, Made(task.name, None, True)))
                        raise
                    if part is None:
                        break
                    content, complete = part
                    put = _put(task, Made(task.name, content, complete))
                    if not (task.end(put) if complete else task.change(put)):
                        break
                    yield
                    if not complete or not quick:
                        sooner = SINGLE if quick else QUICK
                        yield from make_needed(visitor, make, tuple(set(sooner) & set(topics)), turns)
        finally:
            task.end()
        taken = visitor.take(topics, words_for)


def _put(task: Task, result: Made) -> Callable[[State], State]:
    return lambda state: state.put(task.topic, result)


def in_turn(task: Task | None, turns: Turns, step: Callable[[], T]) -> Iterator[None]:
    """Wait for a turn, take a step, and return its result; None if the task is cancelled before.

    Yields when the page should report the waiting."""
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
