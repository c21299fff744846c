"""What the tests find around them, the same for everybody: none of the user's settings, and a Ctrl-C that interrupts.

Some libraries read their settings as they are imported, so `conftest.py` calls `settle` before it imports anything
else.  The processes that the tests start inherit what it leaves.
"""

import atexit
import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

PATIENCE = 180.0  # seconds by which all that will come has come, however busy the machine is
SETTINGS = re.compile(
    r"(HF|HUGGING_?FACE(HUB)?|GRADIO|REWRITING|SPACES?|OAUTH|OPENID)_.*"
    r"|(OMP|GOMP|KMP|MKL|OPENBLAS|ONEDNN|DNNL|TORCH|TORCHELASTIC|PYTORCH)_.*"
    r"|(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)|MASTER_(ADDR|PORT)"  # of a torchrun
    r"|PYTHON(WARNINGS|OPTIMIZE|DEVMODE|IOENCODING|UTF8|SAFEPATH)"
    r"|LANG|LANGUAGE|LC_.*|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CLICOLOR.*|PWDEBUG|SYSTEM"
)
PROXY = re.compile(r".*_PROXY")
PROXIES = "REWRITING_TESTS_PROXIES"  # holds the user's, as JSON, for whatever fetches something that the tests need
OURS = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # for tests of more threads, beside others on the same cores
    "COLUMNS": "80",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
}


def settle() -> None:
    """Take the user's settings out of this process's environment; once, as xdist's workers inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background of a shell script, or by nohup
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    found = {name: value for name, value in os.environ.items() if PROXY.fullmatch(name.upper())}
    for name in [name for name in os.environ if name in found or SETTINGS.fullmatch(name.upper())]:
        del os.environ[name]
    own = Path(tempfile.mkdtemp(prefix="rewriting-tests-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    folders = {"HF_HOME": str(own / "hf"), "GRADIO_TEMP_DIR": str(own / "gradio")}
    os.environ |= OURS | folders | {PROXIES: json.dumps(found)}


def with_proxies() -> dict[str, str]:
    """The environment for a process that fetches something from elsewhere; outside of the tests, the user's own."""
    return {**os.environ, **json.loads(os.environ.get(PROXIES, "{}"))}
