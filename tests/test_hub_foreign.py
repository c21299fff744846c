"""Repos, folders and files as people have them: pickles and .pt, one or several, beside much else.  Which is opened is
never guessed; what it becomes is kept; and it draws the pictures of the program that wrote it."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from rewriting import EditStack, checkpoints, load_edits, load_generator
from rewriting.checkpoints import conversion, reader
from rewriting.generators import read_generator
from rewriting.hub import (
    Gated,
    HubError,
    Missing,
    SeveralFiles,
    Unreachable,
    convert,
    converted,
    open_repo,
    visitors,
    write_rule,
)
from rewriting.hub.choosing import MOST, candidates, choose
from tests import tiny
from tests.hub_repos import edit_of, files_of
from tests.loopback_hub import File
from tests.reference import nvidia, progan
from tests.test_checkpoints import PARITY, save_ada, save_rosinality, save_tensorflow
from tests.test_hub import refused
from tests.test_hub_transfer import forbid_writing

pytest_plugins = ("tests.hub_fixtures",)

SIZE = 16
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    """Files are read in this process, and what they become is kept for this test alone."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "kept"))


def written(tmp_path, save=save_rosinality, *, seed=0, **options):
    """The bytes of a file as another program writes it."""
    save(tmp_path / "written", nvidia.random_state(SIZE, seed=seed), **options)
    return (tmp_path / "written").read_bytes()


def opened(hub, name, **options):
    return load_generator(name, **{"endpoint": hub.url, "token": False, **options})


def draws(generator, seed=0):
    """Whether it draws the pictures of the reference's generator of that seed."""
    z = torch.from_numpy(np.random.RandomState(3).randn(2, generator.config.z_dim).astype(np.float32))
    with torch.no_grad():
        expected = nvidia.generate(nvidia.random_state(SIZE, seed=seed), z, truncation=1.0)
        return float((generator(z, truncation=1.0) - expected).abs().max()) < PARITY


# --- repos as they are -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "save"),
    [
        ("network-snapshot-002620.pkl", save_ada),
        ("stylegan2-church-config-f.pkl", save_tensorflow),
        ("stylegan2-church.pt", save_rosinality),
        ("models/ada/afhqcat.ckpt", save_rosinality),
        ("pytorch_model.bin", save_rosinality),
        ("weights.pth", save_rosinality),
    ],
)
def test_the_only_file_of_a_repo_opens_by_its_id(hub, tmp_path, path, save):
    repo = hub.add_repo("org/net", {path: written(tmp_path, save), "README.md": b"# A net", "teaser.png": b"x"})
    generator = opened(hub, "org/net")
    assert draws(generator)
    assert generator.config.name == generator.source.name == f"org/net:{path}"
    assert (generator.source.file, generator.source.revision) == (path, repo.head.sha)
    for name in (f"org/net/{path}", f"hf://org/net/{path}", f"{hub.url}/org/net/blob/main/{path}?download=true"):
        assert opened(hub, name).digest() == generator.digest()


def test_a_progressive_gan_opens_too(hub, tmp_path):
    torch.save(progan.random_state(SIZE), tmp_path / "g.pth")
    hub.add_repo("org/proggan", {"kitchen.pth": (tmp_path / "g.pth").read_bytes()})
    assert opened(hub, "org/proggan").config.architecture == "proggan"


def test_our_own_format_comes_first(hub, folder, tmp_path):
    hub.add_repo("org/both", files_of(folder) | {"network-snapshot-000000.pkl": written(tmp_path, save_ada)})
    generator = opened(hub, "org/both")
    assert generator.source.file == "" and generator.digest() == load_generator(folder).digest()
    assert draws(opened(hub, "org/both:network-snapshot-000000.pkl"))
    for name in ("org/both:config.json", f"{hub.url}/org/both/blob/main/model.safetensors"):
        assert opened(hub, name).digest() == generator.digest()


