"""Visitors of one studio and a Hub: what each may see, what is kept apart, and where a token never goes."""

import gc
import json
import pickle
import time
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio.helpers import special_args

from rewriting.checkpoints import conversion, known_models, reader
from rewriting.generators.config import BUNDLED
from rewriting.hub import HubError, client
from rewriting.studio import hub_access as studio_hub
from rewriting.studio import page as studio_page
from rewriting.studio import service as service_module
from rewriting.studio.commands.hub import Hub, token_of
from rewriting.studio.events import Events
from rewriting.studio.generator_keys import key_of, label, public_name, repo_of, same, sealed
from rewriting.studio.gradio_fixes import Answer
from rewriting.studio.hub_access import Wish, bring, publish_rules, telling
from rewriting.studio.page import build
from rewriting.studio.programs.api import Api
from rewriting.studio.rendering.hub_view import lay_out_hub
from rewriting.studio.rendering.render import Render
from rewriting.studio.service import Service
from rewriting.studio.session import Session
from rewriting.studio.sharing import bring_in, read_file, save_edit, save_request
from rewriting.studio.state import State
from tests import tiny
from tests.hub_repos import LAYER, edit_of, files_of
from tests.reference import nvidia
from tests.test_checkpoints import save_rosinality
from tests.test_hub import refused

pytest_plugins = ("tests.hub_fixtures",)

COMMIT = "c0ffee" + "0" * 34


def silent(done, what):
    """Nobody listens."""


@pytest.fixture(scope="module")
def made():
    """Tiny generators in the places of the bundled ones."""
    return {name: tiny.generator(name=name, seed=9) for name in ("face", "church", "horse", "kitchen")}


@pytest.fixture
def shop(hub, made, monkeypatch):
    """A studio that measures features on fewer pictures."""
    monkeypatch.setattr("rewriting.core.memory.SAMPLES", 48)
    return Service(made.__getitem__, endpoint=hub.url)


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """Bytes of another program's file, by a seed; such files are read in this process."""
    monkeypatch.setattr(conversion, "read_contents", reader.extract)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "kept"))

    def write(seed):
        save_rosinality(tmp_path / "net.pt", nvidia.random_state(16, seed=seed))
        return (tmp_path / "net.pt").read_bytes()

    return write


def brought(shop, text, token=None, session=None):
    return bring(shop, session or Session.on("face"), text, token, silent)


def with_rule(shop, key):
    """A session on that generator with a rule in force."""
    return Session.on(key).adopt(edit_of(shop.generator(key)))


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_key_names_a_commit_and_hides_its_seal():
    public, private = key_of("org/tiny", COMMIT), key_of("org/tiny", COMMIT, "hf_alice")
    assert public == public_name(public) == public_name(private) == f"org/tiny@{COMMIT}"
    assert sealed(private) and not sealed(public) and "hf_alice" not in private
    assert private != key_of("org/tiny", COMMIT, "hf_bob")
    assert repo_of(private) == ("org/tiny", COMMIT) and repo_of("face") == ("", "")
    assert (label(private), label("face"), label("/home/me/a@b~c/")) == ("tiny", "Face", "A@b~c")
    assert same("org/tiny", private) and same(public, private) and not same("org/other", private)
    assert public_name("/home/me/a@b~c") == "/home/me/a@b~c"


# --- what is brought -------------------------------------------------------------------------------------------------


def test_a_generator_from_the_hub_is_loaded_once_for_all(hub, folder, shop):
    hub.add_repo("org/tiny", files_of(folder))
    first = brought(shop, "org/tiny")
    fetched = len(hub.asked("/resolve/"))
    assert brought(shop, f"{hub.url}/org/tiny", token=hub.add_user("alice")).key == first.key
    assert len(hub.asked("/resolve/")) == fetched
    assert first.said() == (
        f"Opened tiny at {hub.repo('org/tiny').head.sha[:7]}: StyleGAN2, 32 px; its licence is not stated; look it up "
        f"at its source."
    )


