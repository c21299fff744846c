"""Weight files that other programs wrote, opened without running anything in them, and turned into generator repos."""

from rewriting.checkpoints.contents import CheckpointError
from rewriting.checkpoints.conversion import convert, read_checkpoint
from rewriting.checkpoints.fetching import download, fetch

__all__ = ["CheckpointError", "convert", "download", "fetch", "read_checkpoint"]
