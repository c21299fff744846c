"""Generators that other programs wrote, made into this software's format once, and kept.

What a file becomes lies in a folder under its sha256 and the version of the converter, whole or not at all.  So the
second opening takes as long as that of a generator in our format, whatever the file is called and wherever it lay.
Of several programs that want the same file, one converts it and the others wait.

On a hosted Space, where strangers name the files, one is converted at a time; see also `visitors`.
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
from rewriting.hub.client import HubError, hosted
from rewriting.hub.locks import alone
from rewriting.hub.transfer import RemoteFile
from rewriting.hub.visitors import check_effort
from rewriting.processes import Progress

log = logging.getLogger(__name__)

HOSTED_WAIT = 120.0  # seconds for a visitor whose file is not the only one
HOSTED_KEPT = 8  # generators that visitors had converted, of up to 133 MB each
PATIENCE = 180.0  # seconds for another program that converts the same file, which may have been stopped
ABANDONED = 24 * 3600  # seconds after which nobody goes on with a part of a folder
OUTDATED = 7 * 24 * 3600  # seconds that what another version made of the same file is kept unused
_turn = Lock()


def listed_sha256(file: RemoteFile) -> str:
    """sha256 of a file as the Hub lists it, "" for a small one, of which it lists none."""
    return file.oid if len(file.oid) == 64 else ""


def digest_of(path: Path) -> str:
    """sha256 of a file; where it lies in the Hub's cache, by the name that it has there."""
    name = path.resolve().name
    return name if re.fullmatch(r"[0-9a-f]{64}", name) else sha256_of(path)


def is_kept(sha256: str, label: int | None = None) -> bool:
    """Whether a file of that sha256 was converted before, with that class."""
    return _folder(sha256, label).is_dir()


def converted(
    sha256: str,
    origin: Origin,
    fetch: Callable[[], Path],
    *,
    label: int | None = None,
    progress: Progress | None = None,
) -> tuple[Generator, Path]:
    """The generator in a file, and the folder in which it is kept in our format.

    sha256: the file's.  fetch: called for the file if it was not converted before.  label: the class to keep of a
    conditional generator.
    Raises CheckpointError, or what `fetch` raises.
    """
    folder = _folder(sha256, label)
    generator = _kept(folder)
    if generator is None:
        path = fetch()
        with _in_turn(), _first(folder, progress):
            generator = _kept(folder) or _convert(path, folder, label, progress)
    return described(generator, origin), folder


@contextmanager
def _in_turn() -> Iterator[None]:
    """Inside, no other visitor's file is converted."""
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
def _first(folder: Path, progress: Progress | None) -> Iterator[None]:
    """Waits for another program that makes this folder.  Where locks cannot be had, or one is held for too long, this
    program does it, too: the folder that is ready first is kept."""
    until = time.monotonic() + PATIENCE

    def waiting() -> None:
        if progress:
            progress(0.1, "The same file is being read already; waiting for it")
        if time.monotonic() > until:
            raise TimeoutError

    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(alone(cache_root() / "locks" / f"{folder.name}.lock", waiting))
        yield


def _folder(sha256: str, label: int | None) -> Path:
    return cache_root() / "converted" / (f"{sha256}-{converter()}" + ("" if label is None else f"-{label}"))


def _kept(folder: Path) -> Generator | None:
    """What was kept, if it is still whole."""
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


def _convert(path: Path, folder: Path, label: int | None, progress: Progress | None) -> Generator:
    generator = read_weights(path, label=label, check=check_effort, progress=progress)
    if progress:
        progress(0.9, "Keeping the generator for the next time")
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
            log.warning("The generator is not kept for the next time (%s).", getattr(error, "strerror", "") or error)
    return generator


def _tidy(made: Path) -> None:
    """Remove what a killed process left, what other versions made of the same file and nobody used for long and, on a
    hosted Space, all but the generators that were used last."""
    folder, sha256 = made.parent, made.name.partition("-")[0]
    for pattern, most in ((".partial-*", ABANDONED), (f"{sha256}-*", OUTDATED)):
        for path in folder.glob(pattern):
            if time.time() - path.stat().st_mtime > most:
                shutil.rmtree(path, ignore_errors=True)
    if hosted():
        kept = sorted(folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[HOSTED_KEPT - 1 :]:  # one more is about to come
            shutil.rmtree(path, ignore_errors=True)
