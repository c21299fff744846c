"""The command line, one module for each group of commands.

A command imports slow packages when it runs, so that help appears at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from rewriting import __version__
from rewriting.cli import applying, experimenting, inverting, measuring, models, pushing, sampling, searching, walking
from rewriting.cli.options import examples
from rewriting.files import why

GROUPS = (sampling, walking, inverting, applying, searching, pushing, models, measuring, experimenting)
FAILED, INTERRUPTED = 2, 130  # exit codes: as argparse's, and as a shell reports Ctrl-C
EXAMPLES = """
a sheet of pictures, without and with a rule that comes with the software
  python -m rewriting sample --generator face --seeds 0-15 --out faces.png
  python -m rewriting sample --preset frowns-to-smiles --seeds 0-15 --out smiles.png

solve a request from the studio, read the report, and use the rule
  python -m rewriting apply --generator church --request request.json --out my-rule
  python -m rewriting sample --generator church --edit my-rule --seeds 0-15 --out churches.png

`python -m rewriting COMMAND --help` explains one command.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; its result has the command's function as `run`."""
    whole = argparse.ArgumentParser(
        prog="python -m rewriting",
        description="Change the rules of an image generator.",
        epilog=examples(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"rewriting {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add_commands(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0; 2 with one sentence on stderr; 130 for Ctrl-C."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow down other programs; see app.py
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # the Hub's client logs each attempt; commands report the end
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        options = parser().parse_args(arguments)
        if options.together:  # such a command draws many pictures
            from rewriting.generators import heap

            heap.hold()
        (_run_together if int(os.environ.get("WORLD_SIZE", "1")) > 1 else options.run)(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        return fail(error)
    return 0


def _run_together(options: argparse.Namespace) -> None:
    """Run a command in one of the processes of a `torchrun`; only the first process prints."""
    from rewriting import processes

    if not options.together:
        raise ValueError("This command runs in one process; start it without torchrun.")
    with processes.joined():
        if processes.rank():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
        options.run(options)


def fail(error: Exception) -> int:
    """Print an error as one sentence, and return the exit code; errors of the system become sentences here."""
    text = str(error)
    if isinstance(error, OSError) and error.errno and error.filename is not None:
        text = f"{error.filename}: {error.strerror}; check the path and your permissions."
    elif isinstance(error, OSError) and error.errno:
        text = f"A file cannot be read or written: {why(error)}."
    print(f"error: {text}", file=sys.stderr)
    return FAILED
