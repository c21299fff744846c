"""The page being opened: who reloads it finds their work again, and an address may name what to begin with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from urllib.parse import parse_qs

from rewriting.core.presets import presets
from rewriting.generators import bundled
from rewriting.studio.commands.making import Making
from rewriting.studio.service import Service
from rewriting.studio.state import State
from rewriting.studio.visitor import Task, Visitor

ROOM = 128  # visitors, of some kilobytes each, and some hundred for the pictures that their page shows
LONGEST = 64  # characters of a ticket


class Visiting:
    """Keeps the visitors who opened the page last, each by their tab's ticket."""

    def __init__(self, service: Service, room: int = ROOM):
        self.service, self.making = service, Making(service)
        self._room, self._visitors, self._lock = room, OrderedDict[str, Visitor](), Lock()

    def come(self, visitor: Visitor, ticket: str, before: str, address: str) -> Iterator[Task]:
        """Show again what was made in this tab, or in the one it is a copy of; otherwise begin with what the address
        names.

        ticket: the tab's own.  before: that of the page which this one goes on from, empty if there is none.  address:
        the query.
        """
        known = self._meet(ticket, before, visitor)
        visitor.address = address
        if visitor.state.begun:  # before the page could come back
            return
        if known is not None and known.state.touched:
            self.service.generator(known.state.session.generator)  # refuses if it has gone: the page stays fresh
            visitor.change(lambda _: known.state.again())
        if known is not None and ticket == before:
            known.change(State.stop)
        if known is None or known.address != address:
            yield from self._begin(visitor, address)
        self.service.draw_ahead(visitor.state.session)

    def _begin(self, visitor: Visitor, address: str) -> Iterator[Task]:
        """?preset=horse-hats or ?generator=church, in capitals or not."""
        wanted = {key.lower(): values[-1] for key, values in parse_qs(address.lstrip("?")).items()}
        if wanted.get("preset"):
            yield from self.making.begin_preset(visitor, named(wanted["preset"], list(presets()), "preset"))
        elif wanted.get("generator"):
            there = list(dict.fromkeys([*bundled(), *visitor.state.opened]))
            yield from self.making.open_generator(visitor, named(wanted["generator"], there, "generator"))

    def _meet(self, ticket: str, before: str, visitor: Visitor) -> Visitor | None:
        """The visitor known by the ticket `before`.  The new one is known by their own from now on."""
        with self._lock:
            known = self._visitors.get(before)
            if 0 < len(ticket) <= LONGEST:
                self._visitors[ticket] = visitor
                self._visitors.move_to_end(ticket)
            while len(self._visitors) > self._room:
                self._visitors.popitem(last=False)
            return known


def named(text: str, there: list[str], what: str) -> str:
    """The name that is meant, in capitals or not.  Raises ValueError with those there are."""
    for name in there:
        if name.lower() == text.strip().lower():
            return name
    raise ValueError(f"There is no {what} {text!r:.80}; the address may name {', '.join(there)}.")
