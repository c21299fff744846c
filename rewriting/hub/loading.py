"""Opening generators and rules, wherever they are: bundled, in a folder, or on the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rewriting.core.edit import CONFIG, FACTORS, REQUESTS, EditStack
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.files import read_json
from rewriting.generators import Generator, bundled, read_generator
from rewriting.generators.config import BUNDLED, MOMENTS, WEIGHTS
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.hub.cache import Cache
from rewriting.hub.client import REPO_ID, HubError, Token, hosted
from rewriting.hub.download import LICENSE, LIMITS, fetch, naming
from rewriting.processes import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Where a generator came from; `load_generator` leaves it in the generator's attribute `source`.

    name: bundled name or Hub id; empty if it came from a folder.  revision: the commit.  digest: of the weights as
    they were loaded, so that a generator changed since is not taken for them.  folder: the files, if they are kept.
    license_text: what its LICENSE says.
    """

    name: str
    revision: str
    digest: str
    folder: Path
    license_text: str


def load_generator(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Generator:
    """A generator: bundled, by its name; in a generator-repo folder; or on the Hub, by its id "name/repo".

    revision: a branch, tag or commit of the Hub repo; by default its main branch.  "name/repo@revision" says the same.
    token: for private and gated repos; by default the login of this machine, and on a hosted Space none.
    endpoint: address of another Hub.  cache_dir: where files are kept; on a Space, only as long as the generator is
    in use unless this says so, and there only a `Path`, never a text, is looked for on disk.
    progress: called with (share done, sentence) while files arrive.
    Raises ValueError (a HubError where the Hub is concerned) or FileNotFoundError, in one sentence, before anything
    is built from a file that is not right.
    """
    name = str(name_or_path)
    options = {"token": token, "endpoint": endpoint, "cache_dir": cache_dir, "progress": progress}
    if name in bundled():
        if revision is not None:
            raise HubError(f"{name} comes with the software and has no revision {revision!r}; leave the revision out.")
        return _with_source(read_generator(BUNDLED / name), name, "", BUNDLED / name)
    if _is_folder(name_or_path):
        return _with_source(read_generator(name_or_path), "", "", Path(name_or_path))
    repo_id, revision = split_revision(name, revision)
    if isinstance(name_or_path, str) and REPO_ID.fullmatch(repo_id):
        return _from_hub(repo_id, revision=revision, **options)
    raise ValueError(
        f"There is no generator {name!r}: bundled are {', '.join(bundled())}; a folder must hold a "
        f"config.json and a model.safetensors; the id of a Hub repo has the form name/repo."
    )


def split_revision(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """ "name/repo@revision" -> ("name/repo", "revision"); without an @, what was given.

    Raises HubError if both name a revision, and not the same.
    """
    repo_id, at, named = name.partition("@")
    if not at:
        return name, revision
    if revision not in (None, named):
        raise HubError(f"{name[:100]!r} and the revision {revision!r} do not agree; give the revision once.")
    return repo_id, named


def load_edits(
    name_or_path: str | Path,
    *,
    generator: Generator | None = None,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> EditStack:
    """The rules in an edit-repo folder or Hub repo, in their order.  Options as for `load_generator`.

    generator: if given, the rules must fit it: same shapes and same weights.
    Raises HubError, ValueError or FileNotFoundError, in one sentence.
    """
    access = {"token": token, "endpoint": endpoint, "cache_dir": cache_dir, "progress": progress}
    stack = _read_edits(name_or_path, EditStack.load, revision=revision, **access)
    return fitting(stack, generator) if generator is not None else stack


def load_rule(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Generator, EditStack]:
    """The rules of an edit repo together with the generator they were made for, at the revision it had then.

    Options as for `load_generator`.  Raises HubError if the generator is neither bundled nor on the Hub, or its
    weights are others than those.
    """
    access: dict[str, Any] = {"token": token, "endpoint": endpoint, "cache_dir": cache_dir, "progress": progress}
    stack, commit = read_rule(name_or_path, revision=revision, **access)
    generator = load_base(stack, revision=commit or None, **access)
    return generator, fitting(stack, generator)


def read_rule(name_or_path: str | Path, *, revision: str | None = None, **access: Any) -> tuple[EditStack, str]:
    """The rules of an edit repo, and the commit that their generator had then, "" if it is not on the Hub."""

    def read(folder: Path) -> tuple[EditStack, str]:
        base = read_json(folder / CONFIG)
        base = base.get("base_model") if isinstance(base, dict) else None
        return EditStack.load(folder), str((base or {}).get("revision") or "")

    return _read_edits(name_or_path, read, revision=revision, **access)


def _read_edits(name_or_path: str | Path, read: Callable[[Path], T], *, revision: str | None, **access: Any) -> T:
    """What `read` finds in an edit-repo folder, or in that of a Hub repo."""
    if _is_folder(name_or_path):
        return read(Path(name_or_path))
    repo_id, revision = split_revision(str(name_or_path), revision)
    return _edits_from_hub(repo_id, read, revision=revision, **access)


def load_base(stack: EditStack, *, revision: str | None = None, **access: Any) -> Generator:
    """The generator that the rules name, if it is bundled or on the Hub; never a folder: the name is anybody's."""
    name = stack[0].generator
    if name in bundled():
        return load_generator(name, **access)
    if not REPO_ID.fullmatch(name):
        raise HubError(
            f"The rule was made for {name[:60] or 'a generator without a name'!r}, which is neither bundled nor on "
            f"the Hub; open that generator yourself and give it along."
        )
    return _from_hub(name, revision=revision, **access)


def fitting(stack: EditStack, generator: Generator) -> EditStack:
    """The stack back; HubError if a rule of it was made for other weights."""
    for edit in stack:
        try:
            edit.check_fits(generator)
        except ValueError as error:
            raise HubError(str(error)) from None
    return stack


def _is_folder(name_or_path: str | Path) -> bool:
    """On a hosted Space a text may come from a visitor, and a visitor must not look around on its disk."""
    return os.path.isdir(name_or_path) and not (hosted() and isinstance(name_or_path, str))


def _from_hub(repo_id: str, *, cache_dir: str | Path | None = None, **options: Any) -> Generator:
    with Cache(cache_dir) as cache:
        found = fetch(
            repo_id, (CONFIG, WEIGHTS), (MOMENTS, LICENSE), expected=GENERATOR_FORMAT, cache_dir=cache.path, **options
        )
        with naming(repo_id):
            generator = read_generator(found.folder)
        cache.stay_with(generator)  # which reads its second moments when they are needed
        generator.config = replace(generator.config, name=repo_id)
        return _with_source(generator, repo_id, found.commit, found.folder)


def _edits_from_hub(
    repo_id: str, read: Callable[[Path], T], *, cache_dir: str | Path | None = None, **options: Any
) -> T:
    with Cache(cache_dir) as cache:
        found = fetch(
            repo_id, (CONFIG, FACTORS), (REQUESTS, LICENSE), expected=EDIT_FORMAT, cache_dir=cache.path, **options
        )
        with naming(repo_id):
            return read(found.folder)


def _with_source(generator: Generator, name: str, revision: str, folder: Path) -> Generator:
    generator.source = Source(name, revision, generator.digest(), folder, license_text(folder))
    return generator


def license_text(folder: Path) -> str:
    """What the folder's LICENSE says; of a bundled generator without its own, the software's.  "" if there is none."""
    for path in (folder / LICENSE, *([BUNDLED.parent / LICENSE] if folder.parent == BUNDLED else [])):
        if path.is_file() and path.stat().st_size <= LIMITS[LICENSE]:
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
