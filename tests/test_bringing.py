"""A visitor's own pictures in the studio: found, ruled on, kept with rules, taken away, and never another's."""

import base64
import copy
import gc
import io
import json
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from rewriting.core import inversion
from rewriting.core.contact_sheet import NOTE
from rewriting.studio import sharing
from rewriting.studio.commands import Bringing, Hub, Making, Pictures, Rules, Saving, Visiting, visiting
from rewriting.studio.components import OwnPictureTray
from rewriting.studio.exploration import layer_chart, values_alone
from rewriting.studio.fair_queue import NoTurn
from rewriting.studio.jobs import ALL, Maker, make_needed
from rewriting.studio.page import CSS, build
from rewriting.studio.rendering.render import Render
from rewriting.studio.service import SIDE, Service
from rewriting.studio.state import State
from rewriting.studio.visitor import Visitor
from tests import tiny
from tests.browser import chromium, chromium_page, serving, wait_for
from tests.visitor import Visitor as Guest

pytest_plugins = ("tests.hub_fixtures",)

NAME, OTHER = "face", "church"  # two tiny generators take the places of bundled ones
LAYER = 6  # that rules change here


@pytest.fixture(scope="module", autouse=True)
def in_few_steps():
    """Pictures are found in a moment, and not near."""
    with pytest.MonkeyPatch.context() as patch:
        for name, count in (
            ("STEPS_LATENT", 15),
            ("STEPS_KEY", 25),
            ("STEPS_KEY_ALONE", 25),
            ("DRAWN", 8),
            ("DRAWN_WHOLE", 8),
        ):
            patch.setattr(inversion, name, count)
        yield


@pytest.fixture(scope="module")
def service():
    made = {NAME: tiny.generator(name=NAME), OTHER: tiny.generator("proggan", name=OTHER, seed=1)}
    return Service(load=made.__getitem__)


def sent(seed=0, size=48, mode="RGB"):
    """What the browser sends of a picture."""
    colours = tiny.generator(seed=9).images([seed])[0]
    buffer = io.BytesIO()
    Image.fromarray(colours).resize((size, size)).convert(mode).save(buffer, "PNG")
    return {"kind": "bring", "image": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()}


class Person:
    """Somebody at the page, without a browser."""

    def __init__(self, service, visitor=None):
        self.service, self.render, self.make = service, Render(service.about), Maker(service)
        self.visitor = visitor or Visitor(State.on(service.open(NAME)), {})

    @property
    def state(self):
        return self.visitor.state

    def does(self, command, *values):
        self.visitor.change(lambda state: command(state, *values))
        return self.page()

    def page(self):
        """What is shown once all is made."""
        for _ in make_needed(self.visitor, self.make, ALL, NoTurn):
            pass
        return self.render(self.state)

    def brings(self, seed=0):
        return self.does(Bringing(self.service).bring, sent(seed))

    def rules(self, copied="own-1", layer=LAYER):
        """A rule from an own picture into picture 3."""
        making, pictures = Making(self.service), Pictures(self.service)
        self.does(lambda state: state.work(state.session.ask("settings", layer=layer, rank=1)))
        self.does(pictures.await_copy)
        self.does(pictures.pick_picture, copied)
        self.does(pictures.pick_picture, 3)
        self.does(making.paint_copy, tiny.box(SIDE, 60, 70, 140, 160) > 0)
        self.does(making.place, {"x": 128, "y": 128})
        for _ in making.rewrite(self.visitor):
            pass
        return self.page()


@pytest.fixture(scope="module")
def owner(service):
    """Who has brought a picture and made a rule with it; tests go on with a copy."""
    person = Person(service)
    person.brings()
    person.rules()
    return person.state


@pytest.fixture
def person(service, owner):
    return Person(service, Visitor(owner, {}))


# --- bringing --------------------------------------------------------------------------------------------------------


