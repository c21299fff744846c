"""Files of a Hub repo: the list of files at one commit, and downloads into the cache.

One request to the Hub names the commit, and all later requests use it, even if a branch moves meanwhile.  Sizes are
checked before a download, hashes after it.  A commit in the cache needs no request.  If the Hub does not answer within
seconds, or the cache is not writable, the cached files are used.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewriting.core.edit import CONFIG, FACTORS, REQUESTS
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.core.own_files import is_part
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.generators.config import MOMENTS, WEIGHTS
from rewriting.hub.cache import Shelf, Snapshot, writing_to
from rewriting.hub.client import (
    CONNECT,
    LONGEST_WAIT,
    PATIENCE,
    HubError,
    Token,
    api,
    ask,
    check_repo_id,
    check_revision,
    plainly,
    reading_token,
    timeout,
)
from rewriting.hub.transfer import RemoteFile, bring
from rewriting.processes import Progress

log = logging.getLogger(__name__)

CARD, LICENSE, BEFORE, AFTER = "README.md", "LICENSE", "before.webp", "after.webp"
MIB = 1 << 20
LIMITS: Mapping[str, int] = {  # most bytes of each file; these and people's own pictures are fetched, nothing else
    CONFIG: 1 * MIB,
    WEIGHTS: 1024 * MIB,
    MOMENTS: 256 * MIB,
    FACTORS: 64 * MIB,
    REQUESTS: 16 * MIB,
    CARD: 1 * MIB,
    LICENSE: 1 * MIB,
    BEFORE: 8 * MIB,
    AFTER: 8 * MIB,
}
OWN_LIMIT = 32 * MIB  # of a file of a person's own picture
KINDS = {
    GENERATOR_FORMAT: "an image generator, which load_generator opens",
    EDIT_FORMAT: "a rule, which load_edits opens",
}


@dataclass(frozen=True)
class Repo:
    """A repo at one commit, as the Hub describes it.

    files: {path: file}.  card: the YAML of its model card.  private, gated: whether access is limited.
    """

    repo_id: str
    commit: str
    files: Mapping[str, RemoteFile]
    card: Mapping[str, Any] = field(default_factory=dict)
    private: bool = False
    gated: bool = False


@contextmanager
def naming(repo_id: str) -> Iterator[None]:
    """Add the repo to the error of a file."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise HubError(f"{repo_id} cannot be opened: {error}") from None


# --- any repo --------------------------------------------------------------------------------------------------------


def look_up(
    repo_id: str,
    *,
    token: Token = None,
    endpoint: str | None = None,
    revision: str | None = None,
    seconds: float = PATIENCE,
    wait: float = LONGEST_WAIT,
    repo_type: str = "model",
) -> Repo:
    """Ask the Hub once for the files of a repo at a revision, by default its main branch.

    seconds: time limit of the answer.  wait: longest pause that the Hub may ask for.
    Raises Missing if the repo does not exist for this token, else HubError.
    """
    check_repo_id(repo_id)
    check_revision(revision)
    info = ask(
        lambda: api(reading_token(token), endpoint).repo_info(
            repo_id, revision=revision, repo_type=repo_type, timeout=timeout(seconds), files_metadata=True
        ),
        repo_id,
        endpoint=endpoint,
        revision=revision,
        seconds=seconds + CONNECT,
        wait=wait,
    )
    with plainly(repo_id, endpoint=endpoint):
        return _described(repo_id, info, repo_type, endpoint)


def _described(repo_id: str, info: Any, repo_type: str, endpoint: str | None) -> Repo:
    """Parse the client's answer.  Raises an error of any type for a wrong answer."""
    from huggingface_hub import hf_hub_url

    if not re.fullmatch(r"[0-9a-f]{40}", info.sha):
        raise ValueError("no commit")
    files = {}
    for one in info.siblings or ():
        oid = one.lfs.sha256 if one.lfs else one.blob_id
        if _is_plain(one.rfilename) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", oid or ""):
            url = hf_hub_url(repo_id, one.rfilename, repo_type=repo_type, revision=info.sha, endpoint=endpoint)
            files[one.rfilename] = RemoteFile(one.rfilename, int(one.size), oid, url, info.sha)
    card = info.card_data.to_dict() if info.card_data else {}
    return Repo(repo_id, info.sha, files, card, bool(info.private), bool(getattr(info, "gated", False)))


def _is_plain(path: str) -> bool:
    """Whether a path stays inside its repo on every system."""
    return all(part not in ("", ".", "..") for part in path.split("/")) and not re.search(
        r'[\\:*?"<>|\x00-\x1f]', path
    )


def download(
    repo: Repo,
    paths: Sequence[str],
    *,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Snapshot:
    """Download files of a repo at its commit, and compare each with the hash that the Hub lists.

    paths: keys of `repo.files`.  Files in the cache are not fetched again; broken downloads continue.
    Returns the folder of the paths.  Raises HubError; Unwritable if the cache is not writable.
    """
    token, shelf = reading_token(token), Shelf.of(repo.repo_id, cache_dir)
    folder = shelf.snapshot(repo.commit)
    access = {"repo_id": repo.repo_id, "token": token, "endpoint": endpoint, "progress": progress}
    for path in paths:
        if (folder / path).exists():
            continue
        file = repo.files[path]
        with writing_to(cache_dir):
            bring(file, shelf.blob(file.oid), shelf.lock(file.oid), **access)
            shelf.link(file.oid, repo.commit, path)
    return Snapshot(folder, repo.commit)


# --- repos in our formats --------------------------------------------------------------------------------------------


def check_fetchable(repo: Repo, paths: Sequence[str]) -> None:
    """Raise HubError if one of these files of our formats is missing or too large."""
    for path in paths:
        if path not in repo.files:
            raise HubError(f"{repo.repo_id} has no {path}, which its {CONFIG} needs; publish it again.")
        size, most = repo.files[path].size, LIMITS[path.rpartition("/")[2]]
        if size > most:
            raise HubError(
                f"{repo.repo_id} has a {path} of {size / 1e6:,.1f} MB, more than the limit of {most / 1e6:,.1f} MB; "
                f"nothing was fetched."
            )


def limit_of(path: str) -> int:
    """The most bytes of an optional file of that name."""
    name = path.rpartition("/")[2]
    return OWN_LIMIT if is_part(name) else LIMITS.get(name, LIMITS[LICENSE])


def is_fetchable(repo: Repo, path: str) -> bool:
    """Whether an optional file exists and is small enough."""
    return path in repo.files and repo.files[path].size <= limit_of(path)


def check_admitted(repo: Repo, *, token: Token, endpoint: str | None) -> None:
    """Ask for the header of a gated file, because a cached file would open without the Hub's consent."""
    from huggingface_hub import get_hf_file_metadata

    path = CONFIG if CONFIG in repo.files else next(iter(repo.files))
    token, url = reading_token(token), repo.files[path].url
    ask(
        lambda: get_hf_file_metadata(url, token=token, timeout=PATIENCE, endpoint=endpoint),
        repo.repo_id,
        endpoint=endpoint,
    )
