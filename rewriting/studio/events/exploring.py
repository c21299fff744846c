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
        p, session, mine = self.parts, desk.session, desk.take_turn("explore")
        yield self._said("Looking…") | {p.stop: shown(True)}
        for looked, pictures in key_matches(self.workshop, session):
            if not mine():
                return
            more = f" {looked} of {SEARCHED} pictures so far…" if looked < SEARCHED else ""
            yield self._said(f"Bright: what the rule will reach. Dark: what it leaves alone.{more}", pictures)
        yield {p.stop: shown(False)}

    def values_alone(self, desk: Desk) -> Updates:
        """What the painted values draw without their surroundings."""
        desk.take_turn("explore")
        found = values_alone(self.workshop, desk.session)
        return self._said("") | {self.parts.explored: found, self.parts.stop: shown(False)}

    def layer_chart(self, desk: Desk) -> Iterator[Updates]:
        """Try the request at every layer and chart how well each suits; the last line recommends one."""
        p, session, mine = self.parts, desk.session, desk.take_turn("explore")
        session.request.check()
        yield self._said("Trying the layers, one after another…") | {p.stop: shown(True)}
        for _, chart in layer_chart(self.workshop, session):
            if not mine():
                return
            yield {p.explored: chart}
        yield {p.stop: shown(False)}

    def stop(self, desk: Desk) -> Updates:
        """Stop looking or trying; what was found stays."""
        desk.take_turn("explore")
        return {self.parts.stop: shown(False)}

    def nothing_found(self, desk: Desk) -> Updates:
        """After a refusal."""
        return self._said("") | {self.parts.stop: shown(False)}

    def _said(self, words: str, pictures: list[dict] | None = None) -> Updates:
        p = self.parts
        return {
            p.explored: f"<p class='quiet' role='status'>{words}</p>",
            p.matches: p.matches.show(pictures=pictures or [], visible=True if pictures else "hidden"),
        }
