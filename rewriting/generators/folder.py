"""Reading generators from generator-repo folders.

Every file is checked before its tensors are used, because it may come from anybody.
"""

from __future__ import annotations

from pathlib import Path

import torch

from rewriting.files import read_json, read_tensors
from rewriting.generators.base import Generator
from rewriting.generators.config import BUNDLED, CONFIG, WEIGHTS, GeneratorConfig, bundled
from rewriting.generators.proggan import ProgressiveGAN
from rewriting.generators.stylegan1 import StyleGAN1
from rewriting.generators.stylegan2 import StyleGAN2
from rewriting.generators.stylegan3 import StyleGAN3

ARCHITECTURES: dict[str, type[Generator]] = {
    "stylegan1": StyleGAN1,
    "stylegan2": StyleGAN2,
    "stylegan3": StyleGAN3,
    "proggan": ProgressiveGAN,
}


def is_copy(generator: Generator, name: str) -> bool:
    """Whether a generator of any name has the weights of the bundled generator of that name."""
    return name in bundled() and read_generator(BUNDLED / name).digest() == generator.digest()


def build(config: GeneratorConfig) -> Generator:
    """A generator of a config's architecture with random weights."""
    return ARCHITECTURES[config.architecture](config)


def read_generator(folder: str | Path) -> Generator:
    """Read the generator in a generator-repo folder, float32, not trainable.

    Raises FileNotFoundError if a file is missing, and ValueError if one has the wrong content.
    """
    folder = Path(folder)
    config = GeneratorConfig.from_json(read_json(folder / CONFIG))
    with torch.device("meta"):
        generator = build(config)
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    generator.load_state_dict(read_tensors(folder / WEIGHTS, expected), strict=True, assign=True)
    return generator.eval().requires_grad_(False)
