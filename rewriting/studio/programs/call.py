"""One call of a program: from its arguments to a session, and from the session to its answer."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rewriting.checkpoints.known_models import known_model
from rewriting.checks import listing, number, refuse, text
from rewriting.core.archive import MAX_ARCHIVE
from rewriting.core.edit import MAX_EDITS, Edit, EditStack
from rewriting.core.presets import presets
from rewriting.core.request import Region, Request
from rewriting.generators import bundled
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import Seed, seed_json
from rewriting.hub.client import Token
from rewriting.hub.names import repo_name
from rewriting.studio import selection
from rewriting.studio.fair_queue import Turn
from rewriting.studio.generator_keys import public_name, repo_of, same, sealed
from rewriting.studio.hub_access import bring
from rewriting.studio.programs.attachments import contents, names_a_file, offered, picture
from rewriting.studio.service import Service
from rewriting.studio.session import Session
from rewriting.studio.sharing import read_file, save_edit

MOST = 24  # most pictures in one answer
SHOWN = 6  # pictures in an answer by default
PART = 4  # pictures drawn in one turn
STRENGTHS = -10, 10

T = TypeVar("T")


class Call:
    """The work of one call.

    first: the studio's first generator.  generator: its name in the call; "" means that of the rules or, without any,
    the first.  token: the caller's login at the Hub.  numbering: the meaning of the picture numbers.  turn: begins the
    next turn of the call.
    """

    def __init__(self, service: Service, first: str, generator: Any, token: Token, numbering: Numbering):
        self.service, self.first, self.generator = service, first, generator
        self.token, self.numbering = token, numbering
        self.turn: Callable[[], Turn] = service.queue.turns()

    def in_turn(self, steps: Iterator[T]) -> Iterator[T]:
        """Run steps, each in a turn of its own."""
        while True:
            with self.turn():
                step = next(steps, None)
            if step is None:
                return
            yield step

    # --- generators -------------------------------------------------------------------------------------------------

    @cached_property
    def key(self) -> str:
        """The service's key of the generator."""
        return self._key_of(self.generator)

    def _key_of(self, generator: Any) -> str:
        """The service's key of a generator; "" means the studio's first."""
        name = text(300)(generator, "generator")
        if name in bundled():
            return name
        if name in ("", self.first, self.name(self.first)):
            return self.first
        if all(repo_of(name)) and not sealed(name) and self.service.has(name):
            return name  # everybody's, at that commit
        key, stack = self.from_hub(name, "generator")
        if len(stack):
            raise ValueError(f"{name} holds rules for {self.name(key)}; give it as a rule.")
        return key

    def from_hub(self, name: Any, argument: str) -> tuple[str, EditStack]:
        """The generator and the rules of a repo."""
        name = text(300)(name, argument)
        if "/" not in name and name not in bundled() and not known_model(name):
            names = ", ".join(dict.fromkeys([*bundled(), self.name(self.first)]))
            raise ValueError(f"There is no generator {name!r}; there are {names}, and on the Hub others as name/repo.")
        brought = bring(self.service, Session.on(self.first), name, self.token, lambda done, what: None)
        return brought.key, brought.stack

    def name(self, key: str) -> str:
        """The name of a generator for programs; for a file, its name without the folders of this machine."""
        return Path(key).name if key not in bundled() and Path(key).exists() else public_name(key)

    def described(self, key: str) -> dict:
        """A generator as the answers describe it."""
        generator = self.service.generator(key)
        return {
            "name": self.name(key),
            "resolution": generator.config.resolution,
            "layers": [generator.layers.start, generator.layers.stop - 1],
            "default_layer": generator.config.default_layer,
            "classes": generator.config.classes,
        }

    # --- from arguments to a session --------------------------------------------------------------------------------

    def asking(self, request: Request) -> Session:
        """A session on the generator with a request, about pictures of the call's numbering."""
        generator = self.service.generator(self.key)
        if request.layer is not None:
            generator.check_layer(request.layer)
        request = request.with_(generator=public_name(self.key), **self.numbering._asdict())
        generator.check_truncation(request.truncation)
        generator.check_label(request.label)
        return Session.on(self.key).step("ask", request=request)

    def select(self, seed: Seed, x: float, y: float, size: float) -> Region:
        """The region of a press on a picture of the generator."""
        session = self.asking(Request())
        with self.turn():
            return selection.region(self.service, session, seed, x, y, size)

    def session(self, rules: Any, strengths: Any) -> Session:
        """A session on the generator with rules in force, and the request of the last rule, for the best matches."""
        rules = listing(lambda rule, _: rule, MAX_EDITS)(rules or [], "rules")
        strengths = listing(number(*STRENGTHS), MAX_EDITS)(strengths or [], "strengths")
        if strengths and len(strengths) != len(rules):
            raise ValueError(f"strengths has {len(strengths)} numbers for {len(rules)} rules; give one for each rule.")
        if not rules:
            return self.asking(Request())
        key, stacks = self.key if self.generator else "", []
        for index, rule in enumerate(rules):
            made_for, stack = self._rule(rule, f"rules[{index}]")
            key = key or made_for or self._base(stack)
            stacks.append(stack)
        session = Session.on(key)
        for index, stack in enumerate(stacks):
            for edit in stack:
                edit.check_fits(self.service.generator(key))
                edit = edit.with_(strength=strengths[index]) if strengths else edit
                session = session.adopt(edit, self._request_for_choice(edit), new=True)
        return session

    def _rule(self, rule: Any, argument: str) -> tuple[str, EditStack]:
        """The rules in a call, and the key of their generator, "" if it is not known yet."""
        if names_a_file(rule, ".zip"):
            return "", _read_rules(rule, argument)
        if isinstance(rule, str) and rule in presets():
            with self.turn():
                return presets()[rule].generator, EditStack([self.service.preset_edit(rule)])
        if not isinstance(rule, str) or "/" not in rule:
            expected = f"one of {', '.join(presets())}, a repo of the Hub as name/repo, or a rule file"
            raise refuse(argument, expected, rule)
        key, stack = self.from_hub(rule, argument)
        if not len(stack):
            raise ValueError(f"{rule[:100]} is a generator and holds no rule; give it as the generator.")
        return key, stack

    def _base(self, stack: EditStack) -> str:
        """The key of the generator that the rules in a file name."""
        name = stack[0].generator
        if not same(name, self.first):
            try:
                repo_name(name)
            except ValueError:
                raise ValueError(
                    f"The rule was made for {name[:80]!r}, which is not available; give its generator."
                ) from None
        return self._key_of(name)

    def _request_for_choice(self, edit: Edit) -> Request:
        """A request with an edit's context, for choosing pictures; empty if the meaning of its numbers differs."""
        request, numbering = edit.request, self.numbering._asdict()
        if request is None or (request.seeding, request.label) != (self.numbering.seeding, self.numbering.label):
            return Request(**numbering)
        return request.with_(layer=request.layer or edit.layer, **numbering)

    # --- from a session to an answer --------------------------------------------------------------------------------

    def solved(self, session: Session, seeds: list[Seed]) -> dict:
        """Solve or learn the request; returns the rule, and its pictures before and after."""
        if session.now.asked.retouched:
            *_, edit = self.in_turn(self.service.learn(session))
            session = session.adopt(edit)
        else:
            with self.turn():
                session = self.service.rewrite(session)
        edit = session.rule.edit
        return {
            "generator": self.name(session.generator),
            "name": edit.name,
            "layer": edit.layer,
            "layers": list(edit.layers),
            "rank": edit.rank,
            "report": asdict(edit.report),
            "rule": zipped(session),
            "pictures": self.pairs(session, seeds),
        }

    def pairs(self, session: Session, seeds: list[Seed]) -> list[dict]:
        """Pictures before and after; by default the best matches of the request, without its own pictures."""
        if not seeds:
            with self.turn():
                seeds = self.service.result_seeds(session)[:SHOWN]
        pairs = []
        for part in self.parts(session, seeds):
            with self.turn():
                befores, afters = self.service.plain(session, part), self.service.edited(session, part)
            for seed, before, after in zip(part, befores, afters, strict=True):
                change = float(np.abs(after.astype(np.float32) - before).mean() / 255)
                pictures = {"before": picture(before, f"{seed}-before"), "after": picture(after, f"{seed}-after")}
                pairs.append({"seed": seed_json(seed), **pictures, "change": round(change, 5)})
        return pairs

    def parts(self, session: Session, seeds: list[Seed]) -> Iterator[list[Seed]]:
        """The pictures of each turn: a few, so that others need not wait for long, or all if a GPU is lent."""
        step = MOST if self.service.backend(session.generator).at_once else PART
        return (seeds[start : start + step] for start in range(0, len(seeds), step))


def _read_rules(file: Any, argument: str) -> EditStack:
    data = contents(file, argument, MAX_ARCHIVE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rule.zip"
        path.write_bytes(data)
        return read_file(path)


def zipped(session: Session) -> dict[str, Any]:
    """The rules in force as a file."""
    with tempfile.TemporaryDirectory() as folder:
        return offered(save_edit(session, Path(folder)))
