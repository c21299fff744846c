"""The studio's use cases, without a page: search, goal, results, rules, files, and what visitors share."""

import base64
import gc
import io
import json
import pickle
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from rewriting import EditStack, Region, Request, Transform
from rewriting.core.contact_sheet import NOTE
from rewriting.core.edit import MAX_EDITS
from rewriting.core.memory import QUICK_SAMPLES
from rewriting.core.presets import Preset, presets
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import OwnPicture
from rewriting.studio import service as service_module
from rewriting.studio.encoding import Picture, cutout
from rewriting.studio.exploration import chart, key_matches, layer_chart, values_alone
from rewriting.studio.results import effect
from rewriting.studio.service import PAIRS, SIDE, Service
from rewriting.studio.session import Session
from rewriting.studio.sharing import (
    WALK_FRAMES,
    bring_in,
    read_file,
    save_edit,
    save_request,
    save_sheet,
    save_walk,
    walk_frames,
)
from tests import tiny
from tests.browser import wait_for

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones
LAYER = 6


@pytest.fixture(scope="module")
def service():
    made = {
        NAME: tiny.generator(name=NAME, truncation=0.9),
        OTHER: tiny.generator("proggan", name=OTHER, seed=1),
    }
    return Service(load=made.__getitem__)


@pytest.fixture(scope="module")
def asked(service):
    """A session with a complete request."""
    session = service.open(NAME).ask("settings", layer=LAYER, rank=2)
    session = session.paint_copy(0, tiny.box(SIDE, 60, 70, 140, 160)).place(1, 100, 140)
    return session.paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60))


@pytest.fixture(scope="module")
def ruled(service, asked):
    """The same with its rule in force."""
    return service.rewrite(asked)


