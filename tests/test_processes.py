"""Several processes, started by torchrun, do together what one does alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rewriting import cli, load_generator, processes
from rewriting.core import memory
from rewriting.generators.config import MOMENTS
from tests import tiny
from tests.surroundings import PATIENCE
from weights.experiments import run_experiment

ROOT = Path(__file__).resolve().parents[1]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


# the command, on an experiment made small: fewer steps, fewer pictures to paint in and to measure at a time
SMALL_TABLE = """
import sys
from rewriting import cli
from weights.experiments import curves, tables, tasks
from weights.rules import material

def table1(report, *, n, progress):
    tables.compare(report, tasks.smiles(rank=1), tables.PAPER_1, n, progress, steps=2, tuning_steps=1)

tables.table1, curves.SWEEP, curves.RANK_SWEEP, curves.STRONG_SWEEP = table1, (), (), ()
material.CANDIDATES, tasks.CHUNK = 100, 2
sys.exit(cli.main(sys.argv[1:]))
"""


# commands, one after the other, by processes that joined once: what each prints, after a form feed
COMMANDS = """
import contextlib, json, os, sys
from rewriting import cli, processes
with processes.joined():
    processes.joined = contextlib.nullcontext
    for words in json.loads(sys.argv[1]):
        if os.environ["RANK"] == "0":
            print(end="\\f")
        if code := cli.main(words):
            sys.exit(code)
"""


# the command, on two machines: each has a disk of its own
MACHINES = """
import os, sys
from rewriting import cli
os.environ["REWRITING_CACHE"] = "machine-" + os.environ["RANK"]
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator to draw with, and a request on it."""
    home = tmp_path_factory.mktemp("together")
    tiny.generator(name="tiny").save(home / "tiny")
    tiny.generator(resolution=64, name="face").save(home / "face")
    tiny.request(name="A rule", generator="tiny", layer=6).save(home / "request.json")
    return home


def run(folder, *arguments, threads=1):
    """Run Python; its exit code, what it prints, and what it complains of."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path}
    environment["REWRITING_CACHE"] = str(folder / "cache")
    words = [sys.executable, *map(str, arguments)]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=10 * PATIENCE)
    return done.returncode, done.stdout, done.stderr


SMILES = ("sample", "--generator", "./face", "--preset", "frowns-to-smiles", "--seeds", "0-2", "--out")
SAMPLE = ("sample", "--generator", "tiny", "--seeds", "0-6", "--out")
MOMENTS_OF = ("moments", "--generator", "tiny")
SEARCH = ("search", "--request", "request.json", "--generator", "tiny", "--seeds", "5-40", "--best", "9")


@pytest.fixture(scope="module")
def together(folder):
    """What commands print that two processes run together: sample with a preset and without, moments and search."""
    (folder / "commands.py").write_text(COMMANDS)
    commands = [(*SMILES, "smiles-two"), (*SAMPLE, "two"), MOMENTS_OF, (*SEARCH, "--out", "found.png")]
    code, said, complaint = run(folder, *TORCHRUN, "commands.py", json.dumps(commands))
    assert code == 0, complaint
    nothing, *printed = said.split("\f")
    assert not nothing
    return dict(zip(("smiles", "sample", "moments", "search"), printed, strict=True))


