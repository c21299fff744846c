"""The studio's use cases on shared generators, without an interface.

All visitors share the generators, their features and their pictures, which never change.  A visitor's work is a
`Session`, which a use case takes, and returns changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice, repeat
from threading import RLock
from typing import TypeVar
from weakref import WeakSet, finalize

import numpy as np

from rewriting import zerogpu
from rewriting.backend import Backend
from rewriting.checks import is_whole
from rewriting.core.edit import Edit
from rewriting.core.inversion import Inverting, invert
from rewriting.core.memory import QUICK_SAMPLES
from rewriting.core.presets import preset
from rewriting.core.request import Request
from rewriting.core.rewriter import LOCALITY_PICTURES, RANK, Matches, Rewriter, default_locality
from rewriting.core.store import Name, Store
from rewriting.generators import Generator, bundled
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import OwnPicture, Seed
from rewriting.hub import load_generator
from rewriting.studio.encoding import Picture, data_url, outline
from rewriting.studio.fair_queue import FairQueue, Step, WorkAhead
from rewriting.studio.generator_keys import public_name, repo_of, same, sealed
from rewriting.studio.results import Drawn, Effect, effect, painted_share
from rewriting.studio.session import HistoryEntry, PackedRequest, Session

SIDE = 256  # of the masks that people paint
PAIRS = 12
TOGETHER = 4  # pictures in a batch; a small batch lets others who wait for one of its pictures go on sooner
CHUNKS = (1, 5, PAIRS)  # results appear in steps, with so many pairs after each
KEPT_GENERATORS = 3  # in memory besides the bundled ones
KEPT_REWRITERS = 8
RANKED, LEAST_RANKED = 192, 48  # pictures that are ranked for the results; fewer if their features are large
MEMORY = 512 << 20  # bytes of the cache
SEARCHED, SEARCH_STEP = 960, 96
OUTLINED = 0.995  # quantile of the responses above which a place is outlined

T = TypeVar("T")


@dataclass(frozen=True)
class About:
    """Facts of a generator that stay known after it is unloaded."""

    layers: range
    cells: dict[int, int]  # by layer: positions a side
    default_layer: int
    locality: float
    resolution: int
    classes: int

    @classmethod
    def of(cls, generator: Generator) -> About:
        return cls(
            generator.layers,
            {layer: generator.value_size(layer) for layer in generator.layers},
            generator.config.default_layer,
            default_locality(generator),
            generator.config.resolution,
            generator.config.classes,
        )


class Service:
    """Loaded generators, and the use cases on them.

    searched: the number of pictures in a search.
    """

    searched = SEARCHED

    def __init__(
        self,
        load: Callable[[str], Generator] = load_generator,
        *,
        prepare: Callable[[Generator], Generator] = lambda generator: generator,
        endpoint: str | None = None,
        memory: int = MEMORY,
    ):
        """load: loads a bundled generator, or one named at the start of the studio.  prepare: prepares a generator
        from the Hub, for example by moving it to a device.  endpoint: the address of another Hub.  memory: bytes of
        the cache."""
        self._load, self._prepare, self.endpoint = load, prepare, endpoint
        self._generators: OrderedDict[str, Generator] = OrderedDict()
        self._rewriters: OrderedDict[tuple[str, int], Rewriter] = OrderedDict()
        self._about: dict[str, About] = {}
        self.store = Store(memory)
        self._own: WeakSet[OwnPicture] = WeakSet()
        self.queue = FairQueue()
        self._ahead = WorkAhead(self.queue)
        self._lock = RLock()

    # --- generators -------------------------------------------------------------------------------------------------

    def generator(self, name: str) -> Generator:
        """The generator with this key, loaded only once (see `generator_keys`).  Raises as `load_generator`."""
        with self._lock:
            if name not in self._generators and name in bundled():
                self._generators[name] = self._load(name)
            if name in self._generators:
                self._generators.move_to_end(name)
                return self._generators[name]
        return self.add(name, self._again(name))  # without the lock, because it may download

    def _again(self, name: str) -> Generator:
        """Load a generator that was named at the start of the studio, or, without a token, one that was unloaded."""
        if sealed(name):
            raise ValueError(
                f"{repo_of(name)[0]} was unloaded to make room for other generators; open it from the Hub again."
            )
        if not repo_of(name)[0]:
            return self._load(name)
        return load_generator(public_name(name), token=False, endpoint=self.endpoint)

    def about(self, name: str) -> About:
        """Facts of a generator; it is loaded for them at most once."""
        if name not in self._about:
            self._about[name] = About.of(self.generator(name))
        return self._about[name]

    def has(self, name: str) -> bool:
        """Whether the generator is loaded."""
        return name in self._generators

    def add(self, name: str, generator: Generator) -> Generator:
        """Add a generator from the Hub under its key; returns the one that already has the key, if any."""
        with self._lock:
            if name not in self._generators:
                for other in self._generators.values():
                    other.forget_kernels()  # of several generators, often one alone is in use
                self._generators[name] = self._prepare(generator)
                self._make_room()
            self._generators.move_to_end(name)
            return self._generators[name]

    def _make_room(self) -> None:
        foreign = [name for name in self._generators if name not in bundled()]
        for name in foreign[:-KEPT_GENERATORS]:
            gone = self._generators.pop(name).digest()
            self.store.forget(lambda result, gone=gone: gone in result)
            for key in [key for key in self._rewriters if key[0] == name]:
                del self._rewriters[key]

    def rewriter(self, name: str, layer: int | None = None) -> Rewriter:
        """The shared rewriter of a layer, by default the generator's own choice."""
        generator = self.generator(name)
        layer = generator.config.default_layer if layer is None else layer
        with self._lock:
            if (name, layer) not in self._rewriters:
                self._rewriters[name, layer] = Rewriter(generator, layer, store=self.store)
            self._rewriters.move_to_end((name, layer))
            while len(self._rewriters) > KEPT_REWRITERS:
                self._rewriters.popitem(last=False)
            return self._rewriters[name, layer]

    def backend(self, name: str) -> Backend:
        """The backend on which a generator draws, matches and solves."""
        return zerogpu.backend(self.generator(name), lambda layer: self.rewriter(name, layer))

    def open(self, name: str) -> Session:
        """A new visitor's session on a generator."""
        self.generator(name)
        return Session.on(name)

    def draw_ahead(self, session: Session) -> None:
        """Start computing in the background what the first rewrite and the first search of this request need."""
        if self.backend(session.generator).at_once:
            return  # it computes on another processor
        self._ahead.begin(self.rewriter(session.generator, session.request.layer), self._steps_ahead(session))

    def _steps_ahead(self, session: Session) -> Iterator[Step]:
        """The steps for a request: the second moment, the locality terms, the keys of the ranked pictures, the best of
        these pictures without a rule, and the keys for a search."""
        numbering, ranked, layer = session.numbering, self.ranked_among(session), session.request.layer
        searched = min(self.searched, self._room_for(self.rewriter(session.generator, layer)))

        def elsewhere(number: int) -> Step:
            return lambda rewriter: rewriter.places_elsewhere([number], numbering.truncation, numbering.label)

        def key(seed: int) -> Step:
            return lambda rewriter: rewriter.keys([seed], **numbering._asdict())

        return chain(
            repeat(lambda rewriter: rewriter.measure(), QUICK_SAMPLES),
            map(elsewhere, range(LOCALITY_PICTURES)),
            map(key, range(ranked)),
            self._best_ahead(session),
            map(key, range(ranked, searched)),
        )

    def _best_ahead(self, session: Session) -> Iterator[Step]:
        """The steps that draw the best matches without a rule.

        There are none for people's own pictures, since a step may outlive its visitor.
        """
        request = session.now.asked
        if not session.request.places or request.own_pictures or request.retouched or not request.complete:
            return iter(())
        return self._best_of(Session(HistoryEntry(session.generator, request)))

    def _best_of(self, session: Session) -> Iterator[Step]:
        seeds: list[int] = []
        yield lambda _: seeds.extend(self.result_seeds(session))
        for seed in seeds:
            yield lambda _, seed=seed: self.pictures(session.generator, [seed], session.numbering)

    def close(self) -> None:
        """Stop the work in the background."""
        self._ahead.end()

    def _room_for(self, rewriter: Rewriter) -> int:
        """The number of pictures whose keys fill a quarter of the store."""
        return self.store.room // 4 // rewriter.key_bytes

    def ranked_among(self, session: Session) -> int:
        """The number of pictures that are ranked for the results."""
        room = self._room_for(self.rewriter(session.generator, session.request.layer))
        return min(RANKED, max(LEAST_RANKED, room))

    def warm(self, name: str) -> Iterator[str]:
        """Compute everything for a press on a preset, step by step; yields the name of each step.

        Before each step it waits until no visitor is served."""
        chosen, size = preset(name), self.shown_size(preset(name).generator)
        request, shown = chosen.request, chosen.shown[:PAIRS]
        regions = (request.copy, request.paste, *request.context, *request.retouched)
        seeds = [*shown, *(region.seed for region in regions if region is not None)]
        numbering, rule = request.numbering, [self.preset_edit(name)]
        yield "rule"
        for step, wanted, edits in (("picture", seeds, []), ("pair", shown, rule)):
            for seed in wanted:
                self.queue.stand_aside()
                self.drawn(chosen.generator, [seed], numbering, edits, size)
                yield step

    # --- pictures ---------------------------------------------------------------------------------------------------

    def drawn(
        self,
        name: str,
        seeds: Sequence[Seed],
        numbering: Numbering | None = None,
        edits: Iterable[Edit] = (),
        size: int | None = None,
    ) -> list[Picture]:
        """Pictures under edits, one for each seed, from the cache if possible.  size: in pixels, by default full."""
        numbering, edits, backend = numbering or Numbering(), tuple(edits), self.backend(name)
        names = [self._picture_name(name, seed, numbering, edits, size) for seed in seeds]
        seed_of = dict(zip(names, seeds, strict=True))
        self._let_leave(seeds)

        def draw(some: Sequence[Name]) -> Iterator[Picture]:
            return map(Picture, backend.images([seed_of[name] for name in some], edits, numbering, size))

        return self.store.each(names, draw, max(1, len(seeds)) if backend.at_once else TOGETHER)

    def invert(self, name: str, image: np.ndarray, layer: int) -> Iterator[Inverting]:
        """Invert an own picture; see `rewriting.core.inversion.invert`."""
        yield from invert(self.generator(name), image, layer)

    def _let_leave(self, seeds: Sequence[Seed]) -> None:
        """Drop the cached pictures of an own picture when the last visitor with it is gone."""
        for own in [seed for seed in seeds if isinstance(seed, OwnPicture) and seed not in self._own]:
            self._own.add(own)
            finalize(own, self.store.forget, lambda name, digest=own.digest: digest in name)

    def _picture_name(
        self, name: str, seed: Seed, numbering: Numbering, edits: tuple[Edit, ...] = (), size: int | None = None
    ) -> Name:
        """The name of a picture in the cache.  An own picture appears by its digest, which only its owner can form."""
        generator = self.generator(name)
        size = generator.config.resolution if size is None else size
        rules = tuple((edit.digest, edit.strength) for edit in edits if edit.enabled and edit.strength)
        return (
            "picture", generator.digest(), generator.precision, getattr(seed, "digest", seed), *numbering, rules, size
        )  # fmt: skip

    def shown_size(self, name: str) -> int:
        """The side in pixels of pictures on a sheet and in pairs, which the page shows no larger."""
        return min(SIDE, self.about(name).resolution)

    def known(self, name: str, seeds: Sequence[Seed], numbering: Numbering) -> dict[Seed, Picture]:
        """The cached unedited pictures of a sheet's size, by seed."""
        names = {self._picture_name(name, seed, numbering, size=self.shown_size(name)): seed for seed in seeds}
        return {names[key]: picture for key, picture in self.store.known(names).items()}

    def pictures(self, name: str, seeds: Sequence[Seed], numbering: Numbering | None = None) -> list[str]:
        """Unedited pictures at the size of a sheet, as data URLs."""
        return [picture.url for picture in self.drawn(name, seeds, numbering, size=self.shown_size(name))]

    def plain(self, session: Session, seeds: Sequence[Seed], size: int | None = None) -> np.ndarray:
        """Unedited pictures, uint8 (N, H, W, 3)."""
        return np.stack([p.pixels for p in self.drawn(session.generator, seeds, session.numbering, size=size)])

    def edited(self, session: Session, seeds: Sequence[Seed], size: int | None = None) -> np.ndarray:
        """Pictures under all rules in force, uint8 (N, H, W, 3)."""
        drawn = self.drawn(session.generator, seeds, session.numbering, session.stack, size)
        return np.stack([picture.pixels for picture in drawn])

    def results(self, session: Session, seeds: Sequence[Seed]) -> Iterator[Drawn]:
        """Pictures before and after, of a sheet's size; yields a growing number of them."""
        name, numbering, stack = session.generator, session.numbering, tuple(session.stack)
        size, drawn = self.shown_size(name), Drawn(list(seeds), known=self.known(name, seeds, numbering))
        for end in CHUNKS[-1:] if self.backend(name).at_once else CHUNKS:
            some = drawn.seeds[drawn.done : end]
            if some:
                before = self.drawn(name, some, numbering, size=size)
                drawn = drawn.and_(before, self.drawn(name, some, numbering, stack, size))
                yield drawn

    def closer(self, session: Session, seed: Seed) -> tuple[str, str]:
        """A picture before and after in full size, as data URLs; without rules, the second is ""."""
        (before,) = self.drawn(session.generator, [seed], session.numbering)
        (after,) = self.drawn(session.generator, [seed], session.numbering, session.stack)
        return before.url, after.url if session.rules else ""

    # --- the request ------------------------------------------------------------------------------------------------

    def goal(self, session: Session) -> str:
        """The generator's picture of the pasted goal, as a data URL; "" for an incomplete request."""
        request = session.request
        if request.erase or request.missing():
            return ""
        asked = Request(
            request.copy, request.paste, transform=request.transform, layer=request.layer,
            **request.numbering._asdict(),
        )  # fmt: skip
        rewriter, size = self.rewriter(session.generator, request.layer), self.shown_size(session.generator)

        def draw() -> str:
            return data_url(rewriter.goal_image(asked, size, for_other_pictures=True))

        return self._once("goal", session, asked, draw, size)

    def search(self, session: Session, among: int | None = None, best: int = 240) -> Iterator[tuple[int, list[int]]]:
        """Search pictures 0 .. among - 1; yields the number of searched pictures, and the best matches so far."""
        among, scores = among or self.searched, np.empty(0)
        step = among if self.backend(session.generator).at_once else SEARCH_STEP
        for start in range(0, among, step):
            matches = self.matches(session, range(start, min(among, start + step)))
            scores = np.concatenate([scores, matches.scores])
            yield len(scores), [int(i) for i in np.argsort(-scores, kind="stable")[:best]]

    def ranked(self, session: Session, among: int | None = None) -> list[int]:
        """Pictures 0 .. among - 1, best match with the context first."""
        among = self.ranked_among(session) if among is None else among
        return [int(i) for i in np.argsort(-self.matches(session, range(among)).scores, kind="stable")]

    def outlines_at(self, session: Session, seeds: Sequence[int], threshold: float | None = None) -> list[str]:
        """The places in pictures that match the context, as outlines.

        threshold: the lowest response of a match; by default, half a percent of all places exceed it.
        """
        if all(region.empty for region in session.request.places):
            return [""] * len(seeds)
        if threshold is None:
            threshold = float(np.quantile(self.matches(session, range(SEARCH_STEP)).heat, OUTLINED))
        return [outline(heat, threshold, SIDE) for heat in self.matches(session, seeds).heat]

    def matches(self, session: Session, seeds: Sequence[int]) -> Matches:
        """The responses of pictures to the context.  Raises ValueError without a painted place."""
        request = session.request
        if all(region.empty for region in request.places):
            raise ValueError("Nothing is painted to match; paint a place first.")
        painted = Request(context=request.places, layer=request.layer, **request.numbering._asdict())

        def match() -> Matches:
            return self.backend(session.generator).matches(request, seeds, session.numbering)

        if not all(map(is_whole, seeds)):
            return match()
        return self._once("matches", session, painted, match, tuple(seeds))

    def _once(self, what: str, session: Session, request: Request, make: Callable[[], T], *more: Hashable) -> T:
        """A result that depends only on the generator, a request and `more`: cached for all visitors, unless the
        request has own pictures."""
        if request.own_pictures():
            return make()
        rewriter = self.rewriter(session.generator, request.layer)
        generator, layer = rewriter.generator, rewriter.number
        name = (what, generator.digest(), generator.precision, layer, PackedRequest.of(request), *more)
        return self.store.one(name, make)

    # --- rules ------------------------------------------------------------------------------------------------------

    def solve(self, session: Session) -> Edit:
        """Solve or learn the session's request; if the painted area is too small for the rank, at a lower rank."""
        request = _complete(session)
        if request.retouched:
            *_, edit = self.learn(session)
            return edit
        wanted, most = request.rank, self.rewriter(session.generator, request.layer).max_rank(request)
        if not most:
            raise ValueError("The painted area is too small for this layer; paint more, or choose a higher layer.")
        solvable = request.with_(rank=min(wanted or RANK, most))
        edit = self._once("rule", session, solvable, lambda: self.backend(session.generator).solve(solvable))
        return edit.with_(request=edit.request.with_(rank=wanted)) if wanted and wanted > most else edit

    def learn(self, session: Session) -> Iterator[Edit]:
        """Learn the session's retouched pictures; yields better and better edits.  To stop, close the iterator."""
        yield from self.backend(session.generator).learn(_complete(session))

    def under(self, session: Session, seed: Seed, number: int | None = None, edit: Edit | None = None) -> str:
        """A picture under the rules in force, as a data URL.  edit: replaces that of the rule `number`."""
        edits = [
            edit.with_(strength=rule.edit.strength, enabled=rule.edit.enabled)
            if edit is not None and rule.number == number
            else rule.edit
            for rule in session.rules
        ]
        return data_url(self.backend(session.generator).images([seed], edits, session.numbering)[0])

    def rewrite(self, session: Session) -> Session:
        """Solve the session's request and put the rule in force."""
        return session.adopt(self.solve(session))

    def choose(self, session: Session, name: str) -> Session:
        """Put a preset's rule in force, in place of another preset's, and open its request."""
        chosen, edit, opened = preset(name), self.preset_edit(name), session
        if chosen.generator != session.generator:
            opened = session.open(chosen.generator)
        mine = opened.rule is not None and not opened.rule.preset
        adopted = opened.adopt(edit, chosen.request, f"preset {name}", preset=name, new=mine)
        return adopted.as_one_step(session)

    def preset_edit(self, name: str) -> Edit:
        """A preset's rule: the shipped one or, for other weights, a solved and cached one."""
        chosen = preset(name)
        generator = self.generator(chosen.generator)

        def solve() -> Edit:
            shipped = chosen.edit(generator.digest())
            return shipped or self.rewriter(chosen.generator, chosen.request.layer).solve(chosen.request)

        return self.store.one(("preset", name, generator.digest(), generator.precision), solve)

    def effect(self, session: Session, drawn: Drawn) -> Effect | None:
        """The change of pictures in places that match the context, and elsewhere; None without a context."""
        if not any(not region.empty for region in session.request.places):
            return None
        heat = self.matches(session, drawn.seeds[: drawn.done]).heat
        return effect(drawn.before, drawn.after, heat, painted_share(session.request))

    def result_seeds(self, session: Session, order: str = "best", start: int = 0) -> list[int]:
        """Twelve pictures for the results; the request does not use them.

        order: "best", the best matches with the context among the ranked pictures, or "random", by number.
        """
        request = session.request
        used = {region.seed for region in (*request.places, request.copy, request.paste) if region is not None}
        used |= {retouch.seed for retouch in request.retouched}
        if order == "best" and any(not region.empty for region in request.places):
            seeds = [seed for seed in self.ranked(session) if seed not in used][start : start + PAIRS]
            if seeds:
                return seeds
        return list(islice((seed for seed in count() if seed not in used), start, start + PAIRS))


def _complete(session: Session) -> Request:
    """The session's request.  Raises ValueError if it is incomplete or for another generator."""
    request = session.request
    if request.generator and not same(request.generator, session.generator):
        raise ValueError(f"The request was made for {request.generator!r}; open that generator first.")
    request.check()
    return request
