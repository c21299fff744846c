"""Edits and stacks of them: what they add to a weight, how they are kept, and what is refused when they are opened."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from rewriting import Edit, EditStack
from rewriting.core.edit import CONFIG, FACTORS, MAX_EDITS, REQUESTS, Report, relative_change
from tests import tiny

REPORT = Report(0.5, 0.125, 0.75, 0.25, 0.0625, 0.03125, None, 17, 42.5)


@pytest.fixture(scope="module")
def made():
    return tiny.generator(name="tiny")


@pytest.fixture
def stack(made):
    details = {"base": made.digest(), "generator": "org/tiny"}
    return EditStack(
        [
            tiny.random_edit(made, 6, rank=3, name="hats", request=tiny.request(), report=REPORT, **details),
            tiny.random_edit(made, 3, rank=1, seed=1, strength=-1.5, enabled=False, **details),
        ]
    )


def refusal(folder, error=ValueError):
    with pytest.raises(error) as caught:
        EditStack.load(folder)
    assert tiny.is_one_sentence(str(caught.value)), str(caught.value)
    return str(caught.value)


# One edit


def test_an_edit_adds_strength_times_lambda_d(made):
    edit = tiny.random_edit(made, 6, rank=3)
    plain = torch.zeros(16, 16, 3, 3)
    for s in range(3):
        plain += edit.factor[:, s, None] * edit.directions[s][None, :, None, None]
    torch.testing.assert_close(edit.delta(), plain)
    for strength in (-2.0, 0.5, 10):
        torch.testing.assert_close(edit.with_(strength=strength).delta(), strength * plain)
    assert not edit.with_(enabled=False).delta().any() and not edit.with_(strength=0.0).delta().any()
    assert (edit.rank, edit.strength, edit.enabled) == (3, 1.0, True)


def test_changing_an_edit_makes_a_copy(made):
    edit = tiny.random_edit(made, 6, name="before")
    other = edit.with_(strength=0.5, name="after", enabled=False)
    assert (edit.strength, edit.name, edit.enabled) == (1.0, "before", True)
    assert (other.strength, other.name, other.enabled) == (0.5, "after", False)
    assert other.factor is edit.factor
    with pytest.raises(AttributeError):
        edit.strength = 2.0


@pytest.mark.parametrize("strength", [10.5, -11, float("nan"), float("inf"), "1", None, [1]])
def test_a_strength_out_of_range_is_refused(made, strength):
    with pytest.raises(ValueError, match="strength must be a number from -10 to 10") as caught:
        tiny.random_edit(made, 6, strength=strength)
    assert tiny.is_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("factor", "directions"), [((4, 2, 3, 3), (3, 5)), ((4, 2, 3), (2, 5)), ((4, 2, 3, 3), (2, 5, 1))]
)
def test_tensors_that_do_not_fit_each_other_are_refused(factor, directions):
    with pytest.raises(ValueError, match="do not fit; expected") as caught:
        Edit(6, torch.zeros(factor), torch.zeros(directions))
    assert tiny.is_one_sentence(str(caught.value))


def test_an_edit_knows_the_generator_it_was_made_for(made, stack):
    edit = stack[0]
    edit.check_fits(made)
    with pytest.raises(ValueError, match="'hats' was made for other weights .org/tiny.") as caught:
        edit.check_fits(tiny.generator(seed=1))
    assert tiny.is_one_sentence(str(caught.value))
    with pytest.raises(ValueError, match=r"'hats' changes a weight of shape .*open org/tiny first") as caught:
        edit.with_(layer=7).check_fits(made)
    assert tiny.is_one_sentence(str(caught.value))
    with pytest.raises(ValueError, match=r"other weights .digest [0-9a-f]{12}."):
        edit.with_(generator="").check_fits(made.merge([edit]))
    edit.with_(base="").check_fits(tiny.generator(seed=1))  # made by hand: only its shape can be checked


def test_the_relative_change_is_that_of_the_whole_weight(made):
    edit = tiny.random_edit(made, 6, rank=3, size=0.3)
    weight = made.conv(6).weight
    assert relative_change(edit.factor, weight) == pytest.approx(0.3, rel=1e-5)
    assert float(edit.delta().norm() / weight.norm()) == pytest.approx(0.3, rel=1e-5)


# Stacks


def test_stacks_hold_edits_in_order_and_never_change(made):
    a, b = (tiny.random_edit(made, 6, seed=seed) for seed in range(2))
    edits = [a, b]
    stack = EditStack(edits)
    edits.clear()
    assert len(stack) == 2 and stack[1] is b and list(stack) == [a, b] and list(EditStack()) == []


def test_a_stack_holds_so_many_and_no_more(made):
    edit = tiny.random_edit(made, 6)
    assert len(EditStack([edit] * MAX_EDITS)) == MAX_EDITS
    with pytest.raises(ValueError, match=f"{MAX_EDITS + 1} edits are more than"):
        EditStack([edit] * (MAX_EDITS + 1))


# Files


def test_a_saved_stack_is_read_back_exactly(made, stack, tmp_path):
    read = EditStack.load(stack.save(tmp_path / "rule"))
    assert len(read) == 2
    for one, other in zip(stack, read, strict=True):
        assert torch.equal(one.factor, other.factor) and torch.equal(one.directions, other.directions)
        for name in ("layer", "strength", "enabled", "name", "generator", "base", "request", "report"):
            assert getattr(one, name) == getattr(other, name), name
    assert np.array_equal(made.images([0, 1], read), made.images([0, 1], stack))
    again = read.save(tmp_path / "again")
    for name in (CONFIG, REQUESTS):
        assert (again / name).read_bytes() == (tmp_path / "rule" / name).read_bytes()


def test_an_edit_is_saved_and_read_by_itself(stack, tmp_path):
    read = Edit.load(stack[0].save(tmp_path / "rule"))
    assert torch.equal(read.delta(), stack[0].delta()) and read.report == REPORT
    size = sum(path.stat().st_size for path in (tmp_path / "rule").iterdir())
    assert size < 50_000  # what is shared is small: Lambda, D and masks, no weight
    stack.save(tmp_path / "two")
    with pytest.raises(ValueError, match="two holds 2 edits; open it with EditStack.load") as caught:
        Edit.load(tmp_path / "two")
    assert tiny.is_one_sentence(str(caught.value))


def test_an_edit_without_its_request_still_works(stack, tmp_path):
    (stack.save(tmp_path) / REQUESTS).unlink()
    read = EditStack.load(tmp_path)
    assert read[0].request is None and read[0].report is None and torch.equal(read[0].delta(), stack[0].delta())


def test_files_are_valid_json_for_every_reader(stack, tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    stack.save(tmp_path)
    for name in (CONFIG, REQUESTS):
        json.loads((tmp_path / name).read_text(), parse_constant=refuse)
    data = json.loads((tmp_path / CONFIG).read_text())
    assert data["format"] == "rewriting-edit" and data["layers"] == [6, 3] and data["ranks"] == [3, 1]
    assert data["base_model"] == {"repo_id": "org/tiny", "sha256": stack[0].base}


def test_nothing_and_edits_of_different_generators_are_not_saved(made, stack, tmp_path):
    with pytest.raises(ValueError, match="no edit to save; rewrite a rule first"):
        EditStack().save(tmp_path / "rule")
    with pytest.raises(ValueError, match="made for different weights") as caught:
        EditStack([*stack, stack[0].with_(base="0" * 64)]).save(tmp_path / "rule")
    assert tiny.is_one_sentence(str(caught.value)) and not (tmp_path / "rule").exists()


# Rules of several layers


@pytest.fixture
def deep(made):
    """One rule of two layers."""
    low, high = tiny.random_edit(made, 4, rank=3, name="noses"), tiny.random_edit(made, 6, rank=2, seed=2)
    details = {"base": made.digest(), "generator": "org/tiny", "request": tiny.request(), "report": REPORT}
    return low.with_(further=high.changes, **details)


def test_a_rule_of_two_layers_changes_both_by_one_strength_and_one_switch(made, deep):
    weights = made.overrides([deep.with_(strength=0.5)])
    assert deep.layers == (4, 6) and sorted(weights) == [4, 6]
    for part in deep.parts:
        expected = made.conv(part.layer).weight[0] + 0.5 * part.delta()
        torch.testing.assert_close(weights[part.layer], expected)
    assert not made.overrides([deep.with_(enabled=False)])
    before, after = made.images([0, 1]), made.images([0, 1], [deep])
    assert not np.array_equal(before, after)
    assert np.array_equal(after, made.images([0, 1], deep.parts))
    assert np.array_equal(after, made.merge([deep]).images([0, 1]))


def test_the_order_of_rules_of_several_layers_makes_no_difference(made, deep, stack):
    edits = [deep, *(edit.with_(enabled=True) for edit in stack)]
    drawn = made.images([0, 1], EditStack(edits))
    for order in ((2, 1, 0), (1, 2, 0)):
        assert np.array_equal(drawn, made.images([0, 1], EditStack(edits[i] for i in order)))


def test_a_rule_of_two_layers_is_read_back_exactly(made, deep, stack, tmp_path):
    both = EditStack([stack[0], deep])
    read = EditStack.load(both.save(tmp_path / "rule"))
    config = json.loads((tmp_path / "rule" / CONFIG).read_text())
    assert config["format_version"] == 2 and config["layers"] == [6, 4, 6] and config["ranks"] == [3, 3, 2]
    assert read[1].layers == (4, 6) and read[1].name == "noses" and read[1].request == tiny.request()
    for one, other in zip(deep.changes, read[1].changes, strict=True):
        assert torch.equal(one.factor, other.factor) and torch.equal(one.directions, other.directions)
    assert np.array_equal(made.images([0, 1], read), made.images([0, 1], both))
    assert np.array_equal(made.images([0, 1], [Edit.load(deep.save(tmp_path / "alone"))]), made.images([0, 1], [deep]))


def test_rules_of_one_layer_are_saved_as_ever(stack, tmp_path):
    stack.save(tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    assert config["format_version"] == 1
    assert set(config["edits"][0]) == {"name", "layer", "strength", "enabled", "factor", "directions"}
    assert set(load_file(tmp_path / FACTORS)) == {f"edits.{i}.{of}" for i in (0, 1) for of in ("factor", "directions")}


def test_layers_out_of_order_are_refused(made, deep):
    with pytest.raises(ValueError, match="from low to high") as caught:
        deep.with_(layer=6)
    assert tiny.is_one_sentence(str(caught.value))
    with pytest.raises(ValueError, match="up to 8, from low to high"):
        deep.with_(further=[replace(deep.further[0], layer=layer) for layer in range(5, 5 + 8)])
    with pytest.raises(ValueError, match="take the deltas of its `parts`"):
        deep.delta()


@pytest.mark.parametrize(
    ("further", "named"),
    [
        (5, "further layers"),
        ([{}] * 99, "further layers"),
        ([None], "impossible"),
        ([{"layer": 6, "factor": [16, 2, 3, 3], "directions": [3, 16]}], "impossible"),
        ([{"layer": 6, "factor": [16, 3, 3, 3], "directions": [3, 16]}], "further.0.factor of shape"),
        ([{"layer": 4, "factor": [16, 2, 3, 3], "directions": [2, 16]}], "from low to high"),
        ([], "which the config does not call for"),
    ],
)
def test_further_layers_that_cannot_be_are_refused(deep, tmp_path, further, named):
    deep.save(tmp_path)
    change_config(tmp_path, first(further=further))
    message = refusal(tmp_path)
    assert re.search(named, message), message


# What is refused


def change_config(folder, change):
    data = json.loads((folder / CONFIG).read_text())
    change(data)
    (folder / CONFIG).write_text(json.dumps(data))


def first(**changes):
    return lambda data: data["edits"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(format="rewriting-generator"), "does not describe an edit"),
        (lambda d: d.update(format_version=[9] * 999), "format_version"),
        (lambda d: d.update(edits=[]), "1 to 32 edits"),
        (lambda d: d.update(edits=d["edits"] * 20), "1 to 32 edits"),
        (lambda d: d.update(edits={"0": 1}), "1 to 32 edits"),
        (lambda d: d.update(edits=[None, 5]), "impossible"),
        (lambda d: d.update(base_model="org/tiny"), "damaged"),
        (lambda d: d["edits"].pop(), "which the config does not call for"),
        (lambda d: d["edits"].append(d["edits"][0]), "lacks edits.2.directions, edits.2.factor"),
        (first(factor=[16, 3, 3]), "impossible"),
        (first(factor=[16, 3, 3, 10**9]), "impossible"),
        (first(factor=[16, 99, 3, 3], directions=[99, 16]), "impossible"),
        (first(factor=["16", 3, 3, 3]), "impossible"),
        (first(factor="16 3 3 3"), "impossible"),
        (first(directions=[4, 16]), "impossible"),
        (first(directions=None), "impossible"),
        (first(layer="6"), "impossible"),
        (first(layer=True), "impossible"),
        (first(factor=[15, 3, 3, 3]), "edits.0.factor of shape"),
        (first(strength=1e9), "strength must be a number from -10 to 10, not 1000000000.0"),
        (first(strength=float("nan")), "strength must be .*, not nan"),
        (first(strength="x" * 9999), "strength"),
    ],
)
def test_a_config_that_cannot_be_is_refused(stack, tmp_path, change, named):
    stack.save(tmp_path)
    change_config(tmp_path, change)
    message = refusal(tmp_path)
    assert re.search(named, message), message


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("edits.1.factor"), "lacks edits.1.factor"),
        (lambda t: t.update(payload=torch.zeros(3)), "has payload"),
        (lambda t: t["edits.0.factor"].fill_(float("inf")), "edits.0.factor that are not finite"),
        (lambda t: t.update({"edits.0.factor": t["edits.0.factor"].double()}), "F64"),
        (lambda t: t.update({"edits.0.directions": t["edits.0.directions"][:2].clone()}), r"\(2, 16\)"),
    ],
)
def test_tensors_that_cannot_be_are_refused(stack, tmp_path, change, named):
    stack.save(tmp_path)
    tensors = load_file(tmp_path / FACTORS)
    change(tensors)
    save_file(tensors, tmp_path / FACTORS)
    message = refusal(tmp_path)
    assert re.search(named, message), message


@pytest.mark.parametrize("name", [CONFIG, FACTORS, REQUESTS])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 99999, b"\xff\xfe\x00", b"1" * 9999, b"null", b"[]", b'{"a": 1}']
)
def test_files_with_something_else_inside_are_refused(stack, tmp_path, name, content):
    (stack.save(tmp_path) / name).write_bytes(content)
    assert name in refusal(tmp_path)


def test_a_folder_that_lacks_a_file_is_refused(stack, tmp_path):
    (stack.save(tmp_path) / FACTORS).unlink()
    assert FACTORS in refusal(tmp_path, FileNotFoundError)
    (tmp_path / CONFIG).unlink()
    assert CONFIG in refusal(tmp_path, FileNotFoundError)


@pytest.mark.parametrize(
    "details",
    [
        {"report": 5},
        {"report": {"loss_before": 1.0}},
        {"report": vars(REPORT) | {"precision": "half"}},
        {"report": vars(REPORT) | {"extra": 1}},
        {"report": vars(REPORT) | {"loss_after": "small"}},
        {"report": vars(REPORT) | {"loss_after": None}},
        {"report": vars(REPORT) | {"loss_after": float("nan")}},
        {"report": vars(REPORT) | {"change": float("inf")}},
        {"request": 5},
        {"request": {"format": "rewriting-request", "format_version": 1, "copied": 1}},
    ],
    ids=lambda details: json.dumps(details)[:60],
)
def test_details_that_cannot_be_are_refused(stack, tmp_path, details):
    stack.save(tmp_path)
    (tmp_path / REQUESTS).write_text(json.dumps([details, {}]))
    refusal(tmp_path)
    (tmp_path / REQUESTS).write_text(json.dumps([{}]))
    assert "does not describe the 2 edits" in refusal(tmp_path)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["factor", "directions", "layer", "strength", "enabled", "name", "unknown"]


@pytest.fixture(scope="module")
def saved(made, tmp_path_factory):
    return tiny.random_edit(made, 6, rank=1).save(tmp_path_factory.mktemp("edit"))


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, min_size=1, max_size=3), st.none() | ANYTHING)
def test_any_config_is_opened_or_refused_in_one_sentence(saved, changes, base):
    data = json.loads((saved / CONFIG).read_text())
    hostile = data | {"edits": [data["edits"][0] | changes]} | ({} if base is None else {"base_model": base})
    try:
        (saved / CONFIG).write_text(json.dumps(hostile))
        assert Edit.load(saved).rank == 1
    except ValueError as error:
        assert tiny.is_one_sentence(str(error)), str(error)
    finally:
        (saved / CONFIG).write_text(json.dumps(data))
