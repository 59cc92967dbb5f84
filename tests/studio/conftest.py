"""What the tests of the page share: a browser for each file of tests, and the page before a server that is scripted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from studio.stand_in import StandIn, browsing, build_app, opened_in, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture(scope="module")
def scripted(stand_in: StandIn) -> Iterator[str]:
    """The address of the server that `stand_in` is of a file of tests."""
    with serving(build_app(stand_in)) as address:
        yield address


@pytest.fixture
def server(stand_in: StandIn) -> StandIn:
    stand_in.start_anew()
    return stand_in


@pytest.fixture(scope="module")
def modules(context: BrowserContext, scripted: str) -> Iterator[Page]:
    """A page whose modules are asked without it."""
    with opened_in(context, scripted) as page:
        yield page
