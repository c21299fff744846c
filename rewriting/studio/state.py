"""One visitor's state, as an immutable value.

A command returns the next state, a job adds its results to the state, and `render` turns the state into a page.
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
from rewriting.studio.encoding import Picture
from rewriting.studio.generator_keys import public_name
from rewriting.studio.own_pictures import OwnPictures
from rewriting.studio.results import Effect
from rewriting.studio.session import PackedRequest, Session

if TYPE_CHECKING:
    from rewriting.studio.hub_access import Brought

PAGE = 24
RANKS, LOCALITIES = (1, 20), (0, 30)  # the ends of the sliders
SLOTS = ("copy", "paste", "context", "retouch")
LAST = MAX_SEED - PAGE

Name = Hashable  # of a result: everything that it depends on, so that equal names mean equal results
Sentence = tuple[str, str]  # with its kind: "quiet", "good" or "bad"
LEARNING = ("learn",)  # the name of the job that learns a rule
NOTHING: Sentence = ("", "quiet")


@dataclass(frozen=True)
class Press:
    """A press on the picture of a canvas, to select the object there.

    slot: "copy" or "context".  x, y: in shares of the picture.  number: counted by the canvas.
    """

    slot: str
    seed: Seed
    x: float
    y: float
    number: int


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
    pressed: the last press of the tool Select.
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
    pressed: Press | None = None
    closer: tuple[Name, int | str] | None = None

    def with_(self, **changes: Any) -> View:
        return replace(self, **changes)

    def fresh(self) -> View:
        """A new view on the same tab."""
        return View(tab=self.tab, live=self.live)

    def pick(self, seed: Seed) -> View:
        """Put the picture into the canvas `slot`, and choose the next canvas."""
        after = {"copy": "paste", "paste": "context", "context": "context", "retouch": "retouch"}[self.slot]
        return replace(self, slot=after, **{f"{self.slot}_seed": seed})

    @property
    def looked_at(self) -> dict[str, Seed | None]:
        """The pictures in the canvases."""
        return {name: getattr(self, name) for name in ("copy_seed", "paste_seed", "context_seed", "retouch_seed")}

    def with_pictures(self, seeds: Mapping[Seed, Seed | None]) -> View:
        """Replace pictures in the canvases: {old: new}, None to remove one."""
        return replace(self, **{name: seeds[s] for name, s in self.looked_at.items() if s in seeds})

    @property
    def seeds(self) -> tuple[int, ...]:
        """The pictures on this page of the sheet."""
        if self.found:
            return self.found[self.start : self.start + PAGE]
        return tuple(range(self.start, self.start + PAGE))

    def page(self, by: int) -> View:
        """Turn the sheet by a number of pages, negative for back."""
        last = (len(self.found) - 1) // PAGE * PAGE if self.found else LAST
        return self.with_(start=min(max(0, self.start + by * PAGE), last))

    def turned_to(self, request: Request) -> View:
        """Put a request's pictures into the canvases, and end a search.

        If the request erases, or has an object and its new place, the next picked picture is for a place."""
        places = request.context or request.preserve
        pasted = request.copy is not None and request.paste is not None
        copies = request.erase or request.copy is not None or request.paste is not None
        shown = next((retouch for retouch in request.retouched if retouch.seed == self.retouch_seed), None)
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
    """A result so far.  content: None for a failed result.  complete: False as long as the result may still grow."""

    name: Name
    content: Any = None
    complete: bool = False


@dataclass(frozen=True)
class Results:
    """Pictures under the rules in force.

    seeds: of all pictures.  pairs: the drawn ones, as values of the pair sheet.  effect: measured on all pictures.
    """

    seeds: tuple[int, ...]
    pairs: tuple[dict[str, Any], ...] = ()
    effect: Effect | None = None


@dataclass(frozen=True)
class Inverted:
    """The progress of an inversion.  share: of the finished work, 0 to 1.  image: the drawing so far, as a data URL.
    picture: the result, None before the end."""

    share: float
    image: str
    picture: OwnPicture | None = None


@dataclass(frozen=True)
class Job:
    """Running work.  number: of the job.  name: of its result.  words: its progress for the page, "" for none."""

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
    """The content of the tab of the Hub.

    opening, finding, asking, published: sentences on the progress of the four actions.
    choices: files of a repo, from which the visitor chooses one.  offered: an opened generator that the visitor has
    not yet decided to use.  last_opening: number of the task that opens, or opened, last.
    account: None for a visitor who is not signed in.  account_known: whether the Hub was asked for it.  typed: whether
    the visitor signed in with a token.
    """

    address: str = ""
    opening: Sentence = NOTHING
    choices: tuple[Choice, ...] = ()
    offered: Brought | None = None
    last_opening: int = 0
    finding: Sentence = NOTHING
    found: tuple[PublishedRule, ...] = ()
    account_known: bool = False
    account: Account | None = None
    asking: Sentence = NOTHING
    typed: bool = False
    published: Sentence | Published = NOTHING


@dataclass(frozen=True)
class State:
    """Everything that the page depends on.

    made: results by topic; see `names`.  jobs: running work by topic; removing a job from here cancels it.  opened:
    keys of the generators that this visitor may choose, by their names on the page.  settled: the last action of each
    kind on the list of rules: {kind: (rule, time in ms)}.
    notice: a remark on the results, such as that no GPU was free.
    own: the visitor's own pictures.
    claimed: the last session of the paper's code that the visitor was asked about, with its generator; see
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
        """The state of a new visitor."""
        return cls(session, opened={public_name(session.generator): session.generator})

    @property
    def touched(self) -> bool:
        """Whether the visitor has done anything yet."""
        return self.begun or self.view != View() or len(self.own) > 0

    @property
    def begun(self) -> bool:
        """Whether the visitor has done more than choose a tab."""
        return bool(self.session.past or self.session.future) or self.view.with_(tab="results") != View()

    def key_of(self, name: str) -> str:
        """The key of a generator on this visitor's page.  Raises ValueError for any other generator."""
        if name in bundled():
            return name
        if name not in self.opened:
            raise ValueError(f"There is no generator {name!r:.80} on the page; open it from the Hub first.")
        return self.opened[name]

    # --- changes ----------------------------------------------------------------------------------------------------

    def with_(self, **changes: Any) -> State:
        return replace(self, **changes)

    def look(self, **changes: Any) -> State:
        """Change the view.  If its slot is not on the page, the first canvas becomes the slot."""
        view = self.view.with_(**changes)
        slots = ("copy", "paste", "context")
        if view.retouch:
            slots = ("retouch", "context")
        elif self.session.now.asked.rest.erase:
            slots = ("context",)
        return replace(self, view=view if view.slot in slots else view.with_(slot=slots[0]))

    def work(self, session: Session) -> State:
        """Change the session; jobs continue."""
        return replace(self, session=session)

    def turn(self, session: Session) -> State:
        """Change the session, and cancel the jobs that make a rule or open a generator."""
        return replace(self, session=session).without("rule", "open")

    def jump(self, session: Session) -> State:
        """Change to a session with another request, and put its pictures into the canvases."""
        old, state = self.session, self.turn(session)
        if session.generator != old.generator:
            elsewhere = {seed: None for seed in self.view.looked_at.values() if isinstance(seed, OwnPicture)}
            state = state.with_(view=state.view.with_pictures(elsewhere))
        if (session.generator, session.numbering) != (old.generator, old.numbering):
            state = state.without("search").look(start=0, found=(), outlined=None)
        if session.look != old.look:
            state = state.look(skipped=0)
        return replace(state, view=state.view.turned_to(session.request)).with_pictures_of_rules()

    def tell(self, **changes: Any) -> State:
        """Change fields of the tab of the Hub."""
        return replace(self, hub=replace(self.hub, **changes))

    def again(self) -> State:
        """The state for a reloaded page: without jobs, and signed out."""
        return replace(self, jobs={}, hub=HubTab())

    def let_go(self) -> State:
        """The state for an absent visitor: the work without own pictures, and without results that can be made
        again."""
        state = self.stop()
        for picture in self.own.brought:
            state = state.without_picture(picture.name)
        results = state.made.get("results")
        made = {}
        if results is not None:
            content = results.content and Results(results.content.seeds)
            made["results"] = replace(results, content=content, complete=False)
        return replace(state, made=made, explored=Explored())

    # --- own pictures -----------------------------------------------------------------------------------------------

    def with_pictures_of_rules(self) -> State:
        """Add the own pictures in the session's requests to the visitor's."""
        own, instead = self.own.with_those(self.session.own_pictures, self.session.generator)
        return replace(self, own=own).draw_instead(instead)

    def draw_instead(self, seeds: Mapping[Seed, Seed]) -> State:
        """Replace pictures everywhere: {old: new}."""
        return replace(self, session=self.session.with_pictures(seeds), view=self.view.with_pictures(seeds))

    def without_picture(self, name: str) -> State:
        """Remove an own picture and everything painted on it."""
        state = self.with_(own=self.own.without(name))
        for gone in self.own.get(name).found.values():
            view = state.view.with_pictures({gone: None})
            state = replace(state, session=state.session.without_picture(gone), view=view)
        made = {topic: result for topic, result in state.made.items() if topic not in ("own", "own_pairs")}
        return replace(state, made=made).without("own")

    @property
    def lowest_layer(self) -> int | None:
        """The lowest layer of the rules in force and of the current request; None if there is none."""
        layers = (self.session.lowest_layer, self.session.now.asked.rest.layer)
        return min((layer for layer in layers if layer is not None), default=None)

    @property
    def wanted_picture(self) -> tuple[str, int, int] | None:
        """The next inversion: (generator, number of the picture, layer); None if there is none."""
        generator, lowest = self.session.generator, self.lowest_layer
        layers = ((picture.number, picture.layer(generator, lowest)) for picture in self.own.brought)
        return next(((generator, number, layer) for number, layer in layers if layer is not None), None)

    @property
    def ruled_pictures(self) -> tuple[OwnPicture, ...]:
        """The visitor's own pictures that all rules in force can change."""
        lowest = self.session.lowest_layer
        pictures = self.own.of(self.session.generator).values()
        return tuple(picture for picture in pictures if lowest is None or picture.layer <= lowest)

    def arrives_late(self, default_layer: int) -> str:
        """A sentence if the current request must wait for the inversion of an own picture; else ""."""
        layer = self.session.now.asked.rest.layer or default_layer
        late = [picture for picture in self.session.now.asked.own_pictures if picture.layer > layer]
        if not late:
            return ""
        return f"Your picture is not drawn from layer {layer} yet; wait for that, or choose layer {late[0].layer}."

    # --- results and jobs -------------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> dict[str, Name]:
        """The names of the page's results by topic, the most urgent first; None for a result without content."""
        session, view, asked = self.session, self.view, self.session.now.asked
        pictures = (session.generator, session.numbering)
        regions = [region for region in (asked.copy, *asked.context, *asked.preserve) if region is not None]
        own = tuple(self.own.of(session.generator).values())
        seeds = {*view.looked_at.values(), *(part.seed for part in (*regions, *asked.retouched)), *own} - {None}
        seeds = {seed for seed in seeds if not isinstance(seed, MissingPicture)}
        goal = None
        if self.placed and not asked.rest.erase and not session.request.missing():
            goal = (*pictures, asked.rest.layer, asked.copy, asked.paste, asked.rest.transform)
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
            "pressed": (*pictures, view.pressed) if view.pressed else None,
            "closer": view.closer if view.closer and view.closer[0] == session.look else None,
        }
        first = ("pressed", "canvases", "sheet", "drawn", "goal", "closer") if view.tab == "pictures" else ("pressed",)
        return {topic: names[topic] for topic in dict.fromkeys((*first, *names))}

    @property
    def learning(self) -> bool:
        """Whether a rule is being learned."""
        job = self.jobs.get("rule")
        return job is not None and job.name == LEARNING

    @property
    def mode(self) -> str:
        """The form of the goal: "replace" for copy and paste, "erase", or the way of retouching."""
        return "erase" if self.session.now.asked.rest.erase else self.view.retouch or "replace"

    @property
    def placed(self) -> bool:
        """Whether the copied object has a place in the picture of the second canvas."""
        asked, seed = self.session.now.asked, self.view.paste_seed
        there = asked.copy is not None and asked.paste is not None and asked.paste.seed == seed
        return there and not asked.copy.empty and not asked.paste.empty

    def needs(self, topic: str) -> bool:
        """Whether a result is neither complete nor being made."""
        name, result, job = self.names[topic], self.made.get(topic), self.jobs.get(topic)
        there = result is not None and result.name == name and result.complete
        return name is not None and not there and not (job is not None and job.name == name)

    def result(self, topic: str) -> Made | None:
        """The current result of a topic, as far as it is made; None without one."""
        result = self.made.get(topic)
        return result if result is not None and result.name == self.names[topic] else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The pictures of the results; empty before they are chosen."""
        results = self.result("results")
        return results.content.seeds if results and results.content else ()

    def picture(self, seed: Seed | None) -> Picture | None:
        """A picture of the canvases."""
        canvases = self.made.get("canvases")
        if canvases is None or not canvases.content or canvases.name[:2] != self.names["canvases"][:2]:
            return None
        return canvases.content.get(seed)

    def put(self, topic: str, result: Made) -> State:
        """Store a result so far; a complete inversion goes to the visitor's own pictures."""
        state = replace(self, made={**self.made, topic: result})
        if topic != "own" or not result.complete:
            return state
        generator, number, _ = result.name
        inversion = result.content.picture if result.content else None
        if inversion is None:
            return state.with_(own=self.own.give_up(generator, number))
        before = self.own.of(generator).get(f"own-{number}")
        state = state.with_(own=self.own.put(number, generator, inversion))
        return state if before is None else state.draw_instead({before: inversion})

    def start(self, topic: str, job: Job) -> State:
        """Add a job; it cancels an earlier one of the same topic."""
        others = {other: running for other, running in self.jobs.items() if other != topic}
        notice = "" if topic in ("rule", "results") and self.jobs.get(topic) is None else self.notice
        return replace(self, jobs={**others, topic: job}, notice=notice)

    def without(self, *topics: str) -> State:
        """Cancel jobs."""
        return replace(self, jobs={topic: job for topic, job in self.jobs.items() if topic not in topics})

    def stop(self) -> State:
        """Cancel all jobs; their results so far stay."""
        state = self.look(outlined=None) if "sheet" in self.jobs else self
        if "results" in self.jobs:
            results = self.result("results")
            content = results.content if results is not None else Results(())
            state = state.put("results", Made(self.jobs["results"].name, content, True))
        if "own" in self.jobs:
            state = state.with_(own=state.own.give_up(self.jobs["own"].name[0]))
        return replace(state, jobs={})
