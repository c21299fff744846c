"""The measures of the experiments, against the formulas of their papers written down another way."""

import numpy as np
import pytest
import torch

from weights.experiments import measures
from weights.experiments.baseline import Baseline
from weights.experiments.chart import CURVES, OTHER, Drawing, Point, beyond, chart
from weights.segmenter import Segmenter, UNet


def pictures(n, side=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def half(n, side=32):
    """The left half of each picture."""
    area = np.zeros((n, side, side), bool)
    area[:, :, : side // 2] = True
    return area


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    return Segmenter(UNet(3), ("a", "b", "c"))


@pytest.fixture(scope="module")
def measured(segmenter):
    def measured(before, after, area, ideal=None):
        return Baseline(segmenter, before, before if ideal is None else ideal, area).measure(after)

    return measured


def test_change_outside_is_a_share_of_the_full_range_and_blind_to_the_target(measured):
    before = np.full((1, 32, 32, 3), 100, np.uint8)
    after = before.copy()
    after[:, :, :16] = 255  # the target
    after[:, :, 16:, 0] += 51  # a fifth of the range in one of three colours
    assert measured(before, after, half(1))["l1"] == pytest.approx([0.2 / 3])
    assert np.isnan(measured(before, after, np.ones((1, 32, 32), bool))["l1"]).all()


def test_ssim_is_the_papers_formula_at_every_window():
    one, other = pictures(1)[0].astype(float), pictures(1, seed=1)[0].astype(float)
    place = np.arange(11) - 5
    weight = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    x, y = one[3:14, 7:18].mean(-1), other[3:14, 7:18].mean(-1)
    mx, my = (weight * x).sum(), (weight * y).sum()
    vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
    cov = (weight * (x - mx) * (y - my)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    found = measures.ssim(*[measures.Windows.of(picture[None].astype(np.uint8)) for picture in (one, other)])
    assert found.shape == (1, 22, 22)
    assert found[0, 3, 7] == pytest.approx(expected, abs=1e-9)  # both float64, sums of 121 terms in another order


def test_ssim_outside_sees_only_the_outside(measured):
    before = pictures(2)
    after = before.copy()
    after[:, :, :16] = 0
    assert measured(before, after, half(2))["ssim"] == pytest.approx([1, 1])
    after[1, :, 16:] //= 2
    same, changed = measured(before, after, half(2))["ssim"]
    assert same == pytest.approx(1) and changed < 0.95


def test_the_feature_distance_is_the_sum_over_levels_of_squared_differences_of_unit_vectors(segmenter, measured):
    before, after, nowhere = pictures(1, 128), pictures(1, 128, seed=1), np.zeros((1, 128, 128), bool)
    x = [torch.from_numpy(p).permute(0, 3, 1, 2).float() / 127.5 - 1 for p in (before, after)]
    expected = 0.0
    for a, b in zip(*[segmenter.network.encode(one) for one in x], strict=True):
        a, b = (t[0].flatten(1).double().numpy() for t in (a, b))
        a, b = a / np.linalg.norm(a, axis=0), b / np.linalg.norm(b, axis=0)
        expected += ((a - b) ** 2).sum(0).mean()
    found = measured(before, after, nowhere)["features"]
    assert found == pytest.approx([expected], rel=1e-4)  # float32 against float64


def test_the_feature_distance_is_nought_where_only_the_target_changed(measured):
    before, after = pictures(1, 128), pictures(1, 128)
    after[:, :, :64] = 0
    assert measured(before, after, half(1, 128))["features"] == [0]


def test_the_frechet_distance_of_normal_samples_is_the_known_one():
    source = np.random.default_rng(0)
    one = source.normal(size=(4000, 3)) @ source.normal(size=(3, 3))
    other = source.normal(size=(4000, 3)) @ source.normal(size=(3, 3)) + 1.0
    a, b = np.cov(one.T), np.cov(other.T)
    cross = np.sqrt(np.linalg.eigvals(a @ b)).sum().real  # the eigenvalues of a product of two covariances
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * cross
    assert measures.frechet(one, other) == pytest.approx(expected, rel=1e-8)
    assert measures.frechet(one, one) == pytest.approx(0, abs=1e-8)


def test_a_picture_is_nearer_to_the_ideal_once_it_is_past_half_way(measured):
    before, ideal = np.full((3, 16, 16, 3), 0, np.uint8), np.full((3, 16, 16, 3), 100, np.uint8)
    ideal[2] = 0  # nothing was to change
    after = np.stack([np.full((16, 16, 3), level, np.uint8) for level in (49, 51, 0)])
    found = measured(before, after, np.ones((3, 16, 16), bool), ideal)["nearer"]
    assert found[:2].tolist() == [0, 1] and np.isnan(found[2])


# --- the chart


CURVE = [Point(0.0, 0.0), Point(0.2, 1.0), Point(0.1, 0.4)]


@pytest.mark.parametrize(
    ("point", "passed"),
    [((0.1, 0.4), True), ((0.15, 0.7), True), ((0.15, 0.71), False), ((0.3, 1.0), True), ((0.05, 0.3), False)],
)
def test_a_curve_passes_a_point_if_it_is_as_good_with_no_more_collateral(point, passed):
    assert beyond(CURVE, Point(*point)) is passed


def test_slack_forgives_what_measuring_leaves_uncertain():
    assert beyond(CURVE, Point(0.15, 0.71), slack=0.02)
    assert not beyond([Point(0.5, 1.0)], Point(0.4, 0.0))  # nothing was measured with so little collateral


def test_the_chart_has_a_dot_where_each_point_is():
    points = [Point(0.1, 0.75, "another method"), Point(0.2, 0.25, "a third")]
    shown = chart({"ours": CURVE}, points, title="A title", x_title="x", y_title="y").astype(int)
    assert shown.shape == (600, 960, 3)
    paper = Drawing(0.2 * 1.1)
    for curve, color, beside in ((points, OTHER, 7), (CURVE, CURVES[0], 0)):  # a letter is in the middle of a method's
        for point in curve:
            x, y = paper.place(point.x, point.y)
            assert np.abs(shown[round(y / 2), round(x / 2) + beside] - color).max() < 8
