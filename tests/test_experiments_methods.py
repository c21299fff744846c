"""The methods that the tables compare: the same goal for all, and each of them comes nearer to it."""

import numpy as np
import pytest
import torch

from rewriting import Rewriter
from rewriting.core import memory
from rewriting.core.memory import unit_scores
from rewriting.core.solve import Problem
from tests import tiny
from weights.experiments.methods import Setting, correspondence, gradient, ours, tuning
from weights.experiments.methods.zeroing import zeroed_units

LAYERS = pytest.mark.parametrize("number", [6, 7])  # a plain and an upsampling one
SEEDS = [5, 6]


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    """The statistics of fewer pictures, which takes less time."""
    monkeypatch.setattr(memory, "SAMPLES", 48)


def setting(kind="stylegan2", number=6, **changes):
    request = tiny.request(**{"rank": 2, "locality": 0.1, "everywhere": True, **changes})
    return Setting(Rewriter(tiny.generator(kind), number), request)


@LAYERS
def test_the_goal_cut_to_windows_has_the_loss_of_the_whole_maps(number):
    made = setting(number=number)
    assert made.goal.at.key.shape[0] == 2 and made.goal.at.key.shape[-1] <= made.terms[0].at.key.shape[-1]
    weight = made.rewriter.layer.weight + 0.3 * torch.randn(
        made.rewriter.layer.weight.shape, generator=torch.Generator().manual_seed(0)
    )
    whole = sum(
        (term.weight * (made.rewriter.layer.value(term.at, weight) - term.target).abs().mean(1)).sum()
        for term in made.terms
    )
    assert float(made.loss(weight)) == pytest.approx(float(whole), rel=1e-5)  # float32, other sums
    problem = Problem.of(made.rewriter.layer, made.terms, made.directions)
    all_of_them = torch.ones(len(made.terms), dtype=torch.bool)
    unchanged = problem.loss(torch.zeros(len(weight), problem.factored.patches.shape[1]), all_of_them)
    assert float(made.loss()) == pytest.approx(unchanged, rel=1e-4)


@LAYERS
@pytest.mark.parametrize(
    "method",
    [
        lambda s: ours.solved(s),
        lambda s: ours.traced(s, 0.01, name="trace"),
        lambda s: ours.solved_along(s, s.directions, name="along"),
        lambda s: gradient.projected(s, steps=60),
        lambda s: gradient.projected(s, steps=60, one_paste=True),
        lambda s: gradient.direct(s, steps=40),
        lambda s: gradient.whole_layer(s, steps=40),
        lambda s: tuning.all_weights(s, steps=40),
    ],
    ids=["ours", "trace", "along", "projected", "one paste", "direct", "whole layer", "all weights"],
)
def test_every_method_lowers_the_loss_of_the_goal_and_changes_pictures(method, number):
    made = setting(number=number, rank=5)  # of random features the projection leaves too little at a lower rank
    before = made.rewriter.images(SEEDS)
    change = method(made)
    assert change.loss[1] < change.loss[0] and change.seconds > 0
    after = change.draw(SEEDS, before)
    assert after.shape == before.shape and after.dtype == np.uint8 and not np.array_equal(after, before)
    assert np.array_equal(made.rewriter.images(SEEDS), before)  # the generator itself stays


def test_only_the_whole_layer_leaves_the_directions():
    made = setting()

    def outside(change, directions):
        delta = change.edits[0].delta()
        inside = torch.einsum("oihw,si,sj->ojhw", delta, directions, directions)
        return float((delta - inside).norm() / delta.norm())

    assert outside(gradient.whole_layer(made, steps=5), made.directions) > 0.5
    assert outside(gradient.direct(made, steps=5), made.paper_directions) < 1e-5
    assert outside(gradient.projected(made, steps=25), made.paper_directions) < 1e-5
    assert outside(gradient.projected(made, steps=25, paper=False), made.directions) < 1e-5
    assert outside(ours.solved(made), made.directions) < 1e-5
    assert outside(ours.solved(made), made.paper_directions) > 0.01


