"""Publishing rules and rewritten models, with the real client against a Hub on this machine."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard, snapshot_download
from PIL import Image
from safetensors import safe_open

from rewriting import Edit, EditStack, Request, load_generator
from rewriting.checkpoints.known_models import KNOWN_MODELS
from rewriting.files import read_json
from rewriting.hub import HubError, Unreachable, account, list_rules, load_edits, publish, publish_folder, write_rule
from tests import tiny
from tests.hub_repos import add_generator, edit_of, files_of
from tests.test_hub import AT_ONCE, FEW, refused

pytest_plugins = ("tests.hub_fixtures",)

NVIDIA, NVIDIA_TEXT = "nvidia-source-code-license-nc", "https://nvlabs.github.io/stylegan2/license.html"
UNDER_NVIDIA = {"license": "other", "license_name": NVIDIA, "license_link": NVIDIA_TEXT}
EDIT_REPO = {"README.md", "LICENSE", "config.json", "edit.json", "edit.safetensors", "before.webp", "after.webp"}


@pytest.fixture
def alice(hub):
    return hub.add_user("alice", organizations=("guild",))


@pytest.fixture
def generator(hub, folder):
    return add_generator(hub, folder)


def sent(hub, generator, repo_id, token, edits=None, **options):
    """Published with pictures of two seeds, which is quick."""
    edits = edit_of(generator) if edits is None else edits
    return publish(
        edits, repo_id, **{"generator": generator, "token": token, "endpoint": hub.url, "seeds": FEW, **options}
    )


def text(hub, repo_id, name="README.md"):
    return hub.repo(repo_id).head.files[name].data.decode()


# --- what is published -----------------------------------------------------------------------------------------------


def test_a_published_rule_comes_back_and_draws_the_same(hub, generator, alice):
    edit = edit_of(generator, strength=1.5)
    done = publish(edit, "alice/hats", generator=generator, token=alice, endpoint=hub.url)
    assert done.created and done.changed and done.url == f"{hub.url}/alice/hats"
    repo = hub.repo("alice/hats")
    assert set(repo.head.files) - {".gitattributes"} == EDIT_REPO
    assert len(repo.commits) == 2  # the one that made it, and one with everything
    assert sum(file.size for file in repo.head.files.values()) < 100_000
    (back,) = load_edits("alice/hats", generator=generator, token=False, endpoint=hub.url)
    assert np.array_equal(generator.images(FEW, [back]), generator.images(FEW, [edit]))
    assert back.request == edit.request


def test_a_stack_is_published_in_its_order(hub, generator, alice):
    stack = EditStack([edit_of(generator), edit_of(generator, seed=1, name="Trees", enabled=False)])
    publish(stack, "alice/both", generator=generator, token=alice, endpoint=hub.url, seeds=FEW)
    back = load_edits("alice/both", generator=generator, token=False, endpoint=hub.url)
    assert [(edit.name, edit.enabled) for edit in back] == [("Hats", True), ("Trees", False)]


def test_a_rewritten_model_draws_what_the_rule_made_the_base_draw(hub, generator, alice):
    edits = [edit_of(generator), edit_of(generator, seed=1, name="Trees", strength=0.5)]
    sent(hub, generator, "alice/model", alice, edits, full_model=True)
    files = hub.repo("alice/model").head.files
    assert set(files) - {".gitattributes"} == EDIT_REPO - {"edit.safetensors"} | {"model.safetensors"}
    model = load_generator("alice/model", token=False, endpoint=hub.url)
    assert model.digest() == generator.merge(edits).digest()
    assert np.array_equal(model.images(FEW), generator.images(FEW, edits))
    card = ModelCard(text(hub, "alice/model")).data
    assert (card.base_model, card.base_model_relation) == ("org/tiny", "finetune")
    assert model.config.extra["base_model"]["sha256"] == generator.digest()


def test_the_files_say_what_they_belong_to(hub, generator, alice, tmp_path):
    sent(hub, generator, "alice/hats", alice)
    files = hub.repo("alice/hats").head.files
    for name, file in files.items():
        (tmp_path / name).write_bytes(file.data)
    base = {"repo_id": "org/tiny", "revision": hub.repo("org/tiny").head.sha, "sha256": generator.digest()}
    assert read_json(tmp_path / "config.json")["base_model"] == base
    with safe_open(tmp_path / "edit.safetensors", "pt") as opened:
        metadata = opened.metadata()
    assert metadata["format"] == "pt" and metadata["base_sha256"] == generator.digest()
    assert metadata["base_model"] == "org/tiny" and metadata["base_revision"] == base["revision"]
    assert len(metadata["edit_sha256"]) == 64
    assert files["LICENSE"].data == b"Do as you like.\n"


def test_the_pictures_are_the_seeds_before_and_after(hub, generator, alice):
    edit = edit_of(generator, strength=3.0)
    sent(hub, generator, "alice/hats", alice, edit, seeds=[5, 6, 9])
    for name, edits in (("before.webp", []), ("after.webp", [edit])):
        got = Image.open(io.BytesIO(hub.repo("alice/hats").head.files[name].data)).convert("RGB")
        expected = np.concatenate(list(generator.images([5, 6, 9], edits)), axis=1)
        assert got.size == (96, 32)
        # WebP at quality 85 halves the colours' resolution; noise of a random generator is the worst case for it
        assert np.abs(np.asarray(got).astype(int) - expected).mean() < 25
    assert "pictures 5, 6, 9" in text(hub, "alice/hats")


def test_by_default_the_pictures_are_unseen_ones_that_change_most(hub, generator, alice):
    edit = edit_of(generator)
    sent(hub, generator, "alice/hats", alice, edit, seeds=None)
    shown = [int(seed) for seed in re.search(r"pictures ([\d, ]+) \|", text(hub, "alice/hats"))[1].split(",")]
    painted = {0, 1, 2}  # of tiny.request
    unseen = [seed for seed in range(27) if seed not in painted]
    change = np.abs(generator.images(unseen, [edit]).astype(int) - generator.images(unseen)).mean((1, 2, 3))
    assert shown == sorted(np.array(unseen)[np.argsort(-change)[:6]].tolist())
    named = edit.with_(request=edit.request.with_(notes={"show": [11, 7, "x", -1, True]}))
    sent(hub, generator, "alice/hats", alice, named, seeds=None)
    assert "pictures 11, 7 |" in text(hub, "alice/hats")


def test_the_methods_of_before_still_work_for_one_release(hub, generator, alice, tmp_path):
    edit, access = edit_of(generator), {"generator": generator, "endpoint": hub.url}
    with pytest.deprecated_call(match=r"rewriting\.publish"):
        edit.push_to_hub("alice/hats", token=alice, seeds=FEW, **access)
    with pytest.deprecated_call(match=r"rewriting\.load_edits"):
        assert (Edit.from_pretrained("alice/hats", token=False, **access).factor == edit.factor).all()
    with pytest.deprecated_call(match=r"rewriting\.hub\.write_rule"):
        folder = EditStack([edit, edit]).save_pretrained(tmp_path / "rules", generator=generator, seeds=FEW)
    with pytest.deprecated_call():
        assert len(EditStack.from_pretrained(folder)) == 2
    with pytest.raises(ValueError, match="holds 2 edits"), pytest.deprecated_call():
        Edit.from_pretrained(folder)


def test_the_hubs_own_client_and_command_read_what_is_published(hub, generator, alice, tmp_path):
    edit = edit_of(generator)
    sent(hub, generator, "alice/hats", alice, edit)
    here = snapshot_download("alice/hats", endpoint=hub.url, token=False, local_dir=tmp_path / "here")
    assert (load_edits(Path(here), generator=generator)[0].factor == edit.factor).all()
    command = [sys.executable, "-m", "huggingface_hub.cli.hf", "download", "alice/hats", "--local-dir", "there"]
    env = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (load_edits(tmp_path / "there", generator=generator)[0].factor == edit.factor).all()
    card = ModelCard.load(tmp_path / "there" / "README.md")
    assert card.data.base_model == "org/tiny"


# --- the card --------------------------------------------------------------------------------------------------------


def test_the_card_tells_a_reader_what_it_is_and_how_to_use_it(hub, generator, alice):
    sent(hub, generator, "alice/hats", alice)
    card = ModelCard(text(hub, "alice/hats"))
    assert card.data.library_name == "rewriting" and card.data.pipeline_tag == "unconditional-image-generation"
    assert (card.data.base_model, card.data.base_model_relation) == ("org/tiny", "adapter")
    assert {"model-rewriting", "stylegan2", "rewriting-edit"} <= set(card.data.tags)
    for said in ("# Hats", "before.webp", "after.webp", "2007.15646", "copied from picture 0", generator.digest()):
        assert said in card.text
    code = re.search(r"```python\n(.*?)```", card.text, re.DOTALL)[1]
    assert '"alice/hats"' in code and f'revision="{hub.repo("org/tiny").head.sha}"' in code


def test_the_code_on_the_card_runs(hub, generator, alice, tmp_path, monkeypatch):
    sent(hub, generator, "alice/hats", alice)
    code = re.search(r"```python\n(.*?)```", text(hub, "alice/hats"), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code.replace('"alice/hats"', f'"alice/hats", endpoint="{hub.url}", token=False'), names)  # noqa: S102
    assert names["pictures"].shape == (12, 32, 32, 3)
    assert load_generator(tmp_path / "my-model").digest() == generator.merge([edit_of(generator)]).digest()


def test_a_generator_that_was_changed_is_not_taken_for_the_repo_it_came_from(hub, generator, alice):
    changed = generator.merge([edit_of(generator, seed=8)])
    done = sent(hub, changed, "alice/hats", alice, edit_of(changed))
    assert done.created and ModelCard(text(hub, "alice/hats")).data.base_model is None
    assert "neither bundled nor on the Hub" in text(hub, "alice/hats")


def card_of(folder):
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def licensed(made, license, **extra):
    made.config = type(made.config).from_json(made.config.to_json() | {"license": license} | extra)
    return made


@pytest.mark.parametrize(
    "license, extra, expected",
    [
        ("mit", {}, {"license": "mit"}),
        ("openrail++", {}, {"license": "openrail++"}),
        ("unknown", {}, {"license": "unknown"}),
        ("other", {}, {"license": "other"}),
        (NVIDIA, {}, UNDER_NVIDIA),
        (
            "NVIDIA Source Code License-NC",
            {},
            {"license": "other", "license_name": NVIDIA, "license_link": NVIDIA_TEXT},
        ),
        ("my-own", {"license_link": "javascript:x"}, {"license": "other", "license_name": "my-own"}),
        (
            "other",
            {"license_name": "My Own 2.0", "license_link": "https://example.org/terms"},
            {"license": "other", "license_name": "my-own-2.0", "license_link": "https://example.org/terms"},
        ),
    ],
)
def test_the_license_of_the_base_is_inherited(tmp_path, license, extra, expected):
    made = licensed(tiny.generator(name="somebody/model"), license, **extra)
    data = card_of(write_rule(edit_of(made), tmp_path / "rule", generator=made, seeds=FEW))
    assert {key: value for key, value in data.items() if key.startswith("license")} == expected


@pytest.mark.parametrize("license", sorted({model.license for model in KNOWN_MODELS}))
def test_a_rule_for_a_known_model_can_be_published(hub, alice, license):
    made = licensed(tiny.generator(name="stylegan2-church"), license)
    assert sent(hub, made, "alice/hats", alice).created  # the Hub takes no other identifiers than its own


def test_a_rule_names_the_repo_that_its_generator_was_made_of(hub, alice):
    made = licensed(tiny.generator(name="church"), NVIDIA, base_model={"repo_id": "org/pickles", "revision": "f" * 40})
    sent(hub, made, "alice/hats", alice)
    assert ModelCard(text(hub, "alice/hats")).data.base_model == "org/pickles"


def test_a_bundled_base_is_named_but_is_no_base_model_of_the_hub(hub, alice, monkeypatch, tmp_path):
    for module in ("generators.config", "hub.loading", "hub.source"):
        monkeypatch.setattr(f"rewriting.{module}.BUNDLED", tmp_path)
    tiny.generator(name="meadow").save(tmp_path / "meadow")
    done = publish(edit_of(load_generator("meadow")), "hats", token=alice, endpoint=hub.url)  # opens it by itself
    card = ModelCard(text(hub, done.repo_id))
    assert card.data.base_model is None and "rewriting-base-meadow" in card.data.tags
    assert 'load_generator("meadow")' in card.text
    assert [rule.base for rule in list_rules(base="meadow", token=False, endpoint=hub.url)] == ["meadow"]
    config = read_json(tmp_path / "meadow/config.json") | {"repo_id": "org/meadow"}  # once it is on the Hub, too
    (tmp_path / "meadow/config.json").write_text(json.dumps(config))
    publish(edit_of(load_generator("meadow")), "hats", token=alice, endpoint=hub.url)
    assert ModelCard(text(hub, done.repo_id)).data.base_model == "org/meadow"
    assert 'load_generator("meadow")' in text(hub, done.repo_id)


def test_strangers_words_stay_words(hub, generator, alice):
    hostile = '](http://x.y) <img src=x onerror=alert(1)> | `code` \n---\nlicense: gpl\n---\n# "Title" \x00\u202e'
    request = Request(name=hostile, description=hostile, notes={"measured": hostile})
    sent(hub, generator, "alice/hats", alice, edit_of(generator, name=hostile).with_(request=request))
    raw = text(hub, "alice/hats")
    assert ModelCard(raw).data.license == "other" and raw.count("\n---\n") == 1
    body = raw.split("---\n", 2)[2]
    assert not re.search(r"(?<!\\)(<img|\]\(http:|\| `code)", body) and "img src" in body
    assert not re.search(r"[\x00\u202e]", raw)


# --- again, and otherwise --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full_model", [False, True])
def test_publishing_twice_without_a_change_makes_no_commit(hub, generator, alice, full_model):
    first = sent(hub, generator, "alice/hats", alice, full_model=full_model)
    for _ in range(2):  # safetensors shuffles its metadata anew for every file
        again = sent(hub, generator, "alice/hats", alice, full_model=full_model)
        assert (again.commit, again.changed, again.created) == (first.commit, False, False)
    assert len(hub.repo("alice/hats").commits) == 2
    changed = sent(hub, generator, "alice/hats", alice, edit_of(generator, strength=0.5), full_model=full_model)
    assert changed.changed and len(hub.repo("alice/hats").commits) == 3


def test_a_file_that_is_no_longer_part_of_it_goes(hub, generator, alice):
    sent(hub, generator, "alice/hats", alice)
    hub.repo("alice/hats").head.files["notes.txt"] = hub._file("notes.txt", b"mine")
    generator.source = None  # a generator of unknown origin brings no LICENSE
    sent(hub, generator, "alice/hats", alice)
    assert set(hub.repo("alice/hats").head.files) - {".gitattributes", "notes.txt"} == EDIT_REPO - {"LICENSE"}
    assert "notes.txt" in hub.repo("alice/hats").head.files


def test_private_public_and_where(hub, generator, alice):
    assert sent(hub, generator, "hidden", alice, private=True).private
    assert hub.repo("alice/hidden").private
    assert not sent(hub, generator, "guild/shared", alice).private
    assert not hub.repo("guild/shared").private
    assert "is public" in refused(lambda: sent(hub, generator, "guild/shared", alice, private=True))
    assert sent(hub, generator, "hidden", alice, private=False).private  # publishing never opens what was private
    assert sent(hub, generator, "hidden", alice).private


def test_a_pull_request_leaves_the_repo_to_its_owner(hub, generator, alice):
    bob = hub.add_user("bob")
    sent(hub, generator, "bob/hats", bob)
    before = hub.repo("bob/hats").head
    other = edit_of(generator, seed=3)
    done = sent(hub, generator, "bob/hats", alice, other, create_pr=True)
    assert done.pull_request == f"{hub.url}/bob/hats/discussions/1"
    assert hub.repo("bob/hats").head is before
    options = {"generator": generator, "token": False, "endpoint": hub.url}
    assert (load_edits("bob/hats", revision="refs/pr/1", **options)[0].factor == other.factor).all()
    assert (load_edits("bob/hats", **options)[0].factor == edit_of(generator).factor).all()
    same = sent(hub, generator, "bob/hats", alice, create_pr=True)
    assert same.pull_request is None and not same.changed
    assert "no repo bob/none" in refused(lambda: sent(hub, generator, "bob/none", alice, create_pr=True))


def test_a_folder_is_published_as_it_is(hub, folder, tmp_path, alice):
    made = tiny.generator(seed=4).save(tmp_path / "model")
    (made / "state.pt").write_bytes(b"x")
    done = publish_folder(made, "alice/model", token=alice, endpoint=hub.url)
    assert set(hub.repo("alice/model").head.files) == {
        ".gitattributes",
        "README.md",
        "config.json",
        "model.safetensors",
    }
    assert 'load_generator("alice/model")' in text(hub, "alice/model")
    assert load_generator("alice/model", token=False, endpoint=hub.url).digest() == load_generator(made).digest()
    assert publish_folder(made, "alice/model", token=alice, endpoint=hub.url).commit == done.commit
    rule = write_rule(edit_of(load_generator(made)), tmp_path / "rule", generator=load_generator(made), seeds=FEW)
    publish_folder(rule, "alice/rule", token=alice, endpoint=hub.url)
    assert 'load_edits("alice/rule")' in text(hub, "alice/rule")
    (made / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        publish_folder(made, "alice/other", token=alice, endpoint=hub.url)
    assert ("model", "alice/other") not in hub.repos


def test_a_folder_of_ones_own_opens_as_a_rule(generator, tmp_path):
    edit = edit_of(generator)
    folder = write_rule(edit, tmp_path / "rule", generator=generator, seeds=FEW)
    assert set(files_of(folder)) == EDIT_REPO
    assert (load_edits(folder, generator=generator)[0].factor == edit.factor).all()
    assert [path.name for path in tmp_path.glob("*rul*")] == ["rule"]


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_rule_alone_finds_its_generator_on_the_hub(hub, generator, tmp_path):
    folder = write_rule(edit_of(generator), tmp_path / "rule", endpoint=hub.url, seeds=FEW)
    assert EditStack.load(folder)[0].generator == "org/tiny" and (folder / "before.webp").is_file()


def test_without_a_login_nothing_is_sent(hub, generator):
    before = len(hub.requests)
    for token in (None, False, ""):
        assert "hf auth login" in refused(lambda t=token: sent(hub, generator, "alice/hats", t))
    assert len(hub.requests) == before
    assert "does not accept this token" in refused(lambda: sent(hub, generator, "alice/hats", "hf_wrong"))


def test_on_a_space_nothing_is_written_with_its_token(hub, generator, monkeypatch):
    owner, visitor = hub.add_user("owner"), hub.add_user("alice")
    monkeypatch.setenv("SPACE_ID", "owner/studio")
    monkeypatch.setenv("HF_TOKEN", owner)
    for token in (None, True, False, ""):
        assert "Log in first" in refused(lambda t=token: sent(hub, generator, "owner/hats", t))
        assert "Log in first" in refused(lambda t=token: account(token=t, endpoint=hub.url))
    sent(hub, generator, "alice/hats", visitor)
    assert owner not in {one.token for one in hub.requests}


def test_no_permission_is_said_and_changes_nothing(hub, generator, alice):
    bob, reader = hub.add_user("bob"), hub.add_user("carol", role="read")
    sent(hub, generator, "bob/hats", bob)
    head = hub.repo("bob/hats").head
    other = edit_of(generator, seed=3)
    assert "pull request" in refused(lambda: sent(hub, generator, "bob/hats", alice, other))
    assert "rights" in refused(lambda: sent(hub, generator, "bob/new", alice))
    assert "rights" in refused(lambda: sent(hub, generator, "carol/new", reader))
    assert hub.repo("bob/hats").head is head and len(hub.repos) == 2


def test_what_is_there_already_is_not_overwritten_by_something_else(hub, generator, alice, folder):
    hub.add_repo("alice/llm", {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x"})
    hub.add_repo("alice/data", {"train.csv": b"x"})
    hub.add_repo("alice/new", {".gitattributes": b"", "README.md": b"---\nlicense: mit\n---\n"})
    for name in ("alice/llm", "alice/data"):
        assert "another name" in refused(lambda n=name: sent(hub, generator, n, alice))
        assert len(hub.repo(name).commits) == 1
    sent(hub, generator, "alice/new", alice)  # as good as empty
    assert "another name" in refused(lambda: sent(hub, generator, "alice/new", alice, full_model=True))
    assert "exists already" in refused(lambda: sent(hub, generator, "alice/new", alice, update=False))


@pytest.mark.parametrize("name", ["alice/a b", "alice/x/y", "alice/..", "../x", ""])
def test_impossible_names_are_refused(hub, generator, alice, name):
    assert "not the id of a repo" in refused(lambda: sent(hub, generator, name, alice))
    assert not hub.asked("repos/create")


def test_rules_that_cannot_be_published(hub, generator, alice):
    stranger = edit_of(tiny.generator(seed=9))
    off = edit_of(generator, enabled=False)
    unknown = edit_of(generator).with_(generator="lost")
    assert "other weights" in refused(lambda: sent(hub, generator, "alice/a", alice, stranger))
    assert "no rule" in refused(lambda: sent(hub, generator, "alice/a", alice, []))
    assert "switched off" in refused(lambda: sent(hub, generator, "alice/a", alice, off))
    assert "lost" in refused(lambda: sent(hub, None, "alice/a", alice, unknown))
    assert "1 to 12" in refused(lambda: sent(hub, generator, "alice/a", alice, seeds=range(13)))
    assert ("model", "alice/a") not in hub.repos


# --- when the Hub fails ----------------------------------------------------------------------------------------------


def test_somebody_else_was_faster(hub, generator, alice):
    sent(hub, generator, "alice/hats", alice)
    repo = hub.repo("alice/hats")
    hub.fail("POST .*/commit/", then=lambda: hub._commit(repo, repo.head.files, "meanwhile"), times=1)
    said = refused(lambda: sent(hub, generator, "alice/hats", alice, edit_of(generator, seed=3)))
    assert "changed during the upload" in said and repo.head.title == "meanwhile"


def test_a_broken_upload_is_taken_up_again(hub, generator, alice, impatient):
    hub.fail("PUT /lfs/", drop=True, times=2)
    assert sent(hub, generator, "alice/hats", alice).created
    assert load_edits("alice/hats", generator=generator, token=False, endpoint=hub.url)[0].name == "Hats"


@pytest.mark.parametrize("where", ["PUT /lfs/", "POST .*/commit/", "POST .*/preupload/", "POST /api/validate-yaml"])
def test_an_upload_that_breaks_for_good_leaves_nothing_half_done(hub, generator, alice, impatient, where):
    sent(hub, generator, "alice/hats", alice)
    before = hub.repo("alice/hats").head
    for how in ({"drop": True}, {"status": 503}):
        hub.heal()
        hub.fail(where, **how)
        refused(lambda: sent(hub, generator, "alice/hats", alice, edit_of(generator, seed=3)))
        assert hub.repo("alice/hats").head is before
    hub.heal()
    assert sent(hub, generator, "alice/hats", alice, edit_of(generator, seed=3)).changed


def test_a_card_that_the_hub_does_not_take_is_found_before_a_repo_is_made(hub, generator, alice):
    said = b'{"errors": [{"message": "\\"license\\" must be one of [mit]"}], "warnings": []}'
    hub.fail("POST /api/validate-yaml", status=400, body=said)
    assert '"license" must be one of [mit]' in refused(lambda: sent(hub, generator, "alice/hats", alice))
    assert not hub.asked("repos/create")


@pytest.mark.parametrize("where", ["PUT /lfs/", "POST .*/commit/", "POST .*/preupload/"])
def test_a_repo_that_could_not_be_filled_is_gone_again(hub, generator, alice, impatient, where):
    hub.fail(where, status=403)
    refused(lambda: sent(hub, generator, "alice/hats", alice))
    assert hub.asked("repos/create") and ("model", "alice/hats") not in hub.repos
    hub.heal()
    assert sent(hub, generator, "alice/hats", alice).created


def test_a_repo_that_can_neither_be_filled_nor_removed_is_named(hub, generator, alice):
    hub.fail("POST .*/commit/", status=403)
    hub.fail("DELETE ", status=403)
    assert "alice/hats was created and stays empty" in refused(lambda: sent(hub, generator, "alice/hats", alice))
    assert len(hub.repo("alice/hats").commits) == 1


def test_a_repo_that_was_filled_stays_even_if_the_answer_is_lost(hub, generator, alice):
    hub.fail("POST .*/commit/", cut=0, times=1)
    refused(lambda: sent(hub, generator, "alice/hats", alice), Unreachable)
    assert not hub.asked("DELETE ")
    assert load_edits("alice/hats", generator=generator, token=False, endpoint=hub.url)[0].name == "Hats"
    assert not sent(hub, generator, "alice/hats", alice).changed


def test_a_visitors_login_that_may_not_is_told_what_it_may(hub, generator, alice, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "owner/studio")
    sent(hub, generator, "alice/hats", alice)
    hub.fail("POST .*/commit/", status=403)
    said = refused(lambda: sent(hub, generator, "alice/hats", alice, edit_of(generator, seed=3)))
    assert "login" in said and "pull request" in said


def test_a_commit_whose_answer_is_lost_is_there_once(hub, generator, alice):
    sent(hub, generator, "alice/hats", alice)
    hub.fail("POST .*/commit/", cut=0, times=1)
    other = edit_of(generator, seed=3)
    assert "try again" in refused(lambda: sent(hub, generator, "alice/hats", alice, other), Unreachable)
    assert not sent(hub, generator, "alice/hats", alice, other).changed
    assert len(hub.repo("alice/hats").commits) == 3


def test_a_commit_without_an_answer_is_not_waited_for_for_ever(hub, generator, alice, monkeypatch):
    sent(hub, generator, "alice/hats", alice)
    monkeypatch.setattr("rewriting.hub.publishing.patience", lambda size: 1.0)
    hub.fail("POST .*/commit/", slow=60)
    start = time.perf_counter()
    said = refused(lambda: sent(hub, generator, "alice/hats", alice, edit_of(generator, seed=3)), Unreachable)
    assert "look at alice/hats" in said and time.perf_counter() - start < 1 + AT_ONCE


def test_an_absent_hub_is_said_before_anything_is_drawn(hub, generator, alice):
    hub.stop()
    start = time.perf_counter()
    assert hub.url in refused(lambda: sent(hub, generator, "alice/hats", alice), Unreachable)
    refused(lambda: list_rules(endpoint=hub.url, token=False), Unreachable)
    assert time.perf_counter() - start < 2 * AT_ONCE


ASKED = ("whoami", "GET /api/models/alice/hats", "repos/create", "validate-yaml", "preupload", "info/lfs", "/commit/")


@pytest.mark.parametrize("where", ASKED)
def test_answers_that_are_none_are_one_sentence_and_leave_nothing(hub, generator, alice, impatient, tmp_path, where):
    folder = write_rule(edit_of(generator), tmp_path / "rule", generator=generator, seeds=FEW)
    page = b"<html>see http://portal.example/x</html>"
    answers = [(body, status) for body in (b"[]", b'["a"]', b"{}", b"null", b"", page) for status in (200, 400)]
    for body, status in [*answers, *((body, status) for body in (b"{}", page) for status in (403, 409, 422))]:
        hub.heal()
        hub.fail(where, status=status, body=body)
        try:
            publish_folder(folder, "alice/hats", token=alice, endpoint=hub.url)
        except HubError as error:
            assert tiny.is_one_sentence(str(error)) and "portal" not in str(error) and "api/" not in str(error)
            assert ("model", "alice/hats") not in hub.repos or "stays empty" in str(error)
        else:  # the Hub had nothing to say against the card, or knew all large files already
            assert status == 200 and where in ("validate-yaml", "info/lfs", "repos/create")
        hub.repos.pop(("model", "alice/hats"), None)


@pytest.mark.parametrize("body", [b"[[]]", b"{}", b"null", b"", b"[1]", b'[{"id": 5}]', b'[{"id": "a/b", "tags": 3}]'])
def test_a_list_of_rules_that_is_none_is_one_sentence(hub, body):
    hub.fail("GET /api/models", body=body)
    assert "list of rules" in refused(lambda: list_rules(token=False, endpoint=hub.url))
