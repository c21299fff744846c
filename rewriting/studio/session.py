"""One visitor's work as an immutable value, so that undo only keeps the old value.

A session takes some ten kilobytes, and some fifty more for each rule in reach of undo.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from rewriting.core.edit import MAX_EDITS, Edit, EditStack
from rewriting.core.masks import bounding_box, encode_mask
from rewriting.core.request import Region, Request
from rewriting.core.retouch import Retouched
from rewriting.core.transform import Placed, Transform
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import MissingPicture, OwnPicture, Seed
from rewriting.studio.generator_keys import public_name
from rewriting.studio.remembered import remembered

MAX_STEPS = 60
UNCHANGED = Transform()


@dataclass(frozen=True)
class PackedRegion:
    """A `Region` with its mask of `side` x `side` pixels as compressed bits."""

    seed: Seed
    side: int
    bits: bytes

    @classmethod
    def of(cls, region: Region) -> PackedRegion:
        return cls(region.seed, len(region.mask), zlib.compress(np.packbits(region.mask > 0).tobytes()))

    def unpacked(self) -> Region:
        return Region(self.seed, _mask(self.side, self.bits))

    @property
    def empty(self) -> bool:
        return not _mask(self.side, self.bits).any()

    @property
    def url(self) -> str:
        """The mask as a PNG data URL; "" if nothing is painted."""
        return _encoded(self.side, self.bits)


@dataclass(frozen=True)
class PackedRetouch:
    """A `Retouched` with a compressed patch, and its field `how` as JSON."""

    seed: Seed
    side: int
    box: tuple[int, int, int, int]  # left, top, width, height
    pixels: bytes
    how: str

    @classmethod
    def of(cls, retouch: Retouched) -> PackedRetouch:
        height, width = retouch.patch.shape[:2]
        box = retouch.left, retouch.top, width, height
        pixels = zlib.compress(retouch.patch.tobytes())
        return cls(retouch.seed, retouch.side, box, pixels, json.dumps(dict(retouch.how)))

    def unpacked(self) -> Retouched:
        return _unpacked_retouch(self)

    @property
    def kind(self) -> str:
        """The way of retouching: "paint", "bend" or "file"."""
        return json.loads(self.how)["kind"]


Packed = TypeVar("Packed", PackedRegion, PackedRetouch)
Part = TypeVar("Part", Region, Retouched)


@remembered(32)
def _unpacked_retouch(packed: PackedRetouch) -> Retouched:
    left, top, width, height = packed.box
    patch = np.frombuffer(zlib.decompress(packed.pixels), np.uint8).reshape(height, width, 4)
    return Retouched(packed.seed, packed.side, left, top, patch, json.loads(packed.how))


@dataclass(frozen=True)
class PackedRequest:
    """A compressed `Request`.

    rest: the request without its regions and retouched pictures.  Equal requests have equal packed requests.
    """

    rest: Request
    copy: PackedRegion | None
    paste: PackedRegion | None
    context: tuple[PackedRegion, ...]
    preserve: tuple[PackedRegion, ...]
    retouched: tuple[PackedRetouch, ...] = ()

    @classmethod
    def of(cls, request: Request) -> PackedRequest:
        return cls(
            rest=request.with_(copy=None, paste=None, context=(), preserve=(), retouched=()),
            copy=PackedRegion.of(request.copy) if request.copy else None,
            paste=PackedRegion.of(request.paste) if request.paste else None,
            context=tuple(map(PackedRegion.of, request.context)),
            preserve=tuple(map(PackedRegion.of, request.preserve)),
            retouched=tuple(map(PackedRetouch.of, request.retouched)),
        )

    def unpacked(self) -> Request:
        return self.rest.with_(
            copy=self.copy.unpacked() if self.copy else None,
            paste=self.paste.unpacked() if self.paste else None,
            context=tuple(region.unpacked() for region in self.context),
            preserve=tuple(region.unpacked() for region in self.preserve),
            retouched=tuple(retouch.unpacked() for retouch in self.retouched),
        )

    @property
    def seeds(self) -> set[Seed]:
        """The pictures in the request."""
        return {part.seed for part in self._parts}

    @property
    def own_pictures(self) -> tuple[OwnPicture, ...]:
        """People's own pictures in the request, in the order of its places, each once."""
        return tuple(dict.fromkeys(part.seed for part in self._parts if isinstance(part.seed, OwnPicture)))

    @property
    def _parts(self) -> list[PackedRegion | PackedRetouch]:
        parts = (self.copy, self.paste, *self.context, *self.preserve, *self.retouched)
        return [part for part in parts if part is not None]

    @property
    def complete(self) -> bool:
        """Whether no picture is missing."""
        return not any(isinstance(seed, MissingPicture) for seed in self.seeds)

    def instead(self, seeds: Mapping[Seed, Seed]) -> PackedRequest:
        """The same places in other pictures, {old: new}; a picture that becomes missing leaves only its digest."""
        if not self.seeds & seeds.keys():
            return self

        def moved(part: Packed) -> Packed:
            if part.seed not in seeds:
                return part
            gone = isinstance(seeds[part.seed], MissingPicture) and isinstance(part, PackedRetouch)
            bare = PackedRetouch.of(part.unpacked().without_colours()) if gone else part
            return replace(bare, seed=seeds[part.seed])

        return self._each(moved)

    def without(self, gone: Seed) -> PackedRequest:
        """The request without the places on a picture."""
        return self._each(lambda part: None if part.seed == gone else part)

    def _each(self, change: Callable[[Packed], Packed | None]) -> PackedRequest:
        """The request with its regions and retouches changed; those that become None are left out."""
        single = {name: part and change(part) for name, part in (("copy", self.copy), ("paste", self.paste))}
        lists = {name: map(change, getattr(self, name)) for name in ("context", "preserve", "retouched")}
        kept = {name: tuple(part for part in parts if part is not None) for name, parts in lists.items()}
        return replace(self, **single, **kept)

    def retouch_of(self, seed: Seed | None) -> PackedRetouch | None:
        """The retouch of a picture; None without one."""
        return next((retouch for retouch in self.retouched if retouch.seed == seed), None)


