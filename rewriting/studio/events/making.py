"""Making a rule: choose a generator or a preset, paint, paste, set, and rewrite."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import numpy as np

from rewriting.core.presets import preset
from rewriting.studio.components.checks import flag, number, whole
from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.session import Session
from rewriting.studio.showing import Updates
from rewriting.studio.view import LOCALITIES, RANKS, View


class Making(Events):
    """Events on the left of the page and above."""

    def open_generator(self, generator: str, desk: Desk) -> Iterator[Updates]:
        """Begin afresh on another generator: its pictures, an empty request, no rules. Undo goes back.

        Args:
            generator: its name.
        """
        old, key = desk.session, desk.key_of(generator)
        self.workshop.generator(key)
        desk.jump(lambda session: session.open(key))
        desk.view = View()
        for updates in self.changed(desk, old, afresh=True):
            yield self.but(self.parts.generator, updates)

    def choose_preset(self, preset_name: str | None, desk: Desk) -> Iterator[Updates]:
        """Put a preset rule in force and show its request, and unseen pictures before and after.

        Args:
            preset_name: as list_presets has it.
        """
        if preset_name is None:
            return
        p, old, chosen = self.parts, desk.session, preset(preset_name)
        with desk.doing("rule", "Rewriting") as mine:
            pressed = {p.cards: gr.update(value=preset_name)}
            yield self.show.working(desk, chosen.title) | self.show.tab("results") | pressed
            self.workshop.preset_edit(preset_name)
        if not mine():
            yield self.no_preset(desk)
            return
        desk.jump(lambda session: self.workshop.choose(session, preset_name))
        afresh = (chosen.generator, desk.session.numbering) != (old.generator, old.numbering)
        desk.see(lambda view, _: View() if afresh else view.with_(shown=0, order="best"))
        searched = self.turn_to_request(desk)
        results = self.show.results(desk)
        yield next(results, {}) | self.show.picker(desk) | {p.order: gr.update(value=desk.view.order)}
        yield self.show.request(desk) | self.show.rules(desk)
        yield from results
        if afresh or searched:
            yield self.show.sheet(desk)

    def no_preset(self, desk: Desk) -> Updates:
        """After a refusal, or another press: the card of the rule that is in force."""
        in_force = self.show.preset_in_force(desk.session)
        return self.show.as_before(desk) | {self.parts.cards: gr.update(value=in_force)}

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint_copy(self, mask: np.ndarray | None, desk: Desk) -> Updates:
        """Paint the object to copy on the picture in the first canvas; it goes to the same place of the second.

        Args:
            mask: PNG data URL, white where painted.
        """
        seed, paste_seed = desk.view.copy_seed, desk.view.paste_seed
        if seed is None:
            return self.show.progress(desk)
        desk.change(lambda session: session.paint_copy(seed, mask, paste_seed))
        self.workshop.draw_ahead(desk.session)
        return self.show.pasted(desk) | self.show.progress(desk)

    def place(self, spot: dict[str, int] | None, desk: Desk) -> Updates:
        """Put the copied object's centre somewhere in the second picture; the goal is drawn at once.

        Args:
            spot: {"x", "y"}, in pixels of a picture of 256 by 256.
        """
        seed = desk.view.paste_seed
        if spot is None or seed is None:
            return self.show.progress(desk)
        desk.change(lambda session: session.place(seed, spot["x"], spot["y"]))
        goal = self.parts.paste.show(goal=self.workshop.goal(desk.session))
        return {self.parts.paste: goal} | self.show.progress(desk)

    def paint_context(self, mask: np.ndarray | None, desk: Desk) -> Updates:
        """Paint on the third picture where the rule should hold, or what must not change.

        Args:
            mask: PNG data URL, white where painted; empty for nothing, which removes the place.
        """
        kind, seed = desk.view.kind, desk.view.context_seed
        if seed is None:
            return self.show.progress(desk)
        desk.change(lambda session: session.paint_place(kind, seed, mask))
        self.workshop.draw_ahead(desk.session)
        return self.show.places(desk) | self.show.progress(desk)

    def add_place(self, action: dict | None, desk: Desk) -> Updates:
        """The next picked picture is for step 3: a place where the rule should hold.

        Args:
            action: {"kind": "add"}.
        """
        p = self.parts
        desk.look(slot="context", kind="context")
        return (
            self.show.canvas(desk, "context")
            | self.show.waiting(desk)
            | self.show.tab("pictures")
            | {p.kind: gr.update(value="context")}
        )

    def edit_place(self, action: dict | None, desk: Desk) -> Updates:
        """Put a painted place into the third canvas.

        Args:
            action: {"kind": "edit", "index": 0, "id": "context-<seed>" or "preserve-<seed>"}.
        """
        kind, seed = _place_named(action)
        desk.look(kind=kind, context_seed=seed)
        return self.show.canvas(desk, "context") | self.show.progress(desk) | {self.parts.kind: gr.update(value=kind)}

    def remove_place(self, action: dict | None, desk: Desk) -> Updates:
        """Remove a painted place.

        Args:
            action: {"kind": "remove", "index": 0, "id": "context-<seed>" or "preserve-<seed>"}.
        """
        kind, seed = _place_named(action)
        desk.change(lambda session: session.remove_place(kind, seed))
        return self.show.canvas(desk, "context") | self.show.places(desk) | self.show.progress(desk)

    def set_kind(self, kind: str, desk: Desk) -> Updates:
        """What painting on the third canvas means.

        Args:
            kind: "context", the rule holds here; "preserve", keep this as it is.
        """
        desk.look(kind=kind)
        return self.show.canvas(desk, "context") | self.show.progress(desk)

    # --- settings and rewriting -------------------------------------------------------------------------------------

    def set_mode(self, mode: str, desk: Desk) -> Updates:
        """Whether a copied object replaces what is there, or what is painted disappears.

        Args:
            mode: "replace" or "erase".
        """
        desk.change(lambda session: session.ask("mode", erase=mode == "erase"))
        if mode == "erase":
            desk.look(slot="context")
        updates = self.show.mode(desk) | self.show.progress(desk) | self.show.waiting(desk)
        return self.but(self.parts.mode, updates)

    def settings(self, layer: int, rank: int, locality: float, everywhere: bool, desk: Desk) -> Updates:
        """How the request is solved.

        Args:
            layer: which one to change, from list_generators' lowest to its highest.
            rank: how many directions of it, 1 to 20.
            locality: how much other places count, 0 to 30.
            everywhere: whether the object is pasted at every painted place.
        """
        generator = self.workshop.generator(desk.session.generator)
        layers = generator.layers
        wanted = {
            "layer": whole(layers.start, layers.stop - 1)(layer, "layer"),
            "rank": whole(*RANKS)(rank, "rank"),
            "locality": number(*LOCALITIES)(locality, "locality"),
            "everywhere": flag(everywhere, "everywhere"),
        }
        moved = wanted["layer"] != desk.session.now.asked.rest.layer
        desk.change(lambda session: session.ask("settings", **wanted))
        if moved:
            self.workshop.draw_ahead(desk.session)
        return (self.show.pasted(desk) if moved else {}) | self.show.progress(desk)

    def rewrite(self, desk: Desk) -> Iterator[Updates]:
        """Solve the request as it is painted now, put the rule in force, and show unseen pictures before and after."""
        yield self.show.tab("results")
        yield from self._solve(desk)

    def live(self, live: bool, desk: Desk) -> Iterator[Updates]:
        """Rewrite at once, as after each stroke, if nothing is missing or solved already.

        Args:
            live: whether to; false does nothing.
        """
        if not live or desk.session.solved or desk.session.request.missing():
            return
        asked = desk.session.now.asked
        for updates in self._solve(desk):
            yield updates
            if desk.session.now.asked != asked:  # painted on meanwhile: the newer event goes on, if it can
                yield self.show.as_before(desk)
                return

    def _solve(self, desk: Desk) -> Iterator[Updates]:
        since, asked = desk.jumps, desk.session
        with desk.doing("rule", "Rewriting") as mine:
            yield self.show.working(desk, asked.rule.edit.name if asked.rule else "Your rule")
            edit = self.workshop.solve(asked)
        if not mine() or not desk.change(lambda session: session.adopt(edit), since=since):
            yield self.show.as_before(desk)
            return
        desk.look(shown=0)
        yield self.show.rules(desk) | self.show.progress(desk) | self.show.solved(desk)
        yield from self.show.results(desk)

    def set_strength(self, strength: float, desk: Desk) -> Iterator[Updates]:
        """How strongly the rule being edited acts.

        Args:
            strength: -1 to 2: 1 as solved, 0 not at all, negative the opposite.
        """
        rule = desk.session.rule
        if rule is None or rule.edit.strength == strength:
            return
        desk.change(lambda session: session.change_rule(rule.number, "strength", strength=float(strength)))
        yield self.but(self.parts.strength, self.show.rules(desk))
        yield from self.show.results(desk)

    def stop(self, desk: Desk) -> Updates:
        """End what is under way: rewriting, looking for pictures, trying layers, walking.  What is shown stays."""
        desk.stop()
        return self.show.as_before(desk)

    def new_rule(self, desk: Desk) -> Updates:
        """Keep the rules in force and begin another."""
        desk.jump(Session.start_new)
        searched = desk.view.found
        desk.see(lambda view, _: View(order=view.order))
        sheet = self.show.sheet(desk) if searched else {}
        return self.show.request(desk) | self.show.rules(desk) | sheet | self.show.tab("pictures")


def _place_named(action: dict | None) -> tuple[str, int]:
    """What the tray calls a place: "context" or "preserve", and the picture's number."""
    name = (action or {}).get("id", "")
    kind, _, seed = name.partition("-")
    if kind not in ("context", "preserve") or not seed.isdecimal():
        raise ValueError(f"There is no place {name!r}; the tray names those there are.")
    return kind, int(seed)
