"""Files to take home, and files brought along: requests, edits, sheets and walks."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rewriting.edit import CONFIG, FACTORS, REQUESTS, EditStack
from rewriting.request import Request
from rewriting.studio.pictures import save_walk, sheet
from rewriting.studio.session import Session
from rewriting.studio.workshop import PAIRS, Workshop

WALK_FRAMES, WALK_STOPS = 32, 4
MAX_ARCHIVE = 16 << 20
PARTS = (CONFIG, FACTORS, REQUESTS)


def file_name(session: Session, ending: str) -> Path:
    """A fresh file named after the rule."""
    title = session.rule.edit.name if session.rule else session.request.name
    stem = re.sub(r"[^a-z0-9]+", "-", (title or "rule").lower()).strip("-") or "rule"
    return Path(tempfile.mkdtemp(prefix="rewriting-")) / f"{stem[:60]}{ending}"


def save_request(session: Session) -> Path:
    """The request as JSON; `Request.load` and the studio open it again."""
    return session.request.with_(generator=session.generator).save(file_name(session, ".json"))


def save_edit(session: Session) -> Path:
    """All rules in force as an edit repo in a zip; unpacked, `EditStack.load` opens it."""
    path = file_name(session, ".zip")
    folder = session.stack.save(path.with_suffix(""))
    shutil.make_archive(str(folder), "zip", folder)
    return path


def save_sheet(workshop: Workshop, session: Session, seeds: list[int]) -> Path:
    """Pictures before and after, row by row, as PNG."""
    before = workshop.generator(session.generator).images(seeds)
    after = workshop.edited(session, seeds)
    rows = []
    for start in range(0, len(seeds), PAIRS // 2):
        rows += [list(before[start : start + PAIRS // 2]), list(after[start : start + PAIRS // 2])]
    path = file_name(session, ".png")
    sheet(rows).save(path)
    return path


def save_walk_file(
    workshop: Workshop, session: Session, seeds: list[int], progress: Callable[[float, str], None]
) -> Path:
    """A walk through the latent space, before beside after, as animated WebP."""
    generator, stops, frames = workshop.generator(session.generator), seeds[:WALK_STOPS], []
    for i in range(WALK_FRAMES):
        progress(i / WALK_FRAMES, "Walking")
        before, after = (generator.walk(stops, i / WALK_FRAMES, edits) for edits in ((), session.stack))
        frames.append(np.concatenate([before, after], 1))
    return save_walk(frames, file_name(session, ".webp"))


def open_file(path: str | Path, session: Session) -> Session:
    """Bring a request (.json, ours or a session of the paper's code) or an edit (.zip of an edit repo) into a session.

    Raises ValueError in one sentence; the session that came in is untouched.
    """
    path = Path(path)
    if path.suffix == ".json":
        return session.step("open request", request=_for(Request.load(path), session), editing=None)
    if path.suffix == ".zip":
        return open_edit(path, session)
    raise ValueError(f"{path.name} is neither a request (.json) nor an edit (.zip); those two can be opened here.")


def open_edit(path: Path, session: Session) -> Session:
    """The edits of a zipped edit repo, put in force after those that are."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(path, Path(folder))
        return adopt_all(EditStack.load(folder), session)


def adopt_all(stack: EditStack, session: Session) -> Session:
    """Put edits from elsewhere in force."""
    for edit in stack:
        if edit.generator and edit.generator != session.generator:
            raise ValueError(f"The edit was made for {edit.generator!r}; open that generator first.")
        session = session.start_new().adopt(edit, edit.request, "open edit")
    return session


def unpack(path: Path, folder: Path) -> None:
    """The files of an edit repo out of a zip, whatever else it holds, each of a bounded size."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in PARTS:
                entry = next((e for e in archive.infolist() if Path(e.filename).name == name), None)
                if entry is None:
                    continue
                if entry.file_size > MAX_ARCHIVE:
                    raise ValueError(
                        f"{name} in {path.name} is {entry.file_size:,} bytes; {MAX_ARCHIVE:,} is the most."
                    )
                with archive.open(entry) as file:
                    (folder / name).write_bytes(file.read(MAX_ARCHIVE + 1))
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{path.name} cannot be unpacked ({type(error).__name__}); save it again.") from None


def _for(request: Request, session: Session) -> Request:
    if request.generator and request.generator != session.generator:
        raise ValueError(f"The request was made for {request.generator!r}; open that generator first.")
    return request.with_(generator=session.generator)
