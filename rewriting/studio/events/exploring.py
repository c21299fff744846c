"""Looking into a rule: what it will reach, what it draws, which layer suits it."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from rewriting.core.layer_choice import recommended
from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.exploring import key_matches, layer_chart, values_alone
from rewriting.studio.showing import Updates, shown

REACH = "Bright: what the rule will reach. Dark: what it leaves alone. The numbers say how strongly a picture matches."


class Exploring(Events):
    """Events of the tab Explore."""

    def key_matches(self, desk: Desk) -> Iterator[Updates]:
        """The pictures that the painted places match best, bright where they match."""
        session = desk.session
        with desk.doing("explore", "Looking at pictures") as mine:
            yield self._said("Looking…") | self.show.busy(desk)
            for looked, pictures in key_matches(self.workshop, session):
                if not mine.say(f"Looked at {looked} of {self.workshop.searched} pictures"):
                    return
                yield self._said(REACH, pictures) | self.show.busy(desk)
        yield self.show.busy(desk)

    def values_alone(self, desk: Desk) -> Updates:
        """What the painted values draw without their surroundings."""
        desk.claim("explore")
        found = values_alone(self.workshop, desk.session)
        return self._said("") | {self.parts.explored: found} | self.show.busy(desk)

    def layer_chart(self, desk: Desk) -> Iterator[Updates]:
        """Try the request at every layer and chart how well each suits; the last line recommends one."""
        p, session = self.parts, desk.session
        session.request.check()
        with desk.doing("explore", "Trying layers") as mine:
            yield self._said("Trying the layers, one after another…") | self.show.busy(desk)
            for found, chart in layer_chart(self.workshop, session):
                if not mine.say(f"Tried layer {found[-1].layer}"):
                    return
                best = recommended(found)
                yield {p.explored: chart, **self.show.busy(desk)}
        if not mine():
            return
        desk.look(advised=best)
        used = session.request.layer or self.workshop.generator(session.generator).config.default_layer
        use = shown(False) if best == used else gr.update(value=f"Use layer {best}", visible=True)
        yield {p.use_layer: use, **self.show.busy(desk)}

    def use_layer(self, desk: Desk) -> Updates:
        """Set the layer that the chart recommends."""
        best, generator = desk.view.advised, self.workshop.generator(desk.session.generator)
        if best is None:
            raise ValueError("No layer has been recommended yet; press Which layer suits first.")
        layer = generator.check_layer(best)
        desk.change(lambda session: session.ask("settings", layer=layer))
        return self.show.request(desk)

    def nothing_found(self, desk: Desk) -> Updates:
        """After a refusal."""
        return self._said("") | self.show.busy(desk)

    def _said(self, words: str, pictures: list[dict] | None = None) -> Updates:
        p = self.parts
        return {
            p.explored: f"<p class='quiet' role='status'>{words}</p>",
            p.matches: p.matches.show(pictures=pictures or [], visible=True if pictures else "hidden"),
            p.use_layer: shown(False),
        }
