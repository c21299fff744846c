"""Onto the Hub: a repo made or updated in one commit, or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rewriting.edit import CONFIG, Edit, EditStack
from rewriting.edit import FORMAT as EDIT_FORMAT
from rewriting.generators import Generator, read_generator
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.generators.files import read_json
from rewriting.hub.access import (
    HubError,
    Missing,
    Progress,
    Token,
    account,
    bounded,
    check_repo_id,
    client,
    host,
    patience,
    plainly,
    silence,
    writing_token,
)
from rewriting.hub.cards import YOUR_REPO, generator_card
from rewriting.hub.download import CARD, LICENSE, LIMITS, fetch, look_up
from rewriting.hub.folders import write_rule

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
    """A repo to write to.  head: its newest commit, "" if the repo is still to be made; files: what that holds."""

    repo_id: str
    repo_type: str
    head: str
    files: frozenset[str]
    private: bool


def publish(
    edits: Edit | Iterable[Edit],
    repo_id: str,
    *,
    generator: Generator | None = None,
    full_model: bool = False,
    private: bool | None = None,
    create_pr: bool = False,
    update: bool = True,
    seeds: Sequence[int] | None = None,
    message: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish rules: an edit repo or, with full_model, the generator rewritten by them.

    repo_id: "name/repo", in your own namespace or an organization's; a mere "repo" goes into your own.
    generator: what the rules were made for; by default the bundled or Hub generator that they name.
    private: for a repo that is made; by default as the Hub has it.  An existing repo stays as it is.
    create_pr: open a pull request instead of a commit.  update: False refuses a repo that exists already.
    seeds: of the pictures on the card.  message: of the commit.
    Publishing again without a change makes no commit.  Raises HubError; the repo then is as it was before, or new
    and empty.
    """
    token = writing_token(token)
    target = find_target(repo_id, private=private, create_pr=create_pr, update=update, token=token, endpoint=endpoint)
    _check_kind(target, GENERATOR_FORMAT if full_model else EDIT_FORMAT, token, endpoint)
    if progress:
        progress(0.0, "Drawing the pictures of the card")
    with TemporaryDirectory(prefix="rewriting-") as folder:
        write_rule(
            edits,
            folder,
            generator=generator,
            full_model=full_model,
            repo_id=target.repo_id,
            seeds=seeds,
            token=token,
            endpoint=endpoint,
            cache_dir=cache_dir,
            progress=progress,
        )
        files = {name: Path(folder) / name for name in LIMITS if (Path(folder) / name).is_file()}
        return send(
            target,
            files,
            stale=target.files & LIMITS.keys() - files.keys(),
            private=private,
            create_pr=create_pr,
            message=message or "Publish with Rewriting",
            token=token,
            endpoint=endpoint,
            progress=progress,
        )


