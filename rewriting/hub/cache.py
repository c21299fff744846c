"""The cache of `huggingface_hub`, which other programs share: blobs named by their hash, and a folder of links to them
for every commit.  A revision is recorded when all of its files are there, never half.

For visitors it is a folder of one call's own: the cache does not ask who may see what lies in it.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from rewriting.hub.client import HubError, hosted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """Files of one commit, in the cache."""

    folder: Path
    commit: str


class Unwritable(HubError):
    """The cache cannot be written, or is full."""


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


@dataclass(frozen=True)
class Shelf:
    """Where the cache has the files of one repo."""

    root: Path
    name: str

    @classmethod
    def of(cls, repo_id: str, cache_dir: str | Path | None) -> Shelf:
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        root = Path(cache_dir or constants.HF_HUB_CACHE).expanduser()
        return cls(root, repo_folder_name(repo_id=repo_id, repo_type="model"))

    def blob(self, oid: str) -> Path:
        return self.root / self.name / "blobs" / oid

    def lock(self, oid: str) -> Path:
        return self.root / ".locks" / self.name / f"{oid}.lock"

    def snapshot(self, commit: str) -> Path:
        return self.root / self.name / "snapshots" / commit

    def commit_of(self, revision: str) -> str:
        """The commit that a branch or tag stood for when it was last fetched, "" if it was not."""
        try:
            commit = (self.root / self.name / "refs" / revision).read_text().strip()
        except (OSError, ValueError):
            return ""
        return commit if re.fullmatch(r"[0-9a-f]{40}", commit) else ""

    def link(self, oid: str, commit: str, path: str) -> None:
        """Link a blob into a commit's folder under its path, or copy it where the disk has no links."""
        blob, place = self.blob(oid), self.snapshot(commit) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.{uuid4().hex}.partial")
        try:
            partial.symlink_to(os.path.relpath(blob, place.parent))
        except OSError:
            shutil.copyfile(blob, partial)
        os.replace(partial, place)

    def record(self, revision: str, commit: str) -> None:
        """Note which commit a branch or tag stood for, as the client does: refs/<revision>."""
        if revision == commit:
            return
        path = self.root / self.name / "refs" / revision
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
            partial.write_text(commit)
            os.replace(partial, path)
        except OSError as error:  # a read-only cache: the next start asks again, and that is all
            log.info("The cache cannot record %s: %s", revision, error)


def kept_in_cache(
    repo_id: str, names: Sequence[str], revision: str | None, cache_dir: str | Path | None
) -> Snapshot | None:
    """The revision's files in the cache, if all of them are there."""
    from huggingface_hub import try_to_load_from_cache

    paths = [try_to_load_from_cache(repo_id, name, cache_dir=cache_dir, revision=revision) for name in names]
    if not all(isinstance(path, str) for path in paths):
        return None
    folder = Path(str(paths[0])).parents[names[0].count("/")]
    return Snapshot(folder, folder.name)


@contextmanager
def writing_to(cache_dir: str | Path | None) -> Iterator[None]:
    """Turns an error of the disk into a sentence that names the setting to change."""
    try:
        yield
    except OSError as error:
        if cache_dir is None:
            places = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")
            named = next((name for name in places if os.environ.get(name)), "")
            where, change = f"the folder that {named} names" if named else "its place in your home", named or "HF_HOME"
        else:
            where, change = "the folder that was given for it", "cache_dir"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unwritable(
                f"The cache of the Hub, {where}, is full; make room there, or set {change} to a folder elsewhere."
            ) from error
        raise Unwritable(
            f"The cache of the Hub, {where}, cannot be written ({error.strerror}); set {change} to a folder of yours."
        ) from error
