"""Work shared among the processes of a `torchrun`, on one machine or several.

Each of n processes takes every n-th item, and the combined results equal those of a single process bit for bit.  Sums
are sums of integers, because floating-point sums depend on the order.  A single process is the case n = 1.
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
"""Reports the progress of long work: called with the share done, 0 to 1, and a few words on the present step."""
_ABSENT = object()


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes of a `torchrun`, which are described by environment variables.

    Processes get the GPUs of a machine in order; several may share one.  Messages between processes are small and use
    gloo, which works on every machine.
    """
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    dist.init_process_group("gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """The number of processes."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if _together() else 0


def mine(items: Sequence[T]) -> Sequence[T]:
    """This process's share of the items: every n-th."""
    return items[rank() :: count()]


def gathered(own: Sequence[T]) -> list[T]:
    """Combine the results for a sequence that `mine` split, in its original order; every process must call this."""
    if not _together():
        return list(own)
    shares: list[list[T]] = [[] for _ in range(count())]
    dist.all_gather_object(shares, list(own))
    return [item for item in chain(*zip_longest(*shares, fillvalue=_ABSENT)) if item is not _ABSENT]


def total(own: Tensor) -> Tensor:
    """The sum of the integer tensors of all processes, of one shape, on the CPU; every process must call this."""
    if not _together():
        return own.cpu()
    own = own.to("cpu", copy=True)
    dist.all_reduce(own)
    return own


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
