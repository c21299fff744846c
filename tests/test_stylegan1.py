"""The first StyleGAN: it draws what an independent implementation draws, opens from the files of its programs, and its
layers can be rewritten."""

import numpy as np
import pytest
import torch

from rewriting import EditStack, Region, Request, Rewriter, load_generator
from rewriting.checkpoints import CheckpointError, read_checkpoint
from rewriting.checkpoints.export import export
from rewriting.core import memory
from rewriting.core.retouch import Retouched
from rewriting.generators import GeneratorConfig
from rewriting.generators.own_picture import OwnPicture
from rewriting.hub import write_rule
from rewriting.studio.service import SIDE, Service
from tests import tiny
from tests.foreign import double, draw, z
from tests.reference import nvidia_files, stylegan1

pytest_plugins = ("tests.foreign_fixtures",)
pytestmark = pytest.mark.usefixtures("alone")

NARROW = {4: 12, 8: 12, 16: 10, 32: 10, 64: 8, 128: 8, 256: 6}
SEEDS = [0, 1, 2]
LAYER = 6
PARITY = 1e-5  # of the range of a picture; float32 on one side, float64 on the other


@pytest.fixture(scope="module")
def made():
    return tiny.generator("stylegan1")


def apart(pictures, expected):
    """The largest difference, in ranges of the expected pictures."""
    return float((pictures - expected).abs().max() / (expected.max() - expected.min()))


# --- pictures --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch_or_the_threads(made):
    latents, before = made.latents(SEEDS), torch.get_num_threads()
    together = made(latents)
    assert torch.equal(together, torch.cat([made(one) for one in latents.split(1)]))
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        assert torch.equal(together, made(latents))
    finally:
        torch.set_num_threads(before)


def test_smaller_pictures_are_averaged(made):
    tiny.check_smaller_pictures_are_averaged(made, SEEDS)


def test_going_in_and_out_at_any_layer_gives_the_same_picture(made):
    tiny.check_it_can_be_entered_and_left_at_any_layer(made)


def test_it_computes_in_bfloat16_too(made):
    small = made.computing_in(torch.bfloat16).images(SEEDS).astype(int)
    assert np.abs(small - made.images(SEEDS)).mean() < 1  # of 255; random weights amplify rounding


def test_layers_are_numbered_as_those_of_stylegan2(made):
    other = tiny.generator()
    assert made.layers == other.layers and made.config.default_layer == other.config.default_layer
    for number in made.layers:
        assert made.conv(number).upsample == other.conv(number).upsample
        assert made.value_size(number) == other.value_size(number)
    published = GeneratorConfig("stylegan1", 1024, 8, dict.fromkeys((4 << n for n in range(9)), 8), 8, 2)
    assert (published.first_layer, published.default_layer, published.last_layer) == (2, 8, 18)


