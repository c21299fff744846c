"""Evaluate a generator on its scene: python -m weights.training.evaluate FOLDER

Prints the PSNR on latents that training has not seen, and writes a sheet of true pictures beside generated ones.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from rewriting.generators import read_generator
from rewriting.generators.precision import choose_device, fast_dtype
from weights.scenes import SCENES, Scene, scaled
from weights.training.pool import Render
from weights.training.trainee import Trainee, trainee_of

log = logging.getLogger(__name__)
SEED = 99  # of the held-out latents
CHUNK = 16
ROWS, COLUMNS = 4, 6  # of the sheet: pairs


class HeldOut:
    """Latents and true pictures that training has not seen.

    pictures: the smallest number, rounded up to whole chunks.  render: `scene.render`, compiled or not.
    """

    def __init__(
        self, scene: Scene, size: int, pictures: int, device: torch.device, render: Render, chunk: int = CHUNK
    ):
        count = -(-pictures // chunk) * chunk
        random = torch.Generator().manual_seed(SEED)
        self.z = scaled(torch.randn(count, scene.z_dim, generator=random)).to(device)
        with torch.no_grad():
            self.true = torch.cat([render(z, size)[0] for z in self.z.split(chunk)])

    @torch.no_grad()
    def psnr(self, trainee: Trainee, size: int) -> float:
        """Mean over the pictures of their peak signal-to-noise ratio in dB, at a side of `size`."""
        true = F.avg_pool2d(self.true, self.true.shape[-1] // size)
        return psnr(self._draw(trainee, self.z, size), true).mean().item()

    @torch.no_grad()
    def sheet(self, trainee: Trainee, size: int) -> Image.Image:
        """Pairs of a true picture and, to the right of it, the generated one."""
        n = min(ROWS * COLUMNS, len(self.z) // COLUMNS * COLUMNS) or len(self.z)
        side, drawn = self.true.shape[-1], self._draw(trainee, self.z[:n], size)
        pairs = torch.stack([self.true[:n], F.interpolate(drawn, size=(side, side), mode="bilinear")], 1).clamp(0, 1)
        columns = min(n, COLUMNS)
        grid = pairs.reshape(-1, columns, 2, 3, side, side).permute(0, 4, 1, 2, 5, 3).cpu()
        array = (grid.reshape(-1, 2 * columns * side, 3) * 255).round().to(torch.uint8).numpy()
        return Image.fromarray(np.ascontiguousarray(array))

    def _draw(self, trainee: Trainee, z: Tensor, size: int) -> Tensor:
        """The generated pictures, (B, 3, size, size) in [0, 1]."""
        trainee.generator.forget()  # its weights change while it trains
        drawn = [trainee(part, size)[0].float() for part in z.split(CHUNK)]
        return torch.cat(drawn).clamp(-1, 1) * 0.5 + 0.5


def psnr(made: Tensor, true: Tensor) -> Tensor:
    """Of pictures (B, 3, H, W) on [0, 1]: (B,), in dB."""
    return -10 * torch.log10((made - true).square().mean((1, 2, 3)).clamp_min(1e-10))


def main(arguments: Sequence[str] | None = None) -> None:
    p = argparse.ArgumentParser(prog="python -m weights.training.evaluate", description=__doc__.split("\n")[0])
    p.add_argument("folder", type=Path, help="a generator repo, weights/church for one")
    p.add_argument("--scene", choices=list(SCENES), help="by default the one that the generator is named after")
    p.add_argument("--pictures", type=int, default=128)
    p.add_argument("--sheet", type=Path, default=Path("sheet.png"))
    p.add_argument("--device", default="auto")
    options = p.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    device = choose_device(options.device)
    generator = read_generator(options.folder).to(device)
    generator.compute_dtype = fast_dtype(device)
    scene, size = SCENES[options.scene or generator.config.name], generator.config.resolution
    held_out, trainee = HeldOut(scene, size, options.pictures, device, scene.render), trainee_of(generator)
    held_out.sheet(trainee, size).save(options.sheet)
    log.info("%s at %d px: %.2f dB over %d pictures", scene.name, size, held_out.psnr(trainee, size), len(held_out.z))


if __name__ == "__main__":
    main()
