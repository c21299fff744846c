"""The references of `tests/reference` agree with each other and with the facts they were written from."""

import base64
import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from tests.reference import bau, nvidia, progan, rosinality

FLOAT32_NOISE = 1e-4  # pictures are O(1); two float32 evaluation orders through a dozen layers differ by a few 1e-6


def latents(count=3, dim=20, seed=5):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def traced_layer(number, dtype=torch.float64, resolution=32):
    """Weights and one run of a StyleGAN2 layer: (layer_fn, W0, StyledLayer, key), all in `dtype`."""
    state = {k: v.to(dtype) for k, v in rosinality.random_state(resolution, seed=3).items()}
    w = rosinality.map_latent(state, latents(1).to(dtype))
    layer = rosinality.trace(state, w)[1][number - 2]
    assert layer.number == number
    bias = state[f"{layer.prefix}.activate.bias"]

    def layer_fn(key, W, noise=layer.noise):
        return bau.stylegan_layer(key, layer.style, W, bias, noise, number > 2 and number % 2 == 1)

    return layer_fn, state[f"{layer.prefix}.conv.weight"], layer, layer.input * layer.style[:, :, None, None]


def correlated_keys(count=6, channels=12, size=5, seed=1):
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=random, dtype=torch.float64)
    raw = torch.randn(count, channels, size, size, generator=random, dtype=torch.float64)
    return torch.einsum("ij,njhw->nihw", mixing, raw)


# Generators


@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize("truncation", [1.0, 0.6])
def test_nvidia_and_rosinality_layouts_draw_the_same_picture(resolution, truncation):
    state = nvidia.random_state(resolution, seed=resolution)
    g_ema, latent_avg = nvidia.to_rosinality(state)
    ours = nvidia.generate(state, latents(), truncation)
    theirs = rosinality.generate(g_ema, latents(), truncation, latent_avg)
    assert ours.shape == (3, 3, resolution, resolution)
    assert ours.std() > 0.3  # a flat picture would agree with anything
    torch.testing.assert_close(ours, theirs, rtol=0, atol=FLOAT32_NOISE)


def test_flipping_the_upsampling_kernels_breaks_the_agreement():
    state = nvidia.random_state(32, seed=32)
    g_ema, _ = nvidia.to_rosinality(state)
    for k in range(3):
        g_ema[f"convs.{2 * k}.conv.weight"] = g_ema[f"convs.{2 * k}.conv.weight"].flip(3, 4)
    difference = (nvidia.generate(state, latents()) - rosinality.generate(g_ema, latents())).abs().max()
    assert difference > 0.5


def test_every_name_and_shape_of_the_256_pixel_layouts():
    channels = dict.fromkeys((4, 8, 16, 32, 64, 128, 256), 2)
    options = {"z_dim": 4, "w_dim": 3, "mapping_layers": 8, "channels": channels}
    renamed, _ = nvidia.to_rosinality(nvidia.random_state(256, **options))
    direct = rosinality.random_state(256, **options)
    assert len(nvidia.random_state(256, **options)) == 144
    assert {k: v.shape for k, v in renamed.items()} == {k: v.shape for k, v in direct.items()}
    assert len(direct) == 135
    assert direct["convs.11.conv.weight"].shape == (1, 2, 2, 3, 3)
    assert direct["noises.noise_12"].shape == (1, 1, 256, 256)


def test_a_picture_does_not_depend_on_its_batch_and_noise_buffers_are_used():
    state = rosinality.random_state(16, noise_weights=0.3)
    batch = rosinality.generate(state, latents())
    torch.testing.assert_close(batch[2:], rosinality.generate(state, latents()[2:]), rtol=0, atol=FLOAT32_NOISE)
    assert (batch - rosinality.generate(state, latents(), noise=False)).abs().max() > 0.05


def test_progressive_gan_layers_double_in_size_at_odd_numbers():
    picture, layers = progan.trace(progan.random_state(16), latents())
    assert [layer.key.shape[-1] for layer in layers] == [1, 4, 8, 8, 16, 16]
    assert [layer.output.shape[-1] for layer in layers] == [4, 4, 8, 8, 16, 16]
    assert picture.shape == (3, 3, 16, 16) and picture.std() > 0.1


