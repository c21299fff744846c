"""Pictures to choose from, and pictures that show what the rules do."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from rewriting.studio.desk import Desk
from rewriting.studio.events.base import Events
from rewriting.studio.showing import Updates
from rewriting.studio.view import LAST, PAGE, SLOTS
from rewriting.studio.workshop import PAIRS


class Pictures(Events):
    """Events on the sheet of pictures and on the results."""

    def pick_picture(self, seed: int | None, desk: Desk) -> Updates:
        """Put a picture into the canvas that waits for one (see `await_picture`); the next canvas waits then.

        Args:
            seed: the picture's number.
        """
        if seed is None:
            return self.show.progress(desk)
        slot = desk.view.slot
        desk.change(lambda session: session.turn_to(slot, seed))
        desk.see(lambda view, _: view.pick(seed))
        return self.show.canvas(desk, slot) | self.show.progress(desk) | self.show.waiting(desk)

    def await_picture(self, slot: str, desk: Desk) -> Updates:
        """Which canvas the next picked picture goes to.

        Args:
            slot: "copy", "paste" or "context".
        """
        if slot not in SLOTS:
            raise ValueError(f"There is no canvas {slot!r}; there are {', '.join(SLOTS)}.")
        desk.look(slot=slot)
        return self.but(self.parts.slot, self.show.waiting(desk))

    def await_copy(self, desk: Desk) -> Updates:
        """The next picked picture is to be copied from."""
        return self._await("copy", desk)

    def await_paste(self, desk: Desk) -> Updates:
        """The next picked picture is to be pasted into."""
        return self._await("paste", desk)

    def await_context(self, desk: Desk) -> Updates:
        """On the next picked picture it will be painted where the rule should hold."""
        return self._await("context", desk)

    def _await(self, slot: str, desk: Desk) -> Updates:
        desk.look(slot=slot)
        return self.show.waiting(desk) | self.show.tab("pictures")

    # --- the sheet --------------------------------------------------------------------------------------------------

    def previous_page(self, desk: Desk) -> Updates:
        """The pictures before those on the sheet."""
        return self._look(desk, start=desk.view.page(-1).start)

    def next_page(self, desk: Desk) -> Updates:
        """The pictures after those on the sheet."""
        return self._look(desk, start=desk.view.page(1).start)

    def go_to_picture(self, number: float | None, desk: Desk) -> Updates:
        """The page of the sheet that begins with a picture.

        Args:
            number: the picture's.
        """
        start = number or 0
        if not 0 <= start <= LAST or start != int(start):
            raise ValueError(f"There is no picture {start:g}; numbers run from 0 to {LAST}.")
        return self._look(desk, start=int(start), found=())

    def all_pictures(self, desk: Desk) -> Updates:
        """All pictures again, after a search."""
        return self._look(desk, start=0, found=())

    def outline_matches(self, outlines: bool, desk: Desk) -> Iterator[Updates]:
        """Outline, on every sheet of pictures, what the rule would reach.

        Args:
            outlines: whether to.
        """
        if outlines and all(region.empty for region in desk.session.request.places):
            raise ValueError("Nothing is painted that could match; paint a place first.")
        with desk.doing("sheet", "Looking for matches") as mine:
            yield self.show.busy(desk)
            desk.look(outlines=bool(outlines))
            sheet = self.show.sheet(desk)
            if not mine():
                return
            yield sheet
        yield self.show.busy(desk)

    def no_outlines(self, desk: Desk) -> Updates:
        """After a refusal."""
        return {self.parts.outlines: gr.update(value=desk.view.outlines)} | self.show.busy(desk)

    def _look(self, desk: Desk, **changes: object) -> Updates:
        old, _ = desk.view, desk.claim("sheet")
        try:
            desk.look(**changes)
            return self.show.sheet(desk) | self.show.busy(desk)
        except ValueError:
            desk.look(**{name: getattr(old, name) for name in changes})
            raise

    def search(self, desk: Desk) -> Iterator[Updates]:
        """Find the pictures that best match what was painted, and outline the matching places."""
        session = desk.session
        with desk.doing("sheet", "Looking at pictures") as mine:
            yield self.show.tab("pictures") | self.show.busy(desk)
            for looked, ranked in self.workshop.search(session):
                said = f"Looked at {looked} of {self.workshop.searched} pictures"
                if desk.session.generator != session.generator or not mine.say(said):
                    return
                desk.look(found=tuple(ranked), start=0, outlines=True)
                yield self.show.sheet(desk) | self.show.busy(desk)
        yield self.show.busy(desk)

    # --- results ----------------------------------------------------------------------------------------------------

    def order_results(self, order: str, desk: Desk) -> Iterator[Updates]:
        """Which pictures the results are shown on.

        Args:
            order: "best" for those that match the context best, "random" for any.
        """
        desk.look(order=order, shown=0)
        yield {self.parts.pairs: self.parts.pairs.show(loading=True)}
        yield from self.show.results(desk)

    def more_results(self, desk: Desk) -> Iterator[Updates]:
        """Other unseen pictures, or the first where none were drawn."""
        if desk.drawn == desk.session.look:
            desk.look(shown=desk.view.shown + (PAIRS if desk.session.rules else PAGE))
        yield {self.parts.pairs: self.parts.pairs.show(loading=True)}
        yield from self.show.results(desk)
