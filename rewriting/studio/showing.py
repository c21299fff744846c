"""What the page's components show of a visitor's desk."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from rewriting.core.masks import encode_mask
from rewriting.core.presets import preset
from rewriting.core.request import Region, Request
from rewriting.core.rewriter import RANK, usual_locality
from rewriting.generators import bundled
from rewriting.studio.components.cards import STRENGTH
from rewriting.studio.desk import Claim, Desk
from rewriting.studio.names import label, public_name
from rewriting.studio.parts import Parts
from rewriting.studio.results import Drawn
from rewriting.studio.session import Rule, Session, centre
from rewriting.studio.steps import ERASED, TITLES, Step, picking, steps
from rewriting.studio.view import PAGE, View
from rewriting.studio.workshop import PAIRS, Workshop

Updates = dict[Any, Any]

SLOTS = [(f"{i} {title}", slot) for i, title, slot in zip("123", TITLES, ("copy", "paste", "context"), strict=False)]
ERASE_SLOTS = [(f"1 {ERASED}", "context")]
KINDS = [("Holds here", "context"), ("Keep as it is", "preserve")]
ERASE_KINDS = [("Disappears", "context"), KINDS[1]]
STOPPED = "Stopped before pictures were drawn: press Show others to see some"
TINTS = {"context": "", "preserve": "#0e9f6e"}  # of what is painted where the rule holds
NOTHING_COPIED = "<p class='quiet'>Nothing is copied: what you paint in step 1 disappears.</p>"


def step_head(step: Step, *, following: bool = False) -> str:
    """The heading of a step: its number, what it is, and what it has or needs."""
    state = "done" if step.done else "next" if following else ""
    note = f"<small>{html.escape(step.note)}</small>"
    return f"<h2 class='step {state}'><em>{step.number}</em><span>{step.title}</span>{note}</h2>"


def says(title: str, *said: tuple[str, str]) -> str:
    """A title and what is said about it: (kind, text), kind "good" for what was hoped for."""
    spans = "".join(f"<span class='{kind}'>{html.escape(text)}</span>" for kind, text in said)
    return f"<div class='says' role='status'><strong>{html.escape(title)}</strong>{spans}</div>"


def shown(yes: bool) -> dict[str, Any]:
    """Hidden components stay on the page: what is changed while they are away is not lost."""
    return gr.update(visible=True if yes else "hidden")


class Showing:
    """Updates of components, by component, for what lies on a desk."""

    def __init__(self, workshop: Workshop, parts: Parts):
        self.workshop, self.parts = workshop, parts

    # --- the rule in the making -------------------------------------------------------------------------------------

    def progress(self, desk: Desk) -> Updates:
        """How far the rule in the making is."""
        p, session = self.parts, desk.session
        heads = steps(session, desk.view)
        following = next((step for step in heads if step.needed and not step.done), None)
        at = (p.head_copy, p.head_paste, p.head_hold, p.head_go, p.head_tune)
        return {
            **{part: step_head(s, following=s is following) for part, s in zip(at, heads, strict=True)},
            p.rewrite: gr.update(interactive=all(step.done or not step.needed for step in heads[:3])),
            **self.ways_back(session),
            p.picking: self.waiting(desk)[p.picking],
        }

    def request(self, desk: Desk) -> Updates:
        """The canvases, the tray and the settings of the rule in the making, and how far it is."""
        p, session, request = self.parts, desk.session, desk.session.request
        return {
            **self.canvas(desk, "copy"),
            **self.canvas(desk, "context"),
            **self.mode(desk),
            **self.layers(desk),
            p.rank: gr.update(value=request.rank or p.rank.value),
            p.locality: gr.update(**self._locality(session)),
            **self.places(desk),
            **self.progress(desk),
            **self.waiting(desk),
        }

    def canvas(self, desk: Desk, slot: str) -> Updates:
        """The canvas "copy" with the one that shows what is copied, or "paste", or "context"."""
        p, request, view = self.parts, desk.session.request, desk.view
        image = self._canvas(desk, slot)
        if slot == "copy":
            return {p.copy: p.copy.show(image=image, value=_mask_of(request.copy, view.copy_seed))} | self.pasted(desk)
        if slot == "paste":
            return self.pasted(desk)
        return {p.context: p.context.show(image=image, value=_painted(request, view), tint=TINTS[view.kind])}

    def pasted(self, desk: Desk) -> Updates:
        """The picture to paste into, with the object where it was put."""
        p, session, view = self.parts, desk.session, desk.view
        place = _place_of(session.request, view)
        goal = self.workshop.goal(session) if place else ""
        image, patch = self._canvas(desk, "paste"), self.workshop.patch(session)
        return {p.paste: p.paste.show(image=image, patch=patch, goal=goal, value=place)}

    def mode(self, desk: Desk) -> Updates:
        """Steps 1 and 2, unless something is erased, and what painting a place means."""
        p, request = self.parts, desk.session.request
        erase = request.erase
        return {
            p.mode: gr.update(value="erase" if erase else "replace"),
            p.step12: shown(not erase),
            p.no_copy: shown(erase),
            p.everywhere: shown(not erase) | {"value": request.everywhere},
            p.kind: gr.update(choices=ERASE_KINDS if erase else KINDS, value=desk.view.kind),
        }

    def places(self, desk: Desk) -> Updates:
        """The tray of painted places."""
        items = []
        for kind, words in (("context", "place"), ("preserve", "kept place")):
            for region in getattr(desk.session.request, kind):
                image = self.workshop.canvas(desk.session, region.seed)
                item = {"image": image, "outline": encode_mask(region.mask), "id": f"{kind}-{region.seed}"}
                items.append({**item, "label": f"{words} in picture {region.seed}", "tint": TINTS[kind]})
        return {self.parts.tray: self.parts.tray.show(items=items)}

    def waiting(self, desk: Desk) -> Updates:
        """Which canvas the next picked picture goes to."""
        p = self.parts
        said = html.escape(picking(desk.session, desk.view))
        slots = ERASE_SLOTS if desk.session.request.erase else SLOTS
        return {
            p.slot: gr.update(choices=slots, value=desk.view.slot),
            p.picking: f"<p class='quiet' role='status'>{said}</p>",
        }

    # --- pictures and rules -----------------------------------------------------------------------------------------

    def sheet(self, desk: Desk) -> Updates:
        """The sheet of pictures to choose from."""
        p, session, view = self.parts, desk.session, desk.view
        urls = self.workshop.pictures(session.generator, view.seeds, session.numbering)
        outlines = [""] * len(urls)
        if view.outlines:
            outlines = self.workshop.outlines_at(session, view.seeds)
        pictures = [
            {"seed": s, "image": u, **({"outline": o} if o else {})}
            for s, u, o in zip(view.seeds, urls, outlines, strict=True)
        ]
        return {
            p.sheet: p.sheet.show(pictures=pictures, loading=False),
            p.everything: shown(bool(view.found)),
            p.outlines: gr.update(value=view.outlines),
            p.number: gr.update(value=None if view.found else view.start),
            **self.waiting(desk),
        }

    def rules(self, desk: Desk) -> Updates:
        """The rules in force, and which preset is one of them."""
        p, session = self.parts, desk.session
        low, high = STRENGTH
        rows = [
            {
                "id": str(rule.number),
                "name": rule.edit.name[:80] or "Rule",
                "detail": rule.detail,
                "strength": min(high, max(low, rule.edit.strength)),
                "on": rule.edit.enabled,
            }
            for rule in session.rules
        ]
        strength = session.rule.edit.strength if session.rule else 1.0
        return {
            p.rules: gr.update(value={"rows": rows}),
            p.strength: gr.update(value=min(high, max(low, strength)), interactive=session.rule is not None),
            p.new: gr.update(interactive=bool(session.rules)),
            p.cards: p.cards.show(value=self.preset_in_force(session), first=public_name(session.generator)),
            p.order: shown(bool(session.rules)),
            p.head_go: self.progress(desk)[p.head_go],
            **self.ways_back(session),
        }

    def ways_back(self, session: Session) -> Updates:
        """Undo, redo, and reset, each only where there is something to go back from."""
        p = self.parts
        return {
            p.undo: gr.update(interactive=bool(session.past)),
            p.redo: gr.update(interactive=bool(session.future)),
            p.reset: gr.update(interactive=bool(session.past)),
        }

    @staticmethod
    def preset_in_force(session: Session) -> str | None:
        """The name of the preset that is being looked at."""
        return session.rule.preset if session.rule and session.rule.preset else None

    def picker(self, desk: Desk) -> Updates:
        """The generators to turn to: those that come along, the one that the page opened on, and the latest others."""
        here, names = public_name(desk.session.generator), list(desk.opened)
        others = [name for name in names[1:] if name != here][-1:]
        choices = [(label(name), name) for name in dict.fromkeys([*bundled(), names[0], *others, here])]
        return {self.parts.generator: gr.update(choices=choices, value=here)}

    # --- results ----------------------------------------------------------------------------------------------------

    def plain(self, desk: Desk, mine: Claim | None = None) -> Updates:
        """Without rules: what the generator draws, and what to do; nothing if it is no longer `mine` to show."""
        mine = mine or desk.claim("results")
        p, session = self.parts, desk.session
        seeds = self.result_seeds(session, desk.view)
        urls = self.workshop.pictures(session.generator, seeds, session.numbering)
        pairs = [{"seed": s, "before": u, "after": ""} for s, u in zip(seeds, urls, strict=True)]
        if not mine.draw(session.look):
            return {}
        return {p.headline: self.headline(desk), p.pairs: p.pairs.show(pairs=pairs, loading=False)}

    def results(self, desk: Desk) -> Iterator[Updates]:
        """Unseen pictures before and after: the first as soon as it is drawn, then all, then the numbers.

        Ends early when another event draws results.
        """
        p = self.parts
        with desk.doing("results", "Drawing") as mine:
            session = desk.session  # read once it is claimed: who claims it last draws the newest
            if not session.rules:
                yield self.plain(desk, mine)
            else:
                yield self.busy(desk)
                for drawn in self.workshop.results(session, self.result_seeds(session, desk.view)):
                    numbers = self.numbers(session, drawn)
                    if not mine.draw(session.look, numbers):
                        return
                    yield {
                        p.headline: self.headline(desk),
                        p.pairs: p.pairs.show(pairs=drawn.pairs, loading=not drawn.complete),
                    }
        yield self.busy(desk)

    def tab(self, name: str) -> Updates:
        """Turn to "results", "pictures" or "explore".  A new update each time: gradio empties those it has sent."""
        return {self.parts.tabs: gr.update(value=name)}

    def busy(self, desk: Desk) -> Updates:
        """What is under way, and the way to end it."""
        p, words = self.parts, html.escape(desk.busy)
        return {p.busy: f"<p class='quiet' role='status'>{words}</p>" if words else "", p.stop: shown(bool(words))}

    def queued(self, desk: Desk, before: int) -> Updates:
        """While an answer waits for others; before: how many of them go first, 0 once it waits no longer."""
        if not before:
            return self.busy(desk)
        words = "Waiting for another answer" if before == 1 else f"Waiting for {before} other answers"
        return {self.parts.busy: f"<p class='quiet' role='status'>{words}</p>"}

    def working(self, desk: Desk, title: str) -> Updates:
        """While a rule is solved: the old results, dimmed."""
        p = self.parts
        return {p.headline: says(title, ("", "rewriting…")), p.pairs: p.pairs.show(loading=True)} | self.busy(desk)

    def solved(self, desk: Desk) -> Updates:
        """Between the solve and the first picture."""
        rule, p = desk.session.rule, self.parts
        if rule is None:  # undone already
            return {}
        return {p.headline: says(rule.edit.name, *_solve_time(rule), ("", "looking for pictures that match…"))}

    def as_before(self, desk: Desk) -> Updates:
        """After what was under way came to nothing: the results that were there, if they show the rules in force."""
        p, current = self.parts, desk.drawn == desk.session.look
        pairs = p.pairs.show(loading=False) if current else p.pairs.show(pairs=[], loading=False, empty=STOPPED)
        return {p.headline: self.headline(desk), p.pairs: pairs, **self.busy(desk)}

    def result_seeds(self, session: Session, view: View) -> list[int]:
        """Unseen pictures to show: those that come with a preset, or as the visitor ordered them."""
        if not session.rules:
            return list(range(view.shown, view.shown + PAGE))
        chosen = session.rule.preset if session.rule and view.order == "best" and not view.shown else ""
        return (preset(chosen).shown[:PAIRS] if chosen else []) or self.workshop.result_seeds(
            session, view.order, view.shown
        )

    def headline(self, desk: Desk) -> str:
        """The rule being looked at, and the numbers last found."""
        session = desk.session
        if not session.rules:
            return says(
                f"What the {label(session.generator).lower()} generator draws",
                ("", "Try a rule above, or make your own: press a picture that has something to copy."),
            )
        one = session.rule or (session.rules[0] if len(session.rules) == 1 else None)
        said = desk.numbers if desk.drawn == session.look else ()
        return says(one.edit.name if one else f"{len(session.rules)} rules together", *said)

    def numbers(self, session: Session, drawn: Drawn) -> tuple[tuple[str, str], ...]:
        """What the rule being looked at does; what takes all pictures to say once they are drawn."""
        rule, said = session.rule, []
        if rule is None:
            return ()
        alone = len(session.rules) == 1 and rule.edit.enabled and rule.edit.strength == 1
        measured = preset(rule.preset).measured if rule.preset and alone else ""
        if measured:
            said.append(("good", measured))
        elif drawn.complete and (effect := self.workshop.effect(session, drawn)) is not None:
            said.append(("", f"Changes {effect.changed} of {effect.among} places like those painted"))
            said.append(("", f"{effect.elsewhere:.1%} change elsewhere"))
        return tuple(said if rule.preset else [*said, *_lowered(rule), *_solve_time(rule)])

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _canvas(self, desk: Desk, slot: str) -> str:
        seed = desk.view.seed_of(slot)
        return self.workshop.canvas(desk.session, seed) if seed is not None else ""

    def layers(self, desk: Desk) -> Updates:
        """The layers there are, and the one in use."""
        generator = self.workshop.generator(desk.session.generator)
        layers, usual = generator.layers, generator.config.default_layer
        layer = desk.session.now.asked.rest.layer or usual
        info = f"Usually {usual}. Low: what is there; high: how it looks"
        return {self.parts.layer: gr.update(minimum=layers.start, maximum=layers.stop - 1, value=layer, info=info)}

    def _locality(self, session: Session) -> dict[str, float | str]:
        usual, wanted = usual_locality(self.workshop.generator(session.generator)), session.request.locality
        return {"value": usual if wanted is None else wanted, "info": locality_help(usual)}


def locality_help(usual: float) -> str:
    """The line below the slider."""
    return f"Usually {usual:g}. Higher spares other things; more strength makes up for it"


def _lowered(rule: Rule) -> list[tuple[str, str]]:
    """Why the rank is not the one that was asked for."""
    wanted = rule.asked.rest.rank if rule.asked else None
    if rule.edit.rank >= (RANK if wanted is None else wanted):
        return []
    return [("", f"rank {rule.edit.rank}, as little is painted")]


def _solve_time(rule: Rule) -> list[tuple[str, str]]:
    if rule.edit.report is None:
        return []
    time = rule.edit.report.milliseconds
    return [("", f"solved in {time:.0f} ms" if time < 1000 else f"solved in {time / 1000:.1f} s")]


def _painted(request: Request, view: View) -> np.ndarray | None:
    regions = getattr(request, view.kind)
    return next((region.mask > 0 for region in regions if region.seed == view.context_seed), None)


def _mask_of(region: Region | None, seed: int | None) -> np.ndarray | None:
    return region.mask > 0 if region is not None and region.seed == seed else None


def _place_of(request: Request, view: View) -> dict[str, int] | None:
    paste = request.paste
    if paste is None or paste.empty or paste.seed != view.paste_seed or request.copy is None:
        return None
    x, y = centre(paste.mask)
    return {"x": x, "y": y}
