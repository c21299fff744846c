"""The recipe: scenes, the mapping network written down for them, and the training that draws them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rewriting.generators import build, read_generator
from rewriting.generators.stylegan2 import SQRT2, StyleGAN2
from weights.rules.measure import draw_scaled
from weights.rules.truth import Truth
from weights.scenes import SCENES, Scene, scaled
from weights.scenes.draw import Draw, cuts, quantile
from weights.scenes.edit import with_value
from weights.training import checkpoint
from weights.training.critic import Critic
from weights.training.evaluate import psnr
from weights.training.knots import STEEP, units
from weights.training.losses import FRAME, Emphasis, LabelLoss, reconstruction
from weights.training.mapping import STEP_HEIGHT, held, mapping_of, step_places, write_mapping
from weights.training.muon import orthogonalise
from weights.training.schedule import Schedule
from weights.training.settings import Settings, config_of
from weights.training.train import parser, settings_of
from weights.training.trainee import trainee_of
from weights.training.trainer import Trainer

TRAINED = [("church", "stylegan2"), ("kitchen", "proggan"), ("face", "stylegan3")]
NARROW = {4: 24, 8: 24, 16: 16, 32: 12, 64: 8}
SMALL = Settings(
    size=32, pictures=320, pool=64, fill=4, warm_up=5, stages=((16, 0.5),), held_out=16, half_life=64, compile=False
)


def latents(scene: Scene, n: int, seed: int = 0) -> Tensor:
    return scaled(torch.randn(n, scene.z_dim, generator=torch.Generator().manual_seed(seed)))


# --- scenes


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_a_function_of_its_latent(name):
    scene = SCENES[name]
    z = latents(scene, 4)
    rgb, label = scene.render(z, 32)
    assert rgb.shape == (4, 3, 32, 32) and label.shape == (4, 32, 32)
    assert 0 <= rgb.min() and rgb.max() <= 1 and 0 <= label.min() and label.max() < len(scene.labels)
    alone, alone_label = scene.render(z[2:3], 32)
    assert torch.allclose(rgb[2:3], alone, atol=1e-6)  # vectorised sums may round differently in another batch
    assert torch.equal(label[2:3], alone_label)
    assert (rgb[0] - rgb[1]).abs().mean() > 0.01


@pytest.mark.parametrize(
    ("name", "column", "value", "label"),
    [
        ("face", "glasses", True, "glasses"),
        ("face", "earrings", True, "earring"),
        ("church", "main_window", True, "main_window"),
        ("church", "mark_middle", True, "mark_middle"),
        ("church", "mark_bottom", True, "mark_bottom"),
        ("church", "people", True, "person"),
        ("kitchen", "window", True, "window"),
    ],
)
def test_a_flag_puts_its_thing_into_the_picture_or_takes_it_out(name, column, value, label):
    scene = SCENES[name]
    z, wanted = latents(scene, 8), scene.labels.index(label)
    there = (scene.render(with_value(scene, z, column, value), 64)[1] == wanted).flatten(1).sum(1)
    gone = (scene.render(with_value(scene, z, column, not value), 64)[1] == wanted).flatten(1).sum(1)
    assert (gone == 0).all()
    assert (there > 0).float().mean() >= 0.75  # hair may hide an earring, a tree a person


@pytest.mark.parametrize("top", ["spire", "dome", "flat"])
def test_a_tower_has_the_top_that_was_asked_for(top):
    scene = SCENES["church"]
    label = scene.render(with_value(scene, latents(scene, 6), "tower", top), 64)[1]
    seen = {name: (label == scene.labels.index(name)).any() for name in ("spire", "dome", "battlement")}
    assert seen == {"spire": top == "spire", "dome": top == "dome", "battlement": top == "flat"}


def test_mood_turns_a_frown_into_a_smile_that_shows_teeth():
    scene = SCENES["face"]
    z, teeth = latents(scene, 6), scene.labels.index("teeth")
    smiling = scene.render(with_value(scene, z, "mood", 1.0), 64)[1] == teeth
    frowning = scene.render(with_value(scene, z, "mood", -1.0), 64)[1] == teeth
    assert smiling.flatten(1).any(1).all() and not frowning.any()


def test_a_moustache_is_worn_by_adults():
    scene = SCENES["face"]
    z, label = latents(scene, 6), scene.labels.index("moustache")
    adults = with_value(scene, with_value(scene, z, "child", False), "moustache", True)
    children = with_value(scene, adults, "child", True)
    assert (scene.render(adults, 64)[1] == label).flatten(1).any(1).all()
    assert not (scene.render(children, 64)[1] == label).any()


def test_a_horse_gets_a_longer_tail_and_its_rider_a_hat():
    scene = SCENES["horse"]
    z = latents(scene, 6)
    tails = [
        (scene.render(with_value(scene, z, "tail", length), 64)[1] == scene.labels.index("tail")).sum()
        for length in (0.3, 0.5, 0.8)
    ]
    assert tails[0] < tails[1] < tails[2]
    ridden = with_value(scene, with_value(scene, z, "person", "rider"), "hat", True)
    alone = with_value(scene, ridden, "person", "nobody")
    hat = scene.labels.index("hat")
    assert (scene.render(ridden, 64)[1] == hat).flatten(1).any(1).all()
    assert not (scene.render(alone, 64)[1] == hat).any()


def test_setting_a_value_changes_no_other_column_and_keeps_what_is_right_already():
    scene = SCENES["face"]
    z = latents(scene, 64)
    index = scene.column("glasses")
    changed = with_value(scene, z, "glasses", True)
    others = [i for i in range(scene.z_dim) if i != index]
    assert torch.equal(changed[:, others], z[:, others])
    had = z[:, index] < quantile(0.30)
    assert torch.equal(changed[had], z[had]) and (changed[~had] != z[~had]).any(1).all()


def test_wrong_names_and_values_say_what_would_do():
    scene = SCENES["church"]
    z = latents(scene, 1)
    with pytest.raises(ValueError, match="no column named 'steeple'; choose one from .*tower"):
        with_value(scene, z, "steeple", True)
    with pytest.raises(ValueError, match="'onion'; choose one of spire, dome, flat"):
        with_value(scene, z, "tower", "onion")
    with pytest.raises(ValueError, match="tail cannot be 2; choose a number from 0.28 to 0.8"):
        with_value(SCENES["horse"], latents(SCENES["horse"], 1), "tail", 2)


def test_truth_knows_pictures_by_number_and_keeps_them():
    truth = Truth("face", 32)
    pictures, labels = truth.pictures([5, 3]), truth.label_maps([5, 3])
    assert pictures.dtype == np.uint8 and pictures.shape == (2, 32, 32, 3) and labels.shape == (2, 32, 32)
    z = scaled(torch.from_numpy(np.random.RandomState(3).randn(1, 57).astype(np.float32)))
    expected = (SCENES["face"].render(z, 32)[0][0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.abs(truth.pictures([3])[0].astype(int) - expected).max() <= 1  # one level: rounding in another batch
    assert np.array_equal(truth.pictures([3])[0], pictures[1])
    assert np.array_equal(truth.mask([5], "hair", "skin"), np.isin(labels[:1], [2, 3]))
    bald = truth.edited([5, 3], glasses=False)[1]
    assert not (bald == truth.labels.index("glasses")).any()
    with pytest.raises(ValueError, match="no label 'hat'"):
        truth.mask([5], "hat")


# --- the mapping network


@pytest.mark.parametrize("name", ["church", "face", "horse"])
def test_latent_codes_hold_the_scenes_numbers(name):
    """What the scene draws is read back from the generator's own mapping network, its last activation undone.

    Float32 sums of some 200 products of size up to 20, of stored weights 100 times their effect: 1e-3 is generous.
    """
    scene, tolerance = SCENES[name], 1e-3
    generator = build(config_of(name, 32))
    write_mapping(generator, scene)
    z = latents(scene, 256)
    with torch.no_grad():
        codes = generator.map(z) / SQRT2
    codes = torch.where(codes < 0, codes / 0.2, codes).double()
    places: dict[int, list[int]] = {}
    for i, code in enumerate(units(scene.columns)[1]):
        places.setdefault(code.column, []).append(i)
    for index, column in enumerate(scene.columns):
        numbers, certain = drawn(column, z[:, index])
        if not len(places.get(index, ())):
            assert column.kind in ("flag", "choice")  # of an outcome that no latent reaches
            continue
        design = torch.cat([codes[:, places[index]], torch.ones(len(z), 1).double()], 1)[certain]
        solution = torch.linalg.lstsq(design, numbers[certain].double()).solution
        assert (design @ solution - numbers[certain]).abs().max() < tolerance, (index, column)


def drawn(column, z: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers (N, K) that are linear in a column's codes, and where the codes are exact, bool (N,)."""
    draw, everywhere = Draw(z[:, None]), torch.ones(len(z), dtype=torch.bool)
    if column.kind == "color":
        return draw.color(column.details)[:, :, 0, 0], everywhere
    if column.kind in ("flag", "choice"):
        places = [quantile(column.details[0])] if column.kind == "flag" else cuts(column.details)
        certain = torch.stack([(z - place).abs() > STEEP / 2 for place in places]).all(0)
        one_hot = draw.flag(*column.details)[:, :, 0] if column.kind == "flag" else draw.choice(column.details)
        return one_hot.flatten(1), certain
    if column.kind == "fraction":  # its five ramps together rise by 1 from the first knot to the last
        return z.clamp(quantile(0.04) / 0.8, quantile(0.96) / 0.8)[:, None], everywhere
    return z[:, None], everywhere


