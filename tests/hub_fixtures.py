"""The loopback Hub as a fixture, for a client that can reach nothing else.  A plugin of the tests that use it."""

import socket
import time
import types

import pytest
from huggingface_hub import constants

from rewriting.generators import write_generator
from tests import tiny
from tests.loopback_hub import LoopbackHub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub of this test's own, which is all that the client knows; no login, no Space, an empty cache."""
    with LoopbackHub() as running:
        only_loopback(monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "SPACE_ID"):
            monkeypatch.delenv(name, raising=False)
        yield running


def only_loopback(monkeypatch):
    """Whatever would leave this machine fails at once."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        assert self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost"), address
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        assert host in (None, "127.0.0.1", "::1", "localhost"), host
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


@pytest.fixture
def impatient(monkeypatch):
    """Retries of the client without their waits."""
    hasty = types.SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    for module in ("huggingface_hub.file_download.time", "huggingface_hub.utils._http.time"):
        monkeypatch.setattr(module, hasty)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A generator-repo folder with a LICENSE."""
    made = write_generator(tiny.generator(name="tiny"), tmp_path_factory.mktemp("generators") / "tiny")
    (made / "LICENSE").write_text("Do as you like.\n")
    return made
