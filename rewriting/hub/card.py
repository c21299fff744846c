"""Model cards: the README.md of a repo, with the YAML that the Hub reads.

The texts are Markdown templates in `templates`.  Names and descriptions are not trusted, so their markup is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewriting.checks import is_whole
from rewriting.core.edit import EditStack
from rewriting.core.request import Request
from rewriting.generators import Generator, GeneratorConfig, bundled
from rewriting.hub.client import REPO_ID, host
from rewriting.hub.comparison import Comparison

TAG, EDIT_TAG, GENERATOR_TAG = "model-rewriting", "rewriting-edit", "rewriting-generator"
YOUR_REPO = "your-name/your-repo"
TEMPLATES = Path(__file__).parent / "templates"
ARCHITECTURES = {
    "stylegan1": "StyleGAN (Karras et al., 2019)",
    "stylegan2": "StyleGAN2 (Karras et al., 2020)",
    "stylegan3": "StyleGAN3 (Karras et al., 2021)",
    "proggan": "Progressive GAN (Karras et al., 2018)",
}

# The Hub's identifiers of licences, from its page on licences; its client has no list of them.
LICENSES = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
    lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
    openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown
    """.split()
)
LICENSE_TEXTS = {"nvidia-source-code-license-nc": "https://nvlabs.github.io/stylegan2/license.html"}


@dataclass(frozen=True)
class Base:
    """The generator of rules.

    name: opens it with `load_generator`; "" if no name does.  revision: commit of the Hub repo, "" without one.
    digest: of its weights.  license_text: content of its LICENSE.
    """

    name: str
    revision: str
    digest: str
    config: GeneratorConfig
    license_text: str

    @classmethod
    def of(cls, generator: Generator) -> Base:
        """From the generator's `source`; without a name if its weights have changed since it was loaded."""
        source, digest = getattr(generator, "source", None), generator.digest()
        if source is None or source.digest != digest:
            return cls("", "", digest, generator.config, source.license_text if source else "")
        return cls(source.name, source.revision, digest, generator.config, source.license_text)

    @property
    def bundled(self) -> bool:
        return self.name in bundled()

    @property
    def repo_id(self) -> str:
        """The Hub repo of the generator, or of the file that it was converted from; "" without one.  The config of a
        bundled generator names its repo as `repo_id`."""
        made_of = self.config.extra.get("base_model")
        named = (
            self.name.partition(":")[0],
            self.config.extra.get("repo_id") if self.bundled else None,
            made_of.get("repo_id") if isinstance(made_of, Mapping) else None,
        )
        return next((name for name in named if isinstance(name, str) and REPO_ID.fullmatch(name)), "")


def rule_card(
    stack: EditStack, base: Base, comparison: Comparison, *, adapter: bool, repo_id: str = "", endpoint: Any = None
) -> str:
    """The README.md of an edit repo (adapter) or of a generator with the rules in its weights."""
    data = _metadata(base.config, [TAG, EDIT_TAG if adapter else GENERATOR_TAG], base, endpoint)
    if base.repo_id:
        data |= {"base_model": base.repo_id, "base_model_relation": "adapter" if adapter else "finetune"}
    if base.bundled:
        data["tags"].append(base_tag(base.name))
    layers = sorted({layer for edit in stack for layer in edit.layers})
    notes = [edit.request.notes for edit in stack if edit.request and isinstance(edit.request.notes, Mapping)]
    return _rendered(
        "rule",
        data,
        title=title(stack),
        adapter=adapter,
        edits=list(stack),
        how_many="a rule" if len(stack) == 1 else f"{len(stack)} rules",
        kilobytes=f"{_bytes(stack) / 1000:,.0f}",
        descriptions=[plain(e.request.description) for e in stack if e.request and e.request.description],
        measured=[plain(said, 400) for n in notes if isinstance(said := n.get("measured"), str) and said],
        comparison=comparison,
        label="" if comparison.label is None else f", label={comparison.label}",
        base=base,
        base_named=_named(base),
        architecture=ARCHITECTURES[base.config.architecture],
        modulated=base.config.architecture in ("stylegan2", "stylegan3"),
        license_named=data.get("license_name") or data["license"],
        learned=any(edit.request and edit.request.retouched for edit in stack),
        layers=f"layer{'s' if len(layers) > 1 else ''} {', '.join(map(str, layers))}",
        shape=_shape(base.config),
        repo_id=repo_id or YOUR_REPO,
        name_of=lambda edit: plain(edit.name) or "–",
        made_from=_made_from,
    )


