"""Generators as other programs save them: wrapped, beside other networks and settings, under other names."""

import argparse
import collections
import contextlib
import datetime
import functools
import io
import pathlib
import pickle
import re
import sys
import types
import zipfile

import numpy as np
import torch
from safetensors.torch import save_file

from tests.reference import nvidia, nvidia_files, relatives

STATE = nvidia.random_state(16)
G_EMA, LATENT_AVG = nvidia.to_rosinality(STATE)
OTHER = {name: tensor + 1 for name, tensor in G_EMA.items()}
ENCODER = {
    "encoder.input_layer.0.weight": torch.ones(4, 3, 3, 3),
    "encoder.body.0.num_batches_tracked": torch.tensor(7),
}


def under(prefix, state):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@contextlib.contextmanager
def strangers(*names):
    """Classes of modules that are nowhere, for as long as a file is written."""
    made, before = {}, dict(sys.modules)
    for name in names:
        module, kind = name.rsplit(".", 1)
        for end in [i for i, letter in enumerate(module) if letter == "."] + [len(module)]:
            sys.modules.setdefault(module[:end], types.ModuleType(module[:end]))
        base = dict if kind in ("AttributeDict", "Munch") else object
        made[kind] = type(kind, (base,), {"__module__": module})
        setattr(sys.modules[module], kind, made[kind])
    try:
        yield made
    finally:
        sys.modules.clear()
        sys.modules.update(before)


def of_class(kind, **state):
    thing = kind()
    thing.__dict__.update(state)
    return thing


def save_lightning(path):
    names = ("lightning.fabric.utilities.data.AttributeDict", "my_code.callbacks.EMA", "my_code.config.Config")
    with strangers(*names) as kinds:
        parameters = kinds["AttributeDict"](
            config=of_class(kinds["Config"], lr=0.1, root=pathlib.PurePosixPath("/data"))
        )
        data = {
            "epoch": 3,
            "pytorch-lightning_version": "2.4.0",
            "hyper_parameters": parameters,
            "callbacks": {kinds["EMA"]: {"decay": 0.999}, "Timer": {"elapsed": datetime.timedelta(hours=3)}},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"betas": (0.0, 0.99)}]}],
            "state_dict": under("generator.", G_EMA) | under("discriminator.", {"convs.0.0.weight": torch.ones(2, 3)}),
        }
        torch.save(data, path)


def save_settings(path, g_ema=G_EMA, latent_avg=LATENT_AVG):
    """Beside the weights, whatever a training run thinks worth keeping."""
    with strangers("easydict.Munch", "__main__.Options") as kinds:
        data = {
            "g_ema": g_ema,
            "latent_avg": latent_avg,
            "device": torch.device("cuda:0"),
            "dtype": torch.bfloat16,
            "size": torch.Size([3, 256, 256]),
            "path": pathlib.PosixPath("/data/faces"),
            "best": np.float64(3.5),
            "seeds": np.arange(3),
            "rng": {"numpy": np.random.get_state(), "torch": torch.get_rng_state()},
            "when": datetime.datetime(2024, 5, 17, 12, 30),
            "tags": {"faces", "256"},
            "frozen": frozenset((1, 2)),
            "seen": collections.Counter("abca"),
            "recent": collections.deque([1, 2]),
            "losses": collections.defaultdict(list, g=[0.3]),
            "args": argparse.Namespace(lr=0.1, arch="stylegan2", root=pathlib.PosixPath("/")),
            "space": types.SimpleNamespace(a=1),
            "options": kinds["Munch"](a=1),
            "activation": torch.nn.functional.leaky_relu,
            "layer": functools.partial(torch.nn.LayerNorm, eps=1e-6),
            "method": torch.nn.Linear(1, 1).forward,
            "sparse": torch.eye(3).to_sparse(),
            "more": of_class(kinds["Options"], beta=0.99),
            ("a", "pair"): 1,
            None: 2,
        }
        torch.save(data, path)


def save_tuned(path):
    """The whole generator, as programs save it that tune it to a picture, beside a discriminator of other classes."""
    with strangers("pg_modules.discriminator.ProjectedDiscriminator") as kinds:
        other = of_class(kinds["ProjectedDiscriminator"], _modules={"a": torch.nn.Linear(2, 2)}, training=False)
        nvidia_files.torch_save_module(path, STATE, nvidia.init_kwargs(STATE), D=other, G=None)


def save_rosinality_module(path, **changed):
    """The whole generator of rosinality's code.  changed: attributes of its mapping network's layers."""
    classes = {
        r"": "model.Generator",
        r"style\.\d+": "model.EqualLinear",
        r".*\.modulation": "model.EqualLinear",
        r".*\.conv": "model.ModulatedConv2d",
        r".*\.activate": "op.fused_act.FusedLeakyReLU",
    }
    with strangers("model.Module", *classes.values()) as kinds:

        def module(where, state):
            kind = next((one for pattern, one in classes.items() if re.fullmatch(pattern, where)), "model.Module")
            own = {"lr_mul": 1, "activation": None} if where.endswith("modulation") else {}
            own |= {"lr_mul": 0.01, "activation": "fused_lrelu"} | changed if where.startswith("style.") else {}
            own |= {"demodulate": not where.startswith("to_rgb")} if where.endswith(".conv") else {}
            own |= {"negative_slope": 0.2, "scale": 2**0.5} if where.endswith(".activate") else {}
            here = collections.OrderedDict((name, tensor) for name, tensor in state.items() if "." not in name)
            below = {}
            for name, tensor in state.items():
                if "." in name:
                    head, rest = name.split(".", 1)
                    below.setdefault(head, {})[rest] = tensor
            parts = {head: module(f"{where}.{head}".lstrip("."), inside) for head, inside in below.items()}
            return of_class(kinds[kind.rsplit(".", 1)[1]], _parameters={}, _buffers=here, _modules=parts, **own)

        torch.save({"g_ema": module("", G_EMA), "latent_avg": LATENT_AVG}, path)


