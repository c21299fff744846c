"""Stand-ins for the objects in a foreign pickle: numbers that are read on demand, and inert objects.

`Interpreter` looks up every name of a file here.  A few names have a meaning: tensors, arrays, tables, NVIDIA's
networks.  Names of programs (Python's own modules, functions of PyTorch and numpy) are refused, because no file of
weights needs them.  Any other name is a class of another program, for settings or for another network beside the
generator: an inert `Thing` stands for its objects.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewriting.checkpoints.contents import CheckpointError, check_view, quoted

NUMBERS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
TYPES: Mapping[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}


# --- numbers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Storage:
    """A sequence of numbers in a file.  count: their number.  read: (first, count) -> their bytes."""

    dtype: torch.dtype
    count: int
    read: Callable[[int, int], bytes]


class TensorView:
    """A tensor in a file: a view of a storage, read on demand."""

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any):
        if not isinstance(storage, Storage):
            raise CheckpointError("It has a tensor without a storage; it is damaged.")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    @property
    def dtype(self) -> torch.dtype:
        return self.storage.dtype

    @property
    def count(self) -> int:
        """Check that its numbers lie in the storage.  Raises CheckpointError if they do not."""
        check_view(self.storage.count, self.offset, self.shape, self.strides)
        return math.prod(self.shape)

    def tensor(self) -> Tensor:
        """A copy in memory of its own."""
        if not self.count:
            return torch.empty(self.shape, dtype=self.dtype)
        span = 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        data = bytearray(self.storage.read(self.offset, span))
        if len(data) != span * self.dtype.itemsize:
            raise CheckpointError("It is cut short: numbers that it declares are not in it; fetch it again.")
        return torch.frombuffer(data, dtype=self.dtype).as_strided(self.shape, self.strides).clone()


class DType:
    """The element type of a numpy array, e.g. "f4", with its byte order."""

    def __init__(self, spec: Any = None, *_: Any):
        self.spec, self.order = spec, "<"

    def build(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise CheckpointError("It has an array of an unknown byte order; it is damaged.")
        self.order = order

    def numpy(self) -> np.dtype:
        if not isinstance(self.spec, str) or self.spec not in NUMBERS:
            raise CheckpointError(f"It has an array of type {quoted(self.spec)}; expected numbers.")
        return np.dtype(self.order + self.spec)


class Array:
    """A numpy array, filled by its state."""

    def __init__(self, *_: Any):
        self._state: tuple[Any, ...] = ((0,), DType("f4"), False, b"")

    def build(self, state: Any) -> None:
        """state: (version, shape, DType, Fortran order, bytes)"""
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], DType):
            raise CheckpointError("It has an array without a shape and a type; it is damaged.")
        self._state = state[1:]

    @property
    def values(self) -> np.ndarray:
        """Raises CheckpointError if its content is not numbers, or not as many as it declares."""
        shape, dtype, fortran, data = self._state
        return _array(shape, dtype, data, "F" if fortran else "C")

    @property
    def dtype(self) -> torch.dtype:
        return torch.from_numpy(np.zeros(0, self.values.dtype.newbyteorder("="))).dtype

    @property
    def count(self) -> int:
        return self.values.size

    def tensor(self) -> Tensor:
        values = self.values
        return torch.from_numpy(values.astype(values.dtype.newbyteorder("="), order="C", copy=True))


def _array(shape: Any, dtype: DType, data: Any, order: str) -> np.ndarray:
    data = data.encode("latin1") if isinstance(data, str) else data
    sizes = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not sizes or not isinstance(data, bytes) or math.prod(shape) * dtype.numpy().itemsize != len(data):
        raise CheckpointError("It claims an array of another size than it stores; it is damaged.")
    return np.frombuffer(data, dtype.numpy()).reshape(shape, order=order)


def _scalar(dtype: Any, data: Any = b"") -> float | int | bool | None:
    """A numpy number; None for another value, such as a time."""
    if not isinstance(dtype, DType):
        raise CheckpointError("It has a number without a type; it is damaged.")
    if not isinstance(dtype.spec, str) or dtype.spec not in NUMBERS:
        return None
    return _array((), dtype, data, "C").item()


Numbers = TensorView | Array


# --- things ----------------------------------------------------------------------------------------------------------


class Thing:
    """An object of an unknown class.  state: its attributes.  items: its entries, if it is a table."""

    def __init__(self, class_name: str):
        self.class_name = class_name
        self.state: dict[Any, Any] = {}
        self.items: dict[Any, Any] = {}

    def build(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):  # (attributes, slots)
            if isinstance(part, dict):
                self.state |= part

    def part(self, name: str) -> dict[Any, Any]:
        """A table among the attributes; {} without one."""
        part = self.state.get(name) or {}
        if not isinstance(part, dict):
            raise CheckpointError(f"A network in it has {name} that are no table; it is damaged.")
        return part


class Module(Thing):
    """A network of NVIDIA's PyTorch code, without the source text that the file holds."""

    def __init__(self, meta: Any):
        if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("state"), dict):
            raise CheckpointError("It holds a persistent object that is no network; it is damaged.")
        super().__init__(quoted(meta.get("class_name")).strip("'"))
        self.state = meta["state"]


