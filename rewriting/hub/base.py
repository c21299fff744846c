"""The generator that rules were made for, as a repo names it."""

from __future__ import annotations

from dataclasses import dataclass

from rewriting.generators import Generator, GeneratorConfig, bundled
from rewriting.hub.client import REPO_ID


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
