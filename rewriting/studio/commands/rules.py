"""The rules in force, and their history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewriting.studio.session import Session
from rewriting.studio.state import State

SETTINGS = ("toggle", "strength", "rename", "move")  # for these, only the latest action counts
NEEDS = {"toggle": "on", "strength": "strength", "rename": "name"}


class Rules:
    """Commands of the list of rules, and of its history."""

    def change_rules(self, state: State, rules: dict[str, Any] | None) -> State:
        """Carry out the action of the list: switch, weaken, rename, order, duplicate, delete or reopen a rule.

        An action's kind is one of toggle (with "on"), strength (with "strength"), rename (with "name"), move (order as
        in "rows"), duplicate, delete and reopen; its id is the rule's.  "time", in milliseconds, is optional: an
        action that is older than the last one of its kind on that rule is ignored.
        """
        action = (rules or {}).get("action")
        if not action:
            return state
        kind, rule = action["kind"], action["id"]
        session = _change(rules["rows"], action)(state.session)
        if kind == "reopen":
            return state.jump(session)
        if kind == "delete":
            return state.turn(session)
        if kind in SETTINGS and "time" in action:
            last, time = state.settled.get(kind, (rule, action["time"]))
            if last == rule and action["time"] < time:
                return state
            state = state.with_(settled={**state.settled, kind: (rule, action["time"])})
        return state.work(session)

    def undo(self, state: State) -> State:
        """Undo the last change."""
        return state.jump(state.session.undo())

    def redo(self, state: State) -> State:
        """Redo the last undone change."""
        return state.jump(state.session.redo())

    def reset(self, state: State) -> State:
        """Remove all rules and the request; undo restores them."""
        return state.with_(view=state.view.fresh()).jump(state.session.reset())


def _change(rows: list[dict[str, Any]], action: dict[str, Any]) -> Callable[[Session], Session]:
    """The change of a session by an action of the list.  Raises ValueError for a wrong action."""
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
