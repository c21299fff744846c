"""For tests of foreign files."""

import pytest

from rewriting.checkpoints import conversion, reader


@pytest.fixture
def in_process(monkeypatch):
    """Read without the process that production starts for every file; other tests go through it."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)
