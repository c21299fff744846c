"""The canvas for retouching a picture: paint on it, bend it, or open a file from another program."""

from typing import Any

from rewriting import checks
from rewriting.core.retouch import KINDS, MAX_POINTS
from rewriting.studio.components.component import StudioComponent, user_event

MAX_STROKES, MAX_STEPS = 400, 400  # of a painted picture, and points of a stroke

_share = checks.number(-1, 2)
_point = checks.listing(_share, 2)
_stroke = checks.record(
    {"size": checks.number(0, 2), "soft": checks.number(0, 1), "points": checks.listing(_point, MAX_STEPS)},
    {"colour": checks.colour},
)
_made = checks.record(
    {"kind": checks.one_of(*KINDS)},
    {
        "layer": checks.picture,
        "picture": checks.picture,
        "strokes": checks.listing(_stroke, MAX_STROKES),
        "points": checks.listing(checks.listing(_share, 4), MAX_POINTS),
        "reach": checks.number(0.01, 1),
    },
)


class RetouchCanvas(StudioComponent):
    """Retouch a picture: paint on it, bend it, or open a retouched file from another program.

    Paint: `[` and `]` brush size, B brush, E eraser back to the picture, P takes a colour from the picture; arrow
    keys (8 pixels with Shift) move the brush and Space paints.  Bend: drag a point, press to pin one, press twice to
    remove it; arrow keys move the cursor, Space takes hold of a point there or lets it go, Delete removes it.
    Ctrl+Z and Ctrl+Shift+Z undo and redo; Escape cancels the action in progress.

    The value is the retouch: {"kind": "paint", "layer", "strokes"}, {"kind": "bend", "points", "reach"} or {"kind":
    "file", "layer"}.  `layer` is a square PNG data URL with the new colours, transparent where nothing changed;
    `points` are [x, y, x', y'] in shares of the side: the content at (x, y) moves to (x', y'), with its surroundings
    within `reach`.  A file that was just opened comes up as {"kind": "file", "picture"}; Python answers with the layer
    of its changes.  The event `choose` asks for a picture.
    """

    stem = "retouch_canvas"
    content = {
        "image": checks.picture,
        "kind": checks.one_of(*KINDS),
        "drawn": checks.picture,
        "file_name": checks.text(80),
        "note": checks.text(200),
        "empty": checks.text(200),
    }
    input = user_event("input", trigger_mode="always_last")
    choose = user_event("choose", trigger_mode="multiple")

    def __init__(
        self,
        value: dict[str, Any] | None = None,
        *,
        image: str = "",
        kind: str = "paint",
        drawn: str = "",
        file_name: str = "picture.png",
        note: str = "",
        empty: str = "Pick a picture to retouch",
        label: str = "How it should look",
        **kwargs: Any,
    ):
        """
        Args:
            value: the retouch, see above; None without one.
            image: URL of the picture to retouch; "" disables retouching.
            kind: the way of retouching: "paint", "bend" or "file".
            drawn: URL of the generator's picture under the rule, shown beside it.
            file_name: name of the file for saving the picture.
            note: a sentence below the canvas.
            empty: text in place of the picture.
            label: name of the canvas for screen readers.
            kwargs: options of every gradio component.
        """
        shown = {"image": image, "kind": kind, "drawn": drawn, "file_name": file_name, "note": note, "empty": empty}
        super().__init__(value, shown, label=label, **kwargs)

    def read(self, payload: Any) -> dict[str, Any] | None:
        """The retouch."""
        made = _made(payload, "The retouched picture")
        if any(len(point) != 4 for point in made.get("points", ())):
            raise ValueError("A point is four numbers, [x, y, x', y'], in shares of the picture.")
        return made
