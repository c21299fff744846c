"""The crafted NVIDIA files have the documented form and hold the generators they were made from."""

import pickle
import pickletools
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.reference import nvidia, nvidia_files


class Record:
    """Stands for any object of a pickle: what it was called with and what was set on it."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        self.__dict__.update(state)


def read_pickle(path):
    """-> the data with records in place of NVIDIA's objects, and the (module, name) globals the file asks for."""
    asked = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            asked.add((module, name))
            if module == "dnnlib.util":
                return dict
            if module.split(".")[0] in ("torch_utils", "dnnlib"):
                return Record
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)

    with open(path, "rb") as file:
        return Reader(file).load(), asked


def flatten(record, prefix=""):
    state = record.arguments[0]["state"]
    flat = {prefix + k: v.detach() for k, v in (state["_parameters"] | state["_buffers"]).items()}
    for name, child in state["_modules"].items():
        flat |= flatten(child, f"{prefix}{name}.")
    return flat


def test_an_nvidia_pickle_holds_the_generator_in_the_documented_form(tmp_path):
    state = nvidia.random_state(16)
    nvidia.write_nvidia_pickle(tmp_path / "g.pkl", state, nvidia.init_kwargs(state))
    data, asked = read_pickle(tmp_path / "g.pkl")
    assert data.keys() == {"training_set_kwargs", "G", "D", "G_ema", "augment_pipe"}
    read = flatten(data["G_ema"])
    assert read.keys() == state.keys() and all(torch.equal(read[k], state[k]) for k in state)
    assert not torch.equal(flatten(data["G"])["mapping.w_avg"], state["mapping.w_avg"])
    meta = data["G_ema"].arguments[0]
    assert meta.keys() == {"type", "version", "module_src", "class_name", "state"}
    assert (meta["type"], meta["version"], meta["class_name"]) == ("class", 6, "Generator")
    assert meta["state"]["_init_kwargs"] == nvidia.init_kwargs(state)
    layer = meta["state"]["_modules"]["synthesis"].arguments[0]["state"]["_modules"]["b8"].arguments[0]
    assert layer["class_name"] == "SynthesisBlock"
    with pytest.raises(RuntimeError, match="was executed"):
        exec(meta["module_src"])
    assert asked == {
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("dnnlib.util", "EasyDict"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.storage", "_load_from_bytes"),
        ("torch_utils.persistence", "_reconstruct_persistent_obj"),
    }


def collect(network, prefix=""):
    variables = {prefix + name: value for name, value in network.variables}
    for name, component in network.components.items():
        variables |= collect(component, f"{prefix}{name}/")
    return variables


def test_a_tensorflow_pickle_holds_the_generator_in_tensorflow_layout(tmp_path):
    state = nvidia.random_state(16)
    nvidia.write_tf_pickle(tmp_path / "g.pkl", state, nvidia.init_kwargs(state))
    (raw, _, averaged), asked = read_pickle(tmp_path / "g.pkl")
    assert ("dnnlib.tflib.network", "Network") in asked and not any("torch" in module for module, _ in asked)
    assert averaged.static_kwargs["resolution"] == 16 and averaged.static_kwargs["latent_size"] == 20
    read = collect(averaged)
    assert read.keys() == nvidia_files.tf_variables(state).keys()
    assert not np.array_equal(collect(raw)["dlatent_avg"], read["dlatent_avg"])
    expected = {
        "mapping.w_avg": read["dlatent_avg"],
        "mapping.fc1.weight": read["mapping/Dense1/weight"].T,
        "synthesis.b4.const": read["synthesis/4x4/Const/const"][0],
        "synthesis.b4.conv1.weight": read["synthesis/4x4/Conv/weight"].transpose(3, 2, 0, 1),
        "synthesis.b8.conv0.weight": read["synthesis/8x8/Conv0_up/weight"][::-1, ::-1].transpose(3, 2, 0, 1),
        "synthesis.b16.conv1.noise_const": read["synthesis/noise4"][0, 0],
        "synthesis.b16.conv0.noise_const": read["synthesis/noise3"][0, 0],
        "synthesis.b16.conv1.noise_strength": read["synthesis/16x16/Conv1/noise_strength"],
        "synthesis.b16.torgb.affine.weight": read["synthesis/16x16/ToRGB/mod_weight"].T,
        "synthesis.b16.torgb.affine.bias": read["synthesis/16x16/ToRGB/mod_bias"] + 1,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(value, state[name].numpy(), rtol=0, atol=1e-6, err_msg=name)


def test_the_tensorflow_flip_turns_a_transposed_convolution_into_a_correlation():
    state = nvidia.random_state(8)
    stored = nvidia_files.tf_variables(state)["synthesis/8x8/Conv0_up/weight"]  # (3, 3, I, O)
    x = torch.randn(1, stored.shape[2], 4, 4, generator=torch.Generator().manual_seed(0))
    zeros = x.new_zeros(1, stored.shape[2], 7, 7)
    zeros[:, :, ::2, ::2] = x
    correlated = F.conv2d(zeros, torch.from_numpy(stored.transpose(3, 2, 0, 1).copy()), padding=2)
    transposed = F.conv_transpose2d(x, state["synthesis.b8.conv0.weight"].transpose(0, 1), stride=2)
    torch.testing.assert_close(correlated, transposed, rtol=0, atol=1e-5)


def test_writing_files_leaves_no_stand_in_modules_behind(tmp_path):
    before = {name for name in sys.modules if name.split(".")[0] in ("torch_utils", "dnnlib", "numpy")}
    state = nvidia.random_state(8)
    nvidia.write_nvidia_pickle(tmp_path / "a.pkl", state, nvidia.init_kwargs(state))
    nvidia.write_tf_pickle(tmp_path / "b.pkl", state, nvidia.init_kwargs(state))
    after = {name for name in sys.modules if name.split(".")[0] in ("torch_utils", "dnnlib", "numpy")}
    assert after == before and not any(name.startswith(("torch_utils", "dnnlib")) for name in after)
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops((tmp_path / "b.pkl").read_bytes())}
    assert "STACK_GLOBAL" in opcodes  # protocol 4, which real TensorFlow files use
