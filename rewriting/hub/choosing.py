"""The choice of the generator's file in a repo or a folder that is not in this software's format.

A file is a candidate by its ending and size, unless its name means something else.  If there are several candidates,
the user chooses, because the newest snapshot of a training is often not the best.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rewriting.checks import brief
from rewriting.core.edit import CONFIG, FACTORS, REQUESTS
from rewriting.files import few
from rewriting.generators.config import MOMENTS, SELECTION, WEIGHTS
from rewriting.hub.client import HubError
from rewriting.hub.names import ENDINGS, can_be_named

MOST = 2 << 30  # bytes of a file
LISTED = 30  # most files in an error message
MOST_FILES = 10_000  # in a folder on this machine
OURS = {CONFIG, WEIGHTS, MOMENTS, SELECTION, FACTORS, REQUESTS}
# Names of other files beside a generator: the rest of a training's state, networks that judge or measure pictures,
# networks that invert pictures, and parts of split files.
OTHERS = re.compile(
    r"""(?<![a-z])(?:
        optimi[sz]ers?|optims?|opt|schedulers?|scalers?|training_args|trainer_state|rng_state|random_states
      | discriminators?|disc|net_?d|d_?net
      | (?:auto)?encode(?:rs?)?|e4e|psp|restyle
      | lpips|vgg\d*|alex(?:net)?|squeezenet|(?:pt_)?inception\w*|clip|arcface|ir_?se_?\d*|moco|facenet
      )(?![a-z])
      | (?:^|/)(?:\d+[_-])?d(?:[_-]?(?:ema|\d+))?\.[a-z]+$
      | -\d{5}-of-\d{5}\.
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Choice:
    """A candidate.  name: opens it with `load_generator`.  path: within the repo or folder.  size: in bytes."""

    name: str
    path: str
    size: int

    def __str__(self) -> str:
        return f"{self.path} ({megabytes(self.size)})"


class SeveralFiles(ValueError):
    """Several files may be the generator.  The message lists the name of each; `choices` holds the same as data.

    where: the repo or folder of the files.
    """

    def __init__(self, where: str, choices: list[Choice]):
        width = max(len(choice.name) for choice in choices[:LISTED])
        lines = [f"  {choice.name:<{width}}  {megabytes(choice.size)}" for choice in choices[:LISTED]]
        if len(choices) > LISTED:
            lines.append(f"  and {len(choices) - LISTED} more")
        count = len(choices)
        super().__init__("\n".join([f"{where} holds {count} files that may be generators; name one of them:", *lines]))
        self.where, self.choices = where, tuple(choices)


class NoSuchFile(HubError):
    """A repo lacks the named file or folder."""


def choose(sizes: Mapping[str, int], path: str, where: str, named: Callable[[str], str]) -> str:
    """The path of the generator's file.

    sizes: {path: bytes}, all files of the repo or folder.  path: of the file, or of its folder; "" for any.  where:
    the repo or folder, for messages.  named: returns the name that opens a path.
    Raises SeveralFiles, NoSuchFile, or another ValueError in one sentence.
    """
    if path in sizes and not _is_beside(path):
        if sizes[path] > MOST:
            size, most = megabytes(sizes[path]), megabytes(MOST)
            raise ValueError(f"{few([path])} of {where} has {size}; {most} is the most that is opened.")
        return path
    folder = os.path.dirname(path) if path in sizes else path
    inside = {file: size for file, size in sizes.items() if file.startswith(f"{folder}/") or not folder}
    if folder and not inside:
        paths = candidates(sizes)
        has = f"; it has {few(paths)}" if paths else ""
        raise NoSuchFile(f"{where} has no file or folder {brief(path)}{has}.")
    paths = candidates(inside)
    if len(paths) == 1:
        return paths[0]
    if paths:
        raise SeveralFiles(where, [Choice(named(file), file, sizes[file]) for file in paths])
    raise ValueError(f"{where} holds no generator: {_why_none(inside)}.")


def candidates(sizes: Mapping[str, int]) -> list[str]:
    """Paths of the candidates, with snapshot 9 before snapshot 10."""
    paths = [
        path
        for path, size in sizes.items()
        if path.lower().endswith(ENDINGS)
        and size <= MOST
        and can_be_named(path)
        and path.rpartition("/")[2] not in OURS - {WEIGHTS}
        and not OTHERS.search(path.lower())
    ]
    return sorted(paths, key=_in_order)


def _in_order(path: str) -> list[tuple[int, str]]:
    """By which snapshot 9 comes before snapshot 10: numbers by their length first, whatever they are amid."""
    parts = re.split(r"([0-9]+)", path)
    return [(len(part.lstrip("0")), part.lstrip("0")) if n % 2 else (0, part) for n, part in enumerate(parts)]


def sizes_in(folder: Path) -> dict[str, int]:
    """{path: bytes} of the files in a folder on this machine, but for hidden ones."""
    sizes: dict[str, int] = {}
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
        if len(sizes) > MOST_FILES:
            raise ValueError(f"{folder} holds more than {MOST_FILES:,} files; name one of them.")
    return sizes


def _is_beside(path: str) -> bool:
    """Whether a path names its whole folder: a file of our format, or one that holds no weights."""
    name = path.rpartition("/")[2]
    return name in OURS - {WEIGHTS} or not name.lower().endswith(ENDINGS)


def _why_none(sizes: Mapping[str, int]) -> str:
    weights = [path for path in sizes if path.lower().endswith(ENDINGS)]
    large = [path for path in weights if sizes[path] > MOST]
    if large:
        return f"{few(large)} is larger than the {megabytes(MOST)} that are opened"
    if weights:
        return f"its {few(weights)} is named like something else; name the file if it is one after all"
    return f"there is neither a {CONFIG} of this software nor a file that ends in {', '.join(ENDINGS)}"


def megabytes(size: int) -> str:
    """For people: "121 MB", "0.4 MB", "27 GB"."""
    if size >= 1e9:
        return f"{size / 1e9:,.3g} GB"
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"
