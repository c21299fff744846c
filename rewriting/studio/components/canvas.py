"""Two canvases: one to paint a mask on a picture, and one to place a cut-out patch in a picture."""

from typing import Any

import numpy as np

from rewriting import checks
from rewriting.core.masks import MAX_SIDE, decode_mask, encode_mask
from rewriting.studio.components.component import StudioComponent, user_event

_side = checks.whole(1, MAX_SIDE)


class MaskCanvas(StudioComponent):
    """Paint a mask on a picture with mouse, touch, pen or keyboard.

    Keys: `[` and `]` brush size, E eraser, Ctrl+Z and Ctrl+Shift+Z undo and redo (30 steps), Escape cancels the
    stroke in progress; arrow keys (8 pixels with Shift) move the brush and Space paints.

    The value is the mask at model resolution, for any display size. When Python sets a value, the canvas adds strokes
    that Python cannot have seen yet, and sends the result with `input`; use `show(value=...)` only in other events
    than the canvas's own `input`. The event `choose` asks for a picture.
    """

    stem = "mask_canvas"
    content = {
        "image": checks.picture,
        "width": _side,
        "height": _side,
        "tint": checks.colour,
        "brush": checks.whole(0, MAX_SIDE),
        "empty": checks.text(200),
    }
    input = user_event("input", trigger_mode="always_last")
    choose = user_event("choose", trigger_mode="multiple")

    def __init__(
        self,
        value: np.ndarray | str | None = None,
        *,
        image: str = "",
        width: int = 256,
        height: int = 256,
        tint: str = "",
        brush: int = 0,
        empty: str = "Choose a picture to paint on",
        label: str = "Mask",
        **kwargs: Any,
    ):
        """
        Args:
            value: boolean array (height, width) or PNG data URL; None is empty.
            image: URL of the picture to paint on; "" disables painting.
            width: of the mask, in model pixels.
            height: of the mask, in model pixels.
            tint: colour of the selection like `#3538cd`; "" for the theme's accent.
            brush: first diameter of the brush in model pixels; 0 for a tenth of the width.
            empty: text in place of the picture.
            label: name of the mask for screen readers.
            kwargs: options of every gradio component.
        """
        shown = {"image": image, "width": width, "height": height, "tint": tint, "brush": brush, "empty": empty}
        super().__init__(value, shown, label=label, **kwargs)

    def read(self, payload: Any) -> np.ndarray | None:
        """Boolean array (height, width) from a PNG data URL; None if nothing is selected."""
        mask = decode_mask(payload, (self.props["width"], self.props["height"])) > 0
        return mask if mask.any() else None

    def postprocess(self, value: np.ndarray | str | None) -> str:
        """A PNG data URL, white where selected; "" for None."""
        if value is None or isinstance(value, str):
            mask = self.read(value) if value else None
        else:
            mask = np.asarray(value) > 0
            wanted = (self.props["height"], self.props["width"])
            if mask.shape != wanted:
                raise ValueError(f"The mask must have the shape {wanted}, not {mask.shape}.")
        return "" if mask is None else encode_mask(mask)


class PlacementCanvas(StudioComponent):
    """Place a cut-out patch on a picture by dragging, by clicking or with keys.

    The arrow keys move the patch by one pixel, with Shift by eight; Escape cancels a drag. A patch of `w` x `h` pixels
    centred at (x, y) covers columns x - w//2 .. x - w//2 + w - 1, and rows likewise. The event `choose` asks for a
    picture.
    """

    stem = "placement_canvas"
    content = {
        "image": checks.picture,
        "patch": checks.picture,
        "goal": checks.picture,
        "width": _side,
        "height": _side,
        "empty": checks.text(200),
    }
    input = user_event("input", trigger_mode="always_last")
    choose = user_event("choose", trigger_mode="multiple")

    def __init__(
        self,
        value: dict[str, int] | None = None,
        *,
        image: str = "",
        patch: str = "",
        goal: str = "",
        width: int = 256,
        height: int = 256,
        empty: str = "Choose a picture to paste into",
        label: str = "Place",
        **kwargs: Any,
    ):
        """
        Args:
            value: {"x", "y"}, the centre of the patch in model pixels; None without a place.
            image: URL of the destination picture.
            patch: URL of the cut-out, an RGBA picture in model pixels.
            goal: URL of the finished composite, shown in place of the live one until the patch moves.
            width: of the picture, in model pixels.
            height: of the picture, in model pixels.
            empty: text in place of the picture.
            label: name of the patch for screen readers.
            kwargs: options of every gradio component.
        """
        shown = {"image": image, "patch": patch, "goal": goal, "width": width, "height": height, "empty": empty}
        super().__init__(value, shown, label=label, **kwargs)

    def read(self, payload: Any) -> dict[str, int]:
        """{"x", "y"}, each inside the picture."""
        across = checks.whole(0, self.props["width"] - 1)
        down = checks.whole(0, self.props["height"] - 1)
        return checks.record({"x": across, "y": down})(payload, "The place")
