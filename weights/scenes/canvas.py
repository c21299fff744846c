"""A batched vector painter: signed-distance shapes composited in PyTorch, with a label map kept beside the picture.

Coordinates run over [-1, 1] in both directions, x to the right and y DOWN.  A shape is a signed distance (negative
inside) of shape (B, H, W); `Canvas.paint` fills it with anti-aliased edges.  Every scalar of a shape may be a float or
a (B, 1, 1) tensor, so one call draws a different shape in every picture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from weights.scenes.colors import as_color
from weights.scenes.shapes import rotate


class Parts:
    """Quantities that the functions of one scene share, as attributes.

    `types.SimpleNamespace` would do, but torch.compile does not follow it.
    """

    def __init__(self, **values: Any):
        for name, value in values.items():
            setattr(self, name, value)


class Canvas:
    """rgb: (B, 3, H, W) in [0, 1]; label: (B, H, W) int64; x, y: (1, H, W) pixel centres."""

    def __init__(self, batch: int, size: int, device: torch.device | str = "cpu"):
        t = (torch.arange(size, device=device) + 0.5) * (2 / size) - 1
        self.y, self.x = [g[None] for g in torch.meshgrid(t, t, indexing="ij")]
        self.pixel = 2 / size
        self.rgb = torch.zeros(batch, 3, size, size, device=device)
        self.label = torch.zeros(batch, size, size, dtype=torch.long, device=device)

    def cover(self, sdf: Tensor, soft: float = 1.0) -> Tensor:
        """Coverage (B, H, W) in [0, 1] of a shape; `soft` widens its edge, in pixels."""
        return (0.5 - sdf / (self.pixel * soft)).clamp(0, 1)

    def paint(
        self,
        sdf: Tensor,
        color: Tensor | tuple,
        label: int | None = None,
        *,
        opacity: Tensor | float = 1.0,
        soft: float = 1.0,
        show: Tensor | float = 1.0,
    ) -> None:
        """Fill a shape.

        color: (3,) tuple, (B, 3, 1, 1) or (B, 3, H, W).  opacity: float, (B, 1, 1) or (B, H, W).
        show: float or (B, 1, 1); 0 leaves a picture of the batch without this shape.
        The label is set where coverage * show > 0.5.
        """
        cover = self.cover(sdf, soft) * show
        alpha = (cover * opacity)[:, None]
        self.rgb = self.rgb + alpha * (as_color(color, self.rgb.device) - self.rgb)
        if label is not None:
            self.label = torch.where(cover > 0.5, torch.full_like(self.label, label), self.label)

    def shade(self, sdf: Tensor, amount: Tensor | float, *, soft: float = 1.0, show: Tensor | float = 1.0) -> None:
        """Multiply the picture inside a shape by (1 + amount): negative darkens, positive lightens.  Labels stay."""
        alpha = (self.cover(sdf, soft) * show)[:, None]
        amount = amount[:, None] if torch.is_tensor(amount) and amount.dim() != 4 else amount
        self.rgb = (self.rgb * (1 + alpha * amount)).clamp(0, 1)


class Light:
    """(lx, ly) points towards the light on the canvas; lit sides turn to `warm`, shaded sides are multiplied by
    `cool`, and everything painted under the light by `ambient`.  Colours are (B, 3, 1, 1)."""

    def __init__(self, lx: Tensor, ly: Tensor, warm: Tensor, cool: Tensor, ambient: Tensor | float = 1.0):
        self.lx, self.ly, self.warm, self.cool, self.ambient = lx, ly, warm, cool, ambient


class Frame:
    """Local coordinates x, y on a canvas: origin (cx, cy), unit `scale`, turned by `angle`, mirrored where flip = -1.

    Shapes are written in the frame's units.  `solid` paints them as rounded volumes under the frame's light.
    """

    def __init__(
        self,
        canvas: Canvas,
        light: Light,
        cx: Tensor | float = 0.0,
        cy: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        angle: Tensor | float = 0.0,
        flip: float = 1.0,
    ):
        x, y = rotate(canvas.x, canvas.y, cx, cy, angle)
        self.x, self.y = flip * x / scale, y / scale
        self.canvas, self.light, self.scale = canvas, light, scale

    def paint(self, sdf: Tensor, color: Tensor | tuple, label: int | None = None, **how: Any) -> None:
        """`Canvas.paint` in the frame's units, under its light."""
        color = as_color(color, sdf.device)
        self.canvas.paint(sdf * self.scale, color * self.light.ambient, label, **how)

    def shade(self, sdf: Tensor, amount: Tensor | float, **how: Any) -> None:
        """`Canvas.shade` in the frame's units."""
        self.canvas.shade(sdf * self.scale, amount, **how)

    def solid(
        self,
        sdf: Tensor,
        color: Tensor | tuple,
        label: int | None = None,
        *,
        depth: Tensor | float = 0.1,
        strength: float = 0.5,
        **how: Any,
    ) -> None:
        """Paint a shape rounded over `depth`: its side towards the light is warmed, the other side darkened."""
        color = as_color(color, sdf.device)
        facing = strength * self.facing(sdf, depth)[:, None]
        color = color + 0.6 * facing.clamp(min=0) * (self.light.warm - color)
        self.paint(sdf, color * (1 + facing.clamp(max=0) * (1 - self.light.cool)), label, **how)

    def facing(self, sdf: Tensor, depth: Tensor | float) -> Tensor:
        """(B, H, W) in about [-1, 1]: 1 where the rounded surface of a shape turns to the light, -1 where away."""
        step = self.scale / (2 * self.canvas.pixel)  # central differences, in canvas units
        gx = pad(sdf[:, :, 2:] - sdf[:, :, :-2], (1, 1, 0, 0), mode="replicate")
        gy = pad(sdf[:, 2:] - sdf[:, :-2], (0, 0, 1, 1), mode="replicate")
        return (1 + sdf / depth).clamp(0, 1) * (gx * (step * self.light.lx) + gy * (step * self.light.ly))