def test_a_picture_is_found_while_one_looks_and_then_is_the_first_on_the_sheet(service):
    person, shown = Person(service), []
    person.visitor.change(lambda state: Bringing(service).bring(state, sent()))
    for _ in make_needed(person.visitor, person.make, ALL, NoTurn):
        (one,) = person.render(person.state)["own"]["pictures"]
        shown.append((one.get("share"), one["drawn"]))
    shares = [share for share, _ in shown if share is not None]
    assert shares == sorted(shares) and 0 < shares[-1] <= 1 and len({drawn for _, drawn in shown}) > 5
    page = person.page()
    (one,) = page["own"]["pictures"]
    assert "dB" in one["words"] and "share" not in one and "draw" not in one
    first, second = page["sheet"]["pictures"][:2]
    assert (first["seed"], first["image"], second["seed"]) == ("own-1", one["drawn"], 0) and "dB" in first["note"]
    assert page["pairs"]["pairs"][0] == {"seed": "own-1", "before": one["drawn"], "after": ""}


def test_a_picture_that_is_not_drawn_well_says_so_with_a_number():
    from rewriting.studio.rendering.own_view import likeness_note

    assert likeness_note("Face", 36) == {"words": "Face draws it almost exactly (36 dB).", "kind": "good"}
    assert likeness_note("Face", 31)["words"] == "Face draws it closely (31 dB)."
    far = likeness_note("Face", 12.4)
    assert far["kind"] == "bad" and "cannot draw it" in far["words"] and "12.4 dB" in far["words"]


@pytest.mark.parametrize("image", ["data:image/png;base64,AAAA", "data:image/png;base64,!", "data:image/heic;base64,"])
def test_what_is_no_picture_is_refused_in_a_sentence_and_changes_nothing(service, image):
    person = Person(service)
    before = person.state
    with pytest.raises(ValueError, match="not a readable picture; save it as JPEG or PNG"):
        person.does(Bringing(service).bring, {"kind": "bring", "image": image})
    assert person.state is before


def test_more_pictures_than_are_kept_are_refused(service):
    person = Person(service)
    for seed in range(8):
        person.visitor.change(lambda state, seed=seed: Bringing(service).bring(state, sent(seed)))
    with pytest.raises(ValueError, match="You have 8 pictures here, which is the most"):
        person.visitor.change(lambda state: Bringing(service).bring(state, sent(8)))


def test_stop_ends_the_search_and_it_is_taken_up_when_asked(service):
    person = Person(service)
    person.visitor.change(lambda state: Bringing(service).bring(state, sent()))
    for _ in make_needed(person.visitor, person.make, ALL, NoTurn):
        if person.render(person.state)["own"]["pictures"][0].get("share", 0) > 0.2:
            person.visitor.change(lambda state: Making(service).stop(state))
    (one,) = person.page()["own"]["pictures"]
    assert one["draw"] == "Draw it with Face" and not person.state.own.of(NAME)
    page = person.does(Bringing(service).draw, {"kind": "draw", "id": "own-1"})
    assert page["sheet"]["pictures"][0]["seed"] == "own-1"


# --- like any other picture ------------------------------------------------------------------------------------------


def test_a_rule_is_made_with_it_and_shown_on_it_first(person):
    page = person.page()
    assert [rule.edit.name for rule in person.state.session.rules] == ["Rule 1"]
    first, second = page["pairs"]["pairs"][:2]
    assert first["seed"] == "own-1" and first["after"] not in ("", first["before"]) and isinstance(second["seed"], int)
    assert page["copy"]["image"] == first["before"] == page["sheet"]["pictures"][0]["image"]
    assert "your picture" in page["head_copy"]["value"]
    alone = person.does(Making(person.service).set_strength, 0.0)["pairs"]["pairs"][0]
    assert alone["after"] == alone["before"]


def test_the_saved_sheet_shows_it_first_and_the_walk_says_that_it_is_not_on_the_way(person):
    saving, (own,) = Saving(person.service), person.state.own.of(NAME).values()
    (given,) = (one["files"] for one in saving.save_sheet(person.visitor) if isinstance(one, dict))
    with Image.open(given) as picture:
        sheet, noted = np.asarray(picture.convert("RGB")), json.loads(picture.info[NOTE])
    side = person.service.generator(NAME).config.resolution
    before, after = (
        person.service.drawn(NAME, [own], edits=edits)[0].pixels for edits in ((), person.state.session.stack)
    )
    assert np.array_equal(sheet[:side, :side], before) and np.array_equal(sheet[side + 4 :][:side, :side], after)
    assert noted["pictures"] == [own.digest, *person.state.seeds]
    steps = saving.save_walk(person.visitor, ".webp")
    next(steps), next(steps)
    assert "without your own pictures" in person.state.jobs["walk"].words
    steps.close()


