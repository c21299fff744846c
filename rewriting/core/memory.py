"""The layer as an associative memory: the second moment of its keys, and the directions of a rule.

The second moment is C = E[k k^T] over the keys at all positions of many pictures (paper, eq. 6).  The directions come
from whitening with C^-1/2 (Appendix D), here with a shrunk C.  Alternatives are the paper's whitening, the units of
Appendix E, and a plain SVD.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from rewriting import processes
from rewriting.checks import is_whole, refuse
from rewriting.core.masks import inside
from rewriting.deprecation import renamed
from rewriting.files import cache_root, make_folder, opened_tensors, write_tensors
from rewriting.generators import Generator
from rewriting.generators.threads import side_by_side, single_threaded
from rewriting.processes import Progress

SAMPLES = 1000  # pictures for the C in a generator's folder
QUICK_SAMPLES = 64  # pictures for a C that a person waits for; its rules are as good, see docs/speed.md
EIGENVALUE_FLOOR = 1e-6  # of the largest eigenvalue; smaller ones are rounding errors, which whitening would amplify
ROWS = 128  # of a moment, computed by one thread
METHODS = ("shrinkage", "whitened", "svd", "units", "single")


@torch.no_grad()
def second_moments(
    generator: Generator,
    layers: Sequence[int],
    *,
    samples: int = SAMPLES,
    truncation: float | None = None,
    progress: Progress | None = None,
) -> dict[int, Tensor]:
    """{layer: C}, each float64 (I, I), uncentred, over all positions in pictures 0 .. samples - 1 (seeding "row"),
    of all classes in turn.

    One run through the generator, in float32, measures all layers.  The processes of a `torchrun` share the pictures,
    and each of them returns the whole C.  The result does not depend on the number of processes and threads, because
    each picture's moment is rounded to a multiple of a small unit, and such sums are exact.
    """
    generator = generator.computing_in(torch.float32)
    _, first = next(walk_keys(generator, layers, range(1), truncation))
    sums = {layer: MomentSum(key) for layer, key in first}
    pictures = processes.mine(range(samples))
    for done, keys in walk_keys(generator, layers, pictures, truncation):
        for layer, key in keys:
            for one in key.split(1):  # picture by picture: a whole batch in float64 would fill a small memory
                sums[layer].add(one)
        if progress:
            progress(done / len(pictures), "Measuring the second moments")
    return {layer: processes.total(one.whole).double() * (one.unit / samples) for layer, one in sums.items()}


class MomentSum:
    """The sum of C of one layer over pictures, each rounded to a multiple of a small unit.

    whole: int64 (I, I), the sum in units.  unit: a power of two, about 2^-40 of the mean |k|^2 of the first picture;
    int64 then holds the sum of a thousand pictures with features up to fifty times as strong.  count: of pictures.
    """

    def __init__(self, first: Tensor):
        """first: the key (1, I, h, w) of picture 0, which sets the unit and is not added yet."""
        self.unit = 2.0 ** (math.frexp(float(_moment(first).trace()))[1] - 40)
        self.whole = torch.zeros(*[first.shape[1]] * 2, dtype=torch.int64, device=first.device)
        self.count = 0

    def add(self, key: Tensor) -> None:
        """Add a picture, given by its key (1, I, h, w)."""
        self.whole += (_moment(key) / self.unit).round().long()
        self.count += 1

    def mean(self) -> Tensor:
        """C, float64 (I, I)."""
        return self.whole.cpu().double() * (self.unit / self.count)


def _moment(key: Tensor) -> Tensor:
    """The mean outer product over the positions of one key (1, I, h, w): float64 (I, I)."""
    columns = key[0].flatten(1).double()
    rows = columns.split(ROWS if columns.device.type == "cpu" else len(columns))
    return torch.cat(side_by_side(lambda some: some @ columns.t(), rows)) / columns.shape[1]


def walk_keys(
    generator: Generator, layers: Sequence[int], pictures: Sequence[int], truncation: float | None
) -> Iterator[tuple[int, Iterator[tuple[int, Tensor]]]]:
    """For each batch: the number of pictures so far, and (layer, key (B, I, h, w) without margin), low to high."""
    wanted, done = sorted(generator.check_layer(layer) for layer in set(layers)), 0
    labels = generator.every_class(pictures)
    for z in generator.latents(pictures, "row").split(generator.batch_size) if pictures else ():
        latent = generator.map(z, truncation, labels[done : done + len(z)])
        done += len(z)
        yield done, _keys_on_the_way(generator, latent, wanted)


def _keys_on_the_way(generator: Generator, latent: Tensor, wanted: list[int]) -> Iterator[tuple[int, Tensor]]:
    at = generator.begin(latent)
    for layer in range(generator.layers.start, wanted[-1] + 1):
        if layer in wanted:
            yield layer, inside(at.key, generator.key_margin(layer))
        if layer < wanted[-1]:
            at = generator.advance(layer, generator.value(layer, at), at, in_place=True)


# --- cache on disk ------------------------------------------------------------------------------------------------


def content_key(generator: Generator, truncation: float | None, samples: int, seeding: str = "row") -> str:
    """A name for second moments: a digest of everything that determines them."""
    psi = generator.config.truncation if truncation is None else truncation
    pictures = f"{generator.digest()} psi={psi:.6f} samples={samples} {seeding}s"
    return hashlib.sha256(f"{pictures} v1".encode()).hexdigest()


def cache_folder() -> Path:
    """The folder of cached second moments."""
    return cache_root() / "second_moments"


def kept_file(key: str, layer: int) -> Path:
    """The cache file of one layer's second moment."""
    return cache_folder() / f"{key}-layer{layer}.safetensors"


