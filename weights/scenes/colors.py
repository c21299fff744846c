"""Colours (3,) or (B, 3, ., .), blended; and the smooth step that most blends use."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def as_color(color: Tensor | Sequence[float], device: torch.device) -> Tensor:
    """(r, g, b) as a (1, 3, 1, 1) tensor; tensors pass through."""
    return torch.tensor(color, device=device).view(1, 3, 1, 1) if isinstance(color, (tuple, list)) else color


def mix(a: Tensor | tuple, b: Tensor | tuple, t: Tensor | float) -> Tensor:
    """Colours (B, 3, ., .) or (3,) blended: a where t = 0, b where t = 1.  t: float, (B, 1, 1) or (B, H, W)."""
    device = next(v.device for v in (a, b, t) if torch.is_tensor(v))
    a, b = as_color(a, device), as_color(b, device)
    return a + (b - a) * (t[:, None] if torch.is_tensor(t) else t)


def blend(palette: Sequence[tuple], t: Tensor) -> Tensor:
    """(B, 3, 1, 1): the colour at t in [0, 1] of a gradient through equally spaced palette colours.  t: (B, 1, 1)."""
    table, stops = torch.tensor(palette, device=t.device), torch.arange(len(palette), device=t.device)
    weight = (1 - (t * (len(palette) - 1) - stops).abs()).clamp(min=0)  # (B, 1, K)
    return (weight[:, 0] @ table)[:, :, None, None]


def gradient(stops: Sequence[Tensor] | Sequence[tuple], t: Tensor) -> Tensor:
    """Colour at t in [0, 1] along evenly spaced stops: (B, h, w) -> (B, 3, h, w).

    stops: all (r, g, b) or all (B, 3, 1, 1).
    """
    if isinstance(stops[0], (tuple, list)):
        stops = torch.tensor(stops, device=t.device).view(-1, 1, 3, 1, 1).unbind()
    t = t.clamp(0, 1)[:, None] * (len(stops) - 1)
    out = stops[0]
    for i in range(len(stops) - 1):
        out = out + (stops[i + 1] - stops[i]) * (t - i).clamp(0, 1)
    return out


def to_and_fro(t: Tensor) -> Tensor:
    """[0, 1] up and down again and again, for a second colour that follows from a first without ever jumping."""
    return 1 - (1 - t % 2).abs()


def tone(color: Tensor, amount: Tensor) -> Tensor:
    """A colour made lighter (amount > 1) or darker (amount < 1).  amount: (B, 1, 1) or (B, H, W)."""
    return color * amount[:, None]


def smoothstep(a: Tensor | float, b: Tensor | float, x: Tensor) -> Tensor:
    """0 up to a, 1 from b on, smooth between."""
    t = ((x - a) / (b - a)).clamp(0, 1)
    return t * t * (3 - 2 * t)
