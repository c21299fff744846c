"""A StyleGAN3 generator, configurations T and R, over the flat state dict of NVIDIA's code (`G_ema.state_dict()`).

Written from the paper's definitions (section 3, Appendix C): a modulated convolution whose weights are scaled picture
by picture, zeros between the samples, padding, a FIR filter at gain up^2, the leaky ReLU, and a FIR filter of which
every down-th output is kept.  Filters are read from the state, and designed anew by `random_state`.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True)
class Settings:
    """The constructor's arguments that are not shapes, under NVIDIA's names."""

    img_resolution: int = 32
    num_layers: int = 4
    num_critical: int = 2
    first_cutoff: float = 2
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: int = 10
    output_scale: float = 0.25
    conv_kernel: int = 3
    filter_size: int = 6
    lrelu_upsampling: int = 2
    use_radial_filters: bool = False
    conv_clamp: float | None = 256

    def schedule(self) -> list[tuple[float, float, int, int]]:
        """(cutoff, half-width of the transition, sampling rate, size) of every layer's output."""
        last = self.img_resolution / 2
        rows = []
        for i in range(self.num_layers + 1):
            t = min(i / (self.num_layers - self.num_critical), 1)
            cutoff = self.first_cutoff ** (1 - t) * last**t
            stopband = self.first_stopband ** (1 - t) * (last * self.last_stopband_rel) ** t
            rate = 1
            while rate < min(2 * stopband, self.img_resolution):
                rate *= 2
            size = self.img_resolution if i >= self.num_layers - 1 else rate + 2 * self.margin_size
            rows.append((cutoff, max(stopband, rate / 2) - cutoff, rate, size))
        return rows

    def names(self, widths: list[int]) -> list[str]:
        rows = zip(self.schedule(), widths, strict=True)
        return [f"synthesis.L{i}_{size}_{width}" for i, ((_, _, _, size), width) in enumerate(rows)]

    def factors(self, i: int) -> tuple[int, int]:
        """(up, down) of layer i."""
        schedule = self.schedule()
        before, after = schedule[max(i - 1, 0)][2], schedule[i][2]
        between = max(before, after) * (1 if i == self.num_layers else self.lrelu_upsampling)
        return between // before, between // after


T, R = Settings(), Settings(conv_kernel=1, use_radial_filters=True)


def kaiser_filter(taps: int, cutoff: float, half_width: float, rate: float, radial: bool) -> np.ndarray:
    """A windowed sinc (or jinc, in two dimensions) whose values sum to 1."""
    attenuation = 2.285 * (taps - 1) * math.pi * (2 * half_width) / (rate / 2) + 7.95
    beta = 0.0
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    window = np.array([np.i0(beta * math.sqrt(1 - (2 * n / (taps - 1) - 1) ** 2)) / np.i0(beta) for n in range(taps)])
    seconds = [(n - (taps - 1) / 2) / rate for n in range(taps)]
    if not radial:
        ideal = np.array(
            [2 * cutoff if s == 0 else math.sin(2 * math.pi * cutoff * s) / (math.pi * s) for s in seconds]
        )
        return ideal * window / (ideal * window).sum()
    radii = np.array([[math.hypot(a, b) for b in seconds] for a in seconds])
    jinc = cutoff * bessel(2 * math.pi * cutoff * radii) / radii * np.outer(window, window)
    return jinc / jinc.sum()


def bessel(x: np.ndarray) -> np.ndarray:
    """J1 by its power series, which float64 holds for the small arguments here."""
    total, term = np.zeros_like(x), x / 2
    for k in range(1, 60):
        total, term = total + term, -term * (x / 2) ** 2 / (k * (k + 1))
    return total


# --- the network -----------------------------------------------------------------------------------------------------


def fully_connected(state: State, prefix: str, x: Tensor, rate: float = 1.0) -> Tensor:
    weight = state[f"{prefix}.weight"]
    return x @ (weight * (rate / math.sqrt(weight.shape[1]))).T + rate * state[f"{prefix}.bias"]


def map_latent(state: State, z: Tensor, truncation: float = 1.0, label: int | None = None) -> Tensor:
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    if label is not None:
        one_hot = F.one_hot(torch.full((len(z),), label), state["mapping.embed.weight"].shape[1]).to(z.dtype)
        y = fully_connected(state, "mapping.embed", one_hot)
        x = torch.cat([x, y / (y.square().mean(1, keepdim=True) + 1e-8).sqrt()], 1)
    index = 0
    while f"mapping.fc{index}.weight" in state:
        x = F.leaky_relu(fully_connected(state, f"mapping.fc{index}", x, 0.01), 0.2) * math.sqrt(2)
        index += 1
    return state["mapping.w_avg"] + truncation * (x - state["mapping.w_avg"])


