"""Models that can be rewritten."""

from rewriting.generators.base import Generator, LayerEdit, LayerInput, to_uint8
from rewriting.generators.config import GeneratorConfig
from rewriting.generators.files import build, bundled, read_generator

__all__ = [
    "Generator",
    "GeneratorConfig",
    "LayerEdit",
    "LayerInput",
    "build",
    "bundled",
    "read_generator",
    "to_uint8",
]