@lru_cache(maxsize=64)
def _mask(side: int, bits: bytes) -> np.ndarray:
    """The unpacked mask, cached because every render needs it."""
    mask = np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8), count=side**2)
    mask = 255 * mask.reshape(side, side)
    mask.flags.writeable = False
    return mask


@lru_cache(maxsize=256)
def _encoded(side: int, bits: bytes) -> str:
    mask = _mask(side, bits)
    return encode_mask(mask) if mask.any() else ""


@dataclass(frozen=True)
class Rule:
    """An edit in force.

    number: identifies the rule in any order of the list.  edit: without its request, which is packed in `asked`;
    `whole` has both.  preset: the name of an unchanged preset; "" for any other rule.
    """

    number: int
    edit: Edit
    asked: PackedRequest | None = None
    preset: str = ""

    @classmethod
    def of(cls, number: int, edit: Edit, preset: str = "") -> Rule:
        asked = PackedRequest.of(edit.request) if edit.request else None
        return cls(number, edit.with_(request=None), asked, preset)

    @property
    def whole(self) -> Edit:
        """The edit together with its request."""
        return self.edit.with_(request=self.asked.unpacked() if self.asked else None)

    @property
    def learned(self) -> bool:
        """Whether the rule was learned from retouched pictures instead of solved."""
        return self.asked is not None and bool(self.asked.retouched)

    @property
    def locked(self) -> str:
        """The reason why nobody can edit the rule, in one sentence; "" for a rule that can be edited."""
        if self.asked is not None and self.asked.complete:
            return ""
        lack = "has no request" if self.asked is None else "was made with a picture that is not here"
        return f"The rule {self.edit.name[:80]!r} {lack}; you can use it but not edit it."

    @property
    def detail(self) -> str:
        layers = [str(layer) for layer in self.edit.layers]
        layers_text = f"layers {', '.join(layers[:-1])} and {layers[-1]}" if layers[1:] else f"layer {layers[0]}"
        lack = ", without a request" if self.asked is None else ", made with a picture that is not here"
        return f"{layers_text}, rank {self.edit.rank}{lack if self.locked else ''}"


@dataclass(frozen=True)
class HistoryEntry:
    """One state of the history.  what: the change that led to it."""

    generator: str
    asked: PackedRequest
    rules: tuple[Rule, ...] = ()
    editing: int | None = None
    what: str = "open"


