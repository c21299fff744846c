"""The figures' experiments: drawing, switching units, contrasts, matches and what the sheets are made of."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from rewriting import Region, Rewriter, Transform, load_generator
from tests.tiny import box, generator
from weights.experiments import EXPERIMENTS
from weights.experiments.alias_free import Frowns, enlarged
from weights.experiments.drawing import COLOURS, OUTLINE, bars, fitted, outlined, sheet, stacked
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.failures import CASES
from weights.experiments.gallery import FIGURES
from weights.experiments.keys_and_values import strongest_inside
from weights.experiments.reflection import (
    Switch,
    changed_elsewhere,
    contrast,
    draw_switched,
    effect,
    enter_switched,
    find_switch,
    invert,
    selectivity,
    swapped,
)
from weights.experiments.succession import fitting
from weights.experiments.transformed import Eye, Pair
from weights.rules.catalogue import RULES
from weights.rules.truth import Truth


def picture(value: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


# --- drawing ------------------------------------------------------------------------------------------------------


def test_a_sheet_holds_every_picture_and_leaves_free_cells_white():
    drawn = sheet([[picture(10), picture(200)], [None, picture(100)]])
    assert drawn.dtype == np.uint8 and drawn.shape == (2 * 12 + 4, 2 * 12 + 4, 3)
    assert (drawn[4:12, 4:12] == 10).all() and (drawn[4:12, 16:24] == 200).all()
    assert (drawn[16:24, 4:12] == 255).all() and (drawn[16:24, 16:24] == 100).all()


def test_headings_and_sides_make_room_beside_the_pictures():
    plain, named = sheet([[picture(0, 32)]]), sheet([[picture(0, 32)]], headings=["copy"], sides=["unmodified"])
    assert named.shape[0] > plain.shape[0] and named.shape[1] > plain.shape[1] + 40
    assert (named == 0).all(2).sum() >= 32 * 32


def test_stacked_sheets_lie_below_each_other():
    both = stacked(sheet([[picture(1)]]), sheet([[picture(2), picture(3)]]))
    assert both.shape[1] == 2 * 12 + 4
    assert {1, 2, 3} <= set(np.unique(both))


def test_an_outline_is_drawn_around_the_mask_and_nothing_else_changes():
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    drawn = outlined(picture(50, 32), mask)
    edge = (drawn == OUTLINE).all(2)
    assert edge[8, 8:24].all() and edge[8:24, 23].all() and not edge[10:22, 10:22].any()
    assert (drawn[~edge] == 50).all()


def test_a_patch_is_fitted_into_a_square():
    drawn = fitted(np.zeros((4, 8, 3), np.uint8), 16)
    assert drawn.shape == (16, 16, 3)
    assert (drawn[4:12] == 0).all() and (drawn[:3] == 255).all()


def test_bars_are_as_tall_as_their_values():
    drawn = bars("By layer", ["6", "7"], {"reached": [0.25, 1.0], "elsewhere": [0.5, float("nan")]}, top=1.0)
    tall = {}
    for name, colour in zip(("reached", "elsewhere"), COLOURS, strict=False):
        columns = (drawn[50:] == colour).all(2).sum(0)  # below the legend
        tall[name] = sorted({int(c) for c in columns if c > 5})
    assert tall["reached"] == [pytest.approx(190 / 4, abs=2), pytest.approx(190, abs=2)]
    assert tall["elsewhere"] == [pytest.approx(190 / 2, abs=2)]
    with pytest.raises(ValueError, match="2 values"):
        bars("", ["6", "7"], {"reached": [1.0]})


def test_a_report_keeps_sheets_as_webp(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)[..., None].repeat(3, 2)
    report = ExperimentReport("one", "One", tmp_path)
    report.picture("sheet.webp", smooth, "A sheet")
    kept = np.asarray(Image.open(report.write() / "sheet.webp").convert("RGB")).astype(int)
    assert np.abs(kept - smooth).mean() < 3  # lossy, but not visibly so


# --- reflection ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kitchen():
    return generator("proggan")


class Numbers:
    """As much of a generator as choosing units needs: a layer's value is the latent, one number for each unit."""

    def map(self, z):
        return z

    def enter(self, z, layer):
        return z

    def value(self, layer, at):
        return at[:, :, None, None]


def test_the_switch_finds_the_units_that_differ():
    latents = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    present = np.arange(40) % 2 == 0
    latents[present, 3] += 4
    latents[present, 6] -= 4
    switch = find_switch(Numbers(), latents, present, layer=2, count=2)
    assert set(switch.units.tolist()) == {3, 6}
    expected = latents[torch.from_numpy(present)][:, switch.units].mean(0)
    torch.testing.assert_close(switch.on[0, :, 0, 0], expected)
    with pytest.raises(ValueError, match="both kinds"):
        find_switch(Numbers(), latents, np.ones(40, bool), layer=2, count=2)


def test_a_switch_set_to_what_is_there_changes_nothing(kitchen):
    z = kitchen.latents([5])
    value = kitchen.value(2, kitchen.enter(z, 2)).detach()
    units = torch.arange(4)
    switch = Switch(2, units, value[:, units], value[:, units] + 1)
    assert np.array_equal(draw_switched(kitchen, z, switch, True), kitchen.images([5]))
    assert not np.array_equal(draw_switched(kitchen, z, switch, False), kitchen.images([5]))
    nowhere = torch.zeros(1, *value.shape[2:], dtype=torch.bool)
    assert np.array_equal(draw_switched(kitchen, z, switch, False, where=nowhere), kitchen.images([5]))
    at = enter_switched(kitchen, z, 5, switch, True)
    torch.testing.assert_close(at.key, kitchen.enter(z, 5).key)


