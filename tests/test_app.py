"""`python app.py`: it opens, or says in one sentence why not.  And what a Space is told about it."""

import re
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import metadata_load

import app
from rewriting.generators import bundled
from rewriting.studio.page import ICON
from tests import tiny
from tests.browser import chromium, chromium_page, rests, wait_for
from tests.surroundings import PATIENCE

ROOT = Path(__file__).resolve().parents[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def started(*arguments):
    """A port, and the app as a process of its own that serves it."""
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--device", "cpu", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield port, process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def answers(port, process):
    assert process.poll() is None, process.stdout.read()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as response:
            return response.status == 200
    except OSError:
        return False


def test_the_app_opens_a_page_with_pictures_that_asks_nobody_else():
    with started("--generator", bundled()[0]) as (port, process):
        wait_for(lambda: answers(port, process))
        url, asked = f"http://127.0.0.1:{port}/", []
        with chromium() as browser, chromium_page(browser, url) as page:
            rested = rests(page)
            wait_for(rested, page=page)
            page.on("request", lambda request: asked.append(urlsplit(request.url)))
            page.reload()
            drawn = "images => images.filter(image => image.naturalWidth > 0).length"
            wait_for(lambda: page.locator("img").evaluate_all(drawn) >= 12, page=page)
            assert page.get_by_role("button", name="Rewrite").count() == 1
            assert page.request.get(url + "favicon.ico").body() == ICON.read_bytes()
        hosts = {parts.netloc for parts in asked if parts.scheme not in ("data", "blob")}
        assert hosts == {f"127.0.0.1:{port}"}


def refused(*arguments):
    """The sentence with which the app ends."""
    command = [sys.executable, "app.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2 and not done.stdout, done
    assert tiny.is_one_sentence(done.stderr.strip()), done.stderr
    return done.stderr


def test_a_generator_that_is_not_there_ends_the_app_with_one_sentence():
    assert refused("--generator", "nowhere").startswith("error: There is no generator 'nowhere'")


def test_a_device_that_is_not_there_ends_the_app_with_one_sentence():
    assert refused("--device", "abacus").startswith("error: There is no device 'abacus'")


def test_mcp_without_its_package_ends_the_app_with_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(app.importlib.util, "find_spec", lambda name: None)
    assert app.main(["--mcp"]) == 2
    said = capsys.readouterr().err.strip()
    assert 'run pip install "gradio[mcp]" first' in said and tiny.is_one_sentence(said)


def test_a_taken_port_ends_the_app_with_one_sentence():
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert refused("--port", str(port), "--device", "cpu").startswith(f"error: Port {port} is taken")


@pytest.mark.parametrize("text", ["0", "65536", "x", "-1"])
def test_what_is_no_port_is_refused(text, capsys):
    with pytest.raises(SystemExit) as ended:
        app.parse([f"--port={text}"])
    assert ended.value.code == 2 and "is not a number from 1 to 65535" in capsys.readouterr().err


def test_a_space_is_told_what_it_needs_to_know():
    told = metadata_load(ROOT / "README.md")
    requirements = (ROOT / "requirements.txt").read_text()
    major, minor = map(int, re.search(r"gradio>=(\d+)\.(\d+)", requirements).groups())
    assert told["sdk"] == "gradio" and told["sdk_version"].split(".")[:2] == [str(major), str(minor)]
    assert (ROOT / told["app_file"]).is_file()
    assert 0 < len(told["short_description"]) <= 60
    assert told["hf_oauth"] is True and told["hf_oauth_scopes"] == ["contribute-repos"]
    assert told["license"] == "mit" and (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_the_readmes_test_command_is_what_is_run_on_every_change():
    command = "pip install -r tests/requirements.txt && python -m pytest"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text()
    assert all(re.search(rf"^{re.escape(part)}\b", script, re.M) for part in command.split(" && "))
    assert re.findall(r"^.*\binstall\b.*$", script, re.M) == [command.split(" && ")[0]]  # and nothing before it
