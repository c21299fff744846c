"""The subjects of training, and the budgets of a CPU core and of a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rewriting.generators import GeneratorConfig
from rewriting.generators.sampling_rates import Sampling
from weights.scenes import SCENES
from weights.training.mapping import LAYERS

CHANNELS = {4: 256, 8: 256, 16: 192, 32: 128, 64: 64, 128: 32, 256: 24}
# A StyleGAN3 has more layers of each side, a margin around each, and denser maps between them.
ALIAS_FREE_CHANNELS = {16: 128, 32: 96, 64: 32, 128: 24, 256: 16}
# Configuration T, with a narrow margin, since a picture costs in proportion to all its positions.
ALIAS_FREE = Sampling(margin=4, first_stopband=4.2, clamp=None)
W_DIM = 256
LICENSE = "mit"


@dataclass(frozen=True)
class Subject:
    """The generator of one scene.

    architecture: of the generator.  emphasis: {label: factor of its pixels' weight}, for small or rare things that
    matter to people.  channels: {side: width} that differ from the default.
    """

    architecture: str = "stylegan2"
    emphasis: Mapping[str, float] = field(default_factory=dict)
    channels: Mapping[int, int] = field(default_factory=dict)


SUBJECTS = {
    "church": Subject(
        emphasis={"spire": 2, "dome": 2, "battlement": 2, "mark_middle": 4, "mark_bottom": 4, "person": 3, "tree": 1.2}
    ),
    "face": Subject(emphasis={"teeth": 2, "glasses": 2, "earring": 3}),
    "horse": Subject(emphasis={"hat": 5, "rider": 2, "head": 2, "ear": 3, "tail": 2, "mane": 1.5}),
    # 40 features more where its steps are written: see mapping.py
    "kitchen": Subject(
        "proggan", emphasis={"window": 1.5, "reflection": 3, "lamp": 2, "object": 2, "plant": 1.5}, channels={4: 296}
    ),
}


@dataclass(frozen=True)
class Settings:
    """One training run.

    size: side of the pictures.  seconds, pictures: the budget; the first to be used up ends the run.
    processor_time: whether the seconds are those that the process computes, on all its cores together.
    batch: pictures in a step.  pool: pictures in the pool; chunk: pictures rendered together, one chunk each
    `render_every` steps; fill: chunks rendered before the first step.
    rate: Muon's and Adam's; it rises over warm_up steps and falls as a cosine from the share decay_from of the budget.
    stages: ((side, until), ...): the side in training until that share of the budget.
    keep: layers up to that side are frozen, and so is a StyleGAN2's picture at that side; 0 trains all.
    edges: weight of the loss on picture gradients, at full size.  label: weight of the label loss.
    half_life: of the averaged weights, in pictures.
    adversarial_from: share of the budget at which a GAN loss begins, 1 for never; adversarial, r1: its weights;
    window: side of the parts of pictures that it judges.
    held_out: pictures for the PSNR, which is measured every evaluate_every steps.
    """

    size: int = 128
    seconds: float = 3600
    processor_time: bool = False
    pictures: float = float("inf")
    batch: int = 16
    pool: int = 24576
    chunk: int = 16
    render_every: int = 8
    fill: int = 64
    rate: float = 5e-2
    warm_up: int = 200
    decay_from: float = 0.6
    stages: tuple[tuple[int, float], ...] = ((32, 0.22), (64, 0.5))
    keep: int = 0
    edges: float = 0.5
    label: float = 0.5
    half_life: float = 3000
    adversarial_from: float = 1.0
    adversarial: float = 0.05
    r1: float = 5.0
    window: int = 64
    held_out: int = 128
    evaluate_every: int = 300
    save_every: int = 900
    seed: int = 0
    compile: bool = True

    def __post_init__(self) -> None:
        if self.size < 16 or self.size & (self.size - 1):
            raise ValueError(f"size {self.size} is not a power of two from 16 up; use 64, 128 or 256.")
        if self.keep >= self.size:
            raise ValueError(f"keep {self.keep} leaves nothing to train at {self.size} px; keep at most half of that.")
        for name in ("seconds", "pictures", "batch", "pool", "chunk", "half_life", "held_out", "warm_up"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be more than 0.")


# What differs from the settings above, which are for one CPU core, by kind of device.
BUDGETS = {
    "cuda": {
        "size": 256,
        "seconds": 1500,
        "batch": 64,
        "pool": 98304,
        "chunk": 256,
        "render_every": 16,
        "stages": ((32, 0.15), (64, 0.35), (128, 0.6)),
        "half_life": 10000,
        "evaluate_every": 500,
        "save_every": 2000,
    }
}
RESUMED = {"rate": 3e-2, "decay_from": 0.4, "stages": ()}


def config_of(
    scene: str, size: int, channels: Mapping[int, int] | None = None, architecture: str | None = None
) -> GeneratorConfig:
    """The config of a new generator for a scene.

    channels: {side: width} that differ from the default.  architecture: by default the scene's.
    """
    architecture, z_dim = architecture or SUBJECTS[scene].architecture, SCENES[scene].z_dim
    known = {"name": scene, "license": LICENSE}
    if architecture != "proggan":
        known |= {"w_dim": W_DIM, "mapping_layers": LAYERS}
    if architecture == "stylegan3":
        layers = 2 * size.bit_length() - 5  # 9 at 64 px
        by_side = {**ALIAS_FREE_CHANNELS, **(channels or {})}
        widths = {n: by_side[band.rate] for n, band in enumerate(ALIAS_FREE.bands(size, layers)[:-1])}
        return GeneratorConfig(architecture, size, z_dim, widths, sampling=ALIAS_FREE, **known)
    widths = {**CHANNELS, **SUBJECTS[scene].channels, **(channels or {})}
    widths = {side: width for side, width in widths.items() if side <= size}
    return GeneratorConfig(architecture, size, z_dim, widths, **known)
