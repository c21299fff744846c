"""Sentences of the page as HTML; texts of visitors and strangers are escaped."""

from __future__ import annotations

import html

from rewriting.checks import is_whole
from rewriting.generators.own_picture import Seed


def paragraph(text: str, kind: str = "quiet") -> str:
    """One sentence as HTML, "" for none.  kind: "quiet", "good" or "bad"."""
    return f"<p class='{kind}' role='status'>{html.escape(text)}</p>" if text else ""


def quiet(text: str) -> str:
    """One sentence of the kind "quiet"."""
    return paragraph(text)


def titled(title: str, *details: tuple[str, str]) -> str:
    """A title and details, each a kind and a text; the kind "good" marks an intended effect."""
    spans = "".join(f"<span class='{kind}'>{html.escape(text)}</span>" for kind, text in details)
    return f"<div class='says' role='status'><strong>{html.escape(title)}</strong>{spans}</div>"


def picture_words(seed: Seed | None) -> str:
    """The name of a picture inside a sentence."""
    return f"picture {seed}" if is_whole(seed) else "your picture"


def picture_named(seed: Seed) -> str:
    """The name of a picture at the beginning of a sentence."""
    return picture_words(seed).capitalize()


def visible_if(yes: bool) -> bool | str:
    """The `visible` of a component; a hidden component stays on the page and keeps the visitor's input."""
    return True if yes else "hidden"
