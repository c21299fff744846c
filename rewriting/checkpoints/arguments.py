"""Tables of the constructor arguments of NVIDIA's StyleGANs, with the values that are implemented here.

An argument that is ignored would give wrong pictures silently.  So every argument in a file is looked up in these
tables, and an unknown argument or value is refused by name.  The arguments are those of stylegan2-ada-pytorch
(`training/networks.py`), of the StyleGAN3 repo (`training/networks_stylegan2.py` and `networks_stylegan3.py`), and of
the TensorFlow versions (stylegan: `training/networks_stylegan.py`, stylegan2: `training/networks_stylegan2.py`,
stylegan2-ada: `training/networks.py`), in their order.  Rosinality's code records the settings of a whole training;
those of the generator are looked up.  The supported Progressive GANs record no arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rewriting.checkpoints.contents import CheckpointError, plain_facts, quoted
from rewriting.checks import is_number

ANY = None  # any value: the tensors show it, or no picture depends on it
RATE, CLAMP = "rate", "clamp"  # a number that `Arguments` stores for the conversion
KEPT = "kept"  # a number, or None, that `Arguments` stores under the argument's name
FILTER = "filter"  # the taps of the low-pass filter, which `Arguments` stores
NO_FILTER = {"resample_filter": [1], "resample_kernel": [1, 1]}  # the meaning of None
BLUR = (1, 2, 1)  # the filter of StyleGAN1
ARCHITECTURES, LEAKY, LINEAR = ("skip", "orig", "resnet"), ("lrelu",), ("linear",)
CHANNELS = (3, 1, 4)  # of pictures: colours, grey, and colours with alpha, which is left out
Values = tuple[Any, ...] | str | None
Table = Mapping[str, Values]


# --- PyTorch ---------------------------------------------------------------------------------------------------------

_FULLY_CONNECTED: Table = {
    "in_features": ANY,
    "out_features": ANY,
    "bias": (True,),
    "activation": ANY,  # depends on the layer, as the next one does: see `AFFINE` and `MAPPED`
    "lr_multiplier": ANY,
    "bias_init": ANY,
    "trainable": ANY,
}
AFFINE: Table = {**_FULLY_CONNECTED, "activation": LINEAR, "lr_multiplier": (1,)}
MAPPED: Table = {**_FULLY_CONNECTED, "activation": LEAKY, "lr_multiplier": RATE}
MAPPING: Table = {
    "z_dim": ANY,
    "c_dim": ANY,  # the number of classes; the conversion takes one
    "w_dim": ANY,
    "num_ws": ANY,
    "num_layers": ANY,
    "embed_features": ANY,
    "layer_features": ANY,
    "activation": LEAKY,
    "lr_multiplier": RATE,
    "w_avg_beta": ANY,
    "freeze_layers": ANY,
    "freeze_embed": ANY,
}
LAYER: Table = {
    "in_channels": ANY,
    "out_channels": ANY,
    "w_dim": ANY,
    "resolution": ANY,
    "kernel_size": (3,),
    "up": ANY,
    "use_noise": ANY,
    "activation": LEAKY,
    "resample_filter": FILTER,
    "conv_clamp": CLAMP,
    "channels_last": ANY,
    "init_res": ANY,  # of other people's versions: height and width of the constant, which the tensors show
}
SHORTCUT: Table = {  # of a residual block
    "in_channels": ANY,
    "out_channels": ANY,
    "kernel_size": (1,),
    "bias": (False,),
    "activation": LINEAR,
    "up": (2,),
    "down": (1,),
    "resample_filter": FILTER,
    "conv_clamp": (None,),
    "channels_last": ANY,
    "trainable": ANY,
}
TO_RGB: Table = {
    "in_channels": ANY,
    "out_channels": CHANNELS,
    "w_dim": ANY,
    "kernel_size": (1,),
    "conv_clamp": CLAMP,
    "channels_last": ANY,
}
BLOCK: Table = {
    "in_channels": ANY,
    "out_channels": ANY,
    "w_dim": ANY,
    "resolution": ANY,
    "img_channels": CHANNELS,
    "is_last": ANY,
    "architecture": ARCHITECTURES,
    "resample_filter": FILTER,
    "conv_clamp": CLAMP,
    "use_fp16": ANY,  # the precision; here it is the same choice for every generator
    "fp16_channels_last": ANY,
    "fused_modconv_default": ANY,  # one of two equivalent computations
    **{name: LAYER[name] for name in ("kernel_size", "use_noise", "activation", "init_res")},
}
SYNTHESIS: Table = {
    "w_dim": ANY,
    "img_resolution": ANY,
    "img_channels": CHANNELS,
    "channel_base": ANY,
    "channel_max": ANY,
    "num_fp16_res": ANY,
    **BLOCK,
}
_SIZES: Table = {"z_dim": ANY, "c_dim": ANY, "w_dim": ANY, "img_resolution": ANY, "img_channels": CHANNELS}
GENERATOR: Table = {
    **_SIZES,
    "mapping_kwargs": ANY,  # a table of its own
    "synthesis_kwargs": ANY,
    "epochs": ANY,  # of training, in other people's versions
    **{name: values for name, values in SYNTHESIS.items() if name not in _SIZES},  # where the StyleGAN3 repo has them
}
CLASSES: Mapping[str, Table] = MappingProxyType(
    {
        "Generator": GENERATOR,
        "MappingNetwork": MAPPING,
        "SynthesisNetwork": SYNTHESIS,
        "SynthesisBlock": BLOCK,
        "SynthesisLayer": LAYER,
        "Conv2dLayer": SHORTCUT,
        "ToRGBLayer": TO_RGB,
        "FullyConnectedLayer": AFFINE,
    }
)

# --- StyleGAN3 -------------------------------------------------------------------------------------------------------

_FULLY_CONNECTED3: Table = {  # in another order
    **{name: ANY for name in ("in_features", "out_features", "activation")},
    **{name: values for name, values in AFFINE.items() if name in ("bias", "lr_multiplier")},
    **dict.fromkeys(("weight_init", "bias_init", "trainable"), ANY),
}
AFFINE3: Table = {**_FULLY_CONNECTED3, "activation": LINEAR}
MAPPED3: Table = {**_FULLY_CONNECTED3, "activation": LEAKY, "lr_multiplier": RATE}
MAPPING3: Table = {
    name: values
    for name, values in MAPPING.items()
    if name
    in (
        "z_dim",
        "c_dim",
        "w_dim",
        "num_ws",
        "num_layers",
        "lr_multiplier",
        "w_avg_beta",
        "freeze_layers",
        "freeze_embed",
    )
}
INPUT3: Table = dict.fromkeys(("w_dim", "channels", "size", "sampling_rate", "bandwidth"), ANY)
# Common arguments of all layers, which the networks have, too, and pass on.
COMMON3: Table = {
    "conv_kernel": ANY,  # the tensors show it, and the next but one
    "filter_size": KEPT,
    "lrelu_upsampling": KEPT,
    "use_radial_filters": ANY,
    "conv_clamp": KEPT,
    "magnitude_ema_beta": ANY,
}
LAYER3: Table = {
    **dict.fromkeys(("w_dim", "is_torgb", "is_critically_sampled", "use_fp16", "in_channels", "out_channels"), ANY),
    **dict.fromkeys(("in_size", "out_size", "in_sampling_rate", "out_sampling_rate"), ANY),
    **dict.fromkeys(("in_cutoff", "out_cutoff", "in_half_width", "out_half_width"), ANY),
    **dict.fromkeys(COMMON3, ANY),
}
SYNTHESIS3: Table = {
    **dict.fromkeys(("w_dim", "img_resolution"), ANY),
    "img_channels": CHANNELS,
    **dict.fromkeys(("channel_base", "channel_max", "num_layers"), ANY),
    **dict.fromkeys(("num_critical", "first_cutoff", "first_stopband", "last_stopband_rel"), KEPT),
    **dict.fromkeys(("margin_size", "output_scale"), KEPT),
    "num_fp16_res": ANY,
    **COMMON3,
}
GENERATOR3: Table = {
    **_SIZES,
    **dict.fromkeys(("mapping_kwargs", "synthesis_kwargs"), ANY),
    **{name: values for name, values in SYNTHESIS3.items() if name not in _SIZES},
}
CLASSES3: Mapping[str, Table] = MappingProxyType(
    {
        "Generator": GENERATOR3,
        "MappingNetwork": MAPPING3,
        "SynthesisNetwork": SYNTHESIS3,
        "SynthesisInput": INPUT3,
        "SynthesisLayer": LAYER3,
        "FullyConnectedLayer": AFFINE3,
    }
)

# --- TensorFlow ------------------------------------------------------------------------------------------------------

SYNTHESES = ("G_synthesis_stylegan2", "G_synthesis", "G_synthesis_stylegan_revised")
FUNCTIONS = ("G_main", "G_mapping", *SYNTHESES)
TENSORFLOW: Table = {  # one table, because each of these functions passes its arguments on to the others
    # G_main: settings of drawing and training, which each call chooses again
    **dict.fromkeys(("truncation_psi", "truncation_cutoff", "truncation_psi_val", "truncation_cutoff_val"), ANY),
    **dict.fromkeys(("dlatent_avg_beta", "style_mixing_prob", "is_training", "is_validation"), ANY),
    **dict.fromkeys(("return_dlatents", "is_template_graph", "force_clean_graph"), ANY),
    "mapping_func": ("G_mapping",),
    "synthesis_func": SYNTHESES,
    # G_mapping
    "latent_size": ANY,
    "label_size": ANY,  # how many classes there are, of which the conversion takes one
    "dlatent_size": ANY,
    "dlatent_broadcast": ANY,
    "mapping_layers": ANY,
    "mapping_fmaps": ANY,
    "mapping_lrmul": RATE,
    "mapping_nonlinearity": LEAKY,
    "normalize_latents": (True,),
    "label_fmaps": ANY,
    "dtype": ("float32", "float16"),
    # G_synthesis_stylegan2, and G_synthesis of stylegan2-ada
    "num_channels": CHANNELS,
    **dict.fromkeys(("resolution", "fmap_base", "fmap_decay", "fmap_min", "fmap_max", "fmap_const"), ANY),
    "use_noise": ANY,
    "randomize_noise": ANY,
    "architecture": ARCHITECTURES,
    "nonlinearity": LEAKY,
    "num_fp16_res": ANY,
    "conv_clamp": CLAMP,
    "resample_kernel": FILTER,
    "init_res": ANY,
    "fused_modconv": ANY,
    "structure": ANY,  # of progressive growing, which changes no picture of a generator that is grown
}
PAPER: Table = {  # of the function that builds the Progressive GAN
    "num_channels": CHANNELS,
    "resolution": ANY,
    "label_size": (0, None),
    **dict.fromkeys(("fmap_base", "fmap_decay", "fmap_max", "latent_size"), ANY),
    **dict.fromkeys(("normalize_latents", "use_wscale", "use_pixelnorm", "use_leakyrelu"), (True,)),
    "pixelnorm_epsilon": (1e-8,),
    "dtype": ("float32", "float16"),
    **dict.fromkeys(("fused_scale", "structure", "is_template_graph"), ANY),
}
STYLE: Table = {  # of the functions that build StyleGAN1: G_style, G_mapping, and its own G_synthesis
    **{
        name: values
        for name, values in TENSORFLOW.items()
        if name not in ("mapping_func", "synthesis_func", "architecture", "resample_kernel", "conv_clamp")
    },
    "label_size": (0, None),
    **dict.fromkeys(("use_styles", "const_input_layer", "use_instance_norm", "use_wscale"), (True,)),
    "use_pixel_norm": (False,),
    "fused_scale": ("auto",),
    "blur_filter": (list(BLUR),),
}
# The function of a whole generator -> all functions of its parts, and their arguments.
FAMILIES: Mapping[str, tuple[tuple[str, ...], Table]] = {
    "G_paper": (("G_paper",), PAPER),
    "G_style": (("G_style", "G_mapping", "G_synthesis"), STYLE),
}

# --- rosinality's code -----------------------------------------------------------------------------------------------

SETTINGS: Table = {"arch": ("stylegan2",), "blur_kernel": FILTER, "lr_mlp": RATE}  # the others have no effect
# Attributes of the parts of a generator that was saved as an object: (kind of part, its place) -> possible values.
ATTRIBUTES: tuple[tuple[str, str, Table], ...] = (
    ("EqualLinear", r"style(_mlp)?\.\d+", {"lr_mul": RATE, "activation": ("fused_lrelu", True)}),
    ("EqualLinear", r".*\.modulation", {"lr_mul": (1,), "activation": (None, False)}),
    ("ModulatedConv2d", r"to_rgb.*", {"demodulate": (False,)}),
    ("ModulatedConv2d", r"(style_)?conv.*", {"demodulate": (True,)}),
    ("FusedLeakyReLU", r".*", {"negative_slope": (0.2,), "scale": (2**0.5,)}),
)

MOST = 1e30  # largest number to store
CHOOSE_OTHER = "choose a generator that was trained with NVIDIA's own code"


# --- looking them up -------------------------------------------------------------------------------------------------


class Arguments:
    """The arguments of all parts of one generator.

    objection: a sentence on the first argument that is not implemented here; "" without one.
    rate: the mapping network's learning rate, which scales its weights; None if it is not recorded.
    clamp: the lowest limit of a layer's values; None without a limit.
    filter: the taps of the low-pass filter of a StyleGAN2; None if they are not recorded.
    kept: the arguments of a StyleGAN3 that its tensors do not show, by name.
    """

    def __init__(self, *, stylegan3: bool = False) -> None:
        self.objection, self.rate, self.clamp, self.filter = "", None, None, None
        self.kept: dict[str, float | None] = {}
        self._family: tuple[tuple[str, ...], Table] | None = None
        self._classes, self._mapped = (CLASSES3, MAPPED3) if stylegan3 else (CLASSES, MAPPED)
        mapping, synthesis = self._classes["MappingNetwork"], self._classes["SynthesisNetwork"]
        self._nested = {
            "mapping_kwargs": ("MappingNetwork", mapping),
            "synthesis_kwargs": ("SynthesisNetwork", synthesis),
        }

    def add_module(self, where: str, class_name: str, state: Mapping[Any, Any]) -> None:
        """Add a PyTorch module.  where: its place in the generator, such as "mapping.fc0".  state: its attributes,
        which hold the arguments of its constructor, including defaults."""
        if self.objection:
            return
        try:
            self._add_module(where, class_name, state)
        except CheckpointError as error:
            self.objection = str(error)

    def add_function(self, name: str, arguments: Mapping[Any, Any]) -> None:
        """Add a TensorFlow network, which one function builds; the first is the whole generator."""
        if self.objection:
            return
        self._family = self._family or FAMILIES.get(name, (FUNCTIONS, TENSORFLOW))
        functions, table = self._family
        try:
            if name not in functions:
                raise CheckpointError(
                    f"It is built by the function {quoted(name)}, which is not known here; {CHOOSE_OTHER}."
                )
            self._check(name, arguments, table)
        except CheckpointError as error:
            self.objection = str(error)

    def add_settings(self, settings: Mapping[Any, Any]) -> None:
        """Add the settings of a training with rosinality's code."""
        try:
            self._check("training run", {k: v for k, v in settings.items() if k in SETTINGS}, SETTINGS)
        except CheckpointError as error:
            self.objection = self.objection or str(error)

    def add_part(self, where: str, class_name: str, state: Mapping[Any, Any]) -> None:
        """Add a module of rosinality's code, or BasicSR's, that was saved as an object."""
        try:
            for kind, place, table in ATTRIBUTES:
                if kind == class_name and re.fullmatch(place, where):
                    for name in table.keys() & state.keys():
                        self._check_value(class_name, name, state[name], table[name])
        except CheckpointError as error:
            self.objection = self.objection or str(error)

    def _add_module(self, where: str, class_name: str, state: Mapping[Any, Any]) -> None:
        if class_name not in self._classes:
            raise CheckpointError(
                f"Its part {quoted(where or 'G_ema')} is of the class {quoted(class_name)}, which is not known here; "
                f"{CHOOSE_OTHER}."
            )
        mapped = class_name == "FullyConnectedLayer" and where.startswith("mapping.fc")
        table = self._mapped if mapped else self._classes[class_name]
        positional = state.get("_init_args") or ()
        if not isinstance(positional, (tuple, list)) or len(positional) > len(table):
            raise CheckpointError(f"Its {class_name} has more arguments than there are; it is damaged.")
        self._check(class_name, dict(zip(table, positional, strict=False)), table)
        self._check(class_name, state.get("_init_kwargs") or {}, table)
        for name in table:
            if name in state:
                self._check_value(class_name, name, state[name], table[name])
        if mapped and "bias_gain" in state:
            self._keep(class_name, "lr_multiplier", state["bias_gain"], RATE)

    def _check(self, what: str, arguments: Any, table: Table) -> None:
        """Raise CheckpointError for the first argument that is not in the table, or has another value."""
        if not isinstance(arguments, Mapping):
            raise CheckpointError(f"Its {what} has arguments that are no table; it is damaged.")
        for name, value in arguments.items():
            if name not in table:
                raise CheckpointError(
                    f"Its {what} has the argument {quoted(name)}, {_shown(value)}, which is not known here; "
                    f"{CHOOSE_OTHER}."
                )
            if table is self._classes["Generator"] and name in self._nested:
                self._check(self._nested[name][0], value, self._nested[name][1])
            else:
                self._check_value(what, name, value, table[name])

    def _check_value(self, what: str, name: str, value: Any, implemented: Values) -> None:
        if implemented in (RATE, CLAMP):
            self._keep(what, name, value, implemented)
        elif implemented == FILTER:
            self._keep_filter(what, name, value)
        elif implemented == KEPT:
            if value is not None and not is_number(value, -MOST, MOST):
                raise CheckpointError(f"Its {what} has {name} {_shown(value)}; expected a number.")
            if self.kept.setdefault(name, value) != value:
                raise CheckpointError(f"Its {name} is {_shown(self.kept[name])} and {_shown(value)}; it is damaged.")
        elif implemented is not ANY and plain_facts(value) not in implemented:
            meaning = ", which makes it a conditional generator" if name == "label_size" else ""
            several = implemented in (ARCHITECTURES, CHANNELS)  # the others of a row mean the same as the first
            *known, last = map(_shown, implemented if several else implemented[:1])
            only = f"{', '.join(known)} and {last} are" if known else f"{last} is"
            raise CheckpointError(
                f"Its {what} has {name} {_shown(value)}{meaning}; only {only} implemented here, so choose a generator "
                f"that was trained with that."
            )

    def _keep_filter(self, what: str, name: str, value: Any) -> None:
        taps = plain_facts(NO_FILTER.get(name) if value is None else value)
        if not isinstance(taps, list) or not taps or not all(is_number(tap, -MOST, MOST) for tap in taps):
            raise CheckpointError(f"Its {what} has {name} {_shown(value)}; expected a list of numbers.")
        if self.filter not in (None, taps):
            raise CheckpointError(
                f"Its {what} has {name} {_shown(taps)}, and another part {_shown(self.filter)}; only one filter for "
                f"all is implemented here, so choose another generator."
            )
        self.filter = taps

    def _keep(self, what: str, name: str, value: Any, kind: str) -> None:
        """Store a number; the clamp may be None, and the lowest of several layers counts."""
        if value is None and kind == CLAMP:
            return
        if not is_number(value) or not 0 < value < MOST:
            raise CheckpointError(f"Its {what} has {name} {_shown(value)}; expected a number above 0.")
        if kind == CLAMP:
            self.clamp = float(value) if self.clamp is None else min(self.clamp, float(value))
        elif self.rate in (None, value):
            self.rate = float(value)
        else:
            raise CheckpointError(
                f"Its mapping network has the learning rates {self.rate:g} and {value:g}; only one for all of its "
                f"layers is implemented here, so choose another generator."
            )


def _shown(value: Any) -> str:
    """A value in Python's notation; a list only if it is a short list of numbers."""
    plain = plain_facts(value)
    if isinstance(plain, list) and len(plain) <= 8 and all(isinstance(one, (int, float)) for one in plain):
        return str(plain)[:80]
    return str(plain) if isinstance(plain, (bool, int, float)) else quoted(plain)
