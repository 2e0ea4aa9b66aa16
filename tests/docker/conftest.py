"""The image and the whole of docker/compose.yaml, built and started once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.engine import PROJECT, Docker, docker
from tests.docker.up import Up
from tests.real.processes import free_port


@pytest.fixture(scope="session")
def engine() -> Iterator[Docker]:
    """A Docker that can build and run."""
    folder = PROJECT / "build" / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    with docker(folder) as found:
        yield found


@pytest.fixture(scope="session")
def image(engine: Docker) -> str:
    """The image of docker/Dockerfile."""
    tag = "airflow-provider-ims:test"
    network = ["--network", "host"] if engine.own else []
    engine("build", *network, "--file", str(PROJECT / "docker" / "Dockerfile"), "--tag", tag, str(PROJECT))
    return tag


@pytest.fixture(scope="session")
def up(engine: Docker, image: str) -> Iterator[Up]:
    """Everything that ``docker compose up`` starts, healthy."""
    started = Up(engine, image, free_port())
    try:
        started.start()
        yield started
    finally:
        started.remove()
