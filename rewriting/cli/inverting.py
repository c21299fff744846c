"""`invert`: find the features of a picture that the generator never drew."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriting.cli.options import add_generator, command, note, open_generator, output_folder
from rewriting.cli.progress import Progress
from rewriting.files import read_json, write_json

if TYPE_CHECKING:
    from rewriting.core.edit import Edit
    from rewriting.generators import Generator
    from rewriting.generators.own_picture import OwnPicture

FORMAT, FORMAT_VERSION = "rewriting-own-picture", 1
SHEET = "sheet.png"
EXAMPLES = """
# a picture of yours, and rules on it
python -m rewriting invert --generator face me.jpg --out me
python -m rewriting sample --picture me --preset frowns-to-smiles --out smiling.png
python -m rewriting sample --picture me --edit my-rule your-name/their-rule --out after.png

# a rule from your picture: retouch the drawing in me/sheet.png in any program
python -m rewriting apply --generator face --retouched me=retouched.png --out my-rule
"""


def add_commands(commands: Any) -> None:
    parser = command(
        commands,
        "invert",
        invert,
        "Find features with which a generator draws your picture, so that rules can change it.",
        EXAMPLES,
    )
    parser.add_argument("picture", metavar="FILE", help="a picture of any size; its middle square is used")
    add_generator(parser)
    parser.add_argument(
        "--layer",
        type=int,
        metavar="N",
        help="lowest layer whose rules change the picture; a lower layer draws it less exactly (default: the "
        "generator's)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the search (default: 0)")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write")


def invert(options: argparse.Namespace) -> None:
    import numpy as np

    from rewriting import Rewriter
    from rewriting.core.contact_sheet import save_picture, sheet
    from rewriting.core.own_files import save_pictures
    from rewriting.generators.config import CONFIG
    from rewriting.generators.own_picture import likeness

    out = output_folder(options.out, FORMAT)
    with Progress() as progress:
        generator = open_generator(options.generator, options, progress)
        own = Rewriter(generator, options.layer).invert(options.picture, seed=options.seed, progress=progress)
    save_pictures([own], out)
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "picture": own.digest}
    write_json(out / CONFIG, about | {"generator": options.generator, "layer": own.layer, "psnr": own.psnr})
    drawn = generator.images([own])[0]
    save_picture(sheet([generator.config.framed(np.stack([own.image, drawn]))]), out / SHEET)
    print(likeness(generator.config.name or "The generator", own.psnr))
    print(f"Wrote {out}: the features at layer {own.layer}, and {SHEET}, your picture beside its drawing.")


def is_inverted(name: str) -> bool:
    """Whether `invert` wrote a folder of that name."""
    from rewriting.generators.config import CONFIG

    path = Path(name, CONFIG)
    config = read_json(path) if path.is_file() else None
    return isinstance(config, dict) and config.get("format") == FORMAT


def open_inverted(name: str) -> tuple[OwnPicture, str]:
    """The picture in a folder from `invert`, and the name of its generator.

    Raises ValueError or FileNotFoundError in one sentence.
    """
    from rewriting.checks import brief
    from rewriting.core.own_files import load_pictures
    from rewriting.generators.config import CONFIG

    config = read_json(Path(name, CONFIG))
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ValueError(f"{name} holds no inverted picture; make one with `invert`.")
    if config.get("format_version") != FORMAT_VERSION:
        version = brief(config.get("format_version"))
        raise ValueError(f"{name} has format_version {version}; expected {FORMAT_VERSION}.")
    digest, generator = config.get("picture"), config.get("generator")
    picture = load_pictures(name, [digest]) if isinstance(digest, str) and len(digest) == 64 else []
    if not picture or not isinstance(generator, str):
        raise ValueError(f"{name} lacks the picture that its {CONFIG} names; invert the picture again.")
    return picture[0], generator


def reached_by(own: OwnPicture, edits: Iterable[Edit], generator: Generator, progress: Progress) -> OwnPicture:
    """The picture; inverted again at the lowest layer of the rules if it was inverted at a later layer."""
    from rewriting import Rewriter

    lowest = min((layer for edit in edits for layer in edit.layers), default=own.layer)
    if lowest >= own.layer:
        return own
    note(f"a rule changes layer {lowest}, before the layer of your picture, which is inverted again there")
    return Rewriter(generator, lowest).invert(own, progress=progress)
