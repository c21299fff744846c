"""Several events may show the same part of the page, and their answers overtake each other: what is newest stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.utils import is_prop_update

PROPS = "props"  # where gradio gathers the properties that an HTML component has of its own, once an update is ready

_answering: ContextVar[Answering | None] = ContextVar("answering", default=None)


class Versions:
    """Of one desk: counts the changes of what the page shows, and keeps how new each part of the page is.

    An event shows what it read after its own last change; the count then is the version of all that it shows.  Whoever
    makes a later change shows it under a higher version, so nothing is lost if the lower one is left out.
    """

    def __init__(self) -> None:
        self.now, self._shown = 0, dict[tuple[int, str], int]()

    def changed(self) -> None:
        """Count a change; call it under the lock under which the change was made."""
        self.now += 1
        event = _answering.get()
        if event is not None and event.versions is self:
            event.version = self.now

    def show(self, part: tuple[int, str], version: int) -> None:
        """A property of a component is about to be shown."""
        self._shown[part] = max(version, self._shown.get(part, 0))

    def outdated(self, part: tuple[int, str], version: int) -> bool:
        """Whether a newer one is shown, or about to be."""
        return version < self._shown.get(part, 0)


class Answering:
    """One event, while it is being answered.

    versions: of the desk that it is about; None if it is about none, and then it shows things without a version.
    version: of what it shows.
    """

    def __init__(self, versions: Versions | None):
        self.versions, self.version = versions, versions.now if versions else 0

    @contextmanager
    def here(self) -> Iterator[None]:
        """Changes made in this thread are this event's until the context ends."""
        token = _answering.set(self)
        try:
            yield
        finally:
            _answering.reset(token)

    def dated(self, updates: Any) -> Any:
        """Updates with their version, and the word for nothing where there are none; all else as it is."""
        if self.versions is None or not isinstance(updates, dict) or "__type__" in updates:
            return updates
        return Dated(updates, self.versions, self.version) if updates else gr.skip()


class Dated(dict):
    """Updates by component, and the version that they show."""

    def __init__(self, updates: dict[Block, Any], versions: Versions, version: int):
        super().__init__(updates)
        self._versions, self._version = versions, version

    def newest(self) -> dict[Any, Any]:
        """Those of which nothing newer is shown, which are about to be shown now."""
        kept = {block: self._without_old(block, update) for block, update in self.items()}
        for block, update in kept.items():
            for name in _properties(update):
                self._versions.show((block._id, name), self._version)
        return {block: update for block, update in kept.items() if _properties(update)} or gr.skip()

    def still_newest(self, blocks: Sequence[Block], sent: Sequence[Any]) -> list[Any]:
        """What is to be sent, without what has become old while it was made ready."""
        return [self._without_old(*part) for part in zip(blocks, sent, strict=True)]

    def _without_old(self, block: Block, update: Any) -> Any:
        def new(name: str) -> bool:
            return not self._versions.outdated((block._id, name), self._version)

        if not is_prop_update(update):
            return update if new("value") else gr.skip()
        kept = {name: value for name, value in update.items() if new(name)}
        if PROPS in kept:
            kept[PROPS] = {name: value for name, value in kept[PROPS].items() if new(name)}
        return kept


def _properties(update: Any) -> set[str]:
    """Which properties of its component an update sets."""
    return {*update, *update.get(PROPS, ())} - {"__type__", PROPS} if is_prop_update(update) else {"value"}
