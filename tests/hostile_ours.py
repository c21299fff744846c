"""Bad generator repos, edit repos, requests and masks: damaged, hostile, or only wrong, made from small good ones."""

import base64
import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rewriting.core.masks import PREFIX, encode_mask
from rewriting.core.own_files import save_pictures
from rewriting.generators import Generator
from rewriting.generators.own_picture import OwnPicture
from tests.hostile import Job, damaged

TWICE = "a name twice"  # with one meaning: safetensors takes the last, and so does its header's check


def generator_repos(folder: Path, repo: Path) -> Iterator[Job]:
    """Generator repos that are not, made from a good one."""
    rng = random.Random(1)
    config, weights = json.loads((repo / "config.json").read_text()), (repo / "model.safetensors").read_bytes()
    for index, (label, data) in enumerate(damaged(weights, rng, flips=10, cuts=5)):
        path = _repo(folder / f"w{index}", config, data, "model.safetensors")
        yield Job("generator", f"weights: {label}", path, opens=label.startswith("bit"))
    for index, (label, data) in enumerate(headers(weights)):
        path = _repo(folder / f"h{index}", config, data, "model.safetensors")
        yield Job("generator", f"header: {label}", path, opens=label == TWICE)
    for index, text in enumerate(json_texts(config)):
        path = _repo(folder / f"t{index}", text, weights, "model.safetensors")
        yield Job("generator", f"config: {text[:40]!r}", path)
    changes = [
        *[{"resolution": v} for v in (2**40, -8, 0, 8.5, "8", None, [8], True, 12, 10**400)],
        *[{"z_dim": v} for v in (2**31, 0, None, "20")],
        *[{"channels": v} for v in ({}, [], {"4": 2**40, "8": 1}, {"4": 24}, {"a": 1}, {"4": -1, "8": 20}, None)],
        *[{"architecture": v} for v in ("stylegan3", None, [], {"a": 1}, "__import__('os')")],
        *[{"truncation": v} for v in (float("nan"), float("inf"), "0.5", -1)],
        *[{"mapping_layers": v} for v in (10**9, -1, None)],
        *[{"classes": v} for v in (-1, True, 1e9, 10**400, "3", 2.5, None, [3], 3)],
        *[{"sampling": v} for v in ({}, [], "T", {"margin": 1e9}, {"unknown": 1})],
        *[
            {"architecture": "stylegan3", "channels": dict.fromkeys("012345", 4), "sampling": v}
            for v in (None, {}, {"margin": 64}, {"margin": 10**9}, {"first_cutoff": 0}, {"kernel_size": 2}, {"a": 1})
        ],
        {"format": "other"},
        {"format_version": 10**9},
        {"noise": "yes"},
        {"default_layer": 99},
    ]
    for index, change in enumerate(changes):
        path = _repo(folder / f"c{index}", config | change, weights, "model.safetensors")
        yield Job("generator", f"config: {str(change)[:60]}", path)


