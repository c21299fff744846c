"""The architecture and defaults of a generator: the checked content of a generator repo's `config.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from rewriting.checks import brief, check_fields, flag, listing, number, one_of, string, table, whole
from rewriting.generators.sampling_rates import Sampling
from rewriting.installation import DATA

if TYPE_CHECKING:
    import numpy as np

FORMAT = "rewriting-generator"
FORMAT_VERSION = 1
# The files of a generator repo.
CONFIG, WEIGHTS, MOMENTS = "config.json", "model.safetensors", "second_moments.safetensors"
SELECTION = "selection.safetensors"
BUNDLED = DATA / "weights"  # the folders of those that come with the software
BLOCKS = ("skip", "orig", "resnet")  # of a StyleGAN2
LOW_PASS = (1.0, 3.0, 3.0, 1.0)  # the usual filter of its upsampling
MAX_TAPS = 16
SMALLEST = (4, 4)  # height and width of its learned constant
MAX_CONSTANT = 16
# Fields of a StyleGAN2 alone, with the usual value of each.
STYLEGAN2 = {"blocks": "skip", "resample_filter": LOW_PASS, "constant": SMALLEST, "label_concat": False}
ARCHITECTURE_NAMES = {
    "stylegan1": "StyleGAN1",
    "stylegan2": "StyleGAN2",
    "stylegan3": "StyleGAN3",
    "proggan": "Progressive GAN",
}
MAX_RESOLUTION = 2048
MAX_WIDTH = 4096
MAX_LAYERS = 32  # of a StyleGAN3
MAX_CLASSES = 1 << 15
COARSE = 32  # positions from edge to edge of the value of the layer that usually suits objects


def bundled() -> list[str]:
    """The names of the bundled generators."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}"))


TAKES = {
    "architecture": one_of(*ARCHITECTURE_NAMES),
    "resolution": whole(8, MAX_RESOLUTION),
    "z_dim": whole(1, MAX_WIDTH),
    "channels": table,
    "truncation": number(0, 2),
    "classes": whole(0, MAX_CLASSES),
    "noise": flag,
    "blocks": one_of(*BLOCKS),
    "resample_filter": listing(number(-1e6, 1e6), MAX_TAPS),
    "label_concat": flag,
    "constant": listing(whole(1, MAX_CONSTANT), 2),
    **dict.fromkeys(("name", "license", "description"), string),
}


def smallest_side(constant: Sequence[int]) -> int:
    """The smallest power of two, from 4 on, in which a constant of that height and width has room."""
    return max(4, 1 << (max(constant) - 1).bit_length())


