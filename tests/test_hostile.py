"""Hostile and damaged files against every reader: nothing runs, crashes, hangs or grows; each says what is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rewriting.checkpoints import CheckpointError, read_checkpoint, reader
from rewriting.core.edit import EditStack, make_edit
from rewriting.generators import GeneratorConfig, build
from tests import fuzz, hostile, hostile_checkpoints, hostile_names, hostile_ours
from tests.hostile import Job, Outcome
from tests.surroundings import PATIENCE

FAMILIES = (*fuzz.READERS, "listing")


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory):
    """A file that is only there if something in a file was run."""
    return tmp_path_factory.mktemp("sentinel") / "executed"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, sentinel):
    """What came of every hostile file; one process reads them all."""
    folder = tmp_path_factory.mktemp("hostile")
    generator = build(GeneratorConfig("stylegan2", 8, 6, {4: 5, 8: 4}, 7, 2))
    edit = make_edit(3, torch.ones(4, 1, 3, 3), torch.eye(1, 5))
    jobs = [
        *hostile_checkpoints.checkpoints(folder / "checkpoints", f"touch '{sentinel}'"),
        *hostile_ours.generator_repos(folder / "generators", generator.save(folder / "generator")),
        *hostile_ours.edit_repos(folder / "edits", EditStack([edit]).save(folder / "edit")),
        *hostile_ours.zips(folder / "zips", folder / "edit"),
        *hostile_ours.requests(folder / "requests"),
        *hostile_ours.pictures(folder / "pictures"),
        *hostile_ours.own_pictures(folder / "own", hostile_ours.kept_picture(generator, folder / "kept")),
        *hostile_ours.masks(folder / "masks"),
        *hostile_names.names(folder / "names"),
        *hostile_names.listings(folder / "listings"),
    ]
    return hostile.run(jobs, folder)


def test_there_are_hundreds_of_them_for_every_reader(outcomes):
    count = {family: sum(outcome.job.reader == family for outcome in outcomes) for family in FAMILIES}
    assert sum(count.values()) == len(outcomes) >= 200 and min(count.values()) >= 20, count
    assert all(count[family] >= 40 for family in FAMILIES if family != "listing"), count
    endings = [Path(outcome.job.path).suffix for outcome in outcomes if outcome.job.reader == "checkpoint"]
    assert all(endings.count(ending) >= 40 for ending in (".pt", ".pth", ".pkl"))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_bad_file_ends_in_one_clear_sentence(outcomes, family):
    complaints = [f"{o.job.label}: {o.complaint}" for o in outcomes if o.job.reader == family and o.complaint]
    assert not complaints, "\n".join(complaints)


def test_nothing_in_them_was_run(outcomes, sentinel):
    assert not sentinel.exists()
    asked = [o for o in outcomes if "REDUCE" in o.job.label and o.job.label.startswith("pickle")]
    assert asked and all("os.system" in o.message for o in asked)


def test_the_sentinel_does_appear_when_a_bomb_is_unpickled(tmp_path):
    """The bombs are real: Python's own unpickler runs them."""
    import pickle

    from tests import hostile_pickles

    mark = tmp_path / "executed"
    works = ("REDUCE", "STACK_GLOBAL", "INST", "OBJ")
    for label in works:
        pickle.loads(b"\x80\x04" + hostile_pickles.bombs(f"touch '{mark}'")[label] + b".")
        assert mark.exists(), label
        mark.unlink()


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        (Outcome(Job("mask", "x", "p"), "ValueError", "A mask is no PNG; paint it again."), ""),
        (Outcome(Job("mask", "x", "p"), ""), "without complaint"),
        (Outcome(Job("mask", "x", "p", opens=True), ""), ""),
        (Outcome(Job("mask", "x", "p"), "ValueError", "A mask is no PNG; paint it again.", ours=False), "ended with"),
        (Outcome(Job("mask", "x", "p"), "KeyError", "A mask is no PNG; paint it again."), "ended with KeyError"),
        (Outcome(Job("mask", "x", "p"), "ValueError", "bad"), "no clear sentence"),
        (Outcome(Job("mask", "x", "p"), "ValueError", "Two lines of\na sentence."), "no clear sentence"),
        (Outcome(Job("mask", "x", "p"), "died", "status -11"), "died"),
        (Outcome(Job("mask", "x", "p", opens=True), "", seconds=11), "11.0 s"),
        (Outcome(Job("mask", "x", "p", opens=True), "", peak=3 << 30), "3072 MB"),
        (Outcome(Job("mask", "x", "p", opens=True), "", events=("os.system",)), "os.system"),
    ],
)
def test_the_judge_sees_what_is_wrong(outcome, complaint):
    assert (complaint in outcome.complaint) if complaint else not outcome.complaint


def test_in_production_a_bomb_is_read_in_a_process_of_its_own(tmp_path):
    bomb = tmp_path / "bomb.pkl"
    bomb.write_bytes(b"\x80\x04cos\nsystem\n(X\x04\x00\x00\x00truetR.")
    with pytest.raises(CheckpointError, match=r"'bomb.pkl' cannot be used: it asks for 'os.system', .* nothing of it"):
        read_checkpoint(bomb)


def test_in_production_a_file_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(reader.Limits, "for_file", classmethod(lambda cls, path: cls(seconds=0.2, memory=512 << 20)))
    (tmp_path / "marks.pkl").write_bytes(b"\x80\x04" + b"]0" * 490_000 + b".")
    with pytest.raises(CheckpointError, match="'marks.pkl' cannot be used: it takes longer to read than 0.2 seconds"):
        read_checkpoint(tmp_path / "marks.pkl")


LIMITED = """
import pickle, subprocess, sys, time
from rewriting.checkpoints.reader import Limits, confine

def attempt(act):
    try:
        act()
    except (MemoryError, ValueError) as error:
        print(type(error).__name__, error)

confine(Limits(seconds=4, memory=256 << 20))
attempt(lambda: bytearray(1 << 30))
attempt(lambda: subprocess.run(["true"]))
attempt(lambda: pickle.loads(b"cos\\nsystem\\n."))
sys.stdout.flush()
time.sleep(60)
"""


def test_the_limits_of_that_process_hold():
    """Memory, starting programs, unpickling by name, and at last the time by the clock, which ends it."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=hostile.ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.splitlines() == [
        "MemoryError ",
        "CheckpointError It tried to run subprocess.Popen; it was made to do harm, and was stopped.",
        "CheckpointError It tried to run pickle.find_class; it was made to do harm, and was stopped.",
    ]
    assert done.returncode != 0 and "Timeout" in done.stderr


def test_the_fuzzer_reads_mutants_of_every_kind_and_finds_nothing_to_complain_of(tmp_path):
    count, bad = fuzz.fuzz(600, list(fuzz.READERS), seed=1, keep=tmp_path / "kept", most=100)
    assert count == 100 and not bad, "\n".join(f"{o.job.label}: {o.complaint}" for o in bad)
    assert not (tmp_path / "kept").exists()
