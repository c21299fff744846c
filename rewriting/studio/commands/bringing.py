"""The visitor's own pictures: bring one, have the generator draw it, remove it."""

from __future__ import annotations

from typing import Any

from rewriting.core.presets import presets
from rewriting.studio.own_pictures import read_image
from rewriting.studio.remembered import forget
from rewriting.studio.service import Service
from rewriting.studio.state import State


class Bringing:
    """Commands of the tray above the pictures.  `rewriting.studio.jobs` does the inversions."""

    def __init__(self, service: Service):
        self.service = service

    def bring(self, state: State, action: dict[str, Any] | None) -> State:
        """Add a picture, to be drawn by the open generator."""
        if action is None:
            return state
        image, generator = read_image(action["image"]), state.session.generator
        return state.with_(own=state.own.bring(image, generator, self._layer(generator)))

    def draw(self, state: State, action: dict[str, Any] | None) -> State:
        """Have the open generator draw a picture of another generator, or one whose drawing was stopped."""
        if action is None:
            return state
        generator = state.session.generator
        state = state.with_(own=state.own.want(action["id"], generator, self._layer(generator)))
        return state.with_(made={topic: one for topic, one in state.made.items() if topic != "own"})

    def remove(self, state: State, action: dict[str, Any] | None) -> State:
        """Remove a picture and all places on it; undo does not restore them."""
        if action is None:
            return state
        forget()
        return state.without_picture(action["id"])

    def _layer(self, generator: str) -> int:
        """The lowest layer that a rule is likely to change: that of the generator's default and its presets."""
        layers = [one.request.layer for one in presets().values() if one.generator == generator and one.request.layer]
        return min([self.service.about(generator).default_layer, *layers])
