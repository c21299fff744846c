"""A sheet of scenes beside their label maps: python -m weights.training.preview church church.png"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from weights.rules.truth import Truth
from weights.scenes import SCENES

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    p = argparse.ArgumentParser(prog="python -m weights.training.preview", description=__doc__.split(":")[0])
    p.add_argument("scene", choices=list(SCENES))
    p.add_argument("out", type=Path, help="label maps go into a file of that name with -labels")
    p.add_argument("--rows", type=int, default=4)
    p.add_argument("--columns", type=int, default=6)
    p.add_argument("--size", type=int, default=192)
    p.add_argument("--first", type=int, default=0, metavar="N", help="number of the first picture")
    options = p.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    truth = Truth(options.scene, options.size)
    seeds = range(options.first, options.first + options.rows * options.columns)
    label_maps = truth.label_maps(seeds)
    sheet(truth.pictures(seeds), options.columns).save(options.out)
    labels_out = options.out.with_stem(options.out.stem + "-labels")
    sheet(palette(len(truth.labels))[label_maps], options.columns).save(labels_out)
    for index, name in enumerate(truth.labels):
        log.info("%-12s %5.1f %%", name, 100 * (label_maps == index).mean())


def sheet(pictures: np.ndarray, columns: int) -> Image.Image:
    """uint8 (N, H, W, 3) -> rows of `columns` pictures; N must be a multiple of `columns`."""
    rows = [np.concatenate(list(row), 1) for row in pictures.reshape(-1, columns, *pictures.shape[1:])]
    return Image.fromarray(np.concatenate(rows))


def palette(colors: int) -> np.ndarray:
    """uint8 (colors, 3): black, then colours that are easy to tell apart."""
    colours = np.random.RandomState(3).randint(40, 255, (colors, 3)).astype(np.uint8)
    colours[0] = 0
    return colours


if __name__ == "__main__":
    main()
