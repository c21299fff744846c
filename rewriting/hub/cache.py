"""The cache of `huggingface_hub`, which other programs share: blobs named by their hash, and a folder of links for
every commit.  A revision is recorded once all of its files are complete.

Visitors get a folder of their own for each call, because the shared cache does not check access rights.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from rewriting.hub.client import Access, HubError, hosted

log = logging.getLogger(__name__)


class Unwritable(HubError):
    """The cache is full or not writable."""


class Cache:
    """A context that provides `access` with a folder for files.

    For visitors this is a temporary folder, removed at the end, unless the caller gave a folder for this visitor: the
    shared cache neither checks access rights nor removes old files.
    """

    def __init__(self, access: Access):
        self._own = mkdtemp(prefix="rewriting-") if hosted() and access.cache_dir is None else None
        self.access = replace(access, cache_dir=self._own) if self._own else access

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            shutil.rmtree(self._own, ignore_errors=True)

    def stay_with(self, thing: object) -> None:
        """Keep a temporary folder for the lifetime of an object that needs the files."""
        if self._own:
            weakref.finalize(thing, shutil.rmtree, self._own, ignore_errors=True)
        self._own = None


@dataclass(frozen=True)
class Shelf:
    """The paths of one repo in the cache."""

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
        """The commit of a branch or tag at its last download; "" if it was never fetched."""
        try:
            commit = (self.root / self.name / "refs" / revision).read_text().strip()
        except (OSError, ValueError):
            return ""
        return commit if re.fullmatch(r"[0-9a-f]{40}", commit) else ""

    def link(self, oid: str, commit: str, path: str) -> None:
        """Link a blob into a commit's folder under its path, or copy it if the disk has no links."""
        blob, place = self.blob(oid), self.snapshot(commit) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.{uuid4().hex}.partial")
        try:
            partial.symlink_to(os.path.relpath(blob, place.parent))
        except OSError:
            shutil.copyfile(blob, partial)
        os.replace(partial, place)

    def record(self, revision: str, commit: str) -> None:
        """Record the commit of a branch or tag in refs/<revision>, like the client."""
        if revision == commit:
            return
        path = self.root / self.name / "refs" / revision
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
            partial.write_text(commit)
            os.replace(partial, path)
        except OSError as error:  # a read-only cache only means that the next start asks again
            log.info("The cache cannot record %s: %s", revision, error)


@contextmanager
def writing_to(cache_dir: str | Path | None) -> Iterator[None]:
    """Turn an error of the disk into a sentence that names the setting to change."""
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
                f"The cache of the Hub, {where}, is full; make room there, or set {change} to another folder."
            ) from error
        raise Unwritable(
            f"The cache of the Hub, {where}, cannot be written ({error.strerror}); set {change} to a folder of yours."
        ) from error
