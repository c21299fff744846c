"""A generator in training: pictures at any stage, and intermediate features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators import Generator
from rewriting.generators.proggan import SLOPE, ConvBlock, ProgressiveGAN
from rewriting.generators.stylegan2 import StyleGAN2
from rewriting.generators.stylegan3 import Colours, StyleGAN3
from weights.training.mapping import mapping_of


class Trainee(nn.Module, ABC):
    """generator: the trained one; only training uses the other parts of a trainee.

    compiles: whether `torch.compile` can take all of it at once.
    """

    compiles = True

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    @property
    def channels(self) -> dict[int, int]:
        """{side: width} of the features that `forward` returns."""
        return dict(self.generator.config.channels)

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


class AliasFreeTrainee(Trainee):
    """A StyleGAN3, which has one output at full size; training adds outputs for smaller pictures.

    The features of a side are those of its last layer, without the margin.
    """

    compiles = False  # its layers go picture by picture, and each would be compiled for itself
    generator: StyleGAN3

    def __init__(self, generator: StyleGAN3):
        super().__init__(generator)
        config, bands = generator.config, generator.bands
        self.last_of = {bands[n].rate: n for n in config.channels}  # {side: number of the layer}
        smaller = [side for side in self.last_of if side < config.resolution]
        self.early = nn.ModuleDict(
            {str(side): Colours(self.channels[side], config.w_dim, config.sampling) for side in smaller}
        )

    @property
    def channels(self) -> dict[int, int]:
        return {side: self.generator.config.channels[n] for side, n in self.last_of.items()}

    def forward(self, z: Tensor, size: int, taps: Collection[int] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        g, features = self.generator, {}
        latent = g.map(z, truncation=1.0)
        x = g.synthesis.input(latent).to(g.compute_dtype)
        for n, layer in enumerate(self.layers):
            x = layer.filtered(layer.value(*layer.key(x, latent)))
            side = g.bands[n].rate
            if n == self.last_of[side]:
                margin = (g.bands[n].size - side) // 2
                inside = x[:, :, margin : margin + side, margin : margin + side]
                if side in taps:
                    features[side] = inside
                if side == size:
                    break
        return self.output(size)(inside, latent), features

    @property
    def layers(self) -> list[nn.Module]:
        """All layers from the first, without that of the colours."""
        return [getattr(self.generator.synthesis, name) for name in self.generator.config.layer_names[:-1]]

    def parts_up_to(self, side: int) -> Iterator[nn.Module]:
        last = max((n for rate, n in self.last_of.items() if rate <= side), default=-1)
        if last >= 0:
            yield self.generator.synthesis.input
        yield from self.layers[: last + 1]
        yield from (head for head_side, head in self.early.items() if int(head_side) <= side)

    def output(self, side: int) -> Colours:
        """The layer that turns the features of that side into colours."""
        config = self.generator.config
        if side == config.resolution:
            return getattr(self.generator.synthesis, config.layer_names[-1])
        return self.early[str(side)]

    def is_output(self, name: str) -> bool:
        return self.generator.config.layer_names[-1] in name or super().is_output(name)


KINDS = {StyleGAN2: StyleTrainee, StyleGAN3: AliasFreeTrainee, ProgressiveGAN: ProgressiveTrainee}


def trainee_of(generator: Generator, keep: int = 0) -> Trainee:
    """The trainee of a generator; all parameters that are not frozen have gradients.

    keep: layers up to that side of their features are frozen, with the layers that turn these into colours.
    """
    trainee = KINDS[type(generator)](generator)
    trainee.train().requires_grad_(True)
    for layer in mapping_of(generator):
        layer.requires_grad_(False)  # written down, see mapping.py
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.weight"):
            parameter.requires_grad_(False)  # stays 0: a picture is a function of z
    for part in trainee.parts_up_to(keep):
        part.requires_grad_(False)
    return trainee
