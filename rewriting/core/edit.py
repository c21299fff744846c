"""Edits: low-rank updates of a generator's weights, stored apart from the weights, stacked, saved and loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from rewriting.checks import brief, check_fields, flag, is_number, is_whole, number, string
from rewriting.core.archive import pack, unpacked
from rewriting.core.layer import expand
from rewriting.core.own_files import is_part, save_pictures
from rewriting.core.request import MAX_RANK, Request
from rewriting.files import few, make_folder, read_json, read_tensors, write_json, write_tensors
from rewriting.generators import Generator
from rewriting.generators.precision import PRECISIONS

FORMAT = "rewriting-edit"
FORMAT_VERSION = 2  # of stacks with a rule of several layers; other stacks have version 1
CONFIG, FACTORS, REQUESTS = "config.json", "edit.safetensors", "edit.json"
MAX_EDITS = 32
MAX_LAYERS = 8  # of one rule


@dataclass(frozen=True)
class Report:
    """The measurements of a solve.

    loss_before, loss_after: weighted mean |f - v*| over the goal.  objective_before, objective_after: with locality
    and preserve terms.  change: Frobenius norm of Lambda D over that of W0.  elsewhere: mean change of values at
    random positions of other pictures, over their mean size.  preserved: the same in protected places, None without
    any.  precision: of the features, "" if unknown.
    samples: number of pictures in the second moment behind the directions, 0 if unknown.
    """

    loss_before: float
    loss_after: float
    objective_before: float
    objective_after: float
    change: float
    elsewhere: float
    preserved: float | None
    iterations: int
    milliseconds: float
    precision: str = ""
    samples: int = 0


@dataclass(frozen=True, eq=False)
class LayerChange:
    """Lambda D of one layer.  factor: Lambda (O, S, kh, kw), in units of the stored weight.  directions: D (S, I),
    orthonormal rows.  Raises ValueError if the two do not fit."""

    layer: int
    factor: Tensor
    directions: Tensor

    def __post_init__(self) -> None:
        if self.factor.dim() != 4 or self.directions.dim() != 2 or self.factor.shape[1] != len(self.directions):
            raise ValueError(
                f"Lambda {tuple(self.factor.shape)} and D {tuple(self.directions.shape)} do not fit; expected "
                f"(O, S, kh, kw) and (S, I)."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the changed weight, (O, I, kh, kw)."""
        return len(self.factor), self.directions.shape[1], *self.factor.shape[2:]


TAKES = {
    "strength": number(-10, 10),
    "enabled": flag,
    **dict.fromkeys(("name", "generator", "base"), string),
}


