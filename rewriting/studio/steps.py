"""How far a rule in the making is: the five steps, and what each still needs."""

from __future__ import annotations

from dataclasses import dataclass

from rewriting.studio.session import Session
from rewriting.studio.view import View

TITLES = ("Copy", "Paste", "Where it holds", "Rewrite", "Fine-tune")


@dataclass(frozen=True)
class Step:
    """number: 1 to 5.  done: whether it has all it needs.  note: what it has, or needs.  needed: whether the rule
    cannot do without."""

    number: int
    done: bool
    note: str
    needed: bool = True
    erase: bool = False

    @property
    def title(self) -> str:
        return "What disappears" if self.erase else TITLES[self.number - 1]


def steps(session: Session, view: View) -> list[Step]:
    """Steps 1 to 4; the fifth is never needed and never done."""
    erase = session.now.asked.rest.erase
    before = [_hold(session, view, erase)] if erase else [_copy(session, view), _paste(session, view)]
    if not erase:
        before.append(_hold(session, view, erase))
    absent = [step for step in before if step.needed and not step.done]
    if erase:
        before = [Step(1, True, "", False), Step(2, True, "", False), *before]
    return [*before, _go(session, absent)]


def _copy(session: Session, view: View) -> Step:
    copy = session.request.copy
    if copy is not None and not copy.empty:
        return Step(1, True, f"picture {copy.seed}")
    return Step(1, False, "pick a picture" if view.copy_seed is None else "paint the object")


def _paste(session: Session, view: View) -> Step:
    request = session.request
    copied = request.copy is not None and not request.copy.empty
    if copied and request.paste is not None and not request.paste.empty:
        return Step(2, True, f"picture {request.paste.seed}")
    if view.paste_seed is None:
        return Step(2, False, "pick a picture")
    return Step(2, False, "click its place" if copied else "needs step 1")


def _hold(session: Session, view: View, erase: bool) -> Step:
    request = session.request
    places = sum(not region.empty for region in request.context)
    kept = sum(not region.empty for region in request.preserve)
    parts = [_count(places, "place")] if places else []
    parts += [f"{kept} kept"] if kept else []
    if places:
        return Step(3, True, ", ".join(parts), erase, erase)
    if not erase:
        return Step(3, False, ", ".join([*parts, "optional"]), False)
    return Step(3, False, "pick a picture" if view.context_seed is None else "paint it", True, True)


def _go(session: Session, absent: list[Step]) -> Step:
    if absent:
        what = " and ".join(f"{step.title.lower()} ({step.number})" for step in absent)
        return Step(4, False, f"still missing: {what}")
    if session.solved:
        return Step(4, True, "the results show this rule")
    return Step(4, False, "changed: press to see it" if session.rule else "ready: press to see it")


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
        done = f"Picture {view.copy_seed} is in step 1" if view.copy_seed is not None else ""
        done += ". " if copied or not done else ": paint the object there. "
        said = f"{done}Now press the picture to paste into."
    elif view.slot == "paste":
        said = "Press another picture to paste into."
    elif view.context_seed is None and session.now.asked.rest.erase:
        said = "Press a picture that shows what should disappear."
    elif view.context_seed is None:
        done = f"Picture {view.paste_seed} is in step 2. " if view.paste_seed is not None else ""
        said = f"{done}{_first_gap(session)}Then press a picture in which the rule should hold, or Rewrite."
    else:
        paint = "paint the place there" if view.kind == "context" else "paint what must not change there"
        said = f"Picture {view.context_seed} is in step 3: {paint}; then press another, or Rewrite."
    return f"Best matches first; what the rule would reach is outlined. {said}" if view.found else said
