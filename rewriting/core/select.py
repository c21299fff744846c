"""Selecting a thing by a press: the region around a place with similar features and colours.

A generator can bring a network that was trained to tell the things of its pictures apart (`selection_network.py`).

For any other, the layer's input and the picture's colours at each position are projected to a few numbers that differ
little between neighbours within a thing, and much between the things of a picture: the maximum noise fraction
transform (Green et al., "A transformation for ordering multispectral data in terms of image quality", 1988), which is
Fisher's discriminant with neighbours in place of classes.  Distances are in units of the difference between
neighbours, and so have the same scale for every picture and generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from rewriting.checks import number, refuse
from rewriting.core import selection_network
from rewriting.core.selection_network import SIDE, SelectionNetwork
from rewriting.generators import Generator, LayerInput
from rewriting.generators.own_picture import OwnPicture, Seed
from rewriting.generators.threads import single_threaded

COMPONENTS = 6  # numbers that are kept of each position
RIDGE = 3e-2  # of the mean square of what neighbours differ by
FLAT = 0.7  # share of the neighbours, those of the most alike colours, that count as lying within one thing
SAMPLED = 64  # positions a side of which the statistics are
USUAL = 0.47  # of the median distance in the picture: up to here a region reaches at size 1
GAP, PIECES_GAP = 3, 5  # pixels: half of what may lie between two pieces of a thing; with a network that says so
BRIDGE = 1.5  # how much more alike such pieces must be than adjacent positions
STEPS = 3  # pixels that a press may move away from an edge
SMALLEST, LARGEST = 0.1, 4.0  # sizes
FINE = 64  # positions a side that a layer has at least, for what is selected by its keys
LEVELS = 254  # of a map of reach; 255 is never reached
EVEN = 3.5  # logits in which a network's regions grow by the factor e in size
AGAIN, SURE = 24, 0.8  # places of a first region that are asked for theirs, and the size of that region
CERTAIN = 20.0  # a logit that no size asks to exceed


@dataclass(frozen=True)
class Selection:
    """A region that can grow and shrink.

    reach: float32 (side, side): at each position, the lowest size at which the region covers it.  A larger size
    therefore never covers less.  The pieces of a region, such as the letters of a word, are at most 10 pixels apart.
    row, column: the reference position: the pressed one, or one near it and away from edges.
    known: whether a network says where the thing ends.
    """

    reach: np.ndarray
    row: int
    column: int
    known: bool = False

    def mask(self, size: float = 1.0) -> np.ndarray:
        """uint8 (side, side), 255 in the region, which contains the reference position.

        size: 0.1 to 4, relative to the usual distance.  Raises ValueError for any other.
        """
        number(SMALLEST, LARGEST)(size, "size")
        return np.where(self.reach <= size, 255, 0).astype(np.uint8)

    def of_area(self, share: float) -> np.ndarray:
        """The region that covers about a share of the picture.

        share: above 0, at most 1.
        """
        number(0, 1)(share, "share")
        last = min(self.reach.size - 1, int(share * self.reach.size))
        size = float(np.partition(self.reach, last, axis=None)[last])
        return self.mask(min(LARGEST, max(SMALLEST, size)))

    def similar(self, share: float) -> np.ndarray:
        """The region of a thing like one that covers a share of the picture: the usual one if the thing is known and
        at most twice or half as large, and otherwise one of that area."""
        usual = self.mask()
        alike = self.known and share / 2 <= np.mean(usual > 0) <= 2 * share
        return usual if alike else self.of_area(share)

    def levels(self) -> np.ndarray:
        """The reach in steps of equal ratio, uint8 (side, side): the region of a size covers all values up to
        `level(size)`."""
        share = np.log(np.clip(self.reach, SMALLEST, None) / SMALLEST) / np.log(LARGEST / SMALLEST)
        return np.where(share > 1, 255, np.ceil(share * LEVELS)).astype(np.uint8)


def level(size: float) -> int:
    """The step of a size on the scale of `Selection.levels`."""
    return int(np.log(size / SMALLEST) / np.log(LARGEST / SMALLEST) * LEVELS)


def layer_for(generator: Generator, seed: Seed = 0) -> int:
    """The layer from whose input `look` finds the things of a picture: the first one that the generator's network
    takes or, without a network or for an own picture that starts later, `key_layer`."""
    start = seed.layer if isinstance(seed, OwnPicture) else generator.layers.start
    network = selection_network.read(generator)
    if network is not None and start <= (first := selection_network.layers_of(generator)[0]):
        return first
    return max(start, key_layer(generator))


def key_layer(generator: Generator) -> int:
    """The layer whose keys separate things by themselves: the first one that is fine enough, or else the last one."""
    fine = [n for n in generator.layers if _key_side(generator, n) >= FINE]
    return fine[0] if fine else generator.layers[-1]


def _key_side(generator: Generator, layer: int) -> int:
    return generator.value_size(layer) // (2 if generator.conv(layer).upsample else 1)


@torch.no_grad()
def select(
    generator: Generator,
    seed: Seed,
    x: float,
    y: float,
    *,
    truncation: float | None = None,
    seeding: str = "seed",
    label: int = 0,
) -> Selection:
    """Press on a picture: the region around (x, y), in shares of the picture from 0 to 1.

    seed, truncation, seeding, label: as for `Generator.images`.  For several presses on one picture, `look` once.
    """
    layer = layer_for(generator, seed)
    if isinstance(seed, OwnPicture):
        at = generator.enter_own(seed, layer)
    else:
        at = generator.enter(generator.map(generator.latents([seed], seeding), truncation, label), layer)
    picture = generator.images([seed], truncation=truncation, seeding=seeding, label=label)[0]
    return look(generator, layer, at, picture).press(x, y)


def look(generator: Generator, layer: int, at: LayerInput, picture: np.ndarray) -> Things | KnownThings:
    """The things of one picture, for any number of presses.

    at: the input of the layer that `layer_for` chooses.  picture: uint8 (H, H, 3).
    """
    network = selection_network.read(generator)
    if network is None or layer > selection_network.layers_of(generator)[0]:
        return Things(at, picture)
    return KnownThings(network, generator, layer, at)


class KnownThings:
    """The keys of one picture's pixels, by a network that was trained on things."""

    @single_threaded()
    @torch.no_grad()
    def __init__(self, network: SelectionNetwork, generator: Generator, layer: int, at: LayerInput):
        """at: the input of a layer, no later than the first that the network takes, for one picture."""
        levels = network.levels(selection_network.features(generator, layer, at))
        self._network, self._key = network, network.key(levels[-1])[0].cpu()
        self._levels = [level[0].half() for level in levels]

    @property
    def side(self) -> int:
        """The side of the regions in pixels."""
        return self._key.shape[-1]

    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self._key, *self._levels))

    @single_threaded()
    @torch.no_grad()
    def press(self, x: float, y: float) -> Selection:
        """The region around a place.  x, y: in shares of the picture, from 0 to 1.

        Half of the query is that of the place, and half the mean of those of a first region, since one pixel may
        lie at an edge.  Raises ValueError for a place outside.
        """
        row, column = _pixel(x, y, self.side)
        query, offset, pieces = self._asked([row], [column])
        rows, columns = np.nonzero(self._reach(query, offset, pieces, row, column) <= SURE)
        some = np.linspace(0, len(rows) - 1, AGAIN).astype(int)
        others, offsets, _ = self._asked(rows[some], columns[some])
        query, offset = (query + others.mean(0)) / 2, (offset + offsets.mean(0)) / 2
        return Selection(self._reach(query, offset, pieces, row, column), row, column, known=True)

    def _asked(self, rows: Sequence[int], columns: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """The network's queries for pixels."""
        rows, columns = np.asarray(rows), np.asarray(columns)
        sides = [level.shape[-1] for level in self._levels]
        here = [
            level[:, rows * side // self.side, columns * side // self.side]
            for level, side in zip(self._levels, sides, strict=True)
        ]
        return tuple(found.cpu() for found in self._network.queries(torch.cat(here).t().float()))

    def _reach(self, query: Tensor, offset: Tensor, pieces: Tensor, row: int, column: int) -> np.ndarray:
        """(side, side): the lowest size at which a region from a pixel, with a query (1, 16), covers each."""
        logit = torch.einsum("k,khw->hw", query[0], self._key) + offset[0]
        away = torch.exp(-logit.clamp(-CERTAIN, CERTAIN) / EVEN).numpy()
        away[row, column] = 0
        paths = _lowest(away, PIECES_GAP) if pieces[0] > 0 else away
        return np.maximum(away, least_barrier(paths, row, column))


class Things:
    """The projected features and colours that separate the things of one picture."""

    @single_threaded()
    @torch.no_grad()
    def __init__(self, at: LayerInput, picture: np.ndarray):
        """at: the input of a layer for one picture.  picture: uint8 (H, H, 3)."""
        key, self._colours = at.key[0].float(), _colours(picture).to(at.key.device)
        key = key / key.square().mean().sqrt().clamp_min(1e-12) / len(key) ** 0.5
        projection = _projection(key, self._colours)
        self._key = torch.einsum("ni,ihw->nhw", projection[:, :-3], key)
        self._of_colours = projection[:, -3:]

    @property
    def side(self) -> int:
        """The side of the regions in pixels."""
        return self._colours.shape[-1]

    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self._key, self._colours, self._of_colours))

    @single_threaded()
    @torch.no_grad()
    def press(self, x: float, y: float) -> Selection:
        """The region around a place.  x, y: in shares of the picture, from 0 to 1.

        Raises ValueError for a place outside.
        """
        row, column = _pixel(x, y, self.side)
        features = _resized(self._key, self.side) + torch.einsum("nc,chw->nhw", self._of_colours, self._colours)
        row, column = _calmest(features, row, column)
        away = (features - features[:, row, column, None, None]).square().sum(0).sqrt().cpu().numpy()
        away /= max(USUAL * float(np.median(away)), 1e-12)
        return Selection(np.maximum(away, least_barrier(_bridged(away), row, column)), row, column)


