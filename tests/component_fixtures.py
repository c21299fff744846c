"""The page of all components as a fixture.  A plugin of the tests that use it."""

import pytest

from tests.browser import chromium_page
from tests.component_page import Heard, component_page


@pytest.fixture(scope="module")
def heard():
    """What Python hears, by component."""
    return Heard()


@pytest.fixture(scope="module")
def studio(heard):
    with component_page(heard) as browser_and_url:
        yield browser_and_url


@pytest.fixture
def page(studio, heard):
    """The page, opened afresh; nothing has been heard yet."""
    heard.clear()
    with chromium_page(*studio) as opened:
        opened.wait_for_selector("#paint .stage.ready")
        opened.wait_for_selector("#rules .rule")
        yield opened
