"""How far a rule in the making is: its steps, and what each still needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rewriting.studio.session import Session
from rewriting.studio.state import View
from rewriting.studio.words import picture_named, picture_words

TITLES = ("Copy", "Paste", "Where it holds", "Rewrite", "Fine-tune")
ERASED = "What disappears"
RETOUCH = {"paint": "Paint", "bend": "Bend", "file": "Retouch"}  # titles of the first step, by kind


@dataclass(frozen=True)
class Step:
    """done: whether it has all it needs.  note: what it has, or needs.  needed: whether the rule cannot do without.
    number: on the page, from 1; 0 for a step that is not there."""

    title: str
    done: bool
    note: str
    needed: bool = True
    number: int = 0


VERBS = {"paint": "paint", "bend": "bend", "file": "retouch"}
TO_DO = {
    "paint": "paint it as it should look",
    "bend": "drag it to where it should be",
    "file": "save it, retouch it, bring it back",
}
TUNE = Step(TITLES[4], False, "if the result is not right", False)


ABSENT = Step("", True, "", False)


def steps(session: Session, view: View) -> list[Step]:
    """All six: copy, paste, retouch, where it holds, rewrite, fine-tune.

    A rule copies and pastes, or retouches, or erases and does with neither; what is not there is done, and numbered 0.
    The last is never done, nor needed."""
    erase = session.now.asked.rest.erase
    first = [_retouch(session, view)] if view.retouch else [_copy(session, view), _paste(session, view)]
    first = [] if erase else first
    made = [replace(step, number=i) for i, step in enumerate([*first, _hold(session, view, erase)], 1)]
    go = _go(session, [step for step in made if step.needed and not step.done])
    last = [replace(step, number=len(made) + i) for i, step in enumerate([go, TUNE], 1)]
    *first, hold = made
    copy, paste = first if len(first) == 2 else (ABSENT, ABSENT)
    return [copy, paste, first[0] if len(first) == 1 else ABSENT, hold, *last]


def _retouch(session: Session, view: View) -> Step:
    """The pictures that show how it should look."""
    title, count = RETOUCH[view.retouch], len(session.now.asked.retouched)
    if count:
        return Step(title, True, _count(count, "picture"))
    return Step(title, False, "pick a picture" if view.retouch_seed is None else TO_DO[view.retouch])


def _copy(session: Session, view: View) -> Step:
    copy, title = session.request.copy, TITLES[0]
    if copy is not None and not copy.empty:
        return Step(title, True, picture_words(copy.seed))
    return Step(title, False, "pick a picture" if view.copy_seed is None else "paint the object")


def _paste(session: Session, view: View) -> Step:
    request, title = session.request, TITLES[1]
    copied = request.copy is not None and not request.copy.empty
    if copied and request.paste is not None and not request.paste.empty:
        return Step(title, True, picture_words(request.paste.seed))
    if view.paste_seed is None:
        return Step(title, False, "pick a picture")
    return Step(title, False, "click its place" if copied else "needs step 1")


def _hold(session: Session, view: View, erase: bool) -> Step:
    request, title = session.request, ERASED if erase else TITLES[2]
    places = sum(not region.empty for region in request.context)
    kept = sum(not region.empty for region in request.preserve)
    parts = [_count(places, "place")] if places else []
    parts += [f"{kept} kept"] if kept else []
    if places:
        return Step(title, True, ", ".join(parts), erase)
    if view.retouch:
        return Step(title, False, ", ".join([*parts, "optional, makes it better"]), False)
    if not erase:
        return Step(title, False, ", ".join([*parts, "optional"]), False)
    return Step(title, False, "pick a picture" if view.context_seed is None else "paint it")


def _go(session: Session, absent: list[Step]) -> Step:
    title = TITLES[3]
    if absent:
        what = " and ".join(f"{step.title.lower()} ({step.number})" for step in absent)
        return Step(title, False, f"still missing: {what}")
    if session.solved:
        return Step(title, True, "the results show this rule")
    return Step(title, False, "changed: press to see it" if session.rule else "ready: press to see it")


def _first_gap(session: Session) -> str:
    """What steps 1 and 2 still lack, as the beginning of what to do."""
    request = session.request
    if request.copy is None or request.copy.empty:
        return "Paint the object to copy in step 1. "
    return "" if request.paste is not None and not request.paste.empty else "Click in step 2 where it belongs. "


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def picking(session: Session, view: View) -> str:
    """What to do on the sheet of pictures, in one or two sentences."""
    copied = session.request.copy is not None and not session.request.copy.empty
    if view.slot == "copy" and view.copy_seed is None:
        said = "Press the picture that has what you want to copy."
    elif view.slot == "copy":
        said = "Press another picture to copy from."
    elif view.slot == "paste" and view.paste_seed is None:
        done = f"{picture_named(view.copy_seed)} is in step 1" if view.copy_seed is not None else ""
        done += ". " if copied or not done else ": paint the object there. "
        said = f"{done}Now press the picture to paste into."
    elif view.slot == "paste":
        said = "Press another picture to paste into."
    elif view.slot == "retouch" and view.retouch_seed is None:
        said = f"Press the picture that you want to {VERBS[view.retouch]}."
    elif view.slot == "retouch":
        said = f"{picture_named(view.retouch_seed)} is in step 1. Press another to {VERBS[view.retouch]} that too."
    elif view.retouch and view.context_seed is None:
        said = "Press a picture that has such a place too: the more places, the better the rule."
    elif view.context_seed is None and session.now.asked.rest.erase:
        said = "Press a picture that shows what should disappear."
    elif view.context_seed is None:
        done = f"{picture_named(view.paste_seed)} is in step 2. " if view.paste_seed is not None else ""
        said = f"{done}{_first_gap(session)}Then press a picture in which the rule should hold, or Rewrite."
    else:
        paint = "paint the place there" if view.kind == "context" else "paint what must not change there"
        step = 1 if session.now.asked.rest.erase else 2 if view.retouch else 3
        said = f"{picture_named(view.context_seed)} is in step {step}: {paint}; then press another, or Rewrite."
    return f"Best matches first. Outlines show the places that match the rule. {said}" if view.found else said
