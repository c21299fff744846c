"""The true scenes of the bundled generators by picture number, for measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rewriting.generators.latents import latents
from weights.scenes import SCENES, scaled
from weights.scenes.edit import with_value
from weights.segmenter import SIDE

CHUNK = 16  # pictures rendered together; bounds memory


class Truth:
    """True pictures and label maps of a scene, by picture number; rendered ones stay in memory.

    scene: "church", "face", "horse" or "kitchen".  size: side in pixels, by default that of the segmenters; larger
    pictures are drawn at this side for comparisons.
    seeding: the meaning of the numbers, see `rewriting.generators.latents`.
    """

    def __init__(self, scene: str, size: int = SIDE, seeding: str = "seed"):
        if scene not in SCENES:
            raise ValueError(f"there is no scene {scene!r}; choose one from {', '.join(SCENES)}.")
        self.scene, self.size, self.seeding = SCENES[scene], size, seeding
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the label maps' values."""
        return self.scene.labels

    def z(self, seeds: Sequence[int]) -> Tensor:
        """Latents (N, z_dim), of unit mean square."""
        return scaled(torch.from_numpy(latents(seeds, self.scene.z_dim, self.seeding)))

    def pictures(self, seeds: Sequence[int]) -> np.ndarray:
        """uint8 (N, size, size, 3)"""
        return np.stack([picture for picture, _ in self._rendered(seeds)])

    def label_maps(self, seeds: Sequence[int]) -> np.ndarray:
        """uint8 (N, size, size), indices into `labels`."""
        return np.stack([label_map for _, label_map in self._rendered(seeds)])

    def mask(self, seeds: Sequence[int], *names: str) -> np.ndarray:
        """The places of the named things, bool (N, size, size)."""
        for name in names:
            if name not in self.labels:
                raise ValueError(f"{self.scene.name} has no label {name!r}; choose from {', '.join(self.labels)}.")
        return np.isin(self.label_maps(seeds), [self.labels.index(name) for name in names])

    def edited(self, seeds: Sequence[int], **values: bool | float | str) -> tuple[np.ndarray, np.ndarray]:
        """The same scenes with named numbers set, as in `edited([0, 1], glasses=True)`: pictures and label maps."""
        z = self.z(seeds)
        for name, value in values.items():
            z = with_value(self.scene, z, name, value)
        return self._render(z)

    def _rendered(self, seeds: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        new = [seed for seed in dict.fromkeys(seeds) if seed not in self._known]
        if new:
            self._known.update(zip(new, zip(*self._render(self.z(new)), strict=True), strict=True))
        return [self._known[seed] for seed in seeds]

    @torch.inference_mode()
    def _render(self, z: Tensor) -> tuple[np.ndarray, np.ndarray]:
        pictures, label_maps = [], []
        for chunk in z.split(CHUNK):
            rgb, label = self.scene.render(chunk, self.size)
            pictures.append((rgb * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
            label_maps.append(label.to(torch.uint8).numpy())
        return np.concatenate(pictures), np.concatenate(label_maps)
