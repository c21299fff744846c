"""A ZeroGPU Space: what needs the GPU runs in a forked process of its own, and gives what the CPU gives.

The stand-in for `spaces` keeps its promises and its traps: the page's process is told that there is a GPU and has
none; calls go through pickle to a process forked at the first of them, and errors lose their words on the way back.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rewriting import zerogpu
from rewriting.backend import Backend
from rewriting.hub.space import space_files
from tests import tiny
from tests.surroundings import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
SPACES = """
import multiprocessing
import pickle

import torch

CALLS, MARKED = [], []
there = torch.cuda.is_available
torch.cuda.is_available = lambda: True


def GPU(function=None, *, duration=60):
    if function is None:
        return lambda f: GPU(f, duration=duration)
    MARKED.append(function)
    worker = []

    def call(*arguments):
        CALLS.append((arguments[0], duration(*arguments)))
        if CALLS[-1][1] > 120:
            raise RuntimeError("quota exceeded")
        sent = pickle.dumps(arguments)
        if not worker:
            mine, its = multiprocessing.get_context("fork").Pipe()
            multiprocessing.get_context("fork").Process(target=serve, args=(function, its), daemon=True).start()
            worker.append(mine)
        worker[0].send_bytes(sent)
        kind, answer = pickle.loads(worker[0].recv_bytes())
        if kind == "error":
            raise RuntimeError(answer)
        return answer

    return call


def serve(function, pipe):
    torch.cuda.is_available = there
    while True:
        arguments = pickle.loads(pipe.recv_bytes())
        try:
            answer = ("fine", function(*arguments))
        except Exception as error:
            answer = ("error", type(error).__name__)
        pipe.send_bytes(pickle.dumps(answer))
"""

SCRIPT = """
import json
import sys

import app  # which brings `spaces` before PyTorch
import spaces
import torch

torch.set_num_threads(1)
from pathlib import Path
import numpy as np
from rewriting import load_generator
from rewriting.core import memory
from rewriting import zerogpu
from rewriting.backend import listening
from rewriting.studio.session import Session
from rewriting.studio.service import Service
from tests import tiny

memory.SAMPLES = 48
real, _ = app.open_service("auto", "face")
told = {"marked": [f.__name__ for f in spaces.MARKED], "device": str(real.generator("face").device)}
real.pictures("face", [0])
told["bundled"] = len(spaces.CALLS)

zerogpu.WORTH = 0
folder, request = sys.argv[1], tiny.request(256, layer=6)
lent, own = Service(lambda name: load_generator(Path(name))), Service(lambda name: load_generator(Path(name)))


def session(shop):
    return shop.open(folder).step("ask", request=request.with_(generator=folder))


def outcome(shop):
    plain, asked = shop.plain(session(shop), [3, 4]), session(shop)
    solved = shop.solve(asked)
    ruled = asked.adopt(solved)
    last = list(shop.results(ruled, [5, 6]))[-1]
    scores = shop.matches(asked, range(8)).scores
    after = np.stack([picture.pixels for picture in last.after])
    return [plain, scores, solved.factor.numpy(), shop.edited(ruled, [3]), after], solved


def same(pair):
    return np.allclose(*pair, atol=1e-5) if pair[0].dtype.kind == "f" else np.array_equal(*pair)


lent_outcome, edit = outcome(lent)
told["calls"] = list(spaces.CALLS)
lent.solve(session(lent).ask("settings", rank=3))
told["again"] = spaces.CALLS[-1][1]
worth, zerogpu.WORTH = zerogpu.WORTH, 10**12
own_outcome, expected = outcome(own)
told["same"] = [bool(same(pair)) for pair in zip(lent_outcome, own_outcome)]
told["edit"] = [edit.generator == expected.generator, edit.base == expected.base, edit.request == expected.request]
zerogpu.WORTH = worth

again = Service(lambda name: load_generator(Path(name)))  # another visitor, the same process with the GPU
told["clean"] = bool(np.array_equal(again.plain(session(again), [3, 4]), own_outcome[0]))
try:
    again.solve(session(again).ask("settings", rank=400))
except ValueError as error:
    told["refused"] = str(error)
zerogpu.MEASURING = 500  # more than is left to the visitor: the CPU does it
zerogpu._measured.clear()
poor = Service(lambda name: load_generator(Path(name)))
told["said"] = []
with listening(told["said"].append):
    told["poor"] = bool(np.allclose(poor.solve(session(poor)).factor, expected.factor, atol=1e-5))
told["cuda"] = torch.cuda.is_initialized()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a process found that takes itself for a ZeroGPU Space."""
    root = tmp_path_factory.mktemp("space")
    (root / "spaces.py").write_text(SPACES)
    folder = tiny.generator(name="tiny").save(root / "tiny")
    path = os.pathsep.join([str(root), str(ROOT)])
    environment = {**os.environ, "SPACES_ZERO_GPU": "true", "PYTHONPATH": path, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_one_plain_function_is_marked_and_the_pages_process_keeps_to_the_cpu(told):
    assert told["marked"] == ["on_gpu"] and told["device"] == "cpu" and told["cuda"] is False


def test_small_generators_never_wait_for_a_gpu(told):
    assert told["bundled"] == 0


def test_the_gpu_gives_what_the_cpu_gives_in_few_short_calls(told):
    assert all(told["same"]) and all(told["edit"])
    tasks = [task for task, _ in told["calls"]]
    assert tasks.count("solve") == 1 and tasks.count("match") == 1 and len(tasks) <= 6
    assert all(0 < seconds <= 60 for _, seconds in told["calls"])


def test_no_rule_stays_in_the_process_that_has_the_gpu(told):
    assert told["clean"]


def test_a_refusal_keeps_its_words(told):
    assert tiny.is_one_sentence(told["refused"]) and "400" in told["refused"], told["refused"]


def test_where_no_gpu_is_to_be_had_the_cpu_does_it_and_says_so(told):
    assert told["poor"] and told["said"] == [zerogpu.SHARE_USED] and tiny.is_one_sentence(zerogpu.SHARE_USED)


def test_time_to_measure_a_layer_is_asked_for_once(told):
    asked = [seconds for task, seconds in told["calls"] if task == "solve"] + [told["again"]]
    assert asked[0] - asked[1] == zerogpu.MEASURING


def test_anywhere_else_nothing_changes():
    assert not zerogpu.present() and not zerogpu.worth_it(tiny.generator())
    assert type(zerogpu.backend(tiny.generator(), lambda layer: None)) is Backend
    assert "spaces" not in sys.modules


def test_an_edit_crosses_the_border_as_arrays():
    edit = tiny.random_edit(tiny.generator(), 6, strength=-0.5)
    back = zerogpu.Change.of(edit).edit()
    assert np.array_equal(back.delta(), edit.delta())
    assert not zerogpu.Change.of(edit.with_(enabled=False)).edit().delta().any()


def test_this_checkout_can_be_deployed_on_zero_gpu():
    files = space_files(ROOT)
    assert {"app.py", "rewriting/zerogpu.py", "rewriting/studio/static/hub.css"} <= files.keys()
    assert isinstance(files["app.py"], Path)
