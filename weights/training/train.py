"""Train a bundled generator: python -m weights.training.train church

Writes OUT/church (a generator repo), OUT/church-state.pt (to go on with --resume OUT/church), OUT/church-sheet.png
(true pictures beside generated ones) and OUT/church-log.json.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from rewriting.generators.precision import choose_device
from weights.scenes import SCENES
from weights.training import checkpoint
from weights.training.settings import BUDGETS, RESUMED, Settings
from weights.training.trainer import Trainer

NUMBERS = {
    "size": "side of the pictures; a resumed generator that is smaller grows",
    "seconds": "budget of time",
    "pictures": "budget of pictures",
    "batch": "pictures a step",
    "pool": "rendered pictures kept",
    "fill": "chunks of pictures rendered before the first step",
    "render_every": "steps between two chunks of new pictures; more often, and less is learnt by heart",
    "rate": "highest learning rate",
    "warm_up": "steps until the highest rate",
    "decay_from": "share of the budget from which the rate falls",
    "keep": "layers up to that side of the features stay as they are",
    "edges": "weight of the loss on picture gradients",
    "label": "weight of the label loss",
    "half_life": "of the averaged weights, in pictures",
    "adversarial_from": "share of the budget from which a GAN loss joins; 1: never",
    "adversarial": "weight of the GAN loss",
    "held_out": "pictures that the PSNR is measured on",
    "evaluate_every": "steps between two measurements of the PSNR",
    "save_every": "steps between two savings",
    "seed": "of the random numbers",
}


def main(arguments: Sequence[str] | None = None) -> None:
    p = parser()
    options = p.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = choose_device(options.device)
    try:
        settings = settings_of(options)
        torch.manual_seed(settings.seed)
        generator = checkpoint.start(
            options.scene, settings.size, options.resume, channels_of(options.channels), options.architecture
        )
    except (ValueError, OSError) as error:
        p.error(str(error))
    Trainer(options.scene, generator, settings, options.out / options.scene, device, options.resume).run()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m weights.training.train",
        description=__doc__.split("\n")[0],
        epilog="Numbers left out are those for the device: see weights/training/settings.py.",
    )
    p.add_argument("scene", choices=list(SCENES))
    p.add_argument("--architecture", choices=["stylegan2", "stylegan3", "proggan"], help="by default the scene's")
    p.add_argument("--out", type=Path, default=Path("trained"), metavar="FOLDER")
    p.add_argument("--resume", type=Path, metavar="FOLDER", help="a generator repo, with or without a state beside it")
    p.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ...; by default CUDA where there is one")
    p.add_argument("--threads", type=int, help="CPU cores used")
    p.add_argument("--channels", type=int, nargs="+", metavar="N", help="feature channels at 4, 8, 16, ... pixels")
    p.add_argument(
        "--stages", type=stage, nargs="*", metavar="SIDE:UNTIL", help="32:0.2 trains at 32 px until a fifth"
    )
    p.add_argument(
        "--processor-time", action="store_true", help="count seconds of computing, for a machine with other work"
    )
    p.add_argument("--no-compile", action="store_true", help="start at once, and run slower")
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    for name, about in NUMBERS.items():
        p.add_argument("--" + name.replace("_", "-"), type=kinds[name], help=about, metavar="N")
    return p


def stage(text: str) -> tuple[int, float]:
    """ "32:0.2" -> (32, 0.2)"""
    side, _, until = text.partition(":")
    return int(side), float(until)


def channels_of(widths: list[int] | None) -> dict[int, int] | None:
    return {4 * 2**i: width for i, width in enumerate(widths)} if widths else None


def settings_of(options: argparse.Namespace) -> Settings:
    """The device's settings with the changes for a resumed run and those of the command line."""
    values = dict(BUDGETS.get(choose_device(options.device).type, {}))
    if options.resume:
        values |= RESUMED
    values |= {name: getattr(options, name) for name in NUMBERS if getattr(options, name) is not None}
    if options.stages is not None:
        values["stages"] = tuple(options.stages)
    settings = replace(Settings(), **values, compile=not options.no_compile, processor_time=options.processor_time)
    return replace(settings, stages=tuple(s for s in settings.stages if s[0] < settings.size))


if __name__ == "__main__":
    main()
