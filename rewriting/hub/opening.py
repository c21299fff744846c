"""Opening a repo of which only the id is known, with no more of a token than it takes.

What everybody may read is read without a token, and so can be shared by everybody; the token is shown only where the
Hub asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rewriting.core.edit import CONFIG, FACTORS, EditStack
from rewriting.generators import Generator
from rewriting.generators.config import WEIGHTS
from rewriting.hub.cache import kept_in_cache
from rewriting.hub.client import (
    Gated,
    Missing,
    Token,
    Unreachable,
    check_repo_id,
    check_revision,
    host,
    hosted,
    reading_token,
)
from rewriting.hub.download import check_admitted, look_up
from rewriting.hub.loading import fitting, load_base, load_generator, read_rule, split_revision
from rewriting.processes import Progress

T = TypeVar("T")
Known = Callable[[str, str, bool], Generator | None]


@dataclass(frozen=True)
class Opened:
    """A generator, and the rules in it that the repo holds, if it is one of rules.

    with_token: whether the generator was only to be had with the token.
    """

    generator: Generator
    stack: EditStack
    with_token: bool


def repo_named(text: str, endpoint: str | None = None) -> tuple[str, str | None]:
    """What people write or copy: "name/repo", "name/repo@revision" or an address of the Hub -> id and revision.

    Raises HubError if it is none of these.
    """
    text = text.strip().removeprefix(f"{host(endpoint)}/").rstrip("/")
    address = re.fullmatch(r"([^/]+/[^/@]+)/(?:tree|blob|commit|resolve)/([^/]+)(?:/.*)?", text)
    repo_id, revision = address.groups() if address else split_revision(text)
    return check_repo_id(repo_id), revision


def open_repo(
    repo_id: str,
    *,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    at_hand: Generator | None = None,
    known: Known = lambda repo_id, commit, with_token: None,
) -> Opened:
    """A generator, or rules together with the generator they were made for, whichever the repo holds.

    at_hand: used for rules that were made for it, instead of fetching it.  known: asked for a generator at a commit,
    which it may have already, once it is clear who may see it.  Other options as for `load_generator`.
    Raises HubError.
    """
    check_revision(revision)
    access: dict[str, Any] = {"endpoint": endpoint, "cache_dir": cache_dir}
    if progress:
        progress(0.0, f"Looking at {repo_id}")
    (holds_rules, commit), needed = least(lambda t: _look(repo_id, revision, token=t, **access), token)
    access["progress"] = progress
    if not holds_rules:
        if (generator := known(repo_id, commit, needed)) is not None:
            return Opened(generator, EditStack(), needed)
        generator, needed = least(lambda t: load_generator(repo_id, revision=revision, token=t, **access), token)
        return Opened(generator, EditStack(), needed)
    (stack, commit), _ = least(lambda t: read_rule(repo_id, revision=revision, token=t, **access), token)
    if at_hand is not None and stack[0].base == at_hand.digest():
        return Opened(at_hand, fitting(stack, at_hand), False)
    if commit and (generator := known(stack[0].generator, commit, False)) is not None:
        return Opened(generator, fitting(stack, generator), False)
    generator, needed = least(lambda t: load_base(stack, revision=commit or None, token=t, **access), token)
    return Opened(generator, fitting(stack, generator), needed)


def least(read: Callable[[Token], T], token: Token) -> tuple[T, bool]:
    """What `read` returns without a token or, where that is not enough, with it; and whether it took the token."""
    from huggingface_hub import get_token

    try:
        return read(False), False
    except (Missing, Gated):
        token = reading_token(token)
        if token is False or (token is None and not get_token()):
            raise
        return read(token), True


def _look(
    repo_id: str, revision: str | None, *, token: Token, endpoint: str | None, cache_dir: str | Path | None
) -> tuple[bool, str]:
    """Whether it is a repo of rules rather than of a generator, and the commit; where the Hub is silent, the cache may
    know."""
    try:
        repo = look_up(repo_id, revision=revision, token=token, endpoint=endpoint)
    except Unreachable:
        for name in (FACTORS, WEIGHTS):
            kept = kept_in_cache(repo_id, (CONFIG, name), revision, cache_dir)
            if kept is not None and not hosted():
                return name == FACTORS, kept.commit
        raise
    if repo.gated:
        check_admitted(repo, token=token, endpoint=endpoint)
    return FACTORS in repo.files, repo.commit
