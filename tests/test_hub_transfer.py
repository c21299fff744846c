"""Files on their way: damaged, slow, broken off, fetched by two, into a cache that cannot be written."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download

from rewriting import load_generator
from rewriting.hub import Unreachable, transfer
from rewriting.hub.client import Access
from rewriting.hub.download import download, look_up
from tests import tiny
from tests.hub_repos import cached_files, files_of, forget_cache
from tests.surroundings import PATIENCE
from tests.test_hub import opened, refused

pytest_plugins = ("tests.hub_fixtures",)

WEIGHTS = "model.safetensors"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def repo(hub, folder):
    return hub.add_repo("org/tiny", files_of(folder))


def commit(hub, generator, folder, title="newer"):
    """Another commit of org/tiny, with another generator."""
    files = files_of(generator.save(folder))
    return hub._commit(hub.repo("org/tiny"), {name: hub._file(name, data) for name, data in files.items()}, title)


def parts():
    return [name for name in cached_files(constants.HF_HUB_CACHE) if name.endswith(".incomplete")]


# --- hashes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where, name", [("GET /cdn/", WEIGHTS), ("LICENSE", "LICENSE"), ("config.json", "config.json")]
)
def test_a_flipped_byte_is_noticed_and_removed(hub, folder, repo, where, name):
    hub.fail(where, flip=3, times=1)
    said = refused(lambda: opened(hub))
    assert f"{name} of org/tiny" in said and "hash" in said
    assert name not in cached_files(constants.HF_HUB_CACHE) and not parts()
    assert opened(hub).digest() == load_generator(folder).digest()  # which fetches it once more


def test_any_file_of_a_commit_is_had_with_its_hash_compared(hub):
    hub.add_repo("org/many", {"models/a b.pkl": b"pickled", "README.md": b"---\nlicense: mit\n---\n# Many\n"})
    access = Access(False, hub.url)
    found = look_up("org/many", access)
    assert found.card["license"] == "mit" and found.files["models/a b.pkl"].size == 7
    folder = download(found, ["models/a b.pkl", "README.md"], access)
    assert (folder / "models/a b.pkl").read_bytes() == b"pickled" and folder.name == found.commit
    before = len(hub.requests)
    assert download(found, ["models/a b.pkl"], access) == folder
    assert len(hub.requests) == before


def test_what_was_fetched_is_there_for_the_hubs_own_client_and_the_other_way(hub, repo, folder):
    generator = opened(hub)
    before = len(hub.asked("GET /(cdn|org/tiny/resolve)"))
    path = hf_hub_download("org/tiny", WEIGHTS, endpoint=hub.url, token=False)
    assert Path(path) == generator.source.folder / WEIGHTS
    assert len(hub.asked("GET /(cdn|org/tiny/resolve)")) == before
    hub.add_repo("org/again", files_of(folder))
    hf_hub_download("org/again", WEIGHTS, endpoint=hub.url, token=False)
    before = len(hub.asked("GET /cdn/"))
    opened(hub, "org/again")
    assert len(hub.asked("GET /cdn/")) == before


def test_the_commit_that_was_looked_up_is_the_one_that_is_opened(hub, folder, repo, tmp_path):
    first = repo.head.sha
    hub.fail("GET /org/tiny/resolve/", then=lambda: commit(hub, tiny.generator(seed=7), tmp_path / "newer"), times=1)
    generator = opened(hub)
    assert generator.source.revision == first and generator.digest() == load_generator(folder).digest()


def test_a_branch_with_slashes_and_a_tag_are_revisions(hub, folder, repo, tmp_path):
    repo.branches |= {"my/branch": repo.head, "v1.0": repo.head}
    commit(hub, tiny.generator(seed=7), tmp_path / "newer")
    for revision in ("my/branch", "v1.0"):
        assert opened(hub, revision=revision).digest() == load_generator(folder).digest()
    hub.stop()
    assert opened(hub, revision="my/branch").digest() == load_generator(folder).digest()


# --- broken and slow lines -------------------------------------------------------------------------------------------


def test_a_download_goes_on_where_it_broke_off_even_in_another_process(hub, folder, repo, impatient):
    hub.fail("GET /cdn/", cut=3000, times=1)
    hub.fail("GET /cdn/", cut=0)
    assert "does not answer" in refused(lambda: opened(hub), Unreachable)
    assert len(parts()) == 1
    hub.heal()
    hub.requests.clear()
    assert opened(hub).digest() == load_generator(folder).digest()
    (asked,) = hub.asked("GET /cdn/")
    assert int(asked.range.removeprefix("bytes=").removesuffix("-")) >= 3000
    assert not parts()


def test_a_server_that_cannot_go_on_begins_anew(hub, folder, repo, impatient):
    hub.fail("GET /cdn/", cut=3000, times=1)
    whole = (folder / WEIGHTS).read_bytes()
    hub.fail("GET /cdn/", body=whole, times=1)  # 200, though a part was asked for
    assert opened(hub).digest() == load_generator(folder).digest()


def test_a_damaged_part_does_not_stay(hub, folder, repo, impatient):
    hub.fail("GET /cdn/", cut=3000, times=1)
    hub.fail("GET /cdn/", cut=0)
    refused(lambda: opened(hub), Unreachable)
    (part,) = Path(constants.HF_HUB_CACHE).rglob("*.incomplete")
    part.write_bytes(b"x" * part.stat().st_size)
    hub.heal()
    assert "hash" in refused(lambda: opened(hub))
    assert not parts() and opened(hub).digest() == load_generator(folder).digest()


def test_a_slow_line_that_moves_is_waited_for_and_one_that_stalls_is_not(hub, folder, repo, monkeypatch):
    monkeypatch.setattr(transfer, "GIVE_UP", 1.0)
    size = (folder / WEIGHTS).stat().st_size
    hub.fail("GET /cdn/", pace=(size // 15, 0.2), times=1)  # three seconds in all
    assert opened(hub).digest() == load_generator(folder).digest()
    hub.add_repo("org/other", files_of(tiny.generator(seed=5).save(folder.parent / "other")))
    hub.fail("GET /cdn/", pace=(1000, 30.0))
    assert "stopped arriving" in refused(lambda: opened(hub, "org/other"), Unreachable)


def test_an_abandoned_download_gives_the_lock_back(hub, folder, repo, monkeypatch):
    class Enough(Exception):
        pass

    def listener(share, what):
        if WEIGHTS in what:
            raise Enough

    hub.fail("GET /cdn/", slow=30.0, times=1)
    with pytest.raises(Enough):
        opened(hub, progress=listener)
    assert opened(hub).digest() == load_generator(folder).digest()


def test_the_hub_is_asked_again_when_it_says_so(hub, folder, repo):
    told = []
    busy = hub.fail("GET /cdn/", status=429, headers={"Retry-After": "1"}, times=1)
    start = time.monotonic()
    opened(hub, progress=lambda share, what: told.append(what))
    assert busy.times == 0 and time.monotonic() - start >= 1
    assert f"Waiting for the Hub to go on with {WEIGHTS} of org/tiny" in told
    for path in ("api/models", "GET /cdn/"):
        hub.fail(path, status=429, headers={"Retry-After": "3600"}, times=1)
        other = tiny.generator(seed=len(hub.requests)).save(folder.parent / path.replace("/", "-"))
        hub.add_repo("org/other", files_of(other))
        assert "fewer requests" in refused(lambda: opened(hub, "org/other"))


def test_the_list_of_files_is_asked_for_again_when_the_hub_says_so(hub, repo):
    hub.fail("api/models", status=503, headers={"Retry-After": "1"}, times=1)
    assert look_up("org/tiny", Access(False, hub.url)).commit == repo.head.sha


def test_a_hub_that_wants_to_be_left_alone_for_long_leaves_what_was_fetched_before(hub, folder, repo, caplog):
    older = opened(hub)
    hub.fail("GET /api/", status=429, headers={"Retry-After": "3600"})
    assert opened(hub).digest() == older.digest() and "asks for fewer requests" in caplog.text
    forget_cache()
    assert "asks for fewer requests" in refused(lambda: opened(hub), Unreachable)


def test_an_empty_file_is_a_file(hub, folder):
    hub.add_repo("org/tiny", files_of(folder) | {"LICENSE": b"", "README.md": b""})
    assert opened(hub).source.license_text == ""


def test_nothing_is_written_to_the_terminal_while_the_line_breaks(hub, repo, impatient, capfd, caplog):
    hub.fail("GET /cdn/", cut=3000, times=2)
    opened(hub)
    assert capfd.readouterr() == ("", "") and not caplog.records


FETCH = """
import sys, time
from huggingface_hub import constants
constants.HF_HUB_CACHE, url = sys.argv[1:]
from rewriting.hub.client import Access
from rewriting.hub.download import download, look_up
access = Access(False, url)
repo = look_up("org/tiny", access)
print("begins", flush=True)
download(repo, ["model.safetensors"], access)
print("has it", flush=True)
"""


def fetching(hub):
    """Another process that fetches the weights."""
    command = [sys.executable, "-c", FETCH, constants.HF_HUB_CACHE, hub.url]
    env = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    assert process.stdout.readline() == "begins\n"
    return process


def test_two_processes_share_one_transfer(hub, folder, repo):
    size = (folder / WEIGHTS).stat().st_size
    hub.fail("GET /cdn/", pace=(size // 10, 0.2), times=1)
    process, told = fetching(hub), []
    while not hub.asked("GET /cdn/"):
        time.sleep(0.01)
    generator = opened(hub, progress=lambda share, what: told.append(what))
    assert process.communicate(timeout=PATIENCE)[0] == "has it\n"
    assert generator.digest() == load_generator(folder).digest()
    assert len(hub.asked("GET /cdn/")) == 1
    assert f"Waiting for another program that fetches {WEIGHTS} of org/tiny" in told


def test_what_a_killed_process_had_is_gone_on_with_and_not_kept_for_ever(hub, folder, repo, tmp_path):
    size = (folder / WEIGHTS).stat().st_size
    hub.fail("GET /cdn/", pace=(size // 3, 0.5), times=1)
    process = fetching(hub)
    while not parts() or not next(Path(constants.HF_HUB_CACHE).rglob("*.incomplete")).stat().st_size:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    (part,) = Path(constants.HF_HUB_CACHE).rglob("*.incomplete")
    os.utime(part, (0, 0))  # it lies there for years, and the repo has moved on
    commit(hub, tiny.generator(seed=7), tmp_path / "newer")
    opened(hub)
    assert not parts()


def test_a_process_that_stopped_is_not_waited_for_for_ever(hub, repo, monkeypatch):
    hub.fail("GET /cdn/", pace=(1000, 0.5), times=1)
    process = fetching(hub)
    try:
        while not parts():
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(transfer, "GIVE_UP", 0.5)
        assert "does not go on" in refused(lambda: opened(hub), Unreachable)
    finally:
        process.kill()
        process.communicate()


# --- the cache -------------------------------------------------------------------------------------------------------


def forbid_writing():
    """A cache from which all can be read, and into which nothing can be put: its place for locks is taken."""
    locks = Path(constants.HF_HUB_CACHE) / ".locks"
    for path in sorted(locks.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    locks.rmdir()
    locks.write_text("")


def test_a_cache_that_cannot_be_written_opens_what_it_holds_and_says_so(hub, folder, repo, tmp_path, caplog):
    older = opened(hub)
    commit(hub, tiny.generator(seed=7), tmp_path / "newer")
    forbid_writing()
    assert opened(hub).digest() == older.digest()
    assert "cannot be written" in caplog.text and "as it was fetched before" in caplog.text
    assert str(tmp_path) not in caplog.text


def test_a_disk_that_fills_up_on_the_way_opens_what_was_there_under_its_own_commit(
    hub, folder, repo, tmp_path, monkeypatch
):
    older = opened(hub)
    commit(hub, tiny.generator(seed=7), tmp_path / "newer")

    def bring_little(file, *rest):
        if file.path == WEIGHTS:
            raise OSError(errno.ENOSPC, "No space left on device")
        bring(file, *rest)

    bring = transfer.bring
    monkeypatch.setattr("rewriting.hub.download.bring", bring_little)
    again = opened(hub)
    assert again.digest() == older.digest() and again.source.revision == older.source.revision


@pytest.mark.parametrize("named", ["HF_HOME", "HF_HUB_CACHE", None])
def test_a_cache_that_cannot_be_written_says_which_setting(hub, repo, monkeypatch, tmp_path, named):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    if named:
        monkeypatch.setenv(named, str(tmp_path / "file"))
    said = refused(lambda: opened(hub))
    assert "cannot be written" in said and (named or "HF_HOME") in said
    assert str(tmp_path) not in said and "try again" not in said
    assert "cache_dir" in refused(lambda: opened(hub, cache_dir=tmp_path / "file"))


def test_two_threads_of_one_studio_share_one_transfer(hub, folder, repo):
    size, got = (folder / WEIGHTS).stat().st_size, []
    hub.fail("GET /cdn/", pace=(size // 5, 0.1), times=1)
    threads = [threading.Thread(target=lambda: got.append(opened(hub).digest())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [load_generator(folder).digest()] * 3 and len(hub.asked("GET /cdn/")) == 1


# --- what is in the way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("http_proxy", "http://127.0.0.1:9", "the proxy that http_proxy names"),
        ("HTTP_PROXY", "http://127.0.0.1:9", "the proxy that HTTP_PROXY names"),
        ("all_proxy", "socks5://127.0.0.1:9", "socksio"),
        ("all_proxy", "nonsense://127.0.0.1:9", "does not hold the address of a proxy"),
    ],
)
def test_a_proxy_in_the_way_is_named(hub, repo, monkeypatch, name, value, said):
    from huggingface_hub.utils import close_session

    for other in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, value)
    close_session()
    try:
        assert said in refused(lambda: opened(hub), Unreachable)
    finally:
        close_session()


def test_a_proxy_that_answers_for_the_hub_is_named(hub, repo, monkeypatch):
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("http_proxy", hub.url)
    hub.fail(".", status=503)
    close_session()
    try:
        assert "the proxy that http_proxy names" in refused(lambda: opened(hub), Unreachable)
    finally:
        close_session()


@pytest.mark.parametrize("token", ["hf_ключ", "hf_\u200babc"])
def test_a_token_with_foreign_letters_is_not_the_hubs_fault(hub, repo, monkeypatch, token):
    assert "This token has characters" in refused(lambda: opened(hub, token=token))
    monkeypatch.setenv("HF_TOKEN", token)
    assert "The token in HF_TOKEN has characters" in refused(lambda: opened(hub, token=None))
    assert not hub.requests


# --- answers that are none -------------------------------------------------------------------------------------------

HTML = b"<!doctype html><html><body>Sign in to the network at http://portal.example/x</body></html>"


@pytest.mark.parametrize("where", ["GET /api/models/org/tiny", "resolve/.*/config.json", "GET /cdn/"])
@pytest.mark.parametrize("body", [b"[]", b'["a"]', b"{}", b'{"sha": 5}', b"null", b"", HTML, b"\xff\xfe"])
def test_an_answer_that_is_none_is_one_sentence(hub, repo, where, body):
    hub.fail(where, body=body)
    said = refused(lambda: opened(hub))
    assert "org/tiny" in said and "portal" not in said and "api/models" not in said and "Traceback" not in said


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 418, 451])
@pytest.mark.parametrize("body", [b"", HTML, b"[1]", b'{"error": "see http://127.0.0.1/api/x"}'])
def test_a_refusal_to_read_gives_no_advice_on_writing(hub, repo, status, body):
    hub.fail(".", status=status, body=body)
    said = refused(lambda: opened(hub))
    assert "publish" not in said and "pull request" not in said and "api/" not in said


def test_an_answer_of_another_commit_is_refused(hub, folder, repo):
    data = (folder / "config.json").read_bytes()
    hub.fail("resolve/.*/config.json", body=data, headers={"X-Repo-Commit": "../../evil"})
    assert "other bytes" in refused(lambda: opened(hub))
    assert not cached_files(constants.HF_HUB_CACHE)


def test_an_answer_that_is_none_costs_nothing_of_what_came_before(hub, folder, repo, impatient):
    hub.fail("GET /cdn/", cut=3000, times=1)
    hub.fail("GET /cdn/", body=HTML, times=1)
    assert "other bytes" in refused(lambda: opened(hub))
    hub.requests.clear()
    assert opened(hub).digest() == load_generator(folder).digest()
    assert hub.asked("GET /cdn/")[0].range


def test_a_repo_of_ten_thousand_files_opens(hub, folder):
    files = files_of(folder) | {f"samples/{number}.txt": b"x" for number in range(10_000)}
    hub.add_repo("org/many", files)
    assert opened(hub, "org/many").digest() == load_generator(folder).digest()


def test_paths_that_lead_out_of_the_repo_are_not_listed(hub):
    strange = {"../x.txt": b"x", "/etc/x": b"x", "a/../../x": b"x", "c:x": b"x", "ok/x.txt": b"x"}
    hub.add_repo("org/strange", strange)
    assert set(look_up("org/strange", Access(False, hub.url)).files) == {"ok/x.txt"}
