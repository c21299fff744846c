"""The tab of the Hub: open generators and rules, sign in, publish the rules in force."""

from __future__ import annotations

import html
import os

import gradio as gr

from rewriting.hub import Account, Published, PublishedRule
from rewriting.hub.card import base_tag
from rewriting.hub.client import hosted
from rewriting.studio.components import RepoCards
from rewriting.studio.hub_access import HOWS
from rewriting.studio.rendering.words import paragraph, visible_if
from rewriting.studio.state import HubTab
from rewriting.studio.visitor import Page

VISIBILITY = [("Public", "public"), ("Private", "private")]
WHAT = [("The rules", "rules"), ("Rewritten model", "model")]
HOW_LABELS = dict(zip(HOWS, ("Create or update", "Only create", "Pull request"), strict=True))
OWN = "your own name"
PUBLISH_OWN = "Publish my own pictures too"
OWN_INFO = "Without the pictures the rules still work, but nobody can edit them."
OPEN = "A generator or rules, by name or address: org/name, org/name@revision, org/name:file.pkl"


def on_space() -> bool:
    """Whether visitors sign in on the Hub's own page; elsewhere they type a token."""
    return bool(os.environ.get("SPACE_ID"))


def lay_out_hub() -> dict[str, gr.blocks.Block]:
    """Lay out the tab; it sends no request to the Hub yet."""
    with gr.Column(elem_id="hub-open"):
        gr.HTML("<h2>Open from the Hub</h2>", padding=False)
        with gr.Row(elem_id="bar-address"):
            address = box("Repo", "org/name", "address", info=OPEN)
            open_ = gr.Button("Open", size="sm", elem_id="open-repo")
        opening = status("Status of opening", "opening")
        which_file = gr.Dropdown([], value=None, label="File", visible="hidden", elem_id="which-file", min_width=0)
        use = gr.Button("Use it", variant="primary", size="sm", visible="hidden", elem_id="use-offered")
        with gr.Row(elem_id="bar-search"):
            search = box("Search published rules", "part of a name", "search-rules")
            find = gr.Button("Search", size="sm", elem_id="find-rules")
        finding = status("Status of the search", "finding")
        found = RepoCards(elem_id="found")
    with gr.Column(elem_id="hub-publish"):
        gr.HTML("<h2>Publish the rules in force</h2>", padding=False)
        signing = lay_out_signing()
        with gr.Row(elem_id="bar-target"):
            namespace = gr.Dropdown([(OWN, "")], value="", label="Owner", elem_id="namespace", min_width=0)
            name = box("Name", "my-rule", "repo-name")
        with gr.Row(elem_id="bar-wishes"):
            what = choose(WHAT, "Content", "publish-what")
            visibility = choose(VISIBILITY, "Visibility", "visibility")
            how = choose([(label, how) for how, label in HOW_LABELS.items()], "Method", "publish-how")
        with_pictures = gr.Checkbox(
            False, label=PUBLISH_OWN, info=OWN_INFO, container=False, visible="hidden", elem_id="with-pictures"
        )
        publish = gr.Button("Publish", variant="primary", size="sm", elem_id="publish")
        published = status("Status of publishing", "published")
    here = {"address": address, "open_repo": open_, "which_file": which_file, "opening": opening, "use_offered": use}
    here |= {"search_rules": search, "find_rules": find}
    wish = {"namespace": namespace, "repo_name": name, "visibility": visibility, "what": what, "how": how}
    wish |= {"with_pictures": with_pictures}
    answers = {"finding": finding, "found": found, "publish": publish, "published": published}
    return here | signing | wish | answers


def lay_out_signing() -> dict[str, gr.blocks.Block]:
    """On a Space the Hub's own button, with the scopes that the README names; elsewhere a box for a token."""
    typed = not on_space()
    with gr.Row(elem_id="bar-account"):
        account = status("Account", "account")
        if on_space() and os.environ.get("OAUTH_CLIENT_ID"):
            gr.LoginButton(size="sm", elem_id="login")
        info = "Kept for this session only" if hosted() else "Leave empty to use the login of `hf auth login`"
        token = gr.Textbox(
            label="Write token", type="password", max_lines=1, max_length=400, info=info, visible=typed,
            elem_id="token", min_width=0,
        )  # fmt: skip
        sign_in = gr.Button("Sign in", size="sm", visible=typed, elem_id="sign-in")
        sign_out = gr.Button("Sign out", size="sm", visible=False, elem_id="sign-out")
    return {"account": account, "token": token, "sign_in": sign_in, "sign_out": sign_out}


