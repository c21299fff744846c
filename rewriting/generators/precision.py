"""The device and the precision of generators."""

from __future__ import annotations

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISION = "float32"  # the default on every processor


def dtype_of(precision: str = PRECISION) -> torch.dtype:
    """The dtype of features for the name of a precision.  Raises ValueError for an unknown name."""
    if precision not in PRECISIONS:
        raise ValueError(f"There is no precision {precision!r}; choose {' or '.join(PRECISIONS)}.")
    return PRECISIONS[precision]


def choose_device(name: str = "auto") -> torch.device:
    """The device for auto, cpu, cuda or cuda:N.  Raises ValueError if this machine does not have it."""
    present = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if present else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(f"There is no device {name!r}; choose auto, cpu or cuda.")
    if kind == "cuda" and (not present or int(number or 0) >= torch.cuda.device_count()):
        raise ValueError(f"PyTorch finds no device {name!r} on this machine; choose auto or cpu.")
    return torch.device(name)


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 if the device has units for it, else float32.

    With such units a channels-last convolution is 3 to 10 times as fast in bfloat16; a CPU without them emulates
    bfloat16 about eight times slower than float32.  Training and benchmarks use this choice; the default for pictures
    is the same on every processor, see `PRECISION`.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    units = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if units else torch.float32