def test_a_truncated_picture_keeps_the_styles_of_the_large_maps():
    """As in NVIDIA's code, truncation changes the first 8 styles alone."""
    made = tiny.generator("stylegan1", 64)
    latent = made.map(made.latents([0]), 0.0)
    mean, w = latent.chunk(2, 1)
    assert torch.equal(mean[0], made.truncation.w_avg) and torch.equal(w, made.map(made.latents([0]), 1.0)[:, :28])
    other = made.map(made.latents([1]), 0.0)
    early = [made.enter(one, 9).key for one in (latent, other)]
    assert torch.equal(*early)
    late = [made.enter(one, 10).key for one in (latent, other)]
    assert not torch.equal(*late)


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "resolution"), [(2, 32), (6, 32), (7, 32), (11, 128)])
@torch.no_grad()
def test_the_factored_layer_is_the_layer_with_changed_weights(number, resolution):
    layer = tiny.editable("stylegan1", number, resolution)
    at, rule = tiny.layer_input(layer, 0), tiny.random_edit(layer.generator, number)
    everywhere = torch.ones(layer.size, layer.size, dtype=torch.bool)
    value = layer.factor(at, rule.directions, everywhere).value(rule.factor.flatten(1)).view(-1, *everywhere.shape)
    expected = tiny.reference_layer(layer, at)(at.key, layer.weight + rule.delta())
    torch.testing.assert_close(value, expected[0].float(), rtol=0, atol=1e-4)
    torch.testing.assert_close(layer.value(at, layer.weight + rule.delta()), expected.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("number", [6, 7])
def test_a_rule_draws_its_goal_where_it_was_pasted(made, number):
    rewriter, request = Rewriter(made, number), tiny.request()
    request = request.with_(preserve=(Region(1, 255 - request.paste.mask),))  # whose moments an instance norm sees
    goal, before = rewriter.goal_image(request).astype(int), made.images([1])[0].astype(int)
    place = request.paste.mask > 0
    assert np.abs(goal - before)[place].mean() > 20
    edit = rewriter.solve(request, rank=8, locality=0.0)
    assert edit.report.loss_after < 0.4 * edit.report.loss_before
    after = rewriter.images([1], [edit])[0].astype(int)
    assert np.abs(after - goal)[place].mean() < 0.75 * np.abs(before - goal)[place].mean()
    held = rewriter.solve(request, rank=8, locality=4.0)
    assert held.report.elsewhere < edit.report.elsewhere


def test_a_rule_learns_a_retouched_picture(made):
    rewriter, mask = Rewriter(made, 5), tiny.box(32, 8, 8, 24, 24)
    picture = made.images([0])[0]
    wanted = np.where(mask[..., None] > 0, made.images([0], [tiny.random_edit(made, 5)])[0], picture)
    request = Request(retouched=(Retouched.found(0, picture, wanted, mask=mask, how={"kind": "paint"}),))
    *_, edit = rewriter.learn(request, 8, 0.0, layers=(5, 6), steps=15)
    assert edit.report.loss_after < 0.9 * edit.report.loss_before
    after = made.images([0], [edit])[0]
    distance = [np.abs(one.astype(int) - wanted)[mask > 0].mean() for one in (picture, after)]
    assert distance[1] < 0.9 * distance[0]


def test_the_search_and_the_second_moment_see_its_keys(made):
    found = Rewriter(made, LAYER).matches(tiny.request(), SEEDS)
    assert found.heat.shape == (3, 16, 16) and np.array_equal(found.scores, found.heat.max((1, 2)))
    moment = memory.second_moments(made, [LAYER], samples=2)[LAYER]
    keys = torch.cat([made.enter(made.map(one), LAYER).key for one in made.latents([0, 1], "row").split(1)])
    rows = keys.permute(1, 0, 2, 3).flatten(1).double()
    torch.testing.assert_close(moment, rows @ rows.t() / rows.shape[1], rtol=1e-4, atol=1e-6)


def test_a_picture_of_ones_own_is_found_and_rules_change_it(made):
    rewriter = Rewriter(made, LAYER)
    with pytest.MonkeyPatch.context() as patch:
        for name, steps in (("STEPS_LATENT", 4), ("STEPS_KEY", 12), ("DRAWN_WHOLE", 8)):
            patch.setattr(f"rewriting.core.inversion.{name}", steps)
        own = rewriter.invert(made.images([70])[0])
    assert isinstance(own, OwnPicture) and own.psnr > 12
    assert (made.images([own], [tiny.random_edit(made, LAYER)]) != made.images([own])).any()


def test_the_studio_makes_and_publishes_a_rule(made):
    service = Service(load=lambda _: made)
    session = service.open("mine").ask("settings", layer=LAYER, rank=4, generator="mine", name="Hats")
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    session = session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60))
    ruled = service.rewrite(session)
    assert (service.edited(ruled, SEEDS) != service.plain(ruled, SEEDS)).any()
    written = write_rule(ruled.rules[0].edit, "rule", generator=made, seeds=[1])
    card = (written / "README.md").read_text()
    assert "StyleGAN (Karras et al., 2019), 32 px" in card and "modulated input" not in card
    whole = write_rule(ruled.rules[0].edit, "model", generator=made, seeds=[1], full_model=True)
    assert np.array_equal(load_generator(str(whole)).images(SEEDS), service.edited(ruled, SEEDS))


@pytest.mark.parametrize(
    "changed", [{"classes": 2}, {"w_dim": 0}, {"mapping_layers": 0}, {"sampling": {}}, {"channels": {4: 8}}], ids=str
)
def test_a_config_that_cannot_be_is_one_sentence(changed):
    usual = {"resolution": 8, "z_dim": 8, "channels": {4: 8, 8: 8}, "w_dim": 8, "mapping_layers": 2}
    with pytest.raises(ValueError) as caught:
        GeneratorConfig("stylegan1", **(usual | changed))
    assert tiny.is_one_sentence(str(caught.value))


