"""Rules that were made with a picture that somebody brought, published with it and without."""

import numpy as np
import pytest

from rewriting import Edit, Region, Rewriter, load_edits, publish
from rewriting.hub import publish_folder
from tests import tiny
from tests.hub_repos import add_generator
from tests.test_hub import FEW

pytest_plugins = ("tests.hub_fixtures",)
LAYER = 6


@pytest.fixture
def alice(hub):
    return hub.add_user("alice")


@pytest.fixture
def generator(hub, folder):
    return add_generator(hub, folder)


@pytest.fixture
def edit(generator):
    own = Rewriter(generator, LAYER).invert(generator.images([5])[0][:, ::-1].copy())
    request = tiny.request(context=(Region(own, tiny.disk(32, 18, 12, 8)),), name="Mine")
    details = {"base": generator.digest(), "generator": generator.config.name, "request": request}
    return tiny.random_edit(generator, LAYER, name="Mine", **details)


def brought(hub, repo_id):
    return {name for name in hub.repo(repo_id).head.files if name.startswith("own-")}


@pytest.mark.parametrize("by_folder", [False, True])
def test_what_somebody_brought_is_published_only_if_they_say_so(hub, generator, edit, alice, tmp_path, by_folder):
    access = {"token": alice, "endpoint": hub.url}
    edit.save(tmp_path)

    def sent(**options):
        if by_folder:
            return publish_folder(tmp_path, "alice/mine", **access, **options)
        return publish(edit, "alice/mine", generator=generator, seeds=FEW, **access, **options)

    def back():
        (found,) = load_edits("alice/mine", generator=generator, token=False, endpoint=hub.url)
        return found

    (own,) = edit.request.own_pictures()
    sent()
    assert not brought(hub, "alice/mine")
    assert back().request.missing_pictures() == [own.digest]
    assert np.array_equal(generator.images(FEW, [back()]), generator.images(FEW, [edit]))
    with pytest.raises(ValueError, match="cannot be changed again"):
        Rewriter(generator, LAYER).solve(back().request)
    sent(pictures=True)
    assert len(brought(hub, "alice/mine")) == 2
    assert back().request == edit.request
    sent()
    assert not brought(hub, "alice/mine") and back().request.missing_pictures()


def test_the_folder_keeps_what_is_not_published(hub, generator, edit, alice, tmp_path):
    publish_folder(edit.save(tmp_path), "alice/mine", token=alice, endpoint=hub.url)
    assert Edit.load(tmp_path).request == edit.request
