"""Conversion of other programs' weight files to generators, without running code from the files."""

from typing import TYPE_CHECKING

from rewriting.lazy import lazily

if TYPE_CHECKING:
    from rewriting.checkpoints.contents import CheckpointError
    from rewriting.checkpoints.conversion import read_checkpoint

__all__ = ["CheckpointError", "read_checkpoint"]

# The readers are imported on first use, because the list of known models needs no PyTorch.
__getattr__ = lazily(__name__, {"CheckpointError": ".contents", "read_checkpoint": ".conversion"})
