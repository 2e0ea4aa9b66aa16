"""The core opens no socket: a test of it that does fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.client import Client
from airflow_provider_ims.shelves import Files, Shelf
from tests.tries import Tries
from tests.variables import Variables
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
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another time than UTC."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def tries() -> Tries:
    """Tries in a thread, where alone copies are begun."""
    return Tries(World())


@pytest.fixture(params=[True, False], ids=["store", "no store"])
def either(request: pytest.FixtureRequest) -> Tries:
    """Once with a state store, once without, as on Airflow 3.2."""
    return Tries(World(), has_store=request.param)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What all hosts have mounted."""
    (tmp_path / "mounted").mkdir(mode=0o700)
    return tmp_path / "mounted"


@pytest.fixture(params=["directory", "variables"])
def beyond(request: pytest.FixtureRequest, directory: Path) -> Shelf:
    return Files(directory, shared=True) if request.param == "directory" else Variables()


@pytest.fixture
def host(world: World, tmp_path: Path) -> Any:
    """A process on one of the hosts."""

    def process(number: int, *beyond: Shelf, **fields: Any) -> Client:
        return world.another_client(tmp_path / f"host{number}", *beyond, **fields)

    return process
