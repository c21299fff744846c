"""Generators of the usual sizes with random weights, as fast as trained ones."""

from __future__ import annotations

import torch

from rewriting.generators import Generator, GeneratorConfig, build

WIDTHS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}


def untrained(resolution: int = 256) -> Generator:
    """A StyleGAN2 of the usual widths with fixed random weights, which keep its features varied."""
    channels = {size: width for size, width in WIDTHS.items() if size <= resolution}
    name = f"{resolution} px, random weights"
    config = GeneratorConfig("stylegan2", resolution, 512, channels, w_dim=512, mapping_layers=8, name=name)
    torch.manual_seed(0)
    return build(config).eval().requires_grad_(False)