def test_an_older_revision_is_another_generator(hub, folder, shop, tmp_path):
    repo = hub.add_repo("org/tiny", files_of(folder))
    newer = tiny.generator(seed=7).save(tmp_path / "newer")
    hub._commit(repo, {name: hub._file(name, data) for name, data in files_of(newer).items()}, "newer")
    old, new = brought(shop, f"org/tiny@{repo.commits[0].sha}"), brought(shop, "org/tiny")
    assert old.key != new.key and shop.generator(old.key).digest() != shop.generator(new.key).digest()
    assert shop.pictures(old.key, [0]) != shop.pictures(new.key, [0])


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("face", "Face"),
        ("models/my-faces.pt", "My-faces"),
        ("./runs/v1.0/", "V1.0"),
        (f"org/faces@{COMMIT}", "faces"),
        (f"org/nets@{COMMIT}:stylegan2-cat-config-f.pt", "stylegan2-cat-config-f"),
        (f"org/faces@{COMMIT}:run/network-snapshot-002620.pkl", "faces"),
        (f"org/faces@{COMMIT}:pytorch_model.bin", "faces"),
        (f"org/faces@{COMMIT}:550000.pt~{'0' * 64}", "faces"),
    ],
)
def test_the_page_calls_a_generator_by_what_tells_it_from_others(key, said):
    assert label(key) == said


def test_a_file_of_another_program_has_a_key_of_its_own_and_comes_back(hub, shop, foreign, monkeypatch):
    hub.add_repo("org/nets", {"a.pt": foreign(0), "old/b.pt": foreign(1)})
    commit = hub.repo("org/nets").head.sha
    one, two = brought(shop, "org/nets:a.pt"), brought(shop, f"{hub.url}/org/nets/blob/main/old/b.pt")
    assert (one.key, two.key) == (f"org/nets@{commit}:a.pt", f"org/nets@{commit}:old/b.pt")
    assert [label(key) for key in (one.key, two.key)] == ["a", "b"] and public_name(one.key) == one.key
    assert one.foreign and one.said().startswith(f"Opened a at {commit[:7]}: StyleGAN2, 16 px; its licence is ")
    assert shop.generator(one.key).digest() != shop.generator(two.key).digest()
    assert brought(shop, one.key).key == one.key
    shop._generators.clear()  # had to make room
    assert shop.pictures(one.key, [0])
    session = with_rule(shop, one.key)
    done = publish_rules(shop, session, Wish("rule"), hub.add_user("alice"))
    assert brought(shop, done.repo_id).key == one.key


def test_a_known_model_opens_by_its_name(hub, shop, foreign, monkeypatch):
    place = known_models.Download("org/copies/net.pt")
    known = known_models.KnownModel("a-net", "noise", "rosinality", 16, 1, (place,))
    monkeypatch.setattr(known_models, "KNOWN_MODELS", (known,))
    hub.add_repo("org/copies", {"net.pt": foreign(0)})
    opened = brought(shop, "a-net")
    assert opened.key == "a-net" and label(opened.key) == "A-net" and shop.pictures("a-net", [0])


def test_rules_are_put_in_force_on_the_generator_they_were_made_for(hub, folder, shop):
    alice = hub.add_user("alice")
    hub.add_repo("org/tiny", files_of(folder))
    session = with_rule(shop, brought(shop, "org/tiny").key)
    done = publish_rules(shop, session, Wish("hats"), alice)
    assert done.repo_id == "alice/hats" and done.created
    opened = brought(shop, "alice/hats").into(Session.on("face"), shop)
    assert opened.generator == session.generator and [rule.edit.name for rule in opened.rules] == ["Hats"]
    assert np.array_equal(shop.edited(opened, [0, 1]), shop.edited(session, [0, 1]))
    assert opened.undo().generator == "face"
    again = brought(shop, "alice/hats", session=opened).into(opened, shop)
    assert len(again.rules) == 2 and again.undo().now == opened.now


def test_rules_for_a_bundled_generator_open_it(hub, shop, tmp_path):
    from rewriting import EditStack, load_generator

    edit = edit_of(load_generator("church"), name="Domes")
    hub.add_repo("org/domes", files_of(EditStack([edit]).save(tmp_path / "domes")))
    real = Service(endpoint=hub.url)
    opened = brought(real, "org/domes").into(Session.on("face"), real)
    assert opened.generator == "church" and opened.rule.edit.name == "Domes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The name is missing"),
        ("org/none", "no repo org/none"),
        ("org/gated", "accepted its conditions"),
        ("org/tiny@nowhere", "no revision 'nowhere'"),
        ("org/words", "org/words holds no generator: there is neither a config.json"),
    ],
)
def test_what_cannot_be_brought_is_one_sentence(hub, folder, shop, text, said):
    hub.add_repo("org/tiny", files_of(folder))
    hub.add_repo("org/gated", files_of(folder), gated=True)
    hub.add_repo("org/words", {"README.md": b"# Words"})
    assert said in refused(lambda: brought(shop, text), ValueError)
    assert not [name for name in shop._generators if "/" in name]


