"""A StyleGAN2 generator over the flat state dict of StyleGAN2-ADA-PyTorch (`G_ema.state_dict()`).

Written from the description of that layout: weights are stored unscaled and demodulated unscaled, the bias of every
`affine` includes its +1, `torgb` takes its gain on the style, and an upsampling layer is zero insertion, a FIR filter
with gain 4 and a true convolution (a flipped kernel). Samples share one kernel: features are scaled before and after.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .nvidia_files import write_nvidia_pickle, write_tf_pickle

__all__ = [
    "flat_kwargs",
    "generate",
    "init_kwargs",
    "random_state",
    "to_rosinality",
    "write_nvidia_pickle",
    "write_tf_pickle",
]

State = dict[str, Tensor]


def fully_connected(state: State, prefix: str, x: Tensor, lr_multiplier: float = 1.0) -> Tensor:
    """x W^T lr / sqrt(in) + lr b."""
    weight = state[f"{prefix}.weight"]
    return x @ (weight * (lr_multiplier / math.sqrt(weight.shape[1]))).T + lr_multiplier * state[f"{prefix}.bias"]


def activate(x: Tensor, kind: str = "lrelu") -> Tensor:
    """Leaky ReLU of slope 0.2, or ReLU, with gain sqrt(2)."""
    return torch.where(x >= 0, x, {"lrelu": 0.2, "relu": 0.0}[kind] * x) * math.sqrt(2)


def upfirdn(x: Tensor, fir: Tensor, pad: tuple[int, int]) -> Tensor:
    """Twice the size: interleave zeros, pad (before, after), convolve with the FIR filter at gain 4.

    pad: for a filter of four taps; one of another number needs others, and negative ones cut off.  fir: (n, n), or
    (n,), which is then filtered by along rows and columns.
    """
    batch, channels, h, w = x.shape
    fir = fir[:, None] * fir if fir.dim() == 1 else fir
    more = len(fir) - 4
    pad = (pad[0] + (more + 1) // 2, pad[1] + more // 2)
    stuffed = torch.stack([x, torch.zeros_like(x)], dim=-1).reshape(batch, channels, h, 2 * w)
    stuffed = torch.stack([stuffed, torch.zeros_like(stuffed)], dim=3).reshape(batch * channels, 1, 2 * h, 2 * w)
    y = F.conv2d(F.pad(stuffed, (*pad, *pad)), 4 * fir.flip(0, 1)[None, None])
    return y.reshape(batch, channels, *y.shape[2:])


def map_latent(
    state: State,
    z: Tensor,
    truncation: float = 1.0,
    *,
    activation: str = "lrelu",
    normalize: bool = True,
    label: int | None = None,
) -> Tensor:
    """The mapping network and truncation towards `mapping.w_avg`: (B, z_dim) -> (B, w_dim).

    label: the class, of a conditional generator: its embedding, normalised as the latent is, stands beside that.
    """
    concat = state.get("mapping.label_concat.weight")  # (z_dim, classes), of the first version in TensorFlow
    x = z if concat is None else torch.cat([z, concat[:, [label]].T.expand(len(z), -1)], dim=1)
    x = x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt() if normalize else x
    if label is not None and concat is None:
        one_hot = F.one_hot(torch.full((len(z),), label), state["mapping.embed.weight"].shape[1]).to(z.dtype)
        y = fully_connected(state, "mapping.embed", one_hot)
        x = torch.cat([x, y / (y.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()], dim=1)
    index = 0
    while f"mapping.fc{index}.weight" in state:
        x = activate(fully_connected(state, f"mapping.fc{index}", x, lr_multiplier=0.01), activation)
        index += 1
    return torch.lerp(state["mapping.w_avg"].expand_as(x), x, truncation)


def synthesis_layer(state: State, prefix: str, x: Tensor, w: Tensor, *, up: bool, activation: str) -> Tensor:
    """Styled 3x3 convolution `prefix`, noise_const * noise_strength, bias, activation."""
    weight = state[f"{prefix}.weight"]  # (O, I, 3, 3), unscaled
    style = fully_connected(state, f"{prefix}.affine", w)
    demodulation = torch.rsqrt(style.square() @ weight.square().sum((2, 3)).T + 1e-8)  # (B, O)
    x = x * style[:, :, None, None]
    if up:
        x = upfirdn(x, state[f"{prefix}.resample_filter"], pad=(3, 2))
        x = F.conv2d(x, weight.flip(2, 3))
    else:
        x = F.conv2d(x, weight, padding=1)
    x = x * demodulation[:, :, None, None] + state[f"{prefix}.noise_const"] * state[f"{prefix}.noise_strength"]
    return activate(x + state[f"{prefix}.bias"][:, None, None], activation)


def skip_layer(state: State, prefix: str, x: Tensor) -> Tensor:
    """The way around a residual block: a plain 1x1 convolution, at twice the size."""
    weight = state[f"{prefix}.weight"]
    y = F.conv2d(x, weight / math.sqrt(weight.shape[1]))
    return upfirdn(y, state[f"{prefix}.resample_filter"], pad=(2, 1))


def torgb(state: State, prefix: str, x: Tensor, w: Tensor) -> Tensor:
    """1x1 convolution to RGB; gain 1 / sqrt(I) on the style, no demodulation, no activation."""
    weight = state[f"{prefix}.weight"]
    style = fully_connected(state, f"{prefix}.affine", w) / math.sqrt(weight.shape[1])
    return F.conv2d(x * style[:, :, None, None], weight) + state[f"{prefix}.bias"][:, None, None]


def resolutions(state: State) -> list[int]:
    """The block resolutions present, 4, 8, .."""
    return sorted({int(name.split(".")[1][1:]) for name in state if name.startswith("synthesis.b")})


def generate(
    state: State,
    z: Tensor,
    truncation: float = 1.0,
    *,
    mapping_activation: str = "lrelu",
    normalize: bool = True,
    activation: str = "lrelu",
    architecture: str = "skip",
    label: int | None = None,
) -> Tensor:
    """z (B, z_dim) -> pictures (B, C, R, R), nominally in [-1, 1], not clipped. Constant noise.

    The rest are the arguments of its constructor that change what it computes; architecture: "skip", or "orig", where
    only the largest size is turned into colours, or "resnet", which is that with residual blocks.  label: the class,
    of a conditional generator.
    """
    w = map_latent(state, z, truncation, activation=mapping_activation, normalize=normalize, label=label)
    x = state["synthesis.b4.const"].expand(len(z), -1, -1, -1)
    picture = None
    for r in resolutions(state):
        block, around = f"synthesis.b{r}", None
        if r > 4:
            if architecture == "resnet":
                around = skip_layer(state, f"{block}.skip", x) * math.sqrt(0.5)
            x = synthesis_layer(state, f"{block}.conv0", x, w, up=True, activation=activation)
        x = synthesis_layer(state, f"{block}.conv1", x, w, up=False, activation=activation)
        if around is not None:
            x = math.sqrt(0.5) * x + around
        if architecture in ("orig", "resnet") and r < resolutions(state)[-1]:
            continue
        rgb = torgb(state, f"{block}.torgb", x, w)
        picture = rgb if picture is None else upfirdn(picture, state[f"{block}.resample_filter"], pad=(2, 1)) + rgb
    return picture


class _Random:
    """Random entries of a state dict, in the layout's names."""

    def __init__(self, w_dim: int, noise_weights: float, seed: int, constant: tuple[int, int] = (4, 4)) -> None:
        self.w_dim, self.noise_weights, self.constant = w_dim, noise_weights, constant
        self.source = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, std: float = 1.0) -> Tensor:
        return std * torch.randn(shape, generator=self.source)

    def convolution(self, prefix: str, cin: int, cout: int, k: int) -> State:
        return {
            f"{prefix}.weight": self.normal(cout, cin, k, k),
            f"{prefix}.bias": self.normal(cout, std=0.1),
            f"{prefix}.affine.weight": self.normal(cin, self.w_dim, std=0.3),
            f"{prefix}.affine.bias": 1 + self.normal(cin, std=0.1),
        }

    def layer(self, prefix: str, cin: int, cout: int, r: int, taps: Sequence[float] = (1, 3, 3, 1)) -> State:
        return self.convolution(prefix, cin, cout, 3) | {
            f"{prefix}.noise_strength": self.normal(std=self.noise_weights),
            f"{prefix}.noise_const": self.normal(*(r * n // 4 for n in self.constant)),
            f"{prefix}.resample_filter": fir_filter(taps),
        }


def fir_filter(taps: Sequence[float] = (1, 3, 3, 1)) -> Tensor:
    """The buffer `resample_filter`: [1, 3, 3, 1] x [1, 3, 3, 1] / 64, sum 1; of 8 taps or more only the row."""
    row = torch.tensor([taps], dtype=torch.float32)
    kernel = row.T @ row if len(taps) < 8 else row[0]
    return kernel / kernel.sum()


def random_state(
    resolution: int,
    *,
    z_dim: int = 20,
    w_dim: int = 28,
    mapping_layers: int = 2,
    channels: dict[int, int] | None = None,
    seed: int = 0,
    noise_weights: float = 0.1,
    img_channels: int = 3,
    classes: int = 0,
    architecture: str = "skip",
    taps: Sequence[float] = (1, 3, 3, 1),
    constant: tuple[int, int] = (4, 4),
    label_concat: bool = False,
) -> State:
    """A random generator with every parameter and buffer of the layout; arguments as in `rosinality.random_state`.

    classes: how many a conditional generator has, 0 for an unconditional one.  architecture: as of `generate`.
    taps: of the argument `resample_filter`, which a layer that does not upsample is not given.  constant: the height
    and width of `const`, for pictures of another shape; `resolution` is then what 4 positions become.
    label_concat: classes as the first version in TensorFlow has them, each a vector beside the latent.
    """
    sizes = [2**n for n in range(2, resolution.bit_length())]
    channels = channels or {r: max(24 - 4 * i, 6) for i, r in enumerate(sizes)}
    random = _Random(w_dim, noise_weights, seed, constant)
    state: State = {}
    beside = z_dim if label_concat else w_dim
    if label_concat:
        state["mapping.label_concat.weight"] = random.normal(z_dim, classes)
    elif classes:
        state["mapping.embed.weight"] = random.normal(w_dim, classes)
        state["mapping.embed.bias"] = random.normal(w_dim, std=0.1)
    for i in range(mapping_layers):
        joint = z_dim + beside if classes else z_dim
        state[f"mapping.fc{i}.weight"] = random.normal(w_dim, w_dim if i else joint, std=1 / 0.01)
        state[f"mapping.fc{i}.bias"] = random.normal(w_dim, std=0.1 / 0.01)
    state["mapping.w_avg"] = random.normal(w_dim, std=0.2)
    state["synthesis.b4.const"] = random.normal(channels[4], *constant)
    for r in sizes:
        block = f"synthesis.b{r}"
        state[f"{block}.resample_filter"] = fir_filter(taps)
        if r > 4:
            state |= random.layer(f"{block}.conv0", channels[r // 2], channels[r], r, taps)
        if r > 4 and architecture == "resnet":
            state[f"{block}.skip.weight"] = random.normal(channels[r], channels[r // 2], 1, 1)
            state[f"{block}.skip.resample_filter"] = fir_filter(taps)
        state |= random.layer(f"{block}.conv1", channels[r], channels[r], r)
        if r == sizes[-1] or architecture == "skip":
            state |= random.convolution(f"{block}.torgb", channels[r], img_channels, 1)
    return state


def init_kwargs(state: State) -> dict:
    """The constructor arguments such a generator records, `channel_base` chosen so that the largest size fits."""
    largest = resolutions(state)[-1]
    mapping_layers = sum(name.startswith("mapping.fc") and name.endswith(".weight") for name in state)
    embedding = state.get("mapping.embed.weight", state.get("mapping.label_concat.weight", torch.zeros(0, 0)))
    return {
        "z_dim": state["mapping.fc0.weight"].shape[1] - embedding.shape[0],
        "c_dim": embedding.shape[1],
        "w_dim": len(state["mapping.w_avg"]),
        "mapping_kwargs": {"num_layers": mapping_layers},
        "synthesis_kwargs": {
            "channel_base": largest * state[f"synthesis.b{largest}.conv1.weight"].shape[0],
            "channel_max": state["synthesis.b4.const"].shape[0],
            "num_fp16_res": 0,
            "conv_clamp": None,
        },
        "img_resolution": largest,
        "img_channels": len(state[f"synthesis.b{largest}.torgb.bias"]),
    }


def flat_kwargs(state: State) -> dict:
    """The same as the StyleGAN3 code base records them: those of the synthesis network among the generator's own."""
    kwargs = init_kwargs(state)
    return kwargs | kwargs.pop("synthesis_kwargs") | {"fused_modconv_default": "inference_only"}


def to_rosinality(state: State) -> tuple[State, Tensor]:
    """The published name table, NVIDIA -> (g_ema, latent_avg). No transposes, no flips, only reshapes and FIR gain."""
    g_ema: State = {}
    for name, tensor in state.items():
        if name.startswith("mapping.fc"):
            index, kind = name.removeprefix("mapping.fc").split(".")
            g_ema[f"style.{int(index) + 1}.{kind}"] = tensor
    g_ema["input.input"] = state["synthesis.b4.const"][None]
    for r in resolutions(state):
        k = int(math.log2(r)) - 3  # -1 for the 4x4 block
        block = f"synthesis.b{r}"
        rgb = "to_rgb1" if r == 4 else f"to_rgbs.{k}"
        _rename_convolution(state, f"{block}.torgb", g_ema, rgb)
        g_ema[f"{rgb}.bias"] = state[f"{block}.torgb.bias"].view(1, 3, 1, 1)
        if r > 4:
            g_ema[f"{rgb}.upsample.kernel"] = 4 * state[f"{block}.conv0.resample_filter"]
            g_ema[f"convs.{2 * k}.conv.blur.kernel"] = 4 * state[f"{block}.conv0.resample_filter"]
            _rename_layer(state, f"{block}.conv0", g_ema, f"convs.{2 * k}", 2 * k + 1)
        _rename_layer(state, f"{block}.conv1", g_ema, "conv1" if r == 4 else f"convs.{2 * k + 1}", 2 * k + 2)
    return g_ema, state["mapping.w_avg"]


def _rename_convolution(state: State, source: str, g_ema: State, target: str) -> None:
    g_ema[f"{target}.conv.weight"] = state[f"{source}.weight"][None]
    g_ema[f"{target}.conv.modulation.weight"] = state[f"{source}.affine.weight"]
    g_ema[f"{target}.conv.modulation.bias"] = state[f"{source}.affine.bias"]


def _rename_layer(state: State, source: str, g_ema: State, target: str, noise_index: int) -> None:
    _rename_convolution(state, source, g_ema, target)
    g_ema[f"{target}.activate.bias"] = state[f"{source}.bias"]
    g_ema[f"{target}.noise.weight"] = state[f"{source}.noise_strength"].reshape(1)
    g_ema[f"noises.noise_{noise_index}"] = state[f"{source}.noise_const"][None, None]
