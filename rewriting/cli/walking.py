"""`walk`: an animated interpolation from picture to picture."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriting.cli.options import add_drawing, add_edits, add_generator, command
from rewriting.cli.progress import Progress
from rewriting.cli.sampling import opened, parse_seeds

if TYPE_CHECKING:
    import numpy as np

    from rewriting.generators import Generator

MOST = 10_000  # frames
EXAMPLES = """
# from picture 0 to 1, 2, 3 and back, before a rule beside after it
python -m rewriting walk --preset horse-hats --seeds 0-3 --out hats.webp
python -m rewriting walk --generator face --edit my-rule --seeds 3,8,11 --out mine.gif

# slower and as a video, which needs ffmpeg
python -m rewriting walk --generator church --seeds 0-7 --frames 48 --milliseconds 40 --out churches.mp4
"""


def add_commands(commands: Any) -> None:
    parser = command(
        commands,
        "walk",
        walk,
        "Animate a walk from picture to picture and back; with rules, before beside after.",
        EXAMPLES,
    )
    add_generator(parser, required=False)
    add_edits(parser)
    parser.add_argument("--preset", metavar="NAME", help="a rule that comes with the software (`models` lists them)")
    parser.add_argument(
        "--seeds", default="0-3", metavar="N", help="picture numbers such as 0-3 or 3,8,11 (default: 0-3)"
    )
    parser.add_argument(
        "--frames", type=int, default=16, metavar="N", help="frames from one picture to the next (default: 16)"
    )
    parser.add_argument(
        "--milliseconds",
        type=int,
        default=80,
        metavar="N",
        help="duration of a frame, 10 to 1000 (default: 80)",
    )
    add_drawing(parser)
    parser.add_argument("--alone", action="store_true", help="show only the pictures after the rules")
    parser.add_argument("--out", required=True, metavar="FILE", help="a .webp, .gif or .mp4 file")


def walk(options: argparse.Namespace) -> None:
    from rewriting.core.animation import check_animation, save_animation

    seeds, out = list(chain(*parse_seeds(options.seeds))), Path(options.out)
    check_animation(out)
    if options.frames < 1 or options.frames * len(seeds) > MOST:
        raise ValueError(
            f"--frames {options.frames} for {len(seeds):,} pictures makes {options.frames * len(seeds):,} frames; "
            f"give at least 1 for each picture, and at most {MOST:,} together."
        )
    if not 10 <= options.milliseconds <= 1000:
        raise ValueError(f"--milliseconds is {options.milliseconds}; give 10 to 1000.")

    def check(generator: Generator) -> None:
        generator.check_truncation(options.truncation)
        generator.check_label(options.label)
        generator.check_size(options.size)

    with Progress() as progress:
        generator, edits = opened(options, progress, check)
        generators = [generator] if not edits else [generator.merge(edits)]
        if edits and not options.alone:
            generators.insert(0, generator)
        save_animation(_frames(generators, seeds, options, progress), out, options.milliseconds)
    print(f"Drew {options.frames * len(seeds):,} frames on {out}")


def _frames(
    generators: list[Generator], seeds: list[int], options: argparse.Namespace, progress: Progress
) -> Iterator[np.ndarray]:
    """Frames, each uint8 (H, W, 3): the pictures of the generators at one point of the path, side by side."""
    import numpy as np

    count = options.frames * len(seeds)
    settings = {"size": options.size, "truncation": options.truncation, "label": options.label}
    for i in range(count):
        progress(i / count, f"Drawing {count:,} frames")
        drawn = [generator.interpolate(seeds, i / count, **settings) for generator in generators]
        yield np.concatenate([generators[0].config.framed(picture) for picture in drawn], 1)
