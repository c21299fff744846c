"""Animations: the frames come back from a WebP and a GIF; an MP4 is what ffmpeg makes of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rewriting import Edit, Rewriter, cli, load_generator
from rewriting.core import animation
from rewriting.core.animation import NO_FFMPEG, endings, save_animation
from tests import tiny

FFMPEG = f"""#!{sys.executable}
import sys
pixels, out = sys.stdin.buffer.read(), sys.argv[-1]
if "20x16" not in sys.argv:
    sys.exit(1)
open(out, "wb").write(pixels)
"""


def frames(count: int = 5, height: int = 16, width: int = 20) -> list[np.ndarray]:
    """A bright bar that moves down on a ground of another colour in each frame."""
    made = [np.full((height, width, 3), (40 * i, 60, 200 - 40 * i), np.uint8) for i in range(count)]
    for i, frame in enumerate(made):
        frame[3 * i : 3 * i + 3] = 255
    return made


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the name ffmpeg that keeps the pixels it is given, of frames of 20 x 16."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text(FFMPEG)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.fixture
def without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)


@pytest.mark.parametrize("ending", [".webp", ".gif"])
def test_frames_come_back_and_loop(tmp_path: Path, ending: str) -> None:
    given = frames()
    with Image.open(save_animation(iter(given), tmp_path / f"a{ending}", 120)) as moving:
        assert moving.n_frames == len(given) and moving.info["loop"] == 0
        for i, frame in enumerate(given):
            moving.seek(i)
            moving.load()
            assert moving.info["duration"] == 120
            error = np.abs(np.asarray(moving.convert("RGB")).astype(int) - frame)
            assert error.mean() < 12  # of 255: WebP's loss on hard edges is 5 to 9; the next frame differs by 50


def test_a_video_gets_every_pixel_of_every_frame(tmp_path: Path, stand_in: None) -> None:
    given = frames()
    path = save_animation(iter(given), tmp_path / "a.mp4")
    assert path.read_bytes() == b"".join(frame.tobytes() for frame in given)
    assert ".mp4" in endings()


def test_a_video_that_fails_leaves_nothing(tmp_path: Path, stand_in: None) -> None:
    with pytest.raises(ValueError, match="ffmpeg ended with an error"):
        save_animation(frames(width=24), tmp_path / "a.mp4")
    assert not list(tmp_path.glob("a*"))


def test_an_error_while_frames_are_drawn_ends_the_video(tmp_path: Path, stand_in: None) -> None:
    def drawn():
        yield from frames(2)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        save_animation(drawn(), tmp_path / "a.mp4")
    assert not list(tmp_path.glob("a*"))


def test_without_ffmpeg_a_video_is_refused_before_anything_is_drawn(tmp_path: Path, without_ffmpeg: None) -> None:
    def drawn():
        pytest.fail("a frame was drawn")
        yield

    with pytest.raises(ValueError) as error:
        save_animation(drawn(), tmp_path / "a.mp4")
    assert str(error.value) == NO_FFMPEG and ".mp4" not in endings()


@pytest.mark.parametrize("name", ["walk", "walk.png", "walk.avi"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not an animation file"):
        animation.check_animation(tmp_path / name)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator folder, `tiny`, and an edit folder for it, `rule`."""
    home = tmp_path_factory.mktemp("made")
    tiny.generator(name="tiny").save(home / "tiny")
    edit = Rewriter(load_generator(home / "tiny"), 6).solve(tiny.request(generator="tiny"), rank=2, locality=1.0)
    edit.save(home / "rule")
    return home


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_walk_passes_through_the_pictures_before_beside_after(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.gif"
    words = ["walk", "--generator", str(made / "tiny"), "--edit", str(made / "rule"), "--strength", "3"]
    assert cli.main([*words, "--seeds", "3,5", "--frames", "2", "--out", str(out)]) == 0
    generator = load_generator(made / "tiny")
    before = generator.images([3, 5])
    after = generator.images([3, 5], edits=[Edit.load(made / "rule").with_(strength=3)])
    with Image.open(out) as moving:
        assert moving.n_frames == 4 and moving.size == (64, 32)
        for i, frame in ((0, 0), (1, 2)):  # frames 1 and 3 lie between the pictures
            moving.seek(frame)
            shown = np.asarray(moving.convert("RGB"))
            for drawn, expected, other in ((shown[:, :32], before, after), (shown[:, 32:], after, before)):
                assert difference(drawn, expected[i]) < difference(drawn, other[i])
                assert difference(drawn, expected[i]) < difference(drawn, expected[1 - i]) / 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frames", "0"], "--frames 0"),
        (["--frames", "9000"], "36,000 frames"),
        (["--milliseconds", "0"], "--milliseconds is 0"),
        (["--size", "7"], "size 7"),
        (["--out", "walk.png"], "walk.png is not an animation file"),
    ],
)
def test_a_walk_that_nobody_could_draw_is_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    command = ["walk", "--generator", str(made / "tiny"), "--out", str(tmp_path / "walk.webp"), *words]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert said in error and tiny.is_one_sentence(error.removeprefix("error: ").strip())
    assert not list(tmp_path.iterdir())