def test_progressive_gan_output_has_gain_one_and_is_clipped():
    state = progan.random_state(16, channels={4: 8, 8: 6, 16: 3})
    state["output_16x16.conv.weight"] = torch.eye(3)[:, :, None, None]
    state["output_16x16.wscale.b"] = torch.zeros(3)
    # Pixel norm leaves mean square 1 over the three channels; the scale 1 / sqrt(3) makes that a sum of squares of 1.
    energy = progan.generate(state, latents()).square().sum(1)
    # The 1e-8 inside the norm takes up to about 1e-5 away where the features are quietest; a gain of sqrt(2) gives 2.
    torch.testing.assert_close(energy, torch.ones_like(energy), rtol=0, atol=1e-3)
    state["output_16x16.wscale.b"] += 5
    assert torch.equal(progan.generate(state, latents()), torch.ones(3, 3, 16, 16))


def test_progressive_gan_old_names():
    state = progan.random_state(64)
    old = progan.to_old_names(state)
    assert old.keys() == {f"features.{i}.{n}" for i in range(10) for n in ("conv.weight", "wscale.b")} | {
        "output.conv.weight",
        "output.wscale.b",
    }
    assert torch.equal(old["features.0.conv.weight"], state["layer1.conv.weight"])
    assert torch.equal(old["features.9.wscale.b"], state["layer10.wscale.b"])


# One layer


@pytest.mark.parametrize("number", [2, 6, 7, 8])
def test_the_layer_function_equals_the_layer_inside_the_generator(number):
    layer_fn, W0, layer, key = traced_layer(number)
    # float64: only the order of sums differs (key modulation and demodulation against per-sample kernels).
    torch.testing.assert_close(layer_fn(key, W0), layer.output, rtol=0, atol=1e-12)


@pytest.mark.parametrize("number", [4, 5])
def test_the_progressive_layer_function_equals_the_layer_inside_the_generator(number):
    state = progan.random_state(16)
    layer = progan.trace(state, latents())[1][number - 1]
    W, bias = state[f"layer{number}.conv.weight"], state[f"layer{number}.wscale.b"]
    torch.testing.assert_close(bau.proggan_layer(layer.key, W, scaled=False), layer.convolved)
    activated = F.leaky_relu(bau.proggan_layer(layer.key, W) + bias[:, None, None], 0.2)
    torch.testing.assert_close(activated, layer.output, rtol=1e-5, atol=1e-5)


# Statistics and directions


def test_second_moment_is_the_uncentred_mean_of_outer_products():
    keys = correlated_keys() + 3
    rows = keys.permute(0, 2, 3, 1).reshape(-1, 12)
    torch.testing.assert_close(bau.second_moment(keys), rows.T @ rows / len(rows))


def test_direction_of_a_single_key_is_the_inverse_moment_times_the_key():
    keys = correlated_keys()
    C = bau.second_moment(keys)
    mask = torch.zeros(5, 5)
    mask[2, 3] = 0.4
    k = keys[0, :, 2, 3]
    expected = torch.linalg.inv(C) @ k
    expected /= expected.norm()
    torch.testing.assert_close(bau.direction([(keys[0], mask)], C, 1)[0], expected)
    torch.testing.assert_close(bau.single_key(C, k), expected)
    torch.testing.assert_close(bau.mean_key([(keys[0], mask)]), k)


