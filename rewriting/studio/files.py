"""The page's events around a rule: looking into it, taking it home, bringing one along."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from rewriting.studio.exploring import key_matches, layer_chart, values_alone
from rewriting.studio.handlers import Handlers, Updates
from rewriting.studio.session import Session
from rewriting.studio.sharing import open_file, save_edit, save_request, save_sheet, save_walk_file
from rewriting.studio.view import View


class Files:
    """Events beside the making of a rule.  handlers: of the page."""

    def __init__(self, handlers: Handlers):
        self.handlers, self.workshop, self.parts = handlers, handlers.workshop, handlers.parts

    # --- explore ----------------------------------------------------------------------------------------------------

    def show_matches(self, session: Session, view: View) -> Updates:
        """The pictures that the painted places match best, bright where they match."""
        p = self.parts
        pictures = key_matches(self.workshop, session)
        says = "<p role='status'>Bright: what the rule will reach. Dark: what it leaves alone.</p>"
        return {p.explored: says, p.matches: p.matches.show(pictures=pictures, visible=True)}

    def show_alone(self, session: Session, view: View) -> Updates:
        """What the painted values draw without their surroundings."""
        p = self.parts
        return {p.explored: values_alone(self.workshop, session), p.matches: gr.update(visible=False)}

    def show_layers(self, session: Session, view: View) -> Iterator[Updates]:
        """Try the request at every layer and chart how well each suits; the last line recommends one."""
        p = self.parts
        session.request.check()
        yield {p.explored: "<p role='status'>Trying the layers…</p>", p.matches: gr.update(visible=False)} | {
            p.stop: gr.update(visible=True)
        }
        for _, chart in layer_chart(self.workshop, session):
            yield {p.explored: chart}
        yield {p.stop: gr.update(visible=False)}

    # --- take home --------------------------------------------------------------------------------------------------

    def save_request(self, session: Session, view: View) -> Updates:
        """The request as JSON."""
        return self._ready(save_request(session))

    def save_edit(self, session: Session, view: View) -> Updates:
        """All rules in force as a zip, which opens here, in Python and on the Hub."""
        return self._ready(save_edit(session))

    def save_sheet(self, session: Session, view: View) -> Updates:
        """Unseen pictures before and after, as PNG."""
        return self._ready(save_sheet(self.workshop, session, self.handlers.result_seeds(session, view)))

    def save_walk(self, session: Session, view: View, progress: gr.Progress = gr.Progress()) -> Updates:  # noqa: B008
        """A walk through the pictures, before beside after, as animated WebP."""
        seeds = self.handlers.result_seeds(session, view)
        return self._ready(save_walk_file(self.workshop, session, seeds, lambda done, what: progress(done, desc=what)))

    def _ready(self, path: object) -> Updates:
        return {self.parts.files: gr.update(value=str(path), visible=True)}

    # --- bring along ------------------------------------------------------------------------------------------------

    def open_file(self, path: str | None, session: Session, view: View) -> Iterator[Updates]:
        """Open a request (.json) or rules (.zip)."""
        if path is None:
            return
        session = open_file(path, session)
        yield {self.parts.upload: None}
        yield from self.handlers.changed(session, view)
