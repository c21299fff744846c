"""Files from other systems are read as they are meant; what cannot be written is said, and loses nothing."""

import errno
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from rewriting import Edit, EditStack, Request, Rewriter, load_generator
from rewriting.checkpoints import read_checkpoint
from rewriting.core import memory
from rewriting.core.contact_sheet import check_square_sheet, save_picture, square_sheet
from rewriting.files import check_writable, read_json, read_picture, write_json, write_tensors
from rewriting.generators import read_generator
from rewriting.generators.config import MOMENTS
from tests import tiny
from tests.full_disk import full_disk

LAYER = 6
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345678\n"


@pytest.fixture
def rule(tmp_path):
    """An edit folder, made for the tiny generator."""
    return tiny.random_edit(tiny.generator(), LAYER, name="A rule").save(tmp_path / "rule")


def refusal(kind, read, path):
    with pytest.raises(kind) as caught:
        read(path)
    assert tiny.is_one_sentence(str(caught.value)), str(caught.value)
    return str(caught.value)


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_opens_in_any_encoding_that_json_comes_in(tmp_path, encoding):
    data = {"name": "Dächer werden Bäume 🌳", "numbers": [1, 2.5, None]}
    (tmp_path / "a.json").write_bytes(json.dumps(data, ensure_ascii=False).encode(encoding))
    assert read_json(tmp_path / "a.json") == data


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_requests_rules_and_generators_do_so_too(tmp_path, rule, encoding):
    """Editors on Windows put a byte-order mark before what they save."""

    def saved_again(path):
        path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)

    request = tiny.request(name="Hüte")
    saved_again(request.save(tmp_path / "request.JSON"))
    assert Request.load(tmp_path / "request.JSON") == request
    for name in ("config.json", "edit.json"):
        saved_again(rule / name)
    assert Edit.load(rule).name == "A rule"
    made = tiny.generator()
    saved_again(made.save(tmp_path / "generator") / "config.json")
    assert read_generator(tmp_path / "generator").digest() == made.digest()


def test_a_file_that_only_git_lfs_has_is_called_that_wherever_it_is_read(tmp_path, rule):
    generator = tiny.generator().save(tmp_path / "generator")
    readers = {
        rule / "config.json": (EditStack.load, rule),
        rule / "edit.safetensors": (EditStack.load, rule),
        rule / "edit.json": (EditStack.load, rule),
        generator / "model.safetensors": (load_generator, generator),
        generator / "config.json": (load_generator, generator),
        tmp_path / "request.json": (Request.load, tmp_path / "request.json"),
        tmp_path / "rules.zip": (EditStack.load, tmp_path / "rules.zip"),
        tmp_path / "preview.webp": (read_picture, tmp_path / "preview.webp"),
        tmp_path / "weights.pt": (read_checkpoint, tmp_path / "weights.pt"),
        tmp_path / "weights.pkl": (read_checkpoint, tmp_path / "weights.pkl"),
    }
    for path, (read, what) in readers.items():
        before = path.read_bytes() if path.exists() else POINTER
        path.write_bytes(POINTER)
        said = refusal(ValueError, read, what)
        assert path.name in said and "is a Git LFS pointer and not the file itself; run `git lfs pull`" in said
        path.write_bytes(before)


def test_statistics_that_only_git_lfs_has_are_measured_again(tmp_path):
    path = tmp_path / MOMENTS
    memory.write_moments(path, {LAYER: torch.eye(4)}, "key")
    assert torch.equal(memory.read_moment(path, LAYER, 4, "key"), torch.eye(4).double())
    path.write_bytes(POINTER)
    assert memory.read_moment(path, LAYER, 4, "key") is None


def test_a_picture_that_is_none_is_named_without_its_folder(tmp_path):
    path = save_picture(Image.new("RGB", (40, 30), "red"), tmp_path / "a.webp")
    assert np.asarray(read_picture(path)).shape == (30, 40, 3)
    path.write_bytes(path.read_bytes()[:30])
    said = refusal(ValueError, read_picture, path)
    assert said == "a.webp is not a whole picture; fetch it again."


# --- rules in a zip --------------------------------------------------------------------------------------------------


