"""`python app.py`: it opens, or says in one sentence why not.  And what a Space is told about it."""

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from huggingface_hub import metadata_load

import app
from rewriting.generators import bundled
from rewriting.studio import serving
from rewriting.studio.page import ICON
from tests import tiny
from tests.browser import Rest, chromium, chromium_page, free_port, wait_for
from tests.surroundings import PATIENCE

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def started(*arguments, **environment):
    """A port, and the app as a process of its own that serves it."""
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--device", "cpu", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield port, process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def answers(port, process, host="127.0.0.1"):
    assert process.poll() is None, process.stdout.read()
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=30) as response:
            return response.status == 200
    except OSError:
        return False


def test_the_app_opens_a_page_with_pictures_that_asks_nobody_else():
    with started("--generator", bundled()[0]) as (port, process):
        wait_for(lambda: answers(port, process))
        url, asked = f"http://127.0.0.1:{port}/", []
        with chromium() as browser, chromium_page(browser, url) as page:
            rested = Rest(page)
            wait_for(rested, page=page)
            page.on("request", lambda request: asked.append(urlsplit(request.url)))
            page.reload()
            drawn = "images => images.filter(image => image.naturalWidth > 0).length"
            wait_for(lambda: page.locator("img").evaluate_all(drawn) >= 12, page=page)
            assert page.get_by_role("button", name="Rewrite").count() == 1
            assert page.request.get(url + "favicon.ico").body() == ICON.read_bytes()
        hosts = {parts.netloc for parts in asked if parts.scheme not in ("data", "blob")}
        assert hosts == {f"127.0.0.1:{port}"}


def refused(*arguments, **environment):
    """The sentence with which the app ends."""
    command, env = [sys.executable, "app.py", *arguments], os.environ | environment
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE)
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


# --- surroundings ----------------------------------------------------------------------------------------------------


class Unavailable(BaseHTTPRequestHandler):
    """A proxy that answers to everything that it is out of order."""

    def do_GET(self):
        self.send_error(503)

    do_HEAD = do_POST = do_CONNECT = do_GET

    def log_message(self, *_):
        """In silence."""


