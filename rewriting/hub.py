"""Where generators come from: bundled, in a folder, or on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from rewriting.generators import Generator, bundled, read_generator
from rewriting.generators.files import BUNDLED


def load_generator(name_or_path: str | Path) -> Generator:
    """A bundled generator by its name, or one in a generator-repo folder.

    Raises ValueError or FileNotFoundError, in one sentence, before anything is built from a file that is not right.
    """
    if str(name_or_path) in bundled():
        return read_generator(BUNDLED / str(name_or_path))
    if Path(name_or_path).is_dir():
        return read_generator(name_or_path)
    raise ValueError(
        f"There is no generator {str(name_or_path)!r}: bundled are {', '.join(bundled())}; a folder must hold a "
        f"config.json and a model.safetensors."
    )
