"""The rules in force, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.session import Session
from rewriting.studio.showing import Updates
from rewriting.studio.view import View

JUMPS = ("delete", "reopen")
SETTINGS = ("toggle", "strength", "rename", "move")  # of which the last counts
NEEDS = {"toggle": "on", "strength": "strength", "rename": "name"}


class Rules(Events):
    """Events on the list of rules."""

    def change_rules(self, rules: dict[str, Any] | None, desk: Desk) -> Iterator[Updates]:
        """Switch, weaken, rename, order, duplicate, delete or reopen a rule.

        An action's kind is one of toggle (with "on"), strength (with "strength"), rename (with "name"), move (order
        as in "rows"), duplicate, delete and reopen; its id is the rule's.  "time", if there, is when it was done, in
        milliseconds: where the same was done later to that rule, nothing is changed.

        Args:
            rules: {"rows": the list as it should be, "action": {"kind", "id", ...}}.
        """
        action = (rules or {}).get("action")
        if not action:
            return
        old, kind, make = desk.session, action["kind"], _change(rules["rows"], action)
        if kind in SETTINGS and "time" in action and desk.outdated(kind, action["id"], action["time"]):
            return
        (desk.jump if kind in JUMPS else desk.change)(make)
        if kind == "reopen":
            yield from self.changed(desk, old)
            return
        yield self.show.rules(desk) | self.show.progress(desk)
        if desk.session.look != old.look or desk.drawn != desk.session.look:
            yield from self.show.results(desk)
        else:
            yield {self.parts.headline: self.show.headline(desk)}

    def undo(self, desk: Desk) -> Iterator[Updates]:
        """Take back the last change, whatever it was."""
        yield from self._go(desk, Session.undo)

    def redo(self, desk: Desk) -> Iterator[Updates]:
        """Bring back what undo took."""
        yield from self._go(desk, Session.redo)

    def reset(self, desk: Desk) -> Iterator[Updates]:
        """No rules and an empty request; undo brings them back."""
        desk.view = View()
        yield from self._go(desk, Session.reset)

    def _go(self, desk: Desk, where: Callable[[Session], Session]) -> Iterator[Updates]:
        old = desk.session
        desk.jump(where)
        yield from self.changed(desk, old)


def _change(rows: list[dict[str, Any]], action: dict[str, Any]) -> Callable[[Session], Session]:
    """What an action of the list does to a session.  Raises ValueError for a rule that there is not."""
    if not action["id"].isdecimal():
        raise ValueError(f"There is no rule {action['id']!r}; rules are numbered.")
    if NEEDS.get(action["kind"], "kind") not in action:
        raise ValueError(f"The action {action['kind']!r} lacks the key {NEEDS[action['kind']]!r}; add it.")
    number = int(action["id"])
    changes = {
        "toggle": lambda session: session.change_rule(number, "switch", enabled=action["on"]),
        "strength": lambda session: session.change_rule(number, "strength", strength=action["strength"]),
        "rename": lambda session: session.change_rule(number, "rename", name=action["name"]),
        "delete": lambda session: session.delete_rule(number),
        "duplicate": lambda session: session.duplicate_rule(number),
        "reopen": lambda session: session.reopen_rule(number),
        "move": lambda session: session.order_rules([int(row["id"]) for row in rows]),
    }
    return changes[action["kind"]]
