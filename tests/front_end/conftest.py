"""The one browser of a run, and a page of each host's front end for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import chromium, open_front_end
from support.hosts import Server


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Any, server: Server) -> Iterator[Any]:
    """The front end of the host that all tests share; an open page draws all the time, so it is closed early."""
    shown = open_front_end(browser, server.address)
    yield shown
    shown.close()
