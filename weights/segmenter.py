"""Segmentation of a bundled generator's pictures, by a small U-Net for each of the four domains.

It measures the effect of a rule, such as the number of remaining domes and the change elsewhere.
`weights/training/train_segmenter.py` trains it on scenes and generated pictures with known label maps.
Source of the architecture: Ronneberger et al., "U-Net", MICCAI 2015.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.files import make_folder, opened_tensors, read_tensors, write_tensors
from rewriting.generators.config import BUNDLED, bundled

FILE = "segmenter.safetensors"
FORMAT, FORMAT_VERSION = "rewriting-segmenter", "1"
SIDE = 128  # pixels: pictures of another size are resampled
WIDTHS = (16, 40, 64, 64)  # channels at 64, 32, 16 and 8 pixels
MAX_CLASSES, MAX_NAME = 64, 40
BATCH = 32  # pictures run together; bounds memory


class UNet(nn.Module):
    """(B, 3, 128, 128) in [-1, 1] -> class scores (B, C, 128, 128)."""

    def __init__(self, classes: int):
        super().__init__()
        self.down, self.same, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        before = 12  # 2x2 pixels of three colours: the picture enters at half its side, with nothing lost
        for width in WIDTHS:
            self.down.append(nn.Conv2d(before, width, 3, stride=1 if before == 12 else 2, padding=1))
            self.same.append(nn.Conv2d(width, width, 3, padding=1))
            before = width
        for width in reversed(WIDTHS[:-1]):
            self.up.append(nn.Conv2d(before + width, width, 3, padding=1))
            before = width
        self.head = nn.Conv2d(before, 4 * classes, 3, padding=1)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features at 64, 32, 16 and 8 pixels."""
        x, levels = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last), []
        for down, same in zip(self.down, self.same, strict=True):
            x = F.leaky_relu(down(x), 0.1)
            x = F.leaky_relu(same(x), 0.1)
            levels.append(x)
        return levels

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def decode(self, levels: list[Tensor]) -> Tensor:
        """Class scores, from all features."""
        *levels, x = levels
        for up, skip in zip(self.up, reversed(levels), strict=True):
            x = F.leaky_relu(up(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1)), 0.1)
        return F.pixel_shuffle(self.head(x), 2)


class Segmenter:
    """A segmenter of one domain.  classes: names of its labels, in their order."""

    def __init__(self, network: UNet, classes: Sequence[str]):
        self.network, self.classes = network.eval().requires_grad_(False), tuple(classes)

    @classmethod
    def load(cls, source: str | Path, *, device: torch.device | str = "cpu") -> Segmenter:
        """Load a file, the segmenter of a generator-repo folder, or that of a bundled generator by name.

        Raises FileNotFoundError without one, and ValueError for a file that does not hold a segmenter.
        """
        path = BUNDLED / str(source) if str(source) in bundled() else Path(source)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise FileNotFoundError(f"{source} has no segmenter; name a {FILE} file or one of {', '.join(bundled())}.")
        classes = _read_classes(path)
        with torch.device("meta"):
            network = UNet(len(classes))
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        network.load_state_dict(read_tensors(path, expected), assign=True)
        return cls(network.to(device, memory_format=torch.channels_last), classes)

    def save(self, path: str | Path) -> Path:
        """Write a segmenter file, float16; returns its path."""
        path = Path(path)
        make_folder(path.parent)
        tensors = {name: tensor.half() for name, tensor in self.network.state_dict().items()}
        about = {"format": FORMAT, "format_version": FORMAT_VERSION, "classes": json.dumps(self.classes)}
        write_tensors(path, tensors, about)
        return path

    @torch.inference_mode()
    def labels(self, images: np.ndarray) -> np.ndarray:
        """The label of each pixel: uint8 (N, H, W, 3) -> uint8 (N, H, W), indices into `classes`."""
        size = _check(images).shape[1:3]
        labels = [_labels(self.network(self._input(part)), size) for part in _batches(images)]
        return np.concatenate(labels) if labels else np.empty((0, *size), np.uint8)

    def mask(self, images: np.ndarray, *names: str) -> np.ndarray:
        """The places of the named things: uint8 (N, H, W, 3) -> bool (N, H, W).  Raises ValueError for an unknown
        name."""
        for name in names:
            if name not in self.classes:
                raise ValueError(f"{name!r} is not told apart here; choose from {', '.join(self.classes)}.")
        return np.isin(self.labels(images), [self.classes.index(name) for name in names])

    @torch.inference_mode()
    def features(self, images: np.ndarray) -> np.ndarray:
        """The deepest features, averaged over the picture: uint8 (N, H, W, 3) -> float32 (N, 64).

        For distances between sets of pictures.
        """
        _check(images)
        features = [self.network.encode(self._input(part))[-1].mean((2, 3)).cpu().numpy() for part in _batches(images)]
        return np.concatenate(features) if features else np.empty((0, WIDTHS[-1]), np.float32)

    @torch.inference_mode()
    def levels(self, images: np.ndarray) -> list[Tensor]:
        """All features, at 64, 32, 16 and 8 pixels: uint8 (N, H, W, 3) -> each (N, channels, side, side), N > 0.

        They take some 500 KB for each picture, too much for many at once.
        """
        _check(images)
        parts = [self.network.encode(self._input(part)) for part in _batches(images)]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    @torch.inference_mode()
    def look(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`labels` and `features` in one pass, for a batch that fits into memory: uint8 (N, H, W, 3), N > 0."""
        levels = self.levels(images)
        return _labels(self.network.decode(levels), images.shape[1:3]), levels[-1].mean((2, 3)).cpu().numpy()

    def _input(self, images: np.ndarray) -> Tensor:
        """uint8 (B, H, W, 3) -> (B, 3, 128, 128) in [-1, 1]"""
        device = next(self.network.parameters()).device
        x = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        if x.shape[2:] != (SIDE, SIDE):
            x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        return x


def _labels(scores: Tensor, size: tuple[int, int]) -> np.ndarray:
    """(B, C, 128, 128) -> uint8 (B, *size)"""
    if size != (SIDE, SIDE):
        scores = F.interpolate(scores, size=size, mode="bilinear")
    return scores.argmax(1).to(torch.uint8).cpu().numpy()


def _check(images: np.ndarray) -> np.ndarray:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        shape, dtype = getattr(images, "shape", None), getattr(images, "dtype", type(images).__name__)
        raise ValueError(f"pictures of shape {shape} and type {dtype}; expected a uint8 array (N, H, W, 3).")
    return images


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[i : i + BATCH] for i in range(0, len(images), BATCH)]


def _read_classes(path: Path) -> list[str]:
    """The class names in the header of a segmenter file, checked, because the file may come from anybody."""
    with opened_tensors(path) as file:
        about = file.metadata() or {}
    stated = about.get("format"), about.get("format_version")
    if stated != (FORMAT, FORMAT_VERSION):
        raise ValueError(f"{path.name} says format and version {stated}; expected {(FORMAT, FORMAT_VERSION)}.")
    try:
        classes = json.loads(about.get("classes", ""))
    except (ValueError, RecursionError):
        classes = None
    if not isinstance(classes, list) or not 2 <= len(classes) <= MAX_CLASSES:
        raise ValueError(f"{path.name} does not name its 2 to {MAX_CLASSES} classes; train or fetch it again.")
    if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in classes):
        raise ValueError(f"{path.name} has a class name that is no text of 1 to {MAX_NAME} letters; fetch it again.")
    if len(set(classes)) < len(classes):
        raise ValueError(f"{path.name} names one class twice; train or fetch it again.")
    return classes