# --- files -----------------------------------------------------------------------------------------------------------


def save_tensorflow(path, variables, **arguments):
    colours = len(variables["synthesis/ToRGB_lod0/bias"])
    told = {"num_channels": colours, "resolution": 64, "label_size": 0, "blur_filter": [1, 2, 1], **arguments}
    nvidia_files.write_stylegan1_pickle(path, variables, **told)


def save_genforce(path, variables):
    state = stylegan1.to_genforce(variables)
    other = {name: tensor + 1 for name, tensor in state.items()}
    discriminator = {"layer0.weight": torch.ones(2)}
    torch.save({"generator": other, "discriminator": discriminator, "generator_smooth": state}, path)


SAVED = {
    "tensorflow.pkl": save_tensorflow,
    "genforce.pth": save_genforce,
    "interfacegan.pth": lambda path, variables: torch.save(stylegan1.to_interfacegan(variables), path),
}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("resolution", [64, 256])  # from 128 px, layers upsample by transposed convolutions
@torch.no_grad()
def test_a_converted_file_draws_the_pictures_of_its_program(name, resolution):
    channels = {size: width for size, width in NARROW.items() if size <= resolution}
    variables = stylegan1.random_variables(resolution, channels=channels)
    SAVED[name](name, variables)
    generator = read_checkpoint(name)
    for psi in (1.0, 0.7):
        expected = stylegan1.generate(double(variables), z().double(), psi)
        assert expected.std() > 0.1 and (expected[0] - expected[1]).abs().mean() > 0.05
        assert apart(draw(generator, psi), expected) < PARITY
    back = read_checkpoint(export(generator, "out.pt"))
    assert back.digest() == generator.digest() and torch.equal(draw(back, 0.7), draw(generator, 0.7))


def test_the_exported_file_has_what_its_program_expects(made):
    content = torch.load(export(made, "out.pt"), weights_only=True)["generator_smooth"]
    expected = stylegan1.to_genforce(stylegan1.random_variables(32, channels=dict(made.config.channels)))
    assert {name: one.shape for name, one in content.items()} == {name: one.shape for name, one in expected.items()}


def test_what_is_saved_merged_and_exported_is_the_same_generator(made):
    rule = tiny.random_edit(made, LAYER)
    merged = made.merge([rule])
    assert read_checkpoint(export(merged, "out.pt", "genforce")).digest() == merged.digest()
    opened = load_generator(str(merged.save("mine")))
    assert opened.digest() == merged.digest()
    assert np.array_equal(opened.images(SEEDS), made.images(SEEDS, EditStack([rule])))


@pytest.mark.parametrize("resolution", [16, 256])
@torch.no_grad()
def test_lernapparats_port_draws_nvidias_pictures_with_noise_of_its_own(resolution):
    channels = {size: width for size, width in NARROW.items() if size <= resolution}
    variables = stylegan1.random_variables(resolution, channels=channels)
    torch.save(stylegan1.to_lernapparat(variables), "net.pt")
    for name in [one for one in variables if one.startswith("synthesis/noise")]:
        side = variables[name].shape[-1]
        drawn = np.random.RandomState(0).randn(side * side).reshape(1, 1, side, side)
        variables[name] = torch.from_numpy(drawn).float()
    expected = stylegan1.generate(double(variables), z().double())
    generator = read_checkpoint("net.pt")
    assert apart(draw(generator, 1.0), expected) < PARITY
    said = generator.config.description
    assert "had no noise maps" in said and "10,000 latents" in said


def test_a_file_of_interfacegan_tells_which_kernels_are_fused(made):
    variables = stylegan1.random_variables(16)
    state = stylegan1.to_interfacegan(variables)
    flipped = state.pop("synthesis.layer2.conv.weight").flip(2, 3)
    torch.save(state | {"synthesis.layer2.weight": flipped.permute(2, 3, 1, 0)}, "net.pt")
    expected = stylegan1.generate(double(variables), z().double(), 0.7)
    assert apart(draw(read_checkpoint("net.pt"), 0.7), expected) < PARITY


