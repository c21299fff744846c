"""Public generators that can be converted, with their places, sizes, licences and layers.

Digests come from the publishers, often only the first 8 digits (as part of the file's name).  Sizes are rounded.
Layers are those of the paper's authors for such edits; their default is 8.  Some addresses may no longer work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType

NVIDIA = "nvidia-source-code-license-nc"  # non-commercial; copies must carry the licence's text
UNKNOWN = "unknown"
OBJECTS: Mapping[str, int] = MappingProxyType({"objects": 8})
FACES: Mapping[str, int] = MappingProxyType({"smiles": 6, "hair": 10, "objects": 8})
CHURCHES: Mapping[str, int] = MappingProxyType({"domes, spires, trees": 8, "watermarks": 6})
HORSES: Mapping[str, int] = MappingProxyType({"hats, ears": 8, "leg wear": 7})
PAPER = "http://rewriting.csail.mit.edu/data/models/stylegan2_"
DISSECTION = "http://gandissect.csail.mit.edu/models/proggan_"
DISSECTION_2 = "https://dissect.csail.mit.edu/models/proggan_"
NVIDIA_TF = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/stylegan2-"
NVIDIA_TF_2 = "https://d36zk2xti64re0.cloudfront.net/stylegan2/networks/stylegan2-"
NVIDIA_ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/"
SELF_DISTILLED = "https://storage.googleapis.com/self-distilled-stylegan/"


@dataclass(frozen=True)
class Download:
    """A place of a file: an http(s) address, or org/name/path on the Hub.  sha256: the beginning of its digest."""

    address: str
    sha256: str = ""


@dataclass(frozen=True)
class KnownModel:
    """A known model.  name: for the command line.  places: of the same generator, in order of preference, perhaps in
    several layouts.  layout: as `convert` reports it.  megabytes: of the file at the first place.  truncation: the
    recommended psi.  layers: {object to change: layer}; the first is the default."""

    name: str
    shows: str
    layout: str
    resolution: int
    megabytes: int
    places: tuple[Download, ...]
    license: str = NVIDIA
    truncation: float = 0.7
    layers: Mapping[str, int] = field(default_factory=lambda: OBJECTS)

    @property
    def default_layer(self) -> int:
        return next(iter(self.layers.values()))

    @property
    def command(self) -> str:
        """The command that fetches and converts the model."""
        return f"python -m rewriting convert {self.name} {self.name}"


def _paper(domain: str, digest: str, shows: str, resolution: int, **details) -> KnownModel:
    """A StyleGAN2 of the paper, in rosinality's layout; under NVIDIA's licence where NVIDIA published that domain."""
    megabytes = {256: 120, 512: 122, 1024: 122}[resolution]
    places = (Download(f"{PAPER}{domain}-{digest}.pt", digest),)
    return KnownModel(f"paper-{domain}", shows, "rosinality", resolution, megabytes, places, truncation=0.5, **details)


def _progan(domain: str, digest: str, shows: str, resolution: int = 256) -> KnownModel:
    """A Progressive GAN of GAN dissection, converted from NVIDIA's."""
    name = f"{domain}-{digest}.pth"
    places = (Download(DISSECTION + name, digest), Download(DISSECTION_2 + name, digest))
    return KnownModel(f"progan-{domain}", shows, "Progressive GAN", resolution, 92, places, UNKNOWN, 1.0)


def _config_f(
    domain: str, shows: str, resolution: int, megabytes: int, copied: str, pickled: str, **details
) -> KnownModel:
    """NVIDIA's StyleGAN2 config F: small PyTorch copies on the Hub first, then the published TensorFlow pickles.

    copied, pickled: the beginnings of the digests of the copies and of the pickles on the Hub.
    """
    copy, pickle = f"stylegan2-{domain}-config-f.pt", f"{domain}-config-f.pkl"
    places = (
        Download(f"ZeqiangLai/StyleGAN2/{copy}", copied),
        Download(f"camenduru/StyleGAN2/{copy}", copied),
        Download(NVIDIA_TF + pickle),
        Download(f"ZeqiangLai/StyleGAN2-pkl/stylegan2/stylegan2-{pickle}", pickled),
        Download(NVIDIA_TF_2 + pickle),
    )
    return KnownModel(f"stylegan2-{domain}", shows, "rosinality", resolution, megabytes, places, **details)


def _ada(domain: str, shows: str, resolution: int, megabytes: int, **details) -> KnownModel:
    """NVIDIA's StyleGAN2-ADA: small PyTorch copies on the Hub first, then the published PyTorch pickles."""
    places = (Download(f"ZeqiangLai/StyleGAN2/ada/{domain}.pt"), Download(f"{NVIDIA_ADA}{domain}.pkl"))
    return KnownModel(f"ada-{domain}", shows, "rosinality", resolution, megabytes, places, **details)


