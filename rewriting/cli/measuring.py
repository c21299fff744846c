"""`bench`: how fast it is here."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rewriting.cli.options import command

STEPS = 2001  # of the paper's code
EXAMPLES = """
# everything, which takes a while: the paper's way takes as long as it takes
python -m rewriting bench --json bench.json

# only to see that it runs: the solves' ratios are then against 20 steps of the paper's way, not against all 2001
python -m rewriting bench --iterations 20
"""


def add_commands(commands: Any) -> None:
    summary = "Measure how fast it is here, each time beside the straightforward way to do the same."
    parser = command(commands, "bench", bench, summary, EXAMPLES)
    parser.add_argument("--json", metavar="FILE", help="where to write the numbers, for programs")
    parser.add_argument(
        "--iterations",
        type=int,
        default=STEPS,
        metavar="N",
        help="of the projected gradient (default: %(default)s, as the paper's code)",
    )


def bench(options: argparse.Namespace) -> None:
    from rewriting.bench import as_json, as_table, run

    if options.iterations < 1:
        raise ValueError(f"--iterations is {options.iterations}; give 1 or more.")
    rows = []
    for row in run(iterations=options.iterations):
        rows.append(row)
        print(f"measured: {row.what}", file=sys.stderr, flush=True)
    print(as_table(rows))
    if options.json:
        path = Path(options.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(as_json(rows), indent=2) + "\n", encoding="utf-8")
