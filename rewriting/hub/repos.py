"""Finding and opening the content of a Hub repo at one commit: a generator or rules in our format, or a file of
another program."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import basename, dirname, join
from typing import Any, TypeVar

from rewriting.checkpoints.contents import CheckpointError
from rewriting.checkpoints.conversion import Origin
from rewriting.checks import brief
from rewriting.core.edit import CONFIG, FACTORS, REQUESTS
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.core.own_files import is_part
from rewriting.files import read_json
from rewriting.generators import Generator, GeneratorConfig, read_generator
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.generators.config import MOMENTS, SELECTION, WEIGHTS
from rewriting.hub.cache import Cache, Shelf, Unwritable
from rewriting.hub.choosing import NoSuchFile, SeveralFiles, choose, sizes_in
from rewriting.hub.client import Access, HubError, Unreachable
from rewriting.hub.converted import converted, digest_of, is_kept, listed_sha256
from rewriting.hub.download import (
    CARD,
    KINDS,
    LICENSE,
    LIMITS,
    Repo,
    check_admitted,
    check_fetchable,
    download,
    is_fetchable,
    look_up,
    naming,
)
from rewriting.hub.names import COMMIT, ENDINGS, Name
from rewriting.hub.source import LICENSES, license_text, with_source
from rewriting.hub.visitors import check_effort, check_file

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_BROUGHT = 64  # most files of people's own pictures
FOREIGN_KEYS = ("model_type", "architectures", "peft_type", "_class_name")  # in the config.json of other libraries


@dataclass(frozen=True)
class Content:
    """The content of a Hub name at one commit.

    folder: path in the repo of files in our format, "" for the repo itself.  path: of the generator's file of another
    program instead, "" without one.  rules: whether the content is rules.  repo: the Hub's description; None if the
    content is in the cache and the Hub was not asked.
    """

    name: Name
    commit: str
    folder: str = ""
    path: str = ""
    rules: bool = False
    repo: Repo | None = None

    @property
    def opened_by(self) -> str:
        """The name that opens it, without a revision."""
        return str(replace(self.name, revision="", path=self.path or self.folder))


def find(name: Name, access: Access) -> Content:
    """Find the content of a repo.

    This asks the Hub once, or twice if the name's meaning depends on the repo's branches, but never for a commit in
    the cache.  Raises HubError; SeveralFiles if several files may be the generator.
    """
    with Cache(access) as cache:
        access = cache.access
        name = _with_revision(name, access)
        cached = _in_cache(name, access)
        if cached and cached.commit == name.revision and cached.path in ("", name.path):
            return cached
        repo = None
        try:
            repo = look_up(name.what, access, revision=name.revision or None, cached=cached is not None)
            return _on_hub(name, repo, access)
        except (Unreachable, Unwritable) as error:
            if cached is None or (repo is not None and isinstance(error, Unreachable)):
                raise
            log.warning("%s Opening %s as it was fetched before.", error, name)
            return cached


def open_generator(content: Content, access: Access, *, label: int | None = None) -> Generator:
    """Load the found generator.  label: the only class to keep of a conditional generator.  Raises HubError."""
    if content.rules:
        raise HubError(f"{content.name.what} holds {KINDS[EDIT_FORMAT]}.")
    with Cache(access) as cache:
        if content.path:
            return _foreign(content, label, cache.access)
        check_label(label, content.name.what)
        content = _with_files(content, cache.access)
        folder = _folder(content, cache.access)
        with naming(content.name.what):
            generator = read_generator(folder)
        cache.stay_with(generator)  # it reads its second moments later
    generator.config = replace(generator.config, name=content.opened_by)
    return with_source(generator, folder, name=content.opened_by, revision=content.commit)


def open_rules(content: Content, read: Callable[[Path], T], access: Access) -> T:
    """Call `read` on the folder of the found rules, and return its result.  Raises HubError."""
    if not content.rules:
        raise HubError(f"{content.name.what} holds {KINDS[GENERATOR_FORMAT]}.")
    with Cache(access) as cache:
        content = _with_files(content, cache.access)
        with naming(content.name.what):
            return read(_folder(content, cache.access))


# --- content ---------------------------------------------------------------------------------------------------------


def _with_revision(name: Name, access: Access) -> Name:
    """The name split into revision and path, by the branches and tags of the repo."""
    if not name.parts:
        return name
    try:
        refs = access.ask(name.what, lambda api: api.list_repo_refs(name.what))
        names = [str(ref.name) for ref in (*refs.branches, *refs.tags)]
    except Unreachable:
        shelf = Shelf.of(name.what, access.cache_dir)
        names = [reading.revision for reading in name.readings if shelf.commit_of(reading.revision)]
        if not names:
            raise
    for reading in name.readings:
        if reading.revision in names:
            return reading
    if re.fullmatch(r"[0-9a-f]{7,40}", name.parts[0]):  # a commit, cut short
        return name.readings[-1]
    some_names = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise HubError(f"{name.what} has no branch or tag that {'/'.join(name.parts)!r} begins with; it has {some_names}.")


def _on_hub(name: Name, repo: Repo, access: Access) -> Content:
    """The repo's content by the Hub's description."""
    if repo.gated:
        check_admitted(repo, access)

    def format_in(folder: str) -> str:
        return _checked_format(name, download(repo, [join(folder, CONFIG)], access) / folder)

    return _content(name, repo.commit, {path: file.size for path, file in repo.files.items()}, format_in, repo)


def _in_cache(name: Name, access: Access) -> Content | None:
    """The repo's content in the cache if it is complete; else None."""
    shelf = Shelf.of(name.what, access.cache_dir)
    commit = name.revision if COMMIT.fullmatch(name.revision) else shelf.commit_of(name.revision or "main")
    snapshot = shelf.snapshot(commit) if commit else None
    if snapshot is None or not snapshot.is_dir():
        return None
    sizes = sizes_in(snapshot)

    def format_in(folder: str) -> str:
        format = format_of(snapshot / folder)
        if format and join(folder, WEIGHTS if format == GENERATOR_FORMAT else FACTORS) not in sizes:
            raise LookupError
        return format

    try:
        return _content(name, commit, sizes, format_in)
    except (ValueError, LookupError):
        return None