def test_a_folder_of_a_repo_in_our_format_opens_as_it_is(hub, folder, tmp_path):
    files = {f"models/tiny/{name}": data for name, data in files_of(folder).items()}
    repo = hub.add_repo("org/one", files | {"README.md": b"# Ours"})
    for name in ("org/one", "org/one/models", "org/one/models/tiny", "org/one:models/tiny/model.safetensors"):
        generator = opened(hub, name)
        assert generator.source.file == "" and generator.digest() == load_generator(folder).digest()
    assert generator.config.name == generator.source.name == "org/one:models/tiny"
    assert generator.source.license_text == "Do as you like.\n"
    rule = write_rule(edit_of(generator), tmp_path / "rule", generator=generator)
    hub.add_repo("org/rule", {f"rules/hats/{name}": data for name, data in files_of(rule).items()})
    again = open_repo("org/rule/rules/hats", endpoint=hub.url, token=False)
    assert len(again.stack) == 1 and again.generator.digest() == generator.digest()
    more = {f"models/more/{name}": data for name, data in files_of(folder).items()}
    hub.add_repo("org/two", files | more)
    with pytest.raises(SeveralFiles) as raised:
        opened(hub, "org/two")
    assert [choice.path for choice in raised.value.choices] == [
        f"models/{n}/model.safetensors" for n in ("more", "tiny")
    ]
    assert opened(hub, raised.value.choices[1].name).source.file == ""
    hub.stop()
    for name in ("org/one", f"org/one@{repo.head.sha}:models", "org/two:models/tiny"):
        assert opened(hub, name).source.file == "", name


def test_the_config_of_another_library_does_not_hide_a_file_that_is_named(hub, tmp_path):
    torch.save({"g_ema": tiny.stylegan2_state(SIZE)}, tmp_path / "g.pt")
    save_file(tiny.stylegan2_state(SIZE), tmp_path / "model.safetensors")
    files = {path: (tmp_path / path).read_bytes() for path in ("g.pt", "model.safetensors")}
    hub.add_repo("org/net", files | {"config.json": b'{"model_type": "stylegan2"}'})
    assert "its config.json says model_type 'stylegan2'" in refused(lambda: opened(hub, "org/net"))
    found = [opened(hub, f"org/net:{path}") for path in files]
    assert found[0].digest() == found[1].digest() and found[1].source.file == "model.safetensors"


def test_of_several_none_is_guessed_and_all_are_listed_with_what_to_type(hub, tmp_path):
    files = {f"stylegan2-{name}-config-f.pt": written(tmp_path, seed=n) for n, name in enumerate(("church", "horse"))}
    hub.add_repo("org/collection", files)
    with pytest.raises(SeveralFiles) as raised:
        opened(hub, "org/collection")
    said = str(raised.value).splitlines()
    assert said[0] == "org/collection holds 2 files that may be generators; name one of them:"
    assert [line.split() for line in said[1:]] == [[f"org/collection:{path}", "0.1", "MB"] for path in files]
    for seed, choice in enumerate(raised.value.choices):
        assert draws(opened(hub, choice.name), seed)


def test_the_newest_snapshot_is_not_taken_for_the_best(hub, tmp_path):
    one = written(tmp_path, save_ada)
    paths = [f"00001-run/network-snapshot-{n}.pkl" for n in ("9", "10", "000200")]
    repo = hub.add_repo("org/run", dict.fromkeys([*paths, "00000-run/network-snapshot-000000.pkl"], one))
    with pytest.raises(SeveralFiles) as raised:
        opened(hub, "org/run")
    assert [choice.path for choice in raised.value.choices][1:] == paths  # 9 before 10
    with pytest.raises(SeveralFiles, match="holds 3 files"):
        opened(hub, "org/run/00001-run")
    assert draws(opened(hub, "org/run/00000-run"))
    with pytest.raises(SeveralFiles) as raised:
        opened(hub, f"org/run@{repo.head.sha}")
    assert raised.value.choices[0].name == f"org/run@{repo.head.sha}:00000-run/network-snapshot-000000.pkl"


