"""Model cards: what a reader of a repo learns, and the YAML that the Hub reads above it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rewriting.core.edit import EditStack
from rewriting.generators import GeneratorConfig
from rewriting.hub.base import Base
from rewriting.hub.comparison import Comparison
from rewriting.hub.sections import (
    architecture,
    base_link,
    base_table,
    count,
    fenced,
    license_text,
    limits,
    measured,
    pictures,
    plain,
    quoted,
    rules,
    shape,
    title,
    use_edit,
    use_model,
)

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


def edit_card(stack: EditStack, base: Base, comparison: Comparison, repo_id: str = "") -> str:
    """README.md of an edit repo."""
    data = _metadata(base, [TAG, EDIT_TAG], relation="adapter")
    size = sum(4 * (one.factor.numel() + one.directions.numel()) for edit in stack for one in edit.changes)
    what = "A rule" if len(stack) == 1 else f"{len(stack)} rules"
    intro = (
        f"{what} for {base_link(base)}: not a model, but a change of {size / 1000:,.0f} kB to its weights, which "
        f"makes the model draw by another rule from then on."
    )
    return _document(data, stack, base, comparison, intro, use_edit(stack, base, repo_id or YOUR_REPO))


def model_card(stack: EditStack, base: Base, comparison: Comparison, repo_id: str = "") -> str:
    """README.md of a generator with the rules written into its weights."""
    data = _metadata(base, [TAG, GENERATOR_TAG], relation="finetune")
    intro = (
        f"An image generator: {base_link(base)} with {count(stack)} written into its weights.  Everything else "
        f"about it is as in its base."
    )
    return _document(data, stack, base, comparison, intro, use_model(base, repo_id or YOUR_REPO))


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
        f"It is a {architecture(config)}, of {config.resolution} x {config.resolution} pixels.",
        "## How to use it",
        fenced(
            "from rewriting import Rewriter, load_generator",
            "",
            f"generator = load_generator({quoted(repo_id)})",
            f"pictures = generator.images(range(12))  # uint8, {shape(base)}",
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
    adapter = EDIT_TAG in data["tags"]
    parts = [
        f"# {title(stack)}",
        intro,
        *[plain(edit.request.description) for edit in stack if edit.request and edit.request.description],
        pictures(comparison),
        "## How to use it\n\n" + use,
        "## The rule" + ("s" if len(stack) > 1 else "") + "\n\n" + rules(stack, base),
        "## The base model\n\n" + base_table(base, adapter=adapter),
        "## What was measured\n\n" + measured(stack, comparison),
        "## Limits\n\n" + limits(adapter=adapter),
        "## License\n\n" + license_text(base),
        "## Citation\n\nThe method is that of [*Rewriting a Deep Generative Model*]"
        f"(https://arxiv.org/abs/{PAPER}), ECCV 2020.\n\n" + CITATION,
    ]
    return front_matter(data) + "\n\n".join(parts) + "\n"


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
