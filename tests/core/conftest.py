"""The core opens no socket: a test of it that does fails."""

from __future__ import annotations

import sys

import pytest

from tests.tries import Tries
from tests.world import World

_FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto")
_watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in _FORBIDDEN:
        raise AssertionError(f"the core opened a socket: {event} {arguments[1:]}")


sys.addaudithook(_watch)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    global _watching
    _watching = True


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    global _watching
    _watching = False


@pytest.fixture
def tries() -> Tries:
    """Tries in a thread, where alone copies are begun."""
    return Tries(World())


@pytest.fixture(params=[True, False], ids=["store", "no store"])
def either(request: pytest.FixtureRequest) -> Tries:
    """Once with a state store, once without, as on Airflow 3.2."""
    return Tries(World(), has_store=request.param)