def fourier_features(state: State, w: Tensor, settings: Settings) -> Tensor:
    """One picture's: (1, w_dim) -> (1, C, size, size)."""
    cutoff, _, rate, size = settings.schedule()[0]
    r_c, r_s, t_x, t_y = (fully_connected(state, "synthesis.input.affine", w)[0]).tolist()
    length = math.hypot(r_c, r_s)
    r_c, r_s, t_x, t_y = (one / length for one in (r_c, r_s, t_x, t_y))
    rotation = w.new_tensor([[r_c, -r_s, 0], [r_s, r_c, 0], [0, 0, 1]])
    translation = w.new_tensor([[1, 0, -t_x], [0, 1, -t_y], [0, 0, 1]])
    matrix = rotation @ translation @ state["synthesis.input.transform"]
    freqs, phases = state["synthesis.input.freqs"], state["synthesis.input.phases"]
    phases = phases + freqs @ matrix[:2, 2]
    freqs = freqs @ matrix[:2, :2]
    amplitude = (1 - (freqs.square().sum(1).sqrt() - cutoff) / (rate / 2 - cutoff)).clamp(0, 1)
    centres = (torch.arange(size, dtype=w.dtype) + 0.5 - size / 2) / rate
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    features = torch.sin(2 * math.pi * (x[..., None] * freqs[:, 0] + y[..., None] * freqs[:, 1] + phases)) * amplitude
    mixed = features @ (state["synthesis.input.weight"] / math.sqrt(len(phases))).T
    return mixed.permute(2, 0, 1)[None]


def upfirdn(x: Tensor, fir: Tensor | None, up: int, down: int, pad: tuple[int, int], gain: float) -> Tensor:
    """Zeros between, padding or cropping, a true convolution, and every down-th sample."""
    channels, height, width = x.shape[1:]
    stuffed = x.new_zeros(1, channels, height * up, width * up)
    stuffed[:, :, ::up, ::up] = x
    padded = F.pad(stuffed, (*pad, *pad))
    if fir is not None:
        fir = torch.outer(fir, fir) if fir.dim() == 1 else fir
        kernel = gain * fir.flip(0, 1)[None, None].expand(channels, 1, -1, -1)
        padded = F.conv2d(padded, kernel, groups=channels)
    return padded[:, :, ::down, ::down]


