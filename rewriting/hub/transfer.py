"""Fetch one file of the Hub into the cache, and check it against the hash that the Hub lists.

`hf_hub_download` (2.4) resumes within one call alone, and starts over in the next; it leaves the partial file of a
killed process for ever, holds its lock while its connection hangs, waits as long as a server asks, and compares the
size but no hash of a file that comes over plain HTTP.  Hence this module.  Names and locks in the cache are the
client's own (see `cache`): each finds the files that the other fetched, and waits while the other fetches.
"""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from rewriting.hub.client import (
    CONNECT,
    LONGEST_WAIT,
    Access,
    HubError,
    Unreachable,
    asked_to_wait,
    explained,
    headers,
    reading_token,
    started,
)
from rewriting.hub.locks import LOOK, alone

STALL = 20.0  # seconds without a byte before a new attempt
GIVE_UP = 60.0  # seconds without a byte before the transfer fails
ATTEMPTS = 6  # without a byte
PAUSE = 1.0  # seconds before the second attempt, doubled before each further one
KEPT = 7 * 24 * 3600.0  # seconds before an abandoned partial file is removed
CHUNK = 1 << 20
PART = ".incomplete"  # the client's ending, too


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repo at one commit, as the Hub lists it.

    oid: sha256 of a large file, git's sha1 of a small one.  url: of its content.
    """

    path: str
    size: int
    oid: str
    url: str
    commit: str


def bring(file: RemoteFile, blob: Path, lock: Path, repo_id: str, access: Access) -> None:
    """Put the file's content at `blob`: fetch it, continue an earlier attempt, or wait for one of another program.

    Raises HubError, and leaves a partial file for the next attempt; OSError for a fault of the disk.
    """
    what = f"{file.path} of {repo_id}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    with alone(lock, _Patience(blob, what, access)):
        if blob.exists():
            return
        _tidy(blob.parent)
        line = _Line(file, blob.with_name(blob.name + PART), repo_id, access)
        try:
            _watch(line)
            access.say(1.0, f"Checking {what}")
            if oid_of(line.part, file.oid) != file.oid:
                line.have = 0
                raise HubError(
                    f"{what} was damaged on its way: its hash differs from the one that the Hub lists; try again."
                )
        except BaseException:
            if not line.have:
                line.part.unlink(missing_ok=True)
            raise
        finally:
            line.given_up.set()
        line.part.chmod(0o644)
        os.replace(line.part, blob)


def oid_of(path: Path, like: str) -> str:
    """The content's sha256 if `like` is one, else git's sha1."""
    digest = hashlib.sha256() if len(like) == 64 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _Patience:
    """Wait for another program that fetches a file into `blob`, as long as it makes progress."""

    def __init__(self, blob: Path, what: str, access: Access):
        self.blob, self.what, self.access = blob, what, access
        self.there, self.moved = -1, time.monotonic()

    def __call__(self) -> None:
        self.access.say(0.0, f"Waiting for another program that fetches {self.what}")
        arrived = sum(part.stat().st_size for part in self.blob.parent.glob(f"{self.blob.name}*{PART}"))
        if arrived != self.there:
            self.there, self.moved = arrived, time.monotonic()
        elif time.monotonic() - self.moved > GIVE_UP:
            raise Unreachable(f"Another program began to fetch {self.what} and does not go on; end it and try again.")


def _watch(line: _Line) -> None:
    """Wait for a transfer as long as it makes progress, and report the progress."""
    done = started(line.run)
    while True:
        line.access.say(line.have / max(1, line.file.size), line.doing)
        try:
            return done.result(LOOK)
        except FutureTimeout:
            if done.done():
                raise
        if time.monotonic() - line.moved > GIVE_UP:
            raise Unreachable(f"{line.what} has stopped arriving; try again to go on from there.")


def _tidy(folder: Path) -> None:
    """Remove partial files that are a week old."""
    for part in folder.glob(f"*{PART}"):
        if time.time() - part.stat().st_mtime > KEPT:
            part.unlink(missing_ok=True)


class _Again(Exception):
    """A failed attempt that may be repeated.  pause: seconds that the Hub asks for."""

    def __init__(self, error: Exception, pause: float | None = None):
        self.error, self.pause = error, pause


class _Line:
    """The transfer of a file's content into `part`, with several attempts, in a thread of its own.

    have: bytes on disk.  moved: time of the last byte, by `time.monotonic`, or of the next attempt, if that is later.
    doing: one line for people.  given_up: ends the thread, which then writes nothing more.
    """

    def __init__(self, file: RemoteFile, part: Path, repo_id: str, access: Access):
        self.file, self.part, self.repo_id, self.access = file, part, repo_id, access
        self.what = f"{file.path} of {repo_id}"
        self.have = part.stat().st_size if part.exists() else 0
        self.moved, self.given_up, self.doing = time.monotonic(), Event(), f"Fetching {self.what}"

    def run(self) -> None:
        failures = 0
        while True:
            before = self.have
            try:
                return self._attempt()
            except _Again as again:
                failures = 1 if self.have > before else failures + 1
                pause = PAUSE * 2 ** (failures - 1) if again.pause is None else again.pause
                if failures == ATTEMPTS or pause > LONGEST_WAIT:
                    raise explained(again.error, self.repo_id, self.access.endpoint) from again.error
            self.moved, self.doing = time.monotonic() + pause, f"Waiting for the Hub to go on with {self.what}"
            if self.given_up.wait(pause):
                return

    def _attempt(self) -> None:
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            with self.part.open("ab", buffering=0) as part:
                self._receive(part)
        except (httpx2.TransportError, RuntimeError) as error:  # RuntimeError: the client has closed all connections
            raise _Again(error) from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (408, 429) or status >= 500:
                raise _Again(error, asked_to_wait(error.response)) from error
            raise explained(error, self.repo_id, self.access.endpoint) from error
        except HubError:
            raise
        except (httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled, ImportError, ValueError) as error:
            raise explained(error, self.repo_id, self.access.endpoint) from error

    def _receive(self, part: BinaryIO) -> None:
        """Append the rest of the file."""
        import httpx2
        from huggingface_hub.utils import get_session

        if self.have > self.file.size:
            self._begin_anew(part)
        if self.have == self.file.size:
            return
        wanted = headers(reading_token(self.access.token))
        wanted["Accept-Encoding"] = "identity"  # so that the bytes can be counted
        if self.have:
            wanted["Range"] = f"bytes={self.have}-"
        patience = httpx2.Timeout(STALL, connect=CONNECT)
        with get_session().stream("GET", self.file.url, headers=wanted, timeout=patience) as response:
            self._check(response, part)
            for chunk in response.iter_bytes():
                if self.given_up.is_set():
                    return
                if self.have + len(chunk) > self.file.size:
                    self._begin_anew(part)
                    raise self._mismatch()
                part.write(chunk)
                self.have += len(chunk)
                self.moved, self.doing = time.monotonic(), f"Fetching {self.what}"
        if self.have < self.file.size:
            raise _Again(ConnectionError("the answer ended before the file"))

    def _check(self, response: Any, part: BinaryIO) -> None:
        """Check the headers of an answer before its content: the right commit, the right length and the first byte."""
        from huggingface_hub.utils import hf_raise_for_status

        hf_raise_for_status(response)
        commits = {answer.headers.get("X-Repo-Commit") for answer in (*response.history, response)} - {None}
        if commits - {self.file.commit}:
            raise self._mismatch()
        goes_on = response.status_code == 206
        length = response.headers.get("Content-Length")
        if length and "Content-Encoding" not in response.headers:
            if int(length) != self.file.size - (self.have if goes_on else 0):
                raise self._mismatch()
        if self.have and not goes_on:
            self._begin_anew(part)

    def _begin_anew(self, part: BinaryIO) -> None:
        part.truncate(0)
        self.have = 0

    def _mismatch(self) -> HubError:
        return HubError(f"The Hub sent other bytes for {self.what} than it lists; nothing was saved, try again later.")