def test_what_is_no_generator_by_its_name_or_its_size_is_no_candidate(hub, tmp_path):
    others = [
        "optimizer.pt",
        "d_optim.bin",
        "lpips/vgg.pth",
        "inception_v3.pkl",
        "e4e_ffhq_encode.pt",
        "netD.pth",
        "D.pkl",
    ]
    files = dict.fromkeys(others, b"x") | {"huge.pkl": File(b"x", lfs=True, listed=27_000_000_000)}
    hub.add_repo("org/net", files | {"g_ema.pt": written(tmp_path)})
    assert draws(opened(hub, "org/net")) and not hub.asked("/resolve/.*(huge|optim|netD)")
    hub.add_repo("org/others", files)
    said = refused(lambda: opened(hub, "org/others"))
    assert "huge.pkl is larger than the 2.15 GB that are opened" in said
    hub.add_repo("org/encoder", {"e4e_ffhq_encode.pt": written(tmp_path)})
    assert "named like something else; name the file" in refused(lambda: opened(hub, "org/encoder"))
    assert draws(opened(hub, "org/encoder:e4e_ffhq_encode.pt"))  # who names it means it
    assert "2.15 GB is the most" in refused(lambda: opened(hub, "org/net:huge.pkl"))


def test_a_repo_without_a_generator_says_what_was_looked_for(hub):
    hub.add_repo("org/words", {"README.md": b"# Words", "model.h5": b"x"})
    assert "neither a config.json of this software nor a file that ends in .pt" in refused(
        lambda: opened(hub, "org/words")
    )
    said = refused(lambda: opened(hub, "org/words:model.pkl"))
    assert "org/words has no file or folder 'model.pkl'" in said
    hub.add_repo("org/empty", {})
    assert "holds no generator" in refused(lambda: opened(hub, "org/empty"))