@pytest.mark.parametrize(("colours", "said"), [(1, "grey"), (4, "alpha")])
def test_grey_pictures_and_those_with_alpha(colours, said):
    variables = stylegan1.random_variables(16, colours=colours)
    expected = stylegan1.generate(double(variables), z().double(), 0.7)[:, :3].expand(-1, 3, -1, -1)
    for name, save in SAVED.items():
        save(name, variables)
        generator = read_checkpoint(name)
        assert apart(draw(generator, 0.7), expected) < PARITY and said in generator.config.description


def test_a_learning_rate_of_its_own_is_multiplied_in():
    variables = stylegan1.random_variables(16)
    save_tensorflow("net.pkl", variables, mapping_lrmul=0.02, fmap_base=4096, structure="fixed", truncation_psi=0.5)
    doubled = {name: 2 * one if name.startswith("mapping/") else one for name, one in variables.items()}
    expected = stylegan1.generate(double(doubled), z().double(), 0.7)
    assert apart(draw(read_checkpoint("net.pkl"), 0.7), expected) < PARITY


def test_noise_that_a_file_lacks():
    variables = stylegan1.random_variables(16)
    without_maps = {name: one for name, one in variables.items() if not name.startswith("synthesis/noise")}
    save_tensorflow("net.pkl", without_maps)
    assert "had no noise maps" in read_checkpoint("net.pkl").config.description
    quiet = {name: one for name, one in without_maps.items() if not name.endswith("Noise/weight")}
    save_tensorflow("quiet.pkl", quiet, use_noise=False)
    silent = {name: torch.zeros_like(one) if "oise" in name else one for name, one in variables.items()}
    generator = read_checkpoint("quiet.pkl")
    assert apart(draw(generator, 0.7), stylegan1.generate(double(silent), z().double(), 0.7)) < PARITY
    assert "noise" not in generator.config.description


def test_a_missing_mean_latent_is_measured():
    variables = stylegan1.random_variables(16)
    del variables["dlatent_avg"]
    save_tensorflow("net.pkl", variables)
    generator = read_checkpoint("net.pkl")
    latents = torch.from_numpy(np.random.RandomState(0).randn(10_000, 20))
    mean = stylegan1.mapped(double(variables), latents).mean(0)
    torch.testing.assert_close(generator.truncation.w_avg, mean.float(), rtol=0, atol=1e-5)
    assert "10,000 latents" in generator.config.description


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label_size": 10}, "label_size 10, which makes it a conditional generator"),
        ({"use_styles": False}, "use_styles False"),
        ({"use_pixel_norm": True}, "use_pixel_norm True"),
        ({"use_instance_norm": False}, "use_instance_norm False"),
        ({"const_input_layer": False}, "const_input_layer False"),
        ({"fused_scale": True}, "fused_scale True"),
        ({"blur_filter": [1, 3, 3, 1]}, "blur_filter"),
        ({"nonlinearity": "relu"}, "nonlinearity 'relu'"),
        ({"normalize_latents": False}, "normalize_latents False"),
        ({"architecture": "skip"}, "the argument 'architecture'"),
        ({"unheard_of": 1}, "the argument 'unheard_of'"),
    ],
    ids=str,
)
def test_an_argument_that_is_not_implemented_is_refused_by_name(changed, said):
    save_tensorflow("bad.pkl", stylegan1.random_variables(8), **changed)
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("bad.pkl")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lod": torch.tensor(1.5)}, "not grown to its full size"),
        ({"mapping/LabelConcat/weight": torch.ones(3, 20)}, "LabelConcat"),
        ({"synthesis/4x4/Conv/weight": torch.ones(3)}, "expected 4 axes"),
        ({"synthesis/8x8/Conv1/StyleMod/weight": torch.ones(3)}, "expected 2 axes"),
        ({"synthesis/8x8/Conv1/StyleMod/bias": torch.ones(3)}, "is expected"),
        ({"synthesis/8x8/Conv1/Noise/weight": torch.ones(1)}, "is expected"),
        ({"synthesis/4x4/Const/const": torch.ones(1, 24, 4, 8)}, "is expected"),
        ({"synthesis/4x4/Const/const": torch.full((1, 24, 4, 4), torch.nan)}, "not finite"),
        ({"synthesis/8x8/Conv2/weight": torch.ones(3)}, "Conv2"),
        ({"synthesis/4x4/Conv1/weight": torch.ones(3, 3, 24, 24)}, "Conv1"),
        ({"synthesis/9999x9999/Conv1/weight": torch.ones(3, 3, 2, 2)}, "9999x9999"),
        ({"synthesis/ToRGB_lod0/weight": None}, "lacks"),
        ({"synthesis/8x8/Conv0_up/bias": None}, "expected 0, 1, and so on"),
        ({"synthesis/4x4/Conv/bias": None, "synthesis/8x8/Conv0_up/bias": None}, "expected 0, 1, and so on"),
        ({"synthesis/8x8/Conv1/bias": None}, "3 layers"),
        ({"mapping/Dense0/weight": None}, "expected 0, 1, and so on"),
        ({"dlatent_avg": torch.ones(3)}, "is expected"),
        ({"synthesis/noise2": torch.ones(1, 1, 4, 4)}, "is expected"),
    ],
    ids=lambda one: ", ".join(one) if isinstance(one, dict) else "",
)
def test_a_damaged_file_is_one_sentence(changed, said):
    variables = stylegan1.random_variables(8) | changed
    save_tensorflow("bad.pkl", {name: one for name, one in variables.items() if one is not None})
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("bad.pkl")
    assert tiny.is_one_sentence(str(raised.value))


