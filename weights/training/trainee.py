"""A generator in training: pictures at any stage, and intermediate features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators import Generator
from rewriting.generators.proggan import SLOPE, ConvBlock, ProgressiveGAN
from rewriting.generators.stylegan2 import StyleGAN2


class Trainee(nn.Module, ABC):
    """generator: the trained one; only training uses the other parts of a trainee."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    @abstractmethod
    def forward(self, z: Tensor, size: int, taps: Collection[int] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        """Latents (B, z_dim) -> pictures (B, 3, size, size), about [-1, 1], and features on the way.

        taps: sides at which the features, {side: (B, C, side, side)}, are wanted.
        """

    @abstractmethod
    def parts_up_to(self, side: int) -> Iterator[nn.Module]:
        """All parts that a picture of that side depends on."""

    def is_output(self, name: str) -> bool:
        """Whether a parameter belongs to a layer that turns features into colours."""
        return "to_rgb" in name or "output_" in name or name.startswith("early.")


class StyleTrainee(Trainee):
    """A StyleGAN2, whose pictures are sums over its stages, so it draws smaller pictures without further parts."""

    generator: StyleGAN2

    def forward(self, z: Tensor, size: int, taps: Collection[int] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        g, rgb, features = self.generator, None, {}
        latent = g.map(z, truncation=1.0)
        x = g.input.input.to(g.compute_dtype).expand(len(z), -1, -1, -1)
        for layer in g.layers:
            key, style = g.conv(layer).key(x, latent)
            x = g.styled(layer).value(key, style)
            side = x.shape[-1]
            if layer % 2 == 0:
                rgb = g.to_rgb(layer)(x, latent, rgb)
                if side in taps:
                    features[side] = x
                if side == size:
                    break
        return rgb, features

    def parts_up_to(self, side: int) -> Iterator[nn.Module]:
        g = self.generator
        if side >= 4:
            yield g.input
        for layer in g.layers:
            if g.value_size(layer) <= side:
                yield g.styled(layer)
                if layer % 2 == 0:
                    yield g.to_rgb(layer)


class ProgressiveTrainee(Trainee):
    """A Progressive GAN, which has one output at full size; training adds outputs for smaller pictures."""

    generator: ProgressiveGAN

    def __init__(self, generator: ProgressiveGAN):
        super().__init__(generator)
        config = generator.config
        smaller = [side for side in config.resolutions if 4 < side < config.resolution]
        self.early = nn.ModuleDict({str(r): ConvBlock(config.channels[r], 3, 1, 0, gain=1.0) for r in smaller})

    def forward(self, z: Tensor, size: int, taps: Collection[int] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        g, features = self.generator, {}
        x = z[:, :, None, None].float()
        for layer in (1, *g.layers):
            block = getattr(g, f"layer{layer}")
            x = F.leaky_relu(block.scaled(block.value(block.key(x))), SLOPE)
            if layer == 2:
                x = x.to(g.compute_dtype)
            side = x.shape[-1]
            if layer % 2 == 0 and side in taps:
                features[side] = x
            if layer % 2 == 0 and side == size:
                break
        output = self.output(x.shape[-1])
        return output.scaled(output.value(output.key(x))).float(), features

    def parts_up_to(self, side: int) -> Iterator[nn.Module]:
        for layer in (1, *self.generator.layers):
            if self.generator.value_size(layer) <= side:
                yield getattr(self.generator, f"layer{layer}")
        yield from (head for head_side, head in self.early.items() if int(head_side) <= side)

    def output(self, side: int) -> ConvBlock:
        """The block that turns the features of that side into colours."""
        return self.generator.output if side == self.generator.config.resolution else self.early[str(side)]


def trainee_of(generator: Generator, keep: int = 0) -> Trainee:
    """The trainee of a generator; all parameters that are not frozen have gradients.

    keep: layers up to that side of their features are frozen, with the layers that turn these into colours.
    """
    trainee = StyleTrainee(generator) if isinstance(generator, StyleGAN2) else ProgressiveTrainee(generator)
    trainee.train().requires_grad_(True)
    if isinstance(generator, StyleGAN2):
        generator.style.requires_grad_(False)  # written down, see mapping.py
        for name, parameter in generator.named_parameters():
            if name.endswith("noise.weight"):
                parameter.requires_grad_(False)  # stays 0: a picture is a function of z
    for part in trainee.parts_up_to(keep):
        part.requires_grad_(False)
    return trainee
