"""What the studio can do, without any interface: use cases over shared generators.

Generators, their features and their pictures are shared by all visitors and never change; what a visitor has made is
in the `Session` that goes in and comes out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, repeat
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
from rewriting.generators.own_picture import OwnPicture, Seed
from rewriting.hub import load_generator
from rewriting.studio.encoding import data_url, outline
from rewriting.studio.fair_queue import FairQueue, Step, WorkAhead
from rewriting.studio.generator_keys import public_name, repo_of, same, sealed
from rewriting.studio.picture import Picture
from rewriting.studio.results import Drawn, Effect, effect, painted_share
from rewriting.studio.session import Numbering, PackedRequest, Session

SIDE = 256  # of the masks that people paint
PAIRS = 12
TOGETHER = 4  # pictures drawn before others who wait for some of them have theirs
CHUNKS = (1, 5, PAIRS)  # results appear in steps: so many pairs are there after each
KEPT_GENERATORS = 3  # loaded from elsewhere; the bundled ones stay
KEPT_REWRITERS = 8
RANKED, LEAST_RANKED = 192, 48  # pictures among which results are the best matches, and where these take much memory
MEMORY = 512 << 20  # bytes for what is kept because it may be asked for again
SEARCHED, SEARCH_STEP = 960, 96
OUTLINED = 0.995  # quantile of the responses above which a place is outlined

T = TypeVar("T")


@dataclass(frozen=True)
class About:
    """Facts of a generator that stay known when it has made room for others."""

    layers: range
    default_layer: int
    locality: float
    resolution: int

    @classmethod
    def of(cls, generator: Generator) -> About:
        return cls(
            generator.layers,
            generator.config.default_layer,
            default_locality(generator),
            generator.config.resolution,
        )


class Service:
    """Generators ready for use, and what people do with them.

    searched: so many pictures are looked through for those that match.
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
        """load: a bundled generator, or one that whoever started the studio named.  prepare: what is done to one from
        the Hub before it is used, such as moving it to a device.  endpoint: address of another Hub.  memory: bytes for
        what is kept because it may be asked for again."""
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
        """Loaded once and shared by all who know its name (see `names`).  Raises what `load_generator` raises."""
        with self._lock:
            if name not in self._generators and name in bundled():
                self._generators[name] = self._load(name)
            if name in self._generators:
                self._generators.move_to_end(name)
                return self._generators[name]
        return self.add(name, self._again(name))  # perhaps a download, which nobody else waits for

    def _again(self, name: str) -> Generator:
        """A generator that whoever started the studio named or, with nobody's token, one that had to make room."""
        if sealed(name):
            raise ValueError(
                f"{repo_of(name)[0]} was unloaded to make room for other generators; open it from the Hub again."
            )
        if not repo_of(name)[0]:
            return self._load(name)
        return load_generator(public_name(name), token=False, endpoint=self.endpoint)

    def about(self, name: str) -> About:
        """Facts of a generator, which is loaded for them once at most."""
        if name not in self._about:
            self._about[name] = About.of(self.generator(name))
        return self._about[name]

    def has(self, name: str) -> bool:
        """Whether the generator is there without loading it."""
        return name in self._generators

    def add(self, name: str, generator: Generator) -> Generator:
        """Share a generator from the Hub under its key; the one that is there already, if there is one."""
        with self._lock:
            if name not in self._generators:
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
        """Where a generator draws, matches and solves."""
        return zerogpu.backend(self.generator(name), lambda layer: self.rewriter(name, layer))

    def open(self, name: str) -> Session:
        """A new visitor's session on a generator."""
        self.generator(name)
        return Session.on(name)

    def draw_ahead(self, session: Session) -> None:
        """Begin, in the background, what the first rewriting and the first search of this request will wait for."""
        if self.backend(session.generator).at_once:
            return  # its processor is another
        self._ahead.begin(self.rewriter(session.generator, session.request.layer), self._steps_ahead(session))

    def _steps_ahead(self, session: Session) -> Iterator[Step]:
        """The second moment, the locality terms, the keys of the pictures that are ranked by their match, the best of
        these pictures without a rule, and the keys that a search needs."""
        numbering, size = session.numbering, self.shown_size(session.generator)
        ranked, layer = self.ranked_among(session), session.request.layer
        searched = min(self.searched, self._room_for(self.rewriter(session.generator, layer)))

        def keys(seeds: Iterable[int]) -> Iterator[Step]:
            for seed in seeds:
                yield lambda rewriter, seed=seed: rewriter.keys([seed], **numbering._asdict())

        yield from repeat(lambda rewriter: rewriter.measure(), QUICK_SAMPLES)
        for number in range(LOCALITY_PICTURES):
            yield lambda rewriter, number=number: rewriter.places_elsewhere([number], numbering.truncation)
        yield from keys(range(ranked))
        if session.request.places and not session.now.asked.own_pictures and session.now.asked.complete:
            found: list[int] = []
            yield lambda _: found.extend(self.result_seeds(session))
            for seed in found:
                yield lambda _, seed=seed: self.drawn(session.generator, [seed], numbering, size=size)
        yield from keys(range(ranked, searched))

    def close(self) -> None:
        """Nobody looks at the page any more: do nothing ahead."""
        self._ahead.end()

    def _room_for(self, rewriter: Rewriter) -> int:
        """The number of pictures whose keys fill a quarter of the store."""
        return self.store.room // 4 // rewriter.key_bytes

    def ranked_among(self, session: Session) -> int:
        """Among how many pictures results are the best matches."""
        room = self._room_for(self.rewriter(session.generator, session.request.layer))
        return min(RANKED, max(LEAST_RANKED, room))

    def warm(self, name: str) -> Iterator[str]:
        """Do what a press on a preset would wait for, standing aside for visitors before each step: its name."""
        chosen, size = preset(name), self.shown_size(preset(name).generator)
        request, shown = chosen.request, chosen.shown[:PAIRS]
        regions = (request.copy, request.paste, *request.context, *request.retouched)
        seeds = [*shown, *(region.seed for region in regions if region is not None)]
        numbering, rule = Numbering(request.seeding, request.truncation), [self.preset_edit(name)]
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
        """Pictures under some edits, one for each seed, drawn once for all who ask for the same."""
        numbering, edits, backend = numbering or Numbering(), tuple(edits), self.backend(name)
        names = [self._picture_name(name, seed, numbering, edits, size) for seed in seeds]
        named = dict(zip(names, seeds, strict=True))
        self._let_leave(seeds)

        def draw(some: Sequence[Name]) -> Iterator[Picture]:
            return map(Picture, backend.images([named[one] for one in some], edits, numbering, size))

        return self.store.each(names, draw, max(1, len(seeds)) if backend.at_once else TOGETHER)

    def invert(self, name: str, image: np.ndarray, layer: int) -> Iterator[Inverting]:
        """Find how a generator draws a picture that was brought; see `rewriting.core.inversion.invert`."""
        yield from invert(self.generator(name), image, layer)

    def _let_leave(self, seeds: Sequence[Seed]) -> None:
        """What is drawn of pictures of one's own goes when these do."""
        for own in [seed for seed in seeds if isinstance(seed, OwnPicture) and seed not in self._own]:
            self._own.add(own)
            finalize(own, self.store.forget, lambda name, digest=own.digest: digest in name)

    def _picture_name(
        self, name: str, seed: Seed, numbering: Numbering, edits: tuple[Edit, ...] = (), size: int | None = None
    ) -> Name:
        """All that a picture depends on.  A picture of one's own goes by its digest, which only its owner knows."""
        generator = self.generator(name)
        size = generator.config.resolution if size is None else size
        rules = tuple((edit.digest, edit.strength) for edit in edits if edit.enabled and edit.strength)
        return (
            "picture", generator.digest(), generator.precision, getattr(seed, "digest", seed), *numbering, rules, size
        )  # fmt: skip

    def shown_size(self, name: str) -> int:
        """Of pictures on a sheet and of pairs, in pixels a side: no larger than they are shown."""
        return min(SIDE, self.about(name).resolution)

    def known(self, name: str, seeds: Sequence[Seed], numbering: Numbering) -> dict[Seed, Picture]:
        """Those unedited pictures that are drawn already at the size of a sheet, by seed."""
        names = {self._picture_name(name, seed, numbering, size=self.shown_size(name)): seed for seed in seeds}
        return {names[one]: picture for one, picture in self.store.known(names).items()}

    def pictures(self, name: str, seeds: Sequence[Seed], numbering: Numbering | None = None) -> list[str]:
        """Unedited pictures at the size of a sheet, as data URLs."""
        return [picture.url for picture in self.drawn(name, seeds, numbering, size=self.shown_size(name))]

    def plain(self, session: Session, seeds: Sequence[Seed], size: int | None = None) -> np.ndarray:
        """Unedited pictures, uint8 (N, H, W, 3)."""
        return np.stack([p.pixels for p in self.drawn(session.generator, seeds, session.numbering, size=size)])

    def edited(self, session: Session, seeds: Sequence[Seed], size: int | None = None) -> np.ndarray:
        """uint8 (N, H, W, 3) under all rules in force, resumed from the lowest edited layer."""
        drawn = self.drawn(session.generator, seeds, session.numbering, session.stack, size)
        return np.stack([picture.pixels for picture in drawn])

    def results(self, session: Session, seeds: Sequence[Seed]) -> Iterator[Drawn]:
        """Pictures before and after, more and more of them, at the size of a sheet."""
        name, numbering, stack = session.generator, session.numbering, tuple(session.stack)
        size, drawn = self.shown_size(name), Drawn(list(seeds), known=self.known(name, seeds, numbering))
        for end in CHUNKS[-1:] if self.backend(name).at_once else CHUNKS:
            some = drawn.seeds[drawn.done : end]
            if some:
                before = self.drawn(name, some, numbering, size=size)
                drawn = drawn.and_(before, self.drawn(name, some, numbering, stack, size))
                yield drawn

    def closer(self, session: Session, seed: Seed) -> tuple[str, str]:
        """A picture before and after in full, as data URLs; without rules, before and ""."""
        (before,) = self.drawn(session.generator, [seed], session.numbering)
        (after,) = self.drawn(session.generator, [seed], session.numbering, session.stack)
        return before.url, after.url if session.rules else ""

    # --- the request ------------------------------------------------------------------------------------------------

    def goal(self, session: Session) -> str:
        """The pasted goal as the generator draws it, or "" while something is missing."""
        request = session.request
        if request.erase or request.missing():
            return ""
        asked = Request(
            request.copy, request.paste, layer=request.layer, seeding=request.seeding, truncation=request.truncation
        )
        rewriter, size = self.rewriter(session.generator, request.layer), self.shown_size(session.generator)

        def draw() -> str:
            return data_url(rewriter.goal_image(asked, size, for_other_pictures=True))

        return self._once("goal", session, asked, draw, size)

    def search(self, session: Session, among: int | None = None, best: int = 240) -> Iterator[tuple[int, list[int]]]:
        """Look through pictures 0 .. among - 1: how many were looked at, and the best matches so far."""
        among, scores = among or self.searched, np.empty(0)
        step = among if self.backend(session.generator).at_once else SEARCH_STEP
        for start in range(0, among, step):
            found = self.matches(session, range(start, min(among, start + step)))
            scores = np.concatenate([scores, found.scores])
            yield len(scores), [int(i) for i in np.argsort(-scores, kind="stable")[:best]]

    def ranked(self, session: Session, among: int | None = None) -> list[int]:
        """Pictures 0 .. among - 1, best match with the context first."""
        among = self.ranked_among(session) if among is None else among
        return [int(i) for i in np.argsort(-self.matches(session, range(among)).scores, kind="stable")]

    def outlines_at(self, session: Session, seeds: Sequence[int], threshold: float | None = None) -> list[str]:
        """The places of some pictures that match the context, as masks to outline.

        threshold: the response above which they do; by default one that half a percent of all places exceed.
        """
        if all(region.empty for region in session.request.places):
            return [""] * len(seeds)
        if threshold is None:
            threshold = float(np.quantile(self.matches(session, range(SEARCH_STEP)).heat, OUTLINED))
        return [outline(heat, threshold, SIDE) for heat in self.matches(session, seeds).heat]

    def matches(self, session: Session, seeds: Sequence[int]) -> Matches:
        """How strongly some pictures respond to the context, and where."""
        request = session.request
        if all(region.empty for region in request.places):
            raise ValueError("Nothing is painted to match; paint a place first.")
        painted = Request(
            context=request.places, layer=request.layer, seeding=request.seeding, truncation=request.truncation
        )

        def match() -> Matches:
            return self.backend(session.generator).matches(request, seeds, session.numbering)

        if not all(map(is_whole, seeds)):
            return match()
        return self._once("matches", session, painted, match, tuple(seeds))

    def _once(self, what: str, session: Session, request: Request, make: Callable[[], T], *more: Hashable) -> T:
        """A result that depends on a generator, a request and `more` alone: computed once for all visitors, unless the
        request has somebody's own pictures."""
        if request.own_pictures():
            return make()
        rewriter = self.rewriter(session.generator, request.layer)
        generator, layer = rewriter.generator, rewriter.number
        name = (what, generator.digest(), generator.precision, layer, PackedRequest.of(request), *more)
        return self.store.one(name, make)

    # --- rules ------------------------------------------------------------------------------------------------------

    def solve(self, session: Session) -> Edit:
        """Solve the session's request, at a lower rank where too little is painted; the session stays as it is."""
        request = _complete(session)
        if request.retouched:
            *_, edit = self.learn(session)
            return edit
        wanted, most = request.rank, self.rewriter(session.generator, request.layer).max_rank(request)
        if not most:
            raise ValueError("The painted area is too small for this layer; paint more, or choose a higher layer.")
        asked = request.with_(rank=min(wanted or RANK, most))
        edit = self._once("rule", session, asked, lambda: self.backend(session.generator).solve(asked))
        return edit.with_(request=edit.request.with_(rank=wanted)) if wanted and wanted > asked.rank else edit

    def learn(self, session: Session) -> Iterator[Edit]:
        """Learn the session's retouched pictures: edits that come nearer and nearer; to stop, close it."""
        yield from self.backend(session.generator).learn(_complete(session))

    def under(self, session: Session, seed: Seed, number: int | None = None, edit: Edit | None = None) -> str:
        """A picture under the rules in force, as a data URL.  edit: of the rule `number`, in place of its own."""
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
        """Show a preset: its request, solved and in force; it takes the place of another preset's rule."""
        chosen, edit, opened = preset(name), self.preset_edit(name), session
        if chosen.generator != session.generator:
            opened = session.open(chosen.generator)
        mine = opened.rule is not None and not opened.rule.preset
        adopted = opened.adopt(edit, chosen.request, f"preset {name}", preset=name, new=mine)
        return adopted.as_one_step(session)

    def preset_edit(self, name: str) -> Edit:
        """A preset, solved: as it comes with the software, or on other weights solved once for all who ask."""
        chosen = preset(name)
        generator = self.generator(chosen.generator)

        def solve() -> Edit:
            came = chosen.edit(generator.digest())
            return came or self.rewriter(chosen.generator, chosen.request.layer).solve(chosen.request)

        return self.store.one(("preset", name, generator.digest(), generator.precision), solve)

    def effect(self, session: Session, drawn: Drawn) -> Effect | None:
        """How much the rules change pictures where the context matches, and elsewhere; None without a context."""
        if not any(not region.empty for region in session.request.places):
            return None
        heat = self.matches(session, drawn.seeds[: drawn.done]).heat
        return effect(drawn.before, drawn.after, heat, painted_share(session.request))

    def result_seeds(self, session: Session, order: str = "best", start: int = 0) -> list[int]:
        """Twelve pictures to show a rule on, that it was not made from.

        order "best": those that match the context best among the first; "random": in order of their numbers.
        """
        request = session.request
        used = {region.seed for region in (*request.places, request.copy, request.paste) if region is not None}
        used |= {one.seed for one in request.retouched}
        if order == "best" and any(not region.empty for region in request.places):
            seeds = [seed for seed in self.ranked(session) if seed not in used][start : start + PAIRS]
            if seeds:
                return seeds
        return list(islice((seed for seed in count() if seed not in used), start, start + PAIRS))


def _complete(session: Session) -> Request:
    """The session's request; ValueError if something is missing, or if it is for another generator."""
    request = session.request
    if request.generator and not same(request.generator, session.generator):
        raise ValueError(f"The request was made for {request.generator!r}; open that generator first.")
    request.check()
    return request
