"""Taking rules and pictures home, and bringing rules along."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gradio.processing_utils import save_file_to_cache

from rewriting.studio import sharing
from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.showing import Updates


class Sharing(Events):
    """Events of the panel below."""

    def save_request(self, desk: Desk) -> Updates:
        """The request as JSON."""
        return self._ready(lambda folder: sharing.save_request(desk.session, folder))

    def save_edit(self, desk: Desk) -> Updates:
        """All rules in force as a zip, which opens here, in Python and on the Hub."""
        return self._ready(lambda folder: sharing.save_edit(desk.session, folder))

    def save_sheet(self, desk: Desk) -> Updates:
        """The pictures of the results before and after, as PNG."""
        return self._ready(lambda folder: sharing.save_sheet(self.workshop, desk.session, folder, self._seeds(desk)))

    def save_walk(self, desk: Desk) -> Iterator[Updates]:
        """A walk through the pictures of the results, before beside after, as animated WebP."""
        session, frames = desk.session, []
        with desk.doing("walk", "Walking") as mine:
            yield self.show.busy(desk)
            for frame in sharing.walk_frames(self.workshop, session, self._seeds(desk)):
                frames.append(frame)
                if not mine.say(f"Walking: {len(frames)} of {sharing.WALK_FRAMES} steps"):
                    yield {self.parts.files: None} | self.show.busy(desk)
                    return
                yield self.show.busy(desk)
            ready = self._ready(lambda folder: sharing.save_walk_file(session, folder, frames))
        yield ready | self.show.busy(desk)

    def open_file(self, path: str | None, desk: Desk) -> Iterator[Updates]:
        """Open a request or rules, as they were saved.

        Args:
            path: a file that ends in .json or .zip.
        """
        if path is None:
            return
        yield {self.parts.upload: None}
        found, old = sharing.read_file(path), desk.session
        desk.jump(lambda session: sharing.bring_in(found, session, self.workshop))
        yield from self.changed(desk, old)

    def _seeds(self, desk: Desk) -> list[int]:
        return self.show.result_seeds(desk.session, desk.view)

    def _ready(self, save: Callable[[Path], Path]) -> Updates:
        """A link to a file, which gradio keeps for a while; `save` writes it into a folder."""
        files = self.parts.files
        with tempfile.TemporaryDirectory() as folder:
            return {files: save_file_to_cache(save(Path(folder)), files.GRADIO_CACHE)}
