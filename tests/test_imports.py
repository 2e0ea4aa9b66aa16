"""What a DAG file costs that imports the provider: nothing that speaks HTTP is loaded before a task runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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
