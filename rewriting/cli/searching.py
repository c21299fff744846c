"""`search`: list the pictures that match a request's context."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path
from typing import Any

from rewriting.cli.applying import add_request, for_these_pictures, named_request
from rewriting.cli.options import add_generator, command, is_picture_file, open_generator
from rewriting.cli.progress import Progress
from rewriting.cli.sampling import parse_seeds

STEP = 64  # pictures between two reports of progress
EXAMPLES = """
# the 24 of a thousand churches whose features are most like those of the painted places, as a sheet
python -m rewriting search --preset trees-from-towers --seeds 0-999 --out towers.png

# a hundred thousand, shared by four processes; the list goes into a file
torchrun --nproc-per-node 4 -m rewriting search --request request.json --seeds 0-99999 --best 500 > found.tsv
"""


def add_commands(commands: Any) -> None:
    summary = "List the pictures that match a request's context best, with their response."
    parser = command(commands, "search", search, summary, EXAMPLES, together=True)
    add_generator(parser, required=False)
    add_request(parser)
    parser.add_argument(
        "--layer", type=int, metavar="N", help="layer whose features are compared (default: the request's)"
    )
    parser.add_argument(
        "--seeds", default="0-999", metavar="N", help="picture numbers to look through (default: 0-999)"
    )
    parser.add_argument("--best", type=int, default=24, metavar="N", help="number of pictures to list (default: 24)")
    parser.add_argument("--out", metavar="FILE", help="a .png, .webp or .jpg file for a sheet of them")


def search(options: argparse.Namespace) -> None:
    """Print each picture's strongest response d . k, highest first."""
    from rewriting import Rewriter, processes
    from rewriting.core.contact_sheet import check_square_sheet, save_picture, square_sheet

    if options.best < 1:
        raise ValueError(f"--best is {options.best}; give 1 or more.")
    if options.out:
        is_picture_file(options.out, or_folder=False)
    request, seeds = named_request(options), list(chain(*parse_seeds(options.seeds)))
    with Progress() as progress:
        generator = open_generator(options.generator or request.generator, options, progress)
        request = for_these_pictures(request, generator, options)
        if options.out:
            check_square_sheet(Path(options.out), min(options.best, len(seeds)), generator.config.resolution)
        rewriter = Rewriter(generator, request.layer, progress=progress)
        own = processes.mine(seeds)
        how = {"truncation": request.truncation if generator.truncates else None, "label": request.label}
        scores: list[float] = []
        for start in range(0, len(own), STEP):
            matches = rewriter.matches(request, own[start : start + STEP], **how)
            scores += matches.scores.tolist()
            progress(len(scores) / len(own), f"Searching {len(seeds):,} pictures")
        scores = processes.gathered(scores)
        best = sorted(range(len(seeds)), key=lambda i: -scores[i])[: options.best]
        if options.out and not processes.rank():
            pictures = generator.images([seeds[i] for i in best], **how)
            save_picture(square_sheet(generator.config.framed(pictures)), Path(options.out))
    for i in best:
        print(f"{seeds[i]}\t{scores[i]:.4f}")
