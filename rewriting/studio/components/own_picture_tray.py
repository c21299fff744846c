"""The pictures that a visitor brought: bring one, see how near the generator comes to it, take it away."""

from __future__ import annotations

from typing import Any

from rewriting import checks
from rewriting.studio.components.component import StudioComponent, user_event
from rewriting.studio.own_pictures import MOST, MOST_CHARACTERS, MOST_SIDE, NAME

_sentence = checks.text(200)


def picture_name(value: Any, name: str) -> str:
    """The name of a picture that the visitor brought, like "own-1"."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise checks.refuse(name, 'the name of a picture of your own, like "own-1"', value)
    return value


def image(value: Any, name: str) -> str:
    """A picture as a data URL."""
    if not isinstance(value, str) or not value.startswith("data:image/") or len(value) > MOST_CHARACTERS:
        raise checks.refuse(name, f"a picture as a data URL of at most {MOST_CHARACTERS:,} characters", value)
    return value


class OwnPictureTray(StudioComponent):
    """A button to bring a picture by file, drop, clipboard or camera, of which a square is chosen; and those brought.

    Each picture is {"id", "image", "drawn", "label", "words", "kind"} with, if wanted, "share", how much of the work
    of finding it is done, from 0 to 1, and "draw", what the button says that asks for it. The value is the last
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
            value: the last action; None to begin with.
            pictures: those that were brought, in order; ids must differ.
            side: pixels a side of the square that is sent, at most.
            most: pictures that can be brought.
            label: what the pictures are, read to those who do not see them.
            kwargs: what every gradio component takes.
        """
        super().__init__(value, {"pictures": pictures, "side": side, "most": most}, label=label, **kwargs)

    def read(self, payload: Any) -> dict[str, Any]:
        """The action."""
        kind = payload.get("kind") if isinstance(payload, dict) else None
        what = {"image": image} if kind == "bring" else {"id": picture_name}
        return checks.record({"kind": checks.one_of("bring", "remove", "draw"), **what})(payload, "The action")

    def api_info(self) -> dict[str, Any]:
        """The schema of the value."""
        return {
            "type": "object",
            "description": "the last action on one's own pictures, or null",
            "properties": {
                "kind": {"enum": ["bring", "remove", "draw"]},
                "id": {"type": "string"},
                "image": {"type": "string", "description": "data URL of a PNG, JPEG or WebP"},
            },
            "required": ["kind"],
        }

    def example_payload(self) -> dict[str, Any]:
        """An action."""
        return {"kind": "remove", "id": "own-1"}

    example_value = example_payload
