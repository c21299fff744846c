"""Models that can be rewritten."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rewriting.generators.config import GeneratorConfig, bundled

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
    "Generator": "base",
    "LayerEdit": "base",
    "LayerInput": "layer_input",
    "to_uint8": "base",
    "build": "folder",
    "read_generator": "folder",
}


def __getattr__(name: str) -> Any:
    """What computes is imported when first asked for: a list of the generators needs no PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
