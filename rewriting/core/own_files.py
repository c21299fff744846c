"""People's own pictures: read from any file, and saved beside the requests that name them.

A saved picture has two files, named by its digest: the picture as lossless WebP, and its features in safetensors.
Neither file is trusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from rewriting.checks import brief, is_number, is_whole
from rewriting.core.masks import BOMBS, MAX_SIDE
from rewriting.files import check_there, make_folder, opened_tensors, write_tensors, writing
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.own_picture import DIGEST, OwnPicture

Brought = str | Path | np.ndarray | Image.Image | OwnPicture
Box = tuple[int, int, int, int]

PREFIX = "own-"
IMAGE, FOUND = ".webp", ".safetensors"
FORMAT_VERSION = 1
GREY = 128  # of a generator's colours that are 0
MAX_FILE = 64 << 20  # bytes of a picture that is read
MAX_PIXELS = 128 << 20
MAX_FEATURES = 128 << 20  # bytes
TYPES = {"key": "F16", "rgb": "F16", "latent": "F32", "style": "F32", "later": "F32"}


# --- reading ---------------------------------------------------------------------------------------------------------


def squared(picture: Brought, side: int, frame: Box | None = None) -> np.ndarray:
    """The middle square of a picture, uint8 (side, side, 3), upright by its EXIF data, on white where transparent.

    frame: (top, left, bottom, right) in the square, where the middle of the picture lies instead, with grey around.
    picture: a file that Pillow reads, a Pillow picture, an inverted picture, or an array uint8 (H, W), (H, W, 3) or
    (H, W, 4).
    Raises ValueError or FileNotFoundError in one sentence.
    """
    if isinstance(picture, OwnPicture):
        picture = picture.image
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
            raise ValueError(f"The picture is {picture.dtype} {picture.shape}; give uint8 (H, W, 3).")
        if 0 in picture.shape:
            raise ValueError(f"The picture is {picture.shape[1]} x {picture.shape[0]} pixels; give one with pixels.")
        return _squared(Image.fromarray(picture), side, frame)
    if isinstance(picture, Image.Image):
        return _squared(picture, side, frame)
    path = Path(picture)
    check_there(path, MAX_FILE)
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _TooLarge
            opened.draft("RGB", (2 * side, 2 * side))  # decode a large JPEG at a reduced size
            return _squared(opened, side, frame)
    except (*BOMBS, _TooLarge):
        raise ValueError(f"{path.name} has too many pixels; save it smaller.") from None
    except Exception:  # Pillow's own errors, of many types
        raise ValueError(f"{path.name} is not a readable picture; save it as JPEG or PNG.") from None


class _TooLarge(Exception):
    pass


def _squared(picture: Image.Image, side: int, frame: Box | None) -> np.ndarray:
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I") or picture.mode == "F":  # of 16 bits, which Pillow would cut off
        grey = np.asarray(picture).astype(np.float64)
        picture = Image.fromarray((grey / max(float(grey.max()), 255) * 255).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
    picture = picture.convert("RGB")
    top, left, bottom, right = frame or (0, 0, side, side)
    square = np.full((side, side, 3), GREY, np.uint8)
    square[top:bottom, left:right] = ImageOps.fit(picture, (right - left, bottom - top), Image.Resampling.LANCZOS)
    return square


# --- saving ----------------------------------------------------------------------------------------------------------


def digest_in(name: str) -> str:
    """The digest in the name of a file of a saved picture; "" for any other name."""
    stem, dot, ending = name.rpartition(".")
    digest = stem.removeprefix(PREFIX)
    return digest if stem != digest and dot + ending in (IMAGE, FOUND) and DIGEST.fullmatch(digest) else ""


def is_part(name: str) -> bool:
    """Whether the name is that of a file of a saved picture."""
    return bool(digest_in(name))


def save_pictures(pictures: Iterable[OwnPicture], folder: str | Path) -> None:
    """Write the two files of each picture into a folder.  Raises OSError in one sentence."""
    folder = Path(folder)
    make_folder(folder)
    for picture in pictures:
        stem = folder / (PREFIX + picture.digest)
        with writing(stem.with_suffix(IMAGE)) as partial:
            Image.fromarray(picture.image).save(partial, "WEBP", lossless=True, quality=80)
        about = {"layer": picture.layer, "psnr": picture.psnr, "generator": picture.generator}
        metadata = {"format": "pt", "library": "rewriting", "own_picture": json.dumps({"version": 1} | about)}
        write_tensors(stem.with_suffix(FOUND), picture.tensors(), metadata)


def load_pictures(folder: str | Path, digests: Iterable[str] | None = None) -> list[OwnPicture]:
    """Read the pictures in a folder: all, or those of the digests that exist.

    Raises ValueError in one sentence for a damaged picture, or one with another digest than its name.
    """
    folder = Path(folder)
    if digests is None:
        names = sorted(path.name for path in folder.glob(f"{PREFIX}*{FOUND}")) if folder.is_dir() else []
        digests = [name.removeprefix(PREFIX).removesuffix(FOUND) for name in names if is_part(name)]
    stems = [(digest, folder / (PREFIX + digest)) for digest in digests]
    return [_read(stem, digest) for digest, stem in stems if stem.with_suffix(FOUND).is_file()]


def load_picture(folder: str | Path) -> OwnPicture:
    """Read the only picture in a folder.  Raises FileNotFoundError without one, and ValueError for several."""
    found = load_pictures(folder)
    if len(found) == 1:
        return found[0]
    name = Path(folder).name or "this folder"
    if not found:
        raise FileNotFoundError(f"There is no inverted picture in {name}; make one with `invert`.")
    raise ValueError(f"{name} holds {len(found)} inverted pictures; give a folder with one.")


def _read(stem: Path, digest: str) -> OwnPicture:
    path = stem.with_suffix(FOUND)
    damaged = f"{path.name[:20]}… is not a picture that was inverted"
    check_there(path, MAX_FEATURES)
    with opened_tensors(path) as file:
        about = _about((file.metadata() or {}).get("own_picture"), damaged)
        names = set(file.keys())
        if not {"latent", "key"} <= names <= TYPES.keys():
            raise ValueError(f"{damaged}: it lacks tensors; bring the picture again.")
        for name in sorted(names):
            part = file.get_slice(name)
            shape = part.get_shape()
            flat = len(shape) == (4 if TYPES[name] == "F16" else 2) and shape[0] == 1 and max(shape) <= 1 << 14
            if part.get_dtype() != TYPES[name] or not flat or 0 in shape:
                raise ValueError(f"{damaged}: its {name} is {part.get_dtype()} {brief(shape)}; bring it again.")
        tensors = {name: file.get_tensor(name) for name in names}
    found = _assembled(_image(stem.with_suffix(IMAGE), damaged), tensors, about)
    if found.digest != digest:
        raise ValueError(f"{damaged}: its digest differs from its name; bring the picture again.")
    return found


def _assembled(image: np.ndarray, tensors: dict[str, Any], about: dict[str, Any]) -> OwnPicture:
    at = LayerInput(tensors["key"], tensors.get("style"), tensors.get("later"), tensors.get("rgb"))
    return OwnPicture(image, about["generator"], about["layer"], tensors["latent"], at, about["psnr"])


def _about(text: object, damaged: str) -> dict[str, Any]:
    try:
        about = json.loads(text) if isinstance(text, str) and len(text) < 4096 else None
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise ValueError(f"{damaged}: it lacks its description; bring the picture again.")
    if not is_whole(about.get("version"), 1, FORMAT_VERSION):
        raise ValueError(f"{damaged}: its version is {brief(about.get('version'))}; expected {FORMAT_VERSION}.")
    if not is_number(about.get("psnr")):
        raise ValueError(f"{damaged}: its psnr is {brief(about.get('psnr'))}; bring the picture again.")
    return {name: about.get(name) for name in ("layer", "psnr", "generator")}


def _image(path: Path, damaged: str) -> np.ndarray:
    check_there(path, MAX_FILE)
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            if image.width != image.height or image.width > MAX_SIDE:
                raise ValueError
            return np.asarray(image.convert("RGB"))
    except Exception:  # Pillow's own errors, of many types
        raise ValueError(f"{damaged}: {path.name[:20]}… is not a whole picture; bring it again.") from None
