"""For all tests: one thread, repeatable examples, and no file outside of pytest's own folders."""

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# The same examples on every run, and no judgement by the clock: machines that test are busy.
settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_run(tmp_path_factory):
    """Statistics are kept in a folder of this run, not in the user's."""
    patch = pytest.MonkeyPatch()
    patch.setenv("REWRITING_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
