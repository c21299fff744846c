"""The preset rules: what is copied, where it is pasted, where the rule should hold, and when it has worked.

Masks come from the scenes' label maps, painted a little wider, as a person would.  A rule has worked on a picture if
the picture is nearer to the ideal than to what it was.  The ideal is the same generator's picture of the scene with
one number changed (`ideal`); where there is no such number, the picture with the object pasted into it by hand, at
this very place.  Where a label says it better (teeth), a segmenter must read the label there (`becomes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rewriting import Region, Request
from rewriting.edit import Edit
from rewriting.generators import Generator, to_uint8
from rewriting.generators.base import Weights
from rewriting.generators.stylegan2 import StyleGAN2
from rewriting.goal import paste_term
from rewriting.rewriter import Rewriter
from rewriting.segmenter import Segmenter
from weights.recipe.places import (
    Masks,
    crown,
    eyes_without_glasses,
    mouth_of,
    no_trees_on_one_side,
    one_tree,
    seen,
    tail,
    tower_tops,
    trees_on_one_side,
    widen,
    without,
    would,
)
from weights.recipe.scenes.edit import with_value
from weights.recipe.truth import Truth

CANDIDATES = 200  # pictures among which sources, targets and contexts are looked for
UNSEEN = 48
KEPT, CLEAR = 4, 8  # pictures in which things are kept, and pixels between these and where the rule holds
SIDE = 256


@dataclass(frozen=True)
class Rule:
    """One preset.

    object, place: masks of what is copied and of where the rule holds; a picture with fewer than `least` pixels of
    either is no candidate for it.  source: further demand on the source.  keep: masks of what stays as it is in the
    context pictures.  erase: no object.  ideal: number of the scene and its value.  becomes, share: labels, and the
    share of the area that must read as them.  settings: layer, rank, locality and the like.  pick: which of the
    candidates is copied, and which is pasted into.  contexts: pictures painted beside that one.  lead: which of
    the pictures where it worked is shown first.  wider: pixels around the area that count neither as inside nor as
    elsewhere.
    """

    title: str
    description: str
    generator: str
    place: Masks
    object: Masks | None = None
    source: Masks | None = None
    keep: Masks | None = None
    ideal: tuple[str, bool | float | str] | None = None
    becomes: tuple[str, ...] = ()
    share: float = 0.5
    least: int = 40
    pick: tuple[int, int] = (0, 0)
    contexts: int = 10
    lead: int = 0
    wider: int = 0
    settings: dict = field(default_factory=dict)

    @property
    def erase(self) -> bool:
        return self.object is None


RULES: dict[str, Rule] = {
    "frowns-to-smiles": Rule(
        "Frowns become smiles",
        "A smile is copied onto one frown; from then on nobody frowns.",
        "face",
        object=mouth_of(smiling=True),
        source=without("glasses", "moustache"),
        place=mouth_of(smiling=False),
        becomes=("teeth",),
        share=0.08,
        pick=(5, 0),
        settings={"layer": 7, "rank": 5, "locality": 2.0, "everywhere": True},
    ),
    "horse-hats": Rule(
        "Horses wear hats",
        "A rider's hat is pasted on a horse's head; from then on every horse wears one.",
        "horse",
        object=seen("hat", wider=2),
        place=crown,
        keep=seen("horse", "tail", "rider", "hat"),
        wider=6,
        pick=(67, 0),
        contexts=20,
        lead=8,
        settings={"layer": 7, "rank": 10, "locality": 0.5, "everywhere": True},
    ),
    "trees-from-towers": Rule(
        "Trees grow from towers",
        "A tree is pasted on one tower; from then on towers end in trees.",
        "church",
        object=one_tree,
        place=tower_tops,
        wider=8,
        pick=(2, 0),
        settings={"layer": 7, "rank": 10, "locality": 2.0, "everywhere": True},
    ),
    "no-watermarks": Rule(
        "No more watermarks",
        "The word across the picture is painted in ten pictures, and disappears from all.",
        "church",
        place=seen("mark_middle", wider=3),
        ideal=("mark_middle", False),
        least=100,
        settings={"layer": 7, "rank": 5, "locality": 5.0},
    ),
    "no-captions": Rule(
        "No more captions",
        "The bar at the foot of the picture is painted in ten pictures, and disappears from all.",
        "church",
        place=seen("mark_bottom", wider=2),
        ideal=("mark_bottom", False),
        least=100,
        settings={"layer": 7, "rank": 5, "locality": 5.0},
    ),
    "glasses-come-off": Rule(
        "Glasses come off",
        "Eyes without glasses are pasted over one pair; from then on nobody wears them.",
        "face",
        object=eyes_without_glasses,
        place=seen("glasses", wider=3),
        ideal=("glasses", False),
        least=100,
        settings={"layer": 7, "rank": 3, "locality": 5.0, "everywhere": True},
    ),
    "no-earrings": Rule(
        "Earrings come off",
        "Drops and hoops are painted in ten pictures, and disappear from all.",
        "face",
        place=seen("earring", wider=3),
        ideal=("earrings", False),
        least=300,
        settings={"layer": 8, "rank": 8, "locality": 2.0},
    ),
    "no-main-windows": Rule(
        "Churches without main windows",
        "The large window is painted in ten pictures, and disappears from all.",
        "church",
        place=seen("main_window", wider=2),
        ideal=("main_window", False),
        least=60,
        settings={"layer": 7, "rank": 5, "locality": 5.0},
    ),
    "longer-tails": Rule(
        "Longer tails",
        "A long tail is pasted over a short one; from then on no horse has a short one.",
        "horse",
        object=tail(long=True),
        place=tail(long=False),
        ideal=("tail", 0.78),
        wider=6,
        settings={"layer": 8, "rank": 5, "locality": 5.0, "everywhere": True},
    ),
    "people-in-front": Rule(
        "People in front",
        "A crowd is pasted in front of one church; from then on people stand in front of all of them.",
        "church",
        object=seen("person", wider=2),
        place=would("people", True, "person", wider=2),
        becomes=("person",),
        share=0.3,
        least=120,
        wider=6,
        pick=(29, 0),
        settings={"layer": 7, "rank": 10, "locality": 2.0, "everywhere": True},
    ),
    "rose-windows": Rule(
        "Every church has a rose window",
        "A rose window is pasted on one blank wall; from then on no church is without one.",
        "church",
        object=seen("main_window", wider=2),
        place=would("main_window", True, "main_window", wider=2),
        ideal=("main_window", True),
        least=100,
        wider=4,
        settings={"layer": 7, "rank": 5, "locality": 2.0, "everywhere": True},
    ),
    "matte-tables": Rule(
        "Tables mirror nothing",
        "A piece of plain table is pasted over a reflection; from then on windows are not mirrored.",
        "kitchen",
        object=would("window", True, "reflection"),
        place=seen("reflection", wider=3),
        least=200,
        wider=4,
        settings={"layer": 7, "rank": 3, "locality": 1.0, "everywhere": True},
    ),
    "fewer-trees": Rule(
        "Fewer trees",
        "The view past a church without trees is pasted over trees; from then on they give way.",
        "church",
        object=no_trees_on_one_side,
        place=trees_on_one_side,
        ideal=("trees", False),
        least=250,
        wider=4,
        settings={"layer": 7, "rank": 10, "locality": 1.0, "everywhere": True},
    ),
    "moustache-brows": Rule(
        "Brows become moustaches",
        "A moustache is pasted on the eyebrows.",
        "face",
        object=seen("moustache", wider=2),
        place=seen("brow", wider=3),
        becomes=("moustache",),
        share=0.2,
        least=30,
        wider=4,
        pick=(12, 0),
        settings={"layer": 7, "rank": 5, "locality": 3.0, "everywhere": True},
    ),
}


@dataclass(frozen=True)
class Material:
    """A rule's request, and unseen pictures to measure it on: their seeds and the areas it is about (N, H, W)."""

    request: Request
    unseen: list[int]
    areas: np.ndarray