@pytest.fixture
def broken_proxy():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unavailable)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_proxy_that_cannot_be_used_is_named_before_the_page_is_made_public(monkeypatch, capsys):
    monkeypatch.setenv("all_proxy", "smoke://signals")
    monkeypatch.setattr(app, "open_service", lambda *_: pytest.fail("nothing is to be loaded"))
    assert app.main(["--share"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --share cannot use the proxy") and tiny.is_one_sentence(said.strip())


def test_an_address_of_another_machine_ends_the_app_with_one_sentence():
    said = refused(GRADIO_SERVER_NAME="192.0.2.1")
    assert said.startswith("error: GRADIO_SERVER_NAME is '192.0.2.1', which is not an address of this machine")


@pytest.mark.parametrize("name", ["no.such.host.invalid", "192.0.2.1", "2001:db8::1", "a b", "[", "x" * 300])
def test_what_is_no_address_of_this_machine_is_refused(name):
    with pytest.raises(OSError, match="not an address of this machine") as refusal:
        serving.server_name(name)
    assert tiny.is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("name", "listens", "others"),
    [
        ("", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.2", "127.0.0.2", False),
        ("localhost", "localhost", False),
        ("::1", "[::1]", False),
        ("[::1]", "[::1]", False),
        ("::", "[::]", True),
        ("0.0.0.0", "0.0.0.0", True),
    ],
)
def test_only_addresses_of_this_machine_alone_are_not_reached_by_others(name, listens, others):
    assert serving.server_name(name) == listens and serving.reached_by_others(listens) == others


def test_the_app_listens_on_ipv6_asks_no_proxy_about_itself_and_its_files_go_with_it(broken_proxy, tmp_path):
    (tmp_path / "gradio").write_text("somebody else's")  # where gradio would put them
    proxies = {"http_proxy": broken_proxy, "all_proxy": f"socks5://127.0.0.1:{free_port()}"}
    folders = {"TMPDIR": str(tmp_path), "GRADIO_TEMP_DIR": ""}
    with started(GRADIO_SERVER_NAME="[::1]", **proxies, **folders) as (port, process):
        wait_for(lambda: answers(port, process, "[::1]"))
        assert not answers(port, process)  # nowhere else
        api = f"http://[::1]:{port}/gradio_api"
        (path,) = httpx.post(f"{api}/upload", files={"files": ("x.json", b"{}")}, timeout=PATIENCE).json()
        assert path.startswith(str(tmp_path / "rewriting-studio-"))
        event = httpx.post(f"{api}/call/v2/save_rules", json={"rules": ["horse-hats"]}, timeout=PATIENCE).json()
        told = httpx.get(f"{api}/call/save_rules/{event['event_id']}", timeout=PATIENCE).text
        assert "event: complete" in told and "horses-wear-hats.zip" in told
    assert [one.name for one in tmp_path.iterdir()] == ["gradio"]


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_loaded(tmp_path):
    (tmp_path / "file").write_text("")
    said = refused(GRADIO_TEMP_DIR=str(tmp_path / "file"))
    assert said.startswith("error: GRADIO_TEMP_DIR is '") and "not writable" in said


@pytest.mark.parametrize("text", ["63", "x", "-1", "1.5", "2000000"])
def test_what_is_no_amount_of_memory_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        app.parse(["--memory", text])
    assert f"{text!r} is not a number of megabytes from 64" in capsys.readouterr().err
    assert app.parse(["--memory", "512"]).memory == 512


@pytest.mark.parametrize(
    ("machine", "limit", "room"), [(16, None, 512), (12, None, 384), (64, None, 512), (64, 8, 256), (2, "max", 256)]
)
def test_a_small_machine_or_container_keeps_less(monkeypatch, tmp_path, machine, limit, room):
    """In GB, and in MB."""
    pages = {"SC_PHYS_PAGES": machine << 18, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(serving.os, "sysconf", pages.__getitem__)
    file = tmp_path / "memory.max"
    monkeypatch.setattr(serving, "LIMITS", (str(file),))
    if limit is not None:
        file.write_text(limit if isinstance(limit, str) else f"{limit << 30}\n")
    assert serving.room_for_results() == room << 20


@pytest.mark.parametrize("text", ["0", "65536", "x", "-1"])
def test_what_is_no_port_is_refused(text, capsys, monkeypatch):
    with pytest.raises(SystemExit) as ended:
        app.parse([f"--port={text}"])
    assert ended.value.code == 2 and "is not a number from 1 to 65535" in capsys.readouterr().err
    monkeypatch.setenv("GRADIO_SERVER_PORT", text)
    with pytest.raises(SystemExit):
        app.parse([])


def test_a_space_is_told_what_it_needs_to_know():
    told = metadata_load(ROOT / "README.md")
    requirements = (ROOT / "requirements.txt").read_text()
    major, minor = map(int, re.search(r"gradio>=(\d+)\.(\d+)", requirements).groups())
    assert told["sdk"] == "gradio" and told["sdk_version"].split(".")[:2] == [str(major), str(minor)]
    assert (ROOT / told["app_file"]).is_file()
    assert 0 < len(told["short_description"]) <= 60
    assert told["hf_oauth"] is True
    assert told["hf_oauth_scopes"] == ["contribute-repos", "read-repos", "write-discussions"]  # and no more
    assert told["license"] == "mit" and (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_the_readmes_test_command_is_what_is_run_on_every_change():
    command = "pip install -r tests/requirements.txt && python -m pytest"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text()
    assert all(re.search(rf"^{re.escape(part)}\b", script, re.M) for part in command.split(" && "))
    assert re.findall(r"^.*\binstall\b.*$", script, re.M) == [command.split(" && ")[0]]  # and nothing before it
