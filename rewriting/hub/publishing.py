"""Publishing rules, rewritten models, and folders of either on the Hub, completely or not at all.

The software looks at the repo, lets the Hub check the card, creates the repo if it is missing, and then makes one
commit on top of the commit that it looked at, or a pull request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    Access,
    HubError,
    Missing,
    Token,
    Unreachable,
    account,
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
EMPTY = {".gitattributes", CARD, LICENSE}  # files that the Hub itself puts into a new repo


@dataclass(frozen=True)
class Published:
    """The outcome of publishing.

    commit: the newest commit of the repo, or that of the pull request.  changed: False if the repo already held the
    same files.  pull_request: its address, None without one.
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
        outcome = "Created" if self.created else "Updated" if self.changed else "Nothing has changed in"
        return f"{outcome} {self.url}{' (private)' if self.private else ''}"


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
    """Publish rules as an edit repo or, with full_model, as a generator with the rules in its weights.

    repo_id: "name/repo", in your own namespace or an organization's; "repo" alone means your own namespace.
    generator: the generator of the rules; by default the bundled or Hub generator that they name.
    private: visibility of a new repo; by default the Hub's default.  An existing repo keeps its visibility.
    create_pr: open a pull request instead of a commit.  update: False refuses an existing repo.
    seeds: of the pictures on the card.  message: of the commit.
    pictures: whether to publish people's own pictures in the requests; without them nobody can edit the rules.
    Publishing again without a change makes no commit.  Raises HubError; an existing repo then does not change, and a
    new repo is deleted, or the error says that it remains.
    """
    access = Access(token, endpoint, cache_dir, progress)
    target = find_target(repo_id, access, private=private, create_pr=create_pr, update=update)
    _check_kind(target, GENERATOR_FORMAT if full_model else EDIT_FORMAT)
    access.say(0.0, "Drawing the pictures of the card")
    with TemporaryDirectory(prefix="rewriting-") as folder:
        write_rule(
            edits, folder, generator=generator, full_model=full_model, repo_id=target.repo_id, seeds=seeds,
            pictures=pictures, token=token, endpoint=endpoint, cache_dir=cache_dir, progress=progress,
        )  # fmt: skip
        files = {path.name: path for path in sorted(Path(folder).iterdir())}
        stale = {name for name in target.files if name in LIMITS or is_part(name)} - files.keys()
        return send(target, files, message=message or MESSAGE, stale=stale, create_pr=create_pr)


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
    """Publish the folder of a generator or of an edit: the files of these formats, and no others.

    The files are opened first, to check them.  A generator without a model card gets one, and the code on a card of
    `write_rule` gets the repo's id.  Options and errors as for `publish`.
    """
    folder = Path(folder)
    kind = _kind_of_folder(folder)
    access = Access(token, endpoint, progress=progress)
    target = find_target(repo_id, access, private=private, create_pr=create_pr, update=update)
    _check_kind(target, kind)
    files: dict[str, Path | bytes] = {name: folder / name for name in LIMITS if (folder / name).is_file()}
    if kind == EDIT_FORMAT:
        files |= _requests(EditStack.load(folder), folder, pictures)
    if CARD not in files and kind == GENERATOR_FORMAT:
        config = read_generator(folder).config
        files[CARD] = generator_card(config, target.repo_id, LICENSE in files, endpoint).encode()
    elif CARD in files:  # written before the repo's id was known
        files[CARD] = (folder / CARD).read_bytes().replace(YOUR_REPO.encode(), target.repo_id.encode())
    stale = {name for name in target.files if is_part(name)} - files.keys()
    return send(target, files, message=message or MESSAGE, stale=stale, create_pr=create_pr)


def _requests(stack: EditStack, folder: Path, pictures: bool) -> dict[str, Path | bytes]:
    """The files of people's own pictures in a folder of rules or, without `pictures`, requests without them."""
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
    """Raise HubError if the repo holds another kind of content, which must not be overwritten."""
    if not target.holds_something:
        return
    advice = "choose another name."
    if CONFIG not in target.files:
        raise HubError(f"{target.repo_id} holds other files; {advice}")
    try:
        with TemporaryDirectory(prefix="rewriting-") as cache:
            name = Name(Kind.REPO, target.repo_id, target.head)
            content = find(name, replace(target.access, cache_dir=cache))
    except Unreachable:
        raise
    except ValueError:  # no generator at all, or several
        raise HubError(f"{target.repo_id} holds other files; {advice}") from None
    present = EDIT_FORMAT if content.rules else GENERATOR_FORMAT
    if content.path or content.folder:
        raise HubError(f"{target.repo_id} holds a generator of another program; {advice}")
    if present != kind:
        raise HubError(f"{target.repo_id} holds {KINDS[present]}; {advice}")


