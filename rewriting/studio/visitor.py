"""One visitor's page: their state, always the newest, and what their browser was last sent of it.

Several events of a visitor may be answered at once.  Each changes the state there is now, and not the one it began
with.  Each answer shows the whole state as it was at one moment, and only what differs from what the browser has goes
out; an answer that is older than one that went out says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock, RLock
from typing import Any

from rewriting.studio.state import Job, Name, State

Page = dict[str, dict[str, Any]]  # by component, by property
Make = Callable[[State], State]

# What a component does by itself as the visitor uses it, and does not tell: to be sent again.
SPOILED = {"paste": ("goal",), "tray": ("items",), "retouched": ("items",), "own": ("pictures",)}


class Visitor:
    """state: what they have made and look at.  token: what they typed to sign in to the Hub, which leaves this process
    for nobody but the Hub, and is no part of the state.  address: what the page was opened with.

    gradio copies the visitor it was given for each that comes.
    """

    def __init__(self, state: State, page: Page):
        """page: what a browser shows that has just opened the page."""
        self.state, self.token, self.address = state, None, ""
        self._fresh = state, page
        self._changes, self._lock = 0, RLock()
        self._page = {(part, name): (value, 0) for part, shown in page.items() for name, value in shown.items()}
        self._answered, self._sent, self._sending = 0, 0, Lock()
        self._numbers = count(1)

    def __deepcopy__(self, memo: dict) -> Visitor:
        return Visitor(*self._fresh)

    # --- the state --------------------------------------------------------------------------------------------------

    def change(self, make: Make) -> State:
        """Make the next state, or raise what `make` raises, and leave it."""
        with self._lock:
            self.state = make(self.state)
            self._changes += 1
            return self.state

    def now(self) -> tuple[State, int]:
        """The state, and a number that is higher for a newer one."""
        with self._lock:
            return self.state, self._changes

    def let_go(self) -> None:
        """They have been away for long: nothing is left of the pictures that they brought, nor of pictures that can be
        drawn again."""
        self.change(State.let_go)
        with self._sending:
            self._page.clear()

    def begin(self, topic: str, name: Name = None, words: str = "") -> Task:
        """Begin long work, and cancel what was under way of the same topic."""
        task = Task(self, topic, next(self._numbers), name)
        self.change(lambda state: state.start(topic, Job(task.number, name, words)))
        return task

    def take(self, topics: tuple[str, ...], words: Callable[[str, State], str]) -> tuple[Task, State] | None:
        """Begin to make the most urgent of these results that is neither made nor under way, as of this state."""
        with self._lock:
            state, names = self.state, self.state.names
            topic = next((topic for topic in names if topic in topics and state.needs(topic)), None)
            if topic is None:
                return None
            task = Task(self, topic, next(self._numbers), names[topic])
            self.state = state.start(topic, Job(task.number, task.name, words(topic, state)))
            self._changes += 1
            return task, state

    @contextmanager
    def doing(self, topic: str, words: str = "", name: Name = None) -> Iterator[Task]:
        """Begin long work, and end it when the context ends."""
        task = self.begin(topic, name, words)
        try:
            yield task
        finally:
            task.end()

    # --- the browser ------------------------------------------------------------------------------------------------

    def heard(self, part: str, name: str, value: Any, seen: int) -> None:
        """A component told its value, after the browser had shown all that was sent until `seen`: it is not to be sent
        again, unless something else was sent meanwhile."""
        with self._sending:
            _, number = self._page.get((part, name), (None, 0))
            if number <= seen:
                self._page[part, name] = value, number
            for spoiled in SPOILED.get(part, ()):
                self._page.pop((part, spoiled), None)

    def forget(self, part: str, name: str) -> None:
        """It is not known what the browser shows."""
        with self._sending:
            self._page.pop((part, name), None)

    def overtaken(self, oldest: int) -> None:
        """The browser showed what was sent under the number `oldest` after something newer: all that is newer is to be
        sent again."""
        with self._sending:
            self._page = {one: known for one, known in self._page.items() if known[1] <= oldest}

    def news(self, page: Page, change: int) -> tuple[Page, int]:
        """What to send of a page that shows the state after so many changes, and the number of what is sent."""
        with self._sending:
            if change < self._answered:
                return {}, self._sent
            self._answered, news = change, {}
            for part, shown in page.items():
                for name, value in shown.items():
                    known = self._page.get((part, name))
                    if known is None or known[0] != value:
                        self._page[part, name] = value, self._sent + 1
                        news.setdefault(part, {})[name] = value
            self._sent += bool(news)
            return news, self._sent


class Task:
    """Long work of a visitor, which is cancelled by what ends it in their state: a later one of the same topic, Stop,
    or something that makes it pointless."""

    def __init__(self, visitor: Visitor, topic: str, number: int, name: Name):
        self.visitor, self.topic, self.number, self.name = visitor, topic, number, name

    @property
    def wanted(self) -> bool:
        """Whether it is neither done nor cancelled."""
        return self._of(self.visitor.state) is not None

    @property
    def words(self) -> str:
        """What the page says of it."""
        job = self._of(self.visitor.state)
        return job.words if job is not None else ""

    def _of(self, state: State) -> Job | None:
        job = state.jobs.get(self.topic)
        return job if job is not None and job.number == self.number else None

    def change(self, make: Make, words: str | None = None) -> bool:
        """Put what it has made into the state, and say what it does now; False, and nothing done, if cancelled."""
        done = False

        def checked(state: State) -> State:
            nonlocal done
            job = self._of(state)
            done = job is not None
            if not done:
                return state
            state = make(state)
            return state if words is None else state.start(self.topic, Job(job.number, job.name, words))

        self.visitor.change(checked)
        return done

    def say(self, words: str) -> bool:
        """What it does now; False if it is cancelled."""
        return self.change(lambda state: state, words)

    def end(self, make: Make = lambda state: state) -> bool:
        """It is done, and this is what it leaves; False, and nothing done, if it is cancelled."""
        return self.change(lambda state: make(state.without(self.topic)))
