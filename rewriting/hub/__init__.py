"""The Hugging Face Hub: load generators and rules, publish rules and rewritten models, deploy the studio as a Space.

On a hosted Space every caller is a visitor: without a token of their own they read public repos and write nothing, and
the files that their token fetched are kept apart.  Every failure is a `HubError`, a ValueError of one sentence.
"""

from rewriting.hub import deprecated  # noqa: F401 - adds deprecated methods to edits
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