def test_directions_are_orthonormal_nested_and_at_most_as_many_as_keys():
    keys = correlated_keys()
    C = bau.second_moment(keys)
    mask = torch.zeros(5, 5)
    mask[1:3, 1:4] = 1.0
    context = [(keys[0], mask), (keys[1], 0.5 * mask)]
    d = bau.direction(context, C, 3)
    torch.testing.assert_close(d @ d.T, torch.eye(3, dtype=d.dtype))
    torch.testing.assert_close(bau.direction(context, C, 2), d[:2])
    assert bau.direction([(keys[0], mask)], C, 10).shape == (6, 12)
    whitened = (bau.selected_rows(context)[0] * bau.selected_rows(context)[1]) @ bau.inverse_root(C)
    assert (d @ whitened.sum(0) > 0).all()
    # Rank 1 maximises the energy of the whitened context: no random direction beats it.
    best = bau.inverse_root(C).inverse() @ d[0]
    random = torch.randn(12, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    energy = (whitened @ (random / random.norm(dim=0))).square().sum(0)
    assert (whitened @ (best / best.norm())).square().sum() >= energy.max()


def test_unit_scores_find_the_channel_that_only_the_context_uses():
    keys = correlated_keys()
    mask = torch.zeros(5, 5)
    mask[0, 0] = mask[4, 4] = 1.0
    keys[0, 7, 0, 0] = keys[0, 7, 4, 4] = 40.0
    scores = bau.unit_scores([(keys[0], mask)], bau.second_moment(keys))
    assert scores.argmax() == 7
    torch.testing.assert_close(scores[7], 1600 / keys[:, 7].square().mean())


# Goals


def png_data_url(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_resized_masks_ignore_alpha_and_average_when_they_shrink():
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[10:33, 21:34] = (255, 255, 255, 7)  # barely touched by the brush: counts in full
    # Bilinear shrinking by 8 is a triangle of half-width 8 around every new pixel's centre, rows then columns.
    distance = (np.arange(64) + 0.5)[None] - (8 * np.arange(8) + 4)[:, None]
    triangle = np.maximum(0, 1 - np.abs(distance) / 8)
    triangle /= triangle.sum(1, keepdims=True)
    expected = triangle @ (pixels[:, :, 0] / 255.0) @ triangle.T
    assert 0.6 < expected.max() < 1
    mask = bau.resize_mask(png_data_url(pixels), 8, 8)
    # Pillow rounds to 8 bits after each of the two passes.
    np.testing.assert_allclose(mask.numpy(), expected, rtol=0, atol=1.01 / 255)
    assert mask.dtype == torch.float32


def goal_inputs(number):
    layer_fn, W0, layer, key = traced_layer(number)
    height, width = layer.output.shape[2:]
    copy, paste = torch.zeros(height, width), torch.zeros(height, width)
    copy[1:6, 2:5] = 1.0
    copy[1, 2] = 0.25
    source = layer.output.flip(3)
    return layer_fn, W0, layer, key, source, copy, paste


def test_a_goal_blends_the_object_at_the_centre_of_the_paste_box():
    _, _, layer, key, source, copy, paste = goal_inputs(6)
    paste[7:12, 8:13] = 1.0  # centre (9, 10), the 5 x 3 object starts at (7, 9)
    g = bau.goal(source, layer.output, copy, paste, key)
    assert g.box == (7, 9, 12, 12)
    assert torch.equal(g.key, key[:, :, 7:12, 9:12])
    assert torch.equal(g.value, g.full_value[:, :, 7:12, 9:12])
    assert torch.equal(g.full_value[:, :, 8:12, 9:12], source[:, :, 2:6, 2:5])
    corner = 0.75 * layer.output[:, :, 7, 9] + 0.25 * source[:, :, 1, 2]
    torch.testing.assert_close(g.full_value[:, :, 7, 9], corner)
    outside = torch.ones_like(paste, dtype=torch.bool)
    outside[7:12, 9:12] = False
    assert torch.equal(g.full_value[:, :, outside], layer.output[:, :, outside])
    whole = bau.goal(source, layer.output, copy, paste, key, tight=False)
    assert torch.equal(whole.key, key) and torch.equal(whole.value, g.full_value)


def test_a_goal_of_an_upsampling_layer_covers_whole_key_positions_inside_the_map():
    _, _, layer, key, source, copy, paste = goal_inputs(5)
    paste[14:16, 0:2] = 1.0  # the object would stick out at the bottom left
    g = bau.goal(source, layer.output, copy, paste, key)
    assert g.box == (10, 0, 16, 4)  # rows 11..16, columns 0..3, grown to even numbers
    assert torch.equal(g.key, key[:, :, 5:8, 0:2]) and g.value.shape[2:] == (6, 4)
    assert torch.equal(g.full_value[:, :, 12:16, 0:3], source[:, :, 2:6, 2:5])
    opposite = bau.goal(source, layer.output, copy, paste.flip(0, 1), key)
    assert opposite.box == (0, 12, 6, 16)  # rows 0..5, columns 13..16


def test_a_tight_crop_sees_false_borders_but_a_true_interior():
    layer_fn, W0, layer, key, _, copy, paste = goal_inputs(6)
    nothing = torch.zeros_like(copy)
    nothing[1:7, 2:8] = 1.0
    paste[1:7, 2:8] = 1.0
    g = bau.goal(layer.output, layer.output, nothing, paste, key)  # "paste nothing": the goal is the present output
    noiseless = layer_fn(key, W0, None)[:, :, 1:7, 2:8]
    error = (layer_fn(g.key, W0, None) - noiseless).abs()
    assert error[:, :, 1:-1, 1:-1].max() < 1e-12
    assert error.mean() > 0.1 * noiseless.abs().mean()


def test_erasing_silences_the_loudest_channels_over_the_whole_map():
    layer_fn, W0, layer, key = traced_layer(6)
    mask = torch.zeros(key.shape[2:])
    mask[3:6, 3:6] = 1.0
    C = bau.second_moment(key)
    g = bau.erase_goal(layer_fn, W0, key, [(key, mask)], C, 2)
    keep = torch.ones(key.shape[1], dtype=torch.bool)
    keep[bau.unit_scores([(key, mask)], C).topk(2).indices] = False
    assert keep.sum() == key.shape[1] - 2
    torch.testing.assert_close(g.value, layer_fn(key * keep[:, None, None], W0))
    assert g.value.shape == layer.output.shape and torch.equal(g.key, key)


# Optimisation


def edit_problem(number, rank=2):
    layer_fn, W0, layer, key = traced_layer(number)
    mask = torch.zeros(key.shape[2:])
    mask[2:5, 2:6] = 1.0
    d = bau.direction([(key, mask)], bau.second_moment(key), rank)
    target = (layer.output + torch.roll(layer.output, 3, dims=1)) / 2
    return layer_fn, W0, d, key, target


@pytest.mark.parametrize("number", [6, 7])
@pytest.mark.parametrize("project_gradient", [False, True])
def test_projected_gradient_changes_weights_only_along_the_directions(number, project_gradient):
    layer_fn, W0, d, K, V = edit_problem(number)
    # 13 steps: projected after steps 0, 10 and, because it is the last, 12.
    W, losses = bau.projected_gradient(layer_fn, W0, d, K, V, 13, project_gradient=project_gradient)
    change = W - W0
    factor = torch.einsum("boiyx,si->bosyx", change, d)
    assert change.abs().max() > 0.1
    torch.testing.assert_close(change, torch.einsum("bosyx,si->boiyx", factor, d), rtol=0, atol=1e-12)
    rank = torch.linalg.matrix_rank(change[0].permute(1, 0, 2, 3).flatten(1), atol=1e-9)
    assert rank == len(d)
    assert len(losses) == 13
    assert losses[0] == pytest.approx(float(bau.loss(layer_fn, W0, K, V)))


@pytest.mark.parametrize("project_gradient", [False, True])
def test_the_first_step_is_adams_signed_step_projected(project_gradient):
    layer_fn, W0, d, K, V = edit_problem(6)
    W, _ = bau.projected_gradient(layer_fn, W0, d, K, V, 1, lr=0.03, project_gradient=project_gradient)
    leaf = W0.clone().requires_grad_(True)
    bau.loss(layer_fn, leaf, K, V).backward()
    gradient = bau.project(leaf.grad, d) if project_gradient else leaf.grad
    step = -0.03 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(W - W0, bau.project(step, d))


@pytest.mark.parametrize("number", [6, 7])
def test_direct_optimisation_of_lambda_lowers_the_loss_and_stays_on_the_directions(number):
    layer_fn, W0, d, K, V = edit_problem(number)
    W, losses, factor = bau.linear_insert(layer_fn, W0, d, K, V, 60)
    torch.testing.assert_close(W, W0 + torch.einsum("osyx,si->oiyx", factor, d)[None])
    assert losses[0] == pytest.approx(float(bau.loss(layer_fn, W0, K, V)))
    assert float(bau.loss(layer_fn, W, K, V)) < 0.99 * losses[0]
