"""Pictures to choose from, and pictures that show what the rules do."""

from __future__ import annotations

from collections.abc import Iterator

from rewriting.studio.service import PAIRS, Service
from rewriting.studio.state import LAST, PAGE, SLOTS, State
from rewriting.studio.visitor import Task, Visitor


class Pictures:
    """The sheet of pictures and the results."""

    def __init__(self, service: Service):
        self.service = service

    def turn_to(self, state: State, tab: str) -> State:
        """Another tab of the panel on the right."""
        return state.look(tab=tab)

    def pick_picture(self, state: State, name: int | str | None) -> State:
        """Put a picture into the canvas that waits for one; the next canvas waits then.

        name: its number, or that of one that was brought."""
        if name is None:
            return state
        seed = state.own.named(name, state.session.generator)
        state = state.work(state.session.turn_to(state.view.slot, seed))
        return state.with_(view=state.view.pick(seed))

    def await_picture(self, state: State, slot: str) -> State:
        """Which canvas the next picked picture goes to."""
        if slot not in SLOTS:
            raise ValueError(f"There is no canvas {slot!r:.60}; there are {', '.join(SLOTS)}.")
        return state.look(slot=slot)

    def await_copy(self, state: State) -> State:
        """The next picked picture is to be copied from."""
        return state.look(slot="copy", tab="pictures")

    def await_paste(self, state: State) -> State:
        """The next picked picture is to be pasted into."""
        return state.look(slot="paste", tab="pictures")

    def await_context(self, state: State) -> State:
        """The next picked picture is to be painted where the rule should hold."""
        return state.look(slot="context", tab="pictures")

    # --- the sheet --------------------------------------------------------------------------------------------------

    def previous_page(self, state: State) -> State:
        """The pictures before those on the sheet."""
        return state.with_(view=state.view.page(-1))

    def next_page(self, state: State) -> State:
        """The pictures after those on the sheet."""
        return state.with_(view=state.view.page(1))

    def go_to_picture(self, state: State, number: float | None) -> State:
        """The page of the sheet that begins with a picture."""
        start = number or 0
        if not 0 <= start <= LAST or start != int(start):
            raise ValueError(f"There is no picture {start:g}; numbers run from 0 to {LAST}.")
        return state.look(start=int(start), found=())

    def all_pictures(self, state: State) -> State:
        """All pictures again, after a search."""
        return state.without("search").look(start=0, found=())

    def outline_matches(self, state: State, outlines: bool) -> State:
        """Outline, on every sheet of pictures, what the rule would reach."""
        if outlines and all(region.empty for region in state.session.request.places):
            raise ValueError("Nothing is painted that could match; paint a place first.")
        return state.look(outlined=state.session.now.asked if outlines else None)

    def search(self, visitor: Visitor) -> Iterator[Task]:
        """Find the pictures that best match what was painted, and outline the matching places."""
        session = visitor.state.session
        if all(region.empty for region in session.request.places):
            raise ValueError("Nothing is painted that could match; paint a place first.")
        visitor.change(lambda state: state.look(tab="pictures"))
        with visitor.doing("search", "Looking at pictures") as task:
            yield task
            for looked, ranked in self.service.search(session):
                found = {"found": tuple(ranked), "start": 0, "outlined": session.now.asked}
                words = f"Looked at {looked} of {self.service.searched} pictures"
                if not task.change(lambda state, found=found: state.look(**found), words):
                    return
                yield task

    def look_closer(self, state: State, name: int | str | None) -> State:
        """Look at a pair as large as the window allows.  name: as for `pick_picture`."""
        if name is None:
            return state
        state.own.named(name, state.session.generator)  # refuses what is not there
        return state.look(closer=(state.session.look, name))

    # --- results ----------------------------------------------------------------------------------------------------

    def order_results(self, state: State, order: str) -> State:
        """Which pictures the results are shown on: "best" matches with the context, or "random" ones."""
        return state.look(order=order, skipped=0)

    def more_results(self, state: State) -> State:
        """Other unseen pictures, or the first where they were not all drawn."""
        made = state.result("results")
        if made is None or not made.content or not 0 < len(made.content.seeds) == len(made.content.pairs):
            return state.with_(made={topic: one for topic, one in state.made.items() if topic != "results"})
        return state.look(skipped=state.view.skipped + (PAIRS if state.session.rules else PAGE))
