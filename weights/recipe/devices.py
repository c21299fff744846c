"""Where training runs, and in which precision."""

from __future__ import annotations

import torch


def choose_device(name: str = "auto") -> torch.device:
    """ "auto": a CUDA device if there is one, else the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device has units for it, else float32.

    A CPU without them computes bfloat16 convolutions about eight times slower than float32's.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    units = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if units else torch.float32
