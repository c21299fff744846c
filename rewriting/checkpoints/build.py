"""Building a generator from weights with canonical names: names and shapes determine the architecture, and every shape
is then compared with the expected one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewriting.checkpoints.canonical import Canonical
from rewriting.checkpoints.contents import CheckpointError, quoted
from rewriting.generators import Generator, GeneratorConfig, build
from rewriting.generators.config import MAX_CONSTANT, MAX_RESOLUTION, smallest_side

MEAN_LATENTS = 10_000
MEANS = {  # where an architecture keeps the mean latent
    "stylegan1": "truncation.w_avg",
    "stylegan2": "latent_avg",
    "stylegan3": "mapping.w_avg",
}
CLAMP_SEEDS = range(8)
DRAWN_NOISE = "It had no noise maps: fixed ones from numpy's RandomState(0) stand in, as in the paper's code."


def build_generator(
    found: Canonical, check: Callable[[GeneratorConfig], None] | None = None, **config: Any
) -> Generator:
    """Build a generator with these weights, float32, not trainable.  config: further fields of `GeneratorConfig`.

    check: called with the config before any computation.

    Missing noise maps, if noise has a weight, and a missing mean latent are added, and the description mentions them.
    Raises CheckpointError with the name of a tensor, its shape and the expected shape.
    """
    notes = list(found.notes)
    tensors = dict(found.tensors)
    if found.architecture == "stylegan2":
        _three_colours(tensors, notes)
    fields = infer(found)
    if found.architecture == "stylegan2":
        fields["noise"] = _complete_noise(tensors, fields, notes)
        _describe_size(fields, notes)
    if found.architecture == "stylegan1":
        _complete_noise1(tensors, fields["channels"], notes)
    mean = MEANS.get(found.architecture)
    if mean:
        tensors[mean] = torch.zeros(fields["w_dim"]) if found.latent_avg is None else found.latent_avg
    if config.get("default_layer"):  # recommended for a larger model of that name
        config["default_layer"] = min(config["default_layer"], 2 * len(fields["channels"]))
    described = _config(found.architecture, fields | config)
    if check:
        check(described)
    generator = _load(described, tensors)
    if mean and found.latent_avg is None:
        generator.get_buffer(mean).copy_(mean_latent(generator))
        notes.append(f"It had no {mean.rpartition('.')[2]}: the mean of {MEAN_LATENTS:,} latents stands in.")
    if found.architecture == "stylegan2":
        _check_clamp(generator, found.clamp, notes)
    if found.architecture == "stylegan3":
        _check_filters(generator)
    description = " ".join([config.get("description", ""), *notes]).strip()
    generator.config = replace(generator.config, description=description)
    generator.forget()
    return generator


def _config(architecture: str, fields: Mapping[str, Any]) -> GeneratorConfig:
    try:
        return GeneratorConfig(architecture=architecture, **fields)
    except ValueError as error:
        raise CheckpointError(f"It describes a generator that cannot be: {error}") from None


# --- the architecture ------------------------------------------------------------------------------------------------


def infer(found: Canonical) -> dict[str, Any]:
    """The fields resolution, z_dim and channels, and of a StyleGAN w_dim, mapping_layers and perhaps classes, by names
    and shapes."""
    if found.architecture == "stylegan3":
        return _infer_stylegan3(found)
    if found.architecture == "stylegan2":
        return _infer_stylegan2(found)
    return _infer_stylegan1(found.tensors) if found.architecture == "stylegan1" else _infer_progan(found.tensors)


def _infer_stylegan1(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    layers = _count(tensors, r"synthesis\.layer(\d+)\.bias", first=0)
    if layers % 2 or layers < 4:
        raise CheckpointError(f"It has {layers} layers; a StyleGAN1 has 4 or more, two at every size.")
    of_size = {4 << n: f"synthesis.layer{2 * n + 1}.weight" for n in range(layers // 2)}
    return {
        "resolution": _resolution(layers // 2 - 1),
        "channels": {size: _axis(tensors, name, 0, axes=4) for size, name in of_size.items()},
        "mapping_layers": _count(tensors, r"mapping\.dense(\d+)\.weight", first=0),
        "z_dim": _axis(tensors, "mapping.dense0.weight", 1, axes=2),
        "w_dim": _axis(tensors, "synthesis.layer0.style.weight", 1, axes=2),
    }


def _infer_stylegan2(found: Canonical) -> dict[str, Any]:
    tensors = found.tensors
    layers = _count(tensors, r"convs\.(\d+)\.conv\.weight", first=0)
    if layers % 2:
        raise CheckpointError(f"It has {layers} convolutions above 4 px; a StyleGAN2 has two at every size.")
    widths = [_axis(tensors, "input.input", 1, axes=4)]
    for stage in range(layers // 2):
        widths.append(_axis(tensors, f"convs.{2 * stage}.conv.weight", 1, axes=5))
    concat = "label_concat.weight" in tensors
    constant = tuple(tensors["input.input"].shape[2:])
    if not 1 <= min(constant) <= max(constant) <= MAX_CONSTANT:
        raise CheckpointError(
            f"Its constant has {constant[0]} x {constant[1]} positions; expected 1 to {MAX_CONSTANT} each way."
        )
    smallest = smallest_side(constant)
    channels = {smallest << stage: width for stage, width in enumerate(widths)}
    return {
        "resolution": _resolution(layers // 2, smallest),
        "constant": constant,
        "channels": channels,
        "mapping_layers": _count(tensors, r"style\.(\d+)\.weight", first=1),
        **_latent(tensors, "style.1.weight", "label_concat.weight" if concat else "embed.weight"),
        "label_concat": concat,
        "w_dim": _axis(tensors, "conv1.conv.modulation.weight", 1, axes=2),
        "blocks": _blocks(tensors),
        "resample_filter": found.resample_filter,
    }


def _blocks(tensors: Mapping[str, Tensor]) -> str:
    """The architecture of a StyleGAN2's synthesis, as `GeneratorConfig.blocks`."""
    if "shortcuts.0.weight" in tensors:
        return "resnet"
    return "skip" if any(name.startswith("to_rgb1.") for name in tensors) else "orig"


