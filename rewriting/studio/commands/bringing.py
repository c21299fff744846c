"""One's own pictures: bring one, let the generator draw it, take it away."""

from __future__ import annotations

from typing import Any

from rewriting.core.presets import presets
from rewriting.studio.own_pictures import read_image
from rewriting.studio.service import Service
from rewriting.studio.state import State


class Bringing:
    """The tray above the pictures.  What is wanted here is found by `rewriting.studio.jobs`."""

    def __init__(self, service: Service):
        self.service = service

    def bring(self, state: State, action: dict[str, Any] | None) -> State:
        """Bring a picture, for the generator that is open to draw."""
        if action is None:
            return state
        image, generator = read_image(action["image"]), state.session.generator
        return state.with_(own=state.own.bring(image, generator, self._layer(generator)))

    def draw(self, state: State, action: dict[str, Any] | None) -> State:
        """Let this generator draw a picture too that was brought for another, or whose search was stopped."""
        if action is None:
            return state
        generator = state.session.generator
        state = state.with_(own=state.own.want(action["id"], generator, self._layer(generator)))
        return state.with_(made={topic: one for topic, one in state.made.items() if topic != "own"})

    def remove(self, state: State, action: dict[str, Any] | None) -> State:
        """Take a picture away, with what was painted on it; undo does not bring it back."""
        return state if action is None else state.without_picture(action["id"])

    def _layer(self, generator: str) -> int:
        """The first that a rule is likely to change: the generator's own choice, or that of one of its presets."""
        layers = [one.request.layer for one in presets().values() if one.generator == generator and one.request.layer]
        return min([self.service.about(generator).default_layer, *layers])
