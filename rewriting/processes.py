"""Work shared among the processes of one run, on one machine or several, as `torchrun` starts them.

Each process takes every n-th item, and what they find is put together: the same, bit for bit, as one process finds.
Sums are of whole numbers, since those of fractions depend on the order of addition.  A run of one process is all of
this with n = 1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, zip_longest
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")
Progress = Callable[[float, str], None]
"""How long work says how far it is: called with the share done, 0 to 1, and what is being done in a few words."""
_ABSENT = object()


@contextmanager
def joined() -> Iterator[None]:
    """Inside, the processes that `torchrun` has started work together; it tells them of each other by environment.

    GPUs, where there are any, are given out in order; several processes may share one.  What processes tell each
    other is small, and goes through gloo, which every machine has.
    """
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    dist.init_process_group("gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """This one's number, from 0."""
    return dist.get_rank() if _together() else 0


def mine(items: Sequence[T]) -> Sequence[T]:
    """This process's share: every n-th of them."""
    return items[rank() :: count()]


def gathered(own: Sequence[T]) -> list[T]:
    """What all processes have of a sequence that `mine` has split, in its order again; each must call this."""
    if not _together():
        return list(own)
    shares: list[list[T]] = [[] for _ in range(count())]
    dist.all_gather_object(shares, list(own))
    return [item for item in chain(*zip_longest(*shares, fillvalue=_ABSENT)) if item is not _ABSENT]


def total(own: Tensor) -> Tensor:
    """The sum of all processes' tensors of whole numbers, which have one shape, on the CPU; each must call this."""
    if not _together():
        return own.cpu()
    own = own.to("cpu", copy=True)
    dist.all_reduce(own)
    return own


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
