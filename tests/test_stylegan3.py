"""StyleGAN3, configurations T and R: it draws what an independent implementation draws, opens from NVIDIA's files, and
its layers can be rewritten."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from rewriting import EditStack, Region, Request, Rewriter, load_generator
from rewriting.checkpoints import CheckpointError, read_checkpoint
from rewriting.checkpoints.export import export
from rewriting.core import memory
from rewriting.core.layer_choice import in_place, isolated, suitabilities
from rewriting.core.masks import inside
from rewriting.core.retouch import Retouched
from rewriting.generators import GeneratorConfig
from rewriting.generators.own_picture import OwnPicture
from rewriting.generators.sampling_rates import Sampling
from rewriting.hub import visitors, write_rule
from rewriting.studio.service import SIDE, Service
from tests import tiny
from tests.foreign import PARITY, double, draw, z
from tests.reference import nvidia_files, stylegan3

pytest_plugins = ("tests.foreign_fixtures",)
pytestmark = pytest.mark.usefixtures("alone")

KINDS = ("stylegan3", "stylegan3-r")
SEEDS = [0, 1, 2]
LAYER = 2


@pytest.fixture(scope="module", params=KINDS)
def made(request):
    return tiny.generator(request.param)


def expected_pictures(made, latents, truncation=1.0):
    kind = "stylegan3-r" if made.config.sampling.radial else "stylegan3"
    settings = tiny.stylegan3_settings(kind, made.config.resolution)
    return stylegan3.generate(double(made.state_dict()), latents.double(), settings, truncation)


# Pictures


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("resolution", "truncation"), [(16, 1.0), (32, 0.6)])
@torch.no_grad()
def test_it_draws_the_pictures_of_the_reference(kind, resolution, truncation):
    made = tiny.generator(kind, resolution, seed=resolution)
    latents = made.latents([0])
    expected = expected_pictures(made, latents, truncation)
    assert expected.std() > 0.03 and expected.std((2, 3)).min() > 0.01  # a flat picture would agree with anything
    spread = float(expected.max() - expected.min())
    assert float((made(latents, truncation=truncation) - expected).abs().max()) < 1e-5 * spread


@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch(made):
    latents = made.latents(SEEDS)
    assert torch.equal(made(latents), torch.cat([made(one) for one in latents.split(1)]))


@torch.no_grad()
def test_tiles_are_the_whole(made, monkeypatch):
    whole = made(made.latents([0]))
    monkeypatch.setattr("rewriting.generators.filtered_relu.TILE", 5)
    made.forget()
    torch.testing.assert_close(made(made.latents([0])), whole, rtol=0, atol=1e-5)
    made.forget()


def test_gradients_are_those_of_the_reference(made):
    """With gradients, layers run in another order of products than without."""
    made = copy.deepcopy(made).requires_grad_(True)
    names = [f"synthesis.{name}.weight" for name in made.config.layer_names]
    latents = made.latents([0])
    drawn = made(latents)
    aim = torch.linspace(-1, 1, drawn.numel()).view_as(drawn)
    found = torch.autograd.grad((drawn * aim).sum(), [made.get_parameter(name) for name in names])

    state = {name: tensor.double().requires_grad_(name in names) for name, tensor in made.state_dict().items()}
    kind = "stylegan3-r" if made.config.sampling.radial else "stylegan3"
    settings = tiny.stylegan3_settings(kind, made.config.resolution)
    reference = stylegan3.generate(state, latents.double(), settings, 1.0)
    expected = torch.autograd.grad((reference * aim).sum(), [state[name] for name in names])
    for name, one, other in zip(names, found, expected, strict=True):
        assert (one - other).abs().max() < 1e-4 * other.abs().max(), name  # float32 sums over all positions


def test_smaller_pictures_are_averaged(made):
    tiny.check_smaller_pictures_are_averaged(made, SEEDS)


def test_going_in_and_out_at_any_layer_gives_the_same_picture(made):
    tiny.check_it_can_be_entered_and_left_at_any_layer(made)


def test_layers_are_numbered_as_nvidia_names_them(made):
    assert list(made.layers) == [1, 2, 3, 4, 5] and made.config.default_layer in made.layers
    for number in made.layers:
        assert made.conv(number) is getattr(made.synthesis, made.config.layer_names[number])
    with pytest.raises(ValueError, match="layer 0 .* choose one from 1 to 5"):
        made.check_layer(0)


def test_the_usual_layer_of_the_published_sizes_has_32_positions_to_the_picture():
    for resolution in (256, 512, 1024):
        config = GeneratorConfig("stylegan3", resolution, 8, dict.fromkeys(range(14), 8), 8, 2)
        bands = config.sampling.bands(resolution, 14)
        assert bands[config.default_layer - 1].rate == 32
    sizes = [36, 36, 52, 52, 84, 148, 148, 276, 276, 532, 1044, 1044, 1044, 1024, 1024]  # as NVIDIA's files name them
    assert config.layer_names == [f"L{n}_{size}_{3 if n == 14 else 8}" for n, size in enumerate(sizes)]


@pytest.mark.parametrize(
    "changed",
    [
        {"sampling": {"kernel_size": 2}},
        {"sampling": {"margin": 10**6}},
        {"sampling": {"first_cutoff": 100}},
        {"sampling": {"critical_layers": 6}},
        {"sampling": {"unheard": 1}},
        {"sampling": "T"},
        {"channels": {0: 8, 1: 8}},
        {"channels": {0: 8, 1: 8, 3: 8}},
        {"channels": dict.fromkeys(range(99), 8)},
        {"architecture": "proggan", "channels": {4: 8, 8: 8}, "resolution": 8, "sampling": {}},
    ],
)
def test_a_config_that_cannot_be_is_one_sentence(changed):
    usual = {"architecture": "stylegan3", "resolution": 32, "z_dim": 8, "channels": dict.fromkeys(range(6), 8)}
    with pytest.raises(ValueError) as caught:
        GeneratorConfig(**{**usual, "w_dim": 8, "mapping_layers": 2, **changed})
    assert tiny.is_one_sentence(str(caught.value))


# Rules


@pytest.mark.parametrize("number", [1, 3, 5])
@torch.no_grad()
def test_the_factored_layer_is_the_layer_with_changed_weights(made, number):
    layer = tiny.editable("stylegan3-r" if made.config.sampling.radial else "stylegan3", number)
    at, rule = tiny.layer_input(layer, 0), tiny.random_edit(layer.generator, number)
    everywhere = torch.ones(layer.size, layer.size, dtype=torch.bool)
    value = layer.factor(at, rule.directions, everywhere).value(rule.factor.flatten(1)).view(-1, *everywhere.shape)
    expected = tiny.reference_layer(layer, at)(at.key, layer.weight + rule.delta())
    torch.testing.assert_close(value, expected[0].float(), rtol=0, atol=1e-4)
    torch.testing.assert_close(layer.value(at, layer.weight + rule.delta()), expected.float(), rtol=0, atol=1e-4)


def test_masks_lie_on_the_layer_s_own_grid(made):
    for number in made.layers:
        layer = Rewriter(made, number).layer
        whole = layer.painted(np.full((32, 32), 255, np.uint8))
        assert whole.shape == (made.value_size(number),) * 2 and float(inside(whole, layer.margin).min()) == 1
        assert whole.sum() == layer.side**2  # nothing in the margin
        corner = layer.painted(tiny.box(32, 0, 0, 16, 16))
        assert corner[layer.margin, layer.margin] == 1 and corner[-layer.margin - 1, -layer.margin - 1] == 0


def test_a_rule_draws_its_goal_where_it_was_pasted(made):
    """The values at the place become the object's, and what is drawn there comes near it."""
    rewriter, request = Rewriter(made, LAYER), tiny.request()
    if not made.config.sampling.radial:  # random weights of 1x1 kernels cannot tell a place from what surrounds it
        request = request.with_(preserve=(Region(1, 255 - request.paste.mask),))
    goal, before = rewriter.goal_image(request).astype(int), made.images([1])[0].astype(int)
    assert np.abs(goal - before).max() > 20
    edit = rewriter.solve(request, rank=8, locality=0.0)
    assert edit.report.loss_after < 0.4 * edit.report.loss_before
    after = rewriter.images([1], [edit])[0].astype(int)
    place = request.paste.mask > 0
    assert np.abs(after - goal)[place].mean() < 0.75 * np.abs(before - goal)[place].mean()
    held = rewriter.solve(request, rank=8, locality=4.0)
    assert held.report.elsewhere < edit.report.elsewhere


