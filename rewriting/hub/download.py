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
from posixpath import basename
from typing import Any

from rewriting.core.edit import CONFIG, FACTORS, REQUESTS
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.core.own_files import is_part
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.generators.config import MOMENTS, SELECTION, WEIGHTS
from rewriting.hub.cache import Shelf, writing_to
from rewriting.hub.client import (
    CACHED_PATIENCE,
    CONNECT,
    LONGEST_WAIT,
    PATIENCE,
    Access,
    HubError,
    check_repo_id,
    check_revision,
    timeout,
)
from rewriting.hub.transfer import RemoteFile, bring

log = logging.getLogger(__name__)

CARD, LICENSE, BEFORE, AFTER = "README.md", "LICENSE", "before.webp", "after.webp"
MIB = 1 << 20
LIMITS: Mapping[str, int] = {  # most bytes of each file; these and people's own pictures are fetched, nothing else
    CONFIG: 1 * MIB,
    WEIGHTS: 1024 * MIB,
    MOMENTS: 256 * MIB,
    SELECTION: 16 * MIB,
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
    repo_id: str, access: Access, *, revision: str | None = None, repo_type: str = "model", cached: bool = False
) -> Repo:
    """Ask the Hub once for the files of a repo at a revision, by default its main branch.

    cached: whether the cache can stand in, so that a slow or busy Hub is soon given up.
    Raises Missing if the repo does not exist for this token, else HubError.
    """
    check_repo_id(repo_id)
    check_revision(revision)
    seconds, wait = (CACHED_PATIENCE, 0.0) if cached else (PATIENCE, LONGEST_WAIT)

    def ask(api: Any) -> Repo:
        options = {"revision": revision, "repo_type": repo_type, "timeout": timeout(seconds)}
        return _described(repo_id, api.repo_info(repo_id, files_metadata=True, **options), repo_type, api.endpoint)

    return access.ask(repo_id, ask, revision=revision, seconds=seconds + CONNECT, wait=wait)


def _described(repo_id: str, info: Any, repo_type: str, endpoint: str) -> Repo:
    """Parse the client's answer.  Raises an error of any type for a wrong answer."""
    from huggingface_hub import hf_hub_url

    if not re.fullmatch(r"[0-9a-f]{40}", info.sha):
        raise ValueError("no commit")
    files = {}
    for file in info.siblings or ():
        path, oid = file.rfilename, file.lfs.sha256 if file.lfs else file.blob_id
        if _is_plain(path) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", oid or ""):
            url = hf_hub_url(repo_id, path, repo_type=repo_type, revision=info.sha, endpoint=endpoint)
            files[path] = RemoteFile(path, int(file.size), oid, url, info.sha)
    card = info.card_data.to_dict() if info.card_data else {}
    return Repo(repo_id, info.sha, files, card, bool(info.private), bool(getattr(info, "gated", False)))


def _is_plain(path: str) -> bool:
    """Whether a path stays inside its repo on every system."""
    return all(part not in ("", ".", "..") for part in path.split("/")) and not re.search(
        r'[\\:*?"<>|\x00-\x1f]', path
    )


def download(repo: Repo, paths: Sequence[str], access: Access) -> Path:
    """Download files of a repo at its commit, and compare each with the hash that the Hub lists.

    paths: keys of `repo.files`.  Files in the cache are not fetched again; broken downloads continue.
    Returns the folder of the paths.  Raises HubError; Unwritable if the cache is not writable.
    """
    shelf = Shelf.of(repo.repo_id, access.cache_dir)
    folder = shelf.snapshot(repo.commit)
    for path in paths:
        if (folder / path).exists():
            continue
        file = repo.files[path]
        with writing_to(access.cache_dir):
            bring(file, shelf.blob(file.oid), shelf.lock(file.oid), repo.repo_id, access)
            shelf.link(file.oid, repo.commit, path)
    return folder


# --- repos in our formats --------------------------------------------------------------------------------------------


def check_fetchable(repo: Repo, paths: Sequence[str]) -> None:
    """Raise HubError if one of these files of our formats is missing or too large."""
    for path in paths:
        if path not in repo.files:
            raise HubError(f"{repo.repo_id} has no {path}, which its {CONFIG} needs; publish it again.")
        size, most = repo.files[path].size, LIMITS[basename(path)]
        if size > most:
            raise HubError(
                f"{repo.repo_id} has a {path} of {size / 1e6:,.1f} MB, more than the limit of {most / 1e6:,.1f} MB; "
                f"nothing was fetched."
            )


def is_fetchable(repo: Repo, path: str) -> bool:
    """Whether an optional file exists and is small enough."""
    name = basename(path)
    most = OWN_LIMIT if is_part(name) else LIMITS.get(name, LIMITS[LICENSE])
    return path in repo.files and repo.files[path].size <= most


def check_admitted(repo: Repo, access: Access) -> None:
    """Ask for the header of a gated file, because a cached file would open without the Hub's consent."""
    url = repo.files[CONFIG if CONFIG in repo.files else next(iter(repo.files))].url
    access.ask(repo.repo_id, lambda api: api.get_hf_file_metadata(url=url, timeout=PATIENCE))
