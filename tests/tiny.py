"""Tiny random generators, masks and requests, and the references' view of the same weights."""

import base64
import functools
import io
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from rewriting import Edit, Region, Request
from rewriting.core.layer import EditableLayer, expand
from rewriting.generators import GeneratorConfig, build
from tests.reference import bau, progan, rosinality, stylegan1, stylegan3

Z_DIM, W_DIM, MAPPING_LAYERS = 20, 28, 2
# Pictures are O(1); two float32 evaluation orders through a dozen layers differ by a few 1e-6.
FLOAT32_NOISE = 1e-4
KINDS = ("stylegan2", "proggan")
# One layer of every kind: plain, upsampling, and linear.
LAYERS = (("stylegan2", 6), ("stylegan2", 7), ("proggan", 6))


def stylegan2_state(resolution=32, *, noise=False, seed=0, latent_avg=True):
    """Random weights by our names: those of the widespread layout without resampling kernels."""
    state = rosinality.random_state(resolution, seed=seed, noise_weights=0.2)
    state = {k: v for k, v in state.items() if "kernel" not in k and (noise or not k.startswith("noises."))}
    average = torch.randn(W_DIM, generator=torch.Generator().manual_seed(seed + 100))
    return state | {"latent_avg": 0.3 * average if latent_avg else torch.zeros(W_DIM)}


def stylegan3_settings(kind="stylegan3", resolution=32):
    """Of the reference: configuration T, or R of "stylegan3-r"; six layers."""
    made = stylegan3.R if kind == "stylegan3-r" else stylegan3.T
    return replace(made, img_resolution=resolution, num_layers=6)


@functools.cache
def config(kind="stylegan2", resolution=32, *, noise=False, truncation=1.0, name="", classes=0):
    channels = rosinality.default_channels(resolution)
    if kind.startswith("stylegan3"):
        settings = stylegan3_settings(kind, resolution)
        sampling = {"kernel_size": settings.conv_kernel, "radial": settings.use_radial_filters}
        widths = dict(enumerate(stylegan3.default_widths(settings)))
        return GeneratorConfig(
            "stylegan3", resolution, Z_DIM, widths, W_DIM, MAPPING_LAYERS, truncation, sampling=sampling,
            classes=classes, name=name,
        )  # fmt: skip
    if kind == "proggan":
        return GeneratorConfig(kind, resolution, Z_DIM, channels, name=name)
    return GeneratorConfig(
        kind, resolution, Z_DIM, channels, W_DIM, MAPPING_LAYERS, truncation=truncation, noise=noise,
        classes=classes, name=name,
    )  # fmt: skip


def state_of(kind="stylegan2", resolution=32, *, noise=False, seed=0, classes=0):
    if kind == "proggan":
        return progan.random_state(resolution, z_dim=Z_DIM, seed=seed)
    if kind == "stylegan1":
        sizes = {"z_dim": Z_DIM, "w_dim": W_DIM, "channels": rosinality.default_channels(resolution)}
        drawn = stylegan1.to_genforce(stylegan1.random_variables(resolution, **sizes, seed=seed))
        full = f"output{resolution.bit_length() - 3}."
        unused = ("lod", "blur.kernel")
        return {k: v for k, v in drawn.items() if not k.endswith(unused) and ("output" not in k or full in k)}
    if kind.startswith("stylegan3"):
        sizes = {"z_dim": Z_DIM, "w_dim": W_DIM, "classes": classes}
        return stylegan3.random_state(stylegan3_settings(kind, resolution), **sizes, seed=seed)
    return stylegan2_state(resolution, noise=noise, seed=seed) | embedding(classes, seed)


def embedding(classes, seed=0):
    """Random weights of a StyleGAN2's classes, and of the first layer, which takes them beside the latent."""
    source = torch.Generator().manual_seed(seed + 200)
    sizes = {"embed.weight": (W_DIM, classes), "embed.bias": (W_DIM,), "style.1.weight": (W_DIM, Z_DIM + W_DIM)}
    scales = {"embed.weight": 1, "embed.bias": 0.1, "style.1.weight": 100}
    drawn = {name: scales[name] * torch.randn(size, generator=source) for name, size in sizes.items()}
    return drawn if classes else {}


def generator(kind="stylegan2", resolution=32, *, noise=False, seed=0, truncation=1.0, name="", classes=0):
    """A random generator, of 24 channels at 4 px to 12 or 8 at full size."""
    made = build(config(kind, resolution, noise=noise, truncation=truncation, name=name, classes=classes))
    made.load_state_dict(state_of(kind, resolution, noise=noise, seed=seed, classes=classes))
    return made.eval().requires_grad_(False)


def reference_pictures(made, z, truncation=1.0):
    """(N, 3, H, W), by the slow reference, of one of the generators above."""
    state = made.state_dict()
    if made.config.architecture == "proggan":
        return progan.generate(state, z)
    return rosinality.generate(state, z, truncation, state["latent_avg"], noise=made.config.noise)


def editable(kind, number, resolution=32, **options):
    return EditableLayer(generator(kind, resolution, **options), number)


def layer_input(layer, *seeds):
    """What arrives at an editable layer in these pictures."""
    made = layer.generator
    return made.enter(made.map(made.latents(seeds or [0])), layer.number)