def paint(seed: int, mask: np.ndarray) -> Region:
    """A mask as a person paints it, at the canvas's resolution."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return Region(seed, np.asarray(image) > 127)


def prepare(rule: Rule, truth: Truth, **changes: object) -> Material:
    """Choose source, target and contexts among the first pictures, and the unseen ones after them."""
    seeds = list(range(CANDIDATES))
    place = rule.place(truth, seeds)
    places = [s for s in seeds if place[s].sum() >= rule.least]
    settings = {**rule.settings, **changes}
    copy = paste = None
    used: set[int] = set()
    if rule.object is not None:
        objects = rule.object(truth, seeds)
        if rule.source is not None:
            objects &= rule.source(truth, seeds)
        source = [s for s in seeds if objects[s].sum() >= rule.least][rule.pick[0]]
        copy, used = paint(source, objects[source]), {source}
    target = [s for s in places if s not in used][rule.pick[1]]
    context = [s for s in places if s not in used | {target}][: rule.contexts]
    if copy is not None:
        paste = paint(target, place[target])
    painted = tuple(paint(s, place[s]) for s in [target, *context])
    preserve = kept(rule, truth, [target, *context], place) if rule.keep is not None else ()
    request = Request(
        copy=copy, paste=paste, context=painted, preserve=preserve, erase=rule.erase, generator=rule.generator,
        name=rule.title, description=rule.description, **settings,
    )  # fmt: skip
    unseen = [s for s in places if s not in used | {target, *context}][:UNSEEN]
    return Material(request, unseen, place[unseen])


def kept(rule: Rule, truth: Truth, painted: Sequence[int], place: np.ndarray) -> tuple[Region, ...]:
    """What stays as it is, painted in the first of these pictures that show it, clear of where the rule holds."""
    masks = rule.keep(truth, painted) & ~widen(place[painted], CLEAR)
    shown = [(s, mask) for s, mask in zip(painted, masks, strict=True) if mask.sum() >= rule.least]
    return tuple(paint(s, mask) for s, mask in shown[:KEPT])


@dataclass(frozen=True)
class Measured:
    """worked, among: pictures in which the rule did as intended.  elsewhere: mean change outside, of the full range.
    inside: mean change inside.  hits: per picture."""

    worked: int
    among: int
    inside: float
    elsewhere: float
    hits: np.ndarray


def measure(
    rule: Rule, material: Material, generator: Generator, edit: Edit | Sequence[Edit], truth: Truth
) -> Measured:
    """Draw the unseen pictures before and after, and count.  edit: the rule's, or a stack that has it in it."""
    edits = [edit] if isinstance(edit, Edit) else list(edit)
    before = generator.images(material.unseen).astype(np.float32) / 255
    drawn = generator.images(material.unseen, edits)
    after = drawn.astype(np.float32) / 255
    area = np.repeat(np.repeat(material.areas, before.shape[1] // truth.size, 1), before.shape[1] // truth.size, 2)
    outside = ~widen(area, 2 + rule.wider)
    if rule.ideal is not None:
        hits = _nearer(before, after, ideal(rule, generator, truth, material.unseen), area)
    elif not rule.becomes:
        hits = _nearer(before, after, pasted(generator, material, material.request.layer), area)
    else:
        now = Segmenter.load(rule.generator).mask(drawn, *rule.becomes)
        hits = (now & area).sum((1, 2)) > rule.share * area.sum((1, 2))
    change = np.abs(after - before).mean(-1)
    return Measured(int(hits.sum()), len(hits), float(change[area].mean()), float(change[outside].mean()), hits)


def ideal(rule: Rule, generator: Generator, truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    """float32 (N, H, W, 3) in [0, 1]: what this generator draws for the scenes with the one number changed."""
    name, value = rule.ideal
    z = with_value(truth.scene, truth.z(seeds), name, value)
    with torch.no_grad():
        drawn = [to_uint8(draw_scaled(generator, chunk)) for chunk in z.split(generator.batch_size)]
    return np.concatenate(drawn).astype(np.float32) / 255


@torch.no_grad()
def pasted(generator: Generator, material: Material, layer: int) -> np.ndarray:
    """float32 (N, H, W, 3) in [0, 1]: the copied object pasted into each unseen picture, at its own place."""
    rewriter, request, drawn = Rewriter(generator, layer), material.request, []
    source = rewriter.layer.value(rewriter.features([request.copy.seed])[0])
    for seed, area in zip(material.unseen, material.areas, strict=True):
        at = rewriter.features([seed])[0]
        term = paste_term(rewriter.layer, source, request.copy.mask, at, paint(seed, area).mask)
        drawn.append(to_uint8(generator.leave(layer, term.target, at)))
    return np.concatenate(drawn).astype(np.float32) / 255


def draw_scaled(generator: Generator, z: Tensor, weights: Weights | None = None) -> Tensor:
    """(B, 3, H, W) from latents that count as scaled already: the generator's own scaling would, for one changed
    number, change all others a little.  weights: instead of its own, see `Generator.overrides`."""
    if isinstance(generator, StyleGAN2):
        first, weights = generator.layers.start, weights or {}
        at = generator.begin(generator.style[1:](z))
        return generator.leave(first, generator.value(first, at, weights.get(first)), at, weights)
    return generator(z, weights)


def _nearer(before: np.ndarray, after: np.ndarray, wished: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Which pictures are nearer to the ideal than to what they were, where the ideal differs from that."""
    differs = area & (np.abs(wished - before).mean(-1) > 0.02)
    to_ideal = np.where(differs, np.abs(after - wished).mean(-1), 0).sum((1, 2))
    to_before = np.where(differs, np.abs(after - before).mean(-1), 0).sum((1, 2))
    return (to_ideal < to_before) & differs.any((1, 2))
