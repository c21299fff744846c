"""Options that several commands share, and the values that they name."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from rewriting import EditStack
    from rewriting.generators import Generator
    from rewriting.processes import Progress

SHEETS = (".png", ".webp", ".jpg", ".jpeg")  # files of pictures that are written
OTHER_PICTURES = {".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jfif", ".jp2", ".jxl", ".svg", ".pdf", ".tga"}


# --- parsers ---------------------------------------------------------------------------------------------------------


def command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    usage: str,
    *,
    together: bool = False,
) -> argparse.ArgumentParser:
    """A new command's parser.  summary: one sentence for the list of commands.  usage: examples below its help.

    together: whether several processes of a `torchrun` can share its work.
    """
    parser = commands.add_parser(
        name,
        help=summary[0].lower() + summary[1:].rstrip("."),
        description=summary,
        epilog=examples(usage),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, together=together)
    return parser


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Add the options of drawing: size, truncation and class."""
    parser.add_argument("--size", type=int, metavar="N", help="side in pixels, a power of two (default: full size)")
    parser.add_argument(
        "--truncation",
        type=float,
        metavar="X",
        help="truncation psi from 0, the mean picture, to 1, full variety (default: the generator's)",
    )
    add_class(parser)


def add_class(parser: argparse.ArgumentParser, of: str = "the pictures") -> None:
    parser.add_argument(
        "--class",
        type=int,
        dest="label",
        default=0,
        metavar="N",
        help=f"class of {of}, for a generator with classes (default: 0)",
    )


def examples(text: str) -> str:
    return "examples:\n" + textwrap.indent(text.strip("\n"), "  ")


def add_generator(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--generator",
        required=required,
        metavar="NAME",
        help="a name that `models` lists, a folder, a file such as model.pt, a Hub repo ORG/NAME, "
        "ORG/NAME@REVISION or ORG/NAME:FILE, or an address of the Hub",
    )
    add_device(parser)
    parser.add_argument(
        "--batch", type=int, metavar="N", help="pictures drawn together (default: 1 on a CPU, 16 on a GPU)"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the options of the device and the precision; see `rewriting.generators.precision`."""
    parser.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu or cuda (default: auto, which is cuda if there is one)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=("float32", "bfloat16"),
        help="number format of the features: bfloat16 is faster on processors with bfloat16 units, and draws "
        "slightly different pictures (default: float32)",
    )


def add_edits(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument(
        "--edit",
        action="append",
        nargs="+",
        default=[],
        required=required,
        metavar="DIR",
        help="rules to apply, in any order: edit folders, Hub repos ORG/NAME or ORG/NAME@REVISION, or addresses of "
        "these",
    )
    parser.add_argument(
        "--strength",
        type=float,
        metavar="X",
        help="strength of these rules: 1 as solved, 0 for no change, below 0 for the opposite",
    )


# --- values of the options -------------------------------------------------------------------------------------------


def choose_device(name: str) -> torch.device:
    """See `rewriting.generators.precision`, which imports torch and so waits until a command needs it."""
    from rewriting.generators.precision import choose_device

    return choose_device(name)


def open_generator(name: str, options: argparse.Namespace, progress: Progress | None = None) -> Generator:
    """The generator of that name on the chosen device."""
    from rewriting import load_generator
    from rewriting.generators.precision import dtype_of

    device = choose_device(options.device)
    if options.batch is not None and options.batch < 1:
        raise ValueError(f"--batch is {options.batch}; give 1 or more.")
    generator = load_generator(name, progress=progress).to(device)
    if generator.source.file:
        note(foreign_facts(generator))
    if options.batch:
        generator.batch_size = options.batch
    generator.compute_dtype = dtype_of(options.precision)
    return generator


def foreign_facts(generator: Generator) -> str:
    """The architecture, size, layers and licence of a generator from a file of another program, in a sentence."""
    from rewriting.hub.source import license_of

    config, layers = generator.config, generator.layers
    return (
        f"{generator.source.file} is a {config.architecture_name} of {config.resolution} px, with layers "
        f"{layers.start} to {layers.stop - 1}; its licence is {license_of(config)}"
    )


def note(text: str) -> None:
    """Print a remark on stderr; of several processes, only the first prints it."""
    from rewriting import processes

    if not processes.rank():
        print(f"note: {text}.", file=sys.stderr)


def open_edits(options: argparse.Namespace, generator: Generator, progress: Progress | None = None) -> EditStack:
    """All rules named by --edit, which must fit the generator, at the strength of --strength."""
    from rewriting import EditStack
    from rewriting.hub import load_edits

    names = [name for group in options.edit for name in group]
    edits = [edit for name in names for edit in load_edits(name, generator=generator, progress=progress)]
    if options.strength is not None:
        edits = [edit.with_(strength=options.strength) for edit in edits]
    return EditStack(edits)


def is_picture_file(out: str, *, or_folder: bool = True) -> bool:
    """Whether --out names a picture file, by its ending; otherwise it names a folder, such as `psi0.7` or `v1.0/`.

    A name with a slash at the end, or of an existing folder, is a folder.  or_folder: False refuses a folder.
    Raises ValueError for a picture format that is not supported, and for an existing file that is no picture.
    """
    path = Path(out)
    folder = out.endswith(("/", os.sep)) or path.is_dir()
    if path.suffix.lower() in SHEETS and not folder:
        return True
    if not folder and path.is_file():
        raise ValueError(f"--out {out} is an existing file and not a picture; give another name.")
    if or_folder and (folder or path.suffix.lower() not in OTHER_PICTURES):
        return False
    endings = ", ".join(SHEETS)
    if or_folder:
        raise ValueError(f"--out {out} is neither a folder nor one of {endings}; choose one of these.")
    raise ValueError(f"--out {out} is not a picture file; give a name that ends in one of {endings}.")


def output_folder(path: str, expected: str) -> Path:
    """The folder to write; an existing one may hold the same format, but no config.json of another format.

    Raises ValueError, or OSError if the folder is not writable, before anything is computed.
    """
    from rewriting.files import check_writable, read_json
    from rewriting.generators.config import CONFIG

    folder = Path(path)
    if (folder / CONFIG).is_file():
        config = read_json(folder / CONFIG)
        format = config.get("format") if isinstance(config, dict) else None
        if format != expected:
            raise ValueError(f"{folder} already holds another format ({format}); give --out another folder.")
    elif folder.exists() and not folder.is_dir():
        raise ValueError(f"--out {folder} is a file; give a folder.")
    check_writable(folder / CONFIG)
    return folder
