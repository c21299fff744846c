"""Requests: the goal of a rule, by copy and paste, by erasing or by retouched pictures, its context, and its JSON.

Saved sessions of the paper's code open, too: {"object": [picture, mask], "paste": [...], "key": [[...], ...]}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewriting.checks import (
    brief,
    check_fields,
    flag,
    is_whole,
    number,
    one_of,
    optional,
    refuse,
    string,
    table,
    whole,
)
from rewriting.core.masks import decode_mask, encode_mask
from rewriting.core.own_files import load_pictures, save_pictures
from rewriting.core.retouch import Retouched
from rewriting.core.transform import Transform
from rewriting.files import read_json, write_json
from rewriting.generators.config import MAX_CLASSES
from rewriting.generators.latents import SEEDINGS, Numbering
from rewriting.generators.own_picture import MissingPicture, OwnPicture, Seed, as_seed, check_there, seed_json

if TYPE_CHECKING:
    from rewriting.generators import Generator

FORMAT = "rewriting-request"
FORMAT_VERSION = 5  # the newest; a file has the lowest version that can hold it, see `Request._version`
SINCE = {"retouched": 2, "transform": 4, "label": 5}  # the first version of files with a field
MAX_REGIONS = 64
MAX_RETOUCHED = 16
MAX_RANK = 64
MAX_FILE = 16 << 20
SESSION = "session of the paper's code"
UPSTREAM_KEYS = {"object", "paste", "key", "query"}


@dataclass(frozen=True, eq=False)
class Region:
    """A place in a picture.  seed: the number of the picture, or a picture of one's own.

    mask: (H, H), stored as uint8, 255 where painted.  Bool and other integers from 0 to 255 are converted.  Raises
    ValueError for floats, and for integers of 0 and 1 only, whose meaning is not clear.
    """

    seed: Seed
    mask: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", as_seed(self.seed))
        mask = np.asarray(self.mask)
        if mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
            raise ValueError(f"the mask on picture {self.seed} has shape {mask.shape}; expected a square.")
        object.__setattr__(self, "mask", _as_uint8(mask, self.seed))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and self.seed == other.seed and np.array_equal(self.mask, other.mask)

    @property
    def empty(self) -> bool:
        return not self.mask.any()

    @classmethod
    def from_json(cls, data: Any, what: str) -> Region:
        """From {"seed": 3, "mask": "data:..."} or, as the paper's sessions have it, [3, "data:..."]."""
        if isinstance(data, list) and len(data) == 2:
            data = {"seed": data[0], "mask": data[1]}
        if not isinstance(data, Mapping) or set(data) != {"seed", "mask"}:
            raise ValueError(f'{what} is not of the form {{"seed": picture number, "mask": PNG data URL}}.')
        try:
            return cls(data["seed"], decode_mask(data["mask"]))
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None

    def to_json(self) -> dict[str, Any]:
        return {"seed": seed_json(self.seed), "mask": encode_mask(self.mask)}


TAKES = {
    **dict.fromkeys(("erase", "everywhere"), flag),
    "layer": optional(whole(1, 32)),
    "rank": optional(whole(1, MAX_RANK)),
    "units": optional(whole(1, 4096)),
    "locality": optional(number(0, 1e6)),
    "truncation": optional(number(0, 2)),
    "seeding": one_of(*SEEDINGS),
    "label": whole(0, MAX_CLASSES - 1),
    **dict.fromkeys(("generator", "name", "description"), string),
    "notes": table,
}


