"""Model cards: what a reader of a repo learns, and the YAML that the Hub reads above it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewriting.edit import Edit, EditStack
from rewriting.generators import Generator, GeneratorConfig, bundled
from rewriting.hub.access import REPO_ID
from rewriting.hub.comparison import Comparison
from rewriting.request import Region, Request

TAG, EDIT_TAG, GENERATOR_TAG = "model-rewriting", "rewriting-edit", "rewriting-generator"
PAPER = "2007.15646"
YOUR_REPO = "your-name/your-repo"
CITATION = """```bibtex
@inproceedings{bau2020rewriting,
  title     = {Rewriting a Deep Generative Model},
  author    = {Bau, David and Liu, Steven and Wang, Tongzhou and Zhu, Jun-Yan and Torralba, Antonio},
  booktitle = {Proceedings of the European Conference on Computer Vision (ECCV)},
  year      = {2020},
  eprint    = {2007.15646},
  archivePrefix = {arXiv}
}
```"""


@dataclass(frozen=True)
class Base:
    """The generator that rules were made for.

    name: bundled name or Hub id, or "" if it can be had from neither.  revision: commit of the Hub repo.
    """

    name: str
    revision: str
    digest: str
    config: GeneratorConfig
    license_text: str

    @property
    def on_hub(self) -> bool:
        return REPO_ID.fullmatch(self.name) is not None

    @property
    def bundled(self) -> bool:
        return self.name in bundled()

    @classmethod
    def of(cls, generator: Generator) -> Base:
        """What `load_generator` noted, if the weights are still those that it loaded."""
        source, digest = getattr(generator, "source", None), generator.digest()
        if source is None or source.digest != digest:
            return cls("", "", digest, generator.config, source.license_text if source else "")
        return cls(source.name, source.revision, digest, generator.config, source.license_text)


# --- the whole cards ------------------------------------------------------------------------------------------------


def edit_card(stack: EditStack, base: Base, comparison: Comparison, repo_id: str = "") -> str:
    """README.md of an edit repo."""
    data = _metadata(base, [TAG, EDIT_TAG], relation="adapter")
    size = sum(4 * (edit.factor.numel() + edit.directions.numel()) for edit in stack)
    what = "A rule" if len(stack) == 1 else f"{len(stack)} rules"
    intro = (
        f"{what} for {_base_link(base)}: not a model, but a change of {size / 1000:,.0f} kB to its weights, which "
        f"makes the model draw by another rule from then on."
    )
    return _document(data, stack, base, comparison, intro, _use_edit(stack, base, repo_id or YOUR_REPO))


def model_card(stack: EditStack, base: Base, comparison: Comparison, repo_id: str = "") -> str:
    """README.md of a generator with the rules written into its weights."""
    data = _metadata(base, [TAG, GENERATOR_TAG], relation="finetune")
    intro = (
        f"An image generator: {_base_link(base)} with {_count(stack)} written into its weights.  Everything else "
        f"about it is as in its base."
    )
    return _document(data, stack, base, comparison, intro, _use_model(base, repo_id or YOUR_REPO))


def generator_card(config: GeneratorConfig, repo_id: str, has_license: bool) -> str:
    """README.md of a generator that no rule has changed, where its folder brings none."""
    data = {
        **_license(config, has_license),
        "library_name": "rewriting",
        "pipeline_tag": "unconditional-image-generation",
        "tags": [config.architecture, "gan", "image-generation", GENERATOR_TAG],
    }
    base = Base(repo_id, "", "", config, "")
    lines = [
        f"# {plain(config.name) or repo_id.partition('/')[2]}",
        f"{plain(config.description) or 'An image generator whose rules can be rewritten.'}",
        f"It is a {_architecture(config)}, of {config.resolution} x {config.resolution} pixels.",
        "## How to use it",
        _code(
            "from rewriting import Rewriter, load_generator",
            "",
            f"generator = load_generator({_quoted(repo_id)})",
            f"pictures = generator.images(range(12))  # uint8, {_shape(base)}",
            "rewriter = Rewriter(generator)  # then rewriter.solve(request): see the paper below",
        ),
        "## Citation",
        f"The method of rewriting is that of [Bau et al., ECCV 2020](https://arxiv.org/abs/{PAPER}).",
        CITATION,
    ]
    return front_matter(data) + "\n\n".join(lines) + "\n"


def _document(
    data: Mapping[str, Any], stack: EditStack, base: Base, comparison: Comparison, intro: str, use: str
) -> str:
    parts = [
        f"# {title(stack)}",
        intro,
        *[plain(edit.request.description) for edit in stack if edit.request and edit.request.description],
        _pictures(comparison),
        "## How to use it\n\n" + use,
        "## The rule" + ("s" if len(stack) > 1 else "") + "\n\n" + _rules(stack, base),
        "## The base model\n\n" + _base_table(base, data["tags"]),
        "## What was measured\n\n" + _measured(stack, comparison),
        "## Limits\n\n" + _limits(data["tags"]),
        "## License\n\n" + _license_text(base),
        "## Citation\n\nThe method is that of [*Rewriting a Deep Generative Model*]"
        f"(https://arxiv.org/abs/{PAPER}), ECCV 2020.\n\n" + CITATION,
    ]
    return front_matter(data) + "\n\n".join(parts) + "\n"


# --- front matter ---------------------------------------------------------------------------------------------------


def front_matter(data: Mapping[str, Any]) -> str:
    """The YAML block that a README.md on the Hub begins with."""
    from huggingface_hub import CardData

    return f"---\n{CardData(**data).to_yaml()}\n---\n\n"


def _metadata(base: Base, tags: list[str], relation: str) -> dict[str, Any]:
    data = {
        **_license(base.config, bool(base.license_text)),
        "library_name": "rewriting",
        "pipeline_tag": "unconditional-image-generation",
        "tags": [base.config.architecture, "gan", "image-generation", *tags],
    }
    if base.on_hub:  # the Hub takes nothing but ids of its own here
        data |= {"base_model": base.name, "base_model_relation": relation}
    elif base.bundled:
        data["tags"].append(base_tag(base.name))
    return data


def base_tag(name: str) -> str:
    """The tag by which rules for a bundled generator are found."""
    return f"rewriting-base-{name}"


def _license(config: GeneratorConfig, has_text: bool) -> dict[str, str]:
    """The base's license.  What is no identifier of the Hub's becomes the name of an "other" license."""
    known = re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,40}", config.license) and config.license != "other"
    if known:
        return {"license": config.license}
    name = str(config.extra.get("license_name") or ("" if config.license == "other" else config.license))
    data = {"license": "other"}
    if slug := re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")[:60]:
        data["license_name"] = slug
    return data | ({"license_link": "LICENSE"} if has_text else {})


# --- sections -------------------------------------------------------------------------------------------------------


def title(stack: EditStack) -> str:
    """The rules' names, or what they do to which generator."""
    names = [plain(edit.name) for edit in stack if edit.name.strip()]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "A rewritten rule"


