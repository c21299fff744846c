"""What happens on the page: events in, updates out.

A handler takes the visitor's session and view and what the component sends, and returns updates by component.  It
touches no weight and no tensor: the workshop does the work.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from rewriting.masks import encode_mask
from rewriting.presets import preset
from rewriting.studio.parts import Parts
from rewriting.studio.session import Session
from rewriting.studio.view import View
from rewriting.studio.workshop import PAIRS, Workshop

Updates = dict[Any, Any]


class Handlers:
    """The page's events.  parts: its components."""

    def __init__(self, workshop: Workshop, parts: Parts):
        self.workshop, self.parts = workshop, parts

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_request(self, session: Session, view: View) -> Updates:
        """The canvases, the tray and the settings of the request being made."""
        p, request, name = self.parts, session.request, session.generator
        missing = request.missing()
        seeds = (view.copy_seed, view.paste_seed, view.context_seed)
        copy, paste, context = (self.workshop.canvas(name, s) if s is not None else "" for s in seeds)
        painted = self._painted(session, view)
        return {
            p.copy: p.copy.show(image=copy, value=self._mask(request.copy, view.copy_seed)),
            p.paste: p.paste.show(image=paste, value=self._centre(session, view)) | self._patch(session, view),
            p.context: p.context.show(image=context, value=painted),
            p.kind: gr.update(value=view.kind),
            p.erase: gr.update(value=request.erase),
            p.step1: gr.update(visible=not request.erase),
            p.everywhere: gr.update(value=request.everywhere),
            p.layer: gr.update(**self._layers(session)),
            p.rank: gr.update(value=request.rank or p.rank.value),
            p.locality: gr.update(value=p.locality.value if request.locality is None else request.locality),
            p.rewrite: gr.update(interactive=not missing),
            p.missing: self._missing(missing),
            **self.show_places(session, view),
        }

    def show_places(self, session: Session, view: View) -> Updates:
        """The tray of painted places."""
        items = []
        for kind in ("context", "preserve"):
            for region in getattr(session.request, kind):
                image = self.workshop.canvas(session.generator, region.seed)
                label = f"{'Holds' if kind == 'context' else 'Kept'} in picture {region.seed}"
                item = {"image": image, "outline": encode_mask(region.mask), "id": f"{kind}-{region.seed}"}
                items.append({**item, "label": label})
        return {self.parts.tray: self.parts.tray.show(items=items)}

    def show_rules(self, session: Session) -> Updates:
        p = self.parts
        rows = [
            {
                "id": str(rule.number),
                "name": rule.edit.name or "Rule",
                "detail": rule.detail,
                "strength": min(2.0, max(-1.0, rule.edit.strength)),
                "on": rule.edit.enabled,
            }
            for rule in session.rules
        ]
        strength = session.rule.edit.strength if session.rule else 1.0
        return {
            p.rules: gr.update(value={"rows": rows}),
            p.strength: gr.update(value=strength, interactive=session.rule is not None),
            p.undo: gr.update(interactive=bool(session.past)),
            p.redo: gr.update(interactive=bool(session.future)),
            p.new: gr.update(interactive=bool(session.rules)),
            p.session: session,
        }

    def show_sheet(self, session: Session, view: View, edited: bool = False) -> Updates:
        """The sheet of pictures to choose from."""
        p, seeds = self.parts, view.seeds
        urls = self.workshop.pictures(session.generator, seeds)
        outlines = self.workshop.outlines_at(session, seeds, view.heat) if view.heat is not None else [""] * len(seeds)
        pictures = [
            {"seed": s, "image": u, **({"outline": o} if o else {})}
            for s, u, o in zip(seeds, urls, outlines, strict=True)
        ]
        return {p.sheet: p.sheet.show(pictures=pictures, loading=False), p.view: view}

    def show_results(self, session: Session, view: View, start: int = 0) -> Iterator[Updates]:
        """Pairs of unseen pictures: the first as soon as it is drawn, then all, then the numbers."""
        p = self.parts
        seeds = self.result_seeds(session, view, start)
        for pairs in self.workshop.pairs(session, seeds):
            yield {p.pairs: p.pairs.show(pairs=[pair.to_json() for pair in pairs], loading=False)}
        yield {p.headline: self.headline(session, seeds)}

    def result_seeds(self, session: Session, view: View, start: int = 0) -> list[int]:
        """Unseen pictures to show: those that come with a preset, or as the visitor ordered them."""
        chosen = self._preset_seeds(session) if view.order == "best" and not start else []
        return chosen or self.workshop.result_seeds(session, view.order, start)

    def headline(self, session: Session, seeds: list[int]) -> str:
        """The numbers, in words."""
        rule = session.rule
        if rule is None:
            return self._says("Choose a preset, or paint a rule of your own", [])
        report, said = rule.edit.report, []
        measured = self._preset(session)
        if measured and measured.measured:
            said.append(("good", measured.measured))
        elif session.request.places:
            effect = self.workshop.effect(session, seeds)
            said.append(("good", f"changes {effect.changed} of {effect.among} matching pictures"))
            said.append(("", f"{effect.elsewhere:.1%} change elsewhere"))
        if report:
            said.append(("", f"solved in {report.milliseconds:.0f} ms"))
            fall = 1 - report.loss_after / max(report.loss_before, 1e-9)
            said.append(("", f"goal {fall:.0%} reached"))
        return self._says(rule.edit.name or "Your rule", said)

    # --- events -----------------------------------------------------------------------------------------------------

    def load(self, name: str) -> Iterator[Updates]:
        """Open a generator: its sheet, an empty request, no rules."""
        session, view = self.workshop.open(name), View()
        yield from self._everything(session, view)

    def choose_preset(self, name: str, session: Session, view: View) -> Iterator[Updates]:
        """Show a preset rule and put it in force; unseen pictures before and after follow."""
        if name is None:
            return
        p = self.parts
        yield {p.pairs: p.pairs.show(loading=True), p.headline: self._says(preset(name).title, [("", "rewriting…")])}
        session = self.workshop.choose(session, name)
        view = self._at_request(session, view)
        first = self.show_results(session, view)
        yield {p.tabs: gr.Tabs(selected="results"), p.generator: gr.update(value=session.generator)} | next(first)
        yield self.show_request(session, view) | self.show_rules(session) | {p.view: view}
        yield from first
        yield self.show_sheet(session, view)

    def rewrite(self, session: Session, view: View) -> Iterator[Updates]:
        """Solve the request as it is painted now, and show unseen pictures before and after."""
        session = self.workshop.rewrite(session)
        results = self.show_results(session, view)
        yield {self.parts.tabs: gr.Tabs(selected="results")} | self.show_rules(session) | next(results)
        yield from results

    def live(self, live: bool, session: Session, view: View) -> Iterator[Updates]:
        """After a stroke: rewrite, if the visitor wants that and nothing is missing."""
        if live and not session.request.missing():
            yield from self.rewrite(session, view)

    def pick(self, seed: int, session: Session, view: View) -> Updates:
        """A picture goes to the canvas that is waiting for one, and the next canvas waits."""
        if seed is None:
            return {}
        view = view.with_(**{f"{view.slot}_seed": seed})
        if view.slot == "paste" and session.request.copy is not None:
            session = session.place(seed, 128, 128)
        if view.slot != "context":
            view = view.with_(slot="paste" if view.slot == "copy" else "context")
        return (
            self.show_request(session, view)
            | self.show_rules(session)
            | {
                self.parts.view: view,
                self.parts.slot: gr.update(value=view.slot),
            }
        )

    def paint_copy(self, mask: np.ndarray | None, session: Session, view: View) -> Updates:
        """Paint the object to copy."""
        if view.copy_seed is None:
            return {}
        session = session.paint_copy(view.copy_seed, mask)
        p = self.parts
        return {p.paste: p.paste.show(value=self._centre(session, view)) | self._patch(session, view)} | self._asked(
            session
        )

    def place(self, spot: dict[str, int] | None, session: Session, view: View) -> Updates:
        """Move the copied object; the goal is drawn at once."""
        if spot is None or view.paste_seed is None:
            return {}
        session = session.place(view.paste_seed, spot["x"], spot["y"])
        return {self.parts.paste: self.parts.paste.show(goal=self.workshop.goal(session))} | self._asked(session)

    def paint_context(self, mask: np.ndarray | None, session: Session, view: View) -> Updates:
        """Paint where the rule should hold, or what must not change."""
        if view.context_seed is None:
            return {}
        session = session.paint_place(view.kind, view.context_seed, mask)
        return self.show_places(session, view) | self._asked(session)

    def tray(self, action: dict[str, Any] | None, session: Session, view: View) -> Updates:
        """Edit or remove a painted place, or begin another."""
        p = self.parts
        if not action:
            return {}
        if action["kind"] == "add":
            view = view.with_(slot="context", kind="context")
            return {p.view: view, p.slot: gr.update(value="context"), p.tabs: gr.Tabs(selected="pictures")}
        kind, seed = action["id"].split("-")
        if action["kind"] == "remove":
            session = session.remove_place(kind, int(seed))
        else:
            view = view.with_(kind=kind, context_seed=int(seed))
        return self.show_request(session, view) | self.show_rules(session) | {p.view: view}

    def set_kind(self, kind: str, session: Session, view: View) -> Updates:
        """What painting on the third canvas means."""
        view = view.with_(kind=kind)
        return {self.parts.context: self.parts.context.show(value=self._painted(session, view)), self.parts.view: view}

    def set_slot(self, slot: str, view: View) -> View:
        """Which canvas the next picked picture goes to."""
        return view.with_(slot=slot)

    def settings(
        self, erase: bool, everywhere: bool, layer: int, rank: int, locality: float, session: Session, view: View
    ) -> Updates:
        """Layer, rank, locality and the kind of rule."""
        wanted = {
            "erase": erase,
            "everywhere": everywhere,
            "layer": int(layer),
            "rank": int(rank),
            "locality": locality,
        }
        if all(getattr(session.request, k) == v for k, v in wanted.items()):
            return {}
        session = session.ask("settings", **wanted)
        updates = {self.parts.step1: gr.update(visible=not erase)} | self._asked(session)
        if not erase and session.request.paste is not None:
            updates[self.parts.paste] = self.parts.paste.show(goal=self.workshop.goal(session))
        return updates

    def rules(self, value: dict[str, Any], session: Session, view: View) -> Iterator[Updates]:
        """Switch, weaken, rename, order, duplicate, delete or reopen a rule."""
        action = value["action"]
        if not action:
            return
        kind, number = action["kind"], int(action["id"])
        changes = {
            "toggle": lambda: session.change_rule(number, "switch", enabled=action["on"]),
            "strength": lambda: session.change_rule(number, "strength", strength=action["strength"]),
            "rename": lambda: session.change_rule(number, "rename", name=action["name"]),
            "delete": lambda: session.delete_rule(number),
            "duplicate": lambda: session.duplicate_rule(number),
            "reopen": lambda: session.reopen_rule(number),
            "move": lambda: session.order_rules([int(row["id"]) for row in value["rows"]]),
        }
        yield from self.changed(changes[kind](), view)

    def strength(self, strength: float, session: Session, view: View) -> Iterator[Updates]:
        """How strongly the rule being edited acts: 1 as solved, 0 not at all, negative the opposite."""
        if session.rule is None or session.rule.edit.strength == strength:
            return
        yield from self.changed(session.change_rule(session.rule.number, "strength", strength=strength), view)

    def undo(self, session: Session, view: View) -> Iterator[Updates]:
        """Take back the last change."""
        yield from self.changed(session.undo(), view)

    def redo(self, session: Session, view: View) -> Iterator[Updates]:
        """Bring back what undo took."""
        yield from self.changed(session.redo(), view)

    def reset(self, session: Session, view: View) -> Iterator[Updates]:
        """No rules and an empty request; undo brings them back."""
        yield from self.changed(session.reset(), View())

    def new_rule(self, session: Session, view: View) -> Updates:
        """Keep the rules in force and begin another."""
        session, view = session.start_new(), View(start=view.start)
        return (
            self.show_request(session, view)
            | self.show_rules(session)
            | {
                self.parts.view: view,
                self.parts.slot: gr.update(value=view.slot),
                self.parts.cards: gr.update(value=None),
                self.parts.tabs: gr.Tabs(selected="pictures"),
            }
        )

    def turn(self, pages: int, session: Session, view: View) -> Updates:
        """Another page of the sheet."""
        return self.show_sheet(session, view.turn(pages))

    def go_to(self, seed: float | None, session: Session, view: View) -> Updates:
        """The page of the sheet that begins with a picture."""
        start = int(seed or 0)
        if not 0 <= start <= 2**32 - 100:
            raise gr.Error(
                f"Picture {start} does not exist; numbers run from 0 to {2**32 - 100}.", print_exception=False
            )
        return self.show_sheet(session, view.with_(start=start, found=(), heat=None))

    def search(self, session: Session, view: View) -> Updates:
        """Find the pictures that best match what was painted, and outline the matching places."""
        ranked, matches = self.workshop.search(session)
        view = view.with_(found=tuple(ranked[:240]), start=0, heat=self.workshop.threshold(matches))
        return {self.parts.tabs: gr.Tabs(selected="pictures")} | self.show_sheet(session, view)

    def order(self, order: str, session: Session, view: View) -> Iterator[Updates]:
        """Results on the best matching pictures, or on any."""
        view = view.with_(order=order)
        yield {self.parts.view: view}
        yield from self.show_results(session, view)

    def more(self, session: Session, view: View, shown: int) -> Iterator[Updates]:
        """Twelve other unseen pictures."""
        yield {self.parts.shown: shown + PAIRS}
        yield from self.show_results(session, view, shown + PAIRS)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _everything(self, session: Session, view: View) -> Iterator[Updates]:
        yield self.show_request(session, view) | self.show_rules(session) | self.show_sheet(session, view)
        yield from self.show_results(session, replace(view, order="random") if not session.rules else view)

    def changed(self, session: Session, view: View) -> Iterator[Updates]:
        """After a change of the rules or a step back: everything that shows it."""
        view = self._at_request(session, view)
        results = self.show_results(session, view)
        yield self.show_request(session, view) | self.show_rules(session) | next(results) | {self.parts.view: view}
        yield from results

    def _asked(self, session: Session) -> Updates:
        """After a change of the request: what is missing, and whether it can be rewritten."""
        p, missing = self.parts, session.request.missing()
        return {
            p.session: session,
            p.rewrite: gr.update(interactive=not missing),
            p.missing: self._missing(missing),
            p.undo: gr.update(interactive=True),
            p.redo: gr.update(interactive=False),
        }

    def _at_request(self, session: Session, view: View) -> View:
        """The canvases on the pictures that the request speaks of."""
        request = session.request
        return view.with_(
            copy_seed=request.copy.seed if request.copy else view.copy_seed,
            paste_seed=request.paste.seed if request.paste else view.paste_seed,
            context_seed=request.context[0].seed if request.context else view.context_seed,
            kind="context",
            heat=None,
            found=(),
        )

    def _preset(self, session: Session) -> Any:
        """The preset whose request this is, unchanged."""
        name = session.now.what.removeprefix("preset ")
        return preset(name) if session.now.what.startswith("preset ") else None

    def _preset_seeds(self, session: Session) -> list[int]:
        chosen = self._preset(session)
        return chosen.shown[:PAIRS] if chosen else []

    def _painted(self, session: Session, view: View) -> np.ndarray | None:
        regions = getattr(session.request, view.kind)
        return next((r.mask > 0 for r in regions if r.seed == view.context_seed), None)

    def _mask(self, region: Any, seed: int | None) -> np.ndarray | None:
        return region.mask > 0 if region is not None and region.seed == seed else None

    def _centre(self, session: Session, view: View) -> dict[str, int] | None:
        paste = session.request.paste
        if paste is None or paste.empty or paste.seed != view.paste_seed:
            return None
        rows, columns = np.where(paste.mask > 0)
        return {"x": int(columns.min() + columns.max() + 1) // 2, "y": int(rows.min() + rows.max() + 1) // 2}

    def _patch(self, session: Session, view: View) -> dict[str, Any]:
        goal = self.workshop.goal(session) if self._centre(session, view) else ""
        return self.parts.paste.show(patch=self.workshop.patch(session), goal=goal)

    def _layers(self, session: Session) -> dict[str, int]:
        generator = self.workshop.generator(session.generator)
        layers = generator.layers
        layer = session.request.layer or generator.config.default_layer
        return {"minimum": layers.start, "maximum": layers.stop - 1, "value": layer}

    def _missing(self, missing: str) -> str:
        return f"<p class='missing'>To rewrite, {html.escape(missing)}.</p>" if missing else ""

    def _says(self, title: str, said: list[tuple[str, str]]) -> str:
        spans = "".join(f"<span class='{kind}'>{html.escape(text)}</span>" for kind, text in said)
        return f"<div class='says' aria-live='polite'><strong>{html.escape(title)}</strong>{spans}</div>"
