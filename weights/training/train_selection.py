"""Train the network that selects things of a bundled generator: python -m weights.training.train_selection face

It learns from generated pictures and the label maps of their scenes which pixels belong to the thing at a pressed one.
Writes selection.safetensors into the generator's folder.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.core.selection_network import SIDE, SelectionNetwork, features, layers_of, new, write
from rewriting.generators import Generator, read_generator
from rewriting.generators.config import BUNDLED
from weights.rules.truth import Truth
from weights.scenes import SCENES
from weights.training.muon import Muon, descend
from weights.training.schedule import falling

log = logging.getLogger(__name__)
FIRST_SEED = 1_000_000  # picture numbers, far from those that anybody looks at
TOGETHER = {  # labels of one thing: a press on any of them selects them all
    "church": (("window", "main_window"), ("spire", "battlement")),
    "face": (("lips", "teeth"),),
    "horse": (("horse", "head", "ear", "mane", "tail"),),
    "kitchen": (("table", "reflection"),),
}
ALONE = {"tail"}  # those of them that a press on themselves selects alone
IN_PIECES = {"mark_middle", "mark_bottom", "glasses"}  # things whose pieces count as one
PICTURES = 1000
STEPS, SAID = 1600, 100  # said: steps between two lines of progress
BATCH, PRESSES = 2, 20  # pictures in a step, and presses on each of two parts of them
CROP, GRID = 128, 8  # side of a part in pixels, and the grid on which parts lie, a position of the coarsest features
NORMALISED = 16  # pictures of which the features' means and deviations are
WARM_UP = 20  # steps
KERNELS_RATE, OTHERS_RATE = 0.007, 0.0015
RARE = 0.5  # pixels of a thing that covers a share f weigh f^-RARE
LEAST_SHARE = 1e-4
PIECES_WEIGHT = 0.2


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    folder = options.generator or BUNDLED / options.scene
    generator = read_generator(folder)
    log.info("%s: drawing %d label maps", options.scene, options.pictures)
    seeds = range(FIRST_SEED, FIRST_SEED + options.pictures)
    label_maps = Truth(options.scene, SIDE).label_maps(seeds)
    network = train(generator, options.scene, label_maps, options.steps, options.leave_out)
    path = write(network, generator, options.out or folder)
    log.info("%s: wrote %s, %d bytes", options.scene, path, path.stat().st_size)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m weights.training.train_selection", description=__doc__.split("\n")[0])
    p.add_argument("scene", choices=list(SCENES))
    p.add_argument("--generator", type=Path, metavar="FOLDER", help="by default the bundled one of that name")
    p.add_argument("--out", type=Path, metavar="FOLDER", help="by default that of the generator")
    p.add_argument("--pictures", type=int, default=PICTURES, help="pictures to train on")
    p.add_argument("--steps", type=int, default=STEPS)
    p.add_argument("--leave-out", nargs="*", default=(), metavar="LABEL", help="labels that it never hears of")
    p.add_argument("--threads", type=int, default=1)
    return p


def train(
    generator: Generator, scene: str, label_maps: np.ndarray, steps: int, leave_out: Sequence[str] = ()
) -> SelectionNetwork:
    """A network, trained for a number of steps.

    label_maps: uint8 (N, 256, 256), of the pictures from `FIRST_SEED` on.  leave_out: labels whose pixels are neither
    pressed nor count for or against any other press.
    """
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    labels = SCENES[scene].labels
    same, in_pieces = belongs(scene), torch.tensor([label in IN_PIECES for label in labels])
    known = torch.tensor([label not in leave_out for label in labels])
    there = np.stack([(label_maps == i).any((1, 2)) for i in range(len(labels))], 1) & known.numpy()
    drawing = generator.computing_in(torch.bfloat16)  # twice as fast
    network = initialised(new(generator), drawn(drawing, range(FIRST_SEED, FIRST_SEED + NORMALISED)))
    optimizers = optimizers_of(network)
    losses = []
    for step in range(steps):
        wanted = random.choice(there.any(0).nonzero()[0], size=BATCH)
        chosen = [random.choice(there[:, label].nonzero()[0]) for label in wanted]
        seen = drawn(drawing, [FIRST_SEED + int(n) for n in chosen])
        seen, crops = cropped(seen, label_maps[chosen], wanted, random)
        with torch.autocast("cpu", torch.bfloat16):
            levels = network.levels(seen)
            keys = network.key(levels[-1]).float()
        loss = torch.zeros(())
        for i, label in enumerate(crops):
            rows, columns = presses(label.numpy(), known.numpy(), random)
            ratios = [CROP // level.shape[-1] for level in levels]
            here = [level[i, :, rows // n, columns // n] for level, n in zip(levels, ratios, strict=True)]
            query, offset, pieces = network.queries(torch.cat(here).t().float())
            pressed, all_of = label[rows, columns], label.flatten()
            logit = query @ keys[i].flatten(1) + offset[:, None]
            loss = loss + mask_loss(logit, same[pressed][:, all_of], known[all_of])
            loss = loss + PIECES_WEIGHT * F.binary_cross_entropy_with_logits(pieces, in_pieces[pressed].float())
        loss = loss / len(crops)
        share = falling(step, steps, WARM_UP)
        descend([(optimizer, highest * share) for optimizer, highest in optimizers], loss)
        losses.append(loss.item())
        if (step + 1) % SAID == 0:
            log.info("%s: step %d of %d, loss %.3f", scene, step + 1, steps, np.mean(losses[-SAID:]))
    return network.eval().requires_grad_(False)


def belongs(scene: str) -> Tensor:
    """Bool (L, L): whether a press on the label of a row selects that of a column."""
    labels = SCENES[scene].labels
    same = torch.eye(len(labels), dtype=torch.bool)
    for group in TOGETHER[scene]:
        for label in group:
            if label not in ALONE:
                same[labels.index(label), [labels.index(other) for other in group]] = True
    return same


@torch.no_grad()
def drawn(generator: Generator, seeds: Sequence[int]) -> list[Tensor]:
    """What the network takes, of pictures by number."""
    first = layers_of(generator)[0]
    at = generator.enter(generator.map(generator.latents(list(seeds))), first)
    return features(generator, first, at)


def initialised(network: SelectionNetwork, some: Sequence[Tensor]) -> SelectionNetwork:
    """Kernels of a gain that keeps the features' size (He et al., 2015); features of mean 0 and deviation 1."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, a=0.1)
            torch.nn.init.zeros_(module.bias)
    network.query.weight.data.mul_(0.1)  # at first, no pixel is said to belong or not to
    for feature, shift, scale in zip(some, network.shift, network.scale, strict=True):
        shift.copy_(feature.mean((0, 2, 3))[:, None, None])
        scale.copy_(1 / feature.std((0, 2, 3))[:, None, None].clamp_min(1e-3))
    return network.to(memory_format=torch.channels_last)