def test_a_rule_learns_a_retouched_picture(made):
    rewriter, mask = Rewriter(made, 4), tiny.box(32, 8, 8, 24, 24)
    picture = made.images([0])[0]
    wanted = np.where(mask[..., None] > 0, made.images([0], [tiny.random_edit(made, 4)])[0], picture)
    request = Request(retouched=(Retouched.found(0, picture, wanted, mask=mask, how={"kind": "paint"}),))
    *_, edit = rewriter.learn(request, 8, 0.0, layers=(4, 5), steps=15)
    assert edit.layers == (4, 5) and edit.report.loss_after < 0.9 * edit.report.loss_before
    after = made.images([0], [edit])[0]
    distance = [np.abs(one.astype(int) - wanted)[mask > 0].mean() for one in (picture, after)]
    assert distance[1] < 0.9 * distance[0]


@pytest.mark.parametrize(("radial", "base", "widest"), [(False, 32768, 512), (True, 65536, 1024)])
def test_visitors_of_a_space_may_open_the_published_sizes(monkeypatch, radial, base, widest):
    monkeypatch.setattr(visitors, "hosted", lambda: True)
    for resolution in (256, 512, 1024):
        bands = Sampling().bands(resolution, 14)[:-1]
        widths = {n: min(round(base / 2 / band.cutoff), widest) for n, band in enumerate(bands)}  # as NVIDIA's
        sampling = {"radial": radial, "kernel_size": 1 if radial else 3}
        config = GeneratorConfig("stylegan3", resolution, 512, widths, 512, 2, sampling=sampling)
        visitors.check_effort(config)
    with pytest.raises(ValueError, match="takes more time or memory"):
        visitors.check_effort(replace(config, channels=dict.fromkeys(range(14), 2048)))


