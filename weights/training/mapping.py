"""The mapping network of a scene, written instead of learnt.

Every number that a scene draws depends on one latent column (`scenes.draw.Draw`).  Two layers compute the functions of
it that a picture needs (`knots`), so training only has to learn the drawing.  At 32 px this is worth more than five
times the pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rewriting.generators import Generator
from rewriting.generators.proggan import ProgressiveGAN
from rewriting.generators.stylegan2 import SLOPE, SQRT2, EqualLinear, StyleGAN2
from rewriting.generators.stylegan3 import StyleGAN3
from weights.scenes import Scene, scaled
from weights.training.knots import STEEP, Knot, places, units

LAYERS = 2  # of the mapping network
STEP_SLOPE = 4  # of a step's two units in a Progressive GAN: no steeper than others, or the pixel norm dwarfs these
STEP_HEIGHT = 12  # of a step in its second layer: other features grow to some 5, and what is small is learnt slowly
STEADY = 48  # a feature that is the same everywhere, and so large that the pixel norm hardly depends on the others
SAMPLES = 65536  # latents over which the codes are standardised
LEAST_DEVIATION = 0.1  # of a code, so that one which hardly varies is not blown up


@torch.no_grad()
def write_mapping(generator: Generator, scene: Scene) -> None:
    """Make a generator's latent codes the numbers that the scene draws.

    StyleGAN2 and StyleGAN3: writes and freezes its mapping network, which must have two layers.  Progressive GAN,
    which has no mapping network: the first two convolutions get the scene's steps, frozen too (`held`), and the first
    starts with the knots of all other columns, the same at each of its 4x4 positions; both as far as their channels
    suffice.
    Raises ValueError for a mapping network that is too narrow or of another depth.
    """
    if isinstance(generator, StyleGAN2 | StyleGAN3):
        if generator.config.mapping_layers != LAYERS:
            raise ValueError(f"the mapping has {generator.config.mapping_layers} layers; a scene's has {LAYERS}.")
        weights = effective_layers(scene, generator.config.w_dim)
        for layer, (weight, bias) in zip(mapping_of(generator), (weights[:2], weights[2:]), strict=True):
            layer.weight.copy_(weight / layer.scale)
            layer.bias.copy_(bias / layer.rate)
            layer.requires_grad_(False)
    elif isinstance(generator, ProgressiveGAN):
        _write_first_knots(generator, scene)
        _write_steps(generator, scene)
    generator.forget()


def mapping_of(generator: Generator) -> list[EqualLinear]:
    """The layers of a StyleGAN's mapping network; none for a Progressive GAN."""
    if isinstance(generator, StyleGAN3):
        return [getattr(generator.mapping, f"fc{n}") for n in range(generator.config.mapping_layers)]
    return list(generator.style[1:]) if isinstance(generator, StyleGAN2) else []


def held(generator: Generator, scene: Scene) -> dict[str, Tensor]:
    """{parameter: bool mask of its shape}: the part of a Progressive GAN's first two layers that holds steps and is
    frozen.

    It is empty for a StyleGAN, whose mapping network is frozen as a whole.  The masks cover whole rows and columns,
    so that no other feature has the latent columns of the steps, or their units, as an input: it would learn a slope
    instead of a step.
    """
    if not isinstance(generator, ProgressiveGAN):
        return {}
    steps = step_places(generator, scene)
    rows, made_of = len(steps), 2 * len(steps) + 1
    named = dict(generator.named_parameters())
    layers = ("layer1.conv.weight", "layer1.wscale.b", "layer2.conv.weight", "layer2.wscale.b")
    masks = {name: torch.zeros_like(named[name], dtype=torch.bool) for name in layers}
    masks["layer1.conv.weight"][:, sorted({column for column, _ in steps})] = True
    masks["layer1.conv.weight"][-made_of:] = masks["layer1.wscale.b"][-made_of:] = True
    masks["layer2.conv.weight"][:, -made_of:] = True
    masks["layer2.conv.weight"][-rows:] = masks["layer2.wscale.b"][-rows:] = True
    return masks


def step_places(generator: ProgressiveGAN, scene: Scene) -> list[tuple[int, float]]:
    """(latent column, position of the step) for each step that fits into the generator's first two layers."""
    steps = [(i, place) for i, column in enumerate(scene.columns) for place in places(column)]
    return steps[: generator.config.channels[4] // 4]


def _write_first_knots(generator: ProgressiveGAN, scene: Scene) -> None:
    stepping = {column for column, _ in step_places(generator, scene)}
    block = generator.layer1
    knots = [knot for knot in units(scene.columns)[0] if knot.column not in stepping][: len(block.wscale.b)]
    weight, bias = _first_layer(knots, scene.z_dim, len(knots))
    block.conv.weight[: len(knots)] = (weight / block.gain)[:, :, None, None]
    block.wscale.b[: len(knots)] = bias


def _write_steps(generator: ProgressiveGAN, scene: Scene) -> None:
    """Write the steps into the last features of the second layer, as 0 or STEP_HEIGHT before its pixel norm.

    The last units of the first layer are one constant and, for each step, two whose difference rises from a fifth of
    `rise` to all of it.
    """
    steps, first, second = step_places(generator, scene), generator.layer1, generator.layer2
    for name, mask in held(generator, scene).items():
        generator.get_parameter(name)[mask] = 0.0
    n, rise = len(steps), STEP_SLOPE * STEEP
    constant = -2 * n - 1
    first.wscale.b[constant] = STEADY
    norm = STEADY / len(first.wscale.b) ** 0.5  # about, of the pixel norm between the two
    height = STEP_HEIGHT * norm / (1 - SLOPE) / second.gain
    middle = second.conv.weight[..., 1, 1]
    for i, (column, place) in enumerate(steps):
        unit, row = 2 * (i - n), i - n
        bias = round((0.5 - place / STEEP) * 16) / 16 * rise  # a number that float16 holds, as it does the rise
        first.conv.weight[[unit, unit + 1], column] = STEP_SLOPE / first.gain
        first.wscale.b[unit], first.wscale.b[unit + 1] = bias, bias - rise
        middle[row, unit], middle[row, unit + 1] = height / rise, -height / rise
        middle[row, constant] = -SLOPE * height / STEADY


def effective_layers(scene: Scene, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The effective weights and biases of two layers, each followed by a leaky ReLU of gain sqrt 2.

    (width, z_dim), (width,), (width, width), (width,).  Each code has mean 0 and deviation 1 before its leaky ReLU.
    """
    knots, codes = units(scene.columns)
    if max(len(knots), len(codes)) > width:
        needed = f"{len(knots)} knots and {len(codes)} codes"
        raise ValueError(f"a mapping of width {width} cannot hold the {needed} of the {scene.name} scene.")
    w1, b1 = _first_layer(knots, scene.z_dim, width)
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


def _first_layer(knots: list[Knot], z_dim: int, width: int) -> tuple[Tensor, Tensor]:
    weight, bias = torch.zeros(width, z_dim), torch.zeros(width)
    for j, knot in enumerate(knots):
        weight[j, knot.column], bias[j] = knot.slope, knot.offset
    return weight, bias