def test_each_code_depends_on_its_own_column_alone():
    scene = SCENES["face"]
    generator = build(config_of("face", 32))
    write_mapping(generator, scene)
    z = latents(scene, 8)
    owners = torch.tensor([code.column for code in units(scene.columns)[1]])
    layers = generator.style[1:]
    with torch.no_grad():
        for column in (6, 16, 48):
            moved = z.clone()
            moved[:, column] += 0.5
            change = (layers(moved) - layers(z)).abs().amax(0)[: len(owners)]  # without the pixel norm, which couples
            assert change[owners != column].max() < 1e-4  # float32 rounding of the untouched sums
            assert change[owners == column].max() > 0.1


def test_a_mapping_that_does_not_fit_is_refused():
    config = config_of("face", 32)
    with pytest.raises(ValueError, match="cannot hold the 208 knots and 152 codes of the face scene"):
        write_mapping(build(replace(config, w_dim=128)), SCENES["face"])
    with pytest.raises(ValueError, match="has 3 layers; a scene's has 2"):
        write_mapping(build(replace(config, mapping_layers=3)), SCENES["face"])


def test_a_progressive_gan_starts_from_the_knots():
    scene = SCENES["kitchen"]
    generator = build(config_of("kitchen", 32))
    write_mapping(generator, scene)
    z = latents(scene, 4)
    block = generator.layer1
    with torch.no_grad():
        features = block.scaled(block.value(block.key(z[:, :, None, None])))
    stepping = {column for column, _ in step_places(generator, scene)}
    knots = [knot for knot in units(scene.columns)[0] if knot.column not in stepping]
    expected = torch.stack([knot.slope * z[:, knot.column] + knot.offset for knot in knots], 1)
    found = features[:, : len(knots)]
    assert torch.allclose(found, expected[:, :, None, None].expand_as(found), atol=1e-4)  # float32, offsets of up to 3


