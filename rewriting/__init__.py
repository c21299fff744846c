"""Change the rules of an image generator: Bau et al., "Rewriting a Deep Generative Model", ECCV 2020."""

from rewriting.edit import Edit, EditStack
from rewriting.hub import load_generator
from rewriting.request import Region, Request
from rewriting.rewriter import Rewriter

__all__ = ["Edit", "EditStack", "Region", "Request", "Rewriter", "load_generator"]
__version__ = "1.0.0"
