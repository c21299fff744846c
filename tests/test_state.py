"""One visitor's state and page: changes are values, what is long under way can be cancelled, nothing old overtakes."""

import copy
import threading

import pytest

from rewriting import Edit, Transform
from rewriting.studio.session import Session
from rewriting.studio.state import Job, Made, Results, State
from rewriting.studio.visitor import Visitor
from tests import tiny

SIDE = 64


def painted() -> Session:
    """A session with an object copied, pasted, and one place of context."""
    session = Session.on("face").paint_copy(5, tiny.box(SIDE, 10, 20, 20, 40))
    return session.place(4, 32, 40).paint_place("context", 7, tiny.disk(SIDE, 30, 30, 8))


def solved(seed: int = 0) -> Edit:
    return tiny.random_edit(tiny.generator(), 6, seed=seed)


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(State.on(painted()), {"tabs": {"value": "results"}, "copy": {"value": "", "image": ""}})


# --- changes ---------------------------------------------------------------------------------------------------------


def test_no_change_is_lost_when_many_come_at_once(visitor):
    def paint(seed):
        mask = tiny.disk(SIDE, 9, 9, 5)
        visitor.change(lambda state: state.work(state.session.paint_place("context", seed, mask)))

    threads = [threading.Thread(target=paint, args=(seed,)) for seed in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(region.seed for region in visitor.state.session.request.context) == list(range(20))


def test_a_refused_change_leaves_the_state(visitor):
    before = visitor.state
    with pytest.raises(ValueError, match="no rule 7"):
        visitor.change(lambda state: state.work(state.session.delete_rule(7)))
    assert visitor.state is before


def test_two_visitors_are_apart(visitor):
    other = copy.deepcopy(visitor)
    visitor.change(lambda state: state.work(state.session.reset()).look(slot="paste"))
    assert other.state.session.now == painted().now and other.state.view.slot == "copy"


def test_a_visitor_turns_only_to_generators_that_the_page_offers():
    state = State.on(Session.on("org/tiny@" + "0" * 40))
    assert state.key_of("church") == "church" and state.key_of("org/tiny@" + "0" * 40)
    with pytest.raises(ValueError, match="no generator 'org/other'"):
        state.key_of("org/other")


def test_a_canvas_that_the_page_lacks_waits_for_no_picture():
    """As when a press on a canvas and another mode arrive in the other order."""
    state = State.on(painted())
    assert state.look(slot="retouch").view.slot == "copy"
    assert state.look(retouch="paint", slot="paste").view.slot == "retouch"
    assert state.work(state.session.ask("mode", erase=True)).look(slot="paste").view.slot == "context"


def test_another_request_brings_its_pictures_and_ends_a_search():
    state = State.on(Session.on("face")).look(found=(9, 8), start=0, kind="preserve", slot="paste")
    state = state.jump(painted())
    assert (state.view.copy_seed, state.view.paste_seed, state.view.context_seed) == (5, 4, 7)
    assert state.view.found == () and state.view.kind == "context" and state.view.slot == "context"


# --- results and jobs ------------------------------------------------------------------------------------------------


def test_a_result_is_needed_until_it_is_made_and_again_when_what_it_depends_on_changes(visitor):
    state = visitor.state
    assert state.needs("results")
    job = Job(1, state.names["results"])
    assert not state.start("results", job).needs("results")
    made = state.put("results", Made(job.name, Results((1, 2)), True))
    assert not made.needs("results") and made.seeds == (1, 2)
    assert not made.work(made.session.paint_place("context", 9, tiny.disk(SIDE, 5, 5, 4))).needs("results")
    ruled = made.work(made.session.adopt(solved()))
    assert ruled.needs("results") and ruled.seeds == ()
    assert ruled.work(ruled.session.undo()).seeds == (1, 2)
    assert made.look(skipped=24).needs("results") and made.look(order="random") != made


def test_only_a_placed_object_has_a_goal_and_none_is_left_in_erase_mode(visitor):
    state = visitor.state.look(copy_seed=5, paste_seed=4)
    assert state.names["goal"] and not state.look(paste_seed=3).names["goal"]
    turned = state.work(state.session.ask("paste", transform=Transform(turn=30)))
    assert turned.names["goal"] not in (None, state.names["goal"])
    erasing = state.work(state.session.ask("mode", erase=True))
    assert erasing.names["goal"] is None and erasing.result("goal") is None


def test_a_later_job_of_a_topic_cancels_the_earlier_and_no_other(visitor):
    first, search, second = visitor.begin("rule"), visitor.begin("search", words="Looking"), visitor.begin("rule")
    assert not first.wanted and second.wanted and search.wanted
    assert not first.change(lambda state: state.look(start=24)) and visitor.state.view.start == 0
    assert search.change(lambda state: state.look(start=48), "Looked") and search.words == "Looked"
    assert not first.end() and second.wanted and second.end() and not second.wanted


def test_what_was_solved_before_the_visitor_went_elsewhere_is_not_put_in_force(visitor):
    def adopt(state):
        return state.work(state.session.adopt(solved()))

    task = visitor.begin("rule")
    visitor.change(lambda state: state.work(state.session.paint_place("context", 9, tiny.disk(SIDE, 5, 5, 4))))
    assert task.end(adopt) and visitor.state.session.rules  # a stroke turns away from nothing
    task = visitor.begin("rule")
    visitor.change(lambda state: state.jump(state.session.undo()))
    assert not task.end(adopt) and not visitor.state.session.rules


def test_what_fails_ends_its_job(visitor):
    with pytest.raises(ValueError), visitor.doing("walk", "Walking"):
        raise ValueError("It failed.")
    assert not visitor.state.jobs


def test_stop_cancels_all_and_leaves_what_there_is(visitor):
    name = visitor.state.names["results"]
    task = visitor.begin("results", name)
    task.change(lambda state: state.put("results", Made(name, Results((1, 2), ({"seed": 1},)), False)))
    search = visitor.begin("search")
    visitor.change(State.stop)
    assert not task.wanted and not search.wanted and not visitor.state.needs("results")
    assert len(visitor.state.result("results").content.pairs) == 1


def test_who_comes_back_has_the_same_pictures_and_those_that_were_stopped_stay_so(visitor):
    name = visitor.state.names["results"]
    task = visitor.begin("results", name)
    task.change(lambda state: state.put("results", Made(name, Results((7, 9), ({"seed": 7, "after": "a"},)), False)))
    going_on = visitor.state.again()
    assert going_on.seeds == (7, 9) and going_on.needs("results") and not going_on.jobs
    visitor.change(State.stop)
    again = visitor.state.again()
    assert not again.needs("results") and again.result("results") == visitor.state.result("results")


# --- what the browser was sent ---------------------------------------------------------------------------------------


def test_only_what_differs_is_sent_and_once(visitor):
    page = {"tabs": {"value": "hub"}, "copy": {"value": "", "image": "a"}}
    assert visitor.news(page, 1) == ({"tabs": {"value": "hub"}, "copy": {"image": "a"}}, 1)
    assert visitor.news(page, 1) == ({}, 1)


def test_an_older_page_than_was_sent_says_nothing(visitor):
    visitor.news({"tabs": {"value": "hub"}}, 5)
    assert visitor.news({"tabs": {"value": "explore"}}, 4) == ({}, 1)
    assert visitor.news({"tabs": {"value": "explore"}}, 6) == ({"tabs": {"value": "explore"}}, 2)


def test_what_came_up_is_not_sent_again_unless_something_else_was_sent_meanwhile(visitor):
    visitor.heard("copy", "value", "stroke", 0)
    assert visitor.news({"copy": {"value": "stroke"}}, 1) == ({}, 0)
    _, seen = visitor.news({"copy": {"value": "undone"}}, 2)
    visitor.heard("copy", "value", "stroke", seen - 1)  # painted before the browser showed what was undone
    assert visitor.news({"copy": {"value": "stroke"}}, 3)[0] == {"copy": {"value": "stroke"}}


def test_what_an_overtaken_answer_may_have_hidden_is_sent_again(visitor):
    for number in range(1, 4):  # the browser shows the first after the third
        visitor.news({"copy": {"image": f"a{number}"}, **({"paste": {"patch": "b"}} if number == 1 else {})}, number)
    page = {"copy": {"image": "a3"}, "paste": {"patch": "b"}}
    visitor.overtaken(1)
    assert visitor.news(page, 3) == ({"copy": {"image": "a3"}}, 4)
    assert visitor.news(page, 3) == ({}, 4)


def test_a_refusal_puts_back_what_the_browser_shows_of_its_own(visitor):
    visitor.heard("tabs", "value", "explore", 0)
    assert visitor.news({"tabs": {"value": "results"}}, 0)[0] == {"tabs": {"value": "results"}}


def test_what_a_component_does_by_itself_is_sent_again(visitor):
    page = {"paste": {"goal": "url", "value": {"x": 1, "y": 2}}}
    visitor.news(page, 1)
    visitor.heard("paste", "value", {"x": 1, "y": 2}, 1)  # moved, which hides the goal, and back
    assert visitor.news(page, 2)[0] == {"paste": {"goal": "url"}}
