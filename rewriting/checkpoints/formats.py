"""Opening a foreign file by its kind; its content consists of objects of `objects`."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, deserialize

from rewriting.checkpoints.contents import CheckpointError, quoted
from rewriting.checkpoints.objects import Storage, TensorView
from rewriting.checkpoints.sniff import MAX_FILE, FileKind, kind_of
from rewriting.checkpoints.torch_file import read_archive, read_legacy, read_pickle

ENDINGS = (".pt", ".pth", ".pkl", ".bin", ".ckpt", ".safetensors")
MOST_SMALLER = 20  # times smaller than its content a zip of weights may be; numbers hardly compress
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@contextmanager
def opened(file: BinaryIO, *, packed: bool = False) -> Iterator[Any]:
    """Open a file of weights; its numbers can be read inside the context.

    packed: whether the file comes from a zip, and so must not be a zip of another file.

    Raises CheckpointError; no code from the file runs.
    """
    kind = kind_of(file.read(512))
    file.seek(0)
    if kind is FileKind.ZIP:
        with _archive(file) as archive:
            names = [entry.filename for entry in archive.infolist()]
            if any(name.endswith("/data.pkl") for name in names):
                yield read_archive(file, archive)
            elif packed:
                raise CheckpointError("It is a zip in a zip; unpack it and give the file of weights itself.")
            else:
                with opened(_only_file(archive), packed=True) as inside:
                    yield inside
    elif kind is FileKind.LEGACY:
        yield read_legacy(file)
    elif kind is FileKind.PICKLE:
        yield read_pickle(file)
    elif kind is FileKind.SAFETENSORS:
        yield _read_safetensors(file.read())
    else:
        raise CheckpointError("It holds a file of another kind than weights; give the file of weights itself.")


@contextmanager
def _archive(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except Exception:  # of zipfile and struct, of many types
        raise CheckpointError("It is a zip archive, but not a whole one; fetch it again.") from None
    with archive:
        yield archive


def _only_file(archive: zipfile.ZipFile) -> BinaryIO:
    """The only file of weights in a zip."""
    entries = [
        entry
        for entry in archive.infolist()
        if entry.filename.lower().endswith(ENDINGS) and not PurePosixPath(entry.filename).name.startswith("._")
    ]
    if len(entries) != 1:
        listed = ", ".join(quoted(PurePosixPath(entry.filename).name, 40) for entry in entries[:4])
        what = f"several files of weights, {listed}" if entries else "no file of weights"
        raise CheckpointError(f"It is a zip archive with {what}; unpack it and give the one that is meant.")
    (entry,) = entries
    if entry.file_size > min(MAX_FILE, MOST_SMALLER * entry.compress_size):
        raise CheckpointError(f"It is a zip that unpacks to {entry.file_size:,} bytes, far more than weights do.")
    try:
        return io.BytesIO(archive.read(entry))
    except MemoryError:
        raise
    except Exception:  # of zipfile, zlib and struct, of many types
        raise CheckpointError("It is a zip whose content is damaged or locked; fetch or pack it again.") from None


def _read_safetensors(data: bytes) -> dict[str, TensorView]:
    try:
        entries = deserialize(data)
    except SafetensorError:
        raise CheckpointError("It is not a whole safetensors file; fetch it again.") from None
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in TYPES:
            raise CheckpointError(f"It stores {quoted(name)} as {quoted(entry['dtype'])}; expected ordinary numbers.")
        tensors[name] = _stored(TYPES[entry["dtype"]], entry["shape"], bytes(entry["data"]))
    return tensors


def _stored(dtype: torch.dtype, shape: list[int], data: bytes) -> TensorView:
    width = dtype.itemsize
    storage = Storage(dtype, len(data) // width, lambda first, count: data[first * width : (first + count) * width])
    return TensorView(storage, 0, shape, [math.prod(shape[i + 1 :]) for i in range(len(shape))])