# --- visitors of a Space ---------------------------------------------------------------------------------------------


def test_a_private_generator_reaches_nobody_else(space, shop):
    alice, bob = space.add_user("alice"), space.add_user("bob")
    mine = brought(shop, "alice/secret", alice)
    commit = space.repo("alice/secret").head.sha
    assert sealed(mine.key) and shop.pictures(mine.key, [0])
    for token in (bob, None):
        assert "no repo alice/secret" in refused(lambda t=token: brought(shop, "alice/secret", t))
        refused(lambda t=token: brought(shop, f"alice/secret@{commit}", t))
        refused(lambda t=token: brought(shop, mine.key, t))
    state = State.on(Session.on("face"))  # bob's
    for name in (mine.key, public_name(mine.key), "alice/secret"):
        refused(lambda n=name: state.key_of(n), ValueError)
    refused(lambda: shop.generator(public_name(mine.key)), ValueError)  # not to be had without the token
    space.stop()
    refused(lambda: brought(shop, f"alice/secret@{commit}", None))


def test_two_who_may_see_it_each_have_their_own(space, folder, shop):
    alice = space.add_user("alice", organizations=("guild",))
    bob = space.add_user("bob", organizations=("guild",))
    space.add_repo("guild/secret", files_of(folder), private=True)
    one, two = brought(shop, "guild/secret", alice), brought(shop, "guild/secret", bob)
    assert one.key != two.key and public_name(one.key) == public_name(two.key)
    assert shop.generator(one.key) is not shop.generator(two.key)
    assert brought(shop, "guild/secret", alice).key == one.key


def test_a_private_generator_that_had_to_make_room_is_gone_with_its_files(space, folder, shop, monkeypatch):
    monkeypatch.setattr(service_module, "KEPT_GENERATORS", 1)
    alice = space.add_user("alice")
    mine = brought(shop, "alice/secret", alice)
    files = shop.generator(mine.key).source.folder
    assert files.is_dir()
    public = brought(shop, "org/tiny")
    gc.collect()
    assert not files.exists()
    assert "was unloaded to make room" in refused(lambda: shop.generator(mine.key), ValueError)
    assert brought(shop, "alice/secret", alice).key == mine.key
    assert shop.generator(public.key).config.name == "org/tiny"  # what is public comes back by itself


def test_a_visitor_types_no_path_of_the_space(space, folder, shop, tmp_path):
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(b"x")
    for text in (str(folder), str(checkpoint), "/etc/passwd", "weights", "weights/face", "~", str(BUNDLED / "face")):
        refused(lambda t=text: brought(shop, t), ValueError)
    assert {one.path for one in space.requests} <= {"/api/models/weights/face"}  # which is an id like any other


def test_whoever_runs_the_studio_may_name_a_folder(hub, folder, monkeypatch):
    from rewriting import load_generator

    shop = Service(lambda name: tiny.generator(name=name) if name == "face" else load_generator(name))
    assert brought(shop, str(folder)).key == str(folder)
    monkeypatch.setenv(client.PUBLIC, "1")
    refused(lambda: brought(shop, str(folder)), ValueError)


def test_nothing_is_published_with_the_spaces_token(space, shop):
    session = with_rule(shop, brought(shop, "org/tiny").key)
    assert "Log in first" in refused(lambda: publish_rules(shop, session, Wish("hats"), None))
    assert publish_rules(shop, session, Wish("hats"), space.add_user("alice")).repo_id == "alice/hats"