def test_the_second_layer_of_a_progressive_gan_says_what_is_shown_even_in_float16_weights():
    scene = SCENES["kitchen"]
    generator = build(config_of("kitchen", 32))
    write_mapping(generator, scene)
    generator.half().float().forget()
    generator.compute_dtype = torch.bfloat16
    z = latents(scene, 2000)
    with torch.no_grad():
        at = generator.begin(generator.map(z))
        features = generator.layer2.activated(generator.value(2, at))
    steps = step_places(generator, scene)
    assert len(steps) == sum(len(cuts(c.details)) if c.kind == "choice" else c.kind == "flag" for c in scene.columns)
    for (column, place), feature in zip(steps, features[:, -len(steps) :].unbind(1), strict=True):
        shown = z[:, column] > place
        certain = (z[:, column] - place).abs() > 0.6 * STEEP  # a tenth more than half: thresholds are rounded too
        feature = feature / STEP_HEIGHT
        assert feature[certain & ~shown].abs().max() < 0.02  # of what it is where shown
        assert 0.7 < feature[certain & shown].min() and feature[certain & shown].max() < 1.0  # but for the pixel norm


# --- training


@pytest.mark.parametrize(("name", "architecture"), TRAINED)
def test_a_trainee_draws_what_its_generator_draws(name, architecture):
    torch.manual_seed(0)
    generator = build(config_of(name, 32, NARROW, architecture))
    trainee = trainee_of(generator)
    z = latents(SCENES[name], 3)
    with torch.no_grad():
        rgb, features = trainee(z, 32, (16, 32))
        rgb = rgb.clamp(-1, 1) if architecture == "proggan" else rgb
        assert torch.allclose(rgb, generator(z, truncation=1.0), atol=1e-5)
        assert {side: tuple(x.shape) for side, x in features.items()} == {16: (3, 16, 16, 16), 32: (3, 12, 32, 32)}
        assert trainee(z, 16)[0].shape == (3, 3, 16, 16)