def _content(
    name: Name, commit: str, sizes: Mapping[str, int], format_in: Callable[[str], str], repo: Repo | None = None
) -> Content:
    """The content that a name means among files: a folder in our format, or a file of another program.

    sizes: {path: bytes}.  format_in: returns the format of the config.json in a folder, "" for an unknown one.
    """

    def in_our_format(folder: str | None) -> Content | None:
        if folder is None or not (format := format_in(folder)):
            return None
        return Content(name, commit, folder, rules=format == EDIT_FORMAT, repo=repo)

    if content := in_our_format(_home(name.path, sizes)):
        return content
    path = _chosen(sizes, name)
    return in_our_format(_home(path, sizes)) or Content(name, commit, path=path, repo=repo)


def _home(path: str, sizes: Mapping[str, int]) -> str | None:
    """The folder with a config.json that a path names, directly or by one of its files; None without one."""
    folder = dirname(path) if basename(path) in LIMITS else path
    return folder if sizes.get(join(folder, CONFIG), LIMITS[CONFIG] + 1) <= LIMITS[CONFIG] else None


def _checked_format(name: Name, folder: Path) -> str:
    """The format of a fetched config.json.  Raises HubError for a generator that is too large for a visitor, and for
    the config of another library unless the name is that of a file."""
    with naming(name.what):
        config = _config(folder)
        format = _format(config)
        if format == GENERATOR_FORMAT:
            check_effort(GeneratorConfig.from_json(config))
    other = next((key for key in FOREIGN_KEYS if key in config), "")
    if other and not format and not name.path.endswith(ENDINGS):
        raise HubError(
            f"{name.what} is no generator of pictures, since its {CONFIG} says {other} {brief(config[other])}; "
            f"name a file of it, such as {name.what}:model.pt, if that holds one after all."
        )
    return format


def format_of(folder: Path) -> str:
    """The format in a folder's config.json, one of ours; "" for another, without one, or for a damaged file."""
    return _format(_config(folder))


def _format(config: Mapping[str, Any]) -> str:
    return next((format for format in KINDS if format == config.get("format")), "")


