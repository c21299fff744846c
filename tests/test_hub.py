"""Opening generators and rules from the Hub, with the real client against a Hub on this machine."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from rewriting import EditStack, load_generator
from rewriting.generators.config import BUNDLED
from rewriting.hub import HubError, Unreachable, client, download, load_edits, open_repo, write_rule
from tests import tiny
from tests.hub_repos import add_generator, cached_files, edit_of, files_of, forget_cache
from tests.loopback_hub import File

pytest_plugins = ("tests.hub_fixtures",)

AT_ONCE = 15.0  # seconds: below the 23 that the client retries for by itself, far above a busy machine's delays
FEW = [0, 1]


def refused(call, error=HubError):
    """The sentence that a call is refused with."""
    with pytest.raises(error) as raised:
        call()
    assert tiny.is_one_sentence(str(raised.value)), str(raised.value)
    return str(raised.value)


def opened(hub, name="org/tiny", **options):
    return load_generator(name, **{"endpoint": hub.url, "token": False, **options})


def add_rule(hub, generator, name="org/rule", tmp="", edits=None):
    folder = EditStack(edits or [edit_of(generator)]).save(Path(tmp) / name.replace("/", "-"))
    return hub.add_repo(name, files_of(folder))


# --- what is found ---------------------------------------------------------------------------------------------------


def test_bundled_generators_need_neither_a_network_nor_the_hubs_client():
    name = sorted(path.name for path in BUNDLED.iterdir() if (path / "model.safetensors").is_file())[0]
    code = (
        "import sys; sys.modules['huggingface_hub'] = None; import torch; torch.set_num_threads(1)\n"
        f"from rewriting import load_generator; print(load_generator({name!r}).images([0]).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=BUNDLED.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(1, ")


def test_a_generator_by_its_id_is_the_one_that_was_stored(hub, folder):
    generator = add_generator(hub, folder)
    original = load_generator(folder)
    assert generator.digest() == original.digest()
    assert np.array_equal(generator.images(FEW), original.images(FEW))
    assert generator.config.name == "org/tiny"  # what an edit made on it will ask for
    assert generator.source.revision == hub.repo("org/tiny").head.sha
    assert generator.source.license_text == "Do as you like.\n"


def test_a_revision_is_a_commit_and_main_the_newest(hub, folder, tmp_path):
    generator = add_generator(hub, folder)
    first, repo = hub.repo("org/tiny").head.sha, hub.repo("org/tiny")
    newer = tiny.generator(seed=7)
    hub._commit(repo, {k: hub._file(k, v) for k, v in files_of(newer.save(tmp_path / "newer")).items()}, "newer")
    assert opened(hub).digest() == newer.digest()
    assert opened(hub, revision=first).digest() == generator.digest()


def test_only_files_of_the_format_are_fetched(hub, folder):
    strange = {"model.pkl": b"x", "pytorch_model.bin": b"x", "setup.py": b"x", "README.md": b"x", "big.webp": b"x"}
    more = {"second_moments.safetensors": b"y", "selection.safetensors": b"z"}
    hub.add_repo("org/tiny", files_of(folder) | strange | more)
    opened(hub)
    fetched = {one.path.rpartition("/")[2] for one in hub.asked("/resolve/")}
    assert fetched == {"config.json", "model.safetensors", "LICENSE", *more}


def test_no_token_goes_to_where_the_hub_keeps_large_files(hub, folder):
    token = hub.add_user("alice")
    hub.add_repo("alice/tiny", files_of(folder), private=True)
    opened(hub, "alice/tiny", token=token)
    assert {one.token for one in hub.asked("/resolve/")} == {token}
    assert {one.token for one in hub.asked("GET /cdn/")} == {""}


def test_the_login_of_this_machine_is_used_unless_a_token_is_given(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.add_user("alice"))
    hub.add_repo("alice/tiny", files_of(folder), private=True)
    assert opened(hub, "alice/tiny", token=None).source.name == "alice/tiny"
    forget_cache()
    assert "log in" in refused(lambda: opened(hub, "alice/tiny", token=False))


def test_rules_come_back_as_they_were(hub, folder, tmp_path):
    generator = add_generator(hub, folder)
    edits = [edit_of(generator), edit_of(generator, seed=1, name="Trees", strength=-0.5, enabled=False)]
    add_rule(hub, generator, tmp=tmp_path, edits=edits)
    stack = load_edits("org/rule", endpoint=hub.url, token=False, generator=generator)
    assert len(stack) == 2
    for got, put in zip(stack, edits, strict=True):
        assert torch.equal(got.factor, put.factor) and torch.equal(got.directions, put.directions)
        assert (got.name, got.strength, got.enabled, got.layer) == (put.name, put.strength, put.enabled, put.layer)
        assert got.request == put.request


def test_a_rule_opens_with_the_generator_it_was_made_for(hub, folder, tmp_path):
    generator = add_generator(hub, folder)
    rule = write_rule(edit_of(generator), tmp_path / "rule", generator=generator)
    hub.add_repo("org/rule", files_of(rule))
    repo = hub.repo("org/tiny")
    newer = files_of(tiny.generator(seed=7).save(tmp_path / "newer"))
    hub._commit(repo, {k: hub._file(k, v) for k, v in newer.items()}, "newer")
    opened = open_repo("org/rule", endpoint=hub.url, token=False)
    assert opened.generator.digest() == generator.digest()  # at the commit it had then
    expected = generator.images(FEW, [edit_of(generator)])
    assert np.array_equal(opened.generator.images(FEW, opened.stack), expected)


def test_a_rule_for_other_weights_says_so(hub, folder, tmp_path):
    add_rule(hub, add_generator(hub, folder), tmp=tmp_path)
    other = tiny.generator(seed=7)
    said = refused(lambda: load_edits("org/rule", generator=other, endpoint=hub.url, token=False))
    assert "other weights" in said and "org/tiny" in said
    hub.add_repo("org/tiny", files_of(other.save(tmp_path / "other")))
    assert "other weights" in refused(lambda: open_repo("org/rule", endpoint=hub.url, token=False))


def test_a_rule_names_no_folder_of_this_machine(hub, folder, tmp_path):
    generator = add_generator(hub, folder)
    add_rule(hub, generator, tmp=tmp_path, edits=[edit_of(generator).with_(generator=str(folder))])
    assert "neither bundled nor on the Hub" in refused(lambda: open_repo("org/rule", endpoint=hub.url, token=False))


# --- what is refused -------------------------------------------------------------------------------------------------


def test_unknown_names_say_what_there_is():
    with pytest.raises(
        ValueError, match="There is no generator 'nothing'; there are church, face, .*repos of the Hub"
    ):
        load_generator("nothing")


@pytest.mark.parametrize("name", ["org/a--b", "org/a..b", "org/x.git", "org/-"])
def test_impossible_ids_are_not_asked_for(hub, name):
    refused(lambda: opened(hub, name), ValueError)
    assert not hub.requests


@pytest.mark.parametrize("revision", ["../../main", "a b", "x" * 300, ""])
def test_impossible_revisions_are_not_asked_for(hub, folder, revision):
    assert "revision" in refused(lambda: opened(hub, revision=revision))
    assert not hub.requests


def test_missing_private_and_gated_repos_and_revisions(hub, folder):
    hub.add_repo("bob/private", files_of(folder), private=True)
    hub.add_repo("bob/gated", files_of(folder), gated=True)
    hub.add_repo("bob/open", files_of(folder))
    alice = hub.add_user("alice")
    for token in (False, alice):
        assert "no repo bob/none" in refused(lambda t=token: opened(hub, "bob/none", token=t))
        assert "no repo bob/private" in refused(lambda t=token: opened(hub, "bob/private", token=t))
        assert "accept" in refused(lambda t=token: opened(hub, "bob/gated", token=t))
        assert "no revision 'v2'" in refused(lambda t=token: opened(hub, "bob/open", token=t, revision="v2"))
    assert "token" in refused(lambda: opened(hub, "bob/open", token="hf_wrong"))
    assert "token" in refused(lambda: opened(hub, "bob/open", token="two words\n"))
    assert not cached_files(constants.HF_HUB_CACHE)


def test_a_gated_repo_opens_for_those_who_were_admitted_and_for_no_others_from_the_cache(hub, folder):
    alice, carol = hub.add_user("alice"), hub.add_user("carol")
    hub.add_repo("bob/gated", files_of(folder), gated=True, admitted={"alice"})
    assert opened(hub, "bob/gated", token=alice).source.name == "bob/gated"
    assert "accept" in refused(lambda: opened(hub, "bob/gated", token=carol))


def test_a_repo_that_closes_its_door_in_between_is_named_and_not_its_file(hub, folder):
    hub.add_repo("bob/open", files_of(folder))
    hub.fail("resolve", status=403, headers={"X-Error-Code": "GatedRepo"})
    assert f"open {hub.url}/bob/open, accept them" in refused(lambda: opened(hub, "bob/open"))


def test_repos_in_another_format_say_what_they_hold(hub, folder, tmp_path):
    generator = add_generator(hub, folder)
    add_rule(hub, generator, tmp=tmp_path)
    assert "load_edits" in refused(lambda: opened(hub, "org/rule"))
    assert "load_generator" in refused(lambda: load_edits("org/tiny", endpoint=hub.url, token=False))
    adapter = {"config.json": b'{"peft_type": "LORA"}', "model.safetensors": b"x"}
    hub.add_repo("org/peft", adapter)
    assert "is no generator of pictures, since its config.json says peft_type 'LORA'" in refused(
        lambda: opened(hub, "org/peft")
    )
    assert not hub.asked("org/peft/resolve/.*/model.safetensors")
    for name, config in (
        ("org/pickle", b"{}"),
        ("org/list", b"[1]"),
        ("org/garbage", b"\xff{"),
        ("org/strange", b'{"format": ["rewriting-edit"]}'),
    ):
        hub.add_repo(name, {"config.json": config, "model.pkl": b"x"})
        assert f"In {name}, 'model.pkl' has 1 bytes" in refused(lambda n=name: opened(hub, n))


def test_damaged_weights_say_whose_they_are(hub, folder):
    files = files_of(folder)
    hub.add_repo("org/short", files | {"model.safetensors": files["model.safetensors"][:-100]})
    assert "org/short" in refused(lambda: opened(hub, "org/short"))
    config = json.loads(files["config.json"]) | {"resolution": 64}
    hub.add_repo("org/unlike", files | {"config.json": json.dumps(config).encode()})
    assert "org/unlike" in refused(lambda: opened(hub, "org/unlike"))


@pytest.mark.parametrize("where", ["in the list", "in the header", "while it arrives"])
def test_a_file_of_ten_gigabytes_is_not_fetched(hub, folder, where):
    weights, huge = files_of(folder)["model.safetensors"], 10 << 30
    if where == "in the list":
        file = File(weights, lfs=True, claimed=huge)
    elif where == "in the header":  # of a server that says one thing and another
        file = File(weights, lfs=False, claimed=huge, listed=1000)
    else:  # of one that says nothing, and does not end
        file = File(weights, lfs=False, claimed=1000)
    hub.add_repo("org/tiny", files_of(folder) | {"model.safetensors": file})
    assert ("more than the" if where == "in the list" else "other bytes") in refused(lambda: opened(hub))
    if where == "in the list":
        assert not hub.asked("/resolve/.*safetensors")
    assert "model.safetensors" not in cached_files(constants.HF_HUB_CACHE)
    blobs = Path(constants.HF_HUB_CACHE).rglob("blobs/*")
    assert all(path.stat().st_size < 2000 for path in blobs)


# --- without the Hub -------------------------------------------------------------------------------------------------


def test_what_is_in_the_cache_opens_without_the_hub(hub, folder):
    generator = add_generator(hub, folder)
    before = len(hub.requests)
    assert opened(hub, revision=generator.source.revision).digest() == generator.digest()
    assert len(hub.requests) == before  # a commit never changes: nothing to ask
    hub.stop()
    start = time.perf_counter()
    assert opened(hub).digest() == generator.digest()
    assert time.perf_counter() - start < AT_ONCE


def test_an_absent_hub_is_given_up_at_once(hub):
    hub.stop()
    start = time.perf_counter()
    assert hub.url in refused(lambda: opened(hub), Unreachable)
    assert time.perf_counter() - start < AT_ONCE


def test_a_silent_hub_is_given_up_and_the_cache_stands_in(hub, folder, monkeypatch):
    hub.add_repo("org/tiny", files_of(folder))
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    hub.fail(".", slow=60)
    start = time.perf_counter()
    refused(lambda: opened(hub), Unreachable)
    assert time.perf_counter() - start < AT_ONCE
    hub.heal()
    generator = opened(hub)
    monkeypatch.setattr(download, "CACHED_PATIENCE", 0.3)
    hub.fail(".", slow=60)
    start = time.perf_counter()
    assert opened(hub).digest() == generator.digest()
    assert time.perf_counter() - start < AT_ONCE


def test_a_call_that_hangs_where_no_timeout_reaches_is_left_behind():
    start = time.perf_counter()
    assert refused(lambda: client.bounded(0.1, lambda: time.sleep(30), "The Hub does not answer."), Unreachable)
    assert time.perf_counter() - start < AT_ONCE
    assert client.bounded(30, lambda: 5, "") == 5


def test_a_slow_hub_is_waited_for(hub, folder):
    hub.add_repo("org/tiny", files_of(folder))
    hub.fail("api/models", slow=0.5, times=1)
    assert opened(hub).config.name == "org/tiny"


def test_a_hub_in_trouble_is_not_retried_for_long(hub, folder):
    generator = add_generator(hub, folder)
    hub.fail(".", status=503)
    start = time.perf_counter()
    assert opened(hub).digest() == generator.digest()
    assert "503" in refused(lambda: opened(hub, "org/other"), Unreachable)
    assert time.perf_counter() - start < AT_ONCE


def test_switched_off_the_cache_is_all_there_is(hub, folder, monkeypatch):
    generator = add_generator(hub, folder)
    before = len(hub.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert opened(hub).digest() == generator.digest()
    assert "HF_HUB_OFFLINE" in refused(lambda: opened(hub, "org/other"), Unreachable)
    assert len(hub.requests) == before


def test_a_broken_download_is_taken_up_again(hub, folder, impatient):
    hub.add_repo("org/tiny", files_of(folder))
    hub.fail("GET /cdn/", cut=1000, times=2)
    assert opened(hub).digest() == load_generator(folder).digest()


def test_a_download_that_breaks_for_good_leaves_nothing_half_done(hub, folder, tmp_path, impatient):
    generator = add_generator(hub, folder)
    repo, newer = hub.repo("org/tiny"), tiny.generator(seed=7)
    hub._commit(repo, {k: hub._file(k, v) for k, v in files_of(newer.save(tmp_path / "newer")).items()}, "newer")
    hub.fail("GET /cdn/", cut=0)
    refused(lambda: opened(hub), Unreachable)
    assert not [name for name in cached_files(constants.HF_HUB_CACHE) if "incomplete" in name]
    hub.fail("api/models", status=503)
    assert opened(hub).digest() == generator.digest()  # the older commit is whole, and still what "main" stands for
    hub.heal()
    assert opened(hub).digest() == newer.digest()


def test_progress_is_told_from_the_first_file_on(hub, folder):
    told = []
    hub.add_repo("org/tiny", files_of(folder))
    opened(hub, progress=lambda share, what: told.append((share, what)))
    assert told[0] == (0.0, "Fetching config.json of org/tiny")
    assert max(share for share, what in told if "model.safetensors" in what) == 1.0


# --- on a hosted Space -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, True, False, "", " "])
def test_a_visitor_never_reads_with_the_spaces_token(space, token):
    assert "no repo owner/secret" in refused(lambda: opened(space, "owner/secret", token=token))
    assert opened(space, token=token).config.name == "org/tiny"


def test_a_visitors_private_files_reach_nobody_else(space, tmp_path):
    alice, bob = space.add_user("alice"), space.add_user("bob")
    assert opened(space, "alice/secret", token=alice).images(FEW).shape == (2, 32, 32, 3)
    assert not cached_files(constants.HF_HUB_CACHE)
    mine, other = tmp_path / "session-a", tmp_path / "session-b"
    generator = opened(space, "alice/secret", token=alice, cache_dir=mine)
    assert "model.safetensors" in cached_files(mine)
    for token in (bob, False, None):
        refused(lambda t=token: opened(space, "alice/secret", token=t, cache_dir=other))
        refused(lambda t=token: opened(space, "alice/secret", token=t))
        commit = generator.source.revision  # known to have leaked: still no way to the files
        refused(lambda t=token: opened(space, "alice/secret", token=t, revision=commit))  # noqa: B023
    space.stop()
    refused(lambda: opened(space, "alice/secret", token=False))


def test_a_visitors_text_is_no_path_of_the_space(space, folder):
    with pytest.raises(ValueError, match="There is no generator"):
        load_generator(str(folder))
    with pytest.raises(ValueError):
        load_edits(str(folder))
    assert load_generator(folder).config.name == "tiny"  # a Path is the app's own
