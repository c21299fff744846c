"""The mapping network of a scene, written down instead of learnt.

Every number that a scene draws comes from one latent column (`scenes.draw.Draw`).  Two layers compute what a picture
needs of it: the column itself where the number grows with it, a ramp for every step, the bends of a colour.  The
first layer holds a unit for every knot, the second adds them up.  What is left to learn is to draw the picture; at
32 px this is worth more than five times the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from rewriting.generators import Generator
from rewriting.generators.proggan import ProgressiveGAN
from rewriting.generators.stylegan2 import SLOPE, SQRT2, StyleGAN2
from weights.recipe.scenes import Scene, scaled
from weights.recipe.scenes.draw import EVEN, Column, cuts, quantile, transitions

LAYERS = 2  # of the mapping network
STEEP = 0.12  # width, in the latent, of the ramp that stands for a step
FRACTION_KNOTS = [quantile(p) / EVEN for p in (0.04, 0.2, 0.4, 0.6, 0.8, 0.96)]
SAMPLES = 65536  # latents over which the codes are standardised
LEAST_DEVIATION = 0.1  # of a code, so that one which hardly varies is not blown up


@dataclass(frozen=True)
class Knot:
    """A unit lrelu(slope z + offset) of the first layer."""

    column: int
    slope: float
    offset: float


@dataclass
class Code:
    """One number of w: a constant and a sum of knots of one latent column.  weights: {index of the knot: weight}"""

    column: int
    weights: dict[int, float] = field(default_factory=dict)
    constant: float = 0.0

    def add(self, other: Code, factor: float) -> None:
        self.constant += other.constant * factor
        for knot, weight in other.weights.items():
            self.weights[knot] = self.weights.get(knot, 0) + weight * factor


@torch.no_grad()
def write_mapping(generator: Generator, scene: Scene) -> None:
    """Make a generator's latent codes the numbers that the scene draws.

    StyleGAN2: its mapping network, which has to be of two layers, is written and frozen.  Progressive GAN, which has
    none: the first convolution starts as the mapping's first layer, as far as its channels reach, the same at each of
    its 4x4 places.  Raises ValueError where a mapping network is too narrow or of another depth.
    """
    if isinstance(generator, StyleGAN2):
        if generator.config.mapping_layers != LAYERS:
            raise ValueError(f"the mapping has {generator.config.mapping_layers} layers; a scene's has {LAYERS}.")
        weights = effective_layers(scene, generator.config.w_dim)
        for layer, (weight, bias) in zip(generator.style[1:], (weights[:2], weights[2:]), strict=True):
            layer.weight.copy_(weight / layer.scale)
            layer.bias.copy_(bias / layer.rate)
        generator.style.requires_grad_(False)
    elif isinstance(generator, ProgressiveGAN):
        block = generator.layer1
        knots, width = units(scene.columns)[0], len(block.wscale.b)
        weight, bias = _first(knots[:width], scene.z_dim, width)
        block.conv.weight.copy_((weight / block.gain)[:, :, None, None].expand_as(block.conv.weight))
        block.wscale.b.copy_(bias)
    generator.forget()


def effective_layers(scene: Scene, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights and biases as they act, leaky ReLUs of gain sqrt 2 between and after them.

    (width, z_dim), (width,), (width, width), (width,).  Each code has mean 0 and deviation 1 before its leaky ReLU.
    """
    knots, codes = units(scene.columns)
    if max(len(knots), len(codes)) > width:
        needed = f"{len(knots)} knots and {len(codes)} codes"
        raise ValueError(f"a mapping of width {width} cannot hold the {needed} of the {scene.name} scene.")
    w1, b1 = _first(knots, scene.z_dim, width)
    w2, b2 = torch.zeros(width, width), torch.zeros(width)
    for i, code in enumerate(codes):
        b2[i] = code.constant
        for j, weight in code.weights.items():
            w2[i, j] = weight / SQRT2
    z = scaled(torch.randn(SAMPLES, scene.z_dim, generator=torch.Generator().manual_seed(0)))
    y = torch.nn.functional.leaky_relu(z @ w1.t() + b1, SLOPE) * SQRT2 @ w2.t() + b2
    n = len(codes)
    deviation = y.std(0).clamp_min(LEAST_DEVIATION)[:n]
    w2[:n] /= deviation[:, None]
    b2[:n] = (b2[:n] - y.mean(0)[:n]) / deviation
    return w1, b1, w2, b2


def units(columns: tuple[Column, ...]) -> tuple[list[Knot], list[Code]]:
    """The first layer's units, and the codes that the second makes of them."""
    knots: list[Knot] = []
    codes = [code for i, column in enumerate(columns) for code in CODES[column.kind](knots, i, column)]
    return knots, codes


def _first(knots: list[Knot], z_dim: int, width: int) -> tuple[Tensor, Tensor]:
    weight, bias = torch.zeros(width, z_dim), torch.zeros(width)
    for j, knot in enumerate(knots):
        weight[j, knot.column], bias[j] = knot.slope, knot.offset
    return weight, bias


def _uniform(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """z and -z: lrelu(z) - lrelu(-z) = (1 + slope) z."""
    n, share = len(knots), 1 / (1 + SLOPE)
    knots += [Knot(i, 1, 0), Knot(i, -1, 0)]
    return [Code(i, {n: share, n + 1: -share}), Code(i, {n: -share, n + 1: share})]


def _fraction(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """Five ramps in a row, from which any curve can be put together."""
    n = len(knots)
    knots += [Knot(i, 1, -knot) for knot in FRACTION_KNOTS]
    codes = []
    for k in range(len(FRACTION_KNOTS) - 1):
        share = 1 / (1 - SLOPE) / (FRACTION_KNOTS[k + 1] - FRACTION_KNOTS[k])
        codes.append(Code(i, {n + k: share, n + k + 1: -share}, -SLOPE / (1 - SLOPE)))
    return codes


def _flag(knots: list[Knot], i: int, column: Column) -> list[Code]:
    return _steps(knots, i, [quantile(column.details[0])])


def _choice(knots: list[Knot], i: int, column: Column) -> list[Code]:
    return _steps(knots, i, cuts(column.details))


def _steps(knots: list[Knot], i: int, places: list[float]) -> list[Code]:
    """A steep ramp for every place that a latent reaches."""
    return [_ramp(knots, i, place - STEEP / 2, place + STEEP / 2) for place in places if abs(place) < 4]


def _color(knots: list[Knot], i: int, column: Column) -> list[Code]:
    """Red, green and blue, and their negatives."""
    palette, codes = column.details, []
    ramps = [_ramp(knots, i, m - w / 2, m + w / 2) for m, w in transitions(len(palette))]
    for channel in range(3):
        code, negative = Code(i, {}, palette[0][channel]), Code(i)
        for k, ramp in enumerate(ramps):
            code.add(ramp, palette[k + 1][channel] - palette[k][channel])
        negative.add(code, -1)
        codes += [code, negative]
    return codes


def _ramp(knots: list[Knot], i: int, start: float, end: float) -> Code:
    """0 before start, 1 after end, straight between: from two units."""
    n, slope = len(knots), 1 / (end - start)
    knots += [Knot(i, slope, -start * slope), Knot(i, slope, -end * slope)]
    return Code(i, {n: 1 / (1 - SLOPE), n + 1: -1 / (1 - SLOPE)}, -SLOPE / (1 - SLOPE))


CODES = {"uniform": _uniform, "fraction": _fraction, "flag": _flag, "choice": _choice, "color": _color}
