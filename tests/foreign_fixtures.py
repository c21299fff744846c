"""For tests of foreign files."""

import pytest

from rewriting.checkpoints import conversion, reader
from rewriting.core import memory


@pytest.fixture
def in_process(monkeypatch):
    """Read without the process that production starts for every file; other tests go through it."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)


@pytest.fixture
def alone(in_process, monkeypatch, tmp_path):
    """Files are read in this process and kept for one test, in its own folder, and C is measured of few pictures."""
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(memory, "QUICK_SAMPLES", 8)
    monkeypatch.setattr(memory, "SAMPLES", 48)
    monkeypatch.chdir(tmp_path)
