"""Reading and writing files: JSON, safetensors, pictures.

Files are not trusted, so their content is checked before use.  Files are written completely or not at all.  Errors of
the libraries become one sentence: ValueError or FileNotFoundError for reading, OSError for writing.

Functions import PyTorch and Pillow when they need them, so that other commands start at once.
"""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from rewriting.checks import brief

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

DTYPES = {"F32", "F16", "BF16"}
MAX_JSON = 1 << 20  # bytes
POINTER = b"version https://git-lfs"  # the beginning of a Git LFS pointer in place of a large file
POINTED = "a Git LFS pointer and not the file itself; run `git lfs pull` in its folder, or download the file"
WHY = {  # reasons why a file cannot be written
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "no file may be that large there",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.ENOENT: "its folder does not exist",
    errno.ENOTDIR: "a part of its path is a file and no folder",
    errno.EEXIST: "a part of its path is a file and no folder",
    errno.EISDIR: "a folder has its name",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EIO: "the disk reports an error",
}


def few(names: Sequence[str], most: int = 3) -> str:
    """A few of the names, shortened, because they come from untrusted files."""
    listed = ", ".join(name if name.isprintable() and len(name) <= 80 else brief(name) for name in names[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


# --- reading ---------------------------------------------------------------------------------------------------------


def check_there(path: Path, most: int | None = None) -> None:
    """Raise FileNotFoundError if a file is missing, ValueError if it has more than `most` bytes or is a Git LFS
    pointer."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path.name} in {path.parent.name or 'this folder'}; check the path.")
    size = path.stat().st_size
    if most is not None and size > most:
        raise ValueError(f"{path.name} has {size:,} bytes; {most:,} is the most that is read.")
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise ValueError(f"{path.name} is {POINTED}.")


def read_json(path: Path, most: int = MAX_JSON) -> object:
    """Read JSON of at most `most` bytes, in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark."""
    check_there(path, most)
    try:
        return json.loads(path.read_bytes())  # from bytes, it detects the encoding
    except (ValueError, RecursionError):  # wrong text or JSON, numbers of thousands of digits, deep nesting
        raise ValueError(f"{path.name} is not JSON; fetch or save it again.") from None


@contextmanager
def opened_tensors(path: Path) -> Iterator[safe_open]:
    """Open a safetensors file, to read PyTorch tensors one by one.  Raises ValueError for a damaged file."""
    check_there(path)
    try:
        with safe_open(path, "pt") as file:
            yield file
    except SafetensorError:
        raise ValueError(f"{path.name} is not a whole safetensors file; fetch it again.") from None


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read the float tensors of a safetensors file as float32.

    expected: {name: shape} of all tensors.  Names, types and shapes are compared in the header, before memory is
    allocated.  Raises ValueError for other tensors, or values that are not finite.
    """
    import torch  # slow to import, and reading a config needs no tensors

    with opened_tensors(path) as file:
        _check_header(path.name, file, expected)
        tensors = {name: file.get_tensor(name).float() for name in expected}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{path.name} has values in {name} that are not finite; use another file.")
    return tensors


def _check_header(name: str, file: safe_open, expected: Mapping[str, tuple[int, ...]]) -> None:
    keys = set(file.keys())
    missing, unknown = sorted(expected.keys() - keys), sorted(keys - expected.keys())
    if missing or unknown:
        lacks = f" lacks {few(missing)}" if missing else ""
        has = f" has {few(unknown)}, which the config does not call for" if unknown else ""
        raise ValueError(
            f"{name}{lacks}{' and' if lacks and has else ''}{has}; check that the two files belong together."
        )
    for key, shape in expected.items():
        part = file.get_slice(key)
        if part.get_dtype() not in DTYPES:
            raise ValueError(
                f"{name} stores {key} as {part.get_dtype()}; expected one of {', '.join(sorted(DTYPES))}."
            )
        if tuple(part.get_shape()) != tuple(shape):
            raise ValueError(
                f"{name} has {key} of shape {tuple(part.get_shape())}, but the config expects {tuple(shape)}."
            )


def read_picture(path: Path) -> Image.Image:
    """Read a PNG, JPEG or WebP of this software in RGB.  Raises ValueError for a damaged file."""
    from PIL import Image  # slow to import, and reading a config needs no pictures

    check_there(path)
    try:
        with Image.open(path, formats=["PNG", "JPEG", "WEBP"]) as picture:
            return picture.convert("RGB")
    except Exception:  # Pillow's own errors, of many types
        raise ValueError(f"{path.name} is not a whole picture; fetch it again.") from None


# --- writing ---------------------------------------------------------------------------------------------------------


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a temporary file that replaces `path` at the end of the block, or disappears after an error.

    Raises OSError in one sentence if the path is not writable.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # a name of this process
    try:
        yield partial
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create a missing folder, and those above it.  Raises OSError in one sentence on failure."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_writable(path: Path) -> None:
    """Raise OSError in one sentence if a path is not writable, before a long computation.

    The check leaves no file, and creates no folders.
    """
    folder = path.parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        if path.is_dir():
            raise OSError(errno.EISDIR, "")
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    from safetensors.torch import save_file  # imports torch: see above

    with writing(path) as partial:
        save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, partial, dict(metadata))
        partial.chmod(0o644)  # safetensors creates files that only their owner can read


def write_json(path: Path, data: object, indent: int = 2) -> None:
    write_text(path, json.dumps(data, indent=indent, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    with writing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # writes lone surrogates as JSON escapes


def _unwritable(path: Path, error: OSError | SafetensorError) -> OSError:
    return OSError(f"{path.name} cannot be written: {why(error)}; correct that, or choose another folder.")


def why(error: Exception) -> str:
    """The reason why a file cannot be written, in a few words without a path."""
    number = getattr(error, "errno", None)
    if number is None and (told := re.search(r"\(os error (\d+)\)", str(error))):  # of safetensors
        number = int(told[1])
    return WHY.get(number) or (os.strerror(number).lower() if number else "the system does not say why")


# --- cache -----------------------------------------------------------------------------------------------------------


def cache_root() -> Path:
    """The folder of this software's cache: `REWRITING_CACHE`, or in the user's cache."""
    root = os.environ.get("REWRITING_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rewriting"
    return Path(root).expanduser()
