"""`apply --retouched`: a request from pictures that were retouched in any program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rewriting.checks import brief
from rewriting.cli.options import add_class
from rewriting.files import check_there

if TYPE_CHECKING:
    import numpy as np

    from rewriting import Region, Request
    from rewriting.generators import Generator
    from rewriting.generators.own_picture import OwnPicture, Seed

MOST_PIXELS = 64 << 20  # of a picture that is opened


def add_retouched(parser: argparse.ArgumentParser) -> None:
    """Add the options --mask, --context and --class, which `retouched_request` reads."""
    parser.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="NUMBER=FILE",
        help="area of the change in a retouched picture, white on black (default: the pixels that differ)",
    )
    parser.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NUMBER=FILE",
        help="a place in another picture that the rule should change, white on black; the retouch is transferred "
        "there, and more places make a better rule",
    )
    add_class(parser, "the retouched pictures")


def retouched_request(options: argparse.Namespace, generator: Generator) -> Request:
    """The request of --retouched, --mask, --context and --class.

    Raises ValueError, which names the option and the file."""
    from rewriting import Request
    from rewriting.core.retouch import Retouched

    generator.check_label(options.label)
    files, masks = numbered(options.retouched, "--retouched"), numbered(options.mask, "--mask")
    places = numbered(options.context, "--context")
    own = _inverted([*files, *places], generator, options.layer)
    if unknown := sorted(masks.keys() - files.keys(), key=str):
        raise ValueError(f"--mask names picture {unknown[0]}, but --retouched does not; give both or neither.")
    drawn = generator.images([own.get(seed, seed) for seed in files], label=options.label)
    originals = dict(zip(files, drawn, strict=True))
    retouches = []
    for seed, path in files.items():
        mask = read_mask(masks[seed], len(originals[seed])) if seed in masks else None
        picture = read_picture(path, originals[seed])
        try:
            retouches.append(Retouched.found(own.get(seed, seed), originals[seed], picture, mask=mask))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    context = [
        as_region(own.get(seed, seed), read_mask(path, generator.config.resolution), path)
        for seed, path in places.items()
    ]
    name = options.name or Path(options.retouched[0].partition("=")[2]).stem
    return Request(
        retouched=retouches,
        context=context,
        layer=options.layer,
        rank=options.rank,
        locality=options.locality,
        name=name,
        generator=options.generator or generator.config.name,
        label=options.label,
    )


def numbered(values: list[str], option: str) -> dict[int | str, str]:
    """{picture number, or folder from `invert`: file} of an option's values NUMBER=FILE.

    Raises ValueError for other values, and for a picture that is named twice.
    """
    from rewriting.cli.inverting import is_inverted

    files: dict[int | str, str] = {}
    for text in values:
        name, equals, path = text.partition("=")
        number = name.isascii() and name.isdecimal() and len(name) <= 10
        if not (equals and path and (number or is_inverted(name))):
            raise ValueError(f"{option} {brief(text)} is not NUMBER=FILE, such as 3=picture.png.")
        picture = int(name) if number else name
        if picture in files:
            raise ValueError(f"{option} names picture {name} twice; give it once.")
        files[picture] = path
    return files


def _inverted(names: list[int | str], generator: Generator, layer: int | None) -> dict[str, OwnPicture]:
    """The pictures in folders from `invert`; ValueError if one was inverted at a later layer."""
    from rewriting.cli.inverting import open_inverted

    layer = generator.config.default_layer if layer is None else layer
    pictures = {}
    for name in dict.fromkeys(name for name in names if isinstance(name, str)):
        pictures[name], _ = open_inverted(name)
        generator.check_own(pictures[name], layer)
    return pictures


def read_picture(path: str, original: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3); where the file is transparent, the original shows."""
    import numpy as np
    from PIL import Image

    picture = _opened(path).convert("RGBA")
    if picture.size == original.shape[1::-1]:
        under = Image.fromarray(original).convert("RGBA")
        picture = Image.alpha_composite(under, picture)
    return np.asarray(picture.convert("RGB"))


def read_mask(path: str, side: int) -> np.ndarray:
    """uint8 (side, side), 255 where the file is painted; see `rewriting.core.masks.painted`."""
    import numpy as np
    from PIL import Image

    from rewriting.core.masks import HALF, painted

    mask = Image.fromarray(painted(_opened(path)))
    if mask.width != mask.height:
        raise ValueError(f"{path} has {mask.width} x {mask.height} pixels; save the mask in the size of the picture.")
    return np.where(np.asarray(mask.resize((side, side))) > HALF, 255, 0).astype(np.uint8)


def as_region(seed: Seed, mask: np.ndarray, path: str) -> Region:
    from rewriting import Region

    if not mask.any():
        raise ValueError(f"{path} is an empty mask; paint the place that the rule should change in white.")
    return Region(seed, mask)


def _opened(path: str):  # noqa: ANN202 - Pillow is imported when it is needed
    from PIL import Image

    from rewriting.core.masks import BOMBS, DAMAGED

    check_there(Path(path))
    try:
        picture = Image.open(path)
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"{path} has {picture.width:,} x {picture.height:,} pixels, too many; save it smaller.")
        picture.load()
    except (*DAMAGED, *BOMBS) as error:
        clear = isinstance(error, ValueError) and str(error).startswith(path)
        raise ValueError(str(error) if clear else f"{path} is not a readable picture; save it as PNG.") from None
    return picture
