"""What the studio calls a generator.

A bundled one or the launcher's goes by its name.  One from the Hub is "name/repo@commit", so that visitors who opened
a repo before and after it changed do not meet; and where it took a visitor's token, "name/repo@commit~seal".  All that
visitors share, from weights to pictures, is kept under this key, and nobody without that token can name the seal.  It
stays in the session: requests, files and the page show `public_name`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from rewriting.hub.client import REPO_ID

FROM_HUB = re.compile(rf"({REPO_ID.pattern})@([0-9a-f]{{40}})(?:~[0-9a-f]{{64}})?", re.ASCII)
SECRET = secrets.token_bytes(32)  # of this process


def key_of(repo_id: str, commit: str, token: str = "") -> str:
    """The key of a generator from the Hub.  token: the one that it took, if it took one."""
    seal = "~" + hmac.new(SECRET, token.encode(), hashlib.sha256).hexdigest() if token else ""
    return f"{repo_id}@{commit}{seal}"


def public_name(key: str) -> str:
    """The key without its seal, which `load_generator` understands."""
    return "@".join(repo_of(key)) if FROM_HUB.fullmatch(key) else key


def sealed(key: str) -> bool:
    """Whether the generator took somebody's token."""
    return key != public_name(key)


def repo_of(key: str) -> tuple[str, str]:
    """(repo id, commit) of a key from the Hub, ("", "") of any other."""
    match = FROM_HUB.fullmatch(key)
    return (match[1], match[2]) if match else ("", "")


def label(key: str) -> str:
    """For people: "Face", or the name of the repo."""
    repo_id = repo_of(key)[0]
    name = (repo_id or key).rstrip("/").rsplit("/", 1)[-1]
    return name if repo_id else name[:1].upper() + name[1:]


def same(name: str, key: str) -> bool:
    """Whether a file that names its generator so may mean this one; the weights' digest decides."""
    return name in (key, public_name(key), repo_of(key)[0])
