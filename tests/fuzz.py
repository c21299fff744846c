"""Throw mutated files at every reader for a given time: `python -m tests.fuzz --seconds 60 [--reader edit]`.

Good files are flipped, cut, spliced with each other and with dangerous pickles, filled with extreme numbers, and read
in one limited process (`tests.hostile`).  A file after which something was run, crashed, hung, grew beyond 2 GB, or
that was refused by anything but one clear sentence of our own, is kept and named; the exit status is then 1.
"""

import argparse
import base64
import json
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rewriting.core.contact_sheet import save_picture
from rewriting.core.edit import EditStack, make_edit
from rewriting.core.masks import PREFIX, encode_mask
from rewriting.generators import GeneratorConfig, build
from tests import hostile, hostile_checkpoints, hostile_ours, hostile_pickles
from tests.hostile import Job, Outcome

BATCH = 400
READERS = ("checkpoint", "generator", "edit", "zip", "request", "mask", "picture", "own", "name")
EXTREMES = (
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x00\x00\xc0\x7f",
    struct.pack("<Q", 2**63),
    struct.pack("<I", 2**31),
    b"\x80\x04",
)


def good_files(folder: Path) -> dict[str, dict[str, Path]]:
    """{reader: {name: a good file, or the folder of a good repo}}"""
    (folder / "checkpoints").mkdir(parents=True)
    generator = build(GeneratorConfig("stylegan2", 8, 6, {4: 5, 8: 4}, 7, 2))
    edit = make_edit(3, torch.ones(4, 1, 3, 3), torch.eye(1, 5))
    mask = np.zeros((32, 32), np.uint8)
    mask[4:9, 4:9] = 255
    place = {"seed": 1, "mask": encode_mask(mask)}
    request = {"format": "rewriting-request", "format_version": 1, "copy": place, "paste": place, "context": [place]}
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "mask").write_bytes(base64.b64decode(place["mask"].removeprefix(PREFIX)))
    (folder / "name").write_text("org/name@feature/x:models/stylegan2-church-config-f.pkl")
    (folder / "address").write_text("https://huggingface.co/org/name/resolve/feature%2Fx/network%20snapshot.pkl?a=b#c")
    return {
        "checkpoint": hostile_checkpoints.good_checkpoints(folder / "checkpoints"),
        "generator": {"generator": generator.save(folder / "generator")},
        "edit": {"edit": EditStack([edit]).save(folder / "edit")},
        "zip": {"rules.zip": EditStack([edit, edit]).save_archive(folder / "rules.zip")},
        "picture": {"picture.webp": save_picture(Image.effect_noise((24, 16), 50), folder / "picture.webp")},
        "own": {"own": hostile_ours.kept_picture(generator, folder / "own")},
        "request": {"request": folder / "request.json"},
        "mask": {"mask": folder / "mask"},
        "name": {"name": folder / "name", "address": folder / "address"},
    }


def mutate(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One to four changes, most of them near the beginning, where headers are."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1) if rng.random() < 0.5 else rng.randrange(min(len(data), 300) + 1)
        data = rng.choice(CHANGES)(data, at, others, rng)
    return data


def _flip(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    return data[:at] + bytes(byte ^ 1 << rng.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]


def _overwrite(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    extreme = rng.choice(EXTREMES)
    return data[:at] + extreme + data[at + len(extreme) :]


def _cut(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    return data[:at] if rng.random() < 0.3 else data[:at] + data[at + rng.randrange(64) :]


def _repeat(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    return data[:at] + data[at : at + rng.randrange(64)] * rng.choice((2, 50)) + data[at:]


def _insert(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    bombs = list(hostile_pickles.bombs("false").values())
    return data[:at] + rng.choice([*EXTREMES, *bombs, rng.randbytes(8)]) + data[at:]


def _splice(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    other = rng.choice(others)
    return data[:at] + other[rng.randrange(len(other)) :]


def _number(data: bytes, at: int, others: list[bytes], rng: random.Random) -> bytes:
    """Where a digit follows, as in JSON, another number."""
    digits = [i for i in range(at, min(at + 300, len(data))) if 48 <= data[i] <= 57]
    number = rng.choice((b"-1", b"1e999", b"NaN", b"null", b"99999999999999999999", b'"x"', b"[]", b"{}", b"0.5"))
    return data[: digits[0]] + number + data[digits[0] + 1 :] if digits else data


CHANGES: tuple[Callable, ...] = (_flip, _flip, _overwrite, _cut, _repeat, _insert, _splice, _number)


def jobs(good: dict[str, dict[str, Path]], readers: list[str], folder: Path, rng: random.Random) -> Iterator[Job]:
    """Mutants without end, written under `folder`."""
    every = [file.read_bytes() for files in good.values() for path in files.values() for file in _parts(path)]
    for index in range(10**9):
        reader = rng.choice(readers)
        name, source = rng.choice(list(good[reader].items()))
        target = folder / f"{index}-{name}"
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        part = rng.choice(_parts(target))
        data = mutate(part.read_bytes(), every, rng)
        if reader == "mask":
            data = (PREFIX + base64.b64encode(data).decode()).encode()
        part.write_bytes(data)
        yield Job(reader, f"{index}-{name}", str(target), opens=True)


def _parts(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.is_dir() else [path]


def fuzz(seconds: float, readers: list[str], seed: int, keep: Path, most: int = 10**9) -> tuple[int, list[Outcome]]:
    """How many files were read, until time is up or there were `most`, and the outcomes that give reason to complain,
    whose files are copied to `keep`."""
    rng, ends, count, bad = random.Random(seed), time.monotonic() + seconds, 0, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        good = good_files(folder / "good")
        stream = jobs(good, readers, folder, rng)
        while time.monotonic() < ends and count < most:
            batch = [next(stream) for _ in range(min(BATCH, most - count))]
            outcomes = hostile.run(batch, folder, max(5.0, ends - time.monotonic()))
            count += len(outcomes)
            for outcome in outcomes:
                path = Path(outcome.job.path)
                if outcome.complaint:
                    bad.append(outcome)
                    keep.mkdir(parents=True, exist_ok=True)
                    (shutil.copytree if path.is_dir() else shutil.copy)(path, keep / path.name)
            for job in batch:
                path = Path(job.path)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return count, bad


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--reader", action="append", choices=READERS)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("out") / "fuzz", help="where files that fail are kept")
    options = parser.parse_args()
    readers = options.reader or ["checkpoint", *READERS]
    count, bad = fuzz(options.seconds, readers, options.seed, options.keep)
    for outcome in bad:
        sys.stdout.write(f"{outcome.job.reader} {options.keep / Path(outcome.job.path).name}: {outcome.complaint}\n")
    sys.stdout.write(f"{count} files read with seed {options.seed}, {len(bad)} complaints\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
