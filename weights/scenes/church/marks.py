"""Watermarks, as in stock photos."""

from __future__ import annotations

from weights.scenes.canvas import Canvas
from weights.scenes.church.labels import MARK_BOTTOM, MARK_MIDDLE
from weights.scenes.draw import Draw
from weights.scenes.letters import word


def mark_middle(c: Canvas, draw: Draw) -> None:
    """A translucent white word across the middle."""
    show, letters = draw.flag(0.20, name="mark_middle"), word("unbound", c.x, c.y - 0.02, 0.068, 0.30)
    c.shade(letters - 0.012, -0.14, soft=4, show=show)
    c.paint(letters, (1.0, 1.0, 1.0), MARK_MIDDLE, opacity=0.62, show=show)


def mark_bottom(c: Canvas, draw: Draw) -> None:
    """A thin translucent bar along the bottom edge with a line of small text."""
    show = draw.flag(0.15, name="mark_bottom")
    c.paint(0.875 - c.y, (0.10, 0.11, 0.14), MARK_BOTTOM, opacity=0.5, show=show)
    letters = word("pond hub cod on bunch", c.x, c.y - 0.935, 0.0225, 0.38)
    c.paint(letters, (1.0, 1.0, 1.0), MARK_BOTTOM, opacity=0.85, show=show)
