"""The base class of the studio's components.

All components exchange data between Python and the page in the same way:

* **Down**: Python shows *content* (`image=`, `pictures=`, `pairs=`, `cards=`, `items=`, ...). The constructor takes
  it, and `component.show(pictures=...)` changes it in an event; both check it. Masks, places and rules, which both
  sides change, go down as the `value`.
* **Up**: a person's action comes up as the component's `value`, which is always small, so the component itself is the
  input of the event's function. `preprocess` refuses malformed values and returns:

  | component | event | the function receives |
  | --- | --- | --- |
  | `MaskCanvas` | `input` | boolean array (height, width), or None if nothing is painted |
  | `MaskCanvas` | `press` | {"x", "y", "n"}: where the picture was pressed, in shares of it, and the press's number |
  | `PlacementCanvas` | `input` | {"x", "y", ...}, where the patch is and how it is turned, or None |
  | `RetouchCanvas` | `input` | {"kind": "paint", "bend" or "file", ...}, or None if nothing is retouched |
  | the canvases | `choose` | nothing: a picture is asked for |
  | `PictureSheet`, `PairSheet` | `select` | the picture's seed |
  | `PresetCards` | `select` | the card's name |
  | `RepoCards` | `select` | the repo's id |
  | `ContextTray` | `edit`, `remove`, `add` | {"kind", "index", "id"}; only {"kind": "add"} for `add` |
  | `RuleList` | `input` | {"rows": [...], "action": {"kind", "id", ...}} |

Use these events rather than `change`, which gradio also fires when Python sets a value, so that it causes loops.

People's texts never become markup: templates have no placeholders (gradio would evaluate them as JavaScript template
strings), and scripts set text with `textContent`.
"""

import functools
import html
from abc import ABCMeta
from collections.abc import Callable
from importlib import resources
from typing import Any, ClassVar

import gradio as gr
from gradio.component_meta import updateable
from gradio.events import EventListener

from rewriting.checks import Check


@functools.cache
def static(name: str) -> str:
    """The text of a file of the `static` folder."""
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


def user_event(name: str, *, trigger_mode: str) -> Callable:
    """An event that a person causes.

    By default gradio drops events while it answers an earlier one of the same kind. With the trigger mode
    `always_last` the newest state follows; with `multiple` every action does.
    """
    listen = EventListener(name).listener

    @functools.wraps(listen)
    def listener(block: gr.HTML, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("trigger_mode", trigger_mode)
        return listen(block, *args, **kwargs)

    return listener


class _WithoutStubs(type(gr.HTML)):
    """gradio's metaclass without its habit of writing a `.pyi` file beside the source when a class is defined."""

    def __new__(mcs, name: str, bases: tuple, attrs: dict[str, Any]):
        if "__init__" in attrs:
            attrs["__init__"] = updateable(attrs["__init__"])
        return ABCMeta.__new__(mcs, name, bases, attrs)


class StudioComponent(gr.HTML, metaclass=_WithoutStubs):
    """A `gr.HTML` with its own markup, style and script in `static/<stem>.html|css|js`."""

    stem: ClassVar[str]
    scripts: ClassVar[tuple[str, ...]] = ()  # further files that run before the component's own script
    content: ClassVar[dict[str, Check]]

    def __init__(self, value: Any, shown: dict[str, Any], **kwargs: Any):
        """
        Args:
            value: the initial value, as `postprocess` takes it.
            shown: the initial content, by name.
            kwargs: options of every gradio component (`label`, `elem_id`, `visible`, ...).
        """
        super().__init__(
            value=value,
            html_template=static(f"{self.stem}.html"),
            css_template=static("colours.css") + static("theme.css") + static(f"{self.stem}.css"),
            js_on_load="".join(map(static, ("common.js", *self.scripts, f"{self.stem}.js"))),
            apply_default_css=False,
            **{name: self.content[name](item, name) for name, item in shown.items()},
            **kwargs,
        )

    def __getattr__(self, name: str) -> Any:
        # gr.HTML takes every quoted word of the script for an event; ours are declared on the classes
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def show(self, **changes: Any) -> dict[str, Any]:
        """The update for an event that changes the content of this component.

        Args:
            changes: content by name, and any of `value`, `label`, `visible`.

        Raises:
            ValueError: for an unknown name or wrong content.
        """
        names = [*self.content, "value", "label", "visible"]
        unknown = [name for name in changes if name not in names]
        if unknown:
            raise ValueError(f"{type(self).__name__} shows no {unknown[0]!r}; it shows {', '.join(names)}.")
        return gr.update(**{n: self.content[n](v, n) if n in self.content else v for n, v in changes.items()})

    def read(self, payload: Any) -> Any:
        """Convert a client's payload to the argument of the event's function.  Raises ValueError for a wrong one."""
        raise TypeError(f"{type(self).__name__} is an output only, not an input.")

    def preprocess(self, payload: Any) -> Any:
        """Check a client's payload; an error reaches the person as one sentence."""
        if payload is None or payload == "":
            return None
        try:
            return self.read(payload)
        except ValueError as error:
            said = html.escape(str(error), quote=False)
            raise gr.Error(said[:1].upper() + said[1:], print_exception=False) from error

    def postprocess(self, value: Any) -> Any:
        """Check a value from Python by the same rules."""
        return None if value is None else self.read(value)
