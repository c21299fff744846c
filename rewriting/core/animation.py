"""Looping animations from frames: WebP, GIF, or with ffmpeg MP4."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from rewriting.files import check_writable, make_folder, writing

MILLISECONDS = 80  # duration of a frame
VIDEO = ".mp4"
ENDINGS = (".webp", ".gif", VIDEO)
NO_FFMPEG = (
    "An .mp4 needs ffmpeg, which is missing; install it or the Python package imageio-ffmpeg, or write a .webp."
)


def ffmpeg() -> str | None:
    """The path of ffmpeg: on the PATH, or else in the package imageio-ffmpeg; None without both."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # an extra, `video`, of this software

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # RuntimeError: the package has no program for this machine
        return None


def endings() -> tuple[str, ...]:
    """The endings of the formats that this machine can write."""
    return ENDINGS if ffmpeg() else ENDINGS[:-1]


def check_animation(path: Path) -> None:
    """Check a path before frames are drawn: raise ValueError for another ending or for an MP4 without ffmpeg, and
    OSError if the path is not writable."""
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"{path.name} is not an animation file; give a name that ends in one of {', '.join(ENDINGS)}."
        )
    if path.suffix.lower() not in endings():
        raise ValueError(NO_FFMPEG)
    check_writable(path)


def save_animation(frames: Iterable[np.ndarray], path: Path, milliseconds: int = MILLISECONDS) -> Path:
    """Write frames, at least one, each uint8 (H, W, 3) of the same size, in the format of the path's ending.

    frames: may be an iterator that draws while this function writes.  milliseconds: duration of a frame.
    Raises ValueError as `check_animation` does, and OSError in one sentence, and then leaves no file.
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
    if ending == ".gif":  # 256 colours of its own for each frame; the first frame's would not suit the others
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
            pass  # the exit code tells the reason
        except BaseException:
            run.kill()
            raise
    if run.returncode:
        raise ValueError("ffmpeg ended with an error and wrote no whole .mp4; write a .webp instead.")
