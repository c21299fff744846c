"""Which file may know of which: imports point one way, and no two files or classes share a name."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import rewriting

ROOT = Path(rewriting.__file__).resolve().parent
ABOVE = {
    "generators": ("core", "checkpoints", "hub", "studio", "cli", "bench"),
    "core": ("checkpoints", "hub", "studio", "cli", "bench"),
    "checkpoints": ("core", "hub", "studio", "cli", "bench"),
    "hub": ("studio", "cli", "bench"),
    "studio": ("cli", "bench"),
}
FILES = sorted(ROOT.rglob("*.py"))
ROOMS = [path for path in FILES if path.relative_to(ROOT).parts[0] in ABOVE]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
MODULES = {".".join(("rewriting", *path.relative_to(ROOT).with_suffix("").parts)): path for path in FILES}
LATE = {  # rooms that import some libraries where they are used, and say so in their first lines
    "cli": ("",),
    "hub": ("huggingface_hub", "httpx2"),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def file_of(name: str) -> Path | None:
    """The file of the package that an imported name is from; the package itself for a name of its `__init__`."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        for module in (".".join(parts[:end]), ".".join([*parts[:end], "__init__"])):
            if module in MODULES:
                return MODULES[module]
    return None


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_nothing_below_knows_what_is_above(path):
    room = path.relative_to(ROOT).parts[0]
    forbidden = [f"rewriting.{name}." for name in ABOVE[room]]
    forbidden += ["gradio."] if room != "studio" else ["torch."]
    if room in ("generators", "core", "checkpoints"):
        forbidden.append("huggingface_hub.")
    assert not [name for name in imported(path) for start in forbidden if f"{name}.".startswith(start)]


def test_no_imports_go_in_a_circle():
    needs = {path: {file_of(name) for name in imported(path)} - {None, path} for path in FILES}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(f"These import each other: {' -> '.join(name_of(path) for path in error.args[1])}")


def test_an_import_inside_a_function_says_why():
    silent = []
    for path, tree in TREES.items():
        lines, late = path.read_text(encoding="utf-8").splitlines(), LATE.get(path.relative_to(ROOT).parts[0], ())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for node in (node for function in functions for node in ast.walk(function)):
            if isinstance(node, ast.Import | ast.ImportFrom) and "#" not in lines[node.lineno - 1]:
                module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                silent += [] if module.startswith(late) else [f"{name_of(path)}:{node.lineno}: {module}"]
    assert not silent


def test_no_two_classes_share_a_name():
    found = defaultdict(list)
    for path in FILES:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(name_of(path))
    assert not {name: paths for name, paths in found.items() if len(paths) > 1}


def test_no_two_files_share_a_name():
    found = defaultdict(list)
    for path in FILES:
        found[path.name].append(name_of(path))
    assert not {name: paths for name, paths in found.items() if len(paths) > 1 and name != "__init__.py"}
