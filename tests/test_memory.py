"""Statistics of keys and the directions of a rule are those of the paper, and kept statistics are never wrong ones."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rewriting.core.memory import (
    cache_folder,
    content_key,
    directions,
    read_moment,
    second_moments,
    unit_scores,
    whitener,
    write_moments,
)
from tests import tiny
from tests.reference import bau

# Directions are computed in float64 and returned in float32: half a unit in the last place of numbers below 1.
DIRECTION = {"rtol": 0, "atol": 2e-7}


def correlated_keys(count=8, channels=16, size=6, seed=1):
    """Feature maps (N, I, h, w) whose channels are correlated and not centred, float64."""
    source = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=source, dtype=torch.float64)
    raw = torch.randn(count, channels, size, size, generator=source, dtype=torch.float64)
    return torch.einsum("ij,njhw->nihw", mixing, raw) + torch.linspace(-1, 1, channels)[None, :, None, None]


@pytest.fixture(scope="module")
def context():
    """Pairs of key and mask for the reference, the same as rows and weights for ours, and C."""
    keys = correlated_keys()
    mask = torch.zeros(6, 6)
    mask[1:4, 2:5], mask[4, 2:5] = 1.0, 0.4
    pairs = [(keys[0], mask), (keys[3], mask.flip(0) * 0.7)]
    rows, weights = bau.selected_rows(pairs)
    return pairs, rows, weights[:, 0], bau.second_moment(keys)


# C = E[k k^T]


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_second_moments_are_the_mean_outer_product_over_all_positions(kind):
    made = tiny.generator(kind, 16, noise=kind == "stylegan2", truncation=0.7)
    samples = 18  # more than one batch of 16
    moments = second_moments(made, [3, 6], samples=samples)
    z = made.latents(range(samples), "row")
    with torch.no_grad():
        for number in (3, 6):
            key = made.enter(made.map(z), number).key.double()
            torch.testing.assert_close(moments[number], bau.second_moment(key), rtol=1e-6, atol=1e-8)
            assert moments[number].dtype == torch.float64


def test_second_moments_follow_the_truncation_and_report_their_progress():
    made = tiny.generator(resolution=8)
    made.batch_size = 16
    heard = []
    whole = second_moments(made, [4], samples=20, progress=lambda share, text: heard.append((share, text)))[4]
    assert [share for share, _ in heard] == [0.8, 1.0] and all(text for _, text in heard)
    halved = second_moments(made, [4], samples=20, truncation=0.5)[4]
    assert not torch.allclose(whole, halved, rtol=1e-2)
    with pytest.raises(ValueError, match="layer 5"):
        second_moments(made, [5], samples=1)


# Kept on disk


def test_second_moments_do_not_depend_on_what_the_generator_draws_in():
    made = tiny.generator()
    expected = second_moments(made, [5], samples=8)[5]
    assert torch.equal(second_moments(made.computing_in(torch.bfloat16), [5], samples=8)[5], expected)


def test_the_content_key_changes_with_everything_the_statistics_depend_on():
    made, other = tiny.generator(resolution=8), tiny.generator(resolution=8, seed=1)
    keys = [
        content_key(made, None, 1000),
        content_key(other, None, 1000),
        content_key(made, 0.5, 1000),
        content_key(made, 0.7, 1000),
        content_key(made, None, 999),
        content_key(made.merge([tiny.random_edit(made, 3)]), None, 1000),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key(tiny.generator(resolution=8), 1.0, 1000) == keys[0]  # None is the config's truncation, here 1
    assert content_key(tiny.generator(resolution=8, truncation=0.5), None, 1000) == keys[2]


def test_statistics_are_kept_and_read_back(tmp_path):
    moments = {4: torch.rand(5, 5, dtype=torch.float64), 6: torch.rand(3, 3, dtype=torch.float64)}
    write_moments(tmp_path / "new folder" / "c.safetensors", moments, "abc")
    for layer, width in ((4, 5), (6, 3)):
        read = read_moment(tmp_path / "new folder" / "c.safetensors", layer, width, "abc")
        assert read.dtype == torch.float64
        torch.testing.assert_close(read, moments[layer], rtol=2**-24, atol=0)  # float32 on disk


@pytest.mark.parametrize(
    ("layer", "width", "key"),
    [(4, 5, "other"), (5, 5, "abc"), (4, 6, "abc"), (4, 5, "")],
    ids=["other content", "other layer", "other width", "no content"],
)
def test_statistics_of_something_else_are_not_used(tmp_path, layer, width, key):
    write_moments(tmp_path / "c.safetensors", {4: torch.eye(5)}, "abc")
    assert read_moment(tmp_path / "c.safetensors", layer, width, key) is None


def test_damaged_statistics_are_not_used(tmp_path):
    path = tmp_path / "c.safetensors"
    assert read_moment(path, 4, 5, "abc") is None and read_moment(tmp_path, 4, 5, "abc") is None
    write_moments(path, {4: torch.eye(5)}, "abc")
    whole = path.read_bytes()
    for length in (0, 5, 60, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert read_moment(path, 4, 5, "abc") is None
    path.write_bytes(b"\x80\x04 something else")
    assert read_moment(path, 4, 5, "abc") is None
    write_moments(path, {4: torch.eye(5) / 0}, "abc")
    assert read_moment(path, 4, 5, "abc") is None
    save_file({"layer4": torch.eye(5)}, path)  # no word of its content
    assert read_moment(path, 4, 5, "abc") is None


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "second_moments"
    monkeypatch.delenv("REWRITING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "rewriting" / "second_moments"


# Directions


def test_whitening_makes_the_second_moment_the_identity(context):
    moment = context[3]
    Z = whitener(moment, floor=0.0)
    torch.testing.assert_close(Z @ moment @ Z, torch.eye(16, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(Z, bau.inverse_root(moment))


def test_whitening_does_not_amplify_rounding():
    moment = torch.diag(torch.tensor([1.0, 1e-3, 1e-12, 0.0, -1e-15], dtype=torch.float64))
    Z = whitener(moment, floor=1e-6)
    torch.testing.assert_close(Z.diagonal(), torch.tensor([1, 1e3**0.5, 1e3, 1e3, 1e3], dtype=torch.float64))
    with pytest.raises(ValueError, match="all zero; choose another layer"):
        whitener(torch.zeros(3, 3))


@pytest.mark.parametrize("rank", [1, 3, 10])
def test_directions_are_those_of_appendix_d(context, rank):
    pairs, rows, weights, moment = context
    ours = directions(rows, weights, moment, rank, method="whitened", floor=0.0)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), bau.direction(pairs, moment, rank), **DIRECTION)


@pytest.mark.parametrize("method", ["shrinkage", "whitened", "svd", "units", "single"])
@pytest.mark.parametrize("rank", [1, 4, 10])
def test_directions_are_orthonormal_rows(context, method, rank):
    _, rows, weights, moment = context
    rank = 1 if method == "single" else rank
    ours = directions(rows, weights, moment, rank, method=method)
    assert ours.shape == (rank, 16)
    torch.testing.assert_close(ours @ ours.T, torch.eye(rank), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 3])
def test_the_default_directions_are_appendix_d_s_for_a_moment_shrunk_towards_unity(context, rank):
    pairs, rows, weights, moment = context
    lifted = moment + moment.diagonal().mean() * torch.eye(16)  # the mean of the eigenvalues, too
    ours = directions(rows, weights, moment, rank, floor=0.0)
    torch.testing.assert_close(ours.double(), bau.direction(pairs, lifted, rank), **DIRECTION)
    assert not torch.allclose(ours, directions(rows, weights, moment, rank, method="whitened", floor=0.0), atol=0.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_directions_point_to_the_context(context, sign):
    _, rows, weights, moment = context
    rows = sign * rows
    ours = directions(rows, weights, moment, 5, method="whitened", floor=0.0).double()
    total = ((weights[:, None] * rows) @ bau.inverse_root(moment)).sum(0)
    assert (ours @ total > 0).all()
    first = directions(rows, weights, moment, 1, method="whitened", floor=0.0)
    assert (first.double() @ rows.T > 0).double().mean() > 0.5


def test_plain_svd_is_the_whitened_method_where_there_is_nothing_to_whiten(context):
    _, rows, weights, _ = context
    white = directions(rows, weights, torch.eye(16), 3, method="whitened")
    torch.testing.assert_close(directions(rows, weights, 7 * torch.eye(16), 3, method="svd"), white, **DIRECTION)
    energy = (weights[:, None] * rows).square().sum()
    ours = directions(rows, weights, torch.eye(16), 16, method="svd").double()
    torch.testing.assert_close(((weights[:, None] * rows) @ ours.T).square().sum(), energy, rtol=1e-6, atol=0)


def test_a_single_key_is_the_inverse_moment_times_the_mean_key(context):
    pairs, rows, weights, moment = context
    expected = bau.single_key(moment, bau.mean_key(pairs))
    ours = directions(rows, weights, moment, 1, method="single", floor=0.0)[0]
    torch.testing.assert_close(ours.double(), expected, **DIRECTION)
    ridged = directions(rows, weights, moment, 1, method="single")[0].double()
    # The ridge is 1e-6 of the mean eigenvalue: it barely turns the direction where C is well-conditioned, as here.
    assert ridged @ expected > 1 - 1e-6


def test_one_key_of_the_context_gives_the_single_key_direction(context):
    _, rows, _, moment = context
    one = torch.ones(1)
    whitened = directions(rows[:1], one, moment, 1, method="whitened", floor=0.0)
    torch.testing.assert_close(whitened, directions(rows[:1], one, moment, 1, method="single", floor=0.0), **DIRECTION)


def test_units_are_the_channels_that_are_loud_in_the_context(context):
    pairs, rows, weights, moment = context
    scores = unit_scores(rows, weights[:, None], moment)
    torch.testing.assert_close(scores, bau.unit_scores(pairs, moment))
    ours = directions(rows, weights, moment, 4, method="units")
    assert ours.argmax(1).tolist() == scores.topk(4).indices.tolist()
    assert torch.equal(ours.sum(1), torch.ones(4)) and set(ours.flatten().tolist()) == {0.0, 1.0}


def test_places_without_weight_do_not_count(context):
    _, rows, weights, moment = context
    more = torch.cat([rows, 100 * rows[:5].flip(1)])
    padded = torch.cat([weights, torch.zeros(5)])
    for method in ("shrinkage", "whitened", "units", "single", "svd"):
        expected = directions(rows, weights, moment, 1, method=method)
        assert torch.equal(directions(more, padded, moment, 1, method=method), expected)


def test_channels_that_are_never_used_do_no_harm():
    keys = correlated_keys().float()
    keys[:, 3:6] = 0
    keys[:, 7] = keys[:, 8]
    rows = keys[0].flatten(1).T
    moment = bau.second_moment(keys.double())
    for rank in (1, 5, 12):
        ours = directions(rows, torch.ones(len(rows)), moment, rank)
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours @ ours.T, torch.eye(rank), rtol=0, atol=1e-6)


# What is refused


@pytest.mark.parametrize(
    ("count", "weight", "rank", "method", "named"),
    [
        (4, 1.0, 5, "whitened", "Rank 5 is more than the context supports .4 here.; paint more, or lower the rank"),
        (40, 1.0, 17, "whitened", "Rank 17 is more than the context supports .16 here."),
        (40, 1.0, 17, "units", "Rank 17"),
        (4, 1.0, 2, "single", "Rank 2"),
        (4, 1.0, 0, "whitened", "rank must be a whole number from 1, not 0"),
        (4, 1.0, -1, "whitened", "rank must be .*, not -1"),
        (4, 1.0, 1.5, "whitened", "rank must be .*, not 1.5"),
        (4, 0.0, 1, "whitened", "context is empty"),
        (0, 1.0, 1, "whitened", "context is empty"),
        (4, 1.0, 1, "magic", "method 'magic' is unknown; choose one of shrinkage, whitened, svd, units, single"),
    ],
)
def test_what_cannot_be_a_direction_is_refused(count, weight, rank, method, named):
    keys = torch.randn(count, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=named) as caught:
        directions(keys, torch.full((count,), weight), torch.eye(16), rank, method=method)
    assert tiny.is_one_sentence(str(caught.value))


def test_directions_are_repeatable(context):
    _, rows, weights, moment = context
    first = directions(rows, weights, moment, 5)
    assert all(np.array_equal(first, directions(rows, weights, moment, 5)) for _ in range(3))