def test_layers_are_tried_from_the_one_at_which_it_is_found_on(person):
    session, (own,) = person.state.session, person.state.own.of(NAME).values()
    *_, (found, said) = layer_chart(person.service, session)
    assert [one.layer for one in found] and min(one.layer for one in found) >= own.layer
    assert f"Your picture is drawn from layer {own.layer} on, so earlier layers are not tried." in said
    assert "copied, your picture" in values_alone(person.service, session)


def test_results_that_are_not_drawn_yet_are_not_saved(service):
    waiting, saving = Person(service), Saving(service)
    for save, *more in ((saving.save_sheet,), (saving.save_walk, ".webp")):
        with pytest.raises(ValueError, match="not drawn yet"):
            list(save(waiting.visitor, *more))


def test_it_is_a_place_where_the_rule_holds_and_can_be_taken_out_again(person):
    making, service = Making(person.service), person.service
    person.does(Pictures(service).await_context)
    person.does(Pictures(service).pick_picture, "own-1")
    page = person.does(making.paint_context, tiny.disk(SIDE, 128, 128, 40) > 0)
    (item,) = page["tray"]["items"]
    assert item["id"] == "context-own-1" and item["image"] == page["copy"]["image"]
    outlined = person.does(Pictures(service).outline_matches, True)
    assert outlined["sheet"]["pictures"][0].get("outline")
    assert person.does(making.remove_place, {"kind": "remove", "id": item["id"]})["tray"]["items"] == []


def test_a_rule_of_an_earlier_layer_has_it_found_again_there(person):
    before = person.state.own.of(NAME)["own-1"]
    making = Making(person.service)
    person.visitor.change(lambda state: state.work(state.session.ask("settings", layer=LAYER - 2)))
    (meanwhile,) = person.render(person.state)["own"]["pictures"]
    assert f"again from layer {LAYER - 2}" in meanwhile["words"]
    with pytest.raises(ValueError, match=f"not drawn from layer {LAYER - 2} yet"):
        next(making.rewrite(person.visitor))
    person.page()
    after = person.state.own.of(NAME)["own-1"]
    assert (before.layer, after.layer) == (LAYER, LAYER - 2) and person.state.view.copy_seed == after
    for _ in making.rewrite(person.visitor):
        pass
    first = person.page()["pairs"]["pairs"][0]
    assert first["seed"] == "own-1" and first["after"] not in ("", first["before"])
    assert person.does(Rules().undo)["copy"]["image"] == first["before"]


def test_another_generator_draws_it_when_asked(person):
    for _ in Making(person.service).open_generator(person.visitor, OTHER):
        pass
    (one,) = person.page()["own"]["pictures"]
    assert one["draw"] == "Draw it with Church" and isinstance(person.page()["sheet"]["pictures"][0]["seed"], int)
    page = person.does(Bringing(person.service).draw, {"kind": "draw", "id": "own-1"})
    assert page["sheet"]["pictures"][0]["seed"] == "own-1" and "draw" not in page["own"]["pictures"][0]
    back = person.does(Rules().undo)
    assert (
        back["pairs"]["pairs"][0]["seed"] == "own-1" and back["copy"]["image"] == back["pairs"]["pairs"][0]["before"]
    )


# --- kept, taken away, and nobody else's -----------------------------------------------------------------------------


def opened(service, path):
    """A newcomer who opens a file."""
    person = Person(service)
    for _ in Saving(service).open_file(person.visitor, str(path)):
        pass
    return person


def test_a_saved_rule_brings_its_picture_back_without_looking_for_it(person, tmp_path):
    path = sharing.save_edit(person.state.session, tmp_path)
    other = opened(person.service, path)
    assert other.state.own.of(NAME)["own-1"] == person.state.own.of(NAME)["own-1"]
    assert other.state.wanted_picture is None
    assert other.page()["pairs"]["pairs"][0] == person.page()["pairs"]["pairs"][0]
    again = other.does(Rules().change_rules, {"rows": [], "action": {"kind": "reopen", "id": "1"}})
    assert again["copy"] == person.page()["copy"]


