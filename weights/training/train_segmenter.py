"""Train the segmenter of a bundled generator: python -m weights.training.train_segmenter face

Half of its pictures are scenes, and half are generated from the same latents, with the same labels.  Writes
segmenter.safetensors and segmenter.json, the measurements on held-out latents, into the generator's folder.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.files import write_json
from rewriting.generators import Generator, read_generator
from rewriting.generators.config import BUNDLED
from weights.rules.truth import Truth
from weights.scenes import SCENES
from weights.segmenter import FILE, SIDE, Segmenter, UNet
from weights.training.augment import augment
from weights.training.muon import Muon, descend
from weights.training.schedule import falling

log = logging.getLogger(__name__)
FIRST_SEED, HELD_OUT = 1_000_000, 900_000  # picture numbers, far from those that anybody looks at
WARM_UP = 20  # steps
RARE = 0.3  # a class of share f weighs f^-RARE in the loss


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = options.generator or BUNDLED / options.scene
    generator, truth = read_generator(folder), Truth(options.scene, SIDE)
    network = train(generator, truth, options.pictures, options.steps, options.batch)
    segmenter = Segmenter(network, truth.labels)
    segmenter.save(folder / FILE)
    report = evaluate(Segmenter.load(folder), generator, truth, range(HELD_OUT, HELD_OUT + options.held_out))
    write_json((folder / FILE).with_suffix(".json"), report)
    log.info("%s: mean IoU %s", options.scene, report["mean_iou"])


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m weights.training.train_segmenter", description=__doc__.split("\n")[0])
    p.add_argument("scene", choices=list(SCENES))
    p.add_argument("--generator", type=Path, metavar="FOLDER", help="by default the bundled one of that name")
    p.add_argument("--pictures", type=int, default=640, help="scenes to train on, and as many generated pictures")
    p.add_argument("--steps", type=int, default=600)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--held-out", type=int, default=128, help="scenes to measure on")
    p.add_argument("--threads", type=int)
    return p


def draw(generator: Generator, truth: Truth, seeds: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Scenes and generated pictures, uint8 (N, 3, 128, 128), and the label maps of both, uint8 (N, 128, 128)."""
    side = min(SIDE, generator.config.resolution)
    scenes, drawn = truth.pictures(seeds), generator.images(seeds, size=side, truncation=1.0)
    scenes, drawn, label = [torch.from_numpy(array) for array in (scenes, drawn, truth.label_maps(seeds))]
    scenes, drawn = scenes.permute(0, 3, 1, 2), drawn.permute(0, 3, 1, 2)
    if drawn.shape[-1] != SIDE:
        drawn = F.interpolate(drawn, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    return scenes, drawn, label


def train(generator: Generator, truth: Truth, pictures: int, steps: int, batch: int) -> UNet:
    """A segmenter's network, trained for a number of steps."""
    started = time.monotonic()
    scenes, drawn, label = draw(generator, truth, range(FIRST_SEED, FIRST_SEED + pictures))
    log.info("%s: drew %d pictures in %.0f s", truth.scene.name, 2 * pictures, time.monotonic() - started)
    torch.manual_seed(0)
    network, random = initialised(UNet(len(truth.labels))), torch.Generator().manual_seed(0)
    weight = class_weights(label, len(truth.labels))
    optimizers = optimizers_of(network)
    for step in range(steps):
        chosen = torch.randint(pictures, (batch,), generator=random)
        x = torch.cat([scenes[chosen[::2]], drawn[chosen[1::2]]]).float() / 127.5 - 1
        target = torch.cat([label[chosen[::2]], label[chosen[1::2]]]).long()
        x, target = augment(x, target, random)
        loss = F.cross_entropy(network(x), target, weight)
        share = falling(step, steps, WARM_UP)
        descend([(optimizer, highest * share) for optimizer, highest in optimizers], loss)
        if (step + 1) % 50 == 0:
            log.info("%s: step %d of %d, loss %.3f", truth.scene.name, step + 1, steps, loss.item())
    return network


def initialised(network: UNet) -> UNet:
    """Kernels of a gain that keeps the features' size (He et al., 2015), in the layout that convolves fastest."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, a=0.1)
            torch.nn.init.zeros_(module.bias)
    return network.to(memory_format=torch.channels_last)


def optimizers_of(network: UNet) -> list[tuple[torch.optim.Optimizer, float]]:
    """The optimizers, each with its highest rate."""
    kernels = [p for p in network.parameters() if p.dim() == 4]
    biases = [p for p in network.parameters() if p.dim() == 1]
    return [(Muon(kernels), 0.02), (torch.optim.Adam(biases, betas=(0.9, 0.99)), 0.003)]


def class_weights(label: Tensor, classes: int) -> Tensor:
    """(C,): rare classes get a higher weight, so that glasses count beside a backdrop; the mean over pixels is 1."""
    share = torch.bincount(label.flatten().long(), minlength=classes) / label.numel()
    weight = share.clamp_min(1e-4) ** -RARE
    return weight / (share * weight).sum()


def evaluate(segmenter: Segmenter, generator: Generator, truth: Truth, seeds: Sequence[int]) -> dict:
    """The accuracy on scenes and on generated pictures: IoU and accuracy of each class, and the share of correct
    pixels.

    A generated picture is compared with its scene, so the generator's own errors count too.
    """
    scenes, drawn, label = draw(generator, truth, seeds)
    report: dict = {"pictures": len(seeds), "pixels_right": {}, "mean_iou": {}, "classes": {}}
    for source, pictures in (("scenes", scenes), ("generated", drawn)):
        predicted = segmenter.labels(pictures.permute(0, 2, 3, 1).numpy())
        confusion = confusion_matrix(label.numpy(), predicted, len(segmenter.classes))
        right, seen, named = np.diag(confusion), confusion.sum(1), confusion.sum(0)
        iou = right / np.maximum(seen + named - right, 1)
        report["pixels_right"][source] = round(float(right.sum() / confusion.sum()), 4)
        report["mean_iou"][source] = round(float(iou.mean()), 4)
        for k, name in enumerate(segmenter.classes):
            row = report["classes"].setdefault(name, {"share": round(float(seen[k] / confusion.sum()), 5)})
            row[source] = {"iou": round(float(iou[k]), 4), "accuracy": round(float(right[k] / max(seen[k], 1)), 4)}
    return report


def confusion_matrix(label: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(C, C) pixel counts: rows are the true classes, columns the predicted ones."""
    pairs = label.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


if __name__ == "__main__":
    main()