def edit_repos(folder: Path, repo: Path) -> Iterator[Job]:
    """Edit repos that are not, made from a good one."""
    rng = random.Random(2)
    config, factors = json.loads((repo / "config.json").read_text()), (repo / "edit.safetensors").read_bytes()
    for index, (label, data) in enumerate(damaged(factors, rng, flips=8, cuts=4)):
        path = _repo(folder / f"w{index}", config, data, "edit.safetensors")
        yield Job("edit", f"factors: {label}", path, opens=label.startswith("bit"))
    for index, (label, data) in enumerate(headers(factors)):
        path = _repo(folder / f"h{index}", config, data, "edit.safetensors")
        yield Job("edit", f"header: {label}", path, opens=label == TWICE)
    for index, text in enumerate(json_texts(config)):
        yield Job("edit", f"config: {text[:40]!r}", _repo(folder / f"t{index}", text, factors, "edit.safetensors"))
        path = _repo(folder / f"d{index}", config, factors, "edit.safetensors")
        (Path(path) / "edit.json").write_text(text, encoding="utf-8", errors="surrogateescape")
        yield Job("edit", f"details: {text[:40]!r}", path)
    first = config["edits"][0]
    changes = [
        *[{"factor": v} for v in ([2**40, 1, 3, 3], [-1, 1, 3, 3], [], None, "x", [1], [4, 1, 3.0, 3])],
        *[{"directions": v} for v in ([10**9, 10**9], [1], None, [[1], [2]])],
        *[{"layer": v} for v in ("8", None, [], 8.0)],
        *[{"strength": v} for v in (float("nan"), 1e9, "1", None, [])],
    ]
    for index, change in enumerate(changes):
        data = config | {"edits": [first | change]}
        yield Job("edit", f"edits: {change}", _repo(folder / f"c{index}", data, factors, "edit.safetensors"))
    for index, edits in enumerate(([], None, {}, [None], [first] * 33, [first, first])):
        data = config | {"edits": edits}
        yield Job("edit", f"edits: {str(edits)[:40]}", _repo(folder / f"e{index}", data, factors, "edit.safetensors"))


