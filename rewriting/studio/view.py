"""Which pictures a visitor is looking at; what is shown, as against what has been made (`session`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from rewriting.core.request import Request
from rewriting.generators.latents import MAX_SEED

PAGE = 24
RANKS, LOCALITIES = (1, 20), (0, 30)  # what the sliders reach from and to
SLOTS = ("copy", "paste", "context")
LAST = MAX_SEED - PAGE


@dataclass(frozen=True)
class View:
    """copy_seed, paste_seed, context_seed: pictures in the canvases.  kind: what painting on the third means,
    "context" or "preserve".  slot: which canvas the next picked picture goes to.  start: first picture of the
    sheet's page.  found: pictures of a search, best first, instead of all; outlines: whether the places that match
    are outlined.  advised: the layer that the chart of layers recommends.  order: of the results, "best" or "random";
    shown: how many of them were shown before those on the page."""

    copy_seed: int | None = None
    paste_seed: int | None = None
    context_seed: int | None = None
    kind: str = "context"
    slot: str = "copy"
    start: int = 0
    found: tuple[int, ...] = ()
    outlines: bool = False
    advised: int | None = None
    order: str = "best"
    shown: int = 0

    def with_(self, **changes: Any) -> View:
        return replace(self, **changes)

    def pick(self, seed: int) -> View:
        """The picture goes to the canvas that waits for one, and the next canvas waits."""
        after = {"copy": "paste", "paste": "context", "context": "context"}[self.slot]
        return replace(self, slot=after, **{f"{self.slot}_seed": seed})

    def seed_of(self, slot: str) -> int | None:
        return getattr(self, f"{slot}_seed")

    @property
    def seeds(self) -> list[int]:
        """The pictures on this page of the sheet."""
        if self.found:
            return list(self.found[self.start : self.start + PAGE])
        return list(range(self.start, self.start + PAGE))

    def page(self, by: int) -> View:
        """So many pages further, or back."""
        last = (len(self.found) - 1) // PAGE * PAGE if self.found else LAST
        return self.with_(start=min(max(0, self.start + by * PAGE), last))

    def turned_to(self, request: Request) -> View:
        """The pictures that a request speaks of in the canvases, and all pictures again after a search.

        If nothing is left to copy or to paste, the next picked picture is a place: it takes no object away."""
        places = request.context or request.preserve
        pasted = request.copy is not None and request.paste is not None
        view = self.with_(found=(), outlines=False, start=0) if self.found else self
        return view.with_(
            copy_seed=request.copy.seed if request.copy else self.copy_seed,
            paste_seed=request.paste.seed if request.paste else self.paste_seed,
            context_seed=places[0].seed if places else self.context_seed,
            slot="context" if pasted or request.erase else self.slot,
            kind="preserve" if request.preserve and not request.context else "context",
        )
