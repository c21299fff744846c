"""The mathematics of Bau et al. (ECCV 2020) as the original implementation computes it, step by step.

Transcribed from a description of its behaviour, quirks included: this is the yardstick, not the improvement.
Every function works in the dtype of the tensors it is given (float64 included).

Conventions: a key is a (1, I, h, w) feature map, a value a (1, O, h', w') one; masks are float weights of shape (h, w)
at the resolution of the map they select from; W is (O, I, kh, kw) or (1, O, I, kh, kw); directions d are (S, I) rows.
"""

import base64
import io
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

LayerFunction = Callable[[Tensor, Tensor], Tensor]  # (key, W) -> value
KeysAndMasks = Sequence[tuple[Tensor, Tensor]]  # [(key, mask)], one entry per context picture
Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two exclusive


class Goal(NamedTuple):
    """What the layer should do: layer(key) == value. `box` is in value coordinates; `full_value` is the whole map."""

    key: Tensor
    value: Tensor
    box: Box
    full_value: Tensor


# Statistics and directions (paper eq. 14 and appendices D, E)


def second_moment(keys: Tensor) -> Tensor:
    """C = E[k k^T] over every position of every map: (N, I, h, w) -> (I, I). Uncentred, one rank-1 term a position."""
    channels = keys.shape[1]
    total = keys.new_zeros(channels, channels)
    count = 0
    for feature_map in keys:
        for k in feature_map.reshape(channels, -1).T:
            total += k[:, None] * k[None, :]
            count += 1
    return total / count


def inverse_root(C: Tensor) -> Tensor:
    """Z = C^-1/2 = U diag(1 / max(sqrt(lambda), 1e-20)) U^T, eigen-decomposed in float64; (I, I), dtype of C."""
    values, vectors = torch.linalg.eigh(C.double())
    return ((vectors / values.sqrt().clamp_min(1e-20)) @ vectors.T).to(C.dtype)


def selected_rows(keys_and_masks: KeysAndMasks) -> tuple[Tensor, Tensor]:
    """All positions with a positive mask: their keys (T, I) and their weights (T, 1)."""
    rows, weights = [], []
    for key, mask in keys_and_masks:
        positions = key.reshape(-1, *mask.shape)
        for y in range(mask.shape[0]):
            for x in range(mask.shape[1]):
                if mask[y, x] > 0:
                    rows.append(positions[:, y, x])
                    weights.append(mask[y, x].reshape(1))
    return torch.stack(rows), torch.stack(weights).to(rows[0].dtype)


def direction(keys_and_masks: KeysAndMasks, C: Tensor, rank: int) -> Tensor:
    """Appendix D: the update directions of a context, (min(rank, T), I) orthonormal rows.

    Whiten the masked keys, take the top right singular vectors, un-whiten, orthonormalise, and turn every row so that
    it has a positive product with the sum of the *whitened* keys.
    """
    rows, weights = selected_rows(keys_and_masks)
    Z = inverse_root(C)
    X = weights * (rows @ Z)  # (T, I)
    _, _, Vt = torch.linalg.svd(X, full_matrices=False)
    R = Vt[:rank] @ Z  # (S, I)
    Q, _ = torch.linalg.qr(R.T)  # (I, S)
    signs = torch.sign(Q.T @ X.sum(0))
    return signs[:, None] * Q.T


def single_key(C: Tensor, mean_key: Tensor) -> Tensor:
    """Equation 13 for one key: C^-1 k / |C^-1 k|, shape (I,)."""
    solution = torch.linalg.solve(C, mean_key)
    return solution / solution.norm()


def mean_key(keys_and_masks: KeysAndMasks) -> Tensor:
    """The mask-weighted mean of the selected keys, shape (I,)."""
    rows, weights = selected_rows(keys_and_masks)
    return (weights * rows).sum(0) / weights.sum()


def unit_scores(keys_and_masks: KeysAndMasks, C: Tensor) -> Tensor:
    """Appendix E: how much louder every key channel is inside the masks, mean_mask(k^2) / E[k^2]; shape (I,).

    The mean inside is weighted by the mask; E[k^2] is the diagonal of C.
    """
    rows, weights = selected_rows(keys_and_masks)
    return (weights * rows**2).sum(0) / weights.sum() / C.diagonal()


