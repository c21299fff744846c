"""The client of `huggingface_hub` alone with a Hub on this machine."""

import socket
from contextlib import contextmanager

from huggingface_hub import constants

from tests.loopback_hub import LoopbackHub


@contextmanager
def alone_with_a_hub(patch, folder):
    """A Hub, and nothing else to be reached; what the client keeps lies in the folder."""
    with LoopbackHub() as running:
        only_loopback(patch)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub-cache"))
        patch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "SPACE_ID", "REWRITING_PUBLIC"):
            patch.delenv(name, raising=False)
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