def test_training_leaves_the_steps_of_a_progressive_gan_alone(tmp_path):
    torch.manual_seed(0)
    trainer = trained("kitchen", tmp_path / "kitchen", SMALL)
    generator = trainer.trainee.generator
    before = build(config_of("kitchen", 32, NARROW))
    write_mapping(before, SCENES["kitchen"])
    for name, mask in held(generator, SCENES["kitchen"]).items():
        now, then = generator.get_parameter(name), before.get_parameter(name)
        assert torch.equal(now[mask], then[mask]), name
        assert mask.any() and not torch.equal(now[~mask], then[~mask]), name


@pytest.mark.parametrize(("name", "architecture"), TRAINED)
def test_a_short_run_learns_and_leaves_a_generator_that_loads(name, architecture, tmp_path):
    torch.manual_seed(0)
    # a StyleGAN3 begins its picture anew at each stage, for which twenty steps are too few
    settings = replace(SMALL, stages=()) if architecture == "stylegan3" else SMALL
    trainer = trained(name, tmp_path / name, settings, architecture=architecture)
    assert trainer.seen == 320
    folder, scene = tmp_path / name, SCENES[name]
    generator = read_generator(folder)
    z = latents(scene, 16, seed=5)
    true = scene.render(z, 32)[0]
    assert generator.config.architecture == architecture
    untrained = checkpoint.start(name, 32, None, NARROW, architecture)
    with torch.no_grad():
        before = psnr(untrained(z).clamp(-1, 1) * 0.5 + 0.5, true).mean()
        after = psnr(generator(z).clamp(-1, 1) * 0.5 + 0.5, true).mean()
    assert after > before + 2
    if architecture != "proggan":
        with torch.no_grad():
            codes = generator.map(latents(scene, 4096), truncation=1.0)
            mean = generator.map(latents(scene, 1), truncation=0.0)[0]
        # 4096 and 10,000 latents: means of codes of deviation 1 differ by some 0.02
        assert (codes.mean(0) - mean).abs().max() < 0.1
    assert (tmp_path / f"{name}-sheet.png").is_file()


def trained(
    name: str, out: Path, settings: Settings, resume: Path | None = None, architecture: str | None = None
) -> Trainer:
    generator = checkpoint.start(name, settings.size, resume, NARROW, architecture)
    trainer = Trainer(name, generator, settings, out, torch.device("cpu"), resume)
    trainer.run()
    return trainer


