"""Makes the preset rules anew on the present weights: `python -m weights.rules.make_presets [NAME ...]`.

For each: chooses pictures and masks (`rules`), solves, measures on pictures the rule was not made from, and writes
presets/NAME/ with request.json, the rule as it was solved, preview.webp and README.md, the card that says what was
measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting import Rewriter, load_generator
from rewriting.core.presets import FOLDER
from weights.rules import learned
from weights.rules.catalogue import RULES, Recipe
from weights.rules.material import Material, prepare
from weights.rules.measure import Measured, measure
from weights.rules.truth import Truth

SHOWN = 12

CARD = """# {title}

{description}

| | |
| --- | --- |
| generator | {generator}, the bundled one with digest `{digest}` |
| layer, rank, locality | {layer}, {rank}, {locality:g} |
| painted in | {painted} pictures |
| unseen pictures that changed as intended | {worked} of {among} |
| mean change there and elsewhere, of the full range | {inside:.1%} and {elsewhere:.2%} |

{intended}

Made again by `python -m weights.rules.make_presets {name}`.
"""


def intended(rule: Recipe) -> str:
    """What counts as changed as intended, for the card."""
    if rule.ideal is not None:
        name, value = rule.ideal
        ideal = f"the generator's own picture of the same scene with `{name}` set to {value!r}"
    elif rule.becomes:
        return (
            f"A picture counts if the segmenter reads {' or '.join(rule.becomes)} in at least {rule.share:.0%} of the "
            f"area that the rule is about."
        )
    else:
        ideal = "the picture with the object pasted into it by hand at this place"
    return f"A picture counts if, where the rule is about it, it is nearer to {ideal} than to what it was."


def make(name: str, folder: Path) -> Measured:
    """Solve, measure and write one preset."""
    rule = RULES[name]
    truth, generator = Truth(rule.generator), load_generator(rule.generator)
    material = prepare(rule, truth)
    edit = Rewriter(generator, material.request.layer).solve(material.request)
    found = measure(rule, material, generator, edit, truth)
    shown = examples(rule, material, found)
    said = f"{found.worked} of {found.among} unseen pictures change as intended, {found.elsewhere:.1%} elsewhere"
    notes = {
        "order": list(RULES).index(name),
        "measured": said,
        "show": shown,
    }
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    material.request.with_(notes=notes).save(folder / "request.json")
    edit.with_(request=None).save(folder)  # the studio presses a preset without solving it
    pair = [generator.images([shown[0]], edits)[0] for edits in ([], [edit])]
    Image.fromarray(np.concatenate(pair, 1)).save(folder / "preview.webp", quality=92)
    (folder / "README.md").write_text(card(name, rule, material, found, generator.digest()[:12]), encoding="utf-8")
    return found


def examples(rule: Recipe, material: Material, found: Measured) -> list[int]:
    """Unseen pictures to show, in the order they came; at the head one in which the rule worked."""
    seeds = material.unseen[:SHOWN]
    worked = [seed for seed, hit in zip(material.unseen, found.hits, strict=True) if hit and seed in seeds]
    head = worked[rule.lead : rule.lead + 1]
    return head + [seed for seed in seeds if seed not in head]


def card(name: str, rule: Recipe, material: Material, found: Measured, digest: str) -> str:
    request = material.request
    return CARD.format(
        name=name,
        title=rule.title,
        description=rule.description,
        generator=rule.generator,
        digest=digest,
        layer=request.layer,
        rank=request.rank,
        locality=request.locality,
        painted=len(request.context),
        worked=found.worked,
        among=found.among,
        inside=found.inside,
        elsewhere=found.elsewhere,
        intended=intended(rule),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets to make (default: those there are)")
    names = parser.parse_args().names or sorted(path.parent.name for path in FOLDER.glob("*/request.json"))
    for name in names:
        if name in learned.LEARNED:
            print(learned.make(name, FOLDER))
            continue
        if name not in RULES:
            parser.error(f"there is no rule {name!r}; there are {', '.join([*RULES, *learned.LEARNED])}.")
        found = make(name, FOLDER)
        print(f"{name}: {found.worked} of {found.among}, inside {found.inside:.1%}, elsewhere {found.elsewhere:.2%}")


if __name__ == "__main__":
    main()