def test_the_search_looks_at_the_picture_alone(made):
    rewriter = Rewriter(made, LAYER)
    found = rewriter.matches(tiny.request(), SEEDS)
    assert found.heat.shape == (3, rewriter.layer.side, rewriter.layer.side)
    assert np.array_equal(found.scores, found.heat.max((1, 2)))
    moment = memory.second_moments(made, [LAYER], samples=2)[LAYER]
    latents = made.latents([0, 1], "row")
    keys = torch.cat(
        [inside(made.enter(made.map(one), LAYER).key, made.key_margin(LAYER)) for one in latents.split(1)]
    )
    rows = keys.permute(1, 0, 2, 3).flatten(1).double()
    torch.testing.assert_close(moment, rows @ rows.t() / rows.shape[1], rtol=1e-4, atol=1e-6)


def test_a_patch_alone_has_nothing_around_it_and_every_layer_is_tried(made):
    rewriter, place = Rewriter(made, LAYER), Region(1, tiny.box(32, 8, 8, 24, 24))
    assert isolated(rewriter, place).shape == in_place(rewriter, place).shape
    tried = suitabilities(made, tiny.request(), lambda layer: Rewriter(made, layer))
    assert [next(tried).layer for _ in range(2)] == [1, 2]


def test_a_picture_of_ones_own_is_found(made):
    rewriter = Rewriter(made, LAYER)
    with pytest.MonkeyPatch.context() as patch:
        for name, steps in (("STEPS_LATENT", 4), ("STEPS_KEY", 8), ("DRAWN_WHOLE", 6)):
            patch.setattr(f"rewriting.core.inversion.{name}", steps)
        own = rewriter.invert(made.images([70])[0])
    assert isinstance(own, OwnPicture) and own.psnr > 12
    edit = tiny.random_edit(made, LAYER)
    assert (made.images([own], [edit]) != made.images([own])).any()


