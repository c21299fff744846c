"""The Hugging Face Hub: generators and rules from it, rules and rewritten models onto it, the studio as a Space.

On a hosted Space whoever asks is a visitor: without a token of their own they read what is public and write nothing,
and what their token fetched is kept apart.  Every failure is a `HubError`, a ValueError of one sentence.
"""

from rewriting.hub import deprecated  # noqa: F401 - gives edits the methods that they had
from rewriting.hub.choosing import Choice, SeveralFiles
from rewriting.hub.client import Account, Gated, HubError, Missing, Unreachable, account
from rewriting.hub.community import PublishedRule, list_rules
from rewriting.hub.folders import convert, write_rule
from rewriting.hub.loading import load_edits, load_generator
from rewriting.hub.opening import Opened, open_repo
from rewriting.hub.publishing import Published, publish, publish_folder
from rewriting.hub.source import Source
from rewriting.hub.space import deploy

__all__ = [
    "Account",
    "Choice",
    "Gated",
    "HubError",
    "Missing",
    "Opened",
    "Published",
    "PublishedRule",
    "SeveralFiles",
    "Source",
    "Unreachable",
    "account",
    "convert",
    "deploy",
    "list_rules",
    "load_edits",
    "load_generator",
    "open_repo",
    "publish",
    "publish_folder",
    "write_rule",
]
