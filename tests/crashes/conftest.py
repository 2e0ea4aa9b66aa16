"""One real Airflow for all tests of this folder; who dies is noticed within seconds."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.stack import ASSETS_START_RUNS, Stack

DAG_FILES = Path(__file__).parent / "dags"
WATCHING = Path(__file__).parents[1] / "real" / "dags" / "watching.py"
SOON = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything running, eight tasks at once."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a SIGTERM stops the processes as well
    sources = {path.name: path.read_text() for path in (*DAG_FILES.glob("*.py"), WATCHING)}
    with Stack(dag_files=sources, env=SOON | ASSETS_START_RUNS, parallelism=8) as running:
        yield running
    signal.signal(signal.SIGTERM, before)
