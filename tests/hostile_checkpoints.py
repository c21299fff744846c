"""Bad .pt, .pth and .pkl files: damaged, hostile, or only wrong, made from small good ones."""

import argparse
import io
import pickle
import random
import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tests import hostile_pickles, wrapped
from tests.hostile import Job, damaged
from tests.reference import nvidia, nvidia_files, progan, rosinality


def good_checkpoints(folder: Path) -> dict[str, Path]:
    """One small good file of every foreign kind."""
    state = nvidia.random_state(8)
    g_ema, mean = nvidia.to_rosinality(state)
    names = ("zip.pt", "legacy.pt", "progan.pth", "ada.pkl", "tf.pkl", "strangers.pt", "whole.pt", "numpy.pkl")
    paths = {name: folder / name for name in (*names, "bare.safetensors", "packed.zip")}
    data = {"g_ema": g_ema, "latent_avg": mean, "args": argparse.Namespace(lr=0.1)}
    torch.save(data, paths["zip.pt"])
    torch.save(data, paths["legacy.pt"], _use_new_zipfile_serialization=False)
    torch.save(progan.random_state(8), paths["progan.pth"], _use_new_zipfile_serialization=False)
    nvidia.write_nvidia_pickle(paths["ada.pkl"], state, nvidia.init_kwargs(state))
    nvidia.write_tf_pickle(paths["tf.pkl"], state, nvidia.init_kwargs(state))
    wrapped.save_settings(paths["strangers.pt"], g_ema, mean)
    nvidia_files.torch_save_module(paths["whole.pt"], state, nvidia.init_kwargs(state))
    paths["numpy.pkl"].write_bytes(pickle.dumps({name: tensor.numpy() for name, tensor in g_ema.items()}, 4))
    save_file(g_ema, paths["bare.safetensors"])
    with zipfile.ZipFile(paths["packed.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(paths["legacy.pt"], "model/legacy.pt")
    return paths


def checkpoints(folder: Path, command: str) -> Iterator[Job]:
    folder.mkdir()
    rng = random.Random(0)
    good = good_checkpoints(folder)
    for name, path in good.items():
        for index, (label, data) in enumerate(damaged(path.read_bytes(), rng, flips=8, cuts=5)):
            bad = folder / f"{index}-{name}"
            bad.write_bytes(data)
            # A flipped bit may hit a number, and what follows a pickle or an archive is not looked at.
            yield Job("checkpoint", f"{name}: {label}", str(bad), opens=label.startswith(("bit", "twice", "first")))
    for label, path in hostile_pickles.write(folder, good["ada.pkl"].read_bytes(), command):
        yield Job("checkpoint", f"pickle: {label}", str(path))
    state = nvidia.random_state(8)
    for index, (label, change) in enumerate(arguments().items()):
        path = folder / f"arguments{index}.pkl"
        nvidia.write_nvidia_pickle(path, state, nvidia.init_kwargs(state) | change)
        yield Job("checkpoint", f"arguments: {label}", str(path))
        nvidia.write_tf_pickle(path.with_suffix(".tf.pkl"), state, nvidia.init_kwargs(state), **change)
        yield Job("checkpoint", f"arguments of TensorFlow: {label}", str(path.with_suffix(".tf.pkl")))
    for index, (label, data) in enumerate(states().items()):
        for ending, modern in (("pt", True), ("pth", False)):
            path = folder / f"state{index}.{ending}"
            torch.save(data, path, _use_new_zipfile_serialization=modern)
            opens = label in ("tables in tables", "strangers in a ring", "strangers in each other")
            yield Job("checkpoint", f"{ending}: {label}", str(path), opens)
    for label, write in archives(command).items():
        path = folder / f"{label.replace(' ', '-')}.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that occur twice
            write(path, good["zip.pt"])
        yield Job("checkpoint", f"archive: {label}", str(path))


def arguments() -> dict[str, dict[str, object]]:
    """What a generator may claim to have been told."""
    deep: list = []
    for _ in range(100):
        deep = [deep]
    return {
        "a huge number": {"resample_filter": 10**400, "resample_kernel": 10**400},
        "not a number": {"activation": float("nan"), "nonlinearity": float("nan")},
        "a list in lists": {"architecture": deep},
        "a table": {"architecture": {"skip": "skip"}},
        "bytes": {"architecture": b"skip"},
        "a long name": {"x" * 10_000: 1},
        "control characters": {"\x1b[2J\n\x00": "\x1b[2J\n\x00"},
        "a hundred of them": {f"a{i}": i for i in range(100)},
        "a clamp below nothing": {"conv_clamp": -1},
        "a clamp beyond everything": {"conv_clamp": float("inf")},
    }


def states() -> dict[str, object]:
    """What torch.save may hold that is no generator, or not quite one."""
    good = rosinality.random_state(8)
    ring: dict = {}
    ring["g_ema"] = ring
    changed = {
        "NaN": {"conv1.conv.weight": torch.full_like(good["conv1.conv.weight"], float("nan"))},
        "infinity": {"input.input": torch.full_like(good["input.input"], float("inf"))},
        "float64 beyond float32": {"input.input": good["input.input"].double() * 1e300},
        "whole numbers": {"input.input": torch.ones(1, 24, 4, 4, dtype=torch.int64)},
        "complex": {"input.input": torch.ones(1, 24, 4, 4, dtype=torch.complex64)},
        "true and false": {"input.input": torch.ones(1, 24, 4, 4, dtype=torch.bool)},
        "sparse": {"input.input": torch.ones(4, 4).to_sparse()},
        "expanded": {"input.input": torch.ones(1).expand(1, 24, 4, 4)},
        "a number": {"input.input": torch.tensor(1.0)},
        "a text": {"input.input": "weights"},
        "a list": {"input.input": [1.0, 2.0]},
        "no values": {"input.input": torch.ones(1, 0, 4, 4)},
        "wrong axes": {"input.input": torch.ones(24, 4, 4)},
        "wrong width": {"convs.1.conv.weight": torch.ones(1, 20, 24, 3, 3)},
        "wrong filter": {"convs.0.conv.blur.kernel": torch.ones(4, 4)},
        "a filter without taps": {"convs.0.conv.blur.kernel": torch.ones(0, 0)},
        "a filter that is NaN": {"convs.0.conv.blur.kernel": torch.full((4, 4), float("nan"))},
        "a filter of a thousand taps": {"convs.0.conv.blur.kernel": torch.ones(1000) / 1000},
        "a constant without a width": {"input.input": torch.ones(1, 24, 4, 0)},
        "a constant of a thousand positions": {"input.input": torch.ones(1, 24, 2, 500)},
        "a constant for other noise maps": {"input.input": torch.ones(1, 24, 4, 8)},
        "shortcuts around other blocks": {"shortcuts.1.weight": torch.ones(20, 24, 1, 1)},
        "a shortcut for no channels": {"shortcuts.0.weight": torch.ones(0, 24, 1, 1)},
        "classes without a number": {"label_concat.weight": torch.ones(20, 0)},
        "a path as a name": {"../../../etc/passwd": torch.ones(1)},
        "a long name": {"x" * 10_000: torch.ones(1)},
        "control characters": {"\x1b[2J\n\x00": torch.ones(1)},
        "half of the noise maps": {"noises.noise_0": None},
        "conditional": {"mapping.embed.weight": torch.ones(3, 3)},
        "latent_avg of another width": {"latent_avg": torch.ones(7)},
        "latent_avg of a layer each": {"latent_avg": torch.randn(4, 28)},
        "a hole in the mapping": {"style.2.weight": None, "style.3.weight": torch.ones(28, 28)},
        "a layer too many": {"convs.7.conv.weight": torch.ones(1)},
    }
    whole = {label: {k: v for k, v in (good | one).items() if v is not None} for label, one in changed.items()}
    return {label: {"g_ema": state} for label, state in whole.items()} | {
        "a tensor": torch.ones(3),
        "a list of tensors": [torch.ones(3)],
        "an empty table": {},
        "tables in tables": {"model": {"g_ema": good}},
        "itself": ring,
        "a discriminator": {"d": {"convs.0.0.weight": torch.ones(2, 3, 1, 1)}},
        "a discriminator's names": {"final_linear.0.weight": torch.ones(2, 2)},
        "StyleGAN1": {"generator.progression.0.conv1.weight": torch.ones(2)},
        "half a Progressive GAN of TensorFlow": {"4x4/Dense/weight": torch.ones(2, 32), "lod": torch.ones(3)},
        "half a StyleGAN1": {
            "synthesis.layer0.const": torch.ones(1, 2, 4, 4),
            "synthesis.output0.bias": torch.ones(3),
        },
        "half a StyleGAN1 of TensorFlow": {
            "synthesis/4x4/Const/StyleMod/weight": torch.ones(2),
            "synthesis/64x64/Conv1/weight": torch.ones(()),
            "synthesis/ToRGB_lod9/weight": torch.ones(1),
        },
        "half a StyleGAN3": {"synthesis.L0_36_512.weight": torch.ones(2), "synthesis.input.freqs": torch.ones(2)},
        "five thousand tensors": {f"t{i}": torch.ones(1) for i in range(5_000)},
        "numbers as names": {1: torch.ones(2), 2: torch.ones(2)},
        "two generators": {"first": good, "second": {**good}},
        "a thousand generators": {f"g{i}": {"input.input": torch.ones(1, 1, 4, 4)} for i in range(1000)},
        "strangers in a ring": {"g_ema": good, "opts": _strangers(ring=True)},
        "strangers in each other": {"g_ema": good, "opts": _strangers(ring=False)},
        "a stranger as a weight": {"g_ema": {**good, "conv1.conv.weight": argparse.Namespace(a=1)}},
        "arrays of texts": {name: np.array(["a", "b"]) for name in good},
        "arrays of whole numbers": {name: np.ones(3, np.int64) for name in good},
        "far too many sizes": {**good, **{f"to_rgbs.{i}.bias": torch.ones(1, 3, 1, 1) for i in range(40)}},
    }


def _strangers(ring: bool) -> argparse.Namespace:
    """Settings that hold themselves, or each other in ever more ways."""
    one = argparse.Namespace(a=1)
    if ring:
        one.again = {"one": [one]}
        return one
    for _ in range(25):
        one = argparse.Namespace(left=[one], right={"same": one}, both=(one, one))
    return one


def archives(command: str) -> dict[str, Callable[[Path, Path], None]]:
    """What a zip archive can do: each writes one to the first path, by a good one at the second."""

    def made(**records: bytes) -> Callable[[Path, Path], None]:
        def write(path: Path, _: Path) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in records.items():
                    archive.writestr(f"archive/{name.replace('__', '/')}", data)

        return write

    def pickled(count: int, shape: bytes, strides: bytes = b"K\x01\x85", *, key: str = "0") -> bytes:
        reference = b"(" + b"".join(
            (hostile_pickles.text("storage"), hostile_pickles.name("torch FloatStorage"))
            + (hostile_pickles.text(key), hostile_pickles.text("cpu"), hostile_pickles.integer(count), b"tQ")
        )
        return b"\x80\x02" + hostile_pickles.table(w=hostile_pickles.tensor(reference, shape, strides)) + b"."

    def deflated(path: Path, good: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(200_000_000))

    def pack(path: Path, name: str, data: bytes) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)

    def packed(path: Path, good: Path) -> None:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.write(good, "good.pt")
        pack(path, "again.pt", inner.getvalue())

    def wrong_checksum(path: Path, good: Path) -> None:
        data = bytearray(good.read_bytes())
        with zipfile.ZipFile(good) as archive:
            largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        data[largest.header_offset + 1000] ^= 1
        path.write_bytes(data)

    def twice(path: Path, good: Path) -> None:
        shutil.copy(good, path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(archive.namelist()[0], b"\x80\x02N.")

    def overlapping(path: Path, good: Path) -> None:
        """Ten thousand entries that all point to the same record."""
        record = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 5000, 5000, 16, 0) + b"archive/data.pkl"
        entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 5000, 5000, 15, 0, 0, 0, 0, 0, 0)
        entries = b"".join(entry + f"archive/{i:07d}".encode() for i in range(10_000))
        body = record + bytes(5000)
        end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 10_000, 10_000, len(entries), len(body), 0)
        path.write_bytes(body + entries + end)

    four, huge = struct.pack("<4f", 1, 2, 3, 4), hostile_pickles.integer(2**38)
    bomb = hostile_pickles.call("os system", hostile_pickles.text(command))
    return {
        "bomb": made(**{"data.pkl": b"\x80\x02" + bomb + b"."}),
        "bomb as a value": made(**{"data.pkl": b"\x80\x02" + hostile_pickles.table(g_ema=bomb) + b"."}),
        "storage larger than its record": made(**{"data.pkl": pickled(2**38, b"K\x04\x85"), "data__0": four}),
        "tensor larger than its storage": made(**{"data.pkl": pickled(4, huge + b"\x85"), "data__0": four}),
        "stride of nothing": made(**{"data.pkl": pickled(4, huge + b"\x85", b"K\x00\x85"), "data__0": four}),
        "negative storage": made(**{"data.pkl": pickled(-4, b"K\x04\x85"), "data__0": four}),
        "missing storage": made(**{"data.pkl": pickled(4, b"K\x04\x85")}),
        "path as a storage": made(**{"data.pkl": pickled(4, b"K\x04\x85", key="../../etc/passwd"), "data__0": four}),
        "no pickle": made(**{"data__0": four}),
        "pickle of nothing": made(**{"data.pkl": b""}),
        "compressed 200 MB": deflated,
        "names twice": twice,
        "ten thousand overlapping records": overlapping,
        "a zip in a zip": packed,
        "200 MB in a zip": lambda path, good: pack(path, "a.pt", bytes(200_000_000)),
        "a path in a zip": lambda path, good: pack(path, "../../../evil.pt", b"evil" * 100),
        "a bomb in a zip": lambda path, good: pack(path, "a.pkl", b"\x80\x02" + bomb + b"." + bytes(20)),
        "a wrong checksum": wrong_checksum,
        "a script": made(**{"code__main.py": b"import os", "constants.pkl": b"\x80\x02N."}),
    }
