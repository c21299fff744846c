"""Making a rule: choose a generator or a preset, paint, paste, set, and rewrite."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rewriting.checks import flag, number, whole
from rewriting.core.edit import Edit
from rewriting.core.presets import preset
from rewriting.core.retouch import KINDS
from rewriting.generators.own_picture import Seed
from rewriting.studio.commands.retouching import learn
from rewriting.studio.service import Service
from rewriting.studio.session import Session
from rewriting.studio.state import LOCALITIES, RANKS, State
from rewriting.studio.visitor import Task, Visitor

MODES = ("replace", *KINDS, "erase")


class Making:
    """The left of the page, and the row above."""

    def __init__(self, service: Service):
        self.service = service

    def open_generator(self, visitor: Visitor, generator: str) -> Iterator[Task]:
        """Begin afresh on another generator: its pictures, an empty request, no rules.  Undo goes back."""
        key = visitor.state.key_of(generator)
        with visitor.doing("rule", "Loading the generator", ("generator", generator)) as task:
            yield task
            self.service.generator(key)
            task.end(lambda state: state.jump(state.session.open(key)).with_(view=state.view.fresh()))
        self._ahead(visitor.state)

    def choose_preset(self, visitor: Visitor, name: str | None) -> Iterator[Task]:
        """Put a preset rule in force, with its request in the canvases."""
        if name is None:
            return
        chosen = preset(name)
        visitor.change(lambda state: state.look(tab="results"))
        yield from self.begin_preset(visitor, chosen.name)

    def begin_preset(self, visitor: Visitor, name: str) -> Iterator[Task]:
        """The same, whatever tab is open."""
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
        """Paint the object to copy on the picture in the first canvas; it goes to the same place of the second."""
        view = state.view
        if view.copy_seed is None:
            return state
        return self._ahead(state.work(state.session.paint_copy(view.copy_seed, mask, view.paste_seed)))

    def place(self, state: State, spot: dict[str, int] | None) -> State:
        """Put the copied object's centre somewhere in the second picture, in pixels of 256 by 256."""
        if spot is None or state.view.paste_seed is None:
            return state
        return state.work(state.session.place(state.view.paste_seed, spot["x"], spot["y"]))

    def paint_context(self, state: State, mask: np.ndarray | None) -> State:
        """Paint on the third picture where the rule should hold, or what must not change."""
        view = state.view
        if view.context_seed is None:
            return state
        return self._ahead(state.work(state.session.paint_place(view.kind, view.context_seed, mask)))

    def add_place(self, state: State, action: dict | None) -> State:
        """The next picked picture shows another place where the rule should hold."""
        return state.look(slot="context", kind="context", tab="pictures")

    def edit_place(self, state: State, action: dict | None) -> State:
        """Put a painted place into the third canvas."""
        kind, seed = _place_named(state, action)
        return state.look(kind=kind, context_seed=seed)

    def remove_place(self, state: State, action: dict | None) -> State:
        """Remove a painted place."""
        return state.work(state.session.remove_place(*_place_named(state, action)))

    def set_kind(self, state: State, kind: str) -> State:
        """What is painted on the third canvas: "context", where the rule holds, or "preserve", what stays as it is."""
        return state.look(kind=kind)

    # --- settings and rewriting -------------------------------------------------------------------------------------

    def set_mode(self, state: State, mode: str) -> State:
        """How the goal is shown: a copied object replaces what is there ("replace"), pictures are retouched ("paint",
        "bend", "file"), or what is painted disappears ("erase").  A rule does one of the three; undo brings back what
        was made for another."""
        if mode not in MODES:
            raise ValueError(f"There is no way {mode!r:.60} to show a goal; there are {', '.join(MODES)}.")
        erase, retouch = mode == "erase", mode if mode in KINDS else ""
        view, asked = state.view, state.session.now.asked
        other = {"copy": None, "paste": None} if retouch else {"retouched": ()}
        if asked.rest.erase != erase or (asked.copy or asked.paste if retouch else asked.retouched):
            if bool(retouch) != bool(view.retouch):
                other |= {"rank": None, "locality": None}  # which means other things there
            state = state.work(state.session.ask("mode", erase=erase, **other))
        seeds = (view.retouch_seed, view.copy_seed, view.paste_seed, view.context_seed)
        seed = next((seed for seed in seeds if seed is not None), None)
        return state.look(
            retouch=retouch,
            retouch_seed=seed if retouch else view.retouch_seed,
        )

    def settings(self, state: State, layer: int, rank: int, locality: float, everywhere: bool) -> State:
        """How the request is solved."""
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
        """Whether each stroke is followed by a rewrite."""
        return state.look(live=bool(live))

    def follow(self, visitor: Visitor) -> Iterator[Task]:
        """Rewrite at once if the visitor works live, nothing is missing, and nothing is solved already."""
        session = visitor.state.session
        if visitor.state.view.live and not session.solved and not session.request.missing():
            if self._late(visitor.state):
                return
            yield from self._make(visitor, only_as_asked=True)

    def rewrite(self, visitor: Visitor) -> Iterator[Task]:
        """Solve the request as it is painted now, and put the rule in force."""
        visitor.state.session.request.check()
        if late := self._late(visitor.state):
            raise ValueError(late)
        visitor.change(lambda state: state.look(tab="results"))
        yield from self._make(visitor)

    def _late(self, state: State) -> str:
        return state.arrives_late(self.service.about(state.session.generator).default_layer)

    def _make(self, visitor: Visitor, *, only_as_asked: bool = False) -> Iterator[Task]:
        """only_as_asked: unless the visitor has painted on meanwhile."""
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
        """How strongly the rule being edited acts: 1 as solved, 0 not at all, below 0 the opposite."""
        rule = state.session.rule
        if rule is None or rule.edit.strength == strength:
            return state
        return state.work(state.session.change_rule(rule.number, "strength", strength=float(strength)))

    def stop(self, state: State) -> State:
        """End what is under way; what is shown stays."""
        return state.stop()

    def new_rule(self, state: State) -> State:
        """Keep the rules in force and begin another."""
        view = state.view.fresh().with_(order=state.view.order, skipped=state.view.skipped, tab="pictures")
        return state.turn(state.session.start_new()).with_(view=view)

    def _ahead(self, state: State) -> State:
        """Begin, in the background, what the first rewrite of this request will wait for."""
        self.service.draw_ahead(state.session)
        return state


def _place_named(state: State, action: dict | None) -> tuple[str, Seed]:
    """What the tray calls a place: "context" or "preserve", and the picture."""
    name = (action or {}).get("id", "")
    kind, _, seed = name.partition("-")
    if kind not in ("context", "preserve"):
        raise ValueError(f"There is no place {name!r}; press one that the page shows.")
    return kind, state.own.named(seed, state.session.generator)