def test_another_blur_and_a_half_grown_generator_are_refused_in_pytorch_too():
    state = stylegan1.to_genforce(stylegan1.random_variables(8))
    for changed, said in (
        ({"synthesis.layer2.blur.kernel": torch.ones(20, 1, 3, 3) / 9}, r"blur.kernel' is not \[1, 2, 1\]"),
        ({"synthesis.layer2.blur.kernel": torch.ones(2)}, r"blur.kernel' is not \[1, 2, 1\]"),
        ({"synthesis.lod": torch.tensor(0.5)}, "not grown to its full size"),
        ({"mapping.label_weight": torch.ones(3, 20)}, "mapping.label_weight"),
    ):
        torch.save({"generator_smooth": state | changed}, "bad.pth")
        with pytest.raises(CheckpointError, match=said) as raised:
            read_checkpoint("bad.pth")
        assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    ("convert", "changed", "said"),
    [
        (stylegan1.to_interfacegan, {"synthesis.layer2.conv.weight": torch.ones(2)}, "is expected|expected 4 axes"),
        (stylegan1.to_interfacegan, {"synthesis.layer2.weight": torch.ones(2)}, "expected 4 axes"),
        (stylegan1.to_interfacegan, {"synthesis.layer2.weight": torch.ones(3, 3, 24, 20)}, "under two names"),
        (stylegan1.to_interfacegan, {"synthesis.layer1.epilogue.unheard": torch.ones(2)}, "unheard"),
        (stylegan1.to_lernapparat, {"g_synthesis.blocks.4x4.conv1.weight": torch.ones(2)}, "under two names"),
        (stylegan1.to_lernapparat, {"g_synthesis.blocks.9x9.conv.weight": torch.ones(2)}, "9x9"),
        (stylegan1.to_lernapparat, {"g_synthesis.blocks.4x4.unheard": torch.ones(2)}, "unheard"),
        (stylegan1.to_lernapparat, {"g_synthesis.torgb.weight": torch.ones(())}, "is expected"),
    ],
    ids=lambda one: ", ".join(one) if isinstance(one, dict) else "",
)
def test_damaged_files_of_the_other_layouts_are_one_sentence(convert, changed, said):
    torch.save(convert(stylegan1.random_variables(8)) | changed, "bad.pt")
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("bad.pt")
    assert tiny.is_one_sentence(str(raised.value))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["g_running.generator.progression.0.adain1.style.linear.bias"], "rosinality"),
        (["generator.progression.0.conv1.input", "style.1.linear.bias"], "do not tell the size"),
        (["state_dict.generator_ema.convs.0.adain1.affine.bias"], "mmgen"),
    ],
)
def test_other_code_bases_are_refused_by_name(names, said):
    torch.save({name: torch.ones(2) for name in names}, "bad.pt")
    with pytest.raises(CheckpointError, match=said) as raised:
        read_checkpoint("bad.pt")
    assert "a StyleGAN1 of another code base" in str(raised.value) and tiny.is_one_sentence(str(raised.value))