def headers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Safetensors files whose header lies."""
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    name = next(key for key in header if key != "__metadata__")

    def made(text: str | bytes) -> bytes:
        raw = text.encode() if isinstance(text, str) else text
        return struct.pack("<Q", len(raw)) + raw + body

    def changed(**change: object) -> bytes:
        return made(json.dumps(header | {name: header[name] | change}))

    yield "length of 2^63", struct.pack("<Q", 2**63) + data[8:]
    yield "length beyond the end", struct.pack("<Q", len(data) * 2) + data[8:]
    yield "not JSON", made(b"\xff" * 100)
    yield "nested JSON", made("[" * 100_000)
    yield "a list", made("[]")
    yield TWICE, made(json.dumps(header)[:-1] + f", {json.dumps(name)}: {json.dumps(header[name])}}}")
    yield "huge shape", changed(shape=[2**40, 2**40])
    yield "negative shape", changed(shape=[-1])
    yield "other shape", changed(shape=[1, *header[name]["shape"]])
    yield "huge offsets", changed(data_offsets=[0, 2**62])
    yield "backward offsets", changed(data_offsets=[8, 0])
    yield "whole numbers", changed(dtype="I32")
    yield "unknown type", changed(dtype="OBJECT")
    yield "a path as a name", made(json.dumps(header | {"../../evil": {**header[name]}}))
    nan = struct.pack("<f", float("nan"))
    begin, end = header[name]["data_offsets"]
    yield "NaN", data[: 8 + length] + body[:begin] + nan * ((end - begin) // 4) + body[end:]


def json_texts(good: dict) -> list[str]:
    """Texts that are no JSON, or not that JSON."""
    text = json.dumps(good)
    return [
        *("", "null", "[]", "3", '"text"', "{", "NaN", "[" * 100_000, '{"a":' * 100_000, "\udcff" * 9),
        *(text[: len(text) // 2], text + text, json.dumps(good | {"format": None}), "<!doctype html><html></html>"),
        '{"resolution": 1' + "0" * 5000 + "}",
    ]


def _repo(folder: Path, config: dict | str, weights: bytes, name: str) -> str:
    folder.mkdir(parents=True)
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    (folder / name).write_bytes(weights)
    return str(folder)


def zips(folder: Path, repo: Path) -> Iterator[Job]:
    """Zips that hold no rule, or not one that is right."""
    folder.mkdir()
    rng = random.Random(4)
    good = {path.name: path.read_bytes() for path in repo.iterdir()}

    def made(
        index: int, entries: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
    ) -> Path:
        path = folder / f"{index}.zip"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that occur twice
            with zipfile.ZipFile(path, "w", method) as archive:
                for name, data in entries:
                    archive.writestr(name, data)
        return path

    whole = made(0, list(good.items())).read_bytes()
    for index, (label, data) in enumerate(damaged(whole, rng, flips=25, cuts=15)):
        (folder / f"d{index}.zip").write_bytes(data)
        # A flipped bit may hit a date, and a zip is read from its end.
        yield Job("zip", label, str(folder / f"d{index}.zip"), opens=label.startswith(("bit", "twice")))
    link = zipfile.ZipInfo("config.json")
    link.external_attr = 0o120777 << 16
    spaces = b" " * (17 << 20)
    others = {
        "nothing inside": ([], zipfile.ZIP_DEFLATED),
        "a config alone": ([("config.json", good["config.json"])], zipfile.ZIP_DEFLATED),
        "one in each of two folders": (
            [("a/config.json", good["config.json"]), ("b/edit.safetensors", good["edit.safetensors"])],
            zipfile.ZIP_DEFLATED,
        ),
        "a config twice": ([*good.items(), ("config.json", b"{}")], zipfile.ZIP_DEFLATED),
        "a link instead of a config": (
            [(link, b"/etc/passwd"), ("edit.safetensors", good["edit.safetensors"])],
            zipfile.ZIP_DEFLATED,
        ),
        "17 MB of nothing": ([*((name, spaces) for name in good)], zipfile.ZIP_DEFLATED),
        "LZMA": (list(good.items()), zipfile.ZIP_LZMA),
        "BZIP2": (list(good.items()), zipfile.ZIP_BZIP2),
        "eleven thousand files": ([*good.items(), *((f"f{i}", b"") for i in range(11_000))], zipfile.ZIP_STORED),
        "forty rules": (
            [(f"{i}/{name}", data) for i in range(40) for name, data in good.items()],
            zipfile.ZIP_DEFLATED,
        ),
        "a path as a name": ([(f"../../../{name}", b"evil") for name in good], zipfile.ZIP_DEFLATED),
        "an endless name": ([(f"{'x' * 60_000}/{name}", b"evil") for name in good], zipfile.ZIP_DEFLATED),
        "control characters": ([(f"\x1b[2J\n/{name}", b"evil") for name in good], zipfile.ZIP_DEFLATED),
    }
    for index, (label, (entries, method)) in enumerate(others.items()):
        yield Job("zip", label, str(made(index + 1, entries, method)))


# --- requests and masks ----------------------------------------------------------------------------------------------


def requests(folder: Path) -> Iterator[Job]:
    """Request files that are not."""
    folder.mkdir()
    mask = np.zeros((32, 32), np.uint8)
    mask[4:9, 4:9] = 255
    place = {"seed": 1, "mask": encode_mask(mask)}
    good = {"format": "rewriting-request", "format_version": 1, "copy": place, "paste": place, "context": [place]}
    session = {"object": [1, place["mask"]], "paste": [2, place["mask"]], "key": [[3, place["mask"]]]}
    changes = [
        *[{"layer": v} for v in (10**400, -1, 8.5, "8", [8], True)],
        *[{"rank": v} for v in (0, 10**9, "1")],
        *[{"locality": v} for v in (float("nan"), -1, "0", 1e300)],
        *[{"truncation": v} for v in (float("inf"), "0.5", [])],
        *[{"seeding": v} for v in ("other", None, [], {"a": 1})],
        *[{"copy": v} for v in (3, "x", [], {}, {"seed": 1}, {"seed": "1", "mask": ""}, [1, 2, 3], {**place, "x": 1})],
        *[{"copy": {**place, "seed": v}} for v in (-1, 2**32, 1.5, None, True, 10**400)],
        *[{"context": v} for v in (3, "x", {}, [3], [place] * 65, [[]], [[[[]]]])],
        *[{"erase": v} for v in (1, "yes", [])],
        *[{"name": v} for v in (3, [], {})],
        {"__proto__": 1},
        {"x" * 100_000: 1},
        {"\u202e\x00": 1},
        {"format_version": 10**400},
    ]
    texts = [*json_texts(good), *(json.dumps(good | change) for change in changes)]
    texts += [json.dumps(good | {"format_version": 2, "retouched": change}) for change in _retouched()]
    texts.append(json.dumps(good | {"retouched": []}))  # of version 1
    transforms = [3, [], "x", {"x": 1}, {"scale": 1e999}, {"scale": True}, {"turn": 10**400}, {"mirror": "yes"}]
    texts += [json.dumps(good | {"format_version": 4, "transform": change}) for change in transforms]
    texts += [json.dumps(session | change) for change in ({"object": 3}, {"key": 3}, {"other": 1}, {"paste": [1]})]
    for index, text in enumerate(texts):
        path = folder / f"{index}.json"
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        yield Job("request", text[-60:], str(path))


def _retouched() -> Iterator[object]:
    """Lists of retouched pictures that are not."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 4), 255, np.uint8)).save(file, "PNG")
    patch = PREFIX + base64.b64encode(file.getvalue()).decode()
    good = {"seed": 1, "side": 32, "left": 4, "top": 4, "patch": patch, "how": {"kind": "file"}}
    yield from (3, "x", {}, [3], [[]], [good] * 17, [good, good], [good | {"x": 1}])
    for name, values in {
        "seed": (-1, 2**32, True, None),
        "side": (0, 10**9, 10**400, 32.5),
        "left": (-4, 30, 10**400),
        "top": (-4, 30, "4"),
        "how": (
            None,
            [],
            {"kind": "other"},
            {"kind": "bend", "moves": [[0, 0, 1e300, 0]]},
            {"kind": "paint", "x": "y" * 10**6},
        ),
    }.items():
        yield from ([good | {name: value}] for value in values)
    for data in (png(60000, 60000), png(8, 8), b"GIF89a" + bytes(100)):
        yield [good | {"patch": PREFIX + base64.b64encode(data).decode()}]
    whole = file.getvalue()
    for end in range(0, len(whole) - 20, 5):
        yield [good | {"patch": PREFIX + base64.b64encode(whole[:end]).decode()}]