class Network(Thing):
    """A network of NVIDIA's TensorFlow code: its state, without the source text."""

    def __init__(self) -> None:
        super().__init__("Network")

    def build(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise CheckpointError(f"A network in it has a {type(state).__name__} as its state; it is damaged.")
        self.state = state


class Global:
    """A name in a file.  It cannot be called; `make` is called in its place."""

    def __init__(self, module: str, name: str, make: Callable[..., Any]):
        self.module, self.name, self.make = module, name, make


# --- names -----------------------------------------------------------------------------------------------------------


def _empty(*_: Any) -> dict[Any, Any]:
    """An empty table to be filled.  Initial content is dropped, because repeated copies could turn a small file into a
    large object."""
    return {}


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """The notation of bytes in Python 2 pickles."""
    if not isinstance(text, str) or encoding != "latin1":
        raise CheckpointError(f"It encodes a text as {quoted(encoding)}; expected latin1.")
    return text.encode("latin1")


def _first(value: Any, *_: Any) -> Any:
    return value


def _of_subclass(make: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """A tensor without its further attributes."""
    if not isinstance(make, Global) or make.make not in (TensorView, _first) or not isinstance(arguments, tuple):
        raise CheckpointError("It has a tensor that is made in a way unknown here; it is damaged.")
    return make.make(*arguments)


def _reconstructed(kind: Any, *_: Any) -> Thing:
    """Python's creation of an object without a call of its class."""
    return Thing(kind.name if isinstance(kind, Global) else "")


Meanings = Mapping[tuple[str, str], Callable[..., Any]]
MEANT: Meanings = {
    ("torch._utils", "_rebuild_tensor"): TensorView,
    ("torch._utils", "_rebuild_tensor_v2"): TensorView,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_subclass,
    ("torch", "Size"): lambda sizes=(): tuple(sizes) if isinstance(sizes, (tuple, list)) else (),
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): DType,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): _empty,
    ("collections", "defaultdict"): _empty,
    ("collections", "Counter"): _empty,
    ("dnnlib.util", "EasyDict"): _empty,
    ("dnnlib", "EasyDict"): _empty,
    ("dnnlib.tflib.network", "Network"): Network,
    ("tfutil", "Network"): Network,  # of the Progressive GAN
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): Module,
    **{(module, kind): lambda *_: () for module in ("builtins", "__builtin__") for kind in ("set", "frozenset")},
    **{(module, "_reconstructor"): _reconstructed for module in ("copyreg", "copy_reg")},
}
PLAIN = {
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "int", "list", "object", "range", "slice", "str"),
    *("tuple", "getattr"),  # the last is how a method of an object is kept
}
# Of Python's, PyTorch's and numpy's own: what settings are made of, and other networks.
HARMLESS = {
    "argparse": {"Namespace"},
    "types": {"SimpleNamespace"},
    "collections": {"deque"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "functools": {"partial"},
    "uuid": {"UUID"},
    **dict.fromkeys(
        ("pathlib", "pathlib._local"),
        {"Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"},
    ),
    **dict.fromkeys(("builtins", "__builtin__"), PLAIN),
    "torch": {
        *("device", "Generator", "memory_format", "layout", "Tensor", "strided", "contiguous_format"),
        *("relu", "sigmoid", "tanh"),
        *(name for name, kind in vars(torch).items() if isinstance(kind, torch.dtype)),
    },
    "torch.serialization": {"_get_layout"},
    "torch._utils": {
        *("_rebuild_sparse_tensor", "_rebuild_sparse_csr_tensor", "_rebuild_qtensor", "_rebuild_wrapper_subclass"),
        *("_rebuild_meta_tensor_no_storage", "_rebuild_device_tensor_from_numpy", "_rebuild_tensor_v3"),
    },
    "numpy": {name for name, kind in vars(np).items() if isinstance(kind, type) and issubclass(kind, np.generic)},
}
HARMLESS_PARTS = ("torch.nn.", "torch.optim.", "torch._C._nn", "numpy.random.")
PROGRAMS = sys.stdlib_module_names | {"__builtin__", "copy_reg", "torch", "numpy", "dnnlib", "torch_utils"}
NAME_LIMIT = 100


def named(module: str, name: str, meant: Meanings) -> Global:
    """The stand-in for a name in a file.  meant: further names that have a meaning, with their functions.

    Raises CheckpointError for the name of a program.
    """
    if make := meant.get((module, name)):
        return Global(module, name, make)
    if module in ("torch", "torch.storage") and name in TYPES:
        return Global(module, name, _no_call)
    known = module.split(".")[0] in PROGRAMS
    if known and name not in HARMLESS.get(module, ()) and not module.startswith(HARMLESS_PARTS):
        raise CheckpointError(
            f"It asks for {quoted(f'{module}.{name}', NAME_LIMIT)}, which is a program and not weights; nothing of it "
            f"was run."
        )
    return Global(module, name, lambda *_: Thing(name))


def _no_call(*_: Any) -> None:
    raise CheckpointError("It calls the name of a storage type; it was made to do harm, or is damaged.")
