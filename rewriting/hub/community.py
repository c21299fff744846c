"""The rules that people published on the Hub, found by their tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewriting.hub.cards import EDIT_TAG, GENERATOR_TAG, TAG, base_tag
from rewriting.hub.client import REPO_ID, Token, ask, host, plainly, reading_token
from rewriting.hub.download import AFTER, BEFORE


@dataclass(frozen=True)
class Rule:
    """A published rule, as the Hub lists it.

    kind: "edit", or "model" for a rewritten model.  base: bundled name or Hub id, "" if the repo does not say.
    picture: address of what it makes of some pictures.  updated: ISO date, "" if unknown.
    """

    repo_id: str
    kind: str
    base: str
    license: str
    likes: int
    downloads: int
    updated: str
    private: bool
    picture: str

    @property
    def picture_before(self) -> str:
        """Address of the same pictures as they were."""
        return self.picture.removesuffix(AFTER) + BEFORE


def list_rules(
    *,
    base: str | None = None,
    author: str | None = None,
    search: str | None = None,
    limit: int = 50,
    token: Token = None,
    endpoint: str | None = None,
) -> list[Rule]:
    """Rules that people published, the newest first.

    base: only those for this generator, a bundled name or a Hub id.  author: only this account's.  search: only those
    whose id contains it.  limit: 1 to 100.  Raises HubError if the Hub does not answer within seconds.
    """
    tags = [TAG]
    if base:
        tags.append(f"base_model:{base}" if REPO_ID.fullmatch(base) else base_tag(base))
    params = {"filter": tags, "limit": max(1, min(100, limit)), "sort": "lastModified", "full": True}
    params |= {name: value for name, value in (("author", author), ("search", search)) if value}
    with plainly("the list of rules", endpoint=endpoint):
        found = ask("/api/models", token=reading_token(token), endpoint=endpoint, params=params)
    return [
        _rule(data, endpoint) for data in found if isinstance(data, dict) and REPO_ID.fullmatch(str(data.get("id")))
    ]


def _rule(data: Mapping[str, Any], endpoint: str | None) -> Rule:
    tags = [tag for tag in data.get("tags") or () if isinstance(tag, str)]

    def tagged(prefix: str) -> str:
        return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), "")

    relation = next((tagged(p) for p in ("base_model:adapter:", "base_model:finetune:") if tagged(p)), "")
    return Rule(
        repo_id=data["id"],
        kind="model" if GENERATOR_TAG in tags and EDIT_TAG not in tags else "edit",
        base=relation or tagged("base_model:") or tagged(base_tag("")),
        license=tagged("license:"),
        likes=int(data.get("likes") or 0),
        downloads=int(data.get("downloads") or 0),
        updated=str(data.get("lastModified") or ""),
        private=bool(data.get("private")),
        picture=f"{host(endpoint)}/{data['id']}/resolve/main/{AFTER}",
    )
