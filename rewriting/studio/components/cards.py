"""Preset cards, the tray of context pictures, and the list of rules."""

from typing import Any

from rewriting import checks
from rewriting.studio.components.component import StudioComponent, user_event

MAX_RULES = 64
STRENGTH = (-1.0, 2.0)
"""Range of a rule's strength."""
LATEST = 2**53  # milliseconds; the largest integer that a browser counts exactly

_name = checks.text(80)
_id = checks.text(64)


class PresetCards(StudioComponent):
    """A scrolling row of cards, one for each preset; its value is the name of the selected card.

    Each card is {"name", "title"} with optional thumbnails "before" and "after", and an optional "group"; the cards of
    the group `first` come first.
    """

    stem = "preset_cards"
    content = {
        "cards": checks.listing(
            checks.record(
                {"name": _id, "title": _name},
                {"before": checks.picture, "after": checks.picture, "group": checks.text(200)},
            ),
            200,
        ),
        "first": checks.text(200),
    }
    select = user_event("select", trigger_mode="multiple")

    def __init__(
        self,
        value: str | None = None,
        *,
        cards: list[dict] | tuple = (),
        first: str = "",
        label: str = "Presets",
        **kwargs: Any,
    ):
        """
        Args:
            value: the name of the selected card.
            cards: the cards in order; names must differ.
            first: the group whose cards come first.
            label: name of the cards for screen readers.
            kwargs: options of every gradio component.
        """
        super().__init__(value, {"cards": cards, "first": first}, label=label, **kwargs)

    def read(self, payload: Any) -> str:
        """The name of a card of this component."""
        names = [card["name"] for card in self.props["cards"]]
        name = _id(payload, "The preset")
        if name not in names:
            raise ValueError(f"There is no preset {name!r}; there are {', '.join(names) or 'none'}.")
        return name


class ContextTray(StudioComponent):
    """Thumbnails of painted places: press one to edit it, its cross to remove it, + to add one.

    Each item is {"image"} with an optional "outline" (PNG data URL of a mask of any size), "id", "label", and "tint"
    of the outline like `#3538cd`. The id comes back with the action, so that fast removals hit the right items.
    The value is the last action.
    """

    stem = "context_tray"
    content = {
        "items": checks.listing(
            checks.record(
                {"image": checks.picture},
                {"outline": checks.picture, "id": _id, "label": _name, "tint": checks.colour},
            ),
            200,
        ),
        "hint": checks.text(60),
    }
    edit = user_event("edit", trigger_mode="multiple")
    remove = user_event("remove", trigger_mode="multiple")
    add = user_event("add", trigger_mode="multiple")

    def __init__(
        self,
        value: dict | None = None,
        *,
        items: list[dict] | tuple = (),
        hint: str = "Paint",
        label: str = "Places",
        **kwargs: Any,
    ):
        """
        Args:
            value: the last action; None at first.
            items: the thumbnails in order; ids must differ.
            hint: text of the tile that adds an item.
            label: name of the items for screen readers.
            kwargs: options of every gradio component.
        """
        super().__init__(value, {"items": items, "hint": hint}, label=label, **kwargs)

    def read(self, payload: Any) -> dict[str, Any]:
        """The action: {"kind": "edit" or "remove", "index", "id"} or {"kind": "add"}."""
        kind = payload.get("kind") if isinstance(payload, dict) else None
        what = {"kind": checks.one_of("edit", "remove", "add")}
        if kind in ("edit", "remove"):
            return checks.record({**what, "index": checks.whole(0, 199)}, {"id": _id})(payload, "The action")
        return checks.record(what)(payload, "The action")


_row = checks.record(
    {"id": _id, "name": _name, "strength": checks.number(*STRENGTH), "on": checks.flag},
    {"detail": checks.text(120), "locked": checks.text(400)},
)
_action = checks.record(
    {"kind": checks.one_of("toggle", "strength", "rename", "delete", "move", "duplicate", "reopen"), "id": _id},
    {
        "on": checks.flag,
        "strength": checks.number(*STRENGTH),
        "name": _name,
        "by": checks.whole(-1, 1),
        "time": checks.whole(0, LATEST),
    },
)


class RuleList(StudioComponent):
    """The rules in force, with a switch, name, strength and order, and buttons to reopen, duplicate and delete.

    The value is {"rows": [{"id", "name", "detail", "strength", "on", "locked"}, ...], "action": {"kind", "id", ...}}.
    "locked" is the reason why a rule cannot be reopened, "" or missing for one that can. `rows` is the list after the
    action; adopting it carries out a switch, strength, name, order or deletion. `action` is the
    last action: toggle (with "on"), strength (with "strength"), rename (with "name"), move (with "by", -1 up or 1
    down), delete, duplicate or reopen; the last two do not change `rows`. Two quick actions may arrive in the wrong
    order; "time", in milliseconds and increasing, gives their order. Python sets the whole value or only the rows.
    """

    stem = "rule_list"
    content = {"empty": checks.text(200)}
    input = user_event("input", trigger_mode="multiple")

    def __init__(
        self,
        value: dict | list | None = None,
        *,
        empty: str = "No rules yet: choose a preset or make one",
        label: str = "Rules in force",
        **kwargs: Any,
    ):
        """
        Args:
            value: the rows in order.
            empty: text of an empty list.
            label: name of the list for screen readers.
            kwargs: options of every gradio component.
        """
        super().__init__(value, {"empty": empty}, label=label, **kwargs)

    def read(self, payload: Any) -> dict[str, Any]:
        """{"rows", "action"}, with an action of None at first."""
        rows = checks.listing(_row, MAX_RULES)
        value = checks.record({"rows": rows}, {"action": checks.optional(_action)})(payload, "The list of rules")
        ids = [row["id"] for row in value["rows"]]
        if len(set(ids)) < len(ids):
            raise ValueError("The list of rules has two rows of the same id; give each its own.")
        action = value.get("action")
        if action and action["kind"] != "delete" and action["id"] not in ids:
            raise ValueError(f"The action names the rule {action['id']!r}, which is not in the list.")
        return {"rows": value["rows"], "action": action}

    def postprocess(self, value: dict | list | tuple | None) -> dict[str, Any]:
        """The whole value, from a whole value or from the rows alone."""
        given = {"rows": value} if isinstance(value, list | tuple) else value or {"rows": []}
        return self.read({"rows": given["rows"]})
