"""What model cards say, section by section, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rewriting.core.edit import Edit, EditStack
from rewriting.core.request import Region, Request
from rewriting.core.retouch import Retouched
from rewriting.generators import GeneratorConfig
from rewriting.hub.base import Base
from rewriting.hub.comparison import Comparison


def title(stack: EditStack) -> str:
    """The rules' names, or what they do to which generator."""
    names = [plain(edit.name) for edit in stack if edit.name.strip()]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "A rewritten rule"


def pictures(comparison: Comparison) -> str:
    """Both rows of pictures, and which they are."""
    seeds = ", ".join(str(seed) for seed in comparison.seeds)
    return (
        f"| | pictures {seeds} |\n|---|---|\n"
        "| before | ![The pictures as the base model draws them](before.webp) |\n"
        "| after | ![The same pictures under the new rule](after.webp) |\n\n"
        f"Both rows show the same seeds: {comparison.how}."
    )


def use_edit(stack: EditStack, base: Base, repo_id: str) -> str:
    """How the rules of an edit repo are put to use."""
    rule = "rule" if len(stack) == 1 else "rules"
    code = fenced(
        "from rewriting import EditStack, load_generator",
        "",
        *_load_base(base),
        f"{rule} = EditStack.from_pretrained({quoted(repo_id)})",
        f"pictures = generator.images(range(12), edits={rule})  # uint8, {shape(base)}",
        "",
        "# half as strong, or the opposite: strength is a number, 1 as it was made",
        f"pictures = generator.images(range(12), edits=[e.with_(strength=0.5 * e.strength) for e in {rule}])",
        "",
        "# a model of its own, which needs no rule beside it",
        f'generator.merge({rule}).save("my-model")',
    )
    return code + (
        "\n\nThe generator's weights stay as they are: the change is added while a picture is drawn.  `edit.json` "
        "holds the request the rule was made from, so it can be opened in the studio and changed again."
    )


def use_model(base: Base, repo_id: str) -> str:
    """How a generator with the rules in its weights is put to use."""
    code = fenced(
        "from rewriting import load_generator",
        "",
        f"generator = load_generator({quoted(repo_id)})",
        f"pictures = generator.images(range(12))  # uint8, {shape(base)}",
    )
    return code + (
        "\n\n`model.safetensors` names its tensors as the widespread PyTorch implementations do.  `edit.json` holds "
        "the requests that the rules were made from."
    )


def _load_base(base: Base) -> list[str]:
    if base.on_hub:
        return [f"generator = load_generator({quoted(base.name)}, revision={quoted(base.revision)})"]
    if base.bundled:
        return [f"generator = load_generator({quoted(base.name)})"]
    return ['generator = load_generator("path/to/the/base")  # it is neither bundled nor on the Hub: see below']


def rules(stack: EditStack, base: Base) -> str:
    """Which rules there are, and what a rule is."""
    head = "| rule | layer | rank | strength | made from |\n|---|---|---|---|---|\n"
    rows = "\n".join(_rule(edit) for edit in stack)
    way = "modulated features" if base.config.architecture == "stylegan2" else "features"
    layers = sorted({layer for edit in stack for layer in edit.layers})
    which = f"layer {layers[0]}" if len(layers) == 1 else f"layers {', '.join(map(str, layers))}"
    explained = (
        f"A convolution can be read as a memory: a *key*, the {way} that arrive at a place, recalls a *value*, the "
        f"features that are drawn there.  The rule was painted: an example of what should be drawn, and a few places "
        f"(the context) where it should be.  From these, the keys of the context at {which} were given the new value "
        f"by W = W0 + Λ·D.  The rows of D are the directions in which those keys stand out from all others (whitened "
        f"by their second moment over many pictures); Λ was solved for, so that the value becomes the example's and "
        f"other places keep theirs.  A rank is the number of rows of D."
    )
    return f"{head}{rows}\n\n{explained}"


def _rule(edit: Edit) -> str:
    strength = f"{edit.strength:g}" if edit.enabled else "off"
    layers = ", ".join(map(str, edit.layers))
    return f"| {plain(edit.name) or '–'} | {layers} | {edit.rank} | {strength} | {_made_from(edit.request)} |"


def _made_from(request: Request | None) -> str:
    if request is None:
        return "not recorded"
    parts = []
    if request.erase:
        parts.append("erases what the context shows")
    elif request.retouched:
        parts.append(f"learned from retouched {_seeds(request.retouched)}")
    else:
        parts += [f"copied from picture {request.copy.seed}"] if request.copy is not None else []
        parts += [f"pasted into picture {request.paste.seed}"] if request.paste is not None else []
    parts += [f"{what} in {_seeds(places)}" for what, places in _painted(request) if places]
    return ", ".join(parts) or "not recorded"


def _painted(request: Request) -> list[tuple[str, tuple[Region, ...]]]:
    return [("context", request.context), ("to be preserved", request.preserve)]


