"""One visitor's state: a value.

A command makes the next state of it, a job puts into it what took long to make, and `render` says what the page shows
of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewriting.core.request import Request
from rewriting.generators import bundled
from rewriting.generators.latents import MAX_SEED
from rewriting.generators.own_picture import MissingPicture, OwnPicture, Seed
from rewriting.hub import Account, Choice, Published, PublishedRule
from rewriting.studio.generator_keys import public_name
from rewriting.studio.own_pictures import OwnPictures
from rewriting.studio.picture import Picture
from rewriting.studio.results import Effect
from rewriting.studio.session import PackedRequest, Session

if TYPE_CHECKING:
    from rewriting.studio.hub_access import Brought

PAGE = 24
RANKS, LOCALITIES = (1, 20), (0, 30)  # the ends of the sliders
SLOTS = ("copy", "paste", "context", "retouch")
LAST = MAX_SEED - PAGE

Name = Hashable  # all that a result depends on: results of equal names are equal
Said = tuple[str, str]  # a sentence and its kind: "quiet", "good" or "bad"
LEARNING = ("learn",)  # the name of the job that learns a rule
NOTHING: Said = ("", "quiet")


@dataclass(frozen=True)
class View:
    """What the visitor looks at.

    copy_seed, paste_seed, context_seed, retouch_seed: pictures in the canvases.  kind: what is painted on the third,
    "context" or "preserve".  retouch: how pictures are retouched, "paint", "bend" or "file"; empty where the rule
    copies or erases.  slot: the canvas that the next picked picture goes to.  tab: of the panel on the right.  live:
    whether each stroke is followed by a rewrite.
    start: first picture of the sheet's page.  found: pictures of a search, best first, instead of all.  outlined: the
    request whose matches are outlined on the sheet.
    order: of the results, "best" or "random"; skipped: how many pictures of that order come before those shown.
    closer: what the rules made of pictures when one was looked at as large as the window allows, and its name.
    """

    copy_seed: Seed | None = None
    paste_seed: Seed | None = None
    context_seed: Seed | None = None
    retouch_seed: Seed | None = None
    retouch: str = ""
    kind: str = "context"
    slot: str = "copy"
    tab: str = "results"
    live: bool = False
    start: int = 0
    found: tuple[int, ...] = ()
    outlined: PackedRequest | None = None
    order: str = "best"
    skipped: int = 0
    closer: tuple[Name, int | str] | None = None

    def with_(self, **changes: Any) -> View:
        return replace(self, **changes)

    def fresh(self) -> View:
        """As at first, on the same tab."""
        return View(tab=self.tab, live=self.live)

    def pick(self, seed: Seed) -> View:
        """The picture goes to the canvas that waits for one, and the next canvas waits."""
        after = {"copy": "paste", "paste": "context", "context": "context", "retouch": "retouch"}[self.slot]
        return replace(self, slot=after, **{f"{self.slot}_seed": seed})

    @property
    def looked_at(self) -> dict[str, Seed | None]:
        """The pictures in the canvases."""
        return {name: getattr(self, name) for name in ("copy_seed", "paste_seed", "context_seed", "retouch_seed")}

    def with_pictures(self, seeds: Mapping[Seed, Seed | None]) -> View:
        """Others in the canvases in place of some."""
        return replace(self, **{name: seeds[s] for name, s in self.looked_at.items() if s in seeds})

    @property
    def seeds(self) -> tuple[int, ...]:
        """The pictures on this page of the sheet."""
        if self.found:
            return self.found[self.start : self.start + PAGE]
        return tuple(range(self.start, self.start + PAGE))

    def page(self, by: int) -> View:
        """So many pages further, or back."""
        last = (len(self.found) - 1) // PAGE * PAGE if self.found else LAST
        return self.with_(start=min(max(0, self.start + by * PAGE), last))

    def turned_to(self, request: Request) -> View:
        """The pictures that a request speaks of in the canvases, and all pictures again after a search.

        If nothing is left to copy or to paste, the next picked picture is a place: it takes no object away."""
        places = request.context or request.preserve
        pasted = request.copy is not None and request.paste is not None
        copies = request.erase or request.copy is not None or request.paste is not None
        shown = next((one for one in request.retouched if one.seed == self.retouch_seed), None)
        shown = shown or next(iter(request.retouched), None)
        retouch = shown.how["kind"] if shown else "" if copies else self.retouch
        slot = "context" if pasted or request.erase else self.slot
        if retouch and slot in ("copy", "paste"):
            slot = "context" if shown else "retouch"
        elif slot == "retouch" and not retouch:
            slot = "copy"
        view = self.with_(found=(), outlined=None, start=0) if self.found else self
        return view.with_(
            copy_seed=request.copy.seed if request.copy else self.copy_seed,
            paste_seed=request.paste.seed if request.paste else self.paste_seed,
            context_seed=places[0].seed if places else self.context_seed,
            retouch_seed=shown.seed if shown else self.retouch_seed,
            retouch=retouch,
            slot=slot,
            kind="preserve" if request.preserve and not request.context else "context",
        )


@dataclass(frozen=True)
class Made:
    """A result, as far as it is made.  content: None if it was refused.  complete: whether nothing more will come, as
    all of it is there, or as it was stopped."""

    name: Name
    content: Any = None
    complete: bool = False


@dataclass(frozen=True)
class Results:
    """Pictures under the rules in force.

    seeds: of all pictures wanted.  pairs: as the pair sheet takes them.  effect: measured on all of them.
    """

    seeds: tuple[int, ...]
    pairs: tuple[dict[str, Any], ...] = ()
    effect: Effect | None = None


@dataclass(frozen=True)
class Inverted:
    """How far a picture that was brought is found.  share: of the work that is done, 0 to 1.  image: what is drawn so
    far, as a data URL.  picture: the result, at the end."""

    share: float
    image: str
    picture: OwnPicture | None = None


@dataclass(frozen=True)
class Job:
    """Long work under way.  number: its own.  name: what it makes.  words: what the page says of it, if anything."""

    number: int
    name: Name = None
    words: str = ""


@dataclass(frozen=True)
class Explored:
    """Findings of the tab Explore.  html: None before the first.  advised: the layer that the chart recommends."""

    html: str | None = None
    pictures: tuple[dict[str, Any], ...] = ()
    advised: int | None = None


@dataclass(frozen=True)
class HubTab:
    """What the tab of the Hub shows.

    choices: files of a repo, of which the visitor is to choose one.  offered: what was opened and is not yet in use,
    so that the visitor reads first what it is.
    asked: whether it is known who is signed in; account: who that is; asking: what is said before.  typed: whether the
    visitor typed the token.
    """

    address: str = ""
    opening: Said = NOTHING
    choices: tuple[Choice, ...] = ()
    offered: Brought | None = None
    finding: Said = NOTHING
    found: tuple[PublishedRule, ...] = ()
    asked: bool = False
    account: Account | None = None
    asking: Said = NOTHING
    typed: bool = False
    published: Said | Published = NOTHING


@dataclass(frozen=True)
class State:
    """All that the page shows depends on.

    made: the results that the page shows, by topic; see `names`.  jobs: long work under way, by topic; a job whose
    number is no longer here has been cancelled.  opened: keys of the generators that this visitor may turn to, by the
    name that the page shows.  settled: by kind of action on the list of rules: the rule it was done to last, and when.
    notice: what is to be known of how the results came about, such as that no GPU was free.
    own: the pictures that the visitor brought.
    claimed: the last session of the paper's code that the visitor was asked about, and the generator; see
    `sharing.claim`.
    """

    session: Session
    view: View = View()
    made: Mapping[str, Made] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    explored: Explored = Explored()
    hub: HubTab = HubTab()
    opened: Mapping[str, str] = field(default_factory=dict)
    settled: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    notice: str = ""
    claimed: str = ""
    own: OwnPictures = OwnPictures()

    @classmethod
    def on(cls, session: Session) -> State:
        """Of a visitor who has just come."""
        return cls(session, opened={public_name(session.generator): session.generator})

    @property
    def touched(self) -> bool:
        """Whether the visitor has done anything yet."""
        return self.begun or self.view != View() or len(self.own) > 0

    @property
    def begun(self) -> bool:
        """Whether the visitor has done more than to turn to a tab."""
        return bool(self.session.past or self.session.future) or self.view.with_(tab="results") != View()

    def key_of(self, name: str) -> str:
        """The key of a generator that the page offers this visitor; ValueError for any other, wherever it may be."""
        if name in bundled():
            return name
        if name not in self.opened:
            raise ValueError(f"There is no generator {name!r:.80} on the page; open it from the Hub first.")
        return self.opened[name]

    # --- changes ----------------------------------------------------------------------------------------------------

    def with_(self, **changes: Any) -> State:
        return replace(self, **changes)

    def look(self, **changes: Any) -> State:
        """Change some of what is looked at.  Only a canvas that the page has can wait for a picture."""
        view = self.view.with_(**changes)
        slots = ("copy", "paste", "context")
        if view.retouch:
            slots = ("retouch", "context")
        elif self.session.now.asked.rest.erase:
            slots = ("context",)
        return replace(self, view=view if view.slot in slots else view.with_(slot=slots[0]))

    def work(self, session: Session) -> State:
        """Change what was made; what is under way goes on."""
        return replace(self, session=session)

    def turn(self, session: Session) -> State:
        """Change what was made, and turn away from the rule and the generator that were on their way."""
        return replace(self, session=session).without("rule", "open")

    def jump(self, session: Session) -> State:
        """Turn to another request: its pictures go into the canvases."""
        old, state = self.session, self.turn(session)
        if session.generator != old.generator:
            elsewhere = {seed: None for seed in self.view.looked_at.values() if isinstance(seed, OwnPicture)}
            state = state.with_(view=state.view.with_pictures(elsewhere))
        if (session.generator, session.numbering) != (old.generator, old.numbering):
            state = state.without("search").look(start=0, found=(), outlined=None)
        if session.look != old.look:
            state = state.look(skipped=0)
        return replace(state, view=state.view.turned_to(session.request)).with_pictures_of_rules()

    def tell(self, **said: Any) -> State:
        """Change what the tab of the Hub shows."""
        return replace(self, hub=replace(self.hub, **said))

    def again(self) -> State:
        """For a page that is loaded anew: the same work, without what was under way; who was signed in is not any
        more."""
        return replace(self, jobs={}, hub=HubTab())

    def let_go(self) -> State:
        """Of somebody who is away: the same work without their own pictures, and without what can be drawn or found
        again."""
        state = self.stop()
        for one in self.own.brought:
            state = state.without_picture(one.name)
        made = {topic: replace(one, content=Results(one.content.seeds) if one.content else None, complete=False)
                for topic, one in state.made.items() if topic == "results"}  # fmt: skip
        return replace(state, made=made, explored=Explored())

    # --- pictures that were brought ---------------------------------------------------------------------------------

    def with_pictures_of_rules(self) -> State:
        """The visitor has the pictures that came with rules, too."""
        own, instead = self.own.with_those(self.session.own_pictures, self.session.generator)
        return replace(self, own=own).draw_instead(instead)

    def draw_instead(self, seeds: Mapping[Seed, Seed]) -> State:
        """Other pictures in place of some, wherever they are."""
        return replace(self, session=self.session.with_pictures(seeds), view=self.view.with_pictures(seeds))

    def without_picture(self, name: str) -> State:
        """A picture that was brought is gone, and what was painted on it."""
        state = self.with_(own=self.own.without(name))
        for gone in self.own.get(name).found.values():
            view = state.view.with_pictures({gone: None})
            state = replace(state, session=state.session.without_picture(gone), view=view)
        made = {topic: one for topic, one in state.made.items() if topic not in ("own", "own_pairs")}
        return replace(state, made=made).without("own")

    @property
    def lowest_layer(self) -> int | None:
        """The first layer that a rule in force or in the making uses, where it says."""
        asked = self.session.now.asked
        layers = (self.session.lowest_layer, asked.rest.layer)
        return min((layer for layer in layers if layer is not None), default=None)

    @property
    def wanted_picture(self) -> tuple[str, int, int] | None:
        """The next picture to be found: generator, its number and the layer."""
        generator, lowest = self.session.generator, self.lowest_layer
        layers = ((one.number, one.layer(generator, lowest)) for one in self.own.brought)
        return next(((generator, number, layer) for number, layer in layers if layer is not None), None)

    @property
    def ruled_pictures(self) -> tuple[OwnPicture, ...]:
        """Those of the visitor's that all rules in force act on."""
        lowest = self.session.lowest_layer
        found = self.own.of(self.session.generator).values()
        return tuple(one for one in found if lowest is None or one.layer <= lowest)

    def arrives_late(self, default_layer: int) -> str:
        """Why the rule in the making must wait for a picture that was brought; empty if it need not."""
        layer = self.session.now.asked.rest.layer or default_layer
        late = [one for one in self.session.now.asked.own_pictures if one.layer > layer]
        if not late:
            return ""
        return f"Your picture is not drawn from layer {layer} yet; wait for that, or choose layer {late[0].layer}."

    # --- results and jobs -------------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> dict[str, Name]:
        """What the page should show, by topic, most urgent first; None where there is nothing to be made."""
        session, view, asked = self.session, self.view, self.session.now.asked
        pictures = (session.generator, session.numbering)
        regions = [region for region in (asked.copy, *asked.context, *asked.preserve) if region is not None]
        own = tuple(self.own.of(session.generator).values())
        seeds = {*view.looked_at.values(), *(one.seed for one in (*regions, *asked.retouched)), *own} - {None}
        seeds = {seed for seed in seeds if not isinstance(seed, MissingPicture)}
        goal = None
        if self.placed and not asked.rest.erase and not session.request.missing():
            goal = (*pictures, asked.rest.layer, asked.copy, asked.paste)
        sheet = (*pictures, view.seeds, own, view.outlined)
        results = (session.look, view.order if session.rules else "", view.skipped)
        ruled = view.retouch and view.retouch_seed is not None and session.rule and session.rule.edit.enabled
        names = {
            "canvases": (*pictures, frozenset(seeds)),
            "drawn": (session.look, view.retouch_seed) if ruled else None,
            "own_pairs": (session.look, self.ruled_pictures) if own and session.rules else None,
            "results": results,
            "goal": goal,
            "sheet": sheet,
            "own": self.wanted_picture,
            "closer": view.closer if view.closer and view.closer[0] == session.look else None,
        }
        first = ("canvases", "sheet", "drawn", "goal", "closer") if view.tab == "pictures" else ()
        return {topic: names[topic] for topic in dict.fromkeys((*first, *names))}

    @property
    def learning(self) -> bool:
        """Whether a rule is being learned."""
        job = self.jobs.get("rule")
        return job is not None and job.name == LEARNING

    @property
    def mode(self) -> str:
        """How the rule's goal is shown: "replace" for copy and paste, "erase", or how pictures are retouched."""
        return "erase" if self.session.now.asked.rest.erase else self.view.retouch or "replace"

    @property
    def placed(self) -> bool:
        """Whether the copied object has a place in the picture that is shown in the second canvas."""
        asked, seed = self.session.now.asked, self.view.paste_seed
        there = asked.copy is not None and asked.paste is not None and asked.paste.seed == seed
        return there and not asked.copy.empty and not asked.paste.empty

    def needs(self, topic: str) -> bool:
        """Whether a result is neither made nor under way."""
        name, made, job = self.names[topic], self.made.get(topic), self.jobs.get(topic)
        there = made is not None and made.name == name and made.complete
        return name is not None and not there and not (job is not None and job.name == name)

    def result(self, topic: str) -> Made | None:
        """What is made of the result that the page should show."""
        made = self.made.get(topic)
        return made if made is not None and made.name == self.names[topic] else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The pictures of the results; empty until it is known which they are."""
        made = self.result("results")
        return made.content.seeds if made and made.content else ()

    def picture(self, seed: Seed | None) -> Picture | None:
        """A picture of the canvases."""
        made = self.made.get("canvases")
        pictures = made.content if made and made.content and made.name[:2] == self.names["canvases"][:2] else {}
        return pictures.get(seed)

    def put(self, topic: str, made: Made) -> State:
        """What has been made of a result so far."""
        state = replace(self, made={**self.made, topic: made})
        if topic != "own" or not made.complete:
            return state
        found = made.content.picture if made.content else None
        return state._found(*made.name[:2], found) if found else state.with_(own=self.own.give_up(*made.name[:2]))

    def _found(self, generator: str, number: int, found: OwnPicture) -> State:
        before = self.own.of(generator).get(f"own-{number}")
        state = self.with_(own=self.own.put(number, generator, found))
        return state if before is None else state.draw_instead({before: found})

    def start(self, topic: str, job: Job) -> State:
        """A job is under way; an earlier one of its topic is cancelled."""
        others = {name: one for name, one in self.jobs.items() if name != topic}
        notice = "" if topic in ("rule", "results") and self.jobs.get(topic) is None else self.notice
        return replace(self, jobs={**others, topic: job}, notice=notice)

    def without(self, *topics: str) -> State:
        """Cancel jobs."""
        return replace(self, jobs={topic: job for topic, job in self.jobs.items() if topic not in topics})

    def stop(self) -> State:
        """Cancel all that is under way; what it has shown so far stays."""
        state = self.look(outlined=None) if "sheet" in self.jobs else self
        if "results" in self.jobs:
            job, made = self.jobs["results"], self.result("results")
            content = made.content if made is not None else Results(())
            state = state.put("results", Made(job.name, content, True))
        if "own" in self.jobs:
            state = state.with_(own=state.own.give_up(self.jobs["own"].name[0]))
        return replace(state, jobs={})
