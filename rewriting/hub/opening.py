"""Opening a repo of the Hub by its name, with the token only if the Hub requires it.

Public repos are read without a token, so that all visitors can share them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from rewriting.core.edit import EditStack
from rewriting.generators import Generator
from rewriting.hub.client import Access, Gated, Missing, Token, reading_token
from rewriting.hub.loading import fitting, load_base, read_rule
from rewriting.hub.names import Kind, Name, at_revision, parse
from rewriting.hub.repos import find, open_generator, open_rules
from rewriting.processes import Progress

T = TypeVar("T")
Known = Callable[[str, str, bool], Generator | None]


@dataclass(frozen=True)
class Opened:
    """A generator, and the rules of a repo of rules; an empty stack for a repo of a generator.

    with_token: whether the generator required the token.
    """

    generator: Generator
    stack: EditStack
    with_token: bool


def open_repo(
    name: str | Name,
    *,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    at_hand: Generator | None = None,
    known: Known = lambda name, commit, with_token: None,
) -> Opened:
    """Open a repo of a generator, or a repo of rules together with their generator.

    name: of a repo, or of a file in it, in any form that `rewriting.hub.names` reads.
    at_hand: a loaded generator, used if the rules were made for it.  known: returns a loaded generator by (name,
    commit, with_token), or None; called once the access rights are clear.  Other options as for `load_generator`.
    Raises HubError, or SeveralFiles if several files of the repo may be generators.
    """
    name = at_revision(name if isinstance(name, Name) else parse(name, endpoint=endpoint), revision)
    if name.kind is not Kind.REPO:
        raise ValueError(f"{name.what[:100]!r} is {name.kind.words}; give a repo of the Hub, such as org/name.")
    access = Access(token, endpoint, cache_dir, progress)
    access.say(0.0, f"Looking at {name.what}")
    content, least = _with_least(partial(find, name), access)
    if not content.rules:
        generator = known(content.opened_by, content.commit, bool(least.token)) or open_generator(content, least)
        return Opened(generator, EditStack(), bool(least.token))
    stack, commit = open_rules(content, read_rule, least)
    if at_hand is not None and stack[0].base == at_hand.digest():
        return Opened(at_hand, fitting(stack, at_hand), False)
    if commit and (generator := known(stack[0].generator, commit, False)) is not None:
        return Opened(generator, fitting(stack, generator), False)
    generator, least = _with_least(lambda access: load_base(stack, access, revision=commit or None), access)
    return Opened(generator, fitting(stack, generator), bool(least.token))


def _with_least(read: Callable[[Access], T], access: Access) -> tuple[T, Access]:
    """Call `read` without a token or, if that fails, with it; returns the result, and the access that it took."""
    least = replace(access, token=False)
    try:
        return read(least), least
    except (Missing, Gated):
        full = replace(access, token=reading_token(access.token))
        if not full.token:
            raise
        return read(full), full