def keep(moments: dict[int, Tensor], key: str) -> None:
    """Cache second moments, one file for each layer.  Raises OSError if the folder is not writable."""
    for layer, moment in moments.items():
        write_moments(kept_file(key, layer), {layer: moment}, key)


def write_moments(path: Path, moments: dict[int, Tensor], key: str) -> None:
    """Write second moments of several layers into one file, in float32, whose rounding is far below EIGENVALUE_FLOOR.

    Raises OSError in one sentence if the file is not writable.
    """
    tensors = {f"layer{layer}": moment.float() for layer, moment in moments.items()}
    make_folder(path.parent)
    write_tensors(path, tensors, {"format": "pt", "library": "rewriting", "content": key})


def read_moment(path: Path, layer: int, width: int, key: str) -> Tensor | None:
    """C, float64 (I, I), from a file of `write_moments`; None if the file is unreadable or has another content."""
    try:
        with opened_tensors(path) as file:
            name = f"layer{layer}"
            if (file.metadata() or {}).get("content") != key or name not in file.keys():  # noqa: SIM118
                return None
            moment = file.get_tensor(name).double()
    except (OSError, ValueError):
        return None
    return moment if moment.shape == (width, width) and torch.isfinite(moment).all() else None


# --- directions ---------------------------------------------------------------------------------------------------


def with_shrinkage(moment: Tensor) -> Tensor:
    """(C + m 1) / 2 with the mean eigenvalue m: C shrunk halfway to a multiple of 1 (Ledoit and Wolf, 2004).

    With full whitening, features of little variance count as much as all others, and a rule fits accidents of the few
    painted places.  The solve limits the change elsewhere.
    """
    return (moment.double() + moment.trace() / len(moment) * _eye(moment)) / 2


def whitener(moment: Tensor, floor: float = EIGENVALUE_FLOOR) -> Tensor:
    """Z = C^-1/2, float64 (I, I), symmetric.  Smaller eigenvalues are raised to `floor` times the largest.

    Raises ValueError if C is zero.
    """
    values, vectors = torch.linalg.eigh(moment.double())
    if values[-1] <= 0:
        raise ValueError("The features of this layer are all zero; choose another layer.")
    return (vectors * values.clamp_min(floor * values[-1]).rsqrt()) @ vectors.t()


