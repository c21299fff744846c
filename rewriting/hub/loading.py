"""Loading generators and rules by any name that `rewriting.hub.names` reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from rewriting.checkpoints.conversion import Origin
from rewriting.checkpoints.known_models import known_model
from rewriting.core.edit import CONFIG, FACTORS, REQUESTS, EditStack
from rewriting.core.edit import FORMAT as EDIT_FORMAT
from rewriting.files import read_json
from rewriting.generators import Generator, read_generator
from rewriting.generators.config import BUNDLED, MOMENTS, SELECTION, WEIGHTS
from rewriting.generators.config import FORMAT as GENERATOR_FORMAT
from rewriting.hub.addresses import download, fetch_known
from rewriting.hub.cache import Cache
from rewriting.hub.choosing import NoSuchFile, choose, sizes_in
from rewriting.hub.client import Access, HubError, Missing, Token, Unreachable, hosted
from rewriting.hub.converted import converted, digest_of, is_kept
from rewriting.hub.download import KINDS
from rewriting.hub.names import Kind, Name, at_revision, not_here, parse, repo_name
from rewriting.hub.repos import Content, check_label, find, format_of, open_generator, open_rules
from rewriting.hub.source import license_text, with_source
from rewriting.hub.visitors import check_file
from rewriting.processes import Progress

T = TypeVar("T")


def load_generator(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    token: Token = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Generator:
    """Load a generator by its name: bundled, known, a folder or a file on this machine, or on the Hub.

    `rewriting.hub.names` lists all forms of a name.  A file of another program is read in a process of its own, with
    limits, and the converted generator is cached.
    revision: a branch, tag or commit of the Hub repo; by default its main branch, or that of "org/name@revision".
    token: for private and gated repos; by default the login of this machine, and on a hosted Space none.
    endpoint: address of another Hub.  cache_dir: folder for fetched files; by default the Hub's cache and, on a Space,
    a folder that is removed with the generator.  On a Space only a `Path`, never a text, names a file on disk.
    progress: called with (share done, sentence) while files are fetched and read.
    Raises ValueError for a wrong name or file, a HubError if the Hub is involved; SeveralFiles, with a list, if a repo
    or folder has several candidates; FileNotFoundError for a missing path; ConnectionError if a download fails.
    """
    name = at_revision(parse(name_or_path, endpoint=endpoint), revision)
    return open_name(name, Access(token, endpoint, cache_dir, progress))


def open_name(name: Name, access: Access, *, label: int | None = None) -> Generator:
    """Load the generator of a parsed name.  label: the only class to keep of a conditional generator in a file of
    another program."""
    if name.kind is Kind.BUNDLED:
        check_label(label, name.what)
        return with_source(read_generator(BUNDLED / name.what), BUNDLED / name.what, name=name.what)
    if name.kind is Kind.FOLDER:
        return _from_folder(Path(name.what), label, access)
    if name.kind is Kind.FILE:
        return _from_file(Path(name.what), label, access)
    if name.kind is Kind.KNOWN:
        check_label(label, name.what)
        return _load_known(name.what, access)
    if name.kind is Kind.ADDRESS:
        if hosted():
            raise HubError(
                f"{name.what[:100]!r} is not an address of the Hub; this studio opens no files from other addresses."
            )
        return _from_file(download(name.what, progress=access.progress), label, access)
    return _from_hub(name, lambda content: open_generator(content, access, label=label), access)


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
    """The rules in an edit-repo folder, a zip of one, or a Hub repo, in their order.  Options as for `load_generator`.

    generator: if given, the rules must fit it: same shapes and same weights.
    Raises HubError, ValueError or FileNotFoundError, in one sentence.
    """
    access = Access(token, endpoint, cache_dir, progress)
    name = _rule_name(name_or_path, revision, endpoint)
    if name.local:
        stack = EditStack.load(name.what)
    else:
        stack = _from_hub(name, lambda content: open_rules(content, EditStack.load, access), access)
    return fitting(stack, generator) if generator is not None else stack


def read_rule(folder: Path) -> tuple[EditStack, str]:
    """Read the rules in an edit repo or a zip of one; returns them with the commit of their generator, "" if it is not
    on the Hub."""
    base = read_json(folder / CONFIG) if folder.is_dir() else None
    base = base.get("base_model") if isinstance(base, dict) else None
    return EditStack.load(folder), str((base or {}).get("revision") or "")


def load_base(stack: EditStack, access: Access, *, revision: str | None = None) -> Generator:
    """Load the generator that rules name; the name is not trusted, so it is never a path.  Raises HubError."""
    name = stack[0].generator
    try:
        base = repo_name(name)
        base = at_revision(base, revision) if base.kind is Kind.REPO else base
    except ValueError:
        raise HubError(
            f"The rule was made for {name[:60] or 'a generator without a name'!r}, which is neither bundled nor on "
            f"the Hub; load that generator and pass it as `generator`."
        ) from None
    return open_name(base, access)


def fitting(stack: EditStack, generator: Generator) -> EditStack:
    """Return the stack.  Raises HubError if one of its rules was made for other weights."""
    for edit in stack:
        try:
            edit.check_fits(generator)
        except ValueError as error:
            raise HubError(str(error)) from None
    return stack


def _rule_name(name_or_path: str | Path, revision: str | None, endpoint: str | None) -> Name:
    """Parse the name of rules: a folder, a zip or a repo.  Raises ValueError or FileNotFoundError."""
    name = at_revision(parse(name_or_path, endpoint=endpoint, noun="rule"), revision)
    path = Path(name.what)
    if name.kind is Kind.FILE and path.name in (CONFIG, FACTORS, REQUESTS):
        return Name(Kind.FOLDER, str(path.parent))
    if name.kind not in (Kind.FOLDER, Kind.FILE, Kind.REPO):
        raise ValueError(f"{name.what[:100]!r} is {name.kind.words}; rules are in a folder or in a repo of the Hub.")
    return name


def _from_hub(name: Name, opening: Callable[[Content], T], access: Access) -> T:
    """Find a name on the Hub and open it.  The error for a name that could also be a path mentions both."""
    try:
        return opening(find(name, access))
    except (Missing, Unreachable, NoSuchFile) as error:
        absence, reason = not_here(name), str(error)
        if not absence:
            raise
        reason = reason[0].lower() + reason[1:] if reason.startswith("The") else reason
        raise type(error)(f"{absence}, and {reason}") from None


# --- on this machine, and known --------------------------------------------------------------------------------------


def _from_folder(folder: Path, label: int | None, access: Access) -> Generator:
    """Load a folder in our format or, without a config.json of ours, the only file of another program in it."""
    format = format_of(folder)
    if format == EDIT_FORMAT:
        raise ValueError(f"{folder} holds {KINDS[EDIT_FORMAT]}.")
    if format == GENERATOR_FORMAT:
        check_label(label, str(folder))
        return with_source(read_generator(folder), folder)
    path = choose(sizes_in(folder), "", str(folder), lambda path: str(folder / path))
    return _from_file(folder / path, label, access)


def _from_file(path: Path, label: int | None, access: Access) -> Generator:
    """Load a file of another program, or a folder in our format by one of its files."""
    if path.name in (CONFIG, WEIGHTS, MOMENTS, SELECTION) and format_of(path.parent) == GENERATOR_FORMAT:
        return _from_folder(path.parent, label, access)
    generator, folder = converted(digest_of(path), Origin(path.name), lambda: path, access, label=label)
    return with_source(generator, folder, license=license_text(path.parent), file=path.name)


def _load_known(name: str, access: Access) -> Generator:
    known = known_model(name)
    check_file(name, known.megabytes * 1_000_000, public=True)
    with Cache(access) as cache:
        sha256, place, path = fetch_known(known, is_kept, cache.access)
        file = PurePosixPath(place.address).name
        generator, folder = converted(sha256, Origin(file, known), lambda: path, access)
    return with_source(generator, folder, name=name, file=file)
