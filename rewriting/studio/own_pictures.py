"""The pictures that a visitor brought: values of their state, so that they leave with it and nobody else can name one.

On the page each goes by a name such as "own-1", which means a picture of this visitor only.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from PIL import Image

from rewriting.core.own_files import squared
from rewriting.generators.own_picture import OwnPicture, Seed
from rewriting.studio.encoding import data_url

MOST = 8  # pictures of one visitor
MOST_SIDE = 1024  # pixels a side that are kept of a picture
SMALL = 160  # pixels a side, where it is shown beside its drawing
MOST_CHARACTERS = 8_000_000  # of the data URL in which one comes
NAME = re.compile(r"own-([1-9][0-9]{0,5})")
NO_PICTURE = "The file is not a readable picture; save it as JPEG or PNG."


@dataclass(frozen=True, eq=False)
class BroughtPicture:
    """A picture that was brought.

    number: its own among the visitor's, from 1.  image: uint8 (S, S, 3), the square that was chosen of it.
    found: how a generator draws it, by the generator's key.  wanted: by the same keys, the layer at which it is to be
    found; nothing is looked for where there is none.
    """

    number: int
    image: np.ndarray
    found: Mapping[str, OwnPicture] = field(default_factory=dict)
    wanted: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"own-{self.number}"

    @cached_property
    def url(self) -> str:
        """The picture in small, as a data URL."""
        return data_url(np.asarray(Image.fromarray(self.image).resize((SMALL, SMALL), Image.Resampling.LANCZOS)))

    def layer(self, generator: str, lowest: int | None) -> int | None:
        """The layer at which it is still to be found for a generator; None if it is, or if nobody wants it.

        lowest: that a rule uses, None if none does."""
        if generator not in self.wanted:
            return None
        layer = min(self.wanted[generator], lowest or self.wanted[generator])
        return None if generator in self.found and self.found[generator].layer <= layer else layer


@dataclass(frozen=True)
class OwnPictures:
    """All of a visitor's, in the order in which they came."""

    brought: tuple[BroughtPicture, ...] = ()
    last: int = 0  # number that was given

    def __len__(self) -> int:
        return len(self.brought)

    def of(self, generator: str) -> dict[str, OwnPicture]:
        """Those that were found for a generator, by their names."""
        return {one.name: one.found[generator] for one in self.brought if generator in one.found}

    def get(self, name: str) -> BroughtPicture:
        """Raises ValueError if the visitor has none of that name."""
        for one in self.brought:
            if one.name == name:
                return one
        raise ValueError(f"There is no picture {name!r:.60}; press one that the page shows.")

    def named(self, name: int | str, generator: str) -> Seed:
        """What the page calls a picture: a number, or the name of one that was brought.

        Raises ValueError for a name that the visitor has not, or that is not found for the generator."""
        if isinstance(name, int):
            return name
        if name.isdecimal():
            return int(name)
        one = self.get(name)
        if generator not in one.found:
            raise ValueError("The generator has not drawn this picture of yours yet; press Draw it first.")
        return one.found[generator]

    def name_of(self, seed: Seed) -> int | str:
        """The same the other way round."""
        if isinstance(seed, int):
            return seed
        names = (one.name for one in self.brought if seed in one.found.values())
        return next(names, f"missing-{seed}")

    # --- changes ----------------------------------------------------------------------------------------------------

    def bring(self, image: np.ndarray, generator: str, layer: int) -> OwnPictures:
        """One more, to be found for a generator.  Raises ValueError if there are too many."""
        if len(self) >= MOST:
            raise ValueError(f"You have {len(self)} pictures here, which is the most; remove one first.")
        number = self.last + 1
        return OwnPictures((*self.brought, BroughtPicture(number, image, {}, {generator: layer})), number)

    def want(self, name: str, generator: str, layer: int) -> OwnPictures:
        """Look for one on a generator too, or again."""
        one = self.get(name)
        return self._with(replace(one, wanted={**one.wanted, generator: layer}))

    def give_up(self, generator: str, number: int | None = None) -> OwnPictures:
        """Look for nothing on a generator any more, or not for that one; what was found stays."""

        def changed(one: BroughtPicture) -> BroughtPicture:
            if number not in (None, one.number):
                return one
            return replace(one, wanted={key: layer for key, layer in one.wanted.items() if key != generator})

        return replace(self, brought=tuple(map(changed, self.brought)))

    def put(self, number: int, generator: str, found: OwnPicture) -> OwnPictures:
        """One was found; nothing if it was taken away meanwhile."""
        one = next((one for one in self.brought if one.number == number), None)
        return self if one is None else self._with(replace(one, found={**one.found, generator: found}))

    def without(self, name: str) -> OwnPictures:
        gone = self.get(name)
        return replace(self, brought=tuple(one for one in self.brought if one is not gone))

    def with_those(self, pictures: Iterable[OwnPicture], generator: str) -> tuple[OwnPictures, dict[Seed, Seed]]:
        """With pictures that came with a rule; and what stands for which of them, where the visitor had the same
        picture already: the one that was found at the lower layer."""
        own, instead = self, {}
        for picture in pictures:
            same = next((b for b in own.brought if _shows(b.found.get(generator), picture)), None)
            if same is None:
                number = own.last + 1
                new = BroughtPicture(number, picture.image, {generator: picture}, {generator: picture.layer})
                own = OwnPictures((*own.brought, new), number)
                continue
            better = min(same.found[generator], picture, key=lambda one: one.layer)
            own = own.put(same.number, generator, better)
            instead |= {one: better for one in (same.found[generator], picture) if one != better}
        return own, instead

    def _with(self, changed: BroughtPicture) -> OwnPictures:
        return replace(self, brought=tuple(changed if one.number == changed.number else one for one in self.brought))


def _shows(found: OwnPicture | None, picture: OwnPicture) -> bool:
    return found is not None and np.array_equal(found.image, picture.image)


def read_image(url: str) -> np.ndarray:
    """uint8 (S, S, 3): the square that the page sends of a picture, as the data URL of a PNG, JPEG or WebP.

    Raises ValueError in one sentence.
    """
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as image:
            if max(image.size) > 4 * MOST_SIDE:
                raise ValueError
            return squared(image, min(*image.size, MOST_SIDE))
    except Exception:  # Pillow's own errors, of many types
        raise ValueError(NO_PICTURE) from None