def test_a_saved_request_brings_its_picture_back(person, tmp_path):
    path = sharing.save_request(person.state.session, tmp_path)
    other = opened(person.service, path)
    assert path.suffix == ".zip" and other.page()["copy"] == person.page()["copy"] and len(other.state.own) == 1


def test_the_same_picture_is_not_brought_twice(person, tmp_path):
    path = sharing.save_edit(person.state.session, tmp_path)
    for _ in Saving(person.service).open_file(person.visitor, str(path)):
        pass
    assert len(person.state.own) == 1 and len(person.state.session.rules) == 2


def test_a_rule_without_its_picture_applies_and_says_that_it_cannot_be_changed(person, tmp_path):
    path = person.state.session.whole_stack.without_pictures().save_archive(tmp_path / "rule.zip")
    other = opened(person.service, path)
    page = other.page()
    (row,) = page["rules"]["value"]["rows"]
    assert not len(other.state.own) and "picture that is not here" in row["detail"]
    assert row["locked"].endswith("picture that is not here; you can use it but not edit it.")
    assert any(pair["after"] not in ("", pair["before"]) for pair in page["pairs"]["pairs"])
    with pytest.raises(ValueError, match="not edit it"):
        other.does(Rules().change_rules, {"rows": [], "action": {"kind": "reopen", "id": "1"}})


@pytest.mark.parametrize("asked", [False, True])
def test_a_picture_is_published_only_with_its_owners_word(person, hub, asked):
    alice, said = hub.add_user("alice"), person.page()["with_pictures"]
    assert said == {"visible": True, "value": False}
    shop = Service(load=person.service.generator, endpoint=hub.url)
    wish = ("", "rule", "rules", "public", "update", asked, SimpleNamespace(token=alice))
    list(Hub(shop).publish_rules(person.visitor, *wish))
    files = hub.repo("alice/rule").head.files
    assert any(name.startswith("own-") for name in files) is asked


def test_what_is_taken_away_is_gone_and_undo_does_not_bring_it_back(person):
    own = person.state.own.of(NAME)["own-1"]
    page = person.does(Bringing(person.service).remove, {"kind": "remove", "id": "own-1"})
    assert (
        page["own"]["pictures"] == []
        and page["copy"]["image"] == ""
        and isinstance(page["sheet"]["pictures"][0]["seed"], int)
    )
    assert len(person.state.session.rules) == 1 and isinstance(page["pairs"]["pairs"][0]["seed"], int)
    session = person.state.session
    entries = [*session.past, session.now, *session.future]
    asked = [one for e in entries for one in (e.asked, *(rule.asked for rule in e.rules if rule.asked))]
    assert not any(own in one.seeds for one in asked)
    for _ in range(len(session.past)):
        assert "own" not in json.dumps([one["seed"] for one in person.does(Rules().undo)["sheet"]["pictures"]])
    with pytest.raises(ValueError, match="There is no picture 'own-1'"):
        person.does(Pictures(person.service).pick_picture, "own-1")


def test_no_visitor_sees_or_names_the_picture_of_another(service, person):
    other = Person(service, copy.deepcopy(Visitor(State.on(service.open(NAME)), {})))
    for name in ("own-1", person.state.own.of(NAME)["own-1"].digest):
        with pytest.raises(ValueError, match="There is no picture"):
            other.does(Pictures(service).pick_picture, name)
    with pytest.raises(ValueError, match="There is no picture"):
        other.does(Bringing(service).draw, {"kind": "draw", "id": "own-1"})
    theirs = json.dumps(person.page(), default=str)
    (mine,) = person.page()["own"]["pictures"]
    assert mine["drawn"] in theirs and mine["image"] in theirs
    shown = json.dumps(other.page(), default=str)
    assert mine["drawn"] not in shown and mine["image"] not in shown and other.page()["own"]["pictures"] == []
    other.brings(seed=1)
    assert other.state.own.of(NAME)["own-1"] != person.state.own.of(NAME)["own-1"]


def test_a_page_that_is_loaded_anew_has_it_still(service):
    person, guests = Person(service), Visiting(service)
    list(guests.come(person.visitor, "one", "", ""))
    before = person.brings()
    again = Person(service)
    list(guests.come(again.visitor, "two", "one", ""))
    after = again.page()
    assert after["own"] == before["own"] and after["sheet"] == before["sheet"] and after["pairs"] == before["pairs"]


