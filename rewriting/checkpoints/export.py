"""Export of a generator as a file for another program.

rosinality: {"g_ema": state dict, "latent_avg": mean latent} for that code and its descendants, with truncation towards
latent_avg.  nvidia: the state dict of `G_ema`, of StyleGAN2-ADA-PyTorch or StyleGAN3.  genforce: {"generator_smooth":
state dict} of genforce's StyleGAN1.  dissection: {"state_dict": ...} of GAN dissection's Progressive GAN.  Only names
and axes change, so that converting the file gives the same generator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from rewriting.checkpoints.arguments import BLUR
from rewriting.files import writing
from rewriting.generators import Generator
from rewriting.generators.config import LOW_PASS

LAYOUTS = {
    "stylegan2": ("rosinality", "nvidia"),
    "stylegan3": ("nvidia",),
    "stylegan1": ("genforce",),
    "proggan": ("dissection",),
}
ENDINGS = (".pt", ".pth")

Tensors = dict[str, Tensor]


def check_export(path: Path, layout: str | None, architecture: str | None = None) -> None:
    """Raise ValueError for an ending other than .pt and .pth, and for an unknown layout, or one of another
    architecture."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path} does not end in {' or '.join(ENDINGS)}; give a name that does.")
    layouts = list(dict.fromkeys(one for name, of in LAYOUTS.items() for one in of if architecture in (None, name)))
    if layout is not None and layout not in layouts:
        of = f"a generator of the architecture {architecture}" if architecture else "a file"
        raise ValueError(f"There is no layout {layout[:60]!r} of {of}; there is {', '.join(layouts)}.")


def export(generator: Generator, path: str | Path, layout: str | None = None) -> Path:
    """Write the generator, in float32, as a file for another program, and return its path.

    path: ends in .pt or .pth.  layout: "rosinality" (the default) or "nvidia" for StyleGAN2, "nvidia" for StyleGAN3,
    "genforce" for StyleGAN1, and "dissection" for a Progressive GAN.  Raises ValueError, or OSError if the path is not
    writable.
    """
    path, architecture = Path(path), generator.config.architecture
    check_export(path, layout, architecture)
    layout = layout or LAYOUTS[architecture][0]
    if generator.config.label_concat:
        raise ValueError(
            f"{generator.config.name or 'The generator'} has classes of the first StyleGAN2 in TensorFlow, which no "
            f"layout of a file for PyTorch knows; save it as a folder."
        )
    if layout == "rosinality":
        _check_rosinality(generator)
    content = FORMS[layout](generator)
    with writing(path) as partial:
        torch.save(content, partial)
    return path


def _check_rosinality(generator: Generator) -> None:
    """Raise ValueError for a generator that the layout cannot hold."""
    config = generator.config
    has = f"{config.classes} classes" if config.classes else "residual blocks" if config.blocks == "resnet" else ""
    if has:
        raise ValueError(
            f"{config.name or 'The generator'} has {has}, which the layout rosinality does not know; choose the "
            f"layout nvidia."
        )


def rosinality(generator: Generator) -> dict[str, Tensors | Tensor]:
    """The tensors for rosinality's code, with resampling kernels and noise maps; a generator without noise gets maps
    and weights of zeros."""
    state = _coloured(generator) | _complete(generator)
    mean = state.pop("latent_avg")
    for stage in range(len(generator.config.resolutions) - 1):
        for name in (f"convs.{2 * stage}.conv.blur.kernel", f"to_rgbs.{stage}.upsample.kernel"):
            state[name] = 4 * _kernel(generator.config.resample_filter)
    return {"g_ema": state, "latent_avg": mean}


def nvidia(generator: Generator) -> Tensors:
    """The tensors for `G_ema.load_state_dict` of a network with the same sizes, and a learning rate of 0.01 in the
    mapping network.  Our names of a StyleGAN3's tensors are NVIDIA's."""
    if generator.config.architecture == "stylegan3":
        return _tensors(generator)
    state: Tensors = {}
    own, usual = _nvidia_kernel(generator.config.resample_filter), _nvidia_kernel(LOW_PASS)
    for name, tensor in _complete(generator).items():
        renamed = _nvidia_name(name)
        kind = renamed.rsplit(".", 1)[-1]
        if kind in ("weight", "const") and tensor.dim() in (4, 5) and ".skip." not in renamed:
            tensor = tensor[0]
        elif kind == "noise_const":
            tensor = tensor[0, 0]
        elif kind == "noise_strength":
            tensor = tensor.reshape(())
        elif renamed.endswith("torgb.bias"):
            tensor = tensor.flatten()
        state[renamed] = tensor.clone()
        if kind == "noise_const":
            state[renamed.replace("noise_const", "resample_filter")] = own if ".conv0." in renamed else usual
        elif renamed.endswith(".skip.weight"):
            state[renamed.replace("weight", "resample_filter")] = own
    for stage in range(len(generator.config.resolutions)):
        state[f"synthesis.b{4 << stage}.resample_filter"] = own
    return state


