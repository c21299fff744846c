"""What is measured, and how."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from rewriting.bench import straightforward
from rewriting.generators import Generator, GeneratorConfig, build
from rewriting.generators.stylegan2 import StyleGAN2
from rewriting.goal import Term
from rewriting.hub import load_generator
from rewriting.layer import EditableLayer
from rewriting.memory import second_moments, whitener
from rewriting.rewriter import Rewriter
from rewriting.solve import solve

BUNDLED = "church"
REPEATS = 5
PATCH = 10  # positions a side that the benchmark's goal covers


@dataclass(frozen=True)
class Row:
    """One measurement.  ours, theirs: median seconds; spread: slowest over fastest of ours.  note: losses and the
    like, measured in the same run."""

    what: str
    ours: float
    theirs: float | None
    spread: float
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours


def timed(run: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """Median seconds and slowest over fastest, after one run that warms up."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), max(seconds) / min(seconds)


def once(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def full_size() -> Generator:
    """A 256 px StyleGAN2 of the usual widths, with random weights that keep its features varied."""
    channels = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128}
    config = GeneratorConfig("stylegan2", 256, 512, channels, w_dim=512, mapping_layers=8, name="full size, random")
    torch.manual_seed(0)
    return build(config).eval().requires_grad_(False)


def run(
    *, iterations: int = 2001, ranks: tuple[int, ...] = (1, 3, 10), layers: tuple[int, ...] = (8,)
) -> Iterator[Row]:
    """All measurements, one after another.  iterations: of the projected gradient, which takes most of the time."""
    for generator in (load_generator(BUNDLED), full_size()):
        yield from solves(generator, layers, ranks, iterations)
        yield from drawing(generator)
        yield statistics_row(generator, layers[0])
    yield from searching(load_generator(BUNDLED))


@torch.no_grad()
def solves(generator: Generator, layers: tuple[int, ...], ranks: tuple[int, ...], iterations: int) -> Iterator[Row]:
    """The solve of a pasted patch, without locality, against the projected gradient on the same goal."""
    for number in layers:
        layer, term, context = goal(generator, number)
        moment = second_moments(generator, [number], samples=64)[number]
        for rank in ranks:
            whitening = whitener(moment)
            top = torch.linalg.svd(context.double() @ whitening, full_matrices=False)[2][:rank]
            directions = torch.linalg.qr((top @ whitening).t())[0].t().float()
            found = [solve(layer, [term], directions)]
            ours, spread = timed(lambda d=directions, t=term, la=layer: solve(la, [t], d), 3)
            left: list[float] = []
            theirs = once(
                lambda d=directions, t=term, la=layer, out=left: out.append(
                    straightforward.projected_gradient(la, t.at, t.target, t.weight, d, iterations)[1]
                )
            )
            note = f"loss {found[0].before:.4f} -> {found[0].after:.4f}, projected gradient {left[0]:.4f}"
            yield Row(f"solve, {generator.config.name}, layer {number}, rank {rank}", ours, theirs, spread, note)


def goal(generator: Generator, number: int) -> tuple[EditableLayer, Term, torch.Tensor]:
    """A patch of one picture's value pasted into another's, and the keys there."""
    layer = EditableLayer(generator, number)
    at = generator.enter(generator.map(generator.latents([0, 1])), number)
    one, other = at[:1], at[1:]
    target, source = layer.value(one).clone(), layer.value(other)
    size = target.shape[-1]
    start = (size - PATCH) // 2
    here = slice(start, start + PATCH)
    target[..., here, here] = source[..., here, here]
    weight = torch.zeros(size, size)
    weight[here, here] = 1 / PATCH**2
    half = slice(start // layer.ratio, (start + PATCH) // layer.ratio)
    return layer, Term(one, target, weight, "goal"), one.key[0][:, half, half].flatten(1).t()


@torch.no_grad()
def drawing(generator: Generator) -> Iterator[Row]:
    """Pictures, against the straightforward implementation; and resumed from layer 8, against whole ones."""
    if not isinstance(generator, StyleGAN2):
        return
    for batch in (1, 16 if generator.config.resolution <= 128 else 4):
        z = generator.latents(range(batch))
        ours, spread = timed(lambda z=z: generator(z))
        theirs, _ = timed(lambda z=z: straightforward.draw(generator, z), 2)
        apart = float((generator(z) - straightforward.draw(generator, z)).abs().mean()) / 2
        note = f"mean difference {apart:.1e} of the range"
        yield Row(f"draw {batch}, {generator.config.name}", ours, theirs, spread, note)
    rewriter = Rewriter(generator, 8)
    rewriter.images(range(4))
    resumed, spread = timed(lambda: rewriter.images(range(4)))
    whole, _ = timed(lambda: generator.images(range(4)))
    yield Row(
        f"draw 4 again from layer 8, {generator.config.name}", resumed, whole, spread, "against drawing them whole"
    )


@torch.no_grad()
def statistics_row(generator: Generator, layer: int) -> Row:
    """The sum of k k^T over 16 pictures' keys, against one outer product a position."""
    key = generator.enter(generator.map(generator.latents(range(16))), layer).key
    rows = key.permute(0, 2, 3, 1).flatten(0, 2)
    ours, spread = timed(lambda: rows.double().t() @ rows.double())
    theirs, _ = timed(lambda: straightforward.second_moment(key), 1)
    return Row(f"second moment of 16 pictures, {generator.config.name}, layer {layer}", ours, theirs, spread)


def searching(generator: Generator) -> Iterator[Row]:
    """Ranking 1000 pictures by a preset's context: the first time, and again."""
    from rewriting.presets import presets

    request = next(p.request for p in presets().values() if p.generator == generator.config.name)
    rewriter = Rewriter(generator, request.layer)
    rewriter.second_moment()
    first = once(lambda: rewriter.matches(request, range(1000)))
    again, spread = timed(lambda: rewriter.matches(request, range(1000)), 3)
    yield Row("search of 1000 pictures, again", again, first, spread, "against the first time")