def _distilled(domain: str, shows: str, resolution: int, megabytes: int, digest: str = "") -> KnownModel:
    """Self-distilled StyleGAN (Mokady et al., 2022): small PyTorch copies first, then the published pickles."""
    pickle = f"{domain}_{resolution}_pytorch.pkl"
    places = (
        Download(f"ZeqiangLai/StyleGAN2/self_distill/{domain}_{resolution}.pt"),
        Download(SELF_DISTILLED + pickle),
        Download(f"DragGan/DragGan-Models/stylegan2_{pickle}", digest),
    )
    return KnownModel(f"distilled-{domain}", shows, "rosinality", resolution, megabytes, places, UNKNOWN)


KNOWN_MODELS: tuple[KnownModel, ...] = (
    _paper("church", "e8ca9fd0", "churches (LSUN)", 256, layers=CHURCHES),
    _paper("horse", "499b5380", "horses (LSUN)", 256, layers=HORSES),
    _paper("faces", "2858cc2e", "faces (FFHQ)", 1024, layers=FACES),
    _paper("kitchen", "b3a526e9", "kitchens (LSUN)", 256, license=UNKNOWN),
    _paper("bedroom", "6fa55a6e", "bedrooms (LSUN)", 256, license=UNKNOWN),
    _paper("places", "a3b72d71", "places of all kinds (Places365)", 256, license=UNKNOWN),
    _paper("car", "3659b4b6", "cars (LSUN)", 512),
    _paper("cat", "d8dc98b2", "cats (LSUN)", 256),
    _progan("kitchen", "67f1e16c", "kitchens (LSUN)"),
    _progan("churchoutdoor", "7e701dd5", "churches (LSUN)"),
    _progan("bedroom", "d8a89ff1", "bedrooms (LSUN)"),
    _progan("conferenceroom", "21e85882", "conference rooms (LSUN)"),
    _progan("diningroom", "3aa0ab80", "dining rooms (LSUN)"),
    _progan("livingroom", "5ef336dd", "living rooms (LSUN)"),
    _progan("restaurant", "b8578299", "restaurants (LSUN)"),
    _progan("celebhq", "620d161c", "faces (CelebA-HQ)", 1024),
    _config_f("church", "churches (LSUN)", 256, 121, "596f59f0", "4090c5f8", layers=CHURCHES),
    _config_f("horse", "horses (LSUN)", 256, 121, "894bc6a0", "cbc73372", layers=HORSES),
    _config_f("cat", "cats (LSUN)", 256, 121, "ff103687", "08940fd6"),
    _config_f("car", "cars (LSUN)", 512, 124, "c69f161f", "e1618eee"),
    _config_f("ffhq", "faces (FFHQ)", 1024, 133, "646c7e7c", "adf127ea", layers=FACES),
    _ada("ffhq", "faces (FFHQ)", 1024, 133, layers=FACES),
    _ada("afhqcat", "cats' heads (AFHQ)", 512, 124),
    _ada("afhqdog", "dogs' heads (AFHQ)", 512, 124),
    _ada("afhqwild", "wild animals' heads (AFHQ)", 512, 124),
    _ada("brecahad", "tissue under the microscope (BreCaHAD)", 512, 124),
    _ada("metfaces", "painted and carved faces (MetFaces)", 1024, 133, layers=FACES),
    _distilled("horses", "horses, from the web", 256, 121, "f100dc32"),
    _distilled("lions", "lions, from the web", 512, 124),
    _distilled("dogs", "dogs, from the web", 1024, 133),
)


def known_model(name: str) -> KnownModel | None:
    """The known model of that name; None for an unknown name."""
    return next((model for model in KNOWN_MODELS if model.name == name), None)


def known_file(filename: str, sha256: str) -> KnownModel | None:
    """The known model of a file's name and digest; None otherwise, also for generic names such as "ffhq.pt"."""
    for model in KNOWN_MODELS:
        for place in model.places:
            same = PurePosixPath(place.address).name == filename and filename.count("-")
            if same and sha256.startswith(place.sha256):
                return model
    return None


def rows() -> Iterator[tuple[str, ...]]:
    """The table of `models_table`, its heading first."""
    yield "name", "pictures", "px", "MB", "licence", "layers", "where"
    for model in KNOWN_MODELS:
        layers = ", ".join(f"{layer}: {what}" for what, layer in model.layers.items())
        where = model.places[0].address
        yield model.name, model.shows, str(model.resolution), f"~{model.megabytes}", model.license, layers, where


def models_table() -> str:
    """All known models as a table of text, with the command that fetches and converts one."""
    table = list(rows())
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]) - 1)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in table]
    return "\n".join([*lines, "", f"To fetch and convert one into a folder: {KNOWN_MODELS[0].command}"])