# Studio


def test_the_studio_makes_and_publishes_a_rule(made):
    service = Service(load=lambda _: made)
    session = service.open("mine").ask("settings", layer=LAYER, rank=4, generator="mine", name="Hats")
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    session = session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60))
    assert (service.about("mine").layers.start, service.goal(session)[:11]) == (1, "data:image/")
    assert len(service.outlines_at(session, SEEDS)) == len(SEEDS)
    ruled = service.rewrite(session)
    assert (service.edited(ruled, SEEDS) != service.plain(ruled, SEEDS)).any()
    written = write_rule(ruled.rules[0].edit, "rule", generator=made, seeds=[1])
    assert "StyleGAN3 (Karras et al., 2021), 32 px" in (written / "README.md").read_text()
    whole = write_rule(ruled.rules[0].edit, "model", generator=made, seeds=[1], full_model=True)
    assert np.array_equal(load_generator(str(whole)).images(SEEDS), service.edited(ruled, SEEDS))


# Files


def save_pickle(path, state, settings, **changed):
    colours = stylegan3.layer_names(state)[-1]
    kwargs = {
        "z_dim": 20,
        "c_dim": state["mapping.embed.weight"].shape[1] if "mapping.embed.weight" in state else 0,
        "w_dim": 28,
        "mapping_kwargs": {"num_layers": 2},
        "channel_base": 1024,
        "channel_max": 16,
        "magnitude_ema_beta": 0.9988,
        "img_channels": len(state[f"{colours}.bias"]),
        **{name: value for name, value in vars(settings).items() if value != getattr(stylegan3.Settings(), name)},
        "img_resolution": settings.img_resolution,
        **changed,
    }
    nvidia_files.write_nvidia_pickle(path, state, kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_nvidias_pickles_and_state_dicts_open(kind):
    settings = tiny.stylegan3_settings(kind)
    state = stylegan3.random_state(settings)
    save_pickle("net.pkl", state, settings)
    torch.save({"G_ema": state}, "net.pt")
    expected = stylegan3.generate(double(state), z().double(), settings, 0.7)
    for name in ("net.pkl", "net.pt"):
        generator = read_checkpoint(name)
        assert float((draw(generator, 0.7) - expected).abs().max()) < PARITY
        assert generator.config.architecture_name == "StyleGAN3"
    assert load_generator("net.pkl").config.layer_names[1] == stylegan3.layer_names(state)[1].split(".")[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"margin_size": 6},
        {"num_critical": 1},
        {"output_scale": 0.5},
        {"conv_clamp": 0.4},
        {"conv_clamp": None},
        {"filter_size": 4},
        {"lrelu_upsampling": 1},
        {"first_cutoff": 3.0, "first_stopband": 6.5},
        {"last_stopband_rel": 1.5},
    ],
    ids=str,
)
def test_the_arguments_that_a_pickle_records_are_heeded(changed):
    settings = replace(tiny.stylegan3_settings(resolution=16), **changed)
    state = stylegan3.random_state(settings)
    save_pickle("net.pkl", state, settings)
    expected = stylegan3.generate(double(state), z().double(), settings, 0.7)
    assert float((draw(read_checkpoint("net.pkl"), 0.7) - expected).abs().max()) < PARITY


@pytest.mark.parametrize(("channels", "said"), [(1, "grey"), (4, "alpha")])
def test_grey_pictures_and_those_with_alpha(channels, said):
    settings = tiny.stylegan3_settings(resolution=16)
    state = stylegan3.random_state(settings, img_channels=channels)
    save_pickle("net.pkl", state, settings)
    expected = stylegan3.generate(double(state), z().double(), settings, 0.7)[:, :3].expand(-1, 3, -1, -1)
    generator = read_checkpoint("net.pkl")
    assert float((draw(generator, 0.7) - expected).abs().max()) < PARITY and said in generator.config.description


