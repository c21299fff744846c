"""What one visitor has made so far: a few kilobytes, immutable, so that undo is keeping the old value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rewriting.edit import Edit, EditStack
from rewriting.masks import bounding_box
from rewriting.request import Region, Request

MAX_STEPS = 60
STRENGTHS = (-1.0, 2.0)


@dataclass(frozen=True)
class Rule:
    """An edit in force, and a number that stays its own however the list is ordered."""

    number: int
    edit: Edit

    @property
    def detail(self) -> str:
        return f"layer {self.edit.layer}, rank {self.edit.rank}"


@dataclass(frozen=True)
class Moment:
    """What undo brings back."""

    request: Request = field(default_factory=Request)
    rules: tuple[Rule, ...] = ()
    editing: int | None = None
    what: str = ""


@dataclass(frozen=True)
class Session:
    """One visitor's work on one generator.

    now: the request being made, the rules in force, and which of them the request belongs to (None: a new one).
    """

    generator: str
    now: Moment = field(default_factory=Moment)
    past: tuple[Moment, ...] = ()
    future: tuple[Moment, ...] = ()

    @property
    def request(self) -> Request:
        return self.now.request

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.now.rules

    @property
    def stack(self) -> EditStack:
        return EditStack(rule.edit for rule in self.rules)

    @property
    def rule(self) -> Rule | None:
        """The rule that the request belongs to."""
        return next((rule for rule in self.rules if rule.number == self.now.editing), None)

    # --- every change, and the way back -----------------------------------------------------------------------------

    def step(self, what: str, **changes: Any) -> Session:
        """A session with the change made, and the state before it to go back to."""
        now = replace(self.now, what=what, **changes)
        return replace(self, now=now, past=(*self.past, self.now)[-MAX_STEPS:], future=())

    def forget_past(self) -> Session:
        """The same work, with nothing to go back to."""
        return replace(self, past=(), future=())

    def undo(self) -> Session:
        if not self.past:
            return self
        return replace(self, now=self.past[-1], past=self.past[:-1], future=(self.now, *self.future))

    def redo(self) -> Session:
        if not self.future:
            return self
        return replace(self, now=self.future[0], past=(*self.past, self.now), future=self.future[1:])

    def reset(self) -> Session:
        """Everything gone, and undo brings it back."""
        return self.step("reset", request=Request(generator=self.generator), rules=(), editing=None)

    # --- the request being made -------------------------------------------------------------------------------------

    def ask(self, what: str, **changes: Any) -> Session:
        """Change the request."""
        return self.step(what, request=self.request.with_(**changes))

    def start_new(self) -> Session:
        """Keep the rule as it is and begin another."""
        return self.step("new rule", request=Request(generator=self.generator), editing=None)

    def paint_copy(self, seed: int, mask: np.ndarray | None) -> Session:
        """The object to copy; a placed object moves along, its centre kept."""
        copy = Region(seed, mask) if mask is not None else None
        paste = self.request.paste
        if copy is not None and paste is not None and not paste.empty:
            top, left, bottom, right = bounding_box(paste.mask)
            paste = moved(copy, paste.seed, (left + right) // 2, (top + bottom) // 2)
        return self.ask("copy", copy=copy, paste=paste, erase=False)

    def place(self, seed: int, x: int, y: int) -> Session:
        """Put the copied object's centre at (x, y) of a picture, in mask pixels."""
        if self.request.copy is None or self.request.copy.empty:
            raise ValueError("There is nothing to paste yet; paint the object to copy first.")
        return self.ask("paste", paste=moved(self.request.copy, seed, x, y), erase=False)

    def paint_place(self, kind: str, seed: int, mask: np.ndarray | None) -> Session:
        """Paint where the rule should hold ("context"), or what must not change ("preserve")."""
        others = [region for region in getattr(self.request, kind) if region.seed != seed]
        old = [i for i, region in enumerate(getattr(self.request, kind)) if region.seed == seed]
        if mask is not None:
            others.insert(old[0] if old else len(others), Region(seed, mask))
        return self.ask(kind, **{kind: tuple(others)})

    def remove_place(self, kind: str, seed: int) -> Session:
        return self.paint_place(kind, seed, None)

    # --- rules in force ---------------------------------------------------------------------------------------------

    def adopt(self, edit: Edit, request: Request | None = None, what: str = "rewrite") -> Session:
        """Put a solved edit in force: in place of the rule being edited, or as a new one."""
        rules, request = list(self.rules), request or self.request
        at = [i for i, rule in enumerate(rules) if rule.number == self.now.editing]
        if at:
            old = rules[at[0]].edit
            name = edit.name or old.name
            rules[at[0]] = Rule(rules[at[0]].number, edit.with_(name=name, strength=old.strength, enabled=True))
            return self.step(what, rules=tuple(rules), request=request)
        number = 1 + max((rule.number for rule in rules), default=0)
        edit = edit.with_(name=edit.name or f"Rule {number}")
        return self.step(what, rules=(*rules, Rule(number, edit)), request=request, editing=number)

    def change_rule(self, number: int, what: str, **changes: Any) -> Session:
        """Another strength, name or switch for one rule."""
        self._find(number)
        rules = [Rule(r.number, r.edit.with_(**changes)) if r.number == number else r for r in self.rules]
        return self.step(what, rules=tuple(rules))

    def delete_rule(self, number: int) -> Session:
        self._find(number)
        editing = None if self.now.editing == number else self.now.editing
        return self.step("delete", rules=tuple(r for r in self.rules if r.number != number), editing=editing)

    def duplicate_rule(self, number: int) -> Session:
        rule, fresh = self._find(number), 1 + max(r.number for r in self.rules)
        at = self.rules.index(rule) + 1
        copy = Rule(fresh, rule.edit.with_(name=f"{rule.edit.name} (copy)"))
        return self.step("duplicate", rules=(*self.rules[:at], copy, *self.rules[at:]))

    def order_rules(self, numbers: Sequence[int]) -> Session:
        """The same rules in another order."""
        if sorted(numbers) != sorted(rule.number for rule in self.rules):
            raise ValueError("The order does not name each rule once; reload the page and try again.")
        return self.step("order", rules=tuple(self._find(number) for number in numbers))

    def reopen_rule(self, number: int) -> Session:
        """Bring a rule's request back, to be changed and rewritten in its place."""
        rule = self._find(number)
        if rule.edit.request is None:
            raise ValueError(f"The rule {rule.edit.name!r} came without its request; it can be used but not changed.")
        return self.step("reopen", request=rule.edit.request, editing=number)

    def _find(self, number: int) -> Rule:
        for rule in self.rules:
            if rule.number == number:
                return rule
        raise ValueError(f"There is no rule {number} any more; it may have been deleted.")


def moved(copy: Region, seed: int, x: int, y: int) -> Region:
    """The copied object's mask with its box centred at (x, y) of another picture, kept inside."""
    top, left, bottom, right = bounding_box(copy.mask)
    side, height, width = len(copy.mask), bottom - top, right - left
    row = min(max(y - height // 2, 0), side - height)
    column = min(max(x - width // 2, 0), side - width)
    mask = np.zeros_like(copy.mask)
    mask[row : row + height, column : column + width] = copy.mask[top:bottom, left:right]
    return Region(seed, mask)