def _infer_stylegan3(found: Canonical) -> dict[str, Any]:
    tensors = found.tensors
    named = (re.fullmatch(r"synthesis\.L(\d{1,2})_(\d{1,4})_\d{1,4}\.weight", name) for name in tensors)
    layers = {int(match[1]): match for match in named if match}
    if sorted(layers) != list(range(len(layers))) or len(layers) < 4:
        raise CheckpointError(f"It has the layers {str(sorted(layers))[:60]}; expected L0, L1, and so on, 4 or more.")
    names = [layers[n][0] for n in range(len(layers))]
    fields = {
        "resolution": int(layers[len(layers) - 1][2]),
        "channels": {n: _axis(tensors, name, 0, axes=4) for n, name in enumerate(names[:-1])},
        "mapping_layers": _count(tensors, r"mapping\.fc(\d+)\.weight", first=0),
        **_latent(tensors, "mapping.fc0.weight", "mapping.embed.weight"),
        "w_dim": _axis(tensors, names[0].replace(".weight", ".affine.weight"), 1, axes=2),
        "sampling": found.sampling,
    }
    expected = _config(found.architecture, fields).layer_names
    if names != [f"synthesis.{name}.weight" for name in expected]:
        raise CheckpointError(
            f"Its layers are called {_few([name.split('.')[1] for name in names])}, and of its sizes and arguments "
            f"follow {_few(expected)}; it is of another version of StyleGAN3, which is not known here."
        )
    return fields