def optimizers_of(network: SelectionNetwork) -> list[tuple[torch.optim.Optimizer, float]]:
    """The optimizers, each with its highest rate."""
    trained = [p for p in network.parameters() if p.requires_grad]
    kernels = [module.weight for module in (*network.sideways, *network.join)]
    others = [p for p in trained if not any(p is kernel for kernel in kernels)]
    return [(Muon(kernels), KERNELS_RATE), (torch.optim.Adam(others, betas=(0.9, 0.99)), OTHERS_RATE)]


def presses(crop: np.ndarray, known: np.ndarray, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Rows and columns (P,) in a crop of a label map: each at a random place of a random label."""
    there = [label for label in np.unique(crop) if known[label]] or list(np.unique(crop))
    places = [random.choice(np.flatnonzero(crop == label)) for label in random.choice(there, size=PRESSES)]
    places = torch.tensor(np.array(places))
    return places // crop.shape[1], places % crop.shape[1]


def cropped(
    seen: Sequence[Tensor], label_maps: np.ndarray, wanted: Sequence[int], random: np.random.Generator
) -> tuple[list[Tensor], Tensor]:
    """Parts of pictures, one around a place of the wanted label and one at random of each: features of every size, and
    labels (B, CROP, CROP)."""
    parts, labels, most = [], [], (SIDE - CROP) // GRID
    for i, (label_map, label) in enumerate(zip(label_maps, wanted, strict=True)):
        row, column = divmod(random.choice(np.flatnonzero(label_map == label)), SIDE)
        around = [min(most, max(0, (at - CROP // 2) // GRID)) for at in (row, column)]
        for top, left in np.stack([around, random.integers(most + 1, size=2)]) * GRID:
            labels.append(torch.from_numpy(label_map[top : top + CROP, left : left + CROP].astype(np.int64)))
            ratios = [SIDE // one.shape[-1] for one in seen]
            parts.append(
                [
                    one[i, :, top // n : (top + CROP) // n, left // n : (left + CROP) // n]
                    for one, n in zip(seen, ratios, strict=True)
                ]
            )
    stacked = [torch.stack(one).contiguous(memory_format=torch.channels_last) for one in zip(*parts, strict=True)]
    return stacked, torch.stack(labels)


def mask_loss(logit: Tensor, belongs: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy, in which small things weigh more, and 1 - Dice (Milletari et al., "V-Net", 3DV 2016).

    logit, belongs: (P, N), of P presses and N pixels.  known: (N,), whether a pixel counts.
    """
    target, counts = belongs.float(), known.float()
    positive, all_of = (target * counts).sum(1), counts.sum()
    weight = (positive / all_of).clamp_min(LEAST_SHARE) ** -RARE
    entropy = F.binary_cross_entropy_with_logits(logit, target, reduction="none") * counts
    weighted = (entropy * target).sum(1) * weight + (entropy * (1 - target)).sum(1)
    share = torch.sigmoid(logit) * counts
    dice = (2 * (share * target).sum(1) + 1) / (share.sum(1) + positive + 1)
    return (weighted / (positive * weight + all_of - positive) + 1 - dice).mean()


if __name__ == "__main__":
    main()