def generator_card(config: GeneratorConfig, repo_id: str, has_license: bool, endpoint: Any = None) -> str:
    """The README.md of a generator without rules."""
    base = Base("", "", "", config, "yes" if has_license else "")
    data = _metadata(config, [GENERATOR_TAG], base, endpoint)
    if base.repo_id:
        data["base_model"] = base.repo_id
    return _rendered(
        "generator",
        data,
        title=plain(config.name) or repo_id.partition("/")[2],
        description=plain(config.description),
        architecture=ARCHITECTURES[config.architecture],
        config=config,
        made_of=base.repo_id,
        shape=_shape(config),
        repo_id=repo_id,
    )


def base_tag(name: str) -> str:
    """The tag of rules for a bundled generator."""
    return f"rewriting-base-{name}"


def title(stack: EditStack) -> str:
    """A title from the names of the rules."""
    names = [plain(edit.name) for edit in stack if edit.name.strip()]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "A rewritten rule"


def plain(text: str, most: int = 300) -> str:
    """An untrusted text as one line of at most `most` characters, with Markdown and HTML escaped."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]
    return re.sub(r"([\\`*_{}\[\]()<>#|!&~$])", r"\\\1", line)


# --- the YAML --------------------------------------------------------------------------------------------------------


def _rendered(template: str, data: Mapping[str, Any], **words: Any) -> str:
    from huggingface_hub import ModelCard, ModelCardData

    words["citation"] = (TEMPLATES / "citation.md").read_text(encoding="utf-8").rstrip("\n")
    card = ModelCard.from_template(ModelCardData(**data), str(TEMPLATES / f"{template}.md"), **words)
    return str(card).rstrip("\n") + "\n"


def _metadata(config: GeneratorConfig, tags: list[str], base: Base, endpoint: Any) -> dict[str, Any]:
    return {
        **license_data(config, bool(base.license_text), base.repo_id and f"{host(endpoint)}/{base.repo_id}"),
        "library_name": "rewriting",
        "pipeline_tag": "unconditional-image-generation",
        "tags": [config.architecture, "gan", "image-generation", *tags],
    }


def license_data(config: GeneratorConfig, has_text: bool, elsewhere: str = "") -> dict[str, str]:
    """The generator's licence as the Hub's metadata: one of its identifiers, or "other" with a name and a link.

    has_text: whether the repo has a LICENSE.  elsewhere: address of the terms without one.
    """
    if config.license in LICENSES and not (config.license == "unknown" and has_text):
        return {"license": config.license}
    named, link = (config.extra.get(key) for key in ("license_name", "license_link"))
    title = str(named or config.license)
    name = "" if title in ("other", "unknown") else re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-")[:60]
    if has_text:
        link = "LICENSE"
    elif not (isinstance(link, str) and re.fullmatch(r"https?://[!-~]+", link)):
        link = LICENSE_TEXTS.get(name) or elsewhere
    data = {"license": "other", "license_name": name, "license_link": link}
    return {key: value for key, value in data.items() if value}


# --- words -----------------------------------------------------------------------------------------------------------


def _named(base: Base) -> str:
    """The name of the base inside a sentence."""
    if base.bundled:
        return f"`{base.name}`, which comes with the software"
    if base.name:
        return f"`{base.name}`"
    return (
        f"a generator that is neither bundled nor on the Hub (its config says {plain(base.config.name) or 'no name'})"
    )


def _bytes(stack: EditStack) -> int:
    return sum(4 * (change.factor.numel() + change.directions.numel()) for edit in stack for change in edit.changes)


def _shape(config: GeneratorConfig) -> str:
    """The shape of twelve pictures, as text."""
    return f"(12, {config.resolution}, {config.resolution}, 3)"


def _made_from(request: Request | None) -> str:
    """The origin of a rule in a few words."""
    if request is None:
        return "not recorded"
    parts = []
    if request.erase:
        parts.append("erases the context")
    elif request.retouched:
        parts.append(f"learned from retouched {_pictures(request.retouched)}")
    else:
        parts += [f"copied from {_pictures([request.copy])}"] if request.copy is not None else []
        parts += [f"pasted into {_pictures([request.paste])}"] if request.paste is not None else []
    for what, regions in (("context", request.context), ("protected places", request.preserve)):
        if regions:
            parts.append(f"{what} in {_pictures(regions)}")
    return ", ".join(parts) or "not recorded"


def _pictures(regions: Sequence[Any]) -> str:
    """The pictures of some regions, in words."""
    seeds = sorted({region.seed for region in regions if is_whole(region.seed)})
    listed = ", ".join(map(str, seeds[:8])) + (" …" if len(seeds) > 8 else "")
    drawn = [f"picture{'s' if len(seeds) > 1 else ''} {listed}"] if seeds else []
    brought = len({region.seed for region in regions} - set(seeds))
    own = (
        [f"{brought if brought > 1 else 'a'} picture{'s' if brought > 1 else ''} of the author's own"]
        if brought
        else []
    )
    return " and ".join(drawn + own)
