"""The pictures on a model card: the same seeds before and after the rules, and the size of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting.core.contact_sheet import save_picture
from rewriting.core.edit import EditStack
from rewriting.generators import Generator
from rewriting.generators.latents import MAX_SEED
from rewriting.hub.client import HubError

SHOWN = 6
MOST_SHOWN = 12
LOOKED_AT = 24  # pictures that are measured; the card shows those with the largest change
SIDE = 256  # largest side in pixels of a picture on the card
SMALL = 64  # side in pixels of the measured pictures
QUALITY = 85


@dataclass(frozen=True)
class Comparison:
    """Pictures before and after rules.

    before, after: uint8 (N, H, W, 3) of the seeds.  label: the class of all pictures, None for a generator
    without classes.  looked_at: the measured seeds.  change: their mean absolute
    change, of 255, at `size` pixels.  how: the choice of the seeds, in words that end a sentence.
    """

    seeds: tuple[int, ...]
    before: np.ndarray
    after: np.ndarray
    looked_at: tuple[int, ...]
    change: float
    size: int
    how: str
    label: int | None = None

    def save(self, before: Path, after: Path) -> None:
        """Save the two rows of pictures as WebP."""
        for path, pictures in ((before, self.before), (after, self.after)):
            row = Image.fromarray(np.concatenate(list(pictures), axis=1))
            save_picture(row, path, quality=QUALITY, method=4)


def compare(generator: Generator, stack: EditStack, seeds: Sequence[int] | None = None) -> Comparison:
    """Draw the seeds without and with the rules, and measure the change of the first 24 unpainted pictures.

    seeds: 1 to 12; by default the examples in the requests or, without any, the six measured pictures with the largest
    change.  A generator with classes draws the class of the first request.  Raises HubError for another number of
    seeds.
    """
    label = next((edit.request.label for edit in stack if edit.request is not None), 0)
    looked_at = _unpainted(stack, LOOKED_AT)
    size = max(s for s in generator.config.resolutions if s <= max(SMALL, generator.config.resolutions[0]))
    before, after = (generator.images(looked_at, edits, size, label=label).astype(np.int16) for edits in ((), stack))
    change = np.abs(after - before).mean((1, 2, 3))
    if seeds is not None:
        chosen, how = list(seeds), "chosen by hand"
        if not 1 <= len(chosen) <= MOST_SHOWN:
            raise HubError(f"{len(chosen)} seeds were given for the pictures of the card; give 1 to {MOST_SHOWN}.")
    elif chosen := _recommended(stack):
        how = "the examples in the rule's request"
    else:
        chosen = sorted(looked_at[i] for i in np.argsort(-change, kind="stable")[:SHOWN])
        how = f"those with the largest change among the first {len(looked_at)} unpainted pictures"
    side = max(s for s in generator.config.resolutions if s <= SIDE)
    return Comparison(
        seeds=tuple(int(seed) for seed in chosen),
        before=generator.config.framed(generator.images(chosen, (), side, label=label)),
        after=generator.config.framed(generator.images(chosen, stack, side, label=label)),
        looked_at=tuple(looked_at),
        change=float(change.mean()),
        size=size,
        how=how,
        label=label if generator.config.classes else None,
    )


def _unpainted(stack: EditStack, count: int) -> list[int]:
    painted = set()
    for edit in stack:
        if edit.request is not None and edit.request.seeding == "seed":
            request = edit.request
            regions = (request.copy, request.paste, *request.context, *request.preserve, *request.retouched)
            painted |= {region.seed for region in regions if region is not None}
    return [seed for seed in range(count + len(painted)) if seed not in painted][:count]


def _recommended(stack: EditStack) -> list[int]:
    """The seeds in the note "show" of the requests."""
    seeds: list[int] = []
    for edit in stack:
        notes = edit.request.notes if edit.request is not None and edit.request.seeding == "seed" else {}
        listed = notes.get("show") if isinstance(notes, Mapping) else None
        if isinstance(listed, list):
            seeds += [seed for seed in listed if type(seed) is int and 0 <= seed <= MAX_SEED]
    return list(dict.fromkeys(seeds))[:SHOWN]
