"""The page as a function of a visitor's state: the properties of its components, and its texts.

`Render` is a pure function of the state: {component: {property: value}}, for every component that ever changes.  The
same state always gives the same page, so nothing has to remember what was shown before.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from rewriting.core.learn import OUTSIDE
from rewriting.core.learn import RANK as LEARNED_RANK
from rewriting.core.presets import preset
from rewriting.core.rewriter import RANK
from rewriting.core.transform import Transform
from rewriting.generators import bundled
from rewriting.studio.components.cards import STRENGTH
from rewriting.studio.encoding import Picture, cutout, data_url
from rewriting.studio.generator_keys import label, public_name
from rewriting.studio.jobs import measured_by_preset
from rewriting.studio.remembered import remembered
from rewriting.studio.rendering.hub_view import hub_tab
from rewriting.studio.rendering.own_view import own_pairs, own_pictures
from rewriting.studio.rendering.steps import ERASE, RETOUCH, TITLES, VERBS, Step, picking, steps
from rewriting.studio.rendering.words import picture_named, picture_words, quiet, titled, visible_if
from rewriting.studio.results import Effect
from rewriting.studio.retouches import for_canvas, laid_over
from rewriting.studio.service import SIDE, About
from rewriting.studio.session import PackedRegion, PackedRetouch, Rule, Session, centre
from rewriting.studio.state import Explored, State
from rewriting.studio.visitor import Page

RETOUCH_SLOTS = {kind: [(f"1 {title}", "retouch"), (f"2 {TITLES[2]}", "context")] for kind, title in RETOUCH.items()}
SLOTS = [(f"{i} {title}", slot) for i, title, slot in zip("123", TITLES, ("copy", "paste", "context"), strict=False)]
ERASE_SLOTS = [(f"1 {ERASE}", "context")]
KINDS = [("Change here", "context"), ("Protect here", "preserve")]
ERASE_KINDS = [("Erase here", "context"), KINDS[1]]
TINTS = {"context": "", "preserve": "#0e9f6e"}  # of the places painted for each kind
DONE = {"paint": "painted", "bend": "bent", "file": "retouched"}
OTHER_KIND = "{picture} was {was}. If you {verb} it now, you replace that change."
OWN = {
    "replace": "that shows an object to copy", "paint": "to paint on it", "bend": "to bend it",
    "file": "to retouch it in another program", "erase": "that shows an object to erase",
}  # fmt: skip
EMPTY = "Results appear here"
STOPPED = "You stopped before the first picture. Press Show others to draw the pictures."
EXPLORE = "Inspect the rule that you are making: its matching places, its copied object, and the best layer for it."
NOTHING_COPIED = "<p class='quiet'>Erasing needs no copy. Paint the object to erase in step 1.</p>"


class Render:
    """about: the facts of a generator that the page shows, by its key."""

    def __init__(self, about: Callable[[str], About]):
        self.about = about

    def __call__(self, state: State) -> Page:
        return {
            **head(state),
            **making(state, self.about(state.session.generator)),
            **canvases(state, self.about(state.session.generator)),
            **seeing(state, self.about(state.session.generator)),
            **results(state, self.about(state.session.generator)),
            **sheet(state),
            **own_pictures(state, self.about(state.session.generator)),
            **explored(state.explored),
            **rules(state),
            **hub_tab(state.hub),
        }


def head(state: State) -> Page:
    """The generators to choose from, and the presets."""
    here, names = public_name(state.session.generator), list(state.opened)
    others = [name for name in names[1:] if name != here][-1:]
    choices = [(label(name), name) for name in dict.fromkeys([*bundled(), *names[:1], *others, here])]
    return {
        "generator": {"choices": choices, "value": coming(state, "generator") or here},
        "cards": {"value": coming(state, "preset") or preset_in_force(state.session), "first": here},
    }


def coming(state: State, kind: str) -> str | None:
    """The name of the "preset" or "generator" that is being loaded; None if none is."""
    job = state.jobs.get("rule")
    return job.name[1] if job is not None and job.name[0] == kind else None


def preset_in_force(session: Session) -> str | None:
    """The name of the preset whose rule is open."""
    return session.rule.preset if session.rule and session.rule.preset else None


# --- left: the rule in the making ------------------------------------------------------------------------------------


def making(state: State, about: About) -> Page:
    """The steps and the settings."""
    session, view, rest = state.session, state.view, state.session.now.asked.rest
    heads = steps(session, view)
    following = next((step for step in heads if step.needed and not step.done), None)
    at = ("head_copy", "head_paste", "head_retouch", "head_hold", "head_go", "head_tune")
    low, high = STRENGTH
    strength = session.rule.edit.strength if session.rule else 1.0
    usual_rank, usual_locality = (LEARNED_RANK, OUTSIDE) if view.retouch else (RANK, about.locality)
    return {
        **{part: {"value": step_head(s, following=s is following)} for part, s in zip(at, heads, strict=True)},
        "rewrite": {"interactive": all(step.done or not step.needed for step in heads[:4])},
        "strength": {"value": min(high, max(low, strength)), "interactive": session.rule is not None},
        "mode": {"value": state.mode},
        "step12": {"visible": visible_if(state.mode == "replace")},
        "step_retouch": {"visible": visible_if(bool(view.retouch))},
        "no_copy": {"visible": visible_if(state.mode == "erase")},
        "kind": {"choices": ERASE_KINDS if rest.erase else KINDS, "value": view.kind},
        "layer": {
            "minimum": about.layers.start,
            "maximum": about.layers.stop - 1,
            "value": rest.layer or about.default_layer,
            "info": f"Usually {about.default_layer}. Low layers change objects, high layers colours and textures.",
        },
        "rank": {
            "value": rest.rank or usual_rank,
            "info": f"Usually {usual_rank}. A higher rank follows the goal more closely.",
        },
        "locality": {
            "value": usual_locality if rest.locality is None else rest.locality,
            "info": f"Usually {usual_locality:g}. A higher locality changes less elsewhere, and needs more strength.",
        },
        "everywhere": {"visible": visible_if(state.mode == "replace"), "value": rest.everywhere},
        "live": {"value": view.live},
    }  # fmt: skip


def canvases(state: State, about: About) -> Page:
    """The canvases and the trays."""
    asked, view = state.session.now.asked, state.view
    copied = asked.copy if asked.copy is not None and asked.copy.seed == view.copy_seed else None
    painted = next((one for one in getattr(asked, view.kind) if one.seed == view.context_seed), None)
    goal, pressed = state.result("goal"), state.result("pressed")
    grid = about.cells[asked.rest.layer or about.default_layer]
    reach = {view.pressed.slot: pressed.content} if pressed else {}
    return {
        **retouching(state),
        "copy": {
            "image": url(state.picture(view.copy_seed)),
            "value": copied.url if copied else "",
            "reach": reach.get("copy"),
            "grid": grid,
        },
        "paste": {
            "image": url(state.picture(view.paste_seed)),
            "patch": patch(state.picture(asked.copy.seed), asked.copy) if asked.copy else "",
            "goal": (goal.content or "") if goal else "",
            "value": place(asked.paste, asked.rest.transform) if state.placed else None,
        },
        "context": {
            "image": url(state.picture(view.context_seed)),
            "value": painted.url if painted else "",
            "tint": TINTS[view.kind],
            "reach": reach.get("context"),
            "grid": grid,
        },
        "tray": {
            "items": [
                {
                    "image": url(state.picture(region.seed)),
                    "outline": region.url,
                    "id": f"{kind}-{state.own.name_of(region.seed)}",
                    "label": f"{words} in {picture_words(region.seed)}",
                    "tint": TINTS[kind],
                }
                for kind, words in (("context", "place"), ("preserve", "protected place"))
                for region in getattr(asked, kind)
            ]
        },
    }


def retouching(state: State) -> Page:
    """The canvas on which a picture is retouched, and the tray of retouched pictures."""
    asked, view, drawn = state.session.now.asked, state.view, state.result("drawn")
    here, kind = asked.retouch_of(view.retouch_seed), view.retouch or "paint"
    others = here is not None and here.kind != kind
    generator = re.sub("[^a-z0-9]+", "-", public_name(state.session.generator).lower())
    return {
        "retouch": {
            "image": url(state.picture(view.retouch_seed)),
            "kind": kind,
            "value": for_canvas(here) if here is not None and not others else None,
            "drawn": (drawn.content or "") if drawn else "",
            "file_name": f"{generator[-60:]}-{view.retouch_seed}.png",
            "note": OTHER_KIND.format(picture=picture_named(view.retouch_seed), was=DONE[here.kind], verb=VERBS[kind])
            if others
            else "",
            "empty": f"Pick a picture to {VERBS[kind]}",
        },
        "retouched": {
            "items": [
                {
                    "image": retouched_url(state.picture(retouch.seed), retouch),
                    "id": str(state.own.name_of(retouch.seed)),
                    "label": f"{picture_words(retouch.seed)}, {DONE[retouch.kind]}",
                }
                for retouch in asked.retouched
            ]
        },
    }


@remembered(64)
def retouched_url(picture: Picture | None, one: PackedRetouch) -> str:
    """A retouched picture as a data URL; "" before its original is drawn."""
    return data_url(laid_over(one, picture.pixels)) if picture is not None else ""


def url(picture: Picture | None) -> str:
    return picture.url if picture is not None else ""


@remembered(64)
def place(paste: PackedRegion, transform: Transform) -> dict[str, Any]:
    """The centre of the pasted object, in mask pixels, and its transform."""
    x, y = centre(paste.unpacked().mask)
    return {"x": x, "y": y, **transform.to_json()}


@remembered(64)
def patch(picture: Picture | None, copy: PackedRegion) -> str:
    """The copied object, cut out of its picture, as a data URL; "" while there is none."""
    return cutout(picture.pixels, copy.unpacked().mask) if picture is not None and not copy.empty else ""


# --- right: results, pictures, findings, rules -----------------------------------------------------------------------


def seeing(state: State, about: About) -> Page:
    """The open tab, the class of the pictures, and the progress of running work."""
    words = next((job.words for job in reversed(state.jobs.values()) if job.words), "")
    slots = ERASE_SLOTS if state.session.now.asked.rest.erase else RETOUCH_SLOTS.get(state.view.retouch, SLOTS)
    return {
        "tabs": {"value": state.view.tab},
        "busy": {"value": quiet(words) if words else ""},
        "stop": {"visible": visible_if(bool(words))},
        "slot": {"choices": slots, "value": state.view.slot},
        "picking": {"value": quiet(picking(state.session, state.view))},
        "label": {
            "choices": [(str(n), n) for n in range(max(about.classes, 1))],
            "value": state.session.numbering.label,
            "visible": visible_if(bool(about.classes)),
        },
    }


def results(state: State, about: About) -> Page:
    """Pictures under the rules in force.  The pictures of earlier rules stay, dimmed, until the new ones arrive."""
    made, fitting, closer = state.made.get("results"), state.result("results"), state.result("closer")
    same = made is not None and made.content is not None and made.name[0][:2] == state.session.look[:2]
    pairs = list(made.content.pairs) if same else []
    stopped = fitting is not None and fitting.complete
    if stopped and not any(pair["after"] for pair in pairs) and state.session.rules:
        pairs = []
    own = own_pairs(state)
    return {
        "headline": {"value": headline(state, about)},
        "pairs": {
            "pairs": [*own, *pairs],
            "loading": not state.learning and (not stopped or "rule" in state.jobs),
            "empty": STOPPED if stopped and not pairs else EMPTY,
            "detail": about.resolution > SIDE,
            "closer": [closer.content] if closer and closer.content else [],
        },
        "order": {"value": state.view.order, "visible": visible_if(bool(state.session.rules))},
    }


def headline(state: State, about: About) -> str:
    """The name of the open rule, and its measured effect."""
    session, pressed = state.session, coming(state, "preset")
    notice = [("", state.notice)] if state.notice else []
    if state.learning and not session.solved:
        return titled(session.rule.edit.name if session.rule else "Your rule", ("", "learning…"), *notice)
    if "rule" in state.jobs and not state.learning and not coming(state, "generator"):
        name = preset(pressed).title if pressed else session.rule.edit.name if session.rule else ""
        return titled(name or "Your rule", ("", "rewriting…"), *notice)
    if not session.rules:
        which = f", class {session.numbering.label}" if about.classes else ""
        return titled(
            f"Pictures of the {label(session.generator).lower()} generator{which}",
            ("", f"Try a rule above. To make your own, press a picture {OWN.get(state.mode, OWN['replace'])}."),
            *notice,
        )
    rule = session.rule or (session.rules[0] if len(session.rules) == 1 else None)
    return titled(rule.edit.name if rule else f"{len(session.rules)} rules together", *numbers(state, rule), *notice)


def numbers(state: State, rule: Rule | None) -> list[tuple[str, str]]:
    """The rule's measured effect, as (kind, text) pairs; the kind "good" marks an intended effect."""
    drawn = state.result("results")
    if rule is None:
        return []
    if drawn is None or not drawn.content or not any(pair["after"] for pair in drawn.content.pairs):
        drawing = "results" in state.jobs
        return [*solve_time(state, rule), *([("", "looking for matching pictures…")] if drawing else [])]
    measured, effect = measured_by_preset(state.session), drawn.content.effect
    details = [("good", measured)] if measured else []
    if effect is not None and not measured:
        details.append(("", reached(rule, effect)))
        details.append(("", f"{effect.elsewhere:.1%} change elsewhere"))
    return details if rule.preset else [*details, *lowered(rule), *solve_time(state, rule)]


