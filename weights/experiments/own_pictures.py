"""Pictures that the generator never drew: how near their inversions come, and whether rules hold on them.

The pictures are true scenes: the generators were trained on such, and drew none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from time import process_time

import numpy as np
import torch
from torch import Tensor

from rewriting import Rewriter, load_generator
from rewriting.core.inversion import STEPS_KEY, Adam, difference, drawn_by, fit_key, invert, psnr
from rewriting.core.presets import preset
from rewriting.generators import to_uint8
from rewriting.generators.own_picture import OwnPicture
from rewriting.generators.stylegan2 import StyleGAN2
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.rules.catalogue import RULES
from weights.rules.measure import nearer
from weights.rules.places import widen
from weights.rules.truth import Truth
from weights.scenes.edit import with_value

LAYERS = {"face": 7, "church": 7, "horse": 8, "kitchen": 8}
ASKED = ("frowns-to-smiles", "glasses-come-off", "no-watermarks")
HELD_OUT = 90_000  # number of the first scene: no generator and no rule was made from these
LOOKED_AT = 400  # scenes among which such are looked for that a rule is about
STEPS_LATENTS, RATE_LATENTS = 60, 0.05  # of W+
WIDER, SHOWN = 4, 6


class Bench:
    """A generator, its scenes, and what has been inverted of them."""

    def __init__(self, name: str):
        self.name, self.layer = name, LAYERS[name]
        self.generator = load_generator(name).requires_grad_(False)
        self.side = self.generator.config.resolution
        self._own: dict[int, OwnPicture] = {}
        self.seconds: list[float] = []

    @cached_property
    def whole(self) -> Truth:
        return Truth(self.name, self.side)

    def wanted(self, seed: int) -> np.ndarray:
        return self.whole.pictures([seed])[0]

    def own(self, seed: int) -> OwnPicture:
        if seed not in self._own:
            start = process_time()
            *_, last = invert(self.generator, self.wanted(seed), self.layer)
            self.seconds.append(process_time() - start)
            self._own[seed] = last.picture
        return self._own[seed]

    @torch.no_grad()
    def by_latent(self, own: OwnPicture) -> np.ndarray:
        """Drawn from the latent alone: uint8 (H, W, 3)."""
        return to_uint8(self.generator.synthesise(own.latent))[0]

    def by_latents(self, own: OwnPicture) -> np.ndarray | None:
        """Drawn from a latent for each layer (W+), found from the one of all; None without a mapping network."""
        if not isinstance(self.generator, StyleGAN2):
            return None
        generator, wanted = self.generator, _tensor(own.image)
        deviation, layers = drawn_by(generator, 0).deviation, list(generator.layers)

        def drawn(moves: Tensor) -> Tensor:
            latents = own.latent + deviation * moves
            at = generator.begin(latents[:1])
            for i, layer in enumerate(layers[:-1]):
                here = replace(at, latent=latents[i : i + 1])
                at = generator.advance(layer, generator.value(layer, at), here)
            return generator.picture(layers[-1], generator.value(layers[-1], at), at)

        def loss(moves: Tensor) -> tuple[Tensor, Tensor]:
            shown = drawn(moves)
            return difference(shown, wanted).sum(), shown

        adam = Adam([torch.zeros(len(layers), own.latent.shape[1])], [RATE_LATENTS])
        for step in range(STEPS_LATENTS):
            _, shown = adam.step(loss, 1 - step / STEPS_LATENTS)
        return to_uint8(shown)[0]

    def by_key(self, own: OwnPicture) -> np.ndarray:
        """Drawn from a key that was found from the mean latent's."""
        drawn = drawn_by(self.generator, 0)
        with torch.no_grad():
            at = self.generator.enter(drawn.mean, self.layer)
        *_, (_, _, shown) = fit_key(self.generator, drawn, _tensor(own.image), self.layer, at, STEPS_KEY)
        return to_uint8(shown)[0]


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


# --- how near --------------------------------------------------------------------------------------------------------


def near(bench: Bench, report: ExperimentReport, n: int, progress: Callable[[str], None]) -> list[list]:
    """Rows of the table: mean dB of each way, the least of both, and of a picture that was drawn."""
    seeds = range(HELD_OUT, HELD_OUT + n)
    ways: dict[str, list[float]] = {"w": [], "W+": [], "key": [], "both": []}
    for seed in seeds:
        own = bench.own(seed)
        drawn = {"w": bench.by_latent(own), "W+": bench.by_latents(own), "key": bench.by_key(own)}
        for way, picture in drawn.items():
            ways[way] += [psnr(picture, own.image)] if picture is not None else []
        ways["both"].append(own.psnr)
        progress(
            f"{bench.name} {seed}: " + ", ".join(f"{way} {values[-1]:.1f}" for way, values in ways.items() if values)
        )
    *_, back = invert(bench.generator, bench.generator.images([HELD_OUT])[0], bench.layer)
    means = [float(np.mean(values)) if values else None for values in ways.values()]
    report.number(f"psnr.{bench.name}", ways | {"drawn": back.psnr, "seconds": bench.seconds})
    return [bench.name, bench.layer, n, *means, min(ways["both"]), back.psnr]


