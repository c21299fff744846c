"""The tab of the Hub: open generators and rules, sign in, publish the rules in force.

A visitor acts with their own token or none.  On a Space the Hub's login sends the token with each call; elsewhere the
visitor types it, and only the `Visitor` keeps it.  The person who runs the studio has this machine's login.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import gradio as gr

from rewriting.hub import Choice, HubError, SeveralFiles, account
from rewriting.hub.client import Token, hosted
from rewriting.processes import Progress
from rewriting.studio import hub_access
from rewriting.studio.generator_keys import public_name
from rewriting.studio.rendering.hub_view import on_space
from rewriting.studio.service import Service
from rewriting.studio.state import NOTHING, State
from rewriting.studio.visitor import Task, Visitor

T = TypeVar("T")
WAIT = ("One moment…", "quiet")
MOST_CHOICES = 200
LEFT = ("Not opened, because you went on with something else.", "quiet")


class Hub:
    """Commands of the tab of the Hub."""

    def __init__(self, service: Service):
        self.service = service

    # --- opening ----------------------------------------------------------------------------------------------------

    def open_repo(self, visitor: Visitor, repo: str, oauth: gr.OAuthToken | None = None) -> Iterator[Task]:
        """Open a generator or rules from the Hub: "name/repo" or "name/repo@revision".  Undo goes back.

        Rules come into force after the present ones; rules for another generator open that generator first.
        """
        yield from self._open(visitor, repo or "", (), oauth)

    def open_file(self, visitor: Visitor, name: str | None, oauth: gr.OAuthToken | None = None) -> Iterator[Task]:
        """Open one of the offered files of a repo, by its name."""
        if name:
            yield from self._open(visitor, name, visitor.state.hub.choices, oauth)

    def _open(
        self, visitor: Visitor, repo: str, choices: tuple[Choice, ...], oauth: gr.OAuthToken | None
    ) -> Iterator[Task]:
        """choices: files to offer again if this one cannot be opened."""
        session, token = visitor.state.session, token_of(visitor, oauth)
        with visitor.doing("open") as task:
            task.change(
                lambda state: state.tell(
                    address=repo, opening=WAIT, choices=choices, offered=None, last_opening=task.number
                )
            )
            yield task
            try:
                brought = yield from self._with_progress(
                    task, "opening", lambda say: hub_access.bring(self.service, session, repo, token, say)
                )
                if not task.end(lambda state: self._offer_or_use(state, brought)):
                    visitor.change(lambda state: _left(state, task))
            except SeveralFiles as error:
                question = f"{error.where} holds {len(error.choices)} files that may be generators; choose one."
                several = error.choices[:MOST_CHOICES]
                task.change(lambda state: state.tell(opening=(question, "quiet"), choices=several))
            except (ValueError, OSError) as error:  # the tab keeps the sentence after the message has gone
                sentence = str(error)
                task.change(lambda state: state.tell(opening=(sentence, "bad")))
                raise

    def open_found(self, visitor: Visitor, repo: str | None, oauth: gr.OAuthToken | None = None) -> Iterator[Task]:
        """Open one of the rules that `find_rules` found, by its id."""
        if repo is not None:
            yield from self.open_repo(visitor, repo, oauth)

    def _offer_or_use(self, state: State, brought: hub_access.Brought) -> State:
        """The state with the opened generator and rules in use.

        A generator from another program, which the visitor has not used before, is only offered: the visitor reads its
        facts and its licence first."""
        if brought.foreign and brought.key not in state.opened.values():
            return state.tell(opening=(brought.offered(), "quiet"), offered=brought)
        return self._use(state, brought)

    def use_offered(self, state: State) -> State:
        """Use the offered generator."""
        if state.hub.offered is None:
            raise ValueError("Nothing is waiting to be used; open a generator or rules first.")
        return self._use(state, state.hub.offered)

    def _use(self, state: State, brought: hub_access.Brought) -> State:
        session = brought.into(state.session, self.service)
        if brought.key != state.session.generator:
            state = state.with_(view=state.view.fresh())
        opened = {**state.opened, public_name(brought.key): brought.key}
        state = state.jump(session).with_(opened=opened).look(tab="results")
        return state.tell(opening=(brought.said(), "good"), choices=(), offered=None)

    # --- published rules --------------------------------------------------------------------------------------------

    def visit(self, visitor: Visitor, tab: str, oauth: gr.OAuthToken | None = None) -> Iterator[Task]:
        """Open a tab; the tab of the Hub also asks for the visitor's account and for published rules."""
        visitor.change(lambda state: state.look(tab=tab))
        if tab == "hub":
            yield from self.find_rules(visitor, "", oauth)
            self._find_account(visitor, oauth)

    def find_rules(self, visitor: Visitor, search: str, oauth: gr.OAuthToken | None = None) -> Iterator[Task]:
        """List rules that people published on the Hub, newest first.  search: a part of the repo's id, or ""."""
        token = token_of(visitor, oauth)
        with visitor.doing("find") as task:
            task.change(lambda state: state.tell(finding=("Asking the Hub…", "quiet")))
            yield task
            try:
                rules = tuple(hub_access.published_rules(self.service, search or "", token))
            except HubError as error:  # a missing list is no reason to interrupt a visitor
                sentence = str(error)
                task.end(lambda state: state.tell(finding=(sentence, "bad")))
                return
            none = "No published rule has that name." if search else "Nobody has published a rule yet."
            task.end(lambda state: state.tell(finding=NOTHING if rules else (none, "quiet"), found=rules))

    # --- signing in -------------------------------------------------------------------------------------------------

    def sign_in(self, visitor: Visitor, token: str) -> Iterator[Task]:
        """Sign in to the Hub with a token, for this visit and nobody else; not on a Space, which has its own login."""
        visitor.forget("token", "value")
        with visitor.doing("account") as task:
            task.change(lambda state: state.tell(asking=("Asking the Hub who you are…", "quiet")))
            yield task
            try:
                if on_space():
                    raise ValueError("A Space takes no token; sign in with the button of the Hub.")
                if not (token or "").strip():
                    raise ValueError("The token is missing; paste a Hub token with write access.")
                user = account(token=token, endpoint=self.service.endpoint)
            except HubError as error:
                sentence = str(error)
                task.end(lambda state: state.tell(asking=(sentence, "bad"), account_known=True))
                raise
            except ValueError:
                task.end(lambda state: state.tell(asking=NOTHING, account_known=True))
                raise
            visitor.token = token.strip()
            self._forget_owner(visitor)
            task.end(lambda state: state.tell(asking=NOTHING, account_known=True, account=user, typed=True))

    def sign_out(self, visitor: Visitor) -> Iterator[dict]:
        """Forget the token."""
        visitor.token = None
        self._forget_owner(visitor)
        visitor.change(lambda state: state.tell(asking=NOTHING, account=None, typed=False))
        yield {}

    def _find_account(self, visitor: Visitor, oauth: gr.OAuthToken | None) -> None:
        """Ask for the visitor's account, if it is not known yet."""
        known = None if on_space() else visitor.state.hub.account  # on a Space the login may have changed
        if known is None and (oauth is not None or not hosted()):
            try:
                known = account(token=token_of(visitor, oauth), endpoint=self.service.endpoint)
            except HubError:  # no login, or no answer, which the list of rules has reported
                pass
        if known != visitor.state.hub.account:
            self._forget_owner(visitor)
        visitor.change(lambda state: state.tell(account=known, account_known=True))

    @staticmethod
    def _forget_owner(visitor: Visitor) -> None:
        """Reset the choice of an owner: another account may publish elsewhere."""
        visitor.forget("namespace", "value")

    # --- publishing -------------------------------------------------------------------------------------------------

    def publish_rules(
        self,
        visitor: Visitor,
        namespace: str,
        name: str,
        what: str,
        visibility: str,
        how: str,
        with_pictures: bool = False,
        oauth: gr.OAuthToken | None = None,
    ) -> Iterator[Task]:
        """Publish the rules in force on the Hub, under the visitor's own name.

        namespace: an organization, or "" for the visitor's own.  name: of the repo; "owner/repo" names the owner, too.
        what: "rules", some kilobytes, or "model", the rewritten generator.  visibility: "public" or "private".
        how: "update", which also creates; "create", which refuses an existing repo; or "pull request".
        with_pictures: whether to publish the visitor's own pictures, too.
        """
        name = (name or "").strip()
        repo = f"{namespace}/{name}" if namespace and "/" not in name and name else name
        wish = hub_access.Wish(
            repo, full_model=what == "model", private=visibility == "private", how=how, pictures=bool(with_pictures)
        )
        session, token = visitor.state.session, token_of(visitor, oauth)
        with visitor.doing("publish") as task:
            task.change(lambda state: state.tell(published=WAIT))
            yield task
            try:
                outcome = yield from self._with_progress(
                    task, "published", lambda say: hub_access.publish_rules(self.service, session, wish, token, say)
                )
            except (ValueError, OSError) as error:
                sentence = str(error)
                visitor.change(lambda state: state.tell(published=(sentence, "bad")))
                raise
            visitor.change(lambda state: state.tell(published=outcome))

    @staticmethod
    def _with_progress(task: Task, part: str, call: Callable[[Progress], T]) -> Iterator[Task]:
        """Show the progress of a call, and return its result."""
        sentences = hub_access.telling(call)
        while True:
            try:
                sentence = next(sentences)
            except StopIteration as end:
                return end.value
            task.change(lambda state, progress=(sentence, "quiet"): state.tell(**{part: progress}))
            yield task


def _left(state: State, task: Task) -> State:
    """Says that a cancelled opening brought nothing, unless another opening has begun since and says more."""
    return state.tell(opening=LEFT) if state.hub.last_opening == task.number else state


def token_of(visitor: Visitor, oauth: gr.OAuthToken | None) -> Token:
    """The visitor's own token, or None; `rewriting.hub.client.reading_token` explains None."""
    return oauth.token if oauth is not None else visitor.token
