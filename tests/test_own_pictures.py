"""Pictures that the generator never drew: found, accepted wherever a number is, kept in files."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from rewriting import Edit, EditStack, Region, Request, Rewriter, load_generator
from rewriting.core import inversion
from rewriting.core.inversion import invert, psnr
from rewriting.core.own_files import load_picture, load_pictures, save_pictures, squared
from rewriting.core.presets import preset
from rewriting.core.retouch import Retouched
from tests import tiny
from weights.rules.truth import Truth

ROOT = Path(__file__).parents[1]
LAYERS = (("stylegan2", 7), ("proggan", 6))


def brought(seed=5):
    """A picture as none of the tiny generators draws it: soft colours and a square."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(0, 255, (4, 4, 3), dtype=np.uint8)).resize(
        (32, 32), Image.Resampling.BICUBIC
    )
    image.paste((250, 220, 30), (8, 10, 18, 20))
    return np.asarray(image)


@pytest.fixture(scope="module", params=LAYERS, ids=[kind for kind, _ in LAYERS])
def found(request):
    """(rewriter, the picture inverted at its layer)"""
    kind, layer = request.param
    rewriter = Rewriter(tiny.generator(kind), layer)
    return rewriter, rewriter.invert(brought())


@pytest.fixture(scope="module")
def styled():
    rewriter = Rewriter(tiny.generator(), 7)
    return rewriter, rewriter.invert(brought())


def test_a_picture_comes_back(found):
    rewriter, own = found
    drawn = rewriter.generator.images([own])[0]
    assert psnr(drawn, brought()) == pytest.approx(own.psnr)
    nearest = max(psnr(one, brought()) for one in rewriter.generator.images(range(200)))
    assert own.psnr > nearest + 3


@pytest.mark.parametrize(("kind", "layer"), [*LAYERS, ("proggan", 2)])  # its first layer has no earlier one
def test_the_pictures_on_the_way_come_nearer_and_the_last_is_the_result(kind, layer):
    made = tiny.generator(kind)
    seen = list(invert(made, brought(), layer))
    assert [one.step for one in seen] == sorted(one.step for one in seen)
    assert seen[-1].step == seen[-1].steps and seen[-1].picture.layer == layer
    assert all(one.picture is None for one in seen[:-1])
    assert seen[-1].psnr > seen[0].psnr
    assert np.array_equal(seen[-1].image, made.images([seen[-1].picture])[0])


def test_the_same_picture_is_found_again():
    made = tiny.generator()
    first, second = (Rewriter(made, 7).invert(brought()) for _ in range(2))
    assert first == second and hash(first) == hash(second)
    assert first != Rewriter(made, 7).invert(brought(6))


FOUND_BY = """
import sys
import torch
threads = int(sys.argv[1])
torch.set_num_threads(threads)
from rewriting import load_generator
from rewriting.core import inversion
for name, value in vars(inversion).items():
    if name.startswith(("STEPS_", "DRAWN")) and isinstance(value, int):
        setattr(inversion, name, 2 if name.startswith("STEPS_") else 8)
for name in ("face", "kitchen"):
    made = load_generator(name)
    *_, last = inversion.invert(made, made.images([3])[0][:, ::-1])
    print(last.picture.digest)
"""


def test_what_is_found_does_not_depend_on_the_number_of_threads():
    found = {
        subprocess.run([sys.executable, "-c", FOUND_BY, threads], check=True, cwd=ROOT, capture_output=True).stdout
        for threads in ("1", "2", "4")
    }
    assert len(found) == 1 and len(found.pop().split()) == 2


def test_numbers_and_pictures_are_drawn_in_their_order(found):
    rewriter, own = found
    drawn = rewriter.generator.images([3, own, 0, own])
    assert np.array_equal(drawn[[0, 2]], rewriter.generator.images([3, 0]))
    assert np.array_equal(drawn[1], drawn[3]) and np.array_equal(drawn, rewriter.images([3, own, 0, own]))


def test_a_smaller_picture_of_ones_own_is_the_same_in_small(found):
    rewriter, own = found
    whole = rewriter.generator.images([own])[0].astype(float)
    small = whole.reshape(16, 2, 16, 2, 3).mean((1, 3))
    for draw in (rewriter.generator.images, rewriter.images):
        assert np.abs(draw([own, 3], size=16)[0] - small).mean() < 2


def test_rules_of_its_layer_and_later_ones_act_on_it(found):
    rewriter, own = found
    made, before = rewriter.generator, rewriter.generator.images([own])
    for layer in (own.layer, own.layer + 1):
        edit = tiny.random_edit(made, layer)
        assert not np.array_equal(made.images([own], [edit]), before)
        assert np.array_equal(made.images([own], [edit]), rewriter.images([own], [edit]))
        assert np.array_equal(made.images([own], [edit.with_(strength=0.0)]), before)


