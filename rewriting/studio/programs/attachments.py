"""Files that programs upload and download.

Both lie in one folder of gradio's, under secret names, until gradio removes them.
"""

import base64
import binascii
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
import numpy as np
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder, is_in_or_equal

from rewriting.checks import refuse
from rewriting.core.archive import MAX_ARCHIVE, pack, unpacked
from rewriting.core.own_files import is_part, load_picture, save_pictures
from rewriting.generators.latents import picture_number
from rewriting.generators.own_picture import OwnPicture, Seed
from rewriting.hub.client import hosted
from rewriting.studio.encoding import webp

SERVED = "/gradio_api/file="  # in the address of a file that is offered to download
DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)


def names_a_file(value: Any, ending: str) -> bool:
    """Whether a value of a program means a file and not a name; `contents` reads it.  ending: of a path."""
    if isinstance(value, str):
        return bool(DATA_URL.match(value)) or SERVED in value or value.lower().endswith(ending)
    return isinstance(value, dict)


def contents(value: Any, name: str, most: int) -> bytes:
    """The bytes of a file from a program: a data URL, an uploaded file, or the address of a file that the studio made.

    A studio on the user's own machine also takes the path of a file; a hosted one never does.
    name: of the argument.  Raises ValueError in one sentence, also for more than `most` bytes.
    """
    if isinstance(value, str) and DATA_URL.match(value):
        encoded = value.partition(",")[2]
        _check_size(len(encoded) * 3 // 4, name, most)
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{name} is not a whole data URL; encode the file in base64 again.") from None
    path = _kept(value, name)
    _check_size(path.stat().st_size, name, most)
    return path.read_bytes()


def offered(path: Path) -> dict[str, Any]:
    """Offer a copy of a file for download."""
    return gr.FileData(path=save_file_to_cache(path, get_upload_folder()), orig_name=path.name).model_dump()


def picture(pixels: np.ndarray, name: str) -> dict[str, Any]:
    """Offer a picture, uint8 (H, W, 3), as a WebP file.  name: of the file, without its ending."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.webp"
        path.write_bytes(webp(pixels))
        return offered(path) | {"mime_type": "image/webp"}


def own_picture_file(own: OwnPicture) -> dict[str, Any]:
    """Offer a person's own picture as a file for `read_seed`."""
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder) / "parts"
        save_pictures([own], parts)
        return offered(pack(parts, Path(folder) / f"picture-{own}.zip"))


def read_seed(value: Any, name: str) -> Seed:
    """Read the number of a picture, or a person's own picture in a file of `own_picture_file`.

    name: of the argument.  Raises ValueError in one sentence.
    """
    if not names_a_file(value, ".zip"):
        return picture_number(value, name)
    data = contents(value, name, MAX_ARCHIVE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.zip"
        path.write_bytes(data)
        try:
            with unpacked(path, (), is_part) as folders:
                return load_picture(folders[0][1])
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"{name}: {error}") from None


def _check_size(size: int, name: str, most: int) -> None:
    if size > most:
        raise ValueError(f"{name} has {size:,} bytes; {most:,} is the most that is read.")


def _kept(value: Any, name: str) -> Path:
    """The path of a file in gradio's folder.  Raises ValueError for any other value."""
    text = value.get("path") if isinstance(value, dict) else value
    if isinstance(text, str) and text and "\0" not in text:
        path = Path(unquote(text.partition(SERVED)[2]) if SERVED in text else text)
        if (is_in_or_equal(path, get_upload_folder()) or not hosted()) and path.is_file():
            return path
    raise refuse(name, "a data URL, an uploaded file, or the address of a file that this studio made", value)
