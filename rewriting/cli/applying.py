"""`apply` solves requests; `merge` writes rules into a generator."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriting.cli.options import add_edits, add_generator, command, open_edits, open_generator, output_folder
from rewriting.cli.progress import Progress
from rewriting.cli.retouched import add_retouched, retouched_request
from rewriting.cli.sampling import parse_seeds

if TYPE_CHECKING:
    from rewriting import Edit, Request, Rewriter
    from rewriting.generators import Generator

SHEET = "sheet.png"
APPLY_EXAMPLES = """
# a request, or a session saved by the paper's code
python -m rewriting apply --generator church --request request.json --out my-rule

# the request of a rule for other weights, solved again on these weights
python -m rewriting apply --generator my-church --request my-rule --for-other-pictures --out my-rule-again

# a preset, with a higher rank and less weight on other places
python -m rewriting apply --preset trees-from-towers --rank 10 --locality 1 --out bolder-trees

# pictures from `sample --seeds 3,8 --out faces/`, retouched in any program; then with a place in a third picture
python -m rewriting apply --generator face --retouched 3=three.png --retouched 8=eight.png --out red-noses
python -m rewriting apply --generator face --retouched 3=three.png --context 12=nose.png --out red-noses

# draw pictures with the rule
python -m rewriting sample --generator church --edit my-rule --seeds 0-15 --out churches.png
"""
MERGE_EXAMPLES = """
# write a generator with two rules in its weights, and draw pictures of it
python -m rewriting merge --generator church --edit my-rule no-marks --out my-church
python -m rewriting sample --generator my-church --seeds 0-15 --out churches.png
"""


def add_commands(commands: Any) -> None:
    parser = command(
        commands,
        "apply",
        apply,
        "Solve a request: write the rule, a report and pictures before and after.",
        APPLY_EXAMPLES,
    )
    add_generator(parser, required=False)
    add_request(parser).add_argument(
        "--retouched",
        action="append",
        default=[],
        metavar="NUMBER=FILE",
        help="a file with the retouched picture of that number, from any program; at most 16",
    )
    add_retouched(parser)
    parser.add_argument(
        "--layer",
        type=int,
        metavar="N",
        help="layer to rewrite: low layers change objects, high layers colours and textures (default: the "
        "request's); rules from retouched pictures also use higher layers",
    )
    parser.add_argument(
        "--rank",
        type=int,
        metavar="N",
        help="number of directions of the rule (default: the request's, or 5)",
    )
    parser.add_argument(
        "--locality",
        type=float,
        metavar="X",
        help="weight against changes elsewhere, 0 or more (default: the request's, or the generator's)",
    )
    parser.add_argument(
        "--learn",
        action="store_true",
        help="learn the picture that a pasted goal shows, in several layers: this takes ten to twenty seconds; "
        "at a strength of 1.5 the rule can draw more of the goal for the same change elsewhere (retouched pictures "
        "are always learned)",
    )
    parser.add_argument("--name", metavar="TEXT", help="name of the rule (default: the request's)")
    parser.add_argument(
        "--seeds", metavar="N", help="at most 12 pictures to show, such as 0-5 (default: six matching pictures)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the edit folder to write")

    parser = command(commands, "merge", merge, "Write rules into the weights of a new generator.", MERGE_EXAMPLES)
    add_generator(parser)
    add_edits(parser, required=True)
    parser.add_argument("--out", required=True, metavar="DIR", help="the generator folder to write")


def add_request(parser: argparse.ArgumentParser) -> Any:
    """Add the options that name a request; see `named_request`.  Returns the group of which one option is required."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--request",
        metavar="FILE",
        help="a request.json, a session saved by the paper's code, or a rule's folder or zip",
    )
    source.add_argument("--preset", metavar="NAME", help="a rule that comes with the software (`models` lists them)")
    parser.add_argument(
        "--for-other-pictures",
        action="store_true",
        help="allow a request made on pictures of another generator, or of an unknown one",
    )
    return source


