"""Checks of values from files, callers and clients.

A check is a function `(value, name) -> value` that returns the value, perhaps normalised, or raises a `ValueError` of
one sentence with the name, the expected form and the actual value.
"""

import math
import re
import reprlib
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

Check = Callable[[Any, str], Any]

MAX_PICTURE_CHARS = 8_000_000
"""Most characters of a picture's URL; a 1024 x 1024 PNG of noise has about 4.2 million in base64."""

_PICTURE_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,|https?://|/(?!/)")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def is_whole(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether a value is an integer from `low` to `high`, including numpy's, but not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high


def is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether a value is a finite number from `low` to `high`, including numpy's, but not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and low <= value <= high and math.isfinite(value)


def brief(value: object) -> str:
    """A short, single-line rendering of any value, for a message."""
    if isinstance(value, str) and len(value) > 60:
        return f"text of {len(value)} characters"
    if isinstance(value, bytes | list | tuple | dict | set) and len(value) > 20:
        return f"a {type(value).__name__} of {len(value)} items"
    line = " ".join(reprlib.repr(value).split())
    return line if len(line) <= 60 else line[:57] + "..."


def refuse(name: str, wanted: str, value: object) -> ValueError:
    """The error of every check."""
    return ValueError(f"{name} must be {wanted}, not {brief(value)}.")


def flag(value: Any, name: str) -> bool:
    """Check for a bool, not a merely truthy value."""
    if not isinstance(value, bool):
        raise refuse(name, "true or false", value)
    return value


def string(value: Any, name: str) -> str:
    """Check for any text."""
    if not isinstance(value, str):
        raise refuse(name, "a text", value)
    return value


def table(value: Any, name: str) -> Mapping:
    """Check for a JSON object, or another mapping, with any content."""
    if not isinstance(value, Mapping):
        raise refuse(name, "a JSON object", value)
    return value


def colour(value: Any, name: str) -> str:
    """Check for a colour like `#3538cd`, or "" for the theme's accent."""
    if value == "" or (isinstance(value, str) and _COLOUR.fullmatch(value)):
        return value
    raise refuse(name, 'a colour like "#3538cd"', value)


def picture(value: Any, name: str) -> str:
    """Check for the URL of a picture: a PNG, JPEG or WebP data URL, an http(s) URL, a path of this server, or ""."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise refuse(name, "the URL of a picture", value)
    if len(value) > MAX_PICTURE_CHARS or not _PICTURE_URL.match(value):
        raise refuse(name, f"a data:image/..., http(s) or /path URL of at most {MAX_PICTURE_CHARS} characters", value)
    return value


def text(limit: int) -> Check:
    """A check for one line of text of at most `limit` characters; runs of white space become one space."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or len(value) > 4 * limit:
            raise refuse(name, f"text of at most {limit} characters", value)
        line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
        if len(line) > limit:
            raise refuse(name, f"text of at most {limit} characters", value)
        return line

    return check


def whole(low: int, high: int) -> Check:
    """A check for a whole number from `low` to `high`; 3.0 passes as 3, because JSON does not distinguish them."""

    def check(value: Any, name: str) -> int:
        if not is_number(value, low, high) or value != int(value):
            raise refuse(name, f"a whole number from {low} to {high}", value)
        return int(value)

    return check


def number(low: float, high: float) -> Check:
    """A check for a finite number from `low` to `high`."""

    def check(value: Any, name: str) -> float:
        if not is_number(value, low, high):
            raise refuse(name, f"a number from {low:,.12g} to {high:,.12g}", value)
        return float(value)

    return check


def one_of(*choices: str) -> Check:
    """A check for one of the given words."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise refuse(name, "one of " + ", ".join(choices), value)
        return value

    return check


def optional(inner: Check) -> Check:
    """A check that also lets None through."""
    return lambda value, name: None if value is None else inner(value, name)


def listing(inner: Check, limit: int) -> Check:
    """A check for a list of at most `limit` items, each of which passes `inner`."""

    def check(value: Any, name: str) -> list:
        if not isinstance(value, list | tuple) or len(value) > limit:
            raise refuse(name, f"a list of at most {limit} items", value)
        return [inner(item, f"{name}[{index}]") for index, item in enumerate(value)]

    return check


def record(required: Mapping[str, Check], extra: Mapping[str, Check] | None = None) -> Check:
    """A check for an object with all `required` keys, optional `extra` keys, and no others."""
    known = {**required, **(extra or {})}

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise refuse(name, "an object with " + ", ".join(known), value)
        unknown = [key for key in value if key not in known]
        missing = [key for key in required if key not in value]
        if unknown:
            raise ValueError(f"{name} has the unknown key {brief(unknown[0])}; the keys are {', '.join(known)}.")
        if missing:
            raise ValueError(f"{name} lacks the key {missing[0]!r}; the keys are {', '.join(known)}.")
        return {key: known[key](item, f"{name}.{key}") for key, item in value.items()}

    return check


def check_fields(record: Any, takes: Mapping[str, Check]) -> None:
    """Check fields of a frozen dataclass by name, and store the normalised values."""
    for name, check in takes.items():
        object.__setattr__(record, name, check(getattr(record, name), name))
