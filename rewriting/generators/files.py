"""Generator repos on disk: config.json, model.safetensors, second_moments.safetensors, README.md.

Everything in a file is checked before a tensor of it is used, since it may come from anybody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rewriting.generators.base import Generator
from rewriting.generators.config import GeneratorConfig, brief
from rewriting.generators.proggan import ProgressiveGAN
from rewriting.generators.stylegan2 import StyleGAN2

ARCHITECTURES: dict[str, type[Generator]] = {"stylegan2": StyleGAN2, "proggan": ProgressiveGAN}
CONFIG, WEIGHTS, MOMENTS = "config.json", "model.safetensors", "second_moments.safetensors"
DTYPES = {"F32", "F16", "BF16"}
MAX_JSON = 1 << 20
BUNDLED = Path(__file__).resolve().parents[2] / "weights"


def bundled() -> list[str]:
    """Names of the generators that come with the software."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}"))


def build(config: GeneratorConfig) -> Generator:
    """A generator of that architecture with random weights."""
    return ARCHITECTURES[config.architecture](config)


def read_generator(folder: str | Path) -> Generator:
    """The generator in a generator-repo folder, float32, not trainable.

    Raises FileNotFoundError if a file is missing and ValueError if one does not hold what it should.
    """
    folder = Path(folder)
    config = GeneratorConfig.from_json(read_json(folder / CONFIG))
    with torch.device("meta"):
        expected = {k: tuple(v.shape) for k, v in build(config).state_dict().items()}
    state = read_tensors(folder / WEIGHTS, expected)
    with torch.device("meta"):
        generator = build(config)
    generator.load_state_dict(state, strict=True, assign=True)
    return generator.eval().requires_grad_(False)


def write_generator(generator: Generator, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write config.json and model.safetensors; files appear whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt", "library": "rewriting", "architecture": generator.config.architecture}
    tensors = {k: v.detach().to("cpu", dtype) for k, v in generator.state_dict().items()}
    write_tensors(folder / WEIGHTS, tensors, metadata)
    write_json(folder / CONFIG, generator.config.to_json())
    return folder


def read_json(path: Path, most: int = MAX_JSON) -> object:
    """Parsed JSON of at most `most` bytes."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; is {path.parent.name} the right folder?")
    if path.stat().st_size > most:
        raise ValueError(f"{path.name} is {path.stat().st_size:,} bytes; {most:,} is the most that is read.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, numbers of thousands of digits, too deep
        raise ValueError(f"{path.name} is not JSON ({type(error).__name__}); fetch or write it again.") from None


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The float tensors of a safetensors file as float32, if exactly the expected ones are in it and all are finite.

    Names, types and shapes are compared from the header, before anything is allocated.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; expected it beside {CONFIG}.")
    try:
        with safe_open(path, "pt") as file:
            _check_header(path.name, file, expected)
            tensors = {name: file.get_tensor(name).float() for name in expected}
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a whole safetensors file ({error}); fetch it again.") from None
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{path.name} has values in {name} that are not finite; it cannot be used.")
    return tensors


def _check_header(name: str, file: safe_open, expected: Mapping[str, tuple[int, ...]]) -> None:
    keys = set(file.keys())
    missing, unknown = sorted(expected.keys() - keys), sorted(keys - expected.keys())
    if missing or unknown:
        lacks = f" lacks {shown(missing)}" if missing else ""
        has = f" has {shown(unknown)}, which the config does not call for" if unknown else ""
        raise ValueError(f"{name}{lacks}{' and' if lacks and has else ''}{has}; do the two files belong together?")
    for key, shape in expected.items():
        part = file.get_slice(key)
        if part.get_dtype() not in DTYPES:
            raise ValueError(
                f"{name} stores {key} as {part.get_dtype()}; expected one of {', '.join(sorted(DTYPES))}."
            )
        if tuple(part.get_shape()) != tuple(shape):
            raise ValueError(
                f"{name} has {key} of shape {tuple(part.get_shape())}, but the config makes it {tuple(shape)}."
            )


def shown(names: list[str], most: int = 3) -> str:
    """A few of the names, cut short: they come from files of strangers."""
    listed = ", ".join(name[:60] if name.isprintable() else brief(name) for name in names[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    partial = path.with_name(path.name + ".partial")
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, partial, dict(metadata))
    partial.chmod(0o644)  # safetensors makes files that only their owner can read
    os.replace(partial, path)


def write_json(path: Path, data: object) -> None:
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # lone surrogates become JSON's escape
    os.replace(partial, path)
