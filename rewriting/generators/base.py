"""The interface of all generators that can be rewritten, for any architecture."""

from __future__ import annotations

import copy
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.checks import brief, is_whole, number, optional
from rewriting.deprecation import renamed
from rewriting.files import make_folder, write_json, write_tensors
from rewriting.generators.config import CONFIG, WEIGHTS, GeneratorConfig
from rewriting.generators.convolution import Replacement, Weight
from rewriting.generators.latents import latents
from rewriting.generators.layer_input import LayerInput
from rewriting.generators.own_picture import OwnPicture, Seed, check_there

Weights = Mapping[int, Weight]
EPSILON = 1e-8  # under roots that are divided by
LARGEST, BAND = 48 << 20, 10 << 20  # bytes of a feature map that is computed in bands, and of such a band
HALO = 2  # rows above and below: the receptive field of two layers


class LayerEdit(Protocol):
    """A change of one layer's weight, for `Generator.images` and `Generator.merge`; or of several layers, if it has
    `parts`, each a change of one layer."""

    layer: int

    def delta(self) -> Tensor:
        """(O, I, kh, kw), the addition to the stored weight, with the strength applied."""


class Activation(NamedTuple):
    """The end of a layer's value: gain y above 0, gain slope y below.  With slope and gain 1 the value is linear."""

    slope: float = 1.0
    gain: float = 1.0

    def __call__(self, y: Tensor) -> Tensor:
        return y if self.linear else F.leaky_relu(y, self.slope) * self.gain

    def derivative(self, y: Tensor) -> Tensor:
        return torch.where(y >= 0, self.gain, self.gain * self.slope)

    @property
    def linear(self) -> bool:
        return self == (1.0, 1.0)


