"""Who is logged in, and which rules others published, with the real client against a Hub on this machine."""

import pytest

from rewriting.hub import HubError, account, list_rules
from tests.hub_repos import add_generator
from tests.test_hub_publish import sent

pytest_plugins = ("tests.hub_fixtures",)


def test_the_account_and_where_it_may_publish(hub):
    alice = hub.add_user("alice", organizations=("guild",))
    assert account(token=alice, endpoint=hub.url) == account(token=alice + "\n", endpoint=hub.url)
    me = account(token=alice, endpoint=hub.url)
    assert (me.name, me.organizations) == ("alice", ("guild",))


def test_rules_are_found_by_their_tag(hub, folder):
    alice, bob, generator = hub.add_user("alice"), hub.add_user("bob"), add_generator(hub, folder)
    sent(hub, generator, "alice/hats", alice)
    sent(hub, generator, "alice/model", alice, full_model=True)
    sent(hub, generator, "bob/secret", bob, private=True)
    found = list_rules(endpoint=hub.url, token=False)
    assert {(rule.repo_id, rule.kind, rule.base) for rule in found} == {
        ("alice/hats", "edit", "org/tiny"),
        ("alice/model", "model", "org/tiny"),
    }
    assert found[0].picture == f"{hub.url}/{found[0].repo_id}/resolve/main/after.webp"
    assert {rule.repo_id for rule in list_rules(endpoint=hub.url, token=bob, author="bob")} == {"bob/secret"}
    assert [rule.repo_id for rule in list_rules(endpoint=hub.url, token=False, search="hat")] == ["alice/hats"]
    assert len(list_rules(endpoint=hub.url, token=False, base="org/tiny")) == 2
    assert not list_rules(endpoint=hub.url, token=False, base="org/other")
    assert len(list_rules(endpoint=hub.url, token=False, limit=1)) == 1
    with pytest.raises(HubError, match="does not accept this token"):
        list_rules(endpoint=hub.url, token="hf_wrong")
