"""The tests say the same wherever they run: whatever the environment holds, and in the background."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import surroundings
from tests.surroundings import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
NOWHERE, DEAD = "/dev/null/nowhere", "http://127.0.0.1:9"
HOSTILE = {
    "HF_HUB_OFFLINE": "1",
    "HF_ENDPOINT": DEAD,
    "HF_TOKEN": "hf_of_somebody",
    "HF_HOME": NOWHERE,
    "HUGGING_FACE_HUB_TOKEN": "hf_of_somebody",
    "HUGGINGFACE_CO_STAGING": "1",
    "http_proxy": DEAD,
    "HTTPS_PROXY": DEAD,
    "all_proxy": "socks5://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "GRADIO_SERVER_NAME": "nowhere.invalid",
    "GRADIO_SERVER_PORT": "1",
    "GRADIO_ROOT_PATH": "/elsewhere",
    "GRADIO_TEMP_DIR": NOWHERE,
    "REWRITING_CACHE": NOWHERE,
    "REWRITING_PUBLIC": "1",
    "XDG_CACHE_HOME": NOWHERE,
    "OMP_NUM_THREADS": "5",
    "SPACE_ID": "somebody/studio",
    "SPACES_ZERO_GPU": "true",
    "SYSTEM": "spaces",
    "WORLD_SIZE": "2",
    "RANK": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONSAFEPATH": "1",
    "LANG": "C",
    "LC_ALL": "C",
    "COLUMNS": "20",
    "NO_COLOR": "1",
    "FORCE_COLOR": "1",
}
SENSITIVE = (  # to the Hub's settings, to SIGINT, and to Gradio's settings
    "test_hub.py::test_a_generator_by_its_id_is_the_one_that_was_stored",
    "test_cli.py::test_an_interrupted_folder_is_completed_later",
    "test_app.py::test_a_taken_port_ends_the_app_with_one_sentence",
)


def ignore_interrupts():
    """As a shell script does before it starts something in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_the_tests_pass_whatever_the_environment_holds_and_in_the_background():
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "1", *(f"tests/{name}" for name in SENSITIVE))
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=plain | HOSTILE,
        preexec_fn=ignore_interrupts,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE,
    )
    assert done.returncode == 0 and f"{len(SENSITIVE)} passed" in done.stdout, done.stdout + done.stderr


def test_what_the_user_set_is_not_seen_but_by_what_fetches_something(monkeypatch):
    kept = {"PATH": os.environ["PATH"], "HOME": NOWHERE}
    monkeypatch.setattr(os, "environ", kept | HOSTILE)
    surroundings.settle()
    left = {name for name in os.environ if HOSTILE.get(name) == os.environ[name]}
    assert left == {"XDG_CACHE_HOME"}  # where Playwright keeps its browsers
    assert kept.items() <= os.environ.items()
    proxies = {name: value for name, value in HOSTILE.items() if name.lower().endswith("_proxy")}
    assert proxies.items() <= surroundings.with_proxies().items() and len(proxies) == 4
    assert not {"HF_TOKEN", "HF_ENDPOINT"} & surroundings.with_proxies().keys()
