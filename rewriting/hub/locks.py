"""One at a time among threads and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

LOOK = 0.2  # seconds between looks at how far others are


@contextmanager
def alone(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Inside, no other thread and no other program holds that lock; one that ended does not, however it ended.

    waiting: called again and again while another holds it; what it raises ends the waiting.
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
