"""LPIPS and FID, for installations with their networks, which were trained on photographs.

They are measured if the packages `lpips` and `pytorch-fid` are installed; these fetch their weights themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

LPIPS, FID = "LPIPS", "FID"


@dataclass(frozen=True)
class Networks:
    """The networks; None for one that is not installed.

    lpips: two batches in [-1, 1], (N, 3, H, W) -> distances, (N, 1, 1, 1).  inception: a batch in [0, 1] -> a list of
    one, features (N, 2048, 1, 1).
    """

    lpips: Callable[[Tensor, Tensor], Tensor] | None = None
    inception: Callable[[Tensor], list[Tensor]] | None = None

    @classmethod
    def installed(cls) -> Networks:
        """The installed networks with their weights; an error of a package is passed on."""
        return cls(_lpips(), _inception())

    @torch.inference_mode()
    def distances(self, one: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
        """The LPIPS distance of pictures from others, uint8 (N, H, W, 3): {name: (N,)}; {} without the network.

        Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.
        """
        if self.lpips is None:
            return {}
        return {LPIPS: self.lpips(2 * _unit(one) - 1, 2 * _unit(other) - 1).flatten().numpy()}

    @torch.inference_mode()
    def features(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """The features for the FID, of pictures, uint8 (N, H, W, 3): {name: (N, 2048)}; {} without the network.

        Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017.
        """
        return {} if self.inception is None else {FID: self.inception(_unit(pictures))[0].flatten(1).numpy()}


def _unit(pictures: np.ndarray) -> Tensor:
    """uint8 (N, H, W, 3) -> (N, 3, H, W) in [0, 1]"""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def _lpips() -> Callable[[Tensor, Tensor], Tensor] | None:
    try:
        from lpips import LPIPS as Network
    except ImportError:
        return None
    return Network(net="alex", verbose=False).eval()


def _inception() -> Callable[[Tensor], list[Tensor]] | None:
    try:
        from pytorch_fid.inception import InceptionV3 as Network
    except ImportError:
        return None
    return Network([Network.BLOCK_INDEX_BY_DIM[2048]]).eval()