def genforce(generator: Generator) -> dict[str, Tensors]:
    """The tensors for genforce's StyleGAN1, whose names our own files use, with the blur kernels, and with zeros for
    the colours of smaller sizes, which draw nothing."""
    state = _tensors(generator) | {"synthesis.lod": torch.zeros(())}
    for block, width in enumerate(list(generator.config.channels.values())[:-1]):
        state |= {f"synthesis.output{block}.weight": torch.zeros(3, width, 1, 1)}
        state |= {f"synthesis.output{block}.bias": torch.zeros(3)}
    for layer in generator.layers:
        if generator.conv(layer).upsample:
            kernel = _kernel(BLUR).expand(len(generator.conv(layer).weight), 1, -1, -1)
            state[f"synthesis.layer{layer - 1}.blur.kernel"] = kernel.contiguous()
    return {"generator_smooth": state}


def dissection(generator: Generator) -> dict[str, Tensors]:
    """The tensors for GAN dissection, whose names our own files use."""
    return {"state_dict": _tensors(generator)}


FORMS = {"rosinality": rosinality, "nvidia": nvidia, "genforce": genforce, "dissection": dissection}


def _nvidia_name(name: str) -> str:
    """NVIDIA's name for a canonical name of StyleGAN2."""
    if name == "latent_avg":
        return "mapping.w_avg"
    if name == "input.input":
        return "synthesis.b4.const"
    if name.startswith("embed."):
        return f"mapping.{name}"
    if match := re.fullmatch(r"style\.(\d+)\.(\w+)", name):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}"
    if match := re.fullmatch(r"noises\.noise_(\d+)", name):
        return f"{_layer(int(match[1]))}.noise_const"
    if match := re.fullmatch(r"to_rgb(?:1|s\.(\d+))\.(.+)", name):
        size = 4 if match[1] is None else 8 << int(match[1])
        return f"synthesis.b{size}.torgb.{_part(match[2])}"
    if match := re.fullmatch(r"shortcuts\.(\d+)\.weight", name):
        return f"synthesis.b{8 << int(match[1])}.skip.weight"
    match = re.fullmatch(r"(?:conv1|convs\.(\d+))\.(.+)", name)
    return f"{_layer(0 if match[1] is None else int(match[1]) + 1)}.{_part(match[2])}"


def _layer(number: int) -> str:
    """The n-th styled convolution, counted from 0."""
    return f"synthesis.b{4 << (number + 1) // 2}.conv{0 if number % 2 else 1}"


def _part(name: str) -> str:
    parts = {"activate.bias": "bias", "noise.weight": "noise_strength", "conv.weight": "weight"}
    return parts.get(name, name.replace("conv.modulation.", "affine."))


def _complete(generator: Generator) -> Tensors:
    """All tensors of a StyleGAN2 with noise maps; without noise, maps and weights of zeros."""
    state = _tensors(generator)
    if not generator.config.noise:
        state |= {name: torch.zeros_like(one) for name, one in state.items() if name.endswith(".noise.weight")}
        for number in range(len(generator.layers)):
            height, width = (side << (number + 1) // 2 for side in generator.config.constant)
            state[f"noises.noise_{number}"] = torch.zeros(1, 1, height, width)
    return state


def _tensors(generator: Generator) -> Tensors:
    return {
        name: tensor.detach().float().cpu().contiguous().clone() for name, tensor in generator.state_dict().items()
    }


def _coloured(generator: Generator) -> Tensors:
    """Layers to colours that add nothing, for the sizes of a generator that has none."""
    config, added = generator.config, {}
    for stage, size in enumerate(config.resolutions, -1):
        prefix, width = "to_rgb1" if stage < 0 else f"to_rgbs.{stage}", config.channels[size]
        added |= {
            f"{prefix}.conv.weight": torch.zeros(1, 3, width, 1, 1),
            f"{prefix}.bias": torch.zeros(1, 3, 1, 1),
            f"{prefix}.conv.modulation.weight": torch.zeros(width, config.w_dim),
            f"{prefix}.conv.modulation.bias": torch.ones(width),
        }
    return added


def _kernel(taps: Sequence[float]) -> Tensor:
    """The low-pass filter (n, n), with a sum of 1."""
    row = torch.tensor(taps, dtype=torch.float32)
    kernel = torch.outer(row, row)
    return kernel / kernel.sum()


def _nvidia_kernel(taps: Sequence[float]) -> Tensor:
    """The same; from 8 taps on, the filter (n,), which NVIDIA's code applies twice."""
    row = torch.tensor(taps, dtype=torch.float32)
    return _kernel(taps) if len(taps) < 8 else row / row.sum()
