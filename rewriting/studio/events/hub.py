"""The Hub: open what is there, sign in, publish the rules in force.

A visitor acts with their own token or none.  On a Space it comes with each call, from the Hub's own login; elsewhere
it is the one they typed, kept on their desk and nowhere else, or for whoever runs the studio the machine's login.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import gradio as gr

from rewriting.hub import Account, HubError, account
from rewriting.hub.client import Token, hosted
from rewriting.processes import Progress
from rewriting.studio import hub
from rewriting.studio.desk import Desk
from rewriting.studio.events.base import REFUSALS, Events
from rewriting.studio.hub_view import OWN, HubParts, card, on_space, said, said_of, said_of_account
from rewriting.studio.names import public_name
from rewriting.studio.showing import Updates
from rewriting.studio.view import View

T = TypeVar("T")


class Hub(Events):
    """Events of the tab of the Hub."""

    @property
    def here(self) -> HubParts:
        return self.parts.hub

    # --- opening ----------------------------------------------------------------------------------------------------

    def open_repo(self, repo: str, desk: Desk, oauth: gr.OAuthToken | None = None) -> Iterator[Updates]:
        """Open a generator or rules from the Hub: "name/repo" or "name/repo@revision". Undo goes back.

        Rules are put in force after those that are, or on the generator they were made for, if that is another.
        """
        yield from self._refusing(self.here.opening, self._open(repo or "", desk, oauth))

    def open_found(self, repo: str | None, desk: Desk, oauth: gr.OAuthToken | None = None) -> Iterator[Updates]:
        """Open one of the rules that `find_rules` found, by its id."""
        if repo is None:
            return
        yield {self.here.address: repo}
        yield from self._refusing(self.here.opening, self._open(repo, desk, oauth))

    def _open(self, repo: str, desk: Desk, oauth: gr.OAuthToken | None) -> Iterator[Updates]:
        p, mine, since = self.here, desk.claim("open"), desk.jumps
        yield {p.opening: said("One moment…")}
        token, session = token_of(desk, oauth), desk.session
        brought = yield from self._told(lambda say: hub.bring(self.workshop, session, repo, token, say), p.opening)
        if not mine() or desk.jumps != since:
            yield {p.opening: said("Opened nothing, as you have gone on.")}
            return
        old = desk.session
        desk.jump(lambda session: brought.into(session, self.workshop))
        desk.opened[public_name(brought.key)] = brought.key
        if brought.key != old.generator:
            desk.view = View()
        shown = {p.opening: said(brought.said(), "good"), self.parts.tabs: gr.update(value="results")}
        for updates in self.changed(desk, old):
            yield updates | shown
            shown = {}

    # --- what others published --------------------------------------------------------------------------------------

    def visit_hub(self, tab: str, desk: Desk, oauth: gr.OAuthToken | None = None) -> Iterator[Updates]:
        """When the tab of the Hub is opened: who the visitor is, and what others published."""
        if tab != "hub":
            return
        yield from self._finding("", desk, oauth)
        yield from self._who(desk, oauth)

    def find_rules(self, search: str, desk: Desk, oauth: gr.OAuthToken | None = None) -> Iterator[Updates]:
        """List rules that people published on the Hub, newest first, whose id contains a text."""
        yield from self._finding(search or "", desk, oauth)

    def _finding(self, search: str, desk: Desk, oauth: gr.OAuthToken | None) -> Iterator[Updates]:
        p, mine = self.here, desk.claim("find")
        yield {p.finding: said("Asking the Hub…")}
        try:
            rules = hub.published_rules(self.workshop, search, token_of(desk, oauth))
        except HubError as error:  # a list that does not come is no reason to interrupt anybody
            yield {p.finding: said(str(error), "bad")} if mine() else {}
            return
        if mine():
            none = "Nobody has published a rule of that name." if search else "Nobody has published a rule yet."
            yield {p.finding: "" if rules else said(none), p.found: p.found.show(cards=[card(rule) for rule in rules])}

    # --- signing in -------------------------------------------------------------------------------------------------

    def sign_in(self, token: str, desk: Desk) -> Iterator[Updates]:
        """Sign in to the Hub with a token, for this visit and nobody else; not on a Space, which has its own login."""
        p = self.here
        yield {p.token: "", p.account: said("Asking the Hub who you are…")}
        if on_space():
            raise ValueError("On a Space nobody types a token; sign in with the button of the Hub.")
        if not (token or "").strip():
            yield self._signed(desk, desk.account)
            raise ValueError("Paste a token of the Hub that may write, then sign in.")
        try:
            who = account(token=token, endpoint=self.workshop.endpoint)
        except HubError as error:
            yield self._signed(desk, desk.account) | {p.account: said(str(error), "bad")}
            raise
        desk.token, desk.account = token.strip(), who
        yield self._signed(desk, who)

    def sign_out(self, desk: Desk) -> Updates:
        """Forget the token."""
        desk.token = desk.account = None
        return self._signed(desk, None)

    def _who(self, desk: Desk, oauth: gr.OAuthToken | None) -> Iterator[Updates]:
        if on_space():
            desk.account = None  # who is logged in may have changed
        if desk.account is None and (oauth is not None or not hosted()):
            try:
                desk.account = account(token=token_of(desk, oauth), endpoint=self.workshop.endpoint)
            except HubError:  # nobody is logged in here, or the Hub is silent, which the list has said
                pass
        yield self._signed(desk, desk.account)

    def _signed(self, desk: Desk, who: Account | None) -> Updates:
        p, typed = self.here, desk.token is not None
        names = [(OWN if who is None else f"{who.name} (you)", "")]
        names += [(name, name) for name in (who.organizations if who else ())]
        return {
            p.account: said_of_account(who, typed),
            p.token: gr.update(value="", visible=not typed and not on_space()),
            p.sign_in: gr.update(visible=not typed and not on_space()),
            p.sign_out: gr.update(visible=typed),
            p.namespace: gr.update(choices=names, value=""),
        }

    # --- publishing -------------------------------------------------------------------------------------------------

    def publish_rules(
        self,
        namespace: str,
        name: str,
        what: str,
        visibility: str,
        how: str,
        desk: Desk,
        oauth: gr.OAuthToken | None = None,
    ) -> Iterator[Updates]:
        """Publish the rules in force on the Hub, under the visitor's own name.

        namespace: an organization, or "" for one's own.  name: of the repo; "somebody/repo" where it is to be theirs.
        what: "rules", some kilobytes, or "model", the rewritten generator.  visibility: "public" or "private".
        how: "update", which also creates; "create", which leaves alone what is there; or "pull request".
        """
        name = (name or "").strip()
        repo = f"{namespace}/{name}" if namespace and "/" not in name and name else name
        wish = hub.Wish(repo, full_model=what == "model", private=visibility == "private", how=how)
        yield from self._refusing(self.here.published, self._publish(wish, desk, oauth))

    def _publish(self, wish: hub.Wish, desk: Desk, oauth: gr.OAuthToken | None) -> Iterator[Updates]:
        p, session, token = self.here, desk.session, token_of(desk, oauth)
        yield {p.published: said("One moment…")}
        done = yield from self._told(
            lambda say: hub.publish_rules(self.workshop, session, wish, token, say), p.published
        )
        yield {p.published: said_of(done)}

    # --- telling ----------------------------------------------------------------------------------------------------

    def _told(self, call: Callable[[Progress], T], part: gr.HTML) -> Iterator[Updates]:
        """Show what a call says of its progress, and return what it returns."""
        told = hub.telling(call)
        while True:
            try:
                sentence = next(told)
            except StopIteration as ended:
                return ended.value
            yield {part: said(sentence)}

    @staticmethod
    def _refusing(part: gr.HTML, steps: Iterator[Updates]) -> Iterator[Updates]:
        """A refusal stays to be read after the message has gone."""
        try:
            yield from steps
        except REFUSALS as error:
            yield {part: said(str(error), "bad")}
            raise


def token_of(desk: Desk, oauth: gr.OAuthToken | None) -> Token:
    """The visitor's own token, or None; see `rewriting.hub.client.reading_token` for what that stands for."""
    return oauth.token if oauth is not None else desk.token
