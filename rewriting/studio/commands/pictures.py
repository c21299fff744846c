"""The sheet of pictures to choose from, and the results."""

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
        """Open another tab of the panel on the right."""
        return state.look(tab=tab)

    def pick_picture(self, state: State, name: int | str | None) -> State:
        """Put a picture into the canvas that waits for one; the next canvas waits after that.

        name: the number of the picture, or the name of one of the visitor's own, such as "own-1"."""
        if name is None:
            return state
        seed = state.own.named(name, state.session.generator)
        state = state.work(state.session.turn_to(state.view.slot, seed))
        return state.with_(view=state.view.pick(seed))

    def await_picture(self, state: State, slot: str) -> State:
        """Choose the canvas for the next picked picture."""
        if slot not in SLOTS:
            raise ValueError(f"There is no canvas {slot!r:.60}; there are {', '.join(SLOTS)}.")
        return state.look(slot=slot)

    def await_copy(self, state: State) -> State:
        """Put the next picked picture into the copy canvas."""
        return state.look(slot="copy", tab="pictures")

    def await_paste(self, state: State) -> State:
        """Put the next picked picture into the paste canvas."""
        return state.look(slot="paste", tab="pictures")

    def await_context(self, state: State) -> State:
        """Put the next picked picture into the context canvas."""
        return state.look(slot="context", tab="pictures")

    def choose_class(self, state: State, label: int | None) -> State:
        """Draw another class, and begin a new rule on its pictures; the rules in force stay."""
        if label is None or label == state.session.numbering.label:
            return state
        label = self.service.generator(state.session.generator).check_label(label)
        return state.jump(state.session.choose_class(label))

    # --- the sheet --------------------------------------------------------------------------------------------------

    def previous_page(self, state: State) -> State:
        """Show the previous page of the sheet."""
        return state.with_(view=state.view.page(-1))

    def next_page(self, state: State) -> State:
        """Show the next page of the sheet."""
        return state.with_(view=state.view.page(1))

    def go_to_picture(self, state: State, number: float | None) -> State:
        """Show the page of the sheet that begins with a picture."""
        start = number or 0
        if not 0 <= start <= LAST or start != int(start):
            raise ValueError(f"There is no picture {start:g}; numbers run from 0 to {LAST}.")
        return state.look(start=int(start), found=())

    def all_pictures(self, state: State) -> State:
        """Show all pictures again, after a search."""
        return state.without("search").look(start=0, found=())

    def outline_matches(self, state: State, outlines: bool) -> State:
        """Outline, on every page of the sheet, the places that match the context."""
        if outlines and all(region.empty for region in state.session.request.places):
            raise ValueError("Nothing is painted to match; paint a place first.")
        return state.look(outlined=state.session.now.asked if outlines else None)

    def search(self, visitor: Visitor) -> Iterator[Task]:
        """Find the pictures that match the painted places best, and outline the matching places."""
        session = visitor.state.session
        if all(region.empty for region in session.request.places):
            raise ValueError("Nothing is painted to match; paint a place first.")
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
        """Show a pair as large as the window allows.  name: as for `pick_picture`."""
        if name is None:
            return state
        state.own.named(name, state.session.generator)  # refuses an unknown name
        return state.look(closer=(state.session.look, name))

    # --- results ----------------------------------------------------------------------------------------------------

    def order_results(self, state: State, order: str) -> State:
        """Choose the pictures of the results: the "best" matches with the context, or "random" ones."""
        return state.look(order=order, skipped=0)

    def more_results(self, state: State) -> State:
        """Show other unseen pictures; if drawing was stopped, draw the current ones."""
        made = state.result("results")
        if made is None or not made.content or not 0 < len(made.content.seeds) == len(made.content.pairs):
            return state.with_(made={topic: one for topic, one in state.made.items() if topic != "results"})
        return state.look(skipped=state.view.skipped + (PAIRS if state.session.rules else PAGE))
