"""Reading foreign files in a process of its own, with limits on memory and time, which cannot start programs.

The readers refuse unknown content.  This process is the second line of defence: if a damaged or hostile file makes the
readers or their libraries loop, grow or crash, only this process ends.  It returns tensors in a safetensors file and
facts as JSON.  Linux and other systems with `resource` limit memory and processor time; on every system a watchdog
ends the process after the same wall-clock time.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rewriting.checkpoints.contents import CheckpointError, Contents, plain_facts, quoted
from rewriting.checkpoints.finding import generator_in
from rewriting.checkpoints.formats import opened
from rewriting.checkpoints.sniff import sniff
from rewriting.files import why

TENSORS, ANSWER = "tensors.safetensors", "answer.json"
STARTUP_SECONDS = 120  # importing PyTorch from a cold disk
FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.", "socket.")
FORBIDDEN_EXACTLY = {"pickle.find_class", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree", "pty.spawn"}


@dataclass(frozen=True)
class Limits:
    """seconds: of processor time and of wall-clock time.  bytes: of memory beyond that of the started process."""

    seconds: float
    memory: int

    @classmethod
    def for_file(cls, path: Path) -> Limits:
        """8 s and 512 MiB, plus one second for each 20 MB of the file, and four times its size."""
        size = path.stat().st_size
        return cls(8 + size // 20_000_000, (512 << 20) + 4 * size)


def read_contents(path: str | Path) -> Contents:
    """Read the generator's tensors in a foreign file, in a limited process.

    Raises FileNotFoundError, or CheckpointError with a sentence that begins with "It", the file; see `refusal`.
    """
    path = Path(path)
    sniff(path)
    limits = Limits.for_file(path)
    with tempfile.TemporaryDirectory(prefix="rewriting-") as folder:
        job = [str(path.resolve()), folder, str(limits.seconds), str(limits.memory)]
        command = [sys.executable, "-c", "from rewriting.checkpoints.reader import main; main()", *job]
        try:
            process = subprocess.run(
                command, cwd=folder, env=_environment(), capture_output=True, timeout=STARTUP_SECONDS + limits.seconds
            )
        except subprocess.TimeoutExpired:
            raise CheckpointError(_too_slow(limits)) from None
        return _collect(Path(folder), limits, process)


def extract(path: Path) -> Contents:
    """`read_contents` without the limited process, which runs this function.  Raises CheckpointError."""
    try:
        sniff(path)
        with path.open("rb") as file, opened(file) as data:
            contents = generator_in(data)
    except (CheckpointError, FileNotFoundError):
        raise
    except Exception as error:  # torch's and numpy's own, of many types
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise CheckpointError(_too_large()) from None
        raise CheckpointError(f"It is damaged or cut short ({type(error).__name__}); fetch it again.") from None
    if not contents.tensors:
        raise CheckpointError("It holds no tensors; is it the right file?")
    return contents


# --- in the limited process ------------------------------------------------------------------------------------------


def main() -> None:
    """The main function of the process: reads a file, and writes answer.json and, on success, tensors to a folder."""
    path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    confine(Limits(float(sys.argv[3]), int(sys.argv[4])))
    try:
        contents = extract(path)
        save_file(contents.tensors, folder / TENSORS)
        answer = {"facts": plain_facts(contents.facts, 5), "objection": contents.objection}
    except (CheckpointError, FileNotFoundError) as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": _too_large()}
    except (OSError, SafetensorError) as error:  # of writing; `extract` has made sentences of all others
        answer = {"error": _no_room(why(error))}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


def confine(limits: Limits) -> None:
    """Limit this process from now on, and forbid it to start programs."""
    torch.set_num_threads(1)
    sys.dont_write_bytecode = True  # a module imported late would rename a file of its own,
    tempfile.gettempdir()  # and the first use of this removes one
    sys.addaudithook(forbid)
    apply_limits(limits)


def forbid(event: str, _: tuple) -> None:
    """An audit hook that forbids programs, connections and unpickling by name."""
    if event.startswith(FORBIDDEN) or event in FORBIDDEN_EXACTLY:
        raise CheckpointError(f"It tried to run {event}; it was made to do harm, and was stopped.")


def apply_limits(limits: Limits) -> None:
    """Limit memory, processor time and core dumps if the system can, and wall-clock time on every system."""
    faulthandler.dump_traceback_later(limits.seconds, exit=True)
    try:
        import resource  # which Windows has not
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(usage.ru_utime + usage.ru_stime + limits.seconds) + 1
    for what, limit in (
        (resource.RLIMIT_AS, _address_space() + limits.memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            hard = resource.getrlimit(what)[1]
            soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(what, (soft, hard))
        except (OSError, ValueError):
            continue  # macOS has no RLIMIT_AS; the watchdog remains


def _address_space() -> int:
    """Bytes of used address space; an estimate for a process with PyTorch if the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 8 << 30


# --- around it -------------------------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """An environment with the same modules and without secrets."""
    secret = ("TOKEN", "SECRET", "PASSWORD", "KEY")
    variables = {name: value for name, value in os.environ.items() if not any(word in name.upper() for word in secret)}
    root = str(Path(__file__).resolve().parents[2])
    modules = os.pathsep.join([root, *(os.path.abspath(entry) for entry in sys.path if entry)])
    return variables | {"PYTHONPATH": modules, "OMP_NUM_THREADS": "1"}


def _collect(folder: Path, limits: Limits, process: subprocess.CompletedProcess) -> Contents:
    try:
        answer = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CheckpointError(_why_it_ended(limits, process)) from None
    if "error" in answer:
        raise CheckpointError(answer["error"])
    return Contents(load_file(folder / TENSORS), answer["facts"], answer["objection"])


def refusal(name: str, why: str) -> str:
    """The sentence for people: the name of the file, unless the reason has it already, and the reason."""
    if why.startswith("'"):
        return why
    return f"{quoted(name)} cannot be used: {why[0].lower()}{why[1:]}"


def _why_it_ended(limits: Limits, process: subprocess.CompletedProcess) -> str:
    message = process.stderr.decode("utf-8", "replace")
    if "Timeout" in message or process.returncode == -24:  # SIGXCPU
        return _too_slow(limits)
    if "MemoryError" in message or "bad_alloc" in message or process.returncode == -9:
        return _too_large()
    if "ModuleNotFoundError" in message:
        return f"the process that reads it did not start ({message.strip().splitlines()[-1][:100]}); install it again."
    if "OSError" in message:
        return _no_room("the system does not say why")
    return f"It made its reader stop (status {process.returncode}); it is damaged, fetch it again."


def _no_room(reason: str) -> str:
    return f"Its numbers cannot be written to the temporary folder: {reason}; correct that, or set TMPDIR to another."


def _too_slow(limits: Limits) -> str:
    return f"It takes longer to read than {limits.seconds:g} seconds, which a file of its size never should."


def _too_large() -> str:
    return "It needs far more memory than a file of its size should; it is damaged, or was made to do harm."