# --- any repo --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A repo to write to.

    access: with the token for it.  head: its newest commit, "" for a repo that does not exist yet.  files: paths in
    that commit.  private: None means the Hub's default for a new repo.
    """

    repo_id: str
    access: Access
    repo_type: str
    private: bool | None
    head: str = ""
    files: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        return f"{host(self.access.endpoint)}/{'spaces/' if self.repo_type == 'space' else ''}{self.repo_id}"

    @property
    def holds_something(self) -> bool:
        return bool(self.files - EMPTY)

    def look(self) -> Repo:
        """Ask the Hub for the present repo."""
        return look_up(self.repo_id, self.access, repo_type=self.repo_type)

    def write(self, name: str, *arguments: Any, seconds: float, late: str | None = None, **options: Any) -> Any:
        """Call a writing function of the client."""

        def call(api: Any) -> Any:
            return getattr(api, name)(self.repo_id, *arguments, repo_type=self.repo_type, **options)

        return self.access.ask(self.repo_id, call, seconds=seconds, late=late, writing=True)


def find_target(
    repo_id: str,
    access: Access,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    create_pr: bool = False,
    update: bool = True,
) -> Target:
    """Look at the repo, before anything is drawn or sent.  repo_id: without a "/", in the account's own namespace.

    Raises HubError for an invalid token or an impossible name, if the repo for a pull request is missing, if an
    existing repo must not be updated, or if a private publication would go to a public repo.
    """
    access = replace(access, token=writing_token(access.token))
    me = account(token=access.token, endpoint=access.endpoint)
    repo_id = check_repo_id(repo_id if "/" in repo_id else f"{me.name}/{repo_id}")
    target = Target(repo_id, access, repo_type, private)
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
) -> Published:
    """Send files to the repo in one commit on top of `target.head`; without a change there is no commit.

    stale: files to remove.  creation: further options of `create_repo` for a new repo.
    """
    if CARD in files:
        _check_card(target, files[CARD])
    target.access.say(0.2, f"Sending to {target.repo_id}")
    repo = target if target.head else _create(target, creation or {})
    try:
        commit, pull_request = _commit(repo, files, stale, message, create_pr)
    except BaseException as error:
        if not target.head:
            _take_back(repo, error)
        raise
    target.access.say(1.0, f"Sent to {target.repo_id}")
    return Published(
        repo_id=repo.repo_id,
        url=repo.url,
        commit=commit,
        changed=commit != repo.head,
        created=not target.head,
        private=bool(repo.private),
        pull_request=pull_request,
    )


def _check_card(target: Target, card: Path | bytes) -> None:
    """Let the Hub check the card's YAML, because it would refuse a commit with a wrong one."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    text = (card if isinstance(card, bytes) else card.read_bytes()).decode("utf-8", "replace")
    query = {"content": text, "repoType": target.repo_type}

    def errors_of(api: Any) -> list[str]:
        url = f"{api.endpoint}/api/validate-yaml"
        response = get_session().post(url, json=query, headers=headers(api.token), timeout=timeout(PATIENCE))
        if response.status_code != 400:
            hf_raise_for_status(response)
        return [str(error["message"]) for error in response.json().get("errors") or ()]

    if errors := target.access.ask(target.repo_id, errors_of, writing=True):
        raise HubError(f"The Hub does not take the card of {target.repo_id} ({errors[0][:200]}); correct its YAML.")


def _create(target: Target, creation: Mapping[str, Any]) -> Target:
    """Create the repo, and return it with its first commit."""
    target.write("create_repo", private=target.private, seconds=patience(0), **creation)
    repo = target.look()
    return replace(target, head=repo.commit, private=repo.private)


def _take_back(repo: Target, error: BaseException) -> None:
    """Delete a new repo after a failed upload.  Raises the error again if the repo remains."""
    try:
        if repo.look().commit == repo.head:
            repo.write("delete_repo", seconds=patience(0))
    except HubError:
        raise HubError(f"{str(error).rstrip('.')}; {repo.repo_id} was created and stays empty on the Hub.") from error


def _commit(
    target: Target, files: Mapping[str, Path | bytes], stale: Iterable[str], message: str, create_pr: bool
) -> tuple[str, str | None]:
    """Make an atomic commit; returns it, and the address of the pull request, None without one."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    size = sum(len(data) if isinstance(data, bytes) else data.stat().st_size for data in files.values())
    seconds = patience(size)
    operations = [CommitOperationAdd(path, str(d) if isinstance(d, Path) else d) for path, d in files.items()]
    operations += [CommitOperationDelete(path) for path in sorted(stale)]
    late = f"The Hub did not confirm within {seconds:.0f} s; look at {target.repo_id} there before trying again."
    options = {"commit_message": message, "parent_commit": target.head, "create_pr": create_pr}
    commit = target.write("create_commit", operations, seconds=seconds, late=late, **options)
    return commit.oid, commit.pr_url
