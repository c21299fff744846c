"""Rules in a zip, as the studio saves them: the files of an edit repo, or several such folders.

A zip may come from anybody.  Of what it holds, only the files that an edit repo has are unpacked, up to a size, and
never under a name that the zip chose.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rewriting.core.edit import CONFIG, FACTORS, REQUESTS, EditStack
from rewriting.core.own_files import is_part
from rewriting.files import check_there, shown, writing

PARTS = (CONFIG, FACTORS, REQUESTS)
MAX_ARCHIVE = 64 << 20  # bytes of the zip, and of all that is unpacked
MAX_ENTRIES = 10_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of a zip entry's flags


def write_archive(stack: EditStack, path: Path) -> Path:
    """Write the rules as an edit repo in a zip.  Raises as `EditStack.save`."""
    with TemporaryDirectory() as folder, writing(path) as partial:
        stack.save(folder)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(folder).iterdir()):
                archive.write(part, part.name)
    return path


def read_archive(path: Path) -> EditStack:
    """The rules of every edit repo in a zip, in the order of their folders' names.

    Raises ValueError in one sentence if it holds none, or one that is not right.
    """
    check_there(path, MAX_ARCHIVE)
    with TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                repos = _repos(path.name, archive.infolist())
                for index, parts in enumerate(repos.values()):
                    repo = Path(folder, str(index))
                    repo.mkdir()
                    for name, entry in parts.items():
                        (repo / name).write_bytes(archive.read(entry))
        except _Refused as error:
            raise ValueError(str(error)) from None
        except Exception:  # of zipfile, zlib and struct, of many types
            raise ValueError(f"{path.name} is not a whole zip; save it again.") from None
        edits = []
        for index, where in enumerate(repos):
            try:
                edits += EditStack.load(Path(folder, str(index)))
            except (ValueError, FileNotFoundError) as error:
                inside = f", in its folder {shown([where])}" if where else ""
                raise ValueError(f"{path.name} cannot be opened{inside}: {error}") from None
        return EditStack(edits)


class _Refused(Exception):
    """A zip that is whole, but not one of rules; the message is one sentence."""


def _repos(name: str, entries: list[zipfile.ZipInfo]) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """{folder in the zip: {part: entry}} of every folder that has a rule's config and factors."""
    if len(entries) > MAX_ENTRIES:
        raise _Refused(f"{name} holds {len(entries):,} files; {MAX_ENTRIES:,} is the most that is looked through.")
    found: dict[str, dict[str, zipfile.ZipInfo]] = {}
    twice = {}
    for entry in entries:
        inside = PurePosixPath(entry.filename.replace("\\", "/"))  # some programs on Windows write those
        if inside.name in PARTS or is_part(inside.name):
            parts = found.setdefault(str(inside.parent).removeprefix("."), {})
            if parts.setdefault(inside.name, entry) is not entry:
                twice[str(inside.parent).removeprefix(".")] = entry.filename
    repos = {where: found[where] for where in sorted(found) if {CONFIG, FACTORS} <= found[where].keys()}
    if not repos:
        raise _Refused(f"{name} holds no rule; a rule is a {CONFIG} and an {FACTORS} in one folder.")
    for where in twice.keys() & repos.keys():
        raise _Refused(f"{name} holds {shown([twice[where]])} twice; save it again.")
    chosen = [entry for parts in repos.values() for entry in parts.values()]
    for entry in chosen:
        if entry.flag_bits & ENCRYPTED:
            raise _Refused(f"{name} is locked with a password; save it again without one.")
        if entry.compress_type not in METHODS:
            raise _Refused(f"{shown([entry.filename])} in {name} is packed in a way that is not read; save it again.")
    if (total := sum(entry.file_size for entry in chosen)) > MAX_ARCHIVE:
        raise _Refused(f"The rules in {name} are {total:,} bytes; {MAX_ARCHIVE:,} is the most.")
    return repos
