"""The table of public models, and fetching files: resumed, checked, and with the reason when it fails."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rewriting import load_generator
from rewriting.checkpoints import conversion, known_models, reader
from rewriting.checkpoints.known_models import (
    KNOWN_MODELS,
    Download,
    KnownModel,
    known_file,
    known_model,
    models_table,
)
from rewriting.generators import GeneratorConfig
from rewriting.hub import convert
from rewriting.hub.addresses import download
from tests.reference import nvidia
from tests.test_checkpoints import save_rosinality

pytest_plugins = ("tests.hub_fixtures",)

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Files by path on 127.0.0.1; whether it resumes and where it breaks off can be set; keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/model.pt": DATA}
        self.etag, self.resumes, self.breaks_after, self.redirect = '"v1"', True, None, {}
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        if self.path in server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect[self.path])
            self.end_headers()
            return
        if self.path not in server.files:
            self.send_error(404)
            return
        data, start = server.files[self.path], self._start()
        if start >= len(data) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(data[start : server.breaks_after])

    def _start(self):
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") in (None, self.server.etag)
        return int(wanted[1]) if wanted and same and self.server.resumes else 0

    def log_message(self, *_):
        """Nothing on the screen."""


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def broken_off(server, folder, after=5000):
    """A first attempt that the server breaks off."""
    server.breaks_after = after
    with pytest.raises(ConnectionError, match=r"broke off after 5,000 of 10,240 bytes; run it again to continue"):
        download(f"{server.url}/model.pt", folder)
    server.breaks_after = None


# --- downloads -------------------------------------------------------------------------------------------------------


def test_a_file_arrives_whole_is_checked_and_is_not_fetched_twice(server, tmp_path):
    said = []
    path = download(f"{server.url}/model.pt", tmp_path, sha256=SHA, progress=lambda share, what: said.append(share))
    assert path.name == "model.pt" and path.read_bytes() == DATA and said[-1] == 1
    assert download(f"{server.url}/model.pt", tmp_path, sha256=SHA[:8]) == path and len(server.asked) == 1
    assert [file.name for file in path.parent.iterdir()] == ["model.pt"]


def test_a_download_that_broke_off_goes_on_where_it_stopped(server, tmp_path):
    broken_off(server, tmp_path)
    path = download(f"{server.url}/model.pt", tmp_path, sha256=SHA)
    assert path.read_bytes() == DATA and server.asked[-1] == ("/model.pt", "bytes=5000-")


def test_it_begins_again_when_the_file_has_changed(server, tmp_path):
    broken_off(server, tmp_path)
    server.files["/model.pt"], server.etag = DATA[::-1], '"v2"'
    assert download(f"{server.url}/model.pt", tmp_path).read_bytes() == DATA[::-1]


def test_it_begins_again_when_the_server_cannot_resume(server, tmp_path):
    broken_off(server, tmp_path)
    server.resumes = False
    assert download(f"{server.url}/model.pt", tmp_path, sha256=SHA).read_bytes() == DATA


def test_it_begins_again_when_there_is_nothing_left_to_fetch(server, tmp_path):
    broken_off(server, tmp_path)
    server.files["/model.pt"] = DATA[:5000]
    assert download(f"{server.url}/model.pt", tmp_path).read_bytes() == DATA[:5000]
    assert [span for _, span in server.asked] == [None, "bytes=5000-", None]


def test_another_file_than_the_one_meant_is_deleted(server, tmp_path):
    with pytest.raises(ValueError, match=f"its sha256 begins with {SHA[:8]}, expected 00000000; it was deleted"):
        download(f"{server.url}/model.pt", tmp_path, sha256="00000000")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_dead_link_is_called_dead(server, tmp_path):
    with pytest.raises(ConnectionError, match=r"/none.pt answers 404 \(Not Found\); the link is dead"):
        download(f"{server.url}/none.pt", tmp_path)
    gone = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionError, match="could not be downloaded .*refused.*; run it again"):
        download(f"{gone}/model.pt", tmp_path)


def test_a_file_that_is_too_large_is_not_fetched(server, tmp_path):
    with pytest.raises(ValueError, match="The file has 10,240 bytes; 10,000 is the most"):
        download(f"{server.url}/model.pt", tmp_path, most=10_000)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org/model.pt", "is not an https address"),
        ("file:///etc/passwd", "is not an https address"),
        ("ftp://127.0.0.1/model.pt", "is not an https address"),
        ("https://127.0.0.1/", "names no file"),
        ("https://127.0.0.1/..", "names no file"),
        ("https://[::1/model.pt", "is not an address"),
    ],
)
def test_other_addresses_are_not_tried(tmp_path, url, says):
    with pytest.raises(ValueError, match=says):
        download(url, tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_of_files_cannot_lead_elsewhere(server, tmp_path):
    server.files["/a/..%2f..%2f.evil%00.pt"] = DATA
    path = download(f"{server.url}/a/..%2f..%2f.evil%00.pt", tmp_path)
    assert path.parent.parent == tmp_path and path.name == "evil_.pt"


def test_redirects_are_followed(server, tmp_path):
    server.redirect["/old.pt"] = "/model.pt"
    assert download(f"{server.url}/old.pt", tmp_path, sha256=SHA).read_bytes() == DATA


# --- sources ---------------------------------------------------------------------------------------------------------


def a_model(*places, **details):
    return KnownModel("a-model", "noise", "rosinality", 16, 1, places, "some-licence", 0.6, {"hats": 5}, **details)


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Have a model known that lies at these places, whose files are read in this process; the file, as bytes."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "cache"))
    save_rosinality(tmp_path / "g.pt", nvidia.random_state(16))

    def make(*places):
        monkeypatch.setattr(known_models, "KNOWN_MODELS", (a_model(*places),))
        return (tmp_path / "g.pt").read_bytes()

    return make


def test_a_known_model_is_looked_for_in_all_its_places(server, tmp_path, known):
    places = (Download(f"{server.url}/first.pt"), Download(f"{server.url}/second.pt"))
    server.files["/second.pt"] = known(*places)
    config = convert("a-model", tmp_path / "out").config
    assert [path for path, _ in server.asked] == ["/first.pt", "/second.pt"]
    assert (config.name, config.truncation, config.default_layer, config.license) == (
        "a-model",
        0.6,
        5,
        "some-licence",
    )
    known(*(Download(f"{server.url}/{name}") for name in ("third.pt", "fourth.pt")))
    with pytest.raises(
        ConnectionError, match=r"a-model could not be fetched.*third.pt answers 404.*fourth.pt answers 404"
    ):
        load_generator("a-model")


def test_a_known_model_is_fetched_and_converted_once(server, tmp_path, known, monkeypatch):
    server.files["/model.pt"] = known(Download(f"{server.url}/model.pt"))
    first = load_generator("a-model")
    assert first.source.name == "a-model" and first.source.file == "model.pt"
    monkeypatch.setattr(conversion, "read_contents", None)
    again = load_generator("a-model")
    assert again.digest() == first.digest() and again.config == first.config and len(server.asked) == 1


def test_a_known_model_on_the_hub_is_the_one_with_its_digest(hub, known, tmp_path):
    other = known(Download("org/copies/ada/model.pt", "00000000"), Download("org/weights/model.pt"))
    hub.add_repo("org/copies", {"ada/model.pt": other})
    hub.add_repo("org/weights", {"model.pt": other})
    opened = load_generator("a-model", token=False, endpoint=hub.url)
    assert opened.config.name == "a-model" and not hub.asked("/org/copies/resolve")
    before = len(hub.requests)
    assert load_generator("a-model", token=False, endpoint=hub.url).digest() == opened.digest()
    assert len(hub.requests) == before  # its file is in the cache
    known(Download("org/copies/ada/model.pt", "00000000"), Download("org/none/model.pt"), Download("org/weights/x.pt"))
    with pytest.raises(ConnectionError, match="not the expected file.*no repo org/none.*has no x.pt any more"):
        load_generator("a-model", token=False, endpoint=hub.url)


def test_after_it_was_converted_the_folder_of_its_name_is_meant_but_not_by_convert(
    server, tmp_path, known, monkeypatch
):
    server.files["/model.pt"] = known(Download(f"{server.url}/model.pt"))
    monkeypatch.chdir(tmp_path)
    convert("a-model", "a-model", truncation=0.9)
    assert load_generator("a-model").config.truncation == 0.9
    assert convert("a-model", "a-model").config.truncation == 0.6


# --- the table -------------------------------------------------------------------------------------------------------


def test_every_known_model_has_what_the_table_promises():
    names = [model.name for model in KNOWN_MODELS]
    assert len(set(names)) == len(names) >= 20
    for model in KNOWN_MODELS:
        assert known_model(model.name) is model and model.license and model.megabytes > 50 and model.shows
        assert model.command == f"python -m rewriting convert {model.name} {model.name}"
        channels = {4 << n: 1 for n in range(model.resolution.bit_length() - 2)}
        for layer in model.layers.values():  # the config refuses a layer that the generator does not have
            GeneratorConfig("proggan", model.resolution, 1, channels, default_layer=layer)
        for place in model.places:
            assert re.fullmatch(r"([0-9a-f]{8,64})?", place.sha256)
            on_hub = re.fullmatch(r"[\w-]+/[\w-]+/[\w./-]+\.(pt|pkl)", place.address)
            # Nobody can tell what arrives by plain http unless the digest is known.
            assert on_hub or place.address.startswith("https://") or (place.sha256 and "://" in place.address)


def test_the_papers_generators_and_layers_are_there():
    layers = {name: known_model(name).layers for name in ("paper-church", "paper-horse", "paper-faces")}
    assert layers["paper-church"] == {"domes, spires, trees": 8, "watermarks": 6}
    assert layers["paper-horse"]["hats, ears"] == 8 and layers["paper-faces"] == {
        "smiles": 6,
        "hair": 10,
        "objects": 8,
    }
    assert {"paper-kitchen", "progan-kitchen", "stylegan2-church", "ada-ffhq"} <= {
        model.name for model in KNOWN_MODELS
    }


def test_a_known_file_is_one_of_that_name_and_digest():
    digest = "e8ca9fd0" + "0" * 56
    assert known_file("stylegan2_church-e8ca9fd0.pt", digest).name == "paper-church"
    assert known_file("stylegan2_church-e8ca9fd0.pt", "0" * 64) is None
    assert known_file("ffhq.pt", "0" * 64) is None and known_file("other.pt", digest) is None


def test_the_printed_table_names_every_model_with_its_terms():
    lines = models_table().splitlines()
    for model in KNOWN_MODELS:
        line = next(line for line in lines if line.startswith(f"{model.name} "))
        assert model.license in line and str(model.resolution) in line and model.places[0].address in line
    assert lines[-1].endswith(KNOWN_MODELS[0].command)