def masks(folder: Path) -> Iterator[Job]:
    """Data URLs that are no mask."""
    folder.mkdir()
    file = io.BytesIO()
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(file, "PNG")
    good = file.getvalue()
    for index, (label, data) in enumerate(damaged(good, random.Random(3), flips=25, cuts=10)):
        whole = label.startswith(("bit", "cut", "twice", "first"))  # the last bytes of a PNG only say that it ends
        yield _mask(folder / f"d{index}", label, PREFIX + base64.b64encode(data).decode(), opens=whole)
    sizes = {
        "of 1 px": (1, 1),
        "16 x 8": (16, 8),
        "60000 px": (60000, 60000),
        "2^31 px": (2**31 - 1,) * 2,
        "0 px": (0, 0),
    }
    for label, size in sizes.items():
        yield _mask(folder / label, label, PREFIX + base64.b64encode(png(*size)).decode())
    text = base64.b64encode(good).decode()
    others = {
        "nothing": "",
        "a text": "mask",
        "no data": PREFIX,
        "no base64": PREFIX + "&&&&",
        "half a letter": PREFIX + text[:-3],
        "a JPEG": "data:image/jpeg;base64," + _jpeg(),
        "a GIF in a PNG's address": PREFIX + base64.b64encode(b"GIF89a" + bytes(100)).decode(),
        "an SVG": "data:image/svg+xml;base64," + base64.b64encode(b"<svg onload='alert(1)'/>").decode(),
        "a web address": "http://127.0.0.1/mask.png",
        "a file": "file:///etc/passwd",
        "four million letters": PREFIX + "A" * 4_000_001,
        "a compressed text of 50 MB": PREFIX + base64.b64encode(png(16, 16, extra=_text_bomb())).decode(),
        "too little data": PREFIX + base64.b64encode(png(2048, 2048)).decode(),
        "far too much data": PREFIX + base64.b64encode(png(16, 16, rows=bytes(100_000_000))).decode(),
    }
    for label, url in others.items():
        yield _mask(folder / label.replace(" ", "-"), label, url, opens=label.startswith(("a compressed", "far")))