def resize_mask(png_data_url: str, h: int, w: int) -> Tensor:
    """A stored mask as float weights in [0, 1]: RGB (alpha discarded), bilinear, / 255, channel 0.

    The original hands (h, w) to Pillow, which expects (width, height): the result has shape (w, h), right for squares.
    """
    png = base64.b64decode(png_data_url.split("base64,", 1)[1])
    image = Image.open(io.BytesIO(png)).convert("RGB")
    resized = image.resize((h, w), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(resized, dtype=np.float32) / 255)[:, :, 0]


# The layer as a function of its weights


def stylegan_layer(
    key: Tensor, style: Tensor, W: Tensor, bias: Tensor, noise: Tensor | None, upsample: bool
) -> Tensor:
    """f(k; W) of one StyleGAN2 layer: key (B, I, h, w), already modulated -> value (B, O, h, w) or (B, O, 2h, 2w).

    style: (B, I), the one that modulated the key; bias: (O,); noise: weight times map, broadcastable to the value.
    """
    W = W.reshape(W.shape[-4:])
    out_channels, in_channels, kh, kw = W.shape
    w = W / math.sqrt(in_channels * kh * kw)
    if upsample:
        y = F.conv_transpose2d(key, w.transpose(0, 1), stride=2)
    else:
        y = F.conv2d(key, w, padding=1)
    modulated = w[None] * style[:, None, :, None, None]  # (B, O, I, kh, kw)
    demodulation = (modulated.square().sum((2, 3, 4)) + 1e-8) ** -0.5  # (B, O)
    y = y * demodulation[:, :, None, None]
    if upsample:
        tap = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=y.dtype)
        fir = 4 * torch.outer(tap, tap) / 64
        y = F.conv2d(F.pad(y, (1, 1, 1, 1)), fir.expand(out_channels, 1, 4, 4), groups=out_channels)
    if noise is not None:
        y = y + noise
    return math.sqrt(2) * F.leaky_relu(y + bias[None, :, None, None], 0.2)