def _pictures(comparison: Comparison) -> str:
    seeds = ", ".join(str(seed) for seed in comparison.seeds)
    return (
        f"| | pictures {seeds} |\n|---|---|\n"
        "| before | ![The pictures as the base model draws them](before.webp) |\n"
        "| after | ![The same pictures under the new rule](after.webp) |\n\n"
        f"Both rows show the same seeds: {comparison.how}."
    )


def _use_edit(stack: EditStack, base: Base, repo_id: str) -> str:
    rule = "rule" if len(stack) == 1 else "rules"
    code = _code(
        "from rewriting import EditStack, load_generator",
        "",
        *_load_base(base),
        f"{rule} = EditStack.from_pretrained({_quoted(repo_id)})",
        f"pictures = generator.images(range(12), edits={rule})  # uint8, {_shape(base)}",
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


def _use_model(base: Base, repo_id: str) -> str:
    code = _code(
        "from rewriting import load_generator",
        "",
        f"generator = load_generator({_quoted(repo_id)})",
        f"pictures = generator.images(range(12))  # uint8, {_shape(base)}",
    )
    return code + (
        "\n\n`model.safetensors` names its tensors as the widespread PyTorch implementations do.  `edit.json` holds "
        "the requests that the rules were made from."
    )


def _load_base(base: Base) -> list[str]:
    if base.on_hub:
        return [f"generator = load_generator({_quoted(base.name)}, revision={_quoted(base.revision)})"]
    if base.bundled:
        return [f"generator = load_generator({_quoted(base.name)})"]
    return ['generator = load_generator("path/to/the/base")  # it is neither bundled nor on the Hub: see below']


def _rules(stack: EditStack, base: Base) -> str:
    head = "| rule | layer | rank | strength | made from |\n|---|---|---|---|---|\n"
    rows = "\n".join(_rule(edit) for edit in stack)
    way = "modulated features" if base.config.architecture == "stylegan2" else "features"
    layers = sorted({edit.layer for edit in stack})
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
    return f"| {plain(edit.name) or '–'} | {edit.layer} | {edit.rank} | {strength} | {_made_from(edit.request)} |"


def _made_from(request: Request | None) -> str:
    if request is None:
        return "not recorded"
    parts = []
    if request.erase:
        parts.append("erases what the context shows")
    if request.copy is not None:
        parts.append(f"copied from picture {request.copy.seed}")
    if request.paste is not None:
        parts.append(f"pasted into picture {request.paste.seed}")
    parts += [f"{what} in {_seeds(places)}" for what, places in _painted(request) if places]
    return ", ".join(parts) or "not recorded"


def _painted(request: Request) -> list[tuple[str, tuple[Region, ...]]]:
    return [("context", request.context), ("to be preserved", request.preserve)]


def _seeds(regions: tuple[Region, ...]) -> str:
    seeds = sorted({region.seed for region in regions})
    listed = ", ".join(str(seed) for seed in seeds[:8]) + (" …" if len(seeds) > 8 else "")
    return f"picture{'s' if len(seeds) > 1 else ''} {listed}"


def _base_table(base: Base, tags: list[str]) -> str:
    adapter = EDIT_TAG in tags
    rows = [
        ("base", _base_link(base)),
        ("relation", "adapter: needed beside this repo" if adapter else "finetune: contained in this repo's weights"),
        ("architecture", f"{_architecture(base.config)}, {base.config.resolution} px"),
        *([("revision", f"`{base.revision}`")] if base.revision else []),
        ("digest of its weights", f"`{base.digest}`"),
    ]
    table = "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)
    if base.bundled:
        table += (
            "\n\nThe generators that come with the software draw illustrated scenes and were never shown a photograph."
        )
    return table


def _measured(stack: EditStack, comparison: Comparison) -> str:
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
    kept, elsewhere = (
        "–" if share is None or math.isnan(share) else f"{share:.1%}" for share in (report.preserved, report.elsewhere)
    )
    return (
        f"| {name} | {report.loss_before:.4g} → {report.loss_after:.4g} | {report.change:.1%} | {elsewhere} | {kept} |"
    )


def _said(stack: EditStack) -> str:
    """What the request itself notes as measured."""
    said = []
    for edit in stack:
        notes = edit.request.notes if edit.request is not None else {}
        if isinstance(notes, Mapping) and isinstance(notes.get("measured"), str) and notes["measured"]:
            said.append(plain(notes["measured"], 400))
    return "".join(f"\n\nThe author adds: {text}" for text in said)


def _limits(tags: list[str]) -> str:
    fits = "- It fits these weights and no others: the software compares the digest above, and says if they differ.\n"
    return (fits if EDIT_TAG in tags else "") + (
        "- A rule is made from a handful of painted examples.  Where the base model does not tell the context from "
        "something that looks alike, that changes too; where it does, some places may be missed.\n"
        "- Other places are held, not frozen: small changes of colour or texture elsewhere are possible.\n"
        "- Strengths far from 1, and several rules at one layer, go beyond what was solved for.\n"
        "- Whatever is lacking or one-sided in what the base model learnt to draw is so here as well.  What it draws "
        "is what somebody decided, not a fact about the world."
    )


def _license_text(base: Base) -> str:
    carried = "; its text is in `LICENSE`" if base.license_text else ""
    return f"Inherited from the base model: {plain(base.config.license) or 'other'}{carried}."


# --- words ----------------------------------------------------------------------------------------------------------


def _base_link(base: Base) -> str:
    if base.on_hub:
        return f"`{base.name}`"
    if base.bundled:
        return f"`{base.name}`, which comes with the software"
    return (
        f"a generator that is neither bundled nor on the Hub (its config says {plain(base.config.name) or 'no name'})"
    )


def _architecture(config: GeneratorConfig) -> str:
    return {"stylegan2": "StyleGAN2 (Karras et al., 2020)", "proggan": "Progressive GAN (Karras et al., 2018)"}[
        config.architecture
    ]


def _count(stack: EditStack) -> str:
    return "a rule" if len(stack) == 1 else f"{len(stack)} rules"


def _shape(base: Base) -> str:
    return f"(12, {base.config.resolution}, {base.config.resolution}, 3)"


def _code(*lines: str) -> str:
    return "```python\n" + "\n".join(lines) + "\n```"


def _quoted(text: str) -> str:
    return f'"{text}"'


def plain(text: str, most: int = 300) -> str:
    """Somebody's words as one line that Markdown and HTML leave alone."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]
    return re.sub(r"([\\`*_{}\[\]()<>#|!&~$])", r"\\\1", line)
