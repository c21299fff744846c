"""Onto the Hub: rules, rewritten models, and folders of either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rewriting.core.edit import CONFIG, Edit, EditStack
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.files import read_json
from rewriting.generators import Generator, read_generator
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.hub.cards import YOUR_REPO, generator_card
from rewriting.hub.client import HubError, Token, Unreachable
from rewriting.hub.download import CARD, LICENSE, LIMITS, fetch
from rewriting.hub.folders import write_rule
from rewriting.hub.sending import Published, Target, find_target, send
from rewriting.processes import Progress

MESSAGE = "Publish with Rewriting"


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
    access = {"token": token, "endpoint": endpoint}
    target = find_target(repo_id, private=private, create_pr=create_pr, update=update, **access)
    _check_kind(target, GENERATOR_FORMAT if full_model else EDIT_FORMAT)
    if progress:
        progress(0.0, "Drawing the pictures of the card")
    made = {"generator": generator, "full_model": full_model, "repo_id": target.repo_id, "seeds": seeds}
    with TemporaryDirectory(prefix="rewriting-") as folder:
        write_rule(edits, folder, **made, **access, cache_dir=cache_dir, progress=progress)
        files = {name: Path(folder) / name for name in LIMITS if (Path(folder) / name).is_file()}
        stale = target.files & LIMITS.keys() - files.keys()
        return send(target, files, message=message or MESSAGE, stale=stale, create_pr=create_pr, progress=progress)


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
    on a card of `write_rule` gets the repo's id.  Options as for `publish`.
    """
    folder = Path(folder)
    kind = _kind_of_folder(folder)
    target = find_target(repo_id, private=private, create_pr=create_pr, update=update, token=token, endpoint=endpoint)
    _check_kind(target, kind)
    files: dict[str, Path | bytes] = {name: folder / name for name in LIMITS if (folder / name).is_file()}
    if CARD not in files and kind == GENERATOR_FORMAT:
        files[CARD] = generator_card(read_generator(folder).config, target.repo_id, LICENSE in files).encode()
    elif CARD in files:  # written before anybody knew where it would be
        files[CARD] = (folder / CARD).read_bytes().replace(YOUR_REPO.encode(), target.repo_id.encode())
    return send(target, files, message=message or MESSAGE, create_pr=create_pr, progress=progress)


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
    access = {"revision": target.head, "token": target.token, "endpoint": target.endpoint}
    try:
        with TemporaryDirectory(prefix="rewriting-") as cache:
            fetch(target.repo_id, (CONFIG,), expected=kind, cache_dir=cache, **access)
    except Unreachable:
        raise
    except HubError as error:
        raise HubError(f"{str(error).rstrip('.')}; {keep}") from None