@dataclass(frozen=True)
class Request:
    """The request for one rule.

    copy, paste: the object, and its new place: the centre of the paste mask's bounding box.
    transform: the object's size, angle and side where it is pasted; by default those of the copied one.
    context: the places that the rule should change; by default the place of the paste.
    preserve: the places that the rule must not change.
    erase: instead of copy and paste, remove the object in the context.
    retouched: instead of copy and paste, retouched pictures as the goal; their changed areas belong to the context.
    everywhere: paste into all context pictures, at the centre of each painted area, instead of into one picture.
    A retouch is transferred to the context in any case.
    layer, rank, locality, units: None leaves the choice to the rewriter.  rank: 1 to 64.  locality: weight against
    changes elsewhere and against large changes, 0 or more.  units: for erase, number of features to set to zero.
    generator: name or Hub id of its generator.  seeding, truncation, label: the meaning of the picture numbers; label
    is the class of a generator with classes.
    Raises ValueError for a value out of range.
    """

    copy: Region | None = None
    paste: Region | None = None
    context: tuple[Region, ...] = ()
    preserve: tuple[Region, ...] = ()
    erase: bool = False
    everywhere: bool = False
    layer: int | None = None
    rank: int | None = None
    locality: float | None = None
    units: int | None = None
    generator: str = ""
    seeding: str = "seed"
    truncation: float | None = None
    name: str = ""
    description: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict, compare=False)
    retouched: tuple[Retouched, ...] = ()
    transform: Transform = Transform()
    label: int = 0

    def __post_init__(self) -> None:
        for name, most in (("context", MAX_REGIONS), ("preserve", MAX_REGIONS), ("retouched", MAX_RETOUCHED)):
            places = tuple(getattr(self, name))
            if len(places) > most:
                raise ValueError(f"{name} has {len(places)} places; {most} is the most that is used.")
            object.__setattr__(self, name, places)
        if self.erase and self.retouched:
            raise ValueError("The request erases and has retouched pictures; choose one of the two.")
        if len({one.seed for one in self.retouched}) < len(self.retouched):
            raise ValueError("Two of the retouched pictures have the same number; keep one of them.")
        if not isinstance(self.transform, Transform):
            raise refuse("transform", "a Transform", self.transform)
        check_fields(self, TAKES)

    @property
    def numbering(self) -> Numbering:
        """The meaning of the picture numbers."""
        return Numbering(self.seeding, self.truncation, self.label)

    @property
    def places(self) -> tuple[Region, ...]:
        """The places that the rule should change: the context, and the changed areas of retouched pictures that have
        no place in the context.  Without either, the place of the paste, unless the request erases."""
        painted = {region.seed for region in self.context if not region.empty}
        changed = [one for one in self.retouched if one.seed not in painted and not one.empty]
        places = (*self.context, *(Region(one.seed, one.mask) for one in changed))
        return places or ((self.paste,) if self.paste and not self.erase else ())

    def missing(self) -> str:
        """The next step to complete the request, as an imperative; "" for a complete request."""
        if self.retouched:
            return "" if any(not region.empty for region in self.places) else "retouch a picture"
        if self.erase:
            return "" if any(not region.empty for region in self.places) else "paint the object to erase"
        if self.copy is None or self.copy.empty:
            return "paint the object to copy"
        if self.paste is None or self.paste.empty:
            return "place the object in another picture"
        return "" if any(not region.empty for region in self.places) else "paint a place that the rule should change"

    @property
    def is_session(self) -> bool:
        """Whether it is a saved session of the paper's code, which does not name its generator."""
        return not self.generator and self.notes.get("source") == SESSION

    def check_pictures(self, generator: Generator, *names: str) -> None:
        """Raise ValueError if the request was made on pictures of another generator, or of an unknown one.

        names: further names of this generator."""
        from rewriting.generators.folder import is_copy  # with PyTorch, which a list of requests does not need

        if self.is_session:
            raise ValueError(
                "A saved session of the paper's code does not name its generator; to use it with this one, solve it "
                "with for_other_pictures=True (in a shell, `--for-other-pictures`)."
            )
        known = {name.partition("@")[0] for name in (*generator.names, *names)}
        if self.generator and self.generator.partition("@")[0] not in known and not is_copy(generator, self.generator):
            raise ValueError(
                f"The request was made on pictures of {brief(self.generator)}, and its picture numbers mean "
                f"other pictures here; use that generator, or solve it with for_other_pictures=True (in a shell, "
                f"`--for-other-pictures`)."
            )

    def check(self) -> None:
        """Raise ValueError if the request is incomplete or lacks a picture."""
        if self.missing():
            raise ValueError(f"The request is not complete: {self.missing()} first.")
        for region in self._regions():
            check_there(region.seed)

    def nbytes(self) -> int:
        """The memory of its masks and patches in bytes."""
        return sum(one.patch.nbytes if isinstance(one, Retouched) else one.mask.nbytes for one in self._regions())

    # --- people's own pictures ------------------------------------------------------------------------------------

    def _regions(self) -> list[Region | Retouched]:
        named = [region for region in (self.copy, self.paste) if region is not None]
        return [*named, *self.context, *self.preserve, *self.retouched]

    def own_pictures(self) -> list[OwnPicture]:
        """People's own pictures in the request, each once."""
        return list(dict.fromkeys(one.seed for one in self._regions() if isinstance(one.seed, OwnPicture)))

    def missing_pictures(self) -> list[str]:
        """Digests of people's own pictures that are missing; without them the request cannot be solved."""
        return list(dict.fromkeys(one.seed.digest for one in self._regions() if isinstance(one.seed, MissingPicture)))

    def with_pictures(self, pictures: Iterable[OwnPicture]) -> Request:
        """A copy with these pictures in place of their digests."""
        found = {picture.digest: picture for picture in pictures}

        def given(place: Region | Retouched) -> Region | Retouched:
            missing = isinstance(place.seed, MissingPicture) and place.seed.digest in found
            return replace(place, seed=found[place.seed.digest]) if missing else place

        return self._with_places(given)

    def without_pictures(self) -> Request:
        """A copy with digests in place of people's own pictures, and without their colours."""

        def taken(place: Region | Retouched) -> Region | Retouched:
            if not isinstance(place.seed, OwnPicture):
                return place
            bare = place.without_colours() if isinstance(place, Retouched) else place
            return replace(bare, seed=MissingPicture(place.seed.digest))

        return self._with_places(taken)

    def _with_places(self, change: Callable[[Any], Any]) -> Request:
        one = {name: place and change(place) for name, place in (("copy", self.copy), ("paste", self.paste))}
        many = {name: tuple(map(change, getattr(self, name))) for name in ("context", "preserve", "retouched")}
        return replace(self, **one, **many)

    # --- files ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, data: Any) -> Request:
        """A request from parsed JSON, ours or a session of the paper's code.  Raises ValueError in one sentence."""
        if not isinstance(data, Mapping):
            raise ValueError("A request is a JSON object; this file holds something else.")
        if "format" not in data and data.keys() & UPSTREAM_KEYS:
            return cls._from_session(data)
        if data.get("format") != FORMAT:
            stated = f"says format {brief(data['format'])}" if "format" in data else "does not say its format"
            raise ValueError(f"This file {stated}; open a request that the studio saved, of the format {FORMAT!r}.")
        version = data.get("format_version")
        if not is_whole(version, 1, FORMAT_VERSION):
            raise ValueError(f"The request has format_version {brief(version)}; expected 1 to {FORMAT_VERSION}.")
        known = {f.name for f in fields(cls) if SINCE.get(f.name, 1) <= version}
        unknown = sorted(data.keys() - known - {"format", "format_version"})
        if unknown:
            raise ValueError(f"A request has no {unknown[0][:60]!r}; it may have {', '.join(sorted(known))}.")
        values = {k: v for k, v in data.items() if k in known}
        for name in ("copy", "paste"):
            if values.get(name) is not None:
                values[name] = Region.from_json(values[name], name)
        for name in ("context", "preserve"):
            values[name] = _places(values.get(name, []), name, Region, MAX_REGIONS)
        values["retouched"] = _places(values.get("retouched", []), "retouched", Retouched, MAX_RETOUCHED)
        if "transform" in values:
            values["transform"] = Transform.from_json(values["transform"])
        return cls(**values)

    @classmethod
    def _from_session(cls, data: Mapping[str, Any]) -> Request:
        unknown = sorted(data.keys() - UPSTREAM_KEYS)
        if unknown:
            raise ValueError(
                f"A saved session has no {unknown[0][:60]!r}; it may have {', '.join(sorted(UPSTREAM_KEYS))}."
            )
        return cls(
            copy=Region.from_json(data["object"], "object") if data.get("object") else None,
            paste=Region.from_json(data["paste"], "paste") if data.get("paste") else None,
            context=_places(data.get("key") or [], "key", Region, MAX_REGIONS),
            erase=not data.get("object"),
            seeding="row",
            truncation=0.5,
            notes={"source": SESSION},
        )

    def _version(self) -> int:
        """The lowest version of the format that can hold the request."""
        if self.label:
            return 5
        if not self.transform.identity:
            return 4
        if self.own_pictures() or self.missing_pictures():
            return 3
        return 2 if self.retouched else 1

    def to_json(self) -> dict[str, Any]:
        """JSON data without default values, and with the digests of people's own pictures."""
        data: dict[str, Any] = {"format": FORMAT, "format_version": self._version()}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Region):
                data[f.name] = value.to_json()
            elif isinstance(value, Transform):
                data |= {f.name: value.to_json()} if not value.identity else {}
            elif isinstance(value, tuple):
                data |= {f.name: [place.to_json() for place in value]} if value else {}
            elif isinstance(value, Mapping):
                data |= {f.name: dict(value)} if value else {}
            elif value is not None and value is not False and value != "" and (f.name, value) != ("label", 0):
                data[f.name] = value
        return data

    @classmethod
    def load(cls, path: str | Path) -> Request:
        """Read a request or session file of at most 16 MiB, and people's own pictures beside it.

        Raises FileNotFoundError or ValueError in one sentence.
        """
        return cls.from_json(read_json(Path(path), MAX_FILE)).with_pictures_in(Path(path).parent)

    def with_pictures_in(self, folder: Path) -> Request:
        """A copy with the missing pictures that are in the folder.  Raises ValueError if one of them is damaged."""
        missing = self.missing_pictures()
        return self.with_pictures(load_pictures(folder, missing)) if missing else self

    def save(self, path: str | Path) -> Path:
        """Write the request, with people's own pictures beside it, and return the path.

        Raises OSError in one sentence.
        """
        path = Path(path)
        if own := self.own_pictures():
            save_pictures(own, path.parent)
        write_json(path, self.to_json(), indent=1)
        return path

    def with_(self, **changes: Any) -> Request:
        """A copy with some fields changed."""
        return replace(self, **changes)


def _as_uint8(mask: np.ndarray, seed: Seed) -> np.ndarray:
    if mask.dtype == bool:
        return mask.astype(np.uint8) * 255
    if not np.issubdtype(mask.dtype, np.integer):
        raise ValueError(f"the mask on picture {seed} holds {mask.dtype}; give bool, or uint8 with 255 where painted.")
    low, high = (int(mask.min()), int(mask.max())) if mask.size else (0, 0)
    if low < 0 or high > 255 or high == 1:
        raise ValueError(
            f"the mask on picture {seed} holds {low} to {high}; give bool, or uint8 with 255 where painted."
        )
    return mask.astype(np.uint8)


def _places(data: Any, what: str, kind: type[Region] | type[Retouched], most: int) -> tuple[Any, ...]:
    """The first `most` + 1 places of a list, so that `Request` refuses a longer list."""
    if not isinstance(data, list):
        raise ValueError(f"{what} is not a list of places.")
    return tuple(kind.from_json(one, f"{what} {i + 1}") for i, one in enumerate(data[: most + 1]))
