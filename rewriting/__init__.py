"""Change the rules of an image generator: Bau et al., "Rewriting a Deep Generative Model", ECCV 2020."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rewriting.installation import VERSION
from rewriting.lazy import lazily

if TYPE_CHECKING:
    from rewriting.core.edit import Edit, EditStack
    from rewriting.core.request import Region, Request
    from rewriting.core.rewriter import Rewriter
    from rewriting.core.transform import Transform
    from rewriting.hub import load_edits, load_generator, publish

__all__ = [
    "Edit",
    "EditStack",
    "Region",
    "Request",
    "Rewriter",
    "Transform",
    "load_edits",
    "load_generator",
    "publish",
]
__version__ = VERSION

_HOMES = {
    "Edit": "rewriting.core.edit",
    "EditStack": "rewriting.core.edit",
    "Region": "rewriting.core.request",
    "Request": "rewriting.core.request",
    "Rewriter": "rewriting.core.rewriter",
    "Transform": "rewriting.core.transform",
    "load_edits": "rewriting.hub",
    "load_generator": "rewriting.hub",
    "publish": "rewriting.hub",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when first asked for: `python -m rewriting --help` needs no PyTorch."""
    if name in _HOMES:
        import_module("rewriting.hub")  # which gives edits the methods that they had: see `rewriting.hub.deprecated`
    return lazily(__name__, _HOMES)(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