def _seeds(regions: tuple[Region | Retouched, ...]) -> str:
    seeds = sorted({region.seed for region in regions})
    listed = ", ".join(str(seed) for seed in seeds[:8]) + (" …" if len(seeds) > 8 else "")
    return f"picture{'s' if len(seeds) > 1 else ''} {listed}"


def base_table(base: Base, *, adapter: bool) -> str:
    """What the rules were made for.  adapter: it is needed beside the repo."""
    rows = [
        ("base", base_link(base)),
        ("relation", "adapter: needed beside this repo" if adapter else "finetune: contained in this repo's weights"),
        ("architecture", f"{architecture(base.config)}, {base.config.resolution} px"),
        *([("revision", f"`{base.revision}`")] if base.revision else []),
        ("digest of its weights", f"`{base.digest}`"),
    ]
    table = "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)
    if base.bundled:
        table += (
            "\n\nThe generators that come with the software draw illustrated scenes and were never shown a photograph."
        )
    return table


def measured(stack: EditStack, comparison: Comparison) -> str:
    """What each rule reached, and what all of them change."""
    head = (
        "| rule | error at the goal, before → after | change of the weights | change elsewhere | where preserved |\n"
        "|---|---|---|---|---|\n"
    )
    rows = "\n".join(_report(edit) for edit in stack)
    seeds = comparison.looked_at
    explained = (
        "Error: mean |f(k; W) − v\\*| over the painted goal.  Weights: the norm of Λ·D over that of W0.  Elsewhere: "
        "mean change of the layer's values at random places of other pictures, over their mean size; where preserved, "
        "the same at the places that were to stay."
    )
    together = (
        f"All of it together changes a pixel by {comparison.change:.2f} of 255 on average, over {len(seeds)} pictures "
        f"that nobody painted in (seeds {seeds[0]} to {seeds[-1]}, {comparison.size} px)."
    )
    return f"{head}{rows}\n\n{explained}\n\n{together}{_said(stack)}"


def _report(edit: Edit) -> str:
    name, report = plain(edit.name) or "–", edit.report
    if report is None:
        return f"| {name} | not recorded | | | |"
    loss = f"{report.loss_before:.4g} → {report.loss_after:.4g}"
    kept = "–" if report.preserved is None else f"{report.preserved:.1%}"
    return f"| {name} | {loss} | {report.change:.1%} | {report.elsewhere:.1%} | {kept} |"


def _said(stack: EditStack) -> str:
    """What the request itself notes as measured."""
    said = []
    for edit in stack:
        notes = edit.request.notes if edit.request is not None else {}
        if isinstance(notes, Mapping) and isinstance(notes.get("measured"), str) and notes["measured"]:
            said.append(plain(notes["measured"], 400))
    return "".join(f"\n\nThe author adds: {text}" for text in said)


def limits(*, adapter: bool) -> str:
    """What to expect of no rule."""
    fits = "- It fits these weights and no others: the software compares the digest above, and says if they differ.\n"
    return (fits if adapter else "") + (
        "- A rule is made from a handful of painted examples.  Where the base model does not tell the context from "
        "something that looks alike, that changes too; where it does, some places may be missed.\n"
        "- Other places are held, not frozen: small changes of colour or texture elsewhere are possible.\n"
        "- Strengths far from 1, and several rules at one layer, go beyond what was solved for.\n"
        "- Whatever is lacking or one-sided in what the base model learnt to draw is so here as well.  What it draws "
        "is what somebody decided, not a fact about the world."
    )


def license_text(base: Base) -> str:
    """Whose license it is."""
    carried = "; its text is in `LICENSE`" if base.license_text else ""
    return f"Inherited from the base model: {plain(base.config.license) or 'other'}{carried}."


def base_link(base: Base) -> str:
    """The base, as a sentence names it."""
    if base.on_hub:
        return f"`{base.name}`"
    if base.bundled:
        return f"`{base.name}`, which comes with the software"
    return (
        f"a generator that is neither bundled nor on the Hub (its config says {plain(base.config.name) or 'no name'})"
    )


def architecture(config: GeneratorConfig) -> str:
    """The architecture, as a sentence names it."""
    return {"stylegan2": "StyleGAN2 (Karras et al., 2020)", "proggan": "Progressive GAN (Karras et al., 2018)"}[
        config.architecture
    ]


def count(stack: EditStack) -> str:
    """How many rules, in words."""
    return "a rule" if len(stack) == 1 else f"{len(stack)} rules"


def shape(base: Base) -> str:
    """Of twelve pictures."""
    return f"(12, {base.config.resolution}, {base.config.resolution}, 3)"


def fenced(*lines: str) -> str:
    """A block of Python."""
    return "```python\n" + "\n".join(lines) + "\n```"


def quoted(text: str) -> str:
    """A Python string: ids and names hold no quotes."""
    return f'"{text}"'


def plain(text: str, most: int = 300) -> str:
    """Somebody's words as one line that Markdown and HTML leave alone."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]
    return re.sub(r"([\\`*_{}\[\]()<>#|!&~$])", r"\\\1", line)
