"""The tab Explore: the matching places of a rule, its copied object, and the best layer for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rewriting.core.layer_choice import recommended
from rewriting.studio.exploration import key_matches, layer_chart, values_alone
from rewriting.studio.rendering.words import quiet
from rewriting.studio.service import Service
from rewriting.studio.state import Explored, State
from rewriting.studio.visitor import Task, Visitor

REACH = "The rule changes the bright places. The number below a picture is its match with the painted places."


class Exploring:
    """Commands of the tab Explore."""

    def __init__(self, service: Service):
        self.service = service

    def key_matches(self, visitor: Visitor) -> Iterator[Task]:
        """Show the pictures that match the painted places best, bright in the matching places."""
        session = visitor.state.session
        if all(region.empty for region in session.request.places):
            raise ValueError("Nothing is painted to match; paint a place first.")
        with visitor.doing("explore", "Looking at pictures") as task:
            task.change(_show(Explored(quiet("Looking…"))))
            yield task
            for looked, pictures in key_matches(self.service, session):
                words = f"Looked at {looked} of {self.service.searched} pictures"
                if not task.change(_show(Explored(quiet(REACH), tuple(pictures))), words):
                    return
                yield task

    def values_alone(self, visitor: Visitor) -> Iterator[Task]:
        """Draw the painted values without their surroundings."""
        session = visitor.state.session
        with visitor.doing("explore", "Drawing") as task:
            yield task
            task.end(_show(Explored(values_alone(self.service, session))))

    def layer_chart(self, visitor: Visitor) -> Iterator[Task]:
        """Try the request at every layer, and chart the results; a sentence recommends the best layer."""
        session = visitor.state.session
        session.request.check()
        if session.now.asked.retouched:
            raise ValueError("Best layer takes a copied or an erased object; a retouched picture uses several layers.")
        with visitor.doing("explore", "Trying layers") as task:
            task.change(_show(Explored(quiet("Trying the layers, one after another…"))))
            yield task
            for trials, chart in layer_chart(self.service, session):
                if not task.change(_show(Explored(chart)), f"Tried layer {trials[-1].layer}"):
                    return
                yield task
            best = recommended(trials)
            used = session.request.layer or self.service.about(session.generator).default_layer
            task.end(_show(Explored(chart, advised=None if best == used else best)))

    def use_layer(self, state: State) -> State:
        """Set the layer that the chart recommends."""
        best = state.explored.advised
        if best is None:
            raise ValueError("No layer has been recommended yet; press Best layer first.")
        layer = self.service.generator(state.session.generator).check_layer(best)
        return state.work(state.session.ask("settings", layer=layer))


def _show(explored: Explored) -> Callable[[State], State]:
    """The change of state that puts findings on the tab."""
    return lambda state: state.with_(explored=explored)
