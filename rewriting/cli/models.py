"""`models`, `convert`, `export` and `moments`: list generators, convert and export them, and measure them."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriting.cli.options import add_edits, add_generator, command, open_edits, open_generator
from rewriting.cli.progress import Progress

if TYPE_CHECKING:
    from rewriting.generators import Generator

CONVERT_EXAMPLES = """
# a file of your own: .pt, .pth, .pkl, .bin, .ckpt or .safetensors; nothing in it is run
python -m rewriting convert my-stylegan2.pt my-generator

# a public model that `models` lists; the command fetches it, so read its licence first
python -m rewriting convert paper-church paper-church

# a file of a repo on the Hub, or its address; without a file name, the command lists the files of the repo
python -m rewriting convert somebody/churches:network-snapshot.pkl churches

# one class of a generator with classes; without --class, the new generator keeps all
python -m rewriting convert animals.pkl cats --class 3

# use the converted generator
python -m rewriting sample --generator my-generator --seeds 0-15 --out sheet.png
python app.py --generator my-generator
"""
EXPORT_EXAMPLES = """
# for rosinality's code and its descendants, with a rule in the weights
python -m rewriting export face smiling-faces.pt --edit my-rule

# the state dict of StyleGAN2-ADA-PyTorch's G_ema
python -m rewriting export org/churches churches.pt --layout nvidia
"""
MOMENTS_EXAMPLES = """
# once for a generator folder, so that the first rule at a layer needs no measurement
python -m rewriting moments --generator my-church
"""


def add_commands(commands: Any) -> None:
    command(
        commands,
        "models",
        models,
        "List all bundled generators, known models and presets.",
        "python -m rewriting models",
    )
    parser = command(
        commands, "convert", convert, "Turn a file of another program into a generator folder.", CONVERT_EXAMPLES
    )
    parser.add_argument(
        "source", metavar="NAME", help="a file, an address, ORG/NAME:FILE on the Hub, or a name of `models`"
    )
    parser.add_argument("out", metavar="OUT", help="the generator folder to write")
    parser.add_argument("--name", default="", metavar="TEXT", help="name of the generator (default: the file's)")
    parser.add_argument(
        "--truncation", type=float, metavar="X", help="truncation psi, from 0 to 2 (default: the known model's, or 1)"
    )
    parser.add_argument(
        "--class",
        type=int,
        dest="label",
        metavar="N",
        help="the only class to keep of a conditional generator, from 0 (default: keep all)",
    )
    parser = command(
        commands, "export", export, "Write a generator as a file that other programs load.", EXPORT_EXAMPLES
    )
    parser.add_argument(
        "generator", metavar="NAME", help="name of the generator, as for --generator of the other commands"
    )
    parser.add_argument("out", metavar="OUT", help="the file to write, which ends in .pt or .pth")
    parser.add_argument(
        "--layout",
        metavar="L",
        help="layout of the file: rosinality (default) or nvidia for StyleGAN2, nvidia for StyleGAN3, "
        "genforce for StyleGAN1, dissection for a Progressive GAN",
    )
    add_edits(parser)
    parser = command(
        commands,
        "moments",
        moments,
        "Measure the second moments of a generator's features at every layer, and save them in its folder.",
        MOMENTS_EXAMPLES,
        together=True,
    )
    add_generator(parser)


def models(_: argparse.Namespace) -> None:
    from rewriting.checkpoints.known_models import models_table
    from rewriting.core.presets import written
    from rewriting.files import read_json
    from rewriting.generators import GeneratorConfig, bundled
    from rewriting.generators.config import BUNDLED, CONFIG

    configs = {name: GeneratorConfig.from_json(read_json(BUNDLED / name / CONFIG)) for name in bundled()}
    print("Generators that come with the software:")
    print(_table([(name, *_described(config)) for name, config in configs.items()]))
    print("\nRules that come with it (--preset):")
    rules = written().items()
    print(_table([(name, rule["name"], f"{rule['generator']}, layer {rule['layer']}") for name, rule in rules]))
    print("\nPublic models that `convert` turns into generators:")
    print(textwrap.indent(models_table(), "  "))


def _described(config: Any) -> tuple[str, str]:
    layers = f"layers {config.first_layer} to {config.last_layer}, usually {config.default_layer}"
    classes = f", {config.classes} classes" if config.classes else ""
    return f"{config.architecture_name}, {config.resolution} px{classes}", layers


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join("  " + line.rstrip() for line in lines)


def convert(options: argparse.Namespace) -> None:
    from rewriting import hub
    from rewriting.hub.source import license_of

    with Progress() as progress:
        wish = {"name": options.name, "truncation": options.truncation, "label": options.label}
        generator = hub.convert(options.source, options.out, **wish, progress=progress)
    described = ", ".join(_described(generator.config))
    config = generator.config
    licence = f"its licence is {license_of(config)}"
    print(f"Wrote {options.out}: {config.name}, {described}, truncation {config.truncation:g}; {licence}")


def export(options: argparse.Namespace) -> None:
    from rewriting import load_generator
    from rewriting.checkpoints.export import check_export, export
    from rewriting.files import check_writable
    from rewriting.hub.source import license_of

    out = Path(options.out)
    check_export(out, options.layout)
    check_writable(out)
    with Progress() as progress:
        generator = load_generator(options.generator, progress=progress)
        edits = open_edits(options, generator, progress)
        export(generator.merge(edits) if len(edits) else generator, out, options.layout)
    rules = f" with {len(edits)} rule{'s' if len(edits) > 1 else ''} in its weights" if len(edits) else ""
    print(f"Wrote {out}: {options.generator}{rules}; its licence is {license_of(generator.config)}")


def moments(options: argparse.Namespace) -> None:
    from rewriting import processes
    from rewriting.core import memory
    from rewriting.files import check_writable
    from rewriting.generators.config import MOMENTS

    with Progress() as progress:
        generator = open_generator(options.generator, options, progress)
        folder = _folder(generator)
        check_writable(folder / MOMENTS)
        measured = memory.second_moments(generator, list(generator.layers), progress=progress)
    if not processes.rank():
        key = memory.content_key(generator, None, memory.SAMPLES)
        try:
            memory.write_moments(folder / MOMENTS, measured, key)
        except OSError as error:  # the disk is full by now: keep the costly measurement
            memory.keep(measured, key)
            print(f"{error} Until then, the cache holds the moments, and rules use them.", file=sys.stderr)
            return
    print(f"Wrote {folder / MOMENTS}: layers {generator.layers.start} to {generator.layers.stop - 1}")


def _folder(generator: Generator) -> Path:
    """The generator's folder in our format, if it is the user's own or this software's."""
    source = generator.source
    if source.revision and not source.file:
        raise ValueError(
            f"{source.name} is in the Hub's cache, which is read-only here; make a folder of it with `convert` first."
        )
    return source.folder
