"""The source of a generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rewriting.generators import Generator, GeneratorConfig
from rewriting.generators.config import BUNDLED
from rewriting.hub.download import LICENSE, LIMITS

LICENSES = (LICENSE, "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")


@dataclass(frozen=True)
class Source:
    """The source of a generator; `load_generator` stores it in the generator's attribute `source`.

    name: opens the generator with `load_generator`: a bundled name, the name of a known model, or a Hub id, with ":"
    and a path for a file of another program; "" for a generator from this machine's disk.  revision: the commit.
    digest: of the loaded weights, to detect later changes.  folder: its files in our format.  license_text: content
    of its LICENSE.  file: path of the converted file of another program, "" without one.
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
    """Store the source in a generator, and return the generator.  license: its text, by default that in the folder."""
    text = license_text(folder) if license is None else license
    generator.source = Source(name, revision, generator.digest(), folder, text, file)
    return generator


def license_of(config: GeneratorConfig) -> str:
    """The licence in a generator's config, in words for people."""
    named = config.license if config.license not in ("", "other", "unknown") else config.extra.get("license_name")
    return str(named or "not stated; look it up at its source")


def license_text(folder: Path) -> str:
    """The text of a folder's LICENSE; for a bundled generator without one, the software's; "" without any."""
    own = [folder / name for name in LICENSES]
    for path in (*own, *([BUNDLED.parent / LICENSE] if folder.parent == BUNDLED else [])):
        if path.is_file() and path.stat().st_size <= LIMITS[LICENSE]:
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
