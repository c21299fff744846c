"""Rewriting a StyleGAN3: python -m weights.experiments.alias_free FOLDER ... --seconds S ...

The folders hold generators of the face scene by `weights.training.train`, with their logs beside them, StyleGAN3s and
others to compare them with.  Frowns become smiles at each layer of each, and a report says how often they do on unseen
pictures, and what changes elsewhere.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from rewriting import Edit, Rewriter, load_generator
from rewriting.generators import Generator
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.measures import difference, masked_mean
from weights.experiments.tasks import FIRST, SMILE
from weights.rules.catalogue import RULES
from weights.rules.material import prepare
from weights.rules.measure import drawn_from, nearer
from weights.rules.places import mouth_of, widen
from weights.rules.truth import Truth
from weights.scenes.edit import with_value
from weights.segmenter import Segmenter
from weights.training.evaluate import HeldOut
from weights.training.trainee import trainee_of

SCENE, RULE = "face", RULES["frowns-to-smiles"]
HELD_OUT = 256  # pictures for the PSNR
SHOWN = 8
STRENGTHS = (1.0, 1.5)
COLUMNS = ("nearer", "smiling", "elsewhere")
LEAST_POSITIONS = 16  # of a layer's value: on fewer, a mouth is smaller than two positions

ABOUT = """
These generators were trained on the face scene at {size} px by one recipe. Then the rule *Frowns become smiles*, as
its preset is painted (rank {rank}, locality {locality}), was solved at each layer but the first and those of fewer
than {least} positions from edge to edge, and drawn on {n} frowning faces that the rule has not seen. *Nearer*: share
of the faces whose mouth comes nearer to the generator's own picture of the same face, smiling, than to the unmodified
one. *Smiling*: share of the faces at whose mouth the segmenter, which reads the pictures enlarged to {side} px, finds
at least {smile} pixels of teeth; it does not find them where they are blurred. *Elsewhere*: mean change outside the
mouth, as a share of the full range.
"""


@dataclass(frozen=True)
class Frowns:
    """Unseen frowning faces.  areas: the places of their mouths, and of the smiles there, bool (N, H, W)."""

    truth: Truth
    seeds: list[int]
    areas: np.ndarray

    @classmethod
    def first(cls, truth: Truth, n: int) -> Frowns:
        """The first n among the pictures from number FIRST on."""
        found: list[tuple[int, np.ndarray]] = []
        seeds = range(FIRST, FIRST)
        while len(found) < n:
            seeds = range(seeds.stop, seeds.stop + 16)
            masks = mouth_of(smiling=False)(truth, seeds)
            found += [(seed, mask) for seed, mask in zip(seeds, masks, strict=True) if mask.any()]
        chosen, areas = zip(*found[:n], strict=True)
        return cls(truth, list(chosen), np.stack(areas))

    @cached_property
    def segmenter(self) -> Segmenter:
        return Segmenter.load(self.truth.scene.name)

    def smiling(self, pictures: np.ndarray) -> np.ndarray:
        """Which of them smile, as drawn at any size: uint8 (N, h, w, 3) -> bool (N,)."""
        teeth = self.segmenter.mask(enlarged(pictures, self.truth.size), "teeth") & self.areas
        return teeth.sum((1, 2)) >= SMILE


def enlarged(pictures: np.ndarray, side: int) -> np.ndarray:
    """uint8 (N, h, w, 3) -> uint8 (N, side, side, 3), with straight lines between the pixels."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True)
    return x.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


@dataclass(frozen=True)
class Effect:
    """Of the rule at one strength.

    nearer, smiling: shares of the faces.  elsewhere: mean change, as a share of the full range.
    """

    nearer: float
    smiling: float
    elsewhere: float


@dataclass(frozen=True)
class Trial:
    """The rule at one layer, at each of STRENGTHS.  positions: of the layer's value, across the picture."""

    layer: int
    positions: int
    edit: Edit
    effects: list[Effect]


def trial(generator: Generator, layer: int, frowns: Frowns, before: np.ndarray, ideal: np.ndarray) -> Trial:
    """Solve the rule at a layer, and draw the faces.

    before, ideal: these faces as they are and smiling, uint8 (N, H, W, 3) at the truth's side.
    """
    request = prepare(RULE, frowns.truth, layer=layer).request
    edit = Rewriter(generator, layer).solve(request)
    drawn = [generator.images(frowns.seeds, [edit.with_(strength=strength)]) for strength in STRENGTHS]
    effects = [effect(frowns, before, enlarged(after, frowns.truth.size), ideal) for after in drawn]
    return Trial(layer, positions_of(generator, layer), edit, effects)


def effect(frowns: Frowns, before: np.ndarray, after: np.ndarray, ideal: np.ndarray) -> Effect:
    """Compare pictures, each uint8 (N, H, W, 3) at the truth's side."""
    came = nearer(*(pictures.astype(np.float32) / 255 for pictures in (before, after, ideal)), frowns.areas)
    change = masked_mean(difference(before, after), ~widen(frowns.areas, 2))
    return Effect(float(came.mean()), float(frowns.smiling(after).mean()), float(change.mean()))


def positions_of(generator: Generator, layer: int) -> int:
    """Of a layer's value, from edge to edge of the picture."""
    return generator.value_size(layer) - 2 * generator.value_margin(layer)