def test_what_is_not_found_says_what_was_looked_for_and_where(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hub.add_repo("org/net", {"net.pkl": b"x" * 100})
    said = refused(lambda: opened(hub, "checkpoints/face"), Missing)
    assert said.startswith("There is no folder checkpoints/face here, and there is no repo checkpoints/face that you")
    said = refused(lambda: opened(hub, "org/net/nte.pkl"))
    assert (
        said == "There is no file org/net/nte.pkl here, and org/net has no file or folder 'nte.pkl'; it has net.pkl."
    )
    hub.stop()
    said = refused(lambda: opened(hub, "checkpoints/face.pt"), Unreachable)
    assert said.startswith("There is no file checkpoints/face.pt here, and the Hub at ")


def test_a_branch_with_slashes_is_found_by_the_repos_branches(hub, tmp_path):
    repo = hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    other = {"a/net.pkl": hub._file("a/net.pkl", written(tmp_path, save_ada, seed=5))}
    repo.branches["try/two"] = repo.tags["v2"] = hub._commit(repo, other, "two")
    repo.commits.pop()
    for name in ("tree/v2", "tree/v2/a", "resolve/v2/a/net.pkl"):
        assert draws(opened(hub, f"{hub.url}/org/net/{name}"), 5), name
    for name in ("tree/try/two", "tree/try/two/a", "blob/try/two/a/net.pkl", "resolve/try%2Ftwo/a/net.pkl"):
        assert draws(opened(hub, f"{hub.url}/org/net/{name}"), 5), name
    assert draws(opened(hub, "org/net@try/two"), 5) and draws(opened(hub, "org/net@try/two/a/net.pkl"), 5)
    assert "no branch or tag that 'try/one' begins with; it has main, try/two, v2" in refused(
        lambda: opened(hub, "org/net@try/one")
    )
    hub.stop()
    assert draws(opened(hub, f"{hub.url}/org/net/tree/try/two/a"), 5)  # as it was found before


# --- once, and kept --------------------------------------------------------------------------------------------------


def test_the_second_time_nothing_is_read_again(hub, tmp_path, monkeypatch):
    hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    first = opened(hub, "org/net")
    monkeypatch.setattr(conversion, "read_contents", None)
    requests = len(hub.requests)
    again = opened(hub, "org/net")
    assert again.digest() == first.digest() and again.config == first.config
    assert again.config.extra == first.config.extra and len(hub.requests) == requests + 1  # whether it has changed
    hub.add_repo("org/copy", {"copy.pkl": hub.repo("org/net").head.files["net.pkl"].data})
    assert opened(hub, "org/copy").config.extra["base_model"]["repo_id"] == "org/copy"
    assert not hub.asked("/org/copy/resolve/")
    assert read_generator(first.source.folder).digest() == first.digest()


def test_another_version_of_the_converter_reads_it_anew(hub, tmp_path, monkeypatch):
    path = tmp_path / "net.pkl"
    path.write_bytes(written(tmp_path, save_ada))
    first = load_generator(path)
    monkeypatch.setattr(converted, "converter", lambda: "another")
    assert load_generator(path).source.folder != first.source.folder


def test_whatever_changes_in_the_code_of_the_converter_makes_another_version(tmp_path):
    code = Path(conversion.__file__).parent
    paths = sorted(code.glob("*.py"))
    for path in paths:
        shutil.copy(path, tmp_path)
    copies = [tmp_path / path.name for path in paths]
    version = conversion.digest_of_code(paths)
    assert conversion.digest_of_code(reversed(copies)) == version
    assert all(conversion.digest_of_code(set(paths) - {path}) != version for path in paths)
    (tmp_path / "layouts.py").write_text((code / "layouts.py").read_text() + "\n")
    assert conversion.digest_of_code(copies) != version


def test_what_another_version_made_goes_when_nobody_has_used_it_for_long(tmp_path, monkeypatch):
    path = tmp_path / "net.pkl"
    path.write_bytes(written(tmp_path, save_ada))
    monkeypatch.setattr(converted, "converter", lambda: "older")
    older = load_generator(path).source.folder
    monkeypatch.setattr(converted, "converter", lambda: "old")
    old = load_generator(path).source.folder
    os.utime(older, (0, 0))
    monkeypatch.setattr(converted, "converter", lambda: "new")
    assert draws(load_generator(path)) and old.is_dir() and not older.exists()


def test_what_was_kept_and_is_damaged_is_read_anew(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(written(tmp_path, save_ada))
    kept = load_generator(path).source.folder
    (kept / "model.safetensors").write_bytes(b"x")
    assert draws(load_generator(path)) and draws(read_generator(kept))


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch):
    path = tmp_path / "net.pkl"
    path.write_bytes(written(tmp_path, save_ada))
    monkeypatch.setenv("REWRITING_CACHE", str(path / "nowhere"))
    assert draws(load_generator(path))


def test_without_the_hub_what_was_opened_before_opens(hub, tmp_path):
    repo = hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada), "old/net.pkl": b"x" * 99})
    generator = opened(hub, "org/net:net.pkl")
    requests = len(hub.requests)
    assert opened(hub, f"org/net@{repo.head.sha}:net.pkl").digest() == generator.digest()
    assert len(hub.requests) == requests  # a commit never changes
    hub.stop()
    assert opened(hub, "org/net:net.pkl").digest() == generator.digest()
    refused(lambda: opened(hub, "org/net:old/net.pkl"), Unreachable)
    refused(lambda: opened(hub, f"org/net@{repo.head.sha}:old/net.pkl"), Unreachable)


def test_a_cache_of_the_hub_that_cannot_be_written_opens_what_it_holds(hub, tmp_path, caplog):
    repo = hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    assert draws(opened(hub, "org/net"))
    hub._commit(repo, {"net.pkl": hub._file("net.pkl", written(tmp_path, save_ada, seed=7))}, "newer")
    forbid_writing()
    assert draws(opened(hub, "org/net")) and "as it was fetched before" in caplog.text


