"""The content of a foreign file: plain float tensors by name, and a few facts beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

MAX_TENSORS = 4000
MAX_DIMENSIONS = 8
MAX_NAME = 200
MAX_FACTS = 40
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


class CheckpointError(ValueError):
    """A foreign file cannot be converted.  The message is one sentence for people."""


@dataclass(frozen=True)
class Contents:
    """tensors: {name in the file: float32}.  facts: JSON-like; "layout" names the reader.
    objection: a sentence if the arguments beside the tensors are not supported, else ""; it is raised unless the names
    of the tensors give a better reason."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any] = field(default_factory=dict)
    objection: str = ""


def quoted(value: object, most: int = 60) -> str:
    """A name or number of an untrusted file for messages: printable, shortened, in quotes.

    Other values are shown by their type, because a small file can hold a list that takes very long to print.
    """
    if isinstance(value, bytes):
        value = value[: most + 1].decode("latin1")
    if isinstance(value, int) and abs(value) >= 2**64:
        return "'a huge number'"
    text = str(value) if isinstance(value, (str, int, float)) or value is None else f"a {type(value).__name__}"
    clean = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return f"'{clean[:most]}...'" if len(clean) > most else f"'{clean}'"


def plain_tensors(tensors: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Convert all values by `plain_tensor`, without None.  Raises CheckpointError for a value that is not a tensor."""
    if len(tensors) > MAX_TENSORS:
        raise CheckpointError(f"It holds {len(tensors):,} tensors; no generator has more than {MAX_TENSORS:,}.")
    plain = {}
    for name, value in tensors.items():
        if not isinstance(name, str) or len(name) > MAX_NAME:
            raise CheckpointError(f"It names a tensor {quoted(name)}; expected a text of at most {MAX_NAME} letters.")
        if value is not None:
            plain[name] = plain_tensor(name, value)
    return plain


def plain_tensor(name: str, value: Any) -> Tensor:
    """Convert a dense float tensor to contiguous float32.

    Raises CheckpointError for other types, and for a tensor that claims more values than it stores.
    """
    if type(value) not in (Tensor, torch.nn.Parameter):
        raise CheckpointError(f"It holds a {type(value).__name__} under {quoted(name)}; expected a tensor.")
    tensor = value.detach()
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in FLOATS:
        kind = f"{tensor.layout} {tensor.dtype} on {tensor.device.type}".replace("torch.", "")
        raise CheckpointError(f"It stores {quoted(name)} as {kind}; expected ordinary floating-point numbers.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise CheckpointError(
            f"It claims {tensor.numel():,} values for {quoted(name)} but stores fewer; it is damaged."
        )
    return tensor.float().contiguous()


def check_view(stored: int, offset: Any, shape: Any, strides: Any) -> None:
    """Raise CheckpointError unless shape, strides and offset describe a view inside `stored` values that has no more
    values than those; a stride of 0 could turn one value into billions."""
    numbers = [offset, *shape, *strides] if isinstance(shape, Sequence) and isinstance(strides, Sequence) else [None]
    if not all(type(n) is int and 0 <= n < 2**40 for n in numbers) or len(shape) != len(strides):
        raise CheckpointError("It describes a tensor by numbers that are no shape; it is damaged.")
    if len(shape) > MAX_DIMENSIONS:
        raise CheckpointError(f"It has a tensor of {len(shape)} dimensions; weights have {MAX_DIMENSIONS} at most.")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    count = math.prod(shape)
    if count > stored or (count and last >= stored):
        raise CheckpointError(f"It claims a tensor of {count:,} values but stores {stored:,} for it; it is damaged.")


def plain_facts(value: Any, depth: int = 3) -> Any:
    """Convert `value` to JSON: numbers, short texts, short lists and tables; other values become their type's name."""
    if value is None or isinstance(value, (bool, int, float)):
        small = not isinstance(value, int) or abs(value) < 2**53
        return value if small and (not isinstance(value, float) or math.isfinite(value)) else type(value).__name__
    if isinstance(value, str):
        return value[:MAX_NAME]
    if depth and isinstance(value, Mapping) and len(value) <= MAX_FACTS:
        return {str(k)[:MAX_NAME]: plain_facts(v, depth - 1) for k, v in value.items() if isinstance(k, str)}
    if depth and isinstance(value, (list, tuple)) and len(value) <= MAX_FACTS:
        return [plain_facts(item, depth - 1) for item in value]
    return type(value).__name__
