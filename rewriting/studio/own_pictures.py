"""A visitor's own pictures: values of the visitor's state, which nobody else can name.

On the page each has a name such as "own-1", which means a picture of this visitor only.
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
MOST_SIDE = 1024  # largest side in pixels of a stored picture
SMALL = 160  # side in pixels of the picture beside its drawing
MOST_CHARACTERS = 8_000_000  # of the data URL of a new picture
NAME = re.compile(r"own-([1-9][0-9]{0,5})")
NO_PICTURE = "The file is not a readable picture; save it as JPEG or PNG."


@dataclass(frozen=True, eq=False)
class BroughtPicture:
    """A visitor's own picture.

    number: identifies it among the visitor's pictures, from 1.  image: uint8 (S, S, 3), the chosen square.
    found: its inversions, by the key of the generator.  wanted: the layer of a wanted inversion, by the same keys.
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
        """A thumbnail as a data URL."""
        return data_url(np.asarray(Image.fromarray(self.image).resize((SMALL, SMALL), Image.Resampling.LANCZOS)))

    def layer(self, generator: str, lowest: int | None) -> int | None:
        """The layer of an inversion that is wanted and missing for a generator; None otherwise.

        lowest: the lowest layer of the rules, None without rules."""
        if generator not in self.wanted:
            return None
        layer = min(self.wanted[generator], lowest or self.wanted[generator])
        return None if generator in self.found and self.found[generator].layer <= layer else layer


@dataclass(frozen=True)
class OwnPictures:
    """All pictures of a visitor, in the order in which they were added.  last: the last number in use."""

    brought: tuple[BroughtPicture, ...] = ()
    last: int = 0

    def __len__(self) -> int:
        return len(self.brought)

    def of(self, generator: str) -> dict[str, OwnPicture]:
        """The inversions for a generator, by name."""
        return {picture.name: picture.found[generator] for picture in self.brought if generator in picture.found}

    def get(self, name: str) -> BroughtPicture:
        """The picture of that name.  Raises ValueError if the visitor has none."""
        for picture in self.brought:
            if picture.name == name:
                return picture
        raise ValueError(f"There is no picture {name!r:.60}; press one on the page.")

    def named(self, name: int | str, generator: str) -> Seed:
        """The picture with a number, or with the name of one of the visitor's own, as the page calls it.

        Raises ValueError for an unknown name, and for a picture without an inversion for the generator."""
        if isinstance(name, int):
            return name
        if name.isdecimal():
            return int(name)
        picture = self.get(name)
        if generator not in picture.found:
            raise ValueError("The generator has not drawn this picture of yours yet; press Draw it first.")
        return picture.found[generator]

    def name_of(self, seed: Seed) -> int | str:
        """The number or name of a picture on the page: the inverse of `named`."""
        if isinstance(seed, int):
            return seed
        names = (picture.name for picture in self.brought if seed in picture.found.values())
        return next(names, f"missing-{seed}")

    # --- changes ----------------------------------------------------------------------------------------------------

    def bring(self, image: np.ndarray, generator: str, layer: int) -> OwnPictures:
        """Add a picture, to be inverted for a generator.  Raises ValueError if there are too many."""
        if len(self) >= MOST:
            raise ValueError(f"You have {len(self)} pictures here, which is the most; remove one first.")
        number = self.last + 1
        return OwnPictures((*self.brought, BroughtPicture(number, image, {}, {generator: layer})), number)

    def want(self, name: str, generator: str, layer: int) -> OwnPictures:
        """Ask for an inversion of a picture for a generator."""
        picture = self.get(name)
        return self._with(replace(picture, wanted={**picture.wanted, generator: layer}))

    def give_up(self, generator: str, number: int | None = None) -> OwnPictures:
        """Drop the wanted inversions for a generator, of all pictures or of one; finished inversions stay."""

        def changed(picture: BroughtPicture) -> BroughtPicture:
            if number not in (None, picture.number):
                return picture
            return replace(picture, wanted={key: layer for key, layer in picture.wanted.items() if key != generator})

        return replace(self, brought=tuple(map(changed, self.brought)))

    def put(self, number: int, generator: str, inversion: OwnPicture) -> OwnPictures:
        """Store an inversion; does nothing for a picture that was removed meanwhile."""
        picture = next((picture for picture in self.brought if picture.number == number), None)
        if picture is None:
            return self
        return self._with(replace(picture, found={**picture.found, generator: inversion}))

    def without(self, name: str) -> OwnPictures:
        gone = self.get(name)
        return replace(self, brought=tuple(picture for picture in self.brought if picture is not gone))

    def with_those(self, pictures: Iterable[OwnPicture], generator: str) -> tuple[OwnPictures, dict[Seed, Seed]]:
        """Add the pictures of a rule.

        Returns the replacements, too, {old: new}: if the visitor already has the same picture, the inversion at the
        lower layer replaces the other."""
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
        return replace(self, brought=tuple(changed if p.number == changed.number else p for p in self.brought))


def _shows(inversion: OwnPicture | None, picture: OwnPicture) -> bool:
    return inversion is not None and np.array_equal(inversion.image, picture.image)


def read_image(url: str) -> np.ndarray:
    """Read the square of a new picture, uint8 (S, S, 3), from the data URL of a PNG, JPEG or WebP.

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