def test_a_damaged_file_says_which_of_which_repo(hub, tmp_path):
    hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)[:-500]})
    assert refused(lambda: opened(hub, "org/net")).startswith("In org/net, 'net.pkl' cannot be used: ")
    hub.add_repo("org/bomb", {"net.pkl": b"\x80\x04cos\nsystem\n(X\x04\x00\x00\x00truetR."})
    assert "asks for 'os.system'" in refused(lambda: opened(hub, "org/bomb"))
    assert not list(Path(os.environ["REWRITING_CACHE"]).glob("converted/*"))


# --- licence and lineage ---------------------------------------------------------------------------------------------

CARD = """---
license: {}
---
# A net
"""


@pytest.mark.parametrize(
    ("files", "license", "terms"),
    [
        ({"README.md": CARD.format("cc-by-nc-4.0").encode()}, "cc-by-nc-4.0", {}),
        ({"README.md": CARD.format("[mit]").encode()}, "mit", {}),
        (
            {"README.md": CARD.format("other\nlicense_name: nvidia-nc\nlicense_link: LICENSE").encode()},
            "other",
            {"license_name": "nvidia-nc", "license_link": "LICENSE"},
        ),
        ({"LICENSE.txt": b"Do as you like."}, "other", {"license_link": "LICENSE"}),
        ({"README.md": b"# Nothing said"}, "unknown", {}),
        ({"README.md": b"---\nlicense: [\n---\n"}, "unknown", {}),
        ({"README.md": CARD.format("{a: [b, c]}").encode()}, "unknown", {}),
        ({"README.md": CARD.format("x" * 1000).encode()}, "unknown", {}),
    ],
)
def test_the_licence_and_the_repo_go_into_the_config(hub, tmp_path, files, license, terms):
    repo = hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada), **files})
    for _ in range(2):  # read, and kept
        config = opened(hub, "org/net").config
        assert config.license == license and config.extra.items() >= terms.items()
        assert config.extra["base_model"] == {"repo_id": "org/net", "revision": repo.head.sha}
        assert config.extra["source"]["file"] == "net.pkl" and len(config.extra["source"]["sha256"]) == 64


def test_converting_brings_the_licence_along(hub, tmp_path):
    text = b"For research only."
    files = {
        "net.pkl": written(tmp_path, save_ada),
        "README.md": CARD.format("cc-by-nc-4.0").encode(),
        "LICENSE": text,
    }
    hub.add_repo("org/net", files)
    said = []
    made = convert(
        "org/net", tmp_path / "out", endpoint=hub.url, token=False, progress=lambda s, w: said.append((s, w))
    )
    assert sorted(os.listdir(tmp_path / "out")) == ["LICENSE", "README.md", "config.json", "model.safetensors"]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["license"] == "cc-by-nc-4.0" and config["base_model"]["repo_id"] == "org/net"
    assert (tmp_path / "out" / "LICENSE").read_bytes() == text and said[-1][0] == 1.0
    assert load_generator(tmp_path / "out").digest() == made.digest()
    with pytest.raises(SeveralFiles):
        hub.add_repo("org/two", {"a.pkl": b"x", "b.pkl": b"x"})
        convert("org/two", tmp_path / "none", endpoint=hub.url, token=False)
    assert not (tmp_path / "none").exists()


def test_where_converting_cannot_write_nothing_is_fetched(hub, tmp_path):
    hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a part of its path is a file"):
        convert("org/net", tmp_path / "file" / "out", endpoint=hub.url, token=False)
    assert not hub.asked("/org/net")


def test_the_functions_of_before_still_work_for_one_release(hub, tmp_path):
    data = written(tmp_path, save_ada)
    hub.add_repo("org/net", {"net.pkl": data})
    with pytest.warns(DeprecationWarning, match="rewriting.checkpoints.fetch is now load_generator"):
        from rewriting.checkpoints import fetch
    assert fetch("org/net/net.pkl", endpoint=hub.url).read_bytes() == data
    assert fetch(tmp_path / "written") == tmp_path / "written"
    with pytest.warns(DeprecationWarning, match="is now rewriting.hub.addresses.download"):
        from rewriting.checkpoints import download
    assert download(f"{hub.url}/org/net/resolve/main/net.pkl", tmp_path / "here").read_bytes() == data
    with pytest.warns(DeprecationWarning, match="is now rewriting.hub.convert") as warned:
        assert checkpoints.convert is convert
    assert warned[0].filename == __file__


