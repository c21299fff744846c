"""What people write or copy, and what it names: one parser for all of it, which asks nobody."""

import os
import socket
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from huggingface_hub import parse_hf_uri
from huggingface_hub.errors import HfUriError
from hypothesis import example, given
from hypothesis import strategies as st

from rewriting.generators import bundled
from rewriting.hub import client
from rewriting.hub.names import AROUND, Kind, Name, at_revision, not_here, parse, repo_name
from tests import tiny

ENDPOINT = "http://127.0.0.1:8000"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """In an empty folder, without a network."""

    def nobody(*_, **__):
        raise AssertionError("a name is read without asking anybody")

    monkeypatch.chdir(tmp_path)
    for name in ("SPACE_ID", client.PUBLIC):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", nobody)
    monkeypatch.setattr(socket, "getaddrinfo", nobody)


def read(text, **options):
    return parse(text, endpoint=ENDPOINT, **options)


def refused(text, error=(ValueError, FileNotFoundError)):
    with pytest.raises(error) as raised:
        read(text)
    assert tiny.is_one_sentence(str(raised.value)), str(raised.value)
    return str(raised.value)


# --- the table -------------------------------------------------------------------------------------------------------

MEANT = {  # by the first of its readings: repo, revision, path
    "org/name": ("org/name", "", ""),
    " org/name/ ": ("org/name", "", ""),
    "\u200borg/name\ufeff": ("org/name", "", ""),
    "'org/name',": ("org/name", "", ""),
    "<https://huggingface.co/org/name>": ("org/name", "", ""),
    "org/name@v1.0": ("org/name", "v1.0", ""),
    "org/name@refs/pr/3": ("org/name", "refs/pr/3", ""),
    "org/name@refs/pr/3/x.pkl": ("org/name", "refs/pr/3", "x.pkl"),
    f"org/name@{COMMIT}/a/x.pkl": ("org/name", COMMIT, "a/x.pkl"),
    "org/name@main/a/x.pkl": ("org/name", "main", "a/x.pkl"),
    "org/name@a%2Fb/x.pkl": ("org/name", "a/b", "x.pkl"),
    "org/name@a/b:c/x.pkl": ("org/name", "a/b", "c/x.pkl"),
    "org/name/x.pkl": ("org/name", "", "x.pkl"),
    "org/name/a/x.pkl": ("org/name", "", "a/x.pkl"),
    "org/name/a/x@2.pkl": ("org/name", "", "a/x@2.pkl"),
    "org/name:x.pkl": ("org/name", "", "x.pkl"),
    "org/name:a b/x (1).pkl": ("org/name", "", "a b/x (1).pkl"),
    "org/name:a:b.pkl": ("org/name", "", "a:b.pkl"),
    "hf://org/name": ("org/name", "", ""),
    "hf://org/name/a/x.pkl": ("org/name", "", "a/x.pkl"),
    "hf://models/org/name@main/x.pkl": ("org/name", "main", "x.pkl"),
    "HF://org/name@a%2Fb/x.pkl": ("org/name", "a/b", "x.pkl"),
    "https://huggingface.co/org/name": ("org/name", "", ""),
    "huggingface.co/org/name/": ("org/name", "", ""),
    "https%3A%2F%2Fhuggingface.co%2Forg%2Fname": ("org/name", "", ""),
    "huggingface.co/org%2Fname": ("org/name", "", ""),
    "HTTPS://www.HuggingFace.co:443/org/name?library=x#how-to": ("org/name", "", ""),
    "http://hf.co/models/org/name": ("org/name", "", ""),
    "//hf.co/org/name": ("org/name", "", ""),
    "hf.co/org/name/tree/main": ("org/name", "main", ""),
    "hf.co/org/name/tree/v1%2E0": ("org/name", "v1.0", ""),
    "https://huggingface.co/org/name/tree/a%2Fb": ("org/name", "a/b", ""),
    "https://huggingface.co/org/name/tree/a%2Fb/c": ("org/name", "a/b", "c"),
    "https://huggingface.co/org/name/blob/main/a/x%20y.pkl": ("org/name", "main", "a/x y.pkl"),
    "https://huggingface.co/org/name/resolve/main/x.pkl?download=true": ("org/name", "main", "x.pkl"),
    f"https://huggingface.co/org/name/commit/{COMMIT}": ("org/name", COMMIT, ""),
    "https://huggingface.co/org/name/commits/main": ("org/name", "main", ""),
    "https://huggingface.co/org/name/blob/refs%2Fpr%2F7/x.pkl": ("org/name", "refs/pr/7", "x.pkl"),
    "https://huggingface.co/org/name/discussions/3": ("org/name", "", ""),
    "https://huggingface.co/api/models/org/name/revision/v1": ("org/name", "v1", ""),
    "https://huggingface.co/org/name.git": ("org/name", "", ""),
    "git clone https://huggingface.co/org/name": ("org/name", "", ""),
    "git@hf.co:org/name.git": ("org/name", "", ""),
    "org/name/tree/v1": ("org/name", "v1", ""),
    "org/name/blob/main/x.pkl": ("org/name", "main", "x.pkl"),
    f"{ENDPOINT}/org/name/blob/main/x.pkl": ("org/name", "main", "x.pkl"),
}


