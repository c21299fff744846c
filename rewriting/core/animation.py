"""Frames to an animation that loops: WebP, GIF, or MP4 where there is an ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting.files import check_writable, make_folder, writing

MILLISECONDS = 80  # from one frame to the next
VIDEO = ".mp4"
ENDINGS = (".webp", ".gif", VIDEO)
NO_FFMPEG = (
    "An .mp4 needs ffmpeg, which is not here; install it or the Python package imageio-ffmpeg, or write a .webp."
)


def ffmpeg() -> str | None:
    """The program that writes MP4: the one on the path, else that of the package imageio-ffmpeg; None without both."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # an extra, `video`, of this software

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # the second, if that package brought none for this machine
        return None


def endings() -> tuple[str, ...]:
    """Those of `ENDINGS` that can be written on this machine."""
    return ENDINGS if ffmpeg() else ENDINGS[:-1]


def check_animation(path: Path) -> None:
    """Raises ValueError, before anything is drawn, for a name that is no animation's, and for an MP4 where there is no
    ffmpeg; OSError if nothing can be written there."""
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"{path.name} is not an animation file; give a name that ends in one of {', '.join(ENDINGS)}."
        )
    if path.suffix.lower() not in endings():
        raise ValueError(NO_FFMPEG)
    check_writable(path)


def save_animation(frames: Iterable[np.ndarray], path: Path, milliseconds: int = MILLISECONDS) -> Path:
    """Write frames, each uint8 (H, W, 3) of one size, at least one, in the format of the path's ending.

    They may be drawn while they are written.  Raises ValueError as `check_animation`, and OSError in one sentence;
    then nothing is left behind.
    """
    check_animation(path)
    make_folder(path.parent)
    with writing(path) as partial:
        if path.suffix.lower() == VIDEO:
            _write_video(iter(frames), partial, milliseconds)
        else:
            _write_pictures(map(Image.fromarray, frames), partial, path.suffix.lower(), milliseconds)
    return path


def _write_pictures(frames: Iterator[Image.Image], path: Path, ending: str, milliseconds: int) -> None:
    if ending == ".gif":  # of each frame its own 256 colours: those of the first do not suit the others
        frames = (
            frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames
        )
    options = {"quality": 82, "method": 2} if ending == ".webp" else {"disposal": 1}
    first = next(frames)
    first.save(
        path, ending[1:], save_all=True, append_images=frames, duration=milliseconds, loop=0, **options
    )  # loop 0: for ever


def _write_video(frames: Iterator[np.ndarray], path: Path, milliseconds: int) -> None:
    first = next(frames)
    height, width = first.shape[:2]
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{1000 / milliseconds}"]
    target = ["-f", "mp4", "-pix_fmt", "yuv420p", "-b:v", "8M", "-movflags", "+faststart", "-y", str(path)]
    command = [ffmpeg(), "-loglevel", "error", *source, "-i", "-", "-an", *target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            for frame in chain([first], frames):
                run.stdin.write(np.ascontiguousarray(frame))
            run.stdin.close()
        except BrokenPipeError:
            pass  # it has ended: its exit code says how
        except BaseException:
            run.kill()
            raise
    if run.returncode:
        raise ValueError("ffmpeg ended with an error and wrote no whole .mp4; write a .webp instead.")
