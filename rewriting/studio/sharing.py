"""Saving and opening files: requests, edits, sheets and walks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from rewriting.core.animation import save_animation
from rewriting.core.archive import holds, pack, unpacked
from rewriting.core.contact_sheet import save_picture, sheet, sheet_settings
from rewriting.core.edit import MAX_EDITS, EditStack
from rewriting.core.own_files import is_part
from rewriting.core.request import Region, Request
from rewriting.generators import bundled
from rewriting.generators.own_picture import MissingPicture, OwnPicture, check_there
from rewriting.studio.generator_keys import label, public_name, same
from rewriting.studio.service import PAIRS, SIDE, Service
from rewriting.studio.session import Session

REQUEST = "request.json"
WALK_FRAMES, WALK_STOPS = 32, 4


def file_name(session: Session, folder: Path, ending: str) -> Path:
    """The path of a file that is named after the rule."""
    title = session.rule.edit.name if session.rule else session.request.name
    stem = re.sub(r"[^a-z0-9]+", "-", (title or "rule").lower()).strip("-") or "rule"
    return folder / f"{stem[:60]}{ending}"


def save_request(session: Session, folder: Path) -> Path:
    """Save the request as JSON, which `Request.load` and the studio open; with pictures of the visitor's own, save a
    zip of the request and the pictures."""
    request = session.request.with_(generator=public_name(session.generator))
    if not request.own_pictures():
        return request.save(file_name(session, folder, ".json"))
    with TemporaryDirectory() as parts:
        request.save(Path(parts, REQUEST))
        return pack(Path(parts), file_name(session, folder, "-request.zip"))


def save_edit(session: Session, folder: Path) -> Path:
    """Save all rules in force as an edit repo in a zip, which `EditStack.load` opens."""
    return session.whole_stack.save_archive(file_name(session, folder, ".zip"))


def save_sheet(
    service: Service, session: Session, folder: Path, seeds: list[int], own: Sequence[OwnPicture] = ()
) -> Path:
    """Save pictures before and after, row by row, as PNG; its metadata holds the settings of the drawing.

    own: pictures that the visitor brought, which come first.
    """
    rows, across = [], PAIRS // 2
    for some in (own, seeds):
        for start in range(0, len(some), across):
            row = list(some[start : start + across])
            rows += [service.plain(session, row), service.edited(session, row)]
    generator = service.generator(session.generator)
    shown, how = [*own, *seeds], session.numbering
    settings = sheet_settings(generator, len(rows[0][0]), how.truncation, shown, session.stack, how.label)
    return save_picture(
        sheet([generator.config.framed(row) for row in rows]), file_name(session, folder, ".png"), settings=settings
    )


def walk_frames(service: Service, session: Session, seeds: list[int]) -> Iterator[np.ndarray]:
    """The frames of a walk through the latent space: before beside after, uint8 (H, 2 W, 3)."""
    generator, stops = service.generator(session.generator), seeds[:WALK_STOPS]
    for i in range(WALK_FRAMES):
        at, how = i / WALK_FRAMES, session.numbering._asdict()
        before, after = (generator.interpolate(stops, at, edits, **how) for edits in ((), session.stack))
        yield np.concatenate([generator.config.framed(before), generator.config.framed(after)], 1)


def save_walk(session: Session, folder: Path, frames: list[np.ndarray], ending: str = ".webp") -> Path:
    """Save the frames of a walk as an animation.  ending: one of `animation.endings()`."""
    return save_animation(frames, file_name(session, folder, ending))


def read_file(path: str | Path) -> Request | EditStack:
    """Read a request (.json, ours or a session of the paper's code) or rules (.zip of edit repos).

    Raises ValueError in one sentence.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return Request.load(path)
    if path.suffix.lower() == ".zip":
        return _request_in(path) or EditStack.load(path)
    raise ValueError(f"{path.name} is neither a request (.json) nor rules (.zip); open one of those two.")


def _request_in(path: Path) -> Request | None:
    """The request in a zip that `save_request` made; None if the zip holds none."""
    if not holds(path, REQUEST):
        return None
    with unpacked(path, (REQUEST,), is_part) as folders:
        return Request.load(folders[0][1] / REQUEST)


def claim(content: Request | EditStack, session: Session) -> str:
    """A name for the claim that the pictures of a saved session of the paper's code are this generator's.

    Such a file does not name its generator, so the visitor has to confirm the claim.  "" for any other file."""
    if isinstance(content, EditStack) or not content.is_session:
        return ""
    text = json.dumps(content.to_json(), sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()} {session.generator}"


def whose_pictures(session: Session) -> str:
    """The question whether a saved session was made with this generator, in one sentence."""
    return (
        f"This saved session does not name its generator; open the file again to use it with "
        f"{label(session.generator)}, or choose its generator first."
    )


def bring_in(content: Request | EditStack, session: Session, service: Service) -> Session:
    """Add a request or rules from `read_file` to a session; a file for another bundled generator opens that generator.

    Raises ValueError in one sentence; the given session does not change.
    """
    if isinstance(content, EditStack):
        return adopt_all(content, session, service)
    for digest in content.missing_pictures():
        check_there(MissingPicture(digest))
    opened = _opened(session, content.generator, service)
    request = _fitted(content, opened.generator, service)
    return opened.step("open request", request=request, editing=None).as_one_step(session)


def adopt_all(stack: EditStack, session: Session, service: Service) -> Session:
    """Put the edits of a file in force, after the rules that are in force already."""
    before = session
    if not stack[0].base or stack[0].base != service.generator(session.generator).digest():
        session = _opened(session, stack[0].generator, service)
    generator = service.generator(session.generator)
    if len(session.rules) + len(stack) > MAX_EDITS:
        raise ValueError(
            f"{len(session.rules)} rules are in force and the file has {len(stack)}, together more than {MAX_EDITS}; "
            "delete some first."
        )
    for edit in stack:
        edit.check_fits(generator)
        if edit.request is not None:
            edit = edit.with_(request=_fitted(edit.request, session.generator, service))
        shown = edit.request if edit.request is not None and not edit.request.missing_pictures() else None
        request = shown or Request(generator=public_name(session.generator), label=session.numbering.label)
        session = session.adopt(edit, request, "open rules", new=True)
    return session.as_one_step(before)


def _opened(session: Session, generator: str, service: Service) -> Session:
    if not generator or same(generator, session.generator):
        return session
    if generator not in bundled():
        raise ValueError(f"The file was made for the generator {generator[:80]!r}; open that one first.")
    service.generator(generator)
    return session.open(generator)


def _fitted(request: Request, generator: str, service: Service) -> Request:
    """The request with masks of the canvases' size; ValueError if its layer, class or pictures do not fit the
    generator."""
    if request.layer is not None:
        service.generator(generator).check_layer(request.layer)
    service.generator(generator).check_label(request.label)
    for own in request.own_pictures():
        service.generator(generator).enter_own(own, own.layer)  # refuses a picture of another generator
    return request.with_(
        generator=public_name(generator),
        copy=_sized(request.copy) if request.copy else None,
        paste=_sized(request.paste) if request.paste else None,
        context=tuple(map(_sized, request.context)),
        preserve=tuple(map(_sized, request.preserve)),
    )


def _sized(region: Region) -> Region:
    mask = Image.fromarray(region.mask).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return Region(region.seed, np.asarray(mask))
