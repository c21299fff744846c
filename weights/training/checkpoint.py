"""The start and the result of a run: a generator repo, and beside it the training state."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rewriting.generators import Generator, build, read_generator
from rewriting.generators.stylegan2 import StyleGAN2
from rewriting.generators.stylegan3 import StyleGAN3
from weights.scenes import SCENES, Scene, scaled
from weights.training.growth import grown
from weights.training.mapping import mapping_of, write_mapping
from weights.training.settings import SUBJECTS, config_of

MEAN_OVER = 10_000  # latents that the stored mean latent is taken over
MAGNITUDES_OVER = 32  # pictures


def start(
    scene: str,
    size: int,
    folder: Path | None = None,
    channels: Mapping[int, int] | None = None,
    architecture: str | None = None,
) -> Generator:
    """A generator to train: a new one, or that of a generator-repo folder, enlarged if it is smaller than `size`.

    architecture: by default the scene's.  Raises ValueError for a larger generator, or one of another scene.
    """
    if folder is None:
        generator = build(config_of(scene, size, channels, architecture))
        write_mapping(generator, SCENES[scene])
        if isinstance(generator, StyleGAN3):
            measure_magnitudes(generator, SCENES[scene])
        return generator
    generator = read_generator(folder)
    config = generator.config
    expected = architecture or SUBJECTS[scene].architecture
    if (config.name, config.architecture) != (scene, expected):
        raise ValueError(
            f"{folder} holds a {config.architecture} generator named {config.name!r}; "
            f"expected a {expected} named {scene!r}."
        )
    if config.z_dim != SCENES[scene].z_dim or config.resolution > size:
        raise ValueError(
            f"{folder} holds a generator of {config.z_dim} latent columns at {config.resolution} px; "
            f"the {scene} scene has {SCENES[scene].z_dim}, and {size} px were asked for."
        )
    if isinstance(generator, StyleGAN3) and config.resolution < size:
        raise ValueError(
            f"{folder} holds a StyleGAN3 of {config.resolution} px, which cannot grow; train it at that side."
        )
    while generator.config.resolution < size:
        larger = 2 * generator.config.resolution
        widths = config_of(scene, larger, {**(channels or {}), **config.channels}).channels
        generator = grown(generator, build(replace(config, resolution=larger, channels=widths)))
    if mapping_of(generator):
        write_mapping(generator, SCENES[scene])  # undoes the rounding of the file
    return generator


def state_path(folder: Path) -> Path:
    """The file of the training state for a generator-repo folder."""
    return folder.with_name(folder.name + "-state.pt")


def read_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The state that `write_state` wrote; None if there is only the generator."""
    path = state_path(folder)
    return torch.load(path, map_location=device, weights_only=True) if path.is_file() else None


def write_state(folder: Path, state: dict[str, Any]) -> None:
    path = state_path(folder)
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def write_averaged(generator: Generator, scene: Scene, folder: Path) -> None:
    """Write a generator repo in float16, with the mean latent for truncation."""
    generator = copy.deepcopy(generator).cpu().requires_grad_(False)
    if isinstance(generator, StyleGAN2):
        generator.latent_avg.copy_(mean_latent(generator, scene))
    elif isinstance(generator, StyleGAN3):
        generator.mapping.w_avg.copy_(mean_latent(generator, scene))
    generator.save(folder, torch.float16)


@torch.no_grad()
def mean_latent(generator: StyleGAN2 | StyleGAN3, scene: Scene) -> Tensor:
    """The mean latent, (w_dim,)."""
    z = torch.randn(MEAN_OVER, scene.z_dim, generator=torch.Generator().manual_seed(0))
    return generator.map(z, truncation=1.0).mean(0)


@torch.no_grad()
def measure_magnitudes(generator: StyleGAN3, scene: Scene) -> None:
    """Set the mean square of each layer's input, by which the layer divides it, to that of the random weights.

    NVIDIA's training keeps a running mean of it; here it stays, because a later change is one of scale alone.
    """
    latent = generator.map(scaled(torch.randn(MAGNITUDES_OVER, scene.z_dim)), truncation=1.0)
    x = generator.synthesis.input(latent)
    for name in generator.config.layer_names[:-1]:
        layer = getattr(generator.synthesis, name)
        layer.magnitude_ema.copy_(x.square().mean())
        x = layer.filtered(layer.value(*layer.key(x, latent)))
    getattr(generator.synthesis, generator.config.layer_names[-1]).magnitude_ema.copy_(x.square().mean())
