"""Inversion of pictures that the generators never drew: its accuracy, and the effect of rules on the results.

The pictures are true scenes, the kind of picture on which the generators were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rewriting.core.inversion import STEPS_KEY, Adam, difference, drawn_by, fit_key, invert, psnr
from rewriting.core.presets import Preset, preset, presets
from rewriting.generators import Generator, to_uint8
from rewriting.generators.own_picture import OwnPicture
from rewriting.generators.stylegan2 import StyleGAN2
from weights.experiments.drawing import sheet
from weights.experiments.experiment_report import ExperimentReport
from weights.rules.brought import HELD_OUT, LAYERS, OnBrought, Scenes, about, on_brought
from weights.rules.catalogue import RULES
from weights.rules.measure import apart, drawn_from, nearer
from weights.rules.places import widen
from weights.scenes.edit import with_value

ASKED = ("frowns-to-smiles", "glasses-come-off", "no-watermarks")
STEPS_LATENTS, RATE_LATENTS = 60, 0.05  # of W+
LEAST_COMPARED = 4
WIDER, SHOWN = 4, 6


# --- how near --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def by_latent(generator: Generator, own: OwnPicture) -> np.ndarray:
    """The drawing of the latent alone: uint8 (H, W, 3)."""
    return to_uint8(generator.synthesise(own.latent))[0]


def by_latents(generator: Generator, own: OwnPicture) -> np.ndarray | None:
    """The drawing of one latent for each layer (W+), fitted from the single latent; None without a mapping network."""
    if not isinstance(generator, StyleGAN2):
        return None
    wanted, deviation, layers = _tensor(own.image), drawn_by(generator, 0).deviation, list(generator.layers)

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


def by_key(generator: Generator, own: OwnPicture) -> np.ndarray:
    """The drawing of a key fitted from the mean latent's."""
    drawn = drawn_by(generator, 0)
    with torch.no_grad():
        at = generator.enter(drawn.mean, own.layer)
    *_, (_, _, shown) = fit_key(generator, drawn, _tensor(own.image), own.layer, at, STEPS_KEY)
    return to_uint8(shown)[0]


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def ways(scenes: Scenes, seed: int) -> dict[str, float | None]:
    """The PSNR in dB of a scene's drawings by other ways than the two steps."""
    generator, own = scenes.generator, scenes.own(seed)
    drawn = {"w": by_latent(generator, own), "W+": by_latents(generator, own), "key": by_key(generator, own)}
    return {way: None if picture is None else psnr(picture, own.image) for way, picture in drawn.items()}


def back(scenes: Scenes) -> float:
    """The PSNR in dB of the inversion of a picture that the generator drew itself."""
    *_, last = invert(scenes.generator, scenes.generator.images([HELD_OUT])[0], scenes.layer)
    return last.psnr


def near(scenes: Scenes, report: ExperimentReport, n: int, progress: Callable[[str], None]) -> list:
    """A row of the table: mean dB of each way and of the two steps, their lowest dB, and the dB of a generated
    picture."""
    tried, both = [], []
    for i, seed in enumerate(range(HELD_OUT, HELD_OUT + n)):
        both.append(scenes.own(seed).psnr)
        progress(f"{scenes.name} {seed}: {both[-1]:.1f} dB")
        if i < compared(n):
            tried.append(ways(scenes, seed))
    drawn, columns = back(scenes), {way: [psnr_of[way] for psnr_of in tried] for way in tried[0]}
    report.number(f"psnr.{scenes.name}", columns | {"both": both, "drawn": drawn})
    means = [None if None in values else float(np.mean(values)) for values in columns.values()]
    means.append(float(np.mean(both[: len(tried)])))
    return [
        scenes.name,
        scenes.layer,
        *means,
        n,
        float(np.mean(both)),
        min(both),
        drawn,
        float(np.mean(scenes.seconds)),
    ]