def _config(folder: Path) -> dict[str, Any]:
    """The content of any config.json; {} without one or for a damaged file.  ValueError for a Git LFS pointer."""
    try:
        config = read_json(folder / CONFIG)
    except (ValueError, FileNotFoundError) as error:
        if "Git LFS" in str(error):
            raise
        return {}
    return config if isinstance(config, dict) else {}


def _chosen(sizes: Mapping[str, int], name: Name) -> str:
    try:
        return choose(sizes, name.path, name.what, lambda path: str(replace(name, path=path)))
    except (SeveralFiles, NoSuchFile):
        raise
    except ValueError as error:
        raise HubError(str(error)) from None


# --- files -----------------------------------------------------------------------------------------------------------


def _with_files(content: Content, access: Access) -> Content:
    """Fetch the files of our format: those that must exist, and others that do."""
    repo = content.repo
    if repo is None:
        return content
    needed, optional = (FACTORS, (REQUESTS, LICENSE)) if content.rules else (WEIGHTS, (MOMENTS, SELECTION, LICENSE))
    required = [join(content.folder, name) for name in (CONFIG, needed)]
    check_fetchable(repo, required)
    wished = [join(content.folder, name) for name in optional]
    if content.rules:
        pictures = (path for path in repo.files if dirname(path) == content.folder and is_part(basename(path)))
        wished += sorted(pictures)[:MAX_BROUGHT]
    return _fetch(content, [*required, *(path for path in wished if is_fetchable(repo, path))], access)


def _fetch(content: Content, paths: Sequence[str], access: Access) -> Content:
    """Fetch files into the cache; returns the content that the cache then has, an older one if it is not writable."""
    try:
        download(content.repo, paths, access)
    except Unwritable as error:
        if (cached := _in_cache(content.name, access)) is None:
            raise
        log.warning("%s Opening %s as it was fetched before.", error, content.name)
        return cached
    Shelf.of(content.name.what, access.cache_dir).record(content.name.revision or "main", content.commit)
    return content


def _folder(content: Content, access: Access) -> Path:
    """The folder of the content in the cache."""
    return Shelf.of(content.name.what, access.cache_dir).snapshot(content.commit) / content.folder


def check_label(label: int | None, name: str) -> None:
    """Raise ValueError if a class is given for a generator in our format."""
    if label is not None:
        raise ValueError(f"{name} is in this software's format, which keeps all classes; leave the class out.")


def _foreign(content: Content, label: int | None, access: Access) -> Generator:
    """Load the converted generator of a file of another program."""
    repo_id, path, repo, sha256 = content.name.what, content.path, content.repo, ""
    if repo is not None:
        check_file(f"{path} of {repo_id}", repo.files[path].size, public=not (repo.private or repo.gated))
        sha256 = listed_sha256(repo.files[path])
        legal = [CARD, next((name for name in LICENSES if name in repo.files), LICENSE)]
        legal = [name for name in legal if is_fetchable(repo, name)]
        content = _fetch(content, legal if sha256 and is_kept(sha256, label) else [*legal, path], access)
    folder = _folder(content, access)
    if content.repo is None or not sha256:
        sha256 = digest_of(folder / path)
    terms = license_text(folder)
    origin = Origin(path, repo=repo_id, commit=content.commit, **_license(folder / CARD, bool(terms)))
    try:
        generator, cached = converted(sha256, origin, lambda: folder / path, access, label=label)
    except CheckpointError as error:
        raise HubError(f"In {repo_id}, {error}") from None
    generator.config = replace(generator.config, name=content.opened_by)
    return with_source(generator, cached, name=content.opened_by, revision=content.commit, license=terms, file=path)


def _license(card: Path, has_text: bool) -> dict[str, Any]:
    """The licence in a model card, as fields of `Origin`.  has_text: whether the repo has a LICENSE."""
    from huggingface_hub import metadata_load

    data: dict[str, Any] = {}
    with suppress(Exception):  # the YAML is a stranger's
        data = metadata_load(card) or {}
    license = data.get("license")
    license = license[0] if isinstance(license, list) and len(license) == 1 else license
    terms = {key: data[key] for key in ("license_name", "license_link") if _is_plain(data.get(key))}
    if not _is_plain(license):
        return {"license": "other", "terms": {"license_link": LICENSE}} if has_text else {}
    return {"license": license, "terms": terms if license == "other" else {}}


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and 0 < len(text) <= 200