def apply(options: argparse.Namespace) -> None:
    import numpy as np

    from rewriting import Request, Rewriter
    from rewriting.core.contact_sheet import save_picture, sheet
    from rewriting.core.edit import FORMAT
    from rewriting.files import read_picture
    from rewriting.hub import write_rule
    from rewriting.hub.download import AFTER, BEFORE

    if options.retouched and not options.generator:
        raise ValueError("--retouched needs the generator that drew the pictures; give --generator.")
    if (options.mask or options.context) and not options.retouched:
        raise ValueError("--mask and --context work with --retouched only; a request has its own places.")
    if options.label and not options.retouched:
        raise ValueError("--class works with --retouched only; a request names its own class.")
    request = Request() if options.retouched else named_request(options)
    out = output_folder(options.out, FORMAT)
    seeds = None if options.seeds is None else _few(parse_seeds(options.seeds))
    with Progress() as progress:
        generator = open_generator(options.generator or request.generator, options, progress)
        if options.retouched:
            request = retouched_request(options, generator)
        request = for_these_pictures(request, generator, options)
        rewriter = Rewriter(generator, request.layer, progress=progress)
        learned = options.learn or request.retouched
        edit = _learned(rewriter, request, options, progress) if learned else rewriter.solve(request)
        progress(0.0, "Drawing pictures before and after")
        write_rule(edit, out, generator=generator, seeds=seeds)
    save_picture(sheet([[np.asarray(read_picture(out / name))] for name in (BEFORE, AFTER)]), out / SHEET)
    print(report(edit))
    print(f"\nWrote {out}: the rule, and {SHEET} with pictures before (upper row) and after (lower row).")


def _learned(rewriter: Rewriter, request: Request, options: argparse.Namespace, progress: Progress) -> Edit:
    from rewriting.core.learn import STEPS

    for edit in rewriter.learn(request, options.rank, options.locality, steps=STEPS):
        progress(edit.report.iterations / STEPS, "Learning the pictures")
    return edit


def merge(options: argparse.Namespace) -> None:
    from rewriting.generators.config import FORMAT
    from rewriting.hub import write_rule

    out = output_folder(options.out, FORMAT)
    with Progress() as progress:
        generator = open_generator(options.generator, options, progress)
        edits = open_edits(options, generator, progress)
        write_rule(edits, out, generator=generator, full_model=True)
    rules = "1 rule" if len(edits) == 1 else f"{len(edits)} rules"
    print(f"Wrote {out}: {generator.config.name or 'the generator'} with {rules} in its weights.")


def named_request(options: argparse.Namespace) -> Request:
    """The request named by --request or --preset; ValueError if neither it nor --generator names a generator."""
    from rewriting import Edit, Request
    from rewriting.core.presets import preset

    if options.preset:
        request = preset(options.preset).request
    elif Path(options.request).is_dir() or options.request.lower().endswith(".zip"):
        request = Edit.load(options.request).request
    else:
        request = Request.load(options.request)
    if request is None:
        raise ValueError(f"The rule in {options.request} has no request; give a rule with an edit.json.")
    if not (options.generator or request.generator):
        raise ValueError(f"{options.request} does not name its generator; give --generator.")
    changes = {name: getattr(options, name, None) for name in ("name", "layer", "rank", "locality")}
    request = request.with_(**{name: value for name, value in changes.items() if value is not None})
    return request.with_(name=request.name or Path(options.preset or options.request).stem)


def for_these_pictures(request: Request, generator: Generator, options: argparse.Namespace) -> Request:
    """The request for this generator; ValueError if it was made on pictures of another one, unless
    --for-other-pictures allows that."""
    if not options.for_other_pictures:
        request.check_pictures(generator, *filter(None, [options.generator]))
    return request.with_(generator=generator.config.name or options.generator or request.generator)


def _few(ranges: list[range]) -> list[int]:
    """The picture numbers; ValueError for more than a card shows."""
    from rewriting.hub.comparison import MOST_SHOWN

    if (count := sum(map(len, ranges))) > MOST_SHOWN:
        raise ValueError(f"--seeds names {count:,} pictures; give 1 to {MOST_SHOWN}.")
    return [seed for part in ranges for seed in part]


def report(edit: Edit) -> str:
    """The report of the solve, as a small table."""
    r = edit.report
    rows = [
        ("generator", f"{edit.generator or 'unnamed'}, {_layers(edit)}, rank {edit.rank}"),
        ("locality", f"{edit.request.locality:g}"),
        ("error at the goal", f"{r.loss_before:.4g} -> {r.loss_after:.4g}"),
        ("objective", f"{r.objective_before:.4g} -> {r.objective_after:.4g}"),
        ("change of the weights", f"{r.change:.1%}"),
        ("change elsewhere", f"{r.elsewhere:.1%}"),
        *([("change of protected places", f"{r.preserved:.1%}")] if r.preserved is not None else []),
        ("iterations", f"{r.iterations}"),
        *([("precision", r.precision)] if r.precision else []),
        ("time", f"{r.milliseconds / 1000:.2f} s"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([edit.name, *[f"  {name:<{width}}  {value}" for name, value in rows]])


def _layers(edit: Edit) -> str:
    return f"layer {edit.layer}" if not edit.further else f"layers {', '.join(map(str, edit.layers))}"
