"""A cache of generators that were converted from files of other programs.

A converted generator is a folder named by the file's sha256 and the converter's version, complete or absent.  The
second opening of a file is therefore as fast as that of a generator in our format, whatever its name and place.  If
several programs need the same file, one converts it and the others wait.

On a hosted Space, where visitors name the files, one file is converted at a time; see also `visitors`.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

from rewriting.checkpoints.conversion import Origin, converter, described, read_weights, sha256_of
from rewriting.files import cache_root
from rewriting.generators import Generator, read_generator
from rewriting.hub.client import Access, HubError, hosted
from rewriting.hub.locks import alone
from rewriting.hub.transfer import RemoteFile
from rewriting.hub.visitors import check_effort

log = logging.getLogger(__name__)

HOSTED_WAIT = 120.0  # seconds that a visitor waits for the conversions of others
HOSTED_KEPT = 8  # most converted generators on a Space, of up to 133 MB each
PATIENCE = 180.0  # seconds to wait for another program that converts the same file, which may be suspended
ABANDONED = 24 * 3600  # seconds after which a partial folder is removed
OUTDATED = 7 * 24 * 3600  # seconds after which unused folders of another converter version are removed
_turn = Lock()


def listed_sha256(file: RemoteFile) -> str:
    """sha256 of a file in the Hub's list; "" for a small file, for which the Hub lists none."""
    return file.oid if len(file.oid) == 64 else ""


def digest_of(path: Path) -> str:
    """sha256 of a file; for a file in the Hub's cache, from its name there."""
    name = path.resolve().name
    return name if re.fullmatch(r"[0-9a-f]{64}", name) else sha256_of(path)


def is_kept(sha256: str, label: int | None = None) -> bool:
    """Whether the cache has the file of that sha256, with that class."""
    return _folder(sha256, label).is_dir()


def converted(
    sha256: str, origin: Origin, fetch: Callable[[], Path], access: Access, *, label: int | None = None
) -> tuple[Generator, Path]:
    """The converted generator of a file, and its folder in the cache.

    sha256: of the file.  fetch: called to get the file if the cache does not have it.  label: the class to keep of a
    conditional generator.
    Raises CheckpointError, and the errors of `fetch`.
    """
    folder = _folder(sha256, label)
    generator = _cached(folder)
    if generator is None:
        path = fetch()
        with _one_at_a_time(), _sole_writer(folder, access):
            generator = _cached(folder) or _convert(path, folder, label, access)
    return described(generator, origin), folder


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Exclude conversions for other visitors of a hosted Space."""
    if not hosted():
        yield
    elif _turn.acquire(timeout=HOSTED_WAIT):
        try:
            yield
        finally:
            _turn.release()
    else:
        raise HubError("The studio is converting files of other visitors; try again in a minute.")


@contextmanager
def _sole_writer(folder: Path, access: Access) -> Iterator[None]:
    """Wait for another program that makes the same folder.

    If locks do not work, or the other program takes too long, this program makes the folder, too, and the first
    complete folder counts."""
    until = time.monotonic() + PATIENCE

    def waiting() -> None:
        access.say(0.1, "The same file is being read already; waiting for it")
        if time.monotonic() > until:
            raise TimeoutError

    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(alone(cache_root() / "locks" / f"{folder.name}.lock", waiting))
        yield


def _folder(sha256: str, label: int | None) -> Path:
    return cache_root() / "converted" / (f"{sha256}-{converter()}" + ("" if label is None else f"-{label}"))


def _cached(folder: Path) -> Generator | None:
    """The generator in a folder of the cache; None without one.  Removes a damaged folder."""
    if not folder.is_dir():
        return None
    try:
        generator = read_generator(folder)
    except (ValueError, FileNotFoundError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with suppress(OSError):  # of a cache that can only be read
        os.utime(folder)
    return generator


def _convert(path: Path, folder: Path, label: int | None, access: Access) -> Generator:
    generator = read_weights(path, label=label, check=check_effort, progress=access.progress)
    access.say(0.9, "Caching the generator")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        partial = Path(mkdtemp(prefix=".partial-", dir=folder.parent))
        try:
            generator.save(partial)
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except (ValueError, OSError) as error:  # a full or a read-only disk, or another process was first
        if not folder.is_dir():
            log.warning("The generator is not cached (%s).", getattr(error, "strerror", "") or error)
    return generator


def _tidy(new: Path) -> None:
    """Remove the partial folders of killed processes, old folders of other converter versions and, on a hosted Space,
    all but the most recently used generators."""
    folder, sha256 = new.parent, new.name.partition("-")[0]
    for pattern, most in ((".partial-*", ABANDONED), (f"{sha256}-*", OUTDATED)):
        for path in folder.glob(pattern):
            if time.time() - path.stat().st_mtime > most:
                shutil.rmtree(path, ignore_errors=True)
    if hosted():
        folders = sorted(folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in folders[HOSTED_KEPT - 1 :]:  # leaves room for the new one
            shutil.rmtree(path, ignore_errors=True)
