"""What torch.save writes: zip archives since 2020, before that a row of pickles with the numbers behind them.

The loader is `torch.load(..., weights_only=True)`, which calls nothing but functions that rebuild tensors.  It trusts
the sizes a file declares, though, so they are compared with what is really stored before it is run: an archive could
be small and unpack to anything, or declare a storage larger than its record, or a tensor larger than its storage.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from rewriting.checkpoints.arguments import Arguments
from rewriting.checkpoints.contents import CheckpointError, Contents, check_view, plain_tensors, quoted
from rewriting.checkpoints.sniff import TORCH_ZIP
from rewriting.checkpoints.unpickler import DAMAGE, Global, Interpreter

MAX_RECORDS = 20_000
STORAGES = {
    "DoubleStorage": 8,
    "LongStorage": 8,
    "FloatStorage": 4,
    "IntStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "ShortStorage": 2,
    "ByteStorage": 1,
    "CharStorage": 1,
    "BoolStorage": 1,
}
GENERATORS = ("g_ema", "state_dict", "generator", "g")  # where a file with more than one network keeps the generator
OTHER_NETWORKS = {"d", "discriminator"}


def read_torch(path: Path) -> Contents:
    """The generator's tensors of a .pt or .pth file, with their names, and "latent_avg" where it lies beside them.

    Raises CheckpointError; nothing in the file is run.
    """
    with path.open("rb") as file:
        check_sizes(file)
    with torch.serialization.safe_globals([argparse.Namespace]):  # the settings of a training run
        data = torch.load(path, map_location="cpu", weights_only=True)
    state, where = find_generator(data)
    tensors = plain_tensors(state)
    if where and data.get("latent_avg") is not None:
        tensors |= plain_tensors({"latent_avg": data["latent_avg"]})
    told = Arguments()
    settings = data.get("args") if where else None
    told.add_settings(vars(settings) if isinstance(settings, argparse.Namespace) else as_mapping(settings))
    facts = {"layout": "torch", "part": where, "rate": told.rate}
    return Contents(tensors, facts, told.objection)


def as_mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def find_generator(data: Any) -> tuple[Mapping[str, Any], str]:
    """The generator's state dict in what a file holds, and the key under which it was ("" for the file itself)."""
    if not isinstance(data, Mapping):
        raise CheckpointError(f"It holds a {type(data).__name__}; expected a table of named tensors.")
    for key in GENERATORS:
        if isinstance(data.get(key), Mapping):
            return data[key], key
    if any(isinstance(value, torch.Tensor) for value in data.values()):
        return data, ""
    if data.keys() & OTHER_NETWORKS:
        raise CheckpointError("It holds a discriminator without a generator; look for a file with g_ema.")
    listed = ", ".join(quoted(key, 30) for key in list(data)[:6])
    raise CheckpointError(f"It has no generator under {', '.join(GENERATORS)}; it holds {listed or 'nothing'}.")


# --- sizes -----------------------------------------------------------------------------------------------------------


class Storage:
    """A storage that the file declares: its key and how many values of how many bytes it is said to have."""

    def __init__(self, key: str, count: int, width: int):
        self.key, self.count, self.width = key, count, width


class Ignored:
    """Something whose content does not matter here."""

    def __init__(self, *_: Any):
        """Whatever it was made of."""

    def build(self, state: Any) -> None:
        """Attributes of it do not matter either."""


def check_sizes(file: BinaryIO) -> None:
    """Raises CheckpointError where an open torch file declares more than it stores, or names a program."""
    declared: dict[str, Storage] = {}
    if file.read(len(TORCH_ZIP)) == TORCH_ZIP:
        file.seek(0)
        pickled, stored = _open_archive(file)
        _interpret(io.BytesIO(pickled), declared)
        for storage in declared.values():
            _compare(storage, stored.get(storage.key))
        return
    file.seek(0)
    for _ in range(3):  # magic number, version, byte order
        Interpreter(file, {}).load()
    _interpret(file, declared)
    keys = Interpreter(file, {}).load()
    if not isinstance(keys, list) or {str(key) for key in keys} != set(declared) or len(keys) != len(declared):
        raise CheckpointError("The storages that it lists are not those that its tensors use; it is damaged.")
    left = _left(file)
    needed = sum(8 + storage.count * storage.width for storage in declared.values())
    if needed > left:
        raise CheckpointError(f"It declares {needed:,} bytes of numbers but holds {left:,}; it is cut short.")