# --- rules -----------------------------------------------------------------------------------------------------------


class Rule:
    """A preset, the scenes that it is about, and what they should become."""

    def __init__(self, bench: Bench, name: str, n: int):
        self.bench, self.name, self.recipe = bench, name, RULES[name]
        self.truth, self.request = Truth(bench.name), preset(name).request
        seeds = range(HELD_OUT, HELD_OUT + LOOKED_AT)
        self.seeds = [s for s in seeds if self.place([s]).sum() >= self.recipe.least][:n]

    def place(self, seeds: Sequence[int]) -> np.ndarray:
        return self.recipe.place(self.truth, seeds)

    def ideal(self) -> np.ndarray:
        """uint8 (N, h, w, 3): the same scenes with the one number changed."""
        z = self.truth.z(self.seeds)
        if self.recipe.ideal is None:  # the mood of the face that was copied
            mood = self.truth.scene.column("mood")
            z[:, mood] = self.truth.z([self.request.copy.seed])[0, mood]
        else:
            z = with_value(self.truth.scene, z, *self.recipe.ideal)
        with torch.inference_mode():
            return to_uint8(2 * self.truth.scene.render(z, self.truth.size)[0] - 1)

    def row(self, report: ExperimentReport, progress: Callable[[str], None]) -> list:
        generator, size = self.bench.generator, self.truth.size
        own = []
        for seed in self.seeds:
            own.append(self.bench.own(seed))
            progress(f"{self.name} {seed}: {own[-1].psnr:.1f} dB")
        edit = Rewriter(generator, self.request.layer).solve(self.request)
        place, ideal = self.place(self.seeds), self.ideal()
        became = np.abs(ideal.astype(float) - self.truth.pictures(self.seeds)).mean(-1) > 5
        area, outside = place | (became & widen(place, 10)), []
        for pictures in (own, self.seeds):
            before, after = (generator.images(pictures, edits, size).astype(float) / 255 for edits in ([], [edit]))
            outside.append(float(np.abs(after - before).mean(-1)[~widen(area, WIDER)].mean()))
            if pictures is own:
                hits = nearer(before, after, ideal.astype(float) / 255, area)
                self.shown = before, after, ideal
        share = float(hits.mean())
        report.number(f"rules.{self.name}", {"nearer": hits.tolist(), "outside": outside[0], "drawn": outside[1]})
        return [self.recipe.title, len(own), 100 * share, 100 * outside[0], 100 * outside[1], outside[0] / outside[1]]

    def sheet(self) -> np.ndarray:
        before, after, ideal = self.shown
        rows = [self.truth.pictures(self.seeds), before * 255, after * 255, ideal]
        cells = [[picture.round().astype(np.uint8) for picture in row[:SHOWN]] for row in rows]
        return sheet(cells, sides=["scene", "drawn", "with the rule", "ideal"])


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: scenes of each generator, and of each rule."""
    report.text(
        "Pictures of scenes that the generators did not draw and that no rule was made from are inverted: first the "
        "latent (w), then what arrives at the layer (key). W+: a latent for each layer instead. Key: what arrives at "
        "the layer, from the mean latent. Drawn: one picture that the generator drew itself, inverted as the others."
    )
    benches = {name: Bench(name) for name in LAYERS}
    table = [near(bench, report, n, progress) for bench in benches.values()]
    report.table(
        "How near the drawings come, mean dB",
        ["generator", "layer", "scenes", "w", "W+", "key", "both", "least of both", "drawn"],
        table,
        "A Progressive GAN has no W+.",
    )
    rules = [Rule(benches[RULES[name].generator], name, n) for name in ASKED]
    rows = [rule.row(report, progress) for rule in rules]
    report.table(
        "Rules on them",
        ["rule", "scenes", "came nearer to the ideal, %", "outside, %", "outside, drawn pictures, %", "ratio"],
        rows,
        "The ideal is the same scene with the one number changed. Outside: mean change away from the place, of the "
        "full range, on these pictures and on the generator's own of the same numbers.",
    )
    for rule in rules:
        report.picture(f"{rule.name}.webp", rule.sheet(), f"{rule.recipe.title}, on scenes that were inverted.")
