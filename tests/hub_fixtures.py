"""The loopback Hub as a fixture, for a client that can reach nothing else.  A plugin of the tests that use it."""

import time
import types

import pytest

from tests import tiny
from tests.hub_client import alone_with_a_hub
from tests.hub_repos import files_of


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub of this test's own, which is all that the client knows; no login, no Space, an empty cache."""
    with alone_with_a_hub(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def impatient(monkeypatch):
    """Retries without their waits."""
    monkeypatch.setattr("rewriting.hub.transfer.PAUSE", 0.0)
    hasty = types.SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    for module in ("huggingface_hub.file_download.time", "huggingface_hub.utils._http.time"):
        monkeypatch.setattr(module, hasty)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A generator-repo folder with a LICENSE."""
    made = tiny.generator(name="tiny").save(tmp_path_factory.mktemp("generators") / "tiny")
    (made / "LICENSE").write_text("Do as you like.\n")
    return made


@pytest.fixture
def space(hub, folder, monkeypatch):
    """A Space with a token of its own and a private repo; the visitor alice has one, too.

    Nothing that was asked of the Hub carried the Space's token.
    """
    owner = hub.add_user("owner")
    monkeypatch.setenv("SPACE_ID", "owner/studio")
    monkeypatch.setenv("HF_TOKEN", owner)
    hub.add_repo("owner/secret", files_of(folder), private=True)
    hub.add_repo("alice/secret", files_of(folder), private=True)
    hub.add_repo("org/tiny", files_of(folder))
    yield hub
    assert owner not in {one.token for one in hub.requests}
