"""Saving rules and pictures to files, and opening files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from rewriting.checks import one_of
from rewriting.core.animation import endings
from rewriting.core.edit import EditStack
from rewriting.core.request import Request
from rewriting.studio import sharing
from rewriting.studio.service import Service
from rewriting.studio.state import State
from rewriting.studio.visitor import Task, Visitor

Handed = dict[str, Any]  # by component


class Saving:
    """Commands of the panel for files."""

    def __init__(self, service: Service):
        self.service = service

    def save_request(self, visitor: Visitor) -> Iterator[Handed]:
        """Save the current request as JSON."""
        yield _ready(lambda folder: sharing.save_request(visitor.state.session, folder))

    def save_edit(self, visitor: Visitor) -> Iterator[Handed]:
        """Save all rules in force as a zip, for the studio, Python and the Hub."""
        yield _ready(lambda folder: sharing.save_edit(visitor.state.session, folder))

    def save_sheet(self, visitor: Visitor) -> Iterator[Task | Handed]:
        """Save the pictures of the results, before and after, as PNG; those of the visitor come first."""
        state, seeds = visitor.state, _of_results(visitor.state)
        with visitor.doing("sheet file", "Drawing") as task:
            yield task
            yield _ready(
                lambda folder: sharing.save_sheet(self.service, state.session, folder, seeds, state.ruled_pictures)
            )

    def save_walk(self, visitor: Visitor, ending: str) -> Iterator[Task | Handed]:
        """Save a walk through the pictures of the results, before beside after, as an animation.

        ending: ".webp", ".gif" or, with ffmpeg, ".mp4"."""
        one_of(*endings())(ending, "The format")
        session, seeds, frames = visitor.state.session, _of_results(visitor.state), []
        without = ", without your own pictures" if visitor.state.own.of(session.generator) else ""
        with visitor.doing("walk", "Walking") as task:
            yield task
            for frame in sharing.walk_frames(self.service, session, seeds):
                frames.append(frame)
                if not task.say(f"Walking: {len(frames)} of {sharing.WALK_FRAMES} steps{without}"):
                    return
                yield task
            ready = _ready(lambda folder: sharing.save_walk(session, folder, frames, ending))
            task.end()
            yield ready

    def open_file(self, visitor: Visitor, path: str | None) -> Iterator[Handed]:
        """Open a saved request or saved rules: a .json or .zip file."""
        if path is None:
            return
        yield {"upload": None}
        content = sharing.read_file(path)
        claim = sharing.claim(content, visitor.state.session)
        if claim and claim != visitor.state.claimed:
            visitor.change(lambda state: replace(state, claimed=claim))
            raise ValueError(sharing.whose_pictures(visitor.state.session))
        visitor.change(lambda state: self._brought_in(content, state))

    def _brought_in(self, content: Request | EditStack, state: State) -> State:
        if isinstance(content, Request):  # the visitor may have its missing pictures
            content = content.with_pictures(state.own.of(state.session.generator).values())
        return state.jump(sharing.bring_in(content, state.session, self.service))


def _of_results(state: State) -> list[int]:
    if not state.seeds:
        raise ValueError("The results are not drawn yet; save them when they are.")
    return list(state.seeds)


def _ready(save: Callable[[Path], Path]) -> Handed:
    """A download link for a file.  save: writes the file into a folder, and returns its path."""
    with tempfile.TemporaryDirectory() as folder:
        return {"files": save_file_to_cache(save(Path(folder)), get_upload_folder())}
