"""The segmenters: what they find, and what they refuse to open."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rewriting.generators.config import BUNDLED, bundled
from weights.rules.truth import Truth
from weights.segmenter import Segmenter, UNet
from weights.training.augment import augment, paste, shift
from weights.training.train_segmenter import class_weights, confusion_matrix

CLASSES = ["sky", "tree", "dome"]
SEEDS = range(24)


@pytest.fixture(scope="module")
def faces() -> Truth:
    return Truth("face", 128)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load("face")


@pytest.fixture
def small(tmp_path):
    torch.manual_seed(0)
    return Segmenter(UNet(len(CLASSES)), CLASSES).save(tmp_path / "segmenter.safetensors")


def iou(found: np.ndarray, there: np.ndarray) -> float:
    return (found & there).sum() / (found | there).sum()


@pytest.mark.parametrize("name", ["church", "face", "horse", "kitchen"])
def test_every_bundled_generator_has_one_that_knows_its_labels(name):
    segmenter = Segmenter.load(name)
    assert segmenter.classes == Truth(name).labels
    report = json.loads((BUNDLED / name / "segmenter.json").read_text())
    assert set(report["classes"]) == set(segmenter.classes)
    assert min(report["pixels_right"].values()) > 0.85


def test_it_finds_what_is_in_a_scene(segmenter, faces):
    """Bounds lie well below the 0.46, 0.81 and 0.92 measured on 128 other faces; chance is below 0.1."""
    pictures = faces.pictures(SEEDS)
    for name, least in (("glasses", 0.35), ("teeth", 0.65), ("hair", 0.85)):
        assert iou(segmenter.mask(pictures, name), faces.mask(SEEDS, name)) > least, name


def test_it_sees_the_difference_that_one_number_makes(segmenter, faces):
    seeds = range(6)
    glasses, teeth = [segmenter.classes.index(name) for name in ("glasses", "teeth")]
    wearing = segmenter.labels(faces.edited(seeds, glasses=True, mood=1.0)[0])
    without = segmenter.labels(faces.edited(seeds, glasses=False, mood=-1.0)[0])
    for label in (glasses, teeth):
        assert (wearing == label).sum() > 20 * max(1, (without == label).sum())


def test_pictures_of_another_size_are_read_too(segmenter, faces):
    pictures = faces.pictures([0, 1])
    large = pictures.repeat(2, 1).repeat(2, 2)
    found = segmenter.labels(large)
    assert found.shape == (2, 256, 256) and found.dtype == np.uint8
    assert (found[:, ::2, ::2] == segmenter.labels(pictures)).mean() > 0.95


def test_no_picture_depends_on_its_batch(segmenter, faces):
    pictures = faces.pictures(range(5))
    together = segmenter.labels(pictures)
    alone = np.concatenate([segmenter.labels(picture[None]) for picture in pictures])
    assert (together != alone).mean() < 1e-4  # ties, decided by rounding
    assert np.allclose(segmenter.features(pictures)[3], segmenter.features(pictures[3:4])[0], atol=1e-4)


def test_features_tell_pictures_apart(segmenter, faces):
    features = segmenter.features(faces.pictures(SEEDS))
    assert features.shape == (len(SEEDS), 64) and features.dtype == np.float32
    blurred = faces.pictures(SEEDS).reshape(len(SEEDS), 16, 8, 16, 8, 3).mean((2, 4)).astype(np.uint8)
    moved = segmenter.features(blurred.repeat(8, 1).repeat(8, 2)).mean(0) - features.mean(0)
    halves = features[::2].mean(0) - features[1::2].mean(0)
    assert np.linalg.norm(moved) > 2 * np.linalg.norm(halves)


def test_no_pictures_give_no_labels(segmenter):
    none = np.empty((0, 128, 128, 3), np.uint8)
    assert segmenter.labels(none).shape == (0, 128, 128) and segmenter.features(none).shape == (0, 64)


def test_wrong_pictures_and_names_are_refused_in_one_sentence(segmenter):
    with pytest.raises(ValueError, match="float32; expected a uint8 array"):
        segmenter.labels(np.zeros((1, 128, 128, 3), np.float32))
    with pytest.raises(ValueError, match=re.escape("shape (128, 128, 3)")):
        segmenter.features(np.zeros((128, 128, 3), np.uint8))
    with pytest.raises(ValueError, match="'hat' is not told apart here; choose from background"):
        segmenter.mask(np.zeros((1, 128, 128, 3), np.uint8), "hat")
    with pytest.raises(FileNotFoundError, match="nowhere has no segmenter"):
        Segmenter.load("nowhere")
    assert "face" in bundled()


def test_a_saved_segmenter_comes_back(small, tmp_path):
    loaded, again = Segmenter.load(small), Segmenter.load(tmp_path)
    assert loaded.classes == again.classes == tuple(CLASSES)
    picture = np.random.RandomState(0).randint(0, 256, (2, 128, 128, 3)).astype(np.uint8)
    assert np.array_equal(loaded.labels(picture), again.labels(picture))
    copy = loaded.save(tmp_path / "copy" / "segmenter.safetensors")
    assert np.array_equal(Segmenter.load(copy).features(picture), loaded.features(picture))


def resaved(path, tensors=None, **about):
    """The file again, with other tensors or metadata; None takes an entry away."""
    state = {name: tensor.half() for name, tensor in UNet(len(CLASSES)).state_dict().items()}
    known = {"format": "rewriting-segmenter", "format_version": "1", "classes": json.dumps(CLASSES)}
    metadata = {key: value for key, value in {**known, **about}.items() if value is not None}
    save_file({**state, **(tensors or {})}, path, metadata)
    return path


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"format": "rewriting-generator"}, "says format and version"),
        ({"format_version": "2"}, "says format and version"),
        ({"classes": None}, "does not name its 2 to 64 classes"),
        ({"classes": "[1, 2"}, "does not name its 2 to 64 classes"),
        ({"classes": "[" * 100_000}, "does not name its 2 to 64 classes"),
        ({"classes": '{"sky": 1}'}, "does not name its 2 to 64 classes"),
        ({"classes": json.dumps(["x"] * 65)}, "does not name its 2 to 64 classes"),
        ({"classes": json.dumps(["sky", "tree", "x" * 41])}, "class name that is no text of 1 to 40"),
        ({"classes": json.dumps(["sky", "tree", 3])}, "class name that is no text"),
        ({"classes": json.dumps(["sky", "tree", "tree"])}, "names one class twice"),
        ({"classes": json.dumps(["sky", "tree", "dome", "hat"])}, "has head.weight of shape"),
    ],
)
def test_a_file_that_says_something_wrong_is_refused(small, about, message):
    with pytest.raises(ValueError, match=message):
        Segmenter.load(resaved(small, **about))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"extra": torch.zeros(1)}, "has extra, which the config does not call for"),
        ({"head.bias": torch.zeros(5)}, "head.bias of shape"),
        ({"head.bias": torch.zeros(12, dtype=torch.int32)}, "stores head.bias as I32"),
        ({"head.bias": torch.full((12,), float("nan"))}, "not finite"),
    ],
)
def test_a_file_that_holds_something_wrong_is_refused(small, tensors, message):
    with pytest.raises(ValueError, match=message):
        Segmenter.load(resaved(small, tensors))


@pytest.mark.parametrize("keep", [0, 7, 100, -100])
def test_a_cut_file_is_refused(small, keep):
    data = small.read_bytes()
    small.write_bytes(data[:keep])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        Segmenter.load(small)


def test_augmented_label_maps_follow_their_pictures():
    """Each class is painted in a colour of its own, so the picture says what the label map has to be."""
    random = torch.Generator().manual_seed(0)
    label = torch.randint(0, 4, (6, 1, 8, 8), generator=random).repeat_interleave(8, 2).repeat_interleave(8, 3)[:, 0]
    x = (label[:, None] / 2 - 0.75).expand(-1, 3, -1, -1).contiguous()
    for change in (paste, shift):
        moved, target = change(x, label, random)
        assert torch.allclose(moved[:, 0], target / 2 - 0.75)
        assert (target != label).any()
    changed, target = augment(x, label, random)
    assert changed.shape == x.shape and torch.isfinite(changed).all()
    sharp = (changed.mean(1) - (target / 2 - 0.75)).abs().mean()
    assert sharp < 0.4  # tint, blur and noise are mild beside the 0.5 between two classes


def test_rare_classes_weigh_more_and_pixels_one_on_average():
    label = torch.tensor([0] * 900 + [1] * 99 + [2])
    weight = class_weights(label, 3)
    assert weight[0] < weight[1] < weight[2]
    assert torch.isclose(weight[label].mean(), torch.tensor(1.0), atol=1e-5)


def test_confusion_counts_pixels():
    there, found = np.array([[0, 1, 1], [2, 2, 0]], np.uint8), np.array([[0, 1, 2], [2, 2, 1]], np.uint8)
    assert confusion_matrix(there, found, 3).tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 2]]
