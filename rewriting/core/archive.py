"""Zips of rules, as the studio saves them: the files of an edit repo, or several such folders.

A zip is not trusted.  Only the files of an edit repo are unpacked, up to a size, and under names of our own.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rewriting.files import check_there, few, writing

MAX_ARCHIVE = 64 << 20  # bytes of the zip, and of all that is unpacked
MAX_ENTRIES = 10_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of a zip entry's flags


def pack(folder: Path, path: Path) -> Path:
    """Write the files of a folder into a zip, whole or not at all, and return its path."""
    with writing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(folder.iterdir()):
            archive.write(part, part.name)
    return path


@contextmanager
def unpacked(path: Path, required: Sequence[str], optional: Callable[[str], bool]) -> Iterator[list[tuple[str, Path]]]:
    """Unpack the folders of a zip that have all required files, for as long as the context is open.

    optional: whether to unpack a file of that name, too.  Yields (folder in the zip, folder on disk), sorted by name.
    Raises ValueError in one sentence if there is no such folder, or if the zip is damaged.
    """
    check_there(path, MAX_ARCHIVE)
    with TemporaryDirectory() as temporary:
        try:
            with zipfile.ZipFile(path) as archive:
                repos = _repos(path.name, archive.infolist(), required, optional)
                folders = [(where, Path(temporary, str(index))) for index, where in enumerate(repos)]
                for where, folder in folders:
                    folder.mkdir()
                    for name, entry in repos[where].items():
                        (folder / name).write_bytes(archive.read(entry))
        except _Refused as error:
            raise ValueError(str(error)) from None
        except Exception:  # of zipfile, zlib and struct, of many types
            raise ValueError(f"{path.name} is not a whole zip; save it again.") from None
        yield folders


def holds(path: Path, name: str) -> bool:
    """Whether a zip has a file of that name at its top level; False for a damaged zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            return name in archive.namelist()
    except Exception:  # of zipfile and struct, of many types
        return False


class _Refused(Exception):
    """The zip is whole but not acceptable; the message is one sentence."""


def _repos(
    name: str, entries: list[zipfile.ZipInfo], required: Sequence[str], optional: Callable[[str], bool]
) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """{folder in the zip: {file name: entry}} for every folder that has all required files."""
    if len(entries) > MAX_ENTRIES:
        raise _Refused(f"{name} holds {len(entries):,} files, more than {MAX_ENTRIES:,}; save only the rules.")
    found: dict[str, dict[str, zipfile.ZipInfo]] = {}
    twice = {}
    for entry in entries:
        inside = PurePosixPath(entry.filename.replace("\\", "/"))  # some programs on Windows write those
        if inside.name in required or optional(inside.name):
            parts = found.setdefault(str(inside.parent).removeprefix("."), {})
            if parts.setdefault(inside.name, entry) is not entry:
                twice[str(inside.parent).removeprefix(".")] = entry.filename
    repos = {where: found[where] for where in sorted(found) if set(required) <= found[where].keys()}
    if not repos:
        raise _Refused(f"{name} holds no rule; a rule is a folder with {' and '.join(required)}.")
    for where in twice.keys() & repos.keys():
        raise _Refused(f"{name} holds {few([twice[where]])} twice; save it again.")
    chosen = [entry for parts in repos.values() for entry in parts.values()]
    for entry in chosen:
        if entry.flag_bits & ENCRYPTED:
            raise _Refused(f"{name} is locked with a password; save it again without one.")
        if entry.compress_type not in METHODS:
            raise _Refused(f"{few([entry.filename])} in {name} uses an unsupported compression; save it again.")
    if (total := sum(entry.file_size for entry in chosen)) > MAX_ARCHIVE:
        raise _Refused(f"The rules in {name} have {total:,} bytes; {MAX_ARCHIVE:,} is the most.")
    return repos
