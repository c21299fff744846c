"""Four procedural scenes: church, face, horse, kitchen.

A scene is a function of the latent vector alone: `SCENES["face"].render(z, size)` returns pictures and label maps.
Every number that a scene draws uses up one column of z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from weights.scenes import church, face, horse, kitchen
from weights.scenes.canvas import Canvas
from weights.scenes.draw import Column, Draw


@dataclass(frozen=True)
class Scene:
    """labels: names of the label map's values.  z_dim: columns of the latent it uses, one for each number it draws."""

    name: str
    labels: tuple[str, ...]
    z_dim: int
    paint: Callable[[Draw, Canvas], None]

    def render(self, z: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, size, size) in [0, 1] and label maps (B, size, size), int64.

        z: (B, z_dim), of unit mean square: see `scaled`.
        """
        draw, canvas = Draw(z), Canvas(len(z), size, z.device)
        self.paint(draw, canvas)
        return canvas.rgb.clamp(0, 1), canvas.label

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What the scene makes of each latent column, in order."""
        draw = Draw(torch.zeros(1, self.z_dim))
        self.paint(draw, Canvas(1, 8))
        if len(draw.columns) != self.z_dim:
            raise ValueError(f"the {self.name} scene draws {len(draw.columns)} numbers; set its Z_DIM to that.")
        return tuple(draw.columns)

    def column(self, name: str) -> int:
        """Index of the latent column behind a named number, such as "glasses"; ValueError if there is none."""
        names = [column.name for column in self.columns]
        if not name or name not in names:
            known = ", ".join(sorted(filter(None, names)))
            raise ValueError(f"the {self.name} scene has no column named {name!r}; choose one from {known}.")
        return names.index(name)


def scaled(z: Tensor) -> Tensor:
    """Latents at unit mean square, as a generator's first step makes them: what `Scene.render` takes."""
    return z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)


SCENES = {
    name: Scene(name, module.LABELS, module.Z_DIM, module.paint)
    for name, module in (("church", church), ("face", face), ("horse", horse), ("kitchen", kitchen))
}
