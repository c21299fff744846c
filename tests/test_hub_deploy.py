"""The studio put on a Space, with the real client against a Hub on this machine."""

from pathlib import Path

import pytest
import yaml

from rewriting.hub import HubError, deploy
from rewriting.hub.space import space_files
from tests.test_hub import refused

pytest_plugins = ("tests.hub_fixtures",)

ROOT = Path(__file__).resolve().parents[1]

SENT = {
    "app.py": "import spaces\n\n@spaces.GPU(duration=5)\ndef draw(): ...\n",
    "LICENSE": "MIT License\n\nCopyright",
    "rewriting/__init__.py": "",
    "rewriting/studio/static/canvas.js": "//",
    "presets/hats/request.json": "{}",
    "docs/studio.webp": "RIFF",
    "weights/horse/config.json": "{}",
    "weights/horse/model.safetensors": "w" * 100,
    "weights/horse/README.md": "# Horse",
    "weights/horse/segmenter.json": "{}",
    "weights/training/train.py": "",
}
KEPT_AT_HOME = {
    ".git/config": "secret",
    ".env": "HF_TOKEN=hf_secret",
    "rewriting/.cache/x.py": "",
    "rewriting/__pycache__/a.cpython-312.pyc": "x",
    "rewriting/studio/__pycache__/b.pyc": "x",
    "weights/horse/model.safetensors.partial": "x",
    "weights/horse/optimizer.pt": "x",
    "weights/training/out/generator.safetensors": "x",
    "weights/training/state.pt": "x",
    "weights/training/out/progress.json": "{}",
    "weights/training/train.log": "x",
    "tests/test_it.py": "",
    "notes.txt": "x",
}
SETTINGS = """---
title: Old
sdk: gradio
sdk_version: 6.31.0
python_version: "3.12"
app_file: app.py
license: mit
colorFrom: indigo
colorTo: gray
fullWidth: true
hf_oauth: true
hf_oauth_scopes:
- contribute-repos
---

"""
REWRITTEN = {"README.md": SETTINGS + "# Rewriting\n\nChange the rules.\n"}
SENT |= {"requirements.txt": "# what it needs\ngradio>=6.31,<7  # the page\ntorch==2.11.0\nsafetensors\n"}


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    for name, text in (SENT | KEPT_AT_HOME | REWRITTEN).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "weights/horse/link.safetensors").symlink_to(root / "notes.txt")
    return root


@pytest.fixture
def alice(hub):
    return hub.add_user("alice")


def text(hub, name):
    return hub.repo("alice/studio", "space").head.files[name].data.decode()


def test_a_space_gets_what_it_runs_on_and_nothing_else(hub, checkout, alice):
    done = deploy("studio", folder=checkout, token=alice, endpoint=hub.url)
    assert done.created and done.url == f"{hub.url}/spaces/alice/studio"
    repo = hub.repo("alice/studio", "space")
    assert set(repo.head.files) == SENT.keys() | REWRITTEN.keys() | {".gitattributes"}
    assert all(text(hub, name) == content for name, content in SENT.items())
    assert repo.created_with["sdk"] == "gradio" and repo.created_with["hardware"] == "zero-a10g"
    assert not any("secrets" in key or "variables" in key for key in repo.created_with)


def test_its_settings_are_those_of_the_readme(hub, checkout, alice):
    deploy("studio", folder=checkout, title="My studio", token=alice, endpoint=hub.url)  # the Hub judges the YAML
    _, matter, body = text(hub, "README.md").split("---\n", 2)
    expected = yaml.safe_load(SETTINGS.split("---\n")[1])
    assert yaml.safe_load(matter) == expected | {"title": "My studio", "suggested_hardware": "zero-a10g"}
    assert body.strip() == "# Rewriting\n\nChange the rules."


def test_this_checkout_can_be_pushed_to_a_space_as_it_is():
    _, matter, _ = (ROOT / "README.md").read_text().split("---\n", 2)
    data = yaml.safe_load(matter)
    assert data["sdk"] == "gradio" and data["fullWidth"] is True and data["hf_oauth"] is True
    files = space_files(ROOT)
    own = (ROOT / "requirements.txt").read_text().splitlines()
    assert space_files(ROOT, hardware="cpu-basic")["requirements.txt"] == ROOT / "requirements.txt"
    for mine, sent in zip(own, files["requirements.txt"].decode().splitlines(), strict=True):
        assert sent == ("torch==2.11.0" if mine.startswith("torch==") else mine)  # the newest that ZeroGPU runs
    sent = yaml.safe_load(files["README.md"].decode().split("---\n", 2)[1])
    assert sent == data | {"suggested_hardware": "zero-a10g"}


