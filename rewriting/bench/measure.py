"""The measurements of the benchmarks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from rewriting.bench import straightforward
from rewriting.bench.first_contact import first_contacts
from rewriting.bench.report import Row
from rewriting.bench.studio import answering
from rewriting.bench.untrained import untrained
from rewriting.core import memory
from rewriting.core.goal import Term
from rewriting.core.layer import EditableLayer
from rewriting.core.presets import presets
from rewriting.core.rewriter import Rewriter
from rewriting.core.solve import solve
from rewriting.generators import Generator
from rewriting.generators.precision import choose_device, fast_dtype
from rewriting.generators.stylegan2 import StyleGAN2
from rewriting.hub import load_generator

SUBJECTS = ("solve", "draw", "moments", "search", "app", "first-contact")
OUTSIDE = ("app", "first-contact")  # measured on the app in a process of its own
BUNDLED = "church"
REPEATS = 5
PATCH = 10  # side in positions of the benchmark's goal


def bundled() -> Generator:
    return load_generator(BUNDLED)


def timed(run: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """Median seconds, and slowest over fastest, after one warm-up run."""
    run()
    seconds = [once(run) for _ in range(repeats)]
    return statistics.median(seconds), max(seconds) / min(seconds)


def once(run: Callable[[], object]) -> float:
    """Seconds of one run, including a GPU's pending work."""
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def run(
    *,
    only: Sequence[str] = SUBJECTS,
    iterations: int = 2001,
    ranks: Sequence[int] = (1, 3, 10),
    layers: Sequence[int] = (6, 8, 10),
    device: str = "auto",
) -> Iterator[Row]:
    """Run the measurements on the subjects `only`, one after another.

    iterations: of the projected gradient, which takes most of the time.  ranks, layers: of the solves.
    """
    chosen = choose_device(device)
    generators = [make().to(chosen) for make in (bundled, untrained)] if set(only) - set(OUTSIDE) else []
    for generator in generators:
        if "solve" in only:
            yield from solves(generator, layers, ranks, iterations)
        if "draw" in only:
            for precision in dict.fromkeys((torch.float32, fast_dtype(chosen))):
                yield from drawing(generator, precision)
        if "moments" in only:
            yield moments(generator, pictures=1000 if generator is generators[0] else 100)
    if "search" in only:
        yield from searching(generators[0])
    if "app" in only:
        yield from answering()
    if "first-contact" in only:
        yield from first_contacts()


@torch.no_grad()
def solves(generator: Generator, layers: Sequence[int], ranks: Sequence[int], iterations: int) -> Iterator[Row]:
    """The solve of a pasted patch without locality, compared with the projected gradient on the same goal."""
    for number in layers:
        layer, term, context = goal(generator, number)
        moment = memory.second_moments(generator, [number], samples=64)[number]
        for rank in ranks:
            weights = torch.ones(len(context))
            directions = memory.directions(context.cpu(), weights, moment, rank).to(context.device)
            found = [solve(layer, [term], directions)]
            ours, spread = timed(lambda d=directions, t=term, la=layer: solve(la, [t], d), 3)
            left: list[float] = []
            theirs = once(
                lambda d=directions, t=term, la=layer, out=left: out.append(
                    straightforward.projected_gradient(la, t.at, t.target, t.weight, d, iterations)[1]
                )
            )
            before, after = found[0].losses["goal"]
            note = f"loss {before:.4f} -> {after:.4f}, projected gradient {left[0]:.4f}"
            yield Row(f"solve, {generator.config.name}, layer {number}, rank {rank}", ours, theirs, spread, note)


def goal(generator: Generator, number: int) -> tuple[EditableLayer, Term, torch.Tensor]:
    """A layer, a goal that pastes a patch of one picture's value into another's, and the keys (T, I) there."""
    layer = EditableLayer(generator, number)
    at = generator.enter(generator.map(generator.latents([0, 1])), number)
    one, other = at[:1], at[1:]
    target, source = layer.value(one).clone(), layer.value(other)
    size = target.shape[-1]
    start = (size - PATCH) // 2
    here = slice(start, start + PATCH)
    target[..., here, here] = source[..., here, here]
    weight = torch.zeros(size, size, device=target.device)
    weight[here, here] = 1 / PATCH**2
    half = slice(start // layer.ratio, (start + PATCH) // layer.ratio)
    return layer, Term(one, target, weight, "goal"), one.key[0][:, half, half].flatten(1).t()


@torch.no_grad()
def drawing(generator: StyleGAN2, precision: torch.dtype) -> Iterator[Row]:
    """Drawing pictures, compared with the baseline; and resuming from layer 8, compared with whole pictures."""
    name = f"{generator.config.name}, {str(precision).removeprefix('torch.')}"
    for batch in (1, 16):
        z = generator.latents(range(batch))
        generator.compute_dtype = torch.float32
        theirs, _ = timed(lambda z=z: straightforward.draw(generator, z), 2)
        expected = straightforward.draw(generator, z)
        generator.compute_dtype = precision
        ours, spread = timed(lambda z=z: [generator(some) for some in z.split(generator.batch_size)])
        drawn = torch.cat([generator(some) for some in z.split(generator.batch_size)])
        apart = float((drawn.clamp(-1, 1) - expected.clamp(-1, 1)).abs().mean()) / 2  # as they are shown
        yield Row(f"draw {batch}, {name}", ours, theirs, spread, f"mean difference {apart:.1e} of the range")
    rewriter = Rewriter(generator, 8)
    rewriter.images(range(4))
    resumed, spread = timed(lambda: rewriter.images(range(4)))
    whole, _ = timed(lambda: generator.images(range(4)))
    yield Row(f"draw 4 again from layer 8, {name}", resumed, whole, spread, "against drawing them whole")
    generator.compute_dtype = torch.float32


@torch.no_grad()
def moments(generator: StyleGAN2, *, pictures: int, layer: int = 8, few: int = 8) -> Row:
    """C of a layer, compared with drawing whole pictures and adding one outer product for each position; the baseline
    is measured on a few pictures and extrapolated."""
    ours = once(lambda: memory.second_moments(generator, [layer], samples=pictures))
    z = generator.latents(range(few), "row")
    straightforward.draw(generator, z[:1])
    theirs = once(
        lambda: (
            straightforward.draw(generator, z),
            straightforward.second_moment(generator.enter(generator.map(z), layer).key),
        )
    )
    what = f"second moment of {pictures} pictures, {generator.config.name}, layer {layer}"
    return Row(what, ours, theirs * pictures / few, 1.0, f"baseline: from {few} pictures")


def searching(generator: Generator) -> Iterator[Row]:
    """Ranking 1000 pictures by a preset's context, again and for the first time."""
    request = next(p.request for p in presets().values() if p.generator == generator.config.name)
    rewriter = Rewriter(generator, request.layer)
    rewriter.second_moment()
    first = once(lambda: rewriter.matches(request, range(1000)))
    again, spread = timed(lambda: rewriter.matches(request, range(1000)), 3)
    yield Row("search of 1000 pictures, again", again, first, spread, "against the first time")