@dataclass(frozen=True, eq=False)
class Edit:
    """A solved rule: W = W0 + strength * Lambda D, at one layer or at several.

    layer, factor, directions: as in `LayerChange`, of the lowest layer.  further: the other layers, from low to high.
    strength: of all layers together, -10 to 10: 1 as solved, 0 for no change, negative for the opposite.
    generator: name of the generator that it was solved on.  base: digest of that generator.
    Raises ValueError for wrong layers or a value out of range.
    """

    layer: int
    factor: Tensor
    directions: Tensor
    strength: float = 1.0
    enabled: bool = True
    name: str = ""
    generator: str = ""
    base: str = ""
    request: Request | None = None
    report: Report | None = None
    further: tuple[LayerChange, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "further", tuple(self.further))
        if len(self.layers) > MAX_LAYERS or any(a >= b for a, b in pairwise(self.layers)):
            raise ValueError(
                f"The rule changes the layers {brief(self.layers)}; expected up to {MAX_LAYERS}, from low to high."
            )
        check_fields(self, TAKES)

    @property
    def changes(self) -> tuple[LayerChange, ...]:
        """The changes of its layers, from low to high."""
        return (LayerChange(self.layer, self.factor, self.directions), *self.further)

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(change.layer for change in self.changes)

    @property
    def rank(self) -> int:
        """The largest rank of its layers."""
        return max(len(change.directions) for change in self.changes)

    @property
    def parts(self) -> tuple[Edit, ...]:
        """The same rule as one edit for each layer, with the same strength and switch."""
        if not self.further:
            return (self,)
        return tuple(
            replace(self, layer=one.layer, factor=one.factor, directions=one.directions, further=())
            for one in self.changes
        )

    def nbytes(self) -> int:
        """The memory of its tensors and of its request."""
        tensors = sum(one.factor.nbytes + one.directions.nbytes for one in self.changes)
        return tensors + (self.request.nbytes() if self.request else 0)

    @cached_property
    def digest(self) -> str:
        """sha256 of its layers, Lambda and D: edits with equal digests and strengths have the same effect."""
        sha = hashlib.sha256()
        for change in self.changes:
            for tensor in (change.factor, change.directions):
                sha.update(f"{change.layer} {tuple(tensor.shape)}\n".encode())
                sha.update(tensor.float().contiguous().numpy().tobytes())
        return sha.hexdigest()

    def delta(self) -> Tensor:
        """strength * Lambda D, (O, I, kh, kw); zeros if switched off.  ValueError for a rule of several layers."""
        if self.further:
            raise ValueError(f"{self.name!r} changes the layers {self.layers}; take the deltas of its `parts`.")
        return (self.strength if self.enabled else 0.0) * expand(self.factor, self.directions)

    def with_(self, **changes: Any) -> Edit:
        """A copy with some fields changed, such as strength, name or enabled."""
        return replace(self, **changes)

    def check_fits(self, generator: Generator) -> None:
        """Raise ValueError if the edit was solved on another generator."""
        for change in self.changes:
            shape = tuple(generator.conv(generator.check_layer(change.layer)).weight.shape[-4:])
            if shape != change.shape:
                raise ValueError(
                    f"The edit {self.name!r} changes a weight of shape {change.shape} at layer {change.layer}, but "
                    f"this generator's is {shape}; open {self.generator or 'the generator it was made for'} first."
                )
        if self.base and self.base != generator.digest():
            raise ValueError(
                f"The edit {self.name!r} was made for other weights ({self.generator or 'digest ' + self.base[:12]}); "
                f"open those, or reopen its request and rewrite it here."
            )

    def save(self, folder: str | Path) -> Path:
        """Write an edit repo with this one edit, and return its folder.  Raises as `EditStack.save`."""
        return EditStack([self]).save(folder)

    @staticmethod
    def load(folder: str | Path) -> Edit:
        """Read the edit of an edit repo.  Raises ValueError if it holds several edits, else as `EditStack.load`."""
        stack = EditStack.load(folder)
        if len(stack) != 1:
            raise ValueError(f"{Path(folder).name} holds {len(stack)} edits; open it with EditStack.load.")
        return stack[0]


