"""Models that can be rewritten."""

from typing import TYPE_CHECKING

from rewriting.generators.config import GeneratorConfig, bundled
from rewriting.lazy import lazily

if TYPE_CHECKING:
    from rewriting.generators.base import Generator, LayerEdit, to_uint8
    from rewriting.generators.folder import build, read_generator
    from rewriting.generators.layer_input import LayerInput

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
_HOMES = {
    "Generator": ".base",
    "LayerEdit": ".base",
    "LayerInput": ".layer_input",
    "to_uint8": ".base",
    "build": ".folder",
    "read_generator": ".folder",
}


__getattr__ = lazily(__name__, _HOMES)
