"""Rules from retouched pictures: learned through the rest of the generator, always the same, stopped at will."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rewriting import Edit, EditStack, Region, Request, Rewriter
from rewriting.core.learn import default_layers
from rewriting.core.retouch import Retouched, bend
from rewriting.generators import LayerInput
from tests import tiny
from weights.experiments.retouched import Lesson
from weights.rules.retouches import RETOUCHES


def reddened(seed, picture, box=(8, 20, 8, 20)):
    """A picture with a red square."""
    top, bottom, left, right = box
    wanted = picture.copy()
    wanted[top:bottom, left:right] = (220, 30, 30)
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[top:bottom, left:right] = 255
    return Retouched.found(seed, picture, wanted, mask=mask, how={"kind": "paint"})


@pytest.fixture(params=tiny.KINDS)
def made(request):
    return tiny.generator(request.param, name="tiny")


@pytest.fixture
def request_(made):
    pictures = made.images([0, 1])
    return Request(retouched=[reddened(s, p) for s, p in enumerate(pictures)], rank=2, name="Red squares")


def test_a_rule_comes_nearer_to_the_retouched_pictures_in_several_layers(made, request_):
    edits = list(Rewriter(made, 4).learn(request_, steps=80))
    losses = [edit.report.loss_after for edit in edits]
    assert losses[-1] < 0.9 * edits[-1].report.loss_before and losses[-1] < losses[0]
    assert [edit.report.iterations for edit in edits] == list(range(5, 81, 5))
    last = edits[-1]
    assert last.layers == (4, 6, 8) and last.rank == 2
    assert last.name == "Red squares" and last.base == made.digest()
    inside = request_.retouched[0].mask > 0
    for retouched, before, after in zip(
        request_.retouched, made.images([0, 1]), made.images([0, 1], [last]), strict=True
    ):
        wanted = retouched.over(before).astype(float)
        assert np.abs(after - wanted)[inside].mean() < 0.9 * np.abs(before - wanted)[inside].mean()


def test_the_same_request_gives_the_same_rule_to_the_bit(made, request_):
    one, other = (list(Rewriter(made, 4).learn(request_, steps=10))[-1] for _ in range(2))
    for a, b in zip(one.changes, other.changes, strict=True):
        assert torch.equal(a.factor, b.factor) and torch.equal(a.directions, b.directions)
    digest = made.digest()
    made.forget()
    assert made.digest() == digest, "the generator stays as it is"


def test_solve_learns_a_request_with_retouched_pictures(made, request_, tmp_path):
    request_.save(tmp_path / "request.json")
    with torch.inference_mode(False):
        edit = Rewriter(made, 4).solve(Request.load(tmp_path / "request.json"))
    assert edit.request.retouched == request_.retouched and (edit.request.layer, edit.request.rank) == (4, 2)
    read = Edit.load(edit.save(tmp_path / "rule"))
    assert read.report == edit.report and read.request == edit.request
    assert np.array_equal(made.images([3], EditStack([read])), made.images([3], EditStack([edit])))


def test_learning_stops_when_it_is_told_to(made, request_):
    learning = Rewriter(made, 4).learn(request_, steps=10**9)
    assert next(learning).report.iterations == 5
    learning.close()
    assert list(learning) == []


def test_what_was_bent_takes_two_layers_and_what_is_chosen_is_taken(made, request_):
    picture = made.images([0])[0]
    moves = [[0.4, 0.4, 0.5, 0.4], *([x, y] * 2 for x in (0.1, 0.9) for y in (0.1, 0.9))]
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[4:28, 4:28] = 255
    bent = Retouched.found(0, picture, bend(picture, moves), mask=mask, how={"kind": "bend", "moves": moves})
    request = Request(retouched=[bent], rank=1)
    assert default_layers(made, request, 4) == (4, 6) and default_layers(made, request_, 4) == (4, 6, 8)
    edit = next(Rewriter(made, 4).learn(request_, layers=[6, 3, 4], rank=1))
    assert edit.layers == (3, 4, 6) and edit.rank == 1


def test_what_is_preserved_is_reported_and_changes_less(made, request_):
    keep = np.zeros((32, 32), np.uint8)
    keep[18:30, 18:30] = 255
    kept = request_.with_(preserve=[Region(s, keep) for s in (4, 5, 6)])
    with_, without = ([*Rewriter(made, 4).learn(one, steps=40)][-1] for one in (kept, request_))
    assert without.report.preserved is None and with_.report.preserved > 0
    before, *after = (made.images([4, 5, 6], edits).astype(float) for edits in ((), [with_], [without]))
    changes = [np.abs(one - before)[:, 18:30, 18:30].mean() for one in after]
    assert changes[0] < changes[1]


def test_the_goal_of_a_retouched_picture_is_that_picture(made, request_):
    goal = Rewriter(made, 4).goal_image(request_)
    picture = made.images([0])[0]
    assert np.array_equal(goal, request_.retouched[0].over(picture)) and not np.array_equal(goal, picture)
    with pytest.raises(ValueError, match="learn it instead"):
        Rewriter(made, 4).goal_terms(request_)


def test_what_a_pasted_goal_shows_is_learned_and_the_request_stays_what_it_was(made):
    asked = tiny.request(rank=2, locality=1.0)
    rewriter = Rewriter(made, 4)
    *_, edit = rewriter.learn(asked, steps=60)
    assert edit.layers == (4, 6, 8) and edit.request == replace(asked, layer=4)
    before, after = (made.images([asked.paste.seed], edits)[0].astype(float) for edits in ((), [edit]))
    goal, inside = rewriter.goal_image(asked).astype(float), asked.paste.mask > 0
    assert np.abs(after - goal)[inside].mean() < 0.9 * np.abs(before - goal)[inside].mean()


def test_a_request_that_erases_is_not_learned(made):
    with pytest.raises(ValueError, match="erases") as caught:
        next(Rewriter(made, 4).learn(tiny.request(erase=True)))
    assert tiny.is_one_sentence(str(caught.value))


def test_parts_of_several_pictures_are_drawn_together_each_with_the_noise_of_its_place():
    made = tiny.generator("stylegan2", noise=True)
    at = made.enter(made.map(made.latents([0, 1])), 6)
    whole = [made.value(6, one) for one in at.split()]
    corners = ((2, 0), (6, 4))
    parts = [
        replace(one, key=one.key[..., y : y + 8, x : x + 8], origins=((y / 16, x / 16),))
        for one, (y, x) in zip(at.split(), corners, strict=True)
    ]
    together = made.value(6, LayerInput.cat(parts))
    for value, drawn, (y, x) in zip(whole, together, corners, strict=True):
        inner = value[0, :, y + 1 : y + 7, x + 1 : x + 7]
        assert torch.allclose(drawn[:, 1:-1, 1:-1], inner, atol=tiny.FLOAT32_NOISE)


# --- the two rules of the proof, on the bundled faces


@pytest.mark.parametrize(("name", "closed", "outside"), [("red-noses", 0.5, 0.005), ("big-eyes", 0.5, 0.003)])
def test_unseen_faces_are_drawn_as_three_were_retouched(name, closed, outside):
    lesson = Lesson(RETOUCHES[name], 8)
    *_, edit = Rewriter(lesson.generator).learn(lesson.request(), steps=40)
    assert edit.layers[0] == lesson.generator.config.default_layer, "features tell noses and eyes from the rest"
    found = lesson.measure([edit])
    assert found.nearer == 1 and found.closed > closed and found.outside < outside, found


def test_learning_begins_at_an_earlier_layer_where_a_place_is_told_by_where_it_is():
    """The whole sky looks like the place of the moon."""
    lesson = Lesson(RETOUCHES["moons"], 0)
    first = next(Rewriter(lesson.generator).learn(lesson.request()))
    assert first.layers == (6, 8, 10) and first.request.layer == lesson.generator.config.default_layer