def pixels(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


# --- pictures -------------------------------------------------------------------------------------------------------


def test_pictures_are_the_generators_own(service):
    session = service.open(NAME)
    assert np.array_equal(service.plain(session, [3, 1]), service.generator(NAME).images([3, 1]))
    first, second = service.pictures(NAME, [3, 1])
    assert first == service.drawn(NAME, [3])[0].url != second
    # WebP of a picture of noise: close, not equal
    assert np.abs(pixels(first).astype(int) - service.plain(session, [3])[0]).mean() < 20


@pytest.fixture
def asked_to_draw(service, monkeypatch):
    """The pictures that the generator was asked for, one list each time."""
    made, asked = service.generator(NAME), []
    images = made.images
    monkeypatch.setattr(
        made, "images", lambda seeds, *rest, **how: asked.append([*seeds]) or images(seeds, *rest, **how)
    )
    return asked


def test_a_picture_is_drawn_once_for_all_visitors(service, asked_to_draw):
    service.drawn(NAME, [1001, 1002, 1001])
    service.drawn(NAME, [1002, 1003])
    assert asked_to_draw == [[1001, 1002], [1003]]
    service.drawn(NAME, [1001], Numbering("row", 0.5))
    service.drawn(NAME, [1001], size=16)
    assert asked_to_draw == [[1001, 1002], [1003], [1001], [1001]]
    assert set(service.known(NAME, [1001, 1005], Numbering())) == {1001}


def test_a_picture_under_rules_is_drawn_once_whoever_made_them_and_whatever_came_between(service, ruled, monkeypatch):
    rewriter = service.rewriter(NAME, LAYER)
    drawn, images = [], rewriter.images
    monkeypatch.setattr(
        rewriter, "images", lambda seeds, *rest, **how: drawn.extend(seeds) or images(seeds, *rest, **how)
    )
    first = service.edited(ruled, [1010, 1011])
    copied = ruled.rules[0].edit.with_(factor=ruled.rules[0].edit.factor.clone(), name="the same, from a file")
    other = service.open(NAME).adopt(copied, ruled.request)
    assert np.array_equal(service.edited(other, [1011, 1010]), first[::-1])
    weaker = ruled.change_rule(1, "strength", strength=0.5)
    assert drawn == [1010, 1011] and not np.array_equal(service.edited(weaker, [1010])[0], first[0])
    service.edited(ruled.undo().redo(), [1010, 1011])
    assert drawn == [1010, 1011, 1010]


def test_what_is_kept_stays_within_the_memory_given():
    made = tiny.generator(name=NAME)
    service = Service(load=lambda _: made, memory=4 * Picture(np.zeros((32, 32, 3), np.uint8)).nbytes())
    service.drawn(NAME, [1, 2, 3, 4])
    service.drawn(NAME, [1, 5])
    assert set(service.known(NAME, range(9), Numbering())) == {3, 4, 1, 5}
    assert len(service.drawn(NAME, range(9))) == 9  # more than are kept


def test_pictures_of_a_large_generator_are_shown_no_larger_than_the_sheet(monkeypatch):
    monkeypatch.setattr(service_module, "SIDE", 16)
    made = tiny.generator(name=NAME)
    service = Service(load=lambda _: made)
    session = service.open(NAME)
    assert service.shown_size(NAME) == 16 and pixels(service.pictures(NAME, [3])[0]).shape == (16, 16, 3)
    assert np.array_equal(service.plain(session, [3], 16), made.images([3], size=16))
    assert np.array_equal(service.plain(session, [3]), made.images([3]))
    edit = tiny.random_edit(made, 8)  # of a layer whose heat maps are larger than the pictures shown
    ruled = session.ask("settings", layer=8).paint_place("context", 2, tiny.disk(SIDE, 150, 150, 60)).adopt(edit)
    (*_, drawn) = service.results(ruled, [4, 5])
    assert [picture.pixels.shape for picture in drawn.after] == [(16, 16, 3)] * 2
    assert service.effect(ruled, drawn).inside > 0


def test_what_is_drawn_of_a_picture_of_ones_own_leaves_with_it(service):
    made = service.generator(NAME)
    with torch.no_grad():
        latent = made.map(made.latents([5]))
        own = OwnPicture(made.images([5])[0], made.digest(), LAYER, latent, made.enter(latent, LAYER), 30.0)
    service.drawn(NAME, [own, 3])
    assert set(service.known(NAME, [own, 3], Numbering())) == {own, 3}
    digest = own.digest
    del own, latent
    gc.collect()
    left = [name for name in service.store._results if digest in name]
    assert not left and set(service.known(NAME, [3], Numbering())) == {3}


def test_a_request_of_the_papers_code_shows_its_own_pictures(service):
    session = service.open(NAME).step("open", request=Request(seeding="row", truncation=0.5))
    expected = service.generator(NAME).images([5], seeding="row", truncation=0.5)
    assert np.array_equal(service.plain(session, [5]), expected)
    assert not np.array_equal(service.plain(service.open(NAME), [5]), expected)


# --- the request ----------------------------------------------------------------------------------------------------


def test_the_cut_out_has_the_masks_pixels(service):
    mask = tiny.disk(SIDE, 100, 90, 30)
    patch = pixels(cutout(service.drawn(NAME, [0])[0].pixels, mask))
    assert patch.shape == (61, 61, 4) and np.array_equal(patch[..., 3], mask[70:131, 60:121])


def test_the_goal_is_drawn_when_nothing_is_missing(service, asked):
    goal = pixels(service.goal(asked)).astype(int)
    plain = service.plain(asked, [1])[0].astype(int)
    changed = np.abs(goal - plain).mean(-1)
    top, bottom, left, right = 100 // 8, 180 // 8, 55 // 8, 145 // 8  # the pasted box, of 256, in a picture of 32
    assert changed[top:bottom, left:right].mean() > 2 * changed[:8].mean()
    turned = asked.ask("paste", transform=Transform(1.5, 40))
    assert np.abs(pixels(service.goal(turned)).astype(int) - goal).max() > 20
    assert service.goal(asked.ask("copy", copy=None)) == "" == service.goal(asked.ask("mode", erase=True))


def test_a_search_looks_through_ever_more_pictures_and_ranks_them(service, asked):
    found = list(service.search(asked, among=200, best=50))
    assert [looked for looked, _ in found] == [96, 192, 200]
    scores = service.matches(asked, range(200)).scores
    assert found[-1][1] == [int(i) for i in np.argsort(-scores, kind="stable")[:50]]
    assert service.ranked(asked, 200)[:50] == found[-1][1]


def test_the_same_request_is_solved_and_matched_once_for_all_who_ask(service, asked, monkeypatch):
    first, seeds = service.solve(asked), service.result_seeds(asked)
    rewriter = service.rewriter(NAME, LAYER)
    for method in ("solve", "matches"):
        monkeypatch.setattr(rewriter, method, lambda *_, method=method, **how: pytest.fail(f"{method}, again"))
    other = service.open(NAME).step("settings", request=asked.request)
    assert service.solve(other) is first and service.result_seeds(other) == seeds
    monkeypatch.undo()
    changed = other.paint_copy(0, tiny.box(SIDE, 60, 70, 150, 160))
    assert service.solve(changed).digest != first.digest and service.result_seeds(changed) == seeds


def test_what_a_rewriting_waits_for_is_done_while_it_is_painted(asked, monkeypatch):
    made = tiny.generator(name=NAME, truncation=0.9)
    service = Service(load=lambda _: made)
    service.draw_ahead(asked)
    wait_for(lambda: not service._ahead._wanted)
    assert service.rewriter(NAME, LAYER).samples == QUICK_SAMPLES
    monkeypatch.setattr(made, "map", lambda *_: pytest.fail("a picture was drawn"))
    seeds = service.result_seeds(asked)
    assert len(seeds) == PAIRS and set(service.known(NAME, seeds, asked.numbering)) == set(seeds)


def test_outlines_lie_where_the_response_exceeds_the_threshold(service, asked):
    heat = service.matches(asked, [4]).heat[0]
    everywhere, nowhere = heat.min() - 1, heat.max() + 1
    assert service.outlines_at(asked, [4], nowhere) == [""]
    mask = pixels(service.outlines_at(asked, [4], everywhere)[0])
    assert mask.shape[:2] == (SIDE, SIDE) and (mask[..., 0] == 255).all()
    assert service.outlines_at(service.open(NAME), [4], nowhere) == [""]
    usual = [pixels(mask) for mask in service.outlines_at(asked, range(24)) if mask]
    assert 0 < sum((mask[..., 0] == 255).mean() for mask in usual) / 24 < 0.03  # by default half a percent


# --- rules and results ----------------------------------------------------------------------------------------------


def test_rewriting_changes_the_session_and_never_the_generator(service, asked, ruled):
    before = service.generator(NAME).digest()
    edit = service.solve(asked)
    assert (edit.layer, edit.rank) == (LAYER, 2) and edit.report.loss_after < edit.report.loss_before
    assert ruled.solved and len(ruled.rules) == 1 and not asked.rules
    service.edited(ruled, [3])
    assert service.generator(NAME).digest() == before


def test_undo_is_bit_exact(service, asked, ruled):
    plain, edited = service.edited(asked, range(5)), service.edited(ruled, range(5))
    assert not np.array_equal(plain, edited)
    assert np.array_equal(service.edited(ruled.undo(), range(5)), plain)
    assert np.array_equal(service.edited(ruled.undo().redo(), range(5)), edited)
    off = ruled.change_rule(1, "switch", enabled=False)
    assert np.array_equal(service.edited(off, range(5)), plain)
    assert np.array_equal(service.edited(ruled.change_rule(1, "strength", strength=0.0), range(5)), plain)


def test_edited_pictures_are_those_of_the_generator_under_the_same_edits(service, ruled):
    both = service.rewrite(ruled.start_new().step("again", request=ruled.request).ask("settings", layer=4))
    assert [rule.edit.layer for rule in both.rules] == [LAYER, 4]
    direct = service.generator(NAME).images([7, 8], both.stack)
    # the same sums in another order: a rounding error may cross a half, so that a value moves by one
    assert np.abs(service.edited(both, [7, 8]).astype(int) - direct).max() <= 1
    reordered = service.edited(both.order_rules([2, 1]), [7, 8])
    assert np.abs(reordered.astype(int) - direct).max() <= 1


def test_results_come_one_by_one_and_say_what_changed(service, ruled):
    seeds = list(range(20, 20 + PAIRS))
    steps = list(service.results(ruled, seeds))
    assert [drawn.done for drawn in steps] == [1, 5, PAIRS] and steps[-1].complete
    for drawn in steps:
        assert [pair["seed"] for pair in drawn.pairs] == seeds
    assert all(not pair["after"] for pair in steps[0].pairs[1:])
    last = steps[-1]
    assert np.array_equal([picture.pixels for picture in last.after], service.edited(ruled, seeds))
    assert last.pairs[3]["before"] == service.pictures(NAME, [23])[0]
    measured = service.effect(ruled, last)
    assert 0 <= measured.changed <= measured.among <= PAIRS and measured.among > 0
    assert measured.inside > measured.elsewhere > 0


def test_an_effect_counts_changes_inside_and_outside_of_what_matches():
    before = np.zeros((2, 8, 8, 3), np.uint8)
    after, heat = before.copy(), np.zeros((2, 4, 4))
    heat[:, 0, 0] = 1  # the top left quarter of a quarter matches
    after[0, :2, :2] = 51  # a fifth of 255, and in one picture only
    measured = effect(list(map(Picture, before)), list(map(Picture, after)), heat, share=1 / 16)
    assert (measured.changed, measured.among) == (1, 2)
    assert measured.inside == pytest.approx(0.1) and measured.elsewhere == 0


def test_results_leave_out_the_pictures_that_the_rule_was_made_from(service, ruled):
    used = {0, 1, 2}
    best = service.result_seeds(ruled, "best")
    assert len(set(best)) == PAIRS and not used & set(best)
    ranking = [seed for seed in service.ranked(ruled) if seed not in used]
    assert best == ranking[:PAIRS] and service.result_seeds(ruled, "best", PAIRS) == ranking[PAIRS : 2 * PAIRS]
    assert service.result_seeds(ruled, "random") == list(range(3, 3 + PAIRS))


def test_two_visitors_share_pictures_but_no_rules(service, asked, ruled):
    other = service.open(NAME)
    assert not other.rules
    assert np.array_equal(service.edited(other, [9]), service.generator(NAME).images([9]))
    assert len(pickle.dumps(ruled)) < 100_000


def test_a_request_for_another_generator_is_refused(service, asked):
    strange = asked.ask("generator", generator="horse")
    with pytest.raises(ValueError, match="The request was made for 'horse'") as refused:
        service.solve(strange)
    assert tiny.is_one_sentence(str(refused.value))


def test_more_rules_than_can_be_in_force_are_refused_before_anything_changes(service, ruled):
    full = ruled
    while len(full.rules) < MAX_EDITS:
        full = full.duplicate_rule(1)
    assert len(full.stack) == MAX_EDITS
    for add in (lambda: full.duplicate_rule(1), lambda: full.adopt(ruled.rules[0].whole, new=True)):
        with pytest.raises(ValueError, match="rules are in force, which is the most"):
            add()
    assert len(full.adopt(ruled.rules[0].whole).rules) == MAX_EDITS  # in the place of the one being edited


def test_pages_of_any_pictures_follow_each_other_without_what_was_painted(service, ruled):
    pages = [service.result_seeds(ruled, "random", start) for start in (0, PAIRS, 2 * PAIRS)]
    painted = {region.seed for region in (ruled.request.copy, ruled.request.paste, *ruled.request.context)}
    assert sum(pages, []) == [seed for seed in range(3 * PAIRS + len(painted)) if seed not in painted]


def test_where_little_is_painted_the_rank_is_lower(service, asked):
    little = asked.paint_place("context", 2, tiny.box(SIDE, 150, 150, 156, 156)).ask("settings", rank=12)
    edit = service.solve(little)
    assert 0 < edit.rank < 12 and edit.request.rank == 12
    assert little.adopt(edit).solved


# --- presets --------------------------------------------------------------------------------------------------------


@pytest.fixture
def preset(monkeypatch, tmp_path, asked):
    """A preset rule for a tiny generator."""
    request = asked.request.with_(name="A preset")
    made = {
        name: Preset(name, request.with_(name=f"Preset {name}", rank=rank), tmp_path)
        for name, rank in (("one", 1), ("two", 2))
    }
    monkeypatch.setattr(service_module, "preset", made.__getitem__)
    return made


def test_a_preset_is_solved_once_and_the_next_takes_its_place(service, preset):
    session = service.choose(service.open(NAME), "one")
    assert session.rule.preset == "one" and session.request == preset["one"].request and session.solved
    other = service.choose(service.open(NAME), "one")
    assert other.rule.edit.factor is session.rule.edit.factor
    session = service.choose(session, "two")
    assert [rule.preset for rule in session.rules] == ["two"]


def test_two_visitors_who_press_a_preset_at_once_wait_for_one_solution(service, preset, monkeypatch):
    rewriter, solved = service.rewriter(NAME, LAYER), []
    solve = rewriter.solve

    def slowly(request):
        solved.append(request.name)
        time.sleep(0.2)
        return solve(request)

    monkeypatch.setattr(rewriter, "solve", slowly)
    service.store.forget(lambda name: name[:2] == ("preset", "two"))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(service.preset_edit, ["two", "two"])
    assert solved == ["Preset two"] and first is second


def test_after_warming_up_a_press_on_a_preset_solves_and_draws_nothing_new(service, preset, monkeypatch):
    shown, request = [30, 31], preset["one"].request
    monkeypatch.setitem(preset, "one", replace(preset["one"], request=request.with_(notes={"show": shown})))
    assert [*dict.fromkeys(service.warm("one"))] == ["rule", "picture", "pair"]
    for method in ("solve", "images"):
        monkeypatch.setattr(service.rewriter(NAME, LAYER), method, None)
    pressed = service.choose(service.open(NAME), "one")
    assert pressed.solved and list(service.results(pressed, shown))[-1].complete
    assert set(service.known(NAME, [*shown, 0, 1, 2], Numbering())) == {*shown, 0, 1, 2}


def test_a_preset_does_not_take_the_place_of_a_rule_of_ones_own(service, preset, ruled):
    session = service.choose(ruled, "one")
    assert [rule.preset for rule in session.rules] == ["", "one"] and session.now.editing == 2


def test_a_preset_of_another_generator_opens_it_and_one_undo_goes_back(service, preset):
    begun = service.open(OTHER)
    session = service.choose(begun, "one")
    assert session.generator == NAME and session.undo().now is begun.now


def test_bundled_presets_fit_the_canvases():
    for chosen in presets().values():
        request = chosen.request
        regions = [region for region in (request.copy, request.paste, *request.context) if region is not None]
        assert {region.mask.shape for region in regions} == {(SIDE, SIDE)}, chosen.name
        assert not request.missing() and chosen.preview.is_file()


# --- files ----------------------------------------------------------------------------------------------------------


def open_file(path, session, service):
    return bring_in(read_file(path), session, service)


def test_a_saved_request_opens_as_it_was(service, asked, tmp_path):
    path = save_request(asked, tmp_path)
    session = open_file(path, service.open(NAME), service)
    assert session.request == asked.request and session.undo().now == service.open(NAME).now


def test_saved_rules_open_as_they_were_in_one_step(service, ruled, tmp_path):
    two = service.rewrite(ruled.start_new().step("again", request=ruled.request).ask("settings", rank=1))
    two = two.change_rule(1, "strength", strength=-0.5).change_rule(2, "rename", name="Ünïcode / rule")
    begun = service.open(NAME)
    opened = open_file(save_edit(two, tmp_path), begun, service)
    assert [(r.edit.name, r.edit.strength) for r in opened.rules] == [
        (r.edit.name, r.edit.strength) for r in two.rules
    ]
    assert np.array_equal(service.edited(opened, [5, 6]), service.edited(two, [5, 6]))
    assert opened.reopen_rule(1).request == two.reopen_rule(1).request and opened.undo().now is begun.now


def test_saved_rules_are_an_edit_repo(service, ruled, tmp_path):
    with zipfile.ZipFile(save_edit(ruled, tmp_path)) as archive:
        archive.extractall(tmp_path / "repo")
    assert EditStack.load(tmp_path / "repo")[0].layer == LAYER


def test_rules_are_opened_on_the_generator_they_were_made_for(service, ruled, tmp_path):
    session = open_file(save_edit(ruled, tmp_path), service.open(OTHER), service)
    assert session.generator == NAME and len(session.rules) == 1


def test_a_request_with_smaller_masks_fits_the_canvases(service, tmp_path):
    small = Request(context=(Region(3, tiny.box(64, 16, 16, 32, 32)),), generator=NAME)
    session = open_file(small.save(tmp_path / "small.json"), service.open(NAME), service)
    assert np.array_equal(session.request.context[0].mask, tiny.box(SIDE, 64, 64, 128, 128))


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_", "."), data)
    return path


def damaged(path):
    """A packed file whose length and checksum are right in the table, and whose bytes are not."""
    zipped_well(path, b"{" + b" " * 5000 + b"}")
    data = bytearray(path.read_bytes())
    at = data.index(b"config.json") + len("config.json")
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)


