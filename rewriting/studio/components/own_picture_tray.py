"""The tray of a visitor's own pictures: add one, compare it with the generator's drawing, remove it."""

from __future__ import annotations

from typing import Any

from rewriting import checks
from rewriting.studio.components.component import StudioComponent, user_event
from rewriting.studio.own_pictures import MOST, MOST_CHARACTERS, MOST_SIDE, NAME

_sentence = checks.text(200)


def picture_name(value: Any, name: str) -> str:
    """The name of a visitor's own picture, like "own-1"."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise checks.refuse(name, 'the name of a picture of your own, like "own-1"', value)
    return value


def image(value: Any, name: str) -> str:
    """A picture as a data URL."""
    if not isinstance(value, str) or not value.startswith("data:image/") or len(value) > MOST_CHARACTERS:
        raise checks.refuse(name, f"a picture as a data URL of at most {MOST_CHARACTERS:,} characters", value)
    return value


class OwnPictureTray(StudioComponent):
    """A button that adds the square of a picture from a file, a drop, the clipboard or the camera; and a list of them.

    Each picture is {"id", "image", "drawn", "label", "words", "kind"} with an optional "share", the progress of its
    drawing from 0 to 1, and an optional "draw", the text of a button that starts the drawing. The value is the last
    action: {"kind": "bring", "image"}, {"kind": "remove", "id"} or {"kind": "draw", "id"}.
    """

    stem = "own_picture_tray"
    content = {
        "pictures": checks.listing(
            checks.record(
                {"id": picture_name, "image": checks.picture, "drawn": checks.picture, "label": checks.text(80),
                 "words": _sentence, "kind": checks.one_of("quiet", "good", "bad")},
                {"share": checks.number(0, 1), "draw": checks.text(80)},
            ),
            100,
        ),
        "side": checks.whole(16, MOST_SIDE),
        "most": checks.whole(0, 100),
    }  # fmt: skip
    bring = user_event("bring", trigger_mode="multiple")
    remove = user_event("remove", trigger_mode="multiple")
    draw = user_event("draw", trigger_mode="multiple")

    def __init__(
        self,
        value: dict | None = None,
        *,
        pictures: list[dict] | tuple = (),
        side: int = 512,
        most: int = MOST,
        label: str = "Your own pictures",
        **kwargs: Any,
    ):
        """
        Args:
            value: the last action; None at first.
            pictures: the pictures in order; ids must differ.
            side: largest side in pixels of the square that is sent.
            most: largest number of pictures.
            label: name of the pictures for screen readers.
            kwargs: options of every gradio component.
        """
        super().__init__(value, {"pictures": pictures, "side": side, "most": most}, label=label, **kwargs)

    def read(self, payload: Any) -> dict[str, Any]:
        """The action."""
        kind = payload.get("kind") if isinstance(payload, dict) else None
        what = {"image": image} if kind == "bring" else {"id": picture_name}
        return checks.record({"kind": checks.one_of("bring", "remove", "draw"), **what})(payload, "The action")
