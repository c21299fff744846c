"""Preset rules with their materials and solves, for the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rewriting import Edit, Request, Rewriter, load_generator
from rewriting.generators import Generator
from weights.rules.catalogue import RULES, Recipe
from weights.rules.material import Material, prepare
from weights.rules.measure import Measured, measure
from weights.rules.truth import Truth

COLUMNS = ["rule", "layer", "rank", "locality", "worked", "of", "change there", "elsewhere"]


@dataclass(frozen=True)
class Solved:
    """One solved rule."""

    name: str
    rule: Recipe
    material: Material
    rewriter: Rewriter
    edit: Edit
    truth: Truth

    @property
    def generator(self) -> Generator:
        return self.rewriter.generator

    @property
    def request(self) -> Request:
        return self.material.request

    def measure(self, edits: Sequence[Edit] | None = None) -> Measured:
        """Measure a rule on its own unseen pictures, with its edit alone or with a stack that contains it."""
        return measure(self.rule, self.material, self.generator, [self.edit] if edits is None else edits, self.truth)

    def row(self, measured: Measured) -> list[str | float]:
        """The row of a rule for COLUMNS."""
        settings = self.request.layer, self.request.rank, self.request.locality
        return [self.rule.title, *settings, measured.worked, measured.among, measured.inside, measured.elsewhere]


class Solver:
    """Solves rules by name, and caches generators, scenes and features for further rules of the same kind."""

    def __init__(self) -> None:
        self._rewriters: dict[tuple[str, int], Rewriter] = {}
        self._generators: dict[str, Generator] = {}
        self._truths: dict[str, Truth] = {}

    def generator(self, name: str) -> Generator:
        if name not in self._generators:
            self._generators[name] = load_generator(name)
        return self._generators[name]

    def truth(self, name: str) -> Truth:
        if name not in self._truths:
            self._truths[name] = Truth(name)
        return self._truths[name]

    def rewriter(self, name: str, layer: int) -> Rewriter:
        if (name, layer) not in self._rewriters:
            self._rewriters[name, layer] = Rewriter(self.generator(name), layer)
        return self._rewriters[name, layer]

    def material(self, name: str, **changes: Any) -> Material:
        """A rule's request, with some settings changed, and the pictures for its measurement."""
        rule = RULES[name]
        return prepare(rule, self.truth(rule.generator), **changes)

    def solve(self, name: str, **changes: Any) -> Solved:
        """A solved rule, with some settings changed."""
        rule, material = RULES[name], self.material(name, **changes)
        rewriter = self.rewriter(rule.generator, material.request.layer)
        return Solved(name, rule, material, rewriter, rewriter.solve(material.request), self.truth(rule.generator))
