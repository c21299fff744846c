"""Finding the generator in a file, where it may be alone or beside other content, under many names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from rewriting.checkpoints.arguments import Arguments
from rewriting.checkpoints.contents import MAX_TENSORS, CheckpointError, Contents, plain_tensors, quoted
from rewriting.checkpoints.layouts import MARKS, STYLEGAN3, refused
from rewriting.checkpoints.objects import Array, Module, Network, Numbers, TensorView, Thing

MAX_NODES, MAX_DEPTH, MAX_PARTS, MAX_NAME = 100_000, 32, 2000, 200
MAX_VALUES = 1 << 29  # 2 GiB of float32: ten times the largest StyleGAN2
AVERAGED = re.compile(r"(^|[._])(ema|running|smooth|average|averaged)($|[._])|ema$|(^|\.)Gs$", re.IGNORECASE)
WRAPPERS = {"module", "_orig_mod"}  # what DataParallel and torch.compile put before names
INSIDE = ("_modules", "_parameters", "_buffers")


def generator_in(data: Any) -> Contents:
    """The tensors of the generator in a file's content; of several generators, the averaged one.

    facts: "part" (its place), "rate" (the mapping network's learning rate, which scales its weights), "clamp" (the
    limit of layers' values).  Raises CheckpointError with the actual content of the file.
    """
    if isinstance(data, tuple) and len(data) == 3 and all(isinstance(one, Network) for one in data):
        return _from_tensorflow(data[2])
    if isinstance(data, Network):
        return _from_tensorflow(data)
    tree = Tree(data)
    prefix = _prefix(tree)
    numbers = {name[len(prefix) :]: one for name, one in tree.numbers.items() if name.startswith(prefix)}
    for place in _above(prefix):
        if "latent_avg" not in numbers and f"{place}latent_avg" in tree.numbers:
            numbers["latent_avg"] = tree.numbers[f"{place}latent_avg"]
    told = Arguments(stylegan3=STYLEGAN3 in numbers)
    for where, module in tree.modules.items():
        if f"{where}.".startswith(prefix):
            add = told.add_module if isinstance(module, Module) else told.add_part
            add(where[len(prefix) :], module.class_name, module.state)
    told.add_settings(_settings(data))
    facts = {"part": prefix.removesuffix("."), "rate": told.rate, "clamp": told.clamp, "filter": told.filter}
    facts["arguments"] = told.kept
    return Contents(tensors_of(numbers), facts, told.objection)


def tensors_of(numbers: Mapping[str, Numbers]) -> dict[str, torch.Tensor]:
    """The float tensors by name, without counters, which are single whole numbers."""
    if len(numbers) > MAX_TENSORS:
        raise CheckpointError(f"It holds {len(numbers):,} tensors; no generator has more than {MAX_TENSORS:,}.")
    wanted = {name: one for name, one in numbers.items() if one.dtype.is_floating_point or one.count != 1}
    values = sum(one.count for one in wanted.values())
    if values > MAX_VALUES:
        raise CheckpointError(f"It holds {values:,} numbers; a generator has {MAX_VALUES:,} at most.")
    return plain_tensors({name: one.tensor() for name, one in wanted.items()})


class Tree:
    """The flattened content of a file.  numbers: all tensors and arrays by their dotted names.  modules: the parts of
    networks that were saved as objects, by their names.  Cycles are safe, because each object is visited once."""

    def __init__(self, data: Any):
        self.numbers: dict[str, Numbers] = {}
        self.modules: dict[str, Thing] = {}
        waiting, seen = [((), data)], set()
        while waiting:
            path, one = waiting.pop()
            name = ".".join(path)
            if isinstance(one, TensorView | Array):
                if name in self.numbers:
                    raise CheckpointError(f"It holds {quoted(name)} twice; save the one that is meant alone.")
                self.numbers[name] = one
                continue
            if not isinstance(one, (dict, list, tuple, Thing)) or id(one) in seen:
                continue
            seen.add(id(one))
            if len(seen) > MAX_NODES or len(waiting) > MAX_NODES or len(path) > MAX_DEPTH:
                raise CheckpointError("It holds far more parts than a generator, or contains itself; it is damaged.")
            if isinstance(one, Module) or (isinstance(one, Thing) and "_modules" in one.state):
                self.modules[name] = one
            waiting += [((*path, *_step(key)), child) for key, child in reversed(list(_children(one)))]


def _children(one: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(one, Thing):
        yield from one.items.items()
        for part in INSIDE:
            yield from one.part(part).items()
        # Arrays among the attributes of NVIDIA's networks are settings; the weights are in the parts above.
        settings = (Array,) if isinstance(one, Module) else ()
        yield from (
            (key, child) for key, child in one.state.items() if key not in INSIDE and not isinstance(child, settings)
        )
    else:
        yield from one.items() if isinstance(one, dict) else enumerate(one)


def _step(key: Any) -> tuple[str, ...]:
    """The parts of a name without generic ones."""
    text = quoted(key, MAX_NAME).strip("'") if not isinstance(key, str) else key[:MAX_NAME]
    return tuple(part for part in text.split(".") if part not in WRAPPERS)


def _prefix(tree: Tree) -> str:
    """The prefix of the generator's tensors: "" or "g_ema." or "state_dict.decoder."."""
    found = []
    for name in tree.numbers:
        for mark, unless in MARKS.items():
            if name == mark or name.endswith(f".{mark}"):
                prefix = name[: len(name) - len(mark)]
                found += [] if any(f"{prefix}{one}" in tree.numbers for one in unless) else [prefix]
    found = list(dict.fromkeys(found))
    if averaged := [prefix for prefix in found if AVERAGED.search(prefix.removesuffix("."))]:
        found = averaged
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(quoted(prefix.removesuffix(".") or "the top") for prefix in found[:4])
        raise CheckpointError(f"It holds several generators, under {listed}; save the one that is meant alone.")
    raise CheckpointError(_instead(tree))


def _instead(tree: Tree) -> str:
    """A sentence on the content of a file without a generator."""
    names = list(tree.numbers)
    if not names:
        return "It holds no tensors; is it the right file?"
    if what := refused([part for name in names[:MAX_TENSORS] for part in _endings(name)]):
        return what
    listed = ", ".join(quoted(name, 40) for name in names[:4])
    return f"It holds no generator that is known here; its tensors are called {listed}."


def _endings(name: str, most: int = 4) -> list[str]:
    """The name, and its rest after up to three prefixes."""
    parts = name.split(".")
    return [".".join(parts[i:]) for i in range(min(most, len(parts)))]


def _above(prefix: str) -> Iterator[str]:
    """ "a.b." -> "a.b.", "a.", "" """
    parts = prefix.split(".")[:-1]
    for count in range(len(parts), -1, -1):
        yield "".join(f"{part}." for part in parts[:count])


def _settings(data: Any) -> Mapping[Any, Any]:
    """The settings of a training with rosinality's code, stored under "args"."""
    settings = data.get("args") if isinstance(data, dict) else None
    if isinstance(settings, Thing):
        return settings.state
    return settings if isinstance(settings, dict) else {}


# --- TensorFlow ------------------------------------------------------------------------------------------------------


def _from_tensorflow(network: Network) -> Contents:
    numbers: dict[str, Numbers] = {}
    told, waiting = Arguments(), [(network, "")]
    for _ in range(MAX_PARTS):
        if not waiting:
            break
        part, prefix = waiting.pop()
        numbers |= {prefix + name: value for name, value in _variables(part)}
        told.add_function(quoted(part.state.get("build_func_name")).strip("'"), part.part("static_kwargs"))
        for name, child in part.part("components").items():
            if isinstance(child, Network):
                waiting.append((child, f"{prefix}{_text(name)}/"))
    else:
        raise CheckpointError(f"Its network has more than {MAX_PARTS:,} parts, or contains itself; it is damaged.")
    facts = {"layout": "tensorflow", "part": "Gs", "rate": told.rate, "clamp": told.clamp, "filter": told.filter}
    return Contents(tensors_of(numbers), facts, told.objection)


def _variables(network: Network) -> Iterator[tuple[str, Numbers]]:
    """The network's own variables."""
    variables = network.state.get("variables") or []
    if not isinstance(variables, list) or len(variables) > MAX_TENSORS:
        raise CheckpointError("A network in it has variables that are no list, or far too many; it is damaged.")
    for pair in variables:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[1], (Array, float, int)):
            raise CheckpointError("A network in it has variables that are not names and arrays; it is damaged.")
        yield _text(pair[0]), pair[1] if isinstance(pair[1], Array) else Number(float(pair[1]))


class Number:
    """A variable that is a single number."""

    dtype, count = torch.float32, 1

    def __init__(self, value: float):
        self.value = value

    def tensor(self) -> torch.Tensor:
        return torch.tensor(self.value)


def _text(name: Any) -> str:
    if not isinstance(name, str) or len(name) > MAX_NAME:
        raise CheckpointError(
            f"It names a part of a network {quoted(name)}; expected a text of 1 to {MAX_NAME} letters."
        )
    return name
