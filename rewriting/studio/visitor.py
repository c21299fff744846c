"""One visitor: the newest state, and the page in the visitor's browser.

The server may answer several events of a visitor at once.  Each event changes the newest state, not the one at its
beginning.  Each answer shows the whole state at one moment, but sends only the differences from the browser's page.
An answer that is older than the last sent one sends nothing.
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

# Properties that a component changes in the browser by itself; they are sent again after its events.
SPOILED = {"paste": ("goal",), "tray": ("items",), "retouched": ("items",), "own": ("pictures",)}


class Visitor:
    """A visitor of the page.

    token: a typed token for the Hub, which is sent only to the Hub and is not a part of the state.  address: the query
    of the page's address.  gradio makes a copy of the first visitor for each new one.
    """

    def __init__(self, state: State, page: Page):
        """page: the page in a browser that has just opened it."""
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
        """Set the next state, which `make` returns.  If `make` raises an error, the state does not change."""
        with self._lock:
            self.state = make(self.state)
            self._changes += 1
            return self.state

    def now(self) -> tuple[State, int]:
        """The state, and the number of changes so far."""
        with self._lock:
            return self.state, self._changes

    def let_go(self) -> None:
        """They have been away for long: nothing is left of the pictures that they brought, nor of pictures that can be
        drawn again."""
        self.change(State.let_go)
        with self._sending:
            self._page.clear()

    def begin(self, topic: str, name: Name = None, words: str = "") -> Task:
        """Begin a job, and cancel an earlier one of the same topic."""
        task = Task(self, topic, next(self._numbers), name)
        self.change(lambda state: state.start(topic, Job(task.number, name, words)))
        return task

    def take(self, topics: tuple[str, ...], words: Callable[[str, State], str]) -> tuple[Task, State] | None:
        """Begin a job for the most urgent needed result of these topics, and return it with its state; else None."""
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
        """Begin a job, and end it with the context."""
        task = self.begin(topic, name, words)
        try:
            yield task
        finally:
            task.end()

    # --- the browser ------------------------------------------------------------------------------------------------

    def heard(self, part: str, name: str, value: Any, seen: int) -> None:
        """Note a component's value from an event, so that it is not sent back.

        seen: the number of the last answer that the browser had shown then; a value sent later still counts."""
        with self._sending:
            _, number = self._page.get((part, name), (None, 0))
            if number <= seen:
                self._page[part, name] = value, number
            for spoiled in SPOILED.get(part, ()):
                self._page.pop((part, spoiled), None)

    def forget(self, part: str, name: str) -> None:
        """Send a property again with the next answer, because its value in the browser is unknown."""
        with self._sending:
            self._page.pop((part, name), None)

    def overtaken(self, oldest: int) -> None:
        """Send every newer property again, because the browser showed the answer number `oldest` after newer ones."""
        with self._sending:
            self._page = {one: known for one, known in self._page.items() if known[1] <= oldest}

    def news(self, page: Page, change: int) -> tuple[Page, int]:
        """The differences of a page from the browser's, and the number of the answer that sends them.

        change: the number of the state's changes that the page shows."""
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
    """A running job of a visitor.  Removing the job from the visitor's state cancels it."""

    def __init__(self, visitor: Visitor, topic: str, number: int, name: Name):
        self.visitor, self.topic, self.number, self.name = visitor, topic, number, name

    @property
    def wanted(self) -> bool:
        """Whether it is neither done nor cancelled."""
        return self._of(self.visitor.state) is not None

    @property
    def words(self) -> str:
        """The job's progress on the page."""
        job = self._of(self.visitor.state)
        return job.words if job is not None else ""

    def _of(self, state: State) -> Job | None:
        job = state.jobs.get(self.topic)
        return job if job is not None and job.number == self.number else None

    def change(self, make: Make, words: str | None = None) -> bool:
        """Change the state, and the job's progress; False, without a change, for a cancelled job."""
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
        """Change the job's progress on the page; False for a cancelled job."""
        return self.change(lambda state: state, words)

    def end(self, make: Make = lambda state: state) -> bool:
        """End the job with a last change of the state; False, without a change, for a cancelled job."""
        return self.change(lambda state: make(state.without(self.topic)))
