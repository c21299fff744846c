"""Every reader of files and texts of strangers, run over many of them in one limited process, and judged.

`python -m tests.hostile JOBS RESULTS SECONDS` is that process: it reads a JSON list of jobs and appends a line of JSON
before and after each, so that one that dies shows on which.  `run` starts it, and goes on behind a job that killed it.
"""

import faulthandler
import json
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

UNPACKING, TIDYING = {"zip"}, {"os.remove", "os.rmdir", "shutil.rmtree"}  # readers that remove what they unpacked
SECONDS = 10  # of processor time; six times that by the clock
MEMORY = 2 << 30
ROOT = Path(__file__).resolve().parents[1]
REFUSALS = ("ValueError", "CheckpointError", "FileNotFoundError", "HubError", "NoSuchFile")


@dataclass(frozen=True)
class Job:
    """One hostile file.  reader: a key of `READERS`.  path: the file, or the folder for the repos.
    opens: whether it may also be read without complaint, being harmless after all."""

    reader: str
    label: str
    path: str
    opens: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.  error: type of the exception, "" if there was none, "died" if the process did.
    ours: whether the exception was raised by our code on purpose.  peak: bytes of memory at most, so far.
    events: what the reader did that no reader may."""

    job: Job
    error: str
    message: str = ""
    ours: bool = True
    seconds: float = 0.0
    peak: int = 0
    events: tuple[str, ...] = ()

    @property
    def complaint(self) -> str:
        """What is wrong with it, or nothing."""
        if self.error == "died":
            return f"the process died: {self.message}"
        if self.events:
            return f"it did {', '.join(self.events)}"
        if self.seconds > SECONDS:
            return f"it took {self.seconds:.1f} s"
        if self.peak > MEMORY:
            return f"it took {self.peak >> 20} MB"
        if not self.error:
            return "" if self.job.opens else "it was read without complaint"
        if not self.ours or self.error not in REFUSALS:
            return f"it ended with {self.error}: {self.message}"
        return "" if is_one_sentence(self.message) else f"it is no clear sentence: {self.message!r}"


def is_one_sentence(message: str) -> bool:
    """Printable, of a length to be read, and ended."""
    return message.isprintable() and 20 <= len(message) <= 420 and message.endswith((".", "?", "..."))


def damaged(data: bytes, rng: random.Random, flips: int, cuts: int) -> Iterator[tuple[str, bytes]]:
    """A good file with flipped bits, cut short, grown, or overwritten."""
    for _ in range(flips):
        changed = bytearray(data)
        start = rng.choice([0, 0, rng.randrange(len(data))])  # headers matter more than numbers
        position = min(len(data) - 1, start + rng.randrange(400))
        changed[position] ^= 1 << rng.randrange(8)
        yield f"bit flipped in byte {position}", bytes(changed)
    for _ in range(cuts):
        length = rng.randrange(len(data))
        yield f"cut after {length} bytes", data[:length]
    yield "nothing", b""
    yield "zeros", bytes(len(data))
    yield "noise", rng.randbytes(5000)
    yield "first half zeros", bytes(len(data) // 2) + data[len(data) // 2 :]
    yield "twice", data + data


def run(jobs: list[Job], folder: Path, seconds: float = 3600) -> list[Outcome]:
    """Outcomes of all jobs, in order, or of the first ones if there is not time for more."""
    outcomes: list[Outcome] = []
    ends = time.monotonic() + seconds
    while len(outcomes) < len(jobs) and time.monotonic() < ends:
        left = jobs[len(outcomes) :]
        results = folder / "results.jsonl"
        results.unlink(missing_ok=True)
        (folder / "jobs.json").write_text(json.dumps([asdict(job) for job in left]))
        left_seconds = str(ends - time.monotonic())
        command = [sys.executable, "-m", "tests.hostile", str(folder / "jobs.json"), str(results), left_seconds]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        done = [line for line in lines if "error" in line]
        outcomes += [Outcome(job, **line) for job, line in zip(left, done, strict=False)]
        if len(done) < len(left) and process.returncode:
            message = (process.stderr.strip().splitlines() or ["without a word"])[-1]
            outcomes.append(Outcome(left[len(done)], "died", f"status {process.returncode}, {message[:200]}"))
    return outcomes


# --- the limited process ---------------------------------------------------------------------------------------------


def readers() -> dict:
    """Each reader as it is used, but for the process that production reads foreign files in: this is one already."""
    from rewriting import EditStack, Request
    from rewriting.checkpoints import conversion, reader
    from rewriting.core.masks import decode_mask
    from rewriting.core.own_files import load_picture
    from rewriting.files import read_picture
    from rewriting.generators import read_generator
    from rewriting.hub.names import parse

    conversion.read_contents = reader.extract
    return {
        "generator": read_generator,
        "edit": EditStack.load,
        "zip": EditStack.load,
        "picture": lambda path: read_picture(Path(path)),
        "request": Request.load,
        "mask": lambda path: decode_mask(Path(path).read_text(encoding="utf-8", errors="surrogateescape")),
        "checkpoint": lambda path: conversion.read_checkpoint(path).images([0]),
        "own": load_picture,
        "name": lambda path: parse(Path(path).read_text(encoding="utf-8", errors="surrogateescape")),
        "listing": _choose,
    }


def _choose(path: str) -> None:
    """Choose among the files that a repo lists; that there are several is an answer, too."""
    from rewriting.hub import SeveralFiles
    from rewriting.hub.choosing import choose

    try:
        choose(**json.loads(Path(path).read_text()), where="org/name", named=lambda path: f"org/name:{path}")
    except SeveralFiles as error:
        if not all(line.isprintable() for line in str(error).splitlines()) or len(str(error)) > 10_000:
            raise AssertionError("the list is not fit to be shown") from None


def main(jobs_path: str, results_path: str, seconds: str) -> None:
    import torch

    from rewriting.checkpoints.reader import Limits, apply_limits, forbid

    torch.set_num_threads(1)
    sys.dont_write_bytecode = True  # as production does, see `confine`
    tempfile.gettempdir()
    known, events = readers(), []
    _warm_up()
    apply_limits(Limits(seconds=3600, memory=MEMORY))
    sys.addaudithook(lambda event, _: events.append(event) if _is_forbidden(forbid, event) else None)
    with open(results_path, "a") as results:
        ends = time.monotonic() + float(seconds)
        for job in json.loads(Path(jobs_path).read_text()):
            if time.monotonic() > ends:
                break
            results.write(json.dumps({"begins": job["label"]}) + "\n")
            results.flush()
            faulthandler.dump_traceback_later(6 * SECONDS, exit=True)
            events.clear()
            started = time.process_time()  # not the clock: machines that test are busy
            outcome = _attempt(known[job["reader"]], job["path"])
            took = time.process_time() - started
            if job["reader"] in UNPACKING:
                events[:] = [event for event in events if event not in TIDYING]
            results.write(json.dumps({**outcome, "seconds": took, "peak": _peak(), "events": events}) + "\n")
            results.flush()


def _warm_up() -> None:
    """PyTorch imports much when a module is first built without memory; no file is to blame for that time."""
    import torch

    from rewriting.generators import GeneratorConfig, build

    with torch.device("meta"):
        build(GeneratorConfig("proggan", 8, 1, {4: 1, 8: 1}))


def _is_forbidden(forbid, event: str) -> bool:
    try:
        forbid(event, ())
    except ValueError:
        return True
    return False


def _attempt(read, path: str) -> dict:
    try:
        read(path)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        ours = f"{ROOT.name}/rewriting/" in Path(frame.filename).as_posix() and (frame.line or "").startswith("raise")
        return {"error": type(error).__name__, "message": str(error), "ours": ours}
    return {"error": "", "message": "", "ours": True}


def _peak() -> int:
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(*sys.argv[1:])
