"""`apply --retouched`: a request out of pictures that were retouched in any program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rewriting.files import brief, check_there

if TYPE_CHECKING:
    import numpy as np

    from rewriting import Region, Request
    from rewriting.generators import Generator

MOST_PIXELS = 64 << 20  # of a picture that is opened


def add_retouched(parser: argparse.ArgumentParser) -> None:
    """What `retouched_request` reads beside --retouched."""
    parser.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="NUMBER=FILE",
        help="what of a retouched picture counts, white on black (default: what differs from the generator's picture)",
    )
    parser.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NUMBER=FILE",
        help="where the rule should hold in a picture, white on black; the retouch is carried there, and more places "
        "make a better rule (default: what was retouched)",
    )


def retouched_request(options: argparse.Namespace, generator: Generator) -> Request:
    """The request of --retouched, --mask and --context.  Raises ValueError, which names the option and the file."""
    from rewriting import Request
    from rewriting.core.retouch import Retouched

    files, masks = numbered(options.retouched, "--retouched"), numbered(options.mask, "--mask")
    if unknown := sorted(masks.keys() - files.keys()):
        raise ValueError(f"--mask names picture {unknown[0]}, which --retouched does not; give both or neither.")
    originals = dict(zip(files, generator.images(list(files)), strict=True))
    found = []
    for seed, path in files.items():
        mask = read_mask(masks[seed], len(originals[seed])) if seed in masks else None
        picture = read_picture(path, originals[seed])
        try:
            found.append(Retouched.found(seed, originals[seed], picture, mask=mask))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    context = [
        as_region(seed, read_mask(path, generator.config.resolution), path)
        for seed, path in numbered(options.context, "--context").items()
    ]
    name = options.name or Path(options.retouched[0].partition("=")[2]).stem
    return Request(
        retouched=found,
        context=context,
        layer=options.layer,
        rank=options.rank,
        locality=options.locality,
        name=name,
        generator=options.generator or generator.config.name,
    )


def numbered(given: list[str], option: str) -> dict[int, str]:
    """{picture number: file} of an option's values NUMBER=FILE; ValueError for others, and for a number twice."""
    files: dict[int, str] = {}
    for text in given:
        number, equals, path = text.partition("=")
        if not (equals and path and number.isascii() and number.isdecimal() and len(number) <= 10):
            raise ValueError(f"{option} {brief(text)} is not NUMBER=FILE, such as 3=picture.png.")
        if int(number) in files:
            raise ValueError(f"{option} names picture {number} twice; give it once.")
        files[int(number)] = path
    return files


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
        raise ValueError(f"{path} is {mask.width} x {mask.height} pixels; a mask is as large as the picture.")
    return np.where(np.asarray(mask.resize((side, side))) > HALF, 255, 0).astype(np.uint8)


def as_region(seed: int, mask: np.ndarray, path: str) -> Region:
    from rewriting import Region

    if not mask.any():
        raise ValueError(f"{path} has nothing painted in it; paint where the rule should hold.")
    return Region(seed, mask)


def _opened(path: str):  # noqa: ANN202 - Pillow is imported when it is needed
    from PIL import Image

    from rewriting.core.masks import BOMBS, DAMAGED

    check_there(Path(path))
    try:
        picture = Image.open(path)
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"{path} has {picture.width:,} x {picture.height:,} pixels, which is too large.")
        picture.load()
    except (*DAMAGED, *BOMBS) as error:
        told = isinstance(error, ValueError) and str(error).startswith(path)
        raise ValueError(str(error) if told else f"{path} is not a picture that can be read.") from None
    return picture
