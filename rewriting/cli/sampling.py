"""`sample`: pictures of a generator, with or without rules, on one sheet or as files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriting.cli.options import (
    add_drawing,
    add_edits,
    add_generator,
    command,
    is_picture_file,
    open_edits,
    open_generator,
)
from rewriting.cli.progress import Progress
from rewriting.files import check_writable, make_folder

if TYPE_CHECKING:
    from rewriting import Edit
    from rewriting.generators import Generator

MOST_ON_A_SHEET = 256
EXAMPLES = """
# one sheet
python -m rewriting sample --generator church --seeds 0-15 --out churches.png

# under a rule that comes with the software, a rule of your own, and a published one at half its strength
python -m rewriting sample --preset trees-from-towers --seeds 0-15 --out trees.png
python -m rewriting sample --generator church --edit my-rule --seeds 3,8,20-29 --out mine.png
python -m rewriting sample --generator church --edit somebody/their-rule --strength 0.5 --seeds 0-15 --out half.png

# class 3 of a generator with classes
python -m rewriting sample --generator animals.pkl --class 3 --seeds 0-15 --out cats.png

# ten thousand files for an evaluation; after an interruption, the same command continues where it stopped
python -m rewriting sample --generator face --seeds 0-9999 --truncation 0.7 --out faces/