def reference_layer(layer, at, dtype=torch.float64):
    """f(key, W) of the paper's code for one picture's style: (1, I, h, w), (O, I, 3, 3) -> (1, O, h', w')."""
    if layer.generator.config.architecture == "stylegan3":
        style, bias = at.style.to(dtype), layer.generator.conv(layer.number).bias.to(dtype)
        return lambda key, weight: stylegan3.convolved(key.to(dtype), weight.to(dtype), style, bias)
    if layer.generator.config.architecture == "stylegan1":
        return lambda key, weight: stylegan1.convolved(
            key.to(dtype), weight.to(dtype), upsample=layer.ratio == 2, fused=layer.size >= 128
        )
    if layer.generator.activation.linear:
        return lambda key, weight: bau.proggan_layer(key.to(dtype), weight.to(dtype), scaled=False)
    styled = layer.generator.styled(layer.number)
    noise = layer.generator.noise(layer.number)
    noise = None if noise is None else (styled.noise.weight * noise).to(dtype)
    style, bias = at.style.to(dtype), styled.activate.bias.to(dtype)
    return lambda key, weight: bau.stylegan_layer(
        key.to(dtype), style, weight.to(dtype), bias, noise, layer.ratio == 2
    )


def random_edit(made, number, *, rank=2, size=0.3, seed=0, **details):
    """An edit whose Lambda D is `size` times as large as W0."""
    source = torch.Generator().manual_seed(seed)
    out, inp, kh, kw = made.conv(number).weight.shape[-4:]
    directions = torch.linalg.qr(torch.randn(inp, rank, generator=source))[0].t().contiguous()
    factor = torch.randn(out, rank, kh, kw, generator=source)
    factor *= size * float(made.conv(number).weight.norm() / factor.norm())
    return Edit(number, factor, directions, **details)


def box(size, top, left, bottom, right):
    """uint8 (size, size), 255 in a rectangle."""
    mask = np.zeros((size, size), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def disk(size, row, column, radius):
    """uint8 (size, size), 255 in a disk: one dab of a brush."""
    rows, columns = np.ogrid[:size, :size]
    return np.where((rows - row) ** 2 + (columns - column) ** 2 <= radius**2, 255, 0).astype(np.uint8)


def png_bytes(pixels):
    """uint8 (H, W), (H, W, 3) or (H, W, 4) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def png_url(pixels):
    """The same as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def brushed_url(size, row, column, radius):
    """As the paper's page stores a dab: white on transparent black, only the alpha antialiased."""
    rows, columns = np.ogrid[:size, :size]
    distance = np.sqrt((rows - row) ** 2 + (columns - column) ** 2)
    pixels = np.zeros((size, size, 4), np.uint8)
    pixels[..., 3] = np.clip((radius + 1 - distance) * 255, 0, 255)
    pixels[..., :3] = np.where(pixels[..., 3:] > 0, 255, 0)
    return png_url(pixels)


def request(resolution=32, **changes):
    """Copy a piece of picture 0 into picture 1; the rule holds where it is pasted, and at a place of picture 2."""
    unit = resolution // 16
    paste = Region(1, disk(resolution, 9 * unit, 6 * unit, 4 * unit))
    return Request(
        copy=Region(0, box(resolution, 3 * unit, 4 * unit, 9 * unit, 10 * unit)),
        paste=paste,
        context=(paste, Region(2, disk(resolution, 10 * unit, 10 * unit, 4 * unit))),
    ).with_(**changes)


def is_one_sentence(message):
    """What a person can read at a glance: one line, of limited length, that ends."""
    return "\n" not in message and 10 < len(message) < 400 and message.rstrip().endswith((".", "?"))


# --- what is true of every generator ---------------------------------------------------------------------------------


@torch.no_grad()
def check_smaller_pictures_are_averaged(generator, seeds):
    """Of a generator with colours at full size alone."""
    full = generator(generator.latents(seeds))
    smaller = generator(generator.latents(seeds), size=full.shape[-1] // 4)
    torch.testing.assert_close(smaller, F.avg_pool2d(full, 4), rtol=0, atol=1e-6)


@torch.no_grad()
def check_it_can_be_entered_and_left_at_any_layer(generator):
    latent = generator.map(generator.latents([2]))
    whole = generator.synthesise(latent)
    for number in generator.layers:
        at = generator.enter(latent, number)
        value = generator.value(number, at)
        assert at.key.shape[-1] == generator.key_size(number) and value.shape[-1] == generator.value_size(number)
        assert torch.equal(generator.leave(number, value, at), whole)


@torch.no_grad()
def check_a_factored_layer_is_the_dense_one(generator, number):
    """For any Lambda: up to demodulation, which the factored layer has in closed form, a value is linear in it."""
    layer = EditableLayer(generator, number)
    at = layer_input(layer, 4)
    directions = torch.linalg.qr(torch.randn(layer.weight.shape[1], 2))[0].t().contiguous()
    change = torch.randn(len(layer.weight), 2, 3, 3)
    everywhere = torch.ones(layer.value(at).shape[-2:], dtype=torch.bool)
    factored = layer.factor(at, directions, everywhere).value(change.flatten(1))
    dense = layer.value(at, layer.weight + expand(change, directions))
    torch.testing.assert_close(factored, dense[0].flatten(1), rtol=1e-4, atol=2e-5)  # float32 sums in two orders
