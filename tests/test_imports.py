"""Which room may know of which: imports point one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "rewriting"
ABOVE = {
    "generators": ("core", "checkpoints", "hub", "studio", "cli", "bench"),
    "core": ("checkpoints", "hub", "studio", "cli", "bench"),
    "checkpoints": ("hub", "studio", "cli", "bench"),
    "hub": ("studio", "cli", "bench"),
}
ROOMS = [path for room in ABOVE for path in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_below_knows_what_is_above(path):
    room = path.relative_to(ROOT).parts[0]
    forbidden = [*(f"rewriting.{name}." for name in ABOVE[room]), "gradio."]
    if room in ("generators", "core"):
        forbidden.append("huggingface_hub.")
    assert not [name for name in imported(path) for start in forbidden if f"{name}.".startswith(start)]
