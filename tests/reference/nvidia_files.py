"""Write StyleGAN2 generators as the pickles NVIDIA publishes, without NVIDIA's modules.

Two forms. StyleGAN2-ADA-PyTorch: a dict whose networks are `torch_utils.persistence` objects, each reduced to one call
of `_reconstruct_persistent_obj` with its source text and its state. TensorFlow: a tuple (G, D, Gs) of
`dnnlib.tflib.network.Network` whose state holds numpy variables. The globals are put into `sys.modules` only while a
file is being written; the embedded source raises when anything executes it.
"""

import contextlib
import pickle
import re
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

EXECUTED = "raise RuntimeError('the source text inside the file was executed')\n"

_CLASS_NAMES = (  # module path inside the generator -> class
    (r"", "Generator"),
    (r"mapping", "MappingNetwork"),
    (r"synthesis", "SynthesisNetwork"),
    (r"synthesis\.b\d+", "SynthesisBlock"),
    (r"synthesis\.b\d+\.conv[01]", "SynthesisLayer"),
    (r"synthesis\.b\d+\.torgb", "ToRGBLayer"),
    (r"synthesis\.b\d+\.skip", "Conv2dLayer"),
    (r"synthesis\.input", "SynthesisInput"),
    (r"synthesis\.L\d+_\d+_\d+", "SynthesisLayer"),
    (r".*\.(affine|fc\d+|embed)", "FullyConnectedLayer"),
)
_BUFFERS = ("w_avg", "noise_const", "resample_filter")
_BUFFERS += ("magnitude_ema", "up_filter", "down_filter", "transform", "freqs", "phases")  # of StyleGAN3


class _Globals:
    """Empty doubles of the globals that appear in the files, named as the originals are."""

    def __init__(self) -> None:
        self.persistent = self._function("torch_utils.persistence", "_reconstruct_persistent_obj")
        self.numpy_array = self._function("numpy.core.multiarray", "_reconstruct")
        self.numpy_scalar = self._function("numpy.core.multiarray", "scalar")
        self.easy_dict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
        self.network = type("Network", (), {"__module__": "dnnlib.tflib.network"})

    @staticmethod
    def _function(module: str, name: str) -> types.FunctionType:
        def double(*_: object) -> None:
            raise RuntimeError(f"{module}.{name} is only a name here.")

        double.__module__, double.__name__, double.__qualname__ = module, name, name
        return double

    @contextlib.contextmanager
    def importable(self) -> Iterator[None]:
        """Make every double importable under its name, and undo that afterwards."""
        modules: dict[str, types.ModuleType] = {}
        for item in vars(self).values():
            parts = item.__module__.split(".")
            for n in range(1, len(parts) + 1):
                name = ".".join(parts[:n])
                if name != "numpy":
                    modules.setdefault(name, types.ModuleType(name))
            setattr(modules[item.__module__], item.__name__, item)
        before = {name: sys.modules.get(name) for name in modules}
        sys.modules.update(modules)
        try:
            yield
        finally:
            for name, module in before.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module


class _Persistent:
    """A persistent object to be written: its class and the `__dict__` of the module."""

    def __init__(self, class_name: str, state: dict) -> None:
        self.class_name, self.state = class_name, state


class _Pickler(pickle.Pickler):
    """Reduces persistent objects to the documented call, and numpy data to the global names of numpy 1."""

    def __init__(self, file: object, protocol: int, names: _Globals) -> None:
        super().__init__(file, protocol)
        self.names = names

    def reducer_override(self, obj: object) -> object:
        if isinstance(obj, _Persistent):
            meta = {"type": "class", "version": 6, "module_src": EXECUTED}
            return self.names.persistent, ({**meta, "class_name": obj.class_name, "state": obj.state},)
        if type(obj) is np.ndarray:
            return (self.names.numpy_array, *obj.__reduce__()[1:])
        if isinstance(obj, np.generic):
            return (self.names.numpy_scalar, *obj.__reduce__()[1:])
        return NotImplemented


