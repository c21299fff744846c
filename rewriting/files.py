"""JSON and safetensors files, which may come from anybody: checked before they are used, and written whole or not at
all.

PyTorch is imported where tensors are read or written, so that what needs none of them starts at once.
"""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safetensors import safe_open
    from torch import Tensor

DTYPES = {"F32", "F16", "BF16"}
MAX_JSON = 1 << 20  # bytes


def brief(value: object) -> str:
    """A value out of a stranger's file, for a message: its repr, cut short."""
    return reprlib.repr(value)[:80]


def read_json(path: Path, most: int = MAX_JSON) -> object:
    """Parsed JSON of at most `most` bytes."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; is {path.parent.name} the right folder?")
    if path.stat().st_size > most:
        raise ValueError(f"{path.name} is {path.stat().st_size:,} bytes; {most:,} is the most that is read.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, numbers of thousands of digits, too deep
        raise ValueError(f"{path.name} is not JSON ({type(error).__name__}); fetch or write it again.") from None


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The float tensors of a safetensors file as float32, if exactly the expected ones are in it and all are finite.

    Names, types and shapes are compared from the header, before anything is allocated.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; is {path.parent.name} complete?")
    try:
        with safe_open(path, "pt") as file:
            _check_header(path.name, file, expected)
            tensors = {name: file.get_tensor(name).float() for name in expected}
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a whole safetensors file ({error}); fetch it again.") from None
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{path.name} has values in {name} that are not finite; it cannot be used.")
    return tensors


def _check_header(name: str, file: safe_open, expected: Mapping[str, tuple[int, ...]]) -> None:
    keys = set(file.keys())
    missing, unknown = sorted(expected.keys() - keys), sorted(keys - expected.keys())
    if missing or unknown:
        lacks = f" lacks {shown(missing)}" if missing else ""
        has = f" has {shown(unknown)}, which the config does not call for" if unknown else ""
        raise ValueError(f"{name}{lacks}{' and' if lacks and has else ''}{has}; do the two files belong together?")
    for key, shape in expected.items():
        part = file.get_slice(key)
        if part.get_dtype() not in DTYPES:
            raise ValueError(
                f"{name} stores {key} as {part.get_dtype()}; expected one of {', '.join(sorted(DTYPES))}."
            )
        if tuple(part.get_shape()) != tuple(shape):
            raise ValueError(
                f"{name} has {key} of shape {tuple(part.get_shape())}, but the config makes it {tuple(shape)}."
            )


def shown(names: list[str], most: int = 3) -> str:
    """A few of the names, cut short: they come from files of strangers."""
    listed = ", ".join(name[:60] if name.isprintable() else brief(name) for name in names[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def cache_root() -> Path:
    """What is kept for the next start lies here: `REWRITING_CACHE`, or in the user's cache."""
    root = os.environ.get("REWRITING_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rewriting"
    return Path(root).expanduser()


def _partial(path: Path) -> Path:
    """Beside the file, and another one for every process that writes it."""
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    from safetensors.torch import save_file

    partial = _partial(path)
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, partial, dict(metadata))
    partial.chmod(0o644)  # safetensors makes files that only their owner can read
    os.replace(partial, path)


def write_json(path: Path, data: object) -> None:
    partial = _partial(path)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # lone surrogates become JSON's escape
    os.replace(partial, path)