@dataclass(frozen=True)
class GeneratorConfig:
    """Architecture and defaults of a generator.

    architecture: of Karras et al., "proggan" (ICLR 2018), "stylegan1" (CVPR 2019), "stylegan2" (CVPR 2020) or
    "stylegan3" (NeurIPS 2021).
    resolution: side of its pictures in pixels, a power of two from 8 to 2048.
    z_dim: width of the latent z.
    channels: feature channels at each of the `resolutions`, usually 4, 8, ..., `resolution`; of each layer 0,
    1, ... of a StyleGAN3.
    w_dim, mapping_layers: width and depth of a StyleGAN's mapping network; 0 for a Progressive GAN.
    classes: how many classes a StyleGAN2 or 3 draws, each by its number from 0; 0 for a generator without classes.
    truncation: psi of the truncation trick, w' = mean + psi (w - mean); 1 leaves w alone.
    default_layer: the layer edited when nobody names one; by default 8, which suits most objects (paper, section 5),
    or one of its size of a StyleGAN3.
    noise: StyleGAN2 only: the file holds fixed noise maps, which every picture adds.
    blocks: StyleGAN2 only: "skip", where every size adds to the picture; "orig", where only the largest makes colours;
    or "resnet", "orig" with residual blocks.
    label_concat: StyleGAN2 only: a class is a vector as wide as z, and both are normalised together, as in the first
    version in TensorFlow; else they are normalised each.
    constant: StyleGAN2 only: height and width of its learned constant.  Pictures that are not square lie in the middle
    of a square, whose side is the resolution; see `frame`.
    resample_filter: StyleGAN2 only: the taps of its low-pass filter, of any sum but 0.
    sampling: StyleGAN3 only: what its layers have in common, also taken as a table of what is not usual.
    name, license, description: shown to people.

    Raises ValueError, in one sentence, where a value is impossible.
    """

    architecture: str
    resolution: int
    z_dim: int
    channels: Mapping[int, int]
    w_dim: int = 0
    mapping_layers: int = 0
    truncation: float = 1.0
    default_layer: int | None = None
    noise: bool = False
    blocks: str = "skip"
    resample_filter: Sequence[float] = LOW_PASS
    constant: Sequence[int] = SMALLEST
    label_concat: bool = False
    sampling: Sampling | Mapping[str, Any] | None = None
    classes: int = 0
    name: str = ""
    license: str = "other"
    description: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        check_fields(self, TAKES)
        if self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution {self.resolution} is not a power of two; use 64, 128, 256, 512 or 1024.")
        self._check_stylegan2()
        self._check_channels()
        if self.architecture != "proggan":
            check_fields(self, {"w_dim": whole(1, MAX_WIDTH), "mapping_layers": whole(1, 32)})
        if self.classes and self.architecture in ("proggan", "stylegan1"):
            raise ValueError(f"classes is {self.classes}, but a {self.architecture_name} has none; leave it out.")
        if self.architecture == "stylegan3":
            if not isinstance(self.sampling, Sampling):
                object.__setattr__(self, "sampling", Sampling.of(table(self.sampling or {}, "sampling")))
            self.sampling.bands(self.resolution, len(self.channels))  # raises where that cannot be
        elif self.sampling is not None:
            raise ValueError(f"sampling is of a StyleGAN3 alone; leave it out for a {self.architecture_name}.")
        if self.default_layer is None:
            object.__setattr__(self, "default_layer", self._usual_layer())
        check_fields(self, {"default_layer": whole(self.first_layer, self.last_layer)})

    def _check_stylegan2(self) -> None:
        taps, constant = tuple(self.resample_filter), tuple(self.constant)
        object.__setattr__(self, "resample_filter", taps)
        object.__setattr__(self, "constant", constant)
        if not abs(sum(taps)) > 1e-3 * sum(map(abs, taps)):
            raise ValueError(f"resample_filter {brief(list(taps))} has the sum {sum(taps):g}; it lets nothing pass.")
        if len(constant) != 2 or self.resolution < 2 * self.smallest:
            raise ValueError(
                f"constant is {brief(list(constant))}; expected height and width, both at most half of the resolution "
                f"{self.resolution}."
            )
        if self.label_concat and not self.classes:
            raise ValueError("label_concat is true without classes; leave it out, or give the number of classes.")
        for name, usual in STYLEGAN2.items():
            if self.architecture != "stylegan2" and getattr(self, name) != usual:
                raise ValueError(f"{name} is of a StyleGAN2 alone; leave it out for a {self.architecture_name}.")

    def _usual_layer(self) -> int:
        """8, or, of a StyleGAN3, the last whose value is as coarse as that layer's: 32 positions to the picture."""
        if self.architecture != "stylegan3":
            return min(8, self.last_layer)
        bands = self.sampling.bands(self.resolution, len(self.channels))
        coarse = [n for n in range(self.first_layer, self.last_layer + 1) if bands[n - 1].rate <= COARSE]
        return coarse[-1] if coarse else self.first_layer

    def _check_channels(self) -> None:
        try:
            channels = {int(size): width for size, width in self.channels.items()}
        except (TypeError, ValueError):
            raise ValueError(f"channels has a key that is no number among {brief(list(self.channels))}.") from None
        found, width = sorted(channels), whole(1, MAX_WIDTH)
        if self.architecture == "stylegan3":
            expected, where = list(range(len(found))), "channels of layer {}"
            whole(3, MAX_LAYERS)(len(found), "the number of layers in channels")
        else:
            expected, where = self.resolutions, "channels at {} px"
        if found != expected:
            what = "layers" if self.architecture == "stylegan3" else "resolutions"
            raise ValueError(f"channels names {what} {brief(found)}; expected {expected}.")
        checked = {key: width(channels[key], where.format(key)) for key in expected}
        object.__setattr__(self, "channels", checked)

    @property
    def architecture_name(self) -> str:
        """The name of the architecture for people, such as StyleGAN2 or Progressive GAN."""
        return ARCHITECTURE_NAMES[self.architecture]

    @property
    def smallest(self) -> int:
        """The side of the first maps."""
        return smallest_side(self.constant)

    @property
    def resolutions(self) -> list[int]:
        """[4, 8, ..., resolution], or from another smallest size on."""
        return [2**i for i in range(self.smallest.bit_length() - 1, self.resolution.bit_length())]

    @property
    def fills_square(self) -> bool:
        """Whether its pictures are square, so that nothing lies around them."""
        return self.constant == (self.smallest, self.smallest)

    def frame(self, side: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of a picture in the middle of a square of that side, one of `resolutions`."""
        if self.fills_square:
            return 0, 0, side, side
        (height, width), scale = self.constant, side // self.smallest
        top, left = ((self.smallest - n) // 2 * scale for n in (height, width))
        return top, left, top + height * scale, left + width * scale

    def framed(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures, (..., H, H, 3), without the grey around those that are not square: (..., h, w, 3)."""
        top, left, bottom, right = self.frame(pictures.shape[-2])
        return pictures[..., top:bottom, left:right, :]

    @property
    def first_layer(self) -> int:
        """The lowest editable layer.  Numbers follow the paper's code: StyleGAN2's layer 2 is `conv1`, layer N >= 3
        is `convs[N - 3]`; StyleGAN1 is numbered alike; a Progressive GAN's layer N is its N-th convolution.
        StyleGAN3's layer N is NVIDIA's LN."""
        return 1 if self.architecture == "stylegan3" else 2

    @property
    def last_layer(self) -> int:
        return len(self.channels) - 1 if self.architecture == "stylegan3" else 2 * len(self.resolutions)

    @property
    def layer_names(self) -> list[str]:
        """Of a StyleGAN3: NVIDIA's names of all its layers, that of the colours last."""
        bands, widths = self.sampling.bands(self.resolution, len(self.channels)), [*self.channels.values(), 3]
        return [f"L{n}_{band.size}_{width}" for n, (band, width) in enumerate(zip(bands, widths, strict=True))]

    def convolutions(self) -> list[tuple[int, int, int, int]]:
        """(inputs, outputs, side of the kernel, side of the map) of each, without the one to colours."""
        if self.architecture == "stylegan3":
            widths, kernel = list(self.channels.values()), self.sampling.kernel_size
            bands = self.sampling.bands(self.resolution, len(widths))
            before = [0, *range(len(widths) - 1)]
            return [(widths[b], widths[n], kernel, bands[b].size + kernel - 1) for n, b in enumerate(before)]
        found, before = [], self.z_dim
        for size, width in self.channels.items():
            found += [(before, width, 3, size), (width, width, 3, size)]
            found += [(before, width, 1, size // 2)] if self.blocks == "resnet" else []
            before = width
        return found

    @classmethod
    def from_json(cls, data: Any) -> GeneratorConfig:
        """The config from a parsed `config.json`.  Unknown keys go to `extra`, so that a file of a later version, or
        with notes, survives a round trip."""
        if not isinstance(data, Mapping):
            raise ValueError("config.json does not hold a JSON object; is this a generator repo?")
        if data.get("format") != FORMAT:
            raise ValueError(f"config.json says format {brief(data.get('format'))}; a generator repo says {FORMAT!r}.")
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"config.json has format_version {brief(data.get('format_version'))}; "
                f"this version reads {FORMAT_VERSION}."
            )
        known = {f.name for f in fields(cls)} - {"extra"}
        missing = {"architecture", "resolution", "z_dim", "channels"} - data.keys()
        if missing:
            raise ValueError(f"config.json lacks {', '.join(sorted(missing))}.")
        extra = {k: v for k, v in data.items() if k not in known | {"format", "format_version"}}
        return cls(**{k: v for k, v in data.items() if k in known}, extra=extra)

    def to_json(self) -> dict[str, Any]:
        usual = {"sampling": None, "classes": 0, **STYLEGAN2}
        left_out = {"extra", *(name for name, value in usual.items() if getattr(self, name) == value)}
        data = {k: v for k, v in asdict(self).items() if k not in left_out}
        data["channels"] = {str(size): width for size, width in self.channels.items()}
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **data, **self.extra}
