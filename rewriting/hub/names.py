"""Names of generators and rules: one parser for Python, the command line, the app and its pages.

    face                                       a generator that comes with the software
    stylegan2-church                           a public model that `python -m rewriting models` lists
    my-generator, ./face, models/face.pt       a folder or a file on this machine
    org/name, org/name@revision                a repo on the Hugging Face Hub, perhaps at a branch, a tag or a commit
    org/name/path/file.pkl, org/name:file.pkl  a file, or a folder, in it; org/name@revision:path/file.pkl
    hf://org/name@revision/path/file.pkl       the same as the Hub's own client writes it
    huggingface.co/org/name/blob/main/file.pkl any address of a model on the Hub, as a browser or `git clone` has it
    https://example.org/file.pkl               a file elsewhere

A text that fits several of these forms has the meaning of the first.  The parser does not use the network: opening the
name finds out whether the repo exists, and where the name of a branch with slashes ends.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit

from rewriting.checkpoints.known_models import KNOWN_MODELS, known_model
from rewriting.generators.config import bundled
from rewriting.hub.client import REVISION, HubError, check_repo_id, check_revision, host, hosted

LONGEST = 1000  # characters
ENDINGS = (".pt", ".pth", ".pkl", ".bin", ".ckpt", ".safetensors")  # of files with weights
HOSTS = {"huggingface.co", "hf.co"}
# First parts of the Hub's addresses that do not name a person or an organization.
OTHER_REPOS = {"datasets": "a dataset", "spaces": "a Space", "kernels": "a kernel", "buckets": "a bucket"}
PAGES = {
    *("blog", "chat", "collections", "docs", "enterprise", "inference", "join", "learn", "login", "new"),
    *("organizations", "papers", "posts", "pricing", "search", "settings", "storage", "tasks"),
}
ROUTES = {"tree", "blob", "resolve", "raw", "blame", "edit", "commit", "commits", "revision"}  # a revision follows
AROUND = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff\"'`<>“”‘’,;"  # characters that people copy along with a name
COMMIT = re.compile(r"[0-9a-f]{40}")
SPECIAL = re.compile(r"refs/(?:pr/\d+|convert/[\w.-]+)(?=/|$)")  # revisions with slashes that the Hub makes itself
REPO = re.compile(r"([^/@:]*/[^/@:]*)(?:@([^:]*))?(?::(.*))?")
FILE = re.compile(r"([^/@:]*/[^/@:]*)/(.*)")


class Kind(StrEnum):
    """The kind of thing that a name means."""

    BUNDLED = "bundled generator"
    KNOWN = "known model"
    FOLDER = "folder"
    FILE = "file"
    REPO = "repo"
    ADDRESS = "address"

    @property
    def words(self) -> str:
        """The kind with its article, such as "a file"."""
        return f"an {self.value}" if self is Kind.ADDRESS else f"a {self.value}"


@dataclass(frozen=True)
class Name:
    """A parsed name.

    what: name of a bundled generator or a known model, path of a folder or a file, id of a repo, or address.
    revision, path: of a repo, and of a file or a folder in it; "" if the name has none.
    parts: in place of both while it is unknown how many of them, joined by slashes, form the revision; see `readings`.
    bare: whether the name of a repo could also be a path on this machine.
    """

    kind: Kind
    what: str
    revision: str = ""
    path: str = ""
    parts: tuple[str, ...] = ()
    bare: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """A text that `parse` reads as this name."""
        revision = quote("/".join(self.parts), safe="/ @+") or self.revision
        return self.what + (f"@{revision}" if revision else "") + (f":{self.path}" if self.path else "")

    @property
    def readings(self) -> list[Name]:
        """The possible splits into revision and path, longest revision first; the first existing revision counts."""
        if not self.parts:
            return [self]
        cuts = [("/".join(self.parts[:n]), "/".join(self.parts[n:])) for n in range(len(self.parts), 0, -1)]
        return [replace(self, revision=at, path=path, parts=()) for at, path in cuts if REVISION.fullmatch(at)]

    @property
    def local(self) -> bool:
        """Whether it is a folder or a file on this machine that did not come with the software."""
        return self.kind in (Kind.FOLDER, Kind.FILE)


def parse(name: str | os.PathLike[str], *, endpoint: str | None = None, noun: str = "generator") -> Name:
    """Parse a text or a path.

    On a hosted Space a text comes from a visitor and never names a folder or a file; a `Path` does.
    endpoint: address of another Hub.  noun: "generator" or "rule", for messages.
    Raises FileNotFoundError for a missing path, and ValueError for any other text that is not a name: a HubError if
    the text looks like a repo or an address.
    """
    if not isinstance(name, str):
        path = os.fspath(name)
        if (found := _on_disk(path)) is None:
            raise _missing(path)
        return found
    if len(name) > LONGEST:
        raise ValueError(f"The name has {len(name):,} characters; give one of at most {LONGEST:,}.")
    text = name.strip(AROUND)
    if text in bundled():
        return Name(Kind.BUNDLED, text)
    for written in () if hosted() else (name, text):
        if found := _on_disk(written):
            return found
    if not text:
        raise ValueError(f"No {noun} is named; give a name such as face or org/name.")
    if not text.isprintable():
        raise ValueError(f"{_shown(text)} has characters that no name has; copy it again.")
    if known_model(text):
        return Name(Kind.KNOWN, text)
    return _elsewhere(text, endpoint, noun)


def repo_name(name: str) -> Name:
    """Parse the name of a generator in an untrusted file: a bundled generator, a known model or a repo, but never a
    path or an address.  Raises ValueError."""
    if name in bundled():
        return Name(Kind.BUNDLED, name)
    if known_model(name):
        return Name(Kind.KNOWN, name)
    return _repo(name)


def at_revision(name: Name, revision: str | None) -> Name:
    """The name with a revision that was given separately.

    Raises HubError if the name has another revision or cannot have one, or for an impossible revision.
    """
    if revision is None:
        return name
    if name.kind is not Kind.REPO:
        raise HubError(f"{name.what} is no repo of the Hub and has no revision {revision!r}; leave the revision out.")
    check_revision(revision)
    if not (name.revision or name.parts):
        return replace(name, revision=revision)
    for reading in name.readings:
        if reading.revision == revision:
            return reading
    raise HubError(f"{str(name)[:100]!r} and the revision {revision!r} do not agree; give the revision once.")


def not_here(name: Name) -> str:
    """The beginning of an error for a missing repo whose name could also be a path on this machine; else ""."""
    if not name.bare or hosted():
        return ""
    written = name.what + (f"/{name.path}" if name.path else "")
    return f"There is no {_file_or_folder(written)} {written} here{_alike(written)}"


# --- on this machine -------------------------------------------------------------------------------------------------


def _on_disk(text: str) -> Name | None:
    """The name of an existing folder or file; None for any other text."""
    path = os.path.expanduser(text)
    try:
        if os.path.isdir(path):
            return Name(Kind.FOLDER, path)
        if os.path.isfile(path):
            return Name(Kind.FILE, path)
    except ValueError:  # a NUL in it
        pass
    return None


def _missing(path: str) -> FileNotFoundError:
    """The error for a missing path."""
    return FileNotFoundError(f"There is no {_file_or_folder(path)} {_shown(path)}{_alike(path)}; check the path.")


def _file_or_folder(path: str) -> str:
    return "file" if path.lower().endswith(ENDINGS) else "folder"


def _alike(path: str) -> str:
    """ " (did you mean models/face?)" if a similar path exists; else ""."""
    folder, name = os.path.split(path.rstrip("/\\"))
    try:
        beside = os.listdir(os.path.expanduser(folder) or ".")
    except (OSError, ValueError):
        return ""
    close = difflib.get_close_matches(name, beside, 1, 0.75)
    return f" (did you mean {os.path.join(folder, close[0])}?)" if close and close[0].isprintable() else ""


def _reads_like_a_path(text: str) -> bool:
    return (
        text.startswith(("/", "./", "../", "~"))
        or text in (".", "..")
        or "\\" in text
        or bool(re.match(r"[A-Za-z]:[/\\]", text))
        or text.startswith("models/")  # not a possible owner on the Hub
        or (text.count("/") == 1 and text.partition("/")[0] in OTHER_REPOS)
    )


# --- elsewhere -------------------------------------------------------------------------------------------------------


def _elsewhere(text: str, endpoint: str | None, noun: str) -> Name:
    text = re.sub(r"^git clone\s+", "", text)
    text = unquote(text) if re.match(r"(https?|hf)%3A%2F%2F", text, re.IGNORECASE) else text
    if over_ssh := re.fullmatch(r"(?:ssh://)?git@([^:/]+)[:/](.*)", text):
        text = f"https://{over_ssh[1]}/{over_ssh[2]}"
    first = text.partition("/")[0].lower().removeprefix("www.")
    if "://" in text or ("/" in text and first in _hosts(endpoint)):
        return _address(text, endpoint)
    if text.startswith("//"):
        return _address(f"https:{text}", endpoint)
    named = text.partition("@")[0].partition(":")[0]
    if hosted() and (_reads_like_a_path(text) or "/" not in named):
        raise _unknown(text, noun)
    if _reads_like_a_path(text) or ("/" not in named and text.lower().endswith(ENDINGS)):
        raise _missing(text)
    if "/" not in named:
        raise _unknown(text, noun)
    if without_host := re.fullmatch(r"([^/@:]+/[^/@:]+)/(?:tree|blob|resolve)/(.+)", text):
        return _at(without_host[1], [unquote(part) for part in without_host[2].rstrip("/").split("/")], text)
    return _repo(text)


def _unknown(text: str, noun: str) -> ValueError:
    """The error for an unknown name."""
    names = [*bundled(), *(model.name for model in KNOWN_MODELS), *(() if hosted() else os.listdir())]
    if close := difflib.get_close_matches(text.lower(), names, 1, 0.75):
        return ValueError(f"There is no {noun} {_shown(text)}; did you mean {close[0]}?")
    paths = "" if hosted() else "folders and files, "
    return ValueError(
        f"There is no {noun} {_shown(text)}; there are {', '.join(bundled())}, the public models that "
        f"`python -m rewriting models` lists, {paths}and repos of the Hub, such as org/name."
    )


def _repo(text: str) -> Name:
    """Parse "org/name", followed by "@revision", ":path" or "/path"."""
    first = text.partition("/")[0]
    if first in OTHER_REPOS:
        raise HubError(f"{_shown(text)} is {OTHER_REPOS[first]} of the Hub; give a model, such as org/name.")
    text = text.rstrip("/")
    bare = not {"@", ":"} & set(text)
    if match := REPO.fullmatch(text):
        repo, tail, path = match.groups()
        if tail is None:
            return _checked(Name(Kind.REPO, repo, path=path or "", bare=bare), text)
        if not tail:
            raise _no_revision(text)
        if path is not None:
            return _checked(Name(Kind.REPO, repo, unquote(tail), path), text)
        return _at(repo, [unquote(part) for part in tail.split("/")], text)
    match = FILE.fullmatch(text)
    if match is None:
        return _checked(Name(Kind.REPO, text), text)  # raises the error for a wrong id
    return _checked(Name(Kind.REPO, match[1], path=match[2], bare=bare), text)


def _no_revision(text: str) -> HubError:
    return HubError(f"{_shown(text)} names no revision after the @; give a branch, a tag or a commit.")


def _at(repo: str, parts: list[str], text: str) -> Name:
    """The name of a repo followed by a revision, which may have slashes, a path, or both."""
    joined = "/".join(parts)
    if special := SPECIAL.match(joined):
        revision, path = special[0], joined[special.end() :].removeprefix("/")
    elif len(parts) == 1 or "/" in parts[0] or parts[0] == "main" or COMMIT.fullmatch(parts[0]):
        revision, path = parts[0], "/".join(parts[1:])  # no other revision begins with "main/"
    else:
        return _checked(Name(Kind.REPO, repo, parts=tuple(joined.split("/"))), text)
    return _checked(Name(Kind.REPO, repo, revision, path), text)


def _checked(name: Name, text: str) -> Name:
    """Return the name of a repo.  Raises HubError for an impossible name."""
    taken = f"{_shown(text)} was taken for a repo of the Hub"
    try:
        check_repo_id(name.what)
    except ValueError:
        raise HubError(f"{taken}, whose id has the form org/name, of letters, digits, -, _ and dots.") from None
    if name.revision or not name.readings:
        try:
            check_revision(name.revision or "/".join(name.parts))
        except ValueError as error:
            raise HubError(f"{taken}, but {error}") from None
    for path in {reading.path for reading in name.readings if reading.path}:
        if not can_be_named(path):
            raise HubError(f"{_shown(text)} was taken for a file of {name.what}, but no file has such a path.")
    return name


def can_be_named(path: str) -> bool:
    """Whether a file or folder of a repo can have this path, and a person can type it."""
    plain = path.isprintable() and "\\" not in path and len(path) <= LONGEST // 2
    return plain and not {"", ".", ".."} & set(path.split("/"))


# --- addresses -------------------------------------------------------------------------------------------------------


def _hosts(endpoint: str | None) -> set[str]:
    """The host names of the Hub."""
    return HOSTS | {urlsplit(host(endpoint)).netloc.lower()}


def _address(text: str, endpoint: str | None) -> Name:
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() == "hf":
        return _client_address(rest.strip("/"), text)
    url = text if separator else f"https://{text}"
    try:
        parts = urlsplit(url)
        at = parts.netloc.rpartition("@")[2].lower().removeprefix("www.").removesuffix(":443")
        if not parts.hostname or parts.port == 0:  # `port` raises ValueError for a wrong one
            raise ValueError("it names no host")
    except ValueError as error:
        raise HubError(f"{_shown(text)} was taken for an address, but is none ({error}); copy it again.") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise HubError(f"{_shown(text)} begins like an address, but not with https://; copy it again.")
    if at in _hosts(endpoint):
        return _page(parts.path, urlsplit(host(endpoint)).path if at not in HOSTS else "", text)
    if at.endswith(".hf.space"):
        raise HubError(f"{_shown(text)} is the address of a Space; give that of a model.")
    if at.endswith((".huggingface.co", ".hf.co")):
        raise HubError(
            f"{_shown(text)} is a link to the Hub's store, which lasts some minutes; give the address of the file's "
            f"page."
        )
    return Name(Kind.ADDRESS, url)


def _client_address(rest: str, text: str) -> Name:
    """Parse the rest of an hf:// address in the notation of `huggingface_hub`, which encodes only the revision."""
    kind, _, after = rest.partition("/")
    if kind in OTHER_REPOS:
        raise HubError(f"{_shown(text)} is the address of {OTHER_REPOS[kind]}; give that of a model.")
    repo, _, path = (after if kind == "models" else rest).partition("/")
    name, _, path = path.partition("/")
    name, at, revision = name.partition("@")
    if at and not revision:
        raise _no_revision(text)
    if at:
        return _at(f"{repo}/{name}", [unquote(revision), *(path.split("/") if path else ())], text)
    return _checked(Name(Kind.REPO, f"{repo}/{name}", path=path), text)