def test_a_rule_made_on_such_a_file_opens_it_again(hub, tmp_path):
    hub.add_repo("org/net", {"a.pkl": written(tmp_path, save_ada), "b.pkl": written(tmp_path, save_ada, seed=1)})
    generator = opened(hub, "org/net:b.pkl")
    rule = write_rule(edit_of(generator), tmp_path / "rule", generator=generator)
    hub.add_repo("org/rule", files_of(rule))
    newer = {name: hub._file(name, written(tmp_path, save_ada, seed=7)) for name in ("a.pkl", "b.pkl")}
    hub._commit(hub.repo("org/net"), newer, "newer")
    again = open_repo("org/rule", endpoint=hub.url, token=False)
    assert again.generator.digest() == generator.digest() and len(again.stack) == 1


# --- on this machine -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".pt", ".pth", ".pkl", ".bin", ".ckpt", ".weights"])
def test_a_file_that_is_there_opens_whatever_it_is_called(tmp_path, ending):
    path = tmp_path / f"net{ending}"
    path.write_bytes(written(tmp_path))
    generator = load_generator(str(path))
    assert draws(generator) and generator.config.name == "net"
    assert (generator.source.name, generator.source.file) == ("", path.name)


def test_a_folder_opens_as_a_repo_does(tmp_path, folder):
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / ".git" / "pack.pkl").write_bytes(b"x")
    (clone / "LICENSE").write_text("Mine.")
    (clone / "net.pkl").write_bytes(written(tmp_path, save_ada))
    generator = load_generator(clone)
    assert draws(generator) and generator.source.license_text == "Mine."
    (clone / "runs").mkdir()
    (clone / "empty").mkdir()
    (clone / "runs" / "other.pkl").write_bytes(b"x")
    with pytest.raises(SeveralFiles) as raised:
        load_generator(str(clone))
    assert draws(load_generator(raised.value.choices[0].name))
    with pytest.raises(ValueError, match="holds no generator: there is neither a config.json"):
        load_generator(str(tmp_path / "clone" / "empty"))
    assert load_generator(folder / "model.safetensors").digest() == load_generator(folder).digest()
    assert load_generator(str(folder / "config.json")).config.name == "tiny"


def test_the_folder_of_a_rule_is_no_generator(tmp_path, folder):
    rule = EditStack([edit_of(load_generator(folder))]).save(tmp_path / "rule")
    with pytest.raises(ValueError, match="holds a rule"):
        load_generator(rule)
    assert len(load_edits(rule / "edit.safetensors")) == 1
    assert len(load_edits(EditStack.load(rule).save_archive(tmp_path / "rule.zip"))) == 1
    for name, said in (("face", "is a bundled generator; rules are in"), (str(folder), "does not describe an edit")):
        with pytest.raises(ValueError, match=said):
            load_edits(name)


def test_several_at_once_convert_it_once_and_the_others_wait(tmp_path, monkeypatch):
    path = tmp_path / "net.pkl"
    path.write_bytes(written(tmp_path, save_ada))
    read, told, found, threads = [], [], [], []

    def slowly(path):
        read.append(path)
        time.sleep(0.5)
        return reader.extract(path)

    def open_it():
        found.append(load_generator(path, progress=lambda share, what: told.append(what)).digest())

    monkeypatch.setattr(conversion, "read_contents", slowly)
    for _ in range(4):
        threads.append(threading.Thread(target=open_it))
        threads[-1].start()
    for thread in threads:
        thread.join()
    kept = Path(os.environ["REWRITING_CACHE"]) / "converted"
    assert len(found) == 4 and len(set(found)) == 1 and len(list(kept.iterdir())) == len(read) == 1
    assert "The same file is being read already; waiting for it" in told


