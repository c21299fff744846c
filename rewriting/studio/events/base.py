"""What all events share: the way to what is shown, and how a refusal reaches the visitor."""

from __future__ import annotations

import functools
import html
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Any

import gradio as gr

from rewriting.studio.desk import Desk
from rewriting.studio.ordering import Answering
from rewriting.studio.service import NoTurn, Service, Turn
from rewriting.studio.session import Session
from rewriting.studio.showing import Showing, Updates

REFUSALS = (ValueError, OSError)  # in one sentence, for people
TOLD = 1.0  # seconds of waiting after which visitors are told how many go first, and how often


class Events:
    """show: what the page shows of a desk.

    In each of its parts an event changes the desk first and reads it then: `rewriting.studio.ordering` takes what it
    shows for no older than its last change.
    """

    def __init__(self, show: Showing):
        self.show, self.workshop, self.parts = show, show.workshop, show.parts

    def changed(self, desk: Desk, old: Session, *, afresh: bool = False) -> Iterator[Updates]:
        """After a jump: all that is to be shown otherwise than for the `old` session.  afresh: everything."""
        session = desk.session
        afresh = afresh or (session.generator, session.numbering) != (old.generator, old.numbering)
        redraw = afresh or session.look != old.look or desk.drawn != session.look
        if afresh:
            desk.look(start=0, found=(), outlines=False)
        if redraw:
            desk.look(shown=0)
        searched = self.turn_to_request(desk)
        results = self.show.results(desk) if redraw else iter([{self.parts.headline: self.show.headline(desk)}])
        updates = next(results, {})
        updates |= self.show.request(desk) | self.show.rules(desk)
        if redraw:
            updates |= self.show.picker(desk)
        if afresh or searched:
            updates |= self.show.sheet(desk)
        yield updates
        yield from results

    @staticmethod
    def but(part: Any, updates: Updates) -> Updates:
        """The updates, but for the component that the event came from: it may hold a newer value by now, which the
        next event is to read."""
        return {key: update for key, update in updates.items() if key is not part}

    @staticmethod
    def turn_to_request(desk: Desk) -> bool:
        """Put the pictures that the request speaks of into the canvases; whether this ends a search."""
        searched = bool(desk.view.found)
        desk.see(lambda view, session: view.turned_to(session.request))
        return searched


def polite(
    event: Callable,
    as_before: Callable[[Desk], Updates] | None = None,
    service: Service | None = None,
    *,
    heavy: bool = False,
    returns: bool = False,
    queued: Callable[[Desk, int], Updates] | None = None,
) -> Callable:
    """The event, whose refusals a visitor reads as one sentence.

    as_before: what to show again if it is refused half-way.  service: what it is answered in, and, if it is heavy, in
    turn: an answer in parts waits before each of them.  returns: whether a program that calls the event is to get the
    last of its parts.  queued: what to show while it waits, by how many go first; 0 once it does no longer.
    """
    serving = service.serving if service else nullcontext
    turns = service.turns if service and heavy else lambda: NoTurn

    def refuse(error: Exception) -> gr.Error:
        return gr.Error(html.escape(str(error), quote=False), print_exception=False)

    if not inspect.isgeneratorfunction(event):

        @functools.wraps(event)
        def answer(*arguments: Any) -> Updates:
            answering = _answering(arguments)
            try:
                with serving(), closing(turns()()) as turn:
                    turn.wait()
                    with answering.here():
                        return answering.dated(event(*arguments))
            except REFUSALS as error:
                raise refuse(error) from error

        return answer

    @functools.wraps(event)
    def answers(*arguments: Any) -> Iterator[Updates]:
        turn, answering = turns(), _answering(arguments)
        said = (lambda before: queued(_desk_of(arguments), before)) if queued else None
        try:
            with serving(), closing(event(*arguments)) as parts:
                updates = {}
                while updates is not None:
                    with closing(turn()) as mine:
                        yield from map(answering.dated, _waited(mine, said))
                        with answering.here():
                            updates = next(parts, None)
                    if updates is not None:
                        yield answering.dated(updates)
            if not returns:
                # At the end gradio sends the last part once more, over what another event may have shown since; and
                # it would take silence for an order to empty all outputs.
                yield gr.skip()
        except REFUSALS as error:
            if as_before is not None:
                yield answering.dated(as_before(_desk_of(arguments)))
            raise refuse(error) from error

    return answers


def _desk_of(arguments: Sequence[Any]) -> Desk | None:
    return next((a for a in arguments if isinstance(a, Desk)), None)


def _answering(arguments: Sequence[Any]) -> Answering:
    desk = _desk_of(arguments)
    return Answering(desk.versions if desk else None)


def _waited(turn: Turn | NoTurn, said: Callable[[int], Updates] | None) -> Iterator[Updates]:
    """What to show until the turn has come."""
    if said is None:
        turn.wait()
        return
    last = 0
    while before := turn.wait(TOLD):
        if before != last:
            yield said(before)
        last = before
    if last:
        yield said(0)