def _pixel(x: float, y: float, side: int) -> tuple[int, int]:
    """(row, column) of a place in shares of the picture."""
    share = number(0, 1)
    column, row = (min(side - 1, int(share(v, name) * side)) for v, name in ((x, "x"), (y, "y")))
    return row, column


def _colours(picture: np.ndarray) -> Tensor:
    """uint8 (H, H, 3) -> (3, side, side) from 0 to 1, no larger than `SIDE`."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise refuse("picture", "a uint8 array (H, W, 3)", f"{picture.dtype} {picture.shape}")
    if len(picture) > SIDE:
        picture = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255


def _resized(maps: Tensor, side: int) -> Tensor:
    """(N, h, w) -> (N, side, side)"""
    if maps.shape[-1] == side:
        return maps
    return F.interpolate(maps[None], size=(side, side), mode="bilinear", antialias=maps.shape[-1] > side)[0]


def _projection(key: Tensor, colours: Tensor) -> Tensor:
    """(N, I + 3): the directions with the highest variance of the picture relative to the differences of neighbours
    within things; along each, these differences have mean square 1."""
    side = min(2 * SAMPLED, colours.shape[-1])
    key, colours = _resized(key, side), _resized(colours, side)
    both = torch.cat([key, colours])
    step = max(1, side // SAMPLED)
    some = both[:, ::step, ::step].flatten(1).double()
    some = some - some.mean(1, keepdim=True)
    varies = some @ some.t() / some.shape[1]
    differs = _within(both, step)
    differs.diagonal().add_(RIDGE * differs.diagonal().mean().clamp_min(1e-12))
    lower = torch.linalg.cholesky(differs)
    inner = torch.linalg.solve_triangular(lower, varies, upper=False)
    inner = torch.linalg.solve_triangular(lower, inner.t().contiguous(), upper=False)
    vectors = torch.linalg.eigh((inner + inner.t()) / 2)[1][:, -COMPONENTS:]
    return torch.linalg.solve_triangular(lower.t(), vectors, upper=True).t().float()


def _within(both: Tensor, step: int) -> Tensor:
    """(I + 3, I + 3), float64: half the mean square of the differences of neighbours with similar colours."""
    kept = []
    for down, right in ((2, 0), (0, 2)):
        difference = both[:, down:, right:] - both[:, : both.shape[1] - down, : both.shape[2] - right]
        difference = difference[:, ::step, ::step].flatten(1).double()
        size = difference[-3:].square().sum(0)
        kept.append(difference[:, size <= size.quantile(FLAT)])
    alike = torch.cat(kept, 1)
    return alike @ alike.t() / alike.shape[1] / 2


def _calmest(features: Tensor, row: int, column: int) -> tuple[int, int]:
    """Move a position by a few steps from an edge, where features are mixed, to where neighbours hardly differ."""
    change = torch.zeros_like(features[0])
    down = (features[:, 1:] - features[:, :-1]).square().sum(0)
    right = (features[:, :, 1:] - features[:, :, :-1]).square().sum(0)
    for part, found in ((change[1:], down), (change[:-1], down), (change[:, 1:], right), (change[:, :-1], right)):
        part += found
    change = F.avg_pool2d(F.pad(change[None, None], (1, 1, 1, 1), mode="replicate"), 3, 1)[0, 0].cpu().numpy()
    for _ in range(STEPS):
        top, left = max(0, row - 1), max(0, column - 1)
        around = change[top : row + 2, left : column + 2]
        by, across = np.unravel_index(around.argmin(), around.shape)
        if (top + by, left + across) == (row, column):
            break
        row, column = int(top + by), int(left + across)
    return row, column


def _bridged(away: np.ndarray) -> np.ndarray:
    """(H, W): the distances, lowered near much lower ones, so that paths can cross from one piece of a thing to the
    next."""
    return np.minimum(away, BRIDGE * _lowest(away, GAP))


def _lowest(away: np.ndarray, steps: int) -> np.ndarray:
    """(H, W): at each position, the lowest value up to so many steps away."""
    return -F.max_pool2d(-torch.from_numpy(away)[None], 2 * steps + 1, 1, steps)[0].numpy()


def least_barrier(away: np.ndarray, row: int, column: int) -> np.ndarray:
    """(H, W): for each position, the highest value on the path from the start that has the lowest such value; steps go
    to all eight neighbours.

    Sweeps down, up, right and left until nothing changes.
    """
    reach = np.full_like(away, np.inf)
    reach[row, column] = away[row, column]
    while True:
        before = reach.copy()
        for one, other in ((reach, away), (reach.T, away.T)):
            _sweep(one, other)
            _sweep(one[::-1], other[::-1])
        if np.array_equal(before, reach):
            return reach


def _sweep(reach: np.ndarray, away: np.ndarray) -> None:
    """Update each row from the previous one, in place."""
    padded = np.full(reach.shape[1] + 2, np.inf, reach.dtype)
    least = padded[1:-1]
    for i in range(1, len(reach)):
        before = reach[i - 1]
        padded[1:-1] = before
        nearest = np.minimum(np.minimum(padded[:-2], padded[2:]), least)
        np.minimum(reach[i], np.maximum(nearest, away[i]), out=reach[i])
