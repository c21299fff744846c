"""Kitchens with a large shiny table in the foreground.

Varies: the room's proportions, paint, tiles, floor, cabinets, counter with a sink or a hob, fridge,
shelf, lamps, plants, the table's material, place and size, and what stands on it.  Half of the kitchens have one or
two windows.  The rule: a window always brightens the room and is mirrored on the table below it as a bright blurred
streak; without a window the table has no bright reflection.
"""

from __future__ import annotations

from weights.scenes.canvas import Canvas
from weights.scenes.draw import Draw
from weights.scenes.kitchen.furniture import cabinets, floor_plant, fridge, lamps, shelf, sink_or_hob
from weights.scenes.kitchen.labels import LABELS
from weights.scenes.kitchen.room import plan, shell, sunbeam, window
from weights.scenes.kitchen.table import on_the_table, reflection, table

__all__ = ["LABELS", "Z_DIM", "paint"]

Z_DIM = 57  # latent columns the scene uses


def paint(draw: Draw, canvas: Canvas) -> None:
    """Draw one scene for each latent."""
    r = plan(draw, canvas)
    shell(canvas, draw, r)
    window(canvas, draw, r)
    shelf(canvas, draw, r)
    start = cabinets(canvas, draw, r)
    sink_or_hob(canvas, draw, r, start)
    fridge(canvas, draw, r)
    floor_plant(canvas, draw, r)
    lamps(canvas, draw, r)
    t = table(canvas, draw, r)
    sunbeam(canvas, r, t)
    reflection(canvas, r, t)
    on_the_table(canvas, draw, r, t)