@pytest.mark.parametrize("kind", KINDS)
def test_a_conditional_generator_keeps_its_classes_or_one_of_them(kind):
    settings = tiny.stylegan3_settings(kind, resolution=16)
    state = stylegan3.random_state(settings, classes=4)
    save_pickle("net.pkl", state, settings)
    expected = stylegan3.generate(double(state), z().double(), settings, 0.7, label=2)
    assert float((draw(read_checkpoint("net.pkl", label=2), 0.7) - expected).abs().max()) < PARITY
    whole = read_checkpoint("net.pkl")
    assert whole.config.classes == 4
    for label in range(4):
        expected = stylegan3.generate(double(state), z().double(), settings, 0.7, label=label)
        assert float((whole(z(), truncation=0.7, label=label) - expected).abs().max()) < PARITY


def of_another_version(state):
    """Its filters and sizes do not follow from what it says."""
    return {name.replace("L1_36_", "L1_44_"): tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: s | {"mapping.embed_proj.weight": torch.ones(2, 2)}, "a StyleGAN-XL"),
        (lambda s: s | {"mapping.embed.weight": torch.ones(5, 28)}, "a StyleGAN-XL"),
        (of_another_version, "of another version of StyleGAN3"),
        (lambda s: {n: t * 1.1 if n.endswith("up_filter") else t for n, t in s.items()}, "up_filter of its layer L"),
        (lambda s: {n: t for n, t in s.items() if "L2_" not in n}, "expected L0, L1, and so on"),
        (lambda s: {n: t for n, t in s.items() if not n.endswith("magnitude_ema")}, "lacks"),
        (lambda s: {n: t[..., :2] if n.endswith("_filter") else t for n, t in s.items()}, "expected"),
        (lambda s: {n: torch.ones(()) if "L" in n and n.endswith(".weight") else t for n, t in s.items()}, "axes"),
        (lambda s: {n: t * float("nan") if n.endswith("freqs") else t for n, t in s.items()}, "not finite"),
        (lambda s: {n.replace("_16_3.", "_9999_9999."): t for n, t in s.items()}, "resolution must be"),
        (lambda s: {n: t for n, t in s.items() if "synthesis.L" not in n}, "expected L0"),
    ],
)
def test_relatives_and_damaged_files_are_one_sentence(spoil, said):
    state = stylegan3.random_state(tiny.stylegan3_settings(resolution=16))
    torch.save(spoil(state), "bad.pt")
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("bad.pt")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    "changed",
    [{"margin_size": "wide"}, {"margin_size": 1e9}, {"num_critical": 2.5}, {"conv_clamp": -1}, {"unheard_of": 3}],
    ids=str,
)
def test_arguments_that_cannot_be_are_one_sentence(changed):
    settings = tiny.stylegan3_settings(resolution=16)
    save_pickle("bad.pkl", stylegan3.random_state(settings), settings, **changed)
    with pytest.raises(CheckpointError) as raised:
        read_checkpoint("bad.pkl")
    assert tiny.is_one_sentence(str(raised.value))


def test_the_way_back_is_equal_to_the_bit(made):
    rule = tiny.random_edit(made, LAYER)
    merged = made.merge([rule])
    again = read_checkpoint(export(merged, "out.pt"))
    assert again.digest() == merged.digest()
    folder = merged.save("mine")
    opened = load_generator(str(folder))
    assert opened.digest() == merged.digest() and opened.config.sampling == made.config.sampling
    assert np.array_equal(opened.images(SEEDS), made.images(SEEDS, EditStack([rule])))
    rule.save("rule")
    assert np.array_equal(made.images(SEEDS, EditStack.load("rule")), opened.images(SEEDS))