@dataclass(frozen=True)
class Session:
    """One visitor's work.

    now: the generator, the current request, the rules in force, and the number of the rule to which the request
    belongs, None for a new rule.  past, future: for undo and redo.
    """

    now: HistoryEntry
    past: tuple[HistoryEntry, ...] = ()
    future: tuple[HistoryEntry, ...] = ()

    @classmethod
    def on(cls, generator: str) -> Session:
        """An empty session."""
        return cls(HistoryEntry(generator, _nothing(generator)))

    @property
    def generator(self) -> str:
        return self.now.generator

    @property
    def request(self) -> Request:
        return self.now.asked.unpacked()

    @property
    def numbering(self) -> Numbering:
        return self.now.asked.rest.numbering

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.now.rules

    @property
    def stack(self) -> EditStack:
        """The rules in force without their requests, for drawing."""
        return EditStack(rule.edit for rule in self.rules)

    @property
    def whole_stack(self) -> EditStack:
        """The rules in force with their requests, for saving."""
        return EditStack(rule.whole for rule in self.rules)

    @property
    def rule(self) -> Rule | None:
        """The rule of the current request; None for a new rule."""
        return next((rule for rule in self.rules if rule.number == self.now.editing), None)

    @property
    def look(self) -> tuple:
        """A key of the pictures under the rules in force: equal keys mean equal pictures."""
        edits = [(rule.edit.digest, rule.edit.strength) for rule in self.rules if rule.edit.enabled]
        return (self.generator, self.numbering, bool(self.rules), *edits)

    @property
    def solved(self) -> bool:
        """Whether the rule in force is the solution of the current request."""
        if self.rule is None or self.rule.asked is None:
            return False
        asked, done = self.now.asked, self.rule.asked.rest
        wanted = {k: getattr(done, k) for k in ("layer", "rank", "locality") if getattr(asked.rest, k) is None}
        return replace(asked, rest=asked.rest.with_(**wanted)) == self.rule.asked

    # --- history ----------------------------------------------------------------------------------------------------

    def step(self, what: str, *, request: Request | None = None, **changes: Any) -> Session:
        """The session after a change, with the previous state in the history."""
        if request is not None:
            changes["asked"] = PackedRequest.of(request)
        now = replace(self.now, what=what, **changes)
        return Session(now, (*self.past, self.now)[-MAX_STEPS:])

    def as_one_step(self, before: Session) -> Session:
        """The same session, so that one undo leads back to `before`."""
        return replace(self, past=(*before.past, before.now)[-MAX_STEPS:])

    def with_pictures(self, seeds: Mapping[Seed, Seed]) -> Session:
        """The session with other pictures, {old: new}, also throughout its history."""

        def moved(asked: PackedRequest) -> PackedRequest:
            return asked.instead(seeds)

        return self._everywhere(moved, moved) if seeds else self

    def without_picture(self, gone: OwnPicture) -> Session:
        """The session without a picture of the visitor's own; rules that use it stay, but nobody can edit them."""
        missing = {gone: MissingPicture(gone.digest)}
        session = self._everywhere(lambda asked: asked.without(gone), lambda asked: asked.instead(missing))
        editable = session.rule is None or session.rule.asked is None or session.rule.asked.complete
        return session if editable else replace(session, now=replace(session.now, editing=None))

    def _everywhere(
        self, request: Callable[[PackedRequest], PackedRequest], of_rule: Callable[[PackedRequest], PackedRequest]
    ) -> Session:
        """Change every request.  request: applied to current requests.  of_rule: applied to the requests of rules."""

        def changed(entry: HistoryEntry) -> HistoryEntry:
            rules = tuple(replace(rule, asked=rule.asked and of_rule(rule.asked)) for rule in entry.rules)
            return replace(entry, asked=request(entry.asked), rules=rules)

        past, future = (tuple(map(changed, entries)) for entries in (self.past, self.future))
        return Session(changed(self.now), past, future)

    @property
    def own_pictures(self) -> tuple[OwnPicture, ...]:
        """People's own pictures in the current request and in the rules in force."""
        requests = [self.now.asked, *(rule.asked for rule in self.rules if rule.asked is not None)]
        return tuple(dict.fromkeys(picture for request in requests for picture in request.own_pictures))

    @property
    def lowest_layer(self) -> int | None:
        """The lowest layer that a rule in force changes; None without one."""
        return min((n for r in self.rules if r.edit.enabled and r.edit.strength for n in r.edit.layers), default=None)

    def undo(self) -> Session:
        if not self.past:
            return self
        return Session(self.past[-1], self.past[:-1], (self.now, *self.future))

    def redo(self) -> Session:
        if not self.future:
            return self
        return Session(self.future[0], (*self.past, self.now), self.future[1:])

    def open(self, generator: str) -> Session:
        """Open another generator with an empty request and no rules."""
        return self.step("open", generator=generator, asked=_nothing(generator), rules=(), editing=None)

    def reset(self) -> Session:
        """Remove all rules and the request; undo restores them."""
        return self.step("reset", asked=_nothing(self.generator), rules=(), editing=None)

    # --- the request being made -------------------------------------------------------------------------------------

    def ask(self, what: str, **changes: Any) -> Session:
        """Change fields of the current request."""
        return self.step(what, request=self.request.with_(**changes))

    def start_new(self) -> Session:
        """Begin a new rule on pictures of the same class; the present rules stay in force."""
        return self.step("new rule", asked=_nothing(self.generator, self.numbering.label), editing=None)

    def choose_class(self, label: int) -> Session:
        """Begin a new rule on pictures of another class, since places are painted on pictures of one class; the
        present rules stay in force."""
        return self.step("class", asked=_nothing(self.generator, label), editing=None)

    def paint_copy(self, seed: Seed, mask: np.ndarray | None, paste_seed: Seed | None = None) -> Session:
        """Set the object to copy.

        A placed object keeps its centre and its transform.  An object without a place goes to its own place in the
        picture `paste_seed`, if that is given."""
        copy = Region(seed, mask) if mask is not None else None
        paste = self.request.paste
        if copy is None or copy.empty:
            return self.ask("copy", copy=copy, transform=UNCHANGED)
        if paste is not None and not paste.empty:
            paste = moved(copy, paste.seed, *centre(paste.mask), self.request.transform)
        elif paste_seed is not None:
            paste = moved(copy, paste_seed, *centre(copy.mask))
        return self.ask("copy", copy=copy, paste=paste, erase=False)

    def place(self, seed: Seed, x: int, y: int, transform: Transform | None = None) -> Session:
        """Put the copied object's centre at (x, y) of a picture, in mask pixels.

        transform: by default as it is.  Raises ValueError without an object."""
        if self.request.copy is None or self.request.copy.empty:
            raise ValueError("There is nothing to paste yet; paint the object to copy first.")
        transform = self.request.transform if transform is None else transform
        paste = moved(self.request.copy, seed, x, y, transform)
        return self.ask("paste", paste=paste, transform=transform, erase=False)

    def turn_to(self, slot: str, seed: Seed) -> Session:
        """Change the picture to copy from or to paste into.

        A new picture to copy from has no painted object yet.  In a new picture to paste into, the object keeps its
        place, or takes the place that it has in its own picture."""
        request = self.request
        if slot == "copy" and request.copy is not None and request.copy.seed != seed:
            return self.ask("copy", copy=None, transform=UNCHANGED)
        if slot == "paste" and request.copy is not None and not request.copy.empty:
            paste = request.paste
            if paste is None or paste.seed != seed:
                placed = paste.mask if paste is not None and not paste.empty else request.copy.mask
                return self.place(seed, *centre(placed))
        return self

    def paint_place(self, kind: str, seed: Seed, mask: np.ndarray | None) -> Session:
        """Set a place to change (kind "context") or to protect (kind "preserve"); a mask of None removes it."""
        region = Region(seed, mask) if mask is not None else None
        return self.ask(kind, **{kind: _replaced(getattr(self.request, kind), seed, region)})

    def remove_place(self, kind: str, seed: Seed) -> Session:
        return self.paint_place(kind, seed, None)

    def retouch(self, retouch: Retouched) -> Session:
        """Set the retouch of a picture; the request then neither copies nor erases."""
        retouched = _replaced(self.request.retouched, retouch.seed, retouch)
        return self.ask("retouch", retouched=retouched, copy=None, paste=None, erase=False)

    def remove_retouch(self, seed: Seed) -> Session:
        """Remove the retouch of a picture."""
        if self.now.asked.retouch_of(seed) is None:
            return self
        return self.ask("retouch", retouched=_replaced(self.request.retouched, seed, None))

    # --- rules in force ---------------------------------------------------------------------------------------------

    def adopt(
        self, edit: Edit, request: Request | None = None, what: str = "rewrite", *, preset: str = "", new: bool = False
    ) -> Session:
        """Put a solved edit in force, in place of the current rule or as a new one.

        request: the new current request; by default unchanged.  Raises ValueError if too many rules are in force.
        """
        changes = {"request": request} if request is not None else {}
        old = None if new else self.rule
        if old is not None:
            fields = (
                {"strength": 1.0} if preset else {"name": edit.name or old.edit.name, "strength": old.edit.strength}
            )
            rule = Rule.of(old.number, edit.with_(enabled=True, **fields), preset)
            rules = tuple(rule if r.number == old.number else r for r in self.rules)
            return self.step(what, rules=rules, **changes)
        self._check_room()
        number = self._next_number()
        rule = Rule.of(number, edit.with_(name=edit.name or f"Rule {number}"), preset)
        return self.step(what, rules=(*self.rules, rule), editing=number, **changes)

    def refine(self, number: int, edit: Edit) -> Session:
        """Update a rule that is still being learned, also throughout the history, without a step of undo."""
        factor = self._find(number).edit.factor

        def finer(rule: Rule) -> Rule:
            if rule.number != number or rule.edit.factor is not factor:
                return rule
            unchanged = {name: getattr(rule.edit, name) for name in ("name", "strength", "enabled")}
            return Rule.of(number, edit.with_(**unchanged), rule.preset)

        past = tuple(replace(moment, rules=tuple(map(finer, moment.rules))) for moment in self.past)
        return replace(self, now=replace(self.now, rules=tuple(map(finer, self.rules))), past=past)

    def change_rule(self, number: int, what: str, **changes: Any) -> Session:
        """Change the strength, name or switch of a rule."""
        rule = self._find(number)
        changed = replace(rule, edit=rule.edit.with_(**changes))
        return self.step(what, rules=tuple(changed if r is rule else r for r in self.rules))

    def delete_rule(self, number: int) -> Session:
        self._find(number)
        editing = None if self.now.editing == number else self.now.editing
        return self.step("delete", rules=tuple(r for r in self.rules if r.number != number), editing=editing)

    def duplicate_rule(self, number: int) -> Session:
        self._check_room()
        rule = self._find(number)
        at = self.rules.index(rule) + 1
        copy = replace(rule, number=self._next_number(), edit=rule.edit.with_(name=f"{rule.edit.name[:72]} (copy)"))
        return self.step("duplicate", rules=(*self.rules[:at], copy, *self.rules[at:]))

    def order_rules(self, numbers: Sequence[int]) -> Session:
        """Put the rules into another order.  ValueError unless `numbers` names each rule once."""
        if sorted(numbers) != sorted(rule.number for rule in self.rules):
            raise ValueError("The order does not name each rule once; reload the page and try again.")
        return self.step("order", rules=tuple(self._find(number) for number in numbers))

    def reopen_rule(self, number: int) -> Session:
        """Open a rule's request for editing.  ValueError if it has no request, or a missing picture."""
        rule = self._find(number)
        if rule.locked:
            raise ValueError(rule.locked)
        return self.step("reopen", asked=rule.asked, editing=number)

    def _check_room(self) -> None:
        if len(self.rules) >= MAX_EDITS:
            raise ValueError(f"{len(self.rules)} rules are in force, which is the most; delete one first.")

    def _next_number(self) -> int:
        """A number that no rule in the history has."""
        moments = (*self.past, self.now, *self.future)
        return 1 + max((rule.number for moment in moments for rule in moment.rules), default=0)

    def _find(self, number: int) -> Rule:
        for rule in self.rules:
            if rule.number == number:
                return rule
        raise ValueError(f"There is no rule {number} any more; it may have been deleted.")


