"""Inspection of a rule: the matches of its key, the drawing of its value alone, and the best layer."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import numpy as np

from rewriting.core.contact_sheet import lit
from rewriting.core.layer_choice import Suitability, in_place, isolated, recommended, suitabilities
from rewriting.studio.encoding import data_url
from rewriting.studio.rendering.words import picture_words
from rewriting.studio.service import Service
from rewriting.studio.session import Session

MATCHES = 12


def key_matches(service: Service, session: Session) -> Iterator[tuple[int, list[dict]]]:
    """Search for matches of the context, in steps: the number of pictures searched, and the best of them, dimmed
    outside the matching places (paper, Figure 2c)."""
    for searched, ranked in service.search(session):
        seeds = ranked[:MATCHES]
        matches = service.matches(session, seeds)
        high, low = float(matches.heat.max()), float(np.quantile(matches.heat, 0.8))
        pictures = zip(
            seeds,
            service.plain(session, seeds, service.shown_size(session.generator)),
            matches.heat,
            matches.scores,
            strict=True,
        )
        yield (
            searched,
            [
                {"seed": s, "image": data_url(lit(p, h, low, high)), "note": f"{score:.1f}"}
                for s, p, h, score in pictures
            ],
        )


def values_alone(service: Service, session: Session) -> str:
    """HTML: the painted values drawn without their surroundings, beside the same place in the picture (Figure 2d)."""
    request = session.request
    rewriter = service.rewriter(session.generator, request.layer)
    places = request.places if request.retouched else request.context
    regions = [r for r in (request.copy, *places) if r is not None and not r.empty][:6]
    if not regions:
        raise ValueError("Nothing is painted yet; paint an object or a place first.")
    figures, how = [], session.numbering._asdict()
    for region in regions:
        alone, placed = (data_url(draw(rewriter, region, margin=2, **how)) for draw in (isolated, in_place))
        what = "copied" if region is request.copy else "a place"
        figures.append(
            f"<figure><span><img src='{placed}' alt='in its place'><img src='{alone}' alt='drawn alone'></span>"
            f"<figcaption>{what}, {picture_words(region.seed)}: in the picture, and drawn alone</figcaption></figure>"
        )
    return f"<div class='alone'>{''.join(figures)}</div>"


def layer_chart(service: Service, session: Session) -> Iterator[tuple[list[Suitability], str]]:
    """Try the layers one after another: the results so far, and a chart of them."""
    trials: list[Suitability] = []
    generator = service.generator(session.generator)
    request, late = session.request, max((own.layer for own in session.now.asked.own_pictures), default=None)
    for trial in suitabilities(generator, request, lambda n: service.rewriter(session.generator, n)):
        trials.append(trial)
        yield trials, chart(trials, done=False, late=late)
    if not trials:
        raise ValueError("The painted area is too small for any layer; paint a larger one.")
    yield trials, chart(trials, done=True, late=late)


def chart(trials: Sequence[Suitability], *, done: bool, late: int | None = None) -> str:
    """Bars by layer: the share of the goal reached, the likeness of isolated values, the change elsewhere.

    late: the layer of an own picture; earlier layers are not tried.
    """
    best = recommended(trials) if done else None
    rows = "".join(
        f"<tr{' class=best' if trial.layer == best else ''}><th>{trial.layer}</th>"
        f"{_bar(trial.reached)}{_bar(trial.isolation)}{_bar(trial.elsewhere)}</tr>"
        for trial in trials
    )
    advice = f"Layer {best} suits this rule best: most of the goal, for little change elsewhere."
    advice = advice if best else "Trying the layers, one after another…"
    if late is not None:
        advice += f" Your picture is drawn from layer {late} on, so earlier layers are not tried."
    return (
        f"<p class='quiet' role='status'>{html.escape(advice)}</p><table class='layers'><thead><tr><th>Layer</th>"
        f"<th>Goal reached</th><th>Object alone looks the same</th><th>Change elsewhere</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _bar(share: float) -> str:
    percent = round(100 * min(1.0, max(0.0, share)))
    return f"<td><span style='width:{percent}%'></span><b>{percent} %</b></td>"