def test_without_a_gpu_the_small_build_of_torch_is_installed_if_its_place_is_known(checkout, monkeypatch):
    index = "https://wheels.example/cpu"
    given = (checkout / "requirements.txt").read_text()
    cpu = {"hardware": "cpu-basic", "torch_index": index}
    assert space_files(checkout, **cpu)["requirements.txt"] == f"--extra-index-url {index}\n{given}".encode()
    monkeypatch.setenv("REWRITING_TORCH_INDEX", index)
    assert index.encode() in space_files(checkout, hardware="cpu-upgrade")["requirements.txt"]
    assert index.encode() not in space_files(checkout)["requirements.txt"]  # ZeroGPU has its own
    for wrong in ("wheels.example", "https://a b", "https://a\n--index-url b"):
        assert "package index" in refused(lambda w=wrong: space_files(checkout, hardware="cpu-basic", torch_index=w))


@pytest.mark.parametrize("top", ["", "---\nsdk: docker\n---\n", "---\n[\n---\n", "---\n- a\n---\n"])
def test_a_readme_without_settings_is_refused(checkout, top):
    (checkout / "README.md").write_text(top + "# Rewriting\n")
    assert "README.md does not begin with" in refused(lambda: space_files(checkout))


def test_deploying_again_sends_what_changed_and_removes_what_went(hub, checkout, alice):
    first = deploy("alice/studio", folder=checkout, token=alice, endpoint=hub.url)
    again = deploy("alice/studio", folder=checkout, token=alice, endpoint=hub.url)
    assert (again.commit, again.changed) == (first.commit, False)
    repo = hub.repo("alice/studio", "space")
    repo.head.files["notes.md"] = hub._file("notes.md", b"written on the Hub")
    (checkout / "presets/hats/request.json").unlink()
    (checkout / "app.py").write_text(SENT["app.py"] + "# newer\n")
    assert deploy("alice/studio", folder=checkout, token=alice, endpoint=hub.url).changed
    assert "presets/hats/request.json" not in repo.head.files and "notes.md" in repo.head.files
    assert text(hub, "app.py").endswith("# newer\n")
    assert len(repo.commits) == 3


def test_other_hardware_needs_no_function_for_zero_gpu(hub, checkout, alice):
    (checkout / "app.py").write_text("print()\n")
    source = (ROOT / "rewriting/hub/space.py").read_text()  # which speaks of it, but marks nothing
    (checkout / "rewriting/deployment.py").write_text(source)
    assert "@spaces.GPU" in refused(lambda: deploy("studio", folder=checkout, token=alice, endpoint=hub.url))
    assert not hub.repos
    deploy("studio", folder=checkout, hardware="cpu-basic", private=True, token=alice, endpoint=hub.url)
    repo = hub.repo("alice/studio", "space")
    assert repo.private and repo.created_with["hardware"] == "cpu-basic"


def test_what_cannot_be_deployed_is_said(hub, checkout, alice, monkeypatch):
    def sentence(**options):
        return refused(
            lambda: deploy("alice/studio", **{"folder": checkout, "token": alice, "endpoint": hub.url, **options})
        )

    assert "app.py" in sentence(folder=Path(checkout) / "weights")
    assert "hf auth login" in sentence(token=None)
    hub.add_repo("alice/studio", {"README.md": b"", "app.py": b"", "model.py": b"x"}, kind="space")
    assert "other content" in sentence()
    monkeypatch.setattr("rewriting.hub.space.MOST", 50)
    assert "1 GB" in sentence()
    assert len(hub.repo("alice/studio", "space").commits) == 1


def test_a_free_account_is_told_what_the_hub_wants(hub, checkout, alice):
    hub.fail("repos/create", status=402)
    with pytest.raises(HubError, match="paid plan"):
        deploy("studio", folder=checkout, token=alice, endpoint=hub.url)
