"""The studio as a Space: what of a checkout goes there, and what a Space wants to be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from rewriting.hub.cards import TAG, front_matter
from rewriting.hub.client import HubError, Token
from rewriting.hub.sending import EMPTY, Published, Target, find_target, send
from rewriting.installation import checkout
from rewriting.processes import Progress

APP, REQUIREMENTS, README = "app.py", "requirements.txt", "README.md"
ALLOW = (
    APP,
    "LICENSE",
    "rewriting/*",
    "presets/*",
    "docs/*.webp",
    "weights/*.py",
    "weights/*.md",
    "weights/*/LICENSE",
    "weights/*.json",
    "weights/*.safetensors",
)
IGNORE = (
    ".*",
    "*/.*",
    "*__pycache__*",
    "*.pyc",
    "*.partial",
    "weights/training/*.safetensors",
    "weights/training/*.json",
)
MANAGED = ("rewriting/", "presets/", "docs/", "weights/")  # files there that the checkout no longer has are removed
TORCH = "torch==2.11.0"  # the newest that ZeroGPU runs
PYTHON = "3.12"
ZERO_GPU = "zero-a10g"
MOST = 1 << 30  # bytes, a Space's repo
INSTALLED_BY_SPACES = {"gradio", "spaces"}


def deploy(
    space: str,
    *,
    folder: str | Path | None = None,
    hardware: str | None = ZERO_GPU,
    title: str = "Rewriting",
    private: bool | None = None,
    message: str = "Deploy the studio",
    token: Token = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Create or update a Space with the studio of a checkout, in one commit.

    space: "name/space", or "space" in your own namespace.  folder: the checkout; by default this one.
    hardware: of a Space that is made; ZeroGPU by default, the only free one that runs Gradio.  An existing Space
    keeps its own.  Sent are the app, its packages, presets and weights, a README.md with the Space's settings and a
    requirements.txt for Spaces; never the state of training, hidden files or anything else that lies around.
    Raises FileNotFoundError if there is no folder, and only the package is installed; else HubError, and the Space
    then is as it was, or new and empty.
    """
    folder = checkout("deploy") if folder is None else Path(folder)
    files = space_files(folder, title=title, hardware=hardware)
    target = find_target(space, repo_type="space", private=private, token=token, endpoint=endpoint)
    _check_is_ours(target)
    return send(
        target,
        files,
        message=message,
        stale=[path for path in target.files - files.keys() if path.startswith(MANAGED)],
        creation={"space_sdk": "gradio"} | ({"space_hardware": hardware} if hardware else {}),
        progress=progress,
    )


def space_files(folder: Path, *, title: str = "Rewriting", hardware: str | None = ZERO_GPU) -> dict[str, Path | bytes]:
    """{path in the Space: file, or its content}.  Raises HubError if the folder is no checkout, or is too large."""
    from huggingface_hub.utils import filter_repo_objects

    for name in (APP, REQUIREMENTS, README, "rewriting/__init__.py"):
        if not (folder / name).is_file():
            raise HubError(f"{folder.name or folder} has no {name}; deploy from a checkout of this software.")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = [path.relative_to(folder).as_posix() for path in found]
    files: dict[str, Path | bytes] = {
        name: folder / name for name in filter_repo_objects(names, allow_patterns=ALLOW, ignore_patterns=IGNORE)
    }
    _check_zero_gpu(files, hardware)
    size = sum(path.stat().st_size for path in files.values() if isinstance(path, Path))
    if size > MOST:
        raise HubError(f"The files add up to {size / 1e9:.1f} GB, and a Space holds 1 GB; leave some weights out.")
    files[REQUIREMENTS] = requirements((folder / REQUIREMENTS).read_text(encoding="utf-8")).encode()
    files[README] = readme(folder, title=title, hardware=hardware).encode()
    return files


def requirements(text: str) -> str:
    """A checkout's requirements.txt as a Space needs it: Spaces bring gradio, and ZeroGPU wants its torch."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("-") and _package(line) not in INSTALLED_BY_SPACES]
    return "\n".join(TORCH if _package(line) == "torch" else line for line in kept) + "\n"


def _package(line: str) -> str:
    return re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("_", "-")


def readme(folder: Path, *, title: str, hardware: str | None) -> str:
    """The checkout's README.md below the settings of the Space."""
    text = (folder / README).read_text(encoding="utf-8")
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL).lstrip("\n")
    return front_matter(settings(folder, title=title, hardware=hardware)) + body


def settings(folder: Path, *, title: str, hardware: str | None) -> Mapping[str, Any]:
    """The YAML of the Space.  Publishing needs a visitor's login, and no more than the repos this app makes."""
    license_file = folder / "LICENSE"
    mit = license_file.is_file() and license_file.read_text(encoding="utf-8").lstrip().startswith("MIT License")
    return {
        "title": title,
        "emoji": "🎩",
        "colorFrom": "indigo",
        "colorTo": "gray",
        "sdk": "gradio",
        "sdk_version": _gradio_version(folder),
        "python_version": PYTHON,
        "app_file": APP,
        "pinned": False,
        **({"license": "mit"} if mit else {}),
        "short_description": "Change the rules of an image generator",
        "tags": [TAG, "gan", "stylegan2", "image-generation"],
        **({"suggested_hardware": hardware} if hardware else {}),
        "hf_oauth": True,
        "hf_oauth_scopes": ["contribute-repos"],
    }


def _gradio_version(folder: Path) -> str:
    """A Space wants one exact version: that of requirements.txt if it pins one, else the one installed here."""
    pinned = re.search(r"^gradio(?:\[[^\]]*\])?==([\w.]+)", (folder / REQUIREMENTS).read_text(encoding="utf-8"), re.M)
    if pinned:
        return pinned[1]
    try:
        return installed("gradio")
    except PackageNotFoundError:
        raise HubError("gradio is not installed, and a Space must be told its version; install it first.") from None


def _check_zero_gpu(files: Mapping[str, Path | bytes], hardware: str | None) -> None:
    """ZeroGPU ends an app at its start in which no function is marked for the GPU."""
    if not (hardware or "").startswith("zero"):
        return
    code = (path for name, path in files.items() if name.endswith(".py") and isinstance(path, Path))
    if not any(
        re.search(r"^\s*(import|from) spaces\b", path.read_text(encoding="utf-8"), re.MULTILINE) for path in code
    ):
        raise HubError(
            "No function is marked @spaces.GPU, without which a ZeroGPU Space does not start; mark one, or choose "
            "other hardware such as 'cpu-basic'."
        )


def _check_is_ours(target: Target) -> None:
    if target.files - EMPTY - {APP} and "rewriting/__init__.py" not in target.files:
        raise HubError(f"{target.repo_id} is another Space already; to keep it as it is, choose another name.")