def _infer_progan(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    layers = _count(tensors, r"layer(\d+)\.conv\.weight", first=1)
    if layers % 2 or layers < 4:
        raise CheckpointError(f"It has {layers} convolutions; a Progressive GAN has 4 or more, two at every size.")
    resolution = _resolution(layers // 2 - 1)
    sizes = [4 << i for i in range(layers // 2)]
    return {
        "resolution": resolution,
        "channels": {size: _axis(tensors, f"layer{2 * i + 1}.conv.weight", 0, axes=4) for i, size in enumerate(sizes)},
        "z_dim": _axis(tensors, "layer1.conv.weight", 1, axes=4),
    }


def _latent(tensors: Mapping[str, Tensor], first: str, embedding: str) -> dict[str, int]:
    """The width of the latent and the number of classes; the first layer of a mapping network takes the latent and,
    if there are classes, the embedding of one."""
    joint = _axis(tensors, first, 1, axes=2)
    if embedding not in tensors:
        return {"z_dim": joint}
    width, classes = (_axis(tensors, embedding, axis, axes=2) for axis in (0, 1))
    return {"z_dim": joint - width, "classes": classes}


def _count(tensors: Mapping[str, Tensor], pattern: str, first: int) -> int:
    """The number of numbered tensors.  Raises CheckpointError if a number is missing."""
    matches = (re.fullmatch(pattern, name) for name in tensors)
    numbers = sorted(int(match[1]) for match in matches if match and len(match[1]) < 5)
    expected = list(range(first, first + len(numbers)))
    if not numbers or numbers != expected:
        example = pattern.replace(r"(\d+)", "N").replace("\\", "")
        raise CheckpointError(
            f"It has {example} for N = {str(numbers)[:60]}; expected {first}, {first + 1}, and so on."
        )
    return len(numbers)


def _resolution(doublings: int, smallest: int = 4) -> int:
    if not 1 <= doublings <= MAX_RESOLUTION.bit_length() or smallest << doublings > MAX_RESOLUTION:
        raise CheckpointError(
            f"It doubles its size {doublings} times from {smallest} px; expected 8 to {MAX_RESOLUTION} px."
        )
    return smallest << doublings


def _axis(tensors: Mapping[str, Tensor], name: str, axis: int, axes: int) -> int:
    tensor = tensors.get(name)
    if tensor is None:
        raise CheckpointError(f"It lacks {name}; is it a whole generator?")
    if tensor.dim() != axes:
        raise CheckpointError(f"Its {name} has shape {tuple(tensor.shape)}; expected {axes} axes.")
    return tensor.shape[axis]


def _load(config: GeneratorConfig, tensors: Mapping[str, Tensor]) -> Generator:
    """The generator of a config with these tensors.  Raises CheckpointError for other tensors, or infinite values."""
    with torch.device("meta"):
        generator = build(config)
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        lacks = f"lacks {_few(missing)}" if missing else ""
        has = f"has {_few(unknown)}, which a {_in_words(config)} does not have" if unknown else ""
        raise CheckpointError(f"It {lacks}{' and ' if lacks and has else ''}{has}.")
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            raise CheckpointError(
                f"Its {name} has shape {tuple(tensors[name].shape)}; the other tensors make it a {_in_words(config)}, "
                f"where {shape} is expected."
            )
        if not torch.isfinite(tensors[name]).all():
            raise CheckpointError(f"It has values in {name} that are not finite; it cannot be used.")
    generator.load_state_dict({k: v.contiguous() for k, v in tensors.items()}, strict=True, assign=True)
    return generator.eval().requires_grad_(False)


def _few(names: list[str], most: int = 3) -> str:
    listed = ", ".join(quoted(name) for name in names[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def _in_words(config: GeneratorConfig) -> str:
    widths = "-".join(str(width) for width in config.channels.values())
    depth = f", {config.mapping_layers} mapping layers" if config.mapping_layers else ""
    return f"{config.resolution} px {config.architecture_name} ({widths} channels{depth})"


# --- what a file may lack --------------------------------------------------------------------------------------------


def _three_colours(tensors: dict[str, Tensor], notes: list[str]) -> None:
    """Convert outputs of one channel to three equal colours, and drop the alpha of four."""
    names = [name for name in tensors if re.fullmatch(r"to_rgb(1|s\.\d+)\.(conv\.weight|bias)", name)]
    counts = {tensors[name].shape[1] for name in names if tensors[name].dim() in (4, 5)}
    if counts == {1}:
        tensors |= {name: tensors[name].repeat_interleave(3, 1) for name in names}
        notes.append("Its pictures are grey.")
    elif counts == {4}:
        tensors |= {name: tensors[name][:, :3].clone() for name in names}
        notes.append("Its pictures have a fourth channel, alpha, which is left out.")


def _describe_size(fields: Mapping[str, Any], notes: list[str]) -> None:
    height, width = fields["constant"]
    if height != width:
        scale = fields["resolution"] // smallest_side((height, width))
        notes.append(f"Its pictures, {width * scale} x {height * scale} pixels, lie in the middle of a grey square.")


def _complete_noise(tensors: dict[str, Tensor], fields: Mapping[str, Any], notes: list[str]) -> bool:
    """Whether the generator has noise maps; adds fixed ones if the file has none but their weights are not zero.

    The maps are RandomState(0).randn(height * width) for every layer, as in the paper's code.
    """
    layers = range(2 * len(fields["channels"]) - 1)
    prefixes = ["conv1" if n == 0 else f"convs.{n - 1}" for n in layers]
    for prefix in prefixes:
        tensors.setdefault(f"{prefix}.noise.weight", torch.zeros(1))  # trained without noise
    if any(name.startswith("noises.") for name in tensors):
        return True
    if not any(bool(tensors[f"{prefix}.noise.weight"].any()) for prefix in prefixes):
        return False
    for n in layers:
        tensors[f"noises.noise_{n}"] = _drawn_noise(*(side << (n + 1) // 2 for side in fields["constant"]))
    notes.append(DRAWN_NOISE)
    return True


def _complete_noise1(tensors: dict[str, Tensor], channels: Mapping[int, int], notes: list[str]) -> None:
    """Add what a StyleGAN1 lacks of noise: strengths of 0, and fixed maps, which are zeros where no strength is."""
    places = [(f"synthesis.layer{n}.apply_noise", size) for n, size in enumerate(s for s in channels for _ in "12")]
    for place, size in places:
        tensors.setdefault(f"{place}.weight", torch.zeros(channels[size]))
    if any(f"{place}.noise" in tensors for place, _ in places):
        return
    drawn = any(bool(tensors[f"{place}.weight"].any()) for place, _ in places)
    for place, size in places:
        tensors[f"{place}.noise"] = _drawn_noise(size, size) if drawn else torch.zeros(1, 1, size, size)
    notes += [DRAWN_NOISE] if drawn else []


def _drawn_noise(height: int, width: int) -> Tensor:
    drawn = np.random.RandomState(0).randn(height * width).astype(np.float32)
    return torch.from_numpy(drawn).reshape(1, 1, height, width)


@torch.no_grad()
def mean_latent(generator: Generator, count: int = MEAN_LATENTS) -> Tensor:
    """The mean of `count` mapped latents from numpy's RandomState(0), of all classes in turn, (w_dim,)."""
    z = torch.from_numpy(np.random.RandomState(0).randn(count, generator.config.z_dim).astype(np.float32))
    labels = generator.every_class(range(count))
    parts = (slice(start, start + 1000) for start in range(0, count, 1000))
    total = sum(generator.map(z[some], 1.0, labels[some]).double().sum(0) for some in parts)
    return total[: generator.config.w_dim].div(count).float()


def _check_filters(generator: Generator) -> None:
    """Raise CheckpointError unless the filters of a StyleGAN3 are those of its sampling.

    Other filters mean a setting that the arguments do not record, so the pictures would be wrong."""
    for where, layer in generator.synthesis.named_children():
        for name, design in getattr(layer, "designed", {}).items():
            if design is not None and float((getattr(layer, name) - torch.from_numpy(design)).abs().max()) > 1e-4:
                raise CheckpointError(
                    f"The {name} of its layer {where} is another than its sizes and arguments call for; give the "
                    f"pickle that its training wrote."
                )


@torch.no_grad()
def _check_clamp(generator: Generator, clamp: float | None, notes: list[str]) -> None:
    """Check that a generator works without `conv_clamp`, which limits values in NVIDIA's mixed-precision networks.

    The clamp has no effect if no value reaches it.  The check covers every layer of 8 pictures, and the outputs of
    toRGB.  Raises CheckpointError if a value reaches the clamp, because the pictures would differ.
    """
    if clamp is None:
        return
    largest = max(_largest_value(generator, seed) for seed in CLAMP_SEEDS)
    if not largest < clamp:
        raise CheckpointError(
            f"It cuts off layers' values at {clamp:g}, and in {len(CLAMP_SEEDS)} pictures they reach {largest:.4g}; "
            f"without the cut its pictures would differ, so it is not converted."
        )
    notes.append(
        f"Its conv_clamp of {clamp:g} is left out: in {len(CLAMP_SEEDS)} pictures no value passed {largest:.4g}."
    )


def _largest_value(generator: Generator, seed: int) -> float:
    at = generator.begin(generator.map(generator.latents([seed]), 1.0, generator.every_class([seed])))
    largest = 0.0
    for layer in generator.layers:
        value = generator.value(layer, at)
        largest = max(largest, float(value.abs().max()))
        if layer % 2 == 0 and generator.to_rgb(layer):
            alone = replace(at, skip=None) if generator.config.blocks == "skip" else at
            largest = max(largest, float(generator.picture(layer, value, alone).abs().max()))
        if layer < generator.layers.stop - 1:
            at = generator.advance(layer, value, at)
    return largest
