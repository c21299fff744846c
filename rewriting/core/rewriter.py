"""The façade: choose a generator and a layer once, then solve or learn any number of requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import RLock
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rewriting.checks import is_whole
from rewriting.core import memory
from rewriting.core.composite import ENOUGH, alike, can_draw, composite, drawing_values, object_cover
from rewriting.core.edit import Edit, Report, make_edit, relative_change
from rewriting.core.examples import examples, others, shown_goals, told_by_features
from rewriting.core.goal import (
    Term,
    erase_term,
    locality_term,
    paste_term,
    preserve_term,
    random_positions,
    subsample,
    without,
)
from rewriting.core.inversion import invert
from rewriting.core.layer import EditableLayer
from rewriting.core.learn import OUTSIDE, STEPS, Learned, default_layers, learn, pasted_layers
from rewriting.core.learn import RANK as LEARNED_RANK
from rewriting.core.own_files import Brought
from rewriting.core.request import Region, Request
from rewriting.core.solve import HUBER_DELTA, Problem, Solution, solve
from rewriting.core.store import Name, Store
from rewriting.core.transform import Placed
from rewriting.deprecation import renamed
from rewriting.generators import Generator, LayerInput, to_uint8
from rewriting.generators.config import BUNDLED, MOMENTS
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import OwnPicture, Seed
from rewriting.processes import Progress

RANK = 5
LOCALITY, LOCALITY_LINEAR = 2.0, 0.25
RIDGE = 1.0  # times the locality: weight of the size of the change
UNITS = 30  # features to erase; the paper's number for watermarks
PRESERVE = 2.0  # weight of all protected places; that of the goal is 1
POSITIONS = 1 << 14  # most positions of goals and protected places in a solve; more take memory and change little
LOCALITY_PICTURES, LOCALITY_POSITIONS, LOCALITY_FIRST = 24, 64, 30_000
COARSEST = 16  # side of the smallest map on which a retouch is learned where nobody chooses
ROOM = 512 << 20  # bytes of a rewriter's own cache
SMALL_MAP, BATCH = 32, 16

T = TypeVar("T")


def default_locality(generator: Generator) -> float:
    """The default locality for a generator: lower without demodulation.

    Without demodulation the layer is linear in its weights, and beyond the Huber delta the loss is equally steep
    everywhere.  If the locality then exceeds the ratio of the context's response to that of other places, hardly any
    change is worth its cost.
    """
    return LOCALITY if generator.conv(generator.layers.start).demodulate else LOCALITY_LINEAR


def default_ridge(request: Request) -> float:
    """The default weight of the size of the change, relative to the locality: 0 for erasing.

    The ridge keeps the change from following accidental details of a pasted object.  The goal of erasing has none,
    because it is the layer's own value without some features; there a ridge would only leave a part of them.
    """
    return 0.0 if request.erase else RIDGE


def default_directions(generator: Generator) -> str:
    """The default method of finding directions, one of `memory.METHODS`.

    Without demodulation nothing dampens a change on its way to the picture, so the paper's stricter whitening is used.
    """
    return "shrinkage" if generator.conv(generator.layers.start).demodulate else "whitened"


@dataclass(frozen=True)
class Matches:
    """Responses of pictures.  scores: (N,), the highest of each.  heat: float32 (N, h, w), d . k at each position."""

    scores: np.ndarray
    heat: np.ndarray

    def nbytes(self) -> int:
        return self.scores.nbytes + self.heat.nbytes


class Rewriter:
    """Solves requests on one layer of a generator; the generator itself does not change.

    layer: a number from `generator.layers`; by default the config's.  store: a cache of features; by default a new
    one.  Several threads may call the methods.
    """

    def __init__(
        self,
        generator: Generator,
        layer: int | None = None,
        *,
        progress: Progress | None = None,
        store: Store | None = None,
    ):
        self.generator = generator
        self.number = generator.check_layer(generator.config.default_layer if layer is None else layer)
        self.layer = EditableLayer(generator, self.number)
        self._progress = progress
        self._store = Store(ROOM) if store is None else store
        self._moment: Tensor | None = None
        self._sum: memory.MomentSum | None = None
        self._samples = 0
        self._lock = RLock()

    # --- features -------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def features(
        self, seeds: Sequence[Seed], *, seeding: str = "seed", truncation: float | None = None, label: int = 0
    ) -> list[LayerInput]:
        """The layer's input for each picture, from the cache if it is there.

        Own pictures are not cached.  Raises ValueError for one that does not fit the generator or the layer.
        """
        return self._kept("features", lambda at: at, seeds, Numbering(seeding, truncation, label))

    @torch.no_grad()
    def keys(
        self, seeds: Sequence[Seed], *, seeding: str = "seed", truncation: float | None = None, label: int = 0
    ) -> list[Tensor]:
        """The key of each picture, float16 (I, h, w), without its margin, from the cache if possible.

        `matches` needs those of many pictures; they take half the memory of `features`, and are off by 1/2000 at most.

        Raises ValueError for an own picture that does not fit."""
        how = Numbering(seeding, truncation, label)
        return self._kept("key", lambda at: _rounded_key(self.layer.seen(at)), seeds, how)

    def _kept(self, what: str, of: Callable[[LayerInput], T], seeds: Sequence[Seed], numbering: Numbering) -> list[T]:
        """The values of the function `of` for the features of each picture, cached except for own pictures."""
        self.generator.check_label(numbering.label)
        own = {one: of(self.generator.enter_own(one, self.number)) for one in seeds if isinstance(one, OwnPicture)}
        names = [self._name(what, *numbering, seed) for seed in seeds if seed not in own]

        def enter(some: Sequence[Name]) -> Iterator[T]:
            return map(of, self._enter([seed for *_, seed in some], numbering).split())

        drawn = iter(self._store.each(names, enter, self._together))
        return [own[seed] if seed in own else next(drawn) for seed in seeds]

    def _enter(self, seeds: Sequence[int], numbering: Numbering) -> LayerInput:
        z = self.generator.latents(seeds, numbering.seeding)
        return self.generator.enter(self.generator.map(z, numbering.truncation, numbering.label), self.number)

    @property
    def _together(self) -> int:
        """The size of a batch.  Before a middle layer the feature maps are small, and batches are twice as fast, on a
        CPU too."""
        small = self.generator.value_size(self.number) <= SMALL_MAP
        return max(self.generator.batch_size, BATCH if small else 1)

    def _name(self, what: str, *more: Hashable) -> Name:
        """The name of a result of this layer in the cache."""
        made = self.generator
        return (what, made.digest(), made.precision, str(made.device), self.number, *more)

    @property
    def key_bytes(self) -> int:
        """The size of one of the `keys` in bytes."""
        return torch.float16.itemsize * self.layer.weight.shape[1] * self.generator.key_size(self.number) ** 2

    def _of(self, request: Request, regions: Sequence[Region]) -> list[LayerInput]:
        return self.features([region.seed for region in regions], **request.numbering._asdict())

    # --- statistics and directions --------------------------------------------------------------------------------

    def second_moment(self) -> Tensor:
        """C = E[k k^T], float64 (I, I): from the generator's folder, from the cache, or else measured now.

        The generator's folder and the command `moments` use `memory.SAMPLES` pictures.  A measurement here always
        uses `memory.QUICK_SAMPLES`, so that a request has only one solution.
        """
        while not self.measure():
            if self._progress:
                self._progress(self._samples / memory.QUICK_SAMPLES, "Measuring the features")
        return self._moment

    @property
    def samples(self) -> int:
        """The number of pictures in the second moment; 0 before it is known."""
        return 0 if self._moment is None else self._samples

    @torch.no_grad()
    def measure(self) -> bool:
        """Add one picture to the measurement of the second moment; returns whether the second moment is known."""
        with self._lock:
            if self._moment is None and self._sum is None:
                self._moment, self._samples = self._read_moment()
            if self._moment is None:
                self._add_to_moment(0 if self._sum is None else self._sum.count)
            return self._moment is not None

    def _read_moment(self) -> tuple[Tensor | None, int]:
        """C from the generator's folder or from the cache, and its number of pictures; (None, 0) without one."""
        width, source = self.layer.weight.shape[1], self.generator.source
        whole = memory.content_key(self.generator, None, memory.SAMPLES)
        shipped = source.folder if source is not None else BUNDLED / self.generator.config.name
        quick = self._quick_key()
        for path, key, samples in (
            (shipped / MOMENTS, whole, memory.SAMPLES),
            (memory.kept_file(whole, self.number), whole, memory.SAMPLES),
            (memory.kept_file(quick, self.number), quick, memory.QUICK_SAMPLES),
        ):
            moment = memory.read_moment(path, self.number, width, key)
            if moment is not None:
                return moment, samples
        return None, 0

    def _quick_key(self) -> str:
        return memory.content_key(self.generator, None, memory.QUICK_SAMPLES, "seed")

    def _add_to_moment(self, picture: int) -> None:
        """Add a picture to the second moment.  Its key also goes to the cache, for `matches`."""
        exact, (label,) = self.generator.computing_in(torch.float32), self.generator.every_class([picture])
        if exact.precision == self.generator.precision:
            numbering = Numbering(label=label)
            at = self.layer.seen(self._enter([picture], numbering))
            self._store.one(self._name("key", *numbering, picture), lambda: _rounded_key(at))
        else:
            at = self.layer.seen(exact.enter(exact.map(exact.latents([picture]), None, label), self.number))
        self._sum = memory.MomentSum(at.key) if self._sum is None else self._sum
        self._sum.add(at.key)
        self._samples = self._sum.count
        if self._samples < memory.QUICK_SAMPLES:
            return
        self._moment, self._sum = (
            self._sum.mean().float().double(),
            None,
        )  # rounded as in the cache, so that the next start has the same
        try:
            memory.keep({self.number: self._moment}, self._quick_key())
        except OSError:
            pass  # with a full disk or a read-only home, the next start only takes longer

    @torch.no_grad()
    def directions(self, request: Request, rank: int | None = None, *, method: str | None = None) -> Tensor:
        """D, float32 (S, I) with orthonormal rows, from the request's context.

        rank: S, by default the request's, else 5.  method: by default `default_directions`.  Raises ValueError for a
        context that is empty or too small.
        """
        keys, weights = self.context_keys(request)
        rank = (request.rank or RANK) if rank is None else rank
        method = default_directions(self.generator) if method is None else method
        return memory.directions(keys, weights, self.second_moment(), rank, method=method)

    def context_keys(self, request: Request) -> tuple[Tensor, Tensor]:
        """Keys (T, I) at the painted positions of the context, and the painted share of each, (T,), above 0."""
        keys, weights = [], []
        places = [region for region in request.places if not region.empty]
        if not places:
            raise ValueError("The request has no context; paint a place that the rule should change.")
        for region, at in zip(places, self._of(request, places), strict=True):
            share = self.layer.painted_key(region.mask).flatten().cpu()
            keys.append(at.key[0].flatten(1).t().cpu()[share > 0])
            weights.append(share[share > 0])
        return torch.cat(keys), torch.cat(weights)

    def max_rank(self, request: Request) -> int:
        """The highest rank for the request's context at this layer; 0 if it covers no position."""
        return min(self.context_keys(request)[0].shape)

    @torch.no_grad()
    def matches(
        self,
        request: Request,
        seeds: Sequence[Seed],
        *,
        seeding: str = "seed",
        truncation: float | None = None,
        label: int = 0,
        for_other_pictures: bool = False,
    ) -> Matches:
        """The response d . k of pictures to the request's context, with the direction d of rank 1.

        for_other_pictures, and errors: as for `solve`.
        """
        if not for_other_pictures:
            request.check_pictures(self.generator)
        direction = self.directions(request, 1)[0]
        keys = self.keys(seeds, seeding=seeding, truncation=truncation, label=label)
        heat = [memory.response(direction, key).cpu() for key in keys]
        maps = torch.stack(heat).numpy() if heat else np.empty((0, 1, 1), np.float32)
        return Matches(maps.max((1, 2), initial=-np.inf), maps)

    # --- goals ----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def goal_terms(self, request: Request) -> list[Term]:
        """The request's terms at this layer: its goals, with weights that sum to 1, and its protected places.

        Raises ValueError if the request is not complete, or has retouched pictures, which `learn` takes.
        """
        request.check()
        if request.retouched:
            raise ValueError("A request with retouched pictures has no goal values; learn it instead of solving it.")
        if request.erase:
            goals = self._erase_terms(request)
        else:
            goals = self._paste_terms(request)
        terms = [term.scaled(1 / len(goals)) for term in goals]
        kept = [region for region in request.preserve if not region.empty]
        for region, at in zip(kept, self._of(request, kept), strict=True):
            terms.append(preserve_term(self.layer, at, region.mask).scaled(PRESERVE / len(kept)))
        return terms

    def _paste_terms(self, request: Request) -> list[Term]:
        """The goals of a paste.  If the object is transformed, the values that draw it in the first place are found
        from pixels, and those of the other places are copies of them."""
        copy, transform, targets = request.copy, request.transform, _pasted(request)
        source, pictures = self._of(request, [copy])[0], self._of(request, targets)
        value, mask = self.layer.value(source), copy.mask
        first, *further = zip(targets, pictures, strict=True)
        terms = [paste_term(self.layer, value, mask, first[1], first[0].mask, transform)]
        if not transform.identity and can_draw(self.generator, self.number):
            placed = Placed.on(mask, first[0].mask, transform)
            mask, transform = placed.mask(mask), None
            value = self._drawing_values(request, source, first[1], terms[0].target, placed, mask)
            terms = [replace(terms[0], target=value)]
        terms += [paste_term(self.layer, value, mask, at, region.mask, transform) for region, at in further]
        return terms

    def _drawing_values(
        self, request: Request, source: LayerInput, at: LayerInput, start: Tensor, placed: Placed, shown: np.ndarray
    ) -> Tensor:
        """`drawing_values` of the composite of a request's first place, from the cache if possible."""
        copy, paste = request.copy, request.paste

        def make() -> Tensor:
            size = min(self.generator.config.resolution, max(ENOUGH, 2 * self.layer.size))
            picture, other = alike(self.generator, self.number, source, at, size)
            wanted = composite(picture, object_cover(picture, copy.mask), other, placed)
            return drawing_values(self.generator, self.number, at, start, wanted, shown)

        parts = [
            (getattr(one.seed, "digest", one.seed), sha256(np.ascontiguousarray(one.mask)).hexdigest())
            for one in (copy, paste)
        ]
        name = self._name("goal", *request.numbering, *parts[0], *parts[1], request.transform)
        return self._store.one(name, make)

    def _erase_terms(self, request: Request) -> list[Term]:
        keys, weights = self.context_keys(request)
        scores = memory.unit_scores(keys.double(), weights.double()[:, None], self.second_moment())
        count = min(request.units or UNITS, len(scores))
        units = scores.topk(count).indices.to(self.layer.weight.device)
        places = [region for region in request.places if not region.empty]
        return [
            erase_term(self.layer, at, region.mask, units)
            for region, at in zip(places, self._of(request, places), strict=True)
        ]

    @torch.no_grad()
    def goal_image(self, request: Request, size: int | None = None, *, for_other_pictures: bool = False) -> np.ndarray:
        """Draw the goal, uint8 (H, W, 3): the destination with the object pasted at this layer, or the first retouched
        picture.

        size: as for `images`.  for_other_pictures, and errors: as for `solve`.
        """
        if not for_other_pictures:
            request.check_pictures(self.generator)
        if request.retouched:
            first = request.retouched[0]
            return first.over(self.images([first.seed], size=size, **request.numbering._asdict())[0])
        term = self.goal_terms(request)[0]
        return to_uint8(self.generator.leave(self.number, term.target, term.at, size=size))[0]

    def locality_terms(self, request: Request) -> list[Term]:
        """Terms for random positions of other pictures, which should not change; painted positions have weight 0.

        The pictures have the request's truncation and class."""
        terms = self.places_elsewhere(range(LOCALITY_PICTURES), request.truncation, request.label)
        for region in request.places if request.seeding == "seed" else ():
            if is_whole(region.seed, LOCALITY_FIRST, LOCALITY_FIRST + LOCALITY_PICTURES - 1):
                i = region.seed - LOCALITY_FIRST
                terms[i] = without(self.layer, terms[i], region.mask)
        return terms

    @torch.no_grad()
    def places_elsewhere(self, numbers: Sequence[int], truncation: float | None = None, label: int = 0) -> list[Term]:
        """The locality terms of pictures by number, 0 to LOCALITY_PICTURES - 1, painted positions included."""
        places = random_positions(self.layer, LOCALITY_POSITIONS, LOCALITY_PICTURES, torch.Generator().manual_seed(0))

        def make(some: Sequence[Name]) -> Iterator[Term]:
            chosen = [number for *_, number in some]
            seeds, numbering = [LOCALITY_FIRST + number for number in chosen], Numbering("seed", truncation, label)
            pictures = self._enter(seeds, numbering)
            for number, at in zip(chosen, pictures.split(), strict=True):
                yield locality_term(self.layer, at, places[number], LOCALITY_PICTURES)

        names = [self._name("locality", truncation, label, number) for number in numbers]
        return self._store.each(names, make, self._together)

    # --- solve ----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def solve(
        self,
        request: Request,
        rank: int | None = None,
        locality: float | None = None,
        *,
        huber_delta: float = HUBER_DELTA,
        ridge: float | None = None,
        method: str | None = None,
        for_other_pictures: bool = False,
        rounding: float | None = None,
    ) -> Edit:
        """Solve a request at this layer, or learn it if it has retouched pictures (see `learn`).

        rank: by default the request's, else 5.  locality: the weight of other places, by default the request's, else
        `default_locality`.
        ridge: the weight of the size of the change, relative to the locality; by default `default_ridge`.
        huber_delta: as for `rewriting.core.solve.solve`.  rounding: its old name.
        method: of finding the directions, by default `default_directions`.
        for_other_pictures: accept a request for the pictures of another generator, or of an unnamed one.
        Raises ValueError if the request is incomplete or for other pictures, or if its context is too small.
        """
        if rounding is not None:
            renamed("solve(rounding=...)", "solve(huber_delta=...)")
            huber_delta = rounding
        if request.retouched:
            *_, edit = self.learn(request, rank, locality, method=method, for_other_pictures=for_other_pictures)
            return edit
        if not for_other_pictures:
            request.check_pictures(self.generator)
        start = time.perf_counter()
        rank = next(x for x in (rank, request.rank, RANK) if x is not None)
        locality = next(x for x in (locality, request.locality, default_locality(self.generator)) if x is not None)
        solved = replace(request, layer=self.number, rank=rank, locality=float(locality))
        directions = self.directions(request, rank, method=method).to(self.layer.weight.device)
        elsewhere = self.locality_terms(request)
        terms = subsample(self.goal_terms(request), POSITIONS)
        terms += [term.scaled(locality) for term in elsewhere if locality > 0]
        solution = solve(
            self.layer,
            terms,
            directions,
            huber_delta=huber_delta,
            ridge=locality * (default_ridge(request) if ridge is None else ridge),
        )
        edit = make_edit(
            self.number,
            solution.factor,
            directions,
            name=request.name,
            generator=self.generator.config.name,
            base=self.generator.digest(),
            request=solved,
        )
        milliseconds = 1000 * (time.perf_counter() - start)
        return edit.with_(report=self._report(solution, terms, elsewhere, directions, milliseconds))

    def learn(
        self,
        request: Request,
        rank: int | None = None,
        locality: float | None = None,
        *,
        layers: Sequence[int] | None = None,
        steps: int = STEPS,
        method: str | None = None,
        for_other_pictures: bool = False,
    ) -> Iterator[Edit]:
        """Learn a request with retouched pictures; yields better and better edits, and the last one is the rule.

        A request with a pasted goal is learned from the pictures that the goal shows, which takes longer than `solve`.
        The rank and the locality in it are those of the solve.

        To stop early, close the iterator.  rank: by default the request's, else `rewriting.core.learn.RANK`; at most
        the number of painted positions of a layer.  method, for_other_pictures: as for `solve`.
        layers: by default `default_layers`, from this layer on or, if features do not tell the place, from an earlier
        one, whose features depend more on the position in the picture.
        locality: the weight of a pixel outside, relative to a retouched one; by default the request's, else
        `rewriting.core.learn.OUTSIDE`.
        Raises ValueError if the request is not complete or erases, or its context is too small for one of the layers.
        """
        start = time.perf_counter()
        if request.erase:
            raise ValueError("A request that erases shows no picture to learn; solve it.")
        if not for_other_pictures:
            request.check_pictures(self.generator)
        request.check()
        asked, asked_layer = request, self.number if layers is None else min(layers)
        if not request.retouched:
            request = shown_goals(self, request, list(zip(_pasted(request), self.goal_terms(request), strict=False)))
            layers = pasted_layers(self.generator, self.number) if layers is None else layers
        layers = self._learning_layers(request) if layers is None else sorted(set(layers))
        rank = next(x for x in (rank, request.rank, LEARNED_RANK) if x is not None)
        locality = next(x for x in (locality, request.locality, OUTSIDE) if x is not None)
        rewriters = {n: self if n == self.number else Rewriter(self.generator, n, store=self._store) for n in layers}
        directions = {}
        for n, one in rewriters.items():
            most = min(rank, one.max_rank(request)) or 1  # for an empty context, `directions` raises the error
            directions[n] = one.directions(request, most, method=method).to(self.layer.weight.device)
        if asked.retouched:
            asked = replace(asked, layer=asked_layer, rank=rank, locality=float(locality))
        else:  # rank and locality stay those with which it would be solved
            usual = default_locality(self.generator) if asked.locality is None else asked.locality
            asked = replace(asked, layer=asked_layer, rank=asked.rank or RANK, locality=float(usual))
        given, stay = (make(rewriters[layers[0]], request, layers) for make in (examples, others))
        for learned in learn(self.generator, given, directions, others=stay, steps=steps, outside=locality):
            first, *further = (make_edit(n, learned.factors[n], directions[n]).changes[0] for n in layers)
            yield Edit(
                first.layer,
                first.factor,
                first.directions,
                name=request.name,
                generator=self.generator.config.name,
                base=self.generator.digest(),
                request=asked,
                report=_report_of(learned, rewriters, locality, 1000 * (time.perf_counter() - start)),
                further=tuple(further),
            )

    def _learning_layers(self, request: Request) -> list[int]:
        first, earlier = self.number, self.number - 2
        possible = earlier in self.generator.layers and EditableLayer(self.generator, earlier).side >= COARSEST
        arrived = all(one.layer <= earlier for one in request.own_pictures())
        if possible and arrived and not told_by_features(self, request):
            first = earlier
        return list(default_layers(self.generator, request, first))

    def _report(
        self, solution: Solution, terms: list[Term], elsewhere: list[Term], directions: Tensor, milliseconds: float
    ) -> Report:
        kept = [term for term in terms if term.kind == "preserve"]
        goal = solution.losses["goal"]
        return Report(
            loss_before=goal[0],
            loss_after=goal[1],
            objective_before=solution.before,
            objective_after=solution.after,
            change=relative_change(solution.factor, self.layer.weight),
            elsewhere=self._moved(elsewhere, solution, directions),
            preserved=self._moved(kept, solution, directions) if kept else None,
            iterations=solution.iterations,
            milliseconds=milliseconds,
            precision=self.generator.precision,
            samples=self.samples,
        )

    def _moved(self, terms: list[Term], solution: Solution, directions: Tensor) -> float:
        """The mean change of the values at the terms' positions, relative to their mean absolute value."""
        size = np.mean([float(term.target.abs().mean()) for term in terms])
        if terms[0].kind in solution.losses:
            moved = solution.losses[terms[0].kind][1]
        else:  # the solve did not use these terms
            problem = Problem.of(self.layer, terms, directions)
            everywhere = torch.ones(len(terms), dtype=torch.bool, device=directions.device)
            moved = problem.loss(solution.factor.flatten(1), everywhere)
        return moved / max(float(size), 1e-12)

    # --- pictures -------------------------------------------------------------------------------------------------

    def invert(self, picture: Brought, *, seed: int = 0, progress: Progress | None = None) -> OwnPicture:
        """Find the features of an own picture; the result can stand for a seed (see `rewriting.core.inversion`)."""
        for found in invert(self.generator, picture, self.number, seed=seed):
            if progress:
                progress(found.step / found.steps, "Inverting your picture")
        return found.picture

    @torch.no_grad()
    def images(
        self,
        seeds: Sequence[Seed],
        edits: Sequence[Edit] = (),
        size: int | None = None,
        *,
        seeding: str = "seed",
        truncation: float | None = None,
        label: int = 0,
    ) -> np.ndarray:
        """Draw pictures as `Generator.images` does, but begin at this layer with cached features if possible.

        Edits of earlier layers change those features, so they require all layers.
        """
        how = {"seeding": seeding, "truncation": truncation if self.generator.truncates else None, "label": label}
        weights = self.generator.replacements(edits)
        if any(layer < self.number for layer in weights):
            return self.generator.images(seeds, edits, size, **how)
        drawn, step = [], self.generator.batch_size
        for start in range(0, len(seeds), step):
            at = LayerInput.cat(self.features(seeds[start : start + step], **how))
            value = self.generator.value(self.number, at, weights.get(self.number))
            drawn.append(to_uint8(self.generator.leave(self.number, value, at, weights, size)))
        side = self.generator.check_size(size)
        return np.concatenate(drawn) if drawn else np.empty((0, side, side, 3), np.uint8)


def _rounded_key(at: LayerInput) -> Tensor:
    """The key of one picture, float16 (I, h, w)."""
    most = torch.finfo(torch.float16).max
    return at.key[0].clamp(-most, most).half()


def _pasted(request: Request) -> list[Region]:
    """Where a request pastes: one place, or all of its context."""
    targets = [request.paste]
    if request.everywhere:
        used = (request.paste.seed, request.copy.seed)
        targets += [region for region in request.context if not region.empty and region.seed not in used]
    return targets


def _report_of(learned: Learned, rewriters: dict[int, Rewriter], locality: float, milliseconds: float) -> Report:
    """The report of a learned rule; its losses are shares of the pictures' full range."""
    weights = {n: one.layer.weight for n, one in rewriters.items()}
    changes = [relative_change(learned.factors[n], weight) for n, weight in weights.items()]
    return Report(
        loss_before=learned.before,
        loss_after=learned.inside,
        objective_before=learned.before,
        objective_after=learned.inside + locality * learned.outside,
        change=max(changes),
        elsewhere=learned.outside,
        preserved=learned.preserved,
        iterations=learned.step,
        milliseconds=milliseconds,
        precision="float32",  # of learning, for any generator
        samples=max(one.samples for one in rewriters.values()),
    )