@dataclass(frozen=True)
class EditStack:
    """Up to `MAX_EDITS` edits, in the user's order.  Immutable."""

    edits: tuple[Edit, ...] = field(default_factory=tuple)

    def __init__(self, edits: Iterable[Edit] = ()):
        edits = tuple(edits)
        if len(edits) > MAX_EDITS:
            raise ValueError(f"{len(edits)} edits are more than the {MAX_EDITS} a stack holds; remove some.")
        object.__setattr__(self, "edits", edits)

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def __len__(self) -> int:
        return len(self.edits)

    def __getitem__(self, index: int) -> Edit:
        return self.edits[index]

    def without_pictures(self) -> EditStack:
        """A copy whose requests hold only the digests of people's own pictures."""
        return EditStack(edit.with_(request=edit.request and edit.request.without_pictures()) for edit in self.edits)

    def save(self, folder: str | Path) -> Path:
        """Write an edit repo, and return its folder: config.json, edit.safetensors (Lambda and D of each edit),
        edit.json (requests, reports), and people's own pictures in the requests.

        Raises ValueError for an empty stack or edits of several generators, OSError if the folder is not writable."""
        if not self.edits:
            raise ValueError("There is no edit to save; rewrite a rule first.")
        if len({edit.base for edit in self.edits}) > 1:
            raise ValueError(
                "These edits were made for different weights; save the edits of each generator separately."
            )
        folder = Path(folder)
        make_folder(folder)
        tensors = {}
        for i, edit in enumerate(self.edits):
            for name, change in zip(_names(i, len(edit.changes)), edit.changes, strict=True):
                tensors |= {f"{name}.factor": change.factor, f"{name}.directions": change.directions}
        first = self.edits[0]
        metadata = {"format": "pt", "library": "rewriting", "base_sha256": first.base}
        write_tensors(folder / FACTORS, {k: v.float() for k, v in tensors.items()}, metadata)
        requests = [edit.request for edit in self.edits if edit.request is not None]
        save_pictures(dict.fromkeys(own for request in requests for own in request.own_pictures()), folder)
        write_json(folder / REQUESTS, [_details(edit) for edit in self.edits])
        write_json(
            folder / CONFIG,
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION if any(edit.further for edit in self.edits) else 1,
                "base_model": {"repo_id": first.generator, "sha256": first.base},
                "layers": [layer for edit in self.edits for layer in edit.layers],
                "ranks": [len(change.directions) for edit in self.edits for change in edit.changes],
                "edits": [_summary(edit) for edit in self.edits],
            },
        )
        return folder

    def save_archive(self, path: str | Path) -> Path:
        """Write the edit repo as a zip.  Raises as `save`."""
        with TemporaryDirectory() as folder:
            return pack(self.save(folder), Path(path))

    @staticmethod
    def load(folder: str | Path) -> EditStack:
        """Read the folder of an edit repo, or a zip of one or several.

        Raises FileNotFoundError or ValueError in one sentence."""
        folder = Path(folder)
        if folder.is_file():
            with unpacked(folder, (CONFIG, FACTORS), _is_optional) as repos:
                return EditStack(edit for where, repo in repos for edit in _inside(folder.name, where, repo))
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise ValueError(f"{CONFIG} does not describe an edit; its format is not {FORMAT!r}.")
        version = config.get("format_version")
        if not is_whole(version, 1, FORMAT_VERSION):
            raise ValueError(f"The edit has format_version {brief(version)}; expected 1 to {FORMAT_VERSION}.")
        summaries, base = config.get("edits"), config.get("base_model") or {}
        if not isinstance(summaries, list) or not 1 <= len(summaries) <= MAX_EDITS or not isinstance(base, dict):
            raise ValueError(f"{CONFIG} does not list 1 to {MAX_EDITS} edits; the file is damaged.")
        shapes: dict[str, tuple[int, ...]] = {}
        for i, one in enumerate(summaries):
            layers = _layers(one, version)
            for name, layer in zip(_names(i, len(layers)), layers, strict=True):
                factor, directions = _shapes(layer)
                shapes |= {f"{name}.factor": factor, f"{name}.directions": directions}
        tensors = read_tensors(folder / FACTORS, shapes)
        details = read_details(folder / REQUESTS, len(summaries))
        changes = [
            [
                LayerChange(layer["layer"], tensors[f"{name}.factor"], tensors[f"{name}.directions"])
                for name, layer in zip(_names(i, len(layers)), layers, strict=True)
            ]
            for i, layers in enumerate(_layers(one, version) for one in summaries)
        ]
        return EditStack(
            Edit(
                layer=changes[i][0].layer,
                factor=changes[i][0].factor,
                directions=changes[i][0].directions,
                further=tuple(changes[i][1:]),
                strength=one.get("strength", 1.0),
                enabled=bool(one.get("enabled", True)),
                name=str(one.get("name", ""))[:200],
                generator=str(base.get("repo_id", ""))[:200],
                base=str(base.get("sha256", ""))[:64],
                **details[i],
            )
            for i, one in enumerate(summaries)
        )


def _is_optional(name: str) -> bool:
    """Whether the name is that of an optional file of an edit repo."""
    return name == REQUESTS or is_part(name)


def _inside(name: str, where: str, repo: Path) -> EditStack:
    """Read the edits of one repo of a zip.  name: of the zip.  where: the repo's folder in it, for the error."""
    try:
        return EditStack.load(repo)
    except (ValueError, FileNotFoundError) as error:
        inside = f", in its folder {few([where])}" if where else ""
        raise ValueError(f"{name} cannot be opened{inside}: {error}") from None