def publish_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    create_pr: bool = False,
    update: bool = True,
    message: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish a generator-repo or edit-repo folder as it is: the files that these formats name, and no others.

    The files are opened first, to see that they are whole.  A generator without a model card gets one, and the code
    on a card of `write_rule` gets the repo's id.  Options as
    for `publish`.
    """
    folder, token = Path(folder), writing_token(token)
    kind = _kind_of_folder(folder)
    target = find_target(repo_id, private=private, create_pr=create_pr, update=update, token=token, endpoint=endpoint)
    _check_kind(target, kind, token, endpoint)
    files: dict[str, Path | bytes] = {name: folder / name for name in LIMITS if (folder / name).is_file()}
    if CARD not in files and kind == GENERATOR_FORMAT:
        card = generator_card(read_generator(folder).config, target.repo_id, LICENSE in files)
        files[CARD] = card.encode()
    elif CARD in files:  # written before anybody knew where it would be
        files[CARD] = (folder / CARD).read_bytes().replace(YOUR_REPO.encode(), target.repo_id.encode())
    return send(
        target,
        files,
        stale=frozenset(),
        private=private,
        create_pr=create_pr,
        message=message or "Publish with Rewriting",
        token=token,
        endpoint=endpoint,
        progress=progress,
    )


def _kind_of_folder(folder: Path) -> str:
    config = read_json(folder / CONFIG)
    if isinstance(config, dict) and config.get("format") == EDIT_FORMAT:
        EditStack.load(folder)
        return EDIT_FORMAT
    read_generator(folder)
    return GENERATOR_FORMAT


# --- the repo to write to -------------------------------------------------------------------------------------------


def find_target(
    repo_id: str,
    *,
    private: bool | None,
    create_pr: bool,
    update: bool,
    token: str,
    endpoint: str | None,
    repo_type: str = "model",
) -> Target:
    """The repo as it is now, before anything is drawn or sent.

    Raises HubError if the token is not valid, the name is not possible, there is no repo to open a pull request on,
    one is in the way that must not be updated, or what shall be private would become public.
    """
    me = account(token=token, endpoint=endpoint)
    repo_id = check_repo_id(repo_id if "/" in repo_id else f"{me.name}/{repo_id}")
    try:
        info = look_up(repo_id, token=token, endpoint=endpoint, repo_type=repo_type)
    except Missing:
        if create_pr:
            raise HubError(f"There is no repo {repo_id} to open a pull request on; publish into your own.") from None
        return Target(repo_id, repo_type, "", frozenset(), bool(private))
    files = frozenset(file.rfilename for file in info.siblings or ())
    if not update and files - EMPTY:
        raise HubError(f"{repo_id} is there already; choose another name, or update it.")
    if private and not info.private:
        raise HubError(f"{repo_id} is public; make it private on the Hub first, or choose another name.")
    return Target(repo_id, repo_type, info.sha, files, bool(info.private))


def _check_kind(target: Target, kind: str, token: str, endpoint: str | None) -> None:
    """HubError if the repo holds something else, which must not be overwritten."""
    if not target.files - EMPTY:
        return
    if CONFIG in target.files:
        try:
            with TemporaryDirectory(prefix="rewriting-") as cache:
                fetch(
                    target.repo_id,
                    (CONFIG,),
                    expected=kind,
                    revision=target.head,
                    token=token,
                    endpoint=endpoint,
                    cache_dir=cache,
                )
            return
        except HubError as error:
            raise HubError(f"{error} To keep it as it is, choose another name.") from None
    raise HubError(f"{target.repo_id} holds something else already; to keep it as it is, choose another name.")


def send(
    target: Target,
    files: Mapping[str, Path | bytes],
    *,
    stale: Iterable[str] = (),
    private: bool | None,
    create_pr: bool,
    message: str,
    token: str,
    endpoint: str | None,
    progress: Progress | None,
    creation: Mapping[str, Any] | None = None,
) -> Published:
    """Make the repo if need be, and put the files into it in one commit, on top of the one that was looked at.

    creation: what else `create_repo` should know.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    if progress:
        progress(0.2, f"Sending to {target.repo_id}")
    created = not target.head
    if created:
        target = _create(target, private, token, endpoint, creation or {})
    api, repo = client(token, endpoint), {"repo_id": target.repo_id, "repo_type": target.repo_type}
    size = sum(len(data) if isinstance(data, bytes) else data.stat().st_size for data in files.values())
    late = (
        f"The Hub did not confirm within {patience(size):.0f} s; look at {target.repo_id} there before trying again."
    )
    with plainly(target.repo_id, endpoint=endpoint):
        operations = [CommitOperationAdd(path, str(d) if isinstance(d, Path) else d) for path, d in files.items()]
        operations += [CommitOperationDelete(path) for path in sorted(stale)]
        done = bounded(
            patience(size),
            lambda: api.create_commit(
                **repo, operations=operations, commit_message=message, parent_commit=target.head, create_pr=create_pr
            ),
            late,
        )
    if progress:
        progress(1.0, f"Sent to {target.repo_id}")
    return Published(
        repo_id=target.repo_id,
        url=f"{host(endpoint)}/{'spaces/' if target.repo_type == 'space' else ''}{target.repo_id}",
        commit=done.oid,
        changed=done.oid != target.head,
        created=created,
        private=target.private,
        pull_request=done.pr_url,
    )


def _create(
    target: Target, private: bool | None, token: str, endpoint: str | None, creation: Mapping[str, Any]
) -> Target:
    """Make the repo; returns it with its first commit."""
    api = client(token, endpoint)
    with plainly(target.repo_id, endpoint=endpoint):
        bounded(
            patience(0),
            lambda: api.create_repo(target.repo_id, private=private, repo_type=target.repo_type, **creation),
            silence(endpoint),
        )
    info = look_up(target.repo_id, token=token, endpoint=endpoint, repo_type=target.repo_type)
    return replace(target, head=info.sha, private=bool(info.private))
