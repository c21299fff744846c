"""Two canvases: one to paint a mask on a picture, and one to place a cut-out patch in a picture."""

from typing import Any

import numpy as np

from rewriting import checks
from rewriting.core.masks import MAX_SIDE, decode_mask, encode_mask
from rewriting.core.transform import TAKES
from rewriting.studio.components.component import StudioComponent, user_event

_side = checks.whole(1, MAX_SIDE)
_press_number = checks.whole(0, 2**53)


class MaskCanvas(StudioComponent):
    """Paint a mask on a picture with mouse, touch, pen or keyboard: with a brush, by presses, or with a lasso.

    Keys: B brush, E eraser, S select, L lasso; `[` and `]` size, F fill holes, I invert, G the layer's grid, Ctrl+Z
    and Ctrl+Shift+Z undo and redo (30 steps), Escape cancels the stroke in progress; arrow keys (8 pixels with Shift)
    move the brush and Space paints or presses; + and - zoom and 0 shows the whole picture. With Shift the brush draws
    a straight line from where it ended last.

    The event `press` asks Python what a press on the picture selects; `reach` is the answer, after which the canvas
    grows and shrinks the region by itself, and tells of it with `input`.

    The value is the mask at model resolution, for any display size. When Python sets a value, the canvas adds strokes
    that Python cannot have seen yet, and sends the result with `input`; use `show(value=...)` only in other events
    than the canvas's own `input`. The event `choose` asks for a picture.
    """

    stem = "mask_canvas"
    scripts = ("canvas_view.js", "mask_tools.js")
    content = {
        "image": checks.picture,
        "width": _side,
        "height": _side,
        "tint": checks.colour,
        "brush": checks.whole(0, MAX_SIDE),
        "grid": checks.whole(0, MAX_SIDE),
        "reach": checks.optional(
            checks.record({"n": _press_number, "levels": checks.picture, "size": checks.whole(0, 254)})
        ),
        "empty": checks.text(200),
    }
    input = user_event("input", trigger_mode="always_last")
    choose = user_event("choose", trigger_mode="multiple")
    press = user_event("press", trigger_mode="multiple")

    def __init__(
        self,
        value: np.ndarray | str | None = None,
        *,
        image: str = "",
        width: int = 256,
        height: int = 256,
        tint: str = "",
        brush: int = 0,
        grid: int = 0,
        reach: dict[str, Any] | None = None,
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
            grid: cells a side of the layer, shown on request; 0 for none.
            reach: the answer to the press number `n`: `levels`, a grey picture of the size from which the region
                covers each pixel, 255 for never, and `size`, the first size.
            empty: text in place of the picture.
            label: name of the mask for screen readers.
            kwargs: options of every gradio component.
        """
        shown = {"image": image, "width": width, "height": height, "tint": tint, "brush": brush, "empty": empty}
        shown |= {"grid": grid, "reach": reach}
        super().__init__(value, shown, label=label, **kwargs)

    def read(self, payload: Any) -> np.ndarray | dict[str, Any] | None:
        """Boolean array (height, width) from a PNG data URL; None if nothing is selected; or a press."""
        if isinstance(payload, dict):
            share = checks.number(0, 1)
            return checks.record({"x": share, "y": share, "n": _press_number})(payload, "The press")
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
    """Place a cut-out patch on a picture, and scale, turn and mirror it, with handles, keys and numbers.

    Keys: arrow keys move the patch by one pixel, with Shift by eight; `[` and `]` scale it by one percent, with Shift
    by ten; L and R turn it left and right by one degree, with Shift by 15; M mirrors; Escape cancels a drag. With
    Shift, the handle turns in steps of 15 degrees.

    A patch of `w` x `h` pixels centred at (x, y) covers columns x - w//2 .. x - w//2 + w - 1, and rows likewise. Of a
    scaled or turned patch, (x, y) is the centre of the box of what is opaque. The event `choose` asks for a picture.
    """

    stem = "placement_canvas"
    scripts = ("canvas_view.js",)
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
        value: dict[str, Any] | None = None,
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
            value: {"x", "y"}, the centre of the patch in model pixels, and those of "scale", "turn" and "mirror" that
                change it, see `rewriting.core.transform.Transform`; None without a place.
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

    def read(self, payload: Any) -> dict[str, Any]:
        """{"x", "y"}, each inside the picture, and what changes the patch."""
        across = checks.whole(0, self.props["width"] - 1)
        down = checks.whole(0, self.props["height"] - 1)
        return checks.record({"x": across, "y": down}, TAKES)(payload, "The place")