def test_two_programs_convert_it_once_and_one_that_stopped_holds_nobody_up(tmp_path, monkeypatch):
    path, kept = tmp_path / "net.pkl", Path(os.environ["REWRITING_CACHE"])
    path.write_bytes(written(tmp_path, save_ada))
    folder = kept / "converted" / f"{conversion.sha256_of(path)}-{conversion.converter()}"
    code = (
        "import sys, time; from pathlib import Path; from rewriting.hub.locks import alone\n"
        "with alone(Path(sys.argv[1]), lambda: None): print('holds it', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(kept / "locks" / f"{folder.name}.lock")]
    for stop, patience in ((signal.SIGKILL, 60.0), (signal.SIGSTOP, 0.3)):  # ended, or stopped and still there
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            assert other.stdout.readline() == "holds it\n"
            other.send_signal(stop)
            monkeypatch.setattr(converted, "PATIENCE", patience)
            assert draws(load_generator(path))
            shutil.rmtree(folder)
        finally:
            other.kill()
            other.communicate()


# --- which file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *(
            "stylegan2-church-config-f.pt",
            "network-snapshot-002620.pkl",
            "pytorch_model.bin",
            "G_ema.pth",
            "best_fid.pt",
        ),
        *("dogs_1024_pytorch.pkl", "stylegan2-ffhq-config-d.pkl", "decoder.pt", "discovery.pt", "models/3d.ckpt"),
        *("model.safetensors", "adobe.pt", "options.pt", "550000.pt", "Gs.pkl", "portrait.pkl", "eclipse.pt"),
    ],
)
def test_names_of_generators(path):
    assert candidates({path: 1000}) == [path]


@pytest.mark.parametrize(
    "path",
    [
        *("optimizer.pt", "optimizer.bin", "G_optim.pth", "scheduler.bin", "training_args.bin", "rng_state.pth"),
        *("discriminator.pt", "netD.pth", "net_d_100000.pth", "D.pkl", "D_ema.pth", "100000_D.pth", "Disc.pt"),
        *("encoder.pt", "e4e_ffhq_encode.pt", "psp_ffhq.pt", "restyle-e4e.pt", "text_encoder/model.safetensors"),
        *("vgg16.pkl", "lpips/alex.pth", "inception_v3_features.pkl", "pt_inception-2015-12-05.pth", "arcface.pth"),
        *("model_ir_se50.pth", "moco_v2.pt", "autoencoder.pt", "second_moments.safetensors", "edit.safetensors"),
        *("pytorch_model-00001-of-00002.bin", "model.h5", "README.md", "weights.pt.txt", "big.pkl"),
    ],
)
def test_names_of_other_things(path):
    assert candidates({path: MOST + (path == "big.pkl")}) == []


def test_a_long_list_is_cut_short(hub):
    sizes = {f"{n}.pkl": 10 ** (n % 9) for n in range(100)}
    with pytest.raises(SeveralFiles) as raised:
        choose(sizes, "", "org/net", lambda path: f"org/net:{path}")
    lines = str(raised.value).splitlines()
    assert len(lines) == 32 and lines[-1] == "  and 70 more" and len(raised.value.choices) == 100


# --- on a hosted Space -----------------------------------------------------------------------------------------------


def test_a_visitor_opens_public_files(space, tmp_path):
    space.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    generator = opened(space, "org/net", token=None)
    assert draws(generator) and not list(Path(constants.HF_HUB_CACHE).rglob("*.pkl"))
    folder = generator.source.folder
    del generator
    gc.collect()
    assert draws(read_generator(folder))  # what everybody may read is kept for everybody


def test_a_visitors_private_and_gated_files_are_not_converted_there(space, tmp_path):
    alice, data = space.add_user("alice"), written(tmp_path, save_ada)
    space.add_repo("alice/net", {"net.pkl": data}, private=True)
    space.add_repo("org/gated", {"net.pkl": data}, gated=True, admitted={"alice"})
    for name in ("alice/net", "org/gated"):
        said = refused(lambda n=name: opened(space, n, token=alice))
        assert f"net.pkl of {name} was written by another program and is not public" in said
    refused(lambda: opened(space, "alice/net", token=None), Missing)
    refused(lambda: opened(space, "org/gated", token=None), Gated)
    assert not list(Path(os.environ["REWRITING_CACHE"]).glob("converted/*"))