@pytest.fixture
def alone(folder, monkeypatch):
    """One process's way, with as many threads."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REWRITING_CACHE", str(folder / "cache"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lambda *arguments: cli.main([str(argument) for argument in arguments])
    torch.set_num_threads(threads)


def test_two_processes_draw_the_same_pictures_bit_for_bit(folder, together, alone):
    assert together["sample"] == "Drew 7 pictures into two\n"  # once, and all of them
    alone(*SAMPLE, "one")
    names = sorted(path.name for path in (folder / "one").iterdir())
    assert names == sorted(path.name for path in (folder / "two").iterdir()) and len(names) == 7
    for name in names:
        one, two = (np.asarray(Image.open(folder / where / name)) for where in ("one", "two"))
        assert np.array_equal(one, two)


def test_pictures_under_a_rule_are_the_same_for_any_number_of_processes_and_threads(folder, together):
    """Each process solves the preset, here on a small generator of that name, whose moments they measure together."""
    shutil.rmtree(folder / "cache", ignore_errors=True)  # of the moments that two have measured
    code, _, complaint = run(folder, "-m", "rewriting", *SMILES, "smiles-one", threads=3)
    assert code == 0, complaint
    one, two = ([p.read_bytes() for p in sorted((folder / f"smiles-{n}").iterdir())] for n in ("one", "two"))
    assert len(one) == 3 and one == two


def test_two_processes_measure_the_same_second_moments(folder, together):
    assert together["moments"].count("Wrote") == 1
    generator = load_generator(folder / "tiny")
    key = memory.content_key(generator, None, memory.SAMPLES)
    for layer, moment in memory.second_moments(generator, [3, 6]).items():
        kept = memory.read_moment(folder / "tiny" / MOMENTS, layer, len(moment), key)
        assert torch.equal(kept, moment.float().double())  # kept as float32; every bit of it is the same


def test_two_processes_find_what_one_finds(folder, together, alone, capsys):
    assert alone(*SEARCH) == 0
    expected = [line.split() for line in capsys.readouterr().out.splitlines()]
    got = [line.split() for line in together["search"].splitlines()]
    assert len(got) == 9 and [seed for seed, _ in got] == [seed for seed, _ in expected]
    scores = [float(score) for _, score in got]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    with Image.open(folder / "found.png") as sheet:
        assert sheet.size[0] >= 3 * 32


def test_machines_of_which_one_knows_the_statistics_find_what_one_finds(folder, alone, capsys, monkeypatch):
    tiny.generator(name="new").save(folder / "new")
    (folder / "machines.py").write_text(MACHINES)
    words = ("search", "--request", "request.json", "--generator", "new", "--seeds", "0-9", "--best", "3")
    words += ("--for-other-pictures",)
    monkeypatch.setenv("REWRITING_CACHE", str(folder / "machine-0"))
    assert alone(*words) == 0
    code, printed, said = run(folder, *TORCHRUN, "machines.py", *words)
    assert code == 0, said
    assert printed.splitlines()[-3:] == capsys.readouterr().out.splitlines()
    assert list((folder / "machine-1").rglob("*.safetensors"))


def test_two_processes_fill_a_table_with_the_numbers_of_one(folder):
    (folder / "table.py").write_text(SMALL_TABLE, encoding="utf-8")
    words = ("table.py", "experiments", "table1", "--pictures", 5, "--out")
    code, said, complaint = run(folder, *TORCHRUN, *words, "two")
    assert code == 0, complaint
    assert said.count("Wrote") == 1 and complaint.count("5 of 5 pictures") == 1  # one process speaks for both
    code, _, complaint = run(folder, *words, "one")
    assert code == 0, complaint
    one, two = (folder / where / "table1" for where in ("one", "two"))
    assert _numbers(one) == _numbers(two) and len(_numbers(one)) == 13 + 7  # seven once more, stronger
    for picture in ("smiles.webp", "smiles-curve.png"):
        assert (one / picture).read_bytes() == (two / picture).read_bytes()


def _numbers(report):
    """Of every method, all that was measured but the time."""
    found = json.loads((report / "report.json").read_text(encoding="utf-8"))["numbers"]["smiles"]
    return {method: {name: x for name, x in scores.items() if name != "seconds"} for method, scores in found.items()}


def test_an_experiment_that_cannot_be_shared_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(ValueError, match="The experiment layers runs in one process; start it without torchrun."):
        run_experiment("layers", tmp_path, progress=lambda _: None)


def test_what_cannot_be_shared_says_so(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun tells its processes
    assert cli.main(["models"]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err == "error: This command runs in one process; start it without torchrun.\n"


def test_alone_everything_is_ones_own():
    items = [3, 1, 2]
    assert processes.mine(items) == items and processes.gathered(items) == items
    assert processes.count() == 1 and processes.rank() == 0
    one = torch.ones(2)
    assert processes.total(one) is one
