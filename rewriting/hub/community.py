"""Rules that people published on the Hub, found by their tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewriting.hub.card import EDIT_TAG, GENERATOR_TAG, TAG, base_tag
from rewriting.hub.client import PATIENCE, REPO_ID, Access, Token, headers, timeout
from rewriting.hub.download import AFTER, BEFORE


@dataclass(frozen=True)
class PublishedRule:
    """A published rule, as the Hub lists it.

    kind: "edit", or "model" for a rewritten model.  base: bundled name or Hub id, "" if unknown.
    picture: address of pictures under the rule.  updated: ISO date, "" if unknown.
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
        """Address of the same pictures without the rule."""
        return self.picture.removesuffix(AFTER) + BEFORE


def list_rules(
    *,
    base: str | None = None,
    author: str | None = None,
    search: str | None = None,
    limit: int = 50,
    token: Token = None,
    endpoint: str | None = None,
) -> list[PublishedRule]:
    """List published rules, the newest first.

    base: only rules for this generator, a bundled name or a Hub id.  author: only rules of this account.  search: only
    rules with this text in their id.  limit: 1 to 100.  Raises HubError if the Hub does not answer within seconds.
    """
    tags = [TAG]
    if base:
        tags.append(f"base_model:{base}" if REPO_ID.fullmatch(base) else base_tag(base))
    filters = {"filter": tags, "author": author, "search": search, "limit": max(1, min(100, limit))}
    return Access(token, endpoint).ask("the list of rules", lambda api: _listed(api, filters))


def _listed(api: Any, filters: Mapping[str, Any]) -> list[PublishedRule]:
    """One page of rules.  `HfApi.list_models` would try for half a minute to reach a Hub that does not answer, and on
    failure closes the connections of all other threads."""
    from huggingface_hub import ModelInfo
    from huggingface_hub.utils import get_session, hf_raise_for_status

    params = {name: value for name, value in filters.items() if value} | {"sort": "lastModified", "full": True}
    url = f"{api.endpoint}/api/models"
    response = get_session().get(url, headers=headers(api.token), params=params, timeout=timeout(PATIENCE))
    hf_raise_for_status(response)
    models = response.json()
    if not isinstance(models, list):
        raise ValueError("no list")
    infos = [ModelInfo(**data) for data in models]
    return [_rule(info, api.endpoint) for info in infos if REPO_ID.fullmatch(info.id)]


def _rule(info: Any, endpoint: str) -> PublishedRule:
    tags = [tag for tag in info.tags or () if isinstance(tag, str)]

    def tagged(prefix: str) -> str:
        return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), "")

    relation = next((tagged(p) for p in ("base_model:adapter:", "base_model:finetune:") if tagged(p)), "")
    return PublishedRule(
        repo_id=info.id,
        kind="model" if GENERATOR_TAG in tags and EDIT_TAG not in tags else "edit",
        base=relation or tagged("base_model:") or tagged(base_tag("")),
        license=tagged("license:"),
        likes=int(info.likes or 0),
        downloads=int(info.downloads or 0),
        updated=info.last_modified.isoformat() if info.last_modified else "",
        private=bool(info.private),
        picture=f"{endpoint}/{info.id}/resolve/main/{AFTER}",
    )
