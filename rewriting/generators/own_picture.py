"""Pictures in requests: numbers, and own pictures, which were inverted at a layer."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rewriting.checks import brief, is_number, is_whole
from rewriting.generators.latents import MAX_SEED
from rewriting.generators.layer_input import LayerInput

if TYPE_CHECKING:
    from torch import Tensor

DIGEST = re.compile(r"[0-9a-f]{64}")
SHORT = 8  # digits of a digest that people are shown
GOOD, ROUGH = 30.0, 25.0  # dB from which a drawing looks like its picture, and from which it resembles it
NEARNESS = ((GOOD + 4, "almost exactly"), (GOOD, "closely"), (ROUGH, "roughly"))  # from so many dB on


@dataclass(frozen=True, eq=False)
class OwnPicture:
    """An own picture, and the features with which a generator draws it: the input of one of its layers.

    It can stand for the number of a picture; two are equal if their digests are.
    image: uint8 (H, H, 3), the picture at the generator's resolution.
    generator: digest of the generator.
    layer: of the inversion; rules of this layer and of later ones can change the picture.
    latent: float32 (1, w_dim), the start of the inversion; (1, z_dim) of a Progressive GAN, and (1, 2 w_dim) of a
    StyleGAN1.
    at: the input of the layer, with key and skip rounded to half precision, as in files.
    psnr: of its drawing without rules, in dB.
    digest: sha256, in hex, of the picture and of its inversion.
    Raises ValueError if these do not fit together.
    """

    image: np.ndarray
    generator: str
    layer: int
    latent: Tensor
    at: LayerInput
    psnr: float
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        image = np.asarray(self.image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.shape[0] != image.shape[1]:
            raise ValueError(f"one's own picture is {image.dtype} {image.shape}; expected uint8 (H, H, 3).")
        if not isinstance(self.generator, str) or not DIGEST.fullmatch(self.generator):
            raise ValueError(f"one's own picture was found for {brief(self.generator)}, which is no digest.")
        if not is_whole(self.layer, 1, 32):
            raise ValueError(f"one's own picture arrives at layer {brief(self.layer)}; expected 1 to 32.")
        if not is_number(self.psnr, -1000, 1000):
            raise ValueError(f"one's own picture is drawn at {brief(self.psnr)} dB; expected a number.")
        object.__setattr__(self, "latent", self.latent.detach().float().cpu())
        object.__setattr__(self, "at", _rounded(self.at))
        if not all(tensor.isfinite().all() for tensor in self.tensors().values()):
            raise ValueError("one's own picture has features that are not finite; bring it again.")
        object.__setattr__(self, "digest", self._sha256())

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the inversion by name: latent, key and, if the architecture has them, style, later and rgb.

        later: the latent of the layers from this one on.  rgb: `LayerInput.skip`.
        """
        found = {"latent": self.latent, "key": self.at.key, "style": self.at.style}
        found |= {"later": self.at.latent, "rgb": self.at.skip}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def _sha256(self) -> str:
        sha = hashlib.sha256(f"{self.generator} layer {self.layer} {self.image.shape}\n".encode())
        sha.update(np.ascontiguousarray(self.image).tobytes())
        for name, tensor in self.tensors().items():
            sha.update(f"{name} {tuple(tensor.shape)}\n".encode())
            sha.update(tensor.contiguous().numpy().tobytes())
        return sha.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnPicture) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.digest[:SHORT]

    def __repr__(self) -> str:
        return f"OwnPicture({self}, layer {self.layer}, {self.psnr:.1f} dB)"


@dataclass(frozen=True)
class MissingPicture:
    """An own picture that is missing: a request came with only its digest."""

    digest: str

    def __post_init__(self) -> None:
        if not isinstance(self.digest, str) or not DIGEST.fullmatch(self.digest):
            raise ValueError(f"{brief(self.digest)} is no digest of a picture; expected 64 digits 0-9a-f.")

    def __str__(self) -> str:
        return self.digest[:SHORT]


Seed = int | OwnPicture | MissingPicture


def as_seed(value: Any) -> Seed:
    """A picture's number as an int, an own picture, or a missing one.  Raises ValueError for anything else."""
    if isinstance(value, (OwnPicture, MissingPicture)):
        return value
    if isinstance(value, str) and DIGEST.fullmatch(value):
        return MissingPicture(value)
    if not is_whole(value, 0, MAX_SEED):
        raise ValueError(f"picture number {brief(value)} is not a whole number from 0 to {MAX_SEED}.")
    return int(value)


def seed_json(seed: Seed) -> int | str:
    """The picture's name in a request's file: its number or its digest."""
    return seed if is_whole(seed) else seed.digest


def check_there(seed: Seed) -> None:
    """Raise ValueError for a missing picture."""
    if isinstance(seed, MissingPicture):
        raise ValueError(
            f"The rule was made with a picture that somebody brought ({seed}) and that did not come with it; the rule "
            f"still applies, but it cannot be changed again."
        )


def likeness(who: str, psnr: float) -> str:
    """A sentence on the likeness of a generator's drawing, with its dB.  who: the generator's name."""
    for least, words in NEARNESS:
        if psnr >= least:
            return f"{who} draws it {words} ({round(psnr, 1):g} dB)."
    return f"{who} cannot draw it: this is its nearest picture ({round(psnr, 1):g} dB). Rules still change it."


def _rounded(at: LayerInput) -> LayerInput:
    def kept(tensor: Tensor | None, *, half: bool) -> Tensor | None:
        if tensor is None:
            return None
        tensor = tensor.detach().cpu()
        return tensor.clamp(-65504, 65504).half().contiguous() if half else tensor.float().contiguous()

    return LayerInput(
        kept(at.key, half=True), kept(at.style, half=False), kept(at.latent, half=False), kept(at.skip, half=True)
    )