class Generator(nn.Module, ABC):
    """A generator whose layers can be rewritten.

    An edit never changes its weights: every method that draws takes the changed weights as an argument.  A picture is
    a function of (weights, seed, truncation, class) alone: noise is fixed or off, and without gradients no picture
    depends on its batch.
    """

    config: GeneratorConfig
    activation = Activation()  # that a value ends with
    row_by_row = False  # whether the last two layers can run in bands of rows, with `HALO` rows around each
    truncates = True  # whether pictures can be drawn nearer to a mean picture

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        self.source: Any = None  # where it came from: `rewriting.hub.Source`, which loading leaves here
        self._digest: str | None = None
        self._batch_size: int | None = None

    # --- what an architecture implements --------------------------------------------------------------------------

    @abstractmethod
    def map(self, z: Tensor, truncation: float | None = None, label: int | Sequence[int] = 0) -> Tensor:
        """(B, z_dim) -> (B, w_dim), the input of the synthesis.  label: the class of all latents, or of each."""

    @abstractmethod
    def begin(self, latent: Tensor) -> LayerInput:
        """The input of the first editable layer.  latent: (B, w_dim), from `map`."""

    @abstractmethod
    def value(self, layer: int, at: LayerInput, weight: Weight | None = None, *, in_place: bool = False) -> Tensor:
        """Run one layer: (B, I, h, w) -> (B, O, h', w'), with its own weight or another one, (O, I, kh, kw).

        in_place: whether the value may overwrite the key.  This saves memory, and time for large maps, because the
        system hands out memory page by page.
        """

    def offset(self, layer: int) -> Tensor:
        """(1, O, 1, 1) or (1, O, h', w'): the addition before the layer's activation."""
        weight = self.conv(layer).weight
        return weight.new_zeros(1, weight.shape[-4], 1, 1)

    @abstractmethod
    def advance(self, layer: int, value: Tensor, at: LayerInput, *, in_place: bool = False) -> LayerInput:
        """From a layer's value to the next layer's input.  in_place: whether the input may overwrite the value."""

    @abstractmethod
    def picture(self, layer: int, value: Tensor, at: LayerInput) -> Tensor:
        """From the value of the last layer of a picture size to the picture, (B, 3, r, r), about [-1, 1]."""

    @abstractmethod
    def last_layer_for(self, size: int) -> int:
        """The last layer for a picture of that size."""

    @abstractmethod
    def conv(self, layer: int) -> Any:
        """The convolution of an editable layer: a module with

        weight: (O, I, kh, kw) as stored; scale: its factor at run time; upsample: whether the value has twice the
        key's size; demodulate: whether an output channel is divided by the norm of its modulated weight.
        kernel(weight): the kernel of `linear`, linear in the weight, with the scale.
        linear(key, kernel): (B, I, h, w) -> (B, O, h', w').  unchanged(key): the same with its own weight.
        energy(weight), with demodulation only: (O, I), the sum over taps of the scaled weight's square.
        """

    # --- what all of them share -----------------------------------------------------------------------------------

    @property
    def layers(self) -> range:
        """Numbers of the editable layers."""
        return range(self.config.first_layer, self.config.last_layer + 1)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def names(self) -> set[str]:
        """The names of this generator in requests: its name in the config, and its bundled name or Hub id."""
        return {self.config.name, getattr(self.source, "name", "")} - {""}

    @property
    def precision(self) -> str:
        """The type of the features: "float32" or "bfloat16".  Pictures of the two differ by little more than 1 of 255;
        at one precision they are the same for any number of threads, processes and pictures."""
        return str(self.compute_dtype).removeprefix("torch.")

    @property
    def batch_size(self) -> int:
        """The number of pictures in a batch, which bounds the memory and changes no picture.  It can be set.

        The default is 1 on a CPU, because the features of one picture stay in its caches, which is up to 1.5 times as
        fast.
        """
        return self._batch_size or (1 if self.device.type == "cpu" else 16)

    @batch_size.setter
    def batch_size(self, pictures: int) -> None:
        self._batch_size = pictures

    def check_layer(self, layer: int) -> int:
        """Return the layer's number.  Raises ValueError if it is not editable."""
        if not is_whole(layer) or layer not in self.layers:
            raise ValueError(
                f"layer {layer!r} of {self.config.name or 'this generator'} cannot be edited; "
                f"choose one from {self.layers.start} to {self.layers.stop - 1}."
            )
        return int(layer)

    def check_size(self, size: int | None) -> int:
        """Return `size`, or the full resolution for None.  Raises ValueError for an impossible size."""
        if size is None:
            return self.config.resolution
        if not is_whole(size) or size not in self.config.resolutions:
            raise ValueError(f"size {size!r} is not one that it draws; choose from {self.config.resolutions}.")
        return int(size)

    def check_truncation(self, truncation: float | None) -> float | None:
        """Return `truncation`, a number from 0 to 2, or the config's for None.  A generator without truncation takes
        None or 1, and the result is None.  Raises ValueError for any other value."""
        truncation = optional(number(0, 2))(truncation, "truncation")
        if self.truncates:
            return truncation
        if truncation not in (None, 1):
            raise ValueError(
                f"{self.config.name or 'This generator'} is a {self.config.architecture_name} and has no truncation; "
                f"leave out the truncation of {truncation:g}."
            )
        return None

    def check_label(self, label: int) -> int:
        """Return `label`, the number of a class: 0 to `classes` - 1, and 0 for a generator without classes.  Raises
        ValueError for any other value."""
        classes = self.config.classes
        if is_whole(label, 0, max(classes, 1) - 1):
            return int(label)
        name = self.config.name or "this generator"
        if not classes:
            raise ValueError(f"There is no class {brief(label)} of {name}, which has no classes; leave the class out.")
        raise ValueError(f"There is no class {brief(label)} of {name}; choose one from 0 to {classes - 1}.")

    def labels(self, label: int | Sequence[int], count: int) -> Tensor:
        """(count,): the class of each of `count` latents, from one for all of them or one for each."""
        each = label if isinstance(label, list | tuple) else [label] * count
        return torch.tensor([self.check_label(one) for one in each], dtype=torch.long, device=self.device)

    def every_class(self, numbers: Iterable[int]) -> list[int]:
        """A class for each picture number, all classes in turn: what is measured of all pictures includes all."""
        return [number % max(self.config.classes, 1) for number in numbers]

    def value_size(self, layer: int) -> int:
        """The side of a layer's value in positions."""
        return self.config.smallest << (layer - 1) // 2

    def key_size(self, layer: int) -> int:
        """The side of a layer's key in positions."""
        return self.value_size(layer) // (2 if self.conv(layer).upsample else 1)

    def value_margin(self, layer: int) -> int:
        """How many positions of a layer's value lie outside the picture, on each side; the rest covers it evenly."""
        return 0

    def key_margin(self, layer: int) -> int:
        """The same of its key."""
        return 0

    @property
    def draws_parts(self) -> bool:
        """Whether a part of a layer's key or value can be drawn alone, and what it draws is that part of the picture
        but for the edges."""
        return True

    def enter(self, latent: Tensor, layer: int, weights: Weights | None = None) -> LayerInput:
        """Run up to the input of a layer.  latent: (B, w_dim), from `map`."""
        at = self.begin(latent)
        for earlier in range(self.layers.start, self.check_layer(layer)):
            value = self.value(earlier, at, _pick(weights, earlier), in_place=True)
            at = self.advance(earlier, value, at, in_place=True)
        return at

    def enter_own(self, picture: OwnPicture, layer: int, weights: Weights | None = None) -> LayerInput:
        """The input of a layer for an own picture.

        Raises ValueError if it belongs to other weights, or starts after the layer or after a rewritten one.
        """
        self.check_own(picture, min((self.check_layer(layer), *(weights or ()))))
        found = picture.at
        skip = None if found.skip is None else found.skip.to(self.device, torch.float32)
        style, latent = (None if t is None else t.to(self.device) for t in (found.style, found.latent))
        at = LayerInput(found.key.to(self.device, self.compute_dtype), style, latent, skip)
        for earlier in range(picture.layer, layer):
            value = self.value(earlier, at, _pick(weights, earlier), in_place=True)
            at = self.advance(earlier, value, at, in_place=True)
        return replace(at, full_size=True)

    def input_shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """The shapes of a layer's input for one picture: {field of `LayerInput`: shape}."""
        return {"key": (1, self.conv(layer).weight.shape[-3], *[self.key_size(layer)] * 2)}

    def check_own(self, picture: OwnPicture, layer: int | None = None) -> None:
        """Raise ValueError if an own picture belongs to another generator, or starts after the layer."""
        if picture.generator != self.digest():
            raise ValueError(
                f"Your picture {picture} was found for other weights than those of "
                f"{self.config.name or 'this generator'}; invert it again with these."
            )
        if layer is not None and layer < picture.layer:
            raise ValueError(
                f"Your picture {picture} was inverted at layer {picture.layer}, and layer {layer} comes before that; "
                f"invert it again at layer {layer}."
            )
        found = {name: tuple(t.shape) for name, t in vars(picture.at).items() if hasattr(t, "shape")}
        if found != self.input_shapes(picture.layer) or len(picture.image) != self.config.resolution:
            raise ValueError(
                f"Your picture {picture}, of {len(picture.image)} px, has features of the shapes {found}; layer "
                f"{picture.layer} takes {self.input_shapes(picture.layer)} for {self.config.resolution} px."
            )

    def leave(
        self, layer: int, value: Tensor, at: LayerInput, weights: Weights | None = None, size: int | None = None
    ) -> Tensor:
        """Run from a layer's value to the picture, (B, 3, size, size), about [-1, 1].

        at: that layer's input.  size: as for `images`; a picture that is smaller than the value is averaged down.
        """
        size = self.check_size(size)
        last = self.layers[-1] if at.full_size else self.last_layer_for(max(size, self.value_size(layer)))
        for later in range(layer + 1, last + 1):
            at = self.advance(later - 1, value, at, in_place=later > layer + 1)  # the first is the caller's
            if later == last - 1 and (bands := self._bands(last, at)) > 1:
                rgb = self._in_bands(later, at, weights, bands)
                break
            value = self.value(later, at, _pick(weights, later), in_place=True)
        else:
            rgb = self.picture(last, value, at)
        return rgb if rgb.shape[-1] == size else F.avg_pool2d(rgb, rgb.shape[-1] // size)

    def _bands(self, last: int, at: LayerInput) -> int:
        """The number of bands of rows in which the last two layers run: 1 for small feature maps."""
        if not self.row_by_row or self.device.type != "cpu" or torch.is_grad_enabled() or at.origins:
            return 1
        size = len(at) * self.conv(last).weight.shape[-4] * self.value_size(last) ** 2 * at.key.element_size()
        return math.ceil(size / BAND) if size >= LARGEST else 1

    def _in_bands(self, layer: int, at: LayerInput, weights: Weights | None, bands: int) -> Tensor:
        """Run the last two layers, from `layer` on, one band of rows at a time -> (B, 3, r, r).

        The picture is the same, bit for bit, as from all rows at once: each band has the rows of its receptive field.
        """
        height, drawn = at.key.shape[2], []
        rows = math.ceil(height / bands / 2) * 2  # even: after upsampling, tiles of `winograd` have four rows
        for top in range(0, height, rows):
            above = min(HALO, top)
            part = at.rows(top - above, top + rows + HALO)
            value = self.value(layer, part, _pick(weights, layer))
            part = self.advance(layer, value, part, in_place=True)
            value = self.value(layer + 1, part, _pick(weights, layer + 1), in_place=True)
            rgb = self.picture(layer + 1, value, part)
            scale = rgb.shape[3] // at.key.shape[3]
            drawn.append(rgb[:, :, scale * above :][:, :, : scale * rows])
        return torch.cat(drawn, 2)

    def forward(
        self,
        z: Tensor,
        weights: Weights | None = None,
        truncation: float | None = None,
        size: int | None = None,
        label: int | Sequence[int] = 0,
    ) -> Tensor:
        """(B, z_dim) -> (B, 3, size, size), about [-1, 1].  weights: {layer: (O, I, kh, kw)} instead of its own."""
        return self.synthesise(self.map(z, truncation, label), weights, size)

    def synthesise(self, latent: Tensor, weights: Weights | None = None, size: int | None = None) -> Tensor:
        """(B, w_dim), from `map` -> (B, 3, size, size), about [-1, 1].  weights, size: as for `forward`."""
        at, first = self.begin(latent), self.layers.start
        return self.leave(first, self.value(first, at, _pick(weights, first)), at, weights, size)

    def overrides(self, edits: Iterable[LayerEdit] | LayerEdit | None) -> dict[int, Tensor]:
        """{layer: W0 + sum of the edits' deltas}, float32.

        The sum starts from W0 every time, in float64, so the result does not depend on earlier strengths and switches,
        nor, in float32, on the order of the edits of a layer.
        """
        deltas: dict[int, Tensor] = {}
        rules = (edits,) if hasattr(edits, "delta") else edits or ()
        for edit in chain.from_iterable(getattr(rule, "parts", (rule,)) for rule in rules):
            shape = self.conv(self.check_layer(edit.layer)).weight.shape[-4:]
            delta = edit.delta().to(self.device, torch.float64)
            if delta.shape != shape:
                raise ValueError(
                    f"an edit of layer {edit.layer} changes a weight of shape {tuple(delta.shape)}, but that of "
                    f"{self.config.name or 'this generator'} is {tuple(shape)}; it belongs to another generator."
                )
            if delta.any():  # one that is off leaves its layer, and all before it, as they are
                deltas[edit.layer] = deltas[edit.layer] + delta if edit.layer in deltas else delta
        # the weight first: a sum has the memory layout of its first term, and another layout rounds otherwise
        sums = {layer: self.conv(layer).weight.view_as(delta) + delta for layer, delta in deltas.items()}
        return {layer: weight.float().contiguous() for layer, weight in sums.items()}

    def replacements(self, edits: Iterable[LayerEdit] | LayerEdit | None) -> dict[int, Replacement]:
        """`overrides` for more than one picture: everything that the layers derive from them is computed once."""
        return {layer: Replacement(weight) for layer, weight in self.overrides(edits).items()}

    def latents(self, seeds: Sequence[int], seeding: str = "seed") -> Tensor:
        """Latents (N, z_dim) on the generator's device; see `rewriting.generators.latents`."""
        for seed in seeds:
            check_there(seed)
        return torch.from_numpy(latents(seeds, self.config.z_dim, seeding)).to(self.device)

    @torch.inference_mode()
    def images(
        self,
        seeds: Sequence[Seed],
        edits: Iterable[LayerEdit] | LayerEdit | None = None,
        size: int | None = None,
        *,
        truncation: float | None = None,
        seeding: str = "seed",
        label: int = 0,
    ) -> np.ndarray:
        """Draw pictures: seeds or own pictures -> uint8 (N, size, size, 3).

        edits: an edit, an `EditStack` or any iterable of edits.  size: 4, 8, ... up to the resolution, which is the
        default.
        truncation, seeding: of the seeds.  label: their class, of a generator with classes.
        Raises ValueError for a class that it lacks, and for an own picture that does not fit this generator, or starts
        after an edited layer.
        """
        size, truncation, label = self.check_size(size), self.check_truncation(truncation), self.check_label(label)
        weights = self.replacements(edits)
        own = [seed for seed in seeds if isinstance(seed, OwnPicture)]
        for picture in own:
            self.check_own(picture, min(weights, default=None))
        drawn = []
        for is_own, some in groupby(seeds, lambda seed: isinstance(seed, OwnPicture)):
            if is_own:
                drawn += [to_uint8(self._draw_own(picture, weights, size)) for picture in some]
            else:
                z = self.latents(list(some), seeding)
                drawn += [
                    to_uint8(self(chunk, weights, truncation, size, label)) for chunk in z.split(self.batch_size)
                ]
        return np.concatenate(drawn) if drawn else np.empty((0, size, size, 3), np.uint8)

    def _draw_own(self, picture: OwnPicture, weights: Weights, size: int) -> Tensor:
        at = self.enter_own(picture, picture.layer, weights)
        value = self.value(picture.layer, at, _pick(weights, picture.layer), in_place=True)
        return self.leave(picture.layer, value, at, weights, size)

    @torch.inference_mode()
    def interpolate(
        self,
        seeds: Sequence[int],
        at: float,
        edits: Iterable[LayerEdit] | LayerEdit | None = None,
        size: int | None = None,
        *,
        truncation: float | None = None,
        seeding: str = "seed",
        label: int = 0,
    ) -> np.ndarray:
        """One picture, uint8 (size, size, 3), on a closed path through the pictures `seeds`.

        at: the position on the path, from 0 to 1; picture n of N lies at n / N.  edits, size, truncation, seeding,
        label: as for `images`.  Neighbouring pictures are interpolated linearly in w, or in z for a generator without
        w.
        """
        size, truncation, label = self.check_size(size), self.check_truncation(truncation), self.check_label(label)
        stops, place = self.map(self.latents(seeds, seeding), truncation, label), at * len(seeds)
        start, share = int(place) % len(seeds), place % 1
        latent = torch.lerp(stops[start], stops[(start + 1) % len(seeds)], share)[None]
        return to_uint8(self.synthesise(latent, self.overrides(edits), size))[0]

    def walk(self, *arguments: Any, **settings: Any) -> np.ndarray:
        """The old name of `interpolate`."""
        renamed("Generator.walk", "Generator.interpolate")
        return self.interpolate(*arguments, **settings)

    def digest(self) -> str:
        """sha256 of the names, shapes and float32 values of all tensors: equal for equal weights in any file and on
        any device."""
        if self._digest is None:
            sha = hashlib.sha256()
            for name, tensor in sorted(self.state_dict().items()):
                sha.update(f"{name} {tuple(tensor.shape)}\n".encode())
                sha.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
            self._digest = sha.hexdigest()
        return self._digest

    def merge(self, edits: Iterable[LayerEdit] | LayerEdit) -> Generator:
        """A new generator with the edits in its weights; this one does not change."""
        merged = copy.deepcopy(self)
        with torch.no_grad():
            for layer, weight in self.overrides(edits).items():
                stored = merged.conv(layer).weight
                stored.copy_(weight.view_as(stored))
        merged.forget()
        return merged

    def save(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
        """Write config.json and model.safetensors into a folder, each completely or not at all; returns the folder."""
        folder = Path(folder)
        make_folder(folder)
        metadata = {"format": "pt", "library": "rewriting", "architecture": self.config.architecture}
        tensors = {name: tensor.detach().to("cpu", dtype) for name, tensor in self.state_dict().items()}
        write_tensors(folder / WEIGHTS, tensors, metadata)
        write_json(folder / CONFIG, self.config.to_json())
        return folder

    def computing_in(self, dtype: torch.dtype) -> Generator:
        """A generator with the same weights that computes its features in another dtype."""
        other = copy.copy(self)
        other.compute_dtype = dtype
        return other

    def forget(self) -> None:
        """Drop everything derived from the weights, after they have changed."""
        self._digest = None
        self.forget_kernels()

    def forget_kernels(self) -> None:
        """Free the prepared kernels, up to 1.6 times the weights; the next picture prepares them again."""
        for module in self.modules():
            if module is not self and hasattr(module, "forget"):
                module.forget()

    def load_state_dict(self, *args, **kwargs):  # noqa: ANN002, ANN003, ANN201 - nn.Module's own signature
        result = super().load_state_dict(*args, **kwargs)
        self.forget()
        return result

    def _apply(self, fn, recurse=True):  # noqa: ANN001, ANN202 - nn.Module's own signature
        result = super()._apply(fn, recurse)  # to another device or type: other kernels, but equal weights
        self.forget_kernels()
        return result


def standard_normal(*shape: int, std: float = 1.0) -> Tensor:
    """Random weights; on the meta device, where a module only needs its shapes, empty ones.

    PyTorch's own function would first import its program tracing there, which doubles the time of the start.
    """
    drawn = torch.empty(*shape)
    return drawn if drawn.is_meta else drawn.normal_(std=std)


def _pick(weights: Weights | None, layer: int) -> Weight | None:
    return weights.get(layer) if weights else None


def to_uint8(rgb: Tensor) -> np.ndarray:
    """(B, 3, h, w) in [-1, 1] -> uint8 (B, h, w, 3)."""
    return rgb.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