def reached(rule: Rule, effect: Effect) -> str:
    """How much of its goal the rule reaches."""
    report = rule.edit.report
    if rule.learned and report is not None and report.loss_before > 0:
        share = max(0.0, 1 - report.loss_after / report.loss_before)
        return f"{share:.0%} of the way to your retouched picture{'s' if len(rule.asked.retouched) > 1 else ''}"
    return f"Changes {effect.changed} of {effect.among} matching places"


def lowered(rule: Rule) -> list[tuple[str, str]]:
    """The reason for a rank below the chosen one."""
    wanted = rule.asked.rest.rank if rule.asked else None
    if rule.learned:
        return []
    wanted = RANK if wanted is None else wanted
    if rule.edit.rank >= wanted:
        return []
    return [("", f"rank {rule.edit.rank} instead of {wanted}, because the painted area is small")]


def solve_time(state: State, rule: Rule) -> list[tuple[str, str]]:
    if state.learning:
        return [("", "still learning…")]
    if rule.edit.report is None:
        return []
    time = rule.edit.report.milliseconds
    how = "learned" if rule.learned else "solved"
    return [("", f"{how} in {time:.0f} ms" if time < 1000 else f"{how} in {time / 1000:.1f} s")]


def sheet(state: State) -> Page:
    """The pictures to choose from."""
    made, fitting, view = state.made.get("sheet"), state.result("sheet"), state.view
    same = made is not None and made.content is not None and made.name[:2] == state.names["sheet"][:2]
    retouched = {state.own.name_of(one.seed): DONE[one.kind] for one in state.session.now.asked.retouched}
    noted = [
        one | ({"note": retouched[one["seed"]]} if one["seed"] in retouched else {}) for one in made.content
    ] if same else []  # fmt: skip
    return {
        "sheet": {"pictures": noted, "loading": fitting is None or not fitting.complete},
        "everything": {"visible": visible_if(bool(view.found))},
        "outlines": {"value": view.outlined is not None},
        "number": {"value": None if view.found else view.start},
    }


