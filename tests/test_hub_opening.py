"""A repo of which only the id is known: what it holds is found out, and no more of a token is shown than it takes."""

import gc
from pathlib import Path

import pytest

from rewriting import EditStack, load_generator
from rewriting.hub import Gated, Missing, Unreachable, client, load_edits, open_repo
from tests.hub_repos import add_generator, edit_of, files_of
from tests.test_hub import refused

pytest_plugins = ("tests.hub_fixtures",)


@pytest.fixture
def generator(hub, folder):
    return add_generator(hub, folder)


@pytest.fixture
def rule(hub, generator, tmp_path):
    """A repo with two rules."""
    edits = [edit_of(generator), edit_of(generator, seed=1, name="Trees")]
    return hub.add_repo("org/rule", files_of(EditStack(edits).save(tmp_path / "rule")))


def test_a_revision_may_follow_an_at(hub, rule, generator):
    commit = generator.source.revision
    assert load_generator(f"org/tiny@{commit}", token=False, endpoint=hub.url).source.revision == commit
    assert load_generator(f"org/tiny@{commit}", revision=commit, token=False, endpoint=hub.url).digest()
    assert len(load_edits(f"org/rule@{rule.head.sha}", token=False, endpoint=hub.url)) == 2
    assert "no revision 'v9'" in refused(lambda: load_edits("org/rule@v9", token=False, endpoint=hub.url))
    both = lambda: load_generator(f"org/tiny@{commit}", revision="main", token=False, endpoint=hub.url)  # noqa: E731
    assert "give the revision once" in refused(both)


def test_what_a_repo_holds_is_found_out(hub, rule, generator):
    one = open_repo("org/tiny", token=False, endpoint=hub.url)
    assert one.generator.digest() == generator.digest() and not len(one.stack)
    two = open_repo("org/rule", token=False, endpoint=hub.url)
    assert two.generator.config.name == "org/tiny" and [edit.name for edit in two.stack] == ["Hats", "Trees"]


def test_a_generator_at_hand_is_not_fetched_again(hub, rule, generator):
    before = len(hub.asked("org/tiny"))
    assert open_repo("org/rule", token=False, endpoint=hub.url, at_hand=generator).generator is generator
    assert len(hub.asked("org/tiny")) == before
    assert open_repo("org/rule", token=False, endpoint=hub.url, at_hand=load_generator("face")).generator.source


def test_the_token_is_shown_only_where_the_hub_asks_for_it(hub, folder, rule):
    alice = hub.add_user("alice")
    hub.add_repo("alice/tiny", files_of(folder), private=True)
    hub.add_repo("org/gated", files_of(folder), gated=True, admitted={"alice"})
    hub.requests.clear()
    assert not open_repo("org/rule", token=alice, endpoint=hub.url).with_token
    assert {one.token for one in hub.requests} == {""}
    assert open_repo("alice/tiny", token=alice, endpoint=hub.url).with_token
    assert open_repo("org/gated", token=alice, endpoint=hub.url).with_token
    with pytest.raises(Missing):
        open_repo("alice/tiny", token=hub.add_user("bob"), endpoint=hub.url)
    with pytest.raises(Gated):
        open_repo("org/gated", endpoint=hub.url)


def test_without_the_hub_the_cache_knows_what_a_repo_holds(hub, rule):
    open_repo("org/rule", token=False, endpoint=hub.url)
    hub.stop()
    assert len(open_repo("org/rule", token=False, endpoint=hub.url).stack) == 2
    assert not len(open_repo("org/tiny", token=False, endpoint=hub.url).stack)
    with pytest.raises(Unreachable):
        open_repo("org/new", token=False, endpoint=hub.url)


def test_a_visitors_files_are_there_as_long_as_the_generator(hub, folder, monkeypatch):
    monkeypatch.setenv(client.PUBLIC, "1")
    alice = hub.add_user("alice")
    hub.add_repo("alice/tiny", files_of(folder), private=True)
    generator = load_generator("alice/tiny", token=alice, endpoint=hub.url)
    files = Path(generator.source.folder)
    assert (files / "model.safetensors").is_file()
    del generator
    gc.collect()
    assert not files.exists()
