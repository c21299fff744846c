"""The two sheets: pictures to choose from, and pairs of pictures before and after."""

from typing import Any

from rewriting import checks
from rewriting.generators.latents import MAX_SEED, picture_number
from rewriting.studio.components.component import StudioComponent, user_event
from rewriting.studio.components.own_picture_tray import picture_name

MAX_PICTURES = 400
_note = checks.text(60)


def _seed(value: Any, name: str) -> int | str:
    return picture_name(value, name) if isinstance(value, str) else picture_number(value, name)


class _Sheet(StudioComponent):
    """A grid whose value is the seed of the picture a person selected, or the name of one that they brought."""

    select = user_event("select", trigger_mode="always_last")

    def read(self, payload: Any) -> int | str:
        """The selected seed, or the name of a picture that was brought."""
        return _seed(payload, "The picture's seed")

    def api_info(self) -> dict[str, Any]:
        """The schema of the value."""
        description = "seed of the selected picture, the name of one that was brought, like own-1, or null"
        number = {"type": "integer", "minimum": 0, "maximum": MAX_SEED}
        return {"anyOf": [number, {"type": "string"}], "description": description}

    def example_payload(self) -> int:
        """A seed."""
        return 31

    example_value = example_payload


class PictureSheet(_Sheet):
    """A grid of pictures to choose from, with thumbnails in three sizes; arrow keys move, Enter selects.

    Each picture is {"seed", "image"} with, if wanted, a "note" written beside the seed and an "outline", the PNG data
    URL of a mask of any size whose outline is drawn over the picture.
    """

    stem = "picture_sheet"
    content = {
        "pictures": checks.listing(
            checks.record(
                {"seed": _seed, "image": checks.picture},
                {"note": _note, "outline": checks.picture},
            ),
            MAX_PICTURES,
        ),
        "count": checks.whole(0, MAX_PICTURES),
        "loading": checks.flag,
        "size": checks.one_of("small", "medium", "large"),
        "empty": checks.text(200),
    }

    def __init__(
        self,
        value: int | None = None,
        *,
        pictures: list[dict] | tuple = (),
        count: int = 12,
        loading: bool = False,
        size: str = "medium",
        empty: str = "No pictures yet",
        label: str = "Pictures",
        **kwargs: Any,
    ):
        """
        Args:
            value: the seed of the selected picture.
            pictures: what is shown, in order; seeds must differ.
            count: for how many pictures room is kept while there are none.
            loading: whether pictures are on their way; their places are shown.
            size: of the thumbnails to begin with: small, medium or large.
            empty: what is written where there are no pictures and none are on their way.
            label: what the pictures are, read to those who do not see them.
            kwargs: what every gradio component takes.
        """
        shown = {"pictures": pictures, "count": count, "loading": loading, "size": size, "empty": empty}
        super().__init__(value, shown, label=label, **kwargs)


class PairSheet(_Sheet):
    """Pictures before and after a rule: side by side, under a divider, as a map of change, or after only.

    Each pair is {"seed", "before", "after"} with, if wanted, a "change" map and a "note". A pair whose after is the
    empty string keeps its place until the picture comes; while none of them has one, they are single pictures.
    Without a map the difference is computed by the browser.  Where there is more detail than shown, the event
    `enlarge` asks for a pair that is looked at closely; its value is the seed.
    """

    stem = "pair_sheet"
    enlarge = user_event("enlarge", trigger_mode="always_last")
    content = {
        "pairs": checks.listing(
            checks.record(
                {"seed": _seed, "before": checks.picture, "after": checks.picture},
                {"change": checks.picture, "note": _note},
            ),
            MAX_PICTURES,
        ),
        "count": checks.whole(0, MAX_PICTURES),
        "loading": checks.flag,
        "view": checks.one_of("pairs", "slider", "change", "after"),
        "empty": checks.text(200),
        "detail": checks.flag,
        "closer": checks.listing(checks.record({"seed": _seed, "before": checks.picture, "after": checks.picture}), 1),
    }

    def __init__(
        self,
        value: int | None = None,
        *,
        pairs: list[dict] | tuple = (),
        count: int = 12,
        loading: bool = False,
        view: str = "pairs",
        empty: str = "Results appear here",
        detail: bool = False,
        closer: list[dict] | tuple = (),
        label: str = "Before and after",
        **kwargs: Any,
    ):
        """
        Args:
            value: the seed of the pair whose number was pressed last.
            pairs: what is shown, in order; seeds must differ.
            count: for how many pairs room is kept while there are none.
            loading: whether pictures are on their way.
            view: to begin with: pairs, slider, change or after.
            empty: what is written where there are no pairs and none are on their way.
            detail: whether the pictures are larger than these.
            closer: the pair that was asked for last with `enlarge`, in full.
            label: what the pairs are, read to those who do not see them.
            kwargs: what every gradio component takes.
        """
        shown = {"pairs": pairs, "count": count, "loading": loading, "view": view, "empty": empty}
        shown |= {"detail": detail, "closer": closer}
        super().__init__(value, shown, label=label, **kwargs)
