"""One real Airflow with the simulated cloud, and one Chromium, for all tests of this folder."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import browsing, chromium
from tests.real.rest import Run
from tests.real.stack import Stack

DAG_FILES = Path(__file__).parent / "dags"
CONSOLE = "https://console.example.com/ims/?region={region}#/image/{image_id}"
BY_HAND = {"golden-web": True, "golden-database": True, "golden-worker": False, "golden-gateway": True}
"""What the copies by hand are called, and whether their runs wait for them."""


def pytest_configure() -> None:
    if not chromium():
        raise pytest.UsageError("These tests need Chromium, and there is none; on Debian: apt-get install chromium")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything running; a copy takes twelve seconds, and the connection says where an image's page is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a SIGTERM stops the processes as well
    sources = {path.name: path.read_text() for path in DAG_FILES.glob("*.py")}
    long_lines = {"AIRFLOW__API__DEFAULT_WRAP": "True"}  # in the log they are broken, else cut off
    with Stack(dag_files=sources, simulator_arguments=["--copy-seconds", "12"], env=long_lines) as running:
        connection = running.rest_connection
        connection["extra"] = json.dumps({"console_url": CONSOLE} | json.loads(connection["extra"]))
        running.api.call("PATCH", "/connections/ims_default", json=connection)
        yield running
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def context(stack: Stack) -> Iterator[Any]:
    with browsing(stack) as context:
        yield context


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """A page of one's own, in a browser that has logged in."""
    page = context.new_page()
    yield page
    page.close()


@pytest.fixture(scope="session", autouse=True)
def started(stack: Stack) -> list[Run]:
    """The run that tells the asset of its image, then those by hand; they go on while the forms are looked at."""
    source = stack.simulator.images[0]
    return [
        stack.api.start("publish_golden_image"),
        *(
            stack.api.start("copy_image_by_hand", {"image_id": source, "name": name, "wait": wait})
            for name, wait in BY_HAND.items()
        ),
    ]


@pytest.fixture
def published(started: list[Run]) -> Run:
    """The run of ``publish_golden_image``, which is over."""
    run = started[0].wait()
    assert run.state == "success", run.log("copy_image")
    return run


@pytest.fixture
def by_hand(started: list[Run]) -> list[Run]:
    """The runs of ``copy_image_by_hand``, all of them over."""
    return [run.wait() for run in started[1:]]
