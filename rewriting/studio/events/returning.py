"""Who reloads the page, or whose phone did, finds what they have made again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock

from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.showing import Showing, Updates

ROOM = 128  # desks, of some kilobytes each, and a few megabytes where much can be undone
# A tab's name for itself, kept by the browser until the tab is closed; nothing where it may not keep anything.
TICKET = """() => {
  try {
    const made = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16)).join("-");
    return [(sessionStorage.rewriting ||= made()), null];
  } catch {
    return ["", null];
  }
}"""
LONGEST = 64  # characters of a ticket


class Returning(Events):
    """The page being opened.  Keeps the desks at which it was opened last, each by its tab's ticket."""

    def __init__(self, show: Showing, room: int = ROOM):
        super().__init__(show)
        self._room, self._desks, self._lock = room, OrderedDict[str, Desk](), Lock()

    def come_back(self, ticket: str, desk: Desk) -> Iterator[Updates]:
        """Show again what was made in this tab before the page was loaded anew."""
        before = self._meet(ticket, desk) if 0 < len(ticket) <= LONGEST else None
        if before is None or not before.touched or desk.touched:
            return
        self.workshop.generator(before.session.generator)  # refuses if it has gone, and the page stays fresh
        old = desk.session
        desk.take_over(before)
        yield from self.changed(desk, old, afresh=True)

    def _meet(self, ticket: str, desk: Desk) -> Desk | None:
        """The desk known by this ticket, whose place the new one takes."""
        with self._lock:
            before = self._desks.pop(ticket, None)
            self._desks[ticket] = desk
            while len(self._desks) > self._room:
                self._desks.popitem(last=False)
            return before
