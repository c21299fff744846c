"""Onto the Hub: rules, rewritten models, and folders of either, whole or not at all.

A repo is looked at, its card is shown to the Hub, and only then is it made, if need be, and changed in one commit on
top of the one that was looked at, or by a pull request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rewriting.core.edit import CONFIG, REQUESTS, Edit, EditStack
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.core.own_files import digest_in, is_part
from rewriting.files import read_json
from rewriting.generators import Generator, read_generator
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.hub.card import YOUR_REPO, generator_card
from rewriting.hub.client import (
    PATIENCE,
    HubError,
    Missing,
    Token,
    Unreachable,
    account,
    api,
    ask,
    check_repo_id,
    headers,
    host,
    patience,
    timeout,
    writing_token,
)
from rewriting.hub.download import CARD, KINDS, LICENSE, LIMITS, Repo, look_up
from rewriting.hub.folders import write_rule
from rewriting.hub.names import Kind, Name
from rewriting.hub.repos import find
from rewriting.processes import Progress

MESSAGE = "Publish with Rewriting"
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
    pictures: bool = False,
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
    pictures: whether what somebody brought to make the rules is published too.  Without it, nobody can change them.
    Publishing again without a change makes no commit.  Raises HubError; the repo then is as it was before, and one
    that was made is gone again, or the error says that it stays.
    """
    access = {"token": token, "endpoint": endpoint}
    target = find_target(repo_id, private=private, create_pr=create_pr, update=update, **access)
    _check_kind(target, GENERATOR_FORMAT if full_model else EDIT_FORMAT)
    if progress:
        progress(0.0, "Drawing the pictures of the card")
    made = {
        "generator": generator,
        "full_model": full_model,
        "repo_id": target.repo_id,
        "seeds": seeds,
        "pictures": pictures,
    }
    with TemporaryDirectory(prefix="rewriting-") as folder:
        write_rule(edits, folder, **made, **access, cache_dir=cache_dir, progress=progress)
        files = {
            path.name: path for path in sorted(Path(folder).iterdir()) if path.name in LIMITS or is_part(path.name)
        }
        stale = {name for name in target.files if name in LIMITS or is_part(name)} - files.keys()
        return send(target, files, message=message or MESSAGE, stale=stale, create_pr=create_pr, progress=progress)


