"""Cards of Hub repos to open."""

from typing import Any

from rewriting import checks
from rewriting.studio.components.component import StudioComponent, user_event

_id = checks.text(200)
_line = checks.text(120)


class RepoCards(StudioComponent):
    """Cards of published rules; the value is the id of the repo that was pressed last.

    Each card is {"id", "title", "detail"} with optional strips of pictures "before" and "after", which the visitor's
    browser fetches; a missing strip leaves no gap.
    """

    stem = "repo_cards"
    content = {
        "cards": checks.listing(
            checks.record(
                {"id": _id, "title": _id, "detail": _line}, {"before": checks.picture, "after": checks.picture}
            ),
            100,
        ),
    }
    select = user_event("select", trigger_mode="always_last")

    def __init__(
        self,
        value: str | None = None,
        *,
        cards: list[dict] | tuple = (),
        label: str = "Published rules",
        **kwargs: Any,
    ):
        """
        Args:
            value: the id of a repo.
            cards: what is shown, in order; ids must differ.
            label: what the cards are, read to those who do not see them.
            kwargs: what every gradio component takes.
        """
        super().__init__(value, {"cards": cards}, label=label, **kwargs)

    def read(self, payload: Any) -> str:
        """The id of a repo, whose existence is not checked."""
        return _id(payload, "The repo")
