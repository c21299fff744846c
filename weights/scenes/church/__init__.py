"""Churches at every hour of the day.

Varies: the hour (sky, light, lit windows), sun or moon, clouds, hills, lawn and path; the church's place, proportions,
materials, tower layout (beside, twin, front, ridge turret) and tower tops (spire, dome, battlement); a main window or
a blank wall; the door; trees of three species behind, beside and in front; bushes; a crowd or an empty forecourt; and,
as in stock photos, a word across the middle and a line of text along the bottom edge.

The long side of the building recedes to the right.  "hw" is a half-width; `front` and `shadow` are how much the sun
darkens faces turned to the viewer and faces of the long side.
"""

from __future__ import annotations

from weights.scenes.canvas import Canvas
from weights.scenes.church.building import door, facade, main_window, nave, tower
from weights.scenes.church.figures import bushes, people, tree
from weights.scenes.church.labels import LABELS
from weights.scenes.church.land import clouds, ground, hills, sky, time_of_day
from weights.scenes.church.marks import mark_bottom, mark_middle
from weights.scenes.church.plan import plan
from weights.scenes.draw import Draw

__all__ = ["LABELS", "Z_DIM", "paint"]

Z_DIM = 57  # latent columns the scene uses


def paint(draw: Draw, canvas: Canvas) -> None:
    """Draw one scene for each latent."""
    hour = time_of_day(draw)
    s = plan(draw, hour, canvas.x)
    sky(canvas, hour, s.horizon)
    clouds(canvas, draw, hour)
    ground(canvas, draw, hour, s, hills(canvas, draw, hour, s.horizon))
    wooded, side = draw.flag(0.7, name="trees"), 2 * draw.flag(0.5) - 1
    far, beside, near = side * draw.uniform(0.66, 0.81), -side * draw.uniform(0.62, 0.78), draw.uniform(0.68, 0.82)
    tree(canvas, draw, hour, far, s.base - 0.05, draw.uniform(0.50, 0.64), wooded)
    nave(canvas, s, hour)
    facade(canvas, s)
    tower(canvas, s, hour)
    main_window(canvas, draw, s, hour)
    door(canvas, draw, s, hour)
    bushes(canvas, draw, hour, s, wooded * draw.flag(0.6))
    tree(canvas, draw, hour, beside, s.base + 0.05, draw.uniform(0.42, 0.54), wooded * draw.flag(0.65))
    people(canvas, draw, hour, s)
    tree(canvas, draw, hour, side * draw.uniform(0.72, 0.85), 0.62 + 0.4 * near, near, wooded * draw.flag(0.35))
    mark_middle(canvas, draw)
    mark_bottom(canvas, draw)
