"""What every test has: a world of its own, an Airflow home of its own, and no proxy or CA bundle of the machine's."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.simulator import Cloud, connection_to, running
from tests.memory import forget
from tests.servers import private_ca
from tests.world import World

_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME.name  # before anything imports Airflow
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


pytest_plugins = ["airflow_provider_ims.simulator.pytest_plugin"]

_ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="write the table of tests/faults or tests/others anew")


def pytest_collection_finish() -> None:
    gc.freeze()  # what is imported by now stays: to look through it for garbage would take a tenth of the core's time


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """A cloud without a socket, its client in a thread (see ``both_drivers``)."""
    return World(on_loop=getattr(request, "param", "thread") == "loop")


@pytest.fixture
def airflow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's tokens are kept: nothing is known yet, as in a process that has just started."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for name in (*_ENVIRONMENT, *map(str.lower, _ENVIRONMENT), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    from airflow_provider_ims.hooks.connection import token_store  # Airflow is imported by the tests that need it

    token_store.cache_clear()
    yield tmp_path
    token_store.cache_clear()
    for home in (tmp_path, *tmp_path.iterdir()):
        forget(home)


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the connections that Airflow was asked for on the event loop."""
    from airflow.sdk import BaseHook

    asked: list[str] = []
    look_up = BaseHook.aget_connection

    async def counted(conn_id: str) -> Any:
        asked.append(conn_id)
        return await look_up(conn_id)

    monkeypatch.setattr(BaseHook, "aget_connection", counted)
    return asked


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, Any], Path]]:
    """A simulator behind a certificate of a private CA: the connection to it, and the CA's file."""
    ca_file, context = private_ca(tmp_path)
    cloud = Cloud()
    with running(cloud, ssl_context=context) as server:
        yield connection_to(server.url, cloud.settings), ca_file
