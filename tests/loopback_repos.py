"""What the loopback Hub holds: users, repos, commits and files; and what it would refuse to take."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

LFS_NAMES = (".safetensors", ".bin", ".pkl", ".pt", ".pth", ".ckpt", ".webp")
# The Hub's page on licences, spelled out here once more: what is published must not be judged by its own list.
LICENSES = set(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
    lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
    openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown
    other
    """.split()
)
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@dataclass(frozen=True)
class File:
    """listed, claimed: the size in the list of files and in a file's header, where it is to differ from the truth."""

    data: bytes
    lfs: bool
    claimed: int | None = None
    listed: int | None = None

    @property
    def size(self) -> int:
        return len(self.data) if self.claimed is None else self.claimed

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def blob(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @property
    def oid(self) -> str:
        return self.sha256 if self.lfs else self.blob

    def described(self) -> dict[str, Any]:
        size = self.size if self.listed is None else self.listed
        lfs = {"sha256": self.sha256, "oid": self.sha256, "size": size, "pointerSize": 134}
        return {"size": size, "blobId": self.blob, "oid": self.blob} | ({"lfs": lfs} if self.lfs else {})


@dataclass(frozen=True)
class Commit:
    sha: str
    files: Mapping[str, File]
    title: str


@dataclass
class Repo:
    """admitted: the users who accepted a gated repo's conditions.  pulls: {number: commit}.  branches: other than
    main.  tags: {name: commit}."""

    name: str
    kind: str
    private: bool = False
    gated: bool = False
    admitted: set[str] = field(default_factory=set)
    commits: list[Commit] = field(default_factory=list)
    pulls: dict[int, Commit] = field(default_factory=dict)
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    created_with: dict[str, Any] = field(default_factory=dict)

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def at(self, revision: str) -> Commit | None:
        if revision == "main":
            return self.head
        if revision in self.branches or revision in self.tags:
            return self.branches.get(revision) or self.tags[revision]
        if match := re.fullmatch(r"refs/pr/(\d+)", revision):
            return self.pulls.get(int(match[1]))
        return next(
            (
                c
                for c in (*self.commits, *self.pulls.values(), *self.branches.values(), *self.tags.values())
                if c.sha == revision
            ),
            None,
        )


@dataclass(frozen=True)
class User:
    name: str
    role: str
    organizations: tuple[str, ...]


@dataclass
class Failure:
    """What goes wrong with the next `times` requests whose "METHOD path" matches `where`.

    status, headers, body: answer with these, with 200 where there is only a body.  slow: seconds before the answer.
    drop: break the connection, with nothing done.  cut: do what was asked, and break the connection after so many
    bytes of the answer's body.  pace: send the body in pieces of so many bytes, with so many seconds before each.
    flip: send the body's byte number so many as another.  then: called before.
    """

    where: str
    times: int = 10**9
    status: int | None = None
    slow: float = 0.0
    drop: bool = False
    cut: int | None = None
    pace: tuple[int, float] | None = None
    flip: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], object] | None = None


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    token: str
    range: str = ""


def front_matter(text: str) -> dict[str, Any]:
    """The parsed YAML above a README.md; {} if there is none, or it is damaged."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    try:
        return (yaml.safe_load(match[1]) if match else None) or {}
    except yaml.YAMLError:
        return {}


def judge(text: str, kind: str) -> tuple[dict[str, Any], int]:
    """The Hub's answer to a README.md: what it would refuse to take."""
    data, errors = front_matter(text), []
    if data.get("license", "mit") not in LICENSES:
        errors.append(f'"license" must be one of {sorted(LICENSES)}')
    if not re.fullmatch(r"[a-z0-9.-]+", data.get("license_name", "x")):
        errors.append('"license_name" must match /^[a-z0-9-.]+$/')
    if not re.fullmatch(r"LICENSE|LICENSE\.md|https?://\S+", data.get("license_link", "LICENSE")):
        errors.append('"license_link" must be LICENSE, LICENSE.md or a URL')
    if "base_model" in data and not re.fullmatch(r"[\w.-]+/[\w.-]+", data["base_model"]):
        errors.append(f'"base_model" with value "{data["base_model"]}" is not valid. Use a model id.')
    if data.get("base_model_relation", "adapter") not in ("adapter", "merge", "quantized", "finetune"):
        errors.append('"base_model_relation" must be one of [adapter, merge, quantized, finetune]')
    if kind == "space":
        if data.get("sdk") != "gradio" or data.get("app_file") != "app.py":
            errors.append('"sdk" must be one of [gradio, docker, static]')
        if not {data.get("colorFrom"), data.get("colorTo")} <= COLORS:
            errors.append(f'"colorFrom" must be one of {sorted(COLORS)}')
        if len(data.get("short_description", "")) > 60:
            errors.append('"short_description" length must be less than or equal to 60 characters long')
    messages = [{"message": message} for message in errors]
    return {"errors": messages, "warnings": []}, 400 if errors else 200
