"""The layer as an associative memory: statistics of its keys, and the directions along which a rule is written.

C = E[k k^T] over keys at all positions of many pictures (paper, eq. 6); a rule's directions come from whitening with
C^-1/2 (Appendix D), here with C shrunk.  Also the alternatives: whitening as in the paper, Appendix E's units, and a
plain SVD.
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
from rewriting.deprecation import renamed
from rewriting.files import cache_root, make_folder, opened_tensors, write_tensors
from rewriting.generators import Generator, LayerInput
from rewriting.generators.threads import side_by_side, single_threaded
from rewriting.processes import Progress

SAMPLES = 1000  # pictures of a C that is shipped with a generator
QUICK_SAMPLES = 64  # of a C that somebody waits for: its rules are as good, see docs/speed.md
EIGENVALUE_FLOOR = 1e-6  # of the largest: below it an eigenvalue is rounding, and whitening would amplify that
ROWS = 128  # of a moment, that one thread computes
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
    """{layer: C}, each float64 (I, I), uncentred, over all positions of pictures 0 .. samples - 1 (seeding "row").

    All layers come from one run through the generator, in float32 whatever it draws in.  The processes of a `torchrun`
    share the pictures, and each of them gets the whole C.  It is the same for any number of processes and threads:
    each picture's moment is rounded to a whole number of small units, whose sum has no order.
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
            progress(done / len(pictures), "Measuring what its features mean")
    return {layer: processes.total(one.whole).double() * (one.unit / samples) for layer, one in sums.items()}


class MomentSum:
    """C of one layer, added up picture by picture: each is rounded to a whole number of small units.

    whole: int64 (I, I), the sum in units.  unit: a power of two, about 2^-40 of the mean |k|^2 of the first picture:
    int64 holds the sum of a thousand pictures whose features are up to fifty times as strong.  count: of pictures.
    """

    def __init__(self, first: Tensor):
        """first: the key (1, I, h, w) of picture 0, which is not added yet."""
        self.unit = 2.0 ** (math.frexp(float(_moment(first).trace()))[1] - 40)
        self.whole = torch.zeros(*[first.shape[1]] * 2, dtype=torch.int64, device=first.device)
        self.count = 0

    def add(self, key: Tensor) -> None:
        """One more picture, by its key (1, I, h, w)."""
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
    """For each batch of pictures: how many there were with it, and (layer, key (B, I, h, w)) on the way up."""
    wanted, done = sorted(generator.check_layer(layer) for layer in set(layers)), 0
    for z in generator.latents(pictures, "row").split(generator.batch_size) if pictures else ():
        done += len(z)
        yield done, _keys_on_the_way(generator, generator.map(z, truncation), wanted)


def _keys_on_the_way(generator: Generator, latent: Tensor, wanted: list[int]) -> Iterator[tuple[int, Tensor]]:
    at = generator.begin(latent)
    for layer in range(generator.layers.start, wanted[-1] + 1):
        if layer in wanted:
            yield layer, at.key
        if layer < wanted[-1]:
            at = generator.advance(layer, generator.value(layer, at), at, in_place=True)


# --- kept on disk -------------------------------------------------------------------------------------------------


def content_key(generator: Generator, truncation: float | None, samples: int, seeding: str = "row") -> str:
    """A name for the statistics that changes with everything they depend on."""
    psi = generator.config.truncation if truncation is None else truncation
    pictures = f"{generator.digest()} psi={psi:.6f} samples={samples} {seeding}s"
    return hashlib.sha256(f"{pictures} v1".encode()).hexdigest()


def cache_folder() -> Path:
    """Where statistics are kept for the next start."""
    return cache_root() / "second_moments"


def kept_file(key: str, layer: int) -> Path:
    """Where those of one layer are."""
    return cache_folder() / f"{key}-layer{layer}.safetensors"


def keep(moments: dict[int, Tensor], key: str) -> None:
    """Keep statistics for the next start, each layer's in a file of its own.  OSError where that cannot be."""
    for layer, moment in moments.items():
        write_moments(kept_file(key, layer), {layer: moment}, key)


def write_moments(path: Path, moments: dict[int, Tensor], key: str) -> None:
    """Statistics of several layers in one file, float32: their rounding lies far below EIGENVALUE_FLOOR.

    OSError, in one sentence, where it cannot be written.
    """
    tensors = {f"layer{layer}": moment.float() for layer, moment in moments.items()}
    make_folder(path.parent)
    write_tensors(path, tensors, {"format": "pt", "library": "rewriting", "content": key})


def read_moment(path: Path, layer: int, width: int, key: str) -> Tensor | None:
    """float64 (I, I) from a file of `write_moments`, or None if it has none of that content, or cannot be read."""
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
    """(C + m 1) / 2, m the mean eigenvalue: halfway to a moment that knows no directions (Ledoit and Wolf, 2004).

    Fully whitened, what hardly ever varies counts as much as what does, and a rule follows the accidents of the few
    places that were painted.  How much it changes elsewhere is bounded by the solve.
    """
    return (moment.double() + moment.trace() / len(moment) * _eye(moment)) / 2


def whitener(moment: Tensor, floor: float = EIGENVALUE_FLOOR) -> Tensor:
    """Z = C^-1/2, float64 (I, I), symmetric.  Eigenvalues below `floor` times the largest count as that.

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
    """D, float32 (S, I) with orthonormal rows: along which keys a rule of rank S acts.

    keys: (T, I) at the context's positions.  weights: (T,), the painted share of each.  moment: (I, I).
    method "whitened": Appendix D: whiten, principal right vectors, un-whiten, QR, sign.  "shrinkage": the same with
    C shrunk towards a multiple of 1.  "single": C^-1 of the mean key (eq. 14), rank 1.  "svd": without whitening.
    "units": Appendix E, the feature channels with the largest mean square in the context compared with everywhere.
    Raises ValueError if the context has fewer positions than the rank or no weight at all, or the rank is none.
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
def response(direction: Tensor, at: LayerInput) -> Tensor:
    """d . k at each position of one picture: (I,) -> float32 (h, w)."""
    return torch.einsum("i,ihw->hw", direction.to(at.key.device), at.key[0].float())


def _mean_direction(keys: Tensor, weights: Tensor, moment: Tensor, floor: float) -> Tensor:
    """C^-1 of the mean key, (1, I), of length 1 (eq. 14); C is lifted a little, as it may have no inverse."""
    mean = (weights * keys).sum(0) / weights.sum()
    lifted = moment.double() + floor * moment.trace() / len(moment) * _eye(moment)
    direction = torch.linalg.solve(lifted, mean)
    return (direction / direction.norm())[None]


def _principal_directions(keys: Tensor, weights: Tensor, whitening: Tensor, rank: int) -> Tensor:
    """(S, I): the keys' principal directions where they are white, brought back, orthonormal, along the keys' sum."""
    rows = weights * (keys @ whitening)
    top = torch.linalg.svd(rows, full_matrices=False)[2][:rank]
    basis = torch.linalg.qr((top @ whitening).t())[0].t()
    sign = torch.sign(basis @ rows.sum(0))
    return basis * torch.where(sign == 0, 1.0, sign)[:, None]


def unit_scores(keys: Tensor, weights: Tensor, moment: Tensor) -> Tensor:
    """(I,): mean of k_u^2 in the context over E[k_u^2] (Appendix E).  keys: (T, I).  weights: (T, 1)."""
    inside = (weights * keys.square()).sum(0) / weights.sum()
    return inside / moment.diagonal().double().clamp_min(1e-30)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(len(like), dtype=torch.float64, device=like.device)
