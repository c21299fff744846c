"""The losses of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = 4
SQUARED = 2.0  # weight of the squared error beside the absolute one
TAPS = (16, 32)  # sides of the features that the label loss reads
FRAME = 4.0  # how much more the outermost pixels count: a StyleGAN2 enlarges pictures as if zeros lay around them


def reconstruction(drawn: Tensor, true: Tensor, weight: Tensor, edges: float = 0.0) -> Tensor:
    """Absolute and squared error at four scales.

    drawn, true: (B, 3, H, W), from 16 pixels up.  weight: (B, 1, H, W), of each pixel.
    edges: weight of the absolute error of picture gradients; it sharpens, but early in training it only blurs.
    """
    loss = torch.zeros((), device=drawn.device)
    for scale in range(SCALES):
        if scale:
            drawn, true, weight = F.avg_pool2d(drawn, 2), F.avg_pool2d(true, 2), F.avg_pool2d(weight, 2)
        error = drawn - true
        loss = loss + (weight * (error.abs() + SQUARED * error.square())).mean()
        if edges:
            across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
            down = (error[:, :, 1:] - error[:, :, :-1]).abs() * weight[:, :, 1:]
            loss = loss + edges * (across.mean() + down.mean())
    return loss


class Emphasis(nn.Module):
    """Label maps (B, H, W) -> weights of the pixels, (B, 1, H, W)."""

    def __init__(self, labels: Iterable[str], emphasis: Mapping[str, float]):
        super().__init__()
        labels = tuple(labels)
        for name in emphasis:
            if name not in labels:
                raise ValueError(f"there is no label {name!r} to emphasise; choose from {', '.join(labels)}.")
        weights = torch.tensor([float(emphasis.get(name, 1.0)) for name in labels])
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, label: Tensor, size: int) -> Tensor:
        weight = self.weights[label][:, None]
        weight = weight * F.pad(torch.ones_like(weight[..., 1:-1, 1:-1]), (1, 1, 1, 1), value=FRAME)
        return weight if size == weight.shape[-1] else F.avg_pool2d(weight, weight.shape[-1] // size)


class LabelLoss(nn.Module):
    """Cross-entropy of a 1x1 convolution of features against the scene's labels.

    It teaches the places of things, and makes the features of a position identify the thing there.  Only training uses
    these convolutions.
    """

    def __init__(self, channels: Mapping[int, int], classes: int):
        super().__init__()
        self.classes = classes
        sides = [side for side in TAPS if side in channels]
        self.heads = nn.ModuleDict({str(side): nn.Conv2d(channels[side], classes, 1) for side in sides})

    def forward(self, features: Mapping[int, Tensor], label: Tensor) -> Tensor:
        """features: {side: (B, C, side, side)}.  label: (B, H, W)."""
        shares = F.one_hot(label, self.classes).permute(0, 3, 1, 2).float()
        loss = torch.zeros((), device=label.device)
        for side, x in features.items():
            target = F.adaptive_avg_pool2d(shares, side)
            scores = F.log_softmax(self.heads[str(side)](x.float()), 1)
            loss = loss - (target * scores).sum(1).mean()
        return loss