def _left(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(here)
    return end - here


def _interpret(file: BinaryIO, declared: dict[str, Storage]) -> None:
    """Run the pickle that describes the tensors; checks every tensor, collects every storage in `declared`."""

    def persistent(pid: Any) -> Storage:
        storage = _declared(pid)
        known = declared.setdefault(storage.key, storage)
        if known.count * known.width != storage.count * storage.width:
            raise CheckpointError(f"It declares the storage {quoted(storage.key)} twice, in two sizes; it is damaged.")
        return storage

    Interpreter(file, _table(), persistent).load()


def _declared(pid: Any) -> Storage:
    """From ("storage", type, key, device, number of values[, None])."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or (len(pid) == 6 and pid[5]):
        raise CheckpointError("It refers to something that is not a storage of numbers; it is damaged.")
    _, kind, key, _, count = pid[:5]
    width = STORAGES.get(kind.key[1]) if isinstance(kind, Global) else None
    if width is None or type(key) not in (str, int) or type(count) is not int or not 0 <= count < 2**40:
        raise CheckpointError(
            f"It declares a storage of {quoted(count)} values of a type unknown here; it is damaged."
        )
    return Storage(str(key), count, width)


def _compare(storage: Storage, stored: int | None) -> None:
    needed = storage.count * storage.width
    if stored is None:
        raise CheckpointError(f"It declares the storage {quoted(storage.key)} but does not hold it; it is cut short.")
    if needed > stored:
        raise CheckpointError(f"It declares {needed:,} bytes for a storage of {stored:,}; it is damaged.")


def _open_archive(file: BinaryIO) -> tuple[bytes, dict[str, int]]:
    """The pickle in a torch archive, and the size in bytes of every storage; nothing in it may be compressed."""
    total = _left(file)
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            _check_records(records, total)
            root = records[0].filename.split("/")[0]
            pickled = archive.read(f"{root}/data.pkl")
    except (*DAMAGE, zipfile.BadZipFile, OSError, RuntimeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            "It is a zip archive, but not a whole one that torch.save wrote; fetch it again."
        ) from None
    sizes = {record.filename.removeprefix(f"{root}/data/"): record.file_size for record in records}
    return pickled, sizes


def _check_records(records: list[zipfile.ZipInfo], total: int) -> None:
    names = {record.filename for record in records}
    if not records or len(records) > MAX_RECORDS or len(names) != len(records):
        raise CheckpointError(
            f"It is an archive of {len(records):,} records under {len(names):,} names; it is damaged."
        )
    if any(
        record.compress_type != zipfile.ZIP_STORED or record.file_size != record.compress_size for record in records
    ):
        raise CheckpointError("It is a compressed archive, which torch.save does not write; unpack it first.")
    if sum(record.file_size for record in records) > total:
        raise CheckpointError("The records of its archive overlap; it was made to do harm, or is damaged.")


def _empty() -> dict[Any, Any]:
    """A table to be filled; without arguments, for copying one again and again would make much of little."""
    return {}


def _table() -> dict[tuple[str, str], Callable[..., Any]]:
    """What may stand in the pickle of a torch file, and what stands for it here."""
    return {
        ("collections", "OrderedDict"): _empty,
        ("argparse", "Namespace"): Ignored,
        ("torch", "Size"): Ignored,
        ("torch._utils", "_rebuild_tensor"): _check_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _check_tensor,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    } | {("torch", name): _no_call for name in STORAGES}


def _no_call(*_: Any) -> None:
    raise CheckpointError("It calls the name of a storage type; it was made to do harm, or is damaged.")


def _check_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Ignored:
    if not isinstance(storage, Storage):
        raise CheckpointError("It has a tensor without a storage; it is damaged.")
    check_view(storage.count, offset, shape, strides)
    return Ignored()
