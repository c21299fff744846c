"""A pool of rendered pictures on the device, so that each scene is rendered once and used several times."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import Tensor

from weights.scenes import Scene, scaled

MEMORY_SHARE = 1 / 3  # of what a GPU has free, at most
Render = Callable[[Tensor, int], tuple[Tensor, Tensor]]


class Pool:
    """Rendered pictures; `add` replaces the oldest chunk, and `draw` takes random pictures.

    capacity: of the pool in pictures, a multiple of the chunk.  render: `scene.render`, compiled or not.
    """

    def __init__(self, scene: Scene, size: int, capacity: int, chunk: int, device: torch.device, render: Render):
        capacity = max(1, min(capacity, affordable(size, device)) // chunk) * chunk
        self.z = torch.zeros(capacity, scene.z_dim, device=device)
        self.picture = torch.zeros(capacity, 3, size, size, dtype=torch.uint8, device=device)
        self.label = torch.zeros(capacity, size, size, dtype=torch.uint8, device=device)
        self.size, self.chunk, self.render, self.count = size, chunk, render, 0

    @torch.no_grad()
    def add(self) -> None:
        z = scaled(torch.randn(self.chunk, self.z.shape[1], device=self.z.device))
        rgb, label = self.render(z, self.size)
        start = self.count % len(self.z)
        place = slice(start, start + self.chunk)
        self.z[place], self.label[place] = z, label.to(torch.uint8)
        self.picture[place] = (rgb * 255).round().to(torch.uint8)
        self.count += self.chunk

    def draw(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (n, z_dim), pictures (n, 3, size, size) on [-1, 1], label maps (n, size, size)."""
        i = torch.randint(min(self.count, len(self.z)), (n,), device=self.z.device)
        picture = self.picture[i].float() / 127.5 - 1
        return self.z[i], picture.contiguous(memory_format=torch.channels_last), self.label[i].long()


def affordable(size: int, device: torch.device) -> int:
    """The number of pictures of a side, with their label maps, that fit into a GPU's memory."""
    if device.type != "cuda":
        return sys.maxsize
    free, _ = torch.cuda.mem_get_info(device)
    return int(MEMORY_SHARE * free / (4 * size * size))