@single_threaded()
def directions(
    keys: Tensor,
    weights: Tensor,
    moment: Tensor,
    rank: int,
    *,
    method: str = "shrinkage",
    floor: float = EIGENVALUE_FLOOR,
) -> Tensor:
    """D, float32 (S, I) with orthonormal rows: the directions of a rule of rank S.

    keys: (T, I) at the context's positions.  weights: (T,), the painted share of each position.  moment: C, (I, I).
    method "whitened": Appendix D: whiten, take principal right vectors, map back, QR, fix the sign.  "shrinkage": the
    same with `with_shrinkage(C)`.  "single": C^-1 times the mean key (eq. 14), rank 1.  "svd": without whitening.
    "units": Appendix E, the feature channels with the largest ratio of their mean square in the context to that of C.
    Raises ValueError for an unknown method, a rank below 1 or above that of the context, or an empty context.
    """
    if method == "shrunk":
        renamed('method="shrunk"', 'method="shrinkage"')
        method = "shrinkage"
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}.")
    if not is_whole(rank, 1):
        raise refuse("rank", "a whole number from 1", rank)
    chosen = weights > 0
    keys, weights = keys[chosen].double(), weights[chosen, None].double()
    if not len(keys):
        raise ValueError("The context is empty at this layer; paint a larger area, or choose a higher layer.")
    most = {"single": 1, "units": keys.shape[1]}.get(method, min(keys.shape))
    if rank > most:
        raise ValueError(
            f"Rank {rank} is more than the context supports ({most} here); paint more, or lower the rank."
        )
    if method == "units":
        best = unit_scores(keys, weights, moment).topk(rank).indices
        return torch.eye(keys.shape[1], dtype=torch.float32)[best]
    if method == "single":
        return _mean_direction(keys, weights, moment, floor).float()
    if method == "svd":
        whitening = _eye(moment)
    else:
        whitening = whitener(with_shrinkage(moment) if method == "shrinkage" else moment, floor)
    return _principal_directions(keys, weights, whitening, rank).float()


@single_threaded()
def response(direction: Tensor, key: Tensor) -> Tensor:
    """d . k at each position of one picture: (I,), (I, h, w) -> float32 (h, w)."""
    return torch.einsum("i,ihw->hw", direction.to(key.device), key.float())


def _mean_direction(keys: Tensor, weights: Tensor, moment: Tensor, floor: float) -> Tensor:
    """C^-1 times the mean key, (1, I), of length 1 (eq. 14); a small multiple of 1 makes C invertible."""
    mean = (weights * keys).sum(0) / weights.sum()
    lifted = moment.double() + floor * moment.trace() / len(moment) * _eye(moment)
    direction = torch.linalg.solve(lifted, mean)
    return (direction / direction.norm())[None]


def _principal_directions(keys: Tensor, weights: Tensor, whitening: Tensor, rank: int) -> Tensor:
    """(S, I): principal directions of the white keys, mapped back, orthonormal, with the sign of the keys' sum."""
    rows = weights * (keys @ whitening)
    top = torch.linalg.svd(rows, full_matrices=False)[2][:rank]
    basis = torch.linalg.qr((top @ whitening).t())[0].t()
    sign = torch.sign(basis @ rows.sum(0))
    return basis * torch.where(sign == 0, 1.0, sign)[:, None]


def unit_scores(keys: Tensor, weights: Tensor, moment: Tensor) -> Tensor:
    """The mean of k_u^2 in the context divided by E[k_u^2], (I,) (Appendix E).  keys: (T, I).  weights: (T, 1)."""
    inside = (weights * keys.square()).sum(0) / weights.sum()
    return inside / moment.diagonal().double().clamp_min(1e-30)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(len(like), dtype=torch.float64, device=like.device)