def test_a_run_can_be_taken_up_with_its_state_or_without(tmp_path):
    torch.manual_seed(0)
    short = replace(SMALL, pictures=64, stages=(), adversarial_from=0.5)
    first = trained("church", tmp_path / "church", short)
    loss = first.rows[-1]["loss"]
    second = trained("church", tmp_path / "church", replace(short, pictures=256), tmp_path / "church")
    assert second.seen == 320 and second.critic.steps > 0
    assert second.rows[-1]["loss"] < loss
    checkpoint.state_path(tmp_path / "church").unlink()
    third = Trainer(
        "church",
        checkpoint.start("church", 32, tmp_path / "church", NARROW),
        short,
        tmp_path / "again",
        torch.device("cpu"),
        tmp_path / "church",
    )
    assert third.seen == 0
    z = latents(SCENES["church"], 2)
    with torch.no_grad():
        # float16 in the file, and the mapping made exact again: a few hundredths of a picture on [-1, 1]
        error = (third.trainee(z, 32)[0] - second.average(z, 32)[0]).abs()
    assert error.mean() < 0.02


def test_a_run_that_keeps_other_layers_takes_up_everything_but_the_optimizers(tmp_path):
    torch.manual_seed(0)
    short = replace(SMALL, pictures=64, stages=(), keep=16)
    first = trained("church", tmp_path / "church", short)
    second = trained("church", tmp_path / "church", replace(short, keep=0), tmp_path / "church")
    assert second.seen == 128 and second.steps == 2 * first.steps
    assert not torch.equal(second.trainee.generator.conv(3).weight, first.trainee.generator.conv(3).weight)


def test_a_grown_style_generator_draws_the_small_picture_enlarged(tmp_path):
    torch.manual_seed(0)
    small = build(config_of("face", 32, NARROW))
    write_mapping(small, SCENES["face"])
    small.save(tmp_path)
    large = checkpoint.start("face", 64, tmp_path, NARROW)
    z = latents(SCENES["face"], 2)
    with torch.no_grad():
        before = small(z)
        assert torch.allclose(large(z, size=32), before, atol=1e-4)
        assert torch.allclose(large(z), large.low_pass.upsample(before), atol=1e-4)
    assert large.to_rgbs[-1].conv.weight.abs().max() == 0 and large.convs[-1].conv.weight.abs().max() > 0


def test_a_grown_progressive_generator_keeps_its_layers_and_its_description(tmp_path):
    small = build(replace(config_of("kitchen", 32, NARROW), description="Kitchens."))
    small.save(tmp_path)
    large = checkpoint.start("kitchen", 64, tmp_path, NARROW)
    assert all(torch.equal(large.conv(n).weight, small.conv(n).weight) for n in small.layers)
    assert large.config.resolution == 64 and len(large.layers) == len(small.layers) + 2
    assert large.config.description == "Kitchens."


def test_a_grown_progressive_generator_begins_with_the_small_picture_enlarged(tmp_path):
    """Not to the last bit: the pixel norm takes a little of every feature into account."""
    torch.manual_seed(0)
    small = build(config_of("kitchen", 32, NARROW))
    with torch.no_grad():
        small.output.wscale.b.copy_(torch.tensor([0.5, -0.3, 0.1]))
    small.save(tmp_path)
    large = checkpoint.start("kitchen", 64, tmp_path, NARROW)
    z = latents(SCENES["kitchen"], 4)
    with torch.no_grad():
        before = F.interpolate(small(z), scale_factor=2, mode="bilinear", align_corners=False)
        drawn = large(z)
    inside = np.s_[..., 2:-2, 2:-2]  # a convolution sees nothing beyond the edge, where interpolation repeats it
    difference = (drawn - before)[inside].abs()
    assert before.std() > 0.2 and difference.mean() < 0.05


