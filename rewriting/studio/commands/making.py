"""Making a rule: choose a generator or a preset, paint, paste, change settings, and rewrite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rewriting.checks import flag, number, whole
from rewriting.core.edit import Edit
from rewriting.core.presets import preset
from rewriting.core.retouch import KINDS
from rewriting.core.transform import Transform
from rewriting.generators.own_picture import Seed
from rewriting.studio.commands.retouching import learn
from rewriting.studio.service import Service
from rewriting.studio.session import Session
from rewriting.studio.state import LOCALITIES, RANKS, State
from rewriting.studio.visitor import Task, Visitor

MODES = ("replace", *KINDS, "erase")


class Making:
    """Commands of the left side of the page, and of the row above it."""

    def __init__(self, service: Service):
        self.service = service

    def open_generator(self, visitor: Visitor, generator: str) -> Iterator[Task]:
        """Open another generator, with an empty request and no rules; undo goes back."""
        key = visitor.state.key_of(generator)
        with visitor.doing("rule", "Loading the generator", ("generator", generator)) as task:
            yield task
            self.service.generator(key)
            task.end(lambda state: state.jump(state.session.open(key)).with_(view=state.view.fresh()))
        self._ahead(visitor.state)

    def choose_preset(self, visitor: Visitor, name: str | None) -> Iterator[Task]:
        """Put a preset in force, with its request in the canvases, and show the results."""
        if name is None:
            return
        chosen = preset(name)
        visitor.change(lambda state: state.look(tab="results"))
        yield from self.begin_preset(visitor, chosen.name)

    def begin_preset(self, visitor: Visitor, name: str) -> Iterator[Task]:
        """Put a preset in force without changing the tab."""
        chosen = preset(name)
        with visitor.doing("rule", "Rewriting", ("preset", name)) as task:
            yield task
            self.service.preset_edit(name)
            self.service.generator(chosen.generator)

            def adopt(state: State) -> State:
                session = self.service.choose(state.session, name)
                moved = (session.generator, session.numbering) != (state.session.generator, state.session.numbering)
                view = state.view.fresh() if moved else state.view.with_(skipped=0, order="best")
                return state.with_(view=view).jump(session)

            task.end(adopt)

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint_copy(self, state: State, mask: np.ndarray | None) -> State:
        """Paint the object to copy in the first canvas; it goes to the same place in the second."""
        view = state.view
        if view.copy_seed is None:
            return state
        return self._ahead(state.work(state.session.paint_copy(view.copy_seed, mask, view.paste_seed)))

    def place(self, state: State, spot: dict[str, Any] | None) -> State:
        """Put the copied object's centre at a spot of the second picture, in pixels of 256 x 256, scaled, turned and
        mirrored as the spot says."""
        if spot is None or state.view.paste_seed is None:
            return state
        transform = Transform.among(spot, "The place")
        return state.work(state.session.place(state.view.paste_seed, spot["x"], spot["y"], transform))

    def paint_context(self, state: State, mask: np.ndarray | None) -> State:
        """Paint a place to change, or to protect, in the third canvas."""
        view = state.view
        if view.context_seed is None:
            return state
        return self._ahead(state.work(state.session.paint_place(view.kind, view.context_seed, mask)))

    def add_place(self, state: State, action: dict | None) -> State:
        """Put the next picked picture into the context canvas."""
        return state.look(slot="context", kind="context", tab="pictures")

    def edit_place(self, state: State, action: dict | None) -> State:
        """Open a painted place in the third canvas."""
        kind, seed = _place_named(state, action)
        return state.look(kind=kind, context_seed=seed)

    def remove_place(self, state: State, action: dict | None) -> State:
        """Remove a painted place."""
        return state.work(state.session.remove_place(*_place_named(state, action)))

    def set_kind(self, state: State, kind: str) -> State:
        """Choose the kind of place for the third canvas: "context", to change, or "preserve", to protect."""
        return state.look(kind=kind)

    # --- settings and rewriting -------------------------------------------------------------------------------------

    def set_mode(self, state: State, mode: str) -> State:
        """Choose the form of the goal: copy and paste ("replace"), retouched pictures ("paint", "bend", "file"), or
        erasing ("erase").  A rule has one of the three; undo restores the work of another."""
        if mode not in MODES:
            raise ValueError(f"There is no mode {mode!r:.60}; choose one of {', '.join(MODES)}.")
        erase, retouch = mode == "erase", mode if mode in KINDS else ""
        view, asked = state.view, state.session.now.asked
        other = {"copy": None, "paste": None, "transform": Transform()} if retouch else {"retouched": ()}
        if asked.rest.erase != erase or (asked.copy or asked.paste if retouch else asked.retouched):
            if bool(retouch) != bool(view.retouch):
                other |= {"rank": None, "locality": None}  # their defaults differ
            state = state.work(state.session.ask("mode", erase=erase, **other))
        seeds = (view.retouch_seed, view.copy_seed, view.paste_seed, view.context_seed)
        seed = next((seed for seed in seeds if seed is not None), None)
        return state.look(
            retouch=retouch,
            retouch_seed=seed if retouch else view.retouch_seed,
        )

    def settings(self, state: State, layer: int, rank: int, locality: float, everywhere: bool) -> State:
        """Change the settings of the solve."""
        layers = self.service.about(state.session.generator).layers
        wanted = {
            "layer": whole(layers.start, layers.stop - 1)(layer, "layer"),
            "rank": whole(*RANKS)(rank, "rank"),
            "locality": number(*LOCALITIES)(locality, "locality"),
            "everywhere": flag(everywhere, "everywhere"),
        }
        moved = wanted["layer"] != state.session.now.asked.rest.layer
        state = state.work(state.session.ask("settings", **wanted))
        return self._ahead(state) if moved else state

    def set_live(self, state: State, live: bool) -> State:
        """Choose whether to rewrite after each stroke."""
        return state.look(live=bool(live))

    def follow(self, visitor: Visitor) -> Iterator[Task]:
        """Rewrite in live mode, if the request is complete and not solved yet."""
        session = visitor.state.session
        if visitor.state.view.live and not session.solved and not session.request.missing():
            if self._late(visitor.state):
                return
            yield from self._make(visitor, only_as_asked=True)

    def rewrite(self, visitor: Visitor) -> Iterator[Task]:
        """Solve the current request, and put the rule in force."""
        visitor.state.session.request.check()
        if late := self._late(visitor.state):
            raise ValueError(late)
        visitor.change(lambda state: state.look(tab="results"))
        yield from self._make(visitor)

    def _late(self, state: State) -> str:
        return state.arrives_late(self.service.about(state.session.generator).default_layer)

    def _make(self, visitor: Visitor, *, only_as_asked: bool = False) -> Iterator[Task]:
        """only_as_asked: drop the result if the request changes meanwhile."""
        if visitor.state.session.now.asked.retouched:
            yield from learn(visitor, self.service, only_as_asked=only_as_asked)
        else:
            yield from self._solve(visitor, only_as_asked=only_as_asked)

    def _solve(self, visitor: Visitor, *, only_as_asked: bool = False) -> Iterator[Task]:
        session = visitor.state.session
        with visitor.doing("rule", "Rewriting", ("request",)) as task:
            yield task
            edit = self.service.solve(session)
            task.end(lambda state: self._adopted(state, edit, session if only_as_asked else state.session))

    @staticmethod
    def _adopted(state: State, edit: Edit, asked: Session) -> State:
        if state.session.now.asked != asked.now.asked:
            return state
        return state.work(state.session.adopt(edit)).look(skipped=0)

    def set_strength(self, state: State, strength: float) -> State:
        """Set the strength of the current rule: 1 as solved, 0 for no change, below 0 for the opposite."""
        rule = state.session.rule
        if rule is None or rule.edit.strength == strength:
            return state
        return state.work(state.session.change_rule(rule.number, "strength", strength=float(strength)))

    def stop(self, state: State) -> State:
        """Stop all running work; finished parts stay on the page."""
        return state.stop()

    def new_rule(self, state: State) -> State:
        """Begin another rule; the rules in force stay."""
        view = state.view.fresh().with_(order=state.view.order, skipped=state.view.skipped, tab="pictures")
        return state.turn(state.session.start_new()).with_(view=view)

    def _ahead(self, state: State) -> State:
        """Start computing in the background what the first rewrite of this request needs."""
        self.service.draw_ahead(state.session)
        return state


def _place_named(state: State, action: dict | None) -> tuple[str, Seed]:
    """The kind ("context" or "preserve") and the picture of a place in the tray."""
    name = (action or {}).get("id", "")
    kind, _, seed = name.partition("-")
    if kind not in ("context", "preserve"):
        raise ValueError(f"There is no place {name!r}; press one on the page.")
    return kind, state.own.named(seed, state.session.generator)
