"""For all tests: the same surroundings, one thread, repeatable examples, and no file outside of their own folders."""

from tests import surroundings

surroundings.settle()  # before anything else is imported

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# The same examples on every run, and no judgement by the clock: machines that test are busy.
settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")


# Those that wait for browsers and for other processes, longest first: begun last, they would keep one of the two
# processes waiting for the other.
LONGEST = (
    "studio",
    "processes",
    "studio_api",
    "hub_page",
    "page",
    "component_lists",
    "components",
    "hostile",
    "training",
)


def pytest_collection_modifyitems(items):
    order = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_run(tmp_path_factory):
    """Statistics are kept in a folder of this run, not in the user's."""
    patch = pytest.MonkeyPatch()
    patch.setenv("REWRITING_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
