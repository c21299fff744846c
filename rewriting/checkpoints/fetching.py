"""Fetching weight files: over https with resume and checks, or from the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from rewriting.checkpoints.known_models import Download, KnownModel, known_model
from rewriting.checkpoints.sniff import MAX_FILE
from rewriting.files import cache_root
from rewriting.processes import Progress

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def fetch(
    source: str | Path,
    *,
    folder: str | Path | None = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """A local path for a local file, an https address, a Hub file (org/name/path/file.pt), or a known model's name.

    What is downloaded is kept in `folder`, by default a cache; what is on the Hub, in the Hub's own.  A known model is
    looked for in all its places.  endpoint: address of another Hub.
    Raises FileNotFoundError or ValueError for something that is none of these, ConnectionError if none can be reached.
    """
    text = str(source)
    if Path(source).is_file():
        return Path(source)
    if known := known_model(text):
        return _fetch_known(known, folder, endpoint, progress)
    if "://" in text:
        return download(text, folder, progress=progress)
    parts = text.split("/")
    if len(parts) >= 3 and all(re.fullmatch(r"[\w][\w.-]*", part) for part in parts) and not Path(parts[0]).exists():
        return _from_hub("/".join(parts[:2]), "/".join(parts[2:]), endpoint)
    raise FileNotFoundError(
        f"There is no file {text[:200]!r}; give a path, an https address, org/name/file on the Hub, or a known model."
    )


def download(
    url: str,
    folder: str | Path | None = None,
    *,
    sha256: str = "",
    most: int = MAX_FILE,
    progress: Progress | None = None,
) -> Path:
    """Download a file, going on where an earlier attempt stopped; returns its path under `folder` (a cache if None).

    sha256: what the file's digest must begin with; hexadecimal, any length.  most: bytes.
    Raises ValueError for an address that is not https (http will do with a digest, or from this machine), for a file
    that is too large, or not the expected one (which is deleted); ConnectionError, with what is missing, otherwise.
    """
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise ValueError(f"{url[:200]!r} is not an address ({error}); check it.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and (sha256 or parts.hostname in LOOPBACK)):
        raise ValueError(f"{url[:200]!r} is not an https address; nobody could tell what arrives from there.")
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(urllib.parse.unquote(parts.path)).name).lstrip(".")
    if not name:
        raise ValueError(f"{url[:200]!r} names no file; give the address of the file itself.")
    target = _cache(folder) / hashlib.sha256(url.encode()).hexdigest()[:8] / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(name + ".partial")
        _transfer(url, partial, most, progress)
        _check_digest(partial, sha256, url)
        os.replace(partial, target)
    return target


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _cache(folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder)
    return cache_root() / "downloads"


def _fetch_known(
    known: KnownModel, folder: str | Path | None, endpoint: str | None, progress: Progress | None
) -> Path:
    failures = []
    for place in known.places:
        try:
            return _fetch_place(place, folder, endpoint, progress)
        except (OSError, ValueError) as error:  # it cannot be reached, or has another file under that name
            failures.append(str(error).rstrip("."))
    raise ConnectionError(f"{known.name} could not be fetched from any of its places: {'; '.join(failures)}.")


def _fetch_place(place: Download, folder: str | Path | None, endpoint: str | None, progress: Progress | None) -> Path:
    if "://" in place.address:
        return download(place.address, folder, sha256=place.sha256, progress=progress)
    repo, name, path = place.address.split("/", 2)
    fetched = _from_hub(f"{repo}/{name}", path, endpoint)
    if place.sha256 and not sha256_of(fetched).startswith(place.sha256):
        raise ValueError(f"{place.address} is not the file that is meant: its sha256 is not {place.sha256}.")
    return fetched


def _check_digest(partial: Path, sha256: str, url: str) -> None:
    found = sha256_of(partial)
    if not found.startswith(sha256.lower()):
        partial.unlink()
        _version(partial).unlink(missing_ok=True)
        raise ValueError(
            f"{url} is not the file that is meant: its sha256 begins with {found[: max(8, len(sha256))]}, expected "
            f"{sha256}; it was deleted, try another place."
        )
    _version(partial).unlink(missing_ok=True)


# --- one transfer ----------------------------------------------------------------------------------------------------


def _version(partial: Path) -> Path:
    """Beside a partial file: which version of the file it is a part of."""
    return partial.with_name(partial.name + ".etag")


def _transfer(url: str, partial: Path, most: int, progress: Progress | None) -> None:
    """Complete `partial` from `url`: append to what is there if the server can and its file is the same."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "rewriting", "Accept-Encoding": "identity"}
    if have and _version(partial).is_file():
        headers |= {"Range": f"bytes={have}-", "If-Range": _version(partial).read_text(encoding="utf-8")}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
            if url.startswith("https") and not response.geturl().startswith("https"):
                raise ValueError(f"{url} leads to {response.geturl()[:200]!r}, which is not https; find another link.")
            came, total = _receive(response, partial, have if response.status == 206 else 0, most, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # there is nothing after what is there: begin again
            partial.unlink()
            return _transfer(url, partial, most, progress)
        raise ConnectionError(f"{url} answers {error.code} ({error.reason}); {_advice(error.code)}.") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise ConnectionError(
            f"{url} could not be downloaded ({reason}); run it again, or try another place."
        ) from None
    if came < total:
        raise ConnectionError(f"{url} broke off after {came:,} of {total:,} bytes; run it again to go on from there.")
    return None


def _receive(
    response: http.client.HTTPResponse, partial: Path, have: int, most: int, progress: Progress | None
) -> tuple[int, int]:
    """Write what comes to `partial`, from byte `have` on; returns how many bytes are there, and should be.  A part of
    a file stays, so that it can be continued."""
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
                raise ValueError(f"The file has more than the {most:,} bytes that are downloaded at most.")
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


# --- the Hub ---------------------------------------------------------------------------------------------------------


def _from_hub(repo: str, path: str, endpoint: str | None) -> Path:
    """A file of a Hub repo through huggingface_hub and its cache.  Raises ConnectionError, FileNotFoundError."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repo, path, endpoint=endpoint, etag_timeout=10))
    except GatedRepoError:
        raise ConnectionError(
            f"{repo} is gated; accept its terms on the Hub and log in with `hf auth login`."
        ) from None
    except HFValidationError:
        raise ValueError(f"{repo!r} is not a repo id; write org/name/path/file.pt.") from None
    except LocalEntryNotFoundError:
        raise ConnectionError(f"The Hub cannot be reached, and {repo}/{path} was not fetched before.") from None
    except HfHubHTTPError as error:  # RepositoryNotFoundError, RemoteEntryNotFoundError and others
        code = getattr(error.response, "status_code", "an error")
        raise FileNotFoundError(f"The Hub has no {repo}/{path} that you may read ({code}); check the name.") from None
