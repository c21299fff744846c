"""Opening and closing the page.

A reload restores the visitor's work.  The address can name a first preset or generator.  An hour after the page is
closed, the studio forgets the visitor's own pictures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock, Timer
from time import monotonic
from urllib.parse import parse_qs

from rewriting.core.presets import presets
from rewriting.generators import bundled
from rewriting.studio.commands.making import Making
from rewriting.studio.remembered import forget
from rewriting.studio.service import Service
from rewriting.studio.state import State
from rewriting.studio.visitor import Task, Visitor

ROOM = 128  # visitors that are kept, with some hundred kilobytes each for the pictures on their page
LONGEST = 64  # most characters of a ticket
AWAY = 3600.0  # seconds between the closing of a page and the removal of its visitor's own pictures


class Visiting:
    """Keeps the most recent visitors, by the ticket of their browser tab."""

    def __init__(self, service: Service, room: int = ROOM):
        self.service, self.making = service, Making(service)
        self._room, self._visitors, self._lock = room, OrderedDict[str, Visitor](), Lock()
        self._away: dict[Visitor, tuple[int, float]] = {}  # the number of its changes, and the time of the removal
        self._timer: Timer | None = None

    def come(self, visitor: Visitor, ticket: str, before: str, address: str) -> Iterator[Task]:
        """Restore the work of this tab, or of the tab that it is a copy of; a new tab begins with the address.

        ticket: of this tab.  before: ticket of the tab whose work this one continues, "" for none.  address: the query
        of the page's address.
        """
        earlier = self._register(ticket, before, visitor)
        visitor.address = address
        if visitor.state.begun:  # the visitor has already acted on the new page
            return
        if earlier is not None and earlier.state.touched:
            self.service.generator(earlier.state.session.generator)  # or an error, and the page stays new
            visitor.change(lambda _: earlier.state.again())
        if earlier is not None and ticket == before:
            earlier.change(State.stop)
        if earlier is None or earlier.address != address:
            yield from self._begin(visitor, address)
        self.service.draw_ahead(visitor.state.session)

    def _begin(self, visitor: Visitor, address: str) -> Iterator[Task]:
        """Begin with ?preset=horse-hats or ?generator=church, in any case."""
        parameters = {key.lower(): values[-1] for key, values in parse_qs(address.lstrip("?")).items()}
        if parameters.get("preset"):
            yield from self.making.begin_preset(visitor, named(parameters["preset"], list(presets()), "preset"))
        elif parameters.get("generator"):
            names = list(dict.fromkeys([*bundled(), *visitor.state.opened]))
            yield from self.making.open_generator(visitor, named(parameters["generator"], names, "generator"))

    def _register(self, ticket: str, before: str, visitor: Visitor) -> Visitor | None:
        """Return the visitor of the ticket `before`, and register the new visitor under its own ticket."""
        with self._lock:
            earlier = self._visitors.get(before)
            if 0 < len(ticket) <= LONGEST:
                self._visitors[ticket] = visitor
                self._visitors.move_to_end(ticket)
            while len(self._visitors) > self._room:
                self._visitors.popitem(last=False)
            return earlier

    def leave(self, visitor: Visitor) -> None:
        """Note a closed page or a lost connection: an hour later, the visitor's own pictures, and all pictures that
        can be drawn again, are removed; the other work stays."""
        with self._lock:
            self._away[visitor] = visitor.now()[1], monotonic() + AWAY
            self._start_timer()

    def _start_timer(self) -> None:
        """Start a timer for the next removal, if there is one to come."""
        if self._away and self._timer is None:
            first = min(until for _, until in self._away.values())
            self._timer = Timer(max(0.0, first - monotonic()), self._forget_absent)
            self._timer.daemon = True
            self._timer.start()

    def _forget_absent(self) -> None:
        """Remove the own pictures of the visitors whose hour is over; a change begins a new hour."""
        with self._lock:
            for visitor, (changes, until) in list(self._away.items()):
                now = visitor.now()[1]
                if now != changes:
                    self._away[visitor] = now, monotonic() + AWAY
                elif until <= monotonic():
                    del self._away[visitor]
                    visitor.let_go()
                    forget()
            self._timer = None
            self._start_timer()


def named(text: str, names: list[str], what: str) -> str:
    """The name that equals the text in any case.  Raises ValueError, with all names, for an unknown one."""
    for name in names:
        if name.lower() == text.strip().lower():
            return name
    raise ValueError(f"There is no {what} {text!r:.80}; use one of {', '.join(names)}.")
