"""How the page writes sentences: as HTML in which nothing of a visitor or a stranger is markup."""

from __future__ import annotations

import html

from rewriting.checks import is_whole
from rewriting.generators.own_picture import Seed


def said(text: str, kind: str = "quiet") -> str:
    """One sentence, "" for none.  kind: "quiet", "good" or "bad"."""
    return f"<p class='{kind}' role='status'>{html.escape(text)}</p>" if text else ""


def quiet(text: str) -> str:
    """One sentence beside other things."""
    return said(text)


def says(title: str, *details: tuple[str, str]) -> str:
    """A title and what is said about it, each a kind and a text; the kind "good" is for what was hoped for."""
    spans = "".join(f"<span class='{kind}'>{html.escape(text)}</span>" for kind, text in details)
    return f"<div class='says' role='status'><strong>{html.escape(title)}</strong>{spans}</div>"


def picture_words(seed: Seed | None) -> str:
    """What a picture is called in a sentence."""
    return f"picture {seed}" if is_whole(seed) else "your picture"


def picture_named(seed: Seed) -> str:
    """The same at the beginning of a sentence."""
    return picture_words(seed).capitalize()


def shown(yes: bool) -> bool | str:
    """Whether a component is visible; hidden ones stay on the page, and keep what the visitor left in them."""
    return True if yes else "hidden"