def modulated(state: State, name: str, x: Tensor, w: Tensor, settings: Settings, *, colours: bool) -> Tensor:
    """The convolution and its bias."""
    weight, style = state[f"{name}.weight"], fully_connected(state, f"{name}.affine", w)[0]
    kernel = weight.shape[2]
    if colours:
        modulated_weight = weight * (style / math.sqrt(weight.shape[1]))[:, None, None]
    else:
        weight = weight / weight.square().mean((1, 2, 3), keepdim=True).sqrt()
        modulated_weight = weight * (style / style.square().mean().sqrt())[:, None, None]
        norm = (modulated_weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        modulated_weight = modulated_weight / norm
    modulated_weight = modulated_weight / state[f"{name}.magnitude_ema"].sqrt()
    return F.conv2d(x, modulated_weight, state[f"{name}.bias"], padding=kernel - 1)


def convolved(key: Tensor, weight: Tensor, style: Tensor, bias: Tensor) -> Tensor:
    """A layer's value from its modulated key (1, I, h, w), for a style of unit mean square: (1, O, h', w')."""
    demodulation = (weight * style[0, :, None, None]).square().sum((1, 2, 3)).add(1e-12).rsqrt()
    return F.conv2d(key, weight * demodulation[:, None, None, None], bias, padding=weight.shape[2] - 1)


def layer(state: State, name: str, i: int, x: Tensor, w: Tensor, settings: Settings) -> Tensor:
    colours = i == settings.num_layers
    value = modulated(state, name, x, w, settings, colours=colours)
    return filtered(state, name, i, value, settings)


def filtered(state: State, name: str, i: int, value: Tensor, settings: Settings) -> Tensor:
    colours, (up, down) = i == settings.num_layers, settings.factors(i)
    first, second = state.get(f"{name}.up_filter"), state.get(f"{name}.down_filter")
    taps = [1 if one is None else len(one) for one in (first, second)]
    total = (settings.schedule()[i][3] - 1) * down + 1 - value.shape[-1] * up + sum(taps) - 2
    low = (total + up) // 2
    y = upfirdn(value, first, up, 1, (low, total - low), up**2)
    y = y if colours else torch.where(y >= 0, y, 0.2 * y) * math.sqrt(2)
    if settings.conv_clamp is not None:
        y = y.clamp(-settings.conv_clamp, settings.conv_clamp)
    return upfirdn(y, second, 1, down, (0, 0), 1)


def generate(state: State, z: Tensor, settings: Settings, truncation: float = 1.0, label: int | None = None) -> Tensor:
    """z (B, z_dim) -> pictures (B, C, R, R), picture by picture."""
    drawn = []
    for w in map_latent(state, z, truncation, label).split(1):
        x = fourier_features(state, w, settings)
        for i, name in enumerate(layer_names(state)):
            x = layer(state, name, i, x, w, settings)
        drawn.append(x * settings.output_scale)
    return torch.cat(drawn)


def layer_names(state: State) -> list[str]:
    names = {name.rsplit(".", 1)[0] for name in state if name.startswith("synthesis.L") and "affine" not in name}
    return sorted(names, key=lambda name: int(name.split("_")[0].removeprefix("synthesis.L")))


# --- random weights --------------------------------------------------------------------------------------------------


def default_widths(settings: Settings) -> list[int]:
    return [max(16 - 2 * i, 6) for i in range(settings.num_layers)]


def random_state(
    settings: Settings,
    *,
    z_dim: int = 20,
    w_dim: int = 28,
    mapping_layers: int = 2,
    widths: list[int] | None = None,
    img_channels: int = 3,
    classes: int = 0,
    seed: int = 0,
) -> State:
    """A random generator with every parameter and buffer of the layout.  widths: of the layers' outputs."""
    source = torch.Generator().manual_seed(seed)

    def normal(*shape: int, std: float = 1.0) -> Tensor:
        return std * torch.randn(shape, generator=source)

    outs = [*(widths or default_widths(settings)), img_channels]
    widths = outs[:-1]
    schedule = settings.schedule()
    state: State = {}
    if classes:
        state |= {"mapping.embed.weight": normal(w_dim, classes), "mapping.embed.bias": normal(w_dim, std=0.1)}
    for i in range(mapping_layers):
        joint = z_dim + (w_dim if classes else 0)
        state[f"mapping.fc{i}.weight"] = normal(w_dim, w_dim if i else joint, std=100)
        state[f"mapping.fc{i}.bias"] = normal(w_dim, std=10)
    state["mapping.w_avg"] = normal(w_dim, std=0.2)
    state |= {
        "synthesis.input.weight": normal(widths[0], widths[0]),
        "synthesis.input.affine.weight": normal(4, w_dim, std=0.3),
        "synthesis.input.affine.bias": torch.tensor([1.0, 0.2, 0.1, -0.1]),
        "synthesis.input.transform": torch.eye(3),
        "synthesis.input.freqs": normal(widths[0], 2),
        "synthesis.input.phases": normal(widths[0], std=0.3),
    }
    for i, name in enumerate(settings.names(outs)):
        inp, colours = widths[max(i - 1, 0)], i == settings.num_layers
        kernel = 1 if colours else settings.conv_kernel
        state |= {
            f"{name}.weight": normal(outs[i], inp, kernel, kernel, std=3.0 if colours else 1.0),
            f"{name}.bias": normal(outs[i], std=0.1),
            f"{name}.affine.weight": normal(inp, w_dim, std=0.3),
            f"{name}.affine.bias": 1 + normal(inp, std=0.1),
            f"{name}.magnitude_ema": 0.5 + torch.rand((), generator=source),
        }
        if not colours:
            state |= filters(name, i, settings, schedule)
    return state


def filters(name: str, i: int, settings: Settings, schedule: list) -> State:
    (up, down), before = settings.factors(i), schedule[max(i - 1, 0)]
    between, critical = before[2] * up, i >= settings.num_layers - settings.num_critical
    found = {}
    if up > 1:
        found["up_filter"] = kaiser_filter(settings.filter_size * up, before[0], before[1], between, False)
    if down > 1:
        radial = settings.use_radial_filters and not critical
        cutoff, half_width = schedule[i][:2]
        found["down_filter"] = kaiser_filter(settings.filter_size * down, cutoff, half_width, between, radial)
    return {f"{name}.{kind}": torch.tensor(one, dtype=torch.float32) for kind, one in found.items()}