def pictures(folder: Path) -> Iterator[Job]:
    """Files of pictures that are none."""
    folder.mkdir()
    rng = random.Random(5)
    picture = Image.effect_noise((24, 16), 50).convert("RGB")
    for ending in ("webp", "png", "jpeg"):
        file = io.BytesIO()
        picture.save(file, ending)
        for index, (label, data) in enumerate(damaged(file.getvalue(), rng, flips=8, cuts=4)):
            (folder / f"{index}.{ending}").write_bytes(data)
            opens = label.startswith(("bit", "cut", "twice", "first"))  # a decoder may make do with what there is
            yield Job("picture", f"{ending}: {label}", str(folder / f"{index}.{ending}"), opens=opens)
    for name, data in {
        "bomb": png(60_000, 60_000),
        "large": png(2**31 - 1, 2**31 - 1),
        "text": png(16, 16, extra=_text_bomb()),
        "gif": b"GIF89a" + bytes(100),
        "svg": b"<svg onload='alert(1)'/>",
    }.items():
        (folder / f"{name}.png").write_bytes(data)
        yield Job("picture", name, str(folder / f"{name}.png"), opens=name == "text")


def own_pictures(folder: Path, kept: Path) -> Iterator[Job]:
    """Pictures that somebody brought, kept beside a rule, that are not, made from a good one."""
    rng = random.Random(7)
    image, found = next(kept.glob("own-*.webp")), next(kept.glob("own-*.safetensors"))
    pixels, features = image.read_bytes(), found.read_bytes()

    def made(name: str, image_data: bytes | None, found_data: bytes, stem: str = image.stem) -> str:
        (folder / name).mkdir(parents=True)
        (folder / name / f"{stem}.safetensors").write_bytes(found_data)
        if image_data is not None:
            (folder / name / f"{stem}.webp").write_bytes(image_data)
        return str(folder / name)

    for index, (label, data) in enumerate(damaged(features, rng, flips=15, cuts=5)):
        yield Job("own", f"features: {label}", made(f"w{index}", pixels, data), opens=label.startswith("bit"))
    for index, (label, data) in enumerate(headers(features)):
        yield Job("own", f"header: {label}", made(f"h{index}", pixels, data), opens=label == TWICE)
    for index, (label, data) in enumerate(damaged(pixels, rng, flips=8, cuts=4)):
        opens = label.startswith(("bit", "twice"))  # what follows a whole picture is not read
        yield Job("own", f"picture: {label}", made(f"p{index}", data, features), opens=opens)
    others = {"no picture": None, "a PNG": png(32, 32), "too large": webp(16_383), "larger than kept": webp(4096)}
    for label, data in others.items():
        yield Job("own", label, made(label.replace(" ", "-"), data, features))
    yield Job("own", "another's name", made("name", pixels, features, f"own-{'0' * 64}"))


def kept_picture(generator: Generator, folder: Path) -> Path:
    """A picture that somebody brought, as it is kept in a folder."""
    with torch.no_grad():
        latent = generator.map(generator.latents([0]))
        at = generator.enter(latent, 3)
    side = generator.config.resolution
    save_pictures([OwnPicture(np.zeros((side, side, 3), np.uint8), generator.digest(), 3, latent, at, 20.0)], folder)
    return folder


def webp(side: int) -> bytes:
    """A square WebP of that size by its header, with hardly any data."""
    data = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(8)
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def png(width: int, height: int, *, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A grey PNG of that size by its header, with whatever rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND")
    )


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _text_bomb() -> bytes:
    return _chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(50_000_000)))


def _jpeg() -> str:
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


def _mask(path: Path, label: str, url: str, opens: bool = False) -> Job:
    path.write_text(url, encoding="utf-8")
    return Job("mask", label, str(path), opens)
