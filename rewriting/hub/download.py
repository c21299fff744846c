"""Files of a Hub repo into the cache: only those that the formats name, and only as large as they may be.

A commit that lies in the cache is used without asking; otherwise the Hub is asked once what the repo holds, and the
cache stands in where there is no answer within seconds.  Sizes are checked before anything is fetched, and again
while it arrives.  A revision is recorded in the cache when all of its files are there, never half.
"""

from __future__ import annotations

import logging
import os
import shutil
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rewriting.core.edit import CONFIG, FACTORS, REQUESTS
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.files import read_json
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.generators.config import MOMENTS, WEIGHTS
from rewriting.hub.client import (
    CACHED_PATIENCE,
    CONNECT,
    PATIENCE,
    HubError,
    Token,
    Unreachable,
    api,
    bounded,
    check_repo_id,
    check_revision,
    hosted,
    patience,
    plainly,
    reading_token,
    silence,
    timeout,
    version,
)
from rewriting.processes import Progress

log = logging.getLogger(__name__)

CARD, LICENSE, BEFORE, AFTER = "README.md", "LICENSE", "before.webp", "after.webp"
MIB = 1 << 20
LIMITS: Mapping[str, int] = {  # bytes; nothing but these is ever fetched
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
KINDS = {
    GENERATOR_FORMAT: "an image generator, which load_generator opens",
    EDIT_FORMAT: "a rule, which EditStack.from_pretrained opens",
}


@dataclass(frozen=True)
class Snapshot:
    """Files of one commit, in the cache."""

    folder: Path
    commit: str


@contextmanager
def naming(repo_id: str) -> Iterator[None]:
    """Says whose file it is that is not right."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise HubError(f"{repo_id} cannot be opened: {error}") from None


class Cache:
    """Where to keep files, as a context: `path`.

    For visitors that is a folder of this call's own, removed at its end: the cache does not ask who may see what lies
    in it, and nobody tidies it up.  Unless the caller named a place for this visitor.
    """

    def __init__(self, cache_dir: str | Path | None):
        self._own = hosted() and cache_dir is None
        self.path = mkdtemp(prefix="rewriting-") if self._own else cache_dir

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            shutil.rmtree(str(self.path), ignore_errors=True)

    def stay_with(self, thing: object) -> None:
        """Keep a folder of one's own as long as something that needs the files."""
        if self._own:
            weakref.finalize(thing, shutil.rmtree, str(self.path), ignore_errors=True)
        self._own = False


def fetch(
    repo_id: str,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    expected: str,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Snapshot:
    """Files of a repo at one commit, `config.json` first, whose format must be the expected one.

    Names are among `LIMITS`.  Raises HubError; Unreachable if there is neither an answer nor a copy in the cache.
    """
    check_repo_id(repo_id)
    revision, token = check_revision(revision), reading_token(token)
    kept = kept_in_cache(repo_id, required, revision, cache_dir)
    if kept is not None and kept.commit == revision:
        return kept
    try:
        seconds = CACHED_PATIENCE if kept else PATIENCE
        info = look_up(repo_id, revision=revision, token=token, endpoint=endpoint, seconds=seconds)
    except Unreachable as error:
        if kept is None:
            raise
        log.warning("%s Opening %s as it was fetched before.", error, repo_id)
        return kept
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    names = _wanted(repo_id, sizes, required, optional, expected)
    if info.gated:
        check_admitted(repo_id, info.sha, token, endpoint)
    for name in names:
        path = _download(repo_id, name, sizes[name], info.sha, token, endpoint, cache_dir, progress)
        if name == CONFIG:
            _check_format(repo_id, path, expected)
    _record(repo_id, revision, info.sha, cache_dir)
    return Snapshot(path.parent, info.sha)


def look_up(
    repo_id: str,
    *,
    token: Token,
    endpoint: str | None,
    revision: str | None = None,
    seconds: float = PATIENCE,
    repo_type: str = "model",
) -> Any:
    """What the Hub says of a repo: commit, files with sizes, private, gated, tags.  Asked once.

    Raises Missing if there is none that the token may see, else HubError.
    """
    with plainly(repo_id, endpoint=endpoint, revision=revision):
        return bounded(
            seconds + CONNECT,
            lambda: api(token, endpoint).repo_info(
                repo_id, revision=revision, repo_type=repo_type, timeout=timeout(seconds), files_metadata=True
            ),
            silence(endpoint),
        )


def _wanted(
    repo_id: str, sizes: Mapping[str, int], required: Sequence[str], optional: Sequence[str], expected: str
) -> list[str]:
    """Names to fetch.  HubError if a required one is not there or is too large; optional ones are left out then."""
    for name in required:
        if name not in sizes:
            other = {WEIGHTS: GENERATOR_FORMAT, FACTORS: EDIT_FORMAT}.keys() & sizes.keys()
            if CONFIG in sizes and other:
                kind = KINDS[GENERATOR_FORMAT if WEIGHTS in other else EDIT_FORMAT]
                raise HubError(f"{repo_id} holds {kind}.")
            raise HubError(
                f"{repo_id} has no {name}, which {KINDS[expected].partition(',')[0]} of this software has; convert "
                f"other files with `python -m rewriting convert` first."
            )
        if sizes[name] > LIMITS[name]:
            raise _too_large(repo_id, name, sizes[name])
    return [*required, *[name for name in optional if name in sizes and sizes[name] <= LIMITS[name]]]


def _too_large(repo_id: str, name: str, size: int) -> HubError:
    return HubError(
        f"{repo_id} has a {name} of {size / 1e6:,.1f} MB, more than the {LIMITS[name] / 1e6:,.1f} MB that are opened; "
        f"nothing was fetched."
    )


def _check_format(repo_id: str, path: Path, expected: str) -> None:
    """Before the large files are fetched."""
    with naming(repo_id):
        config = read_json(path)
    found = config.get("format") if isinstance(config, dict) else None
    if found == expected:
        return
    if isinstance(found, str) and found in KINDS:
        raise HubError(f"{repo_id} holds {KINDS[found]}.")
    raise HubError(
        f"{repo_id} is not in this software's format: its config.json says {str(found)[:60]!r}, not {expected!r}; "
        f"convert it with `python -m rewriting convert` first."
    )


def check_admitted(repo_id: str, commit: str, token: Token, endpoint: str | None) -> None:
    """Asks for a gated file's header: one in the cache would be opened without the Hub's consent."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repo_id, CONFIG, revision=commit, endpoint=endpoint)
    with plainly(repo_id, endpoint=endpoint):
        bounded(
            PATIENCE + CONNECT,
            lambda: get_hf_file_metadata(url, token=token, timeout=PATIENCE, endpoint=endpoint),
            silence(endpoint),
        )


def _download(
    repo_id: str,
    name: str,
    size: int,
    commit: str,
    token: Token,
    endpoint: str | None,
    cache_dir: str | Path | None,
    progress: Progress | None,
) -> Path:
    from huggingface_hub import hf_hub_download

    if progress:
        progress(0.0, f"Fetching {name} of {repo_id}")
    with plainly(repo_id, endpoint=endpoint):
        path = bounded(
            patience(size),
            lambda: hf_hub_download(
                repo_id,
                name,
                revision=commit,
                token=token,
                endpoint=endpoint,
                cache_dir=cache_dir,
                etag_timeout=CONNECT,
                library_name="rewriting",
                library_version=version(),
                tqdm_class=_meter(repo_id, name, progress),
            ),
            f"{name} of {repo_id} did not arrive in {patience(size):.0f} s; try again where the connection is faster.",
        )
    return Path(path)


def _meter(repo_id: str, name: str, progress: Progress | None) -> type:
    """Stands where the client would draw a progress bar, and stops it when more comes than was announced."""
    from huggingface_hub.utils import tqdm

    class Meter(tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **{**kwargs, "disable": True})
            self.arrived, self.expected = kwargs.get("initial") or 0, kwargs.get("total") or 0
            if self.expected > LIMITS[name]:
                raise _too_large(repo_id, name, self.expected)

        def update(self, n: float | None = 1) -> None:
            self.arrived += n or 0
            if self.arrived > LIMITS[name]:
                raise _too_large(repo_id, name, int(self.arrived))
            if progress and self.expected:
                progress(min(1.0, self.arrived / self.expected), f"Fetching {name} of {repo_id}")

    return Meter


# --- the cache ------------------------------------------------------------------------------------------------------


def kept_in_cache(
    repo_id: str, names: Sequence[str], revision: str | None, cache_dir: str | Path | None
) -> Snapshot | None:
    """The revision's files in the cache, if all of them are there."""
    from huggingface_hub import try_to_load_from_cache

    paths = [try_to_load_from_cache(repo_id, name, cache_dir=cache_dir, revision=revision) for name in names]
    if not all(isinstance(path, str) for path in paths):
        return None
    folder = Path(str(paths[0])).parent
    return Snapshot(folder, folder.name)


def _record(repo_id: str, revision: str, commit: str, cache_dir: str | Path | None) -> None:
    """Notes in the cache which commit a branch or tag stood for, as `huggingface_hub` does: refs/<revision>."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if revision == commit:
        return
    repo = Path(cache_dir or constants.HF_HUB_CACHE).expanduser() / repo_folder_name(
        repo_id=repo_id, repo_type="model"
    )
    path = repo / "refs" / revision
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(commit)
        os.replace(partial, path)
    except OSError as error:  # a read-only cache: the next start asks again, and that is all
        log.info("The cache cannot record %s of %s: %s", revision, repo_id, error)