def compared(n: int) -> int:
    """The number of scenes that are drawn in each way, which takes twice as long as their inversion."""
    return min(n, max(LEAST_COMPARED, n // 4))


# --- rules -----------------------------------------------------------------------------------------------------------


class Towards:
    """A preset with a known ideal: the same scene with one number changed."""

    def __init__(self, chosen: Preset, scenes: Scenes, n: int, progress: Callable[[str], None]):
        self.chosen, self.scenes, self.rule = chosen, scenes, RULES[chosen.name]
        self.truth, self.seeds = scenes.small, about(self.rule, scenes.small, n)
        self.own = []
        for seed in self.seeds:
            self.own.append(scenes.own(seed))
            progress(f"{chosen.name} {seed}: {self.own[-1].psnr:.1f} dB")
        z, place = self._changed(), self.rule.place(self.truth, self.seeds)
        with torch.inference_mode():
            self.ideal = to_uint8(2 * self.truth.scene.render(z, self.truth.size)[0] - 1) / 255
        self.drawn_ideal = drawn_from(scenes.generator, z, self.truth.size)
        became = np.abs(self.ideal - self.truth.pictures(self.seeds) / 255).mean(-1) > 5 / 255
        self.area = place | (became & widen(place, 10))
        self.before, self.after = self._drawn(self.own)

    def _changed(self) -> Tensor:
        """The latents (N, z_dim) of the scenes with the one number changed."""
        z = self.truth.z(self.seeds)
        if self.rule.ideal is not None:
            return with_value(self.truth.scene, z, *self.rule.ideal)
        mood = self.truth.scene.column("mood")  # of the face that was copied
        z[:, mood] = self.truth.z([self.chosen.request.copy.seed])[0, mood]
        return z

    def _drawn(self, pictures: Sequence[OwnPicture | int]) -> tuple[np.ndarray, np.ndarray]:
        generator, edit = self.scenes.generator, self.chosen.edit(self.scenes.generator.digest())
        before, after = (generator.images(pictures, edits, self.truth.size) / 255 for edits in ([], [edit]))
        return before, after

    def row(self, report: ExperimentReport) -> list:
        shares = []
        for before, after in ((self.before, self.after), self._drawn(self.seeds)):
            came = came_nearer(before, after, self.ideal, self.area)
            over_half = nearer(before, after, self.drawn_ideal, self.area)
            away = np.abs(after - before).mean(-1)[~widen(self.area, WIDER)].mean()
            shares.append((100 * came.mean(), 100 * over_half.mean(), 100 * float(away)))
        (came, over_half, away), drawn = shares
        report.number(f"towards.{self.chosen.name}", {"brought": shares[0], "drawn": shares[1]})
        return [self.chosen.title, len(self.own), came, drawn[0], over_half, drawn[1], away, drawn[2], away / drawn[2]]

    def sheet(self) -> np.ndarray:
        rows = [self.truth.pictures(self.seeds) / 255, self.before, self.after, self.ideal]
        cells = [[np.round(255 * picture).astype(np.uint8) for picture in row[:SHOWN]] for row in rows]
        return sheet(cells, sides=["scene", "drawn", "with the rule", "ideal"])


def came_nearer(before: np.ndarray, after: np.ndarray, ideal: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Which pictures came nearer to the ideal, in the pixels in which it differs from the original."""
    return apart(after, ideal, before, ideal, area) < apart(before, ideal, before, ideal, area)


def worked(chosen: Preset, result: OnBrought) -> list:
    """A row of the table of all presets."""
    shares = [100 * float(np.mean(hits)) for hits in (result.hits, result.drawn_hits)]
    outside = [100 * result.outside, 100 * result.drawn_outside, result.ratio]
    return [chosen.title, chosen.generator, len(result.hits), *shares, *outside]


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """n: scenes of each generator, and of each rule."""
    report.text(
        "The pictures are true scenes, which no generator drew and no rule was made from. Inversion first finds the "
        "latent (w), and then the input of the layer (key). W+: a latent for each layer instead. key: this input "
        "alone, from the mean latent. both: the two steps, as the studio takes them. drawn: both steps on one "
        "picture that the generator drew."
    )
    scenes = {name: Scenes(name) for name in LAYERS}
    rows = [near(own_scenes, report, n, progress) for own_scenes in scenes.values()]
    report.table(
        "Mean PSNR of the inverted pictures, dB",
        ["generator", "layer", "w", "W+", "key", "both", "scenes", "both, on all", "least", "drawn", "seconds"],
        rows,
        f"The first four columns are of the first {compared(n)} scenes. In a Progressive GAN there is no W+, w is the "
        f"result of the regression, and both starts from regressed features. Seconds of processor time on one thread; "
        f"the first inversion of a process also draws the pictures for the regression.",
    )
    towards = [Towards(chosen, scenes[chosen.generator], n, progress) for chosen in map(preset, ASKED)]
    report.table(
        "Rules on brought scenes (b), and on the generator's own pictures of the same numbers (d)",
        [
            "rule", "scenes", "came nearer, b %", "came nearer, d %", "past half, b %", "past half, d %",
            "outside, b %", "outside, d %", "ratio",
        ],
        [change.row(report) for change in towards],
        "The ideal is the same scene with one number changed. Came nearer: the rule brings the picture nearer to the "
        "true ideal. Past half: the picture is then nearer to the ideal as the generator draws it than to the picture "
        "without the rule. Outside: mean change outside the place, of the full range.",
    )  # fmt: skip
    results = [(chosen, on_brought(chosen, scenes[chosen.generator], n, progress)) for chosen in presets().values()]
    report.number("presets", {chosen.name: vars(result) for chosen, result in results})
    report.table(
        "Pictures that changed as intended, by the measure on each preset's card",
        ["rule", "generator", "scenes", "brought, %", "drawn, %", "outside, brought, %", "outside, drawn, %", "ratio"],
        [worked(chosen, result) for chosen, result in results],
        "Outside: mean change, of the full range.",
    )
    report.number("seconds", {name: own_scenes.seconds for name, own_scenes in scenes.items()})
    for change in towards:
        title = change.chosen.title
        report.picture(f"{change.chosen.name}.webp", change.sheet(), f"{title}, on scenes that were inverted.")