def test_the_seal_and_the_token_stay_in_the_session(space, shop, tmp_path):
    alice = space.add_user("alice")
    session = with_rule(shop, brought(shop, "alice/secret", alice).key)
    request = tiny.request(256, layer=LAYER, generator=public_name(session.generator))
    session = session.adopt(shop.solve(session.step("ask", request=request)), request, new=True)
    secrets = (session.generator.partition("~")[2], alice)
    done = publish_rules(shop, session, Wish("hats", private=True), alice)
    files = space.repo(done.repo_id).head.files
    written = [file.data for file in files.values()]
    written += [save_request(session, tmp_path).read_bytes(), save_edit(session, tmp_path).read_bytes()]
    assert not [secret for secret in secrets for data in written if secret.encode() in data]
    assert json.loads(files["edit.json"].data)[1]["request"]["generator"] == public_name(session.generator)
    opened = bring_in(read_file(save_request(session, tmp_path)), session, shop)
    assert opened.generator == session.generator and opened.request.copy.seed == 0


# --- publishing ------------------------------------------------------------------------------------------------------


def test_the_wish_is_carried_out(hub, folder, shop):
    alice = hub.add_user("alice", organizations=("guild",))
    hub.add_repo("org/tiny", files_of(folder))
    session = with_rule(shop, brought(shop, "org/tiny").key)

    def published(*wish, **more):
        return publish_rules(shop, session, Wish(*wish, **more), alice)

    assert published("guild/hats", private=True).private
    assert published("model", full_model=True).created
    assert "model.safetensors" in hub.repo("alice/model").head.files
    hub.add_repo("org/rule", {**{n: f.data for n, f in hub.repo("guild/hats").head.files.items()}, "edit.json": b"[]"})
    assert published("org/rule", how="pull request").pull_request
    assert "already" in refused(lambda: published("guild/hats", how="create"))
    assert not published("guild/hats", private=True).changed
    assert "This token may not" in refused(lambda: published("org/rule"))
    assert "no rule" in refused(lambda: publish_rules(shop, Session.on("face"), Wish("x"), alice), ValueError).lower()
    assert "has no name" in refused(lambda: published(" "), ValueError)
    assert "pull request" in refused(lambda: published("x", how="by pigeon"), ValueError)


def test_what_a_call_says_comes_as_it_changes_and_its_refusal_too():
    def call(progress):
        for done, what in ((0.0, "Looking"), (0.5, "Fetching"), (0.5, "Fetching"), (1.0, "Fetched")):
            progress(done, what)
        return 7

    told = telling(call)
    assert [next(told) for _ in range(3)] == ["Looking…", "Fetching: 50%", "Fetched…"]
    with pytest.raises(StopIteration) as ended:
        next(told)
    assert ended.value.value == 7

    def fail(progress):
        raise HubError("No.")

    with pytest.raises(HubError, match="No."):
        list(telling(fail))


# --- programs --------------------------------------------------------------------------------------------------------


def test_a_program_opens_and_draws_what_is_public_by_its_name(space, shop):
    api = Api(shop, "face")
    opened = api.open_from_hub("org/tiny")
    commit = space.repo("org/tiny").head.sha
    assert opened["generator"] == f"org/tiny@{commit}" and opened["resolution"] == 32 and not opened["rules"]
    for name in ("org/tiny", opened["generator"]):
        assert api.draw(name, [3])["generator"] == opened["generator"]
    asked = len(space.requests)
    api.draw(opened["generator"], [4])
    assert len(space.requests) == asked  # at that commit it is at hand
    with pytest.raises(HubError, match="no repo nobody/here"):
        api.draw("nobody/here")


def test_a_private_generator_is_only_for_calls_that_bring_its_token(space, shop):
    api, alice = Api(shop, "face"), space.add_user("alice")
    mine = api.open_from_hub("alice/secret", token=alice)["generator"]
    assert api.draw(mine, [3], token=alice)["generator"] == mine and "~" not in mine
    for name in ("alice/secret", mine, key_of(*mine.split("@"), alice)):
        for token in (None, space.add_user("bob")):
            with pytest.raises(ValueError) as raised:
                api.draw(name, [3], token=token)
            assert tiny.is_one_sentence(str(raised.value)), raised.value


