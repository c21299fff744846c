"""A line of round letters, as one shape."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.shapes import circle, repeat

# A glyph in units of its ring's radius: is there a ring; the side (x, y) and place where it is cut; its stems' ends.
GLYPHS = {
    " ": (0, 0, 0, 9, 99, 99, 99, 99),
    "o": (1, 0, 0, 9, 99, 99, 99, 99),
    "c": (1, 1, 0, 0.5, 99, 99, 99, 99),
    "u": (1, 0, -1, 0, -1, 0, -1, 1),
    "n": (1, 0, 1, 0, -1, 1, 0, 1),
    "d": (1, 0, 0, 9, 99, 99, -2.1, 1),
    "b": (1, 0, 0, 9, -2.1, 1, 99, 99),
    "p": (1, 0, 0, 9, -1, 2.1, 99, 99),
    "h": (1, 0, 1, 0, -2.1, 1, 0, 1),
}


def word(text: str, x: Tensor, y: Tensor, radius: float, stroke: float) -> Tensor:
    """A line of round letters centred on the origin; stroke is half the line width in units of the ring's radius."""
    u, index = repeat(x / radius, -1.5 * (len(text) - 1), 3.0, len(text))
    v, index = y / radius, index.long()
    table = torch.tensor([GLYPHS[letter] for letter in text], device=x.device, dtype=x.dtype).t().contiguous()
    ring, gx, gy, cut, left0, left1, right0, right1 = [row[index] for row in table]
    letter = torch.maximum(circle(u, v, 0, 0, 1).abs() - stroke, u * gx + v * gy - cut) + 99 * (1 - ring)
    for side, lo, hi in ((-1, left0, left1), (1, right0, right1)):
        dv = torch.maximum(torch.maximum(lo - v, v - hi), torch.zeros_like(v))
        letter = torch.minimum(letter, torch.sqrt((u - side) ** 2 + dv**2 + 1e-12) - stroke)
    return radius * letter