def _nothing(generator: str, label: int = 0) -> PackedRequest:
    return PackedRequest.of(Request(generator=public_name(generator), label=label))


def _replaced(parts: tuple[Part, ...], seed: Seed, part: Part | None) -> tuple[Part, ...]:
    """The regions or retouches with that of a picture replaced, added or, by None, removed."""
    at = next((i for i, other in enumerate(parts) if other.seed == seed), len(parts))
    return (*parts[:at], *(() if part is None else (part,)), *parts[at + 1 :])


def centre(mask: np.ndarray) -> tuple[int, int]:
    """(x, y) of the centre of a painted mask's bounding box, in pixels."""
    top, left, bottom, right = bounding_box(mask)
    return (left + right) // 2, (top + bottom) // 2


def moved(copy: Region, seed: Seed, x: int, y: int, transform: Transform = UNCHANGED) -> Region:
    """The copied object's mask, transformed, with its box centred at (x, y) of another picture, moved inside."""
    if not transform.identity:
        spot = (np.array([x, y]) + 0.25) / len(copy.mask)  # between the centres of even and of odd boxes
        return Region(seed, Placed.at(copy.mask, spot, transform).mask(copy.mask))
    top, left, bottom, right = bounding_box(copy.mask)
    side, height, width = len(copy.mask), bottom - top, right - left
    row = min(max(y - height // 2, 0), side - height)
    column = min(max(x - width // 2, 0), side - width)
    mask = np.zeros_like(copy.mask)
    mask[row : row + height, column : column + width] = copy.mask[top:bottom, left:right]
    return Region(seed, mask)