@pytest.mark.parametrize("text", MEANT)
def test_what_people_write_or_copy_names_a_repo(text):
    name = read(text)
    assert name.kind is Kind.REPO
    assert len(name.readings) == 1
    assert (name.what, name.revision, name.path) == MEANT[text]


@pytest.mark.parametrize(
    "text",
    ["org/name@a/b/x.pkl", "hf://org/name@a/b/x.pkl", "https://hf.co/org/name/resolve/a/b/x.pkl?download=true"],
)
def test_where_a_branch_with_slashes_ends_stays_open(text):
    readings = [(one.revision, one.path) for one in read(text).readings]
    assert readings == [("a/b/x.pkl", ""), ("a/b", "x.pkl"), ("a", "b/x.pkl")]


def test_no_revision_holds_a_space():
    assert [one.revision for one in read("https://hf.co/org/name/blob/a/b/my%20file.pkl").readings] == ["a/b", "a"]


REFUSED = {
    "": "No generator is named",
    " '' ": "No generator is named",
    "a\x00b": "characters that no name has",
    "org/na\nme": "characters that no name has",
    "x" * 2000: "2,000 characters",
    "nothing": "There is no generator 'nothing'; there are church, face",
    "Face": "There is no generator 'Face'; did you mean face?",
    "stylegan-church": "did you mean stylegan2-church?",
    "nothing@main": "There is no generator 'nothing@main'",
    "x.pt": "There is no file 'x.pt'",
    "checkpoint.safetensors": "There is no file",
    "./face": "There is no folder './face'",
    "../face": "There is no folder",
    "/nowhere/face.pkl": "There is no file '/nowhere/face.pkl'",
    "~/nowhere": "There is no folder '~/nowhere'",
    "C:\\models\\x.pt": "There is no file",
    "models\\face": "There is no folder",
    "models/face": "There is no folder 'models/face'",
    "models/faces/x.pkl": "There is no file",
    "datasets/face": "There is no folder",
    "datasets/org/name": "is a dataset of the Hub",
    "hf://datasets/org/name": "the address of a dataset",
    "hf://spaces/org/name": "the address of a Space",
    "hf://org": "taken for a repo of the Hub",
    "hf://org/name@": "names no revision after the @",
    "https://huggingface.co": "the address of the Hub itself",
    "https://huggingface.co/org": "the page of a person or an organization",
    "https://huggingface.co/datasets/org/name": "the address of a dataset",
    "https://huggingface.co/spaces/org/name/tree/main": "the address of a Space",
    "https://huggingface.co/collections/org/name-1": "a page of the Hub that is no model",
    "https://huggingface.co/docs/hub/index": "a page of the Hub that is no model",
    "https://org-name.hf.space": "the address of a Space",
    "https://cdn-lfs.huggingface.co/repos/ab/cd": "lasts some minutes",
    "https://[::1/x": "taken for an address",
    "ftp://huggingface.co/org/name": "not with https://",
    "org/a--b": "taken for a repo of the Hub, whose id has the form org/name",
    "org/..": "taken for a repo of the Hub",
    "org//name": "taken for a repo of the Hub",
    "org/na me": "taken for a repo of the Hub",
    "hf.co/org/name%00": "taken for a repo of the Hub",
    "org/name@": "names no revision after the @",
    "org/name@a b": "cannot be a revision",
    "org/name@../x": "cannot be a revision",
    "https://hf.co/org/name/tree/%2e%2e": "cannot be a revision",
    "org/name:../x.pkl": "no file has such a path",
    "org/name/../../x.pkl": "no file has such a path",
    "org/name:/etc/passwd": "no file has such a path",
    "https://hf.co/org/name/resolve/main/%2e%2e/x.pkl": "no file has such a path",
    "https://hf.co/org/name/resolve/main/a%5Cb.pkl": "no file has such a path",
    "https://hf.co/org/name/resolve/main/a%0Ab.pkl": "no file has such a path",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_says_what_the_text_was_taken_for(text):
    assert REFUSED[text] in refused(text)


# --- this machine ----------------------------------------------------------------------------------------------------


def test_what_lies_here_is_meant_before_what_may_lie_elsewhere(tmp_path):
    for folder in ("org/name", "stylegan2-church", "face"):
        os.makedirs(folder)
    Path("model.ckpt").write_bytes(b"x")
    Path("a@b:c.pt").write_bytes(b"x")
    assert read("org/name") == Name(Kind.FOLDER, "org/name")
    assert read(" org/name/ ").kind is Kind.FOLDER
    assert read("stylegan2-church").kind is Kind.FOLDER
    assert read("model.ckpt") == read(Path("model.ckpt")) == Name(Kind.FILE, "model.ckpt")
    assert read("a@b:c.pt").kind is Kind.FILE
    assert read(str(tmp_path)) == read(tmp_path) == Name(Kind.FOLDER, str(tmp_path))
    assert read("face").kind is Kind.BUNDLED  # but for those that come with the software
    assert read("./face") == Name(Kind.FOLDER, "./face") and read(Path("face")).kind is Kind.FOLDER
    assert read("org/other").kind is Kind.REPO


def test_a_mistyped_path_is_told_what_there_is():
    os.makedirs("mine/faces")
    os.makedirs("my-churches")
    assert "did you mean my-churches?" in refused("my-church")
    Path("mine/network-snapshot-002620.pkl").write_bytes(b"x")
    assert "(did you mean ./mine/faces?)" in refused("./mine/face")
    assert "(did you mean mine/faces?)" in not_here(read("mine/face"))
    assert "no file mine/network-snapshot-02620.pkl here" in not_here(read("mine/network-snapshot-02620.pkl"))
    assert not not_here(read("hf://mine/face")) and not not_here(read("mine/face@main"))
    with pytest.raises(FileNotFoundError, match=r"There is no folder 'faces'; check"):
        read(Path("faces"))


def test_a_visitors_text_is_no_path(monkeypatch, tmp_path):
    os.makedirs("org/name")
    Path("x.pt").write_bytes(b"x")
    monkeypatch.setenv(client.PUBLIC, "1")
    assert read("org/name").kind is Kind.REPO and not not_here(read("org/name"))
    for text in ("x.pt", str(tmp_path), "~", ".", "./org/name", "models/x.pt", "/etc/passwd"):
        said = refused(text, ValueError)
        assert "There is no generator" in said and "folder" not in said
    assert read(Path("x.pt")).kind is Kind.FILE  # a Path is the app's own


def test_what_a_strangers_file_calls_its_generator_is_no_path(tmp_path):
    os.makedirs("org/name")
    assert repo_name("org/name").kind is Kind.REPO
    assert repo_name(bundled()[0]).kind is Kind.BUNDLED and repo_name("ada-ffhq").kind is Kind.KNOWN
    for text in ("", ".", str(tmp_path), "../x", "https://example.org/x.pkl", "x.pt", "~"):
        with pytest.raises(ValueError):
            repo_name(text)


def test_a_file_elsewhere_is_an_address():
    assert read("https://example.org/x.pkl?y#z") == Name(Kind.ADDRESS, "https://example.org/x.pkl?y#z")
    assert read("https://huggingface.co@example.org/org/name").kind is Kind.ADDRESS
    assert read("https://huggingface.co.example.org/org/name").kind is Kind.ADDRESS
    assert read("http://127.0.0.1:8001/org/name").kind is Kind.ADDRESS  # another server than the endpoint


def test_a_revision_beside_the_name():
    assert at_revision(read("org/name"), "v1") == at_revision(read("org/name@v1"), "v1") == read("org/name@v1")
    assert at_revision(read("org/name@a/b/x.pkl"), "a/b") == read("org/name@a/b:x.pkl")
    assert at_revision(read("org/name:x.pkl"), "v1") == read("org/name@v1:x.pkl")
    assert at_revision(read("face"), None) == read("face")
    for text, revision, said in (
        ("org/name@v1", "v2", "do not agree"),
        ("org/name@a/b", "c", "do not agree"),
        ("face", "v1", "has no revision"),
        ("org/name", "a b", "cannot be a revision"),
    ):
        with pytest.raises(ValueError, match=said):
            at_revision(read(text), revision)


# --- whatever it is --------------------------------------------------------------------------------------------------

word = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,8}", fullmatch=True)
repo_ids = st.builds("{}/{}".format, word.filter(lambda w: w not in ("models", "datasets", "api")), word)
revisions = st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,6}[a-z0-9]", fullmatch=True), min_size=1, max_size=3)
revisions = (
    revisions.filter(lambda parts: parts[0] not in ("main", "refs")).map("/".join).filter(lambda t: ".." not in t)
)
parts = st.text(st.characters(codec="utf-8", exclude_characters="/\\\x00"), min_size=1, max_size=12)
parts = parts.filter(lambda t: t.isprintable() and t not in (".", ".."))
paths = st.lists(parts, min_size=1, max_size=3).map("/".join).filter(lambda t: t == t.strip(AROUND))


