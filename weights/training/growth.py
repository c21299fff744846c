"""Enlarging a generator, which at first draws its old pictures, enlarged."""

from __future__ import annotations

import torch

from rewriting.generators import Generator
from rewriting.generators.proggan import ConvBlock, ProgressiveGAN
from rewriting.generators.stylegan2 import StyleGAN2

SMOOTH = (0.25, 0.5, 0.25)  # of a picture whose pixels are doubled, makes straight lines between them
LIFT = 1.2  # added to colours, so that they are positive, where a leaky ReLU changes nothing
STEADY = 24  # a feature that is the same everywhere, and so large that the pixel norm hardly depends on the others
ACTIVATED = 1.04  # mean square of a feature of random weights after its leaky ReLU


@torch.no_grad()
def grown(generator: Generator, target: Generator) -> Generator:
    """`target`, twice the side and of the same channels, with copies of the layers that it shares with `generator`.

    StyleGAN2: the new stage adds nothing to the picture at first, so the picture is the smaller one, upsampled.
    Progressive GAN: the new stage passes the colours on in three of its features; the others start at random.
    """
    own, new = generator.state_dict(), target.state_dict()
    for name, tensor in new.items():
        if name in own and own[name].shape == tensor.shape:
            tensor.copy_(own[name])
    if isinstance(target, StyleGAN2):
        for to_rgb in target.to_rgbs[len(generator.to_rgbs) :]:
            to_rgb.conv.weight.zero_()
    elif isinstance(target, ProgressiveGAN) and isinstance(generator, ProgressiveGAN):
        _pass_colours(generator.output, target)
    target.forget()
    return target


def _pass_colours(output: ConvBlock, target: ProgressiveGAN) -> None:
    """Write the new stage: its first layer computes the colours of the old output, its second passes them on."""
    last = target.config.last_layer
    first, second = (getattr(target, f"layer{n}") for n in (last - 1, last))
    channels = len(first.wscale.b)
    norm = ((STEADY**2 + 3 * LIFT**2 + (channels - 4) * ACTIVATED) / channels) ** 0.5

    smooth = torch.tensor(SMOOTH)
    colours = output.conv.weight * output.gain / first.gain
    first.conv.weight[:4].zero_()
    first.conv.weight[:3] = colours * torch.outer(smooth, smooth)
    first.wscale.b[:3], first.wscale.b[3] = output.wscale.b + LIFT, STEADY

    second.conv.weight[:4].zero_()
    new = target.output
    new.conv.weight.zero_()
    for feature in range(4):
        second.conv.weight[feature, feature, 1, 1] = norm / second.gain
    for colour in range(3):
        new.conv.weight[colour, colour] = norm / new.gain
    new.wscale.b.fill_(-LIFT)