def test_a_rule_of_an_earlier_layer_is_refused_with_both_layers_named(found):
    rewriter, own = found
    edit = tiny.random_edit(rewriter.generator, own.layer - 1)
    for draw in (rewriter.generator.images, rewriter.images):
        with pytest.raises(ValueError, match=f"layer {own.layer}.*layer {own.layer - 1}") as refused:
            draw([own], [edit])
        assert tiny.is_one_sentence(str(refused.value))
    with pytest.raises(ValueError, match="layer"):
        Rewriter(rewriter.generator, own.layer - 1).features([own])


def test_a_picture_of_another_generator_is_refused(styled):
    _, own = styled
    with pytest.raises(ValueError, match="other weights") as refused:
        tiny.generator(seed=1).images([own])
    assert tiny.is_one_sentence(str(refused.value))


def with_own(own, **changes):
    """A request in which one's own picture is pasted into and is a place of the context."""
    request = tiny.request()
    place = Region(own, request.paste.mask)
    return request.with_(paste=place, context=(place, request.context[1]), **changes)


def test_a_rule_is_made_on_ones_own_picture(found):
    rewriter, own = found
    request = with_own(own)
    edit = rewriter.solve(request, rank=2)
    assert edit.report.loss_after < edit.report.loss_before
    goal, before = rewriter.goal_image(request), rewriter.generator.images([own])[0]
    after = rewriter.generator.images([own], [edit])[0]
    differs = np.abs(goal.astype(int) - before).sum(-1) > 30
    assert differs.any()
    assert np.abs(after.astype(int) - goal)[differs].mean() < np.abs(before.astype(int) - goal)[differs].mean()
    assert rewriter.matches(request, [own, 4]).scores.shape == (2,)


def test_what_ones_own_picture_shows_is_copied(found):
    rewriter, own = found
    request = tiny.request()
    request = request.with_(copy=Region(own, request.copy.mask))
    assert not np.array_equal(rewriter.goal_image(request), rewriter.goal_image(tiny.request()))


def test_ones_own_picture_is_retouched_and_learned():
    rewriter = Rewriter(tiny.generator(), 4)
    own = rewriter.invert(brought())
    before = rewriter.generator.images([own])[0]
    wanted = before.copy()
    wanted[8:20, 8:20] = (220, 30, 30)
    mask = tiny.box(32, 8, 8, 20, 20)
    request = Request(retouched=[Retouched.found(own, before, wanted, mask=mask, how={"kind": "paint"})], rank=2)
    *_, edit = rewriter.learn(request, steps=40)
    after = rewriter.generator.images([own], [edit])[0].astype(float)
    inside = mask > 0
    assert np.abs(after - wanted)[inside].mean() < 0.9 * np.abs(before.astype(float) - wanted)[inside].mean()


def test_a_face_that_was_never_drawn_smiles_under_the_rule_that_comes_with_the_software(monkeypatch):
    for steps in ("STEPS_LATENT", "STEPS_KEY"):
        monkeypatch.setattr(inversion, steps, 12)  # a rough drawing is enough to see a smile
    request = preset("frowns-to-smiles").request
    rewriter = Rewriter(load_generator("face"), request.layer)
    frowning = 9002
    own = rewriter.invert(Truth("face", 256).pictures([frowning])[0])
    before, after = (rewriter.images([own], edits)[0].astype(int) for edits in ([], [rewriter.solve(request)]))
    changed = np.abs(after - before).mean(-1)
    mouth = np.s_[160:190, 100:156]
    assert changed[mouth].mean() > 10 * changed[:128].mean()
    teeth = (after[mouth].min(-1) > 180).mean() - (before[mouth].min(-1) > 180).mean()
    assert teeth > 0.1


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_request_is_reopened_with_its_pictures(found, tmp_path):
    rewriter, own = found
    request = with_own(own)
    reopened = Request.load(request.save(tmp_path / "request.json"))
    assert reopened == request and reopened.own_pictures() == [own]
    again = reopened.paste.seed
    assert np.array_equal(again.image, own.image) and again.psnr == own.psnr
    assert np.array_equal(rewriter.generator.images([again]), rewriter.generator.images([own]))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_rule_is_reopened_with_its_pictures_and_solved_again_to_the_bit(styled, tmp_path, zipped):
    rewriter, own = styled
    edit = rewriter.solve(with_own(own), rank=2)
    path = EditStack([edit]).save_archive(tmp_path / "rule.zip") if zipped else edit.save(tmp_path / "rule")
    (reopened,) = EditStack.load(path)
    assert reopened.request.own_pictures() == [own]
    again = rewriter.solve(reopened.request)
    assert torch.equal(again.factor, edit.factor)