def _write(path: str | Path, data: object, protocol: int, names: _Globals) -> None:
    with open(path, "wb") as file, names.importable():
        _Pickler(file, protocol, names).dump(data)


# StyleGAN2-ADA-PyTorch


def write_nvidia_pickle(path: str | Path, state: dict[str, Tensor], kwargs: dict, *, protocol: int = 3) -> None:
    """Save a generator as StyleGAN2-ADA-PyTorch does: {training_set_kwargs, G, D, G_ema, augment_pipe}.

    state: flat names of `nvidia.random_state`, written as G_ema; G is the same network with other values.
    kwargs: the recorded constructor arguments (`nvidia.init_kwargs`), nested dicts written as EasyDict; those of the
    synthesis network under `synthesis_kwargs`, or, as the StyleGAN3 code base has them, among the generator's own.
    """
    names = _Globals()
    kwargs = {k: names.easy_dict(v) if isinstance(v, dict) else v for k, v in kwargs.items()}
    discriminator = {"b4.fc.weight": torch.ones(2, 2), "b4.fc.bias": torch.ones(2)}
    raw = {name: tensor + 1 for name, tensor in state.items()}
    data = {
        "training_set_kwargs": names.easy_dict(class_name="training.dataset.ImageFolderDataset", use_labels=False),
        "G": _module_tree(raw, "", kwargs),
        "D": _module_tree(discriminator, "", kwargs, class_name="Discriminator"),
        "G_ema": _module_tree(state, "", kwargs),
        "augment_pipe": None,
    }
    _write(path, data, protocol, names)


def torch_save_module(path: str | Path, state: dict[str, Tensor], kwargs: dict, **beside: object) -> None:
    """Save the whole module with torch.save, as programs do that tune a generator.  beside: more entries of a table of
    which it then is "G_ema"."""
    names = _Globals()
    root = _module_tree(state, "", {k: names.easy_dict(v) if isinstance(v, dict) else v for k, v in kwargs.items()})

    class Pickler(_Pickler):
        def __init__(self, file: object, protocol: int) -> None:
            super().__init__(file, protocol, names)

    pickling = types.ModuleType("pickling")
    pickling.Pickler = Pickler
    with names.importable():
        torch.save({"G_ema": root, **beside} if beside else root, path, pickle_module=pickling)


def pickle_module(path: str | Path, state: dict[str, Tensor], kwargs: dict) -> None:
    """Pickle the generator alone, not in a table."""
    names = _Globals()
    _write(path, _module_tree(state, "", kwargs), 4, names)


def _module_tree(state: dict[str, Tensor], path: str, kwargs: dict, *, class_name: str | None = None) -> _Persistent:
    """The module at `path` with everything below it; `state` holds names relative to it.  kwargs: the generator's."""
    parameters, buffers, children = OrderedDict(), OrderedDict(), OrderedDict()
    for name, tensor in state.items():
        head, _, rest = name.partition(".")
        if rest:
            children.setdefault(head, {})[rest] = tensor
        elif head in _BUFFERS:
            buffers[head] = tensor.detach().clone()
        else:
            parameters[head] = torch.nn.Parameter(tensor.detach().clone(), requires_grad=False)
    modules = OrderedDict(
        (head, _module_tree(below, f"{path}.{head}".lstrip("."), kwargs)) for head, below in children.items()
    )
    if class_name is None:
        class_name = next((c for pattern, c in _CLASS_NAMES if re.fullmatch(pattern, path)), "Module")
    attributes = _common_attributes() | _own_attributes(class_name, path, parameters, kwargs)
    slots = {"_parameters": parameters, "_buffers": buffers, "_modules": modules}
    return _Persistent(class_name, attributes | slots)


def _common_attributes() -> dict:
    """What else the `__dict__` of every module holds: hooks and an empty set."""
    hooks = (
        "_backward_hooks",
        "_forward_hooks",
        "_forward_pre_hooks",
        "_state_dict_hooks",
        "_load_state_dict_pre_hooks",
    )
    attributes = {"training": False, "_non_persistent_buffers_set": set(), "_is_full_backward_hook": None}
    return attributes | {hook: OrderedDict() for hook in hooks}


