"""A pytest fixture for tests of DAGs: a simulated cloud, with the Airflow connection ``ims_default`` leading to it.

Switch it on with ``pytest_plugins = ["airflow_provider_ims.simulator.pytest_plugin"]`` in the top ``conftest.py``.
Override the fixture ``ims_simulator_settings`` to have the cloud behave differently.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.server import running
from airflow_provider_ims.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class ImsSimulator:
    """A running simulator: where it is, what it holds, and the connection to it."""

    url: str
    cloud: Cloud

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection that leads here, with its password."""
        return connection_to(self.url, self.cloud.settings)

    @property
    def connection_json(self) -> str:
        """The same as text, as ``AIRFLOW_CONN_...`` takes it."""
        return json.dumps(self.connection)


@pytest.fixture
def ims_simulator_settings() -> Settings:
    """How the simulated cloud behaves; copies take one second."""
    return Settings(copy_seconds=1.0)


@pytest.fixture
def ims_simulator(ims_simulator_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImsSimulator]:
    """A simulated cloud on loopback and the connection ``ims_default`` to it, for the time of one test."""
    with running(Cloud(ims_simulator_settings)) as server:
        simulator = ImsSimulator(server.url, server.cloud)
        monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", simulator.connection_json)
        yield simulator