def test_whoever_runs_the_space_can_switch_it_off(space, folder, tmp_path, monkeypatch):
    space.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    monkeypatch.setenv("REWRITING_CONVERT", "off")
    said = refused(lambda: opened(space, "org/net", token=None))
    assert "such files are not opened here" in said and "on your own computer" in said
    assert "not opened here" in refused(lambda: opened(space, "stylegan2-church", token=None))
    assert opened(space, "org/tiny", token=None).config.name == "org/tiny"
    monkeypatch.delenv("SPACE_ID")
    assert draws(opened(space, "org/net"))  # it is said to visitors alone


def test_a_visitors_file_has_less_room(space, tmp_path, monkeypatch):
    monkeypatch.setattr(visitors, "MOST_BYTES", 1000)
    space.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    assert "0.0 MB is the most here" in refused(lambda: opened(space, "org/net", token=None))
    assert not space.asked("/resolve/.*pkl")


def test_a_visitors_generator_takes_no_more_than_its_share(space, folder, tmp_path, monkeypatch):
    space.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    for limit in ("MOST_WEIGHTS", "MOST_PRODUCTS", "MOST_VALUES"):
        with monkeypatch.context() as patch:
            patch.setattr(visitors, limit, 1000)
            for name in ("org/net", "org/tiny"):  # of another program, and ours
                said = refused(lambda n=name: opened(space, n, token=None))
                assert "takes more time or memory than a visitor has here" in said
    assert not space.asked("/org/tiny/resolve/.*safetensors")


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_effort_is_that_of_the_generator(kind):
    generator = tiny.generator(kind)
    weights, products, values = visitors.effort(generator.config)
    convolutions = [generator.conv(layer).weight.numel() for layer in generator.layers]
    assert sum(convolutions) <= weights <= 1.5 * sum(convolutions)
    assert products >= sum(size * 4 ** (n // 2) for n, size in enumerate(convolutions, start=4))
    at = generator.begin(generator.map(generator.latents([0]), 1.0))
    assert values == max(value.numel() for value in drawn_values(generator, at))


def drawn_values(generator, at):
    for layer in generator.layers:
        yield (value := generator.value(layer, at))
        if layer < generator.layers.stop - 1:
            at = generator.advance(layer, value, at)


def test_visitors_wait_for_each_other(space, tmp_path, monkeypatch):
    space.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    monkeypatch.setattr(converted, "HOSTED_WAIT", 0.1)
    with converted._turn:
        assert "try again in a minute" in refused(lambda: opened(space, "org/net", token=None))
    assert draws(opened(space, "org/net", token=None))


def test_a_space_keeps_those_that_were_used_last(space, tmp_path, monkeypatch):
    monkeypatch.setattr(converted, "HOSTED_KEPT", 2)
    for n in range(3):
        space.add_repo(f"org/net{n}", {"net.pkl": written(tmp_path, save_ada, seed=n)})
        opened(space, f"org/net{n}", token=None)
    assert len(list((Path(os.environ["REWRITING_CACHE"]) / "converted").iterdir())) == 2


def test_a_visitor_names_no_other_server(space):
    assert "not an address of the Hub" in refused(lambda: opened(space, "https://example.org/net.pkl"))
    assert "not an address of the Hub" in refused(lambda: opened(space, "http://127.0.0.1:1/net.pkl"))


def test_every_failure_of_a_repo_is_one_sentence(hub, tmp_path):
    hub.add_repo("org/net", {"net.pkl": written(tmp_path, save_ada)})
    hub.fail("GET /cdn/", status=403)
    assert tiny.is_one_sentence(refused(lambda: opened(hub, "org/net"), HubError))