def box(label: str, placeholder: str, elem_id: str, info: str | None = None) -> gr.Textbox:
    return gr.Textbox(
        label=label, placeholder=placeholder, info=info, max_lines=1, max_length=300, elem_id=elem_id, min_width=0
    )


def choose(options: list[tuple[str, str]], label: str, elem_id: str) -> gr.Radio:
    return gr.Radio(
        options, value=options[0][1], label=label, show_label=False, container=False, elem_id=elem_id,
        elem_classes="choose",
    )  # fmt: skip


def status(label: str, elem_id: str) -> gr.HTML:
    return gr.HTML(padding=False, label=label, elem_id=elem_id)


# --- its content -----------------------------------------------------------------------------------------------------


def hub_tab(hub: HubTab) -> Page:
    """The tab as a function of its state."""
    account, published = hub.account, hub.published
    who = account_html(account, hub.typed) if hub.account_known else ""
    names = [(OWN if account is None else f"{account.name} (you)", "")]
    names += [(name, name) for name in (account.organizations if account else ())]
    typing = not hub.typed and not on_space()
    return {
        "address": {"value": hub.address},
        "which_file": {
            "choices": [(str(choice), choice.name) for choice in hub.choices],
            "value": hub.address if hub.address in [choice.name for choice in hub.choices] else None,
            "visible": visible_if(bool(hub.choices)),
        },
        "opening": {"value": paragraph(*hub.opening)},
        "use_offered": {"visible": visible_if(hub.offered is not None)},
        "finding": {"value": paragraph(*hub.finding)},
        "found": {"cards": [card(rule) for rule in hub.found]},
        "account": {"value": paragraph(*hub.asking) or who},
        "token": {"value": "", "visible": typing},
        "sign_in": {"visible": typing},
        "sign_out": {"visible": hub.typed},
        "namespace": {"choices": names, "value": ""},
        "published": {"value": published_html(published)},
    }


def published_html(published: Published | tuple[str, str]) -> str:
    """The progress of publishing, or its outcome with a link to it."""
    if not isinstance(published, Published):
        return paragraph(*published)
    if published.pull_request:
        return f"<p class='good' role='status'>Opened {_link(published.pull_request, 'a pull request')}.</p>"
    link = _link(published.url, published.repo_id)
    private = " It is private." if published.private else ""
    if not published.changed:
        outcome = f"No commit was made: {link} already holds these files."
    else:
        outcome = f"{'Published' if published.created else 'Updated'} {link}."
    return f"<p class='good' role='status'>{outcome}{private}</p>"


def _link(url: str, text: str) -> str:
    if not url.startswith(("https://", "http://")):
        return html.escape(text)
    return f"<a href='{html.escape(url)}' target='_blank' rel='noopener'>{html.escape(text)}</a>"


def account_html(account: Account | None, typed: bool) -> str:
    """The name of the account, and the way it signed in."""
    if account is None:
        how = "sign in to publish." if on_space() else "type a token to publish."
        return paragraph(f"You are not signed in; {how}")
    groups = f", member of {', '.join(account.organizations)}" if account.organizations else ""
    where = "" if typed or on_space() else " with this machine's login"
    may = " The studio may create repos, change those that it created, and open pull requests." if on_space() else ""
    return paragraph(f"Signed in as {account.name}{where}{groups}.{may}")


def card(rule: PublishedRule) -> dict[str, str]:
    """A published rule as `RepoCards` takes it."""
    owner, _, name = rule.repo_id.partition("/")
    kind = "rewritten model" if rule.kind == "model" else "rule"
    base = rule.base.removeprefix(base_tag(""))
    parts = [f"by {owner}", kind + (f" for {base}" if base else ""), "private" if rule.private else rule.license]
    detail = " · ".join(part for part in parts if part)
    return {
        "id": rule.repo_id,
        "title": name[:1].upper() + name[1:].replace("-", " ").replace("_", " "),
        "detail": detail[:120],
        "before": rule.picture_before,
        "after": rule.picture,
    }
