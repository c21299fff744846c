"""The studio's keys of generators.

The key of a bundled generator, a known model, or the launcher's generator is its name.  The key of a generator from
the Hub is "name/repo@commit", with ":" and a path for a file of another program, so that different commits never mix.
If the generator required a visitor's token, "~seal" follows.  Visitors share weights and pictures under this key, and
nobody without the token can compute the seal.  The key stays in the session; requests, files and the page show
`public_name`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import PurePath

from rewriting.generators import Generator
from rewriting.hub.client import REPO_ID
from rewriting.hub.names import ENDINGS

FROM_HUB = re.compile(rf"({REPO_ID.pattern})@([0-9a-f]{{40}})(?::(.+?))?(?:~[0-9a-f]{{64}})?", re.ASCII)
SAYS_NOTHING = re.compile(
    r"(network[-_]snapshot|pytorch[-_]model|model|generator|gen|net|g|gs|ema|g[-_]ema|checkpoint|ckpt|weights|latest|best)"
    r"?[-_]?(\d*)(k|kimg)?",
    re.IGNORECASE,
)  # file names that trainings choose automatically
SECRET = secrets.token_bytes(32)  # of this process


def key_of(name: str, commit: str, token: str = "") -> str:
    """The key of a generator from the Hub.  name: of its repo, or with ":" and the path of a file in it.  token: the
    token that it required, "" for none."""
    repo_id, colon, path = name.partition(":")
    seal = "~" + hmac.new(SECRET, token.encode(), hashlib.sha256).hexdigest() if token else ""
    return f"{repo_id}@{commit}{colon}{path}{seal}"


def key_named(name: str, generator: Generator) -> str:
    """The key of the generator that the launcher named."""
    source = generator.source
    return key_of(source.name, source.revision) if source.revision else source.name or name


def public_name(key: str) -> str:
    """The key without its seal, a name for `load_generator`."""
    match = FROM_HUB.fullmatch(key)
    return f"{match[1]}@{match[2]}" + (f":{match[3]}" if match[3] else "") if match else key


def sealed(key: str) -> bool:
    """Whether the generator required a token."""
    return key != public_name(key)


def repo_of(key: str) -> tuple[str, str]:
    """(repo id, commit) of a key from the Hub; ("", "") for any other key."""
    match = FROM_HUB.fullmatch(key)
    return (match[1], match[2]) if match else ("", "")


def label(key: str) -> str:
    """A label for people: "Face", or the name of the file or, if that is generic, of the repo."""
    repo_id = repo_of(key)[0]
    name = PurePath((public_name(key).partition(":")[2] or repo_id or key).rstrip("/\\")).name
    stem = name[: -len(ending)] if (ending := PurePath(name).suffix.lower()) in ENDINGS else name
    if repo_id:
        return repo_id.partition("/")[2] if SAYS_NOTHING.fullmatch(stem) else stem
    return stem[:1].upper() + stem[1:]


def same(name: str, key: str) -> bool:
    """Whether the name in a file may mean the generator of a key; the digest of the weights decides finally."""
    repo_id, commit = repo_of(key)
    at_any_commit = public_name(key).replace(f"@{commit}", "", 1)
    return name in (key, public_name(key), at_any_commit) or (name == repo_id != "")