def _own_attributes(class_name: str, path: str, parameters: OrderedDict, kwargs: dict) -> dict:
    """The arguments that the module's constructor is called with inside such a generator, and what it keeps of them,
    numpy scalars among them."""
    sizes = {name: kwargs.get(name) for name in ("w_dim", "img_resolution", "img_channels")}
    own = {"z_dim", "c_dim", "mapping_kwargs", "synthesis_kwargs", *sizes}
    mapping = {"activation": "lrelu", "lr_multiplier": 0.01} | kwargs.get("mapping_kwargs", {})
    synthesis = {k: v for k, v in kwargs.items() if k not in own} | kwargs.get("synthesis_kwargs", {})
    of_layers = {name: synthesis[name] for name in ("activation", "use_noise", "kernel_size") if name in synthesis}
    clamp = {"conv_clamp": synthesis.get("conv_clamp")}
    shape = parameters["weight"].shape if "weight" in parameters else (0, 0)
    if class_name == "FullyConnectedLayer" and path.startswith("mapping.fc"):
        arguments = {"activation": mapping["activation"], "lr_multiplier": mapping["lr_multiplier"]}
        rate = arguments["lr_multiplier"]
        kept = {"activation": arguments["activation"], "bias_gain": rate}
        if isinstance(rate, float):
            kept["weight_gain"] = rate / np.sqrt(shape[1])
        positional = (shape[1], shape[0])
    elif class_name == "FullyConnectedLayer":
        positional, arguments = (shape[1], shape[0]), {"bias_init": 1}
        kept = {"activation": "linear", "weight_gain": 1 / np.sqrt(shape[1]), "bias_gain": 1}
    elif class_name == "SynthesisInput":
        arguments = {"w_dim": kwargs["w_dim"], "channels": shape[0], "size": 36, "sampling_rate": np.float64(16)}
        positional, kept = (), {"size": np.array([36, 36]), "bandwidth": np.float64(2)}
    elif path.startswith("synthesis.L"):
        of_layers = ("conv_kernel", "filter_size", "lrelu_upsampling", "use_radial_filters", "conv_clamp")
        told = {name: synthesis[name] for name in of_layers if name in synthesis}
        positional, arguments = (), {"w_dim": kwargs["w_dim"], "is_torgb": False, "in_cutoff": np.float64(2), **told}
        kept = {"conv_kernel": shape[-1], "in_size": np.array([36, 36]), "padding": [1, 2, 1, 2]}
    elif class_name == "SynthesisLayer":
        up = {"up": 2} if path.endswith("conv0") else {}
        positional, arguments = (shape[1], shape[0]), {"w_dim": kwargs["w_dim"], **up, **clamp, **of_layers}
        kept = {"up": 1, "activation": "lrelu", "use_noise": True, "act_gain": np.sqrt(2), **clamp, **up, **of_layers}
    elif class_name == "Conv2dLayer":
        told = {name: synthesis[name] for name in ("resample_filter",) if name in synthesis}
        positional, arguments = (shape[1], shape[0]), {"kernel_size": 1, "bias": False, "up": 2, **told}
        arguments["channels_last"] = False
        kept = {"activation": "linear", "up": 2, "down": 1, "conv_clamp": None, "weight_gain": 1 / np.sqrt(shape[1])}
    elif class_name == "ToRGBLayer":
        positional, arguments = (shape[1], shape[0]), {"w_dim": kwargs["w_dim"], **clamp, "channels_last": False}
        kept = {**clamp, "weight_gain": 1 / np.sqrt(shape[1])}
    elif class_name == "SynthesisBlock":
        inner = {k: v for k, v in synthesis.items() if k not in ("channel_base", "channel_max", "num_fp16_res")}
        positional, arguments = (1, 1), {**sizes, "is_last": False, "use_fp16": False, **inner}
        arguments["resolution"] = arguments.pop("img_resolution")
        kept = {"architecture": synthesis.get("architecture", "skip"), "img_channels": kwargs["img_channels"]}
    elif class_name == "SynthesisNetwork":
        positional, arguments, kept = (), {**sizes, **synthesis}, {**sizes, "block_resolutions": [4, 8], "num_ws": 4}
    elif class_name == "MappingNetwork":
        arguments = {"z_dim": kwargs["z_dim"], "c_dim": kwargs["c_dim"], "w_dim": kwargs["w_dim"], "num_ws": 4}
        positional, kept = (), {**arguments, "w_avg_beta": 0.998}
        arguments = {**arguments, **kwargs.get("mapping_kwargs", {})}
    else:
        positional, arguments, kept = (), kwargs, {name: kwargs[name] for name in ("z_dim", "c_dim", *sizes)}
    return kept | {"_init_args": positional, "_init_kwargs": arguments}