@given(repo=repo_ids, revision=revisions, path=paths)
@example(repo="org/name", revision="v1.0", path="a b/ü%2F#?x&y=z.pkl")
def test_every_way_to_write_it_names_the_same(repo, revision, path):
    meant = Name(Kind.REPO, repo, revision, path)
    assert read(str(meant)) == meant
    encoded = f"{quote(revision, safe='')}/{quote(path)}"
    for route in ("blob", "resolve", "tree", "raw"):
        assert read(f"https://huggingface.co/{repo}/{route}/{encoded}") == meant or "/" not in revision
    for text in (f"{repo}@{revision}/{quote(path)}", f"https://hf.co/{repo}/blob/{revision}/{quote(path)}?a=b#c"):
        assert meant in read(text).readings
    assert read(f"{repo}:{path}") == Name(Kind.REPO, repo, path=path)


@given(repo=repo_ids, parts=st.lists(parts, min_size=2, max_size=4))
def test_what_stays_open_can_be_written_down(repo, parts):
    try:
        name = read(f"https://huggingface.co/{repo}/tree/" + "/".join(map(quote, parts)))
    except ValueError:
        return
    assert read(str(name)).readings == name.readings


texts = st.one_of(
    st.text(max_size=60),
    st.text("abc/@:.%-~ \\#?=&", max_size=40),
    st.builds(lambda head, tail: head + tail, st.sampled_from(sorted(MEANT)), st.text("ab/@:.%2Ff ", max_size=8)),
)


