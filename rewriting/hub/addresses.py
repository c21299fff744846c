"""Downloads from plain addresses, and from the places of public models with names.

Downloads can resume, are checked, and are cached: files of the Hub in its cache, other files in ours.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from rewriting.checkpoints.conversion import sha256_of
from rewriting.checkpoints.known_models import Download, KnownModel
from rewriting.checkpoints.sniff import MAX_FILE
from rewriting.files import cache_root
from rewriting.hub.cache import Shelf
from rewriting.hub.client import Access
from rewriting.hub.converted import digest_of, listed_sha256
from rewriting.hub.download import download as fetch_files
from rewriting.hub.download import look_up
from rewriting.processes import Progress

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def fetch_known(
    known: KnownModel, at_hand: Callable[[str], bool], access: Access
) -> tuple[str, Download, Path | None]:
    """Fetch the file of a known model; returns its sha256, its place, and its path, None for a file that is `at_hand`.

    at_hand: whether the file of a sha256 need not be fetched.  access: to places on the Hub.  Raises ConnectionError
    if no place has the file.
    """
    for place in known.places:
        if path := _cached_file(place, access):
            return digest_of(path), place, path
    failures = []
    for place in known.places:
        try:
            sha256, path = _fetch(place, at_hand, access)
            return sha256, place, path
        except (OSError, ValueError) as error:  # the place is not reachable, or has another file
            failures.append(str(error).rstrip("."))
    raise ConnectionError(f"{known.name} could not be fetched from any of its places: {'; '.join(failures)}.")


def download(
    url: str,
    folder: str | Path | None = None,
    *,
    sha256: str = "",
    most: int = MAX_FILE,
    progress: Progress | None = None,
) -> Path:
    """Download a file, or continue an earlier download; returns its path in `folder`, by default a cache.

    sha256: the beginning of the file's digest, hexadecimal, of any length; "" for any file.  most: largest size in
    bytes.
    Raises ValueError for an address that is not https (http is allowed with a digest, or from this machine), for a
    file that is too large, or for a file with another digest, which is deleted; ConnectionError for a failed download.
    """
    target = _target(url, sha256, folder)
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        _transfer(url, partial, most, progress)
        _check_digest(partial, sha256, url)
        os.replace(partial, target)
    return target


def _target(url: str, sha256: str, folder: str | Path | None) -> Path:
    """The path of a download.  Raises ValueError for a wrong address."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise ValueError(f"{url[:200]!r} is not an address ({error}); check it.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and (sha256 or parts.hostname in LOOPBACK)):
        raise ValueError(f"{url[:200]!r} is not an https address, so its file could be forged; give an https address.")
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(urllib.parse.unquote(parts.path)).name).lstrip(".")
    if not name:
        raise ValueError(f"{url[:200]!r} names no file; give the address of the file itself.")
    root = cache_root() / "downloads" if folder is None else Path(folder)
    return root / hashlib.sha256(url.encode()).hexdigest()[:8] / name


def _cached_file(place: Download, access: Access) -> Path | None:
    """The cached file of a place; None without one."""
    from huggingface_hub import try_to_load_from_cache

    if "://" in place.address:
        path = _target(place.address, place.sha256, None)
        return path if path.is_file() else None
    cached = try_to_load_from_cache(*_on_hub(place), cache_dir=access.cache_dir)
    return Path(cached) if isinstance(cached, str) else None


def _fetch(place: Download, at_hand: Callable[[str], bool], access: Access) -> tuple[str, Path | None]:
    if "://" in place.address:
        path = download(place.address, sha256=place.sha256, progress=access.progress)
        return sha256_of(path), path
    repo_id, path = _on_hub(place)
    repo = look_up(repo_id, access)
    if path not in repo.files:
        raise FileNotFoundError(f"{repo_id} has no {path} any more")
    sha256 = listed_sha256(repo.files[path])
    if sha256 and not sha256.startswith(place.sha256):
        raise ValueError(f"{place.address} is not the expected file: its sha256 is not {place.sha256}.")
    if sha256 and at_hand(sha256):
        return sha256, None
    fetched = fetch_files(repo, [path], access) / path
    Shelf.of(repo_id, access.cache_dir).record("main", repo.commit)
    return digest_of(fetched), fetched


def _on_hub(place: Download) -> tuple[str, str]:
    org, name, path = place.address.split("/", 2)
    return f"{org}/{name}", path


def _check_digest(partial: Path, sha256: str, url: str) -> None:
    digest = sha256_of(partial)
    if not digest.startswith(sha256.lower()):
        partial.unlink()
        _version(partial).unlink(missing_ok=True)
        raise ValueError(
            f"{url} is not the expected file: its sha256 begins with {digest[: max(8, len(sha256))]}, expected "
            f"{sha256}; it was deleted, try another place."
        )
    _version(partial).unlink(missing_ok=True)


# --- one transfer ----------------------------------------------------------------------------------------------------


def _version(partial: Path) -> Path:
    """The path of the version (ETag) of a partial file."""
    return partial.with_name(partial.name + ".etag")


def _transfer(url: str, partial: Path, most: int, progress: Progress | None) -> None:
    """Complete `partial` from `url`; continues if the server supports it and still has the same file."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "rewriting", "Accept-Encoding": "identity"}
    if have and _version(partial).is_file():
        headers |= {"Range": f"bytes={have}-", "If-Range": _version(partial).read_text(encoding="utf-8")}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
            if url.startswith("https") and not response.geturl().startswith("https"):
                raise ValueError(f"{url} leads to {response.geturl()[:200]!r}, which is not https; find another link.")
            received, total = _receive(response, partial, have if response.status == 206 else 0, most, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the partial file is as long as the file, or longer: begin again
            partial.unlink()
            return _transfer(url, partial, most, progress)
        raise ConnectionError(f"{url} answers {error.code} ({error.reason}); {_advice(error.code)}.") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise ConnectionError(
            f"{url} could not be downloaded ({reason}); run it again, or try another place."
        ) from None
    if received < total:
        raise ConnectionError(
            f"{url} broke off after {received:,} of {total:,} bytes; run it again to continue from there."
        )
    return None


def _receive(
    response: http.client.HTTPResponse, partial: Path, have: int, most: int, progress: Progress | None
) -> tuple[int, int]:
    """Write a response to `partial`, from byte `have` on; returns the bytes written so far and the expected total.

    A partial file stays, so that a later attempt can continue."""
    total = have + _length(response.headers)
    if total > most:
        raise ValueError(f"The file has {total:,} bytes; {most:,} is the most that is downloaded.")
    tag = response.headers.get("ETag", "")
    version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if version:
        _version(partial).write_text(version, encoding="utf-8")
    with partial.open("r+b" if have else "wb") as file:
        file.seek(have)
        while chunk := response.read(CHUNK):
            have += len(chunk)
            if have > most:
                raise ValueError(f"The file has more than {most:,} bytes, the most that is downloaded.")
            file.write(chunk)
            if progress and total:
                progress(min(1.0, have / total), f"Downloading, {have >> 20} of {total >> 20} MB")
    return have, total


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("Content-Length") or ""
    return int(text) if text.isdigit() else 0


def _advice(code: int) -> str:
    if code in (404, 410):
        return "the link is dead, `python -m rewriting models` lists other places"
    if code in (401, 403):
        return "the file is not public, download it in a browser and give its path"
    return "try again later, or another place"