def proggan_layer(key: Tensor, W: Tensor, *, scaled: bool = True) -> Tensor:
    """f(k; W) of one Progressive GAN layer, linear: key (B, I, h, w) after pixel norm and upsampling -> (B, O, h, w).

    scaled: include the gain sqrt(2) / sqrt(k^2 I). The original applies that gain in the layer after the convolution
    and rewrites the convolution alone: `scaled=False` is its value, a constant factor away.
    """
    _, in_channels, k, _ = W.shape
    gain = math.sqrt(2) / math.sqrt(k * k * in_channels) if scaled else 1.0
    return F.conv2d(key, W * gain, padding=k // 2)


# Goals


def bounding_box(mask: Tensor) -> Box:
    """Top, left, bottom, right (the last two exclusive) of the positive part of a mask."""
    ys, xs = torch.nonzero(mask > 0, as_tuple=True)
    if len(ys) == 0:
        raise ValueError("The mask selects nothing; give one with at least one positive value.")
    return int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1


def _clamp(start: int, size: int, length: int) -> int:
    """Where a run of `size` starts so that it stays within `length`, as close to `start` as it can."""
    return max(0, min(start, length - size))


def goal(
    v_src: Tensor, v_dst: Tensor, copy_mask: Tensor, paste_mask: Tensor, key_dst: Tensor, tight: bool = True
) -> Goal:
    """Copy the masked part of v_src (1, O, H, W) to the centre of the paste mask in v_dst.

    The masks are (H, W), at value resolution. With `tight` key and value are cut to the pasted rectangle, grown to
    whole key positions; without it they are the whole maps.
    """
    height, width = v_dst.shape[2:]
    top, left, bottom, right = bounding_box(copy_mask)
    obj = v_src[:, :, top:bottom, left:right]
    alpha = copy_mask[top:bottom, left:right].to(v_dst.dtype)
    paste_top, paste_left, paste_bottom, paste_right = bounding_box(paste_mask)
    rows, columns = bottom - top, right - left
    y = _clamp((paste_top + paste_bottom) // 2 - rows // 2, rows, height)
    x = _clamp((paste_left + paste_right) // 2 - columns // 2, columns, width)

    full = v_dst.clone()
    under = v_dst[:, :, y : y + rows, x : x + columns]
    full[:, :, y : y + rows, x : x + columns] = (1 - alpha) * under + alpha * obj
    if not tight:
        return Goal(key_dst, full, (0, 0, height, width), full)

    ratio = height // key_dst.shape[2]
    t, l, b, r = y // ratio, x // ratio, -(-(y + rows) // ratio), -(-(x + columns) // ratio)  # noqa: E741
    box = (t * ratio, l * ratio, b * ratio, r * ratio)
    return Goal(key_dst[:, :, t:b, l:r], full[:, :, box[0] : box[2], box[1] : box[3]], box, full)


def erase_goal(
    layer_fn: LayerFunction, W: Tensor, key: Tensor, keys_and_masks: KeysAndMasks, C: Tensor, count: int
) -> Goal:
    """The layer's own output with the `count` most context-specific key channels silenced over the whole map.

    The key of the goal is the unchanged one. Nothing is cropped: the original's loss is over the full map.
    """
    loudest = unit_scores(keys_and_masks, C).topk(count).indices
    silenced = key.clone()
    silenced[:, loudest] = 0
    value = layer_fn(silenced, W)
    return Goal(key, value, (0, 0, value.shape[2], value.shape[3]), value)


# The constrained optimisation (paper eq. 8, 15-17)


def loss(layer_fn: LayerFunction, W: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """mean |f(K*; W) - V*| over everything in V*."""
    return (layer_fn(K, W) - V).abs().mean()


def project(W: Tensor, d: Tensor) -> Tensor:
    """P(W) = W D^T D along the input-channel axis, per output channel and tap."""
    onto = d.T @ d  # (I, I), symmetric
    return torch.einsum("...iyx,ij->...jyx", W, onto)


def projected_gradient(
    layer_fn: LayerFunction,
    W0: Tensor,
    d: Tensor,
    K: Tensor,
    V: Tensor,
    iterations: int = 2001,
    project_every: int = 10,
    lr: float = 0.05,
    project_gradient: bool = False,
) -> tuple[Tensor, list[float]]:
    """Adam on the whole of W, brought back to W0 + span(d) every few steps. -> final W, loss before every step.

    A step is projected when its number (from 0) is divisible by `project_every` or it is the last; Adam's moments
    never are. The losses are those of the weights a step starts from, most of them off the constraint.
    """
    W = W0.detach().clone().requires_grad_(True)
    orthogonal = W0.detach() - project(W0.detach(), d)
    optimizer = torch.optim.Adam([W], lr=lr)
    losses = []
    for iteration in range(iterations):
        optimizer.zero_grad()
        current = loss(layer_fn, W, K, V)
        current.backward()
        if project_gradient:
            W.grad = project(W.grad, d)
        optimizer.step()
        losses.append(float(current.detach()))
        if iteration % project_every == 0 or iteration == iterations - 1:
            with torch.no_grad():
                W.copy_(orthogonal + project(W, d))
    return W.detach(), losses


def linear_insert(
    layer_fn: LayerFunction, W0: Tensor, d: Tensor, K: Tensor, V: Tensor, iterations: int = 2001, lr: float = 0.05
) -> tuple[Tensor, list[float], Tensor]:
    """Adam on Lambda (O, S, kh, kw) from zero, W = W0 + Lambda d. -> final W, loss before every step, Lambda."""
    out_channels, _, kh, kw = W0.shape[-4:]
    factor = W0.new_zeros(out_channels, len(d), kh, kw).requires_grad_(True)

    def weights() -> Tensor:
        return W0.detach() + torch.einsum("osyx,si->oiyx", factor, d).reshape(W0.shape)

    optimizer = torch.optim.Adam([factor], lr=lr)
    losses = []
    for _ in range(iterations):
        optimizer.zero_grad()
        current = loss(layer_fn, weights(), K, V)
        current.backward()
        optimizer.step()
        losses.append(float(current.detach()))
    return weights().detach(), losses, factor.detach()
