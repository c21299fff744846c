"""Which pictures a visitor is looking at; what is shown, as against what has been made (`session`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

PAGE = 24
SLOTS = ("copy", "paste", "context")


@dataclass(frozen=True)
class View:
    """copy_seed, paste_seed, context_seed: pictures in the canvases.  kind: what painting on the third means, "context"
    or "preserve".  slot: which canvas the next picked picture goes to.  start: first picture of the sheet's page.
    found: pictures of a search, best first, instead of all; heat: the response that outlines a place.  order: of the
    results, "best" or "random"."""

    copy_seed: int | None = None
    paste_seed: int | None = None
    context_seed: int | None = None
    kind: str = "context"
    slot: str = "copy"
    start: int = 0
    found: tuple[int, ...] = ()
    heat: float | None = None
    order: str = "best"

    def with_(self, **changes: Any) -> View:
        return replace(self, **changes)

    @property
    def seeds(self) -> list[int]:
        """The pictures on this page of the sheet."""
        if self.found:
            return list(self.found[self.start : self.start + PAGE])
        return list(range(self.start, self.start + PAGE))

    def turn(self, pages: int) -> View:
        last = max(0, len(self.found) - 1) if self.found else 10**9
        return self.with_(start=min(max(0, self.start + pages * PAGE), last // PAGE * PAGE))
