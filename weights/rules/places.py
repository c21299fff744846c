"""Places of things in the scenes: masks from true label maps, a little wider, as a person would paint them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from weights.rules.truth import Truth

Masks = Callable[[Truth, Sequence[int]], np.ndarray]
ONE_TOWER = 32  # pixels: tops further apart are those of two towers


def seen(*names: str, wider: int = 0) -> Masks:
    """The places of the named things, painted `wider` pixels wider."""
    return lambda truth, seeds: widen(truth.mask(seeds, *names), wider)


def widen(masks: np.ndarray, pixels: int) -> np.ndarray:
    """bool (N, H, W), grown."""
    for axis in (1, 2):
        masks, narrow = masks.copy(), np.moveaxis(masks, axis, 0)
        grown = np.moveaxis(masks, axis, 0)
        for step in range(1, pixels + 1):
            grown[step:] |= narrow[:-step]
            grown[:-step] |= narrow[step:]
    return masks


def top(masks: np.ndarray, rows: int) -> np.ndarray:
    """The uppermost rows of each mask."""
    out = np.zeros_like(masks)
    for mask, kept in zip(masks, out, strict=True):
        if mask.any():
            first = int(mask.any(1).argmax())
            kept[first : first + rows] = mask[first : first + rows]
    return out


def mouth_of(*, smiling: bool) -> Masks:
    def masks(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
        mouths = widen(truth.mask(seeds, "lips", "teeth"), 4)
        if not smiling:  # a smile opens downwards
            mouths |= np.roll(mouths, 7, 1)
        teeth = truth.mask(seeds, "teeth").sum((1, 2))
        return mouths & ((teeth > 90) if smiling else (teeth == 0))[:, None, None]

    return masks


def crown(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    """The place of a hat on a horse."""
    return widen(top(truth.mask(seeds, "head", "ear"), 9), 3)


def top_of_one_tower(*names: str, wider: int) -> Masks:
    """The named tops of churches with one tower; between two towers there is no place to paste."""

    def masks(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
        tops = truth.mask(seeds, *names)
        return widen(tops & (tops.any(1).sum(1) < ONE_TOWER)[:, None, None], wider)

    return masks


def one_tree(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    """The trees of the larger side, if they are slender: a conifer or a poplar."""
    side = larger_side(truth.mask(seeds, "tree"))
    height, width, area = side.any(2).sum(1), side.any(1).sum(1), side.sum((1, 2))
    return widen(side & ((height > 1.7 * width) & (area > 250) & (area < 900))[:, None, None], 2)


def without(*names: str) -> Masks:
    """The whole of each picture without these things."""
    return lambda truth, seeds: (
        ~truth.mask(seeds, *names).any((1, 2), keepdims=True) & np.ones((truth.size,) * 2, bool)
    )


def eyes_without_glasses(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    eyes = widen(truth.mask(seeds, "eye", "brow"), 5)
    return eyes & ~truth.mask(seeds, "glasses").any((1, 2), keepdims=True)


def would(number: str, value: bool | float | str, *names: str, wider: int = 0) -> Masks:
    """The new places of the named things if one number of the scene were another."""
    return lambda truth, seeds: widen(
        _there(truth, seeds, names, **{number: value}) & ~truth.mask(seeds, *names), wider
    )


def would_not(number: str, value: bool | float | str, *names: str, wider: int = 0) -> Masks:
    """The places of the named things that would be gone if one number of the scene were another."""
    return lambda truth, seeds: widen(
        truth.mask(seeds, *names) & ~_there(truth, seeds, names, **{number: value}), wider
    )


def _there(truth: Truth, seeds: Sequence[int], names: Sequence[str], **number: bool | float | str) -> np.ndarray:
    """The places of the named things if that number of the scene is set."""
    changed = truth.edited(seeds, **number)[1]
    return np.isin(changed, [truth.labels.index(name) for name in names])


def left_half(name: str) -> Masks:
    """The left half of the named thing."""
    return lambda truth, seeds: half(truth.mask(seeds, name), left=np.ones(len(seeds), bool))


def one_brow(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    """The left brow in every other picture, the right one in the rest, so that a rule learns both."""
    return widen(half(truth.mask(seeds, "brow"), left=np.asarray(seeds) % 2 == 0), 3)


def half(masks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The left or the right half, on the screen, of each mask; left: bool (N,)."""
    kept = np.zeros_like(masks)
    for mask, out, is_left in zip(masks, kept, left, strict=True):
        if mask.any():
            columns = np.flatnonzero(mask.any(0))
            middle = (columns[0] + columns[-1] + 1) // 2
            side = slice(None, middle) if is_left else slice(middle, None)
            out[:, side] = mask[:, side]
    return kept


def larger_side(masks: np.ndarray) -> np.ndarray:
    """The part of a mask in that half of the picture, left or right, which has more of it."""
    right = np.arange(masks.shape[-1]) > masks.shape[-1] // 2
    larger = (masks & right).sum((1, 2)) > (masks & ~right).sum((1, 2))
    return masks & (right[None] == larger[:, None])[:, None, :]


def trees_on_one_side(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    return widen(larger_side(truth.mask(seeds, "tree")), 2)


def no_trees_on_one_side(truth: Truth, seeds: Sequence[int]) -> np.ndarray:
    """In churches without any tree, the place of the trees of one side."""
    bare = ~truth.mask(seeds, "tree").any((1, 2), keepdims=True)
    return widen(larger_side(would("trees", True, "tree")(truth, seeds) & bare), 3)
