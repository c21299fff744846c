"""The network with which a generator can bring what it knows of things: `selection.safetensors` in its folder.

It joins the features of four sizes and the picture's colours, from coarse to fine (a feature pyramid, Lin et al.,
CVPR 2017), to a key at each pixel.  A query for one pixel says, by its product with the keys, which pixels belong to
the same thing (as the prompts of Kirillov et al., "Segment Anything", ICCV 2023).  No names of things are stored.
`weights/training/train_selection.py` trains it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.files import make_folder, opened_tensors, read_tensors, write_tensors
from rewriting.generators import Generator, LayerInput
from rewriting.generators.config import BUNDLED, SELECTION

log = logging.getLogger(__name__)
FORMAT, FORMAT_VERSION = "rewriting-selection", "1"
SIDE = 256  # pixels a side of the finest keys, at most
SIZES = 4  # feature maps, each twice as large as the one before
SIDEWAYS = (48, 32, 24, 24)  # channels of each size, before the coarser ones join
JOINED = (48, 40, 32, 24)  # channels after that
KEY, HIDDEN = 16, 64
SLOPE = 0.1


class SelectionNetwork(nn.Module):
    """widths: channels of the features of each size, coarsest first, without colours."""

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        widths = [*widths[:-1], widths[-1] + 3]
        self.shift = nn.ParameterList([nn.Parameter(torch.zeros(n, 1, 1), requires_grad=False) for n in widths])
        self.scale = nn.ParameterList([nn.Parameter(torch.ones(n, 1, 1), requires_grad=False) for n in widths])
        self.sideways = nn.ModuleList([nn.Conv2d(n, m, 1) for n, m in zip(widths, SIDEWAYS, strict=True)])
        before = [0, *JOINED[:-1]]
        self.join = nn.ModuleList(
            [nn.Conv2d(m + b, n, 3, padding=1) for m, b, n in zip(SIDEWAYS, before, JOINED, strict=True)]
        )
        self.key = nn.Conv2d(JOINED[-1], KEY, 1)
        self.hidden, self.query = nn.Linear(sum(JOINED), HIDDEN), nn.Linear(HIDDEN, KEY + 2)

    def levels(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features of each size, with colours in [-1, 1] at the end of the last, -> the joined ones, each
        (B, C, h, w)."""
        joined: list[Tensor] = []
        for size, feature in enumerate(features):
            joined.append(self.joined(size, feature, joined[-1] if joined else None))
        return joined

    def joined(self, size: int, feature: Tensor, coarser: Tensor | None) -> Tensor:
        """The features of one size, 0 for the coarsest, joined to those of the coarser one."""
        x = F.leaky_relu(self.sideways[size]((feature - self.shift[size]) * self.scale[size]), SLOPE)
        if coarser is not None:
            x = torch.cat([F.interpolate(coarser, scale_factor=2.0, mode="bilinear"), x], 1)
        return F.leaky_relu(self.join[size](x), SLOPE)

    def queries(self, at_places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The joined features of all sizes at P places, (P, 144) -> (P, 16), what their things' keys have in common,
        (P,), what is added to their products with keys, and (P,), above 0 if a thing's pieces may lie apart."""
        found = self.query(F.leaky_relu(self.hidden(at_places), SLOPE))
        return found[:, :KEY], found[:, KEY], found[:, KEY + 1]


def layers_of(generator: Generator) -> list[int] | None:
    """The layers whose values the network takes, the last one of each size; None for a generator that lacks a size, or
    draws no picture of the last one."""
    side = min(SIDE, generator.config.resolution)
    last = {generator.value_size(n): n for n in generator.layers if not generator.value_margin(n)}
    sizes = [side >> n for n in reversed(range(SIZES))]
    if any(size not in last for size in sizes) or generator.last_layer_for(side) != last[side]:
        return None
    return [last[size] for size in sizes]


def new(generator: Generator) -> SelectionNetwork:
    """An untrained network for a generator.  Raises ValueError if the generator's feature maps have other sizes."""
    layers = layers_of(generator)
    if layers is None:
        raise ValueError(
            f"{generator.config.name or 'This generator'} lacks feature maps of the last {SIZES} sizes, each half the "
            f"next; press without a network."
        )
    return SelectionNetwork([generator.conv(layer).weight.shape[-4] for layer in layers])


def read(generator: Generator) -> SelectionNetwork | None:
    """The network in a generator's folder; None without one, or for one of other weights or of a wrong content."""
    path = _path(generator)
    if not path.is_file() or layers_of(generator) is None:
        return None
    try:
        with opened_tensors(path) as file:
            about = file.metadata() or {}
        if about.get("format") != FORMAT or about.get("format_version") != FORMAT_VERSION:
            raise ValueError(f"{path.name} is not of format {FORMAT} {FORMAT_VERSION}.")
        if about.get("content") != generator.digest():
            return None
        with torch.device("meta"):
            network = new(generator)
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        network.load_state_dict(read_tensors(path, expected), assign=True)
    except (OSError, ValueError) as error:
        log.warning("A press goes without %s: %s", SELECTION, error)
        return None
    return network.eval().requires_grad_(False).to(generator.device, memory_format=torch.channels_last)


def _path(generator: Generator) -> Path:
    return (generator.source.folder if generator.source is not None else BUNDLED / generator.config.name) / SELECTION


def write(network: SelectionNetwork, generator: Generator, folder: Path) -> Path:
    """Write a network for a generator into a folder, float16; returns the file's path."""
    make_folder(folder)
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "content": generator.digest()}
    write_tensors(folder / SELECTION, {name: t.half() for name, t in network.state_dict().items()}, about)
    return folder / SELECTION


@torch.no_grad()
def features(generator: Generator, layer: int, at: LayerInput) -> list[Tensor]:
    """What the network takes: float32 (B, C, h, w) of each size, coarsest first.

    at: the input of a layer, no later than the first of `layers_of`.
    """
    wanted, found = layers_of(generator), []
    for number in range(layer, wanted[-1] + 1):
        value = generator.value(number, at, in_place=number > layer)  # the first input is the caller's
        if number in wanted:
            found.append(value.to(torch.float32, copy=True))  # the next layer may overwrite the value
        if number < wanted[-1]:
            at = generator.advance(number, value, at, in_place=True)
    colours = generator.picture(wanted[-1], value, at).float().clamp(-1, 1)
    found[-1] = torch.cat([found[-1], colours], 1)
    return found