def test_pictures_leave_the_memory_some_time_after_their_visitor(service, monkeypatch):
    monkeypatch.setattr(visiting, "AWAY", 0.0)
    guests, person = visiting.Visiting(service), Person(service)
    list(guests.come(person.visitor, "one", "", ""))
    person.brings(seed=3)
    person.rules()
    (own,) = (weakref.ref(one) for one in person.state.own.of(NAME).values())
    digest, look = own().digest, person.state.session.look
    guests.leave(person.visitor)
    wait_for(lambda: gc.collect() is not None and own() is None)
    assert not service.store.known([name for name in service.store._results if digest in name])
    again = Person(service)
    list(guests.come(again.visitor, "two", "one", ""))
    page = again.page()
    assert page["own"]["pictures"] == [] and again.state.session.look == look
    assert all(isinstance(pair["seed"], int) and pair["after"] for pair in page["pairs"]["pairs"])


def test_the_page_tells_only_actions_that_there_are():
    tray = OwnPictureTray()
    assert tray.read({"kind": "remove", "id": "own-3"})["id"] == "own-3"
    for action in ({"kind": "remove", "id": "7"}, {"kind": "bring", "image": "file:///x"}, {"kind": "bring"}, 5):
        with pytest.raises(ValueError):
            tray.read(action)


# --- in a browser ----------------------------------------------------------------------------------------------------


def test_a_picture_is_brought_cropped_copied_from_and_taken_away(service, tmp_path):
    Image.fromarray(tiny.generator(seed=9).images([4])[0]).resize((300, 200)).save(tmp_path / "me.png")
    (tmp_path / "me.heic").write_bytes(b"no picture")
    demo = build(service, NAME)
    with serving(demo, css=CSS, show_error=True) as url, chromium() as browser, chromium_page(browser, url) as page:
        visitor, chosen = Guest(page), page.locator("#own .from-file")
        chosen.set_input_files(tmp_path / "me.heic")
        visitor.until(lambda: "cannot read HEIC" in visitor.text("#own .refused"))
        chosen.set_input_files(tmp_path / "me.png")
        canvas = page.locator("#own .crop canvas")
        visitor.until(lambda: page.locator("#own .crop[open]").count())
        whole = canvas.evaluate("(one) => one.toDataURL()")
        page.keyboard.press("+")
        visitor.until(lambda: canvas.evaluate("(one) => one.toDataURL()") != whole)
        assert not page.locator("#own .refused").is_visible()
        page.keyboard.press("Enter")
        visitor.turn_to("Pictures")
        visitor.until(lambda: page.locator("#sheet .tile").first.get_attribute("data-seed") == "own-1")
        visitor.until(lambda: "dB" in visitor.text("#own .words") and visitor.idle())
        visitor.choose("own-1", "copy")
        assert visitor.address("#copy .picture") == visitor.address("#sheet .tile img")
        with chromium_page(browser, url) as elsewhere:
            other = Guest(elsewhere)
            other.turn_to("Pictures")
            assert (
                not elsewhere.locator(".own").count() and visitor.address("#copy .picture") not in elsewhere.content()
            )
        page.reload()
        again = Guest(page)
        again.until(lambda: page.locator("#own .own").count() and "dB" in again.text("#own .words"))
        page.locator("#own .remove").click()
        again.until(lambda: not page.locator(".own").count() and again.idle())
        assert again.address("#copy .picture") == ""


def test_pictures_leave_the_memory_when_the_page_is_closed(service, tmp_path, monkeypatch):
    monkeypatch.setattr(visiting, "AWAY", 0.0)
    Image.fromarray(tiny.generator(seed=9).images([6])[0]).save(tmp_path / "me.png")
    before = {one for one in service._own}
    with serving(build(service, NAME), css=CSS, show_error=True) as url, chromium() as browser:
        with chromium_page(browser, url) as page:
            visitor = Guest(page)
            page.locator("#own .from-file").set_input_files(tmp_path / "me.png")
            visitor.until(lambda: page.locator("#own .crop[open]").count())
            page.keyboard.press("Enter")
            visitor.until(lambda: "dB" in visitor.text("#own .words") and visitor.idle())
            (own,) = visitor.until(lambda: [weakref.ref(one) for one in service._own if one not in before])
        wait_for(lambda: gc.collect() is not None and own() is None)
