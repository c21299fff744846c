"""Looking into a rule: what it will reach, what it draws, which layer suits it."""

from __future__ import annotations

from collections.abc import Iterator

from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.exploring import key_matches, layer_chart, values_alone
from rewriting.studio.showing import Updates, shown
from rewriting.studio.workshop import SEARCHED


class Exploring(Events):
    """Events of the tab Explore."""

    def key_matches(self, desk: Desk) -> Iterator[Updates]:
        """The pictures that the painted places match best, bright where they match."""
        yield self._said("Looking…")
        for looked, pictures in key_matches(self.workshop, desk.session):
            said = "Bright: what the rule will reach. Dark: what it leaves alone."
            more = f" {looked} of {SEARCHED} pictures so far…" if looked < SEARCHED else ""
            yield self._said(said + more, pictures)

    def values_alone(self, desk: Desk) -> Updates:
        """What the painted values draw without their surroundings."""
        return self._said("") | {self.parts.explored: values_alone(self.workshop, desk.session)}

    def layer_chart(self, desk: Desk) -> Iterator[Updates]:
        """Try the request at every layer and chart how well each suits; the last line recommends one."""
        p, session = self.parts, desk.session
        session.request.check()
        yield self._said("Trying the layers…") | {p.stop: shown(True)}
        try:
            for _, chart in layer_chart(self.workshop, session):
                yield {p.explored: chart}
        except ValueError:
            yield self._said("") | {p.stop: shown(False)}
            raise
        yield {p.stop: shown(False)}

    def stopped(self) -> Updates:
        """After the trying of layers was stopped."""
        return {self.parts.stop: shown(False)}

    def _said(self, words: str, pictures: list[dict] | None = None) -> Updates:
        p = self.parts
        return {
            p.explored: f"<p class='quiet' role='status'>{words}</p>",
            p.matches: p.matches.show(pictures=pictures or [], visible=True if pictures else "hidden"),
        }
