"""The kind of a file, from its first bytes, because the names of untrusted files are not reliable."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from rewriting.checkpoints.contents import CheckpointError, quoted
from rewriting.files import POINTED, POINTER

MAX_FILE = 4 << 30
TORCH_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled number that torch.save once began with
OTHERS = (
    (b"\x89HDF\r\n", "an HDF5 file, as Keras and Flax models come in; look for a .pt or .pkl of the same model"),
    (b"\x1f\x8b", "a gzip archive; unpack it and give the file inside"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it and give the file inside"),
    (b"Rar!", "a RAR archive; unpack it and give the file inside"),
    (POINTER, POINTED),
    (b"\x89PNG", "a picture; give a file of weights"),
    (b"\xff\xd8\xff", "a picture; give a file of weights"),
)


class FileKind(StrEnum):
    """ZIP: the format of torch.save, or a zip of one file of weights.  LEGACY: the format of torch.save before 2020.
    PICKLE: a bare pickle, as NVIDIA publishes."""

    ZIP = "zip"
    LEGACY = "legacy"
    PICKLE = "pickle"
    SAFETENSORS = "safetensors"


def sniff(path: Path) -> FileKind:
    """The kind of a file.  Raises FileNotFoundError, or CheckpointError with the actual kind of another file."""
    name = quoted(path.name)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {name}; check the path.")
    size = path.stat().st_size
    if not 16 <= size <= MAX_FILE:
        raise CheckpointError(f"{name} has {size:,} bytes; a file of weights has 16 to {MAX_FILE:,}.")
    with path.open("rb") as file:
        head = file.read(512)
    if (kind := kind_of(head)) is None:
        raise CheckpointError(f"{name} is {_other(head)}.")
    return kind


def kind_of(head: bytes) -> FileKind | None:
    """The kind by a file's first 16 bytes or more; None for an unsupported kind."""
    if head.startswith(b"PK\x03\x04"):
        return FileKind.ZIP
    if head.startswith(TORCH_LEGACY):
        return FileKind.LEGACY
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return FileKind.PICKLE
    return FileKind.SAFETENSORS if head[8:9] == b"{" else None


def _other(head: bytes) -> str:
    for magic, what in OTHERS:
        if head.startswith(magic):
            return what
    if head[257:262] == b"ustar":
        return "a tar archive or a file of PyTorch before 0.1.10; unpack it, or save it again with a newer PyTorch"
    if head.lstrip()[:1] == b"<":
        return "a web page, not weights; the link may need a click in a browser"
    return "neither a PyTorch file nor an NVIDIA pickle; expected .pt, .pth, .pkl or .safetensors"
