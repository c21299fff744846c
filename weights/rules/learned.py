"""The presets that are learned from retouched pictures, made as `make_presets` makes the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting import Edit, EditStack, Rewriter
from weights.rules.lessons import Lesson, Outcome
from weights.rules.retouches import RETOUCHES

UNSEEN, SHOWN = 48, 12

CARD = """# {title}

{description}

| | |
| --- | --- |
| generator | {generator}, the bundled one with digest `{digest}` |
| layers, rank, locality | {layers}; {rank}; {locality:g} |
| retouched, and painted in | {retouched} and {painted} pictures |
| unseen pictures that changed as intended | {worked} of {among} |
| share of the way to the ideal | {closed:.0%} |
| mean change there and elsewhere, of the full range | {inside:.1%} and {outside:.2%} |

A picture counts if, where the rule is about it, it is nearer to the same retouch, made by the same program in that
picture, than to what it was.

Made again by `python -m weights.rules.make_presets {name}`.
"""


@dataclass(frozen=True)
class Learned:
    """order: of its card among the others, which are numbered from 0.  lead: which unseen picture is shown first."""

    description: str
    order: float
    lead: int


LEARNED = {
    "red-noses": Learned(
        "A red ball with a gleam is painted on three noses. This generator never drew one, and now every face wears "
        "it.", 0.5, 707,
    ),
    "big-eyes": Learned(
        "The eyes of three faces are bent half as large again, and all others have them too.", 5.5, 709,
    ),
    "blue-lamps": Learned("The lamps of three pictures shine blue; those of every kitchen do now.", 10.5, 709),
}  # fmt: skip


def make(name: str, folder: Path) -> str:
    """Learn, measure and write one preset, solved; what was measured."""
    rule, lesson = LEARNED[name], Lesson(RETOUCHES[name], UNSEEN)
    *_, edit = Rewriter(lesson.generator).learn(lesson.request())
    found = lesson.measure([edit])
    said = f"{sum(found.hits)} of {len(found.hits)} unseen pictures change as intended, {found.outside:.1%} elsewhere"
    shown = [rule.lead, *(seed for seed in lesson.unseen if seed != rule.lead)][:SHOWN]
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    request = edit.request.with_(
        description=rule.description, notes={"order": rule.order, "measured": said, "show": shown}
    )
    request.save(folder / "request.json")
    EditStack([edit.with_(request=None)]).save(folder)
    pair = [lesson.generator.images([shown[0]], edits)[0] for edits in ([], [edit])]
    Image.fromarray(np.concatenate(pair, 1)).save(folder / "preview.webp", quality=92)
    (folder / "README.md").write_text(card(name, lesson, edit, found), encoding="utf-8")
    return f"{name}: {said}, {found.closed:.0%} of the way"


def card(name: str, lesson: Lesson, edit: Edit, found: Outcome) -> str:
    request = edit.request
    return CARD.format(
        name=name,
        title=lesson.retouch.title,
        description=LEARNED[name].description,
        generator=lesson.retouch.generator,
        digest=edit.base[:12],
        layers=", ".join(map(str, edit.layers)),
        rank=request.rank,
        locality=request.locality,
        retouched=len(request.retouched),
        painted=len(request.context),
        worked=sum(found.hits),
        among=len(found.hits),
        closed=found.closed,
        inside=found.inside,
        outside=found.outside,
    )
