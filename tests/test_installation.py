"""Installed from a checkout, with pip, the software draws the same pictures, wherever it is started."""

import os
import shutil
import subprocess
import sys
import sysconfig
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from rewriting import __version__, installation
from rewriting.core.presets import presets
from rewriting.generators import bundled
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]
PRESET = "horse-hats"
SAMPLE = ("sample", "--preset", PRESET, "--seeds", "0", "--out", "x.png", "--device", "cpu")
PARTS = ("LICENSE", "README.md", "pyproject.toml", "requirements.txt", "setup.py")
IGNORED = shutil.ignore_patterns("__pycache__", "*.partial")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The checkout once more: building leaves files where it is done."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("rewriting", "weights", "presets"):
        shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
    for name in (*PARTS, "tests/requirements.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    """The wheel's path."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", checkout, "--wheel-dir", folder)
    (made,) = folder.iterdir()
    return made


def pip(command, *words, into=sys.executable):
    """pip, with no other packages than there are, for the environment of that Python."""
    alone = ("--isolated", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    said = run(sys.executable, "-m", "pip", "--python", into, command, *alone, *words)
    assert said.returncode == 0, said.stdout + said.stderr


def run(*words, cwd=None):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True)


def environment(folder, package, *options):
    """A fresh environment with the package, and of all that it requires what is installed here: its programs."""
    assert run(sys.executable, "-m", "venv", "--without-pip", folder).returncode == 0
    paths = {name: sysconfig.get_path(name, "venv", {"base": str(folder)}) for name in ("purelib", "scripts")}
    here = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    Path(paths["purelib"], "here.pth").write_text("\n".join(sorted(here)) + "\n")
    pip("install", *options, package, into=Path(paths["scripts"], "python"))
    return Path(paths["scripts"])


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment with the wheel."""
    return environment(tmp_path_factory.mktemp("installed"), wheel)


def test_a_preset_is_drawn_from_an_empty_folder_as_in_the_checkout(installed, tmp_path):
    done = run(installed / "rewriting", *SAMPLE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    drawn = np.asarray(Image.open(tmp_path / "x.png"))
    (tmp_path / "x.png").unlink()
    done = run(sys.executable, "-m", "rewriting", *SAMPLE[:-3], tmp_path / "x.png", *SAMPLE[-2:], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(drawn, np.asarray(Image.open(tmp_path / "x.png")))


def test_its_version_is_told_without_importing_anything_heavy(installed, tmp_path):
    for words in ((installed / "rewriting",), (installed / "python", "-m", "rewriting")):
        told = run(*words, "--version", cwd=tmp_path)
        assert told.returncode == 0 and told.stdout == f"rewriting {__version__}\n", told
    heavy = run(installed / "python", "-X", "importtime", "-m", "rewriting", "--version", cwd=tmp_path).stderr
    assert "argparse" in heavy and not {"torch", "numpy", "gradio", "PIL"} & set(heavy.split())


@pytest.mark.parametrize("words", ["experiments", "deploy --space name/studio", "bench app", "bench first-contact"])
def test_what_needs_a_checkout_says_so(installed, tmp_path, words):
    done = run(installed / "rewriting", *words.split(), cwd=tmp_path)
    said = done.stderr.strip()
    assert done.returncode == 2 and "needs a checkout" in said and tiny.is_one_sentence(said), said
    assert str(installed) not in said


def test_the_wheel_holds_the_package_its_data_and_nothing_else(wheel):
    there = {
        path.relative_to(ROOT).as_posix(): path
        for path in (ROOT / "rewriting").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    rule = ("README.md", "preview.webp", "request.json", "config.json", "edit.safetensors", "edit.json")
    there |= {f"rewriting/data/presets/{name}/{file}": ROOT / "presets" / name / file
              for name in presets() for file in rule}  # fmt: skip
    tensors = ("model.safetensors", "second_moments.safetensors", "selection.safetensors")
    generator = ("README.md", "config.json", *tensors, "sheet.webp")
    there |= {
        f"rewriting/data/weights/{name}/{file}": ROOT / "weights" / name / file
        for name in bundled()
        for file in generator
    }
    there["rewriting/data/LICENSE"] = ROOT / "LICENSE"
    with ZipFile(wheel) as opened:
        about = [name for name in opened.namelist() if ".dist-info/" in name]
        assert set(opened.namelist()) == there.keys() | set(about)
        assert all(opened.read(name) == path.read_bytes() for name, path in there.items())


def test_what_it_requires_stands_in_the_requirements_and_extras_are_optional(wheel):
    with ZipFile(wheel) as opened:
        (about,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(opened.read(about).decode())
    assert (told["Name"], told["Version"]) == ("rewriting", __version__)
    required = [Requirement(line) for line in told.get_all("Requires-Dist")]
    stated = map(Requirement, (ROOT / "requirements.txt").read_text().split())
    assert {one for one in required if one.marker is None} == set(stated)
    assert {"mcp", "test", "video"} == set(told.get_all("Provides-Extra"))
    optional = {str(one.marker): one.name for one in required if one.marker}
    assert optional.keys() == {f'extra == "{name}"' for name in ("mcp", "test", "video")}


def test_an_editable_installation_works_with_the_checkouts_own_data(checkout, tmp_path_factory, tmp_path):
    programs = environment(tmp_path_factory.mktemp("editable"), checkout, "--editable")
    where = run(programs / "python", "-c", "from rewriting.installation import DATA; print(DATA)", cwd=tmp_path)
    assert where.stdout.strip() == str(checkout), where.stderr
    listed = run(programs / "rewriting", "models", cwd=tmp_path)
    assert all(name in listed.stdout for name in (*bundled(), *presets())), listed.stderr
    listed = run(programs / "rewriting", "experiments", cwd=tmp_path)
    assert "table1" in listed.stdout, listed.stderr


def test_this_checkout_uses_its_own_data():
    assert installation.DATA == installation.checkout("deploy") == ROOT