def test_a_program_publishes_with_its_own_login_and_uses_what_others_published(space, shop, folder):
    api, alice = Api(shop, "face"), space.add_user("alice")
    place = {"seed": 0, "box": [0.2, 0.2, 0.6, 0.6]}
    rule = api.make_rule("org/tiny", place, {"seed": 1}, layer=LAYER, name="Hats", seeds=[5])["rule"]["path"]
    with pytest.raises(HubError, match="Log in first"):
        api.publish("hats", [rule])
    done = api.publish("hats", [rule], strengths=[0.5], token=alice)
    assert (done["repo"], done["created"], done["private"]) == ("alice/hats", True, False)
    assert [one["repo"] for one in api.find_on_hub("hat")] == ["alice/hats"] and api.find_on_hub("gloves") == []
    opened = api.open_from_hub("alice/hats")
    assert [(one["name"], one["strength"]) for one in opened["rules"]] == [("Hats", 0.5)]
    assert opened["generator"].startswith("org/tiny@")
    (one,) = api.before_and_after(["alice/hats"], seeds=[5])["pictures"]
    assert one["change"] > 0
    with pytest.raises(ValueError, match="holds rules for org/tiny"):
        api.draw("alice/hats")
    with pytest.raises(ValueError, match="holds no rule"):
        api.draw(rules=["org/tiny"])


# --- the page's events -----------------------------------------------------------------------------------------------


class Tab:
    """The tab of the Hub, and a visitor who uses it."""

    def __init__(self, shop: Service):
        render = Render(shop.about)
        self.hub, self.on = Hub(shop), Events(shop, render, {}, None, None)
        self.visitor = studio_page.newcomer(shop, "face", render)

    def begin(self, command, *values, login=None):
        """The answers to an event."""
        answer = self.on.answering(command, [gr.Textbox() for _ in values], "hub")
        asks = "oauth" in answer.__annotations__
        return answer(*([login] if asks else []), *values, 0, self.visitor)

    def __call__(self, command, *values, login=None):
        """The pages that an event shows."""
        return [one.page for one in self.begin(command, *values, login=login) if isinstance(one, Answer)]

    def refused(self, command, *values, login=None):
        """(pages, sentence) of an event that is refused."""
        shown = []
        with pytest.raises(gr.Error) as raised:
            shown.extend(self.begin(command, *values, login=login))
        return raised.value.message

    @property
    def state(self):
        return self.visitor.state

    def says(self, part):
        """What a component shows now."""
        return self.on.render(self.state)[part]


@pytest.fixture
def tab(shop):
    return Tab(shop)


def test_the_first_word_needs_no_answer(tab, hub):
    hub.fail(".", slow=30)
    for command, value in ((tab.hub.open_repo, "org/tiny"), (tab.hub.find_rules, ""), (tab.hub.sign_in, "hf_x")):
        assert next(tab.begin(command, value))  # before anything is asked
    assert not hub.requests


def test_an_absent_hub_leaves_the_list_empty_and_the_page_in_peace(tab, hub):
    hub.stop()
    tab(tab.hub.visit, "hub")
    assert "connection" in tab.says("finding")["value"] and "not signed in" in tab.says("account")["value"]
    before = tab.state.hub
    tab(tab.hub.visit, "results")
    assert tab.state.hub is before and tab.state.view.tab == "results"


def test_a_typed_token_is_kept_by_the_visitor_alone(tab, hub):
    alice = hub.add_user("alice", organizations=("guild",))
    shown = tab(tab.hub.sign_in, f" {alice} ")
    assert tab.visitor.token == alice and token_of(tab.visitor, None) == alice
    assert alice not in repr(shown) and alice not in repr(tab.visitor._page) and tab.says("token")["value"] == ""
    assert ("token", "value") not in tab.visitor._page  # so the box is emptied
    assert "Signed in as alice" in tab.says("account")["value"]
    assert [value for _, value in tab.says("namespace")["choices"]] == ["", "guild"]
    assert alice.encode() not in pickle.dumps(tab.state.session) and alice not in repr(tab.state)
    assert tab.state.again().hub.account is None
    tab(tab.hub.sign_out)
    assert tab.visitor.token is None and tab.state.hub.account is None


@pytest.mark.parametrize("token", ["", "hf_wrong", "two words", "ключ"])
def test_a_token_that_is_none_signs_nobody_in(tab, hub, token):
    said = tab.refused(tab.hub.sign_in, token)
    assert tiny.is_one_sentence(said) and tab.visitor.token is None
    assert not token or token not in said


