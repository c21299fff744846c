"""Limits on the files that visitors of a hosted Space may open.

Files of other programs must be public and of limited size, and the owner of the Space can refuse them all.  No
generator of any format may take more than a limited time and memory.
"""

from __future__ import annotations

import os

from rewriting.generators import GeneratorConfig
from rewriting.hub.choosing import megabytes
from rewriting.hub.client import HubError, hosted

SWITCH = "REWRITING_CONVERT"  # environment variable: "off" refuses files of other programs
MOST_BYTES = 500_000_000  # of a file of another program; NVIDIA's largest has 382 million
# NVIDIA's largest StyleGAN2, with 1024 pixels, has 142 billion products, 34 million values and 30 million weights.
MOST_PRODUCTS = 500_000_000_000  # for one picture: some seconds on two cores
MOST_VALUES = 128 << 20  # in the largest feature map: 512 MB
MOST_WEIGHTS = 125_000_000
PRODUCTS_FILTERED = 500  # for a value of a StyleGAN3's filtered leaky ReLU
ELSEWHERE = "open it on your own computer."


def check_file(file: str, size: int, public: bool) -> None:
    """Raise HubError if a visitor may not convert this file of another program.  size: in bytes."""
    if not hosted():
        return
    instead = "convert it on your own computer with `python -m rewriting convert`, and publish it with `push`."
    if os.environ.get(SWITCH, "").lower() in ("0", "off", "no", "false"):
        raise HubError(f"{file} was written by another program, and such files are not opened here; {instead}")
    if not public:
        raise HubError(f"{file} was written by another program and is not public, so it is not opened here; {instead}")
    if size > MOST_BYTES:
        raise HubError(f"{file} has {megabytes(size)}, and {megabytes(MOST_BYTES)} is the most here; {instead}")


def check_effort(config: GeneratorConfig) -> None:
    """Raise HubError if a visitor's generator takes too much time or memory."""
    if not hosted():
        return
    weights, products, values = effort(config)
    if weights > MOST_WEIGHTS or products > MOST_PRODUCTS or values > MOST_VALUES:
        raise HubError(
            f"A generator of {config.resolution} px with these widths, {weights / 1e6:,.0f} million weights in all, "
            f"takes more time or memory than a visitor has here; {ELSEWHERE}"
        )


def effort(config: GeneratorConfig) -> tuple[int, int, int]:
    """Estimates of a generator's weights, of the products for one picture, and of the values in its largest map.

    They count every convolution, the filters of a StyleGAN3, and 1250 runs of the mapping network: a conversion draws
    eight pictures and maps ten thousand latents.
    """
    mapping = config.mapping_layers * config.w_dim * max(config.w_dim, config.z_dim)
    weights, products, values = mapping, mapping * 1250, 0
    filtered = 0 if config.sampling is None else PRODUCTS_FILTERED
    for inputs, outputs, kernel, side in config.convolutions():
        weights += inputs * outputs * kernel**2
        products += outputs * (inputs * kernel**2 + filtered) * side**2
        values = max(values, outputs * side**2)
    return weights, products, values
