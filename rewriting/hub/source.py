"""Where a generator came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rewriting.generators import Generator, GeneratorConfig
from rewriting.generators.config import BUNDLED
from rewriting.hub.download import LICENSE, LIMITS

LICENSES = (LICENSE, "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")


@dataclass(frozen=True)
class Source:
    """Where a generator came from; `load_generator` leaves it in the generator's attribute `source`.

    name: what `load_generator` opens it by: a bundled name, a known model's, or a Hub id, with ":" and a path if it is
    a file of another program; empty if it came from this machine's disk.  revision: the commit.  digest: of the
    weights as they were loaded, so that a generator changed since is not taken for them.  folder: its files in our
    format, if they are kept.  license_text: what its LICENSE says.  file: the path of the file of another program that
    it was made of, "" if there is none.
    """

    name: str
    revision: str
    digest: str
    folder: Path
    license_text: str
    file: str = ""


def with_source(
    generator: Generator,
    folder: Path,
    *,
    name: str = "",
    revision: str = "",
    license: str | None = None,
    file: str = "",
) -> Generator:
    """The generator, which remembers where it came from.  license: the text, by default that in the folder."""
    text = license_text(folder) if license is None else license
    generator.source = Source(name, revision, generator.digest(), folder, text, file)
    return generator


def license_of(config: GeneratorConfig) -> str:
    """For people: the licence that a generator's config names."""
    named = config.license if config.license not in ("", "other", "unknown") else config.extra.get("license_name")
    return str(named or "not stated; look it up where it comes from")


def license_text(folder: Path) -> str:
    """What the folder's LICENSE says; of a bundled generator without its own, the software's.  "" if there is none."""
    own = [folder / name for name in LICENSES]
    for path in (*own, *([BUNDLED.parent / LICENSE] if folder.parent == BUNDLED else [])):
        if path.is_file() and path.stat().st_size <= LIMITS[LICENSE]:
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