@pytest.mark.parametrize("name", ["church", "kitchen"])
def test_growing_can_leave_what_was_there_as_it_is(name, tmp_path):
    torch.manual_seed(0)
    small = build(config_of(name, 32, NARROW))
    write_mapping(small, SCENES[name])
    checkpoint.write_averaged(small, SCENES[name], tmp_path / "small" / name)
    settings = replace(SMALL, size=64, keep=32, pictures=64, stages=())
    trained(name, tmp_path / name, settings, tmp_path / "small" / name)
    small, large = read_generator(tmp_path / "small" / name), read_generator(tmp_path / name)
    for layer in small.layers:
        assert torch.equal(large.conv(layer).weight, small.conv(layer).weight)
    untrained = checkpoint.start(name, 64, tmp_path / "small" / name, NARROW)
    assert not np.array_equal(large.images([1]), untrained.images([1]))
    if isinstance(large, StyleGAN2):
        assert np.array_equal(large.images([1, 2], size=32, truncation=1.0), small.images([1, 2], truncation=1.0))


def test_keeping_everything_is_refused():
    with pytest.raises(ValueError, match="keep 64 leaves nothing to train at 64 px; keep at most half of that"):
        Settings(size=64, keep=64)


def test_a_generator_of_another_scene_is_not_taken_up(tmp_path):
    build(config_of("horse", 32, NARROW)).save(tmp_path)
    with pytest.raises(ValueError, match="a stylegan2 generator named 'horse'; expected a stylegan2 named 'face'"):
        checkpoint.start("face", 64, tmp_path)
    with pytest.raises(ValueError, match="60 latent columns at 32 px; the horse scene has 60, and 16 px"):
        checkpoint.start("horse", 16, tmp_path)


def test_a_stylegan3_starts_from_features_of_unit_size(tmp_path):
    """Each layer divides by the size of its input, so that the next begins with features as large as those before."""
    torch.manual_seed(0)
    generator, scene = checkpoint.start("face", 32, None, NARROW, "stylegan3"), SCENES["face"]
    with torch.no_grad():
        latent = generator.map(latents(scene, 64), truncation=1.0)
        for layer in generator.layers:
            at = generator.enter(latent, layer)
            size = (at.key / at.style[:, :, None, None]).square().mean()
            assert 0.8 < size < 1.25, layer  # measured over other pictures
    assert all(layer.weight.requires_grad is False for layer in mapping_of(generator))
    generator.save(tmp_path)
    with pytest.raises(ValueError, match="a StyleGAN3 of 32 px, which cannot grow; train it at that side"):
        checkpoint.start("face", 64, tmp_path, NARROW, "stylegan3")


@pytest.mark.parametrize("architecture", ["stylegan2", "stylegan3"])
def test_a_scaled_latent_is_not_scaled_again(architecture):
    """So that pictures of scenes that differ in one number differ in nothing else."""
    torch.manual_seed(0)
    generator, scene = checkpoint.start("face", 32, None, NARROW, architecture), SCENES["face"]
    z = latents(scene, 2)
    with torch.no_grad():
        drawn = generator(z, truncation=1.0)
        assert torch.allclose(draw_scaled(generator, z), drawn, atol=1e-5)
        assert (draw_scaled(generator, 1.5 * z) - drawn).abs().max() > 0.01


def test_a_stylegan3_learns_everything_but_its_mapping():
    """Even the shift and the turn of its waves, which move the whole picture."""
    torch.manual_seed(0)
    trainee = trainee_of(checkpoint.start("face", 32, None, NARROW, "stylegan3"))
    trainee(latents(SCENES["face"], 2), 32)[0].square().mean().backward()
    named = dict(trainee.named_parameters())
    assert named["generator.synthesis.input.affine.weight"].grad.abs().sum() > 0
    frozen = {name for name, parameter in named.items() if not parameter.requires_grad}
    assert frozen == {f"generator.mapping.fc{n}.{part}" for n in (0, 1) for part in ("weight", "bias")}


def test_orthogonalised_gradients_have_equal_singular_values():
    matrix = torch.randn(24, 90, generator=torch.Generator().manual_seed(0))
    for m in (matrix, matrix.t()):
        values = torch.linalg.svdvals(orthogonalise(m))
        assert 0.6 < values.min() and values.max() < 1.3  # the iteration's own bounds (Jordan et al., 2024)
        assert torch.sign((orthogonalise(m) * m).sum()) > 0