@dataclass(frozen=True)
class Subject:
    """A trained generator, and its smile at every layer.

    seconds: of training.  psnr: on held-out latents, in dB.  before, ideal: the share of the frowning faces that are
    read as smiling as they are, and as the generator draws them if they should smile.
    """

    name: str
    generator: Generator
    seconds: float
    psnr: float
    before: float
    ideal: float
    trials: list[Trial]

    @property
    def best(self) -> Trial:
        """The trial with which, as solved, the most faces come nearer; of several, the one that changes the least
        elsewhere."""
        return max(self.trials, key=lambda one: (one.effects[0].nearer, -one.effects[0].elsewhere))


def subject(folder: Path, seconds: float, frowns: Frowns) -> Subject:
    """Measure the generator of a folder."""
    generator = load_generator(str(folder))
    truth, size = frowns.truth, generator.config.resolution
    held_out = HeldOut(truth.scene, size, HELD_OUT, torch.device("cpu"), truth.scene.render)
    z = with_value(truth.scene, truth.z(frowns.seeds), "mood", 1.0)
    drawn = generator.images(frowns.seeds), (drawn_from(generator, z, size) * 255).round().astype(np.uint8)
    before, ideal = (enlarged(pictures, truth.size) for pictures in drawn)
    layers = [n for n in generator.layers[1:] if positions_of(generator, n) >= LEAST_POSITIONS]
    return Subject(
        f"{generator.config.architecture_name}, {pictures_of(folder):,} pictures",
        generator,
        seconds,
        held_out.psnr(trainee_of(generator), size),
        float(frowns.smiling(before).mean()),
        float(frowns.smiling(ideal).mean()),
        [trial(generator, layer, frowns, before, ideal) for layer in layers],
    )


def pictures_of(folder: Path) -> int:
    """The number of pictures seen in training, from the log beside a generator folder."""
    return json.loads(folder.with_name(folder.name + "-log.json").read_text())[-1]["pictures"]


def rows_of(one: Subject, frowns: Frowns) -> np.ndarray:
    """A sheet: some true faces, as the generator draws them, and with the rule at its best layer."""
    seeds = frowns.seeds[:SHOWN]
    true = enlarged(frowns.truth.pictures(seeds), one.generator.config.resolution)
    drawn = [one.generator.images(seeds, edits) for edits in ([], [one.best.edit])]
    rows = [list(enlarged(row, 2 * row.shape[1])) for row in (true, *drawn)]
    return sheet(rows, sides=["scene", "before", "after"])


def report(found: Sequence[Subject], frowns: Frowns, out: Path) -> Path:
    """Write the report of the generators that were measured; returns its folder."""
    made = ExperimentReport("alias-free", "A StyleGAN3 rewritten", out)
    size, settings = found[0].generator.config.resolution, RULE.settings
    made.text(
        ABOUT.format(
            size=size, n=len(frowns.seeds), side=frowns.truth.size, smile=SMILE, rank=settings["rank"],
            locality=settings["locality"],
            least=LEAST_POSITIONS,
        ).replace("\n", " ")
    )  # fmt: skip
    true = enlarged(frowns.truth.edited(frowns.seeds, mood=1.0)[0], size)
    made.table(
        "The generators",
        ["generator", "training, s", "PSNR, dB", "frowns read as smiles", "its own smiles read as smiles"],
        [[one.name, one.seconds, one.psnr, one.before, one.ideal] for one in found],
        f"Training: seconds of one core. PSNR: mean over {HELD_OUT} held-out latents. Of the true scenes, smiling and "
        f"reduced to {size} px, the segmenter reads {frowns.smiling(true).mean():.0%} as smiles.",
    )
    made.table(
        "The rule at every layer",
        ["generator", "layer", "positions", *(f"{name}, {s:g}" for s in STRENGTHS for name in COLUMNS)],
        [
            [one.name, each.layer, each.positions, *(vars(e)[name] for e in each.effects for name in COLUMNS)]
            for one in found
            for each in one.trials
        ],
        "Positions: of the layer's value, from edge to edge of the picture. The number after a name is the strength.",
    )
    for number, one in enumerate(found, 1):
        caption = f"{one.name}: unseen scenes, what it draws of them, and the rule at layer {one.best.layer}."
        made.picture(f"smiles-{number}.webp", rows_of(one, frowns), caption)
    made.number("psnr", {one.name: one.psnr for one in found})
    made.number("best", {one.name: [one.best.layer, one.best.effects[0].nearer] for one in found})
    return made.write()


def main(arguments: Sequence[str] | None = None) -> None:
    p = argparse.ArgumentParser(prog="python -m weights.experiments.alias_free", description=__doc__.split("\n")[0])
    p.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="generators of the face scene")
    p.add_argument("--seconds", type=float, nargs="+", required=True, help="of training of each, for the report")
    p.add_argument("--n", type=int, default=100, help="frowning faces that the rule is drawn on")
    p.add_argument("--out", type=Path, default=Path("docs/experiments"), metavar="FOLDER")
    options = p.parse_args(arguments)
    frowns = Frowns.first(Truth(SCENE), options.n)
    found = [subject(*pair, frowns) for pair in zip(options.folders, options.seconds, strict=True)]
    print(report(found, frowns, options.out))


if __name__ == "__main__":
    main()
