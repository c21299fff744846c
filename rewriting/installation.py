"""The version, and the folder of the installed data."""

from __future__ import annotations

from pathlib import Path

VERSION = "1.0.0"
PACKAGE = Path(__file__).resolve().parent
INSTALLED = PACKAGE / "data"  # in a wheel; in a checkout the data is beside the package
DATA = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent  # with weights/, presets/ and the LICENSE


def checkout(command: str) -> Path:
    """The folder of the whole project, for a command that needs it.

    Raises FileNotFoundError in one sentence if only the package is installed.
    """
    if DATA == INSTALLED:
        raise FileNotFoundError(
            f"`{command}` needs a checkout of the whole project, and only the package is installed here; run "
            f"`python -m rewriting {command}` in the folder of a checkout."
        )
    return PACKAGE.parent