def explored(found: Explored) -> Page:
    """The findings of the tab Explore."""
    html_, advised = found.html, found.advised
    return {
        "explored": {"value": quiet(EXPLORE) if html_ is None else html_},
        "matches": {"pictures": list(found.pictures), "visible": visible_if(bool(found.pictures))},
        "use_layer": {"value": f"Use layer {advised or ''}".strip(), "visible": visible_if(bool(advised))},
    }


def rules(state: State) -> Page:
    """The rules in force, and the buttons of the history."""
    session, (low, high) = state.session, STRENGTH
    rows = [
        {
            "id": str(rule.number),
            "name": rule.edit.name[:80] or "Rule",
            "detail": rule.detail,
            "strength": min(high, max(low, rule.edit.strength)),
            "on": rule.edit.enabled,
            "locked": rule.locked,
        }
        for rule in session.rules
    ]
    return {
        "rules": {"value": {"rows": rows}},
        "new": {"interactive": bool(rows)},
        "undo": {"interactive": bool(session.past)},
        "redo": {"interactive": bool(session.future)},
        "reset": {"interactive": bool(session.past)},
    }


def step_head(step: Step, *, following: bool = False) -> str:
    """The heading of a step: its number, title and note."""
    state = "done" if step.done else "next" if following else ""
    note = f"<small>{html.escape(step.note)}</small>"
    return f"<h2 class='step {state}'><em>{step.number}</em><span>{step.title}</span>{note}</h2>"
