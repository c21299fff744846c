"""NVIDIA's pickles: StyleGAN2-ADA / StyleGAN3-repo (PyTorch modules with their source), and StyleGAN2 (TensorFlow).

PyTorch: {training_set_kwargs, G, D, G_ema, augment_pipe}; a network is one call of
`torch_utils.persistence._reconstruct_persistent_obj` with its class name, its source text and its `__dict__`.  The
source is dropped, never run.  TensorFlow: (G, D, Gs); a network is a `dnnlib.tflib.network.Network` whose state holds
numpy variables and component networks.  Both are read by `unpickler.Interpreter` with the table at the end.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewriting.checkpoints.arguments import Arguments
from rewriting.checkpoints.contents import (
    MAX_NAME,
    MAX_TENSORS,
    CheckpointError,
    Contents,
    check_view,
    plain_tensors,
    quoted,
)
from rewriting.checkpoints.torch_file import check_sizes
from rewriting.checkpoints.unpickler import Interpreter

MAX_PARTS = 2000
NUMBERS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


def read_pickle(path: Path) -> Contents:
    """The averaged generator's tensors under the names they have in the file, and what its arguments come to.

    facts: "layout", "part", "rate" (the mapping network's learning rate, which scales its weights) and "clamp" (where
    layers' values are cut off, or None).  Raises CheckpointError; nothing in the file is run.
    """
    with path.open("rb") as file:
        data = Interpreter(file, _table()).load()
    if isinstance(data, tuple) and len(data) == 3 and all(isinstance(one, Network) for one in data):
        return _read_network(data[2])
    if isinstance(data, Network):
        return _read_network(data)
    if isinstance(data, dict):
        part = "G_ema" if isinstance(data.get("G_ema"), Module) else "G"
        if isinstance(data.get(part), Module):
            return _read_module(data[part], part)
        listed = ", ".join(quoted(key, 30) for key in list(data)[:6])
        raise CheckpointError(f"It has no network under G_ema; it holds {listed or 'nothing'}.")
    raise CheckpointError(f"It holds a {type(data).__name__}; an NVIDIA pickle holds G_ema, or (G, D, Gs).")


# --- PyTorch ---------------------------------------------------------------------------------------------------------


class Module:
    """A persistent object: the name of its class and its `__dict__`."""

    def __init__(self, meta: Any):
        if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("state"), dict):
            raise CheckpointError("It holds a persistent object that is no network; it is damaged.")
        self.class_name, self.state = quoted(meta.get("class_name")).strip("'"), meta["state"]

    def part(self, name: str) -> dict[Any, Any]:
        part = self.state.get(name) or {}
        if not isinstance(part, dict):
            raise CheckpointError(f"A network in it has {name} that are no table; it is damaged.")
        return part


def _read_module(root: Module, part: str) -> Contents:
    """Parameters and buffers as `state_dict` names them."""
    named: dict[str, Any] = {}
    told = Arguments()
    for module, prefix in _walk(root, lambda module: module.part("_modules"), Module, "."):
        for kind in ("_parameters", "_buffers"):
            named |= {prefix + _text(name): value for name, value in module.part(kind).items()}
        told.add_module(prefix.removesuffix("."), module.class_name, module.state)
    return Contents(plain_tensors(named), _facts("persistence", part, told), told.objection)


def _facts(layout: str, part: str, told: Arguments) -> dict[str, Any]:
    return {"layout": layout, "part": part, "rate": told.rate, "clamp": told.clamp}


def _walk(root: Any, children: Callable[[Any], dict], kind: type, separator: str) -> Iterator[tuple[Any, str]]:
    """(part, prefix of its names) of a tree, which a file may have bent into a ring or grown without end."""
    waiting = [(root, "")]
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        part, prefix = waiting.pop()
        yield part, prefix
        for name, child in children(part).items():
            if isinstance(child, kind):
                waiting.append((child, prefix + _text(name) + separator))
    raise CheckpointError(f"Its network has more than {MAX_PARTS:,} parts, or contains itself; it is damaged.")


def _text(name: Any) -> str:
    if not isinstance(name, str) or len(name) > MAX_NAME:
        raise CheckpointError(
            f"It names a part of a network {quoted(name)}; expected a text of {MAX_NAME} letters at most."
        )
    return name


def _load_storage(data: Any) -> Tensor:
    """All values of a storage.  `torch.storage._load_from_bytes`, which the file asks for, would run what it finds."""
    if not isinstance(data, bytes):
        raise CheckpointError(f"It has a storage made of a {type(data).__name__}; expected bytes.")
    check_sizes(io.BytesIO(data))
    storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(storage, torch.storage.TypedStorage):
        raise CheckpointError(f"It has a {type(storage).__name__} where a storage belongs; it is damaged.")
    with warnings.catch_warnings():  # there is no other way to its numbers, and PyTorch means to find one
        warnings.simplefilter("ignore", UserWarning)
        return torch.empty(0, dtype=storage.dtype).set_(storage.untyped())


def _rebuild_tensor(values: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(values, Tensor) or values.dim() != 1:
        raise CheckpointError("It has a tensor without a storage; it is damaged.")
    check_view(len(values), offset, shape, strides)
    return values.as_strided(shape, strides, offset)


# --- TensorFlow ------------------------------------------------------------------------------------------------------


class Network:
    """A TensorFlow network: its state, without the source text."""

    def __init__(self) -> None:
        self.state: dict[Any, Any] = {}

    def build(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise CheckpointError(f"A network in it has a {type(state).__name__} as its state; it is damaged.")
        self.state = state

    def table(self, name: str) -> dict[Any, Any]:
        table = self.state.get(name) or {}
        if not isinstance(table, dict):
            raise CheckpointError(f"A network in it has {name} that are no table; it is damaged.")
        return table


def _read_network(network: Network) -> Contents:
    named: dict[str, Any] = {}
    told = Arguments()
    for part, prefix in _walk(network, lambda part: part.table("components"), Network, "/"):
        named |= {prefix + name: value for name, value in _variables(part)}
        told.add_function(quoted(part.state.get("build_func_name")).strip("'"), part.table("static_kwargs"))
    tensors = {name: torch.tensor(value) for name, value in named.items() if value.dtype.kind == "f"}
    return Contents(plain_tensors(tensors), _facts("tensorflow", "Gs", told), told.objection)


def _variables(network: Network) -> Iterator[tuple[str, np.ndarray]]:
    """The network's own variables, in the machine's byte order."""
    variables = network.state.get("variables") or []
    if not isinstance(variables, list) or len(variables) > MAX_TENSORS:
        raise CheckpointError("A network in it has variables that are no list, or far too many; it is damaged.")
    for pair in variables:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[1], (Array, float, int)):
            raise CheckpointError("A network in it has variables that are not names and arrays; it is damaged.")
        values = np.asarray(getattr(pair[1], "values", pair[1]))
        yield _text(pair[0]), values.astype(values.dtype.newbyteorder("="))


class DType:
    """The element type of an array, e.g. "f4", with its byte order."""

    def __init__(self, spec: Any, *_: Any):
        if not isinstance(spec, str) or spec not in NUMBERS:
            raise CheckpointError(f"It has an array of type {quoted(spec)}; expected numbers.")
        self.spec, self.order = spec, "<"

    def build(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise CheckpointError("It has an array of an unknown byte order; it is damaged.")
        self.order = order

    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.spec)


class Array:
    """A numpy array, filled by its state."""

    def __init__(self, *_: Any):
        self.values = np.zeros(0, np.float32)

    def build(self, state: Any) -> None:
        """state: (version, shape, DType, Fortran order, bytes)"""
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], DType):
            raise CheckpointError("It has an array without a shape and a type; it is damaged.")
        _, shape, dtype, fortran, data = state
        self.values = _array(shape, dtype, data, "F" if fortran else "C")


def _array(shape: Any, dtype: DType, data: Any, order: str) -> np.ndarray:
    data = data.encode("latin1") if isinstance(data, str) else data
    sizes = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not sizes or not isinstance(data, bytes) or math.prod(shape) * dtype.numpy().itemsize != len(data):
        raise CheckpointError("It claims an array of another size than it stores; it is damaged.")
    return np.frombuffer(data, dtype.numpy()).reshape(shape, order=order)


def _scalar(dtype: Any, data: Any = b"") -> float | int | bool:
    if not isinstance(dtype, DType):
        raise CheckpointError("It has a number without a type; it is damaged.")
    return _array((), dtype, data, "C").item()


# --- the only names that mean anything -------------------------------------------------------------------------------


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 2 pickles spell bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise CheckpointError(f"It encodes a text as {quoted(encoding)}; expected latin1.")
    return text.encode("latin1")


def _empty() -> dict[Any, Any]:
    """A table to be filled; without arguments, for copying one again and again would make much of little."""
    return {}


def _table() -> Mapping[tuple[str, str], Callable[..., Any]]:
    table: dict[tuple[str, str], Callable[..., Any]] = {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): Module,
        ("dnnlib.tflib.network", "Network"): Network,
        ("dnnlib.util", "EasyDict"): _empty,
        ("dnnlib", "EasyDict"): _empty,
        ("collections", "OrderedDict"): _empty,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        ("torch.storage", "_load_from_bytes"): _load_storage,
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): DType,
        ("_codecs", "encode"): _encode,
        ("builtins", "set"): lambda items=(): (),
        ("__builtin__", "set"): lambda items=(): (),
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        table |= {(module, "_reconstruct"): Array, (module, "scalar"): _scalar}
    return table