# TensorFlow


def write_tf_pickle(
    path: str | Path, state: dict[str, Tensor], kwargs: dict, *, protocol: int = 4, **more: object
) -> None:
    """Save a generator as the TensorFlow StyleGAN2 does: (G, D, Gs), Gs being the averaged one.

    state, kwargs: as for `write_nvidia_pickle`; the arguments become `static_kwargs` under their TensorFlow names.
    more: further arguments under these names.
    """
    names = _Globals()
    static_kwargs = {
        "num_channels": kwargs["img_channels"],
        "resolution": kwargs["img_resolution"],
        "label_size": kwargs["c_dim"],
        "latent_size": kwargs["z_dim"],
        "dlatent_size": kwargs["w_dim"],
        "mapping_layers": kwargs["mapping_kwargs"]["num_layers"],
        "mapping_fmaps": kwargs["w_dim"],
        "fmap_base": kwargs["synthesis_kwargs"]["channel_base"] // 2,
        "fmap_max": kwargs["synthesis_kwargs"]["channel_max"],
        **more,
    }
    raw = {name: tensor + 1 for name, tensor in state.items()}
    discriminator = _network(names, "D", "D_stylegan2", {}, {"4x4/Dense0/weight": np.ones((2, 2), np.float32)}, {})
    data = (
        _tf_generator(names, "G", raw, static_kwargs),
        discriminator,
        _tf_generator(names, "Gs", state, static_kwargs),
    )
    _write(path, data, protocol, names)


def write_progan_pickle(path: str | Path, variables: dict[str, Tensor], **arguments: object) -> None:
    """Save (G, D, Gs) as the Progressive GAN's own code does.  variables: of `progan.to_tensorflow`, written as Gs."""
    names = _Globals()
    names.network = type("Network", (), {"__module__": "tfutil"})
    arrays = {name: tensor.numpy() if tensor.dim() else np.float32(tensor) for name, tensor in variables.items()}
    raw = {name: value + 1 for name, value in arrays.items()}
    discriminator = _network(names, "D", "D_paper", {}, {"4x4/Dense0/weight": np.ones((2, 2), np.float32)}, {})
    data = (
        _network(names, "G", "G_paper", arguments, raw, {}),
        discriminator,
        _network(names, "Gs", "G_paper", arguments, arrays, {}),
    )
    _write(path, data, 2, names)


def write_stylegan1_pickle(path: str | Path, variables: dict[str, Tensor], **arguments: object) -> None:
    """Save (G, D, Gs) as the first StyleGAN does.  variables: of `stylegan1.random_variables`, written as Gs.
    arguments: those of G_style, which its parts are built with, too."""
    names = _Globals()
    arrays = {name: tensor.numpy() if tensor.dim() else np.float32(tensor) for name, tensor in variables.items()}
    discriminator = _network(names, "D", "D_basic", {}, {"4x4/Dense0/weight": np.ones((2, 2), np.float32)}, {})

    def generator(name: str, values: dict) -> object:
        parts: dict[str, dict] = {"": {}, "synthesis": {}, "mapping": {}}
        for key, value in values.items():
            head, _, rest = key.partition("/")
            parts[head if rest else ""][rest or key] = value
        components = {
            part: _network(names, f"G_{part}", f"G_{part}", arguments, parts[part], {}) for part in parts if part
        }
        return _network(names, name, "G_style", arguments, parts[""], names.easy_dict(components))

    raw = {name: value + 1 for name, value in arrays.items()}
    _write(path, (generator("G", raw), discriminator, generator("Gs", arrays)), 4, names)


