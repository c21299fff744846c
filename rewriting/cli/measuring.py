"""`bench`: measure the speed on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rewriting.cli.options import command
from rewriting.files import check_writable, make_folder, write_json

STEPS = 2001  # of the paper's code
LAYERS, RANKS = (6, 8, 10), (1, 3, 10)
EXAMPLES = """
# everything; this takes a while, because the paper's solver is slow
python -m rewriting bench --json bench.json

# drawing, and the answers of the studio
python -m rewriting bench draw app

# the waiting times from the start of the studio to a first rule, also with a large generator
python -m rewriting bench first-contact

# one layer and one rank, at full size and on a bundled generator
python -m rewriting bench solve --layers 8 --ranks 1

# a trial run, with 20 steps of the paper's solver instead of 2001
python -m rewriting bench solve --iterations 20
"""


def add_commands(commands: Any) -> None:
    summary = "Measure the speed on this machine, and compare it with baselines."
    parser = command(commands, "bench", bench, summary, EXAMPLES)
    subjects = "solve, draw, moments, search, app or first-contact (default: all)"
    parser.add_argument("only", nargs="*", metavar="SUBJECT", help=subjects)
    parser.add_argument("--layers", type=int, nargs="+", default=LAYERS, metavar="N", help="layers to solve at")
    parser.add_argument("--ranks", type=int, nargs="+", default=RANKS, metavar="N", help="ranks to solve for")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu or cuda")
    parser.add_argument("--json", metavar="FILE", help="file to write the numbers to")
    parser.add_argument(
        "--iterations",
        type=int,
        default=STEPS,
        metavar="N",
        help="steps of projected gradient descent (default: %(default)s, as in the paper's code)",
    )


def bench(options: argparse.Namespace) -> None:
    from rewriting.bench import OUTSIDE, SUBJECTS, as_json, as_table, run
    from rewriting.installation import checkout

    if unknown := set(options.only) - set(SUBJECTS):
        raise ValueError(f"There is no subject {sorted(unknown)[0]!r}; choose from {', '.join(SUBJECTS)}.")
    if options.iterations < 1:
        raise ValueError(f"--iterations is {options.iterations}; give 1 or more.")
    if options.json:
        check_writable(Path(options.json))
    rows = []
    chosen = {"only": options.only or SUBJECTS, "layers": options.layers, "ranks": options.ranks}
    for subject in set(OUTSIDE) & set(chosen["only"]):
        checkout(f"bench {subject}")  # raises its error before hours of measuring
    for row in run(**chosen, iterations=options.iterations, device=options.device):
        rows.append(row)
        print(f"measured: {row.what}", file=sys.stderr, flush=True)
    print(as_table(rows))
    if options.json:
        path = Path(options.json)
        make_folder(path.parent)
        write_json(path, as_json(rows))
