"""Deploying the studio to a Space: the files of a checkout, and the settings of the Space."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from rewriting.hub.client import Access, HubError, Token
from rewriting.hub.publishing import EMPTY, Published, Target, find_target, send
from rewriting.installation import checkout
from rewriting.processes import Progress

APP, REQUIREMENTS, README = "app.py", "requirements.txt", "README.md"
ALLOW = (
    APP,
    REQUIREMENTS,
    "LICENSE",
    "rewriting/*",
    "presets/*",
    "docs/*.md",
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
MANAGED = ("rewriting/", "presets/", "docs/", "weights/")  # folders whose old files are removed from the Space
ZERO_GPU = "zero-a10g"
ZERO_GPU_TORCH = "torch==2.11.0"  # the newest version on ZeroGPU
CPU_BUILDS = "REWRITING_TORCH_INDEX"  # environment variable: address of a package index with CPU builds of PyTorch
MOST = 1 << 30  # bytes, a Space's repo


def deploy(
    space: str,
    *,
    folder: str | Path | None = None,
    hardware: str | None = ZERO_GPU,
    title: str | None = None,
    torch_index: str | None = None,
    private: bool | None = None,
    message: str = "Deploy the studio",
    token: Token = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Create or update a Space with the studio of a checkout, in one commit.

    space: "name/space", or "space" in your own namespace.  folder: the checkout; by default this one.
    hardware: of a new Space; by default ZeroGPU, the only free hardware for Gradio.  An existing Space keeps its own.
    title: by default that of README.md, which also holds all other settings of the Space.
    torch_index: for hardware without a GPU, the address of a package index with CPU builds of PyTorch; by default the
    environment variable REWRITING_TORCH_INDEX.  Without it the Space installs gigabytes of GPU libraries.
    The commit holds the app, its packages, presets and weights, README.md and requirements.txt (for ZeroGPU with its
    newest torch), but no training state, hidden files or other files.
    Raises FileNotFoundError if only the package is installed and no folder is given; else HubError, and then an
    existing Space does not change, and a new one is deleted.
    """
    folder = checkout("deploy") if folder is None else Path(folder)
    files = space_files(folder, title=title, hardware=hardware, torch_index=torch_index)
    target = find_target(space, Access(token, endpoint, progress=progress), repo_type="space", private=private)
    _check_is_ours(target)
    return send(
        target,
        files,
        message=message,
        stale=[path for path in target.files - files.keys() if path.startswith(MANAGED)],
        creation={"space_sdk": "gradio"} | ({"space_hardware": hardware} if hardware else {}),
    )


def space_files(
    folder: Path, *, title: str | None = None, hardware: str | None = ZERO_GPU, torch_index: str | None = None
) -> dict[str, Path | bytes]:
    """{path in the Space: file, or its content}.  Raises HubError if the folder is not a checkout, or is too large."""
    from huggingface_hub.utils import filter_repo_objects

    for name in (APP, REQUIREMENTS, README, "rewriting/__init__.py"):
        if not (folder / name).is_file():
            raise HubError(f"{folder.name or folder} has no {name}; deploy from a checkout of this software.")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = [path.relative_to(folder).as_posix() for path in paths]
    files: dict[str, Path | bytes] = {
        name: folder / name for name in filter_repo_objects(names, allow_patterns=ALLOW, ignore_patterns=IGNORE)
    }
    _check_zero_gpu(files, hardware)
    size = sum(path.stat().st_size for path in files.values() if isinstance(path, Path))
    if size > MOST:
        raise HubError(f"The files add up to {size / 1e9:.1f} GB, and a Space holds 1 GB; leave some weights out.")
    torch_index = torch_index or os.environ.get(CPU_BUILDS)
    if (hardware or "").startswith("zero"):
        requirements = (folder / REQUIREMENTS).read_text(encoding="utf-8")
        files[REQUIREMENTS] = re.sub(r"^torch\b.*$", ZERO_GPU_TORCH, requirements, flags=re.MULTILINE).encode()
    elif torch_index and (hardware or "").startswith("cpu"):
        files[REQUIREMENTS] = _from_index(torch_index, (folder / REQUIREMENTS).read_text(encoding="utf-8")).encode()
    files[README] = readme(folder / README, title=title, hardware=hardware).encode()
    return files


def _from_index(index: str, requirements: str) -> str:
    """Requirements with a further index; pip prefers its CPU builds for their longer version, such as 2.13.0+cpu."""
    if not re.fullmatch(r"https://[!-~]+", index):
        raise HubError(f"{index[:100]!r} is not the address of a package index; give one that starts with https://.")
    return f"--extra-index-url {index}\n{requirements}"


def readme(path: Path, *, title: str | None, hardware: str | None) -> str:
    """The checkout's README.md with the settings of the Space.  Raises HubError if it has none."""
    from huggingface_hub import SpaceCard

    try:
        card = SpaceCard(path.read_text(encoding="utf-8"))
    except Exception as error:  # YAML that is none
        raise HubError(f"{path.name} does not begin with the YAML of a Space's settings; correct it.") from error
    if card.data.sdk != "gradio" or card.data.app_file != APP:
        raise HubError(f"{path.name} does not begin with the settings of a Gradio Space that runs {APP}; add them.")
    card.data.title = title or card.data.title
    if hardware:
        card.data.suggested_hardware = hardware
    return str(card)


def _check_zero_gpu(files: Mapping[str, Path | bytes], hardware: str | None) -> None:
    """Raise HubError if no function is marked for ZeroGPU, which would stop such an app at its start."""
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
        raise HubError(f"{target.repo_id} is a Space with other content; choose another name.")
