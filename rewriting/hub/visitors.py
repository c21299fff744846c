"""What a visitor of a hosted Space may open, so that there is room and time for the others.

Strangers name the files there.  Those of other programs are of public repos and of limited size, and whoever runs the
Space can switch them off; and no generator, in whatever format, takes more work or memory than some.
"""

from __future__ import annotations

import os

from rewriting.generators import GeneratorConfig
from rewriting.hub.choosing import megabytes
from rewriting.hub.client import HubError, hosted

SWITCH = "REWRITING_CONVERT"  # in the environment: off, and visitors open our own format alone
MOST_BYTES = 500_000_000  # of a file of another program: NVIDIA's largest has 382 million
# Of NVIDIA's largest, StyleGAN2 with 1024 pixels: 142 billion, 34 million and 30 million.
MOST_PRODUCTS = 500_000_000_000  # for a picture: some seconds of two cores
MOST_VALUES = 128 << 20  # in the largest map of features: 512 MB
MOST_WEIGHTS = 125_000_000
ELSEWHERE = "open it on your own computer."


def check_file(file: str, size: int, public: bool) -> None:
    """Raises HubError if a visitor may not have this file of another program converted."""
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
    """Raises HubError if a visitor's generator would take too long, or too much memory, to build and to draw with."""
    if not hosted():
        return
    weights, products, values = effort(config)
    if weights > MOST_WEIGHTS or products > MOST_PRODUCTS or values > MOST_VALUES:
        raise HubError(
            f"A generator of {config.resolution} px with these widths, {weights / 1e6:,.0f} million weights in all, "
            f"takes more time or memory than a visitor has here; {ELSEWHERE}"
        )


def effort(config: GeneratorConfig) -> tuple[int, int, int]:
    """Estimates of its weights, of the products that one picture takes, and of the values in its largest map.

    Two convolutions of 3x3 are counted at each resolution, and the mapping network as often for each picture as the
    mean of ten thousand latents takes it for eight: that many are drawn when a file is converted.
    """
    mapping = config.mapping_layers * config.w_dim * max(config.w_dim, config.z_dim)
    weights, products, values, before = mapping, mapping * 1250, 0, config.z_dim
    for size, width in config.channels.items():
        kernel = 9 * (before + width) * width
        weights, products, values = weights + kernel, products + kernel * size * size, max(values, width * size * size)
        before = width
    return weights, products, values
