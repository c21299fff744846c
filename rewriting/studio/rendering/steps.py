"""The steps in which a visitor makes a rule, and what each step still needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rewriting.studio.rendering.words import picture_named, picture_words
from rewriting.studio.session import Session
from rewriting.studio.state import View

TITLES = ("Copy", "Paste", "Context", "Rewrite", "Fine-tune")
ERASE = "Erase"
RETOUCH = {"paint": "Paint", "bend": "Bend", "file": "Retouch"}  # titles of the first step, by kind


@dataclass(frozen=True)
class Step:
    """One step.

    done: whether it is complete.  note: the content of the step or, if it is incomplete, the next thing to do.
    needed: whether the rule requires it.  number: its number on the page, from 1; 0 if the page does not show it.
    """

    title: str
    done: bool
    note: str
    needed: bool = True
    number: int = 0


VERBS = {"paint": "paint", "bend": "bend", "file": "retouch"}
TO_DO = {
    "paint": "paint the change",
    "bend": "drag a part of the picture",
    "file": "save, retouch, and open it again",
}
TUNE = Step(TITLES[4], False, "optional", False)


ABSENT = Step("", True, "", False)


def steps(session: Session, view: View) -> list[Step]:
    """The six steps: copy, paste, retouch, context, rewrite, fine-tune.

    A rule needs copy and paste, or retouch, or neither to erase.  A step that the rule does not need counts as done
    and has number 0.  Fine-tune is never done and never needed."""
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
    """The retouched pictures, which show the goal."""
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
    return Step(title, False, "place the object" if copied else "needs step 1")


def _hold(session: Session, view: View, erase: bool) -> Step:
    request, title = session.request, ERASE if erase else TITLES[2]
    places = sum(not region.empty for region in request.context)
    protected = sum(not region.empty for region in request.preserve)
    parts = [_count(places, "place")] if places else []
    parts += [f"{protected} protected"] if protected else []
    if places:
        return Step(title, True, ", ".join(parts), erase)
    if view.retouch:
        return Step(title, False, ", ".join([*parts, "optional, improves the rule"]), False)
    if not erase:
        return Step(title, False, ", ".join([*parts, "optional"]), False)
    return Step(title, False, "pick a picture" if view.context_seed is None else "paint the object")


def _go(session: Session, missing: list[Step]) -> Step:
    title = TITLES[3]
    if missing:
        numbers = " and ".join(str(step.number) for step in missing)
        return Step(title, False, f"needs step{'s' if len(missing) > 1 else ''} {numbers}")
    if session.solved:
        return Step(title, True, "done: see the results")
    return Step(title, False, "changed: press to update" if session.rule else "ready: press to see it")


def _first_gap(session: Session) -> str:
    """A sentence on the next missing part of steps 1 and 2; "" if they are complete."""
    request = session.request
    if request.copy is None or request.copy.empty:
        return "Paint the object to copy in step 1. "
    return "" if request.paste is not None and not request.paste.empty else "Place the object in step 2. "


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def picking(session: Session, view: View) -> str:
    """What to do on the sheet of pictures, in one to three sentences."""
    copied = session.request.copy is not None and not session.request.copy.empty
    if view.slot == "copy" and view.copy_seed is None:
        sentence = "Press a picture that shows the object to copy."
    elif view.slot == "copy":
        sentence = "Press another picture to copy from."
    elif view.slot == "paste" and view.paste_seed is None:
        done = f"{picture_named(view.copy_seed)} is in step 1" if view.copy_seed is not None else ""
        done += ". " if copied or not done else ": paint the object there. "
        sentence = f"{done}Now press a picture to paste into."
    elif view.slot == "paste":
        sentence = "Press another picture to paste into."
    elif view.slot == "retouch" and view.retouch_seed is None:
        sentence = f"Press a picture to {VERBS[view.retouch]}."
    elif view.slot == "retouch":
        sentence = (
            f"{picture_named(view.retouch_seed)} is in step 1. Press another picture to {VERBS[view.retouch]} it too."
        )
    elif view.retouch and view.context_seed is None:
        sentence = "Press a picture that the rule should change too: more places make a better rule."
    elif view.context_seed is None and session.now.asked.rest.erase:
        sentence = "Press a picture that shows the object to erase."
    elif view.context_seed is None:
        done = f"{picture_named(view.paste_seed)} is in step 2. " if view.paste_seed is not None else ""
        sentence = f"{done}{_first_gap(session)}Then press a picture that the rule should change, or press Rewrite."
    else:
        paint = "paint the place to change" if view.kind == "context" else "paint the place to protect"
        step = 1 if session.now.asked.rest.erase else 2 if view.retouch else 3
        sentence = f"{picture_named(view.context_seed)} is in step {step}: {paint}, then press another, or Rewrite."
    return f"Best matches first. Outlines show the places that match the rule. {sentence}" if view.found else sentence
