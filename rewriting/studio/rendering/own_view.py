"""The page's view of a visitor's own pictures."""

from __future__ import annotations

from typing import Any

from rewriting.generators.own_picture import GOOD, ROUGH, likeness
from rewriting.studio.generator_keys import label
from rewriting.studio.own_pictures import MOST_SIDE, BroughtPicture
from rewriting.studio.rendering.words import visible_if
from rewriting.studio.service import About
from rewriting.studio.state import Inverted, State
from rewriting.studio.visitor import Page

LEAST_SIDE = 512  # pixels a side of the stored square, in case another generator draws larger pictures


def own_pictures(state: State, about: About) -> Page:
    """The tray of the visitor's own pictures, and the question on publishing them."""
    shared = any(rule.asked is not None and rule.asked.own_pictures for rule in state.session.rules)
    return {
        "own": {
            "pictures": [tile(state, picture) for picture in state.own.brought],
            "side": min(MOST_SIDE, max(LEAST_SIDE, about.resolution)),
        },
        "with_pictures": {"visible": visible_if(shared), "value": False},
    }


def tile(state: State, picture: BroughtPicture) -> dict[str, Any]:
    """A picture beside its drawing, and the likeness of the two."""
    generator = state.session.generator
    inversion = picture.found.get(generator)
    properties = {"id": picture.name, "image": picture.url, "label": f"Your picture {picture.number}", "kind": "quiet"}
    drawn = state.picture(inversion)
    properties |= {"drawn": drawn.url if drawn is not None else ""}
    layer = picture.layer(generator, state.lowest_layer)
    if layer is not None:
        return properties | under_way(state, picture, layer)
    if inversion is None:
        name = label(generator)
        return properties | {"words": f"{name} has not drawn it yet.", "draw": f"Draw it with {name}"}
    lowest = state.lowest_layer
    if lowest is not None and lowest < inversion.layer:
        words = f"A rule of layer {lowest} cannot change this drawing, which starts at layer {inversion.layer}."
        return properties | {"words": words, "draw": f"Draw it again from layer {lowest}"}
    return properties | likeness_note(label(generator), inversion.psnr)


def under_way(state: State, picture: BroughtPicture, layer: int) -> dict[str, Any]:
    """The progress of drawing it, with the drawing so far."""
    generator, job, result = state.session.generator, state.jobs.get("own"), state.result("own")
    again = f" again from layer {layer}, where a rule acts" if generator in picture.found else ""
    if job is None or job.name[:2] != (generator, picture.number):
        return {"words": f"Waiting to be drawn{again}.", "share": 0.0}
    so_far = result.content if result is not None and isinstance(result.content, Inverted) else None
    if so_far is None:
        return {"words": f"{label(generator)} is drawing it{again}…", "share": 0.0}
    words = f"{label(generator)} is drawing it{again}: {so_far.share:.0%}"
    return {"words": words, "share": so_far.share, "drawn": so_far.image}


def likeness_note(name: str, decibels: float) -> dict[str, str]:
    """The likeness of the drawing, in words and in decibels."""
    kind = "good" if decibels >= GOOD else "quiet" if decibels >= ROUGH else "bad"
    return {"words": likeness(name, decibels), "kind": kind}


def own_pairs(state: State) -> list[dict[str, Any]]:
    """The first pairs of the results: the visitor's own pictures before and after the rules in force."""
    generator, result = state.session.generator, state.made.get("own_pairs")
    fresh = state.session.rules and result is not None and result.name[0][:2] == state.session.look[:2]
    ruled = result.content or {} if fresh else {}
    pairs = []
    for name, inversion in state.own.of(generator).items():
        drawn = state.picture(inversion)
        plain = {"seed": name, "before": drawn.url if drawn is not None else "", "after": ""}
        pairs.append(ruled.get(inversion, plain))
    return pairs
