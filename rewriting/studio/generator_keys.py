"""What the studio calls a generator.

A bundled one, a known model or the launcher's goes by its name.  One from the Hub is "name/repo@commit", with ":" and
a path if it is a file of another program, so that visitors who opened a repo before and after it changed do not meet;
and where it took a visitor's token, "~seal" follows.  All that visitors share, from weights to pictures, is kept under
this key, and nobody without that token can name the seal.  It stays in the session: requests, files and the page show
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
)  # names of files that trainings give by themselves
SECRET = secrets.token_bytes(32)  # of this process


def key_of(name: str, commit: str, token: str = "") -> str:
    """The key of a generator from the Hub.  name: of its repo, or with ":" and a path of a file in it.  token: the one
    that it took, if it took one."""
    repo_id, colon, path = name.partition(":")
    seal = "~" + hmac.new(SECRET, token.encode(), hashlib.sha256).hexdigest() if token else ""
    return f"{repo_id}@{commit}{colon}{path}{seal}"


def key_named(name: str, generator: Generator) -> str:
    """The key of a generator that whoever started the studio named."""
    source = generator.source
    return key_of(source.name, source.revision) if source.revision else source.name or name


def public_name(key: str) -> str:
    """The key without its seal, which `load_generator` understands."""
    match = FROM_HUB.fullmatch(key)
    return f"{match[1]}@{match[2]}" + (f":{match[3]}" if match[3] else "") if match else key


def sealed(key: str) -> bool:
    """Whether the generator took somebody's token."""
    return key != public_name(key)


def repo_of(key: str) -> tuple[str, str]:
    """(repo id, commit) of a key from the Hub, ("", "") of any other."""
    match = FROM_HUB.fullmatch(key)
    return (match[1], match[2]) if match else ("", "")


def label(key: str) -> str:
    """For people: "Face", or the name of the file or, if that says nothing, of the repo."""
    repo_id = repo_of(key)[0]
    name = PurePath((public_name(key).partition(":")[2] or repo_id or key).rstrip("/\\")).name
    stem = name[: -len(ending)] if (ending := PurePath(name).suffix.lower()) in ENDINGS else name
    if repo_id:
        return repo_id.partition("/")[2] if SAYS_NOTHING.fullmatch(stem) else stem
    return stem[:1].upper() + stem[1:]


def same(name: str, key: str) -> bool:
    """Whether a file that names its generator so may mean this one; the weights' digest decides."""
    repo_id, commit = repo_of(key)
    at_any_commit = public_name(key).replace(f"@{commit}", "", 1)
    return name in (key, public_name(key), at_any_commit) or (name == repo_id != "")