def test_the_single_image_direction_is_that_of_the_first_context_picture_alone():
    made = setting()
    delta = gradient.single_image(made, steps=25).edits[0].delta()
    keys, weights = made.rewriter.context_keys(made.request.with_(context=made.request.context[:1]))
    mean = (weights[:, None] * keys).sum(0) / weights.sum()
    direction = torch.linalg.solve(made.rewriter.second_moment(), mean.double()).float()
    flat = delta.permute(0, 2, 3, 1).flatten(0, 2)
    across = flat - (flat @ direction)[:, None] * direction / direction.square().sum()
    # the software's direction has a ridge of 1e-6 of C's trace, which random features let one see
    assert float(across.norm() / flat.norm()) < 0.02


def test_unmodified_is_unmodified():
    made = setting()
    before = made.rewriter.generator.images(SEEDS)
    assert np.array_equal(ours.unmodified(made).draw(SEEDS, before), before)


def test_all_weights_cannot_be_tuned_without_a_latent_that_stays():
    with pytest.raises(ValueError, match="no mapping network"):
        tuning.all_weights(setting("proggan"), steps=1)


def test_zeroing_units_is_leaving_them_out_of_the_weight_where_nothing_is_demodulated():
    made = setting("proggan")
    keys, weights = made.rewriter.context_keys(made.request)
    units = unit_scores(keys, weights[:, None], made.rewriter.second_moment()).argsort(descending=True)[:3]
    weight = made.rewriter.layer.weight.clone()
    weight[:, units] = 0
    generator = made.rewriter.generator
    with torch.no_grad():
        expected = generator(generator.latents(SEEDS), {6: weight})
    drawn = zeroed_units(made, 3).draw(SEEDS, made.rewriter.images(SEEDS))
    assert np.abs(drawn - (expected.clamp(-1, 1) + 1).permute(0, 2, 3, 1).numpy() * 127.5).max() <= 0.51
    with pytest.raises(ValueError, match="has 16"):
        zeroed_units(made, 17)


# --- pasting pixels


def test_best_buddies_find_where_everything_went():
    source = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(64, 12, generator=source), dim=1)
    order = torch.randperm(64, generator=source)
    one, other = correspondence.buddies(features, features[order], torch.ones(64, dtype=torch.bool))
    places = correspondence.grid_places(8)
    assert torch.equal(one, places) and torch.equal(other[order], places)


def test_a_similarity_is_found_among_wrong_pairs():
    source = correspondence.grid_places(8)
    target = 0.8 * source + torch.tensor([0.1, -0.2])
    target[::9] = 0.9  # outliers
    scale, shift = correspondence.similarity(source, target)
    assert scale == pytest.approx(0.8, abs=1e-4) and shift.tolist() == pytest.approx([0.1, -0.2], abs=1e-4)


def test_blending_nothing_or_everything_is_one_of_the_pictures():
    one, other = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for alpha, expected in ((0.0, one), (1.0, other)):
        mixed = correspondence.blend(one, other, torch.full((1, 1, 64, 64), alpha))
        assert torch.allclose(mixed, expected, atol=1e-5)
    with pytest.raises(ValueError, match="too small to blend"):
        correspondence.blend(one[..., :16, :16], other[..., :16, :16], torch.zeros(1, 1, 16, 16))


@pytest.mark.parametrize("blended", [False, True])
def test_the_picture_that_was_pasted_into_becomes_the_goal(blended):
    made = setting()
    seed = made.request.paste.seed
    before, goal = made.rewriter.images([seed]), made.rewriter.goal_image(made.request).astype(int)
    drawn = correspondence.pasted_pixels(made)[blended].draw([seed], before)[0].astype(int)
    before = before[0].astype(int)
    inside = (made.terms[0].weight > 0.99 * made.terms[0].weight.max()).numpy()
    inside = np.kron(inside, np.ones([32 // len(inside)] * 2)) > 0
    core = inside & np.roll(inside, 2, 0) & np.roll(inside, -2, 0) & np.roll(inside, 2, 1) & np.roll(inside, -2, 1)
    assert core.any()
    to_goal, to_before = (np.abs(drawn - other)[core].mean() for other in (goal, before))
    assert to_goal < 0.4 * to_before
