"""A visitor's use of the Hub: open a repo, list published rules, publish the rules in force.

Each function takes the visitor's own token.  None means the login of this machine for the person who runs the studio,
and no token at all on a hosted Space.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from rewriting.core.edit import EditStack
from rewriting.generators import Generator
from rewriting.hub import Published, PublishedRule, list_rules, open_repo, publish
from rewriting.hub.client import Access, Token, started
from rewriting.hub.loading import open_name
from rewriting.hub.names import Kind, parse
from rewriting.hub.source import license_of
from rewriting.processes import Progress
from rewriting.studio.generator_keys import key_of, label, repo_of
from rewriting.studio.service import Service
from rewriting.studio.session import Session
from rewriting.studio.sharing import adopt_all

LISTED = 24
HOWS = ("update", "create", "pull request")
T = TypeVar("T")


@dataclass(frozen=True)
class Brought:
    """An opened generator, by the service's key, and rules for it, if there are any.

    facts: of the generator, in words.  foreign: whether another program wrote its file.
    """

    key: str
    stack: EditStack
    facts: str = ""
    foreign: bool = False

    @classmethod
    def of(cls, key: str, stack: EditStack, generator: Generator) -> Brought:
        config, foreign = generator.config, bool(generator.source.file)
        facts = f"{config.architecture_name}, {config.resolution} px; its licence is {license_of(config)}"
        return cls(key, stack, facts, foreign)

    def into(self, session: Session, service: Service) -> Session:
        """The session on that generator, with the opened rules after those in force."""
        opened = session if session.generator == self.key else session.open(self.key)
        return adopt_all(self.stack, opened, service).as_one_step(session) if len(self.stack) else opened

    def said(self) -> str:
        """A sentence for a generator or rules in use."""
        facts = f": {self.facts}" if self.facts and not len(self.stack) else ""
        return f"Opened {self._named()}{facts}."

    def offered(self) -> str:
        """A sentence for an offered generator, to read before use."""
        return f"Found {self._named()}: {self.facts}."

    def _named(self) -> str:
        rules = len(self.stack)
        brought = f"{rules} rule{'s' if rules > 1 else ''} for " if rules else ""
        commit = repo_of(self.key)[1][:7]
        return f"{brought}{label(self.key)}{f' at {commit}' if commit else ''}"


@dataclass(frozen=True)
class Wish:
    """The settings of a publication.

    repo: "name/repo", or "repo" in the visitor's own namespace.  full_model: the rewritten model instead of the rules.
    how: one of `HOWS`: a commit to an old or a new repo, a commit to a new repo only, or a pull request.
    pictures: whether to publish the visitor's own pictures, too.
    """

    repo: str
    full_model: bool = False
    private: bool = False
    how: str = "update"
    pictures: bool = False


def bring(service: Service, session: Session, text: str, token: Token, progress: Progress) -> Brought:
    """Load a generator or rules by any name that `rewriting.hub.names` reads.  The session does not change.

    Raises ValueError or OSError in one sentence; SeveralFiles if the repo holds several candidates.
    """
    if not text.strip():
        raise ValueError("The name is missing; type the name of a generator or of a repo, such as org/name.")
    name = parse(text, endpoint=service.endpoint)
    if name.kind is Kind.BUNDLED:
        return Brought(name.what, EditStack())
    if name.kind is not Kind.REPO:
        if not service.has(name.what):
            service.add(name.what, open_name(name, Access(token, service.endpoint, progress=progress)))
        return Brought.of(name.what, EditStack(), service.generator(name.what))

    def known(repo: str, commit: str, with_token: bool) -> Generator | None:
        key = key_of(repo, commit, _seal(token) if with_token else "")
        return service.generator(key) if service.has(key) else None

    at_hand = service.generator(session.generator) if service.has(session.generator) else None
    opened = open_repo(
        name,
        token=token,
        endpoint=service.endpoint,
        progress=progress,
        at_hand=at_hand,
        known=known,
    )
    if opened.generator is at_hand:
        return Brought(session.generator, opened.stack)
    source = opened.generator.source
    seal = _seal(token) if opened.with_token else ""
    key = key_of(source.name, source.revision, seal) if source.revision else source.name  # bundled, or known
    return Brought.of(key, opened.stack, service.add(key, opened.generator))


def _seal(token: Token) -> str:
    """The stand-in for a token in a key; the login of this machine has one for all visits of its user."""
    return token if isinstance(token, str) else "this machine"


def publish_rules(
    service: Service, session: Session, wish: Wish, token: Token, progress: Progress | None = None
) -> Published:
    """Publish the rules in force.  Raises ValueError in one sentence."""
    if not session.rules:
        raise ValueError("No rule is in force; choose a preset or make a rule first.")
    if not wish.repo.strip():
        raise ValueError("The repo has no name; type one.")
    if wish.how not in HOWS:
        raise ValueError(f"The method {wish.how!r:.60} is unknown; use one of {', '.join(HOWS)}.")
    return publish(
        session.whole_stack,
        wish.repo.strip(),
        generator=service.generator(session.generator),
        full_model=wish.full_model,
        private=wish.private,
        pictures=wish.pictures,
        create_pr=wish.how == "pull request",
        update=wish.how != "create",
        token=token,
        endpoint=service.endpoint,
        progress=progress,
    )


def published_rules(service: Service, search: str, token: Token) -> list[PublishedRule]:
    """Published rules, newest first.  search: part of an id."""
    return list_rules(search=search.strip() or None, limit=LISTED, token=token, endpoint=service.endpoint)


def telling(call: Callable[[Progress], T]) -> Iterator[str]:
    """Run a call in a thread of its own, and yield its progress in sentences.

    The generator returns the call's result, and raises the call's exception.
    """
    sentences: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def progress(done: float, what: str) -> None:
        sentences.put(f"{what}: {done:.0%}" if 0 < done < 1 else f"{what}…")

    def work() -> T:
        try:
            return call(progress)
        finally:
            sentences.put(None)

    result = started(work)
    last = ""
    while (sentence := sentences.get()) is not None:
        if sentence != last:
            yield sentence
        last = sentence
    return result.result()