def _summary(edit: Edit) -> dict[str, Any]:
    first, *further = [
        {"layer": one.layer, "factor": list(one.factor.shape), "directions": list(one.directions.shape)}
        for one in edit.changes
    ]
    summary = {
        "name": edit.name,
        "layer": first["layer"],
        "strength": edit.strength,
        "enabled": edit.enabled,
        "factor": first["factor"],
        "directions": first["directions"],
    }
    return summary | {"further": further} if further else summary


def _names(index: int, layers: int) -> list[str]:
    """The names of an edit's changes in the file of factors, one for each layer."""
    return [f"edits.{index}", *(f"edits.{index}.further.{j}" for j in range(layers - 1))]


def _layers(summary: Any, version: int) -> list[Any]:
    """The config's entries of one edit, layer by layer; files of version 2 list more layers under "further"."""
    further = summary.get("further", []) if isinstance(summary, dict) and version > 1 else []
    if not isinstance(further, list) or len(further) >= MAX_LAYERS:
        raise ValueError(
            f"{CONFIG} has a wrong list of further layers, of at most {MAX_LAYERS - 1}; the file is damaged."
        )
    return [summary, *further]


def _details(edit: Edit) -> dict[str, Any]:
    return {
        "request": edit.request.to_json() if edit.request else None,
        "report": asdict(edit.report) if edit.report else None,
    }


def _shapes(summary: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of Lambda and D in the config.  Raises ValueError for impossible ones."""
    try:
        factor, directions = tuple(summary["factor"]), tuple(summary["directions"])
        ok = all(isinstance(n, int) and 1 <= n <= 4096 for n in (*factor, *directions)) and len(factor) == 4
        ok = ok and len(directions) == 2 and factor[1] == directions[0] <= MAX_RANK and max(factor[2:]) <= 7
        ok = ok and is_whole(summary["layer"])
    except (TypeError, KeyError):
        ok = False
    if not ok:
        raise ValueError(f"{CONFIG} describes an impossible edit ({brief(summary)}); the file is damaged.")
    return factor, directions


def read_details(path: Path, count: int) -> list[dict[str, Any]]:
    """Read the requests and reports of `count` edits; a missing file is no error, because edits work without it."""
    if not path.is_file():
        return [{}] * count
    data = read_json(path, most=16 << 20)
    if not isinstance(data, list) or len(data) != count or not all(isinstance(one, dict) for one in data):
        raise ValueError(f"{path.name} does not describe the {count} edits of this folder; the file is damaged.")
    return [_detail(one, path.parent) for one in data]


def _detail(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    report, request = data.get("report"), data.get("request")
    if report is not None:
        if not isinstance(report, dict) or not _is_report(report):
            raise ValueError(f"{REQUESTS} has a wrong report; the file is damaged.")
    return {
        "request": Request.from_json(request).with_pictures_in(folder) if request is not None else None,
        "report": Report(**report) if report is not None else None,
    }


def _is_report(data: dict[str, Any]) -> bool:
    """Whether these are the fields of a `Report`; older reports lack precision and samples."""
    names, newer = {f.name for f in fields(Report)}, {"precision", "samples"}
    measured = {name: value for name, value in data.items() if name != "precision"}
    numbers = all(_number(value) or (value is None and name == "preserved") for name, value in measured.items())
    fit = names - newer <= set(data) <= names and is_whole(data.get("samples", 0), 0)
    return numbers and fit and data.get("precision", "") in ("", *PRECISIONS)


def _number(value: Any) -> bool:
    return is_number(value, -1e300, 1e300)


def make_edit(layer: int, factor: Tensor, directions: Tensor, **details: Any) -> Edit:
    """An edit with detached tensors on the CPU, independent of the device of the solve."""
    return Edit(layer, factor.detach().cpu().clone(), directions.detach().cpu().clone(), **details)


def relative_change(factor: Tensor, weight: Tensor) -> float:
    """|Lambda D| / |W0|, Frobenius: as D's rows are orthonormal, |Lambda| / |W0|."""
    return float(torch.linalg.vector_norm(factor) / torch.linalg.vector_norm(weight))
