"""Selecting by presses: the object at a place, and similar places in other pictures."""

from __future__ import annotations

from collections.abc import Iterator

from rewriting.core.request import MAX_REGIONS
from rewriting.studio.selection import same
from rewriting.studio.service import Service
from rewriting.studio.state import Press, State
from rewriting.studio.visitor import Task, Visitor


class Selecting:
    """Commands of the tool Select on the first and the third canvas, and of the button below the places."""

    def __init__(self, service: Service):
        self.service = service

    def press_copy(self, state: State, press: dict) -> State:
        """Select the object at a place of the picture in the first canvas."""
        return self._press(state, "copy", press)

    def press_context(self, state: State, press: dict) -> State:
        """The same in the third canvas."""
        return self._press(state, "context", press)

    def _press(self, state: State, slot: str, press: dict) -> State:
        seed = getattr(state.view, f"{slot}_seed")
        if seed is None or not isinstance(press, dict):
            return state
        return state.look(pressed=Press(slot, seed, press["x"], press["y"], press["n"]))

    def select_similar(self, visitor: Visitor) -> Iterator[Task]:
        """Add the places like the painted ones in the best matches to the context; each can be removed."""
        session = visitor.state.session
        if all(region.empty for region in session.request.context):
            raise ValueError("No place is painted yet; paint or select one first.")
        with visitor.doing("search", "Selecting similar places") as task:
            yield task
            found = same(self.service, session)

            def add(state: State) -> State:
                context, now = state.session.request.context, state.session.generator
                if now != session.generator:
                    return state
                new = [region for region in found if region.seed not in {one.seed for one in context}]
                return state.work(state.session.ask("context", context=(*context, *new)[:MAX_REGIONS]))

            task.end(add)