def publish_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    create_pr: bool = False,
    update: bool = True,
    pictures: bool = False,
    message: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish a generator-repo or edit-repo folder as it is: the files that these formats name, and no others.

    The files are opened first, to see that they are whole.  A generator without a model card gets one, and the code
    on a card of `write_rule` gets the repo's id.  Options and errors as for `publish`.
    """
    folder = Path(folder)
    kind = _kind_of_folder(folder)
    target = find_target(repo_id, private=private, create_pr=create_pr, update=update, token=token, endpoint=endpoint)
    _check_kind(target, kind)
    files: dict[str, Path | bytes] = {name: folder / name for name in LIMITS if (folder / name).is_file()}
    if kind == EDIT_FORMAT:
        files |= _requests(EditStack.load(folder), folder, pictures)
    if CARD not in files and kind == GENERATOR_FORMAT:
        config = read_generator(folder).config
        files[CARD] = generator_card(config, target.repo_id, LICENSE in files, endpoint).encode()
    elif CARD in files:  # written before anybody knew where it would be
        files[CARD] = (folder / CARD).read_bytes().replace(YOUR_REPO.encode(), target.repo_id.encode())
    stale = {name for name in target.files if is_part(name)} - files.keys()
    return send(target, files, message=message or MESSAGE, stale=stale, create_pr=create_pr, progress=progress)


def _requests(stack: EditStack, folder: Path, pictures: bool) -> dict[str, Path | bytes]:
    """The files of a folder of rules that hold what somebody brought: these, or a file of requests without them."""
    own = {picture.digest for edit in stack if edit.request for picture in edit.request.own_pictures()}
    if pictures:
        return {path.name: path for path in sorted(folder.iterdir()) if digest_in(path.name) in own}
    if not own:
        return {}
    with TemporaryDirectory(prefix="rewriting-") as bare:
        stack.without_pictures().save(bare)
        return {REQUESTS: Path(bare, REQUESTS).read_bytes()}


def _kind_of_folder(folder: Path) -> str:
    config = read_json(folder / CONFIG)
    if isinstance(config, dict) and config.get("format") == EDIT_FORMAT:
        EditStack.load(folder)
        return EDIT_FORMAT
    read_generator(folder)
    return GENERATOR_FORMAT


def _check_kind(target: Target, kind: str) -> None:
    """HubError if the repo holds something else, which must not be overwritten."""
    if not target.holds_something:
        return
    keep = "to keep it as it is, choose another name."
    if CONFIG not in target.files:
        raise HubError(f"{target.repo_id} holds something else already; {keep}")
    try:
        with TemporaryDirectory(prefix="rewriting-") as cache:
            name = Name(Kind.REPO, target.repo_id, target.head)
            found = find(name, token=target.token, endpoint=target.endpoint, cache_dir=cache)
    except Unreachable:
        raise
    except ValueError:  # no generator at all, or several
        raise HubError(f"{target.repo_id} holds something else already; {keep}") from None
    held = EDIT_FORMAT if found.rules else GENERATOR_FORMAT
    if found.path or found.folder:
        raise HubError(f"{target.repo_id} holds a generator of another program; {keep}")
    if held != kind:
        raise HubError(f"{target.repo_id} holds {KINDS[held]}; {keep}")


# --- any repo --------------------------------------------------------------------------------------------------------


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

    def look(self) -> Repo:
        """The repo as it is now."""
        return look_up(self.repo_id, token=self.token, endpoint=self.endpoint, repo_type=self.repo_type)

    def write(self, name: str, *arguments: Any, seconds: float, late: str | None = None, **options: Any) -> Any:
        """Call a function of the client that writes."""
        call = getattr(api(self.token, self.endpoint), name)
        return ask(
            lambda: call(self.repo_id, *arguments, repo_type=self.repo_type, **options),
            self.repo_id,
            endpoint=self.endpoint,
            seconds=seconds,
            late=late,
            writing=True,
        )


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
    target = Target(repo_id, repo_type, "", frozenset(), private, token, endpoint)
    try:
        repo = target.look()
    except Missing:
        if create_pr:
            raise HubError(f"There is no repo {repo_id} to open a pull request on; publish into your own.") from None
        return target
    target = replace(target, head=repo.commit, files=frozenset(repo.files), private=repo.private)
    if not update and target.holds_something:
        raise HubError(f"{repo_id} exists already; choose another name, or update it.")
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
    if CARD in files:
        _check_card(target, files[CARD])
    if progress:
        progress(0.2, f"Sending to {target.repo_id}")
    there = target if target.head else _create(target, creation or {})
    try:
        commit, pull_request = _commit(there, files, stale, message, create_pr)
    except BaseException as error:
        if not target.head:
            _take_back(there, error)
        raise
    if progress:
        progress(1.0, f"Sent to {target.repo_id}")
    return Published(
        repo_id=there.repo_id,
        url=there.url,
        commit=commit,
        changed=commit != there.head,
        created=not target.head,
        private=bool(there.private),
        pull_request=pull_request,
    )


def _check_card(target: Target, card: Path | bytes) -> None:
    """Shows the card's YAML to the Hub, which would refuse a commit for it."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    text = (card if isinstance(card, bytes) else card.read_bytes()).decode("utf-8", "replace")
    asked = {"content": text, "repoType": target.repo_type}

    def show() -> Any:
        url = f"{host(target.endpoint)}/api/validate-yaml"
        response = get_session().post(url, json=asked, headers=headers(target.token), timeout=timeout(PATIENCE))
        if response.status_code != 400:
            hf_raise_for_status(response)
        return [str(error["message"]) for error in response.json().get("errors") or ()]

    if refused := ask(show, target.repo_id, endpoint=target.endpoint, writing=True):
        raise HubError(f"The Hub does not take the card of {target.repo_id} ({refused[0][:200]}); correct its YAML.")


def _create(target: Target, creation: Mapping[str, Any]) -> Target:
    """Make the repo; returns it with its first commit."""
    target.write("create_repo", private=target.private, seconds=patience(0), **creation)
    repo = target.look()
    return replace(target, head=repo.commit, private=repo.private)


def _take_back(made: Target, error: BaseException) -> None:
    """Remove a repo that was made for what could not be sent.  Raises the error anew if the repo stays."""
    try:
        if made.look().commit == made.head:
            made.write("delete_repo", seconds=patience(0))
    except HubError:
        raise HubError(f"{str(error).rstrip('.')}; {made.repo_id} was made and stays empty on the Hub.") from error


def _commit(
    target: Target, files: Mapping[str, Path | bytes], stale: Iterable[str], message: str, create_pr: bool
) -> tuple[str, str | None]:
    """The commit and the address of the pull request.  It is whole or not there at all, whatever breaks on the way."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    size = sum(len(data) if isinstance(data, bytes) else data.stat().st_size for data in files.values())
    seconds = patience(size)
    operations = [CommitOperationAdd(path, str(d) if isinstance(d, Path) else d) for path, d in files.items()]
    operations += [CommitOperationDelete(path) for path in sorted(stale)]
    late = f"The Hub did not confirm within {seconds:.0f} s; look at {target.repo_id} there before trying again."
    options = {"commit_message": message, "parent_commit": target.head, "create_pr": create_pr}
    done = target.write("create_commit", operations, seconds=seconds, late=late, **options)
    return done.oid, done.pr_url