def test_the_contrast_answers_both_kinds_with_opposite_signs():
    noise = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    present, absent = noise[:200] + 2 * torch.eye(6)[0], noise[200:] + 2 * torch.eye(6)[1]
    direction = contrast(present, absent, torch.eye(6, dtype=torch.float64))
    assert direction.shape == (1, 6) and float(direction.norm()) == pytest.approx(1, abs=1e-6)
    answers = float((present @ direction.t()).mean()), float((absent @ direction.t()).mean())
    assert answers[0] > 1 and answers[1] < -1
    assert answers[0] == pytest.approx(
        -answers[1], rel=0.15
    )  # the two kinds are each other's mirror image but for noise


@torch.no_grad()
def test_the_inverted_rule_moves_each_picture_towards_its_twin(kitchen, monkeypatch):
    monkeypatch.setattr("rewriting.core.memory.SAMPLES", 40)
    rewriter, latents = Rewriter(kitchen, 5), kitchen.latents(range(3))
    value = kitchen.value(2, kitchen.enter(latents, 2))
    units = torch.arange(6)
    spread = value[:, units].std()
    switch = Switch(2, units, value[:1, units] + 3 * spread, value[:1, units] - 3 * spread)
    places = np.zeros((3, 32, 32), bool)
    places[:, 16:] = True
    pairs = swapped(rewriter, latents, places, switch)
    assert len(pairs.goals) == 6 and len(pairs.present) == len(pairs.absent)
    assert sum(float(term.weight.sum()) for term in pairs.goals) == pytest.approx(1, abs=1e-5)
    edit = invert(rewriter, pairs, locality=0.0)
    assert edit.rank == 1 and edit.layer == 5
    weight = kitchen.overrides([edit])[5]
    for term in pairs.goals:
        before, after = rewriter.layer.value(term.at), rewriter.layer.value(term.at, weight)
        assert ((after - term.target).abs() * term.weight).sum() < ((before - term.target).abs() * term.weight).sum()
    assert selectivity(rewriter, pairs, edit.directions) > 1


class Brightness:
    """Reads as reflection whatever is bright."""

    def mask(self, pictures: np.ndarray, name: str) -> np.ndarray:
        assert name == "reflection"
        return pictures.mean(-1) > 127


def test_the_effect_of_a_window_has_the_sign_of_what_it_does():
    dark, bright = np.stack([picture(51)] * 3), np.stack([picture(204)] * 3)
    places = np.ones((3, 8, 8), bool)
    straight, reverse = effect(dark, bright, places, Brightness()), effect(bright, dark, places, Brightness())
    assert straight.brighter == pytest.approx(0.6, abs=1e-5) and reverse.brighter == pytest.approx(-0.6, abs=1e-5)
    assert straight.positive == 1 and reverse.positive == 0
    assert straight.correlation == pytest.approx(1) and reverse.correlation == pytest.approx(-1)
    assert effect(dark, dark, places, Brightness()).correlation == 0
    places[:, :4] = False
    assert changed_elsewhere(dark, bright, places) == pytest.approx(0.6, abs=1e-5)


# --- the others ---------------------------------------------------------------------------------------------------


def test_the_strongest_answer_is_looked_up_in_the_true_area():
    heat = np.zeros((2, 4, 4), np.float32)
    heat[0, 1, 2], heat[1, 3, 3] = 1, 1
    areas = np.zeros((2, 32, 32), bool)
    areas[:, 8:10, 16:18] = True
    assert strongest_inside(heat, areas).tolist() == [True, False]


def test_the_pictures_for_the_succession_have_something_for_every_rule():
    truth = Truth("church", 128)
    seeds = range(1000, 1012)
    found = fitting(truth, seeds)
    for seed in seeds:
        good = (
            truth.mask([seed], "mark_middle").sum() > 100
            and truth.mask([seed], "spire", "dome").sum() > 150
            and not truth.mask([seed], "person").any()
        )
        assert good == (seed in found)


def test_smiles_are_counted_at_any_size_and_only_at_the_mouth():
    frowns = Frowns.first(Truth("face"), 6)
    smiling, frowning = (frowns.truth.edited(frowns.seeds, mood=mood)[0] for mood in (1.0, -1.0))
    for side in (64, 128):
        assert frowns.smiling(enlarged(smiling, side)).all() and not frowns.smiling(enlarged(frowning, side)).any()
    assert not replace(frowns, areas=np.roll(frowns.areas, 64, 1)).smiling(smiling).any()


@pytest.mark.parametrize(
    "name", ["succession", "keys-and-values", "reflection", "gallery", "layers", "failures", "transformed"]
)
def test_the_figures_are_experiments_of_the_command_line(name):
    run = EXPERIMENTS[name].load()
    assert {"n", "progress"} <= set(inspect.signature(run).parameters)


def test_every_figure_and_every_failure_is_about_a_rule_that_there_is():
    assert set(FIGURES) <= set(RULES)
    assert {case.rule for case in CASES} <= set(RULES)


def test_the_angle_of_a_turned_object_is_read_from_its_pixels():
    copy, paste = Region(5, box(256, 25, 106, 51, 157)), Region(10, box(256, 40, 120, 60, 160))
    pair, eye = Pair(copy, copy.mask, paste), Eye(load_generator("horse"))
    for turn in (-30, 14):
        picture = eye.composite(pair, Transform(turn=turn))
        assert abs(eye.angle(picture, pair, Transform(turn=turn)) - turn) <= 1, "angles are tried in steps of 3"
