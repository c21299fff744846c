"""Locks between threads and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

LOOK = 0.2  # seconds between two attempts


@contextmanager
def alone(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock that excludes other threads and programs; the system releases the lock of a killed program.

    waiting: called repeatedly while another holds the lock; an exception of it ends the waiting.
    """
    from huggingface_hub.utils import WeakFileLock

    lock.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(WeakFileLock(lock, timeout=LOOK))
                break
            except TimeoutError:
                waiting()
        yield