def test_a_rule_without_its_pictures_still_applies_and_says_that_it_cannot_be_changed(styled, tmp_path):
    rewriter, own = styled
    edit = rewriter.solve(with_own(own), rank=2)
    EditStack([edit]).without_pictures().save(tmp_path)
    assert not list(tmp_path.glob("own-*"))
    reopened = Edit.load(tmp_path)
    assert reopened.request.missing_pictures() == [own.digest]
    assert np.array_equal(rewriter.generator.images([1], [reopened]), rewriter.generator.images([1], [edit]))
    for use in (rewriter.solve, rewriter.goal_image, lambda request: rewriter.matches(request, [0])):
        with pytest.raises(ValueError, match="cannot be changed again") as refused:
            use(reopened.request)
        assert tiny.is_one_sentence(str(refused.value))
    assert torch.equal(rewriter.solve(reopened.request.with_pictures([own])).factor, edit.factor)


def test_a_retouch_of_ones_own_picture_leaves_nothing_of_it_where_pictures_are_left_out(styled):
    rewriter, own = styled
    before = rewriter.generator.images([own])[0]
    wanted = before.copy()
    wanted[8:16, 8:16] = 255 - wanted[8:16, 8:16]
    request = Request(retouched=[Retouched.found(own, before, wanted), Retouched.found(1, before, wanted)])
    bare = request.without_pictures()
    assert not bare.retouched[0].patch[..., :3].any() and np.array_equal(
        bare.retouched[0].mask, request.retouched[0].mask
    )
    assert bare.retouched[1] == request.retouched[1]


def test_files_that_do_not_hold_what_they_should_are_refused(styled, tmp_path):
    _, own = styled
    save_pictures([own], tmp_path)
    (path,), (image,) = tmp_path.glob("own-*.safetensors"), tmp_path.glob("own-*.webp")
    whole, tensors = path.read_bytes(), load_file(path)
    with safe(path) as file:
        metadata = file.metadata()
    assert load_picture(tmp_path) == own
    key = tensors["key"]
    for changed in (
        {"key": key[:, :4].contiguous()},
        {"key": key[0]},
        {"key": key.float()},
        {"key": torch.full_like(key, float("nan"))},
        {"key": key + 1},
        {"style": tensors["style"][:, :3].contiguous()},
        {"other": torch.zeros(1)},
    ):
        save_file(tensors | changed, path, metadata)
        refused(tmp_path)
    for about in ('{"version": 9}', "[", "{}", '{"version": 1, "layer": -1, "psnr": NaN, "generator": "x"}'):
        save_file(tensors, path, metadata | {"own_picture": about})
        refused(tmp_path)
    for damage in (whole[: len(whole) // 2], b"", whole[:8] + b"\xff" * 40):
        path.write_bytes(damage)
        refused(tmp_path)
    path.write_bytes(whole)
    kept = image.read_bytes()
    Image.new("RGB", (32, 32)).save(image, lossless=True)
    refused(tmp_path)
    image.write_bytes(kept[:40])
    refused(tmp_path)
    image.write_bytes(kept)
    assert load_pictures(tmp_path) == [own]


def safe(path):
    from safetensors import safe_open

    return safe_open(path, "pt")


def refused(folder):
    with pytest.raises(ValueError) as error:
        load_pictures(folder)
    assert tiny.is_one_sentence(str(error.value))


# --- what people bring -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16", "YCbCr"])
def test_a_picture_of_any_mode_and_size_is_read(tmp_path, mode):
    picture = Image.new("RGB", (90, 60), "white")
    picture.paste((200, 30, 30), (40, 0, 90, 60))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    seen = squared(picture, 32)
    assert seen.shape == (32, 32, 3) and seen.dtype == np.uint8
    assert seen[16, 2].mean() > seen[16, 29].mean() + 30  # its left is bright, its right is not


def test_a_picture_is_turned_upright(tmp_path):
    picture = Image.new("RGB", (40, 40), "white")
    picture.paste("black", (0, 0, 40, 20))  # its upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: the upper half is to be seen on the right
    picture.save(tmp_path / "turned.jpg", exif=exif)
    seen = squared(tmp_path / "turned.jpg", 16)
    assert seen[:, 12:].mean() < 40 and seen[:, :4].mean() > 215


@pytest.mark.parametrize("data", [b"", b"nonsense" * 100, b"\x00\x00\x00\x18ftypheic" + bytes(200)])
def test_what_is_no_picture_is_refused_in_a_sentence(tmp_path, data):
    path = tmp_path / "me.heic"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="me.heic") as error:
        Rewriter(tiny.generator(), 7).invert(path)
    assert tiny.is_one_sentence(str(error.value))


def test_a_value_that_does_not_fit_together_is_refused(styled):
    _, own = styled
    for changes in ({"image": own.image[:4]}, {"generator": "x"}, {"layer": 0}, {"psnr": float("nan")}):
        with pytest.raises(ValueError):
            dataclasses.replace(own, **changes)