def test_on_a_space_the_login_of_the_hub_comes_with_each_call(tab, space, monkeypatch):
    alice = gr.OAuthToken(token=space.add_user("alice"), scope="contribute-repos", expires_at=0)
    assert "A Space takes no token" in tab.refused(tab.hub.sign_in, alice.token)
    tab.refused(tab.hub.open_repo, "alice/secret")
    assert tab.state.session.generator == "face" and not tab.state.session.past
    tab(tab.hub.open_repo, "alice/secret", login=alice)
    assert sealed(tab.state.session.generator) and tab.visitor.token is None
    edit = edit_of(tab.hub.service.generator(tab.state.session.generator))
    tab.visitor.change(lambda state: state.jump(state.session.adopt(edit)))
    wish = ("", "hats", "rules", "private", "update")
    assert "Log in first" in tab.refused(tab.hub.publish_rules, *wish)
    tab(tab.hub.publish_rules, *wish, login=alice)
    assert "alice/hats" in tab.says("published")["value"] and "private" in tab.says("published")["value"]
    tab(tab.hub.visit, "hub", login=alice)
    assert "Signed in as alice" in tab.says("account")["value"]
    tab(tab.hub.visit, "hub")
    assert "not signed in" in tab.says("account")["value"]  # logged out


def test_gradio_hands_the_login_to_every_event_that_asks_the_hub(made):
    page = build(Service(made.__getitem__), "face")
    login = {"access_token": "hf_alice", "scope": "contribute-repos", "expires_at": time.time() + 60}
    request = gr.Request(session_hash="x", request=SimpleNamespace(session={"oauth_info": login}))
    events = {fn.api_name: fn for fn in page.fns.values() if fn.api_name}
    for name in ("open_repo", "open_found", "visit", "find_rules", "publish_rules"):
        given = special_args(events[name].fn, [None] * len(events[name].inputs), request)[0]
        assert given[0].token == "hf_alice" and len(given) == len(events[name].inputs) + 1


def test_on_a_space_one_logs_in_at_the_hub_and_types_no_token(monkeypatch):
    def logins():
        with gr.Blocks(analytics_enabled=False) as page:
            parts = lay_out_hub()
        assert not page.expects_oauth or not parts["token"].visible
        return [block for block in page.blocks.values() if isinstance(block, gr.LoginButton)]

    assert not logins()  # where there is none, gradio would pretend
    monkeypatch.setenv("SPACE_ID", "owner/studio")
    assert not logins()  # a Space whose settings do not ask for logins still opens
    monkeypatch.setenv("OAUTH_CLIENT_ID", "some-app")
    monkeypatch.setattr("gradio.routes.attach_oauth", lambda app: None)  # which needs packages that Spaces bring
    assert len(logins()) == 1


def test_going_on_meanwhile_ends_the_opening(tab, hub, folder):
    hub.add_repo("org/tiny", files_of(folder))
    opening = tab.begin(tab.hub.open_repo, "org/tiny")
    next(opening)
    tab.visitor.change(lambda state: state.jump(state.session.open("church")))
    list(opening)
    assert "Not opened" in tab.says("opening")["value"] and tab.state.session.generator == "church"


def test_an_opening_that_another_one_overtakes_says_nothing_when_it_ends(tab, hub, folder):
    hub.add_repo("org/tiny", files_of(folder))
    first = tab.begin(tab.hub.open_repo, "org/tiny")
    next(first)
    list(tab.begin(tab.hub.open_repo, "org/tiny"))
    opened = tab.says("opening")["value"]
    list(first)
    assert "Opened" in opened and tab.says("opening")["value"] == opened


def test_what_is_opened_is_in_force_with_its_pictures_and_said(tab, hub, folder):
    hub.add_repo("org/tiny", files_of(folder))
    shown = tab(tab.hub.open_repo, "org/tiny")
    key = tab.state.session.generator
    assert shown[-1]["generator"]["value"] == public_name(key) and "Opened tiny" in shown[-1]["opening"]["value"]
    assert len(shown[-1]["pairs"]["pairs"]) == 24 and shown[-1]["tabs"]["value"] == "results"
    assert tab.state.key_of(public_name(key)) == key