def _page(path: str, prefix: str, text: str) -> Name:
    """Parse the path of a model's page, or of a file's page, on the Hub."""
    parts = [part for part in path.removeprefix(prefix).split("/") if part]
    parts = [*unquote(parts[0]).split("/"), *parts[1:]] if parts else []  # "org%2Fname" is both
    if parts[:2] == ["api", "models"]:
        parts = parts[2:]
    elif parts[:1] == ["models"]:
        parts = parts[1:]
    if not parts:
        raise HubError(f"{_shown(text)} is the address of the Hub itself; give that of a model.")
    if parts[0] in OTHER_REPOS or parts[0] in PAGES or parts[0] == "api":
        page = OTHER_REPOS.get(parts[0], "a page of the Hub that is no model")
        raise HubError(f"{_shown(text)} is the address of {page}; give that of a model.")
    if len(parts) == 1:
        raise HubError(f"{_shown(text)} is the page of a person or an organization; give that of one of their models.")
    repo, route, tail = "/".join(parts[:2]).removesuffix(".git"), parts[2:3], parts[3:]
    if route and route[0] in ROUTES and tail:
        return _at(repo, [unquote(part) for part in tail], text)
    return _checked(Name(Kind.REPO, repo), text)


def _shown(text: str) -> str:
    """The text in quotes, shortened to 100 characters."""
    return repr(text if len(text) <= 100 else f"{text[:99]}…")