def zipped_well(path, config, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("config.json", config)


STRANGE = {
    "damaged.zip": damaged,
    "lzma.zip": lambda path: zipped_well(path, b"{}", zipfile.ZIP_LZMA),
    "nonsense.zip": lambda path: path.write_bytes(b"PK\x03\x04 nonsense"),
    "empty.zip": zipped,
    "bomb.zip": lambda path: zipped(path, config_json=b" " * (17 << 20)),
    "other.zip": lambda path: zipped(path, config_json=b'{"format": "other"}'),
    "nonsense.json": lambda path: path.write_bytes(b"\xff\xfe nonsense"),
    "other.json": lambda path: path.write_text('{"x": 1}'),
    "layer.json": lambda path: Request(layer=20, generator=NAME).save(path),
    "elsewhere.json": lambda path: Request(generator="/etc/passwd").save(path),
    "picture.png": lambda path: path.write_bytes(b"no picture"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_cannot_be_opened_says_why_and_changes_nothing(service, asked, tmp_path, name):
    path = tmp_path / name
    STRANGE[name](path)
    before = pickle.dumps(asked)
    with pytest.raises((ValueError, OSError)) as refused:
        open_file(path, asked, service)
    assert tiny.is_one_sentence(str(refused.value)), refused.value
    assert pickle.dumps(asked) == before


def test_rules_of_other_weights_are_refused(service, ruled, tmp_path):
    strange = ruled.whole_stack[0].with_(base="0" * 64)
    folder = EditStack([strange]).save(tmp_path / "strange")
    path = zipped(tmp_path / "strange.zip", **{p.name.replace(".", "_"): p.read_bytes() for p in folder.iterdir()})
    with pytest.raises(ValueError, match="was made for other weights"):
        open_file(path, service.open(NAME), service)


def test_a_sheet_shows_before_over_after(service, ruled, tmp_path):
    seeds = list(range(30, 34))
    picture = Image.open(save_sheet(service, ruled, tmp_path, seeds))
    sheet, noted = np.asarray(picture), json.loads(picture.info[NOTE])
    assert noted["pictures"] == seeds and [rule["strength"] for rule in noted["rules"]] == [1.0]
    side = service.generator(NAME).config.resolution
    assert np.array_equal(sheet[:side, :side], service.plain(ruled, [30])[0])
    assert np.array_equal(sheet[side + 4 : 2 * side + 4, side + 4 : 2 * side + 4], service.edited(ruled, [31])[0])


@pytest.mark.parametrize("ending", [".webp", ".gif"])
def test_a_walk_begins_at_a_picture_before_beside_after(service, ruled, tmp_path, ending):
    frames = list(walk_frames(service, ruled, [30, 31, 32]))
    path = save_walk(ruled, tmp_path, frames, ending)
    with Image.open(path) as walk:
        assert walk.n_frames == len(frames) == WALK_FRAMES and walk.size == (64, 32)
        first = np.asarray(walk.convert("RGB")).astype(int)
    expected = np.concatenate([service.plain(ruled, [30])[0], service.edited(ruled, [30])[0]], 1)
    assert np.abs(first - expected).mean() < 20  # a picture of noise, compressed


def test_a_walk_goes_through_the_pictures_that_the_numbers_stand_for(service, ruled):
    rows = ruled.ask("settings", seeding="row", truncation=0.5)
    first = next(walk_frames(service, rows, [3, 4]))
    assert np.array_equal(first[:, :32], service.plain(rows, [3])[0])
    assert np.array_equal(first[:, 32:], service.edited(rows, [3])[0])
    assert not np.array_equal(first, next(walk_frames(service, ruled, [3, 4])))


# --- exploring ------------------------------------------------------------------------------------------------------


def test_matches_are_lit_where_they_respond(service, asked):
    looked, pictures = next(iter(key_matches(service, asked)))
    assert looked == 96 and [p["seed"] for p in pictures] == service.ranked(asked, 96)[:12]


def test_values_alone_are_drawn_for_what_is_painted(service, asked):
    page = values_alone(service, asked)
    assert page.count("<figure>") == 2 and "copied, picture 0" in page and "a place, picture 2" in page
    with pytest.raises(ValueError, match="Nothing is painted yet"):
        values_alone(service, service.open(NAME))


def test_each_layer_is_tried_and_one_recommended(service, asked):
    tried = [(len(found), found, said) for found, said in layer_chart(service, asked)]
    _, found, said = tried[-1]
    assert [count for count, _, _ in tried] == [*range(1, len(found) + 1), len(found)]
    assert LAYER in [one.layer for one in found]
    best = max(found, key=lambda one: one.score).layer
    assert f"Layer {best} suits this rule best" in said and "best" not in chart(found, done=False)


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_the_service_keeps_only_so_many_generators_and_rewriters(monkeypatch):
    loaded = []
    made = tiny.generator()
    shop = Service(load=lambda name: loaded.append(name) or made)
    for number in range(service_module.KEPT_GENERATORS + 2):
        shop.rewriter(f"foreign-{number}", LAYER)
    shop.generator("foreign-4")
    assert len(loaded) == service_module.KEPT_GENERATORS + 2
    shop.generator("foreign-0")
    assert loaded[-1] == "foreign-0"  # had to be loaded again
    assert Picture(np.zeros((4, 4, 3), np.uint8)).url.startswith("data:image/webp")


def test_a_generator_that_is_opened_frees_what_others_had_prepared_and_these_draw_as_before():
    shop = Service(load=lambda name: tiny.generator(seed=int(name[-1])))
    first = shop.generator("foreign-0")
    before = first.images([3])
    assert first.conv(LAYER)._cache._made
    shop.generator("foreign-1")
    assert not first.conv(LAYER)._cache._made and np.array_equal(first.images([3]), before)


def test_a_session_begins_with_nothing(service):
    assert service.open(NAME).now == Session.on(NAME).now
    with pytest.raises(KeyError):
        service.open("nowhere")