@given(texts)
def test_any_text_names_something_or_is_refused_in_one_sentence(text):
    try:
        name = read(text)
    except (ValueError, FileNotFoundError) as error:
        assert tiny.is_one_sentence(str(error)), str(error)
        return
    if name.kind is Kind.REPO:
        assert name.readings and all(one.revision or not name.parts for one in name.readings)
        for one in name.readings:
            assert client.check_repo_id(one.what) and client.check_revision(one.revision or None)
            assert not {"", ".", ".."} & set(one.path.split("/")) or not one.path


@given(texts)
@example("https://huggingface.co/org/name/tree/a/b/c")
@example("hf://org/name@a%2Fb/c")
@example("https://huggingface.co/org/name/blob/refs/convert/x/c")
def test_the_hubs_own_client_reads_addresses_alike(text):
    text = text.strip(AROUND) if "://" in text else f"hf://{text.strip(AROUND)}"
    try:
        theirs = parse_hf_uri(text)
        ours = read(text)
    except (HfUriError, ValueError, FileNotFoundError):
        return
    cut_short = theirs.path_in_repo and f"{theirs.revision}/" not in unquote(text)  # refs/pr/1 out of refs/pr/1x
    if theirs.type == "model" and ours.kind is Kind.REPO and not (theirs.revision and cut_short):
        assert (theirs.id, theirs.revision or "", theirs.path_in_repo) in [
            (one.what, one.revision, one.path) for one in ours.readings
        ]
