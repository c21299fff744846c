"""Bad names of generators, and repos whose lists of files are made to confuse whoever chooses one."""

import json
from collections.abc import Iterator
from pathlib import Path

from tests.hostile import Job

TEXTS = {
    "nothing": "",
    "spaces": " \t\u00a0\u200b ",
    "a NUL": "org/name\x00.pt",
    "an escape": "org/\x1b[31mname",
    "a right-to-left mark": "org/\u202ename",
    "half of a letter": "org/\udcffname",
    "two lines": "org/name\nexport TOKEN=x",
    "a million letters": "a" * 1_000_000,
    "a thousand ats": "org/name" + "@" * 900,
    "a thousand per cent": "hf.co/org/name/tree/" + "%" * 900,
    "up in a repo": "org/../../etc/passwd",
    "up in a revision": "org/name@../../../refs/heads/main",
    "up in a path": "org/name:../../../etc/passwd",
    "up, encoded": "https://huggingface.co/org/name/resolve/main/%2e%2e/%2e%2e/etc/passwd",
    "up, encoded twice": "https://huggingface.co/org/name/resolve/%2e%2e%2f%2e%2e/x.pt",
    "an absolute path in a repo": "org/name:/etc/passwd",
    "a backslash in a repo": "https://huggingface.co/org/name/resolve/main/..%5C..%5Cx.pt",
    "a share": "\\\\server\\share\\x.pt",
    "another user's home": "~root/nothing/x.pt",
    "a device": "/dev/nothing/stdin",
    "a command": "$(touch /tmp/x).pt",
    "another command": "; rm -rf ~ #.pkl",
    "a format": "{0.__class__}%s%n.pt",
    "a script": "javascript:alert(document.cookie)",
    "an element": "<img src=x onerror=alert(1)>",
    "a data address": "data:application/octet-stream;base64,gASV",
    "a local address": "file:///etc/passwd",
    "a gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "a bracket": "https://[::1/x.pt",
    "no host": "https:///org/name",
    "no host, no path": "https://",
    "a port of letters": "https://huggingface.co:abc/org/name",
    "a huge port": "https://huggingface.co:99999999/org/name",
    "the Hub alone": "https://huggingface.co/",
    "a person": "https://huggingface.co/org",
    "a dataset": "https://huggingface.co/datasets/org/name",
    "a Space": "spaces/org/name",
    "an id of dashes": "--/--",
    "a long id": "a" * 97 + "/" + "b" * 97,
    "another alphabet": "оrg/nаme",
    "wide letters": "ｏｒｇ/ｎａｍｅ",
    "no revision": "org/name@",
    "no name": "org/",
    "no person": "/name",
    "a mount": "hf://org/name:/mnt:rw",
    "only a client's scheme": "hf://",
    "an empty part": "hf://org//name",
}
HARMLESS = {  # folders that are there, and names like any other, as far as one can tell without asking
    "a thousand slashes": "/" * 900,
    "a thousand parts": "a/" * 490 + "a",
    "a thousand colons": "org/name" + ":" * 900,
    "up": "../" * 100 + "etc/passwd",
    "an id of dots": "../..",
    "somebody before the host": "https://huggingface.co@127.0.0.1/org/name",
    "a host that begins alike": "https://huggingface.co.example.org/org/name",
    "the metadata of a cloud": "http://169.254.169.254/latest/meta-data/x.pt",
    "a query": "https://huggingface.co/org/name?next=https://example.org/x.pt#/../..",
    "a secret before the host": "https://user:hf_secret@huggingface.co/org/name",
    "many revisions": "https://huggingface.co/org/name/tree/" + "a/" * 90 + "x.pt",
    "a command in a path": "org/name:$(touch x).pkl",
    "an element in a path": "org/name:<script>alert(1)</script>.pkl",
}
GOOD = 120_000_000


def names(folder: Path) -> Iterator[Job]:
    """Texts that people, pages or files may hand over as a name."""
    folder.mkdir()
    for label, text in (TEXTS | HARMLESS).items():
        path = folder / label.replace(" ", "-").replace("'", "")
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        yield Job("name", f"name: {label}", str(path), opens=label in HARMLESS)


def listings(folder: Path) -> Iterator[Job]:
    """What a repo may say that it holds, and what somebody asks for in it."""
    folder.mkdir()
    many = {f"{n}.pkl": GOOD for n in range(10_000)}
    cases = {
        "nothing": ({}, ""),
        "nothing of that name": ({"a.pkl": GOOD}, "b.pkl"),
        "nothing in that folder": ({"a/x.pkl": GOOD}, "b"),
        "only words": ({"README.md": 1, "model.h5": GOOD}, ""),
        "only huge files": ({"a.pkl": 27 * GOOD**2, "b.pt": 1 << 62}, ""),
        "a huge file by name": ({"a.pkl": 1 << 62}, "a.pkl"),
        "only other networks": ({"optimizer.pt": GOOD, "netD.pth": GOOD, "vgg16.pkl": GOOD, "e4e.pt": GOOD}, ""),
        "only parts": ({f"pytorch_model-{n:05}-of-00099.bin": GOOD for n in range(99)}, ""),
        "only our other files": ({"second_moments.safetensors": GOOD, "edit.safetensors": GOOD}, ""),
        "a name of 100,000 letters": ({"README.md": 1}, "a" * 100_000),
        "a name with an escape": ({"README.md": 1}, "\x1b[31m.pkl"),
        "a thousand folders": ({"/".join("a" * 1000): 1}, ""),
        "ten thousand words": ({f"{n}.md": 1 for n in range(10_000)}, ""),
        "ten thousand digits": ({f"{'9' * 9000}.md": 1}, ""),
        "ten thousand generators": (many, ""),
        "ten thousand generators, one named": (many, "77.pkl"),
        "a number of 10,000 digits": ({f"{'9' * 10_000}.pkl": GOOD, "1.pkl": GOOD}, ""),
        "digits of other alphabets": ({"²³.pkl": GOOD, "٣.pkl": GOOD}, ""),
        "names with escapes": ({"\x1b[31m.pkl": GOOD, "\u202e.pkl": GOOD}, ""),
        "a repetitive name": ({"a" * 50_000 + "inception" * 5_000 + ".pkl": GOOD}, ""),
    }
    for label, (files, wanted) in cases.items():
        path = folder / label.replace(" ", "-").replace(",", "")
        path.write_text(json.dumps({"sizes": files, "path": wanted}))
        yield Job("listing", f"listing: {label}", str(path), opens=any(size == GOOD for size in files.values()))
