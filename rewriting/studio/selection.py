"""The regions of presses on pictures, and similar places in other pictures."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from rewriting.core.masks import PREFIX
from rewriting.core.request import Region
from rewriting.core.select import KnownThings, Selection, Things, layer_for, level, look
from rewriting.generators.own_picture import Seed
from rewriting.studio.service import SIDE, Service
from rewriting.studio.session import Session
from rewriting.studio.state import Press

OTHERS = 6  # pictures with similar places


def pressed(service: Service, session: Session, press: Press) -> dict[str, Any]:
    """The region of a press, as a value of the canvas."""
    found = selection(service, session, press.seed, press.x, press.y)
    buffer = io.BytesIO()
    Image.fromarray(found.levels()).save(buffer, "PNG")
    url = PREFIX + base64.b64encode(buffer.getvalue()).decode()
    return {"n": press.number, "levels": url, "size": level(1)}


def selection(service: Service, session: Session, seed: Seed, x: float, y: float) -> Selection:
    """The region around a place of a picture.  x, y: in shares of it.  The features are cached for further presses."""
    name, numbering = session.generator, session.numbering
    generator = service.generator(name)
    layer = layer_for(generator, seed)
    rewriter = service.rewriter(name, layer)

    def seen() -> Things | KnownThings:
        (picture,) = service.drawn(name, [seed], numbering, size=service.shown_size(name))
        return look(generator, layer, rewriter.features([seed], **numbering._asdict())[0], picture.pixels)

    asked = ("things", generator.digest(), generator.precision, getattr(seed, "digest", seed), *numbering)
    return service.store.one(asked, seen).press(x, y)


def region(service: Service, session: Session, seed: Seed, x: float, y: float, size: float = 1.0) -> Region:
    """The region of a press as a place of a request.  size: relative to the usual one, see `Selection.mask`."""
    return _region(seed, selection(service, session, seed, x, y).mask(size))


def same(service: Service, session: Session) -> list[Region]:
    """Places like the painted ones, in the best matches without painted places.

    A press at the highest response to the context selects each; see `Selection.similar` for the size of its region,
    with the median area of the painted places.
    """
    request = session.request
    places = [region for region in request.context if not region.empty]
    painted = {region.seed for region in request.places}
    seeds = [seed for seed in service.ranked(session) if seed not in painted][:OTHERS]
    area = float(np.median([np.mean(region.mask > 0) for region in places]))
    found = []
    for seed, heat in zip(seeds, service.matches(session, seeds).heat, strict=True):
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        y, x = ((at + 0.5) / len(heat) for at in (row, column))
        found.append(_region(seed, selection(service, session, seed, x, y).similar(area)))
    return found


def _region(seed: Seed, mask: np.ndarray) -> Region:
    large = Image.fromarray(mask).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return Region(seed, np.asarray(large))
