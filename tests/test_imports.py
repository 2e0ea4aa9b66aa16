"""What a DAG file costs that imports the provider: nothing that speaks HTTP is loaded before a task runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE

PROBE = """
import json, sys
import airflow.sdk
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
LIGHT = {"airflow", "airflow_provider_ims", "pydantic"}
"""Whose modules may come along: Airflow's base of triggers makes a model of pydantic's."""


@pytest.mark.parametrize("module", ["operators", "sensors", "triggers"])
def test_a_dag_file_loads_no_http_library(module: str) -> None:
    probe = PROBE.format(module=f"airflow_provider_ims.{module}")
    shown = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)  # noqa: S603
    loaded = json.loads(shown.stdout.splitlines()[-1])
    assert f"airflow_provider_ims.{module}" in loaded
    assert {name.partition(".")[0] for name in loaded} <= LIGHT
    assert not [name for name in loaded if name.startswith(("airflow.providers", "airflow_provider_ims.hooks"))]


def test_what_a_task_begins_a_copy_with_loads_no_other_http_library_than_airflow_has() -> None:
    """httpcore is there in each task's process; requests and aiohttp cost it more than all of the provider."""
    probe = PROBE.format(module="airflow_provider_ims.hooks.base, airflow_provider_ims.copying")
    shown = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)  # noqa: S603
    loaded = json.loads(shown.stdout.splitlines()[-1])
    assert "airflow_provider_ims.hooks.base" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"requests", "urllib3", "aiohttp"}


def test_a_copy_without_proxies_loads_no_more(airflow_home: Path, ims_simulator: ImsSimulator) -> None:
    code = (
        "import sys; from airflow_provider_ims.hooks.base import ImsBaseHook\n"
        f"with ImsBaseHook() as hook: hook.copy_image('{PLAIN_IMAGE}', name='golden')\n"
        "print(*sys.modules)"
    )
    environment = os.environ | {"NO_PROXY": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "httpcore" in loaded
    assert not loaded & {"requests", "urllib3", "aiohttp"}
    assert len(ims_simulator.cloud.jobs) == 1
