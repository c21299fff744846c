"""Two sheets: pictures to choose from, and pairs of pictures before and after a rule."""

from typing import Any

from rewriting import checks
from rewriting.generators.latents import picture_number
from rewriting.studio.components.component import StudioComponent, user_event
from rewriting.studio.components.own_picture_tray import picture_name

MAX_PICTURES = 400
_note = checks.text(60)


def _seed(value: Any, name: str) -> int | str:
    return picture_name(value, name) if isinstance(value, str) else picture_number(value, name)


class _Sheet(StudioComponent):
    """A grid whose value is the seed of the selected picture, or the name of a visitor's own picture."""

    select = user_event("select", trigger_mode="always_last")

    def read(self, payload: Any) -> int | str:
        """The selected seed, or the name of a visitor's own picture."""
        return _seed(payload, "The picture's seed")


class PictureSheet(_Sheet):
    """A grid of pictures to choose from, with thumbnails in three sizes; arrow keys move, Enter selects.

    Each picture is {"seed", "image"} with an optional "note" beside the seed, and an optional "outline", the PNG data
    URL of a mask of any size, whose outline is drawn over the picture.
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
            pictures: the pictures in order; seeds must differ.
            count: number of placeholders without pictures.
            loading: whether more pictures will come; then placeholders are shown.
            size: first size of the thumbnails: small, medium or large.
            empty: text without pictures while none are loading.
            label: name of the pictures for screen readers.
            kwargs: options of every gradio component.
        """
        shown = {"pictures": pictures, "count": count, "loading": loading, "size": size, "empty": empty}
        super().__init__(value, shown, label=label, **kwargs)


class PairSheet(_Sheet):
    """Pictures before and after a rule: side by side, under a divider, as a map of change, or after only.

    Each pair is {"seed", "before", "after"} with an optional "change" map and "note". An empty "after" leaves a
    placeholder; if all are empty, the sheet shows single pictures. Without a map the browser computes the difference.
    With `detail`, the event `enlarge` asks for an enlarged pair in full; its value is the seed.
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
            value: the seed of the last pair whose number was pressed.
            pairs: the pairs in order; seeds must differ.
            count: number of placeholders without pairs.
            loading: whether more pictures will come.
            view: first view: pairs, slider, change or after.
            empty: text without pairs while none are loading.
            detail: whether larger versions of the pictures exist.
            closer: the pair of the last event `enlarge`, in full.
            label: name of the pairs for screen readers.
            kwargs: options of every gradio component.
        """
        shown = {"pairs": pairs, "count": count, "loading": loading, "view": view, "empty": empty}
        shown |= {"detail": detail, "closer": closer}
        super().__init__(value, shown, label=label, **kwargs)