def save_shared(path):
    """As from a program that keeps all weights in one flat buffer."""
    buffer, at, views = torch.cat([tensor.flatten() for tensor in G_EMA.values()]), 0, {}
    for name, tensor in G_EMA.items():
        views[name] = buffer[at : at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    torch.save({"g_ema": views, "latent_avg": LATENT_AVG}, path)


def save_transposed(path):
    """Tensors whose numbers lie in another order than their axes."""
    turned = {
        name: tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
        for name, tensor in G_EMA.items()
        if tensor.dim() > 1
    }
    torch.save(G_EMA | turned | {"latent_avg": LATENT_AVG}, path)


def save_zip(path):
    file = io.BytesIO()
    torch.save({"g_ema": G_EMA, "latent_avg": LATENT_AVG}, file)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("my model/README.txt", "weights")
        archive.writestr("my model/network-snapshot.pt", file.getvalue())
        archive.writestr("__MACOSX/my model/._network-snapshot.pt", b"what a Mac notes of a file")


WRAPPED = {
    "pSp.pt": lambda path: torch.save(
        {
            "state_dict": ENCODER | under("decoder.", G_EMA) | {"face_pool.weight": torch.ones(1)},
            "latent_avg": LATENT_AVG.repeat(6, 1),
            "opts": {"device": "cuda:0", "stylegan_weights": pathlib.PosixPath("pretrained/ffhq.pt"), "lr": 1e-4},
        },
        path,
    ),
    "e4e.pt": lambda path: torch.save(
        {
            "state_dict": ENCODER | under("decoder.", G_EMA),
            "latent_avg": LATENT_AVG[None],
            "opts": argparse.Namespace(lr=0.1),
            "discriminator_state_dict": {"fc.0.weight": torch.ones(2, 2)},
        },
        path,
    ),
    "restyle.pt": lambda path: torch.save(
        {
            "state_dict": under("module.decoder.", G_EMA) | under("module.", ENCODER),
            "latent_avg": LATENT_AVG,
            "opts": {},
        },
        path,
    ),
    "hyperstyle.pt": lambda path: torch.save(
        {
            "state_dict": under("hypernet.", {"refinement_blocks.0.weight": torch.ones(2)}) | under("decoder.", G_EMA),
            "latent_avg": LATENT_AVG,
            "opts": {},
        },
        path,
    ),
    "data-parallel.pt": lambda path: torch.save(under("module.", G_EMA) | {"latent_avg": LATENT_AVG}, path),
    "nested-parallel.pt": lambda path: torch.save(
        {"model": under("module.generator.", G_EMA) | {"latent_avg": LATENT_AVG}}, path
    ),
    "G_ema.pt": lambda path: torch.save({"G": OTHER, "G_ema": G_EMA, "D": {}, "latent_avg": LATENT_AVG}, path),
    "ema.pt": lambda path: torch.save({"model": OTHER, "ema": G_EMA, "latent_avg": LATENT_AVG}, path),
    "params_ema.pth": lambda path: torch.save(
        {"params": OTHER, "params_ema": G_EMA | {"latent_avg": LATENT_AVG}}, path
    ),
    "netG.pth": lambda path: torch.save({"netG": G_EMA, "netD": {"conv.weight": torch.ones(1)}, "iter": 9}, path),
    "smooth.pth": lambda path: torch.save({"models": {"generator": OTHER, "generator_smooth": G_EMA}}, path),
    "compiled.pt": lambda path: torch.save({"g_ema": under("_orig_mod.", G_EMA), "latent_avg": LATENT_AVG}, path),
    "averaged.pt": lambda path: torch.save(under("module.", G_EMA) | {"n_averaged": torch.tensor(5)}, path),
    "lightning.ckpt": save_lightning,
    "settings.pt": save_settings,
    "tuned.pt": save_tuned,
    "whole.pt": lambda path: nvidia_files.torch_save_module(path, STATE, nvidia.init_kwargs(STATE)),
    "rosinality-whole.pt": save_rosinality_module,
    "bare.pkl": lambda path: nvidia_files.pickle_module(path, STATE, nvidia.flat_kwargs(STATE)),
    "state-dict.pt": lambda path: torch.save(STATE, path),
    "numpy.pkl": lambda path: path.write_bytes(pickle.dumps({"g_ema": {k: v.numpy() for k, v in G_EMA.items()}}, 4)),
    "numpy.pt": lambda path: torch.save({k: v.numpy() for k, v in G_EMA.items()} | {"latent_avg": LATENT_AVG}, path),
    "half.pt": lambda path: torch.save({"g_ema": {k: v.double() for k, v in G_EMA.items()}}, path),
    "counters.pt": lambda path: torch.save(
        {"g_ema": G_EMA | {"n_latent": torch.tensor(6), "step": torch.tensor([3])}}, path
    ),
    "shared.pt": save_shared,
    "transposed.pt": save_transposed,
    "bare.safetensors": lambda path: save_file(under("g_ema.", G_EMA) | {"latent_avg": LATENT_AVG}, path),
    "packed.zip": save_zip,
    "basicsr.pth": lambda path: torch.save({"params_ema": relatives.to_basicsr(G_EMA), "params": OTHER}, path),
    "mmgen.pth": lambda path: torch.save(
        {
            "meta": {"time": "now"},
            "state_dict": under("generator_ema.", relatives.to_mmgen(G_EMA)) | under("generator.", OTHER),
        },
        path,
    ),
    "genforce.pth": lambda path: torch.save({"generator_smooth": relatives.to_genforce(STATE)}, path),
}
