"""Hair on the head and in the face."""

from __future__ import annotations

import torch
from torch import Tensor

from weights.scenes.canvas import Frame, Parts
from weights.scenes.colors import blend, mix, smoothstep
from weights.scenes.draw import Draw
from weights.scenes.face.head import on
from weights.scenes.face.labels import HAIR, MOUSTACHE
from weights.scenes.shapes import (
    bezier,
    box,
    circle,
    intersect,
    limb,
    oval,
    smooth_intersect,
    smooth_union,
    waves,
)

HAIRS = [
    (0.09, 0.08, 0.09),
    (0.20, 0.12, 0.09),
    (0.36, 0.21, 0.12),
    (0.56, 0.28, 0.13),
    (0.80, 0.58, 0.28),
    (0.92, 0.78, 0.52),
]
GREYS = [(0.46, 0.46, 0.48), (0.70, 0.70, 0.72), (0.92, 0.92, 0.92)]


def hair_style(draw: Draw, head: Frame) -> Parts:
    """One of five styles; children are not bald, and only adults go grey.  Darker skins have darker hair."""
    _, long, bun, bald, curly = draw.choice([0.30, 0.27, 0.13, 0.11, 0.19]).unbind(1)  # else short
    color = blend(HAIRS, draw.fraction() * (0.3 + 0.7 * head.tone))
    color = mix(color, blend(GREYS, draw.fraction()), draw.flag(0.22) * head.adult)
    return Parts(
        long=long,
        bun=bun,
        bald=bald * head.adult,
        curly=curly,
        color=color,
        stubble=mix(0.80 * color, (0.16, 0.11, 0.09), 0.15),
        volume=draw.uniform(0.0, 0.05),
        length=draw.fraction(),
        part=draw.uniform(-1, 1),
    )


def curls(head: Frame, style: Parts) -> Tensor:
    """Offset of an outline that turns a cap of hair into a cloud of curls."""
    angle = torch.atan2(head.y + 0.14, head.x + 1e-6)
    bumps = torch.sin(7.5 * angle + 2 * style.part).abs() + 0.5 * torch.sin(12.5 * angle - 3 * style.part).abs()
    return -style.curly * (0.020 + 0.040 * bumps)


def back_hair(head: Frame, style: Parts) -> None:
    """What hangs behind the neck: long hair, a cloud of curls; a bun on top."""
    x, y, turn = head.x, head.y, torch.sin(head.yaw)
    width, drop = 0.45 + 0.03 * torch.sin(7 * y + 3 * style.part), 0.15 * style.length
    fall = box(x + 0.10 * turn, y, 0, 0.25 + drop, width, 0.38 + drop, 0.20)
    fall = smooth_union(fall, oval(x, y, -0.08 * turn, -0.12, 0.50, 0.47), 0.10)
    head.solid(fall, 0.72 * style.color, HAIR, depth=0.20, strength=0.55, show=style.long)
    head.shade(fall, 0.07 * torch.sin(26 * x + 3 * torch.sin(4 * y + style.part)), show=style.long)
    cloud = oval(x, y, -0.08 * turn, -0.10, 0.50, 0.46 + 0.10 * style.length) + curls(head, style)
    head.solid(cloud, 0.72 * style.color, HAIR, depth=0.20, strength=0.55, show=style.curly)
    bun = circle(x, y, -0.10 * turn + 0.03 * style.part, -0.60, 0.145 + 0.5 * style.volume)
    head.solid(bun, style.color, HAIR, depth=0.13, strength=0.7, show=style.bun)
    head.shade(bun, 0.08 * torch.sin(30 * x + 18 * y), show=style.bun)