def _network(
    names: _Globals, name: str, function: str, static_kwargs: dict, variables: dict, components: dict
) -> object:
    network = names.network()
    network.__dict__.update(
        version=4,
        name=name,
        static_kwargs=dict(static_kwargs),
        components=components,
        build_module_src=EXECUTED,
        build_func_name=function,
        variables=list(variables.items()),
    )
    return network


def _tf_generator(names: _Globals, name: str, state: dict[str, Tensor], static_kwargs: dict) -> object:
    variables = tf_variables(state)
    parts: dict[str, dict] = {"": {}, "synthesis": {}, "mapping": {}}
    for key, value in variables.items():
        head, _, rest = key.partition("/")
        if head in parts and rest:
            parts[head][rest] = value
        else:
            parts[""][key] = value
    synthesis = static_kwargs.get("synthesis_func", "G_synthesis_stylegan2")
    components = {
        "synthesis": _network(names, "G_synthesis", synthesis, static_kwargs, parts["synthesis"], {}),
        "mapping": _network(names, "G_mapping", "G_mapping", static_kwargs, parts["mapping"], {}),
    }
    return _network(names, name, "G_main", static_kwargs, parts[""], components)


def tf_variables(state: dict[str, Tensor]) -> dict[str, np.ndarray | np.generic]:
    """The TensorFlow names and layouts of a generator, components as prefixes.

    Convolutions are (kh, kw, I, O), spatially flipped where they upsample; dense weights are (in, out); `mod_bias` is
    stored without its +1; noise maps are numbered across resolutions and keep two leading axes; scalars are scalars.
    """
    variables: dict = {"lod": np.float32(0)}
    for name, tensor in state.items():
        value = tensor.detach().numpy()
        part, _, rest = name.partition(".")
        if name == "mapping.w_avg":
            variables["dlatent_avg"] = value
        elif part == "mapping":
            layer, kind = rest.split(".")
            named = {"embed": "LabelEmbed", "label_concat": "LabelConcat"}
            scope = named[layer] if layer in named else f"Dense{layer.removeprefix('fc')}"
            variables[f"mapping/{scope}/{kind}"] = value.T if kind == "weight" else value
        elif rest == "b4.const":
            variables["synthesis/4x4/Const/const"] = value[None]
        elif not name.endswith("resample_filter"):
            variables |= _tf_layer_variable(rest, value)
    return {name: np.ascontiguousarray(v) if np.ndim(v) else np.float32(v) for name, v in variables.items()}


def _tf_layer_variable(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    """One variable of a convolution: `name` is bR.conv0|conv1|torgb.rest."""
    block, layer, kind = name.split(".", 2)
    r = int(block[1:])
    up = layer == "conv0"
    if layer == "skip":
        return {f"synthesis/{r}x{r}/Skip/weight": value.transpose(2, 3, 1, 0)}
    if kind == "noise_const":
        return {f"synthesis/noise{int(np.log2(r)) * 2 - (5 if up else 4)}": value[None, None]}
    scope = {"conv0": "Conv0_up", "conv1": "Conv" if r == 4 else "Conv1", "torgb": "ToRGB"}[layer]
    if kind == "weight":
        value = value.transpose(2, 3, 1, 0)
        value = value[::-1, ::-1] if up else value
    elif kind == "affine.weight":
        kind, value = "mod_weight", value.T
    elif kind == "affine.bias":
        kind, value = "mod_bias", value - 1
    return {f"synthesis/{r}x{r}/{scope}/{kind}": value}
