"""Files of torch.save: zip archives since 2020, and before that a sequence of pickles followed by the numbers.

This reader does not use PyTorch's.  `unpickler` interprets the pickle that describes the tensors, and numbers are read
on demand, after a comparison of the declared with the stored sizes.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

from rewriting.checkpoints.contents import CheckpointError, quoted
from rewriting.checkpoints.objects import MEANT, TYPES, Global, Storage
from rewriting.checkpoints.unpickler import Interpreter

MAX_RECORDS = 20_000
LOCAL_HEADER = 30  # bytes before a record's name
CHUNK = 1 << 20
Declared = dict[str, Storage]


# --- archives --------------------------------------------------------------------------------------------------------


def read_archive(file: BinaryIO, archive: zipfile.ZipFile) -> Any:
    """Read the object in an open archive of torch.save.  Raises CheckpointError; no code from it runs."""
    entries = archive.infolist()
    _check_entries(entries, _size(file))
    root = entries[0].filename.split("/")[0]
    records = {entry.filename: Record(file, entry) for entry in entries}
    if f"{root}/constants.pkl" in records:
        raise CheckpointError("It is a TorchScript program and not weights; look for the model's state dict.")
    if f"{root}/data.pkl" not in records:
        raise CheckpointError("It is an archive without the description of its tensors; fetch it again.")
    if f"{root}/byteorder" in records and records[f"{root}/byteorder"].all() != b"little":
        raise CheckpointError("It was written on a machine of another byte order; save it again on a usual one.")

    def declare(key: str, name: str, count: int) -> Storage:
        record, width = records.get(f"{root}/data/{key}"), TYPES[name].itemsize
        if record is None:
            raise CheckpointError(f"It declares the storage {quoted(key)} but does not hold it; it is cut short.")
        if count * width > record.size:
            raise CheckpointError(
                f"It declares {count * width:,} bytes for a storage of {record.size:,}; it is damaged."
            )
        return Storage(TYPES[name], count, lambda first, n: record.part(first * width, n * width))

    return read_pickle(io.BytesIO(records[f"{root}/data.pkl"].all()), _storages(declare, {}))


class Record:
    """An uncompressed record of an archive, whose checksum is compared before any part of it is returned.

    PyTorch's own reader does not compare checksums, and Python's refuses records without one, which PyTorch can write.
    """

    def __init__(self, file: BinaryIO, entry: zipfile.ZipInfo):
        self.size, self._file, self._entry = entry.file_size, file, entry
        self._start: int | None = None

    def all(self) -> bytes:
        return self.part(0, self.size)

    def part(self, first: int, count: int) -> bytes:
        if self._start is None:
            self._start = self._checked()
        self._file.seek(self._start + first)
        return self._file.read(count)

    def _checked(self) -> int:
        """The offset of its bytes, after its local header, whose name and extra field may have other lengths."""
        self._file.seek(self._entry.header_offset)
        header = self._file.read(LOCAL_HEADER)
        if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            raise CheckpointError("It is an archive whose records are not where it says; fetch it again.")
        start = self._file.seek(sum(int.from_bytes(header[i : i + 2], "little") for i in (26, 28)), io.SEEK_CUR)
        remaining, checksum = self.size, 0
        while remaining and (chunk := self._file.read(min(remaining, CHUNK))):
            remaining, checksum = remaining - len(chunk), zlib.crc32(chunk, checksum)
        if remaining or (self._entry.CRC and checksum != self._entry.CRC):
            raise CheckpointError(f"Its record {quoted(self._entry.filename)} is damaged; fetch it again.")
        return start


def _check_entries(entries: list[zipfile.ZipInfo], total: int) -> None:
    names = {entry.filename for entry in entries}
    if len(entries) > MAX_RECORDS or len(names) != len(entries):
        raise CheckpointError(
            f"It is an archive of {len(entries):,} records under {len(names):,} names; it is damaged."
        )
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        raise CheckpointError("It is a compressed archive, which torch.save does not write; unpack it first.")
    if sum(entry.file_size for entry in entries) > total:
        raise CheckpointError("The records of its archive overlap; it was made to do harm, or is damaged.")


# --- older files -----------------------------------------------------------------------------------------------------


def read_legacy(file: BinaryIO) -> Any:
    """Read the object in a file of an older torch.save.  Raises CheckpointError; no code from it runs."""
    for _ in range(2):  # magic number, version
        read_pickle(file)
    system = read_pickle(file)
    if not isinstance(system, dict) or not system.get("little_endian", True):
        raise CheckpointError("It was written on a machine of another byte order; save it again on a usual one.")
    declared: Declared = {}
    starts: dict[str, int] = {}

    def declare(key: str, name: str, count: int) -> Storage:
        def read(first: int, n: int) -> bytes:
            file.seek(starts[key] + first * TYPES[name].itemsize)
            return file.read(n * TYPES[name].itemsize)

        return Storage(TYPES[name], count, read)

    data = read_pickle(file, _storages(declare, declared))
    keys = read_pickle(file)
    if not isinstance(keys, list) or {str(key) for key in keys} != set(declared) or len(keys) != len(declared):
        raise CheckpointError("The storages that it lists are not those that its tensors use; it is damaged.")
    position, remaining = file.tell(), _size(file) - file.tell()
    needed = sum(8 + storage.count * storage.dtype.itemsize for storage in declared.values())
    if needed > remaining:
        raise CheckpointError(f"It declares {needed:,} bytes of numbers but holds {remaining:,}; it is cut short.")
    for key in map(str, keys):
        starts[key] = position + 8  # after the 8 bytes of the count
        position = starts[key] + declared[key].count * declared[key].dtype.itemsize
    return data


# --- both ------------------------------------------------------------------------------------------------------------


def read_pickle(file: BinaryIO, persistent: Callable[[Any], Any] | None = None) -> Any:
    """Read one object at the position of a file.  persistent: as for `Interpreter`.  Raises CheckpointError."""
    meant = MEANT | {("torch.storage", "_load_from_bytes"): _nested_storage}
    return Interpreter(file, persistent, meant).load()


def _nested_storage(data: Any) -> Storage:
    """The numbers in a torch.save file inside the file.  The function that the file names would run code from it."""
    if not isinstance(data, bytes):
        raise CheckpointError(f"It has a storage made of a {type(data).__name__}; expected bytes.")
    storage = read_legacy(io.BytesIO(data))
    if not isinstance(storage, Storage):
        raise CheckpointError(f"It has a {type(storage).__name__} where a storage belongs; it is damaged.")
    return storage


def _storages(declare: Callable[[str, str, int], Storage], declared: Declared) -> Callable[[Any], Storage]:
    """The storage of a persistent id: ("storage", type, key, device, number of values[, None])."""

    def persistent(pid: Any) -> Storage:
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or (len(pid) == 6 and pid[5]):
            raise CheckpointError("It refers to something that is not a storage of numbers; it is damaged.")
        _, kind, key, _, count = pid[:5]
        name = kind.name if isinstance(kind, Global) else None
        if name not in TYPES or type(key) not in (str, int) or type(count) is not int or not 0 <= count < 2**40:
            raise CheckpointError(
                f"It declares a storage of {quoted(count)} values of a type unknown here; it is damaged."
            )
        storage = declared.get(str(key))
        if storage is None:
            storage = declared[str(key)] = declare(str(key), name, count)
        if storage.count * storage.dtype.itemsize != count * TYPES[name].itemsize:
            raise CheckpointError(f"It declares the storage {quoted(key)} twice, in two sizes; it is damaged.")
        return storage

    return persistent


def _size(file: BinaryIO) -> int:
    position = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(position)
    return end