def front_hair(head: Frame, draw: Draw, style: Parts) -> None:
    """The cap over the skull, cut by the hairline, with a parting and locks that catch the light."""
    x, y, turn = head.x, head.y, torch.sin(head.yaw)
    show = 1 - style.bald
    cap = oval(x, y, -0.06 * turn, -0.165, 0.445 + head.wide + 0.5 * style.volume, 0.435 + style.volume)
    cap = cap + curls(head, style)
    brow_x = on(head, 0.0, 0.40)[0]
    high, fringe = draw.uniform(-0.05, 0.05), draw.uniform(-1, 1)
    forehead = oval(x, y, brow_x * 0.9, 0.08, 0.345 + head.wide, 0.38 + high)
    lean = style.part * (x - brow_x) * 0.7  # the fringe rises towards the parting's side
    forehead = smooth_intersect(forehead, -0.32 + 0.09 * fringe + lean - y, 0.08)
    locks = torch.sin(20 * (x - brow_x) * (1 + 0.4 * y) + 16 * style.part * y + 4 * style.part)
    cap = intersect(cap, 0.012 * locks - forehead)
    cap = smooth_intersect(cap, y - 0.02 - 0.12 * style.long - 0.5 * (x - brow_x).abs() + 0.15, 0.05)
    head.shade(intersect(cap - 0.03, head.outline), -0.22, soft=10, show=show)
    head.solid(cap, style.color, HAIR, depth=0.18, strength=0.62, show=show)
    head.shade(cap, 0.08 * locks * (1 - style.curly), show=show)
    head.shade(cap, 0.13 * waves(x, y, 24.0, 22.0, style.part) * style.curly, show=show)
    shine = oval(x, y, 0.22 * head.light.lx, -0.43, 0.20, 0.05)
    head.shade(intersect(shine, cap), 0.20, soft=14, show=show)


def moustache(head: Frame, draw: Draw, style: Parts) -> None:
    """Two bushy lobes from under the nose past the corners of the lips."""
    show, droop, bulk = (
        draw.flag(0.25, name="moustache") * head.adult,
        draw.uniform(-0.01, 0.07),
        draw.uniform(0.85, 1.2),
    )
    x0, near = on(head, 0.0, 0.48)
    y0, shape = head.mouth_y - 0.075, None
    for side in (-1, 1):
        reach = 0.205 * (1 - 0.3 * head.yaw * side)
        spine = bezier(
            (x0 + 0.03 * side, y0), (x0 + 0.12 * side, y0 + 0.005), (x0 + reach * side, y0 + 0.055 + droop), 5
        )
        lobe = limb(head.x, head.y, spine, [0.036 * bulk, 0.043 * bulk, 0.042 * bulk, 0.035 * bulk, 0.024, 0.010])
        shape = lobe if shape is None else smooth_union(shape, lobe, 0.015)
    strands = torch.sin(44 * (head.x - x0) + 24 * (head.y - y0) * torch.sign(head.x - x0))
    head.shade(shape - 0.012, -0.22, soft=8, show=show)
    color = style.stubble * (1 + 0.09 * strands[:, None])
    head.solid(shape, color, MOUSTACHE, depth=0.05, strength=0.8, soft=1.5, show=show)


def beard(head: Frame, draw: Draw, style: Parts) -> None:
    """Hair over jaw and chin, leaving the mouth free."""
    show, length = draw.flag(0.18, name="beard") * head.adult, draw.uniform(0.0, 0.07)
    x0 = on(head, 0.0, 0.44)[0]
    cheek = oval(head.x, head.y, 0.8 * x0, 0.06, 0.30 + head.wide, 0.17)
    chops = oval(head.x, head.y, x0, head.mouth_y + 0.01, 0.215, 0.115)
    fringe = 0.3 * intersect(0.10 - head.y, -cheek, -chops)  # a soft edge towards the face
    jaw = intersect(head.outline - 0.01 - length * smoothstep(0.2, 0.5, head.y), fringe)
    strands = torch.sin(36 * head.x + 5 * torch.sin(9 * head.y))
    lit = (0.7 * head.facing(head.outline, 0.30) + 0.06 * strands)[:, None]
    head.paint(jaw, style.stubble * (1 + lit), HAIR, soft=2.5, show=show)
