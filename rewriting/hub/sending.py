"""A repo to write to: looked at, made if need be, and changed in one commit or by a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rewriting.hub.client import (
    HubError,
    Missing,
    Token,
    account,
    api,
    ask,
    check_repo_id,
    host,
    patience,
    writing_token,
)
from rewriting.hub.download import CARD, LICENSE, look_up
from rewriting.processes import Progress

EMPTY = {".gitattributes", CARD, LICENSE}  # what the Hub itself puts into a new repo


@dataclass(frozen=True)
class Published:
    """What came of publishing.

    commit: the repo's newest, or the pull request's.  changed: False if the repo held all of it already.
    pull_request: its address, if one was opened.
    """

    repo_id: str
    url: str
    commit: str
    changed: bool
    created: bool
    private: bool
    pull_request: str | None = None

    def __str__(self) -> str:
        if self.pull_request:
            return f"Opened a pull request: {self.pull_request}"
        done = "Created" if self.created else "Updated" if self.changed else "Nothing has changed in"
        return f"{done} {self.url}{' (private)' if self.private else ''}"


@dataclass(frozen=True)
class Target:
    """A repo to write to, and with whose token.

    head: its newest commit, "" if the repo is still to be made.  files: what that holds.  private: None leaves it to
    the Hub when the repo is made.
    """

    repo_id: str
    repo_type: str
    head: str
    files: frozenset[str]
    private: bool | None
    token: str = field(repr=False)
    endpoint: str | None

    @property
    def url(self) -> str:
        return f"{host(self.endpoint)}/{'spaces/' if self.repo_type == 'space' else ''}{self.repo_id}"

    @property
    def holds_something(self) -> bool:
        return bool(self.files - EMPTY)


def find_target(
    repo_id: str,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    create_pr: bool = False,
    update: bool = True,
    token: Token,
    endpoint: str | None,
) -> Target:
    """The repo as it is now, before anything is drawn or sent.  repo_id: without a "/", in the account's namespace.

    Raises HubError if the token is not valid, the name is not possible, there is no repo to open a pull request on,
    one is in the way that must not be updated, or what shall be private would become public.
    """
    token = writing_token(token)
    me = account(token=token, endpoint=endpoint)
    repo_id = check_repo_id(repo_id if "/" in repo_id else f"{me.name}/{repo_id}")
    try:
        repo = look_up(repo_id, token=token, endpoint=endpoint, repo_type=repo_type)
    except Missing:
        if create_pr:
            raise HubError(f"There is no repo {repo_id} to open a pull request on; publish into your own.") from None
        return Target(repo_id, repo_type, "", frozenset(), private, token, endpoint)
    files = frozenset(repo.files)
    target = Target(repo_id, repo_type, repo.commit, files, repo.private, token, endpoint)
    if not update and target.holds_something:
        raise HubError(f"{repo_id} is there already; choose another name, or update it.")
    if private and not repo.private:
        raise HubError(f"{repo_id} is public; make it private on the Hub first, or choose another name.")
    return target


def send(
    target: Target,
    files: Mapping[str, Path | bytes],
    *,
    message: str,
    stale: Iterable[str] = (),
    create_pr: bool = False,
    creation: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Published:
    """Put the files into the repo in one commit, on top of the one that was looked at; nothing new, no commit.

    stale: files to remove.  creation: what else `create_repo` should know, if the repo is still to be made.
    """
    if progress:
        progress(0.2, f"Sending to {target.repo_id}")
    there = target if target.head else _create(target, creation or {})
    done = _commit(there, files, stale, message, create_pr)
    if progress:
        progress(1.0, f"Sent to {target.repo_id}")
    return Published(
        repo_id=there.repo_id,
        url=there.url,
        commit=done.oid,
        changed=done.oid != there.head,
        created=not target.head,
        private=bool(there.private),
        pull_request=done.pr_url,
    )


def _create(target: Target, creation: Mapping[str, Any]) -> Target:
    """Make the repo; returns it with its first commit."""
    hub = api(target.token, target.endpoint)
    ask(
        lambda: hub.create_repo(target.repo_id, private=target.private, repo_type=target.repo_type, **creation),
        target.repo_id,
        endpoint=target.endpoint,
        seconds=patience(0),
        writing=True,
    )
    repo = look_up(target.repo_id, token=target.token, endpoint=target.endpoint, repo_type=target.repo_type)
    return replace(target, head=repo.commit, private=repo.private)


def _commit(
    target: Target, files: Mapping[str, Path | bytes], stale: Iterable[str], message: str, create_pr: bool
) -> Any:
    """The client's `CommitInfo`.  A commit is whole or not there at all, whatever breaks on the way."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    size = sum(len(data) if isinstance(data, bytes) else data.stat().st_size for data in files.values())
    seconds = patience(size)
    operations = [CommitOperationAdd(path, str(d) if isinstance(d, Path) else d) for path, d in files.items()]
    operations += [CommitOperationDelete(path) for path in sorted(stale)]
    return ask(
        lambda: api(target.token, target.endpoint).create_commit(
            target.repo_id,
            operations,
            commit_message=message,
            repo_type=target.repo_type,
            parent_commit=target.head,
            create_pr=create_pr,
        ),
        target.repo_id,
        endpoint=target.endpoint,
        seconds=seconds,
        late=f"The Hub did not confirm within {seconds:.0f} s; look at {target.repo_id} there before trying again.",
        writing=True,
    )
