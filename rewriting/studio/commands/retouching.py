"""Retouched pictures as goals: paint, bend or open a retouched picture, and learn the rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rewriting.core.edit import Edit
from rewriting.core.learn import STEPS
from rewriting.generators.own_picture import Seed
from rewriting.studio.retouches import from_canvas
from rewriting.studio.service import Service
from rewriting.studio.session import Session
from rewriting.studio.state import LEARNING, Made, State
from rewriting.studio.visitor import Task, Visitor

LOOKS = (5, 15, 40, 80, STEPS)  # steps of learning after which the results are drawn again


class Retouching:
    """Commands of the retouching canvas, and of the tray of retouched pictures."""

    def __init__(self, service: Service):
        self.service = service

    def retouch(self, state: State, made: dict[str, Any] | None) -> State:
        """Store the retouch of the picture in the canvas; None removes it."""
        seed = state.view.retouch_seed
        if seed is None:
            return state
        if made is None:
            return state.work(state.session.remove_retouch(seed))
        original = self.service.plain(state.session, [seed])[0]
        state = state.work(state.session.retouch(from_canvas(made, seed, original)))
        self.service.draw_ahead(state.session)
        return state

    def add(self, state: State, action: dict | None) -> State:
        """Put the next picked picture into the canvas, to retouch another."""
        return self.await_picture(state)

    def await_picture(self, state: State) -> State:
        """Put the next picked picture into the canvas."""
        return state.look(slot="retouch", tab="pictures")

    def edit(self, state: State, action: dict | None) -> State:
        """Open a retouched picture in the canvas."""
        one = state.session.now.asked.retouch_of(_named(state, action))
        if one is None:
            return state
        return state.look(retouch_seed=one.seed, retouch=one.kind, slot="retouch")

    def remove(self, state: State, action: dict | None) -> State:
        """Remove the retouch of a picture."""
        return state.work(state.session.remove_retouch(_named(state, action)))


def learn(visitor: Visitor, service: Service, *, only_as_asked: bool = False) -> Iterator[Task]:
    """Learn the rule: put a first version in force at once, and update it until learning ends.

    only_as_asked: drop the first version if the request has changed.  Learning ends if the visitor changes its rule.
    """
    session = visitor.state.session
    with visitor.doing("rule", "Learning", LEARNING) as task:
        yield task
        lesson = _Learning(task, service, session if only_as_asked else None)
        with closing(service.learn(session)) as edits:
            for edit in edits:
                done = edit.report.iterations
                if not (lesson.take(edit, done) and task.say(f"Learning: {round(100 * done / STEPS)} %")):
                    return
                yield task


class _Learning:
    """The page's view of a rule that is being learned.

    asked: the session whose request must still be current for the first version, None for any.  number: of the rule,
    once it is in force.  last: the last version in force.
    """

    def __init__(self, task: Task, service: Service, asked: Session | None):
        self.task, self.service, self.asked = task, service, asked
        self.number: int | None = None
        self.last: Edit | None = None

    def take(self, edit: Edit, step: int) -> bool:
        """Show a version of the rule; False if the learning should end."""
        if self.number is not None and step not in LOOKS and step < STEPS:
            return self._draw(edit)
        put = self._first if self.number is None else self._next
        done = self.task.change(lambda state: put(state, edit))
        return done and self._stands(self.task.visitor.state)

    def _first(self, state: State, edit: Edit) -> State:
        if self.asked is not None and state.session.now.asked != self.asked.now.asked:
            return state
        session = state.session.adopt(edit)
        self.number, self.last = session.now.editing, edit
        return state.work(session).look(skipped=0)

    def _next(self, state: State, edit: Edit) -> State:
        if not self._stands(state):
            return state
        self.last = edit
        return state.work(state.session.refine(self.number, edit))

    def _stands(self, state: State) -> bool:
        """Whether the rule in force is still the last learned version."""
        rules = state.session.rules
        return any(rule.number == self.number and rule.edit.factor is self.last.factor for rule in rules)

    def _draw(self, edit: Edit) -> bool:
        """Draw the picture in the canvas under this version of the rule."""
        state, seed = self.task.visitor.state, self.task.visitor.state.view.retouch_seed
        if not self._stands(state):
            return False
        if state.result("drawn") is None:
            return self.task.wanted
        url = self.service.under(state.session, seed, self.number, edit)

        def put(newer: State) -> State:
            shown = newer.result("drawn")
            if shown is None or newer.view.retouch_seed != seed:
                return newer
            return newer.put("drawn", Made(shown.name, url, True))

        return self.task.change(put)


def _named(state: State, action: dict | None) -> Seed:
    """The picture of an action on the tray of retouched pictures."""
    return state.own.named((action or {}).get("id", ""), state.session.generator)