def test_losses_are_zero_or_least_at_the_truth():
    torch.manual_seed(0)
    true = torch.rand(2, 3, 32, 32)
    weight = torch.ones(2, 1, 32, 32)
    assert reconstruction(true, true, weight, 0.5) == 0
    shifted = reconstruction(true + 0.1, true, weight, 0.5)
    assert torch.isclose(shifted, torch.tensor(4 * (0.1 + 2 * 0.01)), atol=1e-5)  # four scales; no edge differs
    loss = LabelLoss({16: 5, 32: 5}, 3)
    label = torch.randint(3, (2, 32, 32))
    right = F.one_hot(label, 3).permute(0, 3, 1, 2).float() * 20
    for head in loss.heads.values():
        head.weight.data.copy_(torch.eye(3, 5)[:, :, None, None])
        head.bias.data.zero_()
    features = torch.cat([right, torch.zeros(2, 2, 32, 32)], 1)
    assert loss({32: features}, label) < 1e-6 < loss({32: features.roll(1, 1)}, label)


def test_the_critic_judges_the_same_window_of_what_is_made_and_what_is_true():
    torch.manual_seed(0)
    critic = Critic(64, NARROW, 16, 5.0, torch.device("cpu"), torch.float32)
    picture = torch.rand(4, 3, 64, 64)
    made, true = critic.windows(picture, picture + 1)
    assert made.shape == (4, 3, 16, 16) and torch.equal(made + 1, true)
    assert len({float(critic.windows(picture, picture)[0].sum()) for _ in range(8)}) > 1  # not always the same one
    assert critic.generator_loss(made).isfinite()
    assert torch.equal(Critic(16, NARROW, 64, 5.0, torch.device("cpu"), torch.float32).windows(made, true)[0], made)


def test_small_things_and_the_frame_count_more():
    label = torch.zeros(1, 16, 16, dtype=torch.long)
    label[0, 4:8, 4:8] = 1
    weight = Emphasis(("sky", "hat"), {"hat": 5})(label, 16)[0, 0]
    assert weight[8, 8] == 1 and weight[5, 5] == 5 and weight[0, 5] == weight[8, -1] == weight[0, 0] == FRAME
    halved = Emphasis(("sky", "hat"), {"hat": 5})(label, 8)[0, 0]
    assert halved[2, 2] == 5 and halved[0, 4] == (FRAME + 1) / 2  # two rows of pixels, of which one is outermost
    with pytest.raises(ValueError, match="no label 'cap' to emphasise; choose from sky, hat"):
        Emphasis(("sky", "hat"), {"cap": 2})


def test_the_rate_warms_up_stays_and_falls():
    schedule = Schedule(replace(SMALL, rate=0.1, warm_up=10, decay_from=0.5))
    assert schedule.rate(0.0, 0) == pytest.approx(0.01)
    assert schedule.rate(0.4, 100) == pytest.approx(0.1)
    assert schedule.rate(0.75, 100) == pytest.approx(0.05)
    assert schedule.rate(1.0, 100) == pytest.approx(0.002)
    assert [schedule.size(share) for share in (0.2, 0.6)] == [16, 32]


def test_a_budget_of_processor_time_does_not_count_what_other_programs_use():
    schedule = Schedule(replace(SMALL, processor_time=True))
    time.sleep(0.1)
    assert schedule.elapsed < 0.05  # asleep, the process computes nothing
    while schedule.elapsed < 0.05:
        pass


def test_the_command_line_says_what_runs():
    given = parser().parse_args(["horse", "--device", "cpu", "--size", "64", "--rate", "0.01"])
    settings = settings_of(given)
    assert (settings.size, settings.rate, settings.stages, settings.batch) == (64, 0.01, ((32, 0.22),), 16)
    assert settings_of(parser().parse_args(["horse", "--device", "cpu", "--resume", "x"])).stages == ()
    with pytest.raises(ValueError, match="size 96 is not a power of two"):
        settings_of(parser().parse_args(["horse", "--device", "cpu", "--size", "96"]))
