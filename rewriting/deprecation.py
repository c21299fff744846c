"""Names that changed, and work for one more release."""

from __future__ import annotations

import warnings


def renamed(old: str, new: str, callers: int = 1) -> None:
    """Warn whoever called the function that calls this one; callers: how many functions up that is."""
    warnings.warn(f"{old} is now {new}, and goes with the next release.", DeprecationWarning, stacklevel=2 + callers)
