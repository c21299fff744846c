"""One visitor's place: always the newest state, however many events are being answered at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import Any

from rewriting.generators import bundled
from rewriting.hub import Account
from rewriting.studio.names import public_name
from rewriting.studio.ordering import Versions
from rewriting.studio.session import Session
from rewriting.studio.view import View

SHOWN = frozenset({"session", "view", "numbers", "drawn", "token", "account"})  # by the page


class Desk:
    """What a visitor has made (`session`) and looks at (`view`).

    A stroke may arrive while a rewriting is under way.  An event therefore does not bring back the session it began
    with but changes the one there is now, and what takes long asks at its end whether it is still wanted:

    * claims, made by each event that rewrites, draws results, searches, explores or saves: a later one of the same
      kind ends the earlier, and so does the visitor who presses Stop;
    * `jumps`, counted when the visitor goes elsewhere (undo, another rule, another generator): a rule solved before
      the jump is not put in force after it.

    gradio copies the desk it was given for each visitor.

    token: what the visitor typed to sign in to the Hub, which leaves this process for nobody but the Hub; account:
    whose it is.  opened: keys of the generators that this visitor may turn to, by the name that the page shows.
    """

    def __init__(self, session: Session, view: View | None = None):
        self._lock, self.versions = RLock(), Versions()
        self.session, self.view = session, view or View()
        self.jumps = 0
        self._claims: dict[str, int] = {}
        self._doing: dict[str, str] = {}  # what is under way, in words, by topic
        self._latest: dict[str, tuple[str, int]] = {}  # by kind of action: what it was done to last, and when
        self.numbers: tuple[tuple[str, str], ...] = ()  # said of the results on the page
        self.drawn: object = None  # what the results on the page were drawn under; see `Session.look`
        self.token: str | None = None
        self.account: Account | None = None
        self.opened = {public_name(session.generator): session.generator}

    def __setattr__(self, name: str, value: Any) -> None:
        """Set it; each change of what the page shows is counted."""
        with self.__dict__.get("_lock") or nullcontext():
            super().__setattr__(name, value)
            if name in SHOWN:
                self.versions.changed()

    def __deepcopy__(self, memo: dict) -> Desk:
        fresh = Desk(self.session, self.view)
        fresh.drawn = self.drawn
        return fresh

    @property
    def touched(self) -> bool:
        """Whether its visitor has done anything yet."""
        return bool(self.session.past or self.session.future) or self.view != View()

    def take_over(self, other: Desk) -> None:
        """Make this desk, a fresh one, like another of the same visitor.  Who was signed in there is not here."""
        with self._lock:
            self.session, self.view, self.opened = other.session, other.view, dict(other.opened)

    def key_of(self, name: str) -> str:
        """The key of a generator that the page offers this visitor; ValueError for any other, wherever it may be."""
        if name in bundled():
            return name
        if name not in self.opened:
            raise ValueError(f"There is no generator {name!r:.80} on the page; open it from the Hub first.")
        return self.opened[name]

    def change(self, make: Callable[[Session], Session], *, since: int | None = None) -> bool:
        """Change what was made; False, and nothing done, if the visitor has jumped `since` then."""
        with self._lock:
            if since is not None and since != self.jumps:
                return False
            self.session = make(self.session)
            return True

    def jump(self, make: Callable[[Session], Session]) -> None:
        """Change what was made, and turn away from what is under way."""
        with self._lock:
            self.session = make(self.session)
            self.jumps += 1

    def see(self, make: Callable[[View, Session], View]) -> View:
        """Change what is looked at, by what it is now and what has been made."""
        with self._lock:
            self.view = make(self.view, self.session)
            return self.view

    def look(self, **changes: Any) -> View:
        """Change some of what is looked at."""
        return self.see(lambda view, _: view.with_(**changes))

    def claim(self, topic: str, words: str = "") -> Claim:
        """A part of the page is this event's to draw, until another claims it.  words: what it does."""
        with self._lock:
            number = self._claims[topic] = self._claims.get(topic, 0) + 1
            mine = Claim(self, topic, number)
            mine.say(words)
            return mine

    def outdated(self, kind: str, thing: str, time: int) -> bool:
        """Whether the visitor has done the same to the same thing since: of two events, the later may come first.

        time: of the action, by the visitor's clock, in milliseconds.
        """
        with self._lock:
            last, latest = self._latest.get(kind, (thing, time))
            if last == thing and time < latest:
                return True
            self._latest[kind] = (thing, time)
            return False

    @contextmanager
    def doing(self, topic: str, words: str) -> Iterator[Claim]:
        """Claim a part of the page, and be busy with it until the end."""
        mine = self.claim(topic, words)
        try:
            yield mine
        finally:
            mine.say("")

    @property
    def busy(self) -> str:
        """What is under way, in words; empty if nothing is."""
        with self._lock:
            return next(reversed(self._doing.values()), "")

    def stop(self) -> None:
        """End everything under way; what it has shown so far stays."""
        with self._lock:
            self.jumps += 1
            for topic in self._claims:
                self.claim(topic)


class Claim:
    """One event's, to draw a part of the page.  True when called while no other event has claimed it."""

    def __init__(self, desk: Desk, topic: str, number: int):
        self._desk, self._topic, self._number = desk, topic, number

    def __call__(self) -> bool:
        return self._desk._claims[self._topic] == self._number

    def say(self, words: str) -> bool:
        """What is being done by now, if anything; False, and nothing said, if the part is another's by now."""
        desk = self._desk
        with desk._lock:
            if not self():
                return False
            desk._doing.pop(self._topic, None)
            if words:
                desk._doing[self._topic] = words
            desk.versions.changed()
            return True

    def draw(self, look: object, numbers: tuple[tuple[str, str], ...] = ()) -> bool:
        """What the results about to be shown were drawn under, and their numbers; False as with `say`."""
        with self._desk._lock:
            if not self():
                return False
            self._desk.drawn, self._desk.numbers = look, numbers
            return True
