"""What a visitor makes: every change is a value, so that undo brings back exactly what there was."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewriting import Edit, Region, Request, Transform
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import OwnPicture
from rewriting.studio.rendering.steps import picking, steps
from rewriting.studio.session import MAX_STEPS, PackedRequest, Session, centre, moved
from rewriting.studio.state import PAGE, View
from tests import tiny

SIDE = 64


def edit(name="", *, request=None, channels=6, rank=2, seed=0):
    source = torch.Generator().manual_seed(seed)
    factor = torch.randn(channels, rank, 3, 3, generator=source)
    return Edit(8, factor, torch.eye(rank, channels), name=name, generator="face", request=request)


def asked(session, **settings):
    """The request as a solve notes it: with the settings that were used."""
    return session.request.with_(**{"layer": 8, "rank": 2, "locality": 5.0} | settings)


def painted():
    """A session with an object copied, pasted, and one place of context."""
    session = Session.on("face").paint_copy(5, tiny.box(SIDE, 10, 20, 20, 40))
    return session.place(4, 32, 40).paint_place("context", 7, tiny.disk(SIDE, 30, 30, 8))


def with_rules(*names):
    session = Session.on("face")
    for number, name in enumerate(names):
        session = session.start_new().adopt(edit(name, seed=number))
    return session


def names(session):
    return [rule.edit.name for rule in session.rules]


# --- packing --------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 63), st.integers(0, 63), st.integers(0, 20)), max_size=4),
    st.booleans(),
)
def test_a_packed_request_comes_back_as_it_was(disks, erase):
    context = tuple(Region(seed, tiny.disk(SIDE, row, column, radius)) for seed, row, column, radius in disks)
    request = Request(
        copy=context[0] if context else None,
        context=context,
        preserve=context[:1],
        erase=erase,
        layer=7,
        name="a rule",
    )
    packed = PackedRequest.of(request)
    assert packed.unpacked() == request
    assert packed == PackedRequest.of(packed.unpacked()) and hash(packed.rest) == hash(PackedRequest.of(request).rest)


def test_own_pictures_come_in_the_order_of_their_places():
    made = tiny.generator()
    latents = made.map(made.latents(range(6)))
    image = made.images([0])[0]
    own = [OwnPicture(image, made.digest(), 8, one[None], made.enter(one[None], 8), 30.0) for one in latents]
    request = Request(context=[Region(one, tiny.box(SIDE, 0, 0, 9, 9)) for one in own])
    assert PackedRequest.of(request).own_pictures == tuple(own)


def test_two_packed_requests_differ_if_one_pixel_does():
    mask = tiny.box(SIDE, 10, 10, 20, 20)
    other = mask.copy()
    other[40, 40] = 255
    one, two = (PackedRequest.of(Request(context=(Region(1, m),))) for m in (mask, other))
    assert one != two


def test_a_session_of_many_strokes_and_rules_is_small():
    session, noise = Session.on("face"), np.random.default_rng(0)
    for number in range(6):
        session = session.start_new().paint_copy(number, tiny.disk(256, 100, 100, 40)).place(50, 128, 128)
        for place in range(12):
            mask = tiny.disk(256, *noise.integers(30, 220, 2), 20)
            session = session.paint_place("context", place, mask)
        session = session.adopt(edit(request=asked(session), channels=256, rank=5))
    assert len(session.rules) == 6 and len(session.past) == MAX_STEPS
    assert len(pickle.dumps(session)) < 1_000_000  # one plain mask of each step alone would be 4 MB


# --- undo -----------------------------------------------------------------------------------------------------------

CHANGES = {
    "copy": lambda s: s.paint_copy(3, tiny.disk(SIDE, 20, 20, 9)),
    "place": lambda s: s.place(9, 30, 30),
    "context": lambda s: s.paint_place("context", 8, tiny.disk(SIDE, 20, 20, 9)),
    "preserve": lambda s: s.paint_place("preserve", 8, tiny.disk(SIDE, 20, 20, 9)),
    "remove": lambda s: s.remove_place("context", 7),
    "settings": lambda s: s.ask("settings", layer=6, rank=3, locality=1.0),
    "rewrite": lambda s: s.adopt(edit("Rewritten")),
    "strength": lambda s: s.change_rule(1, "strength", strength=-0.5),
    "switch": lambda s: s.change_rule(1, "switch", enabled=False),
    "rename": lambda s: s.change_rule(1, "rename", name="Other"),
    "delete": lambda s: s.delete_rule(1),
    "duplicate": lambda s: s.duplicate_rule(1),
    "order": lambda s: s.order_rules([2, 1]),
    "reopen": lambda s: s.reopen_rule(1),
    "new": Session.start_new,
    "reset": Session.reset,
    "open": lambda s: s.open("church"),
}


@pytest.fixture(scope="module")
def busy():
    """Two rules, the second being edited."""
    session = painted()
    session = session.adopt(edit("First", request=asked(session)))
    return session.start_new().adopt(edit("Second", seed=1), painted().request)


@pytest.mark.parametrize("change", CHANGES)
def test_undo_brings_back_the_very_same_state_and_redo_the_change(busy, change):
    after = CHANGES[change](busy)
    assert after.now != busy.now
    assert after.undo().now is busy.now
    assert after.undo().redo().now is after.now
    assert not after.future and after.undo().future == (after.now,)


@given(st.lists(st.sampled_from(["copy", "context", "settings", "rewrite", "new", "reset"]), max_size=12))
def test_undoing_everything_leads_back_to_the_beginning(changes):
    begun = session = painted()
    for change in changes:
        session = CHANGES[change](session)
    for _ in changes:
        session = session.undo()
    assert session.now is begun.now and session.past == begun.past


def test_undo_and_redo_at_the_ends_change_nothing():
    session = Session.on("face")
    assert session.undo() is session and session.redo() is session


def test_a_change_after_undo_forgets_what_was_undone(busy):
    assert not busy.undo().paint_place("context", 1, None).future


def test_several_changes_can_be_one_step():
    begun = painted()
    ended = begun.open("church").adopt(edit("Opened")).as_one_step(begun)
    assert ended.undo().now is begun.now


def test_only_so_many_steps_are_kept():
    session = Session.on("face")
    for number in range(MAX_STEPS + 10):
        session = session.ask("settings", rank=1 + number % 9)
    assert len(session.past) == MAX_STEPS


# --- the request being made -----------------------------------------------------------------------------------------


def test_a_placed_object_moves_along_when_it_is_painted_on():
    session = painted().paint_copy(5, tiny.box(SIDE, 10, 20, 24, 40))
    paste = session.request.paste
    assert paste.seed == 4 and centre(paste.mask) == (32, 40)
    assert paste.mask.sum() == session.request.copy.mask.sum()


def test_an_object_without_a_place_goes_where_it_was_in_its_own_picture():
    mask = tiny.box(SIDE, 10, 20, 20, 40)
    first_object = Session.on("face").paint_copy(5, mask, paste_seed=4)
    first_picture = Session.on("face").paint_copy(5, mask).turn_to("paste", 4)
    for session in (first_object, first_picture):
        assert session.request.paste == Region(4, mask)


def test_another_picture_to_paste_into_keeps_the_place_and_one_to_copy_from_begins_anew():
    session = painted().turn_to("paste", 11)
    assert session.request.paste.seed == 11 and centre(session.request.paste.mask) == (32, 40)
    session = session.turn_to("copy", 12)
    assert session.request.copy is None and session.request.missing() == "paint the object to copy"
    assert painted().turn_to("copy", 5).request.copy is not None


@given(st.integers(-20, 90), st.integers(-20, 90))
def test_a_moved_object_stays_whole_and_inside(x, y):
    copied = Region(1, tiny.box(SIDE, 3, 5, 16, 24))
    mask = moved(copied, 2, x, y).mask
    assert mask.sum() == copied.mask.sum()
    if 10 <= x < SIDE - 10 and 7 <= y < SIDE - 7:
        assert centre(mask) == (x + (24 - 5) // 2 - 19 // 2, y + 13 // 2 - 13 // 2)


def test_an_object_stays_turned_while_it_is_moved_and_painted_on_and_another_one_is_not():
    session = painted().place(6, 30, 34, Transform(1.5, 30))
    assert session.request.transform == Transform(1.5, 30)
    assert session.place(6, 20, 34).request.transform == Transform(1.5, 30)
    assert session.turn_to("paste", 11).request.transform == Transform(1.5, 30)
    repainted = session.paint_copy(5, tiny.disk(SIDE, 30, 30, 8))
    assert repainted.request.transform == Transform(1.5, 30)
    assert centre(repainted.request.paste.mask) == centre(session.request.paste.mask) == (30, 34)
    assert session.turn_to("copy", 12).request.transform.identity
    assert session.paint_copy(5, None).request.transform.identity
    assert session.undo().request.transform.identity and session.undo().redo() == session


@given(st.floats(0.25, 4), st.floats(-180, 180), st.booleans(), st.integers(0, 63), st.integers(0, 63))
def test_a_turned_object_that_is_placed_where_it_lies_does_not_wander(scale, turn, mirror, x, y):
    copied, transform = Region(1, tiny.disk(SIDE, 20, 24, 9)), Transform(scale, turn, mirror)
    first = centre(moved(copied, 2, x, y, transform).mask)
    again = first
    for _ in range(4):
        again = centre(moved(copied, 2, *again, transform).mask)
    assert max(abs(a - b) for a, b in zip(first, again, strict=True)) <= 1


def test_nothing_can_be_placed_before_it_is_copied():
    with pytest.raises(ValueError, match="There is nothing to paste yet") as refused:
        Session.on("face").place(1, 5, 5)
    assert tiny.is_one_sentence(str(refused.value))


def test_places_keep_their_order_when_painted_on_and_go_when_emptied():
    session = painted().paint_place("context", 8, tiny.disk(SIDE, 9, 9, 4))
    session = session.paint_place("context", 7, tiny.disk(SIDE, 9, 9, 6))
    assert [region.seed for region in session.request.context] == [7, 8]
    assert [region.seed for region in session.paint_place("context", 7, None).request.context] == [8]


# --- rules ----------------------------------------------------------------------------------------------------------


def test_a_rewritten_rule_takes_its_own_place_name_and_strength():
    session = with_rules("A", "B").change_rule(2, "strength", strength=0.5)
    session = session.adopt(edit(seed=9))
    assert names(session) == ["A", "B"] and session.rules[1].edit.strength == 0.5
    assert [rule.number for rule in session.rules] == [1, 2]


def test_a_new_rule_is_added_and_named():
    session = with_rules("A").start_new().adopt(edit())
    assert names(session) == ["A", "Rule 2"] and session.rule is session.rules[1]


def test_a_number_is_never_given_twice_even_after_deleting():
    session = with_rules("A", "B").delete_rule(2).start_new().adopt(edit("C"))
    assert [rule.number for rule in session.rules] == [1, 3]
    assert [rule.number for rule in session.undo().undo().undo().rules] == [1, 2]


def test_a_rule_is_reopened_with_all_that_was_asked():
    session = painted()
    request = asked(session)
    session = session.adopt(edit(request=request)).reset().undo().start_new().reopen_rule(1)
    assert session.request == request and session.rule.number == 1
    assert session.whole_stack[0].request == request and session.stack[0].request is None


def test_a_rule_without_its_request_says_so():
    with pytest.raises(ValueError, match="'A' has no request") as refused:
        with_rules("A").reopen_rule(1)
    assert tiny.is_one_sentence(str(refused.value))


@pytest.mark.parametrize("change", ["delete_rule", "duplicate_rule", "reopen_rule"])
def test_a_rule_that_is_gone_is_named(change):
    with pytest.raises(ValueError, match="There is no rule 7 any more"):
        getattr(with_rules("A"), change)(7)


def test_an_order_must_name_each_rule_once():
    assert names(with_rules("A", "B", "C").order_rules([3, 1, 2])) == ["C", "A", "B"]
    with pytest.raises(ValueError, match="does not name each rule once"):
        with_rules("A", "B").order_rules([1, 1])


def test_a_session_knows_whether_its_rule_answers_its_request():
    session = painted()
    assert not session.solved
    session = session.adopt(edit(request=asked(session)))
    assert session.solved
    assert not session.ask("settings", rank=9).solved
    assert session.ask("settings", layer=8, rank=2, locality=5.0).solved
    assert not session.paint_place("context", 9, tiny.disk(SIDE, 5, 5, 4)).solved
    assert session.change_rule(1, "strength", strength=0.3).solved


def test_a_request_of_the_papers_code_counts_its_pictures_as_that_does():
    session = Session.on("face").step("open", request=Request(seeding="row", truncation=0.5))
    assert session.numbering == Numbering("row", 0.5) and session.start_new().numbering == Numbering()


# --- the steps ------------------------------------------------------------------------------------------------------


def notes(session, view):
    return [(step.number, step.note) for step in steps(session, view) if not step.done and step.needed]


def test_each_step_says_what_it_still_needs():
    session, view = Session.on("face"), View()
    assert notes(session, view) == [
        (1, "pick a picture"),
        (2, "pick a picture"),
        (4, "needs steps 1 and 2"),
    ]
    view = view.pick(5)
    assert notes(session, view)[0] == (1, "paint the object")
    session = session.paint_copy(5, tiny.box(SIDE, 10, 20, 20, 40))
    assert notes(session, view) == [(2, "pick a picture"), (4, "needs step 2")]
    session, view = session.turn_to("paste", 4), view.pick(4)
    assert notes(session, view) == [(4, "ready: press to see it")]
    session = session.adopt(edit(request=asked(session)))
    assert notes(session, view) == []
    assert notes(session.ask("settings", rank=1), view) == [(4, "changed: press to update")]


def test_the_steps_can_be_done_in_any_order():
    view = View(slot="paste").pick(4)
    assert notes(Session.on("face"), view)[1] == (2, "needs step 1")
    view = view.with_(copy_seed=5)
    session = Session.on("face").paint_place("context", 1, tiny.disk(SIDE, 9, 9, 5))
    session = session.paint_copy(5, tiny.box(SIDE, 10, 20, 20, 40), view.paste_seed)
    assert notes(session, view) == [(4, "ready: press to see it")]


def test_to_erase_only_places_are_needed():
    session, view = Session.on("face").ask("mode", erase=True), View(slot="context")
    assert notes(session, view) == [(1, "pick a picture"), (2, "needs step 1")]
    session = session.paint_place("context", 1, tiny.disk(SIDE, 9, 9, 5))
    assert notes(session, view.pick(1)) == [(2, "ready: press to see it")]
    assert "Picture 1 is in step 1" in picking(session, view.pick(1))


def test_the_hint_names_what_is_still_to_be_painted_before_it_speaks_of_rewriting():
    session, view = Session.on("face"), View().pick(5).pick(4)
    assert "Paint the object to copy in step 1" in picking(session, view)
    painted = session.paint_copy(5, tiny.disk(SIDE, 60, 60, 9))
    assert "Place the object in step 2" in picking(painted, view)
    placed = painted.place(4, 80, 80)
    assert "step 1" not in picking(placed, view) and "Rewrite" in picking(placed, view)


def test_after_each_pick_the_hint_says_what_to_do_next():
    session, view = Session.on("face"), View()
    said = [picking(session, view)]
    for seed in (5, 4, 7):
        view = view.pick(seed)
        said.append(picking(session, view))
    assert len(set(said)) == 4 and all(sentence.endswith(".") for sentence in said)
    assert "copy" in said[0] and "Picture 5 is in step 1" in said[1] and "paste into" in said[1]
    assert "Picture 4 is in step 2" in said[2] and "Picture 7 is in step 3" in said[3]


# --- views ------------------------------------------------------------------------------------------------


def test_pages_of_the_sheet_stay_within_what_there_is():
    view = View().page(1)
    assert view.seeds[0] == PAGE and view.page(-1).page(-1).start == 0
    found = View(found=tuple(range(100, 130)))
    assert found.page(1).seeds == (124, 125, 126, 127, 128, 129) and found.page(5).page(5).start == PAGE