# the same, shared by four processes, here or (see torchrun's own help) on several machines with a common folder
torchrun --nproc-per-node 4 -m rewriting sample --generator face --seeds 0-9999 --truncation 0.7 --out faces/
"""


def add_commands(commands: Any) -> None:
    parser = command(
        commands,
        "sample",
        sample,
        "Draw pictures, with or without rules, on a sheet or into a folder.",
        EXAMPLES,
        together=True,
    )
    add_generator(parser, required=False)
    add_edits(parser)
    parser.add_argument("--preset", metavar="NAME", help="a rule that comes with the software (`models` lists them)")
    parser.add_argument(
        "--picture",
        action="append",
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders with your own pictures, from `invert`; they name their generator and come first on the sheet",
    )
    parser.add_argument(
        "--seeds",
        metavar="N",
        help="picture numbers such as 0-15 or 3,8,20-29 (default: 0-15, or none beside --picture)",
    )
    add_drawing(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="PATH",
        help="a .png, .webp or .jpg file for one sheet; any other name is a folder with one file for each picture",
    )
    parser.add_argument("--overwrite", action="store_true", help="draw again the pictures that the folder already has")


def sample(options: argparse.Namespace) -> None:
    names, out = [name for group in options.picture for name in group], Path(options.out)
    seeds = parse_seeds(options.seeds or "0-15") if options.seeds or not names else []
    as_sheet = is_picture_file(options.out, or_folder=not names)
    count = sum(map(len, seeds)) + len(names)
    if as_sheet and count > MOST_ON_A_SHEET:
        raise ValueError(f"{count:,} pictures are too many for a sheet of {MOST_ON_A_SHEET}; give --out a folder.")

    def check(generator: Generator) -> None:
        """Refuse wrong settings and unwritable files before a rule is solved or a picture is drawn."""
        from rewriting.core.contact_sheet import check_square_sheet

        generator.check_truncation(options.truncation)
        generator.check_label(options.label)
        size = generator.check_size(options.size)
        if as_sheet:
            check_square_sheet(out, count, size)
        else:
            check_writable(out / _file(0))

    with Progress() as progress:
        if names:
            _draw_own(names, list(chain(*seeds)), out, options, progress, check)
            print(f"Drew {count:,} picture{'s' if count > 1 else ''} on {out}")
            return
        generator, edits = opened(options, progress, check)
        settings = {"truncation": options.truncation, "label": options.label}
        settings |= {"size": generator.check_size(options.size)}
        if as_sheet:
            _draw_sheet(generator, edits, list(chain(*seeds)), out, **settings)
            print(f"Drew {count:,} pictures on {out}")
        else:
            drawn = draw_folder(_merged(generator, edits), seeds, out, options.overwrite, progress, **settings)
            skipped = f"; {count - drawn:,} were there already" if drawn < count else ""
            print(f"Drew {drawn:,} pictures into {out}{skipped}")


def parse_seeds(text: str) -> list[range]:
    """ "0-3,8" -> [0 .. 3, 8]; ValueError for anything else."""
    from rewriting.generators.latents import MAX_SEED

    ranges = []
    for part in text.split(","):
        first, dash, last = (side.strip() for side in part.partition("-"))
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) <= MAX_SEED):
            raise ValueError(
                f"--seeds {text!r} cannot be read at {part!r}; write 0-15 or 3,8,20-29, up to {MAX_SEED}."
            )
        ranges.append(range(int(first), int(last) + 1))
    return ranges


def _merged(generator: Generator, edits: Sequence[Edit]) -> Generator:
    """The generator with all rules in its weights; its pictures equal those under the rules bit for bit."""
    return generator.merge(edits) if edits else generator


def opened(
    options: argparse.Namespace, progress: Progress, check: Callable[[Generator], None], default: str = ""
) -> tuple[Generator, list[Edit]]:
    """The generator and all rules that the options name.

    check: called with the generator before any rule is solved; it raises an error if the options do not fit.
    default: the generator's name if the options give none.
    """
    from rewriting import Rewriter
    from rewriting.core.presets import preset

    chosen = preset(options.preset) if options.preset else None
    if options.generator is None and chosen is None and not default:
        raise ValueError("The generator is missing; give --generator or --preset.")
    generator = open_generator(options.generator or default or chosen.generator, options, progress)
    check(generator)
    edits = list(open_edits(options, generator, progress))
    if chosen:
        edit = chosen.edit(generator.digest())
        edit = edit or Rewriter(generator, chosen.request.layer, progress=progress).solve(chosen.request)
        edits.append(edit if options.strength is None else edit.with_(strength=options.strength))
    return generator, edits


def _draw_own(
    names: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    options: argparse.Namespace,
    progress: Progress,
    check: Callable[[Generator], None],
) -> None:
    """Draw pictures from `invert`, and others, on one sheet."""
    from rewriting.cli.inverting import open_inverted, reached_by
    from rewriting.core.contact_sheet import save_picture, sheet_settings, square_sheet

    inverted = [open_inverted(name) for name in names]
    generator, edits = opened(options, progress, check, inverted[0][1])
    for own, _ in inverted:
        generator.check_own(own)
    own = [reached_by(picture, edits, generator, progress) for picture, _ in inverted]
    size, pictures = generator.check_size(options.size), [*own, *seeds]
    truncation, label = options.truncation, options.label
    drawn = generator.images(pictures, edits, size, truncation=truncation, label=label)
    settings = sheet_settings(generator, size, truncation, pictures, edits, label)
    save_picture(square_sheet(generator.config.framed(drawn)), out, settings=settings)


def _draw_sheet(
    generator: Generator,
    edits: Sequence[Edit],
    seeds: Sequence[int],
    out: Path,
    *,
    size: int,
    truncation: float | None,
    label: int,
) -> None:
    from rewriting import processes
    from rewriting.core.contact_sheet import save_picture, sheet_settings, square_sheet

    drawn = _merged(generator, edits).images(processes.mine(seeds), size=size, truncation=truncation, label=label)
    pictures = processes.gathered(list(generator.config.framed(drawn)))
    if processes.rank():
        return
    settings = sheet_settings(generator, size, truncation, seeds, edits, label)
    save_picture(square_sheet(pictures), out, settings=settings)


def draw_folder(
    generator: Generator,
    seeds: Sequence[range],
    folder: Path,
    overwrite: bool,
    progress: Progress,
    *,
    truncation: float | None,
    label: int,
    size: int,
) -> int:
    """Draw a PNG for each seed, a batch at a time, and return the number of drawn pictures.

    Each PNG holds its settings.  Existing files with the same settings stay, unless `overwrite`; raises ValueError for
    an existing file with other settings.
    """
    from PIL import Image

    from rewriting import processes
    from rewriting.core.contact_sheet import save_picture, settings_of

    settings = settings_of(generator, size, truncation, label)
    note, total, drawn = json.dumps(settings), sum(map(len, seeds)), 0
    make_folder(folder)
    own = islice(chain(*seeds), processes.rank(), None, processes.count())
    for checked, missing in _missing(own, folder, note, overwrite, generator.batch_size):
        pictures = generator.images(missing, size=size, truncation=truncation, label=label)
        for seed, picture in zip(missing, pictures, strict=True):
            save_picture(Image.fromarray(picture), folder / _file(seed), settings=settings)
        drawn += len(missing)
        progress(min(1.0, checked * processes.count() / total), f"Drawing {total:,} pictures")
    return sum(processes.gathered([drawn]))


def _missing(
    seeds: Iterable[int], folder: Path, note: str, overwrite: bool, batch: int
) -> Iterator[tuple[int, list[int]]]:
    """The number of checked seeds, and the next seeds to draw."""
    checked, seeds = 0, iter(seeds)
    while chunk := list(islice(seeds, batch)):
        checked += len(chunk)
        missing = [seed for seed in chunk if overwrite or not _is_drawn(folder / _file(seed), note)]
        if missing:
            yield checked, missing


def _is_drawn(path: Path, note: str) -> bool:
    """Whether the file exists; ValueError if it has another generator, rule or setting, or is not a PNG."""
    from PIL import Image

    from rewriting.core.contact_sheet import NOTE
    from rewriting.core.masks import DAMAGED

    if not path.exists():
        return False
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            settings = picture.info.get(NOTE)
    except DAMAGED:
        raise ValueError(f"{path} is not a whole PNG; give another --out, or --overwrite.") from None
    if settings != note:
        raise ValueError(f"{path} was drawn with other settings; give another --out, or --overwrite.")
    return True


def _file(seed: int) -> str:
    return f"seed{seed:04d}.png"
