"""Generators with classes: a picture is a function of its number and its class, in Python, commands, files and the
studio; a generator without classes has no class but 0."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rewriting import EditStack, Request, Rewriter, cli, load_generator
from rewriting.core import contact_sheet, memory
from rewriting.core.inversion import FIRST, drawn_by
from rewriting.core.select import select
from rewriting.files import read_json
from rewriting.generators import GeneratorConfig
from rewriting.hub import write_rule
from rewriting.hub.card import generator_card
from rewriting.studio.commands import Pictures
from rewriting.studio.programs.api import Api
from rewriting.studio.programs.call import Call
from rewriting.studio.rendering.render import Render
from rewriting.studio.service import SIDE, Service
from rewriting.studio.sharing import bring_in, read_file, save_edit, save_request, save_sheet, walk_frames
from rewriting.studio.state import State
from tests import tiny

CLASSES, LAYER, SEEDS = 4, 6, (0, 7)
WRONG = (-1, CLASSES, True, 1e9, "3", 2.5, None, [3])


@pytest.fixture(autouse=True)
def in_its_own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", params=["stylegan2", "stylegan3"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def made(kind):
    return tiny.generator(kind, classes=CLASSES, name="animals", truncation=0.8)


@pytest.fixture(scope="module")
def animals():
    return tiny.generator(classes=CLASSES, name="animals", truncation=0.8)


def refused(call, *arguments, **options):
    with pytest.raises(ValueError) as raised:
        call(*arguments, **options)
    assert tiny.is_one_sentence(str(raised.value)), str(raised.value)
    return str(raised.value)


# Pictures


def test_a_class_is_part_of_what_a_number_means(made):
    drawn = [made.images(SEEDS, label=label) for label in range(CLASSES)]
    assert len({one.tobytes() for one in drawn}) == CLASSES
    assert np.array_equal(made.images(SEEDS), drawn[0])  # class 0, unless it is said
    for seed, picture in zip(SEEDS, drawn[2], strict=True):  # alone, and in a batch with others
        assert np.array_equal(made.images([seed], label=2)[0], picture)
    assert np.array_equal(made.interpolate(SEEDS, 0.0, label=2), drawn[2][0])
    mixed = made(made.latents(SEEDS), label=[1, 3])
    assert torch.equal(mixed[1], made(made.latents(SEEDS), label=3)[1])


def test_every_way_of_drawing_takes_the_class(made):
    rewriter, edit = Rewriter(made, LAYER - 2), tiny.random_edit(made, LAYER - 2)
    expected = made.images(SEEDS, [edit], label=3)
    assert np.array_equal(rewriter.images(SEEDS, [edit], label=3), expected)
    assert np.array_equal(made.merge([edit]).images(SEEDS, label=3), expected)
    with torch.no_grad():
        at = made.enter(made.map(made.latents(SEEDS), None, 3), LAYER - 2)
    for one, there in zip(rewriter.features(SEEDS, label=3), at.split(), strict=True):
        assert torch.equal(one.key, there.key)
    assert (rewriter.keys(SEEDS, label=3)[0] != rewriter.keys(SEEDS)[0]).any()
    assert select(made, 0, 0.5, 0.5, label=3).mask(1.0).any()


@pytest.mark.parametrize("label", WRONG, ids=str)
def test_a_class_that_there_is_not_is_one_sentence(animals, label):
    rewriter = Rewriter(animals, LAYER)
    for call in (animals.images, rewriter.features, rewriter.keys):
        assert "of animals; choose one from 0 to 3." in refused(call, [0], label=label)
    assert "choose one from 0 to 3" in refused(animals.interpolate, [0, 1], 0.5, label=label)


def test_without_classes_there_is_class_0_alone():
    for plain in (tiny.generator(name="plain"), tiny.generator("proggan", name="plain")):
        assert np.array_equal(plain.images([0], label=0), plain.images([0]))
        for call in (plain.images, Rewriter(plain, LAYER).features):
            assert "of plain, which has no classes; leave the class out." in refused(call, [0], label=1)


@torch.no_grad()  # with gradients a StyleGAN3 filters in another order of sums
def test_what_is_measured_of_all_pictures_is_of_all_classes(made):
    layer, samples = LAYER - 2, 6
    moment = memory.second_moments(made, [layer], samples=samples)[layer]
    keys = [
        made.enter(made.map(z, None, n % CLASSES), layer).key.double()
        for n, z in enumerate(made.latents(range(samples), "row").split(1))
    ]
    margin = made.key_margin(layer)
    keys = [one[:, :, margin : one.shape[2] - margin, margin : one.shape[3] - margin] for one in keys]
    expected = sum(one[0].flatten(1) @ one[0].flatten(1).t() / one[0][0].numel() for one in keys) / samples
    assert torch.allclose(moment, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))  # rounded to 2^-40


def test_ones_own_picture_is_looked_for_among_all_classes(animals, monkeypatch):
    for count in ("DRAWN", "DRAWN_WHOLE"):
        monkeypatch.setattr(f"rewriting.core.inversion.{count}", 8)
    drawn = drawn_by(animals, 5).latents
    for number, latent in zip(range(FIRST + 40, FIRST + 48), drawn, strict=True):
        assert torch.allclose(latent, animals.map(animals.latents([number]), 1.0, number % CLASSES)[0], atol=1e-6)


# Rules


@torch.no_grad()  # with gradients a StyleGAN3 filters in another order of sums
def test_a_request_is_made_on_pictures_of_its_class(made):
    rewriter, asked = Rewriter(made, LAYER - 2), tiny.request(label=2)
    keys, _ = rewriter.context_keys(asked)
    other, _ = rewriter.context_keys(tiny.request())
    at = made.enter(made.map(made.latents([1]), None, 2), LAYER - 2)
    painted = rewriter.layer.painted_key(asked.context[0].mask).flatten() > 0
    assert torch.equal(keys[: int(painted.sum())], at.key[0].flatten(1).t()[painted]) and (keys != other).any()
    edit = rewriter.solve(asked, rank=2)
    assert edit.request.label == 2 and edit.report.loss_after < edit.report.loss_before
    elsewhere = rewriter.solve(tiny.request(), rank=2)
    assert (edit.factor != elsewhere.factor).any()
    found = rewriter.matches(asked, [3], label=2)
    assert (found.heat != rewriter.matches(asked, [3], label=1).heat).any()
    assert "There is no class 9" in refused(rewriter.solve, tiny.request(label=9))


def test_a_published_rule_shows_the_class_that_it_was_made_on(animals):
    animals.save("animals")
    generator = load_generator("animals")
    edit = Rewriter(generator, LAYER).solve(tiny.request(label=2, generator="animals", name="Hats"), rank=2)
    folder = write_rule(edit, "rule", generator=generator, seeds=[0, 1])
    card = (folder / "README.md").read_text()
    assert "pictures 0, 1 of class 2" in card and "edits=rules, label=2)" in card
    assert EditStack.load(folder)[0].request.label == 2
    with Image.open(folder / "before.webp") as row:
        expected = np.concatenate(list(generator.images([0, 1], label=2)), 1).astype(int)
        lossy = np.abs(np.asarray(row.convert("RGB")).astype(int) - expected).mean()
        others = [np.concatenate(list(generator.images([0, 1], label=n)), 1) for n in (0, 1, 3)]
        assert all(lossy < np.abs(np.asarray(row.convert("RGB")).astype(int) - one).mean() for one in others)
    assert "of 4 classes" in generator_card(generator.config, "your-name/animals", False)


# Files


def test_a_folder_keeps_the_classes(made):
    opened = load_generator(made.save("animals"))
    assert (opened.config.classes, opened.digest()) == (CLASSES, made.digest())
    assert np.array_equal(opened.images(SEEDS, label=3), made.images(SEEDS, label=3))
    assert "classes" not in read_json(tiny.generator().save("plain") / "config.json")


@pytest.mark.parametrize("classes", [-1, True, 1e9, "3", 2.5, None, [3]], ids=str)
def test_a_config_with_other_classes_is_one_sentence(animals, classes):
    data = animals.config.to_json() | {"classes": classes}
    assert "classes must be a whole number" in refused(GeneratorConfig.from_json, data)


def test_classes_that_the_weights_do_not_have_are_one_sentence(animals):
    folder = animals.save("animals")
    for classes in (0, CLASSES + 1):
        (folder / "config.json").write_text(json.dumps(animals.config.to_json() | {"classes": classes}))
        refused(load_generator, folder)
    progan = tiny.config("proggan").to_json() | {"classes": 2}
    assert "a Progressive GAN has none" in refused(GeneratorConfig.from_json, progan)


# Commands


def run(*arguments):
    return cli.main([str(one) for one in arguments])


def shown(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")), json.loads(picture.info.get(contact_sheet.NOTE, "{}"))


def test_commands_draw_a_class_and_note_it(animals, capsys):
    animals.save("animals")
    tiny.generator(name="plain").save("plain")
    assert run("sample", "--generator", "animals", "--class", 3, "--seeds", 7, "--out", "sheet.png") == 0
    assert run("sample", "--generator", "animals", "--class", 3, "--seeds", "7", "--out", "folder") == 0
    expected = animals.images([7], label=3)[0]
    for path in ("sheet.png", "folder/seed0007.png"):
        picture, note = shown(path)
        assert np.array_equal(picture, expected) and note["label"] == 3
    assert run("sample", "--generator", "animals", "--class", 2, "--seeds", "7", "--out", "folder") == 2
    assert "drawn with other settings" in capsys.readouterr().err
    assert run("sample", "--generator", "plain", "--seeds", "7", "--out", "plain.png") == 0
    assert "label" not in shown("plain.png")[1]
    for name, said in (("animals", "choose one from 0 to 3"), ("plain", "has no classes")):
        for command, out in (("sample", "out.png"), ("walk", "out.webp")):
            assert run(command, "--generator", name, "--class", 9, "--seeds", "0-1", "--out", out) == 2
            message = capsys.readouterr().err
            assert said in message and tiny.is_one_sentence(message.strip())


def test_commands_make_a_rule_of_retouched_pictures_of_a_class(animals, capsys, monkeypatch):
    monkeypatch.setattr("rewriting.core.learn.STEPS", 4)
    animals.save("animals")
    picture = animals.images([3], label=2)[0].copy()
    picture[10:20, 10:20] = (255, 0, 0)
    Image.fromarray(picture).save("three.png")
    made = ("apply", "--generator", "animals", "--retouched", "3=three.png", "--class", 2, "--layer", LAYER)
    assert run(*made, "--rank", 2, "--seeds", "0-1", "--out", "red") == 0
    (edit,) = EditStack.load("red")
    (one,) = edit.request.retouched
    assert edit.request.label == 2 and (one.mask > 0).mean() < 0.3  # beside class 0, nearly all of it would differ
    capsys.readouterr()
    assert run("apply", "--generator", "animals", "--request", "red", "--class", 2, "--out", "again") == 2
    assert "a request names its own class" in capsys.readouterr().err


# The studio


@pytest.fixture(scope="module")
def service():
    made = {"face": tiny.generator(classes=CLASSES, name="face"), "church": tiny.generator(name="church", seed=1)}
    return Service(load=made.__getitem__)


def with_a_rule(service):
    session = service.open("face").choose_class(1).ask("settings", layer=LAYER, rank=2)
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    return service.rewrite(session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60)))


def test_another_class_is_another_set_of_pictures_under_the_same_rules(service):
    pictures, state = Pictures(service), State.on(with_a_rule(service))
    generator, (rule,) = service.generator("face"), state.session.stack
    for label in (3, 0):
        state = pictures.choose_class(state, label)
        assert not state.session.request.places and state.session.numbering.label == label
        assert np.array_equal(service.plain(state.session, [5])[0], generator.images([5], label=label)[0])
        assert np.array_equal(service.edited(state.session, [5])[0], generator.images([5], [rule], label=label)[0])
        assert state.session.start_new().numbering.label == label
    assert pictures.choose_class(state, None) is state
    assert "There is no class 9" in refused(pictures.choose_class, state, 9)
    undone = state.session.undo().undo()
    assert undone.numbering.label == 1 and undone.request.context
    assert state.jump(undone.reopen_rule(1)).session.numbering.label == 1
    assert state.session.open("church").numbering.label == 0


def test_what_is_saved_names_the_class(service, tmp_path):
    session = with_a_rule(service)
    saved = read_file(save_request(session, tmp_path))
    assert saved.label == 1 and bring_in(saved, service.open("face"), service).numbering.label == 1
    stack = read_file(save_edit(session, tmp_path))
    assert bring_in(stack, service.open("face"), service).numbering.label == 1
    assert shown(save_sheet(service, session, tmp_path, [0, 5]))[1]["label"] == 1
    first = next(walk_frames(service, session, [0, 5]))
    assert np.array_equal(first[:, :32], service.generator("face").images([0], label=1)[0])
    far = saved.with_(label=9)
    assert "There is no class 9" in refused(bring_in, far, service.open("face"), service)


def test_the_page_offers_classes_where_there_are_any(service):
    render = Render(service.about)
    shown = render(State.on(with_a_rule(service)))
    assert shown["label"]["visible"] is True and shown["label"]["value"] == 1
    assert [value for _, value in shown["label"]["choices"]] == list(range(CLASSES))
    assert ", class 3" in render(State.on(service.open("face").choose_class(3)))["headline"]["value"]
    plain = render(State.on(service.open("church")))
    assert plain["label"]["visible"] == "hidden" and ", class" not in plain["headline"]["value"]


def test_programs_name_the_class(service):
    api = Api(service, "face")
    drawn = service.drawn("face", [4], Request(label=2).numbering)[0].pixels
    call = Call(service, "face", "face", None, Request(label=2).numbering)
    assert np.array_equal(service.edited(call.session([], []), [4])[0], drawn)
    assert call.described("face")["classes"] == CLASSES
    for label in WRONG:
        refused(api.draw, "face", [4], label=label)
    answer = api.search([{"seed": 1, "ellipse": [0.2, 0.3, 0.6, 0.7]}], "face", LAYER, 24, 2, label=2)
    expected = api.search([{"seed": 1, "ellipse": [0.2, 0.3, 0.6, 0.7]}], "face", LAYER, 24, 2, label=1)
    assert [one["score"] for one in answer["pictures"]] != [one["score"] for one in expected["pictures"]]
    rule = api.make_rule(
        "face", {"seed": 0, "box": [0.3, 0.25, 0.6, 0.55]}, {"seed": 1}, layer=LAYER, rank=2, seeds=[5], label=2
    )
    assert rule["layer"] == LAYER