def test_of_several_files_the_visitor_chooses_one_and_reads_what_it_is(tab, hub, foreign):
    hub.add_repo("org/nets", {"a.pt": foreign(0), "bad.pt": b"x" * 100, "old/b.pt": foreign(1)})
    before = tab.state
    shown = tab(tab.hub.open_repo, "org/nets")[-1]
    assert "org/nets holds 3 files that may be generators; choose one" in shown["opening"]["value"]
    assert shown["which_file"]["visible"] is True and shown["which_file"]["value"] is None
    paths, names = zip(*shown["which_file"]["choices"], strict=True)
    assert names == ("org/nets:a.pt", "org/nets:bad.pt", "org/nets:old/b.pt") and paths[2] == "old/b.pt (0.1 MB)"
    assert tab.state.session == before.session
    assert "'bad.pt' is neither" in tab.refused(tab.hub.open_file, "org/nets:bad.pt")
    assert len(tab.state.hub.choices) == 3  # another one may be chosen
    shown = tab(tab.hub.open_file, "org/nets:old/b.pt")[-1]
    assert "Found b at " in shown["opening"]["value"] and "StyleGAN2, 16 px; its licence" in shown["opening"]["value"]
    assert shown["use_offered"]["visible"] is True and shown["which_file"]["value"] == "org/nets:old/b.pt"
    assert tab.state.session == before.session and tab.state.view == before.view  # nothing is replaced unasked
    shown = tab(tab.hub.use_offered)[-1]
    assert "Opened b at " in shown["opening"]["value"] and tab.state.session.generator.endswith(":old/b.pt")
    assert shown["which_file"]["visible"] == shown["use_offered"]["visible"] == "hidden"
    assert tab.state.view.tab == "results" and len(shown["pairs"]["pairs"]) == 24
    tab.visitor.change(lambda state: state.jump(state.session.open("church")))
    tab(tab.hub.open_repo, "org/nets:old/b.pt")  # which was asked once
    assert tab.state.session.generator.endswith(":old/b.pt")


def test_what_is_offered_goes_when_something_else_is_opened(tab, hub, foreign, folder):
    hub.add_repo("org/net", {"a.pt": foreign(0)})
    hub.add_repo("org/tiny", files_of(folder))
    tab(tab.hub.open_repo, "org/net")
    assert tab.state.hub.offered and tab.state.session.generator == "face"
    tab.refused(tab.hub.open_repo, "org/none")
    assert "Nothing is waiting" in tab.refused(tab.hub.use_offered)
    tab(tab.hub.open_repo, "org/net")
    tab(tab.hub.open_repo, "org/tiny")
    assert tab.state.hub.offered is None and "org/tiny" in tab.state.session.generator


def test_rules_for_a_file_of_another_program_say_what_it_is_before_they_are_used(tab, hub, foreign, shop):
    hub.add_repo("org/net", {"a.pt": foreign(0)})
    session = with_rule(shop, brought(shop, "org/net").key)
    publish_rules(shop, session, Wish("hats"), hub.add_user("alice"))
    shown = tab(tab.hub.open_repo, "alice/hats")[-1]
    assert "Found 1 rule for a at " in shown["opening"]["value"] and "StyleGAN2, 16 px" in shown["opening"]["value"]
    assert not tab.state.session.rules
    tab(tab.hub.use_offered)
    assert len(tab.state.session.rules) == 1 and "Opened 1 rule for a at " in tab.says("opening")["value"]


def test_others_rules_are_shown_as_cards(tab, hub, folder, shop):
    hub.add_repo("org/tiny", files_of(folder))
    session = with_rule(shop, brought(shop, "org/tiny").key)
    publish_rules(shop, session, Wish("pointy-hats"), hub.add_user("alice"))
    tab(tab.hub.find_rules, "hat")
    (card,) = tab.says("found")["cards"]
    assert card["title"] == "Pointy hats" and card["id"] == "alice/pointy-hats"
    assert card["detail"].startswith("by alice · rule for org/tiny")
    assert card["before"] == f"{hub.url}/alice/pointy-hats/resolve/main/before.webp"
    tab(tab.hub.find_rules, "gloves")
    assert "No published rule" in tab.says("finding")["value"] and studio_hub.LISTED >= 1
    tab(tab.hub.open_found, card["id"])
    assert tab.state.session.rule.edit.name == "Hats" and tab.says("address")["value"] == card["id"]
