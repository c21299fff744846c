"""`experiments`: repeat the paper's tables and figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rewriting.cli.options import command

FOLDER = "experiments"
EXAMPLES = """
# list all experiments
python -m rewriting experiments

# a table with as many pictures as in the paper, which takes hours on a CPU
python -m rewriting experiments table1

# with fewer pictures, shared by two processes, which also works for the other tables, the ablations and the gallery
torchrun --nproc-per-node 2 -m rewriting experiments table1 --pictures 1000

# a quick look
python -m rewriting experiments table1 --n 50 --out reports
"""


def add_commands(commands: Any) -> None:
    summary = "Repeat an experiment of the paper on the bundled generators, and write a report."
    parser = command(commands, "experiments", experiments, summary, EXAMPLES, together=True)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the experiment; without a name, all are listed")
    parser.add_argument(
        "--n",
        "--pictures",
        dest="n",
        type=int,
        metavar="N",
        help="number of pictures to measure (default: the experiment's, and in tables the paper's); write "
        "--pictures after torchrun, which has an --n of its own",
    )
    parser.add_argument(
        "--out",
        default=FOLDER,
        metavar="FOLDER",
        help="folder for the report, which is written to FOLDER/NAME (default: %(default)s)",
    )


def experiments(options: argparse.Namespace) -> None:
    from rewriting.installation import checkout

    sys.path.append(str(checkout("experiments")))  # the folder of `weights`
    from weights.experiments import EXPERIMENTS, run_experiment

    if options.name is None:
        width = max(map(len, EXPERIMENTS))
        print("\n".join(f"{name:{width}}  {one.title} ({one.n:,} pictures)" for name, one in EXPERIMENTS.items()))
        return
    folder = run_experiment(options.name, Path(options.out), n=options.n, progress=_say)
    print(f"Wrote {folder}: report.md to read, report.json for programs, and pictures.")


def _say(sentence: str) -> None:
    from rewriting import processes

    if not processes.rank():
        print(sentence, file=sys.stderr, flush=True)