def zipped(path, **folders):
    """A zip of folders on this disk, by their names in it; "" is its top."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, folder in folders.items():
            for file in folder.iterdir():
                archive.write(file, f"{name}/{file.name}".lstrip("/"))
    return path


def test_rules_in_a_zip_open_as_they_were_saved(tmp_path):
    made = tiny.generator()
    stack = EditStack([tiny.random_edit(made, n, seed=n, name=f"Rule {n}", request=tiny.request()) for n in (4, 6)])
    opened = EditStack.load(stack.save_archive(tmp_path / "rules.ZIP"))
    assert [edit.name for edit in opened] == ["Rule 4", "Rule 6"] and opened[1].request == tiny.request()
    assert all(torch.equal(one.factor, other.factor) for one, other in zip(opened, stack, strict=True))


def test_every_rule_in_a_zip_is_opened_and_none_is_mixed_with_another(tmp_path):
    """As when several saved rules are packed together, on any system."""
    made = tiny.generator()
    folders = {}
    for name, layer in (("b", 4), ("a", 6), ("deep/inside", 7)):
        edit = tiny.random_edit(made, layer, seed=layer, name=name, request=tiny.request(name=name))
        folders[name] = edit.save(tmp_path / name)
    (folders["b"] / "edit.json").unlink()  # which must not become that of another
    path = zipped(tmp_path / "rules.zip", **folders, other=made_of(tmp_path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/a/._config.json", b"what a Mac notes of a file")
    opened = EditStack.load(path)
    assert [(edit.name, edit.layer) for edit in opened] == [("a", 6), ("b", 4), ("deep/inside", 7)]
    assert [edit.request and edit.request.name for edit in opened] == ["a", None, "deep/inside"]
    with zipfile.ZipFile(tmp_path / "windows.zip", "w") as archive:
        for file in folders["a"].iterdir():
            archive.writestr(f"Meine Regel\\{file.name}", file.read_bytes())
    assert [edit.name for edit in EditStack.load(tmp_path / "windows.zip")] == ["a"]


def made_of(tmp_path):
    """A folder with a config alone."""
    folder = tmp_path / "config-alone"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_a_zip_without_a_rule_says_so_and_shows_no_path_of_this_machine(tmp_path, rule):
    made = tiny.generator().save(tmp_path / "generator")
    (tmp_path / "empty").mkdir()
    for name, folder in {"none": tmp_path / "empty", "generator": made, "config": made_of(tmp_path)}.items():
        said = refusal(ValueError, EditStack.load, zipped(tmp_path / f"{name}.zip", **{name: folder}))
        assert said == f"{name}.zip holds no rule; a rule is a folder with config.json and edit.safetensors."
    (rule / "config.json").write_text('{"format": "other"}')
    said = refusal(ValueError, EditStack.load, zipped(tmp_path / "r.zip", mine=rule))
    assert said.startswith("r.zip cannot be opened, in its folder mine: config.json does not describe an edit")
    (rule / "edit.safetensors").write_bytes(b"nonsense")
    assert str(tmp_path) not in refusal(ValueError, EditStack.load, zipped(tmp_path / "r.zip", mine=rule))


def test_a_zip_leaves_nothing_outside_and_nothing_behind(tmp_path, rule, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in rule.iterdir():
            archive.writestr(f"../../{file.name}", file.read_bytes())
            archive.writestr(f"/etc/{file.name}", file.read_bytes())
    before = sorted(tmp_path.rglob("*"))
    assert [edit.name for edit in EditStack.load(path)] == ["A rule", "A rule"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_that_cannot_be_right_is_refused(tmp_path, rule):
    path = tmp_path / "rules.zip"
    zipped(path, mine=rule)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("mine/config.json", b"{}")
    assert "holds mine/config.json twice" in refusal(ValueError, EditStack.load, path)
    zipped(path, mine=rule)
    data = bytearray(path.read_bytes())
    for at in (i for i in range(len(data)) if data[i : i + 4] in (b"PK\x01\x02", b"PK\x03\x04")):
        data[at + (8 if data[at + 2] == 1 else 6)] |= 1  # the flag of an encrypted entry
    path.write_bytes(data)
    assert "is locked with a password" in refusal(ValueError, EditStack.load, path)
    for count, says in ((1, "config.json has 20,000,000 bytes"), (4, "The rules in rules.zip have 80,000,000 bytes")):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(count):
                archive.writestr(f"{i}/config.json", bytes(20_000_000))
                archive.writestr(f"{i}/edit.safetensors", b"")
        assert says in refusal(ValueError, EditStack.load, path)


# --- sheets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "side", "others"),
    [
        ("a.webp", 226, 1024, r"\.png or \.jpg or \.jpeg"),
        ("a.WebP", 257, 1024, r"\.png or \.jpg or \.jpeg"),
        ("a.jpg", 4096, 1024, r"\.png"),
    ],
)
def test_a_sheet_that_its_format_cannot_hold_is_refused_before_it_is_drawn(tmp_path, name, count, side, others):
    says = f"pixels wide, and a .* holds at most .*; write {others}, or choose"
    with pytest.raises(ValueError, match=says) as refused:
        check_square_sheet(tmp_path / name, count, side)
    assert tiny.is_one_sentence(str(refused.value))
    check_square_sheet(tmp_path / "a.png", count, side)


@pytest.mark.parametrize("name", ["a.webp", "a.jpg", "a.png"])
def test_a_sheet_that_passes_the_check_is_written(tmp_path, name):
    """Pictures of one row of pixels would not be square; of a small side, it takes many to be too wide."""
    for count in (1, 25, 15 * 15):
        check_square_sheet(tmp_path / name, count, 16)
        sheet = square_sheet(np.zeros((count, 16, 16, 3), np.uint8))
        assert read_picture(save_picture(sheet, tmp_path / name)).size == sheet.size
    widest = {"a.webp": 16_383, "a.jpg": 65_500, "a.png": 70_000}[name]
    save_picture(Image.new("RGB", (widest, 1)), tmp_path / name)
    if name != "a.png":  # the limits are the libraries' own
        with pytest.raises((ValueError, OSError)):
            save_picture(Image.new("RGB", (widest + 1, 1)), tmp_path / name)


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_tensors(path, {"a": torch.ones(5000)}, {}),
        lambda path: write_json(path, ["text"] * 5000),
        lambda path: save_picture(Image.effect_noise((200, 200), 50), path.with_suffix(".png")),
        lambda path: tiny.request(description="x" * 5000).save(path),
    ],
)
def test_a_full_disk_is_said_and_leaves_no_part_of_a_file(tmp_path, write):
    with full_disk(), pytest.raises(OSError, match="no file may be that large there; correct that, or") as refused:
        write(tmp_path / "a")
    assert tiny.is_one_sentence(str(refused.value)) and str(tmp_path) not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_so_is_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    for path, says in (
        (tmp_path / "file" / "a.json", "a.json cannot be written: a part of its path is a file and no folder;"),
        (tmp_path / "none" / "a.json", "a.json cannot be written: its folder does not exist;"),
        (tmp_path / ("x" * 300), "cannot be written: its name is too long;"),
        (tmp_path, "cannot be written: a folder has its name;"),
    ):
        assert says in refusal(OSError, lambda path: write_json(path, {}), path)
    for save in (tiny.generator().save, tiny.random_edit(tiny.generator(), LAYER).save):
        assert "a part of its path" in refusal(OSError, save, tmp_path / "file")
        assert "a part of its path" in refusal(OSError, save, tmp_path / "file" / "x")


def test_whether_something_can_be_written_is_known_beforehand(tmp_path, monkeypatch):
    check_writable(tmp_path / "new" / "folders" / "a.png")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    for path, says in (
        (tmp_path / "file" / "a.png", "a part of its path is a file and no folder"),
        (tmp_path / "file" / "more" / "a.png", "a part of its path is a file and no folder"),
        (tmp_path, "a folder has its name"),
    ):
        assert says in refusal(OSError, check_writable, path)

    def read_only(**_):
        raise OSError(errno.EROFS, "Read-only file system", "/somewhere")

    monkeypatch.setattr("rewriting.files.tempfile.TemporaryFile", read_only)
    said = refusal(OSError, check_writable, tmp_path / "a.png")
    assert said == "a.png cannot be written: the disk is read-only; correct that, or choose another folder."


def test_a_solve_outlives_a_cache_that_is_full_or_no_folder(tmp_path, monkeypatch):
    expected = Rewriter(tiny.generator(), LAYER).solve(tiny.request(), rank=1)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "file"))
    assert torch.equal(Rewriter(tiny.generator(), LAYER).solve(tiny.request(), rank=1).factor, expected.factor)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "cache"))
    with full_disk(100):
        solved = Rewriter(tiny.generator(), LAYER).solve(tiny.request(), rank=1)
    assert torch.equal(solved.factor, expected.factor)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_saving_over_a_model_on_a_full_disk_keeps_the_model(tmp_path):
    folder = tiny.generator().save(tmp_path / "generator")
    before = load_file(folder / "model.safetensors")
    with full_disk(), pytest.raises(OSError, match="model.safetensors cannot be written"):
        tiny.generator(seed=1).save(folder)
    after = load_file(folder / "model.safetensors")
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
