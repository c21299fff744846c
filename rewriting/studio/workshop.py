"""What the studio can do, without any interface: use cases over shared generators.

Generators, their features and their pictures are shared by all visitors and never change; what a visitor has made is
in the `Session` that goes in and comes out.  Every method that draws returns data URLs, ready for a page.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import RLock

import numpy as np

from rewriting.edit import Edit
from rewriting.generators import Generator, bundled
from rewriting.hub import load_generator
from rewriting.presets import Preset, preset
from rewriting.request import Request
from rewriting.rewriter import Matches, Rewriter
from rewriting.studio.pictures import change_map, cutout, data_url, enlarged, outline
from rewriting.studio.session import Session

SIDE = 256  # of the masks that people paint, and of the canvases' pictures
PAIRS = 12
KEPT_PICTURES = 4000
KEPT_GENERATORS = 3  # loaded from elsewhere; the bundled ones stay
SEARCHED = 1000
CHANGED = 0.03  # mean change (of 1) of the matched area from which a picture counts as changed
MATCHED = 0.995  # quantile of the responses above which a place matches the context


@dataclass(frozen=True)
class Pair:
    """A picture before and after all rules in force, as the pair sheet takes it; after is "" while it is drawn."""

    seed: int
    before: str
    after: str = ""
    change: str = ""
    note: str = ""

    def to_json(self) -> dict[str, object]:
        return {k: v for k, v in vars(self).items() if v or k in ("seed", "before", "after")}


@dataclass(frozen=True)
class Effect:
    """What the rules do to some pictures.  changed: in how many of `among` the matched places changed visibly.
    inside, elsewhere: mean absolute change, of 1, at the matched places and at all others."""

    changed: int
    among: int
    inside: float
    elsewhere: float


class Workshop:
    """Generators ready for use, and what people do with them."""

    def __init__(self, load: Callable[[str], Generator] = load_generator):
        self._load = load
        self._generators: OrderedDict[str, Generator] = OrderedDict()
        self._rewriters: dict[tuple[str, int], Rewriter] = {}
        self._pictures: OrderedDict[tuple, str] = OrderedDict()
        self._lock = RLock()

    # --- generators -------------------------------------------------------------------------------------------------

    def generator(self, name: str) -> Generator:
        """Loaded once and shared.  Raises what `load_generator` raises."""
        with self._lock:
            if name not in self._generators:
                self._generators[name] = self._load(name)
                self._make_room()
            self._generators.move_to_end(name)
            return self._generators[name]

    def _make_room(self) -> None:
        foreign = [name for name in self._generators if name not in bundled()]
        for name in foreign[:-KEPT_GENERATORS]:
            del self._generators[name]
            self._rewriters = {key: r for key, r in self._rewriters.items() if key[0] != name}

    def rewriter(self, name: str, layer: int | None = None) -> Rewriter:
        generator = self.generator(name)
        layer = generator.config.default_layer if layer is None else layer
        with self._lock:
            if (name, layer) not in self._rewriters:
                self._rewriters[name, layer] = Rewriter(generator, layer)
            return self._rewriters[name, layer]

    def open(self, name: str) -> Session:
        """A new visitor's session on a generator."""
        self.generator(name)
        return Session(name).step("open", request=Request(generator=name)).forget_past()

    def warm(self, name: str, layer: int) -> None:
        """Do what the first rewriting of a layer would wait for."""
        rewriter = self.rewriter(name, layer)
        rewriter.second_moment()
        rewriter.locality_terms(Request())

    # --- pictures ---------------------------------------------------------------------------------------------------

    def pictures(self, name: str, seeds: Sequence[int]) -> list[str]:
        """Unedited pictures as data URLs, drawn once."""
        wanted = [(name, seed) for seed in seeds]
        absent = list(dict.fromkeys(key for key in wanted if key not in self._pictures))
        drawn = self.generator(name).images([seed for _, seed in absent])
        with self._lock:
            self._pictures |= {key: data_url(picture) for key, picture in zip(absent, drawn, strict=True)}
            urls = [self._pictures[key] for key in wanted]
            while len(self._pictures) > KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return urls

    def canvas(self, name: str, seed: int) -> str:
        """One picture for a canvas to paint on."""
        return self.pictures(name, [seed])[0]

    def edited(self, session: Session, seeds: Sequence[int]) -> np.ndarray:
        """uint8 (N, H, W, 3) under all rules in force, resumed from the lowest edited layer."""
        stack = session.stack
        layers = [edit.layer for edit in stack]
        if not layers:
            return self.generator(session.generator).images(seeds)
        return self.rewriter(session.generator, min(layers)).images(seeds, stack)

    def pairs(self, session: Session, seeds: Sequence[int], notes: Sequence[str] = ()) -> Iterator[list[Pair]]:
        """The pairs, more and more finished: the first as soon as it is drawn, then all."""
        seeds, notes = list(seeds), list(notes) or [""] * len(seeds)
        if not seeds:
            yield []
            return
        befores = self.pictures(session.generator, seeds)
        pairs = [Pair(seed, url, note=note) for seed, url, note in zip(seeds, befores, notes, strict=True)]
        if not session.rules:
            yield [Pair(p.seed, p.before, p.before, note=p.note) for p in pairs]
            return
        for chunk in (range(0, 1), range(1, len(seeds))):
            some = [seeds[i] for i in chunk]
            if not some:
                continue
            plain = self.generator(session.generator).images(some)
            for i, before, after in zip(chunk, plain, self.edited(session, some), strict=True):
                change = data_url(change_map(before, after))
                pairs[i] = Pair(pairs[i].seed, pairs[i].before, data_url(after), change, pairs[i].note)
            yield list(pairs)

    # --- the request ------------------------------------------------------------------------------------------------

    def patch(self, session: Session) -> str:
        """The copied object cut out, or ""."""
        copy = session.request.copy
        if copy is None or copy.empty:
            return ""
        return cutout(self._picture(session, copy.seed), copy.mask)

    def goal(self, session: Session) -> str:
        """The pasted goal as the generator draws it, or "" while something is missing."""
        request = session.request
        if request.erase or request.copy is None or request.paste is None or request.copy.empty:
            return ""
        return data_url(self.rewriter(session.generator, request.layer).goal_image(request))

    def _picture(self, session: Session, seed: int) -> np.ndarray:
        request = session.request
        how = {"seeding": request.seeding, "truncation": request.truncation}
        return enlarged(self.generator(session.generator).images([seed], **how)[0], SIDE)

    def search(self, session: Session, count: int = SEARCHED) -> tuple[list[int], Matches]:
        """Pictures 0 .. count - 1, best match with the context first, and all their matches."""
        rewriter = self.rewriter(session.generator, session.request.layer)
        matches = rewriter.matches(session.request, range(count))
        return [int(i) for i in np.argsort(-matches.scores, kind="stable")], matches

    def threshold(self, matches: Matches) -> float:
        """The response from which a place matches: few places of all pictures exceed it."""
        return float(np.quantile(matches.heat, MATCHED))

    def outlines_at(self, session: Session, seeds: Sequence[int], threshold: float) -> list[str]:
        """The places of some pictures that match the context, as masks to outline."""
        if not session.request.places:
            return [""] * len(seeds)
        matches = self.rewriter(session.generator, session.request.layer).matches(session.request, seeds)
        return [outline(heat, threshold, SIDE) for heat in matches.heat]

    # --- rules ------------------------------------------------------------------------------------------------------

    def solve(self, session: Session) -> Edit:
        """Solve the session's request; the session stays as it is."""
        self._check(session)
        return self.rewriter(session.generator, session.request.layer).solve(session.request)

    def rewrite(self, session: Session) -> Session:
        """Solve the session's request and put the rule in force."""
        return session.adopt(self.solve(session))

    def choose(self, session: Session, name: str) -> Session:
        """Show a preset: its request, solved and in force in place of the rule being edited."""
        chosen: Preset = preset(name)
        if chosen.generator != session.generator:
            session = self.open(chosen.generator)
        edit = self.rewriter(chosen.generator, chosen.request.layer).solve(chosen.request)
        return session.adopt(edit, chosen.request, f"preset {name}")

    def _check(self, session: Session) -> None:
        made_for = session.request.generator
        if made_for and made_for != session.generator:
            raise ValueError(f"The request was made for {made_for!r}; open that generator first.")

    def effect(self, session: Session, seeds: Sequence[int]) -> Effect:
        """How much the rules change pictures where the context matches, and elsewhere."""
        request = session.request
        before = self.generator(session.generator).images(seeds).astype(np.float32) / 255
        change = np.abs(self.edited(session, seeds).astype(np.float32) / 255 - before).mean(-1)
        matches = self.rewriter(session.generator, request.layer).matches(request, seeds)
        cell = change.shape[1] // matches.heat.shape[1]
        threshold = np.quantile(matches.heat, 1 - _painted_share(request))
        inside = np.kron(matches.heat > threshold, np.ones((cell, cell), bool))
        hit = [float(c[i].mean()) for c, i in zip(change, inside, strict=True) if i.any()]
        return Effect(
            changed=sum(amount > CHANGED for amount in hit),
            among=len(hit),
            inside=float(change[inside].mean()) if inside.any() else 0.0,
            elsewhere=float(change[~inside].mean()),
        )

    def result_seeds(self, session: Session, order: str, start: int = 0) -> list[int]:
        """Twelve pictures to show a rule on, that it was not made from.

        order "best": those that match the context best among the searched; "random": in order of their numbers.
        """
        used = {region.seed for region in (*session.request.places, *_ends(session.request))}
        if order == "best" and session.request.places:
            ranked, _ = self.search(session)
        else:
            ranked = list(range(start, start + PAIRS + len(used)))
        return [seed for seed in ranked if seed not in used][start if order == "best" else 0 :][:PAIRS]


def _ends(request: Request) -> list:
    return [region for region in (request.copy, request.paste) if region is not None]


def _painted_share(request: Request) -> float:
    """The mean painted share of the context's masks: how much of a picture the rule is about."""
    shares = [float((region.mask > 0).mean()) for region in request.places if not region.empty]
    return min(0.5, max(0.002, float(np.mean(shares)))) if shares else 0.02
