"""Computations on a CPU whose result does not depend on the number of threads.

Libraries for matrix products and linear algebra divide their work among threads, so the order of rounding depends on
the number of threads.  Here each operation runs on one thread, and independent operations run in parallel.

`torch.set_num_threads` affects more than the calling thread: later threads inherit the number, and after a call,
PyTorch 2.13 fails at the LU decomposition of a batch of large matrices.  OpenMP and MKL, which PyTorch uses, store a
number of threads for each calling thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

Item, Result = TypeVar("Item"), TypeVar("Result")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Inside this context, each operation of the calling thread runs on one thread; other threads are not affected.

    It has no effect if PyTorch was built with other libraries.
    """
    before = torch.get_num_threads()  # in a new thread, the first query makes PyTorch set its own number
    mkl_before = _set("MKL_Set_Num_Threads_Local", 1)
    _set("omp_set_num_threads", 1)
    try:
        yield
    finally:
        _set("omp_set_num_threads", before)
        _set("MKL_Set_Num_Threads_Local", mkl_before)


def side_by_side(run: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call `run` on every item, each on one thread, in as many threads as the calling thread may use."""
    gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def alone(item: Item) -> Result:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients), single_threaded():
            return run(item)

    workers = min(torch.get_num_threads(), len(items))
    if workers < 2:
        return [alone(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(alone, items))


def _set(name: str, threads: int) -> int:
    """Call a function of the libraries that PyTorch is linked with; returns 0 if it does not exist."""
    function = _library_function(name)
    return function(threads) if function else 0


@cache
def _library_function(name: str) -> Callable[[int], int] | None:
    for ending in ("so", "dylib"):
        path = Path(torch.__file__).parent / "lib" / f"libtorch_cpu.{ending}"
        if path.is_file():
            return getattr(ctypes.CDLL(str(path)), name, None)
    return None
